"""EfficientNet: MobileNet's bottlenecks with channel attention, and one rule for width, depth and resolution.

Tan, Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019; lecture C4W2,
EfficientNet. As in torchvision. The paper scales depth by 1.2^phi, width by 1.1^phi and the side of the
images by 1.15^phi: 1.2 * 1.1^2 * 1.15^2 is about 2, so each step of phi doubles the multiply-adds.

    B0                    expansion    output            blocks
    conv 3x3, stride 2                 112 x 112 x 32
    MBConv 3x3                1        112 x 112 x 16       1
    MBConv 3x3, stride 2      6         56 x  56 x 24       2
    MBConv 5x5, stride 2      6         28 x  28 x 40       2
    MBConv 3x3, stride 2      6         14 x  14 x 80       3
    MBConv 5x5                6         14 x  14 x 112      3
    MBConv 5x5, stride 2      6          7 x   7 x 192      4
    MBConv 3x3                6          7 x   7 x 320      1
    conv 1x1                             7 x   7 x 1280
    mean over the places, dropout, fc        1000

          width    depth    resolution    dropout    parameters    multiply-adds
    B0     1.0      1.0        224          0.2       5,288,548       385,814,752
    B1     1.0      1.1        240          0.2       7,794,184       686,802,832
    B2     1.1      1.2        260          0.3       9,109,994       993,561,872
    B3     1.2      1.4        300          0.3      12,233,232     1,827,141,392
    B4     1.4      1.8        380          0.4      19,341,616     4,393,771,024
    B5     1.6      2.2        456          0.4      30,389,784    10,266,384,752
    B6     1.8      2.6        528          0.5      43,040,704    19,067,593,536
    B7     2.0      3.1        600          0.5      66,347,960    37,745,884,192
"""

import math
from typing import Any

import numpy as np

from autograd import random
from autograd.ops.activation import dropout as dropped
from autograd.ops.activation import sigmoid
from autograd.ops.units import silu

from .. import init
from ..layers import Conv2d, Dropout, GlobalAvgPool, Linear, Sequential, SiLU
from ..module import Module
from .catalog import Entry
from .mobilenet_v1 import conv_norm, start_weights
from .mobilenet_v2 import scaled

# expansion, kernel size, stride of the first, channels, blocks
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


class SqueezeExcitation(Module):
    """Each channel times a number in (0, 1) that two 1x1 convolutions compute from the means of all channels:
    x * sigmoid(fc2(silu(fc1(mean(x))))). (m, n_H, n_W, channels) to the same. Hu et al. 2017."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.fc1 = Conv2d(channels, squeezed, 1)
        self.fc2 = Conv2d(squeezed, channels, 1)

    def forward(self, x):
        means = np.mean(x, axis=(1, 2), keepdims=True)  # (m, 1, 1, channels)
        return x * sigmoid(self.fc2(silu(self.fc1(means))))


class StochasticDepth(Module):
    """In training drops the whole of an example with probability p, and divides the others by 1 - p: in a
    residual block only the shortcut is left of a dropped one. Huang et al. 2016."""

    def __init__(self, p: float):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"StochasticDepth: p is a probability in [0, 1), got {p!r}")
        self.p = p

    def forward(self, x):
        if not self.training or not self.p:
            return x
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        return dropped(x, random.generator().random(shape, np.float32) >= self.p, 1.0 - self.p)

    def extra_repr(self):
        return f"p={self.p:g}"


class MBConv(Module):
    """1x1 to `expansion` times the channels, f x f of each alone, squeeze and excitation, 1x1 to
    `out_channels`; and the input added where the shapes allow: stride 1 and as many channels."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, expansion, drop, norm):
        super().__init__()
        self.residual = stride == 1 and in_channels == out_channels
        hidden = scaled(in_channels, expansion)
        self.block = Sequential()
        if hidden != in_channels:
            self.block.append(conv_norm(in_channels, hidden, 1, activation=SiLU, **norm))
        self.block.extend(
            (
                conv_norm(hidden, hidden, kernel_size, stride, groups=hidden, activation=SiLU, **norm),
                SqueezeExcitation(hidden, max(1, in_channels // 4)),
                conv_norm(hidden, out_channels, 1, activation=None, **norm),
            )
        )
        self.stochastic_depth = StochasticDepth(drop)

    def forward(self, x):
        y = self.block(x)
        return self.stochastic_depth(y) + x if self.residual else y


class EfficientNet(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)`.

    EfficientNet(num_classes=1000, in_channels=3, small=False, width=1.0, depth=1.0, dropout=0.2,
    stochastic_depth=0.2, eps=1e-5, momentum=0.1): `width` scales the numbers of channels, to multiples of 8,
    `depth` the numbers of blocks, rounded up. `stochastic_depth` is the probability at the last block, which
    grows evenly from 0 at the first. `small` is for images of about 32x32: the first two strides are 1. `eps`
    and `momentum` are batch norm's."""

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        small: bool = False,
        width: float = 1.0,
        depth: float = 1.0,
        dropout: float = 0.2,
        stochastic_depth: float = 0.2,
        eps: float = 1e-5,
        momentum: float = 0.1,
    ):
        super().__init__()
        norm: dict[str, Any] = dict(eps=eps, momentum=momentum)
        channels = scaled(32, width)
        counts = [math.ceil(blocks * depth) for *_, blocks in STAGES]
        self.features = Sequential(
            conv_norm(in_channels, channels, 3, 1 if small else 2, activation=SiLU, **norm)
        )
        done = 0
        for k, (expansion, kernel_size, stride, base, _) in enumerate(STAGES):
            stage = Sequential()
            for b in range(counts[k]):
                step = 1 if b or (small and k == 1) else stride
                drop = stochastic_depth * done / sum(counts)
                out = scaled(base, width)
                stage.append(MBConv(channels, out, kernel_size, step, expansion, drop, norm))
                channels, done = out, done + 1
            self.features.append(stage)
        last = 4 * channels
        self.features.append(conv_norm(channels, last, 1, activation=SiLU, **norm))
        self.avgpool = GlobalAvgPool()
        self.classifier = Sequential(Dropout(dropout), Linear(last, num_classes))
        start_weights(self)
        bound = 1 / math.sqrt(num_classes)
        init.uniform_(self.classifier[1].weight, -bound, bound)

    def forward(self, images):
        return self.classifier(self.avgpool(self.features(images)))


def efficientnet_b0(**options) -> EfficientNet:
    """5,288,548 parameters, for 224x224. `options` are those of `EfficientNet`, here and below."""
    return EfficientNet(**options)


def efficientnet_b1(**options) -> EfficientNet:
    """7,794,184 parameters, for 240x240."""
    return EfficientNet(**{"depth": 1.1, **options})


def efficientnet_b2(**options) -> EfficientNet:
    """9,109,994 parameters, for 260x260."""
    return EfficientNet(**{"width": 1.1, "depth": 1.2, "dropout": 0.3, **options})


def efficientnet_b3(**options) -> EfficientNet:
    """12,233,232 parameters, for 300x300."""
    return EfficientNet(**{"width": 1.2, "depth": 1.4, "dropout": 0.3, **options})


def efficientnet_b4(**options) -> EfficientNet:
    """19,341,616 parameters, for 380x380."""
    return EfficientNet(**{"width": 1.4, "depth": 1.8, "dropout": 0.4, **options})


LARGE = {
    "eps": 0.001,
    "momentum": 0.01,
}  # torchvision's batch norm from B5 on, whose weights come from TensorFlow


def efficientnet_b5(**options) -> EfficientNet:
    """30,389,784 parameters, for 456x456."""
    return EfficientNet(**{"width": 1.6, "depth": 2.2, "dropout": 0.4, **LARGE, **options})


def efficientnet_b6(**options) -> EfficientNet:
    """43,040,704 parameters, for 528x528."""
    return EfficientNet(**{"width": 1.8, "depth": 2.6, "dropout": 0.5, **LARGE, **options})


def efficientnet_b7(**options) -> EfficientNet:
    """66,347,960 parameters, for 600x600."""
    return EfficientNet(**{"width": 2.0, "depth": 3.1, "dropout": 0.5, **LARGE, **options})


def _entry(build, side, parameters, multiply_adds):
    shape = (side, side, 3)
    return Entry(
        build.__name__, build, shape, parameters, multiply_adds, "C4W2-efficientnet", "Tan and Le 2019"
    )


ENTRIES = (
    _entry(efficientnet_b0, 224, 5_288_548, 385_814_752),
    _entry(efficientnet_b1, 240, 7_794_184, 686_802_832),
    _entry(efficientnet_b2, 260, 9_109_994, 993_561_872),
    _entry(efficientnet_b3, 300, 12_233_232, 1_827_141_392),
    _entry(efficientnet_b4, 380, 19_341_616, 4_393_771_024),
    _entry(efficientnet_b5, 456, 30_389_784, 10_266_384_752),
    _entry(efficientnet_b6, 528, 43_040_704, 19_067_593_536),
    _entry(efficientnet_b7, 600, 66_347_960, 37_745_884_192),
)

"""GoogLeNet: nine Inception modules, and side heads that help it learn.

Szegedy, Liu, Jia et al., "Going Deeper with Convolutions", 2014; lecture C4W2, inception network. A module
does 1x1, 3x3 and 5x5 convolutions and pooling side by side, the larger ones behind a 1x1 bottleneck, and
puts their channels together.

    layer           output      1x1  3x3 reduce, 3x3  5x5 reduce, 5x5  pool 1x1   parameters (paper)
    conv 7x7, 2     112x112x64                                                 9,472
    max pool 3x3, 2  56x56x64   (then local response normalisation in the paper's form)
    conv 1x1         56x56x64                                                  4,160
    conv 3x3         56x56x192                                               110,784
    max pool 3x3, 2  28x28x192  (before it local response normalisation)
    inception 3a     28x28x256   64    96, 128          16,  32           32   163,696
    inception 3b     28x28x480  128   128, 192          32,  96           64   388,736
    max pool 3x3, 2  14x14x480
    inception 4a     14x14x512  192    96, 208          16,  48           64   376,176
    inception 4b     14x14x512  160   112, 224          24,  64           64   449,160
    inception 4c     14x14x512  128   128, 256          24,  64           64   510,104
    inception 4d     14x14x528  112   144, 288          32,  64           64   605,376
    inception 4e     14x14x832  256   160, 320          32, 128          128   868,352
    max pool          7x7x832   (3x3, stride 2; torchvision: 2x2)
    inception 5a      7x7x832   256   160, 320          32, 128          128 1,043,456
    inception 5b      7x7x1024  384   192, 384          48, 128          128 1,444,080
    mean over the places, dropout, fc                                        1,025,000

    network                          parameters    with both side heads    multiply-adds
    googlenet_paper                   6,998,552         13,378,280         1,582,671,872
    googlenet (as torchvision's)      6,624,904         13,004,888         1,498,376,192

torchvision's has batch normalisation instead of biases, and by a slip that its weights keep (its issue 906)
3x3 convolutions where the paper has 5x5.
"""

from collections.abc import Callable

import numpy as np

from autograd.ops.activation import relu

from .. import init
from ..layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    GlobalAvgPool,
    Identity,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Sequential,
)
from ..module import Module
from .catalog import Entry


class BasicConv2d(Module):
    """Convolution without biases, batch normalisation and ReLU; or, where `norm` is False, convolution with
    biases and ReLU."""

    bn: Module | None

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, norm=True):
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=not norm)
        self.bn = BatchNorm2d(out_channels, eps=0.001) if norm else None

    def forward(self, x):
        return self.conv(x, relu=True) if self.bn is None else self.bn(self.conv(x), relu=True)


class Inception(Module):
    """Four branches side by side: (m, n_H, n_W, n_C_prev) to (m, n_H, n_W, ch1x1 + ch3x3 + ch5x5 +
    pool_proj).

    Inception(in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj, kernel_size=5, norm=True), with
    `kernel_size` that of the "5x5" branch. COURSE.md C4W2-inception."""

    def __init__(
        self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj, kernel_size=5, norm=True
    ):
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, ch1x1, 1, norm=norm)
        self.branch2 = Sequential(
            BasicConv2d(in_channels, ch3x3red, 1, norm=norm),
            BasicConv2d(ch3x3red, ch3x3, 3, padding=1, norm=norm),
        )
        self.branch3 = Sequential(
            BasicConv2d(in_channels, ch5x5red, 1, norm=norm),
            BasicConv2d(ch5x5red, ch5x5, kernel_size, padding=kernel_size // 2, norm=norm),
        )
        self.branch4 = Sequential(
            MaxPool2d(3, 1, padding=1), BasicConv2d(in_channels, pool_proj, 1, norm=norm)
        )

    def forward(self, x):
        return np.concatenate((self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)), axis=-1)


class SideHead(Module):
    """Logits from the middle of the network: 4x4 means, a 1x1 convolution, two fully connected layers. The
    paper averages windows of 5x5 with stride 3, which of 14x14 are 4x4."""

    def __init__(self, in_channels, channels, hidden, num_classes, pool, norm=True, dropout=0.7):
        super().__init__()
        self.pool = pool
        self.conv = BasicConv2d(in_channels, channels, 1, norm=norm)
        self.fc1 = Linear(16 * channels, hidden, spatial=(4, 4, channels))
        self.dropout = Dropout(dropout)
        self.fc2 = Linear(hidden, num_classes)

    def forward(self, x):
        x = self.conv(self.pool(x))  # (m, 4, 4, channels)
        x = relu(self.fc1(x.reshape((x.shape[0], -1))))  # (m, hidden)
        return self.fc2(self.dropout(x))


# 1x1; 3x3 reduce, 3x3; 5x5 reduce, 5x5; pool projection
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class GoogLeNet(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)`; in training, with side heads, the
    three `(logits, logits of the head behind 4d, of the one behind 4a)`, as torchvision's, for
    `SideHeadLoss`.

    GoogLeNet(num_classes=1000, in_channels=3, aux_logits=True, small=False, width=1.0, dropout=0.2,
    dropout_aux=0.7, as_paper=False): `small` is for images of about 32x32, with a first convolution of 3x3
    and stride 1, and no pooling before the modules; `width` scales all numbers of channels; `as_paper` has
    5x5 convolutions, biases and local response normalisation, otherwise it is torchvision's."""

    aux1: Module | None
    aux2: Module | None

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        aux_logits: bool = True,
        small: bool = False,
        width: float = 1.0,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
        as_paper: bool = False,
    ):
        super().__init__()

        def scaled(*channels):
            return tuple(max(1, round(c * width)) for c in channels)

        c1, c2, c3 = scaled(64, 64, 192)
        norm, kernel_size = not as_paper, 5 if as_paper else 3
        stem = dict(kernel_size=3, padding=1) if small else dict(kernel_size=7, stride=2, padding=3)
        self.conv1 = BasicConv2d(in_channels, c1, norm=norm, **stem)
        self.maxpool1 = Identity() if small else MaxPool2d(3, 2, ceil_mode=True)
        self.norm1 = LocalResponseNorm(5) if as_paper else Identity()
        self.conv2 = BasicConv2d(c1, c2, 1, norm=norm)
        self.conv3 = BasicConv2d(c2, c3, 3, padding=1, norm=norm)
        self.norm2 = LocalResponseNorm(5) if as_paper else Identity()
        self.maxpool2 = Identity() if small else MaxPool2d(3, 2, ceil_mode=True)
        depth, depths = c3, {}
        for name, channels in MODULES.items():
            ch1x1, red3x3, ch3x3, red5x5, ch5x5, pooled = scaled(*channels)
            module = Inception(depth, ch1x1, red3x3, ch3x3, red5x5, ch5x5, pooled, kernel_size, norm)
            setattr(self, f"inception{name}", module)
            depth = depths[name] = ch1x1 + ch3x3 + ch5x5 + pooled
            if name == "3b":
                self.maxpool3 = MaxPool2d(3, 2, ceil_mode=True)
            if name == "4e":
                self.maxpool4 = MaxPool2d(3 if as_paper else 2, 2, ceil_mode=True)
        self.aux1 = self.aux2 = None
        if aux_logits:
            c4, hidden = scaled(128, 1024)
            for head, name in (("aux1", "4a"), ("aux2", "4d")):
                pool = AvgPool2d(5, 3) if as_paper else AdaptiveAvgPool2d(4)
                setattr(self, head, SideHead(depths[name], c4, hidden, num_classes, pool, norm, dropout_aux))
        self.avgpool = GlobalAvgPool()
        self.dropout = Dropout(dropout)
        self.fc = Linear(depth, num_classes)
        for path, layer in self.named_modules():
            if isinstance(layer, (Conv2d, Linear)):
                if norm:  # as torchvision, where batch normalisation brings the scale back
                    init.trunc_normal_(layer.weight, std=0.01, a=-0.02, b=0.02)
                elif path.endswith(("fc", "fc2")):  # small logits: no class is ruled out at the start
                    init.normal_(layer.weight, std=0.01)
                else:
                    init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if as_paper and layer.bias is not None:
                    init.zeros_(layer.bias)

    def forward(self, images):
        x = self.norm1(self.maxpool1(self.conv1(images)))  # (m, 56, 56, 64)
        x = self.maxpool2(self.norm2(self.conv3(self.conv2(x))))  # (m, 28, 28, 192)
        heads, sides = {"4a": self.aux1, "4d": self.aux2}, []
        for name in MODULES:
            x = getattr(self, f"inception{name}")(x)
            if name == "3b":
                x = self.maxpool3(x)  # (m, 14, 14, 480)
            if name == "4e":
                x = self.maxpool4(x)  # (m, 7, 7, 832)
            head = heads.get(name)
            if self.training and head is not None:
                sides.append(head(x))
        logits = self.fc(self.dropout(self.avgpool(x)))
        return (logits, *reversed(sides)) if sides else logits


class SideHeadLoss(Module):
    """The loss of a network with side heads: `loss(logits, target)` and `weight` times that of each side
    head, as the paper trains. SideHeadLoss(loss, weight=0.3) takes what the network gives, in training and
    after `eval()`."""

    def __init__(self, loss: Callable, weight: float = 0.3):
        super().__init__()
        self.loss, self.weight = loss, weight

    def forward(self, outputs, target):
        if not isinstance(outputs, tuple):
            return self.loss(outputs, target)
        logits, *sides = outputs
        return self.loss(logits, target) + self.weight * sum(self.loss(side, target) for side in sides)


def googlenet(**options) -> GoogLeNet:
    """torchvision's variant: 13,004,888 parameters, 6,624,904 with `aux_logits=False`. `options` are those
    of `GoogLeNet`."""
    return GoogLeNet(**options)


def googlenet_paper(**options) -> GoogLeNet:
    """The paper's: 13,378,280 parameters, 6,998,552 with `aux_logits=False`."""
    return GoogLeNet(**{"as_paper": True, "dropout": 0.4, **options})


def _entry(build, parameters, multiply_adds):
    shape = (224, 224, 3)
    course = "C4W2-inception"
    return Entry(build.__name__, build, shape, parameters, multiply_adds, course, "Szegedy et al. 2014")


ENTRIES = (
    _entry(googlenet, 13_004_888, 1_498_376_192),
    _entry(googlenet_paper, 13_378_280, 1_582_671_872),
)

"""MobileNet v2: bottleneck blocks that expand, convolve each channel alone, and project back, with a residual
connection between the narrow ends.

Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018; lecture
C4W2, MobileNet architecture. As in torchvision.

    layer                   expansion    output            blocks    parameters
    conv 3x3, stride 2                   112 x 112 x 32                     928
    bottleneck                  1        112 x 112 x 16       1             896
    bottleneck, stride 2        6         56 x  56 x 24       2          13,968
    bottleneck, stride 2        6         28 x  28 x 32       3          39,696
    bottleneck, stride 2        6         14 x  14 x 64       4         183,872
    bottleneck                  6         14 x  14 x 96       3         303,168
    bottleneck, stride 2        6          7 x   7 x 160      3         795,264
    bottleneck                  6          7 x   7 x 320      1         473,920
    conv 1x1                               7 x   7 x 1280               412,160
    mean over the places, dropout, fc          1000                   1,281,000
                                                                      3,504,872    300,774,272 multiply-adds

    width    parameters without batch norm's    multiply-adds at 224x224, both as published
    1.4        6.06 M                              582 M
    1.0        3.47 M                              300 M
    0.75       2.61 M                              209 M
    0.5        1.95 M                               97 M
    0.35       1.66 M                               59 M
"""

from ..layers import BatchNorm2d, Conv2d, Dropout, GlobalAvgPool, Linear, ReLU6, Sequential
from ..module import Module
from .catalog import Entry
from .mobilenet_v1 import conv_norm, start_weights

# expansion, channels, blocks, stride of the first
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def scaled(channels: int, width: float) -> int:
    """`channels * width` as the nearest multiple of 8, at least 8, and not below nine tenths of it."""
    wanted = channels * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


class InvertedResidual(Module):
    """1x1 to `expansion` times the channels, 3x3 of each alone, 1x1 to `out_channels`, the last without
    activation; and the input added where the shapes allow: stride 1 and as many channels."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int):
        super().__init__()
        self.residual = stride == 1 and in_channels == out_channels
        hidden = in_channels * expansion
        self.conv = Sequential()
        if expansion != 1:
            self.conv.append(conv_norm(in_channels, hidden, 1, activation=ReLU6))
        self.conv.append(conv_norm(hidden, hidden, 3, stride, groups=hidden, activation=ReLU6))
        self.conv.append(Conv2d(hidden, out_channels, 1, bias=False))
        self.conv.append(BatchNorm2d(out_channels))

    def forward(self, x):
        y = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)`.

    MobileNetV2(num_classes=1000, in_channels=3, small=False, width=1.0, dropout=0.2): `width` scales the
    numbers of channels, to multiples of 8; the last, 1280, only grows. `small` is for images of about 32x32:
    the first two strides are 1."""

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        small: bool = False,
        width: float = 1.0,
        dropout: float = 0.2,
    ):
        super().__init__()
        depth, last = scaled(32, width), scaled(1280, max(1.0, width))
        self.features = Sequential(conv_norm(in_channels, depth, stride=1 if small else 2, activation=ReLU6))
        for k, (expansion, channels, blocks, stride) in enumerate(STAGES):
            for b in range(blocks):
                step = 1 if b or (small and k == 1) else stride
                self.features.append(InvertedResidual(depth, scaled(channels, width), step, expansion))
                depth = scaled(channels, width)
        self.features.append(conv_norm(depth, last, 1, activation=ReLU6))
        self.avgpool = GlobalAvgPool()
        self.classifier = Sequential(Dropout(dropout), Linear(last, num_classes))
        start_weights(self)

    def forward(self, images):
        return self.classifier(self.avgpool(self.features(images)))


def mobilenet_v2(**options) -> MobileNetV2:
    """3,504,872 parameters at width 1. `options` are those of `MobileNetV2`."""
    return MobileNetV2(**options)


ENTRIES = (
    Entry(
        "mobilenet_v2",
        mobilenet_v2,
        (224, 224, 3),
        3_504_872,
        300_774_272,
        "C4W2-mobilenet2",
        "Sandler et al. 2018",
    ),
)

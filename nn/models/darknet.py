"""Darknet-19: the classifier that YOLO v2 stands on.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", arXiv:1612.08242, 2016, table 6. 3x3 convolutions
double the channels after each pool, 1x1 convolutions between them compress; batch norm and leaky ReLU
(slope 0.1) follow each.

    224 x 224   3x3   32, pool
    112 x 112   3x3   64, pool
     56 x  56   3x3  128, 1x1  64, 3x3  128, pool
     28 x  28   3x3  256, 1x1 128, 3x3  256, pool
     14 x  14   3x3  512, 1x1 256, 3x3  512, 1x1 256, 3x3  512, pool
      7 x   7   3x3 1024, 1x1 512, 3x3 1024, 1x1 512, 3x3 1024
                1x1 1000, mean over the places

    parameters 20,842,376; multiply-adds 2,790,989,824, the paper's "5.58 billion operations"
"""

from collections.abc import Sequence

from .. import init
from ..layers import BatchNorm2d, Conv2d, GlobalAvgPool, LeakyReLU, MaxPool2d, Sequential
from ..module import Module
from .catalog import Entry

# The channels of each stage; all stages but the last end in a pool.
STAGES = ((32,), (64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512))
LAST = (1024, 512, 1024, 512, 1024)


def convolutions(in_channels: int, channels: Sequence[int], kernel_sizes: Sequence[int]) -> list[Module]:
    """For each number of channels a convolution that keeps the places, batch norm and leaky ReLU."""
    layers: list[Module] = []
    for out, size in zip(channels, kernel_sizes):
        conv = Conv2d(in_channels, out, size, padding=size // 2, bias=False)
        init.kaiming_normal_(conv.weight, a=0.1, nonlinearity="leaky_relu")
        layers += [conv, BatchNorm2d(out), LeakyReLU(0.1)]
        in_channels = out
    return layers


def stage(in_channels: int, channels: Sequence[int]) -> list[Module]:
    """3x3 convolutions with 1x1 convolutions between them."""
    return convolutions(in_channels, channels, [1 if k % 2 else 3 for k in range(len(channels))])


def scaled(channels: Sequence[int], width: float) -> tuple[int, ...]:
    """Numbers of channels times the width of the network, at least 1."""
    return tuple(max(1, round(c * width)) for c in channels)


class Darknet19(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)` of 32 pixels or more.

    Darknet19(num_classes=1000, in_channels=3, width=1.0): `width` scales all numbers of channels."""

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, width: float = 1.0):
        super().__init__()
        layers, depth = [], in_channels
        for channels in STAGES:
            layers += [*stage(depth, scaled(channels, width)), MaxPool2d(2)]
            depth = scaled(channels, width)[-1]
        layers += stage(depth, last := scaled(LAST, width))
        self.features = Sequential(*layers)  # (m, n_H / 32, n_W / 32, 1024)
        self.classifier = Conv2d(last[-1], num_classes, 1)
        self.avgpool = GlobalAvgPool()

    def forward(self, images):
        return self.avgpool(self.classifier(self.features(images)))


def darknet19(**options) -> Darknet19:
    """20,842,376 parameters. `options` are those of `Darknet19`."""
    return Darknet19(**options)


ENTRIES = (
    Entry(
        "darknet19",
        darknet19,
        (224, 224, 3),
        20_842_376,
        2_790_989_824,
        "C4W3-yolofull",
        "Redmon and Farhadi 2016",
    ),
)

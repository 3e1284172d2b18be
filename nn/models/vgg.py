"""VGG: 3x3 convolutions and 2x2 pools only, the number of filters doubling as the size halves.

Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", arXiv:1409.1556,
2014; lecture C4W2, classic networks (row C4W2-vgg). Batch norm (Ioffe and Szegedy 2015) came later, with
torchvision's models.

    configuration      A (11)         B (13)         D (16)          E (19)
    224 x 224       64             64, 64         64, 64          64, 64
    112 x 112      128            128, 128       128, 128        128, 128
     56 x  56      256, 256       256, 256       256 three times 256 four times
     28 x  28      512, 512       512, 512       512 three times 512 four times
     14 x  14      512, 512       512, 512       512 three times 512 four times
      7 x   7      a pool after each of the five; 25,088 - 4096 - 4096 - 1000 fully connected
    parameters     132,863,336    133,047,848    138,357,544     143,667,240
      batch norm   132,868,840    133,053,736    138,365,992     143,678,248
    multiply-adds  7,609,090,048  11,308,466,176 15,470,264,320  19,632,062,464
"""

from collections.abc import Sequence

from .. import init
from ..layers import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)
from ..module import Module
from .catalog import Entry

# How many convolutions come before each of the five pools.
DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGG(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)` of 32 pixels or more.

    VGG(depths, num_classes=1000, in_channels=3, batch_norm=False, width=64, hidden=4096, places=7,
    dropout=0.5): `depths` is the number of convolutions before each pool, `width` the filters of the first
    ones, doubled after each pool up to 8 times; `hidden` the width of the fully connected layers, which see
    `places` x `places` places: 7 of an image of 224, 1 of one of 32. Names are torchvision's; other images
    are brought to that size by averaging. Weights start from He initialisation."""

    def __init__(
        self,
        depths: Sequence[int],
        num_classes: int = 1000,
        in_channels: int = 3,
        batch_norm: bool = False,
        width: int = 64,
        hidden: int = 4096,
        places: int = 7,
        dropout: float = 0.5,
    ):
        super().__init__()
        layers: list[Module] = []
        channels = in_channels
        for block, depth in enumerate(depths):
            filters = width * 2 ** min(block, 3)
            for _ in range(depth):
                layers.append(Conv2d(channels, filters, 3, padding=1))
                if batch_norm:
                    layers.append(BatchNorm2d(filters))
                layers.append(ReLU())
                channels = filters
            layers.append(MaxPool2d(2))
        self.features = Sequential(*layers)  # (m, n_H / 32, n_W / 32, 512)
        self.avgpool = AdaptiveAvgPool2d(places)
        self.flatten = Flatten()
        self.classifier = Sequential(
            Linear(places * places * channels, hidden, spatial=(places, places, channels)),
            ReLU(),
            Dropout(dropout),
            Linear(hidden, hidden),
            ReLU(),
            Dropout(dropout),
            Linear(hidden, num_classes),
        )
        for path, p in self.named_parameters():
            if p.ndim > 1:
                init.he_normal_(p, mode="fan_out" if p.ndim == 4 else "fan_in")
            elif path.endswith("bias"):
                init.zeros_(p)

    def forward(self, images):
        return self.classifier(self.flatten(self.avgpool(self.features(images))))


def vgg11(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Configuration A; `options` are those of `VGG`. COURSE.md C4W2-vgg."""
    return VGG(DEPTHS[11], num_classes, in_channels, **options)


def vgg11_bn(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Configuration A with batch norm."""
    return VGG(DEPTHS[11], num_classes, in_channels, batch_norm=True, **options)


def vgg13(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Configuration B."""
    return VGG(DEPTHS[13], num_classes, in_channels, **options)


def vgg13_bn(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Configuration B with batch norm."""
    return VGG(DEPTHS[13], num_classes, in_channels, batch_norm=True, **options)


def vgg16(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Configuration D, the lecture's VGG-16."""
    return VGG(DEPTHS[16], num_classes, in_channels, **options)


def vgg16_bn(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Configuration D with batch norm."""
    return VGG(DEPTHS[16], num_classes, in_channels, batch_norm=True, **options)


def vgg19(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Configuration E, the lecture's VGG-19."""
    return VGG(DEPTHS[19], num_classes, in_channels, **options)


def vgg19_bn(num_classes: int = 1000, in_channels: int = 3, **options) -> VGG:
    """Configuration E with batch norm."""
    return VGG(DEPTHS[19], num_classes, in_channels, batch_norm=True, **options)


def _entry(build, parameters, multiply_adds):
    paper = "Simonyan and Zisserman 2014"
    return Entry(build.__name__, build, (224, 224, 3), parameters, multiply_adds, "C4W2-vgg", paper)


ENTRIES = (
    _entry(vgg11, 132_863_336, 7_609_090_048),
    _entry(vgg11_bn, 132_868_840, 7_609_090_048),
    _entry(vgg13, 133_047_848, 11_308_466_176),
    _entry(vgg13_bn, 133_053_736, 11_308_466_176),
    _entry(vgg16, 138_357_544, 15_470_264_320),
    _entry(vgg16_bn, 138_365_992, 15_470_264_320),
    _entry(vgg19, 143_667_240, 19_632_062_464),
    _entry(vgg19_bn, 143_678_248, 19_632_062_464),
)

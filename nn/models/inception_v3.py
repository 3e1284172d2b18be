"""Inception v3: Inception modules whose large convolutions are several small ones, 7x7 as 1x7 and 7x1.

Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer Vision", 2015;
lecture C4W2, inception network. As in torchvision, whose names the modules have.

    layer                  output          parameters
    image                  299 x 299 x 3
    conv 3x3, stride 2     149 x 149 x 32         928
    conv 3x3               147 x 147 x 32       9,280
    conv 3x3, pad 1        147 x 147 x 64      18,560
    max pool 3x3, 2         73 x  73 x 64
    conv 1x1                73 x  73 x 80       5,280
    conv 3x3                71 x  71 x 192    138,624
    max pool 3x3, 2         35 x  35 x 192
    Mixed_5b, A             35 x  35 x 256    255,904
    Mixed_5c, A             35 x  35 x 288    277,968
    Mixed_5d, A             35 x  35 x 288    285,648
    Mixed_6a, B             17 x  17 x 768  1,153,280
    Mixed_6b, C             17 x  17 x 768  1,297,408
    Mixed_6c, C             17 x  17 x 768  1,689,536
    Mixed_6d, C             17 x  17 x 768  1,689,536
    Mixed_6e, C             17 x  17 x 768  2,142,720
    Mixed_7a, D              8 x   8 x 1280 1,698,304
    Mixed_7b, E              8 x   8 x 2048 5,044,608
    Mixed_7c, E              8 x   8 x 2048 6,077,824
    mean, dropout, fc                1000   2,049,000
                                           23,834,568    5,713,216,096 multiply-adds
    side head behind Mixed_6e               3,326,696
                                           27,161,264
"""

import numpy as np

from .. import init
from ..layers import (
    AvgPool2d,
    Conv2d,
    Dropout,
    GlobalAvgPool,
    Identity,
    Linear,
    MaxPool2d,
)
from ..module import Module
from .catalog import Entry
from .googlenet import BasicConv2d


def _along(in_channels, out_channels, rows, columns):
    """A convolution of rows x columns that keeps the places."""
    return BasicConv2d(in_channels, out_channels, (rows, columns), padding=(rows // 2, columns // 2))


class _Mixed(Module):
    """An Inception module: the outputs of `branches`, side by side along the channels. A branch is the names
    of the layers that are called one after the other; a tuple of names among them puts their outputs side by
    side."""

    branches: tuple[tuple[str | tuple[str, ...], ...], ...]

    def forward(self, x):
        return np.concatenate([self._branch(x, names) for names in self.branches], axis=-1)

    def _branch(self, x, names):
        for name in names:
            if isinstance(name, tuple):
                x = np.concatenate([getattr(self, part)(x) for part in name], axis=-1)
            else:
                x = getattr(self, name)(x)
        return x


class InceptionA(_Mixed):
    """35x35: 1x1; 5x5; twice 3x3; mean and 1x1. Figure 5 of the paper."""

    branches = (
        ("branch1x1",),
        ("branch5x5_1", "branch5x5_2"),
        ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
        ("pool", "branch_pool"),
    )

    def __init__(self, in_channels, c48, c64, c96, pool_features):
        super().__init__()
        self.branch1x1 = BasicConv2d(in_channels, c64, 1)
        self.branch5x5_1 = BasicConv2d(in_channels, c48, 1)
        self.branch5x5_2 = _along(c48, c64, 5, 5)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, c64, 1)
        self.branch3x3dbl_2 = _along(c64, c96, 3, 3)
        self.branch3x3dbl_3 = _along(c96, c96, 3, 3)
        self.pool = AvgPool2d(3, 1, padding=1)
        self.branch_pool = BasicConv2d(in_channels, pool_features, 1)
        self.channels = 2 * c64 + c96 + pool_features


class InceptionB(_Mixed):
    """35x35 to 17x17: 3x3, twice 3x3 and maximum, all with stride 2. Figure 10."""

    branches = (("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"), ("pool",))

    def __init__(self, in_channels, c64, c96, c384):
        super().__init__()
        self.branch3x3 = BasicConv2d(in_channels, c384, 3, 2)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, c64, 1)
        self.branch3x3dbl_2 = _along(c64, c96, 3, 3)
        self.branch3x3dbl_3 = BasicConv2d(c96, c96, 3, 2)
        self.pool = MaxPool2d(3, 2)
        self.channels = c384 + c96 + in_channels


class InceptionC(_Mixed):
    """17x17: 1x1; 7x7 as 1x7 and 7x1; that twice; mean and 1x1. Figure 6 with n = 7."""

    branches = (
        ("branch1x1",),
        ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
        ("branch7x7dbl_1", "branch7x7dbl_2", "branch7x7dbl_3", "branch7x7dbl_4", "branch7x7dbl_5"),
        ("pool", "branch_pool"),
    )

    def __init__(self, in_channels, c7, c192):
        super().__init__()
        self.branch1x1 = BasicConv2d(in_channels, c192, 1)
        self.branch7x7_1 = BasicConv2d(in_channels, c7, 1)
        self.branch7x7_2 = _along(c7, c7, 1, 7)
        self.branch7x7_3 = _along(c7, c192, 7, 1)
        self.branch7x7dbl_1 = BasicConv2d(in_channels, c7, 1)
        self.branch7x7dbl_2 = _along(c7, c7, 7, 1)
        self.branch7x7dbl_3 = _along(c7, c7, 1, 7)
        self.branch7x7dbl_4 = _along(c7, c7, 7, 1)
        self.branch7x7dbl_5 = _along(c7, c192, 1, 7)
        self.pool = AvgPool2d(3, 1, padding=1)
        self.branch_pool = BasicConv2d(in_channels, c192, 1)
        self.channels = 4 * c192


class InceptionD(_Mixed):
    """17x17 to 8x8: 3x3, 7x7 and 3x3, and maximum, all with stride 2."""

    branches = (
        ("branch3x3_1", "branch3x3_2"),
        ("branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3", "branch7x7x3_4"),
        ("pool",),
    )

    def __init__(self, in_channels, c192, c320):
        super().__init__()
        self.branch3x3_1 = BasicConv2d(in_channels, c192, 1)
        self.branch3x3_2 = BasicConv2d(c192, c320, 3, 2)
        self.branch7x7x3_1 = BasicConv2d(in_channels, c192, 1)
        self.branch7x7x3_2 = _along(c192, c192, 1, 7)
        self.branch7x7x3_3 = _along(c192, c192, 7, 1)
        self.branch7x7x3_4 = BasicConv2d(c192, c192, 3, 2)
        self.pool = MaxPool2d(3, 2)
        self.channels = c320 + c192 + in_channels


class InceptionE(_Mixed):
    """8x8: 1x1; 1x3 and 3x1 side by side; that behind a 3x3; mean and 1x1. Figure 7."""

    branches = (
        ("branch1x1",),
        ("branch3x3_1", ("branch3x3_2a", "branch3x3_2b")),
        ("branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")),
        ("pool", "branch_pool"),
    )

    def __init__(self, in_channels, c192, c320, c384, c448):
        super().__init__()
        self.branch1x1 = BasicConv2d(in_channels, c320, 1)
        self.branch3x3_1 = BasicConv2d(in_channels, c384, 1)
        self.branch3x3_2a = _along(c384, c384, 1, 3)
        self.branch3x3_2b = _along(c384, c384, 3, 1)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, c448, 1)
        self.branch3x3dbl_2 = _along(c448, c384, 3, 3)
        self.branch3x3dbl_3a = _along(c384, c384, 1, 3)
        self.branch3x3dbl_3b = _along(c384, c384, 3, 1)
        self.pool = AvgPool2d(3, 1, padding=1)
        self.branch_pool = BasicConv2d(in_channels, c192, 1)
        self.channels = c320 + 4 * c384 + c192


class InceptionAux(Module):
    """Logits from the 17x17 places: means with stride 3, a 1x1, a 5x5 convolution, the mean over the places,
    fc. For small images the 5x5 is padded, since there are fewer than 5 places to a side."""

    def __init__(self, in_channels, c128, c768, num_classes, small=False):
        super().__init__()
        self.pool = AvgPool2d(5, 3)
        self.conv0 = BasicConv2d(in_channels, c128, 1)
        self.conv1 = BasicConv2d(c128, c768, 5, padding=2 if small else 0)
        self.avgpool = GlobalAvgPool()
        self.fc = Linear(c768, num_classes)

    def forward(self, x):
        x = self.conv1(self.conv0(self.pool(x)))  # (m, 5, 5, 128), (m, 1, 1, 768)
        return self.fc(self.avgpool(x))


class Inception3(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)`, at least 75x75; in training, with the
    side head, `(logits, its logits)`, as torchvision's, for `SideHeadLoss`.

    Inception3(num_classes=1000, in_channels=3, aux_logits=True, small=False, width=1.0, dropout=0.5):
    `small` is for images of about 32x32, with a stem that keeps the places; `width` scales all numbers of
    channels."""

    AuxLogits: Module | None

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        aux_logits: bool = True,
        small: bool = False,
        width: float = 1.0,
        dropout: float = 0.5,
    ):
        super().__init__()
        c32, c48, c64, c80, c96, c128, c160, c192, c320, c384, c448, c768 = (
            max(1, round(c * width)) for c in (32, 48, 64, 80, 96, 128, 160, 192, 320, 384, 448, 768)
        )
        stride, padding = (1, 1) if small else (2, 0)
        self.Conv2d_1a_3x3 = BasicConv2d(in_channels, c32, 3, stride, padding)
        self.Conv2d_2a_3x3 = BasicConv2d(c32, c32, 3, padding=padding)
        self.Conv2d_2b_3x3 = BasicConv2d(c32, c64, 3, padding=1)
        self.maxpool1 = Identity() if small else MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = BasicConv2d(c64, c80, 1)
        self.Conv2d_4a_3x3 = BasicConv2d(c80, c192, 3, padding=padding)
        self.maxpool2 = Identity() if small else MaxPool2d(3, 2)
        self.Mixed_5b = InceptionA(c192, c48, c64, c96, c32)
        self.Mixed_5c = InceptionA(self.Mixed_5b.channels, c48, c64, c96, c64)
        self.Mixed_5d = InceptionA(self.Mixed_5c.channels, c48, c64, c96, c64)
        self.Mixed_6a = InceptionB(self.Mixed_5d.channels, c64, c96, c384)
        depth = self.Mixed_6a.channels
        self.Mixed_6b = InceptionC(depth, c128, c192)
        depth = self.Mixed_6b.channels
        self.Mixed_6c = InceptionC(depth, c160, c192)
        self.Mixed_6d = InceptionC(depth, c160, c192)
        self.Mixed_6e = InceptionC(depth, c192, c192)
        self.AuxLogits = InceptionAux(depth, c128, c768, num_classes, small) if aux_logits else None
        self.Mixed_7a = InceptionD(depth, c192, c320)
        self.Mixed_7b = InceptionE(self.Mixed_7a.channels, c192, c320, c384, c448)
        self.Mixed_7c = InceptionE(self.Mixed_7b.channels, c192, c320, c384, c448)
        self.avgpool = GlobalAvgPool()
        self.dropout = Dropout(dropout)
        self.fc = Linear(self.Mixed_7c.channels, num_classes)
        for path, module in self.named_modules():
            if isinstance(module, (Conv2d, Linear)):
                std = {"AuxLogits.conv1.conv": 0.01, "AuxLogits.fc": 0.001}.get(path, 0.1)
                init.trunc_normal_(module.weight, std=std)

    def forward(self, images):
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))  # (m, 147, 147, 64)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.maxpool1(x)))  # (m, 71, 71, 192)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.maxpool2(x))))  # (m, 35, 35, 288)
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_6e(self.Mixed_6d(x))  # (m, 17, 17, 768)
        side = None if self.AuxLogits is None or not self.training else self.AuxLogits(x)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # (m, 8, 8, 2048)
        logits = self.fc(self.dropout(self.avgpool(x)))
        return logits if side is None else (logits, side)


def inception_v3(**options) -> Inception3:
    """27,161,264 parameters, 23,834,568 with `aux_logits=False`. `options` are those of `Inception3`."""
    return Inception3(**options)


ENTRIES = (
    Entry(
        "inception_v3",
        inception_v3,
        (299, 299, 3),
        27_161_264,
        5_713_216_096,
        "C4W2-inception",
        "Szegedy et al. 2015",
    ),
)

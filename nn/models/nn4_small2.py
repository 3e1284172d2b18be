"""NN4.small2: faces as points of a sphere, those of one person close together.

Schroff, Kalenichenko, Philbin, "FaceNet: A Unified Embedding for Face Recognition and Clustering",
arXiv:1503.03832, 2015, in the smaller form of OpenFace (Amos, Ludwiczuk, Satyanarayanan, 2016), which the
course's exercise has; lecture C4W4, one shot learning. Inception modules (`googlenet.py`) with batch
norm; some pool by the root of the sum of squares, some halve the places.

    layer          output     3x3 reduce, 3x3  5x5 reduce, 5x5  pool, 1x1        1x1
    conv 7x7, 2    48x48x64
    pool 3x3, 2    24x24x64   then local response normalisation
    conv 1x1       24x24x64
    conv 3x3       24x24x192  then local response normalisation
    pool 3x3, 2    12x12x192
    inception 3a   12x12x256   96, 128          16,  32         max 3x3, 2,  32   64
    inception 3b   12x12x320   96, 128          32,  64         l2  3x3, 3,  64   64
    inception 3c    6x6x640   128, 256, 2       32,  64, 2      max 3x3, 2
    inception 4a    6x6x640    96, 192          32,  64         l2  3x3, 3, 128  256
    inception 4e    3x3x1024  160, 256, 2       64, 128, 2      max 3x3, 2
    inception 5a    3x3x736    96, 384                          l2  3x3, 3,  96  256
    inception 5b    3x3x736    96, 384                          max 3x3, 2,  96  256
    mean, fc        128, divided by its length

    parameters 3,733,968; with running means and variances 3,743,280
"""

import numpy as np

from autograd.ops.padding import pad

from ..layers import (
    BatchNorm2d,
    Conv2d,
    GlobalAvgPool,
    Linear,
    LocalResponseNorm,
    LPPool2d,
    MaxPool2d,
    ModuleList,
    Sequential,
)
from ..layers.distance import normalize
from ..module import Module
from .catalog import Entry
from .darknet import scaled


class ConvBlock(Module):
    """Convolution with biases, batch norm, ReLU."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1):
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2)
        self.bn = BatchNorm2d(out_channels)

    def forward(self, x):
        return self.bn(self.conv(x), relu=True)


class FaceInception(Module):
    """Branches side by side, (m, n_H, n_W, n_C_prev) to (m, n_H / stride, n_W / stride, n_C); where pooling
    leaves fewer places, zeros stand around them.

    FaceInception(in_channels, convolutions, pool, pooled=None, ch1x1=None, stride=1): `convolutions` are the
    size, the channels before it and the channels of each, `pooled` the channels of the 1x1 behind the
    pool."""

    def __init__(self, in_channels, convolutions, pool, pooled=None, ch1x1=None, stride=1):
        super().__init__()
        self.branches = ModuleList(
            [
                Sequential(ConvBlock(in_channels, reduced, 1), ConvBlock(reduced, channels, size, stride))
                for size, reduced, channels in convolutions
            ]
        )
        behind = [] if pooled is None else [ConvBlock(in_channels, pooled, 1)]
        self.branches.append(Sequential(pool, *behind))
        if ch1x1 is not None:
            self.branches.append(ConvBlock(in_channels, ch1x1, 1))
        self.out_channels = sum(c for _, _, c in convolutions) + (pooled or in_channels) + (ch1x1 or 0)

    def forward(self, x):
        parts = [branch(x) for branch in self.branches]
        n_H, n_W = parts[0].shape[1:3]
        return np.concatenate([_centred(part, n_H, n_W) for part in parts], axis=-1)


def _centred(x, n_H, n_W):
    """Zeros around the places; the larger half of an odd number behind them."""
    down, right = n_H - x.shape[1], n_W - x.shape[2]
    if not (down or right):
        return x
    return pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))


# Size, reduced and full channels of each convolution; the pool; channels behind it; 1x1; stride.
MODULES = {
    "3a": (((3, 96, 128), (5, 16, 32)), "max", 32, 64, 1),
    "3b": (((3, 96, 128), (5, 32, 64)), "l2", 64, 64, 1),
    "3c": (((3, 128, 256), (5, 32, 64)), "max", None, None, 2),
    "4a": (((3, 96, 192), (5, 32, 64)), "l2", 128, 256, 1),
    "4e": (((3, 160, 256), (5, 64, 128)), "max", None, None, 2),
    "5a": (((3, 96, 384),), "l2", 96, 256, 1),
    "5b": (((3, 96, 384),), "max", 96, 256, 1),
}


class NN4Small2(Module):
    """Embeddings `(m, embedding)` of length 1 of faces `(m, 96, 96, in_channels)`.

    NN4Small2(embedding=128, in_channels=3, width=1.0): `width` scales all numbers of channels. COURSE.md
    C4W4-siamese."""

    def __init__(self, embedding: int = 128, in_channels: int = 3, width: float = 1.0):
        super().__init__()
        c1, c2 = scaled((64, 192), width)
        self.conv1 = ConvBlock(in_channels, c1, 7, 2)
        self.pool = MaxPool2d(3, 2, padding=1)
        self.norm = LocalResponseNorm(5, 1e-4, 0.75, 1.0)
        self.conv2 = ConvBlock(c1, c1, 1)
        self.conv3 = ConvBlock(c1, c2, 3)
        depth = c2
        for name, (convolutions, kind, pooled, ch1x1, stride) in MODULES.items():
            told = [(size, *scaled(channels, width)) for size, *channels in convolutions]
            behind, beside = (None if c is None else scaled([c], width)[0] for c in (pooled, ch1x1))
            pool = MaxPool2d(3, 2) if kind == "max" else LPPool2d(2, 3, 3)
            module = FaceInception(depth, told, pool, behind, beside, stride)
            setattr(self, f"inception{name}", module)
            depth = module.out_channels
        self.avgpool = GlobalAvgPool()
        self.fc = Linear(depth, embedding)

    def forward(self, images):
        x = self.norm(self.pool(self.conv1(images)))  # (m, 24, 24, 64)
        x = self.pool(self.norm(self.conv3(self.conv2(x))))  # (m, 12, 12, 192)
        for name in MODULES:
            x = getattr(self, f"inception{name}")(x)
        return normalize(self.fc(self.avgpool(x)))


def nn4_small2(**options) -> NN4Small2:
    """3,733,968 parameters. `options` are those of `NN4Small2`."""
    return NN4Small2(**options)


ENTRIES = (
    Entry(
        "nn4_small2", nn4_small2, (96, 96, 3), 3_733_968, 200_118_272, "C4W4-siamese", "Schroff et al. 2015"
    ),
)

"""Convolutions along one axis and along three: the lecture's two small networks.

Lecture C4W4, 1D and 3D generalizations: of an electrocardiogram, of a computed tomography.

    signal_network    14 x 1        5 of 16 filters    10 x 16           96 parameters
                                    5 of 32 filters     6 x 32        2,592
    volume_network    14^3 x 1      5^3 of 16 filters  10^3 x 16      2,016
                                    5^3 of 32 filters   6^3 x 32     64,032
    both              mean over the places, logits

The slide's "4 x 4 x 4" is 14 x 14 x 14.
"""

from ..layers import Conv1d, Conv3d, GlobalAvgPool, Linear, ReLU, Sequential
from ..module import Module
from .catalog import Entry


class SmallConvNet(Module):
    """Logits `(m, num_classes)` of `(m, T, in_channels)` with `conv` Conv1d, of `(m, n_D, n_H, n_W,
    in_channels)` with Conv3d; each side is 9 at least. COURSE.md C4W4-conv1d, C4W4-conv3d."""

    def __init__(self, conv: type[Conv1d] | type[Conv3d], num_classes: int = 2, in_channels: int = 1):
        super().__init__()
        self.features = Sequential(conv(in_channels, 16, 5), ReLU(), conv(16, 32, 5), ReLU())
        self.avgpool = GlobalAvgPool()
        self.fc = Linear(32, num_classes)

    def forward(self, x):
        return self.fc(self.avgpool(self.features(x)))


def signal_network(num_classes: int = 2, **options) -> SmallConvNet:
    """96 + 2,592 parameters, and 33 for each class."""
    return SmallConvNet(Conv1d, num_classes, **options)


def volume_network(num_classes: int = 2, **options) -> SmallConvNet:
    """2,016 + 64,032 parameters, and 33 for each class."""
    return SmallConvNet(Conv3d, num_classes, **options)


ENTRIES = (
    Entry(
        "signal_network",
        signal_network,
        (14, 1),
        96 + 2592 + 66,
        10 * 16 * 5 + 6 * 32 * 80 + 64,
        "C4W4-conv1d",
        "lecture",
    ),
    Entry(
        "volume_network",
        volume_network,
        (14, 14, 14, 1),
        2016 + 64032 + 66,
        1000 * 16 * 125 + 216 * 32 * 2000 + 64,
        "C4W4-conv3d",
        "lecture",
    ),
)

"""LeNet-5 as it was published: trained subsampling, a sparse second convolution, radial basis functions.

LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 86(11),
1998, section II.B; lecture C4W2, classic networks (row C4W2-lenet5).

    layer                        output          parameters    connections    multiply-adds
    image                        32 x 32 x 1
    C1: conv 5x5                 28 x 28 x 6            156        122,304          117,600
    S2: subsampling 2x2          14 x 14 x 6             12          5,880
    C3: conv 5x5, table I        10 x 10 x 16         1,516        151,600          150,000
    S4: subsampling 2x2           5 x 5 x 16             32          2,000
    C5: conv 5x5                  1 x 1 x 120        48,120         48,120           48,000
    F6: fully connected                  84          10,164         10,164           10,080
    output: RBF                          10               0            840
                                                     60,000        340,908          325,680

The codes of the output layer are fixed. The paper draws each class as a picture of 7 x 12 pixels, -1 or +1,
and says that codes drawn at random would do; here they are drawn once, from a fixed seed.
"""

from typing import Any

import numpy as np

from autograd.modes import get_default_dtype

from .. import init
from ..functional import avg_pool2d
from ..layers import Conv2d, Linear
from ..module import Module, Parameter
from .catalog import Entry

# Table I: the maps of S2 that each map of C3 sees. Six see three neighbours, six four, three two pairs each,
# one all of them.
TABLE = (
    (0, 1, 2),
    (1, 2, 3),
    (2, 3, 4),
    (3, 4, 5),
    (0, 4, 5),
    (0, 1, 5),
    (0, 1, 2, 3),
    (1, 2, 3, 4),
    (2, 3, 4, 5),
    (0, 3, 4, 5),
    (0, 1, 4, 5),
    (0, 1, 2, 5),
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)


def squash(a):
    """f(a) = 1.7159 tanh(2a / 3), so that f(1) = 1 and f(-1) = -1: appendix A of the paper."""
    return 1.7159 * np.tanh(2.0 / 3.0 * a)


class Subsampling(Module):
    """y = weight * (sum of each 2x2 window) + bias, `weight` and `bias` one number a channel: (m, n_H, n_W,
    n_C) to (m, n_H / 2, n_W / 2, n_C)."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = Parameter(np.empty(channels, get_default_dtype()))
        self.bias = Parameter(np.empty(channels, get_default_dtype()))

    def forward(self, x):
        return 4.0 * avg_pool2d(x, 2) * self.weight + self.bias


class SparseConv(Module):
    """A convolution whose filter k sees the channels TABLE[k] only: (m, 14, 14, 6) to (m, 10, 10, 16). The
    filters that see as many channels are one convolution in groups: "three", "four" and "all"."""

    def __init__(self):
        super().__init__()
        self.three, self.four, self.all = (
            Conv2d(sum(map(len, rows)), len(rows), 5, groups=len(rows)) for rows in self._rows()
        )

    @staticmethod
    def _rows():
        return [[row for row in TABLE if len(row) == size] for size in (3, 4, 6)]

    def forward(self, x):
        convolutions = (self.three, self.four, self.all)
        seen = [x[..., np.concatenate(rows)] for rows in self._rows()]  # (m, 14, 14, 18), 36 and 6 channels
        return np.concatenate([conv(part) for conv, part in zip(convolutions, seen)], axis=-1)


class RBF(Module):
    """-y_i, y_i = sum_j (x_j - code_ij)^2: (m, 84) to (m, num_classes), the nearest code the largest. As
    logits of softmax cross-entropy this is the paper's criterion (9) without its rubbish class."""

    codes: Any

    def __init__(self, in_features: int, num_classes: int):
        super().__init__()
        signs = np.random.default_rng(1998).integers(0, 2, (num_classes, in_features)) * 2 - 1
        self.register_buffer("codes", signs.astype(get_default_dtype()))

    def forward(self, x):
        return -np.sum((x[:, None, :] - self.codes) ** 2, axis=-1)  # (m, num_classes, 84) summed


class LeNet1998(Module):
    """Logits `(m, num_classes)` of images `(m, 32, 32, in_channels)`, whose background is -0.1 and ink 1.175
    in the paper. Weights start from U(-2.4 / fan_in, 2.4 / fan_in), as there."""

    def __init__(self, num_classes: int = 10, in_channels: int = 1):
        super().__init__()
        self.c1 = Conv2d(in_channels, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = SparseConv()
        self.s4 = Subsampling(16)
        self.c5 = Conv2d(16, 120, 5)
        self.f6 = Linear(120, 84)
        self.output = RBF(84, num_classes)
        fan_ins = {self.s2: 4, self.s4: 4, self.f6: 120}
        for module in self.modules():
            fan_in = 25 * module.weight.shape[2] if isinstance(module, Conv2d) else fan_ins.get(module, 0)
            for p in module.parameters(recurse=False):
                init.uniform_(p, -2.4 / fan_in, 2.4 / fan_in)

    def forward(self, images):
        x = squash(self.s2(squash(self.c1(images))))  # (m, 14, 14, 6)
        x = squash(self.s4(squash(self.c3(x))))  # (m, 5, 5, 16)
        x = squash(self.c5(x))[:, 0, 0]  # (m, 120)
        return self.output(squash(self.f6(x)))


def lenet1998(num_classes: int = 10, in_channels: int = 1) -> LeNet1998:
    """The published network: 60,000 trained parameters. COURSE.md C4W2-lenet5."""
    return LeNet1998(num_classes, in_channels)


ENTRIES = (Entry("lenet1998", lenet1998, (32, 32, 1), 60_000, 325_680, "C4W2-lenet5", "LeCun et al. 1998"),)

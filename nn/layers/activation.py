"""Activations: any shape in, the same shape out. The softmaxes, GLU and PReLU look at the last axis, where
PyTorch looks at axis 1. COURSE.md C1W3-acts, C2W3-softmax."""

import numpy as np

from autograd import random
from autograd.modes import get_default_dtype
from autograd.ops import softmax as ops
from autograd.ops import units
from autograd.ops.activation import leaky_relu, relu, sigmoid

from .. import init
from ..module import Module, Parameter
from .check import fits, number, positive


class _Of(Module):
    """An activation whose repr lists its arguments."""

    def extra_repr(self):
        return ", ".join(
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if name != "training" and name[0] != "_" and not isinstance(value, Parameter)
        )


def softmax(x, dim=-1):
    """e^z_k / sum_j e^z_j over one axis."""
    return ops.softmax(x, dim)


def log_softmax(x, dim=-1):
    """log softmax(z), without the overflow of taking the two apart."""
    return ops.log_softmax(x, dim)


def softmin(x, dim=-1):
    """softmax(-z): the smallest gets the largest share."""
    return units.softmin(x, dim)


def glu(x, dim=-1):
    """a sigmoid(b), a and b the halves of z along an axis. Raises ValueError where it is odd."""
    return units.glu(x, dim)


def rrelu(x, lower=1 / 8, upper=1 / 3, training=False):
    """z where z > 0, a * z elsewhere: with `training` a is drawn for each element from U[lower, upper),
    otherwise it is their mean. Xu et al. 2015."""
    if not training:
        return leaky_relu(x, (lower + upper) / 2)
    drawn = random.generator().random(x.shape, np.float32).astype(x.dtype)
    return units.rrelu(x, lower + (upper - lower) * drawn)


class ReLU(Module):
    """max(0, z). Its derivative at 0 is 0, as in PyTorch; the course's is 1 (C1W3-dacts)."""

    def forward(self, x):
        return relu(x)


class LeakyReLU(Module):
    """max(z, 0) + slope * min(z, 0). LeakyReLU(negative_slope=0.01). Its derivative at 0 is the slope."""

    def __init__(self, negative_slope=0.01):
        super().__init__()
        self.negative_slope = number(self, "negative_slope", negative_slope)

    def forward(self, x):
        return leaky_relu(x, self.negative_slope)

    def extra_repr(self):
        return f"{self.negative_slope}"


class PReLU(_Of):
    """z where z > 0, weight * z elsewhere, with a learned `weight` (num_parameters,): one for all, or one a
    channel of the last axis. PReLU(num_parameters=1, init=0.25). Raises ValueError for other channels,
    TypeError for another dtype. He et al. 2015."""

    def __init__(self, num_parameters=1, init=0.25):
        super().__init__()
        positive(self, num_parameters=num_parameters)
        self.num_parameters, self.init = num_parameters, number(self, "init", init)
        self.weight = Parameter(np.empty(num_parameters, get_default_dtype()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets every slope to `init`."""
        init.constant_(self.weight, self.init)

    def forward(self, x):
        if self.num_parameters > 1:
            fits(self, x, self.weight, self.num_parameters, "channels")
        return units.prelu(x, self.weight)


class RReLU(_Of):
    """`rrelu`: its slopes are drawn in training, and their mean after `eval()`. RReLU(lower=1/8, upper=1/3).
    Raises ValueError for lower > upper. Xu et al. 2015."""

    def __init__(self, lower=1 / 8, upper=1 / 3):
        super().__init__()
        self.lower, self.upper = number(self, "lower", lower), number(self, "upper", upper)
        if self.lower > self.upper:
            raise ValueError(f"RReLU: lower must not be over upper, got {lower} and {upper}")

    def forward(self, x):
        return rrelu(x, self.lower, self.upper, self.training)


class ELU(_Of):
    """z where z > 0, alpha (e^z - 1) elsewhere. ELU(alpha=1.0). Clevert et al. 2015."""

    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = number(self, "alpha", alpha)

    def forward(self, x):
        return units.elu(x, self.alpha)


class CELU(_Of):
    """z where z > 0, alpha (e^(z / alpha) - 1) elsewhere. CELU(alpha=1.0). Barron 2017."""

    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = number(self, "alpha", alpha)
        if not self.alpha:
            raise ValueError("CELU: alpha must not be 0")

    def forward(self, x):
        return units.celu(x, self.alpha)


class SELU(Module):
    """1.0507 z where z > 0, 1.0507 * 1.6733 (e^z - 1) elsewhere: mean 0 and variance 1 stay from layer to
    layer. Klambauer et al. 2017; use it with `AlphaDropout` and LeCun initialisation."""

    def forward(self, x):
        return units.selu(x)


class GELU(_Of):
    """z Phi(z), Phi the distribution of the standard normal. GELU(approximate="none"); "tanh" takes the
    formula with tanh that the first Transformers had. Hendrycks and Gimpel 2016."""

    def __init__(self, approximate="none"):
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f'GELU: approximate is "none" or "tanh", got {approximate!r}')
        self.approximate = approximate

    def forward(self, x):
        return units.gelu(x, self.approximate)


class SiLU(Module):
    """z sigmoid(z), also called swish. Elfwing et al. 2017."""

    def forward(self, x):
        return units.silu(x)


class Mish(Module):
    """z tanh(log(1 + e^z)). Misra 2019."""

    def forward(self, x):
        return units.mish(x)


class Sigmoid(Module):
    """1 / (1 + e^-z)."""

    def forward(self, x):
        return sigmoid(x)


class LogSigmoid(Module):
    """log(1 / (1 + e^-z)), without overflow."""

    def forward(self, x):
        return units.logsigmoid(x)


class Tanh(Module):
    """(e^z - e^-z) / (e^z + e^-z)."""

    def forward(self, x):
        return np.tanh(x)


class Tanhshrink(Module):
    """z - tanh(z)."""

    def forward(self, x):
        return units.tanhshrink(x)


class Hardtanh(_Of):
    """z limited to [min_val, max_val]; from the limits on its derivative is 0. Hardtanh(min_val=-1.0,
    max_val=1.0)."""

    def __init__(self, min_val=-1.0, max_val=1.0):
        super().__init__()
        self.min_val, self.max_val = number(self, "min_val", min_val), number(self, "max_val", max_val)
        if not self.min_val < self.max_val:
            raise ValueError(f"Hardtanh: min_val must be less than max_val, got {min_val} and {max_val}")

    def forward(self, x):
        return units.hardtanh(x, self.min_val, self.max_val)


class ReLU6(Module):
    """z limited to [0, 6]. COURSE.md C4W2-mobilenet2."""

    def forward(self, x):
        return units.relu6(x)


class Hardsigmoid(Module):
    """relu6(z + 3) / 6. Howard et al. 2019."""

    def forward(self, x):
        return units.hardsigmoid(x)


class Hardswish(Module):
    """z relu6(z + 3) / 6. Howard et al. 2019."""

    def forward(self, x):
        return units.hardswish(x)


class Softplus(_Of):
    """log(1 + e^(beta z)) / beta, a smooth ReLU; z itself where beta z is over `threshold`.
    Softplus(beta=1.0, threshold=20.0)."""

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta, self.threshold = number(self, "beta", beta), number(self, "threshold", threshold)
        if not self.beta > 0:
            raise ValueError(f"Softplus: beta must be over 0, got {beta!r}")

    def forward(self, x):
        return units.softplus(x, self.beta, self.threshold)


class _Shrink(_Of):
    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = number(self, "lambd", lambd)
        if self.lambd < 0:
            raise ValueError(f"{type(self).__name__}: lambd must not be negative, got {lambd!r}")


class Softshrink(_Shrink):
    """z moved by lambd towards 0, where it stays between -lambd and lambd. Softshrink(lambd=0.5)."""

    def forward(self, x):
        return units.softshrink(x, self.lambd)


class Hardshrink(_Shrink):
    """z, and 0 between -lambd and lambd. Hardshrink(lambd=0.5)."""

    def forward(self, x):
        return units.hardshrink(x, self.lambd)


class Softsign(Module):
    """z / (1 + |z|)."""

    def forward(self, x):
        return units.softsign(x)


class Threshold(_Of):
    """z where it is over the threshold, `value` elsewhere. Threshold(threshold, value)."""

    def __init__(self, threshold, value):
        super().__init__()
        self.threshold, self.value = number(self, "threshold", threshold), number(self, "value", value)

    def forward(self, x):
        return units.threshold(x, self.threshold, self.value)


class _OverAxis(_Of):
    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim


class Softmax(_OverAxis):
    """e^z_k / sum_j e^z_j over one axis, the last unless `dim` says otherwise: the shares sum to 1.
    Softmax(dim=-1)."""

    def forward(self, x):
        return softmax(x, self.dim)


class Softmin(_OverAxis):
    """softmax(-z): the smallest gets the largest share. Softmin(dim=-1)."""

    def forward(self, x):
        return softmin(x, self.dim)


class LogSoftmax(_OverAxis):
    """log softmax(z), without the overflow of taking the two apart. LogSoftmax(dim=-1)."""

    def forward(self, x):
        return log_softmax(x, self.dim)


class Softmax2d(Module):
    """The softmax over the channels of each pixel of images (m, n_H, n_W, n_C). Raises ValueError for what is
    no such batch."""

    def forward(self, x):
        if x.ndim != 4:
            raise ValueError(f"Softmax2d needs (m, n_H, n_W, n_C), got shape {x.shape}")
        return softmax(x, -1)


class GLU(_OverAxis):
    """a sigmoid(b), a and b the halves of z along an axis: (..., 2 n) -> (..., n). GLU(dim=-1). Dauphin et
    al. 2016."""

    def forward(self, x):
        return glu(x, self.dim)

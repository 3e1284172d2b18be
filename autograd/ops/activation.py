"""Activations of networks, and dropout. At kinks PyTorch's choice holds; docstrings name the course's."""

import math

import numpy as np

from ..primitive import primitive
from .fused import elementwise, fused
from .selection import where, where_plain


@elementwise()
def sigmoid(x):
    """1 / (1 + e^-x) (COURSE.md C1W3-acts)."""
    with np.errstate(over="ignore"):  # e^-x may reach infinity, and 1 / infinity is the right 0
        return 1.0 / (1.0 + np.exp(-x))


@sigmoid.vjp("x")
def _(g, y):
    return g * (y * (1.0 - y))


@elementwise()
def softplus(x):
    """log(1 + e^x), without overflow; its derivative is the sigmoid."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@softplus.vjp("x")
def _(g, x):
    return g * sigmoid(x)


@elementwise()
def relu(x):
    """max(x, 0). The slope at 0 is 0; the course takes 1 there (COURSE.md C1W3-dacts)."""
    return np.maximum(x, 0)


@relu.vjp("x")
@fused(plain=lambda g, y: where_plain(y > 0, g, 0.0))  # not through the op `where`: it costs a microsecond
def relu_grad(g, y):
    """The cotangent of x from that of y = max(x, 0)."""
    return where(y > 0, g, 0.0)


def _leaky_by_numpy(x, negative_slope):
    return (np.maximum if negative_slope <= 1 else np.minimum)(x, negative_slope * x)


@fused(plain=_leaky_by_numpy)
def _leaky(x, negative_slope):
    return where(x > 0, x, negative_slope * x)


@primitive()
def leaky_relu(x, negative_slope=0.01):
    """x where x > 0, negative_slope * x elsewhere. The slope at 0 is negative_slope; the course takes 1."""
    return _leaky(x, negative_slope)


@leaky_relu.vjp("x")
@fused
def _(g, x, negative_slope):
    return where(x > 0, g, negative_slope * g)


# ---- the Gaussian error function and what is made of it

_ROOT_HALF = math.sqrt(0.5)
_TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)
_ROOT_TWO_OVER_PI = math.sqrt(2.0 / math.pi)


def _erf_by_c(x):
    from ..kernels.elementwise import erf

    return erf(x)


@primitive()
@fused(plain=_erf_by_c)
def erf(x):
    """The error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    return erf(x)  # in a kernel: NumPy has none


@erf.vjp("x")
@fused
def _(g, x):
    return g * (_TWO_OVER_ROOT_PI * np.exp(-x * x))


@elementwise()
def gelu(x):
    """x Phi(x), Phi the cumulative distribution of the standard normal (arXiv:1606.08415; PyTorch's
    `approximate="none"`)."""
    return 0.5 * x * (1.0 + erf(_ROOT_HALF * x))


@gelu.vjp("x")
def _(g, x):
    return g * (0.5 * (1.0 + erf(_ROOT_HALF * x)) + 0.5 * _ROOT_TWO_OVER_PI * x * np.exp(-0.5 * x * x))


@elementwise()
def gelu_tanh(x):
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))): GELU as the first Transformers computed it
    (arXiv:1606.08415; PyTorch's `approximate="tanh"`)."""
    return 0.5 * x * (1.0 + np.tanh(_ROOT_TWO_OVER_PI * x * (1.0 + 0.044715 * x * x)))


@gelu_tanh.vjp("x")
def _(g, x):
    t = np.tanh(_ROOT_TWO_OVER_PI * x * (1.0 + 0.044715 * x * x))
    slope = _ROOT_TWO_OVER_PI * (1.0 + 0.134145 * x * x)
    return g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope)


# ---- other rectifiers, and gates of themselves


@elementwise()
def elu(x, alpha=1.0):
    """x where x > 0, alpha (e^x - 1) elsewhere. Clevert et al. 2015."""
    return where(x > 0, x, alpha * np.expm1(where(x > 0, 0.0, x)))


@elu.vjp("x")
def _(g, x, alpha):
    return where(x > 0, g, g * (alpha * np.exp(where(x > 0, 0.0, x))))


@elementwise()
def silu(x):
    """x sigmoid(x), also called swish. Elfwing et al. 2017; Ramachandran et al. 2017."""
    return x * sigmoid(x)


@silu.vjp("x")
def _(g, x):
    s = sigmoid(x)
    return g * (s * (1.0 + x * (1.0 - s)))


@elementwise()
def mish(x):
    """x tanh(log(1 + e^x)). Misra 2019."""
    return x * np.tanh(softplus(x))


@mish.vjp("x")
def _(g, x):
    t = np.tanh(softplus(x))
    return g * (t + x * sigmoid(x) * (1.0 - t * t))


@elementwise()
def hardtanh(x, min_val=-1.0, max_val=1.0):
    """x limited to [min_val, max_val]; from the limits on its slope is 0."""
    return np.minimum(np.maximum(x, min_val), max_val)


@hardtanh.vjp("x")
def _(g, x, min_val, max_val):
    return where((x > min_val) & (x < max_val), g, 0.0)


@elementwise()
def hardsigmoid(x):
    """min(max(x + 3, 0), 6) / 6."""
    return np.minimum(np.maximum(x + 3.0, 0.0), 6.0) / 6.0


@hardsigmoid.vjp("x")
def _(g, x):
    return where((x > -3.0) & (x < 3.0), g / 6.0, 0.0)


@elementwise()
def hardswish(x):
    """x min(max(x + 3, 0), 6) / 6. Howard et al. 2019."""
    return x * (np.minimum(np.maximum(x + 3.0, 0.0), 6.0) / 6.0)


@hardswish.vjp("x")
def _(g, x):
    return where((x > -3.0) & (x < 3.0), g * (x / 3.0 + 0.5), where(x > 0, g, 0.0))


# ---- dropout


@primitive()
def dropout(x, mask, keep):
    """x * mask / keep: inverted dropout with an explicit mask of zeros and ones; `keep` is the share of ones
    (COURSE.md C2W1-dropout). Raises ValueError unless 0 < keep <= 1."""
    if not 0.0 < keep <= 1.0:
        raise ValueError(f"keep is the share of values that stay, 0 < keep <= 1, got {keep}")
    return _kept(x, np.asarray(mask, bool), float(keep))


@dropout.vjp("x")
def _(g, mask, keep):
    return _kept(g, np.asarray(mask, bool), float(keep))


def _kept_by_numpy(g, mask, keep):
    return g * mask / keep


@fused(plain=_kept_by_numpy)
def _kept(x, mask, keep):
    return where(mask, x / keep, 0.0)

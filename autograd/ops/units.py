"""The activations of torch.nn, most of them composed of other ops. At kinks the slope is PyTorch's."""

import math

import numpy as np

from ..tensor import unwrap
from .activation import elu as elu
from .activation import gelu as exact_gelu
from .activation import gelu_tanh, relu, sigmoid
from .activation import hardsigmoid as hardsigmoid
from .activation import hardswish as hardswish
from .activation import hardtanh as limited
from .activation import mish as mish
from .activation import silu as silu
from .activation import softplus as exact_softplus
from .selection import where
from .softmax import softmax


def _below(x):
    """min(x, 0), whose slope at 0 is 1, so that e to it never overflows."""
    return where(x > 0, 0.0, x)


def celu(x, alpha=1.0):
    """x where x > 0, alpha (e^(x / alpha) - 1) elsewhere: smooth for every alpha. Barron 2017."""
    return where(x > 0, x, alpha * np.expm1(_below(x) / alpha))


SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def selu(x):
    """1.0507 elu(x, 1.6733): keeps mean 0 and variance 1 from layer to layer. Klambauer et al. 2017."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


def gelu(x, approximate="none"):
    """x Phi(x), Phi the distribution of the standard normal; "tanh" takes the formula with tanh that the
    first Transformers had. Hendrycks and Gimpel 2016."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu: approximate is "none" or "tanh", got {approximate!r}')
    return exact_gelu(x) if approximate == "none" else gelu_tanh(x)


def hardtanh(x, min_val=-1.0, max_val=1.0):
    """x limited to [min_val, max_val]; from the limits on its slope is 0."""
    if not min_val < max_val:
        raise ValueError(f"hardtanh: min_val must be less than max_val, got {min_val} and {max_val}")
    return limited(x, min_val, max_val)


def relu6(x):
    """x limited to [0, 6]. Krizhevsky 2010; COURSE.md C4W2-mobilenet2."""
    return hardtanh(x, 0.0, 6.0)


def logsigmoid(x):
    """log(1 / (1 + e^-x)), without overflow."""
    return -exact_softplus(-x)


def softplus(x, beta=1.0, threshold=20.0):
    """log(1 + e^(beta x)) / beta; x itself where beta x is over the threshold."""
    z = x if beta == 1 else beta * x
    y = exact_softplus(z) if beta == 1 else exact_softplus(z) / beta
    return where(z > threshold, x, y)


def softshrink(x, lambd=0.5):
    """x moved by lambd towards 0, where it stays between -lambd and lambd."""
    return relu(x - lambd) - relu(-x - lambd)


def hardshrink(x, lambd=0.5):
    """x, and 0 between -lambd and lambd."""
    z = unwrap(x)
    return where((z > lambd) | (z < -lambd), x, 0.0)


def tanhshrink(x):
    """x - tanh(x)."""
    return x - np.tanh(x)


def softsign(x):
    """x / (1 + |x|)."""
    return x / (1.0 + np.abs(x))


def threshold(x, threshold, value):
    """x where it is over the threshold, `value` elsewhere."""
    return where(x > threshold, x, float(value))


def softmin(x, axis=-1):
    """softmax(-x): the smallest gets the largest share."""
    return softmax(-x, axis)


def prelu(x, weight):
    """x where x > 0, weight * x elsewhere; `weight` (1,) or one a channel, (n_C,). He et al. 2015."""
    return where(x > 0, x, weight * x)


def glu(x, axis=-1):
    """a sigmoid(b), a and b the halves of x along an axis. Raises ValueError where it is odd. Dauphin et al.
    2016."""
    n = x.shape[axis]
    if n % 2:
        raise ValueError(f"glu: needs an even number along axis {axis}, got {n}; input {x.shape}")
    before = (slice(None),) * (axis % x.ndim)
    return x[(*before, slice(n // 2))] * sigmoid(x[(*before, slice(n // 2, None))])


def rrelu(x, slopes):
    """x where x > 0, slopes * x elsewhere, slopes drawn at random. Xu et al. 2015."""
    return where(x > 0, x, slopes * x)


# ---- dropout for self-normalising networks

_DROPPED = -SELU_ALPHA * SELU_SCALE  # what SELU tends to


def alpha_dropout(x, mask, p):
    """Sets x to SELU's lowest value where the mask is 0, and scales and shifts all so that mean 0 and
    variance 1 stay; p is the share of zeros. Klambauer et al. 2017."""
    scale = 1.0 / math.sqrt((1.0 - p) * (1.0 + p * _DROPPED * _DROPPED))
    return where(mask, x, _DROPPED) * scale - scale * _DROPPED * p

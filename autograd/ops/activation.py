"""Activations of networks, and dropout. At kinks PyTorch's choice holds; docstrings name the course's."""

import numpy as np

from ..primitive import primitive
from .selection import where


@primitive()
def sigmoid(x):
    """1 / (1 + e^-x) (COURSE.md C1W3-acts)."""
    with np.errstate(over="ignore"):  # e^-x may reach infinity, and 1 / infinity is the right 0
        return 1.0 / (1.0 + np.exp(-x))


@sigmoid.vjp("x")
def _(g, y):
    return g * (y * (1.0 - y))


@primitive()
def softplus(x):
    """log(1 + e^x), without overflow; its derivative is the sigmoid."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@softplus.vjp("x")
def _(g, x):
    return g * sigmoid(x)


@primitive()
def relu(x):
    """max(x, 0). The slope at 0 is 0; the course takes 1 there (COURSE.md C1W3-dacts)."""
    return np.maximum(x, 0)


@relu.vjp("x")
def _(g, y):
    return where(y > 0, g, 0.0)


@primitive()
def leaky_relu(x, negative_slope=0.01):
    """x where x > 0, negative_slope * x elsewhere. The slope at 0 is negative_slope; the course takes 1."""
    return (np.maximum if negative_slope <= 1 else np.minimum)(x, negative_slope * x)


@leaky_relu.vjp("x")
def _(g, x, negative_slope):
    return where(x > 0, g, negative_slope * g)


@primitive()
def dropout(x, mask, keep):
    """x * mask / keep: inverted dropout with an explicit mask of zeros and ones; `keep` is the share of ones
    (COURSE.md C2W1-dropout). Raises ValueError unless 0 < keep <= 1."""
    if not 0.0 < keep <= 1.0:
        raise ValueError(f"keep is the share of values that stay, 0 < keep <= 1, got {keep}")
    return x * np.asarray(mask, bool) / float(keep)


@dropout.vjp("x")
def _(g, mask, keep):
    return g * np.asarray(mask, bool) / float(keep)

"""What layers ask of their arguments and inputs. An error names the layer, what it needs and what it got."""

import numbers
import operator

import numpy as np

from autograd.tensor import Tensor


def positive(layer, **sizes) -> None:
    """Raises unless every size is an int of at least 1."""
    for name, size in sizes.items():
        try:
            fits = operator.index(size) >= 1
        except TypeError:
            fits = False
        if not fits or isinstance(size, bool):
            raise ValueError(f"{type(layer).__name__}: {name} must be an int of at least 1, got {size!r}")


def number(layer, name: str, value) -> float:
    """The value as a float. Raises TypeError unless it is one real number."""
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{type(layer).__name__}: {name} is a number, got {value!r}")
    return float(value)


_AXES = {3: "(m, T, n_C)", 4: "(m, n_H, n_W, n_C)", 5: "(m, n_D, n_H, n_W, n_C)"}


def fits(layer, x, weight, size: int, what: str, ndim: int | None = None) -> None:
    """Raises unless x is an array whose last axis has `size`, of the dtype of the layer's weight and, if
    given, of `ndim` dimensions."""
    shape = getattr(x, "shape", None)
    if not shape or shape[-1] != size or x.dtype != weight.dtype or (ndim and len(shape) != ndim):
        raise _misfit(type(layer).__name__, x, weight, size, what, ndim)


def _misfit(name, x, weight, size, what, ndim):
    if not isinstance(x, (Tensor, np.ndarray)):
        return TypeError(f"{name} takes a Tensor or an ndarray, got {type(x).__name__}")
    if ndim and x.ndim != ndim:
        one = "; one example is x[None]" if x.ndim == ndim - 1 else ""
        return ValueError(f"{name} needs {_AXES[ndim]}, got shape {x.shape}{one}")
    if not x.ndim or x.shape[-1] != size:
        got = x.shape[-1] if x.ndim else "a single number"
        return ValueError(f"{name} needs {size} {what}, got {got}; input {x.shape}")
    return TypeError(
        f"{name} has weights of {weight.dtype}, got input of {x.dtype}: use x.astype(np.{weight.dtype})"
    )

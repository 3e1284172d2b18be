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


def kind_of(x) -> str:
    """The type of what is no array, with its library if that is another, and a likely reason."""
    reason = ": recurrent and attention layers return the output and more, take [0]"
    library = type(x).__module__.partition(".")[0]
    name = type(x).__name__ if library in ("builtins", "autograd") else f"{library}.{type(x).__name__}"
    return name + (reason if isinstance(x, tuple) else "")


_AXES = {3: "(m, T, n_C)", 4: "(m, n_H, n_W, n_C)", 5: "(m, n_D, n_H, n_W, n_C)"}


def fits(layer, x, weight, size: int, what: str, ndim: int | None = None) -> None:
    """Raises unless x is an array whose last axis has `size`, of the dtype of the layer's weight and, if
    given, of `ndim` dimensions."""
    array = x._data if isinstance(x, Tensor) else x
    shape = getattr(array, "shape", None)
    if not shape or shape[-1] != size or array.dtype != weight.dtype or (ndim and len(shape) != ndim):
        raise _misfit(type(layer).__name__, x, weight, size, what, ndim)


def _misfit(name, x, weight, size, what, ndim):
    if not isinstance(x, (Tensor, np.ndarray)):
        return TypeError(f"{name} takes a Tensor or an ndarray, got {kind_of(x)}")
    if ndim and x.ndim != ndim:
        one = "; one example is x[None]" if x.ndim == ndim - 1 else ""
        axes = _AXES[ndim] if what == "channels" else "(m, T, features)"
        return ValueError(f"{name} needs {axes}, got shape {x.shape}{one}")
    if not x.ndim or x.shape[-1] != size:
        got = x.shape[-1] if x.ndim else "a single number"
        return ValueError(f"{name} needs {size} {what}, got {got}; input {x.shape}{_first(x, size, what)}")
    return TypeError(
        f"{name} has weights of {weight.dtype}, got input of {x.dtype}: use x.astype(np.{weight.dtype})"
    )


def _first(x, size, what):
    """The way out for channels that come first, as PyTorch has them."""
    if what != "channels" or x.ndim < 3 or x.shape[1] != size:
        return ""
    return f": channels come last, x.transpose({', '.join(map(str, (0, *range(2, x.ndim), 1)))})"

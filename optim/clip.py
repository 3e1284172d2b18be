"""Gradients kept within bounds, between `backward` and `step`."""

import math
import numbers
from collections.abc import Iterable

import numpy as np

from autograd.modes import no_grad
from autograd.rows import Rows
from autograd.tensor import Tensor, as_array, wrap, writable

from .rule import LARGE, rule

_FLOAT32 = np.dtype(np.float32)


@rule("g")
def scaled(g, /, factor):
    """factor g."""
    return g * factor


@rule("g")
def bounded(g, /, bound):
    """g cut off at -bound and bound."""
    return np.minimum(np.maximum(g, -bound), bound)


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scales all gradients by one number so that their norm, taken over all of them as one vector, is at most
    `max_norm` (Pascanu et al. 2013). Returns the norm before that. A norm that is NaN makes all gradients
    NaN, as in PyTorch. Raises FloatingPointError for a norm that is not finite where `error_if_nonfinite`,
    ValueError for a negative `max_norm`."""
    holders = _with_gradient(parameters)
    if not isinstance(max_norm, numbers.Real) or not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm must be a number from 0, got {max_norm!r}")
    norm = grad_norm(holders, norm_type)
    if error_if_nonfinite and not math.isfinite(norm):
        raise FloatingPointError(f"the norm of the gradients is {norm}: look for NaN or infinity in the loss")
    factor = float(max_norm) / (norm + 1e-6)
    if not factor >= 1.0:
        _apply(scaled, holders, factor)
    return norm


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Cuts every element of every gradient off at -clip_value and clip_value. Raises ValueError for a
    negative value."""
    if not isinstance(clip_value, numbers.Real) or not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: clip_value must be a number from 0, got {clip_value!r}")
    _apply(bounded, _with_gradient(parameters), float(clip_value))


def grad_norm(parameters: Iterable[Tensor] | Tensor, norm_type: float = 2.0) -> float:
    """The p-norm of all gradients, as one vector: (sum of |g|^p)^(1/p), the largest |g| for p = inf. Raises
    ValueError for a p that is not over 0."""
    p = norm_type
    if not isinstance(p, numbers.Real) or not p > 0:
        raise ValueError(f"norm_type must be a number over 0, or inf, got {p!r}")
    arrays = [_values(holder) for holder in _with_gradient(parameters)]
    if p == math.inf:
        return max((float(np.abs(g).max(initial=0.0)) for g in arrays), default=0.0)
    if p != 2:
        return float(sum(float(np.sum(np.abs(g, dtype=np.float64) ** p)) for g in arrays)) ** (1.0 / p)
    fast = [g for g in arrays if g.dtype is _FLOAT32 and g.flags.c_contiguous]
    total = 0.0
    if sum([g.size for g in fast]) >= LARGE:
        from autograd.kernels.update import sum_of_squares

        total = sum_of_squares(fast)
        arrays = [g for g in arrays if not (g.dtype is _FLOAT32 and g.flags.c_contiguous)]
    for g in arrays:
        total += float(np.sum(np.square(g, dtype=np.float64)))
    return math.sqrt(total)


def _with_gradient(parameters):
    return [p for p in ([parameters] if isinstance(parameters, Tensor) else parameters) if p.grad is not None]


def _values(p):
    """The gradient's numbers. Rows that repeat are summed first, for good."""
    if isinstance(p.grad, Rows):
        p.grad = p.grad.coalesce()
        return p.grad.values
    return as_array(p.grad)


def _apply(rule, holders, number):
    rows = []
    with no_grad():
        for p in holders:
            g = _values(p)
            if not isinstance(p.grad, Rows):
                g = writable(p.grad)
                if not g.flags.c_contiguous or not g.flags.writeable:
                    g = np.array(g, order="C")
                    p.grad = wrap(g)
            rows.append((g,))
        rule(rows, (number,))

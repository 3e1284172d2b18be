"""NumPy's functions with all of NumPy's keywords, in NumPy's order of positions. The ops know what has to do
with maths; `dtype`, `initial`, `where`, `mean`, `order`, `mode` and `kind` are said here in terms of them.
`out` raises TypeError: what is written elsewhere has no gradient."""

from functools import partial

import numpy as np

from ..tensor import dispatch, ops, unwrap
from .picking import within
from .products import array
from .selection import where as choose
from .statistics import root


def _no_out(out, op):
    if out is not None:
        raise TypeError(f"{op.name}: out= has no gradient: write a = np.{op.name}(...) without it")


def _cast(a, dtype):
    return array(a) if dtype is None else array(a).astype(dtype)


# ---- reductions

_STARTS = {"sum": (0.0, np.add), "prod": (1.0, np.multiply)}
_WORST = {"max": (-np.inf, np.maximum), "min": (np.inf, np.minimum)}


def total(op, a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    """np.sum and np.prod: from `initial` on, over the elements `where` it holds, in `dtype`."""
    if dtype is out is initial is None and where is True:
        return op.run(a, axis, keepdims)
    _no_out(out, op)
    start, combine = _STARTS[op.name]
    a = _cast(a, dtype)
    y = op(a if where is True else choose(unwrap(where), a, start), axis, keepdims)
    return y if initial is None else combine(y, initial)


def extreme(op, a, axis=None, out=None, keepdims=False, initial=None, where=True):
    """np.max and np.min: not beyond `initial`, over the elements `where` it holds. Raises ValueError on
    `where` without `initial`, which is what stands for no elements."""
    if out is initial is None and where is True:
        return op(a, axis, keepdims)
    _no_out(out, op)
    if initial is None:
        raise ValueError(f"{op.name}: where= needs initial= too, for places where it holds nowhere")
    worst, combine = _WORST[op.name]
    return combine(op(choose(unwrap(where), a, worst), axis, keepdims), initial)


def _count(a, axis, where):
    return np.sum(np.broadcast_to(unwrap(where), a.shape), axis=axis, keepdims=True)


def _share(total, n, axis, keepdims):
    """The total over n, NaN where n is not above 0; both with their axes kept."""
    y = choose(n > 0, total / np.maximum(n, 1).astype(total.dtype), np.nan)
    return y if keepdims else np.squeeze(y, axis=axis)


def mean(op, a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    """np.mean, over the elements `where` it holds, in `dtype`; of none NaN."""
    _no_out(out, op)
    if dtype is None and where is True:
        return op(a, axis, keepdims)
    a = _cast(a, dtype)
    if where is True:
        return op(a, axis, keepdims)
    chosen = choose(unwrap(where), a, 0.0)
    return _share(np.sum(chosen, axis=axis, keepdims=True), _count(a, axis, where), axis, keepdims)


def spread(op, a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, **more):
    """np.var and np.std of the elements `where` it holds, about a `mean` that is known, in `dtype`;
    `correction` is another name of `ddof`."""
    _no_out(out, op)
    ddof = more.pop("correction", ddof)
    if more:
        raise TypeError(f"{op.name}: unknown keywords {', '.join(more)}")
    if dtype is mean is None and where is True:
        return op(a, axis, ddof, keepdims)
    a = _cast(a, dtype)
    if mean is None:
        mean = np.mean(a, axis=axis, keepdims=True, where=where)
    apart = choose(unwrap(where), a - mean, 0.0)
    squares = np.real(apart * np.conj(apart)) if np.iscomplexobj(apart) else apart * apart
    total = np.sum(squares, axis=axis, keepdims=True)
    y = _share(total, _count(a, axis, where) - ddof, axis, keepdims)
    return root(y) if op.name == "std" else y


def running(op, a, axis=None, dtype=None, out=None):
    """np.cumsum and np.cumprod, in `dtype`."""
    _no_out(out, op)
    return op(_cast(a, dtype), axis)


# ---- order of elements in memory, ways to sort, indices beyond the ends, types of what is joined


def _by_columns(a, order):
    """Whether `order` goes through the first axis fastest. Raises ValueError on one that NumPy has not."""
    flags = unwrap(a).flags
    if order not in ("C", "F", "A", "K"):
        raise ValueError(f"order is 'C', 'F', 'A' or 'K', got {order!r}")
    if order == "K" and not (flags.c_contiguous or flags.f_contiguous):
        raise ValueError("order 'K' of memory that is not contiguous: say 'C' or 'F'")
    return order == "F" or (order in "AK" and flags.f_contiguous and not flags.c_contiguous)


def reshape(op, a, /, shape=None, order="C", *, newshape=None, copy=None):
    """np.reshape, through the elements in order 'C' or 'F', or in that of memory ('A')."""
    a, shape = array(a), newshape if shape is None else shape
    if order == "C" or not _by_columns(a, order):
        y = op(a, shape)
    else:
        shape = tuple(shape) if np.ndim(shape) else (shape,)
        y = np.transpose(op(np.transpose(a), shape[::-1]))
    return np.copy(y) if copy else y


def ravel(op, a, order="C"):
    """np.ravel, through the elements in order 'C' or 'F', or in that of memory ('A', 'K')."""
    a = array(a)
    return op(a if order == "C" or not _by_columns(a, order) else np.transpose(a))


def sort(op, a, axis=-1, kind=None, order=None, *, stable=None):
    """np.sort; each `kind` is stable here."""
    return op(array(a), axis)


def take(op, a, indices, axis=None, out=None, mode="raise"):
    """np.take; in mode 'wrap' or 'clip' indices beyond the ends come back in."""
    _no_out(out, op)
    a = array(a)
    return op(a, within(indices, a.size if axis is None else a.shape[axis], mode), axis)


def joined(op, arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """np.concatenate and np.stack, to `dtype`."""
    _no_out(out, op)
    y = op(arrays, axis)
    return y if dtype is None else y.astype(dtype)


_CALLS: list[tuple] = [  # op, how NumPy calls it, NumPy's names
    ("sum", total, np.sum),
    ("prod", total, np.prod),
    ("max", extreme, np.max, np.amax),
    ("min", extreme, np.min, np.amin),
    ("mean", mean, np.mean),
    ("var", spread, np.var),
    ("std", spread, np.std),
    ("cumsum", running, np.cumsum),
    ("cumprod", running, np.cumprod),
    ("reshape", reshape, np.reshape),
    ("ravel", ravel, np.ravel),
    ("sort", sort, np.sort),
    ("take", take, np.take),
    ("concatenate", joined, np.concatenate),
    ("stack", joined, np.stack),
]
for _name, _run, *_functions in _CALLS:
    _call = partial(_run, getattr(ops, _name))
    _call.name = _name  # type: ignore[attr-defined]  # whose rows in the table of ops call NumPy's function too
    dispatch.update(dict.fromkeys(_functions, _call))

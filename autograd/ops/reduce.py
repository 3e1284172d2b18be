"""Reductions, and cumulative sums and products. `axis` is None (all axes), an int or a tuple of ints.

Forwards call `ufunc.reduce`, which is what `np.sum` and `np.max` call after two microseconds of their own.
"""

import math
from functools import cache, lru_cache

import numpy as np

from ..primitive import primitive
from ..tensor import ops
from .fused import LARGE
from .selection import where


def _expand(g, shape, axis, keepdims):
    """A reduced array with the axes that were reduced away back as 1, so that it broadcasts to `shape`."""
    if keepdims or axis is None:
        return g
    axes = {i % len(shape) for i in (axis if isinstance(axis, tuple) else (axis,))}
    return g.reshape([1 if i in axes else n for i, n in enumerate(shape)])


def _count(shape, reduced):
    """How many elements of an array of `shape` went into each element of the reduced array."""
    return math.prod(shape) // max(math.prod(reduced.shape), 1)


def _stretched(g, shape):
    """`np.broadcast_to`, whose own four microseconds are longer than filling a small array takes."""
    if not isinstance(g, (np.ndarray, np.generic)) or math.prod(shape) > 4096:
        return np.broadcast_to(g, shape)
    filled = np.empty(shape, g.dtype)
    filled[...] = g
    return filled


def _kernel_for(a):
    """The kernels, where they are faster than NumPy: large float32 arrays in C order. Else None."""
    large = a.size >= LARGE and type(a) is np.ndarray and a.dtype == np.float32 and a.flags.c_contiguous
    return _kernels() if large else None


@cache
def _kernels():
    from ..kernels import reduce

    return reduce


def _total(a, axis, keepdims):
    """`np.add.reduce`, on two threads where that pays."""
    if a.size >= LARGE and (kernels := _kernel_for(a)) and (split := kernels.axes_of(a.shape, axis)):
        total = kernels.total(a, *split)
        if total is not None:
            return total.reshape(_reduced_shape(a.shape, axis, keepdims))
    return np.add.reduce(a, axis=axis, keepdims=keepdims)


def _reduced_shape(shape, axis, keepdims):
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {i % len(shape) for i in axes}
    return tuple(1 if i in axes else n for i, n in enumerate(shape) if keepdims or i not in axes)


@primitive(np.sum, residuals=("shape",))
def sum_(a, axis=None, keepdims=False):
    """The sum over axes."""
    a = np.asarray(a)
    return _total(a, axis, keepdims), a.shape


@sum_.vjp("a")
def _(g, axis, keepdims, shape):
    return _stretched(_expand(g, shape, axis, keepdims), shape)


def column_sums(a):
    """The sum over the first axis of an array: the cotangent of a bias. Of a small matrix it is taken as a
    product with ones, in a third of the time of `np.add.reduce`."""
    if a.ndim == 2 and a.size < 1 << 14 and a.dtype.char in "fd":
        return _ones(len(a), a.dtype).dot(a)
    return _total(a, 0, False)


@lru_cache(64)
def _ones(n, dtype):
    return np.ones(n, dtype)


ops.column_sums = column_sums


@primitive(np.mean, residuals=("shape",))
def mean(a, axis=None, keepdims=False):
    """The mean over axes."""
    a = np.asarray(a)
    if a.dtype.kind not in "fc" or a.dtype.itemsize < 4 or not a.size:
        return np.mean(a, axis=axis, keepdims=keepdims), a.shape
    total = _total(a, axis, keepdims)
    return total / _count(a.shape, total), a.shape


@mean.vjp("a")
def _(g, axis, keepdims, shape):
    return _stretched(_expand(g / _count(shape, g), shape, axis, keepdims), shape)


@primitive(np.var)
def var(a, axis=None, ddof=0, keepdims=False):
    """The variance over axes, sum |a - mean|^2 / (n - ddof), with NumPy's ddof = 0; PyTorch's is 1."""
    return np.var(a, axis=axis, ddof=ddof, keepdims=keepdims)


@var.vjp("a")
def _(g, a, axis, ddof, keepdims):
    g = 2.0 * g / (_count(a.shape, g) - ddof)
    return _expand(g, a.shape, axis, keepdims) * (a - np.mean(a, axis=axis, keepdims=True)).conj()


@primitive(np.std)
def std(a, axis=None, ddof=0, keepdims=False):
    """The standard deviation over axes, the root of `var`; where it is 0 so is its derivative."""
    return np.std(a, axis=axis, ddof=ddof, keepdims=keepdims)


@std.vjp("a")
def _(g, a, y, axis, ddof, keepdims):
    g = g / np.where(y == 0, np.inf, y) / (_count(a.shape, g) - ddof)
    return _expand(g, a.shape, axis, keepdims) * (a - np.mean(a, axis=axis, keepdims=True)).conj()


# ---- extremes


def _extreme(ufunc, sign, a, axis, keepdims):
    width = _row(a, axis)
    if width:
        return _kernels().extremes(a, width, sign).reshape(_reduced_shape(a.shape, axis, keepdims))
    return ufunc.reduce(a, axis=axis, keepdims=keepdims)


def _row(a, axis):
    """How many elements of a row are reduced to one, where the kernels do that; else 0."""
    if (kernels := _kernel_for(a)) and (split := kernels.axes_of(a.shape, axis)):
        outer, reduced, inner = split
        return reduced if inner == 1 and outer >= 32 else 0
    return 0


def _shared(g, a, y, axis, keepdims):
    """The derivative handed to the elements that equal the extreme, in equal shares."""
    width = _row(a, axis)
    if width and type(g) is np.ndarray and g.dtype == np.float32:
        return _kernels().share(np.ascontiguousarray(g), a, y, width)
    chosen = (a == _expand(y, a.shape, axis, keepdims)).astype(a.dtype)
    return _expand(g, a.shape, axis, keepdims) * (chosen / np.sum(chosen, axis=axis, keepdims=True))


@primitive(np.max, np.amax)
def max_(a, axis=None, keepdims=False):
    """The largest element over axes; equal ones share its derivative equally."""
    return _extreme(np.maximum, 1, a, axis, keepdims)


@max_.vjp("a")
def _(g, a, y, axis, keepdims):
    return _shared(g, a, y, axis, keepdims)


@primitive(np.min, np.amin)
def min_(a, axis=None, keepdims=False):
    """The smallest element over axes; equal ones share its derivative equally."""
    return _extreme(np.minimum, -1, a, axis, keepdims)


@min_.vjp("a")
def _(g, a, y, axis, keepdims):
    return _shared(g, a, y, axis, keepdims)


@primitive()
def logsumexp(a, axis=None, keepdims=False):
    """log(sum(exp(a))) over axes, without overflow. Its derivative is the softmax."""
    top = np.max(a, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):  # the logarithm of an empty probability is -infinity
        y = np.log(np.sum(np.exp(a - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axis)


@logsumexp.vjp("a")
def _(g, a, y, axis, keepdims):
    y = np.where(np.isfinite(y), y, 0.0)  # a row of -infinity gets the derivative 0
    return _expand(g, a.shape, axis, keepdims) * np.exp(a - _expand(y, a.shape, axis, keepdims))


# ---- products and cumulative ones


@primitive(np.prod)
def prod(a, axis=None, keepdims=False):
    """The product over axes; derivatives are right also where elements are 0."""
    return np.multiply.reduce(a, axis=axis, keepdims=keepdims)


@prod.vjp("a")
def _(g, a, y, axis, keepdims):
    if np.all(a):
        return _expand(g * y, a.shape, axis, keepdims) / a
    return _expand(g, a.shape, axis, keepdims) * _others(a, axis)


def _others(a, axis):
    """At each place the product of the other elements over the axes."""
    axes = (
        range(a.ndim)
        if axis is None
        else [i % a.ndim for i in (axis if isinstance(axis, tuple) else (axis,))]
    )
    order = [*(i for i in range(a.ndim) if i not in axes), *axes]
    moved = np.transpose(a, order)
    rows = moved.reshape((*moved.shape[: a.ndim - len(axes)], -1))  # (..., n)
    others = prod(_without_diagonal(rows), -1).reshape(moved.shape)
    return np.transpose(others, np.argsort(order).tolist())


def _without_diagonal(rows):
    """(..., n) rows as (..., n, n): row j of each square is the row with a 1 for its element j."""
    return np.where(np.eye(rows.shape[-1], dtype=bool), 1.0, np.expand_dims(rows, -2))


def _backwards(g, axis):
    return g[(slice(None),) * (axis % g.ndim) + (slice(None, None, -1),)]


@primitive(np.cumsum, residuals=("shape",))
def cumsum(a, axis=None):
    """Running sums along an axis; of the flattened array when axis is None."""
    return np.cumsum(a, axis=axis), np.shape(a)


@cumsum.vjp("a")
def _(g, axis, shape):
    along = 0 if axis is None else axis
    return _backwards(np.cumsum(_backwards(g, along), axis=along), along).reshape(shape)


@primitive(np.cumprod)
def cumprod(a, axis=None):
    """Running products along an axis, of the flattened array when axis is None; derivatives are right also
    where elements are 0."""
    return np.cumprod(a, axis=axis)


@cumprod.vjp("a")
def _(g, a, y, axis):
    flat, along = (a.reshape((-1,)), 0) if axis is None else (a, axis)
    if np.all(a):
        return (_backwards(np.cumsum(_backwards(g * y, along), axis=along), along) / flat).reshape(a.shape)
    rows, g = np.swapaxes(flat, along, -1), np.swapaxes(g, along, -1)  # (..., n)
    products = cumprod(_without_diagonal(rows), -1)  # (..., j, i): the product of elements up to i but for j
    later = np.triu(np.ones(products.shape[-2:], bool))  # element j takes part in the products from i = j on
    slopes = np.sum(where(later, products, 0.0) * np.expand_dims(g, -2), axis=-1)
    return np.swapaxes(slopes, along, -1).reshape(a.shape)

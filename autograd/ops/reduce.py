"""Reductions, and cumulative sums and products. `axis` is None (all axes), an int or a tuple of ints.

Forwards call `ufunc.reduce`, which is what `np.sum` and `np.max` call after two microseconds of their own.
"""

import math

import numpy as np

from ..primitive import primitive
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


@primitive(np.sum, residuals=("shape",))
def sum_(a, axis=None, keepdims=False):
    """The sum over axes."""
    a = np.asarray(a)
    return np.add.reduce(a, axis=axis, keepdims=keepdims), a.shape


@sum_.vjp("a")
def _(g, axis, keepdims, shape):
    return np.broadcast_to(_expand(g, shape, axis, keepdims), shape)


@primitive(np.mean, residuals=("shape",))
def mean(a, axis=None, keepdims=False):
    """The mean over axes."""
    a = np.asarray(a)
    if a.dtype.kind not in "fc" or a.dtype.itemsize < 4 or not a.size:
        return np.mean(a, axis=axis, keepdims=keepdims), a.shape
    total = np.add.reduce(a, axis=axis, keepdims=keepdims)
    return total / _count(a.shape, total), a.shape


@mean.vjp("a")
def _(g, axis, keepdims, shape):
    return np.broadcast_to(_expand(g / _count(shape, g), shape, axis, keepdims), shape)


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


def _shared(g, a, y, axis, keepdims):
    """The derivative handed to the elements that equal the extreme, in equal shares."""
    chosen = (a == _expand(y, a.shape, axis, keepdims)).astype(a.dtype)
    return _expand(g, a.shape, axis, keepdims) * (chosen / np.sum(chosen, axis=axis, keepdims=True))


@primitive(np.max, np.amax)
def max_(a, axis=None, keepdims=False):
    """The largest element over axes; equal ones share its derivative equally."""
    return np.maximum.reduce(a, axis=axis, keepdims=keepdims)


@max_.vjp("a")
def _(g, a, y, axis, keepdims):
    return _shared(g, a, y, axis, keepdims)


@primitive(np.min, np.amin)
def min_(a, axis=None, keepdims=False):
    """The smallest element over axes; equal ones share its derivative equally."""
    return np.minimum.reduce(a, axis=axis, keepdims=keepdims)


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

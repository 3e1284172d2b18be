"""Joining, splitting and rearranging whole arrays. Composed, so every order comes for free."""

import math

import numpy as np

from ..dispatch import composed, nondiff, without_derivative
from ..tensor import unwrap
from .products import alike, array
from .selection import where
from .shape import put_diagonal

nondiff(np.diag_indices_from, np.tril_indices_from, np.triu_indices_from, np.ix_, np.einsum_path)
nondiff(np.ravel_multi_index, np.unravel_index, np.packbits, np.unpackbits)
nondiff(np.common_type, np.min_scalar_type)
nondiff(np.array_repr, np.array_str, np.array2string, np.save, np.savetxt, np.savez, np.savez_compressed)
without_derivative.add(np.full_like)


# ---- more axes


def _each(function, arrays):
    y = tuple(map(function, arrays))
    return y[0] if len(y) == 1 else y


def _at_least_1d(x):
    x = array(x)
    return x if x.ndim else x.reshape((1,))


def _at_least_2d(x):
    x = _at_least_1d(x)
    return x if x.ndim > 1 else x[None]


def _at_least_3d(x):
    x = _at_least_2d(x) if np.ndim(x) != 1 else x[None]
    return x if x.ndim > 2 else x[..., None]


@composed(np.atleast_1d)
def atleast_1d(*arys):
    """Each array with at least one axis; a tuple when there are several."""
    return _each(_at_least_1d, arys)


@composed(np.atleast_2d)
def atleast_2d(*arys):
    """Each array with at least two axes, new ones in front; a tuple when there are several."""
    return _each(_at_least_2d, arys)


@composed(np.atleast_3d)
def atleast_3d(*arys):
    """Each array with at least three axes, a vector's in the middle; a tuple when there are several."""
    return _each(_at_least_3d, arys)


@composed(np.broadcast_arrays)
def broadcast_arrays(*args):
    """All arrays stretched to their common shape, as views."""
    shape = np.broadcast_shapes(*(np.shape(a) for a in args))
    return tuple(np.broadcast_to(a, shape) for a in args)


@composed(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    """Coordinate arrays of a grid, a tuple of one for each vector. Raises ValueError on another indexing than
    'xy' and 'ij'."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is 'xy' or 'ij', got {indexing!r}")
    n = len(xi)
    places = list(range(n))
    if indexing == "xy" and n > 1:
        places[:2] = [1, 0]
    grids = [
        np.reshape(array(x), [-1 if i == place else 1 for i in range(n)]) for x, place in zip(xi, places)
    ]
    return tuple(grids) if sparse else broadcast_arrays(*grids)


# ---- joining


@composed(np.vstack)
def vstack(tup):
    """Arrays one below the other; vectors are rows."""
    return np.concatenate([_at_least_2d(x) for x in alike(*tup)])


@composed(np.hstack)
def hstack(tup):
    """Arrays side by side, along the second axis; vectors along their only one."""
    tup = [_at_least_1d(x) for x in alike(*tup)]
    return np.concatenate(tup, axis=0 if tup[0].ndim == 1 else 1)


@composed(np.dstack)
def dstack(tup):
    """Arrays one behind the other, along the third axis."""
    return np.concatenate([_at_least_3d(x) for x in alike(*tup)], axis=2)


@composed(np.column_stack)
def column_stack(tup):
    """Vectors, and matrices, as columns of one matrix."""
    tup = [_at_least_1d(x) for x in alike(*tup)]
    return np.concatenate([x[:, None] if x.ndim == 1 else x for x in tup], axis=1)


@composed(np.append)
def append(arr, values, axis=None):
    """values after arr along an axis; both flattened when it is None."""
    return np.concatenate(alike(arr, values), axis=axis)


@composed(np.block)
def block(arrays):
    """One array of nested lists of blocks: the innermost are joined along the last axis, their results along
    the last but one, and so on. Raises ValueError when lists are of unequal depth."""
    depth = _depth(arrays)
    return _joined(arrays, depth, max(depth, max(map(np.ndim, _leaves(arrays)))))


def _leaves(arrays):
    if not isinstance(arrays, list):
        return [arrays]
    return [leaf for a in arrays for leaf in _leaves(a)]


def _depth(arrays):
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(a) for a in arrays}
    if len(depths) != 1:
        raise ValueError(f"block: lists of unequal depth, or an empty one: {sorted(depths)}")
    return 1 + depths.pop()


def _joined(arrays, depth, ndim):
    if not depth:
        x = array(arrays)
        return x.reshape((1,) * (ndim - x.ndim) + x.shape)
    return np.concatenate([_joined(a, depth - 1, ndim) for a in arrays], axis=-depth)


# ---- splitting


@composed(np.vsplit)
def vsplit(ary, indices_or_sections):
    """`np.split` along the first axis."""
    return np.split(_of_axes(ary, 2, "vsplit"), indices_or_sections, 0)


@composed(np.hsplit)
def hsplit(ary, indices_or_sections):
    """`np.split` along the second axis, of a vector along its only one."""
    return np.split(_of_axes(ary, 1, "hsplit"), indices_or_sections, 1 if ary.ndim > 1 else 0)


@composed(np.dsplit)
def dsplit(ary, indices_or_sections):
    """`np.split` along the third axis."""
    return np.split(_of_axes(ary, 3, "dsplit"), indices_or_sections, 2)


def _of_axes(x, ndim, name):
    if x.ndim < ndim:
        raise ValueError(f"{name}: takes at least {ndim} axes, got shape {x.shape}")
    return x


@composed(*([np.unstack] if hasattr(np, "unstack") else []))
def unstack(x, axis=0):
    """The slices along an axis, as a tuple."""
    return tuple(np.moveaxis(x, axis, 0))


# ---- turning


@composed(np.fliplr)
def fliplr(m):
    """The second axis in reverse order."""
    return np.flip(_of_axes(m, 2, "fliplr"), 1)


@composed(np.flipud)
def flipud(m):
    """The first axis in reverse order."""
    return np.flip(_of_axes(m, 1, "flipud"), 0)


@composed(np.rot90)
def rot90(m, k=1, axes=(0, 1)):
    """Turned k times by 90 degrees, from the first of `axes` towards the second."""
    first, second = (axis % m.ndim for axis in axes)
    if first == second:
        raise ValueError(f"rot90: axes {axes} of an array of shape {m.shape} are the same")
    k = k % 4
    if k == 2:
        return np.flip(m, (first, second))
    if k == 0:
        return m[...]
    return np.flip(np.swapaxes(m, first, second), first if k == 1 else second)


@composed(np.rollaxis)
def rollaxis(a, axis, start=0):
    """An axis moved back until it stands before the one at `start`."""
    axis, start = axis % a.ndim, start + a.ndim if start < 0 else start
    return np.moveaxis(a, axis, start - 1 if axis < start else start)


# ---- diagonals and triangles


@composed(np.diag)
def diag(v, k=0):
    """A vector as the k-th diagonal of a square matrix; or that diagonal of a matrix."""
    if v.ndim == 2:
        return np.diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(f"diag: takes a vector or a matrix, got shape {v.shape}")
    n = v.shape[0] + abs(k)
    return put_diagonal(v, (n, n), k)


@composed(np.diagflat)
def diagflat(v, k=0):
    """The elements as the k-th diagonal of a square matrix."""
    return diag(np.ravel(v), k)


def _triangle(m, mask):
    m = array(m)
    return where(mask(*m.shape[-2:]) if m.ndim > 1 else mask(m.shape[0], m.shape[0]), m, 0.0)


@composed(np.tril)
def tril(m, k=0):
    """Zeros above the k-th diagonal of the last two axes."""
    return _triangle(m, lambda rows, columns: np.tri(rows, columns, k, dtype=bool))


@composed(np.triu)
def triu(m, k=0):
    """Zeros below the k-th diagonal of the last two axes."""
    return _triangle(m, lambda rows, columns: ~np.tri(rows, columns, k - 1, dtype=bool))


@composed(np.vander)
def vander(x, N=None, increasing=False):
    """The powers of each element of a vector as a row, N of them (by default as many as elements)."""
    N = x.shape[0] if N is None else N
    powers = np.stack([x**k for k in range(N)], -1) if N else x[:, None][:, :0]
    return powers if increasing else powers[:, ::-1]


# ---- other lengths


@composed(np.resize)
def resize(a, new_shape):
    """The elements in row-major order, repeated as often as `new_shape` needs."""
    shape = (new_shape,) if np.ndim(new_shape) == 0 else tuple(new_shape)
    a = np.ravel(a)
    if not a.size:
        return np.zeros(shape, a.dtype)
    return a[np.arange(math.prod(shape)) % a.size].reshape(shape)


@composed(np.delete)
def delete(arr, obj, axis=None):
    """Without the elements at indices `obj` (an int, a slice, integers, or a mask) along an axis; of the
    flattened array when it is None."""
    if axis is None:
        arr, axis = np.ravel(arr), 0
    kept = np.delete(np.arange(arr.shape[axis]), unwrap(obj))
    return np.take(arr, kept, axis)


@composed(np.insert)
def insert(arr, obj, values, axis=None):
    """With `values` before the indices `obj` of an axis; of the flattened array when it is None."""
    arr, values, obj = array(arr), array(values), unwrap(obj)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    length = arr.shape[axis]
    arr = np.moveaxis(arr, axis, 0)
    places = np.arange(length)[obj] if isinstance(obj, slice) else np.asarray(obj)
    places = np.flatnonzero(places) if places.dtype == bool else places
    values = values[(None,) * (arr.ndim - values.ndim)]
    if np.ndim(obj) or isinstance(obj, slice):  # NumPy's rule: at a single index the axis stands in front
        values = np.moveaxis(values, axis, 0)
    count = values.shape[0] if places.size == 1 else places.size
    values = np.broadcast_to(values, (count, *arr.shape[1:]))
    places = np.repeat(places, count) if places.size == 1 else places
    # NumPy finds the places; the numbers say which element of arr (0...) or of values (length...) lands where
    order = np.insert(np.arange(length), places, length + np.arange(places.size))
    joined = np.concatenate([arr, values.astype(arr.dtype)])
    return np.moveaxis(joined[order], 0, axis)


# ---- functions along axes


@composed(np.apply_along_axis)
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """A function of vectors applied to each vector along an axis; its result's axes stand in the place of
    that one."""
    before, after = arr.shape[: axis % arr.ndim], arr.shape[axis % arr.ndim + 1 :]
    rows = np.moveaxis(arr, axis, -1).reshape((-1, arr.shape[axis]))
    y = np.stack([array(func1d(row, *args, **kwargs)) for row in rows])
    inner = y.ndim - 1
    y = y.reshape((*before, *after, *y.shape[1:]))
    last = range(y.ndim - inner, y.ndim)
    return np.moveaxis(y, tuple(last), tuple(range(len(before), len(before) + inner)))


@composed(np.apply_over_axes)
def apply_over_axes(func, a, axes):
    """func(a, axis) for one axis after another, each kept with the length 1."""
    for axis in [axes] if np.ndim(axes) == 0 else axes:
        axis = axis % a.ndim
        y = func(a, axis)
        a = y if y.ndim == a.ndim else np.expand_dims(y, axis)
    return a

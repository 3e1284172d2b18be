"""Reading by index, and its adjoint: adding into zeros by index. Each is the other's rule, so the family is
closed under differentiation."""

import functools
import math

import numpy as np

from ..primitive import primitive
from ..rows import LARGE, known_rows
from ..tensor import unwrap

_BASIC = {int, slice, type(None), type(Ellipsis)}


@primitive(residuals=("key", "shape"))
def getitem(a, index):
    """`a[index]`, with NumPy's basic (a view) and advanced indexing. Raises IndexError outside the array."""
    key = unwrap(index)
    return a[key], key, a.shape


@getitem.vjp("a")
def _(g, key, shape):
    return put_add.forward(g, key, shape) if type(g) is np.ndarray else put_add(g, key, shape)


@primitive()
def put_add(values, key, shape):
    """Zeros of `shape` with `values` added at `[key]`; where the key repeats a place, they sum up."""
    y = np.zeros(shape, values.dtype)
    if _hits_no_place_twice(key):
        y[key] = values
    elif y.size <= 4 * values.size:
        # np.add.at is several times faster on one flat index than on a tuple of them
        places = np.arange(y.size).reshape(shape)[key]
        np.add.at(y.reshape(-1), places.reshape(-1), values.reshape(-1))
    else:
        np.add.at(y, key, values)
    return y


@put_add.vjp("values")
def _(g, key):
    return g[key]


def _hits_no_place_twice(key):
    """True for basic keys, and for masks among them."""
    for part in key if type(key) is tuple else (key,):
        if type(part) not in _BASIC and getattr(part, "dtype", None) != np.bool_:
            return False
    return True


@primitive(np.take, residuals=("shape",))
def take(a, indices, axis=None):
    """The elements at integer `indices` along an axis, or of the flattened array; `indices.shape` stands in
    the place of the axis."""
    return np.take(a, indices, axis), a.shape


@take.vjp("a")
def _(g, indices, axis, shape):
    indices = np.asarray(indices)
    if axis is None:
        return put_add(g, indices, (math.prod(shape),)).reshape(shape)
    return put_add(g, (slice(None),) * (axis % len(shape)) + (indices,), shape)


@primitive(np.take_along_axis, residuals=("shape",))
def take_along_axis(arr, indices, axis=-1):
    """`y[i, j, k] = arr[i, indices[i, j, k], k]` for axis 1, and so on; the other axes broadcast."""
    return np.take_along_axis(arr, indices, axis), arr.shape


@take_along_axis.vjp("arr")
def _(g, indices, axis, shape):
    if axis is None:
        return put_add(g, indices, (math.prod(shape),)).reshape(shape)
    key = [np.arange(n).reshape((n, *(1,) * (len(shape) - 1 - k))) for k, n in enumerate(shape)]
    key[axis] = indices
    return put_add(g, tuple(key), shape)


@primitive(np.sort, residuals=("order", "shape"))
def sort(a, axis=-1):
    """In ascending order along an axis, or of the flattened array (None); equal elements keep their order."""
    order = np.argsort(a, axis, kind="stable")
    if axis is None:
        return a.reshape(-1)[order], order, a.shape
    return np.take_along_axis(a, order, axis), order, a.shape


@sort.vjp("a")
def _(g, axis, order, shape):
    if axis is None:
        return g[np.argsort(order)].reshape(shape)
    return np.take_along_axis(g, np.argsort(order, axis), axis)


@functools.cache
def _kernels():
    from ..kernels import embedding

    return embedding


@primitive(residuals=("rows",))
def gather(table, indices, sparse=False):
    """The rows `table[indices]`: table (rows, ...), integer indices of any shape, y (*indices.shape, ...).
    With `sparse` the table's gradient holds the rows that were used, as `autograd.Rows`, and not the whole
    table.

    An embedding's lookup (COURSE.md C5W2-matrix). Raises TypeError when the indices are not integers,
    IndexError when one is negative or beyond the last row.
    """
    indices, rows = np.asarray(indices), len(table)
    width = math.prod(table.shape[1:])
    if table.dtype == np.float32 and indices.size * width >= LARGE and indices.dtype.kind in "iu":
        y = _kernels().gather(table, indices)  # it checks the range as it goes
        if y is not None:
            return y, rows
    _check_rows(indices, rows)
    # the range is checked, and "clip" spares take a buffer of its own
    return table.take(indices, axis=0, mode="clip"), rows


def rows_at(table, indices, sparse=False):
    """`gather`, but `sparse` only where the table is a leaf: what comes before a table computed by other ops
    takes dense gradients."""
    return gather(table, indices, sparse and getattr(table, "node", None) is None)


def _check_rows(indices, rows):
    if indices.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got {indices.dtype}")
    if indices.size and not (0 <= indices.min() and indices.max() < rows):
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise IndexError(f"the indices hold {wrong}, the table has rows 0 to {rows - 1}")


def _flat(indices):
    """As kernels take them."""
    return np.ascontiguousarray(indices.reshape(-1), np.int64)


@gather.vjp("table")
def _(g, indices, rows, sparse):
    if sparse and isinstance(g, np.ndarray):
        indices = np.asarray(indices)
        return known_rows(_flat(indices), g, (rows, *g.shape[indices.ndim :]))
    return scatter_add_rows(g, indices, rows)


@primitive()
def scatter_add_rows(values, indices, rows):
    """A table of `rows` rows of zeros with `values[k]` added to row `indices[k]`: the adjoint of `gather`,
    with its errors."""
    indices = np.asarray(indices)
    _check_rows(indices, rows)
    shape = rows, *values.shape[indices.ndim :]
    width = math.prod(shape[1:])
    if values.dtype == np.float32 and max(values.size, rows * width) >= LARGE:
        kernels = _kernels()
        values = np.ascontiguousarray(values).reshape(indices.size, width)
        return kernels.scatter(values, kernels.grouped(_flat(indices), rows), shape)
    y = np.zeros(shape, values.dtype)
    places = indices.reshape(-1, 1) * width + np.arange(width)  # (n, width), into the flat table
    np.add.at(y.reshape(-1), places.reshape(-1), values.reshape(-1))
    return y


@scatter_add_rows.vjp("values")
def _(g, indices):
    return gather(g, indices)

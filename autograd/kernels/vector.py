"""A large float32 matrix times a vector, from either side. It is reading the matrix once, so what counts is
that both threads read: OpenBLAS, on one (see `threads`), takes twice as long from about a megabyte on."""

import numpy as np
from numba import carray, float32

from .compiling import REASSOCIATE, kernel
from .loops import chunks_of, loop, use_wide_vectors

WIDE = 1 << 12  # columns from which a row times a matrix is faster than OpenBLAS's
_BLOCK = 2048  # columns of a vector that stay in the first cache while rows pass by

_inlined = kernel(forceinline=True, fastmath=REASSOCIATE)


@_inlined
def _dot(x, v):
    use_wide_vectors()
    total = float32(0.0)
    for i in range(v.size):
        total += x[i] * v[i]
    return total


@loop
def _by_rows(chunk, first, last, width, at):
    """y = x v: an element of y for each row of x (rows, width)."""
    x, v, y = (
        carray(at[0], (last, width), float32),
        carray(at[1], (width,), float32),
        carray(at[2], (last,), float32),
    )
    for row in range(first, last):
        y[row] = _dot(x[row], v)


@_inlined
def _add_four(a, b, c, d, p, q, r, s, y):
    use_wide_vectors()
    for i in range(y.size):
        y[i] += a * p[i] + b * q[i] + c * r[i] + d * s[i]


@_inlined
def _add_one(a, p, y):
    use_wide_vectors()
    for i in range(y.size):
        y[i] += a * p[i]


@loop
def _by_columns(chunk, first, last, rows, at):
    """y = v x: elements first to last - 1 of y, from x (rows, columns)."""
    columns = carray(at[3], (1,), np.int64)[0]
    x, v, y = (
        carray(at[0], (rows * columns,), float32),
        carray(at[1], (rows,), float32),
        carray(at[2], (columns,), float32),
    )
    for start in range(first, last, _BLOCK):
        out = y[start : min(start + _BLOCK, last)]
        n = out.size
        for i in range(n):
            out[i] = 0
        whole = rows // 4 * 4
        for row in range(0, whole, 4):
            k = row * columns + start
            p, q = x[k : k + n], x[k + columns : k + columns + n]
            k += 2 * columns
            r, s = x[k : k + n], x[k + columns : k + columns + n]
            _add_four(v[row], v[row + 1], v[row + 2], v[row + 3], p, q, r, s, out)
        for row in range(whole, rows):
            k = row * columns + start
            _add_one(v[row], x[k : k + n], out)


def matrix_vector(x, v):
    """x v of a C-contiguous float32 x (m, n) and v (n,): (m,)."""
    m, n = x.shape
    y = np.empty(m, np.float32)
    _by_rows(chunks_of(m, x.size), m, n, x, np.ascontiguousarray(v), y)
    return y


def vector_matrix(v, x):
    """v x of v (m,) and a C-contiguous float32 x (m, n): (n,)."""
    m, n = x.shape
    y = np.empty(n, np.float32)
    _by_columns(chunks_of(n // _BLOCK, x.size), n, m, x, np.ascontiguousarray(v), y, np.array(n))
    return y

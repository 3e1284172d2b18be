"""Sums and extremes of large float32 arrays, seen as (outer, reduced, inner). Each chunk writes partial sums
of its own, and these are added in order: the result does not depend on the number of threads."""

import math

import numpy as np
from numba import carray, float32

from .compiling import REASSOCIATE, kernel
from .loops import chunks_of, loop, use_wide_vectors
from .threads import CHUNKS

_BLOCK = 4096  # elements that are added in float32 before float64 takes their sum
_WIDE = 256  # rows narrower than this are taken several at once
_COLUMNS = 1024  # from this many columns on each chunk takes some of them, down all rows

_inlined = kernel(forceinline=True, fastmath=REASSOCIATE)


@_inlined
def _sum(x):
    use_wide_vectors()
    total = 0.0
    for start in range(0, x.size, _BLOCK):
        block = x[start : start + _BLOCK]
        part = float32(0.0)
        for i in range(block.size):
            part += block[i]
        total += part
    return total


@loop
def _sum_all(chunk, first, last, width, at):
    """One number for each chunk of x."""
    x, partial = carray(at[0], (last,), float32), carray(at[1], (chunk + 1,), np.float64)
    partial[chunk] = _sum(x[first:last])


@loop
def _sum_rows(chunk, first, last, width, at):
    """x (rows, width) -> one number for each row."""
    x, y = carray(at[0], (last * width,), float32), carray(at[1], (last,), float32)
    for row in range(first, last):
        y[row] = _sum(x[row * width : (row + 1) * width])


@_inlined
def _add_rows(x, rows, width, y):
    """The sum in y of the rows of x, which lie `width` elements apart."""
    use_wide_vectors()
    for i in range(y.size):
        y[i] = 0
    for row in range(rows):
        source = x[row * width : row * width + y.size]
        for i in range(y.size):
            y[i] += source[i]


@loop
def _sum_columns(chunk, first, last, width, at):
    """x (rows, width) -> (chunks, width): one partial sum for each chunk of rows."""
    x, y = carray(at[0], (last * width,), float32), carray(at[1], ((chunk + 1) * width,), float32)
    _add_rows(x[first * width :], last - first, width, y[chunk * width :])


@loop
def _sum_wide_columns(chunk, first, last, rows, at):
    """x (rows, width) -> (width,), for the columns first to last - 1 of `at[2]`, the width."""
    y = carray(at[1], (last,), float32)
    width = carray(at[2], (1,), np.int64)[0]
    x = carray(at[0], (rows * width,), float32)
    _add_rows(x[first:], rows, width, y[first:last])


@loop
def _sum_middle(chunk, first, last, width, at):
    """x (outer, reduced, width) -> (outer, width); `at[2]` holds the number that is reduced."""
    reduced = carray(at[2], (1,), np.int64)[0]
    x, y = carray(at[0], (last * reduced * width,), float32), carray(at[1], (last * width,), float32)
    for row in range(first, last):
        _add_rows(x[row * reduced * width :], reduced, width, y[row * width : (row + 1) * width])


@_inlined
def _order(x):
    """The integer that stands to others as x to other floats, NaN above all: LLVM takes maxima of integers in
    vectors."""
    bits = np.float32(x).view(np.int32)
    bits = np.int32(bits ^ np.int32(np.int32(bits >> 31) & 0x7FFFFFFF))
    return bits if x == x else np.int32(0x7FFFFFFF)


@loop
def _extremes(chunk, first, last, width, at):
    """x (rows, width) -> the largest element of each row, or with -1 as sign the smallest."""
    use_wide_vectors()
    x, y = carray(at[0], (last * width,), float32), carray(at[1], (last,), float32)
    sign = carray(at[2], (1,), float32)[0]
    for row in range(first, last):
        source = x[row * width : (row + 1) * width]
        top = _order(sign * source[0])
        for i in range(width):
            top = max(top, _order(sign * source[i]))
        y[row] = sign * np.int32(top ^ np.int32(np.int32(top >> 31) & 0x7FFFFFFF)).view(np.float32)


@loop
def _share(chunk, first, last, width, at):
    """The cotangents g (rows,) of the extremes y (rows,), in equal shares to the elements of x that equal
    them."""
    use_wide_vectors()
    g, x = carray(at[0], (last,), float32), carray(at[1], (last * width,), float32)
    y, dx = carray(at[2], (last,), float32), carray(at[3], (last * width,), float32)
    for row in range(first, last):
        source, out, extreme = x[row * width : (row + 1) * width], dx[row * width : (row + 1) * width], y[row]
        count = float32(0.0)
        for i in range(width):
            out[i] = float32(1.0) if source[i] == extreme else float32(0.0)
        for i in range(width):
            count += out[i]
        share = g[row] / count
        for i in range(width):
            out[i] *= share


def axes_of(shape, axis):
    """(outer, reduced, inner) for reducing an array of this shape over `axis`; None where the axes are not
    neighbours."""
    if axis is None:
        return 1, math.prod(shape), 1
    axes = sorted(i % len(shape) for i in (axis if isinstance(axis, tuple) else (axis,)))
    if not axes or axes[-1] - axes[0] != len(axes) - 1:
        return None
    low, high = axes[0], axes[-1] + 1
    return math.prod(shape[:low]), math.prod(shape[low:high]), math.prod(shape[high:])


def total(x, outer, reduced, inner):
    """The sum of x (outer, reduced, inner) over the middle: (outer, inner). None for shapes that NumPy's one
    thread serves as well."""
    size = x.size
    if outer == 1 and inner == 1:
        partial = np.zeros(chunks_of(size, size), np.float64)
        _sum_all(len(partial), size, 1, x, partial)
        return partial.sum().astype(np.float32)
    if inner == 1:
        y = np.empty(outer, np.float32)
        if outer < CHUNKS:
            return None
        _sum_rows(chunks_of(outer, size), outer, reduced, x, y)
        return y
    if outer == 1:
        return _leading(x, reduced, inner)
    if outer < CHUNKS:
        return None
    times = _at_once(reduced, inner)
    y = np.empty((outer, times, inner), np.float32)
    _sum_middle(chunks_of(outer, size), outer, times * inner, x, y, np.array([reduced // times]))
    return np.add.reduce(y, axis=1)


def _at_once(rows, width):
    """How many rows are added as one long row, and only then to each other."""
    return next(t for t in range(max(_WIDE // width, 1), 0, -1) if rows % t == 0)


def _leading(x, rows, width):
    if width >= _COLUMNS:
        y = np.empty(width, np.float32)
        _sum_wide_columns(chunks_of(width // 16, x.size), width, rows, x, y, np.array([width]))
        return y
    times = _at_once(rows, width)
    chunks = chunks_of(rows // times, x.size)
    y = np.empty((chunks * times, width), np.float32)
    _sum_columns(chunks, rows // times, width * times, x, y)
    return np.add.reduce(y, axis=0)


def extremes(x, width, sign):
    """The largest (sign 1) or smallest (sign -1) element of each row of x (rows, width)."""
    rows = x.size // width
    y = np.empty(rows, np.float32)
    _extremes(chunks_of(rows, 2 * x.size), rows, width, x, y, np.array([sign], np.float32))
    return y


def share(g, x, y, width):
    """The cotangent of x (rows, width) from that of its rows' extremes y, g (rows,)."""
    dx = np.empty_like(x)
    _share(chunks_of(y.size, 2 * x.size), y.size, width, g, x, y, dx)
    return dx

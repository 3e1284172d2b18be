"""Normalisation, channels last, in two kinds of passes.

Batch, group and instance norm see x as (S, R, C): S sets of R rows whose statistics are taken apart (a batch
is one set; for group norm each image is). `moments` reads x once; `apply` reads it once more and writes y;
backward `grad_sums` and `grad_apply` do the same with g beside x. What lies between, tables of (S, C), is
left to NumPy in float64. Layer and RMS norm take their statistics along a row (R, D), which fits the first
caches: one pass forward, one backward.

Sums run over blocks of rows in the arrays' own type, and over the blocks in float64. A ReLU behind the norm
is a `floor` of 0 (else -inf); its mask is computed again from x, which is cheaper than to read y."""

import numpy as np
from numba import prange

from . import memory as memory  # large arrays come and go: keep their pages
from .compiling import REASSOCIATE, kernel
from .threads import CHUNKS, GRAIN, launch

BLOCK = 64  # rows summed in float32 before they go into a float64 sum
SPAN = 2048  # elements of a row, the same
CONTRACT = {"contract"}  # no reassociation: it may turn sum(x - shift) into sum(x) - n * shift


@kernel(fastmath=CONTRACT)
def _moments(chunk, first, last, x, mean, squares, parts):
    """The mean and the sum of squares about it of each of `parts` parts of a set, and each channel, (S*parts,
    C) float64.

    One pass is sound because each block is summed about the mean of the rows before it: what that mean is
    off by is, squared, also part of the sum of squares, so rounding stays a few units in the last place of
    the result for any offset and drift of the data (Chan, Golub and LeVeque 1979 merge the blocks)."""
    rows, channels = x.shape[1], x.shape[2]
    shift = np.empty(channels, x.dtype)
    total, total2 = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for item in range(first, last):
        values = x[item // parts]
        part = item % parts
        start, stop = part * rows // parts, (part + 1) * rows // parts
        m, m2 = mean[item], squares[item]
        for c in range(channels):
            m[c] = values[start, c]
            m2[c] = 0.0
        for block in range(start, stop, BLOCK):
            end = min(block + BLOCK, stop)
            for c in range(channels):
                shift[c] = m[c]
                total[c] = 0
                total2[c] = 0
            row = block
            while row + 4 <= end:
                p, q, s, t = values[row], values[row + 1], values[row + 2], values[row + 3]
                for c in range(channels):
                    k = shift[c]
                    d0, d1, d2, d3 = p[c] - k, q[c] - k, s[c] - k, t[c] - k
                    total[c] += (d0 + d1) + (d2 + d3)
                    total2[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
                row += 4
            while row < end:
                p = values[row]
                for c in range(channels):
                    d0 = p[c] - shift[c]
                    total[c] += d0
                    total2[c] += d0 * d0
                row += 1
            n, seen = float(end - block), float(block - start)
            share = n / (seen + n)
            for c in range(channels):
                off = np.float64(total[c]) / n  # the block's mean less the shift
                delta = (np.float64(shift[c]) - m[c]) + off
                m2[c] += np.float64(total2[c]) - off * off * n + delta * delta * seen * share
                m[c] += delta * share


@kernel(parallel=True)
def _moments_loop(chunks, items, x, mean, squares, parts):
    for i in prange(chunks):
        chunk = np.int64(i)
        _moments(chunk, chunk * items // chunks, (chunk + 1) * items // chunks, x, mean, squares, parts)


@kernel(fastmath=CONTRACT)
def _apply(chunk, first, last, x, y, center, scale, shift, floor):
    for row in range(first, last):
        s, r = row // x.shape[1], row % x.shape[1]
        values, out, k, a, b = x[s, r], y[s, r], center[s], scale[s], shift[s]
        for c in range(x.shape[2]):
            value = (values[c] - k[c]) * a[c] + b[c]
            out[c] = floor if value < floor else value


@kernel(parallel=True)
def _apply_loop(chunks, rows, x, y, center, scale, shift, floor):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _apply(chunk, first, last, x, y, center, scale, shift, floor)


@kernel(fastmath=CONTRACT)
def _grad_sums(chunk, first, last, g, x, center, scale, shift, floor, sums, dots, parts):
    rows, channels = x.shape[1], x.shape[2]
    zero = x.dtype.type(0)
    total, dot = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    for item in range(first, last):
        s, part = item // parts, item % parts
        k, a, b = center[s], scale[s], shift[s]
        stop = (part + 1) * rows // parts
        for c in range(channels):
            sums[item, c] = 0.0
            dots[item, c] = 0.0
        for block in range(part * rows // parts, stop, BLOCK):
            end = min(block + BLOCK, stop)
            for c in range(channels):
                total[c] = 0
                dot[c] = 0
            row = block
            while row + 2 <= end:
                p, q, u, v = x[s, row], x[s, row + 1], g[s, row], g[s, row + 1]
                for c in range(channels):
                    d0, d1 = p[c] - k[c], q[c] - k[c]
                    g0 = u[c] if d0 * a[c] + b[c] > floor else zero
                    g1 = v[c] if d1 * a[c] + b[c] > floor else zero
                    total[c] += g0 + g1
                    dot[c] += g0 * d0 + g1 * d1
                row += 2
            if row < end:
                p, u = x[s, row], g[s, row]
                for c in range(channels):
                    d0 = p[c] - k[c]
                    g0 = u[c] if d0 * a[c] + b[c] > floor else zero
                    total[c] += g0
                    dot[c] += g0 * d0
            for c in range(channels):
                sums[item, c] += total[c]
                dots[item, c] += dot[c]


@kernel(parallel=True)
def _grad_sums_loop(chunks, items, g, x, center, scale, shift, floor, sums, dots, parts):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * items // chunks, (chunk + 1) * items // chunks
        _grad_sums(chunk, first, last, g, x, center, scale, shift, floor, sums, dots, parts)


@kernel(fastmath=CONTRACT)
def _grad_apply(chunk, first, last, g, x, dx, center, scale, shift, floor, slope, rest):
    zero = x.dtype.type(0)
    for row in range(first, last):
        s, r = row // x.shape[1], row % x.shape[1]
        cotangents, values, out = g[s, r], x[s, r], dx[s, r]
        k, a, b, e, f = center[s], scale[s], shift[s], slope[s], rest[s]
        for c in range(x.shape[2]):
            d = values[c] - k[c]
            masked = cotangents[c] if d * a[c] + b[c] > floor else zero
            out[c] = masked * a[c] + (d * e[c] + f[c])


@kernel(parallel=True)
def _grad_apply_loop(chunks, rows, g, x, dx, center, scale, shift, floor, slope, rest):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _grad_apply(chunk, first, last, g, x, dx, center, scale, shift, floor, slope, rest)


@kernel(fastmath=REASSOCIATE)
def _sum(values, shift):
    total = values.dtype.type(0)
    for j in range(values.size):
        total += values[j] - shift
    return total


@kernel(fastmath=REASSOCIATE)
def _sum_of_squares(values, center):
    total = values.dtype.type(0)
    for j in range(values.size):
        d = values[j] - center
        total += d * d
    return total


@kernel(fastmath=CONTRACT)
def _row_forward(chunk, first, last, x, y, weight, bias, mean, rstd, eps, centered):
    one = x.dtype.type
    size = x.shape[1]
    for row in range(first, last):
        values, out = x[row], y[row]
        exact = square = 0.0
        if centered:
            for j in range(0, size, SPAN):  # about one of them, so that an offset costs no digits
                exact += _sum(values[j : j + SPAN], values[0])
            exact = exact / size + values[0]
        m = one(exact)
        off = exact - m  # what rounding the mean took away
        for j in range(0, size, SPAN):
            square += _sum_of_squares(values[j : j + SPAN], m)
        r = 1.0 / np.sqrt(square / size - off * off + eps)
        mean[row], rstd[row] = m, r
        scale, low = one(r), one(-off * r)
        for j in range(size):
            out[j] = ((values[j] - m) * scale + low) * weight[j] + bias[j]


@kernel(parallel=True)
def _row_forward_loop(chunks, rows, x, y, weight, bias, mean, rstd, eps, centered):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _row_forward(chunk, first, last, x, y, weight, bias, mean, rstd, eps, centered)


@kernel(fastmath=REASSOCIATE)
def _row_backward(chunk, first, last, g, x, dx, weight, mean, rstd, dweight, dbias, centered):
    """dweight and dbias (chunks, D) float64: the sums of one chunk's rows."""
    size = x.shape[1]
    one = x.dtype.type
    dw, db = np.empty(size, x.dtype), np.empty(size, x.dtype)
    for j in range(size):
        dweight[chunk, j] = 0.0
        dbias[chunk, j] = 0.0
    for block in range(first, last, BLOCK):
        for j in range(size):
            dw[j] = 0
            db[j] = 0
        for row in range(block, min(block + BLOCK, last)):
            cotangents, values, out = g[row], x[row], dx[row]
            m, r = mean[row], rstd[row]
            total = dot = one(0)
            for j in range(size):
                normal = (values[j] - m) * r
                weighted = cotangents[j] * weight[j]
                total += weighted
                dot += weighted * normal
                dw[j] += cotangents[j] * normal
                db[j] += cotangents[j]
            base = total / size if centered else 0.0
            k0, k1 = one(-base * r), one(-r * r * (dot / size))
            for j in range(size):
                out[j] = cotangents[j] * weight[j] * r + ((values[j] - m) * k1 + k0)
        for j in range(size):
            dweight[chunk, j] += dw[j]
            dbias[chunk, j] += db[j]


@kernel(parallel=True)
def _row_backward_loop(chunks, rows, g, x, dx, weight, mean, rstd, dweight, dbias, centered):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _row_backward(chunk, first, last, g, x, dx, weight, mean, rstd, dweight, dbias, centered)


def _chunks(rows, size):
    """A pass does a few operations an element: cut in proportion to the memory it goes over."""
    return max(1, min(rows, CHUNKS, 4 * size // GRAIN))


def _as_sets(x, sets, *tables):
    """The shape (S, R, C) to see x (m, ..., C) in, and tables (S, C) to match. Rows of few channels are
    joined to rows of at least 64, for the sake of the vector loops, and the tables repeated."""
    channels = x.shape[-1]
    rows = x.size // channels // sets
    fold = 1
    while fold * channels < 64 and rows % (2 * fold) == 0:
        fold *= 2
    repeated = np.empty((len(tables), sets, fold, channels), x.dtype)
    for copies, table in zip(repeated, tables, strict=True):
        copies[...] = table[:, None]
    shape = sets, rows // fold, fold * channels
    return shape, repeated.reshape(len(tables), sets, shape[2])


def _parts(shape):
    """Into how many parts the rows of a set are cut for sums."""
    return max(1, min(-(-CHUNKS // shape[0]), _chunks(shape[1], shape[1] * shape[2])))


def moments(x, sets):
    """Mean and variance (biased), (S, C) float64, of each set and channel of x (m, ..., C), x not empty."""
    shape, _ = _as_sets(x, sets)
    parts = _parts(shape)
    items = sets * parts
    mean, squares = np.empty((2, items, shape[2]))
    chunks = _chunks(items, x.size)
    launch(_moments, _moments_loop, chunks, items, x.reshape(shape), mean, squares, parts)
    fold = shape[2] // x.shape[-1]
    bounds = np.arange(parts + 1) * shape[1] // parts
    weight = np.repeat((bounds[1:] - bounds[:-1])[:, None], fold, axis=0) / (fold * shape[1])
    mean, squares = (a.reshape(sets, parts * fold, x.shape[-1]) for a in (mean, squares))
    center = np.sum(mean * weight, axis=1)
    spread = np.sum((mean - center[:, None]) ** 2 * weight, axis=1)
    return center, np.sum(squares, axis=1) / (fold * shape[1]) + spread


def apply(x, center, scale, shift, floor=-np.inf):
    """max((x - center) * scale + shift, floor) for x (m, ..., C) and tables (S, C): the first of S equal
    parts of x by the first row, and so on."""
    shape, tables = _as_sets(x, len(center), center, scale, shift)
    y = np.empty(x.shape, x.dtype)
    rows = shape[0] * shape[1]
    arrays = x.reshape(shape), y.reshape(shape), *tables, x.dtype.type(floor)
    launch(_apply, _apply_loop, _chunks(rows, x.size), rows, *arrays)
    return y


def grad_sums(g, x, center, scale, shift, floor=-np.inf):
    """sum(g) and sum(g * (x - center)), (S, C) float64, over the rows where `apply` stays above the floor."""
    shape, tables = _as_sets(x, len(center), center, scale, shift)
    parts = _parts(shape)
    items = shape[0] * parts
    sums = np.empty((2, items, shape[2]))
    arrays = g.reshape(shape), x.reshape(shape), *tables, x.dtype.type(floor), *sums, parts
    launch(_grad_sums, _grad_sums_loop, _chunks(items, x.size), items, *arrays)
    return sums.reshape(2, len(center), -1, x.shape[-1]).sum(axis=2)


def grad_apply(g, x, center, scale, shift, slope, rest, floor=-np.inf):
    """g * scale + (x - center) * slope + rest, with g = 0 where `apply` does not stay above the floor."""
    shape, (*tables, slope, rest) = _as_sets(x, len(center), center, scale, shift, slope, rest)
    dx = np.empty(x.shape, x.dtype)
    rows = shape[0] * shape[1]
    arrays = g.reshape(shape), x.reshape(shape), dx.reshape(shape), *tables, x.dtype.type(floor), slope, rest
    launch(_grad_apply, _grad_apply_loop, _chunks(rows, x.size), rows, *arrays)
    return dx


def row_forward(x, size, weight, bias, eps, centered):
    """(x - mean) / sqrt(var + eps) * weight + bias along each row of x, its last axes of `size` elements in
    all; and the rows' mean and 1 / sqrt(var + eps). Not `centered`: about 0, as RMS norm has it."""
    y = np.empty(x.shape, x.dtype)
    rows = x.size // size
    mean, rstd = np.empty((2, rows), x.dtype)
    arrays = x.reshape(rows, size), y.reshape(rows, size), weight, bias, mean, rstd, float(eps), centered
    launch(_row_forward, _row_forward_loop, _chunks(rows, x.size), rows, *arrays)
    return y, mean, rstd


def row_backward(g, x, size, weight, mean, rstd, centered):
    """The cotangents of x, weight and bias (size,) of `row_forward`."""
    dx = np.empty(x.shape, x.dtype)
    rows = x.size // size
    chunks = _chunks(rows, x.size)
    dweight, dbias = np.empty((2, chunks, size))
    arrays = *(a.reshape(rows, size) for a in (g, x, dx)), weight, mean, rstd, dweight, dbias, centered
    launch(_row_backward, _row_backward_loop, chunks, rows, *arrays)
    return dx, dweight.sum(axis=0).astype(x.dtype), dbias.sum(axis=0).astype(x.dtype)

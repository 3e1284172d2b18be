"""Pooling of regions of interest: boxes on channels-last maps x (N, H, W, C), cut into bins, to y (K, PH, PW,
C).

A box is a grid of its own along each axis, so what a bin reads is a product of two short lists: a table for
the rows and one for the columns, of (K, bins, ...), made once for all channels. Forward, a bin belongs to one
thread. Backward, boxes overlap, so a thread takes an image and a block of channels and all boxes over it: no
two threads add to one place, and the order of the sums is that of the boxes."""

import numpy as np
from numba import carray

from .compiling import kernel
from .loops import chunks_of, loop
from .operands import floats, run, wholes

BLOCK = 32  # channels a thread adds to at a time: two cache lines


@kernel()
def _taps(start, step, grid, size, index, weight, count):
    """Which pixels along an axis of `size` a bin reads, and how much of each: bin p of box k averages linear
    interpolation at `grid[k]` points, evenly in start[k] + p step[k] .. + (p + 1) step[k]. A point more than
    a pixel outside reads nothing. index and weight (K, bins, taps) and count (K, bins) are written. Points
    that follow each other share pixels, which are listed once."""
    kind = start.dtype.type
    half, points = kind(0.5), kind(1)
    for k in range(index.shape[0]):
        points = kind(max(grid[k], 1))
        for p in range(index.shape[1]):
            n = 0
            for i in range(grid[k]):
                at = start[k] + kind(p) * step[k] + (kind(i) + half) * step[k] / points
                if not -1 <= at <= size:
                    continue
                low = min(np.int64(max(at, kind(0))), size - 1)
                t = min(max(at - kind(low), kind(0)), kind(1)) if low < size - 1 else kind(0)
                for place, share in ((low, kind(1) - t), (low + 1, t)):
                    if share == 0:
                        continue
                    j = n - 1
                    while j >= max(n - 2, 0) and index[k, p, j] != place:
                        j -= 1
                    if j < max(n - 2, 0):
                        j, n = n, n + 1
                        index[k, p, j] = place
                        weight[k, p, j] = 0
                    weight[k, p, j] += share / points
            count[k, p] = n


def taps(start, step, grid, size, bins):
    """The tables of `_taps`: index, weight and count."""
    most = max(min(2 * int(grid.max(initial=1)), size), 1)
    index = np.zeros((len(start), bins, most), np.int64)
    weight = np.zeros(index.shape, start.dtype)
    count = np.zeros((len(start), bins), np.int64)
    _taps(start, step, grid, size, index, weight, count)
    return index, weight, count


@kernel()
def _align(first, last, x, image, ys, wy, ny, xs, wx, nx, y):
    bins, channels = y.shape[1], y.shape[3]
    for row in range(first, last):
        k, i = row // bins, row % bins
        n = image[k]
        for j in range(y.shape[2]):
            out = y[k, i, j]
            for c in range(channels):
                out[c] = 0
            for a in range(ny[k, i]):
                for b in range(nx[k, j]):
                    share, pixel = wy[k, i, a] * wx[k, j, b], x[n, ys[k, i, a], xs[k, j, b]]
                    for c in range(channels):
                        out[c] += share * pixel[c]


@kernel()
def _align_grad(first, last, g, order, starts, ys, wy, ny, xs, wx, nx, dx):
    channels = dx.shape[3]
    blocks = -(-channels // BLOCK)
    for part in range(first, last):
        n, low = part // blocks, part % blocks * BLOCK
        width = min(BLOCK, channels - low)
        _clear(dx[n], low, width)
        for k in order[starts[n] : starts[n + 1]]:
            for i in range(g.shape[1]):
                for j in range(g.shape[2]):
                    cotangent = g[k, i, j, low : low + width]
                    for a in range(ny[k, i]):
                        for b in range(nx[k, j]):
                            share = wy[k, i, a] * wx[k, j, b]
                            out = dx[n, ys[k, i, a], xs[k, j, b], low : low + width]
                            for c in range(width):
                                out[c] += share * cotangent[c]


@kernel()
def _clear(plane, low, width):
    for h in range(plane.shape[0]):
        for w in range(plane.shape[1]):
            for c in range(low, low + width):
                plane[h, w, c] = 0


@kernel()
def _pool(first, last, x, image, rows, columns, y, index):
    """The first maximum wins, or the first NaN; the place of a bin without pixels is -1."""
    bins, width, channels = y.shape[1], x.shape[2], y.shape[3]
    lowest = x.dtype.type(-np.inf)
    for row in range(first, last):
        k, i = row // bins, row % bins
        h0, h1 = rows[k, i, 0], rows[k, i, 1]
        for j in range(y.shape[2]):
            best, place = y[k, i, j], index[k, i, j]
            w0, w1 = columns[k, j, 0], columns[k, j, 1]
            some = h0 < h1 and w0 < w1
            for c in range(channels):
                best[c] = lowest if some else 0
                place[c] = h0 * width + w0 if some else -1
            for h in range(h0, h1):
                for w in range(w0, w1):
                    pixel, here = x[image[k], h, w], np.int32(h * width + w)
                    for c in range(channels):
                        better = pixel[c] > best[c] or (pixel[c] != pixel[c] and best[c] == best[c])
                        best[c] = pixel[c] if better else best[c]
                        place[c] = here if better else place[c]


@kernel()
def _gather(first, last, x, image, index, y):
    """x and y with one axis of places instead of two: (N, H*W, C), (K, PH*PW, C)."""
    for k in range(first, last):
        for p in range(index.shape[1]):
            for c in range(index.shape[2]):
                at = index[k, p, c]
                y[k, p, c] = x[image[k], at, c] if at >= 0 else 0


@kernel()
def _scatter(first, last, g, order, starts, index, dx):
    channels = dx.shape[2]
    blocks = -(-channels // BLOCK)
    for part in range(first, last):
        n, low = part // blocks, part % blocks * BLOCK
        high = min(low + BLOCK, channels)
        for p in range(dx.shape[1]):
            for c in range(low, high):
                dx[n, p, c] = 0
        for k in order[starts[n] : starts[n + 1]]:
            for p in range(index.shape[1]):
                for c in range(low, high):
                    at = index[k, p, c]
                    if at >= 0:
                        dx[n, at, c] += g[k, p, c]


# ---- the same as loops over float32


@loop
def _align_loop(chunk, first, last, width, at):
    ys, wy, ny = wholes(at, 2)[0], floats(at, 3)[0], wholes(at, 4)[0, 0]
    xs, wx, nx = wholes(at, 5)[0], floats(at, 6)[0], wholes(at, 7)[0, 0]
    _align(first, last, floats(at, 0), wholes(at, 1)[0, 0, 0], ys, wy, ny, xs, wx, nx, floats(at, 8))


@loop
def _align_grad_loop(chunk, first, last, width, at):
    order, starts = wholes(at, 1)[0, 0, 0], wholes(at, 2)[0, 0, 0]
    ys, wy, ny = wholes(at, 3)[0], floats(at, 4)[0], wholes(at, 5)[0, 0]
    xs, wx, nx = wholes(at, 6)[0], floats(at, 7)[0], wholes(at, 8)[0, 0]
    _align_grad(first, last, floats(at, 0), order, starts, ys, wy, ny, xs, wx, nx, floats(at, 9))


@loop
def _pool_loop(chunk, first, last, width, at):
    y = floats(at, 4)
    index = carray(at[2 + 5], y.shape, np.int32)
    image, rows, columns = wholes(at, 1)[0, 0, 0], wholes(at, 2)[0], wholes(at, 3)[0]
    _pool(first, last, floats(at, 0), image, rows, columns, y, index)


@loop
def _gather_loop(chunk, first, last, width, at):
    y = floats(at, 3)[0]
    index = carray(at[2 + 2], y.shape, np.int32)
    _gather(first, last, floats(at, 0)[0], wholes(at, 1)[0, 0, 0], index, y)


@loop
def _scatter_loop(chunk, first, last, width, at):
    g = floats(at, 0)[0]
    index = carray(at[2 + 3], g.shape, np.int32)
    _scatter(first, last, g, wholes(at, 1)[0, 0, 0], wholes(at, 2)[0, 0, 0], index, floats(at, 4)[0])


def _launch(body, parallel, rows, operations, arrays):
    if arrays[0].dtype == np.float32:
        run(parallel, chunks_of(rows, operations), rows, arrays, ())
    else:
        body(0, rows, *arrays)


# ---- what the ops call. Arrays are C-contiguous, of float32 or float64; `image` (K,) int64 is each box's.


def align(x, image, along_rows, along_columns):
    """y[k, i, j] = sum over the taps of bin (i, j) of box k: x at them, times their weights."""
    y = np.empty((len(image), along_rows[0].shape[1], along_columns[0].shape[1], x.shape[3]), x.dtype)
    work = _reads(y, along_rows, along_columns)
    _launch(_align, _align_loop, len(y) * y.shape[1], work, (x, image, *along_rows, *along_columns, y))
    return y


def align_grad(g, image, along_rows, along_columns, shape):
    """The transpose of `align`, into a map (N, H, W, C)."""
    dx = np.empty(shape, g.dtype)
    arrays = g, *_by_image(image, shape[0]), *along_rows, *along_columns, dx
    work = dx.size + _reads(g, along_rows, along_columns)
    _launch(_align_grad, _align_grad_loop, shape[0] * -(-shape[3] // BLOCK), work, arrays)
    return dx


def _reads(y, along_rows, along_columns):
    """How many numbers the bins read in all."""
    if not y.size:
        return 0
    mean = along_rows[2].mean() * along_columns[2].mean()
    return int(mean * y.size)


def _by_image(image, images):
    """The boxes in the order of their images, and where each image's begin."""
    order = np.argsort(image, kind="stable")
    return order, np.searchsorted(image[order], np.arange(images + 1))


def pool(x, image, rows, columns):
    """The maxima of boxes' bins and their int32 places h*W + w; rows (K, PH, 2) and columns (K, PW, 2) are
    where bins begin and end."""
    y = np.empty((len(image), rows.shape[1], columns.shape[1], x.shape[3]), x.dtype)
    index = np.empty(y.shape, np.int32)
    bins = np.diff(rows).mean() * np.diff(columns).mean() if len(image) else 0
    work = int(y.size * bins)
    _launch(_pool, _pool_loop, len(y) * y.shape[1], work, (x, image, rows, columns, y, index))
    return y, index


def gather(x, image, index):
    """x at the places that `pool` gave; 0 for -1."""
    y = np.empty(index.shape, x.dtype)
    flat = x.reshape(len(x), -1, x.shape[3]), image, _flat(index), _flat(y)
    _launch(_gather, _gather_loop, len(index), index.size, flat)
    return y


def scatter(g, image, index, shape):
    """The transpose of `gather`, into a map (N, H, W, C)."""
    dx = np.empty(shape, g.dtype)
    flat = _flat(g), *_by_image(image, shape[0]), _flat(index), dx.reshape(shape[0], -1, shape[3])
    _launch(_scatter, _scatter_loop, shape[0] * -(-shape[3] // BLOCK), dx.size + g.size, flat)
    return dx


def _flat(a):
    return a.reshape(len(a), a.shape[1] * a.shape[2], a.shape[3])

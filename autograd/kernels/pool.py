"""Pooling over channels-last images and volumes. x (N, H, W, C), y (N, OH, OW, C); of a volume H and OH are
depth and rows as one axis. The innermost loops run over vectors of channels that stay in registers for a
whole window, and each kernel goes once over the image.

Windows come as tables (`windows`): padding, strides, ceil_mode, adaptive windows and a third axis are all the
same to the kernels. The gradients go by pixels of the image and ask the tables which windows lie over one. So
nothing is zeroed before, no two threads add to one place, and a single image is as parallel as a batch.

Max pooling hands out, beside each maximum, its place in the image (h*W + w). With that index the family is
closed under differentiation: `gather` reads at the index, `scatter` adds at it, and each is the other's
gradient; `max_grad` is the scatter of an index that came from windows. Average pooling and its gradient are
each other's gradient too."""

import math

import numpy as np
from numba import prange

from . import memory as memory  # large arrays come and go: keep their pages
from .compiling import REASSOCIATE, kernel
from .lanes import LANES, add, divide, equal, larger, load, multiply, pick, spread, store
from .threads import chunks_of, launch
from .windows import counts, sums, tables

NARROW = LANES // 2  # channels: below, they leave most of a vector empty


@kernel()
def _max(chunk, first, last, x, index, y, rows, columns, indexed):
    """The first maximum of each window wins; a NaN beats everything, so it is not lost. The index is written
    where it is `indexed`."""
    width, channels = x.shape[2], x.shape[3]
    lowest = x.dtype.type(-np.inf)
    for row in range(first, last):
        n, over = row // y.shape[1], rows[row % y.shape[1]]
        image = n * x.shape[1] * width
        for j in range(y.shape[2]):
            across = columns[j]
            corner = np.int32(over[1] * width + across[1])
            for c in range(0, channels, LANES):
                left = channels - c
                best, place = spread(lowest), spread(corner)
                for r in range(1, 1 + over[0]):
                    start = over[r] * width
                    for s in range(1, 1 + across[0]):
                        at = start + across[s]
                        values = load(x, (image + at) * channels + c, left)
                        better = larger(values, best)
                        best = pick(better, values, best)
                        place = pick(better, spread(np.int32(at)), place)
                target = (row * y.shape[2] + j) * channels + c
                store(y, target, left, best)
                if indexed:
                    store(index, target, left, place)


@kernel(parallel=True)
def _max_loop(chunks, total, x, index, y, rows, columns, indexed):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _max(chunk, first, last, x, index, y, rows, columns, indexed)


@kernel()
def _max_grad(chunk, first, last, g, index, dx, rows, columns):
    """Each pixel takes the cotangents of those windows over it whose maximum it is."""
    height, width, channels = dx.shape[1], dx.shape[2], dx.shape[3]
    zero = g.dtype.type(0)
    for row in range(first, last):
        n, h = row // height, row % height
        over = rows[h]
        for w in range(width):
            across = columns[w]
            here = np.int32(h * width + w)
            for c in range(0, channels, LANES):
                left = channels - c
                total = spread(zero)
                for r in range(1, 1 + over[0]):
                    start = (n * g.shape[1] + over[r]) * g.shape[2]
                    for s in range(1, 1 + across[0]):
                        at = (start + across[s]) * channels + c
                        mine = equal(load(index, at, left), spread(here))
                        total = add(total, pick(mine, load(g, at, left), spread(zero)))
                store(dx, (row * width + w) * channels + c, left, total)


@kernel(parallel=True)
def _max_grad_loop(chunks, total, g, index, dx, rows, columns):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _max_grad(chunk, first, last, g, index, dx, rows, columns)


@kernel()
def _max_grad_by_image(chunk, first, last, g, index, dx):
    """`_max_grad` by windows instead of pixels, so that each cotangent is looked at once. g and index (N,
    OH*OW, C), dx (N, H*W*C)."""
    channels = g.shape[2]
    for n in range(first, last):
        out = dx[n]
        pixels = out.size // channels
        for i in range(out.size):
            out[i] = 0
        for place in range(g.shape[1]):
            for c in range(channels):
                at = np.int64(index[n, place, c])
                if 0 <= at < pixels:
                    out[at * channels + c] += g[n, place, c]


@kernel(parallel=True)
def _max_grad_by_image_loop(chunks, total, g, index, dx):
    for i in prange(chunks):
        chunk = np.int64(i)
        _max_grad_by_image(chunk, chunk * total // chunks, (chunk + 1) * total // chunks, g, index, dx)


@kernel()
def _gather(chunk, first, last, x, index, y, outside):
    """x (N, H*W, C), index and y (N, places, C)."""
    for n in range(first, last):
        for place in range(index.shape[1]):
            for c in range(index.shape[2]):
                at = index[n, place, c]
                if 0 <= at < x.shape[1]:
                    y[n, place, c] = x[n, at, c]
                else:
                    outside[chunk] = True


@kernel(parallel=True)
def _gather_loop(chunks, total, x, index, y, outside):
    for i in prange(chunks):
        chunk = np.int64(i)
        _gather(chunk, chunk * total // chunks, (chunk + 1) * total // chunks, x, index, y, outside)


@kernel()
def _scatter(chunk, first, last, g, index, dx, outside):
    """g and index (N, places, C), dx (N, H*W, C) zeroed; whole images, so no two threads add to the same
    place."""
    for n in range(first, last):
        for place in range(index.shape[1]):
            for c in range(index.shape[2]):
                at = index[n, place, c]
                if 0 <= at < dx.shape[1]:
                    dx[n, at, c] += g[n, place, c]
                else:
                    outside[chunk] = True


@kernel(parallel=True)
def _scatter_loop(chunks, total, g, index, dx, outside):
    for i in prange(chunks):
        chunk = np.int64(i)
        _scatter(chunk, chunk * total // chunks, (chunk + 1) * total // chunks, g, index, dx, outside)


@kernel()
def _average(chunk, first, last, a, out, rows, columns, shares, weighted, weights):
    """Means, and with the tables of the other direction their transpose: each place is the sum of places of
    a, divided by its share, the product of one of rows and one of columns. Where it is `weighted`, what is
    summed has weights, which are made like shares."""
    width, channels = out.shape[2], out.shape[3]
    zero = a.dtype.type(0)
    for row in range(first, last):
        n, i = row // out.shape[1], row % out.shape[1]
        over = rows[i]
        for j in range(width):
            across = columns[j]
            share = shares[0][i] * shares[1][j]
            for c in range(0, channels, LANES):
                left = channels - c
                total = spread(zero)
                for r in range(1, 1 + over[0]):
                    h = over[r]
                    start = (n * a.shape[1] + h) * a.shape[2]
                    for s in range(1, 1 + across[0]):
                        w = across[s]
                        values = load(a, (start + w) * channels + c, left)
                        if weighted:
                            values = multiply(values, spread(weights[0][h] * weights[1][w]))
                        total = add(total, values)
                store(out, (row * width + j) * channels + c, left, divide(total, spread(share)))


@kernel(parallel=True)
def _average_loop(chunks, total, a, out, rows, columns, shares, weighted, weights):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _average(chunk, first, last, a, out, rows, columns, shares, weighted, weights)


@kernel(fastmath=REASSOCIATE)
def _average_narrow(chunk, first, last, a, out, spans, places, weights):
    """Both passes of `average` for few channels, the vectors running over a whole row: a (N, R, Q), out (N,
    I, J). Row i is the sum of rows spans[i, 0] to spans[i, 1] - 1, and in it element j that of the elements
    places[:, j], of which those from Q on are 0; weights are of the rows and of the columns of a, and of
    out."""
    of_row, of_column, share_of_row, share_of_column = weights
    count, size = a.shape[2], out.shape[2]
    line = np.zeros(count + size, a.dtype)
    for row in range(first, last):
        n, i = row // out.shape[1], row % out.shape[1]
        for q in range(count):
            line[q] = 0
        for r in range(spans[i, 0], spans[i, 1]):
            values, weight = a[n, r], of_row[r]
            for q in range(count):
                line[q] += values[q] * weight
        for q in range(count):
            line[q] *= of_column[q]
        total, share = out[n, i], share_of_row[i]
        for j in range(size):
            total[j] = 0
        for k in range(len(places)):
            at = places[k]
            for j in range(size):
                total[j] += line[at[j]]
        for j in range(size):
            total[j] *= share * share_of_column[j]


@kernel(parallel=True)
def _average_narrow_loop(chunks, total, a, out, spans, places, weights):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _average_narrow(chunk, first, last, a, out, spans, places, weights)


def _as_images(a):
    """Volumes as images whose rows are those of all planes."""
    return a.reshape(a.shape[0], math.prod(a.shape[1:-2]), *a.shape[-2:])


def _axes(size, out, kernel_size, stride, padding):
    """What `windows` takes, an axis; all None for adaptive pooling."""
    absent = (None,) * len(size)
    return tuple(zip(size, out, kernel_size or absent, stride or absent, padding or absent, strict=True))


def _run(body, loop, images, arrays, rows, columns, *more):
    """Over the rows of the last of arrays."""
    total = images * arrays[-1].shape[1]
    work = arrays[-1].size * (rows.shape[1] - 1) * (columns.shape[1] - 1)
    launch(body, loop, chunks_of(total, work), total, *arrays, rows, columns, *more)


def max_forward(x, size, kernel_size, stride, padding, dilation=None, indexed=True):
    """x (N, H, W, C) -> the maxima (N, *size, C), and their int32 places h*W + w in the image, of the same
    shape, or None unless `indexed`; or all this of volumes, of three axes. `padding` is ((top, bottom),
    (left, right)); `kernel_size` None pools adaptively. Every window must hold a pixel of the image."""
    y = np.empty((x.shape[0], *size, x.shape[-1]), x.dtype)
    index = np.empty(y.shape if indexed else (0,) * y.ndim, np.int32)
    axes = _axes(x.shape[1:-1], size, kernel_size, stride, padding)
    found = tables(axes, dilation or (1,) * len(size))
    arrays = _as_images(x), _as_images(index), _as_images(y)
    _run(_max, _max_loop, len(x), arrays, *found, indexed)
    return y, index if indexed else None


def max_grad(g, index, size, kernel_size, stride, padding, dilation=None):
    """The cotangent of x (N, *size, C) from that of the maxima, g (N, OH, OW, C), and their index, whose
    places must lie in the windows: what lies elsewhere may be lost."""
    dx = np.empty((g.shape[0], *size, g.shape[-1]), g.dtype)
    images, channels = len(g), g.shape[-1]
    if g.size and channels < NARROW:
        arrays = *(a.reshape(images, -1, channels) for a in (g, index)), dx.reshape(images, -1)
        launch(_max_grad_by_image, _max_grad_by_image_loop, chunks_of(images, 2 * dx.size), images, *arrays)
        return dx
    axes = _axes(size, g.shape[1:-1], kernel_size, stride, padding)
    found = tables(axes, dilation or (1,) * len(size), backward=True)
    arrays = _as_images(g), _as_images(index), _as_images(dx)
    _run(_max_grad, _max_grad_loop, images, arrays, *found)
    return dx


def gather(x, index):
    """y[n, i, j, c] = x[n, h, w, c] where index[n, i, j, c] = h*W + w (int32). Raises IndexError for a place
    outside."""
    y = np.empty(index.shape, x.dtype)
    _at_index(_gather, _gather_loop, x, index, y, x.shape)
    return y


def scatter(g, index, size):
    """The gradient of `gather`: zeros (N, *size, C), and g added at the places. Raises IndexError for one
    outside."""
    dx = np.zeros((g.shape[0], *size, g.shape[-1]), g.dtype)
    _at_index(_scatter, _scatter_loop, g, index, dx, dx.shape)
    return dx


def _at_index(body, loop, source, index, target, shape):
    flat = [a.reshape(a.shape[0], math.prod(a.shape[1:-1]), a.shape[-1]) for a in (source, index, target)]
    outside = np.zeros(max(len(source), 1), np.bool_)
    launch(body, loop, chunks_of(len(source), index.size), len(source), *flat, outside)
    if outside.any():
        plane = shape[1:-1]
        raise IndexError(
            f"index outside the plane of {'x'.join(map(str, plane))} = {math.prod(plane)} pixels"
        )


def average(x, size, kernel_size, stride, padding, count_padding):
    """x (N, H, W, C) -> means (N, *size, C), over all pixels of a window with `count_padding`, else over
    those in the image; volumes alike. `kernel_size` None pools adaptively."""
    y = np.empty((x.shape[0], *size, x.shape[-1]), x.dtype)
    _averaged(x, y, False, _axes(x.shape[1:-1], size, kernel_size, stride, padding), count_padding)
    return y


def average_grad(g, size, kernel_size, stride, padding, count_padding):
    """The cotangent of x (N, *size, C) from that of the means, g (N, OH, OW, C)."""
    dx = np.empty((g.shape[0], *size, g.shape[-1]), g.dtype)
    _averaged(g, dx, True, _axes(size, g.shape[1:-1], kernel_size, stride, padding), count_padding)
    return dx


def _averaged(a, out, backward, axes, count_padding):
    if out.size and a.shape[-1] < NARROW and len(axes) == 2:
        arrays = [t.reshape(*t.shape[:2], -1) for t in (a, out)]
        found = sums(backward, a.dtype, a.shape[3], axes, count_padding)
        total, work = out.shape[0] * out.shape[1], 2 * max(a.size, out.size)
        launch(_average_narrow, _average_narrow_loop, chunks_of(total, work), total, *arrays, *found)
        return
    found = tables(axes, (1,) * len(axes), backward)
    a, out = _as_images(a), _as_images(out)
    number = counts(a.dtype, axes, count_padding)
    shares, weighted = number, backward and any(n.min() < n.max() for n in number)
    if backward:
        ones = [np.ones(n, a.dtype) for n in out.shape[1:3]]
        shares = tuple(ones) if weighted else tuple(one * n[0] for one, n in zip(ones, number, strict=True))
    weights = tuple(1 / n for n in number) if weighted else number
    _run(_average, _average_loop, len(a), (a, out), *found, shares, weighted, weights)

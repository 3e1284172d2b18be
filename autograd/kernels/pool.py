"""Pooling over channels-last images. x (N, H, W, C), y (N, OH, OW, C); the innermost loops run over
contiguous channels, and each kernel goes once over the image.

Windows come as tables, one an axis (`windows`): padding, strides, ceil_mode and adaptive windows are all the
same to the kernels. The gradients go by rows of the image and ask `covers` which windows lie over a pixel.
So nothing is zeroed before, no two threads add to one place, and a single image is as parallel as a batch.

Max pooling hands out, beside each maximum, its place in the image's plane (h*W + w). With that index the
family is closed under differentiation: `gather` reads at the index, `scatter` adds at it, and each is the
other's gradient; `max_grad` is the scatter of an index that came from windows. Average pooling and its
gradient are each other's gradient too."""

import numpy as np
from numba import prange

from . import memory as memory  # large arrays come and go: keep their pages
from .compiling import REASSOCIATE, kernel
from .threads import chunks_of, launch
from .windows import covers, pixels, sums, windows

NARROW = 32  # channels: below, a row's vectors run over pixels too


def _tables(size, out, kernel_size, stride, padding, dilation=(1, 1), count_padding=True):
    """The windows along rows and columns."""
    options = [size, out, kernel_size or (None, None), stride, padding, dilation]
    return [windows(*axis, count_padding) for axis in zip(*options, strict=True)]


@kernel()
def _max(chunk, first, last, x, y, index, rows, columns, dilation):
    """The first maximum of each window wins; a NaN beats everything, so it is not lost. Three pixels a pass,
    the last repeated where the window ends, so that best and place are loaded and stored less often."""
    width, channels = x.shape[2], x.shape[3]
    dh, dw = dilation
    lowest = x.dtype.type(-np.inf)
    for row in range(first, last):
        n, oh = row // y.shape[1], row % y.shape[1]
        for ow in range(y.shape[2]):
            best, place = y[n, oh, ow], index[n, oh, ow]
            w0, w1 = columns[ow, 0], columns[ow, 1]
            end = w0 + (w1 - 1 - w0) // dw * dw  # the last pixel of a row of the window
            corner = np.int32(rows[oh, 0] * width + w0)
            for c in range(channels):
                best[c] = lowest
                place[c] = corner
            for h in range(rows[oh, 0], rows[oh, 1], dh):
                for w in range(w0, w1, 3 * dw):
                    ws, wt = min(w + dw, end), min(w + 2 * dw, end)
                    a, b, d = x[n, h, w], x[n, h, ws], x[n, h, wt]
                    start = h * width
                    at_a, at_b, at_d = np.int32(start + w), np.int32(start + ws), np.int32(start + wt)
                    for c in range(channels):
                        m, at = best[c], place[c]
                        better = a[c] > m or a[c] != a[c]
                        m, at = a[c] if better else m, at_a if better else at
                        better = b[c] > m or b[c] != b[c]
                        m, at = b[c] if better else m, at_b if better else at
                        better = d[c] > m or d[c] != d[c]
                        m, at = d[c] if better else m, at_d if better else at
                        best[c], place[c] = m, at


@kernel(parallel=True)
def _max_loop(chunks, total, x, y, index, rows, columns, dilation):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _max(chunk, first, last, x, y, index, rows, columns, dilation)


@kernel()
def _max_grad(chunk, first, last, g, index, dx, over_rows, over_columns):
    """Each pixel takes the cotangents of those windows over it whose maximum it is."""
    height, width, channels = dx.shape[1], dx.shape[2], dx.shape[3]
    zero = g.dtype.type(0)
    for row in range(first, last):
        n, h = row // height, row % height
        for w in range(width):
            out = dx[n, h, w]
            here = np.int32(h * width + w)
            for c in range(channels):
                out[c] = zero
            for oh in range(over_rows[h, 0], over_rows[h, 1]):
                for ow in range(over_columns[w, 0], over_columns[w, 1]):
                    cotangents, place = g[n, oh, ow], index[n, oh, ow]
                    for c in range(channels):
                        out[c] += cotangents[c] if place[c] == here else zero


@kernel(parallel=True)
def _max_grad_loop(chunks, total, g, index, dx, over_rows, over_columns):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _max_grad(chunk, first, last, g, index, dx, over_rows, over_columns)


@kernel()
def _max_narrow(chunk, first, last, x, y, index, rows, width, step, pixels):
    """`_max` for few channels: x (N, H, W*C), y and index (N, OH, OW*C), the vectors running over a whole
    row. `pixels` (2, kw, OW*C) says where each output's k-th pixel of a row is, with its channel counted and
    without; a window that ends early repeats its last pixel, which changes nothing."""
    size = y.shape[2]
    lowest = x.dtype.type(-np.inf)
    taken = np.empty(size, x.dtype)  # by a loop of its own: the other one then is vector code
    for row in range(first, last):
        n, oh = row // y.shape[1], row % y.shape[1]
        best, place = y[n, oh], index[n, oh]
        start = np.int32(rows[oh, 0] * width)
        for j in range(size):
            best[j] = lowest
            place[j] = start + np.int32(pixels[1, 0, j])
        for h in range(rows[oh, 0], rows[oh, 1], step):
            values, start = x[n, h], np.int32(h * width)
            for k in range(pixels.shape[1]):
                at, columns = pixels[0, k], pixels[1, k]
                for j in range(size):
                    taken[j] = values[at[j]]
                for j in range(size):
                    better = taken[j] > best[j] or taken[j] != taken[j]
                    best[j] = taken[j] if better else best[j]
                    place[j] = start + np.int32(columns[j]) if better else place[j]


@kernel(parallel=True)
def _max_narrow_loop(chunks, total, x, y, index, rows, width, step, pixels):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _max_narrow(chunk, first, last, x, y, index, rows, width, step, pixels)


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
def _average(chunk, first, last, x, y, rows, columns):
    channels = x.shape[3]
    for row in range(first, last):
        n, oh = row // y.shape[1], row % y.shape[1]
        for ow in range(y.shape[2]):
            total = y[n, oh, ow]
            for c in range(channels):
                total[c] = 0
            for h in range(rows[oh, 0], rows[oh, 1]):
                for w in range(columns[ow, 0], columns[ow, 1]):
                    values = x[n, h, w]
                    for c in range(channels):
                        total[c] += values[c]
            count = x.dtype.type(rows[oh, 2] * columns[ow, 2])
            for c in range(channels):
                total[c] /= count


@kernel(parallel=True)
def _average_loop(chunks, total, x, y, rows, columns):
    for i in prange(chunks):
        chunk = np.int64(i)
        _average(chunk, chunk * total // chunks, (chunk + 1) * total // chunks, x, y, rows, columns)


@kernel()
def _average_grad(chunk, first, last, g, dx, rows, columns, over_rows, over_columns):
    height, channels = dx.shape[1], dx.shape[3]
    for row in range(first, last):
        n, h = row // height, row % height
        for w in range(dx.shape[2]):
            out = dx[n, h, w]
            for c in range(channels):
                out[c] = 0
            for oh in range(over_rows[h, 0], over_rows[h, 1]):
                for ow in range(over_columns[w, 0], over_columns[w, 1]):
                    cotangents = g[n, oh, ow]
                    count = g.dtype.type(rows[oh, 2] * columns[ow, 2])
                    for c in range(channels):
                        out[c] += cotangents[c] / count


@kernel(parallel=True)
def _average_grad_loop(chunks, total, g, dx, rows, columns, over_rows, over_columns):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _average_grad(chunk, first, last, g, dx, rows, columns, over_rows, over_columns)


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


def _averaged(backward, a, out, size, windows_of, kernel_size, stride, padding, count_padding):
    """Launches `_average_narrow` for images of this size and so many windows."""
    axes = tuple(zip(size, windows_of, kernel_size or (None, None), stride, padding, strict=True))
    tables = sums(backward, a.dtype, a.shape[3], axes, count_padding)
    flat = [t.reshape(*t.shape[:2], -1) for t in (a, out)]
    total = out.shape[0] * out.shape[1]
    launch(
        _average_narrow,
        _average_narrow_loop,
        chunks_of(total, 2 * max(a.size, out.size)),
        total,
        *flat,
        *tables,
    )
    return out


def _work(pixels, tables):
    """The sums or comparisons that pooling to so many pixels and channels takes."""
    return int(pixels * np.prod([(w[:, 1] - w[:, 0]).max(initial=1) for w in tables]))


def max_forward(x, size, kernel_size, stride, padding, dilation=(1, 1)):
    """x (N, H, W, C) -> the maxima (N, *size, C), and their int32 places h*W + w in the plane, of the same
    shape. `padding` is ((top, bottom), (left, right)); `kernel_size` None pools adaptively. Every window must
    hold a pixel of the image."""
    y = np.empty((x.shape[0], *size, x.shape[3]), x.dtype)
    index = np.empty(y.shape, np.int32)
    tables = _tables(x.shape[1:3], size, kernel_size, stride, padding, dilation)
    total = y.shape[0] * y.shape[1]
    chunks = chunks_of(total, _work(y.size, tables))
    if y.size and x.shape[3] < NARROW:
        axis = x.shape[2], size[1], (kernel_size or (None, None))[1], stride[1], padding[1]
        table = pixels(x.shape[3], dilation[1], *axis)
        flat = [a.reshape(*a.shape[:2], -1) for a in (x, y, index)]
        arrays = *flat, tables[0], x.shape[2], dilation[0], table
        launch(_max_narrow, _max_narrow_loop, chunks, total, *arrays)
    else:
        launch(_max, _max_loop, chunks, total, x, y, index, *tables, dilation)
    return y, index


def max_grad(g, index, size, kernel_size, stride, padding, dilation=(1, 1)):
    """The cotangent of x (N, *size, C) from that of the maxima, g (N, OH, OW, C), and their index, whose
    places must lie in the windows: what lies elsewhere may be lost."""
    dx = np.empty((g.shape[0], *size, g.shape[3]), g.dtype)
    images, channels = len(g), g.shape[3]
    overlap = kernel_size[0] > stride[0] or kernel_size[1] > stride[1]
    # by windows a batch takes 0.1 of the time of going by pixels at 6 channels, 0.7 where windows overlap
    if g.size and (channels < NARROW // 2 or (images >= 8 and (overlap or channels < 2 * NARROW))):
        arrays = *(a.reshape(images, -1, channels) for a in (g, index)), dx.reshape(images, -1)
        launch(_max_grad_by_image, _max_grad_by_image_loop, chunks_of(images, 2 * dx.size), images, *arrays)
        return dx
    tables = _tables(size, g.shape[1:3], kernel_size, stride, padding, dilation)
    over = [covers(w, n) for w, n in zip(tables, size, strict=True)]
    total = dx.shape[0] * dx.shape[1]
    launch(_max_grad, _max_grad_loop, chunks_of(total, _work(g.size, tables)), total, g, index, dx, *over)
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
    dx = np.zeros((g.shape[0], *size, g.shape[3]), g.dtype)
    _at_index(_scatter, _scatter_loop, g, index, dx, dx.shape)
    return dx


def _at_index(body, loop, source, index, target, shape):
    flat = [a.reshape(a.shape[0], a.shape[1] * a.shape[2], a.shape[3]) for a in (source, index, target)]
    outside = np.zeros(max(len(source), 1), np.bool_)
    launch(body, loop, chunks_of(len(source), index.size), len(source), *flat, outside)
    if outside.any():
        raise IndexError(f"index outside the plane of {shape[1]}x{shape[2]} = {shape[1] * shape[2]} pixels")


def average(x, size, kernel_size, stride, padding, count_padding):
    """x (N, H, W, C) -> means (N, *size, C), over all pixels of a window with `count_padding`, else over
    those in the image. `kernel_size` None pools adaptively."""
    y = np.empty((x.shape[0], *size, x.shape[3]), x.dtype)
    if y.size and x.shape[3] < NARROW:
        return _averaged(False, x, y, x.shape[1:3], size, kernel_size, stride, padding, count_padding)
    tables = _tables(x.shape[1:3], size, kernel_size, stride, padding, count_padding=count_padding)
    total = y.shape[0] * y.shape[1]
    launch(_average, _average_loop, chunks_of(total, _work(y.size, tables)), total, x, y, *tables)
    return y


def average_grad(g, size, kernel_size, stride, padding, count_padding):
    """The cotangent of x (N, *size, C) from that of the means, g (N, OH, OW, C)."""
    dx = np.empty((g.shape[0], *size, g.shape[3]), g.dtype)
    if dx.size and g.shape[3] < NARROW:
        return _averaged(True, g, dx, size, g.shape[1:3], kernel_size, stride, padding, count_padding)
    tables = _tables(size, g.shape[1:3], kernel_size, stride, padding, count_padding=count_padding)
    over = [covers(w, n) for w, n in zip(tables, size, strict=True)]
    total = dx.shape[0] * dx.shape[1]
    chunks = chunks_of(total, _work(g.size, tables))
    launch(_average_grad, _average_grad_loop, chunks, total, g, dx, *tables, *over)
    return dx

"""Convolution of few channels: nothing is gathered, where gathering a patch of 5x5x1 costs five times what
multiplying it does.

What a pixel sees is one contiguous run of numbers for each row of the kernel. Forward, and for the weights, a
band of an image's rows is copied with its border of zeros, and then all pixels of a row see alike:

    forward         y[p] = sum over runs of band[p, run] w[run]        a tile of pixels of a row and filters
    weight gradient dw[run] += sum over p of band[p, run] g[p]
    input gradient  dx[n, run] += g[n, p] w[run]^T       a tile of images n and numbers of the run

Filters of fewer than half a vector are doubled up: q neighbouring outputs are q*K channels of one, which sees
the columns of all of them through filters that are partly 0 (`_widened`)."""

import numpy as np

from . import threads
from .compiling import kernel
from .direct import PARTS
from .loops import loop
from .operands import floats, numbers, run, wholes
from .patches import aligned, clear, copy, rectify
from .scattered import FEW, scattered_tile
from .simd import COLUMNS, LANES, ROWS, tile

BAND = 1 << 14  # numbers of a band at most, if a row's are fewer: they stay in the second cache


@kernel()
def _fill_band(band, pitch, x, n, top, left, rows):
    """Copies `rows` rows of image n from row `top` on, each from column -left on and `pitch` numbers long;
    what lies outside the image is 0."""
    height, width = x.shape[1], x.shape[2] * x.shape[3]
    left = min(left * x.shape[3], pitch)
    stop = min(width, pitch - left)
    for r in range(rows):
        target = band.ctypes.data + 4 * r * pitch
        if top + r < 0 or top + r >= height:
            clear(target, 0, pitch)
            continue
        clear(target, 0, left)
        copy(target + 4 * left, x.ctypes.data + 4 * (n * height + top + r) * width, stop)
        clear(target + 4 * (left + stop), 0, pitch - left - stop)


@loop
def _forward(chunk, first, last, width, at):
    """Items first..last of images * bands. bands_of: (chunks, numbers of a band); offsets_of: (chunks, fh *
    L, 2). w: (fh, L, K)."""
    x, w, bias, y = floats(at, 0), floats(at, 1)[0], floats(at, 2)[0, 0, 0], floats(at, 3)
    bands_of, offsets_of = floats(at, 4)[0, 0], wholes(at, 5)[0]
    number = numbers(at)
    high = number[0]
    pitch = number[1]
    down = number[2]
    across = number[3]
    top = number[4]
    left = number[5]
    spread = number[6]
    relu = number[7]
    band, offsets = bands_of[chunk], offsets_of[chunk]
    rows, columns, filters = y.shape[1], y.shape[2], y.shape[3]
    length, step = w.shape[1], across * x.shape[3]
    bands = (rows + high - 1) // high
    tiles = (columns - 1) // (ROWS if filters <= LANES else FEW) + 1
    for a in range(w.shape[0]):
        for d in range(length):
            offsets[a * length + d, 0] = a * spread * pitch + d
            offsets[a * length + d, 1] = (a * length + d) * filters
    for item in range(first, last):
        n, start = item // bands, item % bands * high
        stop = min(start + high, rows)
        seen = (stop - start - 1) * down + (w.shape[0] - 1) * spread + 1
        _fill_band(band, pitch, x, n, start * down - top, left, seen)
        for i in range(start, stop):
            for t in range(tiles):
                j0, j1 = columns * t // tiles, columns * (t + 1) // tiles
                target = y.ctypes.data + ((n * rows + i) * columns + j0) * filters * 4
                for k in range(0, filters, COLUMNS):
                    scattered_tile(
                        band.ctypes.data + ((i - start) * down * pitch + j0 * step) * 4,
                        step,
                        offsets.ctypes.data,
                        w.shape[0] * length,
                        w.ctypes.data + k * 4,
                        bias.ctypes.data + k * 4,
                        target + k * 4,
                        filters,
                        j1 - j0,
                        min(COLUMNS, filters - k),
                    )
                if relu != 0:
                    rectify(target, filters, j1 - j0, filters)


@loop
def _weight_grad(chunk, first, last, width, at):
    """Items first..last of images * bands, summed into parts[chunk] (fh * L + 1, K), whose last row takes the
    sum of g. Where `wide` is over 0, rows of g are copied with zeros behind them, to as many columns as make
    the band's pixels equally far apart from row to row; then the sums of a band are one product."""
    x, g, parts, bands_of = floats(at, 0), floats(at, 1), floats(at, 2)[0], floats(at, 3)[0, 0]
    cotangents_of, one = floats(at, 4)[0, 0], floats(at, 5)
    number = numbers(at)
    high = number[0]
    pitch = number[1]
    down = number[2]
    across = number[3]
    top = number[4]
    left = number[5]
    spread = number[6]
    runs = number[7]
    wide = number[8]
    band, cotangents = bands_of[chunk], cotangents_of[chunk]
    rows, columns, filters = g.shape[1], g.shape[2], g.shape[3]
    length, step = (parts.shape[1] - 1) // runs, across * x.shape[3]
    bands = (rows + high - 1) // high
    sums = parts.ctypes.data + chunk * parts.shape[1] * filters * 4
    clear(sums, 0, parts.shape[1] * filters)
    clear(band.ctypes.data, 0, band.size)  # some of what lies behind a band meets zeros
    for item in range(first, last):
        n, start = item // bands, item % bands * high
        stop = min(start + high, rows)
        _fill_band(
            band, pitch, x, n, start * down - top, left, (stop - start - 1) * down + (runs - 1) * spread + 1
        )
        source = g.ctypes.data + (n * rows + start) * columns * filters * 4
        depth, products = columns, stop - start
        for k in range(0, filters, COLUMNS):
            tile(
                one.ctypes.data,
                0,
                0,
                source + k * 4,
                filters,
                (stop - start) * columns,
                sums + ((parts.shape[1] - 1) * filters + k) * 4,
                filters,
                1,
                min(COLUMNS, filters - k),
                1,
            )
        if wide > 0:
            for i in range(stop - start):
                target = cotangents.ctypes.data + i * wide * filters * 4
                copy(target, source + i * columns * filters * 4, columns * filters)
                clear(target + columns * filters * 4, 0, (wide - columns) * filters)
            source, depth, products = cotangents.ctypes.data, (stop - start) * wide, 1
        for i in range(products):
            for a in range(runs):
                for d in range(0, length, ROWS):
                    for k in range(0, filters, COLUMNS):
                        tile(
                            band.ctypes.data + ((i * down + a * spread) * pitch + d) * 4,
                            1,
                            step,
                            source + (i * columns * filters + k) * 4,
                            filters,
                            depth,
                            sums + ((a * length + d) * filters + k) * 4,
                            filters,
                            min(ROWS, length - d),
                            min(COLUMNS, filters - k),
                            1,
                        )


@kernel()
def _run(a, i, j, height, width, channels, length, geometry):
    """The run that output pixel (i, j) sees through row a of the kernel, `length` numbers long but for what
    lies outside the image: (where it starts in the image, the first and last + 1 of its numbers inside)."""
    down, across, top, left, spread = geometry
    row, column = i * down - top + a * spread, j * across - left
    low = max(-column * channels, 0)
    high = min((width - column) * channels, length)
    return (row * width + column) * channels, low, high if 0 <= row < height else low


@loop
def _input_grad(chunk, first, last, width, at):
    """Images first..last. w: (K, fh * L), L padded to vectors."""
    g, w, dx = floats(at, 0), floats(at, 1)[0], floats(at, 2)
    number = numbers(at)
    geometry = number[0], number[1], number[2], number[3], number[4], number[5]
    height, width, channels = dx.shape[1], dx.shape[2], dx.shape[3]
    columns, filters = g.shape[2], g.shape[3]
    size, area = height * width * channels, g.shape[1] * columns * filters
    runs, padded = w.shape[1], w.shape[2]
    length = geometry[5]
    clear(dx.ctypes.data + first * dx[0].size * 4, 0, (last - first) * dx[0].size)
    for n in range(first, last, ROWS):
        seen = min(ROWS, last - n)
        for p in range(area // filters):
            for a in range(runs):
                start, low, high = _run(
                    a, p // columns, p % columns, height, width, channels, length, geometry[:5]
                )
                for d in range(low, high, COLUMNS):
                    tile(
                        g.ctypes.data + (n * area + p * filters) * 4,
                        area,
                        1,
                        w.ctypes.data + (a * padded + d) * 4,
                        runs * padded,
                        filters,
                        dx.ctypes.data + (n * size + start + d) * 4,
                        size,
                        seen,
                        min(COLUMNS, high - d),
                        1,
                    )


def _together(columns, filters):
    """How many neighbouring outputs make one of as many times the filters."""
    return max([q for q in range(1, LANES // filters + 1) if columns % q == 0], default=1)


def _widened(w, q, stride):
    """w (fh, fw, C, K) -> (fh, (fw + (q-1) * stride) * C, q * K): output u of q sees columns u * stride and
    on."""
    fh, fw, channels, filters = w.shape
    wide = aligned(fh, fw + (q - 1) * stride, channels, q, filters)
    if q > 1:
        wide[...] = 0
    for u in range(q):
        wide[:, u * stride : u * stride + fw, :, u] = w
    return wide.reshape(fh, -1, q * filters)


def _narrowed(wide, q, stride):
    """The transpose of `_widened`."""
    if q == 1:
        return wide
    fh, columns, channels, filters = wide.shape
    wide = wide.reshape(fh, columns, channels, q, filters // q)
    fw = columns - (q - 1) * stride
    return sum(wide[:, u * stride : u * stride + fw, :, u] for u in range(q))


def _bands(rows, columns, q, kernel_size, channels, stride, padding, dilation):
    """The rows of outputs of a band, the numbers of a row of it, and its size; then what kernels take."""
    fh, fw = kernel_size
    pitch = -(-((columns - 1) * stride[1] + fw) // q) * q * channels
    least = (fh - 1) * dilation[0] + 1
    high = min(max((BAND // pitch - least) // stride[0] + 1, 1), rows)
    # a row more, which columns behind the last of a row may reach into
    size = ((high - 1) * stride[0] + least + 1) * pitch + LANES
    return high, pitch, size, (stride[0], stride[1] * q, padding[0][0], padding[1][0], dilation[0])


def forward(x, w, b, size, stride, padding, dilation, groups, relu=False):
    """As `conv.forward`, for dilation 1 along rows and no groups."""
    count = w.shape[3]
    q = _together(size[1], count)
    wide = _widened(w, q, stride[1])
    bias = np.empty((q, count), np.float32)
    bias[...] = 0 if b is None else b
    y = aligned(x.shape[0], *size, count)
    joined = y.reshape(x.shape[0], size[0], size[1] // q, q * count)
    high, pitch, room, geometry = _bands(*size, q, w.shape[:2], x.shape[3], stride, padding, dilation)
    items = x.shape[0] * -(-size[0] // high)
    chunks = max(1, min(threads.get_num_threads(), y.size * w.size // count // threads.GRAIN, items))
    offsets = np.empty((chunks, wide.shape[0] * wide.shape[1], 2), np.int64)
    arrays = x, wide, bias.reshape(-1), joined, aligned(chunks, room), offsets
    run(_forward, chunks, items, arrays, (high, pitch, *geometry, relu))
    return y


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups, db=None):
    """As `conv.weight_grad`, for dilation 1 along rows and no groups."""
    (images, rows, columns, count), channels, fh = g.shape, x.shape[3], kernel_size[0]
    q = _together(columns, count)
    fw = kernel_size[1] + (q - 1) * stride[1]
    high, pitch, room, geometry = _bands(rows, columns, q, kernel_size, channels, stride, padding, dilation)
    # rows of tiles are short: rather some products with 0 than a call for each
    wide = pitch // (q * channels)
    wide = wide if stride == (1, 1) and columns // q < 2 * ROWS else 0
    items = images * -(-rows // high)
    chunks = max(1, min(PARTS, g.size * channels * fh * fw // threads.GRAIN, items))
    parts = np.empty((chunks, fh * fw * channels + 1, q * count), np.float32)
    joined = g.reshape(images, rows, columns // q, q * count)
    arrays = x, joined, parts, aligned(chunks, room), aligned(chunks, high * wide * q * count)
    numbers = high, pitch, *geometry, fh, wide
    run(_weight_grad, chunks, items, (*arrays, np.ones(1, np.float32)), numbers)
    total = parts[0] if chunks == 1 else parts.sum(axis=0)
    if db is not None:
        total[-1].reshape(q, count).sum(axis=0, out=db)
    wide_dw = total[:-1].reshape(fh, fw, channels, q * count)
    return np.ascontiguousarray(_narrowed(wide_dw, q, stride[1]))


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`, for dilation 1 along rows and no groups."""
    (fh, fw, channels, count), images = w.shape, g.shape[0]
    length = fw * channels
    weights = aligned(count, fh, -(-length // LANES) * LANES)
    weights[:, :, :length] = w.reshape(fh, length, count).transpose(2, 0, 1)
    dx = aligned(images, *size, channels)
    chunks = max(1, min(threads.get_num_threads(), g.size * fh * length // threads.GRAIN, images))
    geometry = *stride, padding[0][0], padding[1][0], dilation[0], length
    run(_input_grad, chunks, images, (g, weights, dx), geometry)
    return dx

"""Convolution of few channels: a tile is the same pixel in many images, or of a wide image pixels of a row.

What a pixel sees is at the same place in each image, one contiguous run of numbers for a row of the kernel,
cut off at the image's border. So nothing is gathered or padded, where gathering a patch of 5x5x1 costs five
times what multiplying it does:

    forward         y[n, p] = sum over runs of x[n, run] w[run]    a tile of images n and filters
    weight gradient dw[run] += sum over n of x[n, run] g[n, p]
    input gradient  dx[n, run] += g[n, p] w[run]^T       a tile of images n and numbers of the run

Filters of fewer than half a vector are doubled up: q neighbouring outputs are q*K channels of one, which sees
the columns of all of them through filters that are partly 0 (`_widened`)."""

import numpy as np

from . import threads
from .compiling import kernel
from .direct import PARTS
from .loops import loop
from .operands import floats, numbers, run, wholes
from .patches import aligned, clear
from .scattered import FEW, scattered_tile
from .simd import COLUMNS, LANES, ROWS, tile


@kernel()
def _run(a, i, j, height, width, channels, length, geometry):
    """The run that output pixel (i, j) sees through row a of the kernel, `length` numbers long but for what
    lies outside the image: (where it starts in the image, the first and last + 1 of its numbers inside)."""
    down, across, top, left, spread = geometry
    row, column = i * down - top + a * spread, j * across - left
    low = max(-column * channels, 0)
    high = min((width - column) * channels, length)
    return (row * width + column) * channels, low, high if 0 <= row < height else low


@kernel()
def _table(offsets, i, j, x, w, geometry):
    """Fills in where what output pixel (i, j) sees is in the image and in w (fh, L, K); how many numbers."""
    seen = 0
    for a in range(w.shape[0]):
        start, low, high = _run(a, i, j, x.shape[1], x.shape[2], x.shape[3], w.shape[1], geometry)
        for d in range(low, high):
            offsets[seen, 0], offsets[seen, 1] = start + d, (a * w.shape[1] + d) * w.shape[2]
            seen += 1
    return seen


@loop
def _forward(chunk, first, last, width, at):
    """Output rows first..last of each image. Columns near..far see no border: in a wide image they are tiled
    along the row. offsets_of: (chunks, fh * L, 2)."""
    x, w, bias, y = floats(at, 0), floats(at, 1)[0], floats(at, 2)[0, 0, 0], floats(at, 3)
    offsets_of = wholes(at, 4)[0]
    number = numbers(at)
    near = number[0]
    far = number[1]
    geometry = number[2], number[3], number[4], number[5], number[6]
    offsets = offsets_of[chunk]
    images, columns, filters = x.shape[0], y.shape[2], y.shape[3]
    height = ROWS if filters <= LANES else FEW
    size, area = x[0].size, y[0].size
    for i in range(first, last):
        for j in range(columns):
            if near <= j < far:
                continue
            seen = _table(offsets, i, j, x, w, geometry)
            if seen == 0:
                for n in range(images):
                    for k in range(filters):
                        y[n, i, j, k] = bias[k]
                continue
            target = y.ctypes.data + (i * columns + j) * filters * 4
            for n in range(0, images, height):
                for k in range(0, filters, COLUMNS):
                    scattered_tile(
                        x.ctypes.data + n * size * 4,
                        size,
                        offsets.ctypes.data,
                        seen,
                        w.ctypes.data + k * 4,
                        bias.ctypes.data + k * 4,
                        target + (n * area + k) * 4,
                        area,
                        min(height, images - n),
                        min(COLUMNS, filters - k),
                    )
        if near == far:
            continue
        seen = _table(offsets, i, near, x, w, geometry)
        if seen == 0:
            for n in range(images):
                for j in range(near, far):
                    for k in range(filters):
                        y[n, i, j, k] = bias[k]
            continue
        step = geometry[1] * x.shape[3]
        for n in range(images):
            for j in range(near, far, height):
                for k in range(0, filters, COLUMNS):
                    scattered_tile(
                        x.ctypes.data + (n * size + (j - near) * step) * 4,
                        step,
                        offsets.ctypes.data,
                        seen,
                        w.ctypes.data + k * 4,
                        bias.ctypes.data + k * 4,
                        y.ctypes.data + (n * area + (i * columns + j) * filters + k) * 4,
                        filters,
                        min(height, far - j),
                        min(COLUMNS, filters - k),
                    )


@loop
def _weight_grad(chunk, first, last, width, at):
    """Output rows first..last of each image, summed into parts[chunk] (fh, L, K): over the images, and in
    columns near..far, which see no border, over the pixels of a row."""
    x, g, parts = floats(at, 0), floats(at, 1), floats(at, 2)
    number = numbers(at)
    near = number[0]
    far = number[1]
    geometry = number[2], number[3], number[4], number[5], number[6]
    images, height, width, channels = x.shape
    columns, filters = g.shape[2], g.shape[3]
    size, area = height * width * channels, g.shape[1] * columns * filters
    runs, length = parts.shape[1], parts.shape[2]
    sums = parts[chunk].reshape(runs * length * filters)
    for t in range(sums.size):
        sums[t] = 0
    for i in range(first, last):
        for j in range(columns):
            inside = near <= j < far
            if inside and j > near:
                continue
            target = g.ctypes.data + (i * columns + j) * filters * 4
            x_step, g_step, depth = (
                (geometry[1] * channels, filters, far - near) if inside else (size, area, images)
            )
            for a in range(runs):
                start, low, high = _run(a, i, j, height, width, channels, length, geometry)
                for n in range(images if inside else 1):
                    for d in range(low, high, ROWS):
                        for k in range(0, filters, COLUMNS):
                            tile(
                                x.ctypes.data + (n * size + start + d) * 4,
                                1,
                                x_step,
                                target + (n * area + k) * 4,
                                g_step,
                                depth,
                                sums.ctypes.data + ((a * length + d) * filters + k) * 4,
                                filters,
                                min(ROWS, high - d),
                                min(COLUMNS, filters - k),
                                1,
                            )


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
    """w (fh, fw, C, K) -> (fh, fw + (q-1) * stride, C, q * K): output u of q sees columns u * stride on."""
    if q == 1:
        return w
    fh, fw, channels, filters = w.shape
    wide = np.zeros((fh, fw + (q - 1) * stride, channels, q, filters), np.float32)
    for u in range(q):
        wide[:, u * stride : u * stride + fw, :, u] = w
    return wide.reshape(*wide.shape[:3], q * filters)


def _narrowed(wide, q, stride):
    """The transpose of `_widened`."""
    if q == 1:
        return wide
    fh, columns, channels, filters = wide.shape
    wide = wide.reshape(fh, columns, channels, q, filters // q)
    fw = columns - (q - 1) * stride
    return sum(wide[:, u * stride : u * stride + fw, :, u] for u in range(q))


def _geometry(stride, padding, dilation, q):
    return stride[0], stride[1] * q, padding[0][0], padding[1][0], dilation[0]


def _inside(width, fw, left, stride):
    """The output columns near..far that see no border, or 0..0 if too few to be tiled by themselves."""
    near, far = -(-left // stride), (width + left - fw) // stride + 1
    return (near, far) if far - near >= 2 * ROWS else (0, 0)


def forward(x, w, b, size, stride, padding, dilation, groups):
    """As `conv.forward`, for dilation 1 along rows and no groups."""
    count = w.shape[3]
    q = _together(size[1], count)
    wide = _widened(w, q, stride[1])
    wide = wide.reshape(len(w), -1, q * count)
    weights = aligned(*wide.shape)
    weights[...] = wide
    bias = np.zeros(q * count, np.float32) if b is None else np.tile(b, q)
    y = aligned(x.shape[0], *size, count)
    joined = y.reshape(x.shape[0], size[0], size[1] // q, q * count)
    near, far = _inside(x.shape[2], w.shape[1] + (q - 1) * stride[1], padding[1][0], stride[1] * q)
    chunks = max(1, min(threads.get_num_threads(), y.size * w.size // count // threads.GRAIN, size[0]))
    offsets = np.empty((chunks, wide.shape[0] * wide.shape[1], 2), np.int64)
    arrays = x, weights, bias, joined, offsets
    run(_forward, chunks, size[0], arrays, (near, far, *_geometry(stride, padding, dilation, q)))
    return y


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups):
    """As `conv.weight_grad`, for dilation 1 along rows and no groups."""
    (images, rows, columns, count), channels = g.shape, x.shape[3]
    q = _together(columns, count)
    fw = kernel_size[1] + (q - 1) * stride[1]
    joined = g.reshape(images, rows, columns // q, q * count)
    near, far = _inside(x.shape[2], fw, padding[1][0], stride[1] * q)
    chunks = max(1, min(PARTS, g.size * channels * kernel_size[0] * fw // threads.GRAIN, rows))
    parts = np.empty((chunks, kernel_size[0], fw * channels, q * count), np.float32)
    run(_weight_grad, chunks, rows, (x, joined, parts), (near, far, *_geometry(stride, padding, dilation, q)))
    wide = parts.sum(axis=0).reshape(kernel_size[0], fw, channels, q * count)
    return np.ascontiguousarray(_narrowed(wide, q, stride[1]))


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`, for dilation 1 along rows and no groups."""
    (fh, fw, channels, count), images = w.shape, g.shape[0]
    length = fw * channels
    weights = aligned(count, fh, -(-length // LANES) * LANES)
    weights[:, :, :length] = w.reshape(fh, length, count).transpose(2, 0, 1)
    dx = np.empty((images, *size, channels), np.float32)
    chunks = max(1, min(threads.get_num_threads(), g.size * fh * length // threads.GRAIN, images))
    geometry = (*_geometry(stride, padding, dilation, 1), length)
    run(_input_grad, chunks, images, (g, weights, dx), geometry)
    return dx

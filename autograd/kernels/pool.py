"""Pooling over channels-last images. x (N, H, W, C), y (N, OH, OW, C); every loop runs inside over contiguous
channels.

Max pooling hands out, beside each maximum, its place in the image's plane (h*W + w). With that index the
family is closed under differentiation: `gather` reads at the index, `scatter` adds at it, and each is the
other's gradient. Average pooling and its gradient are each other's gradient too. `geometry` is (kh, kw, sh,
sw, top, left)."""

import numpy as np
from numba import prange

from .compiling import kernel
from .threads import chunks_of, launch


@kernel()
def _max(chunk, first, last, x, y, index, geometry):
    """The first maximum of each window wins; a NaN beats everything, so it is not lost."""
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    rows, columns = y.shape[1], y.shape[2]
    kh, kw, sh, sw, top, left = geometry
    for row in range(first, last):
        n, oh = row // rows, row % rows
        h0, h1 = max(oh * sh - top, 0), min(oh * sh - top + kh, height)
        for ow in range(columns):
            w0, w1 = max(ow * sw - left, 0), min(ow * sw - left + kw, width)
            best, place = y[n, oh, ow], index[n, oh, ow]
            for c in range(channels):
                best[c] = x[n, h0, w0, c]
                place[c] = h0 * width + w0
            for h in range(h0, h1):
                for w in range(w0, w1):
                    values = x[n, h, w]
                    here = np.int32(h * width + w)
                    for c in range(channels):
                        better = values[c] > best[c] or values[c] != values[c]
                        best[c] = values[c] if better else best[c]
                        place[c] = here if better else place[c]


@kernel(parallel=True)
def _max_loop(chunks, rows, x, y, index, geometry):
    for i in prange(chunks):
        chunk = np.int64(i)
        _max(chunk, chunk * rows // chunks, (chunk + 1) * rows // chunks, x, y, index, geometry)


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
def _gather_loop(chunks, rows, x, index, y, outside):
    for i in prange(chunks):
        chunk = np.int64(i)
        _gather(chunk, chunk * rows // chunks, (chunk + 1) * rows // chunks, x, index, y, outside)


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
def _scatter_loop(chunks, rows, g, index, dx, outside):
    for i in prange(chunks):
        chunk = np.int64(i)
        _scatter(chunk, chunk * rows // chunks, (chunk + 1) * rows // chunks, g, index, dx, outside)


@kernel()
def _share(oh, ow, height, width, geometry, count_padding):
    """The number of pixels that an average is taken over."""
    kh, kw, sh, sw, top, left = geometry
    if count_padding:
        return kh * kw
    h0, h1 = max(oh * sh - top, 0), min(oh * sh - top + kh, height)
    w0, w1 = max(ow * sw - left, 0), min(ow * sw - left + kw, width)
    return (h1 - h0) * (w1 - w0)


@kernel()
def _average(chunk, first, last, x, y, geometry, count_padding):
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    rows, columns = y.shape[1], y.shape[2]
    kh, kw, sh, sw, top, left = geometry
    for row in range(first, last):
        n, oh = row // rows, row % rows
        h0, h1 = max(oh * sh - top, 0), min(oh * sh - top + kh, height)
        for ow in range(columns):
            w0, w1 = max(ow * sw - left, 0), min(ow * sw - left + kw, width)
            total = y[n, oh, ow]
            for c in range(channels):
                total[c] = 0
            for h in range(h0, h1):
                for w in range(w0, w1):
                    values = x[n, h, w]
                    for c in range(channels):
                        total[c] += values[c]
            count = x.dtype.type(_share(oh, ow, height, width, geometry, count_padding))
            for c in range(channels):
                total[c] /= count


@kernel(parallel=True)
def _average_loop(chunks, rows, x, y, geometry, count_padding):
    for i in prange(chunks):
        chunk = np.int64(i)
        _average(chunk, chunk * rows // chunks, (chunk + 1) * rows // chunks, x, y, geometry, count_padding)


@kernel()
def _average_grad(chunk, first, last, g, dx, geometry, count_padding):
    """One row of the input at a time: every window over it adds its share. A row belongs to one chunk."""
    height, width, channels = dx.shape[1], dx.shape[2], dx.shape[3]
    rows, columns = g.shape[1], g.shape[2]
    kh, kw, sh, sw, top, left = geometry
    for row in range(first, last):
        n, h = row // height, row % height
        for w in range(width):
            for c in range(channels):
                dx[n, h, w, c] = 0
        lowest = max((h + top - kh) // sh + 1, 0)  # the first window whose last row reaches h
        for oh in range(lowest, min((h + top) // sh + 1, rows)):
            for ow in range(columns):
                cotangents = g[n, oh, ow]
                count = g.dtype.type(_share(oh, ow, height, width, geometry, count_padding))
                for w in range(max(ow * sw - left, 0), min(ow * sw - left + kw, width)):
                    out = dx[n, h, w]
                    for c in range(channels):
                        out[c] += cotangents[c] / count


@kernel(parallel=True)
def _average_grad_loop(chunks, rows, g, dx, geometry, count_padding):
    for i in prange(chunks):
        chunk = np.int64(i)
        _average_grad(
            chunk, chunk * rows // chunks, (chunk + 1) * rows // chunks, g, dx, geometry, count_padding
        )


def _geometry(kernel_size, stride, padding):
    return (*kernel_size, *stride, padding[0][0], padding[1][0])


def max_forward(x, size, kernel_size, stride, padding):
    """x (N, H, W, C) -> the maxima (N, *size, C), and their int32 places h*W + w in the plane, of the same
    shape. Every window must hold a pixel of the image."""
    y = np.empty((x.shape[0], *size, x.shape[3]), x.dtype)
    index = np.empty(y.shape, np.int32)
    rows = y.shape[0] * y.shape[1]
    chunks = chunks_of(rows, y.size * kernel_size[0] * kernel_size[1])
    launch(_max, _max_loop, chunks, rows, x, y, index, _geometry(kernel_size, stride, padding))
    return y, index


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
    """x (N, H, W, C) -> means (N, *size, C), over kh*kw pixels with `count_padding`, else over those in the
    image."""
    y = np.empty((x.shape[0], *size, x.shape[3]), x.dtype)
    rows = y.shape[0] * y.shape[1]
    chunks = chunks_of(rows, y.size * kernel_size[0] * kernel_size[1])
    geometry = _geometry(kernel_size, stride, padding)
    launch(_average, _average_loop, chunks, rows, x, y, geometry, count_padding)
    return y


def average_grad(g, size, kernel_size, stride, padding, count_padding):
    """The cotangent of x (N, *size, C) from that of the means, g (N, OH, OW, C)."""
    dx = np.empty((g.shape[0], *size, g.shape[3]), g.dtype)
    rows = dx.shape[0] * dx.shape[1]
    chunks = chunks_of(rows, g.size * kernel_size[0] * kernel_size[1])
    geometry = _geometry(kernel_size, stride, padding)
    launch(_average_grad, _average_grad_loop, chunks, rows, g, dx, geometry, count_padding)
    return dx

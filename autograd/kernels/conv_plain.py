"""Convolution as plain loops, for float64, and its two gradients. `conv` has the formula and the shapes.

All three kernels see a filter as one row of `filters` (K, fh*fw*C/groups), so the inner loop runs over the
whole depth of a patch even where an image has a single channel. `geometry` is (sh, sw, top, left, dh, dw,
groups)."""

import numpy as np
from numba import prange

from .compiling import REASSOCIATE, kernel
from .threads import chunks_of, launch

LANES = 16  # filters are padded with zeros to a multiple of this depth, which leaves the vector loops no tail
PIXELS = 32  # patches gathered at a time: with a few filters they stay in the first two caches
PARTIALS = 8  # weight gradients summed separately, one a chunk, and added up at the end


@kernel()
def _fill_band(x, n, top, dh, left, band):
    """Copies the rows that one row of outputs sees into `band` (fh, columns * C), zero outside the image."""
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    start = left * channels
    stop = min(start + width * channels, band.shape[1])
    for a in range(band.shape[0]):
        row = top + a * dh
        line = band[a]
        if 0 <= row < height:
            pixels = x[n, row].reshape(width * channels)
            for i in range(min(start, line.size)):
                line[i] = 0
            for i in range(start, stop):
                line[i] = pixels[i - start]
            for i in range(stop, line.size):
                line[i] = 0
        else:
            for i in range(line.size):
                line[i] = 0


@kernel()
def _gather(band, ow, count, offset, fw, depth, channels, sw, dw, patches):
    """Copies `count` patches from output column `ow` on, a row of `patches` each, `depth` channels from
    `offset` on."""
    whole = depth == channels and dw == 1  # then a row of the patch is contiguous
    runs, run = (1, fw * depth) if whole else (fw, depth)
    for p in range(count):
        j = 0
        for a in range(band.shape[0]):
            for e in range(runs):
                start = ((ow + p) * sw + e * dw) * channels + offset
                for q in range(run):
                    patches[p, j + q] = band[a, start + q]
                j += run


@kernel(fastmath=REASSOCIATE)
def _forward(chunk, first, last, x, filters, bias, y, kernel_size, geometry):
    channels = x.shape[3]
    fh, fw = kernel_size
    sh, sw, top, left, dh, dw, groups = geometry
    rows, columns, per_group = y.shape[1], y.shape[2], y.shape[3] // groups
    depth = channels // groups
    zero = x.dtype.type(0)
    band = np.empty((fh, ((columns - 1) * sw + (fw - 1) * dw + 1) * channels), x.dtype)
    patches = np.zeros((PIXELS, filters.shape[1]), x.dtype)
    for row in range(first, last):
        n, oh = row // rows, row % rows
        _fill_band(x, n, oh * sh - top, dh, left, band)
        for ow in range(0, columns, PIXELS):
            count = min(PIXELS, columns - ow)
            out = y[n, oh, ow : ow + count]
            for group in range(groups):
                _gather(band, ow, count, group * depth, fw, depth, channels, sw, dw, patches)
                k, stop = group * per_group, (group + 1) * per_group
                # four filters at a time, so that each value of the patch is loaded once for four
                while k + 4 <= stop:
                    w0, w1, w2, w3 = filters[k], filters[k + 1], filters[k + 2], filters[k + 3]
                    for p in range(count):
                        patch = patches[p]
                        s0 = s1 = s2 = s3 = zero
                        for j in range(patch.size):
                            value = patch[j]
                            s0 += value * w0[j]
                            s1 += value * w1[j]
                            s2 += value * w2[j]
                            s3 += value * w3[j]
                        out[p, k] = s0 + bias[k]
                        out[p, k + 1] = s1 + bias[k + 1]
                        out[p, k + 2] = s2 + bias[k + 2]
                        out[p, k + 3] = s3 + bias[k + 3]
                    k += 4
                while k < stop:
                    w0 = filters[k]
                    for p in range(count):
                        patch = patches[p]
                        s0 = zero
                        for j in range(patch.size):
                            s0 += patch[j] * w0[j]
                        out[p, k] = s0 + bias[k]
                    k += 1


@kernel(parallel=True)
def _forward_loop(chunks, rows, x, filters, bias, y, kernel_size, geometry):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _forward(chunk, first, last, x, filters, bias, y, kernel_size, geometry)


@kernel(fastmath=REASSOCIATE)
def _weight_grad(chunk, first, last, x, g, partials, kernel_size, geometry):
    channels = x.shape[3]
    fh, fw = kernel_size
    sh, sw, top, left, dh, dw, groups = geometry
    rows, columns, per_group = g.shape[1], g.shape[2], g.shape[3] // groups
    depth = channels // groups
    total = partials[chunk]
    band = np.empty((fh, ((columns - 1) * sw + (fw - 1) * dw + 1) * channels), x.dtype)
    patches = np.zeros((PIXELS, total.shape[1]), x.dtype)
    for row in range(first, last):
        n, oh = row // rows, row % rows
        _fill_band(x, n, oh * sh - top, dh, left, band)
        for ow in range(0, columns, PIXELS):
            count = min(PIXELS, columns - ow)
            cotangents = g[n, oh, ow : ow + count]
            for group in range(groups):
                _gather(band, ow, count, group * depth, fw, depth, channels, sw, dw, patches)
                for k in range(group * per_group, (group + 1) * per_group):
                    out = total[k]
                    p = 0
                    # four patches at a time, so that each sum is loaded and stored once for four
                    while p + 4 <= count:
                        p0, p1, p2, p3 = patches[p], patches[p + 1], patches[p + 2], patches[p + 3]
                        g0, g1 = cotangents[p, k], cotangents[p + 1, k]
                        g2, g3 = cotangents[p + 2, k], cotangents[p + 3, k]
                        for j in range(out.size):
                            out[j] += g0 * p0[j] + g1 * p1[j] + g2 * p2[j] + g3 * p3[j]
                        p += 4
                    while p < count:
                        p0, g0 = patches[p], cotangents[p, k]
                        for j in range(out.size):
                            out[j] += g0 * p0[j]
                        p += 1


@kernel(parallel=True)
def _weight_grad_loop(chunks, rows, x, g, partials, kernel_size, geometry):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _weight_grad(chunk, first, last, x, g, partials, kernel_size, geometry)


@kernel(fastmath=REASSOCIATE)
def _input_grad(chunk, first, last, g, filters, dx, kernel_size, geometry):
    """One row of the input at a time: adds each output's filter rows, weighted by its cotangent, into `line`,
    which has room for the padding. A row belongs to one chunk, so no two threads write the same place."""
    height, width, channels = dx.shape[1], dx.shape[2], dx.shape[3]
    fh, fw = kernel_size
    sh, sw, top, left, dh, dw, groups = geometry
    rows, columns, per_group = g.shape[1], g.shape[2], g.shape[3] // groups
    depth = channels // groups
    runs, run = (1, fw * depth) if groups == 1 and dw == 1 else (fw, depth)
    line = np.empty(max((columns - 1) * sw + (fw - 1) * dw + 1, left + width) * channels, g.dtype)
    for row in range(first, last):
        n, ih = row // height, row % height
        for i in range(line.size):
            line[i] = 0
        for a in range(fh):
            oh = (ih + top - a * dh) // sh
            if oh * sh != ih + top - a * dh or oh < 0 or oh >= rows:
                continue
            for group in range(groups):
                k, stop = group * per_group, (group + 1) * per_group
                # four filters at a time, so that each sum is loaded and stored once for four
                while k + 4 <= stop:
                    for e in range(runs):
                        j = (a * runs + e) * run
                        w0, w1 = filters[k, j : j + run], filters[k + 1, j : j + run]
                        w2, w3 = filters[k + 2, j : j + run], filters[k + 3, j : j + run]
                        for ow in range(columns):
                            start = (ow * sw + e * dw) * channels + group * depth
                            out = line[start : start + run]
                            g0, g1 = g[n, oh, ow, k], g[n, oh, ow, k + 1]
                            g2, g3 = g[n, oh, ow, k + 2], g[n, oh, ow, k + 3]
                            for q in range(run):
                                out[q] += g0 * w0[q] + g1 * w1[q] + g2 * w2[q] + g3 * w3[q]
                    k += 4
                while k < stop:
                    for e in range(runs):
                        j = (a * runs + e) * run
                        for ow in range(columns):
                            start = (ow * sw + e * dw) * channels + group * depth
                            for q in range(run):
                                line[start + q] += g[n, oh, ow, k] * filters[k, j + q]
                    k += 1
        for w in range(width):
            for c in range(channels):
                dx[n, ih, w, c] = line[(left + w) * channels + c]


@kernel(parallel=True)
def _input_grad_loop(chunks, rows, g, filters, dx, kernel_size, geometry):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _input_grad(chunk, first, last, g, filters, dx, kernel_size, geometry)


def _filters(w):
    """(fh, fw, C/groups, K) -> (K, fh*fw*C/groups), each row padded with zeros to a multiple of LANES."""
    depth, count = w.shape[0] * w.shape[1] * w.shape[2], w.shape[3]
    filters = np.zeros((count, -(-depth // LANES) * LANES), w.dtype)
    filters[:, :depth] = w.reshape(depth, count).T
    return filters


def _geometry(stride, padding, dilation, groups):
    return (*stride, padding[0][0], padding[1][0], *dilation, groups)


def forward(x, w, b, size, stride, padding, dilation, groups, relu=False):
    """x (N, H, W, C), w (fh, fw, C/groups, K), b (K,) or None -> y (N, *size, K). Arrays C-contiguous, of one
    float dtype; stride, dilation pairs of ints; padding ((top, bottom), (left, right)); checked by the
    caller."""
    y = np.empty((x.shape[0], *size, w.shape[3]), x.dtype)
    b = np.zeros(w.shape[3], x.dtype) if b is None else b
    geometry = _geometry(stride, padding, dilation, groups)
    rows = y.shape[0] * y.shape[1]
    chunks = chunks_of(rows, y.size * (w.size // w.shape[3]))
    launch(_forward, _forward_loop, chunks, rows, x, _filters(w), b, y, w.shape[:2], geometry)
    return np.maximum(y, 0, out=y) if relu else y


def input_grad(g, w, size, stride, padding, dilation, groups):
    """The cotangent of x (N, *size, C) from that of y, g (N, OH, OW, K); the rest as in `forward`."""
    dx = np.empty((g.shape[0], *size, w.shape[2] * groups), g.dtype)
    geometry = _geometry(stride, padding, dilation, groups)
    rows = dx.shape[0] * dx.shape[1]
    chunks = chunks_of(rows, g.size * (w.size // w.shape[3]))
    launch(_input_grad, _input_grad_loop, chunks, rows, g, _filters(w), dx, w.shape[:2], geometry)
    return dx


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups, db=None):
    """The cotangent of w (fh, fw, C/groups, K) from that of y, g (N, OH, OW, K); the rest as in `forward`."""
    shape = (*kernel_size, x.shape[3] // groups, g.shape[3])
    depth = shape[0] * shape[1] * shape[2]
    rows = g.shape[0] * g.shape[1]
    chunks = chunks_of(rows, g.size * depth, PARTIALS)
    partials = np.zeros((chunks, shape[3], -(-depth // LANES) * LANES), x.dtype)
    geometry = _geometry(stride, padding, dilation, groups)
    launch(_weight_grad, _weight_grad_loop, chunks, rows, x, g, partials, kernel_size, geometry)
    dw = np.empty(shape, x.dtype)
    dw.reshape(depth, shape[3])[...] = partials.sum(axis=0)[:, :depth].T
    if db is not None:
        np.sum(g, axis=(0, 1, 2), out=db)
    return dw

"""Winograd convolution F(4x4, 3x3) (Lavin & Gray 2015): 3x3 filters at stride 1 with a quarter of the
products.

An image is cut into tiles of 4x4 outputs, each seen by 6x6 inputs d. With the constant matrices A, B, G

    Y = A^T [ (G w G^T) * (B^T d B) ] A        `*` is elementwise, summed over channels

so each of the 36 elements of a transformed tile is a matrix product over channels of its own. The three steps
are linear, so the weight gradient is their adjoints, and the input gradient is the forward pass of the
output's cotangent with filters turned around and channels swapped:

    dU = sum over tiles of (B^T d B) (A dY A^T)       dw = G^T dU G

A block of tiles goes through all steps in one thread's L2 cache: transform, 36 products, transform back. The
error is 2e-5 to 6e-5 of the output's root mean square, ten times that of direct sums.
"""

import numpy as np
from numba import prange

from . import threads
from .compiling import kernel
from .direct import swapped
from .patches import aligned
from .simd import COLUMNS, LANES, ROWS, tile
from .threads import launch
from .transforms import (
    transform_cotangent,
    transform_filter,
    transform_filter_cotangent,
    transform_input,
    transform_output,
)

TILES = 4 * ROWS  # tiles a block at most, for a weight is read once a block
BLOCK = 64  # channels a block of sums: 36 * BLOCK^2 floats of them stay in L2
PARTS = 8  # sums of the weight gradient taken apart, a number of the shape, so that threads change no bit
L2 = 9 << 17  # bytes for the transformed inputs of a block; weights and outputs need the rest of 2 MB


@kernel()
def _window_offsets(offsets, size, height, width, channels, row, column, outside):
    """Where the pixels of a size x size window at (row, column) are, from the image's first on; `outside` for
    those outside the image."""
    for i in range(size):
        for j in range(size):
            h, w = row + i, column + j
            inside = 0 <= h < height and 0 <= w < width
            offsets[i * size + j] = (h * width + w) * channels if inside else outside


@kernel()
def _window(offsets, regular, size, height, width, channels, n, row, column, outside):
    """The offset of a window's first pixel, having filled `offsets` if the window leaves the image; a table
    that all windows inside share is `regular`. Returns (base, whether it lies inside)."""
    if row >= 0 and column >= 0 and row + size <= height and column + size <= width:
        return ((n * height + row) * width + column) * channels, True
    base = n * height * width * channels
    _window_offsets(offsets, size, height, width, channels, row, column, outside - base)
    return base, False


@kernel()
def _filters(chunk, first, last, w, U, w_offsets, U_offsets):
    """w (3, 3, C, K) -> U (36, panels, C, COLUMNS): G w G^T, K in panels that the microkernel reads in
    order."""
    count, columns = w.shape[3], U.shape[3]
    for c in range(first, last):
        for panel in range(U.shape[1]):
            k = panel * columns
            source = w.ctypes.data + (c * count + k) * 4
            target = U.ctypes.data + (panel * U.shape[2] + c) * columns * 4
            channels = min(columns, count - k)
            transform_filter(source, w_offsets.ctypes.data, target, U_offsets.ctypes.data, 0, channels)


@kernel(parallel=True)
def _filters_loop(chunks, rows, w, U, w_offsets, U_offsets):
    for i in prange(chunks):
        chunk = np.int64(i)
        _filters(chunk, chunk * rows // chunks, (chunk + 1) * rows // chunks, w, U, w_offsets, U_offsets)


@kernel()
def _forward(chunk, first, last, x, U, bias, y, V_of, M_of, offsets_of, spare, top, left):
    """Tiles first..last. `spare` is memory that pixels outside an image are read from (its first half, zeros)
    or written to (its second)."""
    V, M, offsets = V_of[chunk], M_of[chunk], offsets_of[chunk]
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    rows, columns, filters = y.shape[1], y.shape[2], y.shape[3]
    down, across = (rows + 3) // 4, (columns + 3) // 4
    most, stride, panel = V.shape[1], V.shape[2], U.shape[3]
    half = spare.size // 2
    zeros = (spare.ctypes.data - x.ctypes.data) // 4
    waste = (spare.ctypes.data - y.ctypes.data) // 4 + half
    inside_x, here_x, inside_y, here_y = offsets[0], offsets[1], offsets[2], offsets[3]
    to_V, from_M = offsets[4], offsets[5]
    _window_offsets(inside_x, 6, 6, width, channels, 0, 0, 0)
    _window_offsets(inside_y, 4, 4, columns, filters, 0, 0, 0)
    for e in range(36):
        to_V[e], from_M[e] = e * most * stride, e * most * M.shape[2]
    for start in range(first, last, most):
        count = min(most, last - start)
        for q in range(count):
            p = start + q
            n, i, j = p // (down * across), p // across % down, p % across
            base, inside = _window(
                here_x, inside_x, 6, height, width, channels, n, 4 * i - top, 4 * j - left, zeros
            )
            table = inside_x if inside else here_x
            transform_input(
                x.ctypes.data + base * 4,
                table.ctypes.data,
                V.ctypes.data + q * stride * 4,
                to_V.ctypes.data,
                0,
                channels,
            )
        for k0 in range(0, filters, M.shape[2]):
            wide = min(M.shape[2], filters - k0)
            for e in range(36):
                for k in range(0, wide, panel):
                    weights = U.ctypes.data + (e * U.shape[1] + (k0 + k) // panel) * channels * panel * 4
                    for g in range(0, count, ROWS):
                        tile(
                            V.ctypes.data + (e * most + g) * stride * 4,
                            stride,
                            1,
                            weights,
                            panel,
                            channels,
                            M.ctypes.data + ((e * most + g) * M.shape[2] + k) * 4,
                            M.shape[2],
                            min(ROWS, count - g),
                            min(panel, wide - k),
                            0,
                        )
            for q in range(count):
                p = start + q
                n, i, j = p // (down * across), p // across % down, p % across
                base, inside = _window(here_y, inside_y, 4, rows, columns, filters, n, 4 * i, 4 * j, waste)
                table = inside_y if inside else here_y
                transform_output(
                    M.ctypes.data + q * M.shape[2] * 4,
                    from_M.ctypes.data,
                    y.ctypes.data + (base + k0) * 4,
                    table.ctypes.data,
                    bias.ctypes.data + k0 * 4,
                    wide,
                )


@kernel(parallel=True)
def _forward_loop(chunks, rows, x, U, bias, y, V_of, M_of, offsets_of, spare, top, left):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _forward(chunk, first, last, x, U, bias, y, V_of, M_of, offsets_of, spare, top, left)


def _panels(count):
    return -(-count // COLUMNS)


def _transformed(w, turned):
    """U of w (3, 3, C, K), its taps turned around by a half turn if `turned`."""
    rest = -w.shape[3] % LANES
    if rest:
        w = np.concatenate([w, np.zeros((*w.shape[:3], rest), w.dtype)], axis=3)
    channels, count = w.shape[2:]
    U = aligned(36, _panels(count), channels, COLUMNS)
    taps = np.arange(9) * (channels * count)
    w_offsets, U_offsets = taps[::-1].copy() if turned else taps, np.arange(36) * U[0].size
    chunks = threads.get_num_threads() if w.size > 1 << 14 else 1
    launch(_filters, _filters_loop, chunks, channels, w, U, w_offsets, U_offsets)
    return U


def _tiles_of(images, size):
    return images * -(-size[0] // 4) * -(-size[1] // 4)


def _convolve(x, w, b, size, top, left, turned):
    """The convolution of x (N, H, W, C) with w (3, 3, C, K), from `top` rows above and `left` columns before
    the image on; with the filters turned around if `turned`."""
    channels, count = w.shape[2:]
    y = np.empty((x.shape[0], *size, count), np.float32)
    U = _transformed(w, turned)
    tiles = _tiles_of(x.shape[0], size)
    chunks = max(1, min(threads.get_num_threads(), tiles))
    stride = channels + LANES  # one row of V after another would meet in the same lines of the first cache
    most = min(max(L2 // (144 * stride) // ROWS, 1) * ROWS, TILES)
    V = aligned(chunks, 36, most, stride)
    M = aligned(chunks, 36, most, min(BLOCK, count))
    spare = np.zeros(2 * max(channels, count), np.float32)
    offsets = np.empty((chunks, 6, 36), np.int64)
    b = np.zeros(count, np.float32) if b is None else b
    launch(_forward, _forward_loop, chunks, tiles, x, U, b, y, V, M, offsets, spare, top, left)
    return y


def forward(x, w, b, size, stride, padding, dilation, groups):
    """As `conv.forward`, for 3x3 filters at stride 1; C and K are at least LANES, the padding at most 2."""
    return _convolve(x, w, b, size, padding[0][0], padding[1][0], False)


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`, with the bounds of `forward`."""
    return _convolve(g, swapped(w), None, size, 2 - padding[0][0], 2 - padding[1][0], True)


@kernel()
def _weight_grad(
    chunk, first, last, x, g, parts, tiles, c_blocks, k_blocks, V_of, D_of, U_of, offsets_of, zeros, top, left
):
    """Tasks first..last of len(parts) * c_blocks * k_blocks: the sums of one part of the tiles for one block
    of channels and one of filters, 36 of them to be transformed back into the 9 of `parts`."""
    V, D, U, offsets = V_of[chunk], D_of[chunk], U_of[chunk], offsets_of[chunk]
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    rows, columns, filters = g.shape[1], g.shape[2], g.shape[3]
    down, across = (rows + 3) // 4, (columns + 3) // 4
    most = V.shape[1]
    outside_x = (zeros.ctypes.data - x.ctypes.data) // 4
    outside_g = (zeros.ctypes.data - g.ctypes.data) // 4
    inside_x, here_x, inside_g, here_g = offsets[0], offsets[1], offsets[2], offsets[3]
    to_V, to_D, from_U, to_w = offsets[4], offsets[5], offsets[6], offsets[7]
    _window_offsets(inside_x, 6, 6, width, channels, 0, 0, 0)
    _window_offsets(inside_g, 4, 4, columns, filters, 0, 0, 0)
    for e in range(36):
        to_V[e], to_D[e] = e * most * V.shape[2], e * most * D.shape[2]
        from_U[e], to_w[e] = e * U.shape[1] * U.shape[2], e * channels * filters
    for task in range(first, last):
        part, block = task // (c_blocks * k_blocks), task % (c_blocks * k_blocks)
        cb, kb = block // k_blocks, block % k_blocks
        c0, c1 = channels * cb // c_blocks, channels * (cb + 1) // c_blocks
        k0, k1 = filters * kb // k_blocks, filters * (kb + 1) // k_blocks
        begin, end = tiles * part // len(parts), tiles * (part + 1) // len(parts)
        for start in range(begin, end, most):
            count = min(most, end - start)
            for q in range(count):
                p = start + q
                n, i, j = p // (down * across), p // across % down, p % across
                base, inside = _window(
                    here_x, inside_x, 6, height, width, channels, n, 4 * i - top, 4 * j - left, outside_x
                )
                table = inside_x if inside else here_x
                transform_input(
                    x.ctypes.data + (base + c0) * 4,
                    table.ctypes.data,
                    V.ctypes.data + q * V.shape[2] * 4,
                    to_V.ctypes.data,
                    0,
                    c1 - c0,
                )
                base, inside = _window(
                    here_g, inside_g, 4, rows, columns, filters, n, 4 * i, 4 * j, outside_g
                )
                table = inside_g if inside else here_g
                transform_cotangent(
                    g.ctypes.data + (base + k0) * 4,
                    table.ctypes.data,
                    D.ctypes.data + q * D.shape[2] * 4,
                    to_D.ctypes.data,
                    0,
                    k1 - k0,
                )
            for e in range(36):
                for k in range(0, k1 - k0, COLUMNS):
                    cotangents = D.ctypes.data + (to_D[e] + k) * 4
                    for c in range(0, c1 - c0, ROWS):
                        tile(
                            V.ctypes.data + (to_V[e] + c) * 4,
                            1,
                            V.shape[2],
                            cotangents,
                            D.shape[2],
                            count,
                            U.ctypes.data + (from_U[e] + c * U.shape[2] + k) * 4,
                            U.shape[2],
                            min(ROWS, c1 - c0 - c),
                            min(COLUMNS, k1 - k0 - k),
                            start - begin,
                        )
        for c in range(c1 - c0):
            transform_filter_cotangent(
                U.ctypes.data + c * U.shape[2] * 4,
                from_U.ctypes.data,
                parts.ctypes.data + (part * 9 * channels * filters + (c0 + c) * filters + k0) * 4,
                to_w.ctypes.data,
                0,
                k1 - k0,
            )


@kernel(parallel=True)
def _weight_grad_loop(
    chunks, rows, x, g, parts, tiles, c_blocks, k_blocks, V_of, D_of, U_of, offsets_of, zeros, top, left
):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _weight_grad(
            chunk,
            first,
            last,
            x,
            g,
            parts,
            tiles,
            c_blocks,
            k_blocks,
            V_of,
            D_of,
            U_of,
            offsets_of,
            zeros,
            top,
            left,
        )


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups):
    """As `conv.weight_grad`, with the bounds of `forward`."""
    top, left = padding[0][0], padding[1][0]
    channels, filters = x.shape[3], g.shape[3]
    tiles = _tiles_of(x.shape[0], g.shape[1:3])
    c_blocks, k_blocks = -(-channels // BLOCK), -(-filters // BLOCK)
    wide, high = -(-channels // c_blocks), -(-filters // k_blocks)
    parts = -(-PARTS // (c_blocks * k_blocks))
    tasks = parts * c_blocks * k_blocks
    chunks = min(tasks, threads.get_num_threads())
    sums = np.empty((parts, 3, 3, channels, filters), np.float32)
    V = aligned(chunks, 36, TILES, wide + LANES)
    D = aligned(chunks, 36, TILES, high + LANES)
    U = aligned(chunks, 36, wide, high)
    offsets = np.empty((chunks, 8, 36), np.int64)
    zeros = np.zeros(max(channels, filters), np.float32)
    launch(
        _weight_grad,
        _weight_grad_loop,
        chunks,
        tasks,
        x,
        g,
        sums,
        tiles,
        c_blocks,
        k_blocks,
        V,
        D,
        U,
        offsets,
        zeros,
        top,
        left,
    )
    if tiles == 0:
        sums[...] = 0
    return sums[0] if parts == 1 else sums.sum(axis=0)

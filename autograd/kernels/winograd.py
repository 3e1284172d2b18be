"""Winograd convolution (Lavin & Gray 2015) at stride 1: F(4x4, 3x3) with a quarter of the products of 3x3
filters, F(2x2, 5x5) with 0.36 of those of 5x5.

An image is cut into tiles of 4x4 outputs, each seen by 6x6 inputs d. With the constant matrices A, B, G

    Y = A^T [ (G w G^T) * (B^T d B) ] A        `*` is elementwise, summed over channels

so each of the 36 elements of a transformed tile is a matrix product over channels of its own. With 2x2
outputs the same six points serve filters of 5x5. The steps are linear, so the weight gradient is their
adjoints, and the input gradient is the forward pass of the output's cotangent with filters turned around and
channels swapped:

    dU = sum over tiles of (B^T d B) (A dY A^T)       dw = G^T dU G

A block of tiles goes through all steps in one thread's L2 cache: transform, 36 products, transform back.
Transformed filters are four times as large. Those of up to DEEP channels are made once by all threads, a
group at a time, and all tiles meet a group, transformed again for each. Of more channels the tiles stay, and
a thread transforms the filters again for each block of them, COLUMNS filters and PART channels at a time:
made as a whole, writing and reading 38 MB takes longer than the products of 512 channels. With blocks twice
as large, 256 channels take a tenth less time, and more memory than PyTorch. The error is 1e-5 to 6e-5 of the
output's root mean square, ten times that of direct sums.
"""

import numpy as np

from . import threads
from .loops import loop
from .operands import add, floats, numbers, room_for, run, wholes
from .patches import aligned, scratch
from .simd import COLUMNS, LANES, ROWS, tile
from .transforms import (
    transform_cotangent_2,
    transform_cotangent_4,
    transform_filter_cotangent_3,
    transform_filter_cotangent_5,
    transform_filters,
    transform_input,
    transform_output_2,
    transform_output_4,
    window,
    window_offsets,
)

TILES = max(16 // ROWS, 1) * ROWS  # tiles a block: more take as long, and more memory
BLOCK = 64 // COLUMNS * COLUMNS  # channels a block of sums: 36 * BLOCK^2 floats of them stay in L2
# sums of the weight gradient taken apart, a number of the shape, so that threads change no bit; each is
# transformed back, which takes longer than the products of fewer than TERMS tiles
PARTS = 8
WEIGHTS = 9 << 17  # bytes for the transformed filters of a group, which all tiles meet
DEEP = 128  # channels up to which all tiles meet them
PART = 64  # channels at a time where filters are transformed again for each block of tiles
TERMS = 2 * ROWS  # tiles a block at most for the weight gradient
ONES = 7  # the element of a transformed cotangent that is its sum
MANY = 3 * ROWS  # tiles a block at most where they are


@loop
def _filters(chunk, first, last, width, at):
    """Channels first..last of filters k0..k1, transformed into U (36, panels * C + 1, COLUMNS)."""
    w, U, copies_of, tables_of = floats(at, 0)[0], floats(at, 1)[0], floats(at, 2), wholes(at, 3)[0]
    number = numbers(at)
    k0 = number[0]
    k1 = number[1]
    depth = number[2]
    turned = number[3]
    out, stride = U.ctypes.data + first * COLUMNS * 4, U.shape[1] * COLUMNS
    transform_filters(w, turned, first, last, k0, k1, copies_of[chunk], tables_of[chunk], out, stride, depth)


@loop
def _forward(chunk, first, last, width, at):
    """Items first..last: each is one block of tiles, and of filters begin..end one group. U_of holds the
    transformed filters, if it is one, or else room for `deep` channels of a group, where they stay in L2.
    `spare` is memory that pixels outside an image are read from (its first half, zeros) or written to (its
    second)."""
    x, w, bias, y = floats(at, 0), floats(at, 1)[0], floats(at, 2)[0, 0, 0], floats(at, 3)
    V_of, M_of, U_of, copies_of = floats(at, 4)[0], floats(at, 5), floats(at, 6), floats(at, 7)
    offsets_of, spare = wholes(at, 8)[0], floats(at, 9)[0, 0, 0]
    number = numbers(at)
    top = number[0]
    left = number[1]
    side = number[2]
    tiles = number[3]
    deep = number[4]
    turned = number[5]
    relu = number[6]
    given = number[7]
    begin = number[8]
    end = number[9]
    groups = number[10]
    stride = number[11]
    V, M, copies, offsets = V_of[chunk], M_of[chunk], copies_of[chunk], offsets_of[chunk]
    U = U_of[0 if given else chunk]
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    rows, columns, filters = y.shape[1], y.shape[2], y.shape[3]
    down, across = (rows + side - 1) // side, (columns + side - 1) // side
    most, broad = M.shape[1], M.shape[2]
    zeros = (spare.ctypes.data - x.ctypes.data) // 4
    waste = (spare.ctypes.data - y.ctypes.data) // 4 + spare.size // 2
    inside_x, here_x, inside_y, here_y = offsets[0], offsets[1], offsets[2], offsets[3]
    to_V, from_M = offsets[4], offsets[5]
    window_offsets(inside_x, 6, 6, width, channels, 0, 0, 0)
    window_offsets(inside_y, side, side, columns, filters, 0, 0, 0)
    for e in range(36):
        to_V[e], from_M[e] = e * V.shape[1], e * most * broad
    held = -1
    for item in range(first, last):
        group, block = item % groups, item // groups
        start = block * most
        count = min(most, tiles - start)
        # the last group is what is left, and takes from the one before what a vector lacks
        k1 = min(begin + (group + 1) * broad, end)
        k0 = max(min(begin + group * broad, k1 - LANES), begin)
        if block != held:
            for q in range(count):
                p = start + q
                n, i, j = p // (down * across), p // across % down, p % across
                base, inside = window(
                    here_x, inside_x, 6, height, width, channels, n, side * i - top, side * j - left, zeros
                )
                table = inside_x if inside else here_x
                to = V.ctypes.data + q * stride * 4
                source = x.ctypes.data + base * 4
                transform_input(source, table.ctypes.data, to, to_V.ctypes.data, channels)
        held = block
        for c0 in range(0, channels, deep):
            c1 = min(c0 + deep, channels)
            if not given:
                to, step = U.ctypes.data, U.shape[1] * COLUMNS
                transform_filters(w, turned, c0, c1, k0, k1, copies, offsets[6:8], to, step, deep)
            for e in range(36):
                for k in range(0, k1 - k0, COLUMNS):
                    weights = U.ctypes.data + (e * U.shape[1] + k // COLUMNS * deep) * COLUMNS * 4
                    for g in range(0, count, ROWS):
                        tile(
                            V.ctypes.data + (to_V[e] + g * stride + c0) * 4,
                            stride,
                            1,
                            weights,
                            COLUMNS,
                            c1 - c0,
                            M.ctypes.data + (from_M[e] + g * broad + k) * 4,
                            broad,
                            min(ROWS, count - g),
                            min(COLUMNS, k1 - k0 - k),
                            c0,
                        )
        for q in range(count):
            p = start + q
            n, i, j = p // (down * across), p // across % down, p % across
            base, inside = window(
                here_y, inside_y, side, rows, columns, filters, n, side * i, side * j, waste
            )
            table = inside_y if inside else here_y
            source, to = M.ctypes.data + q * broad * 4, y.ctypes.data + (base + k0) * 4
            added = bias.ctypes.data + k0 * 4
            if side == 4:
                transform_output_4(source, from_M.ctypes.data, to, table.ctypes.data, k1 - k0, added, relu)
            else:
                transform_output_2(source, from_M.ctypes.data, to, table.ctypes.data, k1 - k0, added, relu)


def _tiles_of(images, size, side):
    return images * -(-size[0] // side) * -(-size[1] // side)


def _apart(channels):
    """How many numbers a transformed tile is from the next: whole vectors, and no multiple of 1 KB, for tiles
    so far apart would meet in a first cache. So would the elements of a tile without the vector that is left
    between them."""
    whole = -(-channels // LANES) * LANES
    return whole if whole % 256 else whole + LANES


def _convolve(x, w, b, y, top, left, turned, relu):
    """Fills y with the convolution of x (N, H, W, C) with w (f, f, C, K), from `top` rows above and `left`
    columns before the image on. If `turned`, w is (f, f, K, C), and its taps are turned around."""
    f, channels, count = w.shape[0], x.shape[3], y.shape[3]
    side = 7 - f
    tiles = _tiles_of(len(y), y.shape[1:3], side)
    if tiles == 0:
        return y
    workers = threads.get_num_threads()
    stride = _apart(channels)
    deep, given, broad = channels, channels <= DEEP, COLUMNS
    if given:
        broad *= min(max(WEIGHTS // (144 * deep) // COLUMNS, 1), -(-count // COLUMNS))
        most = min(TILES, -(-tiles // workers))
    else:
        deep = -(-channels // -(-channels // PART))
        most = -(-tiles // (-(-tiles // (MANY * workers)) * workers))  # as many blocks for each thread
    groups, blocks = -(-count // broad), -(-tiles // most)
    items = blocks if given else blocks * groups
    chunks = min(workers, items)
    U = aligned(1 if given else chunks, 36, broad // COLUMNS * deep + 1, COLUMNS)
    V = aligned(chunks, 36, most * stride + LANES)
    M = aligned(chunks, 36, most, broad)
    helpers = max(1, min(workers, 144 * channels * broad // threads.GRAIN, -(-channels // LANES)))
    copied = turned or count % LANES > 0
    copies = aligned(max(chunks, helpers), f * f, LANES if copied else 0, broad + LANES)
    spare = np.zeros(2 * max(channels, count), np.float32)
    offsets = np.empty((chunks, 8, 36), np.int64)
    tables = np.empty((helpers, 2, 36), np.int64)
    b = np.zeros(count, np.float32) if b is None else b
    w = w.reshape(f * f, *w.shape[2:])
    arrays = x, w, b, y, V, M, U, copies, offsets, spare
    numbers = top, left, side, tiles, deep, turned, relu, given
    if not given:
        run(_forward, chunks, items, arrays, (*numbers, 0, count, groups, stride))
        return y
    for group in range(groups):
        k1 = min((group + 1) * broad, count)
        k0 = max(min(group * broad, k1 - LANES), 0)
        run(_filters, helpers, channels, (w, U, copies, tables), (k0, k1, channels, turned))
        run(_forward, chunks, items, arrays, (*numbers, k0, k1, 1, stride))
    return y


def forward(x, w, b, size, stride, padding, dilation, groups, relu=False):
    """As `conv.forward`, for filters of 3x3 or 5x5 at stride 1; C and K are at least LANES, the padding less
    than the filter."""
    y = aligned(x.shape[0], *size, w.shape[3])
    return _convolve(x, w, b, y, padding[0][0], padding[1][0], False, relu)


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`, with the bounds of `forward`."""
    last = len(w) - 1
    dx = np.empty((g.shape[0], *size, w.shape[2]), np.float32)
    return _convolve(g, w, None, dx, last - padding[0][0], last - padding[1][0], True, False)


@loop
def _weight_grad(chunk, first, last, width, at):
    """Tasks first..last of len(parts) * c_blocks * k_blocks: the sums of one part of the tiles for one block
    of channels and one of filters, 36 of them, transformed back into the 9 of `parts` (parts, 9, C, K). Since
    (1, 1, 1, 1) is a row of A^T, those of its square's element are the sums of g too, `totals` (parts, K)."""
    x, g, parts, V_of = floats(at, 0), floats(at, 1), floats(at, 2), floats(at, 3)[0]
    D_of, U_of, offsets_of, zeros = floats(at, 4)[0], floats(at, 5), wholes(at, 6)[0], floats(at, 7)[0, 0, 0]
    totals, one = floats(at, 8)[0, 0], floats(at, 9)
    number = numbers(at)
    tiles = number[0]
    c_blocks = number[1]
    k_blocks = number[2]
    top = number[3]
    left = number[4]
    side = number[5]
    most = number[6]
    stride = number[7]
    stride_g = number[8]
    V, D, U, offsets = V_of[chunk], D_of[chunk], U_of[chunk], offsets_of[chunk]
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    rows, columns, filters = g.shape[1], g.shape[2], g.shape[3]
    down, across = (rows + side - 1) // side, (columns + side - 1) // side
    outside_x = (zeros.ctypes.data - x.ctypes.data) // 4
    outside_g = (zeros.ctypes.data - g.ctypes.data) // 4
    inside_x, here_x, inside_g, here_g = offsets[0], offsets[1], offsets[2], offsets[3]
    to_V, to_D, from_U, to_w = offsets[4], offsets[5], offsets[6], offsets[7]
    window_offsets(inside_x, 6, 6, width, channels, 0, 0, 0)
    window_offsets(inside_g, side, side, columns, filters, 0, 0, 0)
    for e in range(36):
        to_V[e], to_D[e] = e * V.shape[1], e * D.shape[1]
        from_U[e], to_w[e] = e * U.shape[1] * U.shape[2], e * channels * filters
    taps = parts.shape[1]
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
                base, inside = window(
                    here_x,
                    inside_x,
                    6,
                    height,
                    width,
                    channels,
                    n,
                    side * i - top,
                    side * j - left,
                    outside_x,
                )
                table = inside_x if inside else here_x
                transform_input(
                    x.ctypes.data + (base + c0) * 4,
                    table.ctypes.data,
                    V.ctypes.data + q * stride * 4,
                    to_V.ctypes.data,
                    c1 - c0,
                )
                base, inside = window(
                    here_g, inside_g, side, rows, columns, filters, n, side * i, side * j, outside_g
                )
                table = inside_g if inside else here_g
                source = g.ctypes.data + (base + k0) * 4
                to = D.ctypes.data + q * stride_g * 4
                if side == 4:
                    transform_cotangent_4(source, table.ctypes.data, to, to_D.ctypes.data, k1 - k0)
                else:
                    transform_cotangent_2(source, table.ctypes.data, to, to_D.ctypes.data, k1 - k0)
            for k in range(0, k1 - k0 if cb == 0 else 0, COLUMNS):
                tile(
                    one.ctypes.data,
                    0,
                    0,
                    D.ctypes.data + (to_D[ONES] + k) * 4,
                    stride_g,
                    count,
                    totals.ctypes.data + (part * filters + k0 + k) * 4,
                    filters,
                    1,
                    min(COLUMNS, k1 - k0 - k),
                    start - begin,
                )
            for e in range(36):
                for k in range(0, k1 - k0, COLUMNS):
                    cotangents = D.ctypes.data + (to_D[e] + k) * 4
                    for c in range(0, c1 - c0, ROWS):
                        tile(
                            V.ctypes.data + (to_V[e] + c) * 4,
                            1,
                            stride,
                            cotangents,
                            stride_g,
                            count,
                            U.ctypes.data + (from_U[e] + c * U.shape[2] + k) * 4,
                            U.shape[2],
                            min(ROWS, c1 - c0 - c),
                            min(COLUMNS, k1 - k0 - k),
                            start - begin,
                        )
        for c in range(c1 - c0):
            source = U.ctypes.data + c * U.shape[2] * 4
            to = parts.ctypes.data + ((part * taps * channels + c0 + c) * filters + k0) * 4
            if side == 4:
                transform_filter_cotangent_3(source, from_U.ctypes.data, to, to_w.ctypes.data, k1 - k0)
            else:
                transform_filter_cotangent_5(source, from_U.ctypes.data, to, to_w.ctypes.data, k1 - k0)


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups, db=None):
    """As `conv.weight_grad`, with the bounds of `forward`."""
    top, left = padding[0][0], padding[1][0]
    channels, filters = x.shape[3], g.shape[3]
    f = kernel_size[0]
    side = 7 - f
    tiles = _tiles_of(x.shape[0], g.shape[1:3], side)
    c_blocks, k_blocks = -(-channels // BLOCK), -(-filters // BLOCK)
    wide, high = -(-channels // c_blocks), -(-filters // k_blocks)
    stride, stride_g = _apart(wide), _apart(high)
    parts = max(1, min(-(-PARTS // (c_blocks * k_blocks)), tiles // TERMS))
    tasks = parts * c_blocks * k_blocks
    chunks = min(tasks, threads.get_num_threads())
    dw = np.empty((f, f, channels, filters), np.float32)
    V, D, U, sums = scratch(
        x.size,
        (chunks, 36, TERMS * stride + LANES),
        (chunks, 36, TERMS * stride_g + LANES),
        (chunks, 36, wide, high),
        (parts if parts > 1 else 0, f * f, channels, filters),
    )
    sums = sums if parts > 1 else dw.reshape(1, f * f, channels, filters)
    offsets = np.empty((chunks, 8, 36), np.int64)
    zeros = np.zeros(max(channels, filters), np.float32)
    totals = room_for(db, (parts, filters))
    arrays = x, g, sums, V, D, U, offsets, zeros, totals, np.ones(1, np.float32)
    numbers = tiles, c_blocks, k_blocks, top, left, side, TERMS, stride, stride_g
    run(_weight_grad, chunks, tasks, arrays, numbers)
    if tiles == 0:
        sums[...] = totals[...] = 0
    if db is not None:
        add(totals, db)
    return add(sums, dw)

"""Direct convolution: a matrix product over patches, which are gathered a cache-full at a time.

    forward, input gradient     y[p, k] = sum over d of patch[p, d] w[d, k]
    weight gradient             dw[d, k] = sum over p of patch[p, d] g[p, k]

A patch is what one output pixel p sees, D = fh*fw*C numbers. Gathering copies a number once for each K
multiply-adds, and in return the microkernel meets no border, stride or dilation. Forward, a tile's patches
stay in the first cache while they meet a block of the weights, DEPTH rows of them at most, that stays in L2;
for the weights' gradient PIXELS patches stay in L2 while they are added into a block of dw. A patch comes in
runs of numbers that are contiguous in the image: one row of the kernel, or one of its pixels where it is
dilated or grouped. `runs` (R, 2) holds their rows and columns relative to the output pixel's first.
"""

import numpy as np

from . import threads
from .compiling import kernel
from .loops import loop
from .operands import add, floats, numbers, room_for, run, wholes
from .patches import aligned, copy, gather, rectify
from .simd import COLUMNS, LANES, ROWS, tile, tile_from

DEPTH = 576  # numbers of a patch at a time: ROWS * DEPTH floats are most of a first cache
L2 = 1 << 20  # bytes of weights at a time
PIXELS = 8 * ROWS  # patches at a time: fewer, and reading and writing the sums of dw would show
FILTERS = 8 * COLUMNS  # of them at a time, for their gradient
PARTS = 8  # sums of the weight gradient taken apart, a number of the shape, so that threads change no bit


@loop
def _forward(chunk, first, last, width, at):
    """Pixels first..last of the grid. w is (groups, D, K / groups), and stays in L2 a block of D at a time.
    `place` (row, column, down, across) says where the grid lies in y; where it is not all of y, sums are kept
    there between blocks."""
    x, w, bias, y = floats(at, 0), floats(at, 1)[0], floats(at, 2)[0, 0, 0], floats(at, 3)
    runs, patches_of, panels_of, sums_of = (
        wholes(at, 4)[0, 0],
        floats(at, 5)[0],
        floats(at, 6)[0, 0],
        floats(at, 7)[0],
    )
    number = numbers(at)
    blocks = number[0]
    length = number[1]
    steps = number[2], number[3]
    grid = number[4], number[5]
    place = number[6], number[7], number[8], number[9]
    relu = number[10]
    patches, panels, sums = patches_of[chunk], panels_of[chunk], sums_of[chunk]
    groups, depth, count = w.shape
    filters = y.shape[3]
    deep, wide = (depth - 1) // blocks + 1, (count - 1) // COLUMNS * COLUMNS + COLUMNS
    whole = place[2] == 1 and place[3] == 1
    for block in range(blocks):
        d0, d1 = depth * block // blocks, depth * (block + 1) // blocks
        for row in range(groups * (d1 - d0)):
            group, d = row // (d1 - d0), row % (d1 - d0)
            for k in range(0, count, COLUMNS):
                copy(
                    panels.ctypes.data + (((group * wide + k) * deep) + d * COLUMNS) * 4,
                    w.ctypes.data + ((group * depth + d0 + d) * count + k) * 4,
                    min(COLUMNS, count - k),
                )
        for p in range(first, last, ROWS):
            seen = min(ROWS, last - p)
            target = y.ctypes.data + p * filters * 4 if whole else sums.ctypes.data
            if not whole and block > 0:
                for q in range(seen):
                    copy(sums.ctypes.data + q * filters * 4, _place(y, grid, place, p + q), filters)
            for group in range(groups):
                gather(x, group * length, length, runs, steps, grid, p, seen, d0, d1, patches)
                for k in range(0, count, COLUMNS):
                    here, columns = target + (group * count + k) * 4, min(COLUMNS, count - k)
                    biased = block == 0 and bias.size > 0
                    start = bias.ctypes.data + (group * count + k) * 4 if biased else here
                    tile_from(
                        patches.ctypes.data,
                        patches.shape[1],
                        1,
                        panels.ctypes.data + (group * wide + k) * deep * 4,
                        COLUMNS,
                        d1 - d0,
                        here,
                        filters,
                        seen,
                        columns,
                        start if biased or block > 0 else 0,
                        0 if biased else filters,
                    )
                    if relu != 0 and block == blocks - 1:
                        rectify(here, filters, seen, columns)
            if not whole:
                for q in range(seen):
                    copy(_place(y, grid, place, p + q), sums.ctypes.data + q * filters * 4, filters)


@kernel()
def _place(y, grid, place, p):
    """The address in y of pixel p of the grid."""
    n, i, j = p // grid[1] // grid[0], p // grid[1] % grid[0], p % grid[1]
    row, column = place[0] + i * place[2], place[1] + j * place[3]
    return y.ctypes.data + ((n * y.shape[1] + row) * y.shape[2] + column) * y.shape[3] * 4


@loop
def _weight_grad(chunk, first, last, width, at):
    """Tasks first..last of len(parts) * groups * splits * blocks: the sums over one part of the pixels, of
    one block of the patch's numbers and one of the filters. parts: (parts, groups, D, K / groups); `totals`
    (parts, K) takes the sums of g."""
    x, g, parts, runs = floats(at, 0), floats(at, 1), floats(at, 2), wholes(at, 3)[0, 0]
    patches_of, cotangents_of = floats(at, 4)[0], floats(at, 5)[0, 0]
    totals, one = floats(at, 6), floats(at, 7)
    number = numbers(at)
    blocks = number[0]
    length = number[1]
    steps = number[2], number[3]
    splits = number[4]
    patches, cotangents = patches_of[chunk], cotangents_of[chunk]
    groups, depth, count = parts.shape[1], parts.shape[2], parts.shape[3]
    rows, columns, filters = g.shape[1], g.shape[2], g.shape[3]
    pixels = g.shape[0] * rows * columns
    most, panels = len(patches), (count - 1) // COLUMNS + 1
    for task in range(first, last):
        part, group = task // (groups * splits * blocks), task // (splits * blocks) % groups
        split, block = task // blocks % splits, task % blocks
        k0 = panels * split // splits * COLUMNS
        k1 = min(panels * (split + 1) // splits * COLUMNS, count)
        d0, d1 = depth * block // blocks, depth * (block + 1) // blocks
        begin, end = pixels * part // len(parts), pixels * (part + 1) // len(parts)
        for start in range(begin, end, most):
            seen = min(most, end - start)
            gather(x, group * length, length, runs, steps, (rows, columns), start, seen, d0, d1, patches)
            for k in range(k0, k1, COLUMNS):
                for q in range(seen):
                    copy(
                        cotangents.ctypes.data + ((k - k0) * most + q * COLUMNS) * 4,
                        g.ctypes.data + ((start + q) * filters + group * count + k) * 4,
                        min(COLUMNS, k1 - k),
                    )
                if block == 0:
                    tile(
                        one.ctypes.data,
                        0,
                        0,
                        cotangents.ctypes.data + (k - k0) * most * 4,
                        COLUMNS,
                        seen,
                        totals.ctypes.data + (part * filters + group * count + k) * 4,
                        filters,
                        1,
                        min(COLUMNS, k1 - k),
                        start - begin,
                    )
            for d in range(0, d1 - d0, ROWS):
                for k in range(k0, k1, COLUMNS):
                    tile(
                        patches.ctypes.data + d * 4,
                        1,
                        patches.shape[1],
                        cotangents.ctypes.data + (k - k0) * most * 4,
                        COLUMNS,
                        seen,
                        parts.ctypes.data + (((part * groups + group) * depth + d0 + d) * count + k) * 4,
                        count,
                        min(ROWS, d1 - d0 - d),
                        min(COLUMNS, k1 - k),
                        start - begin,
                    )


def _merged(rows, columns, channels, groups):
    """(runs, length) of the kernel's pixels at these rows and columns. Pixels side by side make one run."""
    if groups == 1 and all(b == a + 1 for a, b in zip(columns, columns[1:])):
        return np.array([(r, columns[0]) for r in rows], np.int64), len(columns) * channels
    return np.array([(r, c) for r in rows for c in columns], np.int64), channels // groups


def _contract(x, w, bias, y, rows, columns, steps, grid, place, relu=False):
    """One launch of `_forward`. w: (groups, D, K / groups)."""
    runs, length = _merged(rows, columns, x.shape[3], len(w))
    pixels = x.shape[0] * grid[0] * grid[1]
    chunks = max(1, min(threads.get_num_threads(), pixels * w.size // threads.GRAIN))
    depth = w.shape[1]
    blocks = -(-depth // min(DEPTH, L2 // (4 * w.shape[2])))
    deep, wide = -(-depth // blocks), -(-w.shape[2] // COLUMNS) * COLUMNS
    patches = aligned(chunks, ROWS, deep + LANES)
    panels = aligned(chunks, len(w) * deep * wide)
    sums = aligned(chunks, ROWS, y.shape[3])
    bias = np.empty(0, np.float32) if bias is None else bias
    arrays = x, w, bias, y, runs, patches, panels, sums
    run(_forward, chunks, pixels, arrays, (blocks, length, *steps, *grid, *place, relu))


def _by_group(w, groups):
    """(taps, C / groups, K) -> (groups, D, K / groups)."""
    taps, depth, count = w.shape
    if groups == 1:
        return w.reshape(1, taps * depth, count)
    return np.ascontiguousarray(w.reshape(taps * depth, groups, count // groups).swapaxes(0, 1))


def forward(x, w, b, size, stride, padding, dilation, groups, relu=False):
    """As `conv.forward`."""
    y = aligned(x.shape[0], *size, w.shape[3])
    rows, columns = ([a * d - p[0] for a in range(f)] for f, d, p in zip(w.shape[:2], dilation, padding))
    weights = _by_group(w.reshape(-1, *w.shape[2:]), groups)
    _contract(x, weights, b, y, rows, columns, stride, size, (0, 0, 1, 1), relu)
    return y


@loop
def _swap(chunk, first, last, width, at):
    """Taps first..last of out (taps, K, C) from w (fh * fw, C, K), LANES rows at a time; `order` says which
    of w's taps they are."""
    w, out, order = floats(at, 0)[0], floats(at, 1)[0], wholes(at, 2)[0, 0, 0]
    for tap in range(first, last):
        for c0 in range(0, w.shape[1], LANES):
            for k in range(w.shape[2]):
                for c in range(c0, min(c0 + LANES, w.shape[1])):
                    out[tap, k, c] = w[order[tap], c, k]


def swapped(w, order):
    """These taps of w (fh, fw, C, K), counted along rows, as (taps, K, C)."""
    w = w.reshape(-1, *w.shape[2:])
    if w.size < 1 << 13:
        return np.ascontiguousarray(w[order].swapaxes(1, 2))
    out = np.empty((len(order), w.shape[2], w.shape[1]), np.float32)
    run(_swap, len(order), len(order), (w, out, np.array(order, np.int64)), ())
    return out


def _seen_by(residue, taps, stride, dilation, before):
    """Pixels residue, residue + stride, ... of the input were seen through these taps, by output pixels this
    far from the pixel's number: (taps, offsets), offsets rising."""
    seen = [a for a in reversed(range(taps)) if (residue + before - a * dilation) % stride == 0]
    return seen, [(residue + before - a * dilation) // stride for a in seen]


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`. With stride s, s*s kinds of input pixels are seen through different taps: each
    is a convolution of g at stride 1 with its part of the filters, and no zero is multiplied."""
    taps, (depth, count) = w.shape[:2], w.shape[2:]
    dx = np.empty((g.shape[0], *size, depth * groups), np.float32)
    for r in range(min(stride[0], size[0])):
        for c in range(min(stride[1], size[1])):
            a, rows = _seen_by(r, taps[0], stride[0], dilation[0], padding[0][0])
            e, columns = _seen_by(c, taps[1], stride[1], dilation[1], padding[1][0])
            if not a or not e:
                dx[:, r :: stride[0], c :: stride[1]] = 0
                continue
            order = [i * taps[1] + j for i in a for j in e]
            part = swapped(w, order).reshape(len(order), groups, count // groups, depth)
            part = np.ascontiguousarray(part.swapaxes(0, 1)).reshape(groups, -1, depth)
            grid = -(-(size[0] - r) // stride[0]), -(-(size[1] - c) // stride[1])
            _contract(g, part, None, dx, rows, columns, (1, 1), grid, (r, c, *stride))
    return dx


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups, db=None):
    """As `conv.weight_grad`. The rows of dw are dealt out to the threads; where they are few, the pixels are,
    and the parts' sums added up."""
    channels, count = x.shape[3] // groups, g.shape[3]
    rows, columns = ([a * d - p[0] for a in range(f)] for f, d, p in zip(kernel_size, dilation, padding))
    runs, length = _merged(rows, columns, x.shape[3], groups)
    depth, pixels = len(runs) * length, g.size // count
    workers = max(1, min(threads.get_num_threads(), g.size * depth // threads.GRAIN))
    blocks = -(-depth // DEPTH)
    splits = -(-count // (groups * FILTERS))
    parts = max(1, min(-(-PARTS // (groups * blocks * splits)), g.size * depth // threads.GRAIN, pixels))
    tasks = parts * groups * blocks * splits
    chunks = min(workers, tasks)
    dw = np.empty((*kernel_size, channels, count), np.float32)
    sums = room_for(dw if groups == 1 else None, (parts, groups, depth, count // groups))
    patches = aligned(chunks, PIXELS, -(-depth // blocks) + LANES)
    cotangents = aligned(chunks, PIXELS * (min(count // groups, FILTERS) + COLUMNS))
    totals = room_for(db, (parts, count))
    arrays = x, g, sums, runs, patches, cotangents, totals, np.ones(1, np.float32)
    run(_weight_grad, chunks, tasks, arrays, (blocks, length, *stride, splits))
    if pixels == 0:
        sums[...] = totals[...] = 0
    if db is not None:
        add(totals, db)
    if groups == 1:
        return add(sums, dw)
    dw.reshape(depth, groups, count // groups)[...] = sums.sum(axis=0).swapaxes(0, 1)
    return dw

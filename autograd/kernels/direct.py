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
from .loops import loop
from .operands import add, floats, numbers, room_for, run, wholes
from .patches import aligned, copy, gather, rectify, scratch
from .simd import COLUMNS, LANES, ROWS, tile, tile_from

DEPTH = 576  # numbers of a patch at a time: ROWS * DEPTH floats are most of a first cache
L2 = 1 << 20  # bytes of weights at a time
PIXELS = 8 * ROWS  # patches at a time: fewer, and reading and writing the sums of dw would show
FILTERS = 8 * COLUMNS  # of them at a time, for their gradient
PARTS = 8  # sums of the weight gradient taken apart, a number of the shape, so that threads change no bit


@loop
def _forward(chunk, first, last, width, at):
    """Pixels first..last of y. w is (groups, D, K / groups), and stays in L2 a block of D at a time."""
    x, w, bias, y = floats(at, 0), floats(at, 1)[0], floats(at, 2)[0, 0, 0], floats(at, 3)
    runs, patches_of, panels_of = wholes(at, 4)[0, 0], floats(at, 5)[0], floats(at, 6)[0, 0]
    number = numbers(at)
    blocks = number[0]
    length = number[1]
    steps = number[2], number[3]
    relu = number[4]
    patches, panels = patches_of[chunk], panels_of[chunk]
    groups, depth, count = w.shape
    size, filters = (y.shape[1], y.shape[2]), y.shape[3]
    deep, wide = (depth - 1) // blocks + 1, (count - 1) // COLUMNS * COLUMNS + COLUMNS
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
            for group in range(groups):
                gather(x, group * length, length, runs, steps, size, p, seen, d0, d1, patches)
                for k in range(0, count, COLUMNS):
                    here = y.ctypes.data + (p * filters + group * count + k) * 4
                    columns = min(COLUMNS, count - k)
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


def _contract(x, w, bias, y, rows, columns, steps, relu=False):
    """One launch of `_forward`. w: (groups, D, K / groups)."""
    runs, length = _merged(rows, columns, x.shape[3], len(w))
    pixels = y.shape[0] * y.shape[1] * y.shape[2]
    chunks = max(1, min(threads.get_num_threads(), pixels * w.size // threads.GRAIN))
    depth = w.shape[1]
    blocks = -(-depth // min(DEPTH, L2 // (4 * w.shape[2])))
    deep, wide = -(-depth // blocks), -(-w.shape[2] // COLUMNS) * COLUMNS
    patches = aligned(chunks, ROWS, deep + LANES)
    panels = aligned(chunks, len(w) * deep * wide)
    bias = np.empty(0, np.float32) if bias is None else bias
    arrays = x, w, bias, y, runs, patches, panels
    run(_forward, chunks, pixels, arrays, (blocks, length, *steps, relu))


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
    _contract(x, weights, b, y, rows, columns, stride, relu)
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


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`: the convolution of g with the filters turned around, channels swapped. With a
    stride `volumes` takes 0.8 of the time, for it gathers nothing."""
    taps, (depth, count) = w.shape[:2], w.shape[2:]
    dx = aligned(g.shape[0], *size, depth * groups)
    if stride != (1, 1):
        from . import volumes  # it imports conv, which imports this module

        options = (1, *stride), ((0, 0), *padding), (1, *dilation), groups
        volumes.input_grad(g[:, None], w[None], (1, *size), *options, out=dx[:, None])
        return dx
    order = list(reversed(range(taps[0] * taps[1])))
    part = swapped(w, order).reshape(len(order), groups, count // groups, depth)
    part = np.ascontiguousarray(part.swapaxes(0, 1)).reshape(groups, -1, depth)
    rows, columns = (
        [p[0] - a * d for a in reversed(range(f))] for f, d, p in zip(taps, dilation, padding, strict=True)
    )
    _contract(g, part, None, dx, rows, columns, (1, 1))
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
    whole = parts == groups == 1
    patches, cotangents, sums = scratch(
        x.size,
        (chunks, PIXELS, -(-depth // blocks) + LANES),
        (chunks, PIXELS * (min(count // groups, FILTERS) + COLUMNS)),
        (0 if whole else parts, groups, depth, count // groups),
    )
    sums = dw.reshape(1, 1, depth, count) if whole else sums
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

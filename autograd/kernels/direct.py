"""Direct convolution: a matrix product over patches, which are gathered a cache-full at a time.

    forward, input gradient     y[p, k] = sum over d of patch[p, d] w[d, k]
    weight gradient             dw[d, k] = sum over p of patch[p, d] g[p, k]

A patch is what one output pixel p sees, D = fh*fw*C numbers; `PIXELS` patches of `DEPTH` numbers fill half of
a core's L2 cache at most, whatever the image. Gathering copies a number once for each K multiply-adds and in
return the microkernel meets no border, stride or dilation: it runs over full tiles of one size. A patch comes
in runs of numbers that are contiguous in the image: a run is one row of the kernel, or one of its pixels
where it is dilated or grouped. `runs` (R, 2) holds their rows and columns relative to the output pixel's
first.
"""

import numpy as np
from numba import prange

from . import threads
from .compiling import kernel
from .patches import aligned, copy, gather
from .simd import COLUMNS, LANES, ROWS, tile
from .threads import launch

DEPTH = 576  # a panel of weights, DEPTH x COLUMNS, is read once for each ROWS patches: it stays in L2
L2 = 1 << 20
PIXELS = 8 * ROWS
PARTS = 8  # sums of the weight gradient taken apart, a number of the shape, so that threads change no bit


@kernel()
def _forward(
    chunk,
    first,
    last,
    x,
    w,
    bias,
    y,
    blocks,
    length,
    runs,
    steps,
    grid,
    place,
    patches_of,
    panels_of,
    sums_of,
):
    """Pixels first..last of the grid. w is (groups, D, K / groups), and stays in L2 a block of D at a time.
    `place` (row, column, down, across) says where the grid lies in y; where it is not all of y, sums are kept
    there between blocks."""
    patches, panels, sums = patches_of[chunk], panels_of[chunk], sums_of[chunk]
    groups, depth, count = w.shape
    filters = y.shape[3]
    deep, wide = (depth - 1) // blocks + 1, (count - 1) // COLUMNS * COLUMNS + COLUMNS
    whole = place[2] == 1 and place[3] == 1
    lines = y.reshape(y.size // filters, filters)
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
                    tile(
                        patches.ctypes.data,
                        patches.shape[1],
                        1,
                        panels.ctypes.data + (group * wide + k) * deep * 4,
                        COLUMNS,
                        d1 - d0,
                        target + (group * count + k) * 4,
                        filters,
                        seen,
                        min(COLUMNS, count - k),
                        d0,
                    )
            if not whole:
                for q in range(seen):
                    copy(_place(y, grid, place, p + q), sums.ctypes.data + q * filters * 4, filters)
            elif block == blocks - 1 and bias.size > 0:
                for q in range(seen):
                    for k in range(filters):
                        lines[p + q, k] += bias[k]


@kernel()
def _place(y, grid, place, p):
    """The address in y of pixel p of the grid."""
    n, i, j = p // grid[1] // grid[0], p // grid[1] % grid[0], p % grid[1]
    row, column = place[0] + i * place[2], place[1] + j * place[3]
    return y.ctypes.data + ((n * y.shape[1] + row) * y.shape[2] + column) * y.shape[3] * 4


@kernel(parallel=True)
def _forward_loop(
    chunks, pixels, x, w, bias, y, blocks, length, runs, steps, grid, place, patches_of, panels_of, sums_of
):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * pixels // chunks, (chunk + 1) * pixels // chunks
        _forward(
            chunk,
            first,
            last,
            x,
            w,
            bias,
            y,
            blocks,
            length,
            runs,
            steps,
            grid,
            place,
            patches_of,
            panels_of,
            sums_of,
        )


@kernel()
def _weight_grad(chunk, first, last, x, g, parts, blocks, length, runs, steps, patches_of, cotangents_of):
    """Tasks first..last of len(parts) * groups * blocks: the sums over one part of the pixels of one block of
    the patch's numbers. parts: (parts, groups, D, K / groups)."""
    patches, cotangents = patches_of[chunk], cotangents_of[chunk]
    groups, depth, count = parts.shape[1], parts.shape[2], parts.shape[3]
    rows, columns, filters = g.shape[1], g.shape[2], g.shape[3]
    pixels = g.shape[0] * rows * columns
    most = len(patches)
    for task in range(first, last):
        part, group, block = task // (groups * blocks), task // blocks % groups, task % blocks
        d0, d1 = depth * block // blocks, depth * (block + 1) // blocks
        begin, end = pixels * part // len(parts), pixels * (part + 1) // len(parts)
        for start in range(begin, end, most):
            seen = min(most, end - start)
            gather(x, group * length, length, runs, steps, (rows, columns), start, seen, d0, d1, patches)
            for k in range(0, count, COLUMNS):
                for q in range(seen):
                    copy(
                        cotangents.ctypes.data + (k * most + q * COLUMNS) * 4,
                        g.ctypes.data + ((start + q) * filters + group * count + k) * 4,
                        min(COLUMNS, count - k),
                    )
            for d in range(0, d1 - d0, ROWS):
                for k in range(0, count, COLUMNS):
                    tile(
                        patches.ctypes.data + d * 4,
                        1,
                        patches.shape[1],
                        cotangents.ctypes.data + k * most * 4,
                        COLUMNS,
                        seen,
                        parts.ctypes.data + (((part * groups + group) * depth + d0 + d) * count + k) * 4,
                        count,
                        min(ROWS, d1 - d0 - d),
                        min(COLUMNS, count - k),
                        start - begin,
                    )


@kernel(parallel=True)
def _weight_grad_loop(chunks, tasks, x, g, parts, blocks, length, runs, steps, patches_of, cotangents_of):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * tasks // chunks, (chunk + 1) * tasks // chunks
        _weight_grad(chunk, first, last, x, g, parts, blocks, length, runs, steps, patches_of, cotangents_of)


def _merged(rows, columns, channels, groups):
    """(runs, length) of the kernel's pixels at these rows and columns. Pixels side by side make one run."""
    if groups == 1 and all(b == a + 1 for a, b in zip(columns, columns[1:])):
        return np.array([(r, columns[0]) for r in rows], np.int64), len(columns) * channels
    return np.array([(r, c) for r in rows for c in columns], np.int64), channels // groups


def _contract(x, w, bias, y, rows, columns, steps, grid, place):
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
    launch(
        _forward,
        _forward_loop,
        chunks,
        pixels,
        x,
        w,
        bias,
        y,
        blocks,
        length,
        runs,
        steps,
        grid,
        place,
        patches,
        panels,
        sums,
    )


def _by_group(w, groups):
    """(taps, C / groups, K) -> (groups, D, K / groups)."""
    taps, depth, count = w.shape
    if groups == 1:
        return w.reshape(1, taps * depth, count)
    return np.ascontiguousarray(w.reshape(taps * depth, groups, count // groups).swapaxes(0, 1))


def forward(x, w, b, size, stride, padding, dilation, groups):
    """As `conv.forward`."""
    y = np.empty((x.shape[0], *size, w.shape[3]), np.float32)
    rows, columns = ([a * d - p[0] for a in range(f)] for f, d, p in zip(w.shape[:2], dilation, padding))
    weights = _by_group(w.reshape(-1, *w.shape[2:]), groups)
    _contract(x, weights, b, y, rows, columns, stride, size, (0, 0, 1, 1))
    return y


@kernel()
def _swap(chunk, first, last, w, out):
    """Matrices first..last of w (taps, C, K) -> out (taps, K, C), LANES rows at a time."""
    for tap in range(first, last):
        for c0 in range(0, w.shape[1], LANES):
            stop = min(c0 + LANES, w.shape[1])
            for k in range(w.shape[2]):
                for c in range(c0, stop):
                    out[tap, k, c] = w[tap, c, k]


@kernel(parallel=True)
def _swap_loop(chunks, taps, w, out):
    for i in prange(chunks):
        chunk = np.int64(i)
        _swap(chunk, chunk * taps // chunks, (chunk + 1) * taps // chunks, w, out)


def swapped(w):
    """w (fh, fw, C, K) -> (fh, fw, K, C)."""
    if w.size < 1 << 13:
        return np.ascontiguousarray(w.swapaxes(2, 3))
    out = np.empty((w.shape[0] * w.shape[1], w.shape[3], w.shape[2]), np.float32)
    launch(_swap, _swap_loop, len(out), len(out), w.reshape(len(out), *w.shape[2:]), out)
    return out.reshape(*w.shape[:2], *out.shape[1:])


def _seen_by(residue, taps, stride, dilation, before):
    """Pixels residue, residue + stride, ... of the input were seen through these taps, by output pixels this
    far from the pixel's number: (taps, offsets), offsets rising."""
    seen = [a for a in reversed(range(taps)) if (residue + before - a * dilation) % stride == 0]
    return seen, [(residue + before - a * dilation) // stride for a in seen]


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`. With stride s, the s*s kinds of input pixels are seen through different taps:
    each kind is a convolution of g at stride 1 with its part of the filters, and no zero is multiplied."""
    taps, (depth, count) = w.shape[:2], w.shape[2:]
    if groups == 1:
        turned = swapped(w)[None]  # (groups, fh, fw, K / groups, C / groups)
    else:
        turned = w.reshape(*taps, depth, groups, count // groups).transpose(3, 0, 1, 4, 2)
    dx = np.empty((g.shape[0], *size, depth * groups), np.float32)
    for r in range(min(stride[0], size[0])):
        for c in range(min(stride[1], size[1])):
            a, rows = _seen_by(r, taps[0], stride[0], dilation[0], padding[0][0])
            e, columns = _seen_by(c, taps[1], stride[1], dilation[1], padding[1][0])
            if not a or not e:
                dx[:, r :: stride[0], c :: stride[1]] = 0
                continue
            part = np.ascontiguousarray(turned[:, a][:, :, e]).reshape(groups, -1, depth)
            grid = -(-(size[0] - r) // stride[0]), -(-(size[1] - c) // stride[1])
            _contract(g, part, None, dx, rows, columns, (1, 1), grid, (r, c, *stride))
    return dx


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups):
    """As `conv.weight_grad`. The rows of dw are dealt out to the threads; where they are few, the pixels are,
    and the parts' sums added up."""
    channels, count = x.shape[3] // groups, g.shape[3]
    rows, columns = ([a * d - p[0] for a in range(f)] for f, d, p in zip(kernel_size, dilation, padding))
    runs, length = _merged(rows, columns, x.shape[3], groups)
    depth, pixels = len(runs) * length, g.size // count
    workers = max(1, min(threads.get_num_threads(), g.size * depth // threads.GRAIN))
    blocks = -(-depth // DEPTH)
    parts = max(1, min(-(-PARTS // (groups * blocks)), g.size * depth // threads.GRAIN))
    tasks = parts * groups * blocks
    chunks = min(workers, tasks)
    sums = np.empty((parts, groups, depth, count // groups), np.float32)
    patches = aligned(chunks, PIXELS, -(-depth // blocks) + LANES)
    cotangents = aligned(chunks, PIXELS * -(-count // COLUMNS) * COLUMNS)
    launch(
        _weight_grad,
        _weight_grad_loop,
        chunks,
        tasks,
        x,
        g,
        sums,
        blocks,
        length,
        runs,
        stride,
        patches,
        cotangents,
    )
    if pixels == 0:
        sums[...] = 0
    dw = sums[0] if parts == 1 else sums.sum(axis=0)
    if groups > 1:
        dw = np.ascontiguousarray(dw.swapaxes(0, 1))
    return dw.reshape(*kernel_size, channels, count)

"""Convolution of volumes on the register tile, and its two gradients: any kernel, stride, padding, dilation
and groups, float32.

    y[n, o, k] = b[k] + sum over taps t, c of x[n, o * s + t * d - p, c] w[t, c, k]        o, t of three axes

Shapes: x (N, D, H, W, C), w (fd, fh, fw, C/groups, K), y (N, OD, OH, OW, K). A tile of outputs lies along W.
For each row of the kernel it sees one run of fw * C contiguous numbers (fw runs where columns are dilated or
grouped), and `runs_tile` goes through all of them with its sums in registers. Nothing is gathered, where a
buffer of patches would hold each number 125 times. Planes and rows beyond the border are left out of the
table of runs. Only a tile whose columns reach over it reads a copy of its rows between zeros, of which there
is room for BAND bytes.
"""

import numpy as np

from . import conv, depthwise, threads
from .compiling import kernel
from .loops import loop
from .operands import floats, numbers, run, wholes
from .patches import aligned, clear, copy
from .runs import runs_tile
from .simd import COLUMNS, LANES, ROWS, floats_at

L2 = 1 << 20  # bytes of weights at a time
PARTS = 8  # sums of the weight gradient taken apart, a number of the shape, so that threads change no bit
PIXELS = 32 * ROWS  # outputs at a time for the weights' gradient: what they see stays in L2
BAND = 1 << 18  # bytes of rows between zeros at a time


@kernel()
def _load(x, plane, row, low, width, target):
    """Copies columns low..low + width of a row of x to an address, zeros where they lie outside."""
    columns, channels = x.shape[2], x.shape[3]
    left = min(max(-low, 0), width)
    right = max(min(columns - low, width), left)
    source = x.ctypes.data + ((plane * x.shape[1] + row) * columns + low + left) * channels * 4
    clear(target, 0, left * channels)
    copy(target + left * channels * 4, source, (right - left) * channels)
    clear(target + right * channels * 4, 0, (width - right) * channels)


@kernel()
def _inside(taps, count, first, size):
    """Those of `count` taps that lie inside the volume: (from, to)."""
    low, high = 0, count
    while low < count and first + taps[low] < 0:
        low += 1
    while high > low and first + taps[high - 1] >= size:
        high -= 1
    return low, high


@loop
def _forward(chunk, first, last, width, at):
    """Tiles first..last of the grid, which go down the rows of a plane, then on to the next columns. x is
    (N * D, H, W, C), y (N * OD, OH, OW, K), panels (sets * groups, panels, numbers of a patch, columns),
    where the first volumes meet the first set of filters, and so on; taps (3, most) the places of the
    kernel's planes, rows and columns beside the output's first; `begin` and `place` are the grid's first
    output in y and its steps there. A tile that reaches over the border reads from
    `bands` (chunks, planes, rows, numbers), filled for `tall` tiles at a time. A block of each patch's
    numbers at a time, whose weights stay in L2."""
    x, panels, bias, y = floats(at, 0), floats(at, 1), floats(at, 2)[0, 0, 0], floats(at, 3)
    taps, runs, band = wholes(at, 4)[0, 0], wholes(at, 5)[0, chunk], floats(at, 6)[chunk]
    number = numbers(at)
    blocks, cuts, length = number[0], number[1], number[2]
    planes, rows, columns, depth, out_depth = number[3], number[4], number[5], number[6], number[7]
    grid = number[8], number[9], number[10]
    steps = number[11], number[12], number[13]
    begin = number[14], number[15], number[16]
    place = number[17], number[18], number[19]
    tiles, tall, sets = number[20], number[21], number[22]
    groups, patch, broad = panels.shape[0] // sets, panels.shape[2], panels.shape[3]
    each_set = len(x) // depth // sets
    height, wide, channels, filters = x.shape[1], x.shape[2], x.shape[3], y.shape[3]
    each, count, y_row = channels // groups, filters // groups, place[2] * filters
    for block in range(blocks):
        d0, d1 = patch * block // blocks, patch * (block + 1) // blocks
        table, seen, top = (0, 0, 0, 0, False), 0, 0
        for item in range(first, last):
            j, q = item % grid[1], item // grid[1] % tiles
            i, n = item // (grid[1] * tiles) % grid[0], item // (grid[1] * tiles * grid[0])
            q0, q1 = grid[2] * q // tiles, grid[2] * (q + 1) // tiles
            low = q0 * steps[2] + taps[2, 0]
            span = (q1 - 1 - q0) * steps[2] + taps[2, columns - 1] - taps[2, 0] + 1
            inside = low >= 0 and low + span <= wide
            a0, a1 = _inside(taps[0], planes, i * steps[0], depth)
            b0, b1 = _inside(taps[1], rows, j * steps[1], height)
            if not inside and (item == first or j % tall == 0):
                top = j * steps[1] + taps[1, 0]
                end = min(j // tall * tall + tall, grid[1])
                for a in range(a0, a1):
                    plane = n * depth + i * steps[0] + taps[0, a]
                    for row in range(max(top, 0), min((end - 1) * steps[1] + taps[1, rows - 1] + 1, height)):
                        at_row = (a * band.shape[1] + row - top) * band.shape[2]
                        _load(x, plane, row, low, span, band.ctypes.data + at_row * 4)
            base, plane_step, row_step = band.ctypes.data, band.shape[1] * band.shape[2], band.shape[2]
            if inside:
                plane_step, row_step = height * wide * channels, wide * channels
                base = x.ctypes.data + ((n * depth + i * steps[0]) * plane_step + low * channels) * 4
            base += (j * steps[1] - (0 if inside else top)) * row_step * 4
            if table != (a0, a1, b0, b1, inside):
                table, seen = (a0, a1, b0, b1, inside), 0
                for a in range(a0, a1):
                    for b in range(b0, b1):
                        for e in range(cuts):
                            d = ((a * rows + b) * cuts + e) * length
                            start, stop = max(d, d0), min(d + length, d1)
                            if start < stop:
                                source = (taps[0, a] if inside else a) * plane_step + taps[1, b] * row_step
                                runs[seen, 0] = source + (taps[2, e] - taps[2, 0]) * channels + start - d
                                runs[seen, 1] = start * broad
                                runs[seen, 2] = stop - start
                                seen += 1
            line = (n * out_depth + begin[0] + i * place[0]) * y.shape[1] + begin[1] + j * place[1]
            target = y.ctypes.data + ((line * y.shape[2] + begin[2]) * filters + q0 * y_row) * 4
            for group in range(groups):
                kind = n // each_set * groups + group
                for k in range(0, count, COLUMNS):
                    channel = group * count + k
                    out, some = target + channel * 4, min(COLUMNS, count - k)
                    fresh = bias.ctypes.data + channel * 4 if bias.size > 0 else 0
                    if seen > 0:
                        runs_tile(
                            base + group * each * 4,
                            steps[2] * channels,
                            1,
                            runs.ctypes.data,
                            seen,
                            panels.ctypes.data + (kind * panels.shape[1] + k // COLUMNS) * patch * broad * 4,
                            broad,
                            out,
                            y_row,
                            q1 - q0,
                            some,
                            out if block > 0 else fresh,
                            y_row if block > 0 else 0,
                        )
                    elif block == 0:
                        for p in range(q1 - q0):
                            if fresh == 0:
                                clear(out + p * y_row * 4, 0, some)
                            else:
                                copy(out + p * y_row * 4, fresh, some)


@loop
def _weight_grad(chunk, first, last, width, at):
    """Tasks first..last of sets * parts * groups * rows of the kernel: the sums over one part of the outputs
    for one row of the kernel. served (pieces, cuts, 2) are the outputs of a piece of a row that see the
    volume through a column, or run of columns. Sums are (sets, parts, groups, rows of the kernel, cuts,
    numbers of a cut, K / groups), or, if `turned`, numbers of a cut last: vectors then are those, and not
    filters."""
    x, g, parts = floats(at, 0), floats(at, 1), floats(at, 2)
    taps, served, runs = wholes(at, 3)[0, 0], wholes(at, 4)[0], wholes(at, 5)[0, chunk]
    number = numbers(at)
    split, groups, length, count = number[0], number[1], number[2], number[3]
    planes, rows, depth, out_depth = number[4], number[5], number[6], number[7]
    steps = number[8], number[9], number[10]
    tall, turned, sets = number[11], number[12], number[13]
    pieces, cuts = served.shape[0], served.shape[1]
    height, wide, channels = x.shape[1], x.shape[2], x.shape[3]
    out_rows, out_columns, filters = g.shape[1], g.shape[2], g.shape[3]
    strips = (out_rows - 1) // tall + 1
    items = len(g) // sets * strips * pieces
    left, left_step, right, right_step = x.ctypes.data, steps[2] * channels, g.ctypes.data, filters
    high, broad = length, count
    if turned:
        left, left_step, right, right_step = right, right_step, left, left_step
        high, broad = count, length
    tiles = (high - 1) // ROWS + 1
    for task in range(first, last):
        part, group = task // (groups * planes * rows) % split, task // (planes * rows) % groups
        from_set = task // (split * groups * planes * rows) * (len(g) // sets // out_depth)
        a, b = task // rows % planes, task % rows
        sums = parts.ctypes.data + task * cuts * length * count * 4
        clear(sums, 0, cuts * length * count)
        for item in range(items * part // split, items * (part + 1) // split):
            i = item // (pieces * strips)
            n, i = from_set + i // out_depth, i % out_depth
            j0, q = item // pieces % strips * tall, item % pieces
            plane = i * steps[0] + taps[0, a]
            if plane < 0 or plane >= depth:
                continue
            for e in range(cuts):
                q0, q1 = served[q, e]
                seen = 0
                for j in range(j0, min(j0 + tall, out_rows)):
                    row = j * steps[1] + taps[1, b]
                    if 0 <= row < height and q0 < q1:
                        column = q0 * steps[2] + taps[2, e]
                        source = (((n * depth + plane) * height + row) * wide + column) * channels
                        runs[seen, turned] = source + group * (channels // groups)
                        line = ((n * out_depth + i) * out_rows + j) * out_columns + q0
                        runs[seen, 1 - turned] = line * filters + group * count
                        runs[seen, 2] = q1 - q0
                        seen += 1
                for t in range(tiles if seen > 0 else 0):
                    u, stop = high * t // tiles, high * (t + 1) // tiles
                    for k in range(0, broad, COLUMNS):
                        out = sums + ((e * high + u) * broad + k) * 4
                        runs_tile(
                            left + u * 4,
                            1,
                            left_step,
                            runs.ctypes.data,
                            seen,
                            right + k * 4,
                            right_step,
                            out,
                            broad,
                            stop - u,
                            min(COLUMNS, broad - k),
                            out,
                            broad,
                        )


@loop
def _pack(chunk, first, last, width, at):
    """Taps first..last of panels (groups, panels, numbers of a patch, columns) from w, any order of whose
    axes the steps (tap, group, number, filter) tell; what lacks of a panel is 0."""
    w, panels, order = floats(at, 0)[0, 0, 0], floats(at, 1), wholes(at, 2)[0, 0, 0]
    number = numbers(at)
    length, count = number[0], number[1]
    tap_step, group_step, step, filter_step = number[2], number[3], number[4], number[5]
    for tap in range(first, last):
        for group in range(panels.shape[0]):
            for p in range(panels.shape[1]):
                source = order[tap] * tap_step + group * group_step + p * COLUMNS * filter_step
                some = min(COLUMNS, count - p * COLUMNS)
                for d in range(length):
                    line = panels[group, p, tap * length + d]
                    at_filter, to = w.ctypes.data + (source + d * step) * 4, line.ctypes.data
                    if filter_step == 1:
                        copy(to, at_filter, some)
                    else:
                        to_line, filters = floats_at(to), floats_at(at_filter)
                        for v in range(some):
                            to_line[v] = filters[v * filter_step]
                    clear(to + some * 4, 0, line.size - some)


def _served(tap, step, wide, first, last):
    """Which of outputs first..last see a row of `wide` columns through a tap: (first, last + 1)."""
    first = max(first, -(tap // step))
    return first, max(first, min(last, (wide - 1 - tap) // step + 1))


def _taps(*axes):
    """The places of the kernel's planes, rows and columns as one array."""
    taps = np.zeros((3, max(map(len, axes))), np.int64)
    for line, places in zip(taps, axes, strict=True):
        line[: len(places)] = places
    return taps


def padded(x, columns, step, outputs):
    """x between columns of zeros where outputs see beyond the border, and how many came first."""
    before, after = max(-columns[0], 0), max((outputs - 1) * step + columns[-1] + 1 - x.shape[3], 0)
    if before == after == 0:
        return x, 0
    wide = np.zeros((*x.shape[:3], before + x.shape[3] + after, x.shape[4]), np.float32)
    wide[:, :, :, before : before + x.shape[3]] = x
    return wide, before


def contract(x, w, order, w_steps, groups, count, bias, y, taps, steps, grid, begin, place, sets=1):
    """One launch of `_forward`: `order` are the taps of w to use, `count` the filters of a group, `w_steps`
    as in `_pack`. Of `sets` of filters, `w_steps` apart as groups are, each has its share of the volumes."""
    each, columns = x.shape[4] // groups, taps[2]
    joined = groups == 1 and columns[-1] - columns[0] == len(columns) - 1
    cuts, length = (1, len(columns) * each) if joined else (len(columns), each)
    broad = min(COLUMNS, -(-count // LANES) * LANES)
    panels = aligned(sets * groups, -(-count // COLUMNS), len(order) * each, broad)
    arrays = w.reshape(-1), panels, np.array(order, np.int64)
    run(_pack, threads.chunks_of(len(order), 4 * panels.size), len(order), arrays, (each, count, *w_steps))
    tiles = -(-grid[2] // ROWS)
    items, most = len(x) * grid[0] * grid[1] * tiles, -(-grid[2] // tiles)
    chunks = max(1, min(threads.get_num_threads(), items * most * panels.size // sets // threads.GRAIN))
    blocks = -(-panels.size * 4 // (L2 * sets * groups))
    span = ((most - 1) * steps[2] + columns[-1] - columns[0] + 1) * x.shape[4]
    high = taps[1][-1] - taps[1][0] + 1
    tall = max(1, min(grid[1], (BAND // (4 * span * len(taps[0])) - high) // steps[1] + 1))
    inside = columns[0] >= 0 and (grid[2] - 1) * steps[2] + columns[-1] < x.shape[3]
    bands = aligned(chunks, len(taps[0]), (tall - 1) * steps[1] + high, 0 if inside else span)
    runs = np.empty((chunks, len(taps[0]) * len(taps[1]) * cuts, 3), np.int64)
    flat = x.reshape(-1, *x.shape[2:]), y.reshape(-1, *y.shape[2:])
    bias = np.empty(0, np.float32) if bias is None else bias
    arrays = flat[0], panels, bias, flat[1], _taps(*taps), runs, bands
    counts = blocks, cuts, length, *map(len, taps), x.shape[1], y.shape[1]
    run(_forward, chunks, items, arrays, (*counts, *grid, *steps, *begin, *place, tiles, tall, sets))


def suits(dtype, w_shape, stride, padding, dilation, groups, adjoint=False):
    """Whether to convolve volumes here, with filters of this shape, or plane by plane as images; `adjoint`
    for the input's gradient. Measured on two threads of AVX-512, forward and both gradients: Winograd's
    planes take half of the time for 3x3x3 filters of 64 channels. One row of the kernel (sequences) takes
    0.87 of the time of `direct` for runs of 960 numbers; short ones are left to `batched`. For images the
    input's gradient alone gains, where it has a stride: 0.85 of the time, which is more where biases are
    added too."""
    (fd, fh, fw), (depth, filters) = w_shape[:3], w_shape[3:]
    if dtype != np.float32:
        return False
    if groups > 1:
        return not depthwise.suits(groups, depth * groups, filters)
    if (fh, fw) == (3, 3) and stride[1:] == dilation[1:] == (1, 1) and min(depth, filters) >= LANES:
        return not conv.WINOGRAD
    if fd > 1:
        return True
    if fh == 1:
        return fw * depth > 160
    return adjoint and stride[1:] != (1, 1)


def forward(x, w, b, size, stride, padding, dilation, groups):
    """As `conv.forward`, of three axes."""
    each, filters = w.shape[3:]
    y = aligned(len(x), *size, filters)
    taps = [[a * d - p[0] for a in range(f)] for f, d, p in zip(w.shape[:3], dilation, padding, strict=True)]
    steps = each * filters, filters // groups, filters, 1
    order = range(w.size // steps[0])
    contract(x, w, order, steps, groups, filters // groups, b, y, taps, stride, size, (0, 0, 0), (1, 1, 1))
    return y


def _seen_by(residue, taps, stride, dilation, before):
    """The taps through which inputs residue, residue + stride, ... were seen, and by outputs how far from
    their number."""
    seen = [a for a in reversed(range(taps)) if (residue + before - a * dilation) % stride == 0]
    return seen, [(residue + before - a * dilation) // stride for a in seen]


def input_grad(g, w, size, stride, padding, dilation, groups, b=None, out=None):
    """As `conv.input_grad`, of three axes, in `out` if given; b (C,) is added, for transposed convolution.
    Each of the stride's kinds of inputs was seen through taps of its own: a convolution of g with those."""
    kernel, (each, filters) = w.shape[:3], w.shape[3:]
    dx = aligned(len(g), *size, each * groups) if out is None else out
    steps = each * filters, filters // groups, 1, filters
    axes = [
        [(r, *_seen_by(r, f, s, d, p[0])) for r in range(min(s, n))]
        for f, s, d, p, n in zip(kernel, stride, dilation, padding, size, strict=True)
    ]
    for first, planes, depths in axes[0]:
        for second, lines, rows in axes[1]:
            for third, pixels, columns in axes[2]:
                begin, taps = (first, second, third), (depths, rows, columns)
                if not all(taps):
                    dx[:, first :: stride[0], second :: stride[1], third :: stride[2]] = 0 if b is None else b
                    continue
                order = [(i * kernel[1] + j) * kernel[2] + q for i in planes for j in lines for q in pixels]
                grid = [-(-(n - r) // s) for n, r, s in zip(size, begin, stride, strict=True)]
                contract(g, w, order, steps, groups, each, b, dx, taps, (1, 1, 1), grid, begin, stride)
    return dx


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups, sets=1):
    """As `conv.weight_grad`, of three axes. The rows of the kernel are dealt out to the threads; where they
    are few the outputs are, and the parts' sums added up. With `sets` the first volumes give the first
    cotangent of (sets, *kernel, ...), and so on."""
    filters, (m, *out) = g.shape[4], g.shape[:4]
    each, count, (*lines, cuts) = x.shape[4] // groups, filters // groups, kernel_size
    taps = [[a * d - p[0] for a in range(f)] for f, d, p in zip(kernel_size, dilation, padding, strict=True)]
    length = each
    if groups == 1 and dilation[2] == 1 and (padding[2] == (0, 0) or each <= LANES):
        x, before = padded(x, taps[2], stride[2], out[2])
        taps[2], cuts, length = [taps[2][0] + before], 1, cuts * each
    turned = count <= LANES < length
    pieces = -(-out[2] // PIXELS)
    tall = max(1, PIXELS * pieces // out[2])
    kinds, work = sets * groups * lines[0] * lines[1], g.size // PARTS * length * cuts * lines[0] * lines[1]
    items = m // sets * out[0] * -(-out[1] // tall) * pieces
    parts = max(1, min(-(-PARTS // kinds), work // threads.GRAIN, items))
    chunks = max(1, min(threads.get_num_threads(), work // threads.GRAIN, parts * kinds))
    edges = [out[2] * q // pieces for q in range(pieces + 1)]
    served = [
        [_served(tap, stride[2], x.shape[3], *piece) for tap in taps[2]] for piece in zip(edges, edges[1:])
    ]
    sums = np.empty(
        (sets, parts, groups, *lines, cuts, *((count, length) if turned else (length, count))), np.float32
    )
    runs = np.empty((chunks, tall, 3), np.int64)
    flat = x.reshape(-1, *x.shape[2:]), g.reshape(-1, *g.shape[2:])
    arrays = *flat, sums.reshape(-1), _taps(*taps), np.array(served, np.int64), runs
    counts = parts, groups, length, count, *lines, x.shape[1], out[0], *stride, tall, turned, sets
    run(_weight_grad, chunks, parts * kinds, arrays, counts)
    total = sums.sum(axis=1) if parts > 1 else sums[:, 0]
    if turned:
        total = total.swapaxes(-1, -2)
    # (sets, groups, fd, fh, cuts, numbers of a cut, K / groups) -> (fd, fh, fw, C / groups, K)
    total = np.ascontiguousarray(np.moveaxis(total, 1, -2))
    return total.reshape(*([sets] if sets > 1 else []), *kernel_size, each, filters)

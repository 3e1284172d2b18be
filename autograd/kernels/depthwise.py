"""Depthwise convolution over channels-last images: filter k sees channel k // multiplier only.

    y[n, i, j, k] = b[k] + sum over (a, e) of x[n, i*sh + a*dh - top, j*sw + e*dw - left, k // multiplier]
                                              * w[a, e, 0, k]

A field is a rectangle of outputs that see the same taps: the inside of an image is one, its edges and corners
are others. Tables hold them, made from what each output sees (`_seen`), or for the gradient of the input,
which is the same kernel, from which outputs see a pixel (`_seen_by`). So stride, dilation and padding cost
nothing inside. A multiplier over 1 repeats the channels of x first.

Each pass moves its images at the rate of a copy, so what is left to save is passes: the gradients of the
input, the filters and the bias are taken together, a band of rows after another, while g is in the cache."""

import functools

import numpy as np

from .compiling import kernel
from .fields import MOST, grad_field, mix_field
from .loops import loop
from .operands import floats, numbers, run, wholes
from .patches import aligned
from .simd import LANES, NAME
from .threads import chunks_of

PARTIALS = 8  # weight gradients summed separately, one a chunk, and added up at the end
LONGEST = 32  # places in a line: images of more are cut, so that a few images keep all threads busy


def suits(groups: int, channels: int, filters: int) -> bool:
    """Whether this module computes a convolution of float32: each filter sees one channel, and the filters
    fill a vector."""
    return NAME != "off" and groups == channels and filters >= LANES


@kernel()
def _addresses(base, pairs, x_step, w_step):
    """The places of up to three (pixel, tap) along an axis, in x and in w."""
    p, q, s = pairs[0], pairs[1], pairs[2]
    pixels = base + p[0] * x_step, base + q[0] * x_step, base + s[0] * x_step
    return pixels, (p[1] * w_step, q[1] * w_step, s[1] * w_step)


@kernel()
def _slides(pairs, number, step):
    """1 where there are MOST taps, and their pixels a step apart; else 0."""
    apart = number == MOST
    for k in range(1, number):
        apart = apart and pairs[k, 0] - pairs[k - 1, 0] == step
    return 1 if apart else 0


@kernel()
def _shift(three, by):
    return three[0] + by, three[1] + by, three[2] + by


@kernel()
def _mix_line(n, line, c, x, w, bias, y, rows, columns, steps, relu):
    """y[n, i, j] = bias + the sum of x[n, h, v] * w[a, e], w (fh, fw, K), in channels c to c + LANES - 1, for
    each field of a line of `rows` with `columns` (`_in_lines`)."""
    lines, row_pairs, row_counts = rows
    fields, column_pairs, column_counts = columns
    y_down, x_down, y_right, x_right = steps
    channels = y.shape[3]
    x_row, y_row = x.shape[2] * channels, y.shape[2] * channels
    i, tall = lines[line]
    image = x.ctypes.data + 4 * (n * x.shape[1] * x_row + c)
    for k in range(len(fields)):
        j, wide = fields[k]
        out = y.ctypes.data + 4 * ((n * y.shape[1] + i) * y_row + j * channels + c)
        start = bias.ctypes.data + 4 * c
        left = row_counts[line].sum() * column_counts[k].sum()  # taps that are not added yet
        for r in range(row_counts.shape[1]):
            images, filters = _addresses(image, row_pairs[line, r], 4 * x_row, 4 * w.shape[1] * channels)
            filters = _shift(filters, w.ctypes.data + 4 * c)
            for t in range(column_counts.shape[1]):
                high, across = row_counts[line, r], column_counts[k, t]
                if high * across == 0:
                    continue
                left -= high * across
                pixels, taps = _addresses(0, column_pairs[k, t], channels, channels)
                walk = tall, x_down * x_row, y_down * y_row, wide, x_right * channels, y_right * channels
                kind = _slides(column_pairs[k, t], across, x_right)
                final = relu if left == 0 else 0
                others = (out, start, *walk, final)
                mix_field(kind, high, across, images, pixels, filters, taps, others)
                start = 0
        if start != 0:  # an output that sees nothing
            for p in range(tall):
                for q in range(wide):
                    pixel = y[n, i + p * y_down, j + q * y_right]
                    for lane in range(c, c + LANES):
                        pixel[lane] = 0 if relu and bias[lane] < 0 else bias[lane]
    return x.size + w.size + y.size + bias.size  # names the arrays, so that none is freed before


@kernel(forceinline=True)
def _axis(at, k):
    """The table of lines of `_in_lines`, arrays k to k + 2."""
    return wholes(at, k)[0, 0], wholes(at, k + 1), wholes(at, k + 2)[0, 0]


@loop
def _mix(chunk, first, last, width, at):
    """Items first..last of images * lines * blocks of channels, the last of which overlaps."""
    x, w, bias, y = floats(at, 0), floats(at, 1)[0], floats(at, 2)[0, 0, 0], floats(at, 3)
    rows, columns, number = _axis(at, 4), _axis(at, 7), numbers(at)
    steps = number[0], number[1], number[2], number[3]
    relu = number[4]
    lines, channels = len(rows[0]), y.shape[3]
    blocks = -(-channels // LANES)
    for item in range(first, last):
        n, line, block = item // (lines * blocks), item // blocks % lines, item % blocks
        c = min(block * LANES, channels - LANES)
        _mix_line(n, line, c, x, w, bias, y, rows, columns, steps, relu)


@kernel()
def _grad_line(n, line, c, x, g, sums, kernel_size, rows, columns, steps):
    """Adds a line's part to the sums (fh * fw + 2, LANES) of channels c to c + LANES - 1: those of x * g for
    each tap, that of g, and one that nobody reads."""
    lines, row_pairs, row_counts = rows
    fields, column_pairs, column_counts = columns
    g_down, x_down, g_right, x_right = steps
    channels = g.shape[3]
    x_row, g_row = x.shape[2] * channels, g.shape[2] * channels
    i, tall = lines[line]
    image = x.ctypes.data + 4 * (n * x.shape[1] * x_row + c)
    end = sums.ctypes.data + 4 * sums.size
    for k in range(len(fields)):
        j, wide = fields[k]
        out = g.ctypes.data + 4 * ((n * g.shape[1] + i) * g_row + j * channels + c)
        total = end - 8 * LANES
        for r in range(row_counts.shape[1]):
            images, filters = _addresses(image, row_pairs[line, r], 4 * x_row, 4 * kernel_size[1] * LANES)
            filters = _shift(filters, sums.ctypes.data)
            for t in range(column_counts.shape[1]):
                high, across = row_counts[line, r], column_counts[k, t]
                if high * across == 0:
                    continue
                pixels, taps = _addresses(0, column_pairs[k, t], channels, LANES)
                walk = tall, x_down * x_row, g_down * g_row, wide, x_right * channels, g_right * channels
                kind = _slides(column_pairs[k, t], across, x_right)
                others = (out, total, *walk, 0)
                grad_field(kind, high, across, images, pixels, filters, taps, others)
                total = end - 4 * LANES  # each pixel counts once
        if total == end - 8 * LANES:  # outputs that see nothing
            for p in range(tall):
                for q in range(wide):
                    pixel = g[n, i + p * g_down, j + q * g_right]
                    for lane in range(LANES):
                        sums[len(sums) - 2, lane] += pixel[c + lane]
    return x.size + g.size + sums.size


@loop
def _backward(chunk, first, last, width, at):
    """Items first..last of images * bands * blocks of channels: the lines of dx and of g that lie in a band
    (`_bands`). sums (chunks, blocks, fh * fw + 2, LANES) are handed to partials (chunks, fh * fw + 1, K):
    those for each tap, and that of g."""
    x, g, w, bias, dx = floats(at, 0), floats(at, 1), floats(at, 2)[0], floats(at, 3)[0, 0, 0], floats(at, 4)
    sums, partials = floats(at, 5)[chunk], floats(at, 6)[0, chunk]
    begin, work = wholes(at, 7)[0, 0, 0], wholes(at, 8)[0, 0]
    rows, columns, dx_rows, dx_columns = _axis(at, 9), _axis(at, 12), _axis(at, 15), _axis(at, 18)
    number = numbers(at)
    steps = number[0], number[1], number[2], number[3]
    dx_steps = number[4], number[5], number[6], number[7]
    channels, size, bands = g.shape[3], (w.shape[0], w.shape[1]), len(begin) - 1
    blocks = -(-channels // LANES)
    for item in range(first, last):
        n, band, block = item // (bands * blocks), item // blocks % bands, item % blocks
        c = min(block * LANES, channels - LANES)
        for k in range(begin[band], begin[band + 1]):
            if work[k, 0] == 0:
                _mix_line(n, work[k, 1], c, g, w, bias, dx, dx_rows, dx_columns, dx_steps, 0)
            else:
                _grad_line(n, work[k, 1], c, x, g, sums[block], size, rows, columns, steps)
    for block in range(blocks):
        c = min(block * LANES, channels - LANES)
        for t in range(len(partials)):
            for lane in range(LANES):
                partials[t, c + lane] = sums[block, t, lane]


def _seen(size, out, f, stride, before, dilation):
    """Along one axis, the (pixel of the image, tap) that each of `out` outputs sees."""
    all_of = [[(i * stride + a * dilation - before, a) for a in range(f)] for i in range(out)]
    return [[(p, a) for p, a in pairs if 0 <= p < size] for pairs in all_of]


def _seen_by(size, out, f, stride, before, dilation):
    """The (output, tap) that see each of `size` pixels, outputs rising."""
    all_of = [[(p + before - a * dilation, a) for a in reversed(range(f))] for p in range(size)]
    return [
        [(q // stride, a) for q, a in pairs if q % stride == 0 and 0 <= q // stride < out] for pairs in all_of
    ]


def _in_lines(seen, taps, step):
    """Outputs along an axis, joined to lines of places `step` apart that see the same taps: (first, number)
    of each line; the (pixel, tap) that its first one sees, in groups of MOST, (lines, groups, MOST, 2); and
    how many of each group there are, (lines, groups)."""
    lines, pairs, before = [], [], None
    for j in (j for r in range(step) for j in range(r, len(seen), step)):
        origin = seen[j][0][0] if seen[j] else 0
        pattern = j % step, [(p - origin, a) for p, a in seen[j]]
        if pattern == before and lines[-1][1] < LONGEST:
            lines[-1][1] += 1
        else:
            lines.append([j, 1])
            pairs.append(seen[j])
        before = pattern
    groups = -(-taps // MOST)
    table, counts = (
        np.zeros((len(lines), groups, MOST, 2), np.int64),
        np.zeros((len(lines), groups), np.int64),
    )
    for k, found in enumerate(pairs):
        for r in range(0, len(found), MOST):
            group = found[r : r + MOST]
            table[k, r // MOST, : len(group)] = group
            counts[k, r // MOST] = len(group)
    return np.array(lines, np.int64).reshape(-1, 2), table, counts


@functools.lru_cache(256)
def _tables(backward, size, out, kernel_size, stride, padding, dilation):
    """The lines of rows and of columns, and of each axis the steps in y and in x from a place to the next."""
    before = padding[0][0], padding[1][0]
    axes = list(zip(size, out, kernel_size, stride, before, dilation, strict=True))
    seen = [(_seen_by if backward else _seen)(*axis) for axis in axes]
    steps = [(s, 1) if backward else (1, s) for s in stride]
    lines = [_in_lines(a, f, s[0]) for a, f, s in zip(seen, kernel_size, steps, strict=True)]
    return *lines, (*steps[0], *steps[1])


@functools.lru_cache(256)
def _bands(wanted, size, out, kernel_size, stride, padding, dilation):
    """The lines of rows of dx, if that is `wanted`, and of g, by bands of LONGEST rows of g: where each band
    begins, (bands + 1,), and its lines as (0 for dx or 1 for g, number), (lines, 2)."""
    geometry = size, out, kernel_size, stride, padding, dilation
    of_dx, of_g = (_tables(backward, *geometry)[0][0][:, 0] for backward in (True, False))
    found = [(i // LONGEST, 1, k) for k, i in enumerate(of_g)]
    if wanted:
        found += [(i // (stride[0] * LONGEST), 0, k) for k, i in enumerate(of_dx)]
    table = np.array(sorted(found), np.int64).reshape(-1, 3)
    begin = np.searchsorted(table[:, 0], np.arange(table[:, 0].max(initial=-1) + 2))
    return begin, np.ascontiguousarray(table[:, 1:])


def _items(images, lines, channels):
    return images * lines * -(-channels // LANES)


def _mixed(x, w, bias, y, tables, relu):
    rows, columns, steps = tables
    items = _items(len(y), len(rows[0]), y.shape[3])
    chunks = chunks_of(items, 2 * max(x.size, y.size))
    arrays = x, w.reshape(*w.shape[:2], -1), bias, y, *rows, *columns
    run(_mix, chunks, items, arrays, (*steps, relu))
    return y


def _repeated(x, filters, groups):
    return x if filters == groups else np.repeat(x, filters // groups, axis=3)


def forward(x, w, b, size, stride, padding, dilation, groups, relu=False):
    """As `conv.forward`, where `suits`."""
    filters = w.shape[3]
    tables = _tables(False, x.shape[1:3], size, w.shape[:2], stride, padding, dilation)
    b = np.zeros(filters, x.dtype) if b is None else b
    y = aligned(x.shape[0], *size, filters)
    return _mixed(_repeated(x, filters, groups), w, b, y, tables, relu)


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`, where `suits`."""
    filters = w.shape[3]
    tables = _tables(True, size, g.shape[1:3], w.shape[:2], stride, padding, dilation)
    dx = np.empty((g.shape[0], *size, filters), g.dtype)
    _mixed(g, w, np.zeros(filters, g.dtype), dx, tables, 0)
    return _gathered(dx, groups)


def _gathered(dx, groups):
    """The transpose of `_repeated`."""
    return dx if dx.shape[3] == groups else dx.reshape(*dx.shape[:3], groups, -1).sum(axis=4)


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups, db=None):
    """As `conv.weight_grad`, where `suits`."""
    w = np.zeros((*kernel_size, 1, g.shape[3]), x.dtype)
    return _gradients(x, g, w, False, stride, padding, dilation, groups, db)[1]


def gradients(x, g, w, stride, padding, dilation, groups, db=None):
    """As `conv.gradients` with dx, where `suits`."""
    return _gradients(x, g, w, True, stride, padding, dilation, groups, db)


def _gradients(x, g, w, wanted, stride, padding, dilation, groups, db):
    (fh, fw), filters = w.shape[:2], g.shape[3]
    geometry = x.shape[1:3], g.shape[1:3], (fh, fw), stride, padding, dilation
    bands = _bands(wanted, *geometry)
    items = _items(len(g), len(bands[0]) - 1, filters)
    chunks = chunks_of(items, 2 * max(x.size, g.size), PARTIALS)
    sums = np.zeros((chunks, -(-filters // LANES), fh * fw + 2, LANES), np.float32)
    partials = np.empty((chunks, fh * fw + 1, filters), np.float32)
    dx = np.empty((*x.shape[:3], filters) if wanted else (1, 1, 1, filters), np.float32)
    bias = np.zeros(filters, np.float32)
    arrays = _repeated(x, filters, groups), g, w.reshape(fh, fw, filters), bias, dx, sums, partials
    rows, columns, steps = _tables(False, *geometry)
    dx_rows, dx_columns, dx_steps = _tables(True, *geometry)
    tables = *bands, *rows, *columns, *dx_rows, *dx_columns
    run(_backward, chunks, items, (*arrays, *tables), (*steps, *dx_steps))
    total = partials.sum(axis=0)
    if db is not None:
        db[...] = total[-1]
    return _gathered(dx, groups) if wanted else None, total[:-1].reshape(fh, fw, 1, filters)

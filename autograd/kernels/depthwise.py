"""Depthwise convolution over channels-last images: filter k sees channel k // multiplier only.

    y[n, i, j, k] = b[k] + sum over (a, e) of x[n, i*sh + a*dh - top, j*sw + e*dw - left, k // multiplier]
                                              * w[a, e, 0, k]

A field is a rectangle of outputs that see the same taps: the inside of an image is one, its edges and corners
are others. Tables hold them, made from what each output sees (`_seen`), or for the gradient of the input,
which is the same kernel, from which outputs see a pixel (`_seen_by`). So stride, dilation and padding cost
nothing inside. A multiplier over 1 repeats the channels of x first.

Memory is the limit, so images pass once and in order: a few rows of a field at a time, all their channels.
The gradients of the input and of the filters are one pass too, since the outputs g that a pixel adds to dx
are those it adds to dw: dx[p] = sum of g * w, dw = sum of x[p] * g, over the same fields."""

import functools

import numpy as np

from .compiling import REASSOCIATE, kernel
from .fields import MOST, run_field
from .loops import loop
from .operands import floats, numbers, run, wholes
from .patches import aligned
from .simd import LANES, NAME
from .threads import CHUNKS, chunks_of

PARTIALS = 8  # weight gradients summed separately, one a chunk, and added up at the end
LONGEST = 32  # places in a line: images of more are cut, so that a few images keep all threads busy
ROWS = 4  # of a field at a time, where channels are many: more leave the cache before the next block
FEW = 16  # lines under which the blocks of channels are shared out too


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
def _sum_line(n, line, c, blocks, x, w, bias, y, rows, columns, steps, relu, both, z, sums):
    """y[n, i, j] = bias + the sum of x[n, h, v] * w[a, e], w (fh, fw, K), in `blocks` vectors of channels
    from c on, for each field of a line of `rows` with `columns` (`_in_lines`). With `both`, each sums[a, e]
    grows by x[n, h, v] * z[n, i, j] too."""
    lines, row_pairs, row_counts = rows
    fields, column_pairs, column_counts = columns
    y_down, x_down, y_right, x_right = steps
    channels = y.shape[3]
    x_row, y_row, w_row = x.shape[2] * channels, y.shape[2] * channels, w.shape[1] * channels
    image = x.ctypes.data + 4 * (n * x.shape[1] * x_row + c)
    to_z, to_sums = (z.ctypes.data - y.ctypes.data) // 4, (sums.ctypes.data - w.ctypes.data) // 4
    i, tall = lines[line]
    most = max(ROWS, LONGEST // blocks)
    for down in range(0, tall, most):
        some = min(most, tall - down)
        for k in range(len(fields)):
            j, wide = fields[k]
            out = y.ctypes.data + 4 * ((n * y.shape[1] + i + down * y_down) * y_row + j * channels + c)
            start = bias.ctypes.data + 4 * c
            walk = some, x_down * x_row, y_down * y_row, wide, x_right * channels, y_right * channels
            left = row_counts[line].sum() * column_counts[k].sum()  # taps that are not added yet
            for r in range(row_counts.shape[1]):
                images, filters = _addresses(image, row_pairs[line, r], 4 * x_row, 4 * w_row)
                images = _shift(images, 4 * down * x_down * x_row)
                filters = _shift(filters, w.ctypes.data + 4 * c)
                for t in range(column_counts.shape[1]):
                    high, across = row_counts[line, r], column_counts[k, t]
                    if high * across == 0:
                        continue
                    left -= high * across
                    pixels, taps = _addresses(0, column_pairs[k, t], channels, channels)
                    kind = 2 * both + _slides(column_pairs[k, t], across, x_right)
                    final = relu if left == 0 else 0
                    others = (out, start, *walk, final, blocks, to_z, to_sums)
                    run_field(kind, high, across, images, pixels, filters, taps, others)
                    start = 0
            if start != 0:  # an output that sees nothing
                for p in range(down, down + some):
                    for q in range(wide):
                        pixel = y[n, i + p * y_down, j + q * y_right]
                        for lane in range(c, c + blocks * LANES):
                            pixel[lane] = 0 if relu and bias[lane] < 0 else bias[lane]
    return x.size + w.size + y.size + bias.size + z.size + sums.size  # so that none is freed before


@kernel(fastmath=REASSOCIATE)
def _add_pixels(x, first, last, total):
    """total (K,) += the sum of pixels first to last - 1 of x (pixels, K)."""
    four = first + (last - first) // 4 * 4
    for p in range(first, four, 4):
        a, b, c, d = x[p], x[p + 1], x[p + 2], x[p + 3]
        for k in range(total.size):
            total[k] += (a[k] + b[k]) + (c[k] + d[k])
    for p in range(four, last):
        for k in range(total.size):
            total[k] += x[p, k]


@kernel(forceinline=True)
def _axis(at, k):
    """The table of lines of `_in_lines`, arrays k to k + 2."""
    return wholes(at, k)[0, 0], wholes(at, k + 1), wholes(at, k + 2)[0, 0]


@loop
def _sums(chunk, first, last, width, at):
    """Items first..last of images * lines * shares of the channels. The last vector of channels overlaps the
    one before, and has sums of its own: they are (chunks, 1 or 2, fh * fw + 1, K), the last row of the first
    being the sum of x."""
    x, w, bias, y, z = floats(at, 0), floats(at, 1)[0], floats(at, 2)[0, 0, 0], floats(at, 3), floats(at, 4)
    rows, columns, sums, number = _axis(at, 5), _axis(at, 8), floats(at, 11), numbers(at)
    steps = number[0], number[1], number[2], number[3]
    relu, shares, both = number[4], number[5], number[6]
    lines, channels = len(rows[0]), y.shape[3]
    whole, high = channels // LANES, x.shape[1]
    for item in range(first, last):
        n, line, share = item // (lines * shares), item // shares % lines, item % shares
        low, end = share * whole // shares, (share + 1) * whole // shares
        c, blocks, own = low * LANES, end - low, sums[chunk, 0]
        _sum_line(n, line, c, blocks, x, w, bias, y, rows, columns, steps, relu, both, z, own)
        if share == shares - 1 and whole * LANES < channels:
            c, own = channels - LANES, sums[chunk, 1]
            _sum_line(n, line, c, 1, x, w, bias, y, rows, columns, steps, relu, both, z, own)
        if both and share == 0:
            image, across = x[n].reshape(high * x.shape[2], channels), x.shape[2]
            begin, stop = line * high // lines * across, (line + 1) * high // lines * across
            _add_pixels(image, begin, stop, sums[chunk, 0, sums.shape[2] - 1])


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


def _run(x, w, bias, y, tables, relu, z, partials):
    """Fills y; with z, the sums for the filters and that of x are returned too, (fh * fw + 1, K)."""
    rows, columns, steps = tables
    filters, (fh, fw) = y.shape[3], w.shape[:2]
    lines = len(y) * len(rows[0])
    shares = filters // LANES if lines < FEW else 1
    chunks = chunks_of(lines * shares, 2 * max(x.size, y.size), partials)
    whole = filters // LANES * LANES
    kinds = 1 if whole == filters else 2
    sums = bias if z is None else np.zeros((chunks, kinds, fh * fw + 1, filters), np.float32)
    arrays = x, w.reshape(fh, fw, filters), bias, y, bias if z is None else z, *rows, *columns, sums
    run(_sums, chunks, lines * shares, arrays, (*steps, relu, shares, z is not None))
    if z is None:
        return None
    totals = np.add.reduce(sums)
    totals[0, :-1, whole:] = totals[-1, :-1, whole:]
    return totals[0]


def _repeated(x, filters, groups):
    return x if filters == groups else np.repeat(x, filters // groups, axis=3)


def _gathered(dx, groups):
    """The transpose of `_repeated`."""
    return dx if dx.shape[3] == groups else dx.reshape(*dx.shape[:3], groups, -1).sum(axis=4)


def forward(x, w, b, size, stride, padding, dilation, groups, relu=False):
    """As `conv.forward`, where `suits`."""
    filters = w.shape[3]
    tables = _tables(False, x.shape[1:3], size, w.shape[:2], stride, padding, dilation)
    b = np.zeros(filters, x.dtype) if b is None else b
    y = aligned(x.shape[0], *size, filters)
    _run(_repeated(x, filters, groups), w, b, y, tables, relu, None, CHUNKS)
    return y


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`, where `suits`."""
    filters = w.shape[3]
    tables = _tables(True, size, g.shape[1:3], w.shape[:2], stride, padding, dilation)
    dx = aligned(g.shape[0], *size, filters)
    _run(g, w, np.zeros(filters, g.dtype), dx, tables, 0, None, CHUNKS)
    return _gathered(dx, groups)


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups, db=None):
    """As `conv.weight_grad`, where `suits`."""
    w = np.zeros((*kernel_size, 1, g.shape[3]), x.dtype)
    return gradients(x, g, w, stride, padding, dilation, groups, db)[1]


def gradients(x, g, w, stride, padding, dilation, groups, db=None):
    """As `conv.gradients` with dx, where `suits`."""
    (fh, fw), filters = w.shape[:2], g.shape[3]
    tables = _tables(True, x.shape[1:3], g.shape[1:3], (fh, fw), stride, padding, dilation)
    x = _repeated(x, filters, groups)
    dx = aligned(*x.shape)
    total = _run(g, w, np.zeros(filters, np.float32), dx, tables, 0, x, PARTIALS)
    if db is not None:
        db[...] = total[-1]
    return _gathered(dx, groups), total[:-1].reshape(fh, fw, 1, filters)

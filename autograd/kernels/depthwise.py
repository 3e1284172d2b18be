"""Depthwise convolution over channels-last images: filter k sees channel k // multiplier only.

    y[n, i, j, k] = b[k] + sum over (a, e) of x[n, i*sh + a*dh - top, j*sw + e*dw - left, k // multiplier]
                                              * w[a, e, 0, k]

A product needs two loads, so loads are the limit unless what was loaded is used again. From outside to
inside the loops go over blocks of channels as wide as a vector, taps by 3x3, and pixels: the taps' weights
(for their gradient, the sums) stay in registers over a field of pixels. LLVM does not make that of Python
loops, so it is written as LLVM IR. The last block of channels overlaps the one before.

A field is a rectangle of outputs that see the same taps: the inside of an image is one, its edges and corners
are others. Tables hold them, made from what each output sees (`_seen`), or for the gradient of the input,
which is the same kernel, from which outputs see a pixel (`_seen_by`). So stride, dilation and padding cost
nothing inside. A multiplier over 1 repeats the channels of x first."""

import functools

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic

from .compiling import kernel
from .patches import aligned
from .simd import I64, LANES, NAME, POINTER, VECTOR
from .threads import chunks_of, launch

PARTIALS = 8  # weight gradients summed separately, one a chunk, and added up at the end
MOST = 3  # taps of a filter that a field takes at a time, along each axis
LONGEST = 16  # places in a line: images of more are cut, so that a few images keep all threads busy


def suits(groups: int, channels: int, filters: int) -> bool:
    """Whether this module computes a convolution of float32: each filter sees one channel, and the filters
    fill a vector."""
    return NAME != "off" and groups == channels and filters >= LANES


# Byte addresses x[r] and w[r] of up to three rows of taps, and offsets x_taps[c] and w_taps[c] of up to
# three columns; y and the bias (0: none); how many rows and columns of pixels, and the steps from one to the
# next in x and y. Offsets and steps count elements.
KINDS = {
    "x": [POINTER] * MOST,
    "x_taps": [I64] * MOST,
    "w": [POINTER] * MOST,
    "w_taps": [I64] * MOST,
    "y, bias": [POINTER] * 2,
    "rows, x_down, y_down, columns, x_right, y_right": [I64] * 6,
}
ARGUMENTS = [kind for kinds in KINDS.values() for kind in kinds]


def _vector_at(b, pointer, offset=None):
    """The vector's place, an offset of elements after the pointer."""
    pointer = pointer if offset is None else b.gep(pointer, [offset])
    return b.bitcast(pointer, VECTOR.as_pointer())


class _Loop:
    """`for _ in range(count)` in LLVM, count over 0: pointers go on by a step each, values are handed on."""

    def __init__(self, b, count, pointers, steps, carried):
        before = b.block
        self.b, self.block = b, b.append_basic_block("loop")
        b.branch(self.block)
        b.position_at_end(self.block)
        first = [ir.Constant(I64, 0), *pointers, *carried]
        phis = [b.phi(value.type) for value in first]
        for phi, value in zip(phis, first, strict=True):
            phi.add_incoming(value, before)
        self.number, self.pointers, self.carried = (
            phis[0],
            phis[1 : 1 + len(pointers)],
            phis[1 + len(pointers) :],
        )
        self.count, self.steps = count, steps

    def end(self, carried):
        b = self.b
        following = [b.gep(p, [step]) for p, step in zip(self.pointers, self.steps, strict=True)]
        after = b.add(self.number, ir.Constant(I64, 1))
        phis = [self.number, *self.pointers, *self.carried]
        for phi, value in zip(phis, [after, *following, *carried], strict=True):
            phi.add_incoming(value, b.block)
        done = b.append_basic_block("done")
        b.cbranch(b.icmp_signed("<", after, self.count), self.block, done)
        b.position_at_end(done)


def _variant(module, tall, wide, kind):
    """The LLVM function for tall x wide taps. "mix": y = (y, or the bias if there is one) + sum of x * w
    over the taps, at each pixel; "grad": each w += sum of x * y over the pixels.

    Where taps are as far apart as pixels ("slide" in the kind), a pixel loads one column of x and has the
    others from the pixels before."""
    name = f"ngrad_depthwise_{LANES}_{tall}x{wide}_{kind}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), ARGUMENTS), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    given = list(function.args)
    x, x_taps, w, w_taps = (given[MOST * k : MOST * k + n] for k, n in enumerate((tall, wide, tall, wide)))
    y, bias, rows, x_down, y_down, columns, x_right, y_right = given[4 * MOST :]
    fused = f"llvm.fmuladd.v{LANES}f32"
    multiply_add = module.globals.get(fused) or ir.Function(
        module, ir.FunctionType(VECTOR, [VECTOR] * 3), fused
    )
    taps = [(r, c) for r in range(tall) for c in range(wide)]
    grad, kept = kind.startswith("grad"), wide - 1 if kind.endswith("slide") else 0

    b = ir.IRBuilder(function.append_basic_block("entry"))
    places = [_vector_at(b, w[r], w_taps[c]) for r, c in taps]
    weights = [b.load(place, align=4) for place in places]
    biased = b.icmp_unsigned("!=", bias, ir.Constant(POINTER, None))
    start = b.load(_vector_at(b, b.select(biased, bias, y)), align=4)
    down = _Loop(b, rows, [y, *x], [y_down] + [x_down] * tall, weights if grad else [])
    columns_before = [
        b.load(_vector_at(b, at, x_taps[c]), align=4) for at in down.pointers[1:] for c in range(kept)
    ]
    carried = [*columns_before, *down.carried]
    right = _Loop(b, columns, down.pointers, [y_right] + [x_right] * tall, carried)
    y_at, *x_at = right.pointers
    values = []
    for r in range(tall):
        values += right.carried[r * kept : (r + 1) * kept]
        values += [b.load(_vector_at(b, x_at[r], x_taps[c]), align=4) for c in range(kept, wide)]
    here = b.load(_vector_at(b, y_at), align=4)
    sums = []
    if grad:
        totals = right.carried[tall * kept :]
        sums = [b.call(multiply_add, [v, here, s]) for v, s in zip(values, totals, strict=True)]
    else:
        parts = [b.select(biased, start, here)] + [None] * (tall - 1)  # one a row of taps: short chains
        for (r, _), value, weight in zip(taps, values, weights, strict=True):
            first = parts[r] is None
            parts[r] = b.fmul(value, weight) if first else b.call(multiply_add, [value, weight, parts[r]])
        total = parts[0]
        for part in parts[1:]:
            total = b.fadd(total, part)
        b.store(total, _vector_at(b, y_at), align=4)
    moved = [values[r * wide + c] for r in range(tall) for c in range(1, kept + 1)]
    right.end([*moved, *sums])
    down.end(sums)
    for value, place in zip(sums, places, strict=False):
        b.store(value, place, align=4)
    b.ret_void()
    return function


def _dispatcher(*kinds):
    """An intrinsic (kind, tall, wide, x, x_taps, w, w_taps, others) that calls the variant of that kind, a
    number in `kinds`, for so many taps."""

    def field(typingctx, kind, tall, wide, x, x_taps, w, w_taps, others):
        def codegen(context, b, signature, arguments):
            kind, tall, wide, *tuples = arguments
            sizes = [MOST] * 4 + [len(ARGUMENTS) - 4 * MOST]
            flat = [b.extract_value(t, k) for t, n in zip(tuples, sizes, strict=True) for k in range(n)]
            given = [
                b.inttoptr(a, kind) if kind is POINTER else a for a, kind in zip(flat, ARGUMENTS, strict=True)
            ]
            base = ir.Constant(I64, MOST + 1)
            end = b.append_basic_block("end")
            cases = b.switch(b.add(b.mul(b.add(b.mul(kind, base), tall), base), wide), end)
            for n, name in enumerate(kinds):
                for r in range(1, MOST + 1):
                    for c in range(MOST if name.endswith("slide") else 1, MOST + 1):
                        block = b.append_basic_block("call")
                        cases.add_case(ir.Constant(I64, (n * (MOST + 1) + r) * (MOST + 1) + c), block)
                        b.position_at_end(block)
                        b.call(_variant(b.module, r, c, name), given)
                        b.branch(end)
            b.position_at_end(end)
            return context.get_dummy_value()

        three, rest = types.UniTuple(types.intp, MOST), types.UniTuple(types.intp, len(ARGUMENTS) - 4 * MOST)
        return types.void(*[types.intp] * 3, three, three, three, three, rest), codegen

    return field


_mix_field = intrinsic(_dispatcher("mix", "mix slide"))
_grad_field = intrinsic(_dispatcher("grad", "grad slide"))


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
def _mix(chunk, first, last, x, w, bias, y, rows, columns, steps):
    """y[n, i, j] = bias + the sum of x[n, h, v] * w[a, e], w (fh, fw, K), for each field of `rows` x
    `columns` (`_in_lines`), image and block of channels."""
    lines, row_pairs, row_counts = rows
    fields, column_pairs, column_counts = columns
    y_down, x_down, y_right, x_right = steps
    channels = y.shape[3]
    blocks = -(-channels // LANES)
    x_row, y_row = x.shape[2] * channels, y.shape[2] * channels
    x_at, w_at, y_at, bias_at = x.ctypes.data, w.ctypes.data, y.ctypes.data, bias.ctypes.data
    for item in range(first, last):
        n, line, block = item // (len(lines) * blocks), item // blocks % len(lines), item % blocks
        c = min(block * LANES, channels - LANES)
        i, tall = lines[line]
        image = x_at + 4 * (n * x.shape[1] * x_row + c)
        for k in range(len(fields)):
            j, wide = fields[k]
            out = y_at + 4 * ((n * y.shape[1] + i) * y_row + j * channels + c)
            start = bias_at + 4 * c
            for r in range(row_counts.shape[1]):
                images, filters = _addresses(image, row_pairs[line, r], 4 * x_row, 4 * w.shape[1] * channels)
                filters = _shift(filters, w_at + 4 * c)
                for t in range(column_counts.shape[1]):
                    if row_counts[line, r] * column_counts[k, t] == 0:
                        continue
                    pixels, taps = _addresses(0, column_pairs[k, t], channels, channels)
                    walk = tall, x_down * x_row, y_down * y_row, wide, x_right * channels, y_right * channels
                    across = column_counts[k, t]
                    kind = _slides(column_pairs[k, t], across, x_right)
                    others = (out, start, *walk)
                    _mix_field(kind, row_counts[line, r], across, images, pixels, filters, taps, others)
                    start = 0
            if start != 0:  # an output that sees nothing
                for p in range(tall):
                    for q in range(wide):
                        pixel = y[n, i + p * y_down, j + q * y_right]
                        for lane in range(c, c + LANES):
                            pixel[lane] = bias[lane]
    return x.size + w.size + y.size + bias.size  # names the arrays, so that none is freed before


@kernel(parallel=True)
def _mix_loop(chunks, total, x, w, bias, y, rows, columns, steps):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _mix(chunk, first, last, x, w, bias, y, rows, columns, steps)


@kernel()
def _weight_grad(chunk, first, last, x, g, partials, rows, columns, steps):
    """partials (chunks, fh, fw, K); the rest as in `_mix`. Each block of channels has sums of its own, though
    the last one overlaps."""
    lines, row_pairs, row_counts = rows
    fields, column_pairs, column_counts = columns
    y_down, x_down, y_right, x_right = steps
    channels = g.shape[3]
    blocks = -(-channels // LANES)
    sums = np.zeros((blocks, partials.shape[1], partials.shape[2], LANES), x.dtype)
    x_row, g_row = x.shape[2] * channels, g.shape[2] * channels
    x_at, w_at, g_at = x.ctypes.data, sums.ctypes.data, g.ctypes.data
    for item in range(first, last):
        n, line, block = item // (len(lines) * blocks), item // blocks % len(lines), item % blocks
        c = min(block * LANES, channels - LANES)
        i, tall = lines[line]
        image = x_at + 4 * (n * x.shape[1] * x_row + c)
        for k in range(len(fields)):
            j, wide = fields[k]
            out = g_at + 4 * ((n * g.shape[1] + i) * g_row + j * channels + c)
            for r in range(row_counts.shape[1]):
                images, filters = _addresses(image, row_pairs[line, r], 4 * x_row, 4 * sums.shape[2] * LANES)
                filters = _shift(filters, w_at + 4 * block * sums[0].size)
                for t in range(column_counts.shape[1]):
                    if row_counts[line, r] * column_counts[k, t] == 0:
                        continue
                    pixels, taps = _addresses(0, column_pairs[k, t], channels, LANES)
                    walk = tall, x_down * x_row, y_down * g_row, wide, x_right * channels, y_right * channels
                    across = column_counts[k, t]
                    kind = _slides(column_pairs[k, t], across, x_right)
                    others = (out, 0, *walk)
                    _grad_field(kind, row_counts[line, r], across, images, pixels, filters, taps, others)
    for block in range(blocks):
        c = min(block * LANES, channels - LANES)
        for a in range(sums.shape[1]):
            for e in range(sums.shape[2]):
                for lane in range(LANES):
                    partials[chunk, a, e, c + lane] = sums[block, a, e, lane]
    return x.size + g.size + sums.size  # names the arrays, so that none is freed before


@kernel(parallel=True)
def _weight_grad_loop(chunks, total, x, g, partials, rows, columns, steps):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * total // chunks, (chunk + 1) * total // chunks
        _weight_grad(chunk, first, last, x, g, partials, rows, columns, steps)


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


def _items(images, tables, channels):
    return images * len(tables[0][0]) * -(-channels // LANES)


def _mixed(x, w, bias, y, tables):
    items = _items(len(y), tables, y.shape[3])
    chunks = chunks_of(items, 2 * max(x.size, y.size))
    launch(_mix, _mix_loop, chunks, items, x, w.reshape(*w.shape[:2], -1), bias, y, *tables)
    return y


def _repeated(x, filters, groups):
    return x if filters == groups else np.repeat(x, filters // groups, axis=3)


def forward(x, w, b, size, stride, padding, dilation, groups):
    """As `conv.forward`, where `suits`."""
    filters = w.shape[3]
    tables = _tables(False, x.shape[1:3], size, w.shape[:2], stride, padding, dilation)
    b = np.zeros(filters, x.dtype) if b is None else b
    return _mixed(_repeated(x, filters, groups), w, b, aligned(x.shape[0], *size, filters), tables)


def input_grad(g, w, size, stride, padding, dilation, groups):
    """As `conv.input_grad`, where `suits`."""
    filters = w.shape[3]
    tables = _tables(True, size, g.shape[1:3], w.shape[:2], stride, padding, dilation)
    dx = np.empty((g.shape[0], *size, filters), g.dtype)
    _mixed(g, w, np.zeros(filters, g.dtype), dx, tables)
    return dx if filters == groups else dx.reshape(*dx.shape[:3], groups, -1).sum(axis=4)


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups):
    """As `conv.weight_grad`, where `suits`."""
    filters = g.shape[3]
    tables = _tables(False, x.shape[1:3], g.shape[1:3], kernel_size, stride, padding, dilation)
    items = _items(len(g), tables, filters)
    chunks = chunks_of(items, 2 * g.size, PARTIALS)
    partials = np.zeros((chunks, *kernel_size, filters), x.dtype)
    arrays = _repeated(x, filters, groups), g, partials
    launch(_weight_grad, _weight_grad_loop, chunks, items, *arrays, *tables)
    return partials.sum(axis=0)[:, :, None]

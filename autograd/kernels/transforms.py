"""The transforms of Winograd convolution as the paper writes them, and as intrinsics made of these lines.

Six points, 0, 1, -1, 2, -2 and infinity, serve 4 outputs of 3 taps and 2 outputs of 5 taps: with p a point,
N(p) = 4, -6, -6, 24, 24, 1, rows of G are (1, p, p^2, ...) / N(p), columns of A^T are (1, p, p^2, ...), and
B^T is the same for both."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from . import simd
from .compiling import kernel
from .simd import COLUMNS, LANES


def input_points(d):
    """B^T d, for six values."""
    a, b, c, e = d[4] - d[2] * 4.0, d[3] - d[1] * 4.0, d[4] - d[2], (d[3] - d[1]) * 2.0
    first, last = d[0] * 4.0 - d[2] * 5.0 + d[4], d[1] * 4.0 - d[3] * 5.0 + d[5]
    return [first, a + b, a - b, c + e, c - e, last]


def four_outputs(m):
    """A^T m, for six values and four outputs."""
    s, d, s2, d2 = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return [m[0] + s + s2, d + d2 * 2.0, s + s2 * 4.0, d + d2 * 8.0 + m[5]]


def four_cotangents(y):
    """A y, for four values."""
    even, odd, even2, odd2 = y[0] + y[2], y[1] + y[3], y[0] + y[2] * 4.0, (y[1] + y[3] * 4.0) * 2.0
    return [y[0], even + odd, even - odd, even2 + odd2, even2 - odd2, y[3]]


def three_taps(w):
    """G w, for three values."""
    even, even2, odd2 = (w[0] + w[2]) * (-1 / 6), w[0] * (1 / 24) + w[2] * (1 / 6), w[1] * (1 / 12)
    return [w[0] * 0.25, even - w[1] * (1 / 6), even + w[1] * (1 / 6), even2 + odd2, even2 - odd2, w[2]]


def three_tap_cotangents(u):
    """G^T u, for six values and three taps."""
    s, d, s2, d2 = u[1] + u[2], u[2] - u[1], u[3] + u[4], u[3] - u[4]
    middle = d * (1 / 6) + d2 * (1 / 12)
    return [u[0] * 0.25 - s * (1 / 6) + s2 * (1 / 24), middle, (s2 - s) * (1 / 6) + u[5]]


def two_outputs(m):
    """A^T m, for six values and two outputs."""
    return [m[0] + (m[1] + m[2]) + (m[3] + m[4]), (m[1] - m[2]) + (m[3] - m[4]) * 2.0 + m[5]]


def two_cotangents(y):
    """A y, for two values."""
    twice = y[1] * 2.0
    return [y[0], y[0] + y[1], y[0] - y[1], y[0] + twice, y[0] - twice, y[1]]


def five_taps(w):
    """G w, for five values."""
    even, odd = (w[0] + w[2] + w[4]) * (-1 / 6), (w[1] + w[3]) * (1 / 6)
    even2 = w[0] * (1 / 24) + w[2] * (1 / 6) + w[4] * (2 / 3)
    odd2 = w[1] * (1 / 12) + w[3] * (1 / 3)
    return [w[0] * 0.25, even - odd, even + odd, even2 + odd2, even2 - odd2, w[4]]


def five_tap_cotangents(u):
    """G^T u, for six values and five taps."""
    s, d, s2, d2 = (u[1] + u[2]) * (1 / 6), (u[2] - u[1]) * (1 / 6), u[3] + u[4], u[3] - u[4]
    first, middle = u[0] * 0.25 - s + s2 * (1 / 24), s2 * (1 / 6) - s
    return [first, d + d2 * (1 / 12), middle, d + d2 * (1 / 3), s2 * (2 / 3) - s + u[5]]


class _Vector:
    """An LLVM vector with Python's operators, so that the formulas above are the code."""

    def __init__(self, b, value):
        self.b, self.value = b, value

    def __add__(self, other):
        return _Vector(self.b, self.b.fadd(self.value, other.value, flags=("contract",)))

    def __sub__(self, other):
        return _Vector(self.b, self.b.fsub(self.value, other.value, flags=("contract",)))

    def __mul__(self, number):
        factor = ir.Constant(simd.VECTOR, [float(np.float32(number))] * LANES)
        return _Vector(self.b, self.b.fmul(self.value, factor, flags=("contract",)))


def _transform(points, size, final=False):
    """An intrinsic that applies `points` to the columns and then the rows of a tile of size x size pixels.

    transform(source, source_offsets, target, target_offsets, channels), all of them addresses but the last:
    pixel t is at source + 4 * source_offsets[t], and has `channels` >= LANES channels, so the last vector of
    them may overlap the one before it. A `final` one takes (..., channels, bias, relu): the bias, an address,
    is added to every result, and negative results become 0 unless relu is 0."""
    name = f"ngrad_{points.__name__}_{simd.NAME}"
    kinds = [simd.I64] * (7 if final else 5)

    def define(module):
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
        function.linkage = "linkonce_odr"
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        source, source_offsets, target, target_offsets, channels, *others = function.args
        entry, loop, done = (function.append_basic_block(s) for s in ("entry", "loop", "done"))
        b = ir.IRBuilder(entry)
        whole = lambda n: ir.Constant(simd.I64, n)
        tables = {o: b.inttoptr(o, simd.I64.as_pointer()) for o in (source_offsets, target_offsets)}
        last = b.sub(channels, whole(LANES))
        if final:
            bias, relu = others
            lowest = [ir.Constant(simd.VECTOR, [value] * LANES) for value in (0.0, float("-inf"))]
            lowest = b.select(b.icmp_signed("!=", relu, whole(0)), *lowest)
        b.branch(loop)

        b.position_at_end(loop)
        k = b.phi(simd.I64)
        here = b.select(b.icmp_signed("<", k, last), k, last)

        def vector_at(base, element):
            return b.inttoptr(b.add(base, b.shl(element, whole(2))), simd.VECTOR.as_pointer())

        def pixel(base, offsets, t):
            return vector_at(base, b.add(b.load(b.gep(tables[offsets], [whole(t)])), here))

        columns = []
        for j in range(size):
            places = [pixel(source, source_offsets, i * size + j) for i in range(size)]
            columns.append(points([_Vector(b, b.load(p, align=4)) for p in places]))
        results = [value for row in zip(*columns, strict=True) for value in points(row)]
        if final:
            added = _Vector(b, b.load(vector_at(bias, here), align=4))
            results = [(value + added).value for value in results]
            results = [_Vector(b, b.select(b.fcmp_ordered(">", lowest, v), lowest, v)) for v in results]
        for t, result in enumerate(results):
            b.store(result.value, pixel(target, target_offsets, t), align=4)
        after = b.add(k, whole(LANES))
        k.add_incoming(whole(0), entry)
        k.add_incoming(after, loop)
        b.cbranch(b.icmp_signed("<", after, channels), loop, done)
        b.position_at_end(done)
        b.ret_void()
        return function

    def codegen(context, b, signature, arguments):
        b.call(b.module.globals.get(name) or define(b.module), arguments)
        return context.get_dummy_value()

    def transform(typingctx, source, source_offsets, target, target_offsets, channels):
        return types.void(*[types.intp] * 5), codegen

    def transform_and_finish(typingctx, source, source_offsets, target, target_offsets, channels, bias, relu):
        return types.void(*[types.intp] * 7), codegen

    return intrinsic(transform_and_finish if final else transform)


transform_input = _transform(input_points, 6)
transform_output_4 = _transform(four_outputs, 6, final=True)
transform_output_2 = _transform(two_outputs, 6, final=True)
transform_cotangent_4 = _transform(four_cotangents, 4)
transform_cotangent_2 = _transform(two_cotangents, 2)
transform_filter_3 = _transform(three_taps, 3)
transform_filter_5 = _transform(five_taps, 5)
transform_filter_cotangent_3 = _transform(three_tap_cotangents, 6)
transform_filter_cotangent_5 = _transform(five_tap_cotangents, 6)


@kernel()
def window_offsets(offsets, size, height, width, channels, row, column, outside):
    """Where the pixels of a size x size window at (row, column) are, from the image's first on; `outside` for
    those outside the image."""
    for i in range(size):
        for j in range(size):
            h, w = row + i, column + j
            inside = 0 <= h < height and 0 <= w < width
            offsets[i * size + j] = (h * width + w) * channels if inside else outside


@kernel()
def window(offsets, regular, size, height, width, channels, n, row, column, outside):
    """The offset of a window's first pixel, having filled `offsets` if the window leaves the image; a table
    that all windows inside share is `regular`. Returns (base, whether it lies inside)."""
    if row >= 0 and column >= 0 and row + size <= height and column + size <= width:
        return ((n * height + row) * width + column) * channels, True
    base = n * height * width * channels
    window_offsets(offsets, size, height, width, channels, row, column, outside - base)
    return base, False


@kernel()
def _block_of_filters(w, turned, c0, c1, k0, k1, out):
    """w[:, c0:c1, k0:k1] to out[:, : c1 - c0, : k1 - k0]. If `turned`, w is (taps, K, C), and its taps are
    turned around by a half turn too."""
    taps = w.shape[0]
    for tap in range(taps):
        if not turned:
            for c in range(c0, c1):
                for k in range(k0, k1):
                    out[tap, c - c0, k - k0] = w[tap, c, k]
            continue
        for k in range(k0, k1, LANES):
            stop = min(k + LANES, k1)
            for c in range(c0, c1):
                for here in range(k, stop):
                    out[tap, c - c0, here - k0] = w[taps - 1 - tap, here, c]


@kernel()
def transform_filters(w, turned, c0, c1, k0, k1, copies, tables, out, stride, depth):
    """G w G^T of filters k0..k1 in channels c0..c1, w (taps, C, K), or (taps, K, C) if `turned`. COLUMNS of
    the filters make a panel (depth, COLUMNS), from address `out` on; elements are `stride` numbers apart.
    What is not contiguous goes through `copies` (taps, LANES, columns), if that holds numbers at all;
    `tables` (2, 36) is overwritten."""
    from_w, to_out = tables[0], tables[1]
    copied = copies.size > 0
    row = copies.shape[2] if copied else w.shape[2]
    for e in range(36):
        to_out[e] = e * stride
    for t in range(w.shape[0]):
        from_w[t] = t * row * (LANES if copied else w.shape[1])
    for start in range(c0, c1, LANES):
        stop = min(start + LANES, c1)
        source = w.ctypes.data + (start * w.shape[2] + k0) * 4
        if copied:
            _block_of_filters(w, turned, start, stop, k0, k1, copies)
            source = copies.ctypes.data
        for c in range(stop - start):
            for k in range(0, k1 - k0, COLUMNS):
                here = source + (c * row + k) * 4
                to = out + (k // COLUMNS * depth + start - c0 + c) * COLUMNS * 4
                lanes = min(COLUMNS, (k1 - k0 - k + LANES - 1) // LANES * LANES)
                if w.shape[0] == 9:
                    transform_filter_3(here, from_w.ctypes.data, to, to_out.ctypes.data, lanes)
                else:
                    transform_filter_5(here, from_w.ctypes.data, to, to_out.ctypes.data, lanes)

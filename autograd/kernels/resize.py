"""Resizing channels-last maps, x (N, H, W, C) to y (N, H', W', C): along rows and columns each output is a
weighted sum of a few inputs, its taps.

    y[n, i, j] = sum over a of R[i, a] * sum over b of S[j, b] * x[n, a, b]

R and S are sparse matrices as (starts, index, weight): row i has the taps starts[i]..starts[i + 1] - 1. The
transposed matrices give the gradient, so one kernel serves both. A thread makes a row of y: it first sums
rows of x into a line, which stays in the first cache, then reads the line at the columns' taps."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from . import simd
from .compiling import kernel
from .loops import chunks_of, loop
from .operands import floats, run, wholes
from .simd import I64, LANES, NAME, POINTER, VECTOR

_WHOLES = I64.as_pointer()
WIDE = 4  # vectors whose sums are kept at once


def _sum_of_taps(module):
    """The LLVM function out[v] = sum over k of weight[k] * source[index[k] * width + v] for v < width, count
    taps. The sums stay in registers; Numba's own loop would ask at each of so many short ones whether its
    arrays overlap, which takes longer than the sum."""
    name = f"ngrad_taps_{NAME}"
    if name in module.globals:
        return module.globals[name]
    kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, _WHOLES, POINTER, I64, I64])
    function = ir.Function(module, kind, name)
    function.linkage = "linkonce_odr"
    function.attributes.add("nounwind")
    out, source, index, weight, count, width = function.args
    multiply_add = simd._external(module, f"llvm.fmuladd.v{LANES}f32", VECTOR, [VECTOR] * 3)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    whole = lambda n: ir.Constant(I64, n)

    def pieces(begin, end, vectors, masked):
        """The sums from begin to end, so many vectors at a time, in a loop."""
        before = b.block
        head, body, taps, tap, store, done = (
            function.append_basic_block() for _ in ("head", "body", "taps", "tap", "store", "done")
        )
        b.branch(head)
        b.position_at_end(head)
        v = b.phi(I64)
        v.add_incoming(begin, before)
        b.cbranch(b.icmp_signed("<", v, end), body, done)
        b.position_at_end(body)
        mask = None
        if masked:
            lanes = ir.Constant(ir.VectorType(simd.I32, LANES), list(range(LANES)))
            left = b.trunc(b.sub(end, v), simd.I32)
            mask = b.icmp_signed("<", lanes, simd._splat(b, left, ir.VectorType(simd.I32, LANES)))
        row, here = simd._Row(b, vectors, mask), b.gep(source, [v])
        b.branch(taps)
        b.position_at_end(taps)
        k, sums = b.phi(I64), [b.phi(VECTOR) for _ in range(vectors)]
        b.cbranch(b.icmp_signed("<", k, count), tap, store)
        b.position_at_end(tap)
        values = row.load(b.gep(here, [b.mul(b.load(b.gep(index, [k])), width)]))
        share = simd._splat(b, b.load(b.gep(weight, [k])), VECTOR)
        k.add_incoming(whole(0), body)
        k.add_incoming(b.add(k, whole(1)), tap)
        for total, value in zip(sums, values, strict=True):
            total.add_incoming(ir.Constant(VECTOR, [0.0] * LANES), body)
            total.add_incoming(b.call(multiply_add, [share, value, total]), tap)
        b.branch(taps)
        b.position_at_end(store)
        row.store(sums, b.gep(out, [v]))
        v.add_incoming(b.add(v, whole(vectors * LANES)), store)
        b.branch(head)
        b.position_at_end(done)

    wide = b.sub(width, b.srem(width, whole(WIDE * LANES)))
    pieces(whole(0), wide, WIDE, False)
    pieces(wide, width, 1, True)
    b.ret_void()
    return function


@intrinsic
def _vector_taps(typingctx, out, place, source, index, weight, start, end, width):
    """Takes arrays and not their addresses, so that they live until it is done."""

    def codegen(context, b, signature, arguments):
        def data(k):
            return context.make_array(signature.args[k])(context, b, arguments[k]).data

        _, place, _, _, _, start, end, width = arguments
        pointers = b.gep(data(0), [place]), data(2), b.gep(data(3), [start]), b.gep(data(4), [start])
        b.call(_sum_of_taps(b.module), [*pointers, b.sub(end, start), width])
        return context.get_dummy_value()

    wholes = [types.int64] * 3
    return types.void(out, types.int64, source, index, weight, *wholes), codegen


@kernel()
def _plain_taps(out, place, source, index, weight, start, end, width):
    for v in range(width):
        out[place + v] = 0
    for k in range(start, end):
        for v in range(width):
            out[place + v] += weight[k] * source[index[k] * width + v]


_taps = _plain_taps if NAME == "off" else _vector_taps


@loop
def _rows(chunk, first, last, width, at):
    r_starts, r_index, r_weight = wholes(at, 1)[0, 0, 0], wholes(at, 2)[0, 0, 0], floats(at, 3)[0, 0, 0]
    s_starts, s_index, s_weight = wholes(at, 4)[0, 0, 0], wholes(at, 5)[0, 0, 0], floats(at, 6)[0, 0, 0]
    x, y = floats(at, 0), floats(at, 7)
    height, channels, size = y.shape[1], y.shape[3], x.shape[2] * x.shape[3]
    line = np.empty(size, np.float32)
    for row in range(first, last):
        n, i = row // height, row % height
        plane, out = x[n].reshape(-1), y[n, i].reshape(-1)
        start, end = r_starts[i], r_starts[i + 1]
        if end == start + 1 and r_weight[start] == 1:
            source = plane[r_index[start] * size : (r_index[start] + 1) * size]
        else:
            _taps(line, 0, plane, r_index, r_weight, start, end, size)
            source = line
        for j in range(y.shape[2]):
            start, end = s_starts[j], s_starts[j + 1]
            _taps(out, j * channels, source, s_index, s_weight, start, end, channels)


@kernel()
def _plain_rows(x, r_starts, r_index, r_weight, s_starts, s_index, s_weight, y):
    y[:] = 0
    for n in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                for a in range(r_starts[i], r_starts[i + 1]):
                    for b in range(s_starts[j], s_starts[j + 1]):
                        for c in range(y.shape[3]):
                            value = x[n, r_index[a], s_index[b], c]
                            y[n, i, j, c] += r_weight[a] * s_weight[b] * value


def resample(x, rows, columns):
    """x (N, H, W, C) resized by two sparse matrices (starts, index, weight): int64, and x's dtype."""
    y = np.empty((len(x), len(rows[0]) - 1, len(columns[0]) - 1, x.shape[3]), x.dtype)
    if not y.size:
        return y
    arrays, count = (x, *rows, *columns, y), len(y) * y.shape[1]
    if x.dtype == np.float32:
        taps = len(rows[1]) / y.shape[1] * x.shape[2] / y.shape[2] + len(columns[1]) / y.shape[2]
        run(_rows, chunks_of(count, int(y.size * taps)), count, arrays, ())
    else:
        _plain_rows(*arrays)
    return y

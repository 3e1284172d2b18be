"""Gathering what output pixels see, for direct convolution: copies of a few to a few thousand numbers.

Numba checks each index of an array for being negative, which keeps LLVM from copying whole vectors; here
addresses are copied from and to."""

import ctypes
import itertools
import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from . import simd
from .compiling import kernel
from .loops import _DATA

LINE = 64  # bytes of a cache line


def aligned(*shape):
    """An uninitialised float32 array that starts at a cache line, where NumPy's start at any 16 bytes. A
    vector that lies on two lines takes two loads: 8% of the microkernel's rate, a fifth of depthwise."""
    memory = np.empty(math.prod(shape) + LINE // 4, np.float32)
    begin = ctypes.c_size_t.from_address(id(memory) + _DATA).value  # `memory.ctypes` takes six times as long
    return np.ndarray(shape, np.float32, memory, -begin % LINE)


def scratch(least, *shapes):
    """Arrays as `aligned` makes them, in one block of `least` numbers at least: what nobody touches of it
    takes no memory, and an array of that size that is made next gets the block's place, not one beside it."""
    sizes = [-(-math.prod(shape) // LINE) * LINE for shape in shapes]
    block = aligned(max(least, sum(sizes)))
    ends = itertools.accumulate(sizes)
    return [
        block[end - size : end - size + math.prod(shape)].reshape(shape)
        for end, size, shape in zip(ends, sizes, shapes, strict=True)
    ]


def _define_move(module, name, from_memory):
    """copy(target, source, count), or clear(target, 0, count): whole vectors, then the rest under a mask."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [simd.I64] * 3), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("nounwind")
    target, source, count = function.args
    entry, head, body, tail, rest, done = (
        function.append_basic_block(s) for s in ("entry", "head", "body", "tail", "rest", "done")
    )
    b = ir.IRBuilder(entry)
    whole = lambda n: ir.Constant(simd.I64, n)
    zero = ir.Constant(simd.VECTOR, [0.0] * simd.LANES)
    target, source = b.inttoptr(target, simd.POINTER), b.inttoptr(source, simd.POINTER)
    b.branch(head)
    b.position_at_end(head)
    k = b.phi(simd.I64)
    after = b.add(k, whole(simd.LANES))
    b.cbranch(b.icmp_signed("<=", after, count), body, tail)
    k.add_incoming(whole(0), entry)
    k.add_incoming(after, body)

    def move(mask):
        row = simd._Row(b, 1, mask)
        row.store(row.load(b.gep(source, [k])) if from_memory else [zero], b.gep(target, [k]))

    b.position_at_end(body)
    move(None)
    b.branch(head)
    b.position_at_end(tail)
    b.cbranch(b.icmp_signed("<", k, count), rest, done)
    b.position_at_end(rest)
    left = simd._splat(b, b.trunc(b.sub(count, k), simd.I32), ir.VectorType(simd.I32, simd.LANES))
    lanes = ir.Constant(ir.VectorType(simd.I32, simd.LANES), list(range(simd.LANES)))
    move(b.icmp_signed("<", lanes, left))
    b.branch(done)
    b.position_at_end(done)
    b.ret_void()
    return function


def _move(name, from_memory):
    symbol = f"ngrad_{name}_{simd.NAME}"

    def codegen(context, b, signature, arguments):
        function = b.module.globals.get(symbol) or _define_move(b.module, symbol, from_memory)
        b.call(function, arguments)
        return context.get_dummy_value()

    def move(typingctx, target, source, count):
        return types.void(*[types.intp] * 3), codegen

    return intrinsic(move)


copy = _move("copy", True)
clear = _move("clear", False)


@kernel()
def rectify(address, row, rows, columns):
    """The maximum with 0 of a block of `rows` x `columns` numbers whose rows are `row` apart; NaN stays."""
    block = simd.floats_at(address)
    for i in range(rows):
        for j in range(columns):
            block[i * row + j] = 0 if block[i * row + j] < 0 else block[i * row + j]


@kernel()
def gather(x, offset, length, runs, steps, grid, first, count, begin, end, patches):
    """patches[q, d - begin] = number d of the patch of pixel first + q in the grid (rows, columns), for d in
    begin..end; x outside the image is 0. `offset` is the first channel of the group."""
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    rows, columns = grid
    j, i, n = first % columns, first // columns % rows, first // columns // rows
    low_row, high_row = runs[0, 0], runs[len(runs) - 1, 0]  # runs come in rising order
    low_column, high_column = runs[0, 1], runs[len(runs) - 1, 1]
    for q in range(count):
        line = patches.ctypes.data + (q * patches.shape[1] - begin) * 4
        top, left = i * steps[0], j * steps[1]
        base = x.ctypes.data + (((n * height + top) * width + left) * channels + offset) * 4
        inside = top + low_row >= 0 and top + high_row < height
        inside = (
            inside and left + low_column >= 0 and (left + high_column) * channels + length <= width * channels
        )
        for r in range(begin // length, (end - 1) // length + 1):
            # from start to stop the run is wanted, from low to high it is inside the image
            start, stop = max(begin - r * length, 0), min(end - r * length, length)
            source = base + (runs[r, 0] * width + runs[r, 1]) * channels * 4
            target = line + r * length * 4
            if inside:
                copy(target + start * 4, source + start * 4, stop - start)
                continue
            row, column = top + runs[r, 0], left + runs[r, 1]
            low = min(max(-column * channels, start), stop)
            high = max(min((width - column) * channels, stop), low)
            if row < 0 or row >= height:
                low = high = start
            clear(target + start * 4, 0, low - start)
            copy(target + low * 4, source + low * 4, high - low)
            clear(target + high * 4, 0, stop - high)
        j += 1
        if j == columns:
            i, j = i + 1, 0
            if i == rows:
                n, i = n + 1, 0

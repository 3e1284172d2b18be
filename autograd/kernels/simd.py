"""The register microkernel: the one inner loop of every product, convolution and attention.

    y[i, v] (+)= sum over k of x[i * x_row + k * x_step] * w[k * w_row + v]        i < rows, v < columns

A tile of `rows` x `columns` sums stays in vector registers over the whole depth, so a step of k costs a load
of `columns` weights and `rows` broadcasts for rows * columns multiply-adds. LLVM does not find this from a
loop in Python, so the tile is written here as LLVM IR, once for any vector width.

`tile` serves GEMM and all three passes of a channels-last convolution without a buffer of patches:

    forward      x = input pixels   x_row = stride*C   x_step = 1          w = weights (f, f, C, K), w_row = K
    weight grad  x = input pixels   x_row = 1          x_step = stride*C   w = output's cotangent,   w_row = K
    input grad   x = cotangent      x_row = K          x_step = 1          w = weights with C and K swapped

Addresses are byte addresses, as `array.ctypes.data` gives them: name the array after the call that uses its
address, or Numba may free it before. Rows and steps count elements of float32.
"""

import os

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .compiling import kernel

# Lanes of a vector, rows of a tile, vectors in a row of it: rows * vectors sums, the vectors of one weight
# row
# and one broadcast fill the registers: 32 of AVX-512 and NEON, 16 of AVX2 and of anything else.
TILES = {"avx512": (16, 14, 2), "avx2": (8, 6, 2), "neon": (4, 8, 3), "plain": (4, 6, 2)}


def host_tile() -> str:
    """The name of the widest tile that this CPU has the registers for."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return "avx512"
    if features.get("avx2") and features.get("fma"):
        return "avx2"
    return "neon" if features.get("neon") else "plain"


# NGRAD_SIMD=off replaces the tile by plain loops; a name from TILES runs that tile, which LLVM lowers
# anywhere.
NAME = os.environ.get("NGRAD_SIMD") or host_tile()
if NAME not in {*TILES, "off"}:
    raise ValueError(f"NGRAD_SIMD is {NAME!r}, needs to be 'off' or one of {', '.join(TILES)}")
LANES, ROWS, VECTORS = TILES["plain" if NAME == "off" else NAME]
COLUMNS = LANES * VECTORS

F32, I1, I32, I64 = ir.FloatType(), ir.IntType(1), ir.IntType(32), ir.IntType(64)
POINTER, VECTOR, MASK = F32.as_pointer(), ir.VectorType(F32, LANES), ir.VectorType(I1, LANES)
# x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, accumulate
ARGUMENTS = [POINTER, I64, I64, POINTER, I64, I64, POINTER, I64, I64, I64, I64]


def _i64(n):
    return ir.Constant(I64, n)


def _external(module, name, result, arguments):
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)


def _splat(b, value, kind):
    """A vector with `value` in every lane."""
    undefined = ir.Constant(kind, ir.Undefined)
    one = b.insert_element(undefined, value, ir.Constant(I32, 0))
    return b.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))


class _Row:
    """Loads and stores `count` vectors that follow each other, the last one under a mask if there is one."""

    def __init__(self, b, count, mask):
        self.b, self.count, self.mask = b, count, mask
        if mask is not None:
            kind, p = VECTOR, VECTOR.as_pointer()
            self.masked_load = _external(
                b.module, f"llvm.masked.load.v{LANES}f32.p0", kind, [p, I32, MASK, kind]
            )
            self.masked_store = _external(
                b.module, f"llvm.masked.store.v{LANES}f32.p0", ir.VoidType(), [kind, p, I32, MASK]
            )

    def _slot(self, pointer, v):
        return self.b.bitcast(self.b.gep(pointer, [_i64(v * LANES)]), VECTOR.as_pointer())

    def _masked(self, v):
        return self.mask is not None and v == self.count - 1

    def load(self, pointer):
        zero, four = ir.Constant(VECTOR, [0.0] * LANES), ir.Constant(I32, 4)
        return [
            self.b.call(self.masked_load, [self._slot(pointer, v), four, self.mask, zero])
            if self._masked(v)
            else self.b.load(self._slot(pointer, v), align=4)
            for v in range(self.count)
        ]

    def store(self, values, pointer):
        for v, value in enumerate(values):
            if self._masked(v):
                four = ir.Constant(I32, 4)
                self.b.call(self.masked_store, [value, self._slot(pointer, v), four, self.mask])
            else:
                self.b.store(value, self._slot(pointer, v), align=4)


def _variant(module, rows, vectors, masked):
    """The LLVM function for up to `rows` rows and exactly `vectors` vectors, the last one masked or whole.

    With fewer rows the last one is computed again in place of those that lack, and stored over itself: so a
    handful of variants serves every number of rows. Sums start from y or from 0.
    """
    name = f"ngrad_tile_{NAME}_{rows}x{vectors}{'m' if masked else ''}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), ARGUMENTS), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    x, x_row, x_step, w, w_row, depth, y, y_row, present, columns, accumulate = function.args
    multiply_add = _external(module, f"llvm.fmuladd.v{LANES}f32", VECTOR, [VECTOR] * 3)
    entry, load, head, loop, done = (
        function.append_basic_block(s) for s in ("entry", "load", "head", "loop", "done")
    )
    b = ir.IRBuilder(entry)
    mask = None
    if masked:
        left = b.sub(columns, _i64((vectors - 1) * LANES))
        lanes = ir.Constant(ir.VectorType(I32, LANES), list(range(LANES)))
        mask = b.icmp_signed("<", lanes, _splat(b, b.trunc(left, I32), ir.VectorType(I32, LANES)))
    row = _Row(b, vectors, mask)
    last = b.sub(present, _i64(1))
    index = []
    for i in range(rows):
        lacks = b.icmp_signed(">", _i64(i), last)
        index.append(b.select(lacks, last, _i64(i)))
    x_rows = [b.gep(x, [b.mul(x_row, i)]) for i in index]
    y_rows = [b.gep(y, [b.mul(y_row, i)]) for i in index]
    b.cbranch(b.icmp_signed("!=", accumulate, _i64(0)), load, head)

    b.position_at_end(load)
    loaded = [row.load(p) for p in y_rows]
    b.branch(head)

    b.position_at_end(head)
    start = [[b.phi(VECTOR) for _ in range(vectors)] for _ in range(rows)]
    for i in range(rows):
        for v in range(vectors):
            start[i][v].add_incoming(ir.Constant(VECTOR, [0.0] * LANES), entry)
            start[i][v].add_incoming(loaded[i][v], load)
    b.branch(loop)

    b.position_at_end(loop)
    k, offset, weights_at = b.phi(I64), b.phi(I64), b.phi(POINTER)
    sums = [[b.phi(VECTOR) for _ in range(vectors)] for _ in range(rows)]
    weights = row.load(weights_at)
    added = []
    for i in range(rows):
        value = _splat(b, b.load(b.gep(x_rows[i], [offset])), VECTOR)
        added.append([b.call(multiply_add, [value, weights[v], sums[i][v]]) for v in range(vectors)])
    following = b.add(k, _i64(1)), b.add(offset, x_step), b.gep(weights_at, [w_row])
    for phi, first, after in zip((k, offset, weights_at), (_i64(0), _i64(0), w), following, strict=True):
        phi.add_incoming(first, head)
        phi.add_incoming(after, loop)
    for i in range(rows):
        for v in range(vectors):
            sums[i][v].add_incoming(start[i][v], head)
            sums[i][v].add_incoming(added[i][v], loop)
    b.cbranch(b.icmp_signed("<", following[0], depth), loop, done)

    b.position_at_end(done)
    for i in range(rows):
        row.store(added[i], y_rows[i])
    b.ret_void()
    return function


ROW_VARIANTS = sorted({1, 2, 4, 8, ROWS} & set(range(ROWS + 1)))


@intrinsic
def _vector_tile(typingctx, x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, accumulate):
    """Picks the smallest variant with room for `rows` and `columns`, and calls it."""

    def codegen(context, b, signature, arguments):
        arguments = [
            b.inttoptr(a, kind) if kind is POINTER else a
            for a, kind in zip(arguments, ARGUMENTS, strict=True)
        ]
        rows, columns = arguments[8], arguments[9]
        end = b.append_basic_block("end")
        for vectors in range(1, VECTORS + 1):
            for masked in (True, False):
                width = _i64(vectors * LANES)
                fits = b.icmp_signed("<" if masked else "==", columns, width)
                here, beyond = b.append_basic_block("here"), b.append_basic_block("beyond")
                b.cbranch(fits, here, beyond)
                b.position_at_end(here)
                for most in ROW_VARIANTS:
                    call, more = b.append_basic_block("call"), b.append_basic_block("more")
                    b.cbranch(b.icmp_signed("<=", rows, _i64(most)), call, more)
                    b.position_at_end(call)
                    b.call(_variant(b.module, most, vectors, masked), arguments)
                    b.branch(end)
                    b.position_at_end(more)
                b.branch(end)
                b.position_at_end(beyond)
        b.branch(end)
        b.position_at_end(end)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 11), codegen


@intrinsic
def _floats_at(typingctx, address):
    """A byte address as a pointer to float32, to be indexed."""

    def codegen(context, b, signature, arguments):
        return b.inttoptr(arguments[0], POINTER)

    return types.CPointer(types.float32)(types.intp), codegen


@kernel()
def _plain_tile(x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, accumulate):
    x, w, y = _floats_at(x), _floats_at(w), _floats_at(y)
    for i in range(rows):
        if accumulate == 0:
            for v in range(columns):
                y[i * y_row + v] = numba.float32(0)
        for k in range(depth):
            value = x[i * x_row + k * x_step]
            for v in range(columns):
                y[i * y_row + v] += value * w[k * w_row + v]


tile = _plain_tile if NAME == "off" else _vector_tile

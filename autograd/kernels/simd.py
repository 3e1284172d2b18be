"""The register microkernel: the one inner loop of every product, convolution and attention.

    y[i, v] (+)= sum over k of x[i * x_row + k * x_step] * w[k * w_row + v]        i < rows, v < columns

A tile of `rows` x `columns` sums stays in vector registers over the whole depth, so a step of k costs a load
of `columns` weights and `rows` broadcasts for rows * columns multiply-adds. LLVM does not find this from a
loop in Python, so the tile is written here as LLVM IR, once for any vector width.

`tile` serves GEMM and all three passes of a channels-last convolution without a buffer of patches:

    forward      x = input pixels   x_row = stride*C   x_step = 1          w = weights (f, f, C, K), w_row = K
    weight grad  x = input pixels   x_row = 1          x_step = stride*C   w = output's cotangent,   w_row = K
    input grad   x = cotangent      x_row = K          x_step = 1          w = weights with C and K swapped

    tile(x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, accumulate)
    tile_from(x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, start, start_row)
    tile_ahead(x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, start, start_row, ahead)

1 <= rows <= ROWS, 1 <= columns <= COLUMNS, depth >= 1; nothing is read or written outside. `tile` sets y, or
adds to it unless `accumulate` is 0; `tile_from` adds to what lies at `start` (a bias: start_row = 0), 0 being
nothing. `tile_ahead` is the same, and a whole tile asks for a cache line in each step of the depth, one after
the other from `ahead` on: what will be wanted next, if it is not 0. That costs next to nothing beside the
sums, and may reach beyond what memory there is. x, w, y, start and ahead are byte addresses, as
`array.ctypes.data` gives them: name the array after the call that uses its address, or Numba may free it
before. Rows and steps count elements of float32.
"""

import os

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .compiling import kernel

# Lanes of a vector, rows of a tile, vectors in a row of it: rows * vectors sums, the vectors of one weight
# row and one broadcast fill the registers: 32 of AVX-512 and NEON, 16 of AVX2 and of anything else.
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
# x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, start, start_row
ARGUMENTS = [POINTER, I64, I64, POINTER, I64, I64, POINTER, I64, I64, I64, POINTER, I64]


def _i64(n):
    return ir.Constant(I64, n)


def _external(module, name, result, arguments):
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)


def _splat(b, value, kind):
    """A vector with `value` in every lane."""
    undefined = ir.Constant(kind, ir.Undefined)
    one = b.insert_element(undefined, value, ir.Constant(I32, 0))
    return b.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))


def prefetch(b, pointer, write=1, cache=1):
    """Asks for the cache line at a pointer, to be written or only read, into the first or second cache."""
    function = _external(b.module, "llvm.prefetch.p0", ir.VoidType(), [POINTER, I32, I32, I32])
    data = 1  # not instructions
    b.call(function, [pointer, *(ir.Constant(I32, n) for n in (write, 4 - cache, data))])


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


def _opaque(b, value):
    """The value, in a register: LLVM does not see where it comes from."""
    return b.call(ir.InlineAsm(ir.FunctionType(I64, [I64]), "", "=r,0"), [value])


def _row_offsets(b, step, rows):
    """Functions that give the offset of each of `rows` rows, in elements: an odd multiple of the step, kept
    in a register, times the power of 2 that an address of x86 may scale it by. LLVM by itself would go from
    row to row by adding the step, and one step of the depth would wait for that chain as long as for its own
    sums."""
    odd = {}
    for i in range(1, rows):
        base = i // (i & -i) if i & -i <= 8 else i
        odd.setdefault(base, _opaque(b, b.mul(step, _i64(4 * base))))
    return lambda i: b.mul(odd[i // (i & -i)], _i64(i & -i)) if i else _i64(0)


def _rows_from(b, first, step, rows, present):
    """Pointers to `rows` rows. With fewer `present` the last of those stands in for the ones that lack."""
    pointers = []
    for i in range(rows):
        index = _i64(i)
        if present is not None:
            index = b.select(b.icmp_signed("<", index, present), index, b.sub(present, _i64(1)))
        pointers.append(b.gep(first, [b.mul(step, index)]))
    return pointers


def _variant(module, rows, vectors, whole, masked, asks):
    """The LLVM function for `rows` rows (or up to `rows` unless `whole`) and exactly `vectors` vectors, the
    last one whole or masked.

    Where rows lack, the last one is computed again in their place and stored over itself: so a handful of
    variants serves every number of rows. One that `asks` takes `ahead` too.
    """
    size = f"{rows if whole else f'to{rows}'}x{vectors}"
    name = f"ngrad_tile_{NAME}_{size}{'m' * masked}{'a' * asks}"
    if name in module.globals:
        return module.globals[name]
    kinds = [*ARGUMENTS, POINTER] if asks else ARGUMENTS
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    x, x_row, x_step, w, w_row, depth, y, y_row, present, columns, start, start_row, *ahead = function.args
    multiply_add = _external(module, f"llvm.fmuladd.v{LANES}f32", VECTOR, [VECTOR] * 3)
    entry, loop, done, onto, fresh = (
        function.append_basic_block(s) for s in ("entry", "loop", "done", "onto", "fresh")
    )
    b = ir.IRBuilder(entry)
    mask = None
    if masked:
        left = b.sub(columns, _i64((vectors - 1) * LANES))
        lanes = ir.Constant(ir.VectorType(I32, LANES), list(range(LANES)))
        mask = b.icmp_signed("<", lanes, _splat(b, b.trunc(left, I32), ir.VectorType(I32, LANES)))
    row = _Row(b, vectors, mask)
    present = None if whole else present
    y_rows = _rows_from(b, y, y_row, rows, present)
    x_rows = None if whole else _rows_from(b, x, x_row, rows, present)
    x_offset = _row_offsets(b, x_row, rows) if whole else None
    starts = b.icmp_unsigned("!=", start, ir.Constant(POINTER, None))
    with b.if_then(b.or_(starts, b.icmp_signed(">=", depth, _i64(128)))):
        for p in y_rows:  # its lines arrive while the sums are taken; a short tile has no time for that
            for v in range(vectors):
                prefetch(b, b.gep(p, [_i64(v * LANES)]))
    entry = b.block
    b.branch(loop)

    b.position_at_end(loop)
    zero = ir.Constant(VECTOR, [0.0] * LANES)
    k, offset, weights_at, x_at = b.phi(I64), b.phi(I64), b.phi(POINTER), b.phi(POINTER)
    sums = [[b.phi(VECTOR) for _ in range(vectors)] for _ in range(rows)]
    for first in ahead:
        prefetch(b, b.gep(first, [b.mul(k, _i64(16))]), write=0, cache=2)
    weights = row.load(weights_at)
    added = []
    for i in range(rows):
        if whole:
            bytes_at = b.gep(b.bitcast(x_at, ir.IntType(8).as_pointer()), [x_offset(i)])
            value = _splat(b, b.load(b.bitcast(bytes_at, POINTER)), VECTOR)
        else:
            value = _splat(b, b.load(b.gep(x_rows[i], [offset])), VECTOR)
        added.append([b.call(multiply_add, [value, weights[v], sums[i][v]]) for v in range(vectors)])
    phis = k, offset, weights_at, x_at
    following = b.add(k, _i64(1)), b.add(offset, x_step), b.gep(weights_at, [w_row]), b.gep(x_at, [x_step])
    for phi, before, after in zip(phis, (_i64(0), _i64(0), w, x), following, strict=True):
        phi.add_incoming(before, entry)
        phi.add_incoming(after, loop)
    for i in range(rows):
        for v in range(vectors):
            sums[i][v].add_incoming(zero, entry)
            sums[i][v].add_incoming(added[i][v], loop)
    b.cbranch(b.icmp_signed("<", following[0], depth), loop, done)

    b.position_at_end(done)
    b.cbranch(starts, onto, fresh)
    b.position_at_end(onto)
    loaded = [row.load(p) for p in _rows_from(b, start, start_row, rows, present)]
    for i in range(rows):
        row.store([b.fadd(p, q) for p, q in zip(loaded[i], added[i], strict=True)], y_rows[i])
    b.ret_void()
    b.position_at_end(fresh)
    for i in range(rows):
        row.store(added[i], y_rows[i])
    b.ret_void()
    return function


# The most rows that each variant for fewer has room for.
TAILS = [n for n in (1, 2, 4, 8) if n < ROWS] + [ROWS]


def _tile(b, arguments, ahead=None):
    """Picks the smallest variant with room for `rows` and `columns`, and calls it."""
    rows, columns = arguments[8], arguments[9]
    end = b.append_basic_block("end")

    def case(condition):
        here, beyond = b.append_basic_block("here"), b.append_basic_block("beyond")
        b.cbranch(condition, here, beyond)
        b.position_at_end(here)
        return beyond

    def call(variant, arguments, beyond):
        b.call(variant, arguments)
        b.branch(end)
        b.position_at_end(beyond)

    for vectors in reversed(range(1, VECTORS + 1)):
        for masked in (False, True):
            full = _i64(vectors * LANES if not masked else (vectors - 1) * LANES)
            beyond = case(b.icmp_signed(">" if masked else "==", columns, full))
            for most, whole in [(ROWS, True), *((n, False) for n in TAILS)]:
                more = case(b.icmp_signed("==" if whole else "<=", rows, _i64(most)))
                if ahead is not None and whole and vectors == VECTORS and not masked:
                    nothing = case(b.icmp_unsigned("!=", ahead, ir.Constant(POINTER, None)))
                    call(_variant(b.module, most, vectors, whole, masked, True), [*arguments, ahead], nothing)
                call(_variant(b.module, most, vectors, whole, masked, False), arguments, more)
            b.branch(end)
            b.position_at_end(beyond)
    b.branch(end)
    b.position_at_end(end)


def _pointers(b, arguments, kinds):
    """The arguments of an intrinsic, addresses made pointers."""
    return [b.inttoptr(a, kind) if kind is POINTER else a for a, kind in zip(arguments, kinds, strict=True)]


@intrinsic
def _vector_tile_from(
    typingctx, x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, start, start_row
):
    def codegen(context, b, signature, arguments):
        _tile(b, _pointers(b, arguments, ARGUMENTS))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 12), codegen


@intrinsic
def _vector_tile_ahead(
    typingctx, x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, start, start_row, ahead
):
    def codegen(context, b, signature, arguments):
        *arguments, ahead = _pointers(b, arguments, [*ARGUMENTS, POINTER])
        _tile(b, arguments, ahead)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 13), codegen


@intrinsic
def _vector_tile(typingctx, x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, accumulate):
    def codegen(context, b, signature, arguments):
        *arguments, accumulate = arguments
        start = b.select(b.icmp_signed("!=", accumulate, _i64(0)), arguments[6], _i64(0))
        _tile(b, _pointers(b, [*arguments, start, arguments[7]], ARGUMENTS))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 11), codegen


@intrinsic
def floats_at(typingctx, address):
    """A byte address as a pointer to float32, to be indexed."""

    def codegen(context, b, signature, arguments):
        return b.inttoptr(arguments[0], POINTER)

    return types.CPointer(types.float32)(types.intp), codegen


@intrinsic
def integers_at(typingctx, address):
    """A byte address, or an array of addresses in C, as a pointer to int64, to be indexed."""

    def codegen(context, b, signature, arguments):
        cast = b.inttoptr if isinstance(arguments[0].type, ir.IntType) else b.bitcast
        return cast(arguments[0], I64.as_pointer())

    return types.CPointer(types.int64)(address), codegen


@kernel()
def _plain_tile_from(x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, start, start_row):
    x, w, y, begin = floats_at(x), floats_at(w), floats_at(y), floats_at(start)
    for i in range(rows):
        for v in range(columns):
            y[i * y_row + v] = begin[i * start_row + v] if start != 0 else numba.float32(0)
        for k in range(depth):
            value = x[i * x_row + k * x_step]
            for v in range(columns):
                y[i * y_row + v] += value * w[k * w_row + v]


@kernel()
def _plain_tile(x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, accumulate):
    start = y if accumulate != 0 else 0
    _plain_tile_from(x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, start, y_row)


@kernel()
def _plain_tile_ahead(x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, start, start_row, ahead):
    _plain_tile_from(x, x_row, x_step, w, w_row, depth, y, y_row, rows, columns, start, start_row)


tile = _plain_tile if NAME == "off" else _vector_tile
tile_from = _plain_tile_from if NAME == "off" else _vector_tile_from
tile_ahead = _plain_tile_ahead if NAME == "off" else _vector_tile_ahead

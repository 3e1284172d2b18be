"""A register tile over scattered numbers: `simd.tile` whose depth runs through a table of offsets.

    y[i, v] = start[v] + sum over k of x[i * x_row + offsets[k, 0]] * w[offsets[k, 1] + v]

for i < rows, v < columns; `rows` is at most ROWS where one vector holds the columns, else FEW. A pixel sees
fh rows of a few numbers each. One loop over all of them, those beyond the border left out of the table,
keeps the sums in registers, where `tile` is called for each row: with 5x5x1 filters that is five times fewer
loads, stores and calls. The depth is at least 1. Addresses are byte addresses; offsets (depth, 2) are int64
and count float32 elements.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from . import simd
from .compiling import kernel
from .simd import LANES, NAME, POINTER, ROWS, VECTOR, VECTORS

I64 = simd.I64
# x, x_row, offsets, depth, w, start, y, y_row, rows, columns
ARGUMENTS = [POINTER, I64, I64.as_pointer(), I64, POINTER, POINTER, POINTER, I64, I64, I64]
FEW = ROWS // 2 + 1
# Rows of a tile, by its vectors. LLVM gathers what a step loads before it sums, so that with more than one
# vector ROWS rows of sums would not stay in registers.
HEIGHTS = [(1, rows) for rows in (*range(FEW, ROWS, 2), ROWS)]
HEIGHTS += [(vectors, FEW) for vectors in range(2, VECTORS + 1)]


def _variant(module, rows, vectors):
    """The LLVM function for up to `rows` rows and `vectors` vectors. Rows that lack repeat the last one."""
    name = f"ngrad_scattered_{NAME}_{rows}x{vectors}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), ARGUMENTS), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    x, x_row, offsets, depth, w, start, y, y_row, present, columns = function.args
    multiply_add = simd._external(module, f"llvm.fmuladd.v{LANES}f32", VECTOR, [VECTOR] * 3)
    entry, loop, done = (function.append_basic_block(s) for s in ("entry", "loop", "done"))
    b = ir.IRBuilder(entry)
    whole = lambda n: ir.Constant(I64, n)
    left = b.sub(columns, whole((vectors - 1) * LANES))
    lanes = ir.Constant(ir.VectorType(simd.I32, LANES), list(range(LANES)))
    splat = simd._splat(b, b.trunc(left, simd.I32), ir.VectorType(simd.I32, LANES))
    row = simd._Row(b, vectors, b.icmp_signed("<", lanes, splat))
    last = b.sub(present, whole(1))
    index = [b.select(b.icmp_signed(">", whole(i), last), last, whole(i)) for i in range(rows)]
    x_rows = [b.gep(x, [b.mul(x_row, i)]) for i in index]
    initial = row.load(start)
    b.branch(loop)

    b.position_at_end(loop)
    k, at = b.phi(I64), b.phi(I64.as_pointer())
    sums = [[b.phi(VECTOR) for _ in range(vectors)] for _ in range(rows)]
    weights = row.load(b.gep(w, [b.load(b.gep(at, [whole(1)]))]))
    offset, following = b.load(at), b.add(k, whole(1))
    k.add_incoming(whole(0), entry)
    k.add_incoming(following, loop)
    at.add_incoming(offsets, entry)
    at.add_incoming(b.gep(at, [whole(2)]), loop)
    added = []
    for i in range(rows):
        value = simd._splat(b, b.load(b.gep(x_rows[i], [offset])), VECTOR)
        added.append([b.call(multiply_add, [value, weights[v], sums[i][v]]) for v in range(vectors)])
        for v in range(vectors):
            sums[i][v].add_incoming(initial[v], entry)
            sums[i][v].add_incoming(added[i][v], loop)
    b.cbranch(b.icmp_signed("<", following, depth), loop, done)

    b.position_at_end(done)
    for i in range(rows):
        row.store(added[i], b.gep(y, [b.mul(y_row, index[i])]))
    b.ret_void()
    return function


@intrinsic
def _vector_tile(typingctx, x, x_row, offsets, depth, w, start, y, y_row, rows, columns):
    """Picks the smallest variant with room for `rows` and `columns`, and calls it."""

    def codegen(context, b, signature, arguments):
        arguments = [
            a if kind is I64 else b.inttoptr(a, kind) for a, kind in zip(arguments, ARGUMENTS, strict=True)
        ]
        rows, columns = arguments[8], arguments[9]
        end = b.append_basic_block("end")
        for vectors, most in HEIGHTS:
            fits = b.icmp_signed("<=", columns, ir.Constant(I64, vectors * LANES))
            fits = b.and_(fits, b.icmp_signed("<=", rows, ir.Constant(I64, most)))
            call, more = b.append_basic_block("call"), b.append_basic_block("more")
            b.cbranch(fits, call, more)
            b.position_at_end(call)
            b.call(_variant(b.module, most, vectors), arguments)
            b.branch(end)
            b.position_at_end(more)
        b.branch(end)
        b.position_at_end(end)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 10), codegen


@intrinsic
def _whole_at(typingctx, address):
    """A byte address as a pointer to int64."""

    def codegen(context, b, signature, arguments):
        return b.inttoptr(arguments[0], I64.as_pointer())

    return types.CPointer(types.int64)(types.intp), codegen


@kernel()
def _plain_tile(x, x_row, offsets, depth, w, start, y, y_row, rows, columns):
    x, w, start, y = simd.floats_at(x), simd.floats_at(w), simd.floats_at(start), simd.floats_at(y)
    offsets = _whole_at(offsets)
    for i in range(rows):
        for v in range(columns):
            y[i * y_row + v] = start[v]
        for k in range(depth):
            for v in range(columns):
                y[i * y_row + v] += x[i * x_row + offsets[2 * k]] * w[offsets[2 * k + 1] + v]


scattered_tile = _plain_tile if NAME == "off" else _vector_tile

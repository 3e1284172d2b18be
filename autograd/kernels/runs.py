"""A register tile over runs of numbers: `simd.tile` with a depth that lies in several places.

    y[i, v] = start[i, v] + sum over (from_x, from_w, depth) of runs, k < depth of
        x[from_x + i * x_row + k * x_step] * w[from_w + k * w_row + v]

for i < rows, v < columns. What a pixel sees of a volume is one contiguous run for each row of the kernel that
meets it; all of them go through one loop, the sums in registers, where a call of `tile` for each would load
and store them 25 times with filters of 5x5x5. Nothing is gathered, and runs outside the volume are left out
of the table. 1 <= rows <= ROWS, 1 <= columns <= COLUMNS, count >= 1 and runs hold one
number at least. Addresses are byte addresses, 0 as `start` being nothing; runs (count, 3) are int64, and like
rows and steps they count elements of float32.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from . import simd
from .compiling import kernel
from .simd import I64, LANES, NAME, POINTER, ROWS, VECTOR, VECTORS, integers_at

# x, x_row, x_step, runs, count, w, w_row, y, y_row, rows, columns, start, start_row
ARGUMENTS = [POINTER, I64, I64, I64.as_pointer(), I64, POINTER, I64, POINTER, I64, I64, I64, POINTER, I64]
# Rows of a tile, each number up to 8, then even ones, where the last row may be computed twice: maps of 7 or
# of 10 pixels fill tiles as those of 14 do.
HEIGHTS = [n for n in range(1, ROWS + 1) if n <= 8 or n % 2 == 0]


def _variant(module, rows, vectors, masked):
    """The LLVM function for `rows` rows, or one fewer where there is no variant for those, and exactly
    `vectors` vectors, the last one whole or masked."""
    name = f"ngrad_runs_{NAME}_{rows}x{vectors}{'m' if masked else ''}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), ARGUMENTS), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    x, x_row, x_step, runs, count, w, w_row, y, y_row, present, columns, start, start_row = function.args
    multiply_add = simd._external(module, f"llvm.fmuladd.v{LANES}f32", VECTOR, [VECTOR] * 3)
    entry, outer, inner, latch, done, onto, fresh = (
        function.append_basic_block(s) for s in ("entry", "outer", "inner", "latch", "done", "onto", "fresh")
    )
    b = ir.IRBuilder(entry)
    whole = lambda n: ir.Constant(I64, n)
    mask = None
    if masked:
        left = b.sub(columns, whole((vectors - 1) * LANES))
        lanes = ir.Constant(ir.VectorType(simd.I32, LANES), list(range(LANES)))
        splat = simd._splat(b, b.trunc(left, simd.I32), ir.VectorType(simd.I32, LANES))
        mask = b.icmp_signed("<", lanes, splat)
    row = simd._Row(b, vectors, mask)
    last = b.sub(present, whole(1))
    index = [*map(whole, range(rows - 1)), last]
    y_rows = [b.gep(y, [b.mul(y_row, i)]) for i in index]
    offset_of = simd._row_offsets(b, x_row, rows - 1)
    last_offset = simd._opaque(b, b.mul(b.mul(x_row, whole(4)), last))
    end = b.gep(runs, [b.mul(count, whole(3))])
    zero = ir.Constant(VECTOR, [0.0] * LANES)
    b.branch(outer)

    b.position_at_end(outer)
    at = b.phi(I64.as_pointer())
    before = [[b.phi(VECTOR) for _ in range(vectors)] for _ in range(rows)]
    x_first, w_first, depth = (b.load(b.gep(at, [whole(n)])) for n in range(3))
    x_first, w_first = b.gep(x, [x_first]), b.gep(w, [w_first])
    b.branch(inner)

    b.position_at_end(inner)
    k, weights_at, x_at = b.phi(I64), b.phi(POINTER), b.phi(POINTER)
    sums = [[b.phi(VECTOR) for _ in range(vectors)] for _ in range(rows)]
    weights = row.load(weights_at)
    added = []
    for i in range(rows):
        offset = offset_of(i) if i < rows - 1 else last_offset
        bytes_at = b.gep(b.bitcast(x_at, ir.IntType(8).as_pointer()), [offset])
        value = simd._splat(b, b.load(b.bitcast(bytes_at, POINTER)), VECTOR)
        added.append([b.call(multiply_add, [value, weights[v], sums[i][v]]) for v in range(vectors)])
    following = b.sub(k, whole(1)), b.gep(weights_at, [w_row]), b.gep(x_at, [x_step])
    for phi, first, after in zip((k, weights_at, x_at), (depth, w_first, x_first), following, strict=True):
        phi.add_incoming(first, outer)
        phi.add_incoming(after, inner)
    b.cbranch(b.icmp_signed(">", following[0], whole(0)), inner, latch)

    b.position_at_end(latch)
    next_run = b.gep(at, [whole(3)])
    at.add_incoming(runs, entry)
    at.add_incoming(next_run, latch)
    for i in range(rows):
        for v in range(vectors):
            before[i][v].add_incoming(zero, entry)
            before[i][v].add_incoming(added[i][v], latch)
            sums[i][v].add_incoming(before[i][v], outer)
            sums[i][v].add_incoming(added[i][v], inner)
    b.cbranch(b.icmp_unsigned("!=", next_run, end), outer, done)

    b.position_at_end(done)
    b.cbranch(b.icmp_unsigned("!=", start, ir.Constant(POINTER, None)), onto, fresh)
    b.position_at_end(onto)
    loaded = [row.load(b.gep(start, [b.mul(start_row, i)])) for i in index]
    for i in range(rows):
        row.store([b.fadd(p, q) for p, q in zip(loaded[i], added[i], strict=True)], y_rows[i])
    b.ret_void()
    b.position_at_end(fresh)
    for i in range(rows):
        row.store(added[i], y_rows[i])
    b.ret_void()
    return function


@intrinsic
def _vector_tile(
    typingctx, x, x_row, x_step, runs, count, w, w_row, y, y_row, rows, columns, start, start_row
):
    """Picks the variant for `rows` and `columns`, and calls it."""

    def codegen(context, b, signature, arguments):
        arguments = [
            a if kind is I64 else b.inttoptr(a, kind) for a, kind in zip(arguments, ARGUMENTS, strict=True)
        ]
        rows, columns = arguments[9], arguments[10]
        end = b.append_basic_block("end")
        for vectors in reversed(range(1, VECTORS + 1)):
            for masked in (False, True):
                full = ir.Constant(I64, (vectors - masked) * LANES)
                fits = b.icmp_signed(">" if masked else "==", columns, full)
                here, beyond = b.append_basic_block("here"), b.append_basic_block("beyond")
                b.cbranch(fits, here, beyond)
                b.position_at_end(here)
                for most in HEIGHTS:
                    call, more = b.append_basic_block("call"), b.append_basic_block("more")
                    b.cbranch(b.icmp_signed("<=", rows, ir.Constant(I64, most)), call, more)
                    b.position_at_end(call)
                    b.call(_variant(b.module, most, vectors, masked), arguments)
                    b.branch(end)
                    b.position_at_end(more)
                b.branch(end)
                b.position_at_end(beyond)
        b.branch(end)
        b.position_at_end(end)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 13), codegen


@kernel()
def _plain_tile(x, x_row, x_step, runs, count, w, w_row, y, y_row, rows, columns, start, start_row):
    x, w, y, begin = simd.floats_at(x), simd.floats_at(w), simd.floats_at(y), simd.floats_at(start)
    runs = integers_at(runs)
    for i in range(rows):
        for v in range(columns):
            y[i * y_row + v] = begin[i * start_row + v] if start != 0 else 0
        for r in range(count):
            for k in range(runs[3 * r + 2]):
                value = x[runs[3 * r] + i * x_row + k * x_step]
                for v in range(columns):
                    y[i * y_row + v] += value * w[runs[3 * r + 1] + k * w_row + v]


runs_tile = _plain_tile if NAME == "off" else _vector_tile

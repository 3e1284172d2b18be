"""Copies of blocks of float32 between addresses, straight and transposed: how `gemm` lays its operands out.

Addresses are byte addresses, rows count elements, as in `simd`."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .compiling import kernel
from .simd import (
    COLUMNS,
    I32,
    I64,
    LANES,
    MASK,
    POINTER,
    ROWS,
    VECTORS,
    _pointers,
    _Row,
    _rows_from,
    floats_at,
)


@intrinsic
def copy_line(typingctx, source, target):
    """Copies COLUMNS elements."""

    def codegen(context, b, signature, arguments):
        source, target = _pointers(b, arguments, [POINTER, POINTER])
        line = _Row(b, VECTORS, None)
        line.store(line.load(source), target)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), codegen


@intrinsic
def _copy_sliver(typingctx, source, target):
    """Copies ROWS elements."""

    def codegen(context, b, signature, arguments):
        source, target = _pointers(b, arguments, [POINTER, POINTER])
        count, left = -(-ROWS // LANES), (ROWS - 1) % LANES + 1
        row = _Row(b, count, None if left == LANES else ir.Constant(MASK, [v < left for v in range(LANES)]))
        row.store(row.load(source), target)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), codegen


@kernel()
def pack_slivers(a, a_row, a_step, rows, depth, packed):
    """Packs a (rows, depth) into slivers of ROWS rows, in each of which what one step of the depth needs lies
    together: one stream for the processor to follow instead of ROWS."""
    if a_step == 1:
        for i in range(0, rows, ROWS):
            target = packed + 4 * i * depth
            transpose_rows(a + 4 * i * a_row, a_row, target, ROWS, min(ROWS, rows - i), depth)
        return
    whole = rows // ROWS * ROWS
    for k in range(depth):  # along what lies together, as memory is read fastest
        for i in range(0, whole, ROWS):
            _copy_sliver(a + 4 * (i + k * a_step), packed + 4 * (i * depth + k * ROWS))
    s, t = floats_at(a + 4 * whole), floats_at(packed + 4 * whole * depth)
    for k in range(depth):
        for q in range(rows - whole):
            t[k * ROWS + q] = s[k * a_step + q]


@kernel()
def copy_rows(source, source_row, target, target_row, rows, columns):
    """target[i * target_row + j] = source[i * source_row + j]        i < rows, j < columns"""
    whole = columns // COLUMNS * COLUMNS
    for i in range(rows):
        s, t = source + 4 * i * source_row, target + 4 * i * target_row
        for j in range(0, whole, COLUMNS):
            copy_line(s + 4 * j, t + 4 * j)
        p, q = floats_at(s), floats_at(t)
        for j in range(whole, columns):
            q[j] = p[j]


@intrinsic
def _transpose_block(typingctx, source, source_row, target, target_row, rows):
    """A square of LANES x LANES, in log2(LANES) rounds: each exchanges the blocks off the diagonal, of one
    element, then two, four, ... Rows that lack from `rows` on repeat the last."""

    def codegen(context, b, signature, arguments):
        source, source_row, target, target_row, rows = _pointers(
            b, arguments, [POINTER, I64, POINTER, I64, I64]
        )
        one = _Row(b, 1, None)
        lines = [one.load(p)[0] for p in _rows_from(b, source, source_row, LANES, rows)]
        part = 1
        while part < LANES:
            low = [v if v & part == 0 else LANES + v - part for v in range(LANES)]
            high = [v + part if v & part == 0 else LANES + v for v in range(LANES)]
            for i in range(LANES):
                if i & part == 0:
                    pair = lines[i], lines[i + part]
                    lines[i], lines[i + part] = (
                        b.shuffle_vector(*pair, ir.Constant(ir.VectorType(I32, LANES), mask))
                        for mask in (low, high)
                    )
            part *= 2
        for line, at in zip(lines, _rows_from(b, target, target_row, LANES, None), strict=True):
            one.store([line], at)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


@kernel()
def transpose_rows(source, source_row, target, target_row, rows, columns):
    """target[j * target_row + i] = source[i * source_row + j]        i < rows, j < columns

    Rows of the target are written up to a multiple of LANES, with what comes to hand; where they are closer
    together, what follows overwrites that."""
    s, t = floats_at(source), floats_at(target)
    for i in range((rows - 1) // LANES * LANES, -1, -LANES):
        count = min(LANES, rows - i)
        if columns < LANES:
            for q in range(i, i + count):
                for j in range(columns):
                    t[j * target_row + q] = s[q * source_row + j]
        else:
            for j in range(0, columns, LANES):
                j = min(j, columns - LANES)
                _transpose_block(
                    source + 4 * (i * source_row + j),
                    source_row,
                    target + 4 * (j * target_row + i),
                    target_row,
                    count,
                )


@kernel()
def pack_panels(b, b_row, b_step, columns, depth, packed, panel):
    """Packs b (depth, columns) into panels, `panel` apart; the last may be narrower."""
    if b_step != 1:
        for j in range(0, columns, COLUMNS):
            target = packed + 4 * (j // COLUMNS) * panel
            transpose_rows(b + 4 * j * b_step, b_step, target, COLUMNS, min(COLUMNS, columns - j), depth)
        return
    whole = columns // COLUMNS * COLUMNS
    for k in range(depth):  # along the rows of b, as memory is read fastest
        for j in range(0, whole, COLUMNS):
            copy_line(b + 4 * (k * b_row + j), packed + 4 * (j // COLUMNS * panel + k * COLUMNS))
    if whole < columns:
        target = packed + 4 * (whole // COLUMNS) * panel
        copy_rows(b + 4 * whole, b_row, target, COLUMNS, depth, columns - whole)

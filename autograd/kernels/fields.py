"""The inner loops of depthwise convolution: up to 3x3 taps over a field of pixels, vectors of channels.

A product needs two loads, so loads are the limit unless what was loaded is used again. From outside to
inside the loops go over blocks of channels as wide as a vector, and pixels: the taps' weights, and the sums
of their gradients, stay in registers over a field of pixels. LLVM does not make that of Python loops, so it
is written as LLVM IR."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .simd import I64, LANES, POINTER, VECTOR

MOST = 3  # taps of a filter that a field takes at a time, along each axis

# Byte addresses x[r] and w[r] of up to three rows of taps, and offsets x_taps[c] and w_taps[c] of up to
# three columns; y and the bias (0: none); how many rows and columns of pixels, and the steps from one to the
# next in x and y; whether negative results become 0; how many blocks of channels; for "both" how far from y
# its z is, and from w its sums. Offsets and steps count elements.
KINDS = {
    "x": [POINTER] * MOST,
    "x_taps": [I64] * MOST,
    "w": [POINTER] * MOST,
    "w_taps": [I64] * MOST,
    "y, bias": [POINTER] * 2,
    "rows, x_down, y_down, columns, x_right, y_right": [I64] * 6,
    "relu, blocks, z, sums": [I64] * 4,
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
    over the taps, at each pixel; "both": that, and each tap's sum += sum of x * z over the pixels.

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
    y, bias, rows, x_down, y_down, columns, x_right, y_right, relu, blocks, z, apart = given[4 * MOST :]
    fused = f"llvm.fmuladd.v{LANES}f32"
    multiply_add = module.globals.get(fused) or ir.Function(
        module, ir.FunctionType(VECTOR, [VECTOR] * 3), fused
    )
    taps = [(r, c) for r in range(tall) for c in range(wide)]
    both, kept = kind.startswith("both"), wide - 1 if kind.endswith("slide") else 0

    b = ir.IRBuilder(function.append_basic_block("entry"))
    biased = b.icmp_unsigned("!=", bias, ir.Constant(POINTER, None))
    lowest = [ir.Constant(VECTOR, [value] * LANES) for value in (0.0, float("-inf"))]
    lowest = b.select(b.icmp_signed("!=", relu, ir.Constant(I64, 0)), *lowest)
    block = _Loop(b, blocks, [bias, *w, y, *x], [ir.Constant(I64, LANES)] * (2 + 2 * tall), [])
    bias_at, w_at, images = block.pointers[0], block.pointers[1 : 1 + tall], block.pointers[1 + tall :]
    weights = [b.load(_vector_at(b, w_at[r], w_taps[c]), align=4) for r, c in taps]
    places = [_vector_at(b, w_at[r], b.add(w_taps[c], apart)) for r, c in taps] if both else []
    down = _Loop(b, rows, images, [y_down] + [x_down] * tall, [b.load(place, align=4) for place in places])
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
    here = b.load(_vector_at(b, b.select(biased, bias_at, y_at)), align=4)
    parts = [here] + [None] * (tall - 1)  # one a row of taps: short chains
    for (r, _), value, weight in zip(taps, values, weights, strict=True):
        first = parts[r] is None
        parts[r] = b.fmul(value, weight) if first else b.call(multiply_add, [value, weight, parts[r]])
    total = parts[0]
    for part in parts[1:]:
        total = b.fadd(total, part)
    total = b.select(b.fcmp_ordered(">", lowest, total), lowest, total)  # leaves a NaN
    sums = []
    if both:
        seen, before = b.load(_vector_at(b, y_at, z), align=4), right.carried[tall * kept :]
        sums = [b.call(multiply_add, [value, seen, s]) for value, s in zip(values, before, strict=True)]
    b.store(total, _vector_at(b, y_at), align=4)
    moved = [values[r * wide + c] for r in range(tall) for c in range(1, kept + 1)]
    right.end([*moved, *sums])
    down.end(sums)
    for value, place in zip(sums, places, strict=True):
        b.store(value, place, align=4)
    block.end([])
    b.ret_void()
    return function


KERNELS = "mix", "mix slide", "both", "both slide"


@intrinsic
def run_field(typingctx, kind, tall, wide, x, x_taps, w, w_taps, others):
    """Calls the variant of that kind, a number in KERNELS, for so many taps."""

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
        for n, name in enumerate(KERNELS):
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

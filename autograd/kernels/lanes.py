"""Vectors as values of a kernel: LANES neighbouring numbers that stay in a register from one step of a loop
to the next. LLVM makes vectors of innermost loops only, and of what these carry over to the next only sums:
pooling carries the best so far through the loops over a window."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from .simd import I32, I64, LANES


class Lanes(types.Type):
    """LANES numbers of a type."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(f"Lanes({dtype})")


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), LANES))


def _splat(b, value):
    kind = ir.VectorType(value.type, LANES)
    one = b.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    return b.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))


def _vector_at(context, b, kind, array, at):
    """A pointer to the vector of an array's elements from `at` on, and how it is aligned."""
    pointer = b.gep(context.make_array(kind)(context, b, array).data, [at])
    vector = ir.VectorType(pointer.type.pointee, LANES)
    return b.bitcast(pointer, vector.as_pointer()), kind.dtype.bitwidth // 8


def _mask(b, left):
    """The first `left` lanes."""
    numbers = ir.Constant(ir.VectorType(I64, LANES), list(range(LANES)))
    return b.icmp_signed("<", numbers, _splat(b, left))


def _masked(b, what, vector, result, arguments):
    """A call of LLVM's masked load or store of such vectors."""
    letter = {"float": "f32", "double": "f64", "i32": "i32"}[str(vector.element)]
    kind = ir.FunctionType(result, [a.type for a in arguments])
    name = f"llvm.masked.{what}.v{LANES}{letter}.p0"
    return b.call(cgutils.get_or_insert_function(b.module, kind, name), arguments)


@intrinsic
def spread(typingctx, number):
    """The number in every lane."""
    return Lanes(number)(number), lambda context, b, signature, arguments: _splat(b, arguments[0])


@intrinsic
def load(typingctx, array, at, left):
    """The elements of an array's data from `at` on: the first `left`, and zeros, if these are fewer than
    LANES."""

    def codegen(context, b, signature, arguments):
        array, at, left = arguments
        pointer, align = _vector_at(context, b, signature.args[0], array, at)
        zeros = ir.Constant(pointer.type.pointee, None)
        with b.if_else(b.icmp_signed(">=", left, ir.Constant(I64, LANES))) as (whole, part):
            with whole:
                all_, all_from = b.load(pointer, align=align), b.block
            with part:
                arguments = [pointer, ir.Constant(I32, align), _mask(b, left), zeros]
                some, some_from = _masked(b, "load", zeros.type, zeros.type, arguments), b.block
        result = b.phi(zeros.type)
        result.add_incoming(all_, all_from)
        result.add_incoming(some, some_from)
        return result

    return Lanes(array.dtype)(array, types.int64, types.int64), codegen


@intrinsic
def store(typingctx, array, at, left, lanes):
    """The way back of `load`."""

    def codegen(context, b, signature, arguments):
        array, at, left, value = arguments
        pointer, align = _vector_at(context, b, signature.args[0], array, at)
        with b.if_else(b.icmp_signed(">=", left, ir.Constant(I64, LANES))) as (whole, part):
            with whole:
                b.store(value, pointer, align=align)
            with part:
                arguments = [value, pointer, ir.Constant(I32, align), _mask(b, left)]
                _masked(b, "store", value.type, ir.VoidType(), arguments)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64, lanes), codegen


@intrinsic
def larger(typingctx, a, b):
    """Where a is larger than b, or NaN."""

    def codegen(context, builder, signature, arguments):
        a, b = arguments
        return builder.or_(builder.fcmp_ordered(">", a, b), builder.fcmp_unordered("uno", a, a))

    return Lanes(types.boolean)(a, b), codegen


@intrinsic
def equal(typingctx, a, b):
    """Where integers a and b are the same."""
    return Lanes(types.boolean)(a, b), lambda context, builder, signature, arguments: builder.icmp_signed(
        "==", *arguments
    )


@intrinsic
def pick(typingctx, mask, a, b):
    """a where the mask is true, else b."""
    return a(mask, a, b), lambda context, builder, signature, arguments: builder.select(*arguments)


def _arithmetic(method):
    @intrinsic
    def operation(typingctx, a, b):
        return a(a, b), lambda context, builder, signature, arguments: getattr(builder, method)(*arguments)

    return operation


add, multiply, divide = map(_arithmetic, ("fadd", "fmul", "fdiv"))

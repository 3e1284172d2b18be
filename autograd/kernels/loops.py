"""Loops over rows, compiled as plain C functions and run by one parallel loop that takes their address.

A parallel Numba kernel costs about a second to compile and some tens of milliseconds to load again; a serial
one a tenth of that. So what differs between kernels, the body, is compiled serial, and the `prange` around it
once for all of them. A body is

    @loop
    def body(chunk, first, last, width, at):      # rows first..last-1, of `width` elements each
        x = carray(at[0], (last * width,), np.float32)
        ...

where `at` holds the addresses of the arrays it was given."""

from functools import cached_property

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import event
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from . import memory as memory  # large arrays come and go: keep their pages
from .compiling import FOLDER, REASSOCIATE, kernel
from .kept import Kept
from .threads import chunks_of, launch

_SIGNATURE = types.void(*[types.int64] * 4, types.CPointer(types.voidptr))
_FLOAT32 = np.empty(0, np.float32)  # tells `launch` that the work is float32's, so parallel


@intrinsic
def _call(typing, address, chunk, first, last, width, at):
    """Calls the C function at an address. It takes the array `at` and not the address of its data, so that
    the array lives until the call is over."""

    def emit(context, builder, signature, values):
        address, *rest, at = values
        word, pointers = ir.IntType(64), ir.IntType(8).as_pointer().as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [word] * 4 + [pointers]).as_pointer()
        data = context.make_array(signature.args[-1])(context, builder, at).data
        builder.call(builder.inttoptr(address, kind), [*rest, builder.bitcast(data, pointers)])
        return context.get_dummy_value()

    return types.void(types.intp, *[types.int64] * 4, at), emit


@intrinsic
def use_wide_vectors(typing):
    """In a body, and in the functions of its loops: vectors of 512 bits where the CPU has them. LLVM prefers
    256 on Intel's, which takes a third longer for exponentials."""

    def emit(context, builder, signature, values):
        attributes = builder.function.attributes
        set.add(attributes, '"prefer-vector-width"="512"')  # llvmlite has no name for it
        if "alwaysinline" not in attributes:
            attributes.add("noinline")  # into the C wrapper around a body, which has not this attribute
        return context.get_dummy_value()

    return types.void(), emit


# Where an array object holds the address of its data: after the head that every object has. That is part of
# NumPy's ABI, and ten times faster to read than `array.ctypes.data`.
_DATA = object.__basicsize__


@intrinsic
def _word_at(typing, address):
    """The integer at an address."""

    def emit(context, builder, signature, values):
        return builder.load(builder.inttoptr(values[0], ir.IntType(64).as_pointer()))

    return types.int64(types.int64), emit


@kernel()
def _data_of(objects):
    """The addresses of the data of array objects."""
    at = np.empty_like(objects)
    for k in range(objects.size):
        at[k] = _word_at(objects[k] + _DATA)
    return at


@kernel()
def _chunk(chunk, first, last, like, address, width, objects):
    at = _data_of(objects)
    _call(address, chunk, first, last, width, at)


@kernel(parallel=True)
def _chunks(chunks, rows, like, address, width, objects):
    at = _data_of(objects)
    for i in prange(chunks):
        chunk = np.int64(i)
        _call(address, chunk, chunk * rows // chunks, (chunk + 1) * rows // chunks, width, at)


class Loop:
    """A body, compiled on first use and kept on disk."""

    def __init__(self, body):
        self.py_func = body

    @cached_property
    def address(self) -> int:
        """The address of the compiled body."""
        options = {"error_model": "numpy", "fastmath": REASSOCIATE}
        made = CFunc(self.py_func, (_SIGNATURE.args, _SIGNATURE.return_type), {}, options)
        made._cache = Kept(self.py_func, FOLDER)
        with event.trigger_event("numba:compile", data={"dispatcher": self}):  # as `njit` does
            made.compile()
        return made.address

    def __call__(self, chunks, rows, width, *arrays) -> None:
        """Runs the body over `range(rows)` in chunks. The arrays are C-contiguous, and the body knows their
        types."""
        objects = np.array([id(a) for a in arrays])
        if chunks == 1:
            _chunk(0, 0, rows, _FLOAT32, self.address, width, objects)
            return
        launch(_chunk, _chunks, chunks, rows, _FLOAT32, self.address, width, objects)


loop = Loop
__all__ = ["Loop", "chunks_of", "loop"]

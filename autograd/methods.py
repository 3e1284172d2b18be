"""The Tensor's operators and methods: one line each, through `ops`, the namespace that every declared
primitive joins."""

import types
from typing import Any

import numpy as np

ops: Any = types.SimpleNamespace()  # op name -> Primitive; filled where primitives are declared


def _axes(args):
    return args[0] if len(args) == 1 and (args[0] is None or isinstance(args[0], (tuple, list))) else args


class Methods:
    """NumPy's operators and methods, with NumPy's names and arguments."""

    __slots__ = ()
    __hash__ = object.__hash__
    _data: np.ndarray
    node: Any

    shape = property(lambda a: a._data.shape)
    ndim = property(lambda a: a._data.ndim)
    size = property(lambda a: a._data.size)
    dtype = property(lambda a: a._data.dtype)
    nbytes = property(lambda a: a._data.nbytes)
    is_leaf = property(lambda a: a.node is None)
    __len__ = lambda a: len(a._data)
    __index__ = lambda a: a._data.__index__()
    __float__ = lambda a: a._number(float, "float() or a function of math")
    __int__ = lambda a: a._number(int, "int()")
    __complex__ = lambda a: a._number(complex, "complex()")
    __dlpack_device__ = lambda a: a._data.__dlpack_device__()
    __contains__ = lambda a, value: bool(ops.plain("equal", a, value).any())
    item = lambda a, *index: a._data.item(*index)
    tolist = lambda a: a._data.tolist()

    __iadd__ = lambda a, b: a._inplace(np.add, b)
    __isub__ = lambda a, b: a._inplace(np.subtract, b)
    __imul__ = lambda a, b: a._inplace(np.multiply, b)
    __itruediv__ = lambda a, b: a._inplace(np.true_divide, b)
    __ipow__ = lambda a, b: a._inplace(np.power, b)
    zero_grad = lambda a: setattr(a, "grad", None)
    fill = lambda a, value: a.__setitem__(..., value)

    __add__ = lambda a, b: ops.add.on_two(a, b)
    __radd__ = lambda a, b: ops.add.on_two(b, a)
    __sub__ = lambda a, b: ops.subtract.on_two(a, b)
    __rsub__ = lambda a, b: ops.subtract.on_two(b, a)
    __mul__ = lambda a, b: ops.multiply.on_two(a, b)
    __rmul__ = lambda a, b: ops.multiply.on_two(b, a)
    __truediv__ = lambda a, b: ops.divide.on_two(a, b)
    __rtruediv__ = lambda a, b: ops.divide.on_two(b, a)
    __pow__ = lambda a, b: ops.power.on_two(a, b)
    __rpow__ = lambda a, b: ops.power.on_two(b, a)
    __mod__ = lambda a, b: ops.mod.on_two(a, b)
    __rmod__ = lambda a, b: ops.mod.on_two(b, a)
    __matmul__ = lambda a, b: ops.matmul.on_two(a, b)
    __rmatmul__ = lambda a, b: ops.matmul.on_two(b, a)
    __neg__ = lambda a: ops.negative(a)
    __pos__ = lambda a: a
    __abs__ = lambda a: ops.absolute(a)
    __getitem__ = lambda a, index: ops.getitem(a, index)

    # comparisons have no derivative: plain arrays of bools
    __eq__ = lambda a, b: ops.plain("equal", a, b)
    __ne__ = lambda a, b: ops.plain("not_equal", a, b)
    __lt__ = lambda a, b: ops.plain("less", a, b)
    __le__ = lambda a, b: ops.plain("less_equal", a, b)
    __gt__ = lambda a, b: ops.plain("greater", a, b)
    __ge__ = lambda a, b: ops.plain("greater_equal", a, b)
    __floordiv__ = lambda a, b: ops.plain("floor_divide", a, b)
    __rfloordiv__ = lambda a, b: ops.plain("floor_divide", b, a)
    __invert__ = lambda a: ops.plain("invert", a)
    __and__ = lambda a, b: ops.plain("bitwise_and", a, b)
    __or__ = lambda a, b: ops.plain("bitwise_or", a, b)
    argmax = lambda a, axis=None, keepdims=False: ops.plain("argmax", a, axis=axis, keepdims=keepdims)
    argmin = lambda a, axis=None, keepdims=False: ops.plain("argmin", a, axis=axis, keepdims=keepdims)
    argsort = lambda a, axis=-1: ops.plain("argsort", a, axis=axis)
    any = lambda a, axis=None, keepdims=False: ops.plain("any", a, axis=axis, keepdims=keepdims)
    all = lambda a, axis=None, keepdims=False: ops.plain("all", a, axis=axis, keepdims=keepdims)
    nonzero = lambda a: ops.plain("nonzero", a)
    round = lambda a, decimals=0: ops.plain("round", a, decimals)

    sum = lambda a, axis=None, keepdims=False: ops.sum(a, axis, keepdims)
    mean = lambda a, axis=None, keepdims=False: ops.mean(a, axis, keepdims)
    var = lambda a, axis=None, ddof=0, keepdims=False: ops.var(a, axis, ddof, keepdims)
    std = lambda a, axis=None, ddof=0, keepdims=False: ops.std(a, axis, ddof, keepdims)
    max = lambda a, axis=None, keepdims=False: ops.max(a, axis, keepdims)
    min = lambda a, axis=None, keepdims=False: ops.min(a, axis, keepdims)
    prod = lambda a, axis=None, keepdims=False: ops.prod(a, axis, keepdims)
    cumsum = lambda a, axis=None: ops.cumsum(a, axis)
    cumprod = lambda a, axis=None: ops.cumprod(a, axis)
    clip = lambda a, min=None, max=None: ops.clip(a, min, max)
    conj = lambda a: ops.conj(a)
    conjugate = lambda a: ops.conj(a)
    real = property(lambda a: ops.real(a))
    imag = property(lambda a: ops.imag(a))

    reshape = lambda a, *shape: ops.reshape(a, _axes(shape))
    ravel = lambda a: ops.reshape(a, (-1,))
    flatten = lambda a: ops.reshape(a, (-1,))
    transpose = lambda a, *axes: ops.transpose(a, _axes(axes) if axes else None)
    T = property(lambda a: ops.transpose(a, None))
    swapaxes = lambda a, axis1, axis2: ops.swapaxes(a, axis1, axis2)
    squeeze = lambda a, axis=None: ops.squeeze(a, axis)
    astype = lambda a, dtype: ops.astype(a, dtype)
    clone = lambda a: ops.clone(a)
    copy = lambda a: ops.clone(a)
    dot = lambda a, b: ops.dot(a, b)
    repeat = lambda a, repeats, axis=None: ops.repeat(a, repeats, axis)
    take = lambda a, indices, axis=None: ops.take(a, indices, axis)
    diagonal = lambda a, offset=0, axis1=0, axis2=1: ops.diagonal(a, offset, axis1, axis2)
    trace = lambda a, offset=0, axis1=0, axis2=1: ops.trace(a, offset, axis1, axis2)
    sort = lambda a, axis=-1: ops.sort(a, axis)
    partition = lambda a, kth, axis=-1: ops.partition(a, kth, axis)
    compress = lambda a, condition, axis=None: ops.compress(condition, a, axis)
    mT = property(lambda a: ops.matrix_transpose(a))

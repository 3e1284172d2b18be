"""The Tensor's operators and methods: one line each, through `ops`, the namespace that every declared
primitive joins."""

import types
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

ops: Any = types.SimpleNamespace()  # op name -> Primitive; filled where primitives are declared
# operators that an op becomes itself when it is declared, and the reflected ones with it
_binary = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "power": "pow"}
_binary |= {"mod": "mod", "matmul": "matmul"}
operators: dict[str, tuple] = {op: (f"__{name}__", f"__r{name}__") for op, name in _binary.items()}
operators |= {"negative": ("__neg__",), "getitem": ("__getitem__",)}


def _axes(args):
    return args[0] if len(args) == 1 and (args[0] is None or isinstance(args[0], (tuple, list))) else args


def _written(ufunc):
    return lambda a, b: a._inplace(ufunc, b)


def _reduction(name):
    def method(a, axis=None, keepdims=False, **more):
        if more:  # dtype, initial, where
            return getattr(np, name)(a, axis, keepdims=keepdims, **more)
        return getattr(ops, name).run(a, axis, keepdims)

    return method


class Methods(NDArrayOperatorsMixin):
    """NumPy's operators and methods, with NumPy's names and arguments. Operators that are not here, as
    comparisons, are NumPy's functions; those have no derivative and give plain arrays."""

    __slots__ = ()
    __hash__ = object.__hash__
    _data: np.ndarray
    node: Any
    __getitem__: Any

    shape, ndim, size, dtype, nbytes, itemsize, strides, flags = (
        property(attrgetter(f"_data.{name}"))
        for name in ("shape", "ndim", "size", "dtype", "nbytes", "itemsize", "strides", "flags")
    )
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
    tobytes = lambda a, order="C": a._data.tobytes(order)

    __iadd__, __isub__ = _written(np.add), _written(np.subtract)
    __imul__, __itruediv__ = _written(np.multiply), _written(np.true_divide)
    __ipow__, __imod__, __imatmul__ = _written(np.power), _written(np.remainder), _written(np.matmul)
    zero_grad = lambda a: setattr(a, "grad", None)
    fill = lambda a, value: a.__setitem__(..., value)

    __pos__ = lambda a: a

    # without derivative: plain arrays
    argmax = lambda a, axis=None, keepdims=False: ops.plain("argmax", a, axis=axis, keepdims=keepdims)
    argmin = lambda a, axis=None, keepdims=False: ops.plain("argmin", a, axis=axis, keepdims=keepdims)
    argsort = lambda a, axis=-1: ops.plain("argsort", a, axis=axis)
    any = lambda a, axis=None, keepdims=False: ops.plain("any", a, axis=axis, keepdims=keepdims)
    all = lambda a, axis=None, keepdims=False: ops.plain("all", a, axis=axis, keepdims=keepdims)
    argpartition = lambda a, kth, axis=-1: ops.plain("argpartition", a, kth, axis)
    searchsorted = lambda a, v, side="left", sorter=None: ops.plain("searchsorted", a, v, side, sorter)
    choose = lambda a, choices, mode="raise": np.choose(a, choices, mode=mode)
    nonzero = lambda a: ops.plain("nonzero", a)
    round = lambda a, decimals=0: ops.plain("round", a, decimals)

    sum, mean, max, min, prod = map(_reduction, ("sum", "mean", "max", "min", "prod"))
    var = lambda a, axis=None, ddof=0, keepdims=False, **k: np.var(a, axis, ddof=ddof, keepdims=keepdims, **k)
    std = lambda a, axis=None, ddof=0, keepdims=False, **k: np.std(a, axis, ddof=ddof, keepdims=keepdims, **k)
    cumsum = lambda a, axis=None, dtype=None: np.cumsum(a, axis, dtype)
    cumprod = lambda a, axis=None, dtype=None: np.cumprod(a, axis, dtype)
    clip = lambda a, min=None, max=None: ops.clip(a, min, max)
    conj = conjugate = lambda a: ops.conj(a)
    real = property(lambda a: ops.real(a))
    imag = property(lambda a: ops.imag(a))

    reshape = lambda a, *shape, order="C": (
        ops.reshape(a, _axes(shape)) if order == "C" else np.reshape(a, _axes(shape), order)
    )
    ravel = flatten = lambda a, order="C": np.ravel(a, order)
    transpose = lambda a, *axes: ops.transpose(a, _axes(axes) if axes else None)
    T = property(lambda a: ops.transpose(a, None))
    swapaxes = lambda a, axis1, axis2: ops.swapaxes(a, axis1, axis2)
    squeeze = lambda a, axis=None: ops.squeeze(a, axis)
    astype = lambda a, dtype: ops.astype(a, dtype)
    clone = copy = lambda a: ops.clone(a)
    dot = lambda a, b: ops.dot(a, b)
    repeat = lambda a, repeats, axis=None: ops.repeat(a, repeats, axis)
    take = lambda a, indices, axis=None: ops.take(a, indices, axis)
    diagonal = lambda a, offset=0, axis1=0, axis2=1: ops.diagonal(a, offset, axis1, axis2)
    trace = lambda a, offset=0, axis1=0, axis2=1: ops.trace(a, offset, axis1, axis2)
    sort = lambda a, axis=-1: ops.sort(a, axis)
    partition = lambda a, kth, axis=-1: ops.partition(a, kth, axis)
    compress = lambda a, condition, axis=None: ops.compress(condition, a, axis)
    mT = property(lambda a: ops.matrix_transpose(a))

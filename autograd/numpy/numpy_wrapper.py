"""What programs written for HIPS/autograd use of autograd.numpy, and NumPy itself does not take with
tensors in it:
lists of tensors, r_ and c_, einsum of operands with lists of axes, where of plain Python values."""

from typing import Any

import numpy as np

from ..tensor import Tensor, dispatch
from .creation import array


def _joined(a):
    """A list or tuple with tensors in it as one tensor."""
    return array(a) if isinstance(a, (list, tuple)) else a


def sum(a, *args, **kwargs):
    """np.sum; of a tensor without NumPy's microsecond of looking for who takes it."""
    return (dispatch[np.sum] if type(a) is Tensor else np.sum)(a, *args, **kwargs)


def mean(a, *args, **kwargs):
    """np.mean, also of a list of tensors."""
    return (dispatch[np.mean] if type(a) is Tensor else np.mean)(_joined(a), *args, **kwargs)


def std(a, *args, **kwargs):
    """np.std, also of a list of tensors."""
    return np.std(_joined(a), *args, **kwargs)


def var(a, *args, **kwargs):
    """np.var, also of a list of tensors."""
    return np.var(_joined(a), *args, **kwargs)


def append(arr, values, axis=None):
    """np.append, also of lists of tensors."""
    arr, values = _joined(arr), _joined(values)
    if axis is None:
        return np.concatenate([np.ravel(arr), np.ravel(values)])
    return np.concatenate([arr, values], axis)


def vstack(tup, dtype=None):
    """np.vstack; `dtype` as `astype` of the result."""
    stacked = np.vstack(tup)
    return stacked if dtype is None else stacked.astype(dtype)


row_stack = vstack


def full(shape, fill_value, dtype=None):
    """np.full, also of a tensor."""
    if not isinstance(fill_value, Tensor):
        return np.full(shape, fill_value, dtype)
    filled = np.broadcast_to(fill_value, shape)
    return filled if dtype is None else filled.astype(dtype)


def full_like(a, fill_value, dtype=None):
    """np.full_like, also of a tensor."""
    if not isinstance(fill_value, Tensor):
        return np.full_like(a, fill_value, dtype)
    return full(np.shape(a), fill_value, dtype)


def where(condition, *choices, **named):
    """np.where, also by the names x and y; of plain Python numbers or lists the result is one too."""
    choices = (*choices, *(named[k] for k in ("x", "y") if k in named))
    if not choices:
        return np.where(condition)
    if isinstance(condition, (np.ndarray, np.generic, Tensor)) or any(_has_arrays(c) for c in choices):
        return np.where(condition, *choices)
    return np.where(condition, *choices).tolist()


def _has_arrays(x):
    if isinstance(x, (list, tuple)):
        return any(map(_has_arrays, x))
    return isinstance(x, (np.ndarray, np.generic, Tensor))


def einsum(*operands, **kwargs):
    """np.einsum, also in the form einsum(a, [0, 1], b, [1, 2], [0, 2])."""
    if operands and not isinstance(operands[0], str):
        arrays, lists = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
        out = operands[-1] if len(operands) % 2 else None
        named = [_letters(axes) for axes in lists]
        operands = (",".join(named) + ("" if out is None else "->" + _letters(out)), *arrays)
    return np.einsum(*operands, **kwargs)


def _letters(axes):
    return "".join("..." if k is Ellipsis else chr(ord("a") + k) for k in axes)


class _Grid:
    """np.r_ or np.c_ with tensors among the parts: what it does to the numbers of the elements is done to
    them."""

    def __init__(self, grid):
        self.grid = grid

    def __getitem__(self, parts):
        parts = parts if isinstance(parts, tuple) else (parts,)
        parts = tuple(_joined(p) if _holds_tensor(p) else p for p in parts)
        if not any(isinstance(p, Tensor) for p in parts):
            return self.grid[parts]
        values: list = []
        places: list = []
        count = 0
        for part in parts:
            if isinstance(part, str):
                places.append(part)
                continue
            value = (
                part
                if isinstance(part, Tensor)
                else np.r_[part]
                if isinstance(part, slice)
                else np.asarray(part)
            )
            number = np.arange(count, count + value.size).reshape(value.shape)
            values.append(np.ravel(value))
            places.append(number if number.ndim else int(number))
            count += value.size
        return np.concatenate(values)[self.grid[tuple(places)]]


def _holds_tensor(part):
    if isinstance(part, (list, tuple)):
        return any(map(_holds_tensor, part))
    return isinstance(part, Tensor)


r_: Any = _Grid(np.r_)
c_: Any = _Grid(np.c_)


def make_diagonal(D, offset=0, axis1=-1, axis2=-2):
    """The matrices, over the last two axes, with the last axis of D on the diagonal. Raises ValueError for
    other axes
    or offsets."""
    if (offset, axis1, axis2) != (0, -1, -2):
        raise ValueError("make_diagonal takes offset=0, axis1=-1, axis2=-2")
    return D[..., None] * np.eye(np.shape(D)[-1])


def metadata(A):
    """(shape, number of axes, dtype, whether complex)."""
    A = A._data if isinstance(A, Tensor) else A
    return np.shape(A), np.ndim(A), np.result_type(A), np.iscomplexobj(A)

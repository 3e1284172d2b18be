"""Containers of arrays as one vector, and back."""

import builtins

import numpy as np

from .. import transforms
from ..tensor import Tensor


def _sorted(value):
    """The same containers with dicts in the order of their keys."""
    if isinstance(value, builtins.dict):
        return {k: _sorted(value[k]) for k in sorted(value)}
    if isinstance(value, (list, tuple)):
        items = [_sorted(v) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def flatten(value):
    """(vector, unflatten): nested dicts (in the order of their keys), lists and tuples of arrays and numbers
    as one vector, and the function that gives a vector of that size the structure back. Both are
    differentiable."""
    leaves, structure = transforms.flatten(value)
    numbers = transforms.unflatten(structure, range(len(leaves)))
    order, _ = transforms.flatten(_sorted(numbers))  # in the vector; dicts come back in their own
    places = sorted(range(len(order)), key=order.__getitem__)
    leaves = [leaves[k] for k in order]
    shapes = [np.shape(x) for x in leaves]
    ends = np.cumsum([int(np.prod(s)) for s in shapes])
    complex_ones = [np.iscomplexobj(x._data if isinstance(x, Tensor) else x) for x in leaves]

    def unflatten(vector):
        parts = [
            np.reshape(vector[end - int(np.prod(shape)) : end], shape)
            for shape, end in zip(shapes, ends, strict=True)
        ]
        if any(complex_ones):
            parts = [p if c else np.real(p) for p, c in zip(parts, complex_ones, strict=True)]
        parts = [p if isinstance(p, Tensor) or p.ndim else p[()] for p in parts]
        return transforms.unflatten(structure, [parts[k] for k in places])

    return np.concatenate([np.ravel(x) for x in leaves]) if leaves else np.zeros(0), unflatten


def flatten_func(func, example):
    """(vector -> flattened func of the container, unflatten, example as a vector)."""
    vector, unflatten = flatten(example)
    return lambda v, *args: flatten(func(unflatten(v), *args))[0], unflatten, vector

"""What NumPy's functions do on tensors where they are no primitive: composed of primitives, without
derivative, or not covered."""

import difflib

import numpy as np

from .primitive import one_dtype
from .tensor import Tensor, dispatch, leaves_graph, ops, unwrap


def composed(*numpy_functions):
    """Declares a function composed of primitives: NumPy's functions and the methods of tensors come to it."""

    def declare(function):
        dispatch.update(dict.fromkeys(numpy_functions, function))
        setattr(ops, function.__name__.rstrip("_"), function)
        return function

    return declare


without_derivative: set = set()  # NumPy functions that return plain arrays of tensors


def nondiff(*numpy_functions, level=False) -> None:
    """Declares NumPy functions whose derivative is zero or none: on tensors they return plain arrays. With
    `level` their operands come to one float type first, as those of primitives do."""
    without_derivative.update(numpy_functions)
    for function in numpy_functions:
        dispatch[function] = _on_arrays(function, level)


def _on_arrays(function, level=False):
    def run(*args, **kwargs):
        values = [_read(x) for x in args]
        if level:
            one_dtype(values, range(len(values)))
        return function(*values, **{k: _read(v) for k, v in kwargs.items()})

    return run


def _read(x):
    """The array of a tensor, read-only, since a write by NumPy could not be noticed; else as `unwrap`."""
    return x.numpy() if isinstance(x, Tensor) else unwrap(x)


def _tensors_in(values):
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors_in(value)


def _uncovered(function, method, inputs, kwargs):
    """A NumPy call that no op covers. On tensors outside the graph it runs on their arrays; where one
    requires grad it raises, since the gradient would be lost."""
    name = f"np.{function.__name__}" + ("" if method == "__call__" else f".{method}")
    if method == "at" and isinstance(inputs[0], Tensor):  # which writes into read-only arrays too
        raise TypeError(f"{name} writes into an ndarray, got a Tensor: assign with t[index] = value")
    if any(isinstance(out, Tensor) for out in kwargs.get("out") or ()):
        raise TypeError(f"{name}: out= takes an ndarray, got a Tensor: assign with t[...] = value")
    for t in _tensors_in((*inputs, *kwargs.values())):
        if t.requires_grad and function in dispatch and method == "__call__":
            raise leaves_graph(t, f"{name} with {', '.join(kwargs)}=", f"write a = {name}(...) without it")
        if t.requires_grad:
            near = difflib.get_close_matches(
                function.__name__, sorted({f.__name__ for f in dispatch}), 3, 0.5
            )
            instead = f"use one that has (nearest: {', '.join(near)})"
            raise leaves_graph(t, f"{name}, which has no derivative here,", instead)
    call = function if method == "__call__" else getattr(function, method)
    return call(*map(_read, inputs), **{k: _read(v) for k, v in kwargs.items()})


ops.plain = lambda name, *args, **kwargs: _on_arrays(getattr(np, name))(*args, **kwargs)
ops.uncovered = _uncovered

"""Arrays from lists that hold tensors, which NumPy would convert and so take out of the graph."""

import numpy as np

from ..tensor import Tensor, wrap


def array(object, dtype=None):
    """np.array; with tensors anywhere in nested lists or tuples the result is the recorded tensor of them, of
    their dtype (numbers among them promote nothing). Raises ValueError when shapes differ."""
    tensors = list(_tensors(object))
    if not tensors:
        return np.array(object, dtype)
    if isinstance(object, Tensor):
        y = object.clone()
    else:
        y = _stacked(object, np.result_type(*(t.dtype for t in tensors)))
    return y if dtype is None else y.astype(dtype)


def asarray(a, dtype=None):
    """np.asarray; a tensor comes back as it is, lists of tensors as `array` makes them."""
    if isinstance(a, Tensor) and (dtype is None or a.dtype == dtype):
        return a
    return np.asarray(a, dtype) if next(_tensors(a), None) is None else array(a, dtype)


def _tensors(value):
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for element in value:
            yield from _tensors(element)


def _stacked(value, dtype):
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (list, tuple)):
        return np.stack([_stacked(element, dtype) for element in value])
    return wrap(np.asarray(value, dtype if np.result_type(value, dtype).kind == dtype.kind else None))

"""Anomaly mode: finds the op, and the line of the user's code, where the first NaN or infinity arose."""

import sys

import numpy as np

from .graph import Node
from .modes import state
from .tensor import Tensor, unwrap


class detect_anomaly:
    """A context in which the first NaN or infinity, in a forward or a backward, raises FloatingPointError with the op
    and the line of the user's code that recorded it. Several times slower: for finding a fault, not for training."""

    def __enter__(self):
        self._before = state.watchers, state.backward_watchers
        state.watchers = (*state.watchers, _forward)
        state.backward_watchers = (*state.backward_watchers, _backward)
        return self

    def __exit__(self, *_):
        state.watchers, state.backward_watchers = self._before


def _forward(node, y):
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in ("autograd", "nn", "numpy"):
        frame = frame.f_back
    node.line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    _check(y, node, "output")


def _backward(vertex, g):
    _check(g, vertex, "gradient of the output")


def _check(value, vertex, what):
    for part in value if isinstance(value, tuple) else (value,):
        array = unwrap(part)
        if isinstance(array, (np.ndarray, np.generic)) and not np.isfinite(array).all():
            bad = "NaN" if np.isnan(array).any() else "infinity"
            where = f"{vertex.name}, recorded at {vertex.line}" if isinstance(vertex, Node) else f"{_leaf(vertex)}"
            raise FloatingPointError(f"{bad} in the {what} of {where}")


def _leaf(t: Tensor):
    return f"leaf {t.name!r}" if t.name else f"a leaf of shape {t.shape}"

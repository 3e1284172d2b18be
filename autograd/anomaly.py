"""Anomaly mode: finds the op, and the line of the user's code, where the first NaN or infinity arose."""

import sys

import numpy as np

from .modes import state
from .tensor import unwrap


class detect_anomaly:
    """A context in which the first NaN or infinity, in a forward or a backward, raises FloatingPointError
    with the op and the line of the user's code that recorded it. What is not recorded is not looked at.
    Several times slower: for finding a fault, not for training."""

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


def _backward(node, g, pulled):
    _check(pulled, node, "backward")


def _check(value, node, what):
    for part in value if isinstance(value, (tuple, list)) else (value,):
        array = unwrap(part)
        if isinstance(array, (np.ndarray, np.generic)) and not np.isfinite(array).all():
            bad = "NaN" if np.isnan(array).any() else "infinity"
            raise FloatingPointError(
                f"{bad} in the {what} of {node.name}, recorded at {node.line or 'an unknown line'}"
            )

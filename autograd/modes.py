"""Per-thread switches (is the graph recorded, and who watches) and the default float type."""

import contextlib
import threading

import numpy as np


class _State(threading.local):
    recording = True
    replaying = False
    watchers: tuple = ()  # called with (node, output) after each recorded op
    backward_watchers: tuple = ()  # called with (node, cotangent, cotangents of its inputs) after each rule


state = _State()
_default_dtype = np.dtype(np.float32)


class _Switch(contextlib.ContextDecorator):
    """Sets whether the calling thread records. Context and decorator, nested or re-entered."""

    value: bool

    def __init__(self):
        self._before = []

    def __enter__(self):
        self._before.append(state.recording)
        state.recording = self.value
        return self

    def __exit__(self, *_):
        state.recording = self._before.pop()

    def _recreate_cm(self):
        return type(self)()


class no_grad(_Switch):
    """Within it nothing is recorded: results do not require grad, and in-place writes are allowed."""

    value = False


class enable_grad(_Switch):
    """Records again inside a `no_grad` block."""

    value = True


def is_grad_enabled() -> bool:
    """Whether the calling thread records a graph."""
    return state.recording


def is_replaying() -> bool:
    """Whether a forward runs a second time, within the backward of a checkpoint: running statistics then
    stay."""
    return state.replaying


def set_default_dtype(dtype) -> None:
    """Sets the type that Python floats become: float32 at first. Raises TypeError on a type that is not a
    float."""
    global _default_dtype
    new = np.dtype(dtype)
    if new.kind != "f":
        raise TypeError(f"the default dtype must be a float type such as np.float32 or np.float64, got {new}")
    _default_dtype = new


def get_default_dtype() -> np.dtype:
    """The type that Python floats become."""
    return _default_dtype

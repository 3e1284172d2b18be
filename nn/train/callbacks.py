"""Callbacks: objects that `fit` calls at some moments.

    class Print:
        def on_step_end(self, training):
            print(training.step, training.loss)

    fit(..., callbacks=[Print()])

Any object with some of these methods is one; each gets the `Training`, whose `stop(why)` ends it:

    on_train_begin      before the first step
    on_epoch_begin      before an epoch's first step (and again where a run is resumed within the epoch)
    on_step_end         after each step of the optimizer
    on_epoch_end        after validation; `training.history.rows[-1]` is the epoch's row, and may be added to
    on_train_end        after the last step; the model has its best weights

What a callback must remember over a kill, it gives as `state_dict()` (dicts, lists, arrays, numbers, strings)
and takes back by `load_state_dict(state)`: checkpoints hold it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from .training import Training

MOMENTS = ("on_train_begin", "on_epoch_begin", "on_step_end", "on_epoch_end", "on_train_end")


class Callbacks:
    """Calls what there is to call at a moment. Raises TypeError for an object with none of the methods, or
    one with a method on_... that would never be called."""

    def __init__(self, callbacks: Iterable[Any]):
        self.all = tuple(callbacks)
        self.methods: dict[str, list[Callable[[Training], Any]]] = {moment: [] for moment in MOMENTS}
        for callback in self.all:
            names = [name for name in dir(callback) if name.startswith("on_")]
            unknown = [name for name in names if name not in MOMENTS]
            if unknown or not names:
                what = f"has {', '.join(unknown)}, which is" if unknown else "has"
                known = ", ".join(MOMENTS)
                raise TypeError(f"a {type(callback).__name__} {what} no method of a callback: {known}")
            for name in names:
                self.methods[name].append(getattr(callback, name))

    def __call__(self, moment: str, training: Training) -> None:
        for method in self.methods[moment]:
            method(training)

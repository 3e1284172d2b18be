"""A training under way: what callbacks see, and what a checkpoint holds."""

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd import random
from optim import Optimizer

from ..module import Module
from ..refusals import check_keys
from .history import History


@dataclass
class Training:
    """`epoch` epochs and `step` steps of the optimizer are done, and `batch` batches of the epoch at hand;
    `loss` is that of the last step, `rate` its learning rate (of the first group). `settings` is the
    caller's own, kept for whoever resumes."""

    model: Module
    optimizer: Optimizer
    epochs: int
    history: History
    schedule: Any = None
    callbacks: tuple = ()
    train: Any = None
    validation: Any = None
    settings: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    batch: int = 0
    loss: float = math.nan
    rate: float = math.nan
    sums: dict[str, list[float]] = field(default_factory=dict)  # name -> [sum over this epoch, of how many]
    seconds: float = 0.0  # of this epoch
    best: dict[str, np.ndarray] | None = None  # weights
    validated: dict[str, Any] | None = None  # what is kept of the validation loader after a pass over it

    def stop(self, why: str = "stopped") -> None:
        """Ends training after the step at hand, or after the epoch when called at its end."""
        self.history.ended = why

    def add(self, name: str, mean: float, count: float) -> None:
        """Counts the mean of some examples into the mean of the epoch."""
        total = self.sums.setdefault(name, [0.0, 0.0])
        total[0] += mean * count
        total[1] += count

    def means(self) -> dict[str, float]:
        """The mean of the loss and of each metric over this epoch. Raises ValueError when it had no batch."""
        if not self.sums:
            raise ValueError("nothing to train on: the loader gives no batch")
        return {name: total / count for name, (total, count) in self.sums.items()}

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the model's weights and buffers."""
        return {name: values.numpy().copy() for name, values in self.model.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """All that it takes to go on bit for bit."""
        model, optimizer = self.model, self.optimizer
        return {
            "model": {
                "kind": type(model).__name__,
                "layers": _layers(model),
                "weights": {name: values.numpy() for name, values in model.state_dict().items()},
                "frozen": [name for name, p in model.named_parameters() if not p.requires_grad],
            },
            "optimizer": {"kind": type(optimizer).__name__, **optimizer.state_dict()},
            "schedule": kept(self.schedule),
            "callbacks": [kept(callback) for callback in self._with_state()],
            "train": kept(self.train),
            "validation": self.validated,
            "generator": random.generator().bit_generator.state,
            "history": {name: getattr(self.history, name) for name in _HISTORY},
            "best": self.best,
            "place": {name: getattr(self, name) for name in _PLACE},
            "settings": self.settings,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from there. Raises ValueError that says what differs when it is the state of another model,
        optimizer, schedule, loader or row of callbacks; the model's weights are then unchanged."""
        self._check_model(state["model"])
        optimizer, own = state["optimizer"], type(self.optimizer).__name__
        if optimizer["kind"] != own:
            raise ValueError(f"it is of optimizer {optimizer['kind']}, this one is {own}")
        history = state["history"]
        for name in ("monitor", "mode"):
            if history[name] != getattr(self.history, name):
                raise ValueError(f"its {name} is {history[name]!r}, now {getattr(self.history, name)!r}")
        given, callbacks = state["callbacks"], self._with_state()
        if len(given) != len(callbacks):
            raise ValueError(f"it has the state of {len(given)} callbacks, now {len(callbacks)} have one")
        parts = [("schedule", state["schedule"], self.schedule), ("loader", state["train"], self.train)]
        parts += [("callback", s, own) for s, own in zip(given, callbacks)]
        if state["validation"] is not None:
            parts.append(("validation loader", state["validation"], self.validation))
        for what, saved, part in parts:
            if saved["kind"] != _kind(part):
                raise ValueError(f"its {what} is {saved['kind']}, this one is {_kind(part)}")
        # What follows changes things: the optimizer first, since it may still refuse.
        self.optimizer.load_state_dict(optimizer)
        random.generator().bit_generator.state = state["generator"]
        for _, saved, part in parts:
            if saved["state"] is not None:
                part.load_state_dict(saved["state"])
        self.model.load_state_dict(state["model"]["weights"])
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name not in state["model"]["frozen"])
        self.best, self.validated = state["best"], state["validation"]
        self.history.rows, self.history.ended = history["rows"], history["ended"]
        for name in _PLACE:
            setattr(self, name, state["place"][name])

    def _with_state(self):
        return [callback for callback in self.callbacks if hasattr(callback, "state_dict")]

    def _check_model(self, saved):
        name, own = type(self.model).__name__, self.model.state_dict()
        weights, kind = saved["weights"], saved["kind"]
        if kind != name:
            raise ValueError(f"it is of model {kind}, this one is {name}")
        check_keys(name, {n: v.shape for n, v in own.items()}, {n: v.shape for n, v in weights.items()})
        for key, values in own.items():
            if values.dtype != weights[key].dtype:
                raise ValueError(f"{key} is {weights[key].dtype} in it, {values.dtype} in this {name}")
        for theirs, ours in itertools.zip_longest(saved["layers"], _layers(self.model), fillvalue="nothing"):
            if theirs != ours:
                raise ValueError(f"its model has {theirs.strip()} where this {name} has {ours.strip()}")


_PLACE = ("epoch", "step", "batch", "loss", "rate", "sums", "seconds")
_HISTORY = ("rows", "monitor", "mode", "ended")


def _layers(model) -> list[str]:
    """The model's repr, a line a layer, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(model)).splitlines()


def _kind(part) -> str:
    return "none" if part is None else type(part).__name__


def kept(part) -> dict[str, Any]:
    """What a checkpoint keeps of a schedule, callback or loader: its state, where it has one."""
    return {"kind": _kind(part), "state": part.state_dict() if hasattr(part, "state_dict") else None}

"""Averages of the weights over training, which often generalise better than the last ones."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from autograd.modes import no_grad
from autograd.tensor import Tensor, as_array, writable

from .options import in_range
from .rule import rule


@rule("average")
def towards(average, w, /, keep, new):
    """average = keep average + new w."""
    return keep * average + new * w


class WeightAverage:
    """Averages the values of `parameters`: tensors of floats, such as `model.parameters()`, with
    `model.buffers()` where running statistics are to be averaged too. Call `update()` after each step;
    `with average.applied():` puts the averages into the parameters and takes them out again at the end,
    `apply()` for good. A subclass says how much a new value counts. Raises ValueError for no parameters, and
    for an average of no updates."""

    def __init__(self, parameters: Iterable[Tensor]):
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError(f"{type(self).__name__} got no parameters")
        self.sums = [np.zeros_like(as_array(p), order="C") for p in self.parameters]
        self.updates = 0

    def update(self) -> None:
        """Takes the present values into the average."""
        self.updates += 1
        towards([(s, as_array(p)) for s, p in zip(self.sums, self.parameters)], self.weights())

    def weights(self) -> tuple[float, float]:
        """What the old sum counts in the new one, and what the new value does."""
        raise TypeError(f"{type(self).__name__} defines no weights()")

    def correction(self) -> float:
        """What the sums are divided by."""
        return 1.0

    def values(self) -> list[np.ndarray]:
        """The averages, in the order of the parameters."""
        if not self.updates:
            raise ValueError(f"{type(self).__name__}: no update() yet, so there is nothing to average")
        return [np.asarray(s / self.correction(), s.dtype) for s in self.sums]

    def apply(self) -> None:
        """Writes the averages into the parameters."""
        self._write(self.values())

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """The averages stand in the parameters within the block, their own values again after it."""
        own = [as_array(p).copy() for p in self.parameters]
        self.apply()
        try:
            yield
        finally:
            self._write(own)

    def _write(self, values):
        with no_grad():
            for p, value in zip(self.parameters, values):
                writable(p)[...] = value

    def state_dict(self) -> dict[str, Any]:
        """{"updates": their number, "sums": arrays}, which share memory."""
        return {"updates": self.updates, "sums": list(self.sums)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from there. Raises ValueError for one of other parameters."""
        try:
            updates, sums = int(state_dict["updates"]), [as_array(s) for s in state_dict["sums"]]
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"this is no state_dict of a {type(self).__name__}") from None
        given, own = [s.shape for s in sums], [s.shape for s in self.sums]
        if given != own:
            raise ValueError(f"{type(self).__name__} averages shapes {own}, the state_dict has {given}")
        self.updates = updates
        self.sums = [np.array(s, old.dtype, order="C") for s, old in zip(sums, self.sums)]


class ExponentialMovingAverage(WeightAverage):
    """v = beta v + (1 - beta) w, about the mean of the last 1 / (1 - beta) values; divided by 1 - beta^t it
    begins at the first one (COURSE.md C2W2-ewa, C2W2-biascorr). `bias_correction=False` gives v itself, which
    begins at 0. Raises ValueError unless 0 <= beta < 1."""

    def __init__(self, parameters, beta: float = 0.999, bias_correction: bool = True):
        in_range(self, {"beta": beta}, 0, 1, "beta")
        super().__init__(parameters)
        self.beta, self.bias_correction = float(beta), bias_correction

    def weights(self):
        return self.beta, 1.0 - self.beta

    def correction(self):
        return 1.0 - self.beta**self.updates if self.bias_correction else 1.0


class StochasticWeightAverage(WeightAverage):
    """The plain mean of all values (Izmailov et al. 2018): update it once an epoch near the end of training,
    under a learning rate that stays large (`SWALR`). Batch norm's running statistics belong to other weights
    afterwards: run the training data through once more in training mode."""

    def weights(self):
        return 1.0 - 1.0 / self.updates, 1.0 / self.updates

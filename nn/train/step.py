"""One step of the optimizer, over one batch or the mean of several."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd import Tensor
from optim import clip_grad_norm_, clip_grad_value_

from .training import Training


class Step:
    """Moves the parameters by the gradient of the mean loss over the examples of some batches, which go
    through the model one after the other; their effective batch may be larger than memory allows at once.

    With weights the mean is sum(w loss) / sum(w). They are those of the classes, times those that the batches
    end with, `(m,)`; the loss then has to give one number for each."""

    def __init__(
        self,
        loss: Callable,
        metrics: Mapping[str, Callable],
        class_weights: Mapping[int, float] | Sequence[float] | None = None,
        sample_weights: bool = False,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ):
        self.loss, self.metrics = loss, metrics
        self.table = None if class_weights is None else _table(class_weights)
        self.others_count_one = isinstance(class_weights, Mapping)
        self.sample_weights = sample_weights
        self.clip_norm, self.clip_value = clip_norm, clip_value
        for name in ("clip_norm", "clip_value"):
            most = getattr(self, name)
            if most is not None and not most > 0:
                raise ValueError(f"{name} must be a number > 0, got {most!r}")

    def __call__(self, training: Training, batches: Sequence[tuple]) -> None:
        """Takes the step, and counts loss and metrics into the epoch's. Raises FloatingPointError when the
        loss is NaN or infinite; the parameters have then not moved."""
        parts = [self._part(batch) for batch in batches]
        whole = sum(count for *_, count in parts)
        if not whole > 0:
            raise ValueError(f"the weights of step {training.step + 1} sum to {whole:g}: needs more than 0")
        model, optimizer, outputs = training.model, training.optimizer, []

        def gradient() -> float:
            optimizer.zero_grad()
            mean = 0.0
            for inputs, target, weights, count in parts:
                output = model(*map(Tensor, inputs))
                cost = self._cost(output, target, weights)
                if weights is not None:
                    cost = cost * (1.0 / whole)
                elif len(parts) > 1:
                    cost = cost * (count / whole)
                mean += cost.item()
                _check_finite(mean, training)
                cost.backward()
                if self.metrics and len(outputs) < len(parts):  # LBFGS calls more than once
                    outputs.append(output)
            if self.clip_value is not None:
                clip_grad_value_(_parameters(optimizer), self.clip_value)
            if self.clip_norm is not None:
                clip_grad_norm_(_parameters(optimizer), self.clip_norm)
            return mean

        training.rate = optimizer.param_groups[0]["lr"]
        training.loss = optimizer.step(gradient)
        training.step += 1
        training.batch += len(batches)
        training.add("loss", training.loss, whole)
        for output, (_, target, *_) in zip(outputs, parts):
            for name, metric in self.metrics.items():
                training.add(name, metric(output.numpy(), np.asarray(target)), len(target))

    def _part(self, batch) -> tuple[Sequence, Any, np.ndarray | None, float]:
        """(inputs, target, weights, what the batch counts)."""
        weights = None
        if self.sample_weights:
            *batch, weights = batch
            weights = np.asarray(weights)
        *inputs, target = batch
        if self.table is not None:
            weights = of_classes(self.table, np.asarray(target), weights, self.others_count_one)
        if weights is None:
            return inputs, target, None, len(target)
        if not inputs or weights.shape[:1] != (len(target),):
            raise ValueError(
                f"sample weights of shape {weights.shape} for {len(target)} examples: "
                f"a batch is (*inputs, target, weights) with weights ({len(target)},)"
            )
        return inputs, target, weights, float(weights.sum())

    def _cost(self, output, target, weights):
        """The mean loss of the examples; with weights the sum of the weighted losses."""
        cost = self.loss(output, target)
        if weights is None:
            return cost if cost.ndim == 0 else cost.mean()
        if cost.ndim == 0:
            raise ValueError(
                "weights need the loss of each example, and it gave one number for all: "
                'make it with reduction="none"'
            )
        if cost.ndim > weights.ndim == 1:
            cost = cost.reshape(len(cost), -1).mean(axis=1)  # (m, ...) -> (m,)
        if cost.shape != weights.shape:
            raise ValueError(f"a loss of shape {cost.shape} against weights of shape {weights.shape}")
        return (cost * weights.astype(cost.dtype)).sum()


def of_classes(table, target: np.ndarray, weights: np.ndarray | None, others_count_one: bool) -> np.ndarray:
    """The weight of each target by its class, times `weights` `(m,)` if there are any. The target is class
    numbers of any shape, or shares of the classes `(m, classes)`."""
    shares = target.dtype.kind == "f" and target.ndim == 2 and target.shape[1] > 1
    classes = target.shape[1] if shares else int(target.max(initial=-1)) + 1
    if others_count_one and classes > len(table):
        table = np.concatenate([table, np.ones(classes - len(table))])
    if classes > len(table) or (shares and classes < len(table)) or target.min(initial=0) < 0:
        what = f"shares of {classes} classes" if shares else f"from {target.min():g} to {target.max():g}"
        raise ValueError(f"class weights are of classes 0 to {len(table) - 1}, and the targets are {what}")
    if shares:
        own = target @ table
    else:
        own = table[(numbers := target.astype(np.int64))]
        if not np.array_equal(numbers, target):
            raise ValueError(f"class weights need class numbers as targets, got {target.flat[0]:g}, ...")
    return own if weights is None else own * weights.reshape(-1, *[1] * (own.ndim - 1))


def _table(class_weights) -> np.ndarray:
    given = class_weights
    if isinstance(class_weights, Mapping):
        if not all(isinstance(label, (int, np.integer)) and label >= 0 for label in class_weights):
            raise ValueError(f"class_weights is a dict of class numbers and weights, got {given!r}")
        given = [class_weights.get(label, 1.0) for label in range(max(class_weights, default=-1) + 1)]
    table = np.asarray(given, float)
    if table.ndim != 1 or not table.size or not np.isfinite(table).all() or (table < 0).any():
        raise ValueError(f"class_weights must be numbers >= 0, one for each class, got {class_weights!r}")
    return table


def _parameters(optimizer):
    return [p for group in optimizer.param_groups for p in group["params"]]


def _check_finite(value, training):
    if not math.isfinite(value):
        of = f" of {len(training.train)}" if hasattr(training.train, "__len__") else ""
        raise FloatingPointError(
            f"the loss is {value} at step {training.step + 1} (epoch {training.epoch + 1}, batch "
            f"{training.batch + 1}{of}, learning rate {training.rate:g}): "
            "try a smaller rate, and look for NaN in the data"
        )

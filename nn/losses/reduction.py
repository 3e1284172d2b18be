"""What losses share: reductions, the checks of predictions against targets, and the module of a loss."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.tensor import Tensor, as_array, unwrap

from ..layers.check import kind_of
from ..module import Module

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str) -> None:
    """Raises ValueError for an unknown reduction."""
    if reduction not in REDUCTIONS:
        raise ValueError(f'reduction is "mean", "sum" or "none", got {reduction!r}')


def reduced(losses, reduction: str, name: str):
    """The losses' mean or sum, or themselves. Raises ValueError for the mean of none."""
    check_reduction(reduction)
    if reduction == "mean" and not losses.size:
        raise ValueError(
            f"{name}: the batch is empty, and the mean of nothing is undefined; losses {losses.shape}"
        )
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def reduced_by_weight(losses, weights, reduction: str, name: str):
    """As `reduced`, but the mean is the sum of the losses over the sum of the weights they hold already."""
    check_reduction(reduction)
    if reduction != "mean":
        return reduced(losses, reduction, name)
    total = float(weights.sum())
    if not total > 0:
        raise ValueError(f"{name}: no entry counts: {losses.size} losses whose weights sum to {total:g}")
    return losses.sum() / total


def check_predictions(predictions, name: str, what: str = "predictions") -> None:
    """Raises TypeError unless predictions are an array of floats."""
    if not isinstance(predictions, (Tensor, np.ndarray)):
        raise TypeError(f"{name}: {what} must be a Tensor or an ndarray, got {kind_of(predictions)}")
    if predictions.dtype.kind != "f":
        raise TypeError(
            f"{name}: {what} must be floats, got {predictions.dtype}; are {what} and targets swapped?"
        )


def like_predictions(predictions, targets, name: str, what: str = "predictions", other: str = "targets"):
    """The targets in the predictions' dtype. Raises ValueError unless both have one shape: (m, 1) against
    (m,) would broadcast to (m, m)."""
    check_predictions(predictions, name, what)
    shape = np.shape(unwrap(targets))
    if shape != predictions.shape:
        hint = ""
        if predictions.size == np.prod(shape):
            hint = f": reshape one, {what}.reshape({shape}) or {other}.reshape({predictions.shape})"
        raise ValueError(f"{name}: {what} {predictions.shape} and {other} {shape} must have one shape{hint}")
    if isinstance(targets, Tensor) and targets.requires_grad:
        return targets
    values = as_array(targets)
    if values.dtype.kind == "c":
        raise TypeError(f"{name}: {other} must be real numbers, got {values.dtype}")
    return values.astype(predictions.dtype, copy=False)


def check_shares(values: np.ndarray, name: str, what: str, instead: str) -> None:
    """Raises ValueError unless all values are in [0, 1], up to rounding."""
    if values.size and not (values.min() >= 0 and values.max() <= 1.0001):
        raise ValueError(
            f"{name}: {what} must be in [0, 1], got {values.min():g} to {values.max():g}: {instead}"
        )


def signs(predictions, targets, name: str, shape=None, what: str = "predictions") -> np.ndarray:
    """Targets of -1 and 1, of a shape, the predictions' by default. Raises ValueError for others."""
    shape = predictions.shape if shape is None else shape
    y = as_array(targets)
    if y.shape != shape:
        raise ValueError(
            f"{name}: {what} {predictions.shape} need targets {shape} of -1 and 1, got shape {y.shape}"
        )
    if wrong := y[np.abs(y) != 1][:1].tolist():
        raise ValueError(f"{name}: targets are -1 or 1, got {wrong[0]:g}: of 0 and 1 they are 2 * y - 1")
    return y.astype(predictions.dtype, copy=False)


def class_numbers(scores, labels, name: str, what: str, ignore_index: int | None = None):
    """Labels (...) as class numbers of scores (..., C), 0 where they are to be ignored, and the mask of those
    that count, None when all do. Raises ValueError for another shape or a number outside 0..C-1, TypeError
    for labels that are no integers."""
    labels, classes = as_array(labels), scores.shape[-1] if scores.ndim else 0
    if not scores.ndim or labels.shape != scores.shape[:-1]:
        second = scores.ndim > 2 and labels.shape == scores.shape[:1] + scores.shape[2:]
        axes = ", ".join(map(str, (0, *range(2, scores.ndim), 1)))
        way_out = (
            f"classes lie on the last axis, {what}.transpose({axes})"
            if second
            else f"labels need {scores.shape[:-1]} class numbers"
        )
        raise ValueError(f"{name}: labels have shape {labels.shape}, {what} {scores.shape}: {way_out}")
    if labels.dtype.kind not in "iu" and labels.size:
        raise TypeError(
            f"{name}: labels that are class numbers must be integers, got {labels.dtype}: use astype(int)"
        )
    counted = None
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if ignore_index is not None and labels.size and low <= ignore_index <= high:
        counted = labels != ignore_index
        labels = np.where(counted, labels, 0)
        low, high = labels.min(), labels.max()
    if labels.size and not (0 <= low and high < classes):
        wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
        raise ValueError(f"{name}: labels must lie in 0..{classes - 1}, got {wrong}")
    return labels.astype(np.intp, copy=False), counted


def class_weights(weight, scores, name: str) -> np.ndarray:
    """The weight of each class, (C,), in the type of the scores. Raises ValueError for another shape."""
    values = as_array(weight)
    if values.shape != scores.shape[-1:]:
        raise ValueError(
            f"{name}: weight is one number a class, {scores.shape[-1:]}, got shape {values.shape}"
        )
    return values.astype(scores.dtype, copy=False)


def entry_weights(weight, losses, name: str) -> np.ndarray:
    """Weights that broadcast to the losses, in their type. Raises ValueError for those that do not."""
    values = as_array(weight)
    try:
        fits = np.broadcast_shapes(values.shape, losses.shape) == losses.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name}: weight {values.shape} does not broadcast to the losses {losses.shape}")
    return values.astype(losses.dtype, copy=False)


class Loss(Module):
    """A loss that remembers its arguments: calling it calls its `function` with them. `reduction` is the
    "mean" over all entries, their "sum", or "none": one loss for each. Arrays among the arguments, such as
    class weights, are buffers."""

    function: Callable[..., Any]
    reduction: str

    def __init__(self, reduction="mean", **options):
        super().__init__()
        self._check(reduction)
        known = inspect.signature(type(self).function).parameters
        if unknown := [name for name in options if name not in known]:
            raise TypeError(f"{type(self).__name__} has no argument {unknown[0]!r}")
        self.options = (*options, "reduction")
        for name, value in {**options, "reduction": reduction}.items():
            if isinstance(value, (Tensor, np.ndarray, list)):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    _check = staticmethod(check_reduction)

    def forward(self, *inputs, **named):
        options = {name: getattr(self, name) for name in self.options}
        return type(self).function(*inputs, **({**options, **named} if named else options))

    def extra_repr(self):
        defaults = {n: p.default for n, p in inspect.signature(type(self).function).parameters.items()}
        notes = []
        for name in self.options:
            value = getattr(self, name)
            if isinstance(value, Tensor):
                notes.append(f"{name} of shape {value.shape}")
            elif value != defaults.get(name):
                notes.append(f"{name}={getattr(value, '__name__', None) or repr(value)}")
        return ", ".join(notes)

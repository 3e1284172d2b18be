"""What losses share: reductions, and the checks of predictions against targets."""

import numpy as np

from autograd.tensor import Tensor, as_array, unwrap

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


def check_predictions(predictions, name: str, what: str = "predictions") -> None:
    """Raises TypeError unless predictions are an array of floats."""
    if not isinstance(predictions, (Tensor, np.ndarray)):
        raise TypeError(f"{name}: {what} must be a Tensor or an ndarray, got {type(predictions).__name__}")
    if predictions.dtype.kind != "f":
        raise TypeError(
            f"{name}: {what} must be floats, got {predictions.dtype}; are {what} and targets swapped?"
        )


def like_predictions(predictions, targets, name: str, what: str = "predictions"):
    """The targets in the predictions' dtype. Raises ValueError unless both have one shape: (m, 1) against
    (m,) would broadcast to (m, m)."""
    check_predictions(predictions, name, what)
    shape = np.shape(unwrap(targets))
    if shape != predictions.shape:
        hint = ""
        if predictions.size == np.prod(shape):
            hint = f": reshape one, {what}.reshape({shape}) or targets.reshape({predictions.shape})"
        raise ValueError(f"{name}: {what} {predictions.shape} and targets {shape} must have one shape{hint}")
    if isinstance(targets, Tensor) and targets.requires_grad:
        return targets
    values = as_array(targets)
    if values.dtype.kind == "c":
        raise TypeError(f"{name}: targets must be real numbers, got {values.dtype}")
    return values.astype(predictions.dtype, copy=False)


def check_shares(values: np.ndarray, name: str, what: str, instead: str) -> None:
    """Raises ValueError unless all values are in [0, 1], up to rounding."""
    if values.size and (values.min() < 0 or values.max() > 1.0001):
        raise ValueError(
            f"{name}: {what} must be in [0, 1], got {values.min():g} to {values.max():g}: {instead}"
        )


class Loss(Module):
    """A loss whose `reduction` is the "mean" over all entries, their "sum", or "none": one loss for each."""

    def __init__(self, reduction="mean"):
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction

    def extra_repr(self):
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"

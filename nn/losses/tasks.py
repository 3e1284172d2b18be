"""Losses of many tasks at once, and of examples that do not count alike."""

import copy

import numpy as np

from autograd.tensor import as_array, unwrap

from ..module import Module
from .binary import binary_cross_entropy_with_logits
from .reduction import Loss, check_reduction, reduced, reduced_by_weight


def multitask_loss(logits, targets, reduction="mean"):
    """`binary_cross_entropy_with_logits`, summed over the labelled entries only: logits (m, tasks), targets
    of the same shape in [0, 1], or NaN where nobody has looked (the slide's "?").

    The "mean" is over examples, of the sum over their labelled tasks; "none" gives (m, tasks) with 0 where no
    label is. Raises ValueError for other shapes and values. COURSE.md C3W2-multitask."""
    name = "multitask_loss"
    check_reduction(reduction)
    y = as_array(targets)
    known = ~np.isnan(y) if y.dtype.kind == "f" else np.ones(y.shape, bool)
    try:
        losses = binary_cross_entropy_with_logits(logits, np.where(known, y, 0), reduction="none")
    except (ValueError, TypeError) as error:
        text = str(error).replace("binary_cross_entropy_with_logits", name)
        raise type(error)(text) from None
    if losses.ndim < 2:
        raise ValueError(f"{name}: logits need shape (m, tasks), got {losses.shape}")
    losses = np.where(known, losses, 0.0)
    if reduction == "mean":
        losses = losses.sum(axis=tuple(range(1, losses.ndim)))
    return reduced(losses, reduction, name)


def weighted(losses, weights, reduction="mean"):
    """Losses (m, ...) times the weights (m,) of their examples; the mean is their sum over the sum of the
    weights. Raises ValueError for other shapes, negative weights, and weights that sum to 0. COURSE.md
    C3W1-weighted."""
    w = as_array(weights)
    if losses.ndim < 1 or w.shape != losses.shape[:1]:
        raise ValueError(f"weighted: losses {losses.shape} need weights {losses.shape[:1]}, got {w.shape}")
    if w.size and not w.min() >= 0:
        raise ValueError(f"weighted: weights must not be negative, got {w.min():g}")
    w = w.astype(losses.dtype).reshape((-1,) + (1,) * (losses.ndim - 1))
    return reduced_by_weight(losses * w, np.broadcast_to(w, losses.shape), reduction, "weighted")


class MultiTaskLoss(Loss):
    """`multitask_loss(logits, targets)`. MultiTaskLoss(reduction="mean")."""

    function = staticmethod(multitask_loss)


class WeightedLoss(Module):
    """Another loss with a weight for each example: WeightedLoss(nn.CrossEntropyLoss())(logits, labels,
    weights) is `weighted` of that loss for each example, reduced as that loss is.

    Raises TypeError for what has no reduction, and what the loss and `weighted` raise."""

    def __init__(self, loss):
        super().__init__()
        if not isinstance(loss, Loss):
            raise TypeError(f"WeightedLoss weighs a loss such as nn.MSELoss(), got {type(loss).__name__}")
        self.reduction = loss.reduction
        self.loss = copy.copy(loss)
        self.loss.reduction = "none"

    def forward(self, *inputs_and_weights):
        *inputs, weights = inputs_and_weights
        return weighted(self.loss(*inputs), unwrap(weights), self.reduction)

    def extra_repr(self):
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"

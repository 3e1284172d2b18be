"""Losses of yes-or-no predictions, elementwise over arrays of one shape: any number of labels may be true at
once."""

import numpy as np

from autograd.ops.activation import softplus
from autograd.ops.softmax import binary_cross_entropy_with_logits as _bce_of_logits
from autograd.tensor import unwrap

from .reduction import Loss, check_shares, entry_weights, like_predictions, reduced, signs


def binary_cross_entropy(probabilities, targets, weight=None, reduction="mean"):
    """- y log p - (1 - y) log(1 - p) of probabilities p, targets y in [0, 1]. A log is -100 at the least,
    as in PyTorch, so a certain error costs 100. COURSE.md C1W2-bce.

    `weight` multiplies the losses, to whose shape it broadcasts. `binary_cross_entropy_with_logits` is exact
    where a sigmoid saturates. Raises ValueError for different shapes, values outside [0, 1], and the mean of
    none; TypeError for probabilities that are no floats."""
    name = "binary_cross_entropy"
    y = like_predictions(probabilities, targets, name, "probabilities")
    p = unwrap(probabilities)
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise ValueError(
            f"{name}: probabilities must be in [0, 1], got {p.min():g} to {p.max():g}: "
            "apply a sigmoid, or use binary_cross_entropy_with_logits"
        )
    check_shares(unwrap(y), name, "targets", "use 0 and 1")
    losses = -(y * _log(probabilities) + (1 - y) * _log(1 - probabilities))
    return _weighted(losses, weight, reduction, name)


def _log(p):
    """log p, but -100 where p is 0 (there with derivative 0) or smaller than e^-100."""
    positive = unwrap(p) > 0
    return np.maximum(np.where(positive, np.log(np.where(positive, p, 1.0)), -100.0), -100.0)


def _weighted(losses, weight, reduction, name):
    if weight is not None:
        losses = losses * entry_weights(weight, losses, name)
    return reduced(losses, reduction, name)


def binary_cross_entropy_with_logits(logits, targets, weight=None, reduction="mean", pos_weight=None):
    """- y log sigmoid(z) - (1 - y) log(1 - sigmoid(z)), computed as max(z, 0) - z y + log(1 + e^-|z|), which
    neither overflows nor loses digits; targets y in [0, 1]. Its gradient is sigmoid(z) - y (COURSE.md
    C1W2-logreg-bwd).

    `weight` multiplies the losses, `pos_weight` the part of y = 1, as for classes of unequal size; both
    broadcast to the logits' shape. Raises ValueError for different shapes, targets outside [0, 1], and the
    mean of none; TypeError for logits that are no floats."""
    name = "binary_cross_entropy_with_logits"
    y = like_predictions(logits, targets, name, "logits")
    check_shares(unwrap(y), name, "targets", "use 0 and 1")
    if pos_weight is None:
        losses = _bce_of_logits(logits, y)
    else:
        more = entry_weights(pos_weight, logits, name) - 1
        losses = (1 - y) * logits + (1 + more * y) * softplus(-logits)
    return _weighted(losses, weight, reduction, name)


def soft_margin_loss(predictions, targets, reduction="mean"):
    """log(1 + e^(-y x)) of targets y of -1 and 1: `binary_cross_entropy_with_logits` in other words. Raises
    ValueError for different shapes and other targets."""
    name = "soft_margin_loss"
    like_predictions(predictions, unwrap(targets), name)
    return reduced(softplus(-signs(predictions, targets, name) * predictions), reduction, name)


def multilabel_soft_margin_loss(predictions, targets, weight=None, reduction="mean"):
    """`binary_cross_entropy_with_logits`, averaged over the last axis: scores (..., C) and targets of the
    same shape give losses (...). `weight` (C,) multiplies those of each class. Raises what that does."""
    name = "multilabel_soft_margin_loss"
    y = like_predictions(predictions, targets, name)
    check_shares(unwrap(y), name, "targets", "use 0 and 1")
    losses = _bce_of_logits(predictions, y)
    if weight is not None:
        losses = losses * entry_weights(weight, losses, name)
    return reduced(losses.mean(axis=-1), reduction, name)


class BCELoss(Loss):
    """`binary_cross_entropy(probabilities, targets)`. BCELoss(weight=None, reduction="mean")."""

    function = staticmethod(binary_cross_entropy)

    def __init__(self, weight=None, reduction="mean"):
        super().__init__(reduction, weight=weight)


class BCEWithLogitsLoss(Loss):
    """`binary_cross_entropy_with_logits(logits, targets)`. BCEWithLogitsLoss(weight=None, reduction="mean",
    pos_weight=None)."""

    function = staticmethod(binary_cross_entropy_with_logits)

    def __init__(self, weight=None, reduction="mean", pos_weight=None):
        super().__init__(reduction, weight=weight, pos_weight=pos_weight)


class SoftMarginLoss(Loss):
    """`soft_margin_loss(predictions, targets)`. SoftMarginLoss(reduction="mean")."""

    function = staticmethod(soft_margin_loss)


class MultiLabelSoftMarginLoss(Loss):
    """`multilabel_soft_margin_loss(predictions, targets)`. MultiLabelSoftMarginLoss(weight=None,
    reduction="mean")."""

    function = staticmethod(multilabel_soft_margin_loss)

    def __init__(self, weight=None, reduction="mean"):
        super().__init__(reduction, weight=weight)

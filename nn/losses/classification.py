"""Losses of classifiers. Classes lie on the last axis."""

import numpy as np

from autograd.ops.softmax import binary_cross_entropy_with_logits as _bce_of_logits
from autograd.ops.softmax import softmax_cross_entropy
from autograd.tensor import unwrap

from .reduction import Loss, check_predictions, check_shares, like_predictions, reduced


def cross_entropy(logits, labels, reduction="mean"):
    """- sum_k y_k log softmax(z)_k of logits z (..., C), for labels that are class numbers 0..C-1, integers
    (...), or one-hot or soft, (..., C). Reduced to the mean over all examples, their "sum", or "none": one
    loss an example.

    Its gradient is softmax(z) - y (COURSE.md C2W3-softmax). Raises ValueError for other shapes, a class
    number outside 0..C-1, shares outside [0, 1], and the mean of an empty batch; TypeError for class numbers
    that are no integers."""
    check_predictions(logits, "cross_entropy", "logits")
    if np.shape(given := unwrap(labels)) == logits.shape:
        instead = "class numbers have one axis less than the logits"
        check_shares(np.asarray(given), "cross_entropy", "one-hot labels", instead)
    return reduced(softmax_cross_entropy(logits, labels), reduction, "cross_entropy")


def binary_cross_entropy(probabilities, targets, reduction="mean"):
    """- y log p - (1 - y) log(1 - p) of probabilities p, over arrays of one shape, targets in [0, 1]. A log
    is -100 at the least, as in PyTorch, so a certain error costs 100. COURSE.md C1W2-bce.

    `binary_cross_entropy_with_logits` is exact where a sigmoid saturates. Raises ValueError for different
    shapes, values outside [0, 1], and the mean of none; TypeError for probabilities that are no floats."""
    name = "binary_cross_entropy"
    y = like_predictions(probabilities, targets, name, "probabilities")
    p = unwrap(probabilities)
    if p.size and (p.min() < 0 or p.max() > 1):
        raise ValueError(
            f"{name}: probabilities must be in [0, 1], got {p.min():g} to {p.max():g}: "
            "apply a sigmoid, or use binary_cross_entropy_with_logits"
        )
    check_shares(unwrap(y), name, "targets", "use 0 and 1")
    return reduced(-(y * _log(probabilities) + (1 - y) * _log(1 - probabilities)), reduction, name)


def _log(p):
    """log p, but -100 where p is 0 (there with derivative 0) or smaller than e^-100."""
    positive = unwrap(p) > 0
    return np.maximum(np.where(positive, np.log(np.where(positive, p, 1.0)), -100.0), -100.0)


def binary_cross_entropy_with_logits(logits, targets, reduction="mean"):
    """- y log sigmoid(z) - (1 - y) log(1 - sigmoid(z)), computed as max(z, 0) - z y + log(1 + e^-|z|), which
    neither overflows nor loses digits; over arrays of one shape, targets in [0, 1]. Its gradient is
    sigmoid(z) - y (COURSE.md C1W2-logreg-bwd).

    Raises ValueError for different shapes, targets outside [0, 1], and the mean of none; TypeError for logits
    that are no floats."""
    name = "binary_cross_entropy_with_logits"
    y = like_predictions(logits, targets, name, "logits")
    check_shares(unwrap(y), name, "targets", "use 0 and 1")
    return reduced(_bce_of_logits(logits, y), reduction, name)


class CrossEntropyLoss(Loss):
    """`cross_entropy(logits, labels)`. CrossEntropyLoss(reduction="mean")."""

    def forward(self, logits, labels):
        return cross_entropy(logits, labels, self.reduction)


class BCELoss(Loss):
    """`binary_cross_entropy(probabilities, targets)`. BCELoss(reduction="mean")."""

    def forward(self, probabilities, targets):
        return binary_cross_entropy(probabilities, targets, self.reduction)


class BCEWithLogitsLoss(Loss):
    """`binary_cross_entropy_with_logits(logits, targets)`. BCEWithLogitsLoss(reduction="mean")."""

    def forward(self, logits, targets):
        return binary_cross_entropy_with_logits(logits, targets, self.reduction)

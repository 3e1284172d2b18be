"""Losses of classifiers of which one class is right. Classes lie on the last axis."""

import numpy as np

from autograd.ops.activation import relu
from autograd.ops.softmax import log_softmax, softmax_cross_entropy
from autograd.tensor import Tensor, as_array, unwrap

from .reduction import (
    REDUCTIONS,
    Loss,
    check_predictions,
    check_shares,
    class_numbers,
    class_weights,
    like_predictions,
    reduced,
    reduced_by_weight,
)


def cross_entropy(logits, labels, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """- sum_k y_k log softmax(z)_k of logits z (..., C), for labels that are class numbers 0..C-1, integers
    (...), or one-hot or soft, (..., C). Reduced to the mean over all examples, their "sum", or "none": one
    loss an example. Its gradient is softmax(z) - y (COURSE.md C2W3-softmax).

    `weight` (C,) multiplies the part of each class. Examples whose class number is `ignore_index` do not
    count. `label_smoothing` e makes of y the labels (1 - e) y + e / C. The mean is the sum over that of the
    weights of the labels' classes, of examples that count, when labels are class numbers, and over the number
    of examples when they are shares: PyTorch's.

    Raises ValueError for other shapes, a class number outside 0..C-1, shares outside [0, 1], a smoothing
    outside [0, 1], and the mean of none; TypeError for class numbers that are no integers."""
    name = "cross_entropy"
    usual = weight is None and label_smoothing == 0 and reduction == "mean" and (ignore_index or 0) < 0
    if usual and type(labels) is np.ndarray and isinstance(logits, Tensor) and labels.ndim < logits.ndim:
        try:  # the op checks labels as it goes, and takes the mean, in a third of the time
            return softmax_cross_entropy(logits, labels, "mean")
        except (ValueError, TypeError):
            pass  # labels to be ignored, or wrong: they are told apart below
    check_predictions(logits, name, "logits")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{name}: label_smoothing is a share in [0, 1], got {label_smoothing!r}")
    w = None if weight is None else class_weights(weight, logits, name)
    shares = np.shape(unwrap(labels)) == logits.shape and logits.ndim > 0
    if not logits.ndim or not logits.shape[-1]:
        raise ValueError(f"{name}: logits of shape {logits.shape} have no class")
    if shares:
        y = labels if isinstance(labels, Tensor) else as_array(labels)
        check_shares(unwrap(y), name, "one-hot labels", "class numbers have one axis less than the logits")
        return reduced(_of_shares(logits, _softened(y, w, label_smoothing, logits)), reduction, name)
    numbers, counted = class_numbers(logits, labels, name, "logits", ignore_index)
    if label_smoothing:
        one_hot = np.arange(logits.shape[-1]) == numbers[..., None]
        losses = softmax_cross_entropy(logits, _softened(one_hot, w, label_smoothing, logits))
    else:
        losses = softmax_cross_entropy(logits, numbers)
        losses = losses if w is None else losses * w[numbers]
    return _of_counted(losses, w, numbers, counted, reduction, name)


def _softened(y, weight, smoothing, logits):
    """The labels times the weights of their classes, smoothed before."""
    y = y.astype(logits.dtype) if y.dtype != logits.dtype else y
    if smoothing:
        y = y * (1.0 - smoothing) + smoothing / logits.shape[-1]
    return y if weight is None else y * weight


def _of_shares(logits, y):
    if isinstance(y, Tensor) and y.requires_grad:
        return -np.sum(y * log_softmax(logits), axis=-1)
    return softmax_cross_entropy(logits, unwrap(y))


def _of_counted(losses, weight, numbers, counted, reduction, name):
    """Losses of class numbers, reduced: those that do not count are 0, and have no part in the mean."""
    if counted is not None:
        losses = np.where(counted, losses, 0.0)
    if weight is None and counted is None:
        return reduced(losses, reduction, name)
    shares = np.ones(losses.shape) if weight is None else weight[numbers]
    return reduced_by_weight(losses, shares if counted is None else shares * counted, reduction, name)


def nll_loss(log_probabilities, labels, weight=None, ignore_index=-100, reduction="mean"):
    """- log p_label of log-probabilities (..., C), such as a log-softmax gives, and class numbers (...): the
    second half of `cross_entropy`, with its arguments, mean and errors."""
    name = "nll_loss"
    check_predictions(log_probabilities, name, "log_probabilities")
    w = None if weight is None else class_weights(weight, log_probabilities, name)
    numbers, counted = class_numbers(log_probabilities, labels, name, "log_probabilities", ignore_index)
    losses = -np.take_along_axis(log_probabilities, numbers[..., None], -1)[..., 0]
    losses = losses if w is None else losses * w[numbers]
    return _of_counted(losses, w, numbers, counted, reduction, name)


def kl_div(log_probabilities, targets, reduction="mean", log_target=False):
    """y (log y - x) elementwise, over arrays of one shape: summed, the divergence KL(y || e^x) of the
    distribution e^x from targets y. With `log_target` the targets are log y.

    The "mean" is over all entries; "batchmean", the sum over the number of examples, is the divergence.
    Raises ValueError for different shapes, negative targets, and the mean of none."""
    name = "kl_div"
    _check_with_batchmean(reduction)
    y = like_predictions(log_probabilities, targets, name, "log_probabilities")
    if log_target:
        losses = np.exp(y) * (y - log_probabilities)
    else:
        shares = unwrap(y)
        if shares.size and not shares.min() >= 0:
            raise ValueError(f"{name}: targets are probabilities, got {shares.min():g}; is log_target meant?")
        losses = y * np.log(np.where(shares > 0, y, 1.0)) - y * log_probabilities
    if reduction != "batchmean":
        return reduced(losses, reduction, name)
    if not losses.size or not losses.ndim:
        raise ValueError(f"{name}: batchmean needs a batch, got losses {losses.shape}")
    return losses.sum() / losses.shape[0]


def _check_with_batchmean(reduction):
    if reduction not in (*REDUCTIONS, "batchmean"):
        raise ValueError(f'reduction is "mean", "batchmean", "sum" or "none", got {reduction!r}')


def multi_margin_loss(scores, labels, p=1, margin=1.0, weight=None, reduction="mean"):
    """sum over i != y of max(0, margin - x_y + x_i)^p, times weight_y, over C: the hinge loss of class scores
    x (..., C) and class numbers y (...), p 1 or 2. Raises ValueError for another p, and what `nll_loss`
    does."""
    name = "multi_margin_loss"
    check_predictions(scores, name, "scores")
    if p not in (1, 2):
        raise ValueError(f"{name}: p is 1 or 2, got {p!r}")
    numbers, _ = class_numbers(scores, labels, name, "scores")
    right = np.take_along_axis(scores, numbers[..., None], -1)
    short = relu(float(margin) - right + scores)
    terms = np.where(
        np.arange(scores.shape[-1]) == numbers[..., None], 0.0, short if p == 1 else short * short
    )
    losses = np.sum(terms, axis=-1) / scores.shape[-1]
    if weight is not None:
        losses = losses * class_weights(weight, scores, name)[numbers]
    return reduced(losses, reduction, name)


def multilabel_margin_loss(scores, labels, reduction="mean"):
    """sum over right classes j and wrong ones i of max(0, 1 - x_j + x_i), over C, of scores x (..., C).
    Labels (..., C) list the right classes' numbers, up to the first -1. Raises ValueError for another shape
    and a number outside -1..C-1, TypeError for labels that are no integers."""
    name = "multilabel_margin_loss"
    check_predictions(scores, name, "scores")
    y, classes = as_array(labels), scores.shape[-1] if scores.ndim else 0
    if y.shape != scores.shape or not scores.ndim:
        raise ValueError(f"{name}: scores {scores.shape} and labels {y.shape} must have one shape")
    if y.dtype.kind not in "iu":
        raise TypeError(f"{name}: labels must be integers, got {y.dtype}: use astype(int)")
    if y.size and not -1 <= y.min() <= y.max() < classes:
        raise ValueError(f"{name}: labels must lie in -1..{classes - 1}, got {y.min()} to {y.max()}")
    listed = np.logical_and.accumulate(y >= 0, axis=-1)
    right = np.sum((y[..., None] == np.arange(classes)) & listed[..., None], axis=-2)  # (..., C): how often
    short = relu(1.0 - scores[..., :, None] + scores[..., None, :])  # (..., right, wrong)
    pairs = (right[..., :, None] * (right == 0)[..., None, :]).astype(scores.dtype)
    return reduced(np.sum(short * pairs, axis=(-2, -1)) / max(classes, 1), reduction, name)


class CrossEntropyLoss(Loss):
    """`cross_entropy(logits, labels)`. CrossEntropyLoss(weight=None, ignore_index=-100, reduction="mean",
    label_smoothing=0.0)."""

    function = staticmethod(cross_entropy)

    def __init__(self, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        super().__init__(reduction, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing)


class NLLLoss(Loss):
    """`nll_loss(log_probabilities, labels)`. NLLLoss(weight=None, ignore_index=-100, reduction="mean")."""

    function = staticmethod(nll_loss)

    def __init__(self, weight=None, ignore_index=-100, reduction="mean"):
        super().__init__(reduction, weight=weight, ignore_index=ignore_index)


class KLDivLoss(Loss):
    """`kl_div(log_probabilities, targets)`. KLDivLoss(reduction="mean", log_target=False)."""

    function = staticmethod(kl_div)
    _check = staticmethod(_check_with_batchmean)

    def __init__(self, reduction="mean", log_target=False):
        super().__init__(reduction, log_target=log_target)


class MultiMarginLoss(Loss):
    """`multi_margin_loss(scores, labels)`. MultiMarginLoss(p=1, margin=1.0, weight=None,
    reduction="mean")."""

    function = staticmethod(multi_margin_loss)

    def __init__(self, p=1, margin=1.0, weight=None, reduction="mean"):
        super().__init__(reduction, p=p, margin=margin, weight=weight)


class MultiLabelMarginLoss(Loss):
    """`multilabel_margin_loss(scores, labels)`. MultiLabelMarginLoss(reduction="mean")."""

    function = staticmethod(multilabel_margin_loss)

"""Losses of real-valued predictions. Predictions and targets are arrays of one shape; an entry has a loss,
and `reduction` takes the mean over all entries, the "sum", or "none". A `weight`, where there is one,
multiplies the losses, and the mean is over its sum.

All raise ValueError for arrays of different shapes and the mean of none, TypeError for predictions that are
no floats. Where targets require grad, they get one too."""

import math

import numpy as np

from autograd.tensor import Tensor, as_array, unwrap

from .reduction import Loss, entry_weights, like_predictions, reduced, reduced_by_weight


def _weighted(losses, weight, reduction, name):
    """Reduced; with weights, that broadcast to the losses, the mean is over their sum."""
    if weight is None:
        return reduced(losses, reduction, name)
    w = entry_weights(weight, losses, name)
    return reduced_by_weight(losses * w, np.broadcast_to(w, losses.shape), reduction, name)


def mse_loss(predictions, targets, reduction="mean", weight=None):
    """Squared error (yhat - y)^2. The course's 1/2 (yhat - y)^2 is half of it (COURSE.md C1W2-bce)."""
    difference = predictions - like_predictions(predictions, targets, "mse_loss")
    return _weighted(difference * difference, weight, reduction, "mse_loss")


def l1_loss(predictions, targets, reduction="mean", weight=None):
    """Absolute error |yhat - y|, the course's L1 (COURSE.md N-losses, there the sum)."""
    difference = predictions - like_predictions(predictions, targets, "l1_loss")
    return _weighted(np.abs(difference), weight, reduction, "l1_loss")


def _huber(difference, delta):
    inside = np.clip(difference, -delta, delta)
    return inside * (difference - 0.5 * inside)


def huber_loss(predictions, targets, reduction="mean", delta=1.0, weight=None):
    """d^2 / 2 where |d| = |yhat - y| is below delta, delta (|d| - delta / 2) beyond: outliers pull with a
    force of delta at most. With a `weight` the mean stays that over all entries, as in PyTorch. Raises
    ValueError unless delta > 0. Huber 1964."""
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be over 0, got {delta!r}")
    d = predictions - like_predictions(predictions, targets, "huber_loss")
    losses = _huber(d, float(delta))
    if weight is not None:
        losses = losses * entry_weights(weight, losses, "huber_loss")
    return reduced(losses, reduction, "huber_loss")


def smooth_l1_loss(predictions, targets, reduction="mean", beta=1.0):
    """d^2 / (2 beta) where |d| is below beta, |d| - beta / 2 beyond: `huber_loss` over beta, and `l1_loss`
    where beta is 0. The box loss of Fast R-CNN (arXiv:1504.08083). Raises ValueError for beta < 0."""
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, got {beta!r}")
    d = predictions - like_predictions(predictions, targets, "smooth_l1_loss")
    losses = _huber(d, float(beta)) / float(beta) if beta else np.abs(d)
    return reduced(losses, reduction, "smooth_l1_loss")


def poisson_nll_loss(predictions, targets, log_input=True, full=False, eps=1e-8, reduction="mean"):
    """-log Poisson(y; rate) less the constant log y!, of counts y: rate - y log rate, where predictions are
    log rate, or with `log_input=False` the rate itself, whose logarithm is taken of rate + eps. `full` adds
    Stirling's y log y - y + log(2 pi y) / 2 for log y! where y > 1."""
    name = "poisson_nll_loss"
    y = like_predictions(predictions, targets, name)
    if log_input:
        losses = np.exp(predictions) - y * predictions
    else:
        losses = predictions - y * np.log(predictions + float(eps))
    if full:
        many = unwrap(y) > 1
        t = np.where(many, y, 1.0)
        losses = losses + np.where(many, t * np.log(t) - t + 0.5 * np.log(2 * math.pi * t), 0.0)
    return reduced(losses, reduction, name)


def gaussian_nll_loss(predictions, targets, var, full=False, eps=1e-6, reduction="mean"):
    """(log v + (yhat - y)^2 / v) / 2: -log N(y; yhat, v) less a constant, which `full` adds (log(2 pi) / 2).

    `var` is v >= 0, of the predictions' shape, with a last axis of 1 or without it, or one number. It counts
    as eps at least; its derivative passes there as if it did not. Raises ValueError for another shape and a
    negative variance. Nix and Weigend 1994."""
    name = "gaussian_nll_loss"
    y = like_predictions(predictions, targets, name)
    shape = predictions.shape
    if not isinstance(var, Tensor):
        var = as_array(var).astype(predictions.dtype, copy=False)
    if var.ndim and var.shape == shape[:-1] != shape:
        var = var.reshape((*var.shape, 1))
    elif var.ndim and var.shape not in (shape, (*shape[:-1], 1)):
        raise ValueError(f"{name}: predictions {shape} need var {shape} or {shape[:-1]}, got {var.shape}")
    values = unwrap(var)
    if values.size and not values.min() >= 0:
        raise ValueError(f"{name}: a variance is not negative, got {values.min():g}")
    v = var + np.maximum(float(eps) - values, 0).astype(values.dtype)
    d = predictions - y
    losses = 0.5 * (np.log(v) + d * d / v)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction, name)


class MSELoss(Loss):
    """`mse_loss(predictions, targets)`. MSELoss(reduction="mean")."""

    function = staticmethod(mse_loss)


class L1Loss(Loss):
    """`l1_loss(predictions, targets)`. L1Loss(reduction="mean")."""

    function = staticmethod(l1_loss)


class HuberLoss(Loss):
    """`huber_loss(predictions, targets)`. HuberLoss(reduction="mean", delta=1.0)."""

    function = staticmethod(huber_loss)

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction, delta=delta)


class SmoothL1Loss(Loss):
    """`smooth_l1_loss(predictions, targets)`. SmoothL1Loss(reduction="mean", beta=1.0)."""

    function = staticmethod(smooth_l1_loss)

    def __init__(self, reduction="mean", beta=1.0):
        super().__init__(reduction, beta=beta)


class PoissonNLLLoss(Loss):
    """`poisson_nll_loss(predictions, targets)`. PoissonNLLLoss(log_input=True, full=False, eps=1e-8,
    reduction="mean")."""

    function = staticmethod(poisson_nll_loss)

    def __init__(self, log_input=True, full=False, eps=1e-8, reduction="mean"):
        super().__init__(reduction, log_input=log_input, full=full, eps=eps)


class GaussianNLLLoss(Loss):
    """`gaussian_nll_loss(predictions, targets, var)`. GaussianNLLLoss(full=False, eps=1e-6,
    reduction="mean")."""

    function = staticmethod(gaussian_nll_loss)

    def __init__(self, full=False, eps=1e-6, reduction="mean"):
        super().__init__(reduction, full=full, eps=eps)

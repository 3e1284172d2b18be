"""Softmax, its logarithm, and the two cross-entropies fused with their activation. Classes come last."""

import numpy as np

from ..primitive import primitive
from .activation import sigmoid


def _below_zero(x, axis):
    """x less its largest element along the axis, so that no exponential overflows."""
    return x - np.maximum.reduce(x, axis=axis, keepdims=True) if np.size(x) else x


@primitive()
def softmax(x, axis=-1):
    """e^x / sum(e^x) along an axis (COURSE.md C2W3-softmax)."""
    e = np.exp(_below_zero(x, axis))
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


@softmax.vjp("x")
def _(g, y, axis):
    return y * (g - np.sum(g * y, axis=axis, keepdims=True))


@primitive()
def log_softmax(x, axis=-1):
    """log(softmax(x)), without overflow."""
    z = _below_zero(x, axis)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


@log_softmax.vjp("x")
def _(g, y, axis):
    return g - np.exp(y) * np.sum(g, axis=axis, keepdims=True)


@primitive(residuals=("e", "total"))
def softmax_cross_entropy(logits, labels):
    """-sum(p log softmax(logits)) of each example; its derivative is softmax(logits) - p (C2W3-softmax).

    `logits` (m, ..., C); `labels` (m, ...) integers 0..C-1, which stand for one-hot p, or (m, ..., C) the
    probabilities p themselves. Gives the losses (m, ...): take `.mean()` for the cost J. Raises ValueError
    for shapes that do not fit and labels out of range, TypeError for class numbers that are not integers.
    """
    labels = _checked(logits, labels)
    z = np.subtract(logits, np.maximum.reduce(logits, axis=-1, keepdims=True), order="C")
    if labels.ndim == z.ndim:
        loss = -np.sum(labels * z, axis=-1)
        total = np.add.reduce(np.exp(z, out=z), axis=-1)
        return loss + np.log(total) * np.sum(labels, axis=-1), z, total
    loss = -_at_labels(z, labels)
    total = np.add.reduce(np.exp(z, out=z), axis=-1)
    return loss.reshape(labels.shape) + np.log(total), z, total


@softmax_cross_entropy.vjp("logits")
def _(g, logits, labels, e, total):
    labels = _as_labels(logits, labels)
    if labels.ndim == e.ndim:
        return e * (g * np.sum(labels, axis=-1) / total)[..., None] - labels * g[..., None]
    slopes = np.multiply(e, (g / total)[..., None], order="C")
    flat = slopes.reshape(-1, slopes.shape[-1])
    flat[np.arange(len(flat)), labels.ravel()] -= g.ravel()
    return slopes


@softmax_cross_entropy.twin
def _(logits, labels):
    log_p = log_softmax(logits)
    if np.ndim(labels) == log_p.ndim:
        return -np.sum(labels * log_p, axis=-1)
    one_hot = np.arange(log_p.shape[-1]) == np.expand_dims(labels, -1)
    return -np.sum(np.where(one_hot, log_p, 0.0), axis=-1)


def _at_labels(z, labels):
    """z[..., label], flattened."""
    flat = z.reshape(-1, z.shape[-1])
    return flat[np.arange(len(flat)), labels.ravel()]


def _as_labels(logits, labels):
    """Labels as an array: class numbers as they are, probabilities in the type of the logits."""
    labels = np.asarray(labels)
    return labels if labels.ndim < logits.ndim else labels.astype(logits.dtype, copy=False)


def _checked(logits, labels):
    if logits.dtype.kind != "f":
        raise TypeError(f"logits must be floats, got {logits.dtype}: use astype(np.float32) first")
    labels = _as_labels(logits, labels)
    if logits.shape[-1:] == (0,):
        raise ValueError(f"logits of shape {logits.shape} have no class")
    if logits.ndim == 0 or labels.shape not in (logits.shape, logits.shape[:-1]):
        raise ValueError(
            f"labels have shape {labels.shape}, logits {logits.shape}: "
            f"labels need {logits.shape[:-1]} class numbers or {logits.shape} probabilities"
        )
    if labels.ndim < logits.ndim:
        classes = logits.shape[-1]
        if labels.dtype.kind not in "iu":
            raise TypeError(
                f"labels that are class numbers must be integers, got {labels.dtype}: use astype(int)"
            )
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
            raise ValueError(f"labels must lie in 0..{classes - 1}, got {wrong}")
    return labels


@primitive()
def binary_cross_entropy_with_logits(logits, labels):
    """-(t log a + (1 - t) log(1 - a)) elementwise, a = sigmoid(logits), t = labels in [0, 1] (C1W2-bce).

    Computed from z = logits as max(z, 0) - z t + log(1 + e^-|z|), without overflow; `.mean()` is the cost J.
    Raises ValueError when the shapes differ: (m, 1) and (m,) would broadcast to (m, m).
    """
    if np.shape(logits) != np.shape(labels):
        raise ValueError(
            f"logits have shape {np.shape(logits)}, labels {np.shape(labels)}: they must be the same"
        )
    return np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


@binary_cross_entropy_with_logits.vjp("logits")
def _(g, logits, labels):
    return g * (sigmoid(logits) - labels)


@binary_cross_entropy_with_logits.vjp("labels")
def _(g, logits):
    return -g * logits

"""Softmax, its logarithm, and the two cross-entropies fused with their activation. Classes come last."""

from functools import cache

import numpy as np

from ..primitive import primitive
from .activation import sigmoid

KERNEL = 1 << 12  # elements from which the kernels pay off
_SINGLE = np.dtype(np.float32)  # compared with itself in a third of the time that `np.float32` takes


@cache
def _kernels():
    from ..kernels import softmax

    return softmax


def _by_rows(axis, *arrays):
    """Whether the kernels are for these: float32 rows one after the other, and enough of them."""
    x = arrays[-1]
    return (
        x.size >= KERNEL
        and axis in (-1, x.ndim - 1)
        and all(type(a) is np.ndarray and a.dtype == np.float32 and a.flags.c_contiguous for a in arrays)
    )


def _below_zero(x, axis):
    """x less its largest element along the axis, so that no exponential overflows."""
    return x - np.maximum.reduce(x, axis=axis, keepdims=True) if np.size(x) else x


@primitive()
def softmax(x, axis=-1):
    """e^x / sum(e^x) along an axis (COURSE.md C2W3-softmax)."""
    if _by_rows(axis, x):
        return _kernels().softmax(x)
    e = np.exp(_below_zero(x, axis))
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


@softmax.vjp("x")
def _(g, y, axis):
    if _by_rows(axis, g, y):
        return _kernels().softmax_grad(g, y)
    return y * (g - np.sum(g * y, axis=axis, keepdims=True))


@primitive()
def log_softmax(x, axis=-1):
    """log(softmax(x)), without overflow."""
    if _by_rows(axis, x):
        return _kernels().log_softmax(x)
    z = _below_zero(x, axis)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


@log_softmax.vjp("x")
def _(g, y, axis):
    if _by_rows(axis, g, y):
        return _kernels().log_softmax_grad(g, y)
    return g - np.exp(y) * np.sum(g, axis=axis, keepdims=True)


@primitive(residuals=("top", "total"))
def softmax_cross_entropy(logits, labels, reduction="none"):
    """-sum(p log softmax(logits)) of each example; its derivative is softmax(logits) - p (C2W3-softmax).

    `logits` (m, ..., C); `labels` (m, ...) integers 0..C-1, which stand for one-hot p, or (m, ..., C) the
    probabilities p themselves. Gives the losses (m, ...), with reduction "mean" their mean, the cost J, in
    the same pass. Raises ValueError for shapes that do not fit, labels out of range and the mean of none,
    TypeError for class numbers that are not integers.
    """
    labels = _checked(logits, labels)
    mean = _is_mean(reduction, logits)
    classes = labels.ndim < logits.ndim
    if classes and logits.dtype == _SINGLE and labels.size:
        found = _kernels().cross_entropy(logits, labels, mean)
        if found is None:
            _out_of_range(labels, logits.shape[-1])
        return found
    top = np.maximum.reduce(logits, axis=-1, keepdims=True)
    z = np.subtract(logits, top, order="C")
    loss = -_at_labels(z, labels).reshape(labels.shape) if classes else -np.sum(labels * z, axis=-1)
    total = np.add.reduce(np.exp(z, out=z), axis=-1)
    loss += np.log(total) if classes else np.log(total) * np.sum(labels, axis=-1)
    return np.mean(loss) if mean else loss, top[..., 0], total


@softmax_cross_entropy.vjp("logits")
def _(g, logits, labels, reduction, top, total):
    labels = _as_labels(logits, labels)
    if labels.ndim < logits.ndim and logits.dtype == _SINGLE and labels.size:
        return _kernels().cross_entropy_grad(g, logits, labels, top, total)
    if reduction == "mean":
        g = np.full(total.shape, g / total.size, logits.dtype)
    e = np.subtract(logits, top[..., None], order="C")
    np.exp(e, out=e)
    if labels.ndim == e.ndim:
        return e * (g * np.sum(labels, axis=-1) / total)[..., None] - labels * g[..., None]
    e *= (g / total)[..., None]
    flat = e.reshape(-1, e.shape[-1])
    flat[np.arange(len(flat)), labels.ravel()] -= g.ravel()
    return e


@softmax_cross_entropy.twin
def _(logits, labels, reduction="none"):
    log_p = log_softmax(logits)
    if np.ndim(labels) == log_p.ndim:
        losses = -np.sum(labels * log_p, axis=-1)
    else:
        one_hot = np.arange(log_p.shape[-1]) == np.expand_dims(labels, -1)
        losses = -np.sum(np.where(one_hot, log_p, 0.0), axis=-1)
    return np.mean(losses) if reduction == "mean" else losses


def _is_mean(reduction, logits):
    if reduction not in ("none", "mean"):
        raise ValueError(f'reduction is "none" or "mean", got {reduction!r}')
    if reduction == "mean" and not logits.size:
        raise ValueError(f"logits of shape {logits.shape}: the mean of no loss is undefined")
    return reduction == "mean"


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
    labels, shape = _as_labels(logits, labels), logits.shape
    if not shape or labels.shape not in (shape[:-1], shape):
        raise ValueError(
            f"labels have shape {labels.shape}, logits {shape}: "
            f"labels need {shape[:-1]} class numbers or {shape} probabilities"
        )
    classes = shape[-1]
    if not classes:
        raise ValueError(f"logits of shape {shape} have no class")
    if labels.ndim < len(shape):
        if labels.dtype.kind not in "iu":
            raise TypeError(
                f"labels that are class numbers must be integers, got {labels.dtype}: use astype(int)"
            )
        outside = logits.dtype != _SINGLE and labels.size  # the kernel sees it by itself
        if outside and not 0 <= labels.min() <= labels.max() < classes:
            _out_of_range(labels, classes)
    return labels


def _out_of_range(labels, classes):
    wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
    raise ValueError(f"labels must lie in 0..{classes - 1}, got {wrong}")


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

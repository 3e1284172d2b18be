"""Measures of a classifier."""

import numpy as np


def _classes(predictions, labels) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true class numbers, both `(m,)`."""
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise ValueError(
            f"labels must be class numbers of shape (m,), got {labels.dtype} of shape {labels.shape}"
        )
    if predictions.ndim == 2 and predictions.shape[1] > 1:
        predictions = predictions.argmax(1)
    if predictions.shape != labels.shape:
        raise ValueError(
            f"predictions of shape {predictions.shape} against labels of shape {labels.shape}: "
            f"needs ({len(labels)},) class numbers or ({len(labels)}, classes) scores"
        )
    if predictions.dtype.kind not in "iub":
        raise ValueError(f"predictions of shape (m,) must be class numbers, got {predictions.dtype}")
    if not labels.size:
        raise ValueError("no examples: predictions and labels are empty")
    return predictions, labels


def accuracy(predictions, labels) -> float:
    """The share of examples whose class is right. `predictions` are scores or probabilities `(m, classes)`,
    of which the largest counts, or class numbers `(m,)`; `labels` are class numbers `(m,)`. Raises
    ValueError on other shapes."""
    predicted, true = _classes(predictions, labels)
    return float((predicted == true).mean())


def confusion_matrix(predictions, labels, num_classes: int | None = None) -> np.ndarray:
    """`(classes, classes)` counts: row = true class, column = predicted class. Arguments as for `accuracy`;
    raises ValueError also for a class number outside 0..num_classes-1."""
    predicted, true = _classes(predictions, labels)
    low, high = int(min(predicted.min(), true.min())), int(max(predicted.max(), true.max()))
    n = high + 1 if num_classes is None else num_classes
    if low < 0 or high >= n:
        raise ValueError(f"class numbers from {low} to {high}, needs 0 to {n - 1}")
    return np.bincount(true.astype(np.int64) * n + predicted, minlength=n * n).reshape(n, n)

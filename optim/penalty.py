"""Penalties on the size of weights, and the groups that leave biases out of weight decay."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from autograd.tensor import Tensor


def l2_penalty(parameters: Iterable[Tensor], strength: float, m: int = 1) -> Tensor:
    """lambda / (2m) times the sum of all squares, over tensors of two and more dimensions: biases are left
    out (COURSE.md C2W1-l2). Add it to the cost; its gradient is lambda / m w. Under SGD it does what
    `weight_decay=strength / m` does. Raises ValueError where no tensor is left."""
    return _penalty(parameters, strength, m, lambda w: np.sum(w * w))


def l1_penalty(parameters: Iterable[Tensor], strength: float, m: int = 1) -> Tensor:
    """lambda / (2m) times the sum of all absolute values, biases left out (COURSE.md C2W1-l1): it drives
    weights to zero. Raises ValueError where no tensor is left."""
    return _penalty(parameters, strength, m, lambda w: np.sum(np.abs(w)))


def _penalty(parameters, strength, m, size):
    sizes = [size(w) for w in parameters if w.ndim >= 2]
    if not sizes:
        raise ValueError("a penalty needs tensors of two or more dimensions, got none")
    return float(strength) / (2 * m) * sum(sizes[1:], sizes[0])


def decay_groups(parameters: Iterable[Tensor], weight_decay: float, **options: Any) -> list[dict[str, Any]]:
    """Two groups for an optimizer: tensors of two and more dimensions with this weight decay, biases and the
    scales of normalisations without. `options` go into both."""
    parameters = list(parameters)
    weights = [p for p in parameters if p.ndim >= 2]
    others = [p for p in parameters if p.ndim < 2]
    groups = [(weights, float(weight_decay)), (others, 0.0)]
    return [{"params": members, "weight_decay": decay, **options} for members, decay in groups if members]

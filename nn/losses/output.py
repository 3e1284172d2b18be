"""Losses that own the last layer: a linear one, and the adaptive softmax for very many classes."""

from typing import NamedTuple

import numpy as np

from autograd.ops.linalg import linear
from autograd.ops.softmax import log_softmax
from autograd.tensor import Tensor

from ..layers.container import ModuleList, Sequential
from ..layers.linear import Linear
from ..module import Module
from .classification import cross_entropy
from .reduction import Loss, check_predictions, class_numbers


def linear_cross_entropy(
    x, W, labels, b=None, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """`cross_entropy` of the logits x W^T + b: features x (..., n_in), W (C, n_in), b (C,) or None. Arguments
    and errors of both."""
    return cross_entropy(linear(x, W, b), labels, weight, ignore_index, reduction, label_smoothing)


class LinearCrossEntropyLoss(Loss):
    """`cross_entropy(self.linear(x), labels)`: a Linear and the loss of its logits in one.

    LinearCrossEntropyLoss(in_features, num_classes, bias=False, weight=None, ignore_index=-100,
    reduction="mean", label_smoothing=0.0); called with x (..., in_features) and labels as `cross_entropy`
    takes them. PyTorch's `options` cut the batch to save memory, and have no part in the numbers."""

    function = staticmethod(linear_cross_entropy)

    def __init__(
        self,
        in_features,
        num_classes,
        bias=False,
        weight=None,
        ignore_index=-100,
        reduction="mean",
        label_smoothing=0.0,
    ):
        super().__init__(reduction, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing)
        self.linear = Linear(in_features, num_classes, bias)

    def reset_parameters(self) -> None:
        """Draws the weights anew."""
        self.linear.reset_parameters()

    def forward(self, x, labels):
        return super().forward(x, self.linear.weight, labels, self.linear.bias)


class AdaptiveLogSoftmax(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` returns: `output`, log p(label) of each example (m,), and `loss`, the
    mean of its negative."""

    output: Tensor | np.ndarray
    loss: Tensor | np.ndarray


class AdaptiveLogSoftmaxWithLoss(Module):
    """A softmax over n_classes, the most frequent first, at the cost of one over a few: classes below
    cutoffs[0] and one entry for each further cluster are in the head, the classes of cluster i behind it in
    tail[i], two linear maps through in_features / div_value^(i+1).

    AdaptiveLogSoftmaxWithLoss(in_features, n_classes, cutoffs, div_value=4.0, head_bias=False); called with
    vectors (m, in_features) and labels (m,). Raises ValueError for cutoffs that do not rise strictly within
    1..n_classes-1, other shapes, and labels out of range. Grave et al. 2017 (arXiv:1609.04309)."""

    def __init__(self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False):
        super().__init__()
        ends = [*map(int, cutoffs), n_classes]
        if len(ends) < 2 or ends[0] < 1 or any(a >= b for a, b in zip(ends, ends[1:])):
            raise ValueError(
                "AdaptiveLogSoftmaxWithLoss: cutoffs must rise strictly from at least 1 to below "
                f"{n_classes} classes, got {list(cutoffs)}"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, ends
        self.div_value = div_value
        self.head = Linear(in_features, ends[0] + len(ends) - 1, bias=head_bias)
        self.tail = ModuleList()
        for i, (start, end) in enumerate(zip(ends, ends[1:])):
            inner = max(int(in_features // div_value ** (i + 1)), 1)
            self.tail.append(
                Sequential(Linear(in_features, inner, bias=False), Linear(inner, end - start, bias=False))
            )

    def reset_parameters(self) -> None:
        """Draws all weights anew."""
        for module in (self.head, *(part for cluster in self.tail for part in cluster)):
            module.reset_parameters()

    def _checked(self, vectors):
        check_predictions(vectors, "AdaptiveLogSoftmaxWithLoss", "vectors")
        if vectors.ndim != 2 or vectors.shape[1] != self.in_features:
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss needs vectors (m, {self.in_features}), got {vectors.shape}"
            )

    def forward(self, vectors, labels):
        self._checked(vectors)
        name, first = "AdaptiveLogSoftmaxWithLoss", self.cutoffs[0]
        wide = np.broadcast_to(np.float32(0), (len(vectors), self.n_classes))
        labels, _ = class_numbers(wide, labels, name, "the classes' scores")
        if not len(labels):
            raise ValueError(f"{name}: the batch is empty, and the mean of nothing is undefined")
        cluster = np.searchsorted(self.cutoffs, labels, "right")  # 0 is the head
        entry = np.where(cluster == 0, labels, first + cluster - 1)
        output = np.take_along_axis(log_softmax(self.head(vectors)), entry[:, None], -1)[:, 0]
        for i, (start, tail) in enumerate(zip(self.cutoffs, self.tail), 1):
            (rows,) = np.nonzero(cluster == i)
            if len(rows):
                within = log_softmax(tail(vectors[rows]))
                inside = np.take_along_axis(within, (labels[rows] - start)[:, None], -1)[:, 0]
                at = np.arange(len(labels))[:, None] == rows  # (m, rows)
                output = output + np.sum(np.where(at, inside, 0.0), axis=-1)
        return AdaptiveLogSoftmax(output, -output.mean())

    def log_prob(self, vectors):
        """log p of all classes, (m, n_classes)."""
        self._checked(vectors)
        head = log_softmax(self.head(vectors))
        first = self.cutoffs[0]
        clusters = [
            log_softmax(tail(vectors)) + head[:, first + i : first + i + 1]
            for i, tail in enumerate(self.tail)
        ]
        return np.concatenate([head[:, :first], *clusters], axis=1)

    def predict(self, vectors) -> np.ndarray:
        """The most probable class of each example, (m,)."""
        return self.log_prob(vectors).argmax(axis=1)

    def extra_repr(self):
        return f"{self.in_features}, {self.n_classes}, cutoffs={self.cutoffs[:-1]}"

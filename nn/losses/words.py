"""Losses over large vocabularies, whose softmax would be too wide. COURSE.md C5W2-skipgram, C5W2-negsamp,
C5W2-glove."""

import heapq

import numpy as np

from autograd import random
from autograd.modes import get_default_dtype
from autograd.ops.activation import softplus
from autograd.ops.index import rows_at
from autograd.tensor import Tensor, as_array, unwrap

from .. import init
from ..module import Module, Parameter
from ..text import AliasTable
from .reduction import Loss, check_predictions, check_reduction, class_numbers, reduced


def _labelled(vectors, labels, rows, name):
    """Labels (m,) in 0..rows-1 of vectors (m, d)."""
    check_predictions(vectors, name, "vectors")
    if vectors.ndim != 2:
        raise ValueError(f"{name}: vectors need shape (m, d), got {vectors.shape}")
    scores = np.broadcast_to(np.float32(0), (len(vectors), rows))
    return class_numbers(scores, labels, name, "the scores of the vectors", None)[0]


def _table(vectors, table, name):
    if table.ndim != 2 or table.shape[1] != vectors.shape[-1]:
        raise ValueError(f"{name}: vectors {vectors.shape} need a table (V, d) of that d, got {table.shape}")


def negative_sampling_loss(vectors, table, labels, negatives, sparse=False, reduction="mean"):
    """- log sigmoid(theta_t . e) - sum over negatives n of log sigmoid(- theta_n . e): k + 1 logistic
    problems in the place of one softmax over V words.

    `vectors` e (m, d), `table` theta (V, d), `labels` t (m,), `negatives` n (m, k) integers in 0..V-1. With
    `sparse` the table's gradient holds the rows that were used only (`autograd.Rows`). Raises ValueError for
    other shapes and numbers outside the table. Mikolov et al. 2013 (arXiv:1310.4546); COURSE.md
    C5W2-negsamp."""
    name = "negative_sampling_loss"
    check_predictions(vectors, name, "vectors")
    _table(vectors, table, name)
    labels = _labelled(vectors, labels, len(table), name)
    negatives = as_array(negatives)
    if negatives.ndim != 2 or len(negatives) != len(vectors):
        raise ValueError(
            f"{name}: vectors {vectors.shape} need negatives ({len(vectors)}, k), got {negatives.shape}"
        )
    words = np.concatenate([labels[:, None], negatives], axis=1)  # (m, 1 + k)
    scores = np.sum(rows_at(table, words, sparse) * np.expand_dims(vectors, 1), axis=-1)
    sign = np.where(np.arange(words.shape[1]) == 0, -1.0, 1.0).astype(scores.dtype)
    return reduced(np.sum(softplus(sign * scores), axis=-1), reduction, name)


def sampling_distribution(counts, power=0.75) -> np.ndarray:
    """P(w) = f(w)^power / sum f^power of words that occur f times: between as often as in the text (1) and
    all alike (0). Raises ValueError for negative counts or none at all. COURSE.md C5W2-negsamp."""
    counts = np.asarray(unwrap(counts), np.float64)
    if counts.ndim != 1 or not counts.size or counts.min() < 0 or not counts.sum() > 0:
        raise ValueError(f"counts are how often each word occurs, (V,), not all 0; got shape {counts.shape}")
    shares = np.where(counts > 0, counts, 1.0) ** power * (counts > 0)
    return shares / shares.sum()


def glove_loss(scores, counts, x_max=100.0, power=0.75, reduction="sum"):
    """f(X) (s - log X)^2 with f(X) = min(1, (X / x_max)^power) and f(0) = 0: scores s = theta . e + b + b',
    and counts X of how often the two words stand together, of one shape. The sum, as in the paper, unless
    `reduction` says otherwise; the mean is over all pairs. Raises ValueError for different shapes and
    negative counts. Pennington, Socher and Manning 2014; COURSE.md C5W2-glove."""
    name = "glove_loss"
    check_predictions(scores, name, "scores")
    X = as_array(counts)
    if X.shape != scores.shape or (X.size and not X.min() >= 0):
        raise ValueError(f"{name}: scores {scores.shape} need as many counts, none negative; got {X.shape}")
    together = X > 0
    X = np.where(together, X, 1).astype(np.float64)
    weight = (np.minimum(1.0, (X / x_max) ** power) * together).astype(scores.dtype)
    error = scores - np.log(X).astype(scores.dtype)
    return reduced(weight * (error * error), reduction, name)


# ---- a tree in the place of the softmax


def huffman(counts) -> tuple[np.ndarray, np.ndarray]:
    """The Huffman tree of words that occur `counts` (V,) times: for each word the inner nodes on its way from
    the root, (V, depth) integers in 0..V-2, and the turns taken there, 1 or -1, 0 behind the end of the way.
    Frequent words have short ways. Raises ValueError for fewer than two words. Huffman 1952."""
    counts = np.asarray(unwrap(counts), np.float64)
    if counts.ndim != 1 or len(counts) < 2:
        raise ValueError(f"a tree needs the counts (V,) of at least 2 words, got shape {counts.shape}")
    V = len(counts)
    heap = [(count, word) for word, count in enumerate(counts.tolist())]
    heapq.heapify(heap)
    parent, turn = np.zeros(2 * V - 1, int), np.zeros(2 * V - 1, int)
    for node in range(V, 2 * V - 1):  # inner nodes, the root last
        (left, a), (right, b) = heapq.heappop(heap), heapq.heappop(heap)
        parent[[a, b]], turn[[a, b]] = node, (1, -1)
        heapq.heappush(heap, (left + right, node))
    ways = []
    for word in range(V):
        way, node = [], word
        while node != 2 * V - 2:
            way.append((2 * V - 2 - parent[node], turn[node]))  # the root is node 0
            node = parent[node]
        ways.append(way[::-1])
    depth = max(map(len, ways))
    padded = np.array([way + [(0, 0)] * (depth - len(way)) for way in ways])  # (V, depth, 2)
    return padded[..., 0], padded[..., 1]


def hierarchical_softmax_loss(vectors, table, labels, nodes, turns, sparse=False, reduction="mean"):
    """- log p(label), where p(word) is the product of sigmoid(turn theta_node . e) over the nodes on the
    word's way through a binary tree: the probabilities of all words sum to 1, and one costs as many
    products as its way is long, about log2 V.

    `vectors` e (m, d), `table` theta (V - 1, d), `labels` (m,), and the tree's `nodes` and `turns` (V, depth)
    as `huffman` makes them; `sparse` as in `negative_sampling_loss`. Raises ValueError for other shapes and
    labels outside 0..V-1. Morin and Bengio 2005; COURSE.md C5W2-skipgram."""
    name = "hierarchical_softmax_loss"
    check_predictions(vectors, name, "vectors")
    _table(vectors, table, name)
    labels = _labelled(vectors, labels, len(nodes), name)
    nodes, turns = as_array(nodes)[labels], as_array(turns)[labels].astype(vectors.dtype)  # (m, depth)
    scores = np.sum(rows_at(table, nodes, sparse) * np.expand_dims(vectors, 1), axis=-1)
    return reduced(np.sum(np.where(turns != 0, softplus(-turns * scores), 0.0), axis=-1), reduction, name)


class NegativeSamplingLoss(Loss):
    """`negative_sampling_loss` with k negatives drawn for each example from `sampling_distribution(counts)`.

    NegativeSamplingLoss(counts, k=5, power=0.75, sparse=False, reduction="mean"); called with (vectors,
    table, labels), and with negatives to use others than drawn ones. The course: k is 5 to 20 for small
    data, 2 to 5 for large. A negative may by chance be the label. Raises ValueError for k below 1."""

    function = staticmethod(negative_sampling_loss)

    def __init__(self, counts, k=5, power=0.75, sparse=False, reduction="mean"):
        super().__init__(reduction, sparse=sparse)
        if k < 1:
            raise ValueError(f"NegativeSamplingLoss: k negatives, at least 1, got {k!r}")
        self.k = k
        self.words = AliasTable(sampling_distribution(counts, power))

    def forward(self, vectors, table, labels, negatives=None):
        if negatives is None:
            negatives = self.words.draw((len(vectors), self.k), random.generator())
        return super().forward(vectors, table, labels, negatives)


class GloVeLoss(Loss):
    """`glove_loss(scores, counts)`. GloVeLoss(x_max=100.0, power=0.75, reduction="sum")."""

    function = staticmethod(glove_loss)

    def __init__(self, x_max=100.0, power=0.75, reduction="sum"):
        super().__init__(reduction, x_max=x_max, power=power)


class HierarchicalSoftmax(Module):
    """`hierarchical_softmax_loss` over the Huffman tree of a vocabulary: called with vectors (m, in_features)
    and labels (m,).

    HierarchicalSoftmax(in_features, counts, sparse=False, reduction="mean"). `weight` (V - 1, in_features),
    one vector an inner node, starts from U(-1/sqrt(in_features), 1/sqrt(in_features)). `nodes` and `turns`
    are the tree."""

    nodes: Tensor
    turns: Tensor

    def __init__(self, in_features, counts, sparse=False, reduction="mean"):
        super().__init__()
        check_reduction(reduction)
        nodes, turns = huffman(counts)
        self.in_features, self.sparse, self.reduction = in_features, sparse, reduction
        self.weight = Parameter(np.empty((len(nodes) - 1, in_features), get_default_dtype()))
        self.register_buffer("nodes", nodes)
        self.register_buffer("turns", turns)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weights anew."""
        init.fan_in_uniform_(self.weight, self.in_features)

    def forward(self, vectors, labels):
        return hierarchical_softmax_loss(
            vectors, self.weight, labels, self.nodes, self.turns, self.sparse, self.reduction
        )

    def log_prob(self, vectors):
        """log p of all words, (m, V), by one product with the whole table."""
        _table(vectors, self.weight, "HierarchicalSoftmax")
        scores = np.matmul(vectors, self.weight.T)  # (m, V - 1)
        turns = unwrap(self.turns)
        along = scores[:, unwrap(self.nodes)]  # (m, V, depth)
        return -np.sum(np.where(turns != 0, softplus(-turns.astype(scores.dtype) * along), 0.0), axis=-1)

    def extra_repr(self):
        depth = np.abs(unwrap(self.turns)).sum(1)
        return f"{self.in_features}, {len(depth)} words, ways of {depth.min()} to {depth.max()} nodes"

"""What the rows of losses are held to: closed forms in NumPy, and how PyTorch is asked for the same."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

import nn
from tests.cases_ctc import every_way
from tests.cases_softmax import log_softmax, softmax


def plain_mean(losses, *inputs, **kwargs):
    return losses.mean()


@dataclass(frozen=True)
class Row:
    """One loss on one set of arguments. `make(rng)` gives the inputs, floats in float64; those at `learned`
    get gradients. `each` is the reference: the losses before their reduction, called with the inputs and
    `kwargs`; `mean` is that of the losses, called with the losses and the same. `torch` is "same" where
    PyTorch's loss is called as ours is, `torch(torch, kwargs, *tensors)` where otherwise, None where there
    is none. `needed` are arguments of the module alone."""

    loss: str
    make: Callable
    each: Callable
    kwargs: Mapping = field(default_factory=dict)
    learned: tuple = (0,)
    mean: Callable = plain_mean
    torch: Callable | str | None = "same"
    needed: Mapping = field(default_factory=dict)
    note: str = ""

    def __str__(self):
        return f"{self.loss}-{self.note}" if self.note else self.loss

    def inputs(self):
        """The same every time."""
        return self.make(np.random.default_rng(0))

    def module(self, reduction):
        """Our loss."""
        return getattr(nn, self.loss)(**self.needed, **self.kwargs, reduction=reduction)

    def reference(self, reduction):
        """The reference's value."""
        losses = self.each(*self.inputs(), **self.kwargs)
        if reduction == "none":
            return losses
        return losses.sum() if reduction == "sum" else self.mean(losses, *self.inputs(), **self.kwargs)

    def pytorch(self, torch, reduction, tensors):
        """PyTorch's loss."""
        kwargs = {n: torch.tensor(v) if isinstance(v, np.ndarray) else v for n, v in self.kwargs.items()}
        kwargs["reduction"] = reduction
        if callable(self.torch):
            return self.torch(torch, kwargs, *tensors)
        return getattr(torch.nn, self.loss)(**kwargs)(*tensors)


def normals(*shapes):
    return lambda rng: tuple(rng.standard_normal(s) for s in shapes)


def scores_and_labels(*shape, classes=3, scale=1.0):
    return lambda rng: (scale * rng.standard_normal((*shape, classes)), rng.integers(0, classes, shape))


def with_zero_ones(make):
    def both(rng):
        x = make(rng)
        return x, (rng.random(x.shape) < 0.5).astype(float)

    return both


def with_signs(count, *shape, of=None):
    """`count` arrays of floats, and targets of -1 and 1."""

    def make(rng):
        targets = np.where(rng.random(shape if of is None else of) < 0.5, -1, 1)
        return (*(rng.standard_normal(shape) for _ in range(count)), targets)

    return make


# ---- class axis last, ours; second, PyTorch's


def classes_second(name):
    def run(torch, kwargs, *tensors):
        moved = [t.movedim(-1, 1) if t.ndim > 2 and t.is_floating_point() else t for t in tensors]
        return getattr(torch.nn, name)(**kwargs)(*moved)

    return run


def cross_entropy(logits, labels, weight=None, ignore_index=-100, label_smoothing=0.0):
    C = logits.shape[-1]
    w = np.ones(C) if weight is None else np.asarray(weight)
    losses = np.zeros(logits.shape[:-1])
    for at in np.ndindex(losses.shape):
        if labels.ndim == logits.ndim:
            y = labels[at]
        elif labels[at] == ignore_index:
            continue
        else:
            y = np.eye(C)[labels[at]]
        y = y * (1 - label_smoothing) + label_smoothing / C
        losses[at] = -np.sum(w * y * log_softmax(logits[at]))
    return losses


def mean_by_class(losses, scores, labels, weight=None, ignore_index=-100, **_):
    w = np.ones(scores.shape[-1]) if weight is None else weight
    return losses.sum() / np.where(labels == ignore_index, 0, w[np.maximum(labels, 0)]).sum()


def nll(log_p, labels, weight=None, ignore_index=-100):
    w = np.ones(log_p.shape[-1]) if weight is None else np.asarray(weight)
    picked = np.array([p[k] * w[k] for p, k in zip(log_p.reshape(-1, log_p.shape[-1]), labels.ravel())])
    return np.where(labels == ignore_index, 0, -picked.reshape(labels.shape))


def some_ignored(ignore_index):
    def make(rng):
        labels = rng.integers(0, 3, (2, 4))
        labels[0, 1] = labels[1, 3] = ignore_index
        return rng.standard_normal((2, 4, 3)), labels

    return make


W = np.array([0.5, 2.0, 1.0])
SOFT = lambda rng: (rng.standard_normal((5, 3)), rng.dirichlet(np.ones(3), 5))


def kl_div(x, y, log_target=False):
    return (
        np.exp(y) * (y - x) if log_target else np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0) - y * x
    )


def shares(rng):
    y = rng.dirichlet(np.ones(4), 3)
    y[1, 2] = 0.0
    return log_softmax(rng.standard_normal((3, 4))), y


def multi_margin(x, labels, p=1, margin=1.0, weight=None):
    w = np.ones(x.shape[-1]) if weight is None else weight
    return np.array(
        [
            w[k] * sum(max(0, margin - r[k] + r[i]) ** p for i in range(len(r)) if i != k) / len(r)
            for r, k in zip(x, labels)
        ]
    )


def multilabel_margin(x, labels):
    losses = []
    for r, ks in zip(x, labels.tolist()):
        right = ks[: ks.index(-1)] if -1 in ks else ks
        wrong = set(range(len(r))) - set(right)
        losses.append(sum(max(0, 1 - r[j] + r[i]) for j in right for i in wrong) / len(r))
    return np.array(losses)


def multilabels(rng):
    return rng.standard_normal((3, 4)), np.array([[3, 0, -1, 1], [-1, 2, 2, 2], [1, 2, 3, 0]])


# ---- elementwise


def bce(p, y, weight=1.0):
    return -weight * (y * np.log(p) + (1 - y) * np.log(1 - p))


def bce_with_logits(z, y, weight=1.0, pos_weight=1.0):
    return weight * (pos_weight * y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z))


def huber(x, y, delta=1.0):
    d = np.abs(x - y)
    return np.where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta))


def smooth_l1(x, y, beta=1.0):
    return huber(x, y, beta) / beta if beta else np.abs(x - y)


def poisson_nll(x, y, log_input=True, full=False, eps=1e-8):
    losses = np.exp(x) - y * x if log_input else x - y * np.log(x + eps)
    stirling = np.where(y > 1, y * np.log(y + (y == 0)) - y + 0.5 * np.log(2 * np.pi * y + (y == 0)), 0)
    return losses + stirling if full else losses


def gaussian_nll(x, y, var, full=False, eps=1e-6):
    v = np.maximum(var.reshape((*var.shape, 1)) if 0 < var.ndim < x.ndim else var, eps)
    return 0.5 * (np.log(v) + (x - y) ** 2 / v) + full * 0.5 * math.log(2 * math.pi)


def gaussian(*var_shape):
    return lambda rng: (*normals((4, 3), (4, 3))(rng), 0.1 + rng.random(var_shape))


# ---- distances


def cosine_embedding(a, b, y, margin=0.0):
    cos = np.sum(a * b, -1) / np.sqrt(np.sum(a * a, -1) * np.sum(b * b, -1))
    return np.where(y == 1, 1 - cos, np.maximum(0, cos - margin))


def triplet(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False):
    def d(u, v):
        return np.sum(np.abs(u - v + eps) ** p, -1) ** (1 / p)

    apart = d(anchor, negative)
    apart = np.minimum(apart, d(positive, negative)) if swap else apart
    return np.maximum(0, d(anchor, positive) - apart + margin)


def squared(a, b):
    return ((a - b) ** 2).sum(-1)


def triplet_with(a, p, n, distance_function, margin=1.0, swap=False):
    d = distance_function
    return np.maximum(0, d(a, p) - (np.minimum(d(a, n), d(p, n)) if swap else d(a, n)) + margin)


def contrastive(a, b, same, margin=1.0):
    d = np.sqrt(squared(a, b))
    return np.where(same == 1, d * d, np.maximum(0, margin - d) ** 2) / 2


IDS = np.array([0, 1, 0, 2, 1, 0, 3])


def semi_hard(e, labels, margin=0.2):
    losses = []
    for a in range(len(e)):
        negatives = sorted(squared(e[a], e[n]) for n in range(len(e)) if labels[n] != labels[a])
        for p in range(len(e)):
            if p != a and labels[p] == labels[a] and negatives:
                d = squared(e[a], e[p])
                farther = [x for x in negatives if x > d]
                losses.append(max(0, d - (farther[0] if farther else negatives[-1]) + margin))
    return np.array(losses)


def every_triplet(e, labels, margin=0.2):
    losses = []
    for a, p, n in np.ndindex(len(e), len(e), len(e)):
        if a != p and labels[a] == labels[p] and labels[a] != labels[n]:
            losses.append(max(0, squared(e[a], e[p]) - squared(e[a], e[n]) + margin))
    return np.array(losses)


def hard(e, labels, margin=0.2):
    losses = []
    for a in range(len(e)):
        ps = [squared(e[a], e[p]) for p in range(len(e)) if p != a and labels[p] == labels[a]]
        ns = [squared(e[a], e[n]) for n in range(len(e)) if labels[n] != labels[a]]
        if ps and ns:
            losses.append(max(0, max(ps) - min(ns) + margin))
    return np.array(losses)


# ---- the course's


def overlap(kind):
    def each(p, t, smooth=1.0):
        t = t if t.ndim == p.ndim else np.eye(p.shape[-1])[t]
        losses = np.empty((len(p), p.shape[-1]))
        for i, k in np.ndindex(losses.shape):
            both, sums = np.sum(p[i, ..., k] * t[i, ..., k]), np.sum(p[i, ..., k]) + np.sum(t[i, ..., k])
            top, below = (2 * both, sums) if kind == "dice" else (both, sums - both)
            losses[i, k] = 1 - (top + smooth) / (below + smooth)
        return losses

    return each


def maps(rng):
    p = softmax(rng.standard_normal((2, 3, 4, 3)))
    return p, rng.integers(0, 3, (2, 3, 4))


def content(a, b):
    return np.array([0.5 * np.sum((x - y) ** 2) for x, y in zip(a, b)])


def style(generated, styles, weights=None):
    weights = [1 / len(generated)] * len(generated) if weights is None else weights
    total = np.zeros(len(generated[0]))
    for w, g, s in zip(weights, generated, styles):
        for i in range(len(g)):
            grams = [np.einsum("ijk,ijl->kl", x[i], x[i]) for x in (g, s)]
            total[i] += w * np.sum((grams[0] - grams[1]) ** 2) / (2 * g[i].size) ** 2
    return total


def two_layers(rng):
    return tuple([rng.standard_normal((2, 4, 3, 2)), rng.standard_normal((2, 2, 2, 5))] for _ in range(2))


def variation(images):
    def one(x):
        rows, columns, channels = x.shape
        total = 0.0
        for i in range(rows):
            for j in range(columns):
                for c in range(channels):
                    total += abs(x[i + 1, j, c] - x[i, j, c]) if i + 1 < rows else 0
                    total += abs(x[i, j + 1, c] - x[i, j, c]) if j + 1 < columns else 0
        return total

    return np.array([one(x) for x in images])


def localization(predictions, targets):
    """Entry by entry: all squares where there is an object, the first alone where there is none."""
    losses = np.zeros(predictions.shape[:-1])
    for place in np.ndindex(losses.shape):
        there = len(predictions[place]) if targets[place][0] == 1 else 1
        losses[place] = sum((predictions[place][k] - targets[place][k]) ** 2 for k in range(there))
    return losses


def some_objects(*shape):
    """Vectors, of which every other one tells of no object, and does not care about the rest."""

    def make(rng):
        targets = rng.random(shape)
        targets[..., 0] = np.arange(targets[..., 0].size).reshape(shape[:-1]) % 2
        targets[targets[..., 0] == 0, 1:] = np.nan
        return rng.standard_normal(shape), targets

    return make


def multitask(z, y):
    return np.where(np.isnan(y), 0, bce_with_logits(z, np.nan_to_num(y)))


def missing_labels(rng):
    y = (rng.random((3, 4)) < 0.5).astype(float)
    y[0, 1] = y[2, 0] = y[2, 3] = np.nan
    return rng.standard_normal((3, 4)), y


COUNTS = np.array([5, 0, 3, 1, 9, 2])


def negative_sampling(e, table, labels, negatives):
    def log_sigmoid(z):
        return -np.logaddexp(0, -z)

    return np.array(
        [
            -log_sigmoid(table[t] @ v) - sum(log_sigmoid(-table[n] @ v) for n in ns)
            for v, t, ns in zip(e, labels, negatives)
        ]
    )


def sampled(rng):
    return (*normals((4, 3), (6, 3))(rng), rng.integers(0, 6, 4), rng.integers(0, 6, (4, 5)))


def glove(s, X, x_max=100.0, power=0.75):
    return np.where(X > 0, np.minimum(1, (X / x_max) ** power) * (s - np.log(np.maximum(X, 1))) ** 2, 0)


# ---- CTC: (m, T, C) here, (T, m, C) there


def torch_ctc(torch, kwargs, log_p, targets, *lengths):
    return torch.nn.CTCLoss(**kwargs)(log_softmax_of(torch, log_p).transpose(0, 1), targets, *lengths)


def log_softmax_of(torch, x):
    return torch.log_softmax(x, -1)


def mean_by_length(losses, x, y, steps, lengths, **_):
    return (losses / np.maximum(lengths, 1)).mean()


def words(rng):
    x = log_softmax(rng.standard_normal((3, 5, 4)))
    return x, np.array([[1, 2, 3], [2, 2, 0], [3, 0, 0]]), np.array([5, 4, 3]), np.array([3, 2, 1])


def in_one_row(rng):
    x, y, steps, lengths = words(rng)
    return x, np.concatenate([row[:n] for row, n in zip(y, lengths)]), steps, lengths


def ctc(x, targets, steps, lengths, blank=0, zero_infinity=False):
    if targets.ndim == 1:
        rows = np.split(targets, np.cumsum(lengths)[:-1])
    else:
        rows = targets
    return every_way(x, rows, steps, lengths, blank)

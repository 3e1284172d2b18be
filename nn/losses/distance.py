"""Losses of pairs and triplets: what is alike shall lie close. Vectors lie on the last axis."""

import numpy as np

from autograd.ops.activation import relu
from autograd.tensor import as_array, unwrap

from ..layers.distance import norm, pairwise_distance
from .reduction import Loss, check_predictions, check_reduction, like_predictions, reduced, signs


def _alike(name, **vectors):
    """Raises unless all are float arrays of one shape (..., d)."""
    (first_name, first), *others = vectors.items()
    check_predictions(first, name, first_name)
    if not first.ndim:
        raise ValueError(f"{name}: {first_name} is a single number, needs vectors (..., d)")
    for other_name, other in others:
        like_predictions(other, unwrap(first), name, other_name, first_name)


def cosine_embedding_loss(first, second, targets, margin=0.0, reduction="mean"):
    """1 - cos(first, second) where the target is 1 (alike), max(0, cos - margin) where it is -1; vectors
    (..., d), targets (...). Raises ValueError for other shapes and targets."""
    name = "cosine_embedding_loss"
    _alike(name, first=first, second=second)
    y = signs(first, targets, name, first.shape[:-1], "vectors")
    squares = [np.sum(x * x, axis=-1) + 1e-12 for x in (first, second)]
    cos = np.sum(first * second, axis=-1) / np.sqrt(squares[0] * squares[1])
    losses = np.where(y == 1, 1.0 - cos, np.clip(cos - float(margin), min=0.0))
    return reduced(losses, reduction, name)


def hinge_embedding_loss(distances, targets, margin=1.0, reduction="mean"):
    """The distance x itself where the target is 1 (alike), max(0, margin - x) where it is -1; arrays of one
    shape. Raises ValueError for other shapes and targets."""
    name = "hinge_embedding_loss"
    like_predictions(distances, unwrap(targets), name, "distances")
    y = signs(distances, targets, name)
    losses = np.where(y == 1, distances, np.clip(float(margin) - distances, min=0.0))
    return reduced(losses, reduction, name)


def margin_ranking_loss(first, second, targets, margin=0.0, reduction="mean"):
    """max(0, margin - y (first - second)): scores of one shape, where y is 1 if the first is to be higher, -1
    if the second. Raises ValueError for other shapes and targets."""
    name = "margin_ranking_loss"
    like_predictions(second, unwrap(first), name, "second", "first")
    y = signs(first, targets, name)
    return reduced(np.clip(float(margin) - y * (first - second), min=0.0), reduction, name)


def contrastive_loss(first, second, same, margin=1.0, reduction="mean"):
    """d^2 / 2 for pairs of one identity, max(0, margin - d)^2 / 2 for others, d = |first - second|; vectors
    (..., d), `same` (...) of 1 or True, 0 or False. Raises ValueError for other shapes and values. Hadsell,
    Chopra and LeCun 2006; COURSE.md C4W4-siamese."""
    name = "contrastive_loss"
    _alike(name, first=first, second=second)
    y = as_array(same)
    if y.shape != first.shape[:-1] or not np.isin(y, (0, 1)).all():
        raise ValueError(f"{name}: same tells 1 or 0 of each pair, {first.shape[:-1]}, got shape {y.shape}")
    d = norm(first - second)
    apart = relu(float(margin) - d)
    return reduced(0.5 * np.where(y == 1, d * d, apart * apart), reduction, name)


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction="mean"
):
    """max(0, d(A, P) - d(A, N) + margin) of vectors (..., d), with d = `pairwise_distance`. With `swap` the
    smaller of d(A, N) and d(P, N) counts (Balntas et al. 2016). The course's d is the squared distance:
    `triplet_margin_with_distance_loss` takes it. Raises ValueError for different shapes. COURSE.md
    C4W4-triplet."""
    _alike("triplet_margin_loss", anchor=anchor, positive=positive, negative=negative)

    def distance(a, b):
        return pairwise_distance(a, b, p, eps)

    return _triplets(distance, anchor, positive, negative, margin, swap, reduction, "triplet_margin_loss")


def triplet_margin_with_distance_loss(
    anchor, positive, negative, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """`triplet_margin_loss` with any `distance_function(a, b)`, by default `pairwise_distance`."""
    name = "triplet_margin_with_distance_loss"
    _alike(name, anchor=anchor, positive=positive, negative=negative)
    distance = distance_function or pairwise_distance
    return _triplets(distance, anchor, positive, negative, margin, swap, reduction, name)


def _triplets(distance, anchor, positive, negative, margin, swap, reduction, name):
    apart = distance(anchor, negative)
    if swap:
        apart = np.minimum(apart, distance(positive, negative))
    return reduced(np.clip(distance(anchor, positive) - apart + float(margin), min=0.0), reduction, name)


# ---- triplets found in the batch


_NONE = np.zeros(0, int)


def squared_distances(embeddings) -> np.ndarray:
    """|f_i - f_j|^2 of all pairs of embeddings (m, d): a plain array (m, m)."""
    e = as_array(embeddings)
    squares = np.sum(e * e, axis=-1)
    return np.maximum(squares[:, None] + squares - 2 * (e @ e.T), 0)


def all_triplets(embeddings, labels):
    """Every anchor with every positive of its label and every negative: index arrays (anchors, positives,
    negatives). Of 10 pictures each of 100 people there are 8.9 million."""
    alike = _same(labels)
    others = alike & ~np.eye(len(alike), dtype=bool)
    return np.nonzero(others[:, :, None] & ~alike[:, None, :])


def semi_hard_triplets(embeddings, labels):
    """For each anchor and each positive of its label the closest of the negatives that are farther than the
    positive, or where all are closer, the farthest: index arrays (anchors, positives, negatives). FaceNet,
    arXiv:1503.03832."""
    d, alike = squared_distances(embeddings), _same(labels)
    if not len(d):
        return _NONE, _NONE, _NONE
    anchors, positives = np.nonzero(alike & ~np.eye(len(d), dtype=bool) & ~alike.all(1)[:, None])
    to_all = np.where(alike[anchors], np.nan, d[anchors])  # (pairs, m), of negatives only
    farther = to_all > d[anchors, positives][:, None]
    closest = np.argmin(np.where(farther, to_all, np.inf), axis=1)
    farthest = np.argmax(np.where(alike[anchors], -np.inf, d[anchors]), axis=1)
    return anchors, positives, np.where(farther.any(1), closest, farthest)


def hard_triplets(embeddings, labels):
    """For each anchor the farthest positive and the closest negative: index arrays (anchors, positives,
    negatives). "Batch hard" of arXiv:1703.07737."""
    d, alike = squared_distances(embeddings), _same(labels)
    if not len(d):
        return _NONE, _NONE, _NONE
    others = alike & ~np.eye(len(d), dtype=bool)
    (anchors,) = np.nonzero(others.any(1) & ~alike.all(1))
    positives = np.argmax(np.where(others, d, -1.0)[anchors], axis=1)
    return anchors, positives, np.argmin(np.where(alike, np.inf, d)[anchors], axis=1)


def _same(labels):
    labels = as_array(labels)
    return labels[:, None] == labels


def _mined_triplet_loss(mine, embeddings, labels, margin, reduction, name):
    check_reduction(reduction)
    check_predictions(embeddings, name, "embeddings")
    shape = np.shape(unwrap(labels))
    if embeddings.ndim != 2 or shape != embeddings.shape[:1]:
        raise ValueError(f"{name}: embeddings (m, d) need labels (m,), got {embeddings.shape} and {shape}")
    anchors, positives, negatives = mine(embeddings, labels)
    if not len(anchors) and reduction == "mean":
        raise ValueError(
            f"{name}: no triplet among {len(embeddings)} labels: a batch needs a label twice, and another one"
        )

    def distance(i, j):
        return np.sum((embeddings[i] - embeddings[j]) ** 2, axis=-1)

    short = distance(anchors, positives) - distance(anchors, negatives) + float(margin)
    return reduced(np.clip(short, min=0.0), reduction, name)


def all_triplet_loss(embeddings, labels, margin=0.2, reduction="mean"):
    """`semi_hard_triplet_loss` over `all_triplets`, most of which are soon easy and cost nothing."""
    return _mined_triplet_loss(all_triplets, embeddings, labels, margin, reduction, "all_triplet_loss")


def semi_hard_triplet_loss(embeddings, labels, margin=0.2, reduction="mean"):
    """max(0, |A - P|^2 - |A - N|^2 + margin) over the `semi_hard_triplets` of a batch of embeddings (m, d)
    and identities (m,); "none" gives one loss a triplet. Embeddings are usually scaled to length 1. Raises
    ValueError for other shapes, and a mean without any triplet. FaceNet; COURSE.md C4W4-triplet."""
    return _mined_triplet_loss(
        semi_hard_triplets, embeddings, labels, margin, reduction, "semi_hard_triplet_loss"
    )


def hard_triplet_loss(embeddings, labels, margin=0.2, reduction="mean"):
    """`semi_hard_triplet_loss` over the `hard_triplets`: each anchor with its farthest positive and closest
    negative. In early training it can collapse all embeddings to one point, where every loss is the
    margin."""
    return _mined_triplet_loss(hard_triplets, embeddings, labels, margin, reduction, "hard_triplet_loss")


class CosineEmbeddingLoss(Loss):
    """`cosine_embedding_loss(first, second, targets)`. CosineEmbeddingLoss(margin=0.0, reduction="mean")."""

    function = staticmethod(cosine_embedding_loss)

    def __init__(self, margin=0.0, reduction="mean"):
        super().__init__(reduction, margin=margin)


class HingeEmbeddingLoss(Loss):
    """`hinge_embedding_loss(distances, targets)`. HingeEmbeddingLoss(margin=1.0, reduction="mean")."""

    function = staticmethod(hinge_embedding_loss)

    def __init__(self, margin=1.0, reduction="mean"):
        super().__init__(reduction, margin=margin)


class MarginRankingLoss(Loss):
    """`margin_ranking_loss(first, second, targets)`. MarginRankingLoss(margin=0.0, reduction="mean")."""

    function = staticmethod(margin_ranking_loss)

    def __init__(self, margin=0.0, reduction="mean"):
        super().__init__(reduction, margin=margin)


class ContrastiveLoss(Loss):
    """`contrastive_loss(first, second, same)`. ContrastiveLoss(margin=1.0, reduction="mean")."""

    function = staticmethod(contrastive_loss)

    def __init__(self, margin=1.0, reduction="mean"):
        super().__init__(reduction, margin=margin)


class TripletMarginLoss(Loss):
    """`triplet_margin_loss(anchor, positive, negative)`. TripletMarginLoss(margin=1.0, p=2.0, eps=1e-6,
    swap=False, reduction="mean")."""

    function = staticmethod(triplet_margin_loss)

    def __init__(self, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction="mean"):
        super().__init__(reduction, margin=margin, p=p, eps=eps, swap=swap)


class TripletMarginWithDistanceLoss(Loss):
    """`triplet_margin_with_distance_loss(anchor, positive, negative)`. TripletMarginWithDistanceLoss(
    distance_function=None, margin=1.0, swap=False, reduction="mean")."""

    function = staticmethod(triplet_margin_with_distance_loss)

    def __init__(self, distance_function=None, margin=1.0, swap=False, reduction="mean"):
        super().__init__(reduction, distance_function=distance_function, margin=margin, swap=swap)


class SemiHardTripletLoss(Loss):
    """`semi_hard_triplet_loss(embeddings, labels)`. SemiHardTripletLoss(margin=0.2, reduction="mean")."""

    function = staticmethod(semi_hard_triplet_loss)

    def __init__(self, margin=0.2, reduction="mean"):
        super().__init__(reduction, margin=margin)


class AllTripletLoss(Loss):
    """`all_triplet_loss(embeddings, labels)`. AllTripletLoss(margin=0.2, reduction="mean")."""

    function = staticmethod(all_triplet_loss)

    def __init__(self, margin=0.2, reduction="mean"):
        super().__init__(reduction, margin=margin)


class HardTripletLoss(Loss):
    """`hard_triplet_loss(embeddings, labels)`. HardTripletLoss(margin=0.2, reduction="mean")."""

    function = staticmethod(hard_triplet_loss)

    def __init__(self, margin=0.2, reduction="mean"):
        super().__init__(reduction, margin=margin)

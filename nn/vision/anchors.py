"""Anchor boxes: the shapes that predictions start from. COURSE.md C4W3-anchors."""

import numpy as np

from .boxes import boxes_of, iou


def shape_iou(a, b) -> np.ndarray:
    """IoU of sizes (w, h), as if both boxes had one centre: (n, 2) and (k, 2) to (n, k). Raises ValueError
    for sizes that are not positive."""
    a, b = (_sizes(x, "shape_iou") for x in (a, b))
    both = np.prod(np.minimum(a[:, None], b), axis=-1)
    return both / (np.prod(a, axis=-1)[:, None] + np.prod(b, axis=-1) - both)


def _sizes(sizes, name):
    found = np.asarray(sizes, np.float64)
    if found.ndim != 2 or found.shape[1] != 2:
        raise ValueError(f"{name}: sizes are (n, 2), a width and a height each, got shape {found.shape}")
    if not (found > 0).all() or not np.isfinite(found).all():
        raise ValueError(f"{name}: widths and heights must be numbers > 0")
    return found


def anchor_sizes(sizes, k: int, rng: np.random.Generator, rounds: int = 100) -> np.ndarray:
    """k sizes (w, h), the smallest first, that stand for the sizes (n, 2) of a training set: k-means with the
    distance 1 - IoU. Raises ValueError for fewer than k different sizes. Redmon and Farhadi 2017, section
    2."""
    sizes = _sizes(sizes, "anchor_sizes")
    distinct = np.unique(sizes, axis=0)
    if not 0 < k <= len(distinct):
        raise ValueError(f"anchor_sizes: {k} anchors of {len(distinct)} different sizes")
    means = distinct[rng.choice(len(distinct), k, replace=False)]
    for _ in range(rounds):
        nearest = shape_iou(sizes, means).argmax(1)
        groups = (sizes[nearest == j] for j in range(k))
        moved = np.array([g.mean(0) if len(g) else mean for g, mean in zip(groups, means)])
        if (moved == means).all():
            break
        means = moved
    return means[np.argsort(np.prod(means, axis=-1), kind="stable")]


def anchor_grid(places, strides, sizes, ratios) -> np.ndarray:
    """Anchors (n_H n_W A, 4) in pixels around the places of a feature map of n_H x n_W = `places`, whose
    neighbours are `strides` = (down, right) pixels apart: place by place, in each all sizes of the first
    ratio, then of the next. An anchor of size s and ratio r = h / w covers s^2 pixels; as torchvision has it,
    its corners are whole numbers, and the first place is the image's corner. Ren et al. 2015, section 3.1."""
    sizes, ratios = np.asarray(sizes, np.float64), np.asarray(ratios, np.float64)
    if not ((sizes > 0).all() and (ratios > 0).all()):
        raise ValueError(f"anchor_grid: sizes and ratios must be > 0, got {sizes} and {ratios}")
    heights, widths = np.sqrt(ratios), 1 / np.sqrt(ratios)
    half = np.stack([np.outer(widths, sizes).ravel(), np.outer(heights, sizes).ravel()], -1) / 2
    around = np.round(np.concatenate([-half, half], -1))  # (A, 4)
    y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip(places, strides)), indexing="ij")
    centres = np.stack([x, y, x, y], -1).reshape(-1, 1, 4)
    return (centres + around).reshape(-1, 4).astype(np.float32)


def match(anchors, boxes, high: float, low: float, keep_best: bool = False) -> np.ndarray:
    """For each anchor (n, 4) the number of the box (k, 4) that it overlaps most, if with IoU >= `high`; -1,
    background, if all its IoU are < `low`; -2, neither, between them. With `keep_best` each box also keeps
    the anchors that overlap it most, however little. Raises ValueError for low > high. Ren et al. 2015,
    section 3.1.2: 0.7 and 0.3, keep_best=True; Fast R-CNN: 0.5 and 0.5."""
    if low > high:
        raise ValueError(f"match: low={low} must not be over high={high}")
    anchors, boxes = boxes_of(anchors, "match"), boxes_of(boxes, "match")
    if not len(boxes):
        return np.full(len(anchors), -1)
    shares = iou(boxes[:, None], anchors)  # (k, n)
    nearest, most = shares.argmax(0), shares.max(0)
    found = np.where(most >= high, nearest, np.where(most < low, -1, -2))
    if keep_best:
        best = shares.max(1, keepdims=True)
        (its_own,) = np.nonzero(((shares == best) & (best > 0)).any(0))
        found[its_own] = nearest[its_own]
    return found

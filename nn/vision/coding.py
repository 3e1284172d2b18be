"""Boxes as a network tells them: as vectors of a grid's cells, and as deltas from anchors."""

import numpy as np

from .anchors import shape_iou
from .boxes import boxes_of, centred, corners, numbers_of

LARGEST = np.log(1000 / 16)  # of a delta of sizes: what e is raised to stays finite


def grid_targets(boxes, labels, num_classes: int, grid=(3, 3), anchors=None) -> np.ndarray:
    """What a grid is to predict for one image: (n_H, n_W, 5 + num_classes), or with anchors (A, 2) of widths
    and heights in cells (n_H, n_W, A, 5 + num_classes). A cell's vector is the lecture's [p_c, b_x, b_y, b_h,
    b_w, c_1, ...], zeros where it has no object.

    boxes (n, 4) are corners in shares of the image, labels (n,) class numbers. An object belongs to the cell
    of its midpoint, and there to the anchor whose shape has the largest IoU with it; b_x and b_y are in [0,
    1) from the cell's left upper corner, b_h and b_w in cells, and may exceed 1. Where that anchor has an
    object already it goes to the next best; the lecture leaves open what happens to more objects than a cell
    has anchors: the first stay. Raises ValueError for midpoints outside the image and classes that are not
    there. COURSE.md C4W3-yolo, C4W3-anchors."""
    found, labels = centred(boxes_of(boxes, "grid_targets")), np.asarray(labels)
    if labels.shape != (len(found),):
        raise ValueError(f"grid_targets: {len(found)} boxes need as many labels, got {labels.shape}")
    if labels.size and not (labels.dtype.kind in "iu" and 0 <= labels.min() <= labels.max() < num_classes):
        raise ValueError(f"grid_targets: labels are class numbers 0 to {num_classes - 1}, got {labels}")
    middles = found[:, :2]
    if not ((middles >= 0) & (middles < 1)).all():
        raise ValueError("grid_targets: a midpoint lies outside the image; boxes are shares of its sides")
    rows, columns = grid
    shapes = np.ones((1, 2)) if anchors is None else np.asarray(anchors, np.float64)
    targets = np.zeros((rows, columns, len(shapes), 5 + num_classes), np.float32)
    for (x, y, w, h), label in zip(found * [columns, rows, columns, rows], labels):
        i, j = int(y), int(x)
        order = np.argsort(-shape_iou([[w, h]], shapes)[0], kind="stable") if len(shapes) > 1 else [0]
        free = [a for a in order if not targets[i, j, a, 0]]
        if free:
            targets[i, j, free[0], :5] = 1, x - j, y - i, h, w
            targets[i, j, free[0], 5 + label] = 1
    return targets[:, :, 0] if anchors is None else targets


def grid_boxes(vectors) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a grid's vectors tell, targets or predictions of that form: boxes (n, 4), corners in shares of the
    image; scores (n,), p_c times the largest class; labels (n,), that class. vectors are (n_H, n_W, 5 + C) or
    (n_H, n_W, A, 5 + C); n counts all, cell by cell, ready for `nms`. Raises ValueError for other shapes and
    negative sizes."""
    vectors = np.asarray(vectors)
    if vectors.ndim not in (3, 4) or vectors.shape[-1] < 6:
        form = "(n_H, n_W, 5 + C) or (n_H, n_W, A, 5 + C)"
        raise ValueError(f"grid_boxes: vectors are {form}, got {vectors.shape}")
    rows, columns = vectors.shape[:2]
    vectors = vectors.reshape(rows, columns, -1, vectors.shape[-1])
    p, x, y, h, w = np.moveaxis(vectors[..., :5], -1, 0)
    x, y = x + np.arange(columns)[:, None], y + np.arange(rows)[:, None, None]
    boxes = np.stack([x / columns, y / rows, w / columns, h / rows], -1).reshape(-1, 4)
    classes = vectors[..., 5:]
    return corners(boxes), (p * classes.max(-1)).ravel(), classes.argmax(-1).ravel()


def encode_deltas(boxes, anchors, weights=(1.0, 1.0, 1.0, 1.0)) -> np.ndarray:
    """How an anchor is moved and stretched to a box: ((x - x_a) / w_a, (y - y_a) / h_a, ln(w / w_a), ln(h /
    h_a)) times `weights`, corners (n, 4) to (n, 4). Raises ValueError for boxes without area. Girshick et al.
    2014, appendix C; torchvision's weights are 1 for proposals, (10, 10, 5, 5) for the last boxes."""
    x, a = (centred(boxes_of(b, "encode_deltas")) for b in (boxes, anchors))
    if not ((x[..., 2:] > 0).all() and (a[..., 2:] > 0).all()):
        raise ValueError("encode_deltas: a box or an anchor has no area, and its logarithm is infinite")
    moved = (x[..., :2] - a[..., :2]) / a[..., 2:]
    return np.concatenate([moved, np.log(x[..., 2:] / a[..., 2:])], -1) * np.asarray(weights)


def decode_deltas(deltas, anchors, weights=(1.0, 1.0, 1.0, 1.0)) -> np.ndarray:
    """The inverse of `encode_deltas`: corners of the shape that deltas and anchors broadcast to. Sizes grow
    to at most 1000 / 16 times the anchor's, as in torchvision."""
    d, a = numbers_of(deltas, "decode_deltas") / np.asarray(weights), centred(anchors)
    middle = d[..., :2] * a[..., 2:] + a[..., :2]
    half = np.exp(np.minimum(d[..., 2:], LARGEST)) * a[..., 2:] / 2
    return np.concatenate([middle - half, middle + half], -1)

"""Non-max suppression. COURSE.md C4W3-nms."""

import functools

import numpy as np

from .boxes import boxes_of
from .coding import grid_boxes


def nms(boxes, scores, threshold: float = 0.5, labels=None, min_score: float | None = None) -> np.ndarray:
    """Places of the boxes that stay, the best first: drop scores <= `min_score`; then again and again take
    the best of the rest, and drop those that overlap it with IoU >= `threshold`, of its own class only where
    `labels` (n,) are given. boxes (n, 4) are corners, scores (n,); the earlier of two equal scores is the
    better.

    10,000 boxes take 2 to 40 ms, by how many stay in a class. Raises ValueError for bad boxes, other shapes,
    NaN scores, and a threshold outside (0, 1]. torchvision's drops IoU > threshold. COURSE.md C4W3-nms:
    min_score=0.6, threshold=0.5."""
    boxes = boxes_of(boxes, "nms")
    scores = np.asarray(scores, np.float64)
    if boxes.ndim != 2 or scores.shape != boxes.shape[:1]:
        raise ValueError(f"nms: boxes (n, 4) need scores (n,), got {boxes.shape} and {scores.shape}")
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.asarray(labels)
    if labels.shape != scores.shape or labels.size and labels.dtype.kind not in "iu":
        raise ValueError(
            f"nms: labels are class numbers {scores.shape}, one a box, got {labels.dtype} {labels.shape}"
        )
    if np.isnan(scores).any():
        raise ValueError(f"nms: {int(np.isnan(scores).sum())} of {scores.size} scores are NaN")
    if not 0 < threshold <= 1:
        raise ValueError(f"nms: the threshold of IoU must be in (0, 1], got {threshold}")
    order = np.argsort(-scores, kind="stable")
    if min_score is not None:
        order = order[scores[order] > min_score]
    by_class = np.argsort(labels[order], kind="stable")  # the best of each class first
    grouped = order[by_class]
    columns = np.ascontiguousarray(boxes[grouped].T, np.float64)
    stays = _compiled()(columns, labels[grouped].astype(np.int64), float(threshold))
    return order[np.sort(by_class[stays])]


def detections(
    vectors, min_score: float = 0.6, threshold: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a grid's vectors of one image tell, after suppression within each class: boxes (n, 4), corners in
    shares of the image, scores and labels (n,), the best first. Arguments and errors of `grid_boxes` and
    `nms`. COURSE.md C4W3-yolofull."""
    boxes, scores, labels = grid_boxes(vectors)
    stay = nms(boxes, scores, threshold, labels, min_score)
    return boxes[stay], scores[stay], labels[stay]


@functools.cache
def _compiled():
    import numba  # here, because importing it takes longer than all the rest of this room

    return numba.njit(nogil=True)(_staying)


def _staying(boxes, labels, threshold):
    """Whether each of the boxes (4, n), class by class and the best first, stays: it is held against those of
    its class that stay before it. Most pairs lie apart, which the comparison of corners tells before areas
    are computed."""
    n = boxes.shape[1]
    stays = np.empty(n, np.bool_)
    x1, y1, x2, y2 = np.empty(n), np.empty(n), np.empty(n), np.empty(n)  # of those that stay, side by side
    count = 0
    for i in range(n):
        if i > 0 and labels[i] != labels[i - 1]:
            count = 0
        a1, b1, a2, b2 = boxes[0, i], boxes[1, i], boxes[2, i], boxes[3, i]
        area = (a2 - a1) * (b2 - b1)
        stays[i] = True
        for k in range(count):
            width = min(a2, x2[k]) - max(a1, x1[k])
            height = min(b2, y2[k]) - max(b1, y1[k])
            if width > 0 and height > 0:
                both = width * height
                union = area + (x2[k] - x1[k]) * (y2[k] - y1[k]) - both
                if both >= threshold * union:
                    stays[i] = False
                    break
        if stays[i]:
            x1[count], y1[count], x2[count], y2[count] = a1, b1, a2, b2
            count += 1
    return stays

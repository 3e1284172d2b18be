"""Formats of boxes, and how much two boxes share.

A box is four numbers on the last axis: corners (x1, y1, x2, y2), the way of everything here that does not say
otherwise, or centre and size (x, y, w, h). x goes to the right, y down. Units are pixels, or shares of the
image's width and height. COURSE.md C4W3-iou.
"""

import numpy as np


def boxes_of(boxes, name: str) -> np.ndarray:
    """Boxes (..., 4) as floats. Raises ValueError for another shape, for NaN and infinity, and for corners in
    the wrong order; `name` is the caller's."""
    found = numbers_of(boxes, name)
    wrong = ~(found[..., :2] <= found[..., 2:]).all(-1)
    if wrong.any():
        raise ValueError(
            f"{name}: {int(wrong.sum())} of {wrong.size} boxes end before they start, such as "
            f"{found[wrong][0].tolist()}: a box is (x1, y1, x2, y2) with x1 <= x2, y1 <= y2; "
            "corners(boxes) makes it of (x, y, w, h)"
        )
    return found


def numbers_of(boxes, name: str) -> np.ndarray:
    """Finite floats (..., 4); no boxes at all may come as []. Raises ValueError for others."""
    found = np.asarray(boxes)
    if found.dtype.kind not in "iuf":
        raise ValueError(f"{name}: boxes must be numbers, got {found.dtype}")
    if found.dtype.kind != "f":
        found = found.astype(np.float64)
    if found.shape == (0,):
        return found.reshape(0, 4)
    if not found.ndim or found.shape[-1] != 4:
        raise ValueError(f"{name}: boxes have 4 numbers on the last axis, got shape {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: {int((~np.isfinite(found)).any(-1).sum())} boxes are not finite")
    return found


def corners(boxes) -> np.ndarray:
    """(x, y, w, h) to (x1, y1, x2, y2). Raises ValueError for negative sizes."""
    found = numbers_of(boxes, "corners")
    if (found[..., 2:] < 0).any():
        raise ValueError("corners: widths and heights must not be negative; boxes are (x, y, w, h)")
    centre, half = found[..., :2], found[..., 2:] / 2
    return np.concatenate((centre - half, centre + half), axis=-1)


def centred(boxes) -> np.ndarray:
    """(x1, y1, x2, y2) to (x, y, w, h): the inverse of `corners`."""
    found = boxes_of(boxes, "centred")
    start, end = found[..., :2], found[..., 2:]
    return np.concatenate(((start + end) / 2, end - start), axis=-1)


def relative(boxes, width: float, height: float) -> np.ndarray:
    """Pixels to shares of the image, in either format. Raises ValueError for an image without pixels."""
    return numbers_of(boxes, "relative") / _sides(width, height, "relative")


def pixels(boxes, width: float, height: float) -> np.ndarray:
    """Shares of the image to pixels, in either format: the inverse of `relative`."""
    return numbers_of(boxes, "pixels") * _sides(width, height, "pixels")


def _sides(width, height, name):
    if not (width > 0 and height > 0):
        raise ValueError(f"{name}: an image has width and height > 0, got {width} and {height}")
    return np.array([width, height, width, height], np.float64)


def clip(boxes, width: float, height: float) -> np.ndarray:
    """The part of each box that lies in the image."""
    return np.clip(boxes_of(boxes, "clip"), 0, _sides(width, height, "clip"))


def area(boxes) -> np.ndarray:
    """(x2 - x1) (y2 - y1), (..., 4) to (...)."""
    found = boxes_of(boxes, "area")
    return np.prod(found[..., 2:] - found[..., :2], axis=-1)


def iou(a, b) -> np.ndarray:
    """Intersection over union of boxes whose shapes broadcast: of (n, 4) and (n, 4) pair by pair, (n,); of
    all pairs `iou(a[:, None], b)`, (n, k). 0 for two boxes without area. COURSE.md C4W3-iou: (2, 1, 4, 3) and
    (1, 2, 3, 4) share 1 of 7. Raises ValueError for bad boxes, here and in the others."""
    return _parts(a, b, "iou")[2]


def giou(a, b) -> np.ndarray:
    """IoU less the share of the smallest box around both that neither covers; in (-1, 1]. Rezatofighi et al.
    2019."""
    a, b, share, union = _parts(a, b, "giou")
    hull = np.prod(_around(a, b), axis=-1)
    return share - _share(hull - union, hull)


def diou(a, b) -> np.ndarray:
    """IoU less the squared distance of the centres over the squared diagonal of the smallest box around
    both. Zheng et al. 2020."""
    a, b, share, _ = _parts(a, b, "diou")
    return share - _distance(a, b)


def ciou(a, b) -> np.ndarray:
    """`diou` less alpha v, where v = (2 / pi)^2 (atan(w_b / h_b) - atan(w_a / h_a))^2 tells how far the
    shapes differ, and alpha = v / (1 - IoU + v). Zheng et al. 2020."""
    a, b, share, _ = _parts(a, b, "ciou")
    (w_a, h_a), (w_b, h_b) = (np.moveaxis(x[..., 2:] - x[..., :2], -1, 0) for x in (a, b))
    v = (2 / np.pi * (np.arctan2(w_b, h_b) - np.arctan2(w_a, h_a))) ** 2
    return share - _distance(a, b) - v * _share(v, 1 - share + v)


def _parts(a, b, name):
    """Both, their IoU, and the area of their union."""
    a, b = boxes_of(a, name), boxes_of(b, name)
    start, end = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    both = np.prod(np.maximum(end - start, 0), axis=-1)
    union = np.prod(a[..., 2:] - a[..., :2], axis=-1) + np.prod(b[..., 2:] - b[..., :2], axis=-1) - both
    return a, b, _share(both, union), union


def _around(a, b):
    return np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])


def _distance(a, b):
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return _share(np.sum(apart**2, axis=-1), np.sum(_around(a, b) ** 2, axis=-1))


def _share(part, whole):
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)

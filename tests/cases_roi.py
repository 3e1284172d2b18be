"""Rows of pooling regions of interest. The references follow the definition point by point, one Python loop
an output, as torchvision's published source has it."""

import math

import numpy as np

from tests.cases import Case

MAPS = (2, 5, 6, 3)
# inside, overlapping, over the border, wholly outside, turned around, of one point
BOXES = np.array(
    [
        [1.25, 0.75, 4.5, 3.25],
        [0.5, 1.0, 5.75, 4.5],
        [-2.25, -1.5, 2.5, 2.75],
        [9.5, 9.5, 12.25, 13.5],
        [4.5, 3.25, 2.25, 1.5],
        [3.25, 2.5, 3.25, 2.5],
    ]
)
ON = np.array([0, 1, 1, 0, 1, 0])


def interpolated(plane, v, u):
    """The map (H, W, C) at row v and column u: bilinear, 0 more than a pixel outside."""
    H, W, C = plane.shape
    if not (-1 <= v <= H and -1 <= u <= W):
        return np.zeros(C)
    v, u = min(max(v, 0), H - 1), min(max(u, 0), W - 1)
    top, left = int(v), int(u)
    bottom, right = min(top + 1, H - 1), min(left + 1, W - 1)
    ly, lx = v - top, u - left
    upper = (1 - lx) * plane[top, left] + lx * plane[top, right]
    return (1 - ly) * upper + ly * ((1 - lx) * plane[bottom, left] + lx * plane[bottom, right])


def naive_align(x, boxes, batch_index, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    PH, PW = output_size if isinstance(output_size, tuple) else (output_size,) * 2
    y = np.zeros((len(boxes), PH, PW, x.shape[3]))
    for k, box in enumerate(boxes):
        x1, y1, x2, y2 = box * spatial_scale - (0.5 if aligned else 0.0)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        bin_h, bin_w = height / PH, width / PW
        gh = sampling_ratio if sampling_ratio > 0 else math.ceil(bin_h)
        gw = sampling_ratio if sampling_ratio > 0 else math.ceil(bin_w)
        for i, j in np.ndindex(PH, PW):
            for a in range(gh):
                for b in range(gw):
                    v, u = y1 + (i + (a + 0.5) / gh) * bin_h, x1 + (j + (b + 0.5) / gw) * bin_w
                    y[k, i, j] += interpolated(x[batch_index[k]], v, u) / (gh * gw)
    return y


def transposed(forward, g, shape):
    """The transpose of a linear function of maps, applied to g: what it makes of each unit map, times g."""
    units = np.eye(math.prod(shape)).reshape(-1, *shape)
    return np.array([np.sum(forward(unit) * g) for unit in units]).reshape(shape)


def naive_align_grad(g, shape, *options, **kwargs):
    return transposed(lambda x: naive_align(x, *options, **kwargs), g, shape)


def away_from_0(v):
    """To the nearest whole number, halves away from 0, as C's `round`."""
    return int(math.copysign(math.floor(abs(v) + 0.5), v))


def pooled_bins(shape, boxes, PH, PW, spatial_scale):
    """(k, i, j, rows, columns) of each bin."""
    for k, box in enumerate(boxes):
        x1, y1, x2, y2 = (away_from_0(v * spatial_scale) for v in box)
        bin_h, bin_w = max(y2 - y1 + 1, 1) / PH, max(x2 - x1 + 1, 1) / PW
        for i, j in np.ndindex(PH, PW):
            rows = range(y1 + math.floor(i * bin_h), y1 + math.ceil((i + 1) * bin_h))
            columns = range(x1 + math.floor(j * bin_w), x1 + math.ceil((j + 1) * bin_w))
            yield k, i, j, [h for h in rows if 0 <= h < shape[1]], [w for w in columns if 0 <= w < shape[2]]


def naive_pool(x, boxes, batch_index, output_size, spatial_scale=1.0):
    y = np.zeros((len(boxes), *output_size, x.shape[3]))
    for k, i, j, rows, columns in pooled_bins(x.shape, boxes, *output_size, spatial_scale):
        if rows and columns:
            y[k, i, j] = x[batch_index[k]][np.ix_(rows, columns)].max((0, 1))
    return y


def naive_gather(x, batch_index, index):
    y = np.zeros(index.shape)
    for k, i, j, c in np.ndindex(*index.shape):
        if index[k, i, j, c] >= 0:
            y[k, i, j, c] = x[batch_index[k]].reshape(-1, x.shape[3])[index[k, i, j, c], c]
    return y


def naive_scatter(g, batch_index, index, shape):
    return transposed(lambda x: naive_gather(x, batch_index, index), g, shape)


INDEX = np.array([[[[3, -1]], [[0, 5]]], [[[3, 3]], [[3, 2]]], [[[-1, -1]], [[1, 4]]]])  # (3, 2, 1, 2)
SOME = np.array([1, 1, 0])
NONE = np.zeros((0, 4))

ALIGN = {
    "plain": (BOXES, ON, 2),
    "aligned": (BOXES, ON, (3, 2), 1.0, -1, True),
    "two points, aligned": (BOXES, ON, (2, 3), 1.0, 2, True),
    "three points": (BOXES, ON, (1, 2), 1.0, 3),
    "scaled": (BOXES * 4, ON, (2, 2), 0.25, -1, True),
    "fine": (BOXES[:2], ON[:2], (7, 7)),
    "one bin": (BOXES, ON, 1, 1.0, 0, True),
    "many points": (BOXES[:2] * 4, ON[:2], (1, 1), 1.0, -1, True),
    "none": (NONE, np.zeros(0, int), 2),
}
POOL = {
    "plain": (BOXES, ON, (2, 2)),
    "scaled": (BOXES * 4, ON, (3, 1), 0.25),
    "halves": (np.array([[0.5, 1.5, 2.5, 3.5], [-0.5, -1.5, 3.5, 2.5]]), ON[:2], (2, 3)),
    "more bins than pixels": (BOXES[:2], ON[:2], (7, 6)),
    "none": (NONE, np.zeros(0, int), (2, 2)),
}


def maps(*options, shape=MAPS):
    return lambda rng: (rng.standard_normal(shape), *options)


def cotangents(*options):
    boxes, size = options[0], options[2]
    size = size if isinstance(size, tuple) else (size, size)
    return lambda rng: (rng.standard_normal((len(boxes), *size, MAPS[3])), MAPS, *options)


CASES = [Case("roi_align", maps(*options), naive_align, note=note) for note, options in ALIGN.items()]
CASES += [
    Case("roi_align_grad", cotangents(*options), naive_align_grad, note=note)
    for note, options in ALIGN.items()
]
CASES += [Case("roi_pool", maps(*options), naive_pool, note=note) for note, options in POOL.items()]
CASES += [
    Case("roi_align", maps(*ALIGN["plain"], shape=(2, 1, 1, 3)), naive_align, note="maps of one pixel"),
    Case("roi_gather", maps(SOME, INDEX, shape=(2, 2, 3, 2)), naive_gather),
    Case(
        "roi_scatter",
        lambda rng: (rng.standard_normal(INDEX.shape), SOME, INDEX, (2, 2, 3, 2)),
        naive_scatter,
    ),
]

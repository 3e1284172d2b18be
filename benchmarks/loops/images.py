"""Convolution, pooling and boxes (C4W1-convbatch, C4W1-pool, C4W3-iou, C4W3-nms)."""

import numpy as np

from .ways import three_ways

# ---- convolution: stride 1, no padding


def images(rng, m, n, c, k, f):
    shapes = {"x": (m, n, n, c), "w": (f, f, c, k), "b": (k,)}
    return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def conv_loops(x, w, b):
    """Seven loops: examples, rows, columns, filters, and the filter's rows, columns and channels."""
    m, n, _, c = x.shape
    f, _, _, k = w.shape
    size = n - f + 1
    z = np.zeros((m, size, size, k), np.float32)
    for i in range(m):
        for h in range(size):
            for v in range(size):
                for kernel in range(k):
                    total = 0.0
                    for p in range(f):
                        for q in range(f):
                            for channel in range(c):
                                total += float(x[i, h + p, v + q, channel]) * float(w[p, q, channel, kernel])
                    z[i, h, v, kernel] = total + b[kernel]
    return z


def conv(x, w, b):
    f, _, c, k = w.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (f, f), axis=(1, 2))  # (m, h, v, c, f, f)
    return np.tensordot(windows, w.transpose(2, 0, 1, 3), 3) + b


def conv_ours(x, w, b):
    from autograd import Tensor, no_grad
    from nn.functional import conv2d

    x, w, b = Tensor(x), Tensor(w), Tensor(b)

    def call():
        with no_grad():
            return conv2d(x, w, b)

    return call


# ---- max pooling, 2 x 2 with stride 2


def maps(rng, m, n, c):
    return {"x": rng.standard_normal((m, n, n, c), np.float32)}


def pool_loops(x):
    m, n, _, c = x.shape
    z = np.zeros((m, n // 2, n // 2, c), np.float32)
    for i in range(m):
        for h in range(n // 2):
            for v in range(n // 2):
                for channel in range(c):
                    z[i, h, v, channel] = np.max(x[i, 2 * h : 2 * h + 2, 2 * v : 2 * v + 2, channel])
    return z


def pool(x):
    m, n, _, c = x.shape
    return x.reshape(m, n // 2, 2, n // 2, 2, c).max(axis=(2, 4))


def pool_ours(x):
    from autograd import Tensor, no_grad
    from nn.functional import max_pool2d

    x = Tensor(x)

    def call():
        with no_grad():
            return max_pool2d(x, 2)

    return call


# ---- boxes: corners, and how sure the detector is of each


def boxes(rng, n):
    places, sizes = rng.random((n, 2)), rng.uniform(0.05, 0.3, (n, 2))
    return {"boxes": np.concatenate([places, places + sizes], 1), "scores": rng.permutation(n) / n}


def pairs(rng, n):
    return {"a": boxes(rng, n)["boxes"], "b": boxes(rng, n)["boxes"]}


def overlap(p, q):
    width = max(min(p[2], q[2]) - max(p[0], q[0]), 0.0)
    height = max(min(p[3], q[3]) - max(p[1], q[1]), 0.0)
    shared = width * height
    return shared / ((p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - shared)


def iou_loops(a, b):
    found = np.zeros((len(a), len(b)))
    for i in range(len(a)):
        for j in range(len(b)):
            found[i, j] = overlap(a[i], b[j])
    return found


def iou(a, b):
    a = a[:, None]
    sides = np.minimum(a[..., 2:], b[:, 2:]) - np.maximum(a[..., :2], b[:, :2])
    shared = np.maximum(sides, 0).prod(-1)
    areas = [(c[..., 2:] - c[..., :2]).prod(-1) for c in (a, b)]
    return shared / (areas[0] + areas[1] - shared)


def iou_ours(a, b):
    from nn.vision import iou

    return lambda: iou(a[:, None], b)


def nms_loops(boxes, scores):
    left, stay = sorted(range(len(scores)), key=lambda i: -scores[i]), []
    while left:
        best = left.pop(0)
        stay.append(best)
        left = [i for i in left if overlap(boxes[best], boxes[i]) < 0.5]
    return stay


def nms(boxes, scores):
    left, stay = np.argsort(-scores), []
    while len(left):
        best, left = left[0], left[1:]
        stay.append(best)
        left = left[iou(boxes[best][None], boxes[left])[0] < 0.5]
    return stay


def nms_ours(boxes, scores):
    from nn.vision import nms

    return lambda: nms(boxes, scores, 0.5)


CASES = [
    *three_ways(
        "convolution",
        images,
        conv_loops,
        conv,
        conv_ours,
        [{"m": 1, "n": 14, "c": 6, "k": 16, "f": 5}, {"m": 1, "n": 39, "c": 3, "k": 10, "f": 3}],
        {"m": 2, "n": 5, "c": 2, "k": 3, "f": 3},
    ),
    *three_ways(
        "max pooling",
        maps,
        pool_loops,
        pool,
        pool_ours,
        [{"m": 1, "n": 28, "c": 6}, {"m": 8, "n": 28, "c": 6}],
        {"m": 2, "n": 4, "c": 3},
    ),
    *three_ways("IoU of all pairs", pairs, iou_loops, iou, iou_ours, [{"n": 20}, {"n": 100}], {"n": 4}),
    *three_ways("suppression", boxes, nms_loops, nms, nms_ours, [{"n": 100}, {"n": 400}], {"n": 9}),
]

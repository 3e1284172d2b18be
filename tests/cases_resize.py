"""Rows of resizing. The references are sums over taps, one Python loop an output."""

import numpy as np

from tests.cases import Case

INDEX = np.array([[0, 0, 1, 3, 3], [0, 1, 2, 3, 3]])
WEIGHT = np.array([[1.0, 0.25, 0.5, 0.9, -0.5], [0.0, 0.75, 0.5, 0.1, 1.5]])
NEAREST = np.array([[0, 0, 2, 3, 3, 3]])


def matrix(index, weight, size):
    """The resize as a matrix (n', n)."""
    A = np.zeros((index.shape[1], size))
    for k, j in np.ndindex(*index.shape):
        A[j, index[k, j]] += 1.0 if weight is None else weight[k, j]
    return A


def naive_resample(x, index, weight, axis):
    return np.moveaxis(np.tensordot(matrix(index, weight, x.shape[axis]), x, (1, axis)), 0, axis)


def naive_back(g, index, weight, axis, size):
    return np.moveaxis(np.tensordot(matrix(index, weight, size).T, g, (1, axis)), 0, axis)


def rows():
    for note, index, weight in (("two-taps", INDEX, WEIGHT), ("nearest", NEAREST, None)):
        for axis in (0, 1, -1):
            small, large = [2, 3, 2], [2, 3, 2]
            small[axis], large[axis] = 4, index.shape[1]
            name = f"{note}-axis-{axis}"
            yield Case(
                "resample",
                lambda rng, s=small, i=index, w=weight, a=axis: (rng.standard_normal(s), i, w, a),
                naive_resample,
                note=name,
            )
            yield Case(
                "resample_back",
                lambda rng, s=large, i=index, w=weight, a=axis: (rng.standard_normal(s), i, w, a, 4),
                naive_back,
                note=name,
            )
    yield Case(
        "resample_back",
        lambda rng: (np.zeros((0, 6)), NEAREST, None, 1, 4),
        naive_back,
        note="empty",
    )


CASES = list(rows())

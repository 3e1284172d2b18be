"""Rows of resizing. The reference multiplies by the matrices that the taps are."""

import numpy as np

from autograd.ops.resize import taps_of
from tests.cases import Case

INDEX = np.array([[0, 0, 1, 3, 3], [0, 1, 2, 3, 2]])
WEIGHT = np.array([[1.0, 0.25, 0.5, 0.9, -0.5], [0.0, 0.75, 0.5, 0.1, 1.5]])
CUBIC = np.array([[0, 0], [0, 1], [1, 2], [2, 2]]), np.array([[0.5, -0.25], [1.0, 0.75], [-1.0, 0.5], [2, 1]])
TAPS = {
    "two taps": (INDEX, WEIGHT, 4),
    "nearest": (np.array([[0, 0, 2, 3, 3, 3]]), None, 4),
    "four taps": (*CUBIC, 3),
    "one of one": (np.array([[0]]), None, 1),
    "nothing": (np.zeros((1, 0), int), None, 2),
}


def matrix(taps):
    """The resize as a matrix (n', n)."""
    A = np.zeros((len(taps.starts) - 1, taps.size))
    for j in range(len(A)):
        for k in range(taps.starts[j], taps.starts[j + 1]):
            A[j, taps.index[k]] += taps.weight[k]
    return A


def naive_resample(x, rows, columns):
    return np.einsum("ih,jw,nhwc->nijc", matrix(rows), matrix(columns), x)


def axes():
    for name, along_rows in TAPS.items():
        for other, along_columns in TAPS.items():
            rows, columns = taps_of(*along_rows), taps_of(*along_columns)
            yield f"{name} by {other}", rows, columns
    rows, columns = taps_of(*TAPS["two taps"]), taps_of(*TAPS["nearest"])
    yield "transposed", rows.transposed, columns.transposed


CASES = [
    Case(
        "resample",
        lambda rng, r=rows, c=columns: (rng.standard_normal((2, r.size, c.size, 3)), r, c),
        naive_resample,
        note=note,
    )
    for note, rows, columns in axes()
]
CASES.append(
    Case(
        "resample",
        lambda rng: (np.zeros((0, 4, 4, 2)), *(taps_of(*TAPS["two taps"]) for _ in range(2))),
        naive_resample,
        note="empty",
    )
)

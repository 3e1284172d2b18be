"""Rows of NumPy's further keywords, and of NumPy's order of positions."""

from functools import partial

import numpy as np

from .cases_elementwise import apart, between, normal
from .numpy_rows import rows

HOLDS = np.array([[[True, False, True, True]], [[True, True, False, True]]])  # of (2, 3, 4)
A = apart((2, 3, 4))


def each_by_name(names, *calls, make=A, **fields):
    """The same calls of several functions."""
    return [
        row
        for name in names.split()
        for row in rows(f"np.{name}", make, *(partial(c, getattr(np, name)) for c in calls), **fields)
    ]


REDUCTIONS = [
    *each_by_name(
        "sum prod nansum nanprod",
        lambda f, x: f(x, 1, None, None, True),
        lambda f, x: f(x, initial=2.0),
        lambda f, x: f(x, axis=2, where=HOLDS, keepdims=True),
        lambda f, x: f(x, axis=(0, 1), where=HOLDS, initial=3.0),
    ),
    *each_by_name(
        "max min nanmax nanmin amax amin",
        lambda f, x: f(x, 1, None, True),
        lambda f, x: f(x, axis=1, initial=0.25),
        lambda f, x: f(x, axis=-1, where=HOLDS, initial=-0.25),
    ),
    *each_by_name(
        "mean nanmean",
        lambda f, x: f(x, 1, None, None, True),
        lambda f, x: f(x, axis=2, where=HOLDS),
        lambda f, x: f(x, where=HOLDS, keepdims=True),
    ),
    *each_by_name(
        "var std nanvar nanstd",
        lambda f, x: f(x, 1, None, None, 1, True),
        lambda f, x: f(x, axis=(0, 2), correction=1),
        lambda f, x: f(x, axis=2, where=HOLDS, ddof=1),
        lambda f, x: f(x, axis=2, mean=np.mean(x, axis=2, keepdims=True)),
        lambda f, x: f(x, axis=(0, 2), where=HOLDS, keepdims=True),
    ),
    *each_by_name(
        "sum prod mean var std nansum nanmean nanvar cumsum cumprod nancumsum nancumprod",
        lambda f, x: f(x, axis=0, dtype=np.float64),
        wide=True,
    ),
    *each_by_name("median nanmedian", lambda f, x: f(x, 1, None, False, True)),
    *each_by_name("quantile nanquantile", lambda f, x: f(x, 0.3, 1, None, False, "higher", True)),
    *each_by_name("ptp", lambda f, x: f(x, 1, None, True)),
    *each_by_name("cov corrcoef", lambda f, x: f(x, dtype=np.float64), make=normal((3, 5)), wide=True),
]

MEMORY = [
    *rows(
        "np.reshape",
        A,
        *(lambda x, k=k: np.reshape(x, (4, -1), order=k) for k in "CF"),
        *(lambda x, k=k: np.reshape(x.T, -1, order=k) for k in "CF"),
        lambda x: np.reshape(x, (6, 4), copy=True),
    ),
    *rows(
        "np.ravel",
        A,
        *(lambda x, k=k: np.ravel(x, order=k) for k in "CF"),
        *(lambda x, k=k: np.ravel(x.T, k) for k in "CF"),
    ),
    *rows("np.sort", A, lambda x: np.sort(x, 0, kind="mergesort"), lambda x: np.sort(x, stable=True)),
    *rows(
        "np.take",
        A,
        lambda x: np.take(x, [7, -9], axis=1, mode="wrap"),
        lambda x: np.take(x, [[7, -9], [1, 2]], axis=-1, mode="clip"),
        lambda x: np.take(x, [70, -90], mode="wrap"),
    ),
    *rows(
        "np.choose",
        normal((2, 3), (3,)),
        *(lambda a, b, k=k: np.choose([[-4, 0, 9], [1, 1, 0]], [a, b], mode=k) for k in ("wrap", "clip")),
    ),
    *rows(
        "np.concatenate",
        normal((2, 3), (2, 3)),
        lambda a, b: np.concatenate([a, b], 1, dtype=np.float64),
        lambda a, b: np.stack([a, b], -1, dtype=np.float64),
        wide=True,
    ),
    *rows("np.pad", A, lambda x: np.pad(x, {-1: (1, 2), 0: 1}, "edge")),
    *rows(
        "np.geomspace",
        between(0.5, 2.0, (2, 3), (2, 3)),
        lambda a, b: np.geomspace(a, b, 4, axis=-1),
        lambda a, b: np.geomspace(a[0, 0], b, 4, axis=1),
        lambda a, b: np.geomspace(a, b[0, 0], 4, axis=1),
    ),
    *rows(
        "np.einsum",
        normal((2, 3), (3, 3)),
        lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]),
        lambda a, b: np.einsum(a, [7, 3], b, [3, 3]),
        lambda a, b: np.einsum(a, [..., 1], b, [1, 1], [...]),
    ),
]

ROWS = [*REDUCTIONS, *MEMORY]

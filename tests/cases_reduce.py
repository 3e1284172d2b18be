"""Rows of the reductions and the cumulative ops."""

import numpy as np

from tests.cases import Case
from tests.cases_elementwise import apart, between, normal

AXES = [
    {},
    {"keepdims": True},
    {"axis": 0},
    {"axis": -1, "keepdims": True},
    {"axis": (0, 2)},
    {"axis": (-1, 0), "keepdims": True},
    {"axis": (0, 1, 2)},
    {"axis": ()},
]


def label(kwargs):
    return " ".join(f"{k}={v}" for k, v in kwargs.items())


def over_axes(name, function, make):
    """An op over no, one, several and all axes, with keepdims and without, and of a 0-d array."""
    rows = [Case(name, make, function, kwargs=k, note=label(k)) for k in AXES]
    return [*rows, Case(name, normal(()), function, note="0-d")]


def logsumexp_over(a, axis=None, keepdims=False):
    """By NumPy's pairwise logaddexp, axis after axis."""
    axes = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for i in axes:
        a = np.logaddexp.reduce(a, axis=i, keepdims=True)
    return a if keepdims else np.squeeze(a, tuple(axes))


JUMPS = {"second": "equal elements stop being equal within a difference"}


def ties(rng):
    """Two that are equal in the first row: half a slope each, as the two-sided difference says."""
    return (np.array([[3.0, 1.0, 3.0, 0.0], [0.0, 5.0, 2.0, 4.0]]),)


def one_zero(rng):
    a = rng.uniform(0.5, 1.5, (3, 4))
    a[0, 1] = a[1, 0] = a[1, 3] = 0.0
    return (a,)


SUMS = [
    *over_axes("sum", np.sum, normal((2, 3, 4))),
    *over_axes("mean", np.mean, normal((2, 3, 4))),
    Case("sum", normal((0, 3)), np.sum, kwargs={"axis": 0}, note="empty"),
    Case("sum", normal((0, 3)), np.sum, note="empty to one"),
    Case("sum", normal((3, 0)), np.sum, kwargs={"axis": 0}, note="to empty"),
    Case("mean", normal((3, 0)), np.mean, kwargs={"axis": 0}, note="to empty"),
    *(Case("var", normal((2, 3, 4)), np.var, kwargs=k, note=label(k)) for k in AXES[:-1]),
    *(Case("std", normal((2, 3, 4)), np.std, kwargs=k, note=label(k)) for k in AXES[:-1]),
    Case("var", normal((2, 3, 4)), np.var, kwargs={"ddof": 1}, note="ddof=1"),
    Case("var", normal((2, 3, 4)), np.var, kwargs={"axis": (0, 2), "ddof": 2}, note="axis=(0, 2) ddof=2"),
    Case("var", normal(()), np.var, note="0-d"),
    Case(
        "std",
        normal((2, 3, 4)),
        np.std,
        kwargs={"axis": 1, "ddof": 1, "keepdims": True},
        note="axis=1 ddof=1",
    ),
]

EXTREMES = [
    *over_axes("max", np.max, apart((2, 3, 4))),
    *over_axes("min", np.min, apart((2, 3, 4))),
    Case("max", normal((3, 0)), np.max, kwargs={"axis": 0}, note="to empty"),
    Case("max", ties, np.max, kwargs={"axis": 1}, note="ties", exempt=JUMPS),
    Case("min", lambda rng: (-ties(rng)[0],), np.min, kwargs={"axis": 1}, note="ties", exempt=JUMPS),
]

LOGSUMEXP = [
    *(Case("logsumexp", normal((2, 3, 4)), logsumexp_over, kwargs=k, note=label(k)) for k in AXES[:-1]),
    Case("logsumexp", normal(()), logsumexp_over, note="0-d"),
]

PRODUCTS = [
    *over_axes("prod", np.prod, normal((2, 3, 4))),
    *(
        Case("prod", one_zero, np.prod, kwargs=k, note=f"zeros {label(k)}")
        for k in ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (-1, 0)})
    ),
    Case("prod", lambda rng: (np.zeros(()),), np.prod, note="0-d zero"),
    *(
        Case(name, make, getattr(np, name), kwargs=k, note=f"{note}{label(k)}")
        for name in ("cumsum", "cumprod")
        for k in ({}, {"axis": 0}, {"axis": 1}, {"axis": -1})
        for note, make in (("", normal((3, 2, 4))), ("zeros ", one_zero))
    ),
    *(Case(name, normal(()), getattr(np, name), note="0-d") for name in ("cumsum", "cumprod")),
    *(Case(name, normal((0,)), getattr(np, name), note="empty") for name in ("cumsum", "cumprod")),
]


def unwrapped_by_loop(p, discont=None, axis=-1, period=2 * np.pi):
    y = np.moveaxis(p.copy(), axis, 0)
    for k in range(1, len(y)):
        turns = np.round((y[k] - y[k - 1]) / period)
        jumps = np.abs(np.moveaxis(p, axis, 0)[k] - np.moveaxis(p, axis, 0)[k - 1]) >= (discont or 0.0)
        y[k:] -= np.where(jumps, turns * period, 0.0)
    return np.moveaxis(y, 0, axis)


ANGLES = [
    Case("unwrap", between(-6.0, 6.0, shape), unwrapped_by_loop, kwargs=k, note=f"{shape} {label(k)}")
    for shape, k in [
        ((3, 7), {}),
        ((5, 3), {"axis": 0, "period": 3.0}),
        ((2, 6), {"discont": 4.5}),
        ((2, 0), {}),
        ((1,), {}),
    ]
]

CASES = [*SUMS, *EXTREMES, *LOGSUMEXP, *PRODUCTS, *ANGLES]

"""Rows of NumPy's functions that are composed of ops: for each a few calls, made on tensors and on arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .cases_elementwise import apart, between, complexes, normal


@dataclass(frozen=True)
class Row:
    """A call of the function `name` on the arrays of `make(rng)`. `wide` tells that its result is float64 for
    any input, as NumPy's is."""

    name: str
    call: Callable
    make: Callable
    wide: bool = False

    def __str__(self):
        return self.name


def rows(name, make, *calls, **fields):
    """Calls of one function on arrays of the same make."""
    return [Row(name, call, make, **fields) for call in calls]


def there(all_rows):
    """Without the rows of functions that an older NumPy lacks."""
    return [row for row in all_rows if row.name.count(".") > 1 or hasattr(np, row.name[3:])]


def with_nan(shape):
    """Arrays with NaN in some places, but no whole row or column of it."""

    def make(rng):
        (a,) = apart(shape)(rng)
        a.reshape(-1)[[1, a.size - 2]] = np.nan
        return (a,)

    return make


X = normal((2, 3, 4))
MASK = np.array([True, False, True])
PADDINGS = "constant edge reflect symmetric wrap linear_ramp mean maximum minimum median".split()

ELEMENTWISE = [
    *rows(
        "np.float_power",
        between(0.5, 2.0, (2, 3), (3,)),
        np.float_power,
        lambda a, b: np.float_power(a, 2),
        wide=True,
    ),
    *rows("np.deg2rad", normal((2, 3)), np.deg2rad),
    *rows("np.radians", normal((2, 3)), np.radians),
    *rows("np.degrees", normal((2, 3)), np.degrees),
    *rows("np.rad2deg", normal((2, 3)), np.rad2deg),
    *rows("np.angle", complexes((2, 3)), np.angle, lambda z: np.angle(z, deg=True)),
    *rows("np.angle", apart((2, 3)), np.angle),
    *rows(
        "np.real_if_close", complexes((2, 3)), np.real_if_close, lambda z: np.real_if_close(np.real(z) + 0j)
    ),
    *rows("np.divmod", lambda rng: (np.array([7.3, -7.4]), np.array([2.0, 3.0])), np.divmod),
    *rows("np.modf", apart((2, 3)), lambda x: np.modf(x + 0.05)),
    *rows("np.frexp", between(0.6, 0.9, (2, 3)), lambda x: np.frexp(8.0 * x)),
    *rows("np.fabs", apart((2, 3)), np.fabs),
    *rows("np.nan_to_num", with_nan((2, 3)), np.nan_to_num, lambda x: np.nan_to_num(x, nan=2.0)),
    *rows("np.sinc", between(-2.0, 2.0, (2, 3)), np.sinc),
    *rows("np.sinc", lambda rng: (np.zeros(3),), np.sinc),
]

PRODUCTS = [
    *rows("np.vdot", normal((2, 3), (3, 2)), np.vdot, lambda a, b: np.vdot(a[0], b[:, 0])),
    *rows("np.vdot", complexes((3,), (3,)), np.vdot),
    *rows("np.vecdot", normal((2, 3), (3,)), np.vecdot, np.linalg.vecdot),
    *rows("np.linalg.vecdot", normal((2, 3), (2, 1)), lambda a, b: np.linalg.vecdot(a, b, axis=0)),
    *rows("np.vecdot", complexes((2, 3), (3,)), np.vecdot),
    *rows("np.matvec", normal((2, 3, 4), (4,)), lambda a, b: np.matvec(a, b)),
    *rows("np.vecmat", normal((3,), (2, 3, 4)), lambda a, b: np.vecmat(a, b)),
    *rows("np.vecmat", complexes((2,), (2, 2)), lambda a, b: np.vecmat(a, b)),
    *rows("np.cross", normal((2, 3), (3,)), np.cross),
    *rows(
        "np.cross",
        normal((3, 2), (3, 2)),
        lambda a, b: np.cross(a, b, axis=0),
        lambda a, b: np.cross(a, b, 0, 0, -1),
    ),
    *rows("np.linalg.cross", normal((3, 2), (3, 1)), lambda a, b: np.linalg.cross(a, b, axis=0)),
    *rows("np.linalg.outer", normal((2,), (3,)), np.linalg.outer),
    *rows("np.linalg.matmul", normal((2, 3), (3, 2)), np.linalg.matmul),
    *rows("np.linalg.tensordot", normal((2, 3), (3, 2)), lambda a, b: np.linalg.tensordot(a, b, axes=1)),
    *rows("np.kron", normal((2, 3), (3, 1)), np.kron),
    *rows("np.kron", normal((2,), (2, 1, 2)), np.kron),
    *rows("np.linalg.trace", X, np.linalg.trace, lambda x: np.linalg.trace(x, offset=1)),
    *rows("np.linalg.diagonal", X, np.linalg.diagonal, lambda x: np.linalg.diagonal(x, offset=-1)),
    *rows("np.matrix_transpose", X, np.matrix_transpose),
    *rows("np.linalg.matrix_transpose", X, np.linalg.matrix_transpose),
]

ARRANGE = [
    *rows("np.atleast_1d", normal((), (2,)), lambda a, b: np.atleast_1d(a), np.atleast_1d),
    *rows("np.atleast_2d", normal((), (2,)), lambda a, b: np.atleast_2d(b), np.atleast_2d),
    *rows("np.atleast_3d", normal((), (2,), (2, 3)), np.atleast_3d),
    *rows("np.broadcast_arrays", normal((2, 1), (3,)), np.broadcast_arrays),
    *rows("np.meshgrid", normal((2,), (3,)), np.meshgrid, lambda a, b: np.meshgrid(a, b, indexing="ij")),
    *rows("np.meshgrid", normal((2,), (3,), (2,)), lambda *x: np.meshgrid(*x, sparse=True)),
    *rows("np.vstack", normal((2,), (3, 2)), lambda a, b: np.vstack([a, b])),
    *rows(
        "np.hstack",
        normal((2, 1), (2, 2)),
        lambda a, b: np.hstack([a, b]),
        lambda a, b: np.hstack([a[0], 1.0, b[0]]),
    ),
    *rows(
        "np.dstack",
        normal((2, 3), (2, 3, 2)),
        lambda a, b: np.dstack([a, b]),
        lambda a, b: np.dstack([a[0], b[0, :, 0]]),
    ),
    *rows("np.column_stack", normal((2,), (2, 3)), lambda a, b: np.column_stack([a, b])),
    *rows("np.append", normal((2, 3), (1, 3)), np.append, lambda a, b: np.append(a, b, axis=0)),
    *rows(
        "np.block",
        normal((2, 2), (2, 1), (3,)),
        lambda a, b, c: np.block([[a, b], [c]]),
        lambda a, b, c: np.block([a, b]),
        lambda a, b, c: np.block(a),
    ),
    *rows("np.vsplit", normal((4, 2)), lambda x: np.vsplit(x, 2), lambda x: np.vsplit(x, [1, 3])),
    *rows("np.hsplit", normal((2, 4)), lambda x: np.hsplit(x, 2), lambda x: np.hsplit(x[0], 2)),
    *rows("np.dsplit", X, lambda x: np.dsplit(x, 2)),
    *rows("np.unstack", X, lambda x: np.unstack(x), lambda x: np.unstack(x, axis=-1)),
    *rows("np.fliplr", X, np.fliplr),
    *rows("np.flipud", X, np.flipud),
    *rows(
        "np.rot90",
        X,
        *(lambda x, k=k: np.rot90(x, k) for k in (-1, 0, 1, 2, 3)),
        lambda x: np.rot90(x, 1, (2, 1)),
    ),
    *rows(
        "np.rollaxis",
        X,
        lambda x: np.rollaxis(x, 2),
        lambda x: np.rollaxis(x, 0, 3),
        lambda x: np.rollaxis(x, -1, -2),
    ),
    *rows(
        "np.diag",
        normal((3,), (3, 4)),
        *(lambda a, b, k=k: [np.diag(a, k), np.diag(b, k)] for k in (-1, 0, 2)),
    ),
    *rows("np.diagflat", normal((2, 2)), np.diagflat, lambda x: np.diagflat(x, -1)),
    *rows("np.tril", X, *(lambda x, k=k: np.tril(x, k) for k in (-1, 0, 1)), lambda x: np.tril(x[0, 0])),
    *rows("np.triu", X, *(lambda x, k=k: np.triu(x, k) for k in (-1, 0, 1))),
    *rows("np.vander", normal((3,)), np.vander, lambda x: np.vander(x, 2, increasing=True)),
    *rows("np.resize", normal((2, 3)), lambda x: np.resize(x, (3, 4)), lambda x: np.resize(x, 2)),
    *rows(
        "np.delete",
        X,
        lambda x: np.delete(x, 1),
        lambda x: np.delete(x, [0, -1], axis=1),
        lambda x: np.delete(x, slice(None, None, 2), axis=-1),
        lambda x: np.delete(x, MASK, axis=1),
    ),
    *rows(
        "np.insert",
        normal((3, 4), (3,), (2, 4)),
        lambda a, b, c: np.insert(a, 1, b),
        lambda a, b, c: np.insert(a, 1, b, axis=1),
        lambda a, b, c: np.insert(a, [1], b[:, None], axis=1),
        lambda a, b, c: np.insert(a, [0, 2], c, axis=0),
        lambda a, b, c: np.insert(a, [2, 2], c, axis=0),
        lambda a, b, c: np.insert(a, [3, -1], b[0], axis=1),
        lambda a, b, c: np.insert(a[0], slice(0, 2), b[:2]),
        lambda a, b, c: np.insert(a[0], [1, 2], [5.0, 6.0]) * b[0],
    ),
    *rows(
        "np.apply_along_axis",
        X,
        lambda x: np.apply_along_axis(np.sum, 1, x),
        lambda x: np.apply_along_axis(np.cumsum, 0, x),
        lambda x: np.apply_along_axis(np.diag, -1, x),
        lambda x: np.apply_along_axis(np.diag, 0, x),
    ),
    *rows("np.apply_over_axes", X, lambda x: np.apply_over_axes(np.sum, x, [0, 2])),
]

PICKING = [
    *rows(
        "np.select",
        normal((2, 3), (3,)),
        lambda a, b: np.select([MASK, ~MASK], [a, b]),
        lambda a, b: np.select([MASK, np.array([True, False, False])], [a, b], b * b),
    ),
    *rows("np.choose", normal((3,), (2, 3)), lambda a, b: np.choose(np.array([0, 2, 1]), [a, b[0], b[1]])),
    *rows("np.choose", normal((3,), (2, 3)), lambda a, b: np.choose(np.array([[0], [1]]), [a, b])),
    *rows(
        "np.compress", normal((3, 3)), lambda x: np.compress(MASK, x), lambda x: np.compress(MASK, x, axis=-1)
    ),
    *rows("np.extract", normal((2, 3)), lambda x: np.extract(np.array([MASK, ~MASK]), x)),
    *rows(
        "np.partition",
        apart((2, 4)),
        lambda x: np.sort(np.partition(x, 1)[:, :2]),
        lambda x: np.partition(x, 3, None)[3],
    ),
    *rows(
        "np.unique",
        apart((2, 3)),
        np.unique,
        lambda x: np.unique(np.concatenate([x, x])),
        lambda x: np.unique(x, return_index=True, return_inverse=True, return_counts=True),
        lambda x: np.unique(x, axis=0),
    ),
    *rows("np.sort_complex", complexes((2, 3)), np.sort_complex),
    *rows("np.sort_complex", apart((3,)), np.sort_complex, wide=True),
    *rows("np.unique_values", apart((2, 3)), lambda x: np.sort(np.unique_values(x))),
    *rows("np.unique_inverse", apart((2, 3)), np.unique_inverse),
    *rows("np.unique_all", apart((2, 3)), np.unique_all),
    *rows("np.union1d", apart((3,), (2,)), np.union1d),
    *rows("np.intersect1d", apart((3,), (2,)), lambda a, b: np.intersect1d(a, np.array([1.0, 2.0])) + b[0]),
    *rows(
        "np.intersect1d",
        apart((3,)),
        lambda a: np.intersect1d(a, a[1:]),
        lambda a: np.intersect1d(a, a, return_indices=True),
    ),
    *rows("np.setdiff1d", apart((4,)), lambda a: np.setdiff1d(a, a[1:2])),
    *rows("np.setxor1d", apart((3,), (2,)), lambda a, b: np.setxor1d(np.append(a, b[0]), b)),
    *rows(
        "np.pad",
        apart((3, 4)),
        *[partial(lambda x, mode: np.pad(x, ((2, 0), (1, 5)), mode), mode=mode) for mode in PADDINGS],
        lambda x: np.pad(x, (2, 7), "reflect", reflect_type="odd"),
        lambda x: np.pad(x, 2, "symmetric", reflect_type="odd"),
        lambda x: np.pad(x, (1, 2), "linear_ramp", end_values=((1.0, 2.0), (3.0, -4.0))),
        lambda x: np.pad(x, 2, "mean", stat_length=2),
        lambda x: np.pad(x, 1, "maximum", stat_length=((1, 2), (3, 9))),
        lambda x: np.pad(x, (0, 2), "median", stat_length=3),
    ),
    *rows(
        "np.trim_zeros",
        normal((3,)),
        lambda x: np.trim_zeros(np.pad(x, 2)),
        lambda x: np.trim_zeros(np.pad(x, 1), "f"),
    ),
    *rows(
        "np.piecewise",
        apart((2, 3)),
        lambda x: np.piecewise(x, [x < 0, x > 0.25], [lambda v: v * v, np.exp]),
        lambda x: np.piecewise(x, [x < 0], [np.exp, 2.0]),
    ),
    *rows(
        "np.bincount", normal((4,)), lambda w: np.bincount(np.array([0, 2, 2, 1]), w, minlength=5), wide=True
    ),
]

AXES = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}]


def over(f, **more):
    """Calls of a reduction over several choices of axes."""
    return [lambda x, k=k: f(x, **k, **more) for k in AXES]


NAN = with_nan((2, 3, 4))
STATISTICS = [
    *(
        row
        for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanmedian")
        for row in rows(f"np.{name}", NAN, *over(getattr(np, name)))
    ),
    *rows("np.nanvar", NAN, *(lambda x, k=k: np.nanvar(x, ddof=1, **k) for k in (AXES[0], *AXES[2:]))),
    *rows("np.nancumsum", NAN, np.nancumsum, lambda x: np.nancumsum(x, axis=1)),
    *rows("np.nancumprod", NAN, np.nancumprod, lambda x: np.nancumprod(x, axis=-1)),
    *rows("np.median", apart((2, 3, 4)), *over(np.median)),
    *rows("np.ptp", apart((2, 3, 4)), *over(np.ptp)),
    *rows(
        "np.quantile",
        apart((2, 3, 4)),
        *over(np.quantile, q=0.3),
        *over(np.quantile, q=np.array([[0.0, 0.25], [0.8, 1.0]])),
    ),
    *(
        row
        for method in (
            "linear lower higher nearest midpoint interpolated_inverted_cdf hazen weibull median_unbiased "
            "normal_unbiased inverted_cdf averaged_inverted_cdf closest_observation"
        ).split()
        for row in rows(
            "np.quantile", apart((7,)), lambda x, m=method: np.quantile(x, [0.01, 0.3, 0.77, 1.0], method=m)
        )
    ),
    *(
        row
        for method in ("inverted_cdf", "averaged_inverted_cdf", "closest_observation")  # q n a whole number
        for row in rows(
            "np.quantile", apart((8,)), lambda x, m=method: np.quantile(x, np.arange(17) / 16.0, method=m)
        )
    ),
    *rows(
        "np.percentile",
        apart((2, 3, 4)),
        lambda x: np.percentile(x, 33.0, axis=1),
        lambda x: np.percentile(x, [10, 50, 90]),
    ),
    *rows("np.nanquantile", NAN, *over(np.nanquantile, q=0.3), *over(np.nanquantile, q=np.array([0.1, 0.9]))),
    *rows("np.nanpercentile", NAN, *over(np.nanpercentile, q=60)),
    *rows(
        "np.average",
        lambda rng: (*normal((2, 3))(rng), *between(0.5, 1.5, (3,), (2, 3))(rng)),
        lambda x, v, w: np.average(x),
        lambda x, v, w: np.average(x, weights=w),
        lambda x, v, w: np.average(x, axis=1, weights=v, keepdims=True),
        lambda x, v, w: np.average(x, axis=0, weights=w, returned=True),
        lambda x, v, w: np.average(x, axis=-1, returned=True),
        lambda x, v, w: np.average(x, axis=(1, 0), weights=w.T),
    ),
    *rows(
        "np.cov",
        lambda rng: (*normal((3, 5), (2, 5))(rng), *between(0.5, 1.5, (5,))(rng)),
        lambda x, y, w: np.cov(x),
        lambda x, y, w: np.cov(x, y),
        lambda x, y, w: np.cov(x, rowvar=False, bias=True),
        lambda x, y, w: np.cov(x, aweights=w, ddof=0),
        lambda x, y, w: np.cov(x, aweights=w.copy(), fweights=np.array([1, 2, 1, 3, 1])),
        lambda x, y, w: np.cov(x[0]),
    ),
    *rows("np.cov", complexes((2, 4)), np.cov),
    *rows("np.corrcoef", normal((3, 5), (2, 5)), lambda x, y: np.corrcoef(x), np.corrcoef),
]

ROWS = there([*ELEMENTWISE, *PRODUCTS, *ARRANGE, *PICKING, *STATISTICS])

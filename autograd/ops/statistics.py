"""Statistics: the reductions that leave NaN out, order statistics, averages and covariances. Composed, so
every order comes for free. An axis is None (all), an int or a tuple, as in reduce.py."""

import math
from collections.abc import Callable

import numpy as np

from ..dispatch import composed
from ..tensor import unwrap
from .index import take_along_axis
from .products import alike, array
from .selection import where as where_

# ---- leaving NaN out: where all is NaN the result is NaN, without NumPy's warning


def _filled(a, value):
    return where_(np.isnan(unwrap(a)), value, a)


def _given(a, dtype=None, out=None, where=True):
    """The array in `dtype`, with NaN where it is not asked for. Raises TypeError on `out`."""
    if out is not None:
        raise TypeError("out= has no gradient: take what the function returns")
    a = array(a) if dtype is None else array(a).astype(dtype)
    return a if where is True else where_(unwrap(where), a, np.nan)


@composed(np.nansum)
def nansum(a, axis=None, dtype=None, out=None, keepdims=False, initial=0.0, where=True):
    """The sum of what is not NaN."""
    a = _given(a, dtype, out, where)
    return np.sum(_filled(a, 0.0), axis=axis, keepdims=keepdims, initial=initial)


@composed(np.nanprod)
def nanprod(a, axis=None, dtype=None, out=None, keepdims=False, initial=1.0, where=True):
    """The product of what is not NaN."""
    a = _given(a, dtype, out, where)
    return np.prod(_filled(a, 1.0), axis=axis, keepdims=keepdims, initial=initial)


@composed(np.nancumsum)
def nancumsum(a, axis=None, dtype=None, out=None):
    """Running sums, NaN counting as 0."""
    return np.cumsum(_filled(_given(a, dtype, out), 0.0), axis=axis)


@composed(np.nancumprod)
def nancumprod(a, axis=None, dtype=None, out=None):
    """Running products, NaN counting as 1."""
    return np.cumprod(_filled(_given(a, dtype, out), 1.0), axis=axis)


def _divided(total, a, axis, keepdims, ddof=0):
    """The total over how many elements of a are not NaN, less ddof; NaN where that is not above 0."""
    n = np.sum(~np.isnan(unwrap(a)), axis=axis, keepdims=keepdims) - ddof
    share = total / np.where(n > 0, n, 1).astype(total.dtype)
    return where_(n > 0, share, np.nan)


@composed(np.nanmean)
def nanmean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    """The mean of what is not NaN."""
    a = _given(a, dtype, out, where)
    total = np.sum(_filled(a, 0.0), axis=axis, keepdims=keepdims)
    return _divided(total, a, axis, keepdims)


@composed(np.nanvar)
def nanvar(
    a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=None
):
    """The variance of what is not NaN, about its mean or a `mean` that is known."""
    a = _given(a, dtype, out, where)
    mean = nanmean(a, axis, keepdims=True) if mean is None else mean
    apart = _filled(a - mean, 0.0)
    squares = np.real(apart * np.conj(apart)) if np.iscomplexobj(a) else apart * apart
    total = np.sum(squares, axis=axis, keepdims=keepdims)
    return _divided(total, a, axis, keepdims, ddof if correction is None else correction)


@composed(np.nanstd)
def nanstd(a, *args, **kwargs):
    """The standard deviation of what is not NaN; where it is 0 so is its derivative."""
    return root(nanvar(a, *args, **kwargs))


def root(x):
    """The square root, with the slope 0 at 0."""
    zero = unwrap(x) == 0
    return where_(zero, 0.0, np.sqrt(where_(zero, 1.0, x)))


@composed(np.nanmax)
def nanmax(a, axis=None, out=None, keepdims=False, initial=np.nan, where=True):
    """The largest of what is not NaN, and of `initial`; equal ones share its derivative."""
    return np.fmax(_nanextreme(np.max, -np.inf, _given(a, None, out, where), axis, keepdims), initial)


@composed(np.nanmin)
def nanmin(a, axis=None, out=None, keepdims=False, initial=np.nan, where=True):
    """The smallest of what is not NaN, and of `initial`; equal ones share its derivative."""
    return np.fmin(_nanextreme(np.min, np.inf, _given(a, None, out, where), axis, keepdims), initial)


def _nanextreme(extreme, least, a, axis, keepdims):
    none = np.all(np.isnan(unwrap(a)), axis=axis, keepdims=keepdims)
    return where_(none, np.nan, extreme(_filled(a, least), axis=axis, keepdims=keepdims))


# ---- order statistics

# Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996): (alpha, beta) of NumPy's methods
_PLOTTING = {
    "interpolated_inverted_cdf": (0, 1),
    "hazen": (0.5, 0.5),
    "weibull": (0, 0),
    "linear": (1, 1),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
_ROUNDING: dict[str, Callable] = {
    "lower": np.floor,
    "higher": np.ceil,
    "nearest": np.rint,
    "midpoint": lambda at: 0.5 * (np.floor(at) + np.ceil(at)),
}
_STEPS: dict[str, Callable] = {  # of q n, counted from 1, to an element, or the middle of two at a step
    "inverted_cdf": np.ceil,
    "averaged_inverted_cdf": lambda at: 0.5 * (np.ceil(at) + np.floor(at + 1.0)),
    "closest_observation": lambda at: np.rint(at),
}


def _places(q, n, method):
    """Where the quantiles stand among n sorted elements, counted from 0, between the elements too."""
    if method in _ROUNDING:
        return _ROUNDING[method](q * (n - 1.0))
    if method in _STEPS:
        return np.clip(_STEPS[method](q * n) - 1.0, 0.0, np.maximum(n - 1.0, 0.0))
    if method not in _PLOTTING:
        known = ", ".join([*_PLOTTING, *_ROUNDING, *_STEPS])
        raise ValueError(f"quantile: there is no method {method!r}; those that are: {known}")
    alpha, beta = _PLOTTING[method]
    return np.clip(n * q + (alpha + q * (1.0 - alpha - beta)) - 1.0, 0.0, np.maximum(n - 1.0, 0.0))


def _rows(a, axis):
    """The axes to reduce as one last axis, and the shape with them as 1."""
    axes = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = sorted(i % a.ndim for i in axes)
    kept = [i for i in range(a.ndim) if i not in axes]
    rows = np.transpose(a, [*kept, *axes]).reshape(
        (*(a.shape[i] for i in kept), math.prod(a.shape[i] for i in axes))
    )
    return rows, tuple(1 if i in axes else n for i, n in enumerate(a.shape))


def _quantile(a, q, axis, method, keepdims, skip_nan):
    a = array(a) if unwrap(array(a)).dtype.kind == "f" else array(a).astype(float)
    rows, kept = _rows(a, axis)  # (..., n)
    if not rows.shape[-1]:
        raise ValueError(f"quantile: no elements over axis {axis} of shape {a.shape}")
    q = array(q)
    if q.size and not (0 <= unwrap(q).min() and unwrap(q).max() <= 1):
        raise ValueError(f"quantile: q lies between 0 and 1 (percentiles: 0 and 100), got {unwrap(q)}")
    ordered = np.sort(rows, axis=-1)  # NaN last
    nan = np.isnan(unwrap(ordered))
    n = np.sum(~nan, axis=-1, keepdims=True) if skip_nan else np.array(rows.shape[-1])
    at = _places(np.reshape(q, (-1,)), n, method)  # (k,) or (..., k)
    low = np.floor(unwrap(at)).astype(int)
    weight = (at - low).astype(a.dtype)
    low, high = np.maximum(low, 0), np.clip(low + 1, 0, np.maximum(n - 1, 0))
    low, high = (np.broadcast_to(i, (*rows.shape[:-1], i.shape[-1])) for i in (low, high))
    y = take_along_axis(ordered, low, -1)
    y = where_(unwrap(weight) == 0, y, y + weight * (take_along_axis(ordered, high, -1) - y))
    bad = n == 0 if skip_nan else nan[..., -1:]
    y = np.moveaxis(where_(bad, np.nan, y), -1, 0)  # (k, ...)
    return y.reshape((*q.shape, *(kept if keepdims else rows.shape[:-1])))


@composed(np.quantile)
def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    """The q-quantiles, 0 <= q <= 1: q's axes come first. NaN where an element is NaN. Raises ValueError on a
    q outside and on an unknown method."""
    return _quantile(_given(a, None, out), q, axis, method, keepdims, False)


@composed(np.percentile)
def percentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    """The quantiles of q / 100."""
    return _quantile(_given(a, None, out), array(q) / 100.0, axis, method, keepdims, False)


@composed(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The element in the middle, or the mean of the two there. PyTorch's median is the lower of the two."""
    return _median(_given(a, None, out), axis, keepdims, False)


@composed(np.nanquantile)
def nanquantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    """The q-quantiles of what is not NaN."""
    return _quantile(_given(a, None, out), q, axis, method, keepdims, True)


@composed(np.nanpercentile)
def nanpercentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    """The quantiles of q / 100 of what is not NaN."""
    return _quantile(_given(a, None, out), array(q) / 100.0, axis, method, keepdims, True)


@composed(np.nanmedian)
def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The median of what is not NaN."""
    return _median(_given(a, None, out), axis, keepdims, True)


def _median(a, axis, keepdims, skip_nan):
    return _quantile(a, 0.5, axis, "linear", keepdims, skip_nan) if a.ndim else a + 0.0


@composed(np.ptp)
def ptp(a, axis=None, out=None, keepdims=False):
    """The largest less the smallest element; equal ones share the derivative."""
    a = _given(a, None, out)
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


# ---- averages and covariances


@composed(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    """The mean with weights: sum(a w) / sum(w). `weights` has a's shape, or is a vector along the one axis.
    With `returned` also the sum of the weights. Raises ValueError when the shapes do not fit."""
    a = array(a)
    if weights is None:
        y = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.full(y.shape, a.size / max(y.size, 1), y.dtype)
        return (y, total) if returned else y
    a, weights = alike(a, weights)
    if weights.shape != a.shape:
        axes = axis if isinstance(axis, tuple) else (axis,)
        if axis is None or weights.shape != tuple(a.shape[i] for i in axes):
            raise ValueError(
                f"average: weights of shape {weights.shape} do not fit axis {axis} of shape {a.shape}"
            )
        places = [i % a.ndim for i in axes]
        weights = np.transpose(weights, np.argsort(places).tolist())
        weights = weights.reshape([n if i in places else 1 for i, n in enumerate(a.shape)])
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    y = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (y, np.broadcast_to(total, y.shape)) if returned else y


@composed(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    """The covariance matrix of variables in rows (in columns without `rowvar`) over n observations, divided
    by n - 1, or n with `bias`, or n - ddof. `fweights` are numbers of repetitions, `aweights` weights."""
    x = _observations(_given(m, dtype), rowvar)
    if y is not None:
        x = np.concatenate([x, _observations(y, rowvar)])
    w = np.ones(x.shape[1]) if fweights is None else np.asarray(unwrap(fweights), float)
    w = array(w.astype(unwrap(x).real.dtype))
    if aweights is not None:
        w = w * aweights
    ddof = (0 if bias else 1) if ddof is None else ddof
    total = np.sum(w)
    lost = 0.0 if ddof == 0 else ddof if aweights is None else ddof * np.sum(w * aweights) / total
    x = x - (np.sum(x * w, axis=1) / total)[:, None]
    other = np.conj(x) if np.iscomplexobj(x) else x
    return np.squeeze(np.matmul(x * w, other.T) / (total - lost))


def _observations(m, rowvar):
    m = array(m)
    m = m if m.ndim == 2 else m.reshape((1, -1))
    return m if rowvar or m.shape[0] == 1 else m.T


@composed(np.corrcoef)
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    """Pearson's correlation coefficients: the covariances over the products of the standard deviations."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    scale = np.sqrt(np.real(np.diagonal(c)))
    return c / scale[:, None] / scale[None]

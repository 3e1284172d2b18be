# mypy: disable-error-code="call-arg,misc"
"""Normalisation over batches, groups of channels and rows; channels last. Each op is fused; its twin says
what it computes.

PyTorch's formulas and defaults, so y = (x - mean) / sqrt(var + eps) * weight + bias, var divided by n; the
course's gamma is `weight`, its beta `bias`."""

import math

import numpy as np

from ..primitive import primitive
from .activation import relu as rectified
from .window import float_type, whole


def _parameter(values, shape, default, name):
    """A weight or bias, or its default, checked: float64, flat."""
    if values is None:
        return np.full(math.prod(shape), default)
    if np.shape(values) != shape:
        raise ValueError(f"{name} has shape {np.shape(values)}, needs {shape}")
    return np.asarray(values, np.float64).ravel()


def _parameters(weight, bias, shape):
    return _parameter(weight, shape, 1.0, "weight"), _parameter(bias, shape, 0.0, "bias")


def _scaled(y, weight, bias):
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _cotangents(x, needs, *found):
    """The cotangents that are needed, of the type of x."""
    return tuple(
        a.astype(x.dtype, copy=False) if need else None for a, need in zip(found, needs, strict=True)
    )


# ---- over the batch, and over groups of channels


def _affine(dtype, mean, rstd, weight, bias):
    """Tables (S, C) with which (x - center) * scale + shift is the normalised x. The center is the mean
    rounded to the type of x; what that takes away goes into the shift."""
    center = mean.astype(dtype)
    scale = rstd * weight
    return center, scale, bias - (mean - center) * scale


def _backward(g, x, mean, rstd, weight, bias, floor, group_mean, extra=(0.0, 0.0), whole=True):
    """(dx, dweight, dbias) where the statistics (S, C) are means over rows, and then `group_mean`:

        dx = r (w g - mean(w g) - (x - m) r^2 mean(w g (x - m)))        r = 1 / sqrt(var + eps)

    plus the slope and constant of `extra`. Without `whole` dx is left out."""
    from ..kernels import norm

    center, scale, shift = _affine(x.dtype, mean, rstd, weight, bias)
    sums, dots = norm.grad_sums(g, x, center, scale, shift, floor)
    dots -= (mean - center) * sums
    dweight, dbias = np.sum(dots * rstd, axis=0), np.sum(sums, axis=0)
    if not whole:
        return None, dweight, dbias
    rows = x.size // mean.size
    slope = -(rstd**3) * group_mean(weight * dots / rows) + extra[0]
    rest = -rstd * group_mean(weight * sums / rows) + extra[1] - (mean - center) * slope
    return norm.grad_apply(g, x, center, scale, shift, slope, rest, floor), dweight, dbias


def _check_values(x, statistics, what):
    """Raises unless each of the means, `statistics` in number, is over two values or more."""
    if x.size < 2 * statistics:
        got = "an empty batch has" if not x.size else "one value has"
        raise ValueError(f"x has shape {x.shape}: {got} no variance, needs more than one value per {what}")


def _channels(x):
    if x.ndim < 2 or not x.shape[-1]:
        raise ValueError(f"x has shape {x.shape}, needs (m, ..., n_C), n_C at least 1")
    return x.shape[-1]


@primitive(outputs=3, residuals=("mean", "rstd"))
def batch_norm(x, weight=None, bias=None, eps=1e-5, relu=False):
    """Each channel of x (m, ..., n_C) normalised by its mean and variance over the batch, times weight (n_C,)
    plus bias (n_C,); with `relu` the maximum of that and 0. Returns (y, mean, var), so that running averages
    can be kept by the caller.

    Raises ValueError for shapes that do not fit, and for fewer than two values a channel. Ioffe and Szegedy
    2015; COURSE.md C2W3-bn."""
    from ..kernels import norm, threads

    x = np.asarray(x)
    dtype, work = float_type(x)
    channels = _channels(x)
    _check_values(x, channels, "channel when training")
    parameters = _parameters(weight, bias, (channels,))
    z = threads.ready(x, work)
    mean, var = norm.moments(z, 1)
    rstd = 1.0 / np.sqrt(var + eps)
    y = norm.apply(z, *_affine(work, mean, rstd, *parameters), 0.0 if relu else -np.inf)
    return tuple(a.astype(dtype, copy=False) for a in (y, mean[0], var[0])), mean, rstd


@batch_norm.vjp("x", "weight", "bias")
def _(gs, x, weight, bias, relu, mean, rstd, needs):
    from ..kernels import threads

    g, g_mean, g_var = gs
    work = float_type(x)[1]
    z = threads.ready(x, work)
    g = np.zeros_like(z) if g is None else threads.ready(g, work)
    rows = mean.size / x.size
    extra = [
        0.0 if t is None else np.asarray(t, np.float64) * k for t, k in ((g_var, 2 * rows), (g_mean, rows))
    ]
    parameters = _parameters(weight, bias, x.shape[-1:])
    floor = 0.0 if relu else -np.inf
    return _cotangents(x, needs, *_backward(g, z, mean, rstd, *parameters, floor, _same, extra, needs[0]))


def _same(table):
    return table


@batch_norm.twin
def _(x, weight, bias, eps, relu):
    axes = tuple(range(x.ndim - 1))
    mean, var = np.mean(x, axis=axes), np.var(x, axis=axes)
    y = _scaled((x - mean) / np.sqrt(var + eps), weight, bias)
    return (rectified(y) if relu else y), mean, var


@primitive()
def scale_shift(x, center, scale, shift, relu=False):
    """(x - center) * scale + shift for each channel of x (m, ..., n_C), the others (n_C,); with `relu` the
    maximum of that and 0. Batch norm with fixed statistics is such a map: scale = weight / sqrt(var + eps).
    Raises ValueError for shapes that do not fit."""
    from ..kernels import norm, threads

    x = np.asarray(x)
    dtype, work = float_type(x)
    if x.ndim < 1 or not x.shape[-1]:
        raise ValueError(f"x has shape {x.shape}, needs (m, ..., n_C), n_C at least 1")
    named = ("center", center), ("scale", scale), ("shift", shift)
    tables = [_parameter(t, x.shape[-1:], 0.0, name)[None] for name, t in named]
    return norm.apply(threads.ready(x, work), *tables, 0.0 if relu else -np.inf).astype(dtype, copy=False)


@scale_shift.vjp("x")
def _(g, y, scale, relu):
    return (np.where(y > 0, g, 0.0) if relu else g) * scale


@scale_shift.vjp("center")
def _(g, y, scale, relu):
    return -np.sum(np.where(y > 0, g, 0.0) if relu else g, axis=tuple(range(g.ndim - 1))) * scale


@scale_shift.vjp("scale")
def _(g, y, x, center, relu):
    return np.sum((np.where(y > 0, g, 0.0) if relu else g) * (x - center), axis=tuple(range(g.ndim - 1)))


@scale_shift.vjp("shift")
def _(g, y, relu):
    return np.sum(np.where(y > 0, g, 0.0) if relu else g, axis=tuple(range(g.ndim - 1)))


def _groups(x, num_groups):
    groups, channels = whole(num_groups, "num_groups", 1), _channels(x)
    if channels % groups:
        raise ValueError(f"num_groups={groups} does not divide the {channels} channels of x, {x.shape}")
    return groups


def _mean_of_groups(groups):
    """The mean over the channels of each group of a table (S, C), at each of its channels."""

    def mean(table):
        grouped = table.reshape(len(table), groups, -1).mean(axis=2)
        return np.repeat(grouped, table.shape[1] // groups, axis=1)

    return mean


@primitive(residuals=("mean", "rstd"))
def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Each example of x (m, ..., n_C) normalised by the mean and variance of each of `num_groups` groups of
    neighbouring channels, over all places; times weight (n_C,) plus bias (n_C,). As many groups as channels
    make it instance norm.

    Raises ValueError for shapes that do not fit, a number of groups that does not divide n_C, and a single
    value in all. Wu and He 2018; instance norm Ulyanov et al. 2016."""
    from ..kernels import norm, threads

    x = np.asarray(x)
    dtype, work = float_type(x)
    groups = _groups(x, num_groups)
    if x.size:
        _check_values(x, groups, "group")
    parameters = _parameters(weight, bias, x.shape[-1:])
    sets = max(len(x), 1)
    if not x.size:
        return x.astype(dtype), *np.zeros((2, sets, x.shape[-1]))
    z = threads.ready(x, work)
    means, variances = norm.moments(z, sets)
    over_group = _mean_of_groups(groups)
    mean = over_group(means)
    rstd = 1.0 / np.sqrt(over_group(variances + (means - mean) ** 2) + eps)
    y = norm.apply(z, *_affine(work, mean, rstd, *parameters))
    return y.astype(dtype, copy=False), mean, rstd


@group_norm.vjp("x", "weight", "bias")
def _(g, x, num_groups, weight, bias, mean, rstd, needs):
    from ..kernels import threads

    work = float_type(x)[1]
    parameters = _parameters(weight, bias, x.shape[-1:])
    if not x.size:
        return _cotangents(x, needs, np.zeros(x.shape), *np.zeros((2, x.shape[-1])))
    arrays = threads.ready(g, work), threads.ready(x, work), mean, rstd, *parameters
    found = _backward(*arrays, -np.inf, _mean_of_groups(num_groups), whole=needs[0])
    return _cotangents(x, needs, *found)


@group_norm.twin
def _(x, num_groups, weight, bias, eps):
    grouped = x.reshape(
        x.shape[0], -1, num_groups, x.shape[-1] // num_groups
    )  # (m, places, groups, channels)
    mean, var = (f(grouped, axis=(1, 3), keepdims=True) for f in (np.mean, np.var))
    return _scaled(((grouped - mean) / np.sqrt(var + eps)).reshape(x.shape), weight, bias)


def instance_norm(x, weight=None, bias=None, eps=1e-5):
    """`group_norm` with a group for each channel. Raises ValueError where a channel of an example is a single
    value."""
    _check_values(x, math.prod(x.shape[:1]) * x.shape[-1], "channel of an example")
    return group_norm(x, x.shape[-1], weight, bias, eps)


# ---- over rows


def _row_shape(x, normalized_shape):
    """The last axes, checked, as a tuple."""
    try:
        shape = tuple(normalized_shape)
    except TypeError:
        shape = (whole(normalized_shape, "normalized_shape", 1),)
    if not shape or 0 in shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"x has shape {x.shape}, its last axes must be normalized_shape, {shape}")
    return shape


def _row_forward(x, shape, weight, bias, eps, centered):
    from ..kernels import norm, threads

    dtype, work = float_type(x)
    parameters = [t.astype(work) for t in _parameters(weight, bias, shape)]
    y, mean, rstd = norm.row_forward(threads.ready(x, work), math.prod(shape), *parameters, eps, centered)
    return y.astype(dtype, copy=False), mean, rstd


def _row_backward(g, x, normalized_shape, weight, mean, rstd, centered):
    from ..kernels import norm, threads

    shape = _row_shape(x, normalized_shape)
    work = float_type(x)[1]
    weight = _parameter(weight, shape, 1.0, "weight").astype(work)
    arrays = threads.ready(g, work), threads.ready(x, work), math.prod(shape), weight, mean, rstd, centered
    dx, dweight, dbias = norm.row_backward(*arrays)
    return dx, dweight.reshape(shape), dbias.reshape(shape)


@primitive(residuals=("mean", "rstd"))
def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Each example of x (..., *normalized_shape) normalised by the mean and variance over its last axes,
    times weight plus bias, both of normalized_shape, a number or a tuple. Raises ValueError for shapes that
    do not fit. Ba et al. 2016; COURSE.md C5W4."""
    x = np.asarray(x)
    return _row_forward(x, _row_shape(x, normalized_shape), weight, bias, eps, True)


@layer_norm.vjp("x", "weight", "bias")
def _(g, x, normalized_shape, weight, mean, rstd, needs):
    return _cotangents(x, needs, *_row_backward(g, x, normalized_shape, weight, mean, rstd, True))


@layer_norm.twin
def _(x, normalized_shape, weight, bias, eps):
    axes = tuple(range(-np.size(normalized_shape), 0))
    mean, var = (f(x, axis=axes, keepdims=True) for f in (np.mean, np.var))
    return _scaled((x - mean) / np.sqrt(var + eps), weight, bias)


@primitive(residuals=("mean", "rstd"))
def rms_norm(x, normalized_shape, weight=None, eps=None):
    """Each example of x (..., *normalized_shape) over the root of its mean square: x / sqrt(mean(x^2) + eps)
    * weight; eps is by default the spacing of floats at 1. Raises ValueError for shapes that do not fit.
    Zhang and Sennrich 2019."""
    x = np.asarray(x)
    shape = _row_shape(x, normalized_shape)
    return _row_forward(x, shape, weight, None, _spacing(x) if eps is None else eps, False)


def _spacing(x):
    return float(np.finfo(float_type(x)[0]).eps)


@rms_norm.vjp("x", "weight")
def _(g, x, normalized_shape, weight, mean, rstd, needs):
    return _cotangents(x, needs, *_row_backward(g, x, normalized_shape, weight, mean, rstd, False)[:2])


@rms_norm.twin
def _(x, normalized_shape, weight, eps):
    axes = tuple(range(-np.size(normalized_shape), 0))
    mean = np.mean(x * x, axis=axes, keepdims=True)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    return _scaled(x / np.sqrt(mean + eps), weight, None)


# ---- over neighbouring channels


@primitive()
def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """x / (k + alpha / size * sum of squares over `size` neighbouring channels)^beta for x (m, ..., n_C):
    those from c - size // 2 to c + (size - 1) // 2, as many as there are. PyTorch divides alpha by the size,
    the paper and TensorFlow do not. Raises ValueError for a size under 1 and an x without channels.
    Krizhevsky et al. 2012, AlexNet; COURSE.md C4W2-classic."""
    from ..kernels import response, threads

    x = np.asarray(x)
    dtype, work = float_type(x)
    _channels(x)
    y = response.forward(threads.ready(x, work), whole(size, "size", 1), float(alpha), float(beta), float(k))
    return y.astype(dtype, copy=False)


@local_response_norm.vjp("x")
def _(g, x, size, alpha, beta, k):
    from ..kernels import response, threads

    work = float_type(x)[1]
    dx = response.grad(*(threads.ready(a, work) for a in (g, x)), size, float(alpha), float(beta), float(k))
    return dx.astype(x.dtype, copy=False)


@local_response_norm.twin
def _(x, size, alpha, beta, k):
    channels = x.shape[-1]
    zeros = np.zeros((*x.shape[:-1], size), x.dtype)
    squares = np.concatenate([zeros, x * x, zeros], axis=-1)
    starts = range(size - size // 2, 2 * size - size // 2)
    total = sum(squares[..., start : start + channels] for start in starts)
    return x / (k + alpha / size * total) ** beta

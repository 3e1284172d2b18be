"""Pooling over sequences, images and volumes, of one, two or three axes, on the two families of `pool.py`.

Sequences are images of one row. Where indices are asked for, the maximum is read at them, and its derivative
is that of reading.
"""

import math

import numpy as np

from ..tensor import unwrap
from .pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d, maxima, pool_gather, pool_scatter
from .selection import where
from .windownd import pads_of, several


def _geometry(x, kernel_size, stride, padding, dilation=1):
    """kernel, stride, pads and dilation, one an axis."""
    axes = _axes(x)
    kernel = several(kernel_size, axes, "kernel_size", 1)
    stride = kernel if stride is None else several(stride, axes, "stride", 1)
    dilation = several(dilation, axes, "dilation", 1)
    return kernel, stride, pads_of(padding, x.shape[1:-1], kernel, stride, dilation), dilation


def _axes(x):
    if not 3 <= x.ndim <= 5:
        raise ValueError(f"pooling needs (m, ..., n_C) with one to three axes between, got shape {x.shape}")
    return x.ndim - 2


_NO_PADS = (0, 0)


def _as_images(x):
    """Sequences as images of one row."""
    return x.reshape((x.shape[0], 1, *x.shape[1:]))


# ---- the maximum


def _max_index(x, kernel, stride, pads, dilation, ceil_mode):
    """Where in its place's flattened axes the first maximum of each window of an array lies."""
    if x.ndim == 3:
        options = (1, *kernel), (1, *stride), (_NO_PADS, *pads), (1, *dilation), ceil_mode
        return maxima(_as_images(x), *options)[1][:, 0]
    return maxima(x, kernel, stride, pads, dilation, ceil_mode)[1]


def _in_a_row(x):
    """All places in one row, as `pool_gather` reads them: (m, 1, places, n_C)."""
    return x.reshape((x.shape[0], 1, math.prod(x.shape[1:-1]), x.shape[-1]))


def _read(x, index):
    return pool_gather(_in_a_row(x), _in_a_row(index)).reshape(index.shape)


def _maxima(x, kernel, stride, pads, dilation, ceil_mode):
    if x.ndim > 3:
        return max_pool2d(x, kernel, stride, pads, dilation, ceil_mode)
    options = (1, *kernel), (1, *stride), (_NO_PADS, *pads), (1, *dilation), ceil_mode
    y = max_pool2d(_as_images(x), *options)
    return y.reshape((x.shape[0], *y.shape[2:]))


def max_pool(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """`max_pool2d` over the one, two or three axes between batch and channels. With `return_indices` also the
    integer places of the maxima, of y's shape, each (d * n_H + h) * n_W + w: what `max_unpool` takes. Raises
    ValueError for shapes that do not fit, and padding over half of the kernel."""
    kernel, stride, pads, dilation = _geometry(x, kernel_size, stride, padding, dilation)
    if not return_indices:
        return _maxima(x, kernel, stride, pads, dilation, ceil_mode)
    index = _max_index(unwrap(x), kernel, stride, pads, dilation, ceil_mode)
    return _read(x, index), index.astype(np.int64)


def max_unpool(x, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Zeros with each value of x at the place it had before `max_pool(..., return_indices=True)`: x and
    indices (m, ..., n_C), y of n = (n' - 1) s - 2p + f, or of `output_size`, along each axis. Where windows
    overlap and several maxima fall on one place, y holds their mean. Raises ValueError for shapes that do
    not fit, IndexError for a place outside."""
    kernel, stride, pads, _ = _geometry(x, kernel_size, stride, padding)
    given = zip(x.shape[1:-1], kernel, stride, pads, strict=True)
    size = tuple((n - 1) * s - sum(p) + k for n, k, s, p in given)
    if output_size is not None:
        size = _unpooled(size, stride, tuple(output_size))
    indices = np.asarray(unwrap(indices))
    if indices.shape != x.shape:
        raise ValueError(
            f"max_unpool: indices have shape {indices.shape}, x {x.shape}: they must be the same"
        )
    index, places = _in_a_row(indices), (1, math.prod(size))
    values = _in_a_row(x)
    if any(s < k for s, k in zip(stride, kernel, strict=True)):
        times = pool_scatter(np.ones(index.shape, x.dtype), index, places)
        values = values / pool_gather(times, index)
    return pool_scatter(values, index, places).reshape((x.shape[0], *size, x.shape[-1]))


def _unpooled(usual, stride, size):
    """The size asked for: of the places only, or of the whole output with batch and channels."""
    size = size[1:-1] if len(size) == len(usual) + 2 else size
    if len(size) != len(usual) or any(abs(n - u) >= s for n, u, s in zip(size, usual, stride, strict=True)):
        raise ValueError(f"max_unpool: output_size {size} must be within a stride {stride} of {usual}")
    return size


def adaptive_max_pool(x, output_size, return_indices=False):
    """The maxima of x (m, ..., n_C) over a grid of `output_size` windows, one, two or three axes: window i
    goes from floor(i n / n') to ceil((i + 1) n / n'). `output_size` is a number or one an axis, None keeping
    the axis. With `return_indices` also their places, as in `max_pool`."""
    out = _grid(x, output_size)
    top = np.asarray(unwrap(x))
    size = top.shape[1:-1]
    if 0 in size:
        raise ValueError(f"adaptive_max_pool: x has shape {x.shape}: without elements there is no maximum")
    places = np.arange(math.prod(size)).reshape((1, *size, 1))
    places = np.broadcast_to(places, top.shape)
    for axis in range(len(size), 0, -1):  # the last first, so that the first of equals in rows wins
        n, windows = top.shape[axis], out[axis - 1]
        pieces = []
        for i in range(windows):
            window = (slice(None),) * axis + (slice(i * n // windows, -(-(i + 1) * n // windows)),)
            first = np.expand_dims(np.argmax(top[window], axis), axis)
            pieces.append([np.take_along_axis(a[window], first, axis) for a in (top, places)])
        top, places = (np.concatenate(part, axis) for part in zip(*pieces, strict=True))
    y = _read(x, places)
    return (y, places) if return_indices else y


def _grid(x, output_size):
    axes, size = _axes(x), x.shape[1:-1]
    asked = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * len(size)
    if len(asked) != axes:
        raise ValueError(
            f"output_size {output_size} has {len(asked)} numbers for the {len(size)} axes of {x.shape}"
        )
    kept = tuple(n if o is None else o for n, o in zip(size, asked, strict=True))
    return several(kept, axes, "output_size", 1)


# ---- the mean


def avg_pool(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """`avg_pool2d` over the one, two or three axes between batch and channels. With `divisor_override` the
    window's sum is divided by that number, whatever it covers."""
    kernel, stride, pads, _ = _geometry(x, kernel_size, stride, padding)
    count = bool(count_include_pad) or divisor_override is not None
    if x.ndim == 3:
        y = avg_pool2d(_as_images(x), (1, *kernel), (1, *stride), (_NO_PADS, *pads), count, ceil_mode)
        y = y.reshape((x.shape[0], *y.shape[2:]))
    else:
        y = avg_pool2d(x, kernel, stride, pads, count, ceil_mode)
    if divisor_override is None:
        return y
    if not divisor_override:
        raise ValueError("avg_pool: divisor_override must not be 0")
    return y * (_elements(x, y, kernel, stride, pads).astype(y.dtype) / float(divisor_override))


def _elements(x, y, kernel, stride, pads):
    """How many elements, padding among them, each window averaged: (n', ..., 1)."""
    counts = np.ones((), int)
    for n, out, k, s, (before, after) in zip(x.shape[1:-1], y.shape[1:-1], kernel, stride, pads, strict=True):
        starts = np.arange(out) * s - before
        counts = counts[..., None] * (np.minimum(starts + k, n + after) - starts)
    return counts[..., None]


def lp_pool(x, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum over the window of x^p)^(1/p), p = `norm_type`; p = 1 is sum pooling. Where the sum is 0 the
    derivative is 0."""
    p = float(norm_type)
    if p == 0:
        raise ValueError("lp_pool: norm_type must not be 0")
    kernel = several(kernel_size, _axes(x), "kernel_size", 1)
    powers = x if p == 1 else x**p
    total = avg_pool(powers, kernel, stride, 0, ceil_mode) * float(math.prod(kernel))
    if p == 1:
        return total
    positive = unwrap(total) != 0
    return where(positive, where(positive, total, 1.0) ** (1.0 / p), 0.0)


def adaptive_avg_pool(x, output_size):
    """`adaptive_avg_pool2d` over the one, two or three axes between batch and channels; None in
    `output_size` keeps an axis."""
    out = _grid(x, output_size)
    if x.ndim == 3:
        return adaptive_avg_pool2d(_as_images(x), (1, *out)).reshape((x.shape[0], *out, x.shape[-1]))
    return adaptive_avg_pool2d(x, out)


def global_avg_pool(x):
    """The mean of each channel: (m, ..., n_C) to (m, n_C). Lin et al. 2013, "Network in network"."""
    return np.mean(_places(x), axis=1)


def global_max_pool(x):
    """The maximum of each channel: (m, ..., n_C) to (m, n_C); equal ones share its derivative."""
    return np.max(_places(x), axis=1)


def _places(x):
    """(m, places, n_C)."""
    if x.ndim < 3 or 0 in x.shape[1:-1]:
        raise ValueError(f"global pooling needs (m, ..., n_C) with elements between, got shape {x.shape}")
    return x.reshape((x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1]))

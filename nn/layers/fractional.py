"""Fractional max pooling: to any smaller size, in windows that lie irregularly."""

import math

import numpy as np

from autograd import random
from autograd.ops.windownd import batch, by, several
from autograd.tensor import Tensor, unwrap

from ..module import Module
from .check import number


def fractional_max_pool(
    x, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """The maxima of windows of `kernel_size`, spread at random over each channel of images or volumes: (m,
    ..., n_C) to (m, *output_size, n_C), or of sizes floor(n * output_ratio).

    Along an axis window i starts at floor((i + u) a) - floor(u a), a = (n - f) / (n' - 1), and the last at n
    - f; u is drawn from U[0, 1) for each example, channel and axis, or given as `_random_samples` (m, n_C,
    axes). With `return_indices` also the places, as in `max_pool`. Raises ValueError unless one of size and
    ratio is given, and for windows that do not fit. Graham 2014."""
    axes = x.ndim - 2
    kernel = several(kernel_size, axes, "kernel_size", 1)
    size, out = _sizes(x.shape[1:-1], kernel, output_size, output_ratio)
    m, channels = x.shape[0], x.shape[-1]
    u = unwrap(_random_samples)
    if u is None:
        u = random.generator().random((m, channels, axes))
    u = u[..., ::-1] if axes == 2 else u  # PyTorch's samples of images are (columns, rows)
    place, last = np.zeros((m, channels, *(1,) * (2 * axes)), int), 2 * axes
    for axis, (n, o, k) in enumerate(zip(size, out, kernel)):
        starts = _starts(u[..., axis], n, o, k)[..., None] + np.arange(k)  # (m, n_C, n', f)
        shape = [1] * last
        shape[axis], shape[axes + axis] = o, k
        place = place * n + starts.reshape((m, channels, *shape))
    place = place.reshape(m, channels, math.prod(out), math.prod(kernel))
    rows = x.reshape((m, math.prod(size), channels))
    seen = np.swapaxes(unwrap(rows), 1, 2)[..., None]  # (m, n_C, places, 1)
    best = np.take_along_axis(seen, place.reshape(m, channels, -1, 1), 2).reshape(place.shape).argmax(-1)
    index = np.take_along_axis(place, best[..., None], -1)[..., 0].swapaxes(1, 2)  # (m, windows, n_C)
    y = np.take_along_axis(rows, index, 1).reshape((m, *out, channels))
    return (y, index.reshape(y.shape)) if return_indices else y


def _sizes(size, kernel, output_size, output_ratio):
    if (output_size is None) == (output_ratio is None):
        raise ValueError("fractional_max_pool: give either output_size or output_ratio")
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * len(size)
        output_size = tuple(int(n * r) for n, r in zip(size, ratios, strict=True))
    out = several(output_size, len(size), "output_size", 1)
    if any(o + k - 1 > n for n, o, k in zip(size, out, kernel)):
        raise ValueError(
            f"fractional_max_pool: {by(out)} windows of {by(kernel)} need more than the input, {by(size)}"
        )
    return size, out


def _starts(u, n, out, kernel):
    """Where the windows along an axis start: u (...) to (..., out)."""
    starts = np.full((*u.shape, out), n - kernel)
    if out > 1:
        a = (n - kernel) / (out - 1)
        i = np.arange(out - 1)
        starts[..., :-1] = ((i + u[..., None]) * a).astype(int) - (u[..., None] * a).astype(int)
    return starts


class _FractionalMaxPool(Module):
    axes: int
    _random_samples: Tensor | None

    def __init__(
        self, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
    ):
        super().__init__()
        several(kernel_size, self.axes, "kernel_size", 1)
        if (output_size is None) == (output_ratio is None):
            raise ValueError(f"{type(self).__name__}: give either output_size or output_ratio")
        if output_size is not None:
            several(output_size, self.axes, "output_size", 1)
        for ratio in output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,):
            if ratio is not None and not 0 < number(self, "output_ratio", ratio) < 1:
                raise ValueError(f"{type(self).__name__}: output_ratio must be in (0, 1), got {output_ratio}")
        self.kernel_size, self.output_size, self.output_ratio = kernel_size, output_size, output_ratio
        self.return_indices = bool(return_indices)
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, x):
        return fractional_max_pool(
            batch(x, self.axes),
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )

    def extra_repr(self):
        by = f"output_size={self.output_size}" if self.output_size else f"output_ratio={self.output_ratio}"
        return f"{self.kernel_size}, {by}" + (", return_indices=True" if self.return_indices else "")


class FractionalMaxPool2d(_FractionalMaxPool):
    """`fractional_max_pool` of images (m, n_H, n_W, n_C), in training and after `eval()` alike.

    FractionalMaxPool2d(kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None), sizes ints or pairs, ratios in (0, 1); one of size and ratio. Graham 2014."""

    axes = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """`FractionalMaxPool2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = 3

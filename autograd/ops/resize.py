"""Resizing sequences, images and volumes. Along each axis an output is a weighted sum of a few inputs, its
taps: a sparse matrix, whose transpose is the gradient's."""

import functools
import math
from dataclasses import dataclass

import numpy as np

from ..primitive import primitive
from .window import float_type, images
from .windownd import several


@dataclass(frozen=True)
class Taps:
    """What each of n' outputs along an axis of `size` inputs reads: `index` and `weight` from `starts[j]` to
    `starts[j + 1]`. Made by `taps_of`."""

    starts: np.ndarray
    index: np.ndarray
    weight: np.ndarray
    size: int

    @functools.cached_property
    def transposed(self) -> "Taps":
        """What each of the inputs gives, and to which outputs."""
        order = np.argsort(self.index, kind="stable")
        outputs = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        starts = np.searchsorted(self.index[order], np.arange(self.size + 1))
        other = Taps(starts, outputs[order], self.weight[order], len(self.starts) - 1)
        other.__dict__["transposed"] = self
        return other

    def arrays(self, dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As the kernel takes them."""
        return self.starts, self.index, self.weight.astype(dtype, copy=False)


def taps_of(index, weight, size) -> Taps:
    """The taps of an axis of `size` inputs: output j reads `index[k, j]` with `weight[k, j]` for all k (None
    for one tap of weight 1). Raises IndexError for an index outside."""
    index = np.asarray(index, np.int64)
    if index.size and not 0 <= index.min() <= index.max() < size:
        raise IndexError(f"index holds {index.min()} to {index.max()}, the axis has {size} elements")
    weight = np.ones(index.shape) if weight is None else np.asarray(weight, np.float64)
    starts = np.arange(index.shape[1] + 1, dtype=np.int64) * len(index)
    return Taps(starts, index.T.ravel(), weight.T.ravel(), size)


@primitive()
def resample(x, rows, columns):
    """x (m, n_H, n_W, n_C) to (m, n_H', n_W', n_C): y[n, i, j] is the sum of x[n, a, b] over the taps a of i
    among the `rows` and b of j among the `columns`, times both weights. Raises ValueError for taps of another
    size than x's."""
    from ..kernels import resize, threads

    x = images(x, "x")
    if x.shape[1:3] != (rows.size, columns.size):
        raise ValueError(f"taps for {rows.size}x{columns.size} pixels do not fit x of shape {x.shape}")
    dtype, work = float_type(x)
    y = resize.resample(threads.ready(x, work), rows.arrays(work), columns.arrays(work))
    return y.astype(dtype, copy=False)


@resample.vjp("x")
def _(g, rows, columns):
    return resample(g, rows.transposed, columns.transposed)


# ---- the taps of each mode


def _step(n, out, factor):
    """How far apart in the input neighbours of the output lie: by the factor asked for, or the sizes."""
    return 1.0 / factor if factor else n / out


def _nearest(n, out, factor):
    step = np.float32(_step(n, out, factor))  # PyTorch's coordinates are float32 here, whatever x is
    return np.minimum(np.floor(np.arange(out, dtype=np.float32) * step).astype(int), n - 1)[None], None


def _nearest_exact(n, out, factor):
    step = np.float32(_step(n, out, factor))
    places = np.floor((np.arange(out, dtype=np.float32) + np.float32(0.5)) * step).astype(int)
    return np.minimum(places, n - 1)[None], None


def _coordinates(n, out, factor, align_corners):
    if align_corners:
        return np.arange(out) * ((n - 1) / (out - 1) if out > 1 else 0.0)
    return (np.arange(out) + 0.5) * _step(n, out, factor) - 0.5


def _linear(n, out, factor, align_corners):
    at = np.maximum(_coordinates(n, out, factor, align_corners), 0.0)
    left = np.minimum(at.astype(int), n - 1)
    t = np.minimum(at - left, 1.0)
    return np.stack([left, np.minimum(left + 1, n - 1)]), np.stack([1.0 - t, t])


_A = -0.75  # Keys's cubic, 1981, with OpenCV's and PyTorch's slope


def _cubic(n, out, factor, align_corners):
    at = _coordinates(n, out, factor, align_corners)
    left = np.floor(at).astype(int)
    t = at - left
    near = [((_A + 2.0) * d - (_A + 3.0)) * d * d + 1.0 for d in (t, 1.0 - t)]
    far = [((_A * d - 5.0 * _A) * d + 8.0 * _A) * d - 4.0 * _A for d in (t + 1.0, 2.0 - t)]
    index = np.stack([np.clip(left + k, 0, n - 1) for k in (-1, 0, 1, 2)])
    return index, np.stack([far[0], *near, far[1]])


_NEAREST = {"nearest": _nearest, "nearest-exact": _nearest_exact}
_SMOOTH = {"linear": _linear, "bilinear": _linear, "bicubic": _cubic, "trilinear": _linear}
_AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}


def interpolate(x, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """x (m, ..., n_C) resized along the one, two or three axes between batch and channels, to `size` (a
    number or one an axis) or by `scale_factor` (n' = floor(n * factor)).

    `mode` is "nearest" (input floor(j n / n')), "nearest-exact" (of the pixels' centres), "linear" for
    sequences, "bilinear" or "bicubic" for images, "trilinear" for volumes. With `align_corners` the centres
    of the outermost pixels keep their places; without, the outer edges do. Arguments and values are those of
    torch.nn.functional.interpolate. Raises ValueError unless exactly one of size and scale_factor is given,
    for a mode that does not fit the axes, and where nothing is left."""
    axes = x.ndim - 2
    if not 1 <= axes <= 3:
        raise ValueError(
            f"interpolate: needs (m, ..., n_C) with one to three axes between, got shape {x.shape}"
        )
    if mode not in _NEAREST and mode not in _SMOOTH:
        raise ValueError(f"interpolate: mode is one of {', '.join([*_NEAREST, *_SMOOTH])}, got {mode!r}")
    if _AXES.get(mode, axes) != axes:
        raise ValueError(
            f"interpolate: {mode!r} is for {_AXES[mode] + 2} dimensions, got {x.ndim}: shape {x.shape}"
        )
    if align_corners is not None and mode in _NEAREST:
        raise ValueError(f"interpolate: align_corners is for {', '.join(_SMOOTH)}, not for {mode!r}")
    out, factors = _sizes(x.shape[1:-1], size, scale_factor)
    taps = [_taps(mode, *axis, bool(align_corners)) for axis in zip(x.shape[1:-1], out, factors, strict=True)]
    if axes == 2:
        return resample(x, *taps)
    m, n, *rest = x.shape
    if axes == 3:
        rows, columns, channels = rest
        x = resample(x.reshape((m * n, rows, columns, channels)), *taps[1:])
        rest = [*x.shape[1:]]
    x = resample(x.reshape((m, n, 1, math.prod(rest))), taps[0], _taps("nearest", 1, 1, None, False))
    return x.reshape((m, out[0], *rest))


@functools.lru_cache(256)
def _taps(mode, n, out, factor, align_corners):
    if mode in _NEAREST:
        index, weight = _NEAREST[mode](n, out, factor)
    else:
        index, weight = _SMOOTH[mode](n, out, factor, align_corners)
    return taps_of(index, weight, n)


def _sizes(size, asked, scale_factor):
    axes = len(size)
    if (asked is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    if 0 in size:
        raise ValueError(f"interpolate: there is nothing to resize along axes of {size}")
    if asked is not None:
        return several(asked, axes, "size", 1), (None,) * axes
    factors = tuple(scale_factor) if np.ndim(scale_factor) else (scale_factor,) * axes
    if len(factors) != axes:
        raise ValueError(f"interpolate: scale_factor holds {len(factors)} numbers for {axes} axes")
    if not all(f > 0 for f in factors):
        raise ValueError(f"interpolate: scale_factor must be over 0, got {scale_factor}")
    factors = tuple(map(float, factors))
    out = tuple(math.floor(n * f) for n, f in zip(size, factors, strict=True))
    return several(out, axes, "size", 1), factors


# ---- moving channels into space and back


def pixel_shuffle(x, upscale_factor):
    """Blocks of r * r channels spread over r * r pixels: (m, n_H, n_W, n_C r r) to (m, n_H r, n_W r, n_C),
    y[m, h r + i, w r + j, c] = x[m, h, w, (c r + i) r + j]. Raises ValueError where r * r does not divide the
    channels. Shi et al. 2016, "Real-time single image and video super-resolution"."""
    r = _factor(x, upscale_factor)
    m, rows, columns, channels = x.shape
    if channels % (r * r):
        raise ValueError(f"pixel_shuffle: {r} * {r} does not divide the {channels} channels of {x.shape}")
    x = x.reshape((m, rows, columns, channels // (r * r), r, r))
    x = x.transpose((0, 1, 4, 2, 5, 3))  # (m, n_H, r, n_W, r, n_C)
    return x.reshape((m, rows * r, columns * r, channels // (r * r)))


def pixel_unshuffle(x, downscale_factor):
    """The way back: (m, n_H r, n_W r, n_C) to (m, n_H, n_W, n_C r r). Raises ValueError where r does not
    divide the image."""
    r = _factor(x, downscale_factor)
    m, rows, columns, channels = x.shape
    if rows % r or columns % r:
        raise ValueError(f"pixel_unshuffle: {r} does not divide the image, {rows}x{columns}")
    x = x.reshape((m, rows // r, r, columns // r, r, channels))
    x = x.transpose((0, 1, 3, 5, 2, 4))  # (m, n_H, n_W, n_C, r, r)
    return x.reshape((m, rows // r, columns // r, channels * r * r))


def _factor(x, factor):
    if x.ndim != 4:
        raise ValueError(f"pixel shuffling needs images, (m, n_H, n_W, n_C), got shape {x.shape}")
    return several(factor, 1, "the factor", 1)[0]


def channel_shuffle(x, groups):
    """Channels (g, k) dealt out as (k, g), so that the next grouped convolution sees all groups: any (...,
    n_C) to the same shape. Raises ValueError where groups does not divide the channels. Zhang et al. 2017,
    "ShuffleNet"."""
    channels = x.shape[-1]
    if channels % groups:
        raise ValueError(
            f"channel_shuffle: groups={groups} does not divide the {channels} channels of {x.shape}"
        )
    return x.reshape((*x.shape[:-1], groups, channels // groups)).swapaxes(-1, -2).reshape(x.shape)

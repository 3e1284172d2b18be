"""Discrete Fourier transforms: np.fft in every variant. Three primitives of one axis; the rest is composed of
them, so every order comes for free.

The matrix of a transform is symmetric, so the rule of `fft` is `fft` itself, and that of `ifft` is `ifft`.
"""

import numpy as np

from ..dispatch import composed
from ..primitive import primitive
from .products import array

_INVERSE = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _fitted(x, length, axis):
    """x cut or filled with zeros to a length along an axis: the adjoint of what a transform does with n."""
    n, before = x.shape[axis], (slice(None),) * (axis % x.ndim)
    if n >= length:
        return x if n == length else x[(*before, slice(0, length))]
    widths = [(0, 0)] * x.ndim
    widths[axis] = (0, length - n)
    return np.pad(x, widths)


@primitive(np.fft.fft, residuals=("length",))
def fft(a, n=None, axis=-1, norm=None):
    """sum_j a_j e^(-2 pi i j k / n) along an axis, a cut or filled with zeros to n. `norm`: "backward" (the
    default: the factor 1 here, 1/n on the way back), "ortho" (1/sqrt(n) on both), "forward" (1/n here)."""
    return np.fft.fft(a, n, axis, norm), a.shape[axis]


@fft.vjp("a")
def _(g, length, axis, norm):
    return _fitted(fft(g, None, axis, norm), length, axis)


@primitive(np.fft.ifft, residuals=("length",))
def ifft(a, n=None, axis=-1, norm=None):
    """The inverse of `fft`."""
    return np.fft.ifft(a, n, axis, norm), a.shape[axis]


@ifft.vjp("a")
def _(g, length, axis, norm):
    return _fitted(ifft(g, None, axis, norm), length, axis)


@primitive(np.fft.rfft, residuals=("length", "used"))
def rfft(a, n=None, axis=-1, norm=None):
    """`fft` of real numbers: the first n // 2 + 1 of its values, which tell the others."""
    return np.fft.rfft(a, n, axis, norm), a.shape[axis], a.shape[axis] if n is None else n


@rfft.vjp("a")
def _(g, length, used, axis, norm):
    return np.real(_fitted(fft(_fitted(g, used, axis), None, axis, norm), length, axis))


@primitive(np.fft.irfft, residuals=("length",))
def irfft(a, n=None, axis=-1, norm=None):
    """The inverse of `rfft`: n real numbers, by default 2 (length - 1)."""
    return np.fft.irfft(a, n, axis, norm), a.shape[axis]


@irfft.vjp("a")
def _(g, length, axis, norm):
    n = g.shape[axis]
    twice = np.full(n // 2 + 1, 2.0, g.dtype)  # values between the ends stand for their mirror images too
    twice[0] = 1.0
    if n % 2 == 0:
        twice[-1] = 1.0
    twice = twice.reshape([-1 if k == axis % g.ndim else 1 for k in range(g.ndim)])
    return _fitted(twice * np.conj(rfft(g, None, axis, _INVERSE[norm])), length, axis)


@composed(np.fft.hfft)
def hfft(a, n=None, axis=-1, norm=None):
    """The real transform of a signal with Hermitian symmetry, of which a is the first half."""
    return irfft(np.conj(a), n, axis, _INVERSE[norm])


@composed(np.fft.ihfft)
def ihfft(a, n=None, axis=-1, norm=None):
    """The inverse of `hfft`."""
    return np.conj(rfft(a, n, axis, _INVERSE[norm]))


# ---- several axes


def _lengths(a, s, axes):
    """The axes to transform, and for each its length (None: as it is)."""
    if axes is None:
        axes = range(a.ndim) if s is None else range(-len(s), 0)
    lengths = [None] * len(axes) if s is None else [None if n in (None, -1) else n for n in s]
    if len(lengths) != len(axes):
        raise ValueError(f"fft: {len(lengths)} lengths for {len(axes)} axes")
    return list(axes), lengths


@composed(np.fft.fftn)
def fftn(a, s=None, axes=None, norm=None):
    """`fft` along several axes, by default all; `s` are their lengths."""
    a = array(a)
    for axis, n in reversed(list(zip(*_lengths(a, s, axes)))):
        a = fft(a, n, axis, norm)
    return a


@composed(np.fft.ifftn)
def ifftn(a, s=None, axes=None, norm=None):
    """The inverse of `fftn`."""
    a = array(a)
    for axis, n in reversed(list(zip(*_lengths(a, s, axes)))):
        a = ifft(a, n, axis, norm)
    return a


@composed(np.fft.rfftn)
def rfftn(a, s=None, axes=None, norm=None):
    """`rfft` along the last of several axes, then `fft` along the others."""
    axes, lengths = _lengths(a, s, axes)
    return fftn(rfft(a, lengths[-1], axes[-1], norm), lengths[:-1], axes[:-1], norm)


@composed(np.fft.irfftn)
def irfftn(a, s=None, axes=None, norm=None):
    """The inverse of `rfftn`: `ifft` along all axes but the last, then `irfft` along that."""
    axes, lengths = _lengths(a, s, axes)
    for axis, n in zip(axes[:-1], lengths[:-1]):
        a = ifft(a, n, axis, norm)
    return irfft(a, lengths[-1], axes[-1], norm)


@composed(np.fft.fft2)
def fft2(a, s=None, axes=(-2, -1), norm=None):
    """`fftn` along two axes."""
    return fftn(a, s, axes, norm)


@composed(np.fft.ifft2)
def ifft2(a, s=None, axes=(-2, -1), norm=None):
    """`ifftn` along two axes."""
    return ifftn(a, s, axes, norm)


@composed(np.fft.rfft2)
def rfft2(a, s=None, axes=(-2, -1), norm=None):
    """`rfftn` along two axes."""
    return rfftn(a, s, axes, norm)


@composed(np.fft.irfft2)
def irfft2(a, s=None, axes=(-2, -1), norm=None):
    """`irfftn` along two axes."""
    return irfftn(a, s, axes, norm)


@composed(np.fft.fftshift)
def fftshift(x, axes=None):
    """The zero frequency moved to the middle of the axes."""
    axes = _all_axes(x, axes)
    return np.roll(x, [x.shape[k] // 2 for k in axes], axes)


@composed(np.fft.ifftshift)
def ifftshift(x, axes=None):
    """The inverse of `fftshift`."""
    axes = _all_axes(x, axes)
    return np.roll(x, [-(x.shape[k] // 2) for k in axes], axes)


def _all_axes(x, axes):
    return tuple(range(x.ndim)) if axes is None else (axes,) if np.ndim(axes) == 0 else tuple(axes)

"""Images as the patches that a window sees, and back. Each is the other's adjoint."""

import math

import numpy as np

from autograd.ops.index import put_add
from autograd.ops.padding import pad_axes
from autograd.ops.windownd import batch, by, outputs_of, several

from ..module import Module


def _windows(size, kernel_size, dilation, padding, stride):
    """The padding and the padded size of images of `size`, one number an axis, and the places in them, in one
    row, that each patch holds: (patches, f_H * f_W)."""
    kernel, dilation, stride = (
        several(value, 2, name, 1)
        for value, name in ((kernel_size, "kernel_size"), (dilation, "dilation"), (stride, "stride"))
    )
    pads = several(padding, 2, "padding", 0)
    out = outputs_of(size, kernel, stride, [(p, p) for p in pads], dilation)
    padded = tuple(n + 2 * p for n, p in zip(size, pads))
    rows, columns = (
        np.arange(o)[:, None] * s + np.arange(k) * d for o, s, k, d in zip(out, stride, kernel, dilation)
    )  # (n_H', f_H), (n_W', f_W)
    places = rows[:, None, :, None] * padded[1] + columns[None, :, None, :]  # (n_H', n_W', f_H, f_W)
    return pads, padded, places.reshape(math.prod(out), math.prod(kernel))


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """The patches of images: (m, n_H, n_W, n_C) to (m, patches, f * f * n_C), row by row, each patch in the
    order of a filter, (f, f, n_C). A convolution is their product with filters (f * f * n_C, filters). Raises
    ValueError for a window larger than the image. COURSE.md C4W1-volume."""
    m, *size, channels = batch(x, 2).shape
    pads, padded, places = _windows(size, kernel_size, dilation, padding, stride)
    x = pad_axes(x, {axis: (p, p) for axis, p in enumerate(pads, 1)})
    patches = x.reshape((m, math.prod(padded), channels))[:, places]  # (m, patches, f * f, n_C)
    return patches.reshape((m, len(places), places.shape[1] * channels))


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Images of `output_size` as the sums of patches: (m, patches, f * f * n_C) as `unfold` gives them to
    (m, n_H, n_W, n_C). Raises ValueError where the patches are not as many or as large as those of such an
    image."""
    size = several(output_size, 2, "output_size", 1)
    pads, padded, places = _windows(size, kernel_size, dilation, padding, stride)
    patches, window = places.shape
    if x.ndim != 3 or x.shape[1] != patches or x.shape[2] % window:
        raise ValueError(
            f"fold: images of {by(size)} have patches (m, {patches}, {window} * n_C), got shape {x.shape}"
        )
    m, channels = x.shape[0], x.shape[2] // window
    values = x.reshape((m, patches, window, channels))
    y = put_add(values, (slice(None), places), (m, math.prod(padded), channels))
    return pad_axes(y.reshape((m, *padded, channels)), {axis: (-p, -p) for axis, p in enumerate(pads, 1)})


class _Patches(Module):
    def extra_repr(self):
        usual = {"dilation": 1, "padding": 0, "stride": 1}
        other = [f"{k}={getattr(self, k)!r}" for k, v in usual.items() if getattr(self, k) != v]
        given = [str(v) for k, v in vars(self).items() if k in ("output_size", "kernel_size")]
        return ", ".join([*given, *other])


class Unfold(_Patches):
    """`unfold`: the patches of images, (m, n_H, n_W, n_C) to (m, patches, f * f * n_C).

    Unfold(kernel_size, dilation=1, padding=0, stride=1), ints or pairs. PyTorch's patches are (m, n_C * f *
    f, patches). COURSE.md C4W1-volume."""

    def __init__(self, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        _check(kernel_size, dilation, padding, stride)
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, x):
        return unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Patches):
    """`fold`: images as the sums of patches, (m, patches, f * f * n_C) to (m, n_H, n_W, n_C). Where the
    patches of an image overlap, folding them counts each pixel as often as there are patches over it.

    Fold(output_size, kernel_size, dilation=1, padding=0, stride=1), ints or pairs."""

    def __init__(self, output_size, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        several(output_size, 2, "output_size", 1)
        _check(kernel_size, dilation, padding, stride)
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, x):
        return fold(x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)


def _check(kernel_size, dilation, padding, stride):
    several(kernel_size, 2, "kernel_size", 1)
    several(dilation, 2, "dilation", 1)
    several(padding, 2, "padding", 0)
    several(stride, 2, "stride", 1)

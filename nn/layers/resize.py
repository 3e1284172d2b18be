"""Layers that resize, and that move channels into space."""

from autograd.ops.resize import channel_shuffle, interpolate, pixel_shuffle, pixel_unshuffle

from ..module import Module
from .check import positive


class Upsample(Module):
    """Resizes sequences, images or volumes (m, ..., n_C) along their places, to `size` or by `scale_factor`
    (n' = floor(n * factor)), numbers or one an axis.

    Upsample(size=None, scale_factor=None, mode="nearest", align_corners=None). `mode` is "nearest",
    "nearest-exact", "linear" (sequences), "bilinear" or "bicubic" (images) or "trilinear" (volumes). With
    `align_corners` the centres of the outermost pixels keep their places, without it (the default) the outer
    edges do. Raises ValueError unless one of size and scale_factor is given, and for a mode that does not fit
    the input."""

    def __init__(self, size=None, scale_factor=None, mode="nearest", align_corners=None):
        super().__init__()
        if (size is None) == (scale_factor is None):
            raise ValueError("Upsample: give either size or scale_factor")
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x):
        return interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self):
        by = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        corners = "" if self.align_corners is None else f", align_corners={self.align_corners}"
        return f"{by}, mode={self.mode!r}{corners}"


class PixelShuffle(Module):
    """Spreads blocks of r * r channels over r * r pixels: (m, n_H, n_W, n_C r r) to (m, n_H r, n_W r, n_C).
    PixelShuffle(upscale_factor). Raises ValueError where r * r does not divide the channels. Shi et al.
    2016."""

    def __init__(self, upscale_factor):
        super().__init__()
        positive(self, upscale_factor=upscale_factor)
        self.upscale_factor = upscale_factor

    def forward(self, x):
        return pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self):
        return f"{self.upscale_factor}"


class PixelUnshuffle(Module):
    """The way back from `PixelShuffle`: (m, n_H r, n_W r, n_C) to (m, n_H, n_W, n_C r r).
    PixelUnshuffle(downscale_factor). Raises ValueError where r does not divide the image."""

    def __init__(self, downscale_factor):
        super().__init__()
        positive(self, downscale_factor=downscale_factor)
        self.downscale_factor = downscale_factor

    def forward(self, x):
        return pixel_unshuffle(x, self.downscale_factor)

    def extra_repr(self):
        return f"{self.downscale_factor}"


class ChannelShuffle(Module):
    """Deals the channels of groups out in turns, so that the next grouped convolution sees all of them: any
    (..., n_C) to the same shape. ChannelShuffle(groups). Zhang et al. 2017, "ShuffleNet"."""

    def __init__(self, groups):
        super().__init__()
        positive(self, groups=groups)
        self.groups = groups

    def forward(self, x):
        return channel_shuffle(x, self.groups)

    def extra_repr(self):
        return f"{self.groups}"

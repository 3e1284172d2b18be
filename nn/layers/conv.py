"""Convolutional layers over sequences, images and volumes, channels last."""

import math

import numpy as np

from autograd.modes import get_default_dtype
from autograd.ops.conv import conv2d
from autograd.ops.convnd import conv1d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from autograd.ops.padding import pad_axes
from autograd.ops.windownd import pads_of, several

from .. import init
from ..module import Layout, Module, Parameter
from .check import fits, positive

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What convolution and its transpose share: `axes` is the number of axes of places."""

    axes: int

    def __init__(self, in_channels, out_channels, kernel_size, stride, dilation, groups):
        super().__init__()
        positive(self, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{type(self).__name__}: groups={groups} must divide {in_channels} input and "
                f"{out_channels} output channels"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = several(kernel_size, self.axes, "kernel_size", 1)
        self.stride = several(stride, self.axes, "stride", 1)
        self.dilation = several(dilation, self.axes, "dilation", 1)

    def _start(self, depth, filters, bias):
        """Filters (f, ..., depth, filters) and biases, drawn."""
        shape = (*self.kernel_size, depth, filters)
        # PyTorch has (filters, depth, f, ...)
        layout = Layout((self.axes + 1, self.axes, *range(self.axes)))
        self.weight = Parameter(np.empty(shape, get_default_dtype()), layout=layout)
        self.bias = Parameter(np.empty(self.out_channels, get_default_dtype())) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights and biases anew."""
        fan_in = math.prod(self.weight.shape[:-1])
        init.fan_in_uniform_(self.weight, fan_in)
        if self.bias is not None:
            init.fan_in_uniform_(self.bias, fan_in)

    def extra_repr(self):
        ones, zeros = (1,) * self.axes, (0,) * self.axes
        usual = {
            "stride": (ones,),
            "padding": (0, zeros),
            "output_padding": (0, zeros),
            "dilation": (ones,),
            "groups": (1,),
            "padding_mode": ("zeros",),
        }
        notes = [f"{self.in_channels}, {self.out_channels}, {self.kernel_size}"]
        for name, values in usual.items():
            value = getattr(self, name, values[0])
            if value not in values:
                notes.append(f"{name}={value!r}")
        return ", ".join(notes if self.bias is not None else [*notes, "bias=False"])


class _Conv(_Convolution):
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups)
        pads_of(padding, self.kernel_size, self.kernel_size, self.stride, self.dilation)
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"{type(self).__name__}: padding_mode is one of {', '.join(_PADDING_MODES)}, "
                f"got {padding_mode!r}"
            )
        self.padding, self.padding_mode = padding, padding_mode
        self._start(in_channels // groups, out_channels, bias)

    def _padded(self, x):
        """The input, checked, and the padding that is left to the convolution."""
        fits(self, x, self.weight, self.in_channels, "channels", self.axes + 2)
        if self.padding_mode == "zeros":
            return x, self.padding
        pads = pads_of(self.padding, x.shape[1:-1], self.kernel_size, self.stride, self.dilation)
        return pad_axes(x, dict(enumerate(pads, 1)), self.padding_mode), 0


class Conv1d(_Conv):
    """`Conv2d` of sequences (m, T, n_C_prev) to (m, T', n_C), with `weight` (f, n_C_prev / groups, n_C).
    COURSE.md C4W4-conv1d."""

    axes = 1

    def forward(self, x):
        x, padding = self._padded(x)
        return conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Conv):
    """Convolution of images (m, n_H, n_W, n_C_prev) to (m, n_H', n_W', n_C), n' = floor((n + 2p - d(f-1) - 1)
    / s) + 1, with `weight` (f, f, n_C_prev / groups, n_C) and `bias` (n_C,).

    Conv2d(in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
    padding_mode="zeros"). Sizes are ints or pairs (rows, columns); `padding` is also "valid" (none) or "same"
    (n' = ceil(n / s), odd pixels to the bottom and right as in TensorFlow); `padding_mode` is also "reflect",
    "replicate" or "circular". `layer(x, relu=True)` takes the maximum with 0 in the same pass. Both
    parameters start from U(-1/sqrt(k), 1/sqrt(k)), k = f * f * n_C_prev / groups, as in PyTorch. Raises
    ValueError for inputs of other channels or smaller than the kernel, TypeError for another dtype.
    COURSE.md C4W1-params."""

    axes = 2
    rectified = False  # `nn.fuse` sets it where a ReLU follows

    def forward(self, x, relu=False):
        x, padding = self._padded(x)
        relu = relu or self.rectified
        return conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups, relu)


class Conv3d(_Conv):
    """`Conv2d` of volumes (m, n_D, n_H, n_W, n_C_prev) to (m, n_D', n_H', n_W', n_C), with `weight` (f, f, f,
    n_C_prev / groups, n_C). COURSE.md C4W4-conv3d."""

    axes = 3

    def forward(self, x):
        x, padding = self._padded(x)
        return conv3d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _ConvTranspose(_Convolution):
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        bias=True,
        dilation=1,
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups)
        self.padding = several(padding, self.axes, "padding", 0)
        self.output_padding = several(output_padding, self.axes, "output_padding", 0)
        self._start(out_channels // groups, in_channels, bias)

    def _call(self, function, x, output_size):
        fits(self, x, self.weight, self.in_channels, "channels", self.axes + 2)
        extra = self.output_padding if output_size is None else self._missing(x.shape[1:-1], output_size)
        options = self.stride, self.padding, extra, self.groups, self.dilation
        return function(x, self.weight, self.bias, *options)

    def _missing(self, size, asked):
        """The output padding that leads to the size asked for: of the places, or of the whole output."""
        asked = tuple(asked)[1:-1] if len(asked) == self.axes + 2 else tuple(asked)
        least = [
            (n - 1) * s - 2 * p + d * (f - 1) + 1
            for n, s, p, d, f in zip(
                size, self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        if len(asked) != self.axes or any(
            not 0 <= a - n < s for a, n, s in zip(asked, least, self.stride, strict=True)
        ):
            most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
            raise ValueError(
                f"{type(self).__name__}: output_size {asked} must lie between {tuple(least)} and "
                f"{tuple(most)}"
            )
        return tuple(a - n for a, n in zip(asked, least, strict=True))


class ConvTranspose1d(_ConvTranspose):
    """`ConvTranspose2d` of sequences (m, T, n_C_prev), with `weight` (f, n_C / groups, n_C_prev)."""

    axes = 1

    def forward(self, x, output_size=None):
        return self._call(conv_transpose1d, x, output_size)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of images (m, n_H, n_W, n_C_prev) to (m, n_H', n_W', n_C), n' = (n - 1) s - 2p +
    d (f - 1) + output_padding + 1: each pixel adds its filter, times itself, to the output. `weight` is (f,
    f, n_C / groups, n_C_prev), `bias` (n_C,).

    ConvTranspose2d(in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1,
    bias=True, dilation=1). `forward(x, output_size=None)` can ask for one of the sizes that a stride allows,
    instead of `output_padding`. Both parameters start from U(-1/sqrt(k), 1/sqrt(k)), k = f * f * n_C /
    groups, as in PyTorch. Raises ValueError for inputs of other channels and sizes that are not possible,
    TypeError for another dtype. COURSE.md C4W3-tconv."""

    axes = 2

    def forward(self, x, output_size=None):
        return self._call(conv_transpose2d, x, output_size)


class ConvTranspose3d(_ConvTranspose):
    """`ConvTranspose2d` of volumes (m, n_D, n_H, n_W, n_C_prev), with `weight` (f, f, f, n_C / groups,
    n_C_prev)."""

    axes = 3

    def forward(self, x, output_size=None):
        return self._call(conv_transpose3d, x, output_size)

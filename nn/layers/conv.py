"""Convolutional layers, channels last."""

import math

import numpy as np

from autograd.modes import get_default_dtype
from autograd.ops.conv import conv2d
from autograd.ops.window import pair, resolve_padding

from .. import init
from ..module import Layout, Module, Parameter
from .check import fits, positive


class Conv2d(Module):
    """Convolution of images (m, n_H, n_W, n_C_prev) to (m, n_H', n_W', n_C), n' = floor((n + 2p - d(f-1) - 1)
    / s) + 1, with `weight` (f, f, n_C_prev / groups, n_C) and `bias` (n_C,).

    Conv2d(in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True).
    Sizes are ints or pairs (rows, columns); `padding` is also "valid" (none) or "same" (n' = ceil(n / s), odd
    pixels to the bottom and right as in TensorFlow). Both parameters start from U(-1/sqrt(k), 1/sqrt(k)), k =
    f * f * n_C_prev / groups, as in PyTorch. Raises ValueError for inputs of other channels or smaller than
    the kernel, TypeError for another dtype. COURSE.md C4W1-params."""

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True
    ):
        super().__init__()
        positive(self, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2d: groups={groups} must divide {in_channels} input and {out_channels} output channels"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.stride = pair(stride, "stride", 1)
        self.dilation = pair(dilation, "dilation", 1)
        resolve_padding(padding, self.kernel_size, self.kernel_size, self.stride, self.dilation)
        self.padding = padding
        shape = (*self.kernel_size, in_channels // groups, out_channels)
        self.weight = Parameter(np.empty(shape, get_default_dtype()), layout=Layout((3, 2, 0, 1)))
        self.bias = Parameter(np.empty(out_channels, get_default_dtype())) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights and biases anew."""
        fan_in = math.prod(self.weight.shape[:3])
        init.fan_in_uniform_(self.weight, fan_in)
        if self.bias is not None:
            init.fan_in_uniform_(self.bias, fan_in)

    def forward(self, x):
        fits(self, x, self.weight, self.in_channels, "channels", 4)
        return conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self):
        notes = [f"{self.in_channels}, {self.out_channels}, {self.kernel_size}"]
        usual = {"stride": (1, 1), "padding": 0, "dilation": (1, 1), "groups": 1}
        notes += [
            f"{name}={getattr(self, name)!r}" for name, value in usual.items() if getattr(self, name) != value
        ]
        return ", ".join(notes if self.bias is not None else [*notes, "bias=False"])

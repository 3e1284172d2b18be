"""Pooling layers over sequences, images and volumes, channels last. They have no parameters."""

from autograd.ops import poolnd
from autograd.ops.windownd import batch, pads_of, several

from ..module import Module


class _Pool(Module):
    """What the layers share: `axes` is the number of axes of places; the arguments are the attributes."""

    axes: int

    def extra_repr(self):
        usual: dict = {"padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False}
        usual |= {"count_include_pad": True, "divisor_override": None}
        notes = []
        for name, value in vars(self).items():
            if name == "training" or name[0] == "_" or (name in usual and value == usual[name]):
                continue
            notes.append(f"{value}" if name in ("kernel_size", "output_size") else f"{name}={value}")
        return ", ".join(notes)


class _Windows(_Pool):
    def __init__(self, kernel_size, stride, padding=0):
        super().__init__()
        kernel = several(kernel_size, self.axes, "kernel_size", 1)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        strides = several(self.stride, self.axes, "stride", 1)
        pads_of(padding, kernel, kernel, strides, (1,) * self.axes)


class _MaxPool(_Windows):
    def __init__(
        self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False
    ):
        super().__init__(kernel_size, stride, padding)
        several(dilation, self.axes, "dilation", 1)
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = bool(return_indices), bool(ceil_mode)

    def forward(self, x):
        return poolnd.max_pool(
            batch(x, self.axes),
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool1d(_MaxPool):
    """`MaxPool2d` of sequences (m, T, n_C)."""

    axes = 1


class MaxPool2d(_MaxPool):
    """The maximum of each window and channel: images (m, n_H, n_W, n_C) to (m, n_H', n_W', n_C), n' =
    floor((n + 2p - d(f-1) - 1) / s) + 1.

    MaxPool2d(kernel_size, stride=kernel_size, padding=0, dilation=1, return_indices=False, ceil_mode=False),
    sizes ints or pairs. With `return_indices` it returns (y, indices), the integer places h * n_W + w of the
    maxima, which `MaxUnpool2d` takes; with `ceil_mode` the size is rounded up. Raises ValueError for inputs
    that are no such batch or smaller than a window. COURSE.md C4W1-pool."""

    axes = 2


class MaxPool3d(_MaxPool):
    """`MaxPool2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = 3


class _MaxUnpool(_Windows):
    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__(kernel_size, stride, padding)
        self.padding = padding

    def forward(self, x, indices, output_size=None):
        return poolnd.max_unpool(
            batch(x, self.axes), indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool1d(_MaxUnpool):
    """`MaxUnpool2d` of sequences (m, T, n_C)."""

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """Puts each maximum back where `MaxPool2d(..., return_indices=True)` took it from, among zeros: (m, n_H',
    n_W', n_C) to (m, n_H, n_W, n_C), n = (n' - 1) s - 2p + f, or the `output_size` given to forward.

    MaxUnpool2d(kernel_size, stride=kernel_size, padding=0); forward(x, indices, output_size=None). Several
    maxima of one place leave their mean. Raises ValueError for indices of another shape than x, IndexError
    for places outside. Zeiler and Fergus 2014."""

    axes = 2


class MaxUnpool3d(_MaxUnpool):
    """`MaxUnpool2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = 3


class _AvgPool(_Windows):
    def __init__(
        self,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    ):
        super().__init__(kernel_size, stride, padding)
        self.padding, self.ceil_mode = padding, bool(ceil_mode)
        self.count_include_pad, self.divisor_override = bool(count_include_pad), divisor_override

    def forward(self, x):
        return poolnd.avg_pool(
            batch(x, self.axes),
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool1d(_AvgPool):
    """`AvgPool2d` of sequences (m, T, n_C)."""

    axes = 1


class AvgPool2d(_AvgPool):
    """The mean of each window and channel, padding counted as zeros; shapes and errors of `MaxPool2d`.

    AvgPool2d(kernel_size, stride=kernel_size, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None). `count_include_pad=False` counts the image's pixels only; `divisor_override` is
    what the sum is divided by instead. COURSE.md C4W1-pool."""

    axes = 2


class AvgPool3d(_AvgPool):
    """`AvgPool2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = 3


class _LPPool(_Windows):
    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False):
        super().__init__(kernel_size, stride)
        self.norm_type, self.ceil_mode = norm_type, bool(ceil_mode)
        if not float(norm_type):
            raise ValueError(f"{type(self).__name__}: norm_type must not be 0")

    def extra_repr(self):
        return f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}" + (
            ", ceil_mode=True" if self.ceil_mode else ""
        )

    def forward(self, x):
        return poolnd.lp_pool(
            batch(x, self.axes), self.norm_type, self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool1d(_LPPool):
    """`LPPool2d` of sequences (m, T, n_C)."""

    axes = 1


class LPPool2d(_LPPool):
    """(sum of x^p)^(1/p) over each window and channel; shapes and errors of `MaxPool2d`. LPPool2d(norm_type,
    kernel_size, stride=kernel_size, ceil_mode=False), p = `norm_type`: 1 is sum pooling. Where the sum is 0
    the derivative is 0."""

    axes = 2


class LPPool3d(_LPPool):
    """`LPPool2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = 3


class _Adaptive(_Pool):
    def __init__(self, output_size):
        super().__init__()
        sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * self.axes
        several(tuple(1 if n is None else n for n in sizes), self.axes, "output_size", 1)
        self.output_size = output_size


class _AdaptiveAvgPool(_Adaptive):
    def forward(self, x):
        return poolnd.adaptive_avg_pool(batch(x, self.axes), self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """`AdaptiveAvgPool2d` of sequences (m, T, n_C)."""

    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means over a grid of `output_size` windows: (m, n_H, n_W, n_C) to (m, *output_size, n_C), window i
    from floor(i n / n') to ceil((i + 1) n / n'). AdaptiveAvgPool2d(output_size), a number or a pair, None
    keeping an axis; 1 is global average pooling. Lin et al. 2013."""

    axes = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """`AdaptiveAvgPool2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = 3


class _AdaptiveMaxPool(_Adaptive):
    def __init__(self, output_size, return_indices=False):
        super().__init__(output_size)
        self.return_indices = bool(return_indices)

    def forward(self, x):
        return poolnd.adaptive_max_pool(batch(x, self.axes), self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """`AdaptiveMaxPool2d` of sequences (m, T, n_C)."""

    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maxima over the windows of `AdaptiveAvgPool2d`; the first of equals gets the derivative.
    AdaptiveMaxPool2d(output_size, return_indices=False), indices as in `MaxPool2d`."""

    axes = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """`AdaptiveMaxPool2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = 3


class GlobalAvgPool(Module):
    """The mean of each channel over all places: (m, ..., n_C) to (m, n_C), sequences, images or volumes. What
    a Linear takes; `AdaptiveAvgPool2d(1)` keeps the axes. Lin et al. 2013, "Network in network"."""

    def forward(self, x):
        return poolnd.global_avg_pool(x)


class GlobalMaxPool(Module):
    """The maximum of each channel over all places: (m, ..., n_C) to (m, n_C). Equal ones share its
    derivative."""

    def forward(self, x):
        return poolnd.global_max_pool(x)

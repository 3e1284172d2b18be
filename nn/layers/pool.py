"""Pooling layers, channels last. They have no parameters."""

from autograd.ops.pool import avg_pool2d, max_pool2d

from ..module import Module


class _Pool2d(Module):
    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def extra_repr(self):
        return f"{self.kernel_size}, stride={self.stride}" + (
            f", padding={self.padding}" if self.padding else ""
        )


class MaxPool2d(_Pool2d):
    """The maximum of each window and channel: images (m, n_H, n_W, n_C) to (m, n_H', n_W', n_C), n' =
    floor((n + 2p - f) / s) + 1.

    MaxPool2d(kernel_size, stride=kernel_size, padding=0), ints or pairs. Raises ValueError for inputs that
    are no such batch or smaller than a window. COURSE.md C4W1-pool."""

    def forward(self, x):
        return max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """The mean of each window and channel, padding counted as zeros; shapes, arguments and errors of
    `MaxPool2d`, and `count_include_pad=False` to count the image's pixels only."""

    def __init__(self, kernel_size, stride=None, padding=0, count_include_pad=True):
        super().__init__(kernel_size, stride, padding)
        self.count_include_pad = count_include_pad

    def forward(self, x):
        return avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.count_include_pad)

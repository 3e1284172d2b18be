"""Convolution over channels-last images and its two gradients: which algorithm computes them.

    y[n, i, j, k] = b[k] + sum over (a, e, c) of x[n, i*sh + a*dh - top, j*sw + e*dw - left, c] w[a, e, c, k]

(cross-correlation, as in all of deep learning), x outside the image being 0; with groups, filter k sees only
the C/groups channels of its group. Shapes: x (N, H, W, C), w (fh, fw, C/groups, K), y (N, OH, OW, K)."""

import os

from . import batched, conv_plain, depthwise, direct, winograd
from . import memory as memory  # large arrays come and go: keep their pages
from .simd import LANES, NAME

WINOGRAD = NAME != "off" and os.environ.get("NGRAD_WINOGRAD") != "off"


def _algorithm(dtype, images, w_shape, stride, padding, dilation, groups):
    """The module that computes a convolution with filters of this shape, or a gradient of it. Times are of
    float32, forward and both gradients, two threads of AVX-512, against direct sums.

    float64 is the plain path. Winograd does a quarter of the products of 3x3 filters at stride 1 and 0.36 of
    those of 5x5, and pays with transforms of every channel: it takes 0.4 of the time from 64 to 256 channels,
    0.5 at 512 on images of 7x7, and for 5x5 filters 0.5 of what `batched` takes at 32. Where a row of the
    kernel sees few numbers (5 to 160, in the first layers of LeNet, VGG or ResNet) gathering patches costs as
    much as the products. `batched` copies bands of rows and takes 0.2 to 0.9 of the time. A tile of its input
    gradient is one of images, so it wants a batch of them, and filters that stay in cache."""
    fh, fw, depth, filters = w_shape
    if dtype != "float32":
        return conv_plain
    if groups > 1:
        return depthwise if depthwise.suits(groups, depth * groups, filters) else direct
    inside = padding[0][0] < fh and padding[1][0] < fw
    square = (fh, fw) in ((3, 3), (5, 5)) and stride == dilation == (1, 1) and inside
    if WINOGRAD and square and min(depth, filters) >= LANES:
        return winograd
    if fw * depth <= 160 and dilation[1] == 1 and images >= 8 and fh * fw * depth * filters <= 1 << 16:
        return batched
    return direct


def forward(x, w, b, size, stride, padding, dilation, groups, relu=False):
    """x (N, H, W, C), w (fh, fw, C/groups, K), b (K,) or None -> y (N, *size, K), with `relu` its maximum
    with 0. Arrays C-contiguous, of one float dtype; stride, dilation pairs of ints; padding ((top, bottom),
    (left, right)); checked by the caller."""
    options = stride, padding, dilation, groups
    return _algorithm(x.dtype, len(x), w.shape, *options).forward(x, w, b, size, *options, relu)


def input_grad(g, w, size, stride, padding, dilation, groups):
    """The cotangent of x (N, *size, C) from that of y, g (N, OH, OW, K); the rest as in `forward`."""
    options = stride, padding, dilation, groups
    return _algorithm(g.dtype, len(g), w.shape, *options).input_grad(g, w, size, *options)


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups, db=None):
    """The cotangent of w (fh, fw, C/groups, K) from that of y, g (N, OH, OW, K); the rest as in `forward`.
    That of b, the sum of g over all pixels, is written to `db` (K,), if it is given."""
    options = stride, padding, dilation, groups
    w_shape = (*kernel_size, x.shape[3] // groups, g.shape[3])
    return _algorithm(x.dtype, len(x), w_shape, *options).weight_grad(x, g, kernel_size, *options, db)


def gradients(x, g, w, stride, padding, dilation, groups, db=None):
    """`input_grad` and `weight_grad`."""
    options = stride, padding, dilation, groups
    algorithm = _algorithm(x.dtype, len(x), w.shape, *options)
    if algorithm is depthwise:
        return depthwise.gradients(x, g, w, *options, db)
    dw = algorithm.weight_grad(x, g, w.shape[:2], *options, db)  # first, for that takes more scratch
    return algorithm.input_grad(g, w, x.shape[1:3], *options), dw

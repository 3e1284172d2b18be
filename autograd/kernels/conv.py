"""Convolution over channels-last images and its two gradients: which algorithm computes them.

    y[n, i, j, k] = b[k] + sum over (a, e, c) of x[n, i*sh + a*dh - top, j*sw + e*dw - left, c] w[a, e, c, k]

(cross-correlation, as in all of deep learning), x outside the image being 0; with groups, filter k sees only
the C/groups channels of its group. Shapes: x (N, H, W, C), w (fh, fw, C/groups, K), y (N, OH, OW, K)."""

import os

from . import batched, conv_plain, depthwise, direct, winograd
from . import memory as memory  # large arrays come and go: keep their pages
from .simd import LANES, NAME

WINOGRAD = NAME != "off" and os.environ.get("NGRAD_WINOGRAD") != "off"


def _algorithm(dtype, images, kernel_size, stride, padding, dilation, groups, channels, filters, gradient):
    """The module that computes this convolution or, if `gradient`, one of its gradients.

    float64 is the plain path. Winograd does a quarter of the products of 3x3 filters at stride 1, and pays
    with transforms of every channel: forward and both gradients it takes 0.4 of the time of direct sums at 64
    to 256 channels, 0.8 at 16. From 512 on the transformed filters are 38 MB, and reading them costs what the
    products save. Where a row of the kernel sees few numbers (5 to 48 in the first layers of LeNet or
    ResNet), gathering patches costs more than the products: `batched` reads them where they are, in 0.2 to
    0.8 of the time. It wants a batch of images for the tile's rows, unless a row of the image has enough
    pixels."""
    if dtype != "float32":
        return conv_plain
    narrow, wide = min(channels, filters), max(channels, filters)
    if groups > 1:
        return depthwise if depthwise.suits(groups, channels, filters) else direct
    unspread = dilation[1] == 1
    inside = padding[0][0] <= 2 and padding[1][0] <= 2
    if WINOGRAD and kernel_size == (3, 3) and stride == dilation == (1, 1) and inside and narrow >= LANES:
        return winograd if wide < 512 else direct
    run = kernel_size[1] * channels
    few = unspread and run <= 96 and images >= 8
    if (
        few
        and (filters <= LANES or not gradient or channels < LANES)
        and kernel_size[0] * run * filters <= 1 << 14
    ):
        return batched
    return direct


def forward(x, w, b, size, stride, padding, dilation, groups):
    """x (N, H, W, C), w (fh, fw, C/groups, K), b (K,) or None -> y (N, *size, K). Arrays C-contiguous, of one
    float dtype; stride, dilation pairs of ints; padding ((top, bottom), (left, right)); checked by the
    caller."""
    options = stride, padding, dilation, groups
    chosen = _algorithm(x.dtype, len(x), w.shape[:2], *options, x.shape[3], w.shape[3], False)
    return chosen.forward(x, w, b, size, *options)


def input_grad(g, w, size, stride, padding, dilation, groups):
    """The cotangent of x (N, *size, C) from that of y, g (N, OH, OW, K); the rest as in `forward`."""
    options = stride, padding, dilation, groups
    chosen = _algorithm(g.dtype, len(g), w.shape[:2], *options, w.shape[2] * groups, w.shape[3], True)
    return chosen.input_grad(g, w, size, *options)


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups):
    """The cotangent of w (fh, fw, C/groups, K) from that of y, g (N, OH, OW, K); the rest as in `forward`."""
    options = stride, padding, dilation, groups
    chosen = _algorithm(x.dtype, len(x), kernel_size, *options, x.shape[3], g.shape[3], True)
    return chosen.weight_grad(x, g, kernel_size, *options)

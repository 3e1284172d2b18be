"""Rows of convolution. The references are the definition's sums, one Python loop an index."""

import itertools

import numpy as np

from tests.cases import Case


def taps(size, kernel, out, stride, pads, dilation=(1, 1)):
    """Every (output row, output column, kernel row, kernel column, image row, image column) that lies inside
    the image."""
    for i, j, a, e in itertools.product(*map(range, (*out, *kernel))):
        h = i * stride[0] - pads[0][0] + a * dilation[0]
        w = j * stride[1] - pads[1][0] + e * dilation[1]
        if 0 <= h < size[0] and 0 <= w < size[1]:
            yield i, j, a, e, h, w


def both(v):
    return (v, v) if isinstance(v, int) else tuple(v)


def plan(size, kernel, stride, padding, dilation=1):
    """Output size, stride, pads and dilation, as the options mean them."""
    stride, dilation = both(stride), both(dilation)
    span = [d * (f - 1) + 1 for d, f in zip(dilation, kernel)]
    if padding == "same":
        out = [-(-n // s) for n, s in zip(size, stride)]
        total = [max((o - 1) * s + k - n, 0) for o, s, k, n in zip(out, stride, span, size)]
        return tuple(out), stride, [(t // 2, t - t // 2) for t in total], dilation
    pads = [(0, 0)] * 2 if padding == "valid" else [both(p) for p in both(padding)]
    out = tuple((n + sum(p) - k) // s + 1 for n, p, k, s in zip(size, pads, span, stride))
    return out, stride, pads, dilation


def in_group(k, filters, depth, groups):
    """The input channels that filter k sees."""
    group = k * groups // filters
    return range(group * depth, (group + 1) * depth)


def naive_conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1, relu=False):
    out, *options = plan(x.shape[1:3], w.shape[:2], stride, padding, dilation)
    y = np.zeros((x.shape[0], *out, w.shape[3]), x.dtype)
    y += 0 if b is None else b
    for m, k in np.ndindex(x.shape[0], w.shape[3]):
        for d, c in enumerate(in_group(k, w.shape[3], w.shape[2], groups)):
            for i, j, a, e, row, column in taps(x.shape[1:3], w.shape[:2], out, *options):
                y[m, i, j, k] += x[m, row, column, c] * w[a, e, d, k]
    return np.maximum(y, 0) if relu else y


def naive_input_grad(g, w, size, stride=1, padding=0, dilation=1, groups=1):
    out, *options = plan(size, w.shape[:2], stride, padding, dilation)
    dx = np.zeros((g.shape[0], *size, w.shape[2] * groups), g.dtype)
    for m, k in np.ndindex(g.shape[0], w.shape[3]):
        for d, c in enumerate(in_group(k, w.shape[3], w.shape[2], groups)):
            for i, j, a, e, row, column in taps(size, w.shape[:2], out, *options):
                dx[m, row, column, c] += g[m, i, j, k] * w[a, e, d, k]
    return dx


def naive_weight_grad(x, g, kernel_size, stride=1, padding=0, dilation=1, groups=1):
    kernel = both(kernel_size)
    out, *options = plan(x.shape[1:3], kernel, stride, padding, dilation)
    depth = x.shape[3] // groups
    dw = np.zeros((*kernel, depth, g.shape[3]), x.dtype)
    for m, k in np.ndindex(x.shape[0], g.shape[3]):
        for d, c in enumerate(in_group(k, g.shape[3], depth, groups)):
            for i, j, a, e, row, column in taps(x.shape[1:3], kernel, out, *options):
                dw[a, e, d, k] += x[m, row, column, c] * g[m, i, j, k]
    return dw


# note: (shape of x, shape of w, options). Filters by fours and a rest, channels 1, 3 and more, every option
# alone and together.
CONVOLUTIONS = {
    "plain": ((2, 5, 6, 3), (3, 3, 3, 5), {}),
    "one-channel": ((2, 6, 5, 1), (5, 5, 1, 6), {"padding": 2}),
    "1x1": ((2, 3, 4, 5), (1, 1, 5, 4), {}),
    "stride": ((1, 7, 8, 2), (3, 2, 2, 4), {"stride": (2, 3)}),
    "padded-one-side": ((1, 4, 5, 2), (3, 3, 2, 3), {"padding": ((2, 0), (1, 3))}),
    "same": ((1, 5, 5, 2), (3, 3, 2, 2), {"padding": "same"}),
    "same-stride": ((1, 5, 6, 2), (3, 3, 2, 2), {"padding": "same", "stride": 2}),
    "same-even": ((1, 4, 4, 1), (2, 4, 1, 3), {"padding": "same"}),
    "valid": ((1, 4, 4, 1), (3, 3, 1, 1), {"padding": "valid"}),
    "dilation": ((1, 7, 6, 2), (3, 2, 2, 3), {"dilation": (2, 3), "padding": 1}),
    "groups": ((1, 4, 4, 4), (3, 3, 2, 6), {"groups": 2, "padding": 1}),
    "depthwise": ((1, 5, 4, 3), (3, 3, 1, 3), {"groups": 3, "padding": 1}),
    "all": (
        (1, 8, 7, 4),
        (2, 3, 2, 6),
        {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2), "groups": 2},
    ),
    "kernel-in-the-padding": ((1, 2, 2, 1), (3, 3, 1, 1), {"padding": 4, "stride": 3}),
    "rows-left-over": ((1, 6, 6, 1), (2, 2, 1, 1), {"stride": 4}),
}


def normal(*shapes):
    return lambda rng: tuple(s if s is None or isinstance(s, int) else rng.standard_normal(s) for s in shapes)


def of_output(shape, w, options):
    """The shape of the convolution's output."""
    geometry = {k: v for k, v in options.items() if k != "groups"}
    out, *_ = plan(shape[1:3], w[:2], **{"stride": 1, "padding": 0, **geometry})
    return (shape[0], *out, w[3])


def convolution_rows():
    for note, (x, w, options) in CONVOLUTIONS.items():
        g = of_output(x, w, options)
        yield Case("conv2d", normal(x, w, w[3:]), naive_conv2d, options, note)
        yield Case("conv2d_input_grad", normal(g, w), naive_input_grad, {"size": x[1:3], **options}, note)
        yield Case(
            "conv2d_weight_grad", normal(x, g), naive_weight_grad, {"kernel_size": w[:2], **options}, note
        )
    yield Case("conv2d", normal((2, 4, 4, 2), (3, 3, 2, 3)), naive_conv2d, {}, "no-bias")
    relu = {"relu": True, "padding": 1}
    yield Case("conv2d", normal((2, 4, 4, 2), (3, 3, 2, 3), (3,)), naive_conv2d, relu, "relu")
    yield Case("conv2d", normal((2, 4, 4, 2), (3, 3, 2, 3)), naive_conv2d, relu, "relu-no-bias")


CASES = list(convolution_rows())

"""Rows of convolution over volumes. The references are the definition's sums, one Python loop an index.

In float32 most rows run the register tile of `kernels.volumes`; `depthwise`, `1x1x1` and `planes` go plane by
plane."""

import numpy as np

from tests.cases import Case


def three(v):
    return (v,) * 3 if isinstance(v, int) else tuple(v)


def plan(size, kernel, stride=1, padding=0, dilation=1):
    """Output size, stride, pads and dilation, as the options mean them."""
    stride, dilation = three(stride), three(dilation)
    span = [d * (f - 1) + 1 for d, f in zip(dilation, kernel)]
    if padding == "same":
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(size, stride, span)]
        pads = [(t // 2, t - t // 2) for t in total]
    elif padding == "valid":
        pads = [(0, 0)] * 3
    else:
        pads = [(p, p) if isinstance(p, int) else p for p in three(padding)]
    out = tuple((n + sum(p) - k) // s + 1 for n, p, k, s in zip(size, pads, span, stride))
    return out, stride, pads, dilation


def taps(size, kernel, stride=1, padding=0, dilation=1):
    """Every (output place, kernel place, input place) inside the volume."""
    out, stride, pads, dilation = plan(size, kernel, stride, padding, dilation)
    for to in np.ndindex(out):
        for tap in np.ndindex(*kernel):
            at = tuple(i * s - p[0] + a * d for i, s, p, a, d in zip(to, stride, pads, tap, dilation))
            if all(0 <= i < n for i, n in zip(at, size)):
                yield to, tap, at


def split(channels, groups):
    """The channels of each group."""
    each = channels // groups
    return [slice(g * each, (g + 1) * each) for g in range(groups)]


def naive_conv3d(x, w, b=None, groups=1, **options):
    out = plan(x.shape[1:4], w.shape[:3], **options)[0]
    y = np.zeros((len(x), *out, w.shape[4])) + (0 if b is None else b)
    for of_x, of_w in zip(split(x.shape[4], groups), split(w.shape[4], groups)):
        for to, tap, at in taps(x.shape[1:4], w.shape[:3], **options):
            y[(slice(None), *to, of_w)] += x[(slice(None), *at, of_x)] @ w[(*tap, slice(None), of_w)]
    return y


def naive_input_grad(g, w, size, groups=1, b=None, **options):
    dx = np.zeros((len(g), *size, w.shape[3] * groups)) + (0 if b is None else b)
    for of_x, of_w in zip(split(dx.shape[4], groups), split(w.shape[4], groups)):
        for to, tap, at in taps(size, w.shape[:3], **options):
            dx[(slice(None), *at, of_x)] += g[(slice(None), *to, of_w)] @ w[(*tap, slice(None), of_w)].T
    return dx


def naive_weight_grad(x, g, kernel_size, groups=1, **options):
    dw = np.zeros((*kernel_size, x.shape[4] // groups, g.shape[4]))
    for of_x, of_w in zip(split(x.shape[4], groups), split(g.shape[4], groups)):
        for to, tap, at in taps(x.shape[1:4], kernel_size, **options):
            dw[(*tap, slice(None), of_w)] += x[(slice(None), *at, of_x)].T @ g[(slice(None), *to, of_w)]
    return dw


# note: (shape of x, shape of w, options)
CONVOLUTIONS = {
    "plain": ((2, 3, 3, 2, 2), (2, 2, 2, 2, 3), {}),
    "1x1x1": ((1, 2, 2, 3, 3), (1, 1, 1, 3, 2), {}),
    "padded": ((1, 2, 3, 2, 2), (3, 3, 2, 2, 2), {"padding": (1, 2, 1)}),
    "padded-one-side": ((1, 2, 3, 2, 1), (2, 2, 2, 1, 2), {"padding": ((2, 0), (0, 1), (1, 0))}),
    "same-stride": ((1, 4, 3, 3, 1), (3, 2, 2, 1, 2), {"padding": "same", "stride": 2}),
    "valid": ((1, 3, 2, 3, 1), (2, 2, 2, 1, 1), {"padding": "valid"}),
    "all": (
        (1, 5, 3, 4, 4),
        (2, 2, 2, 2, 4),
        {"stride": (2, 1, 3), "padding": (1, 0, 2), "dilation": (2, 1, 2), "groups": 2},
    ),
    "planes": ((2, 2, 3, 2, 2), (1, 2, 2, 2, 3), {"padding": (0, 1, 0)}),
    "a-row": ((2, 1, 1, 5, 2), (1, 1, 3, 2, 3), {"padding": (0, 0, 2), "stride": (1, 1, 2)}),
    "strided-planes": ((1, 1, 4, 5, 2), (1, 2, 3, 2, 3), {"stride": (1, 2, 2), "padding": (0, 0, 1)}),
    "depthwise": ((1, 3, 3, 2, 3), (2, 2, 2, 1, 3), {"groups": 3}),
    "slices-in-the-padding": ((1, 1, 2, 2, 1), (4, 2, 2, 1, 1), {"padding": (3, 0, 0), "stride": (2, 1, 1)}),
    "planes-left-over": ((1, 6, 2, 2, 1), (2, 2, 1, 1, 1), {"stride": (4, 1, 1)}),
}


def normal(*shapes):
    return lambda rng: tuple(rng.standard_normal(s) for s in shapes)


def biased(arrays, size, stride):
    g, w, b = arrays
    return g, w, size, stride, 0, 1, 1, b


def rows():
    for note, (x, w, options) in CONVOLUTIONS.items():
        places = {k: v for k, v in options.items() if k != "groups"}
        g = (x[0], *plan(x[1:4], w[:3], **places)[0], w[4])
        yield Case("conv3d", normal(x, w, w[4:]), naive_conv3d, options, note)
        yield Case("conv3d_input_grad", normal(g, w), naive_input_grad, {"size": x[1:4], **options}, note)
        yield Case(
            "conv3d_weight_grad", normal(x, g), naive_weight_grad, {"kernel_size": w[:3], **options}, note
        )
    for size, f, stride in (((3, 4, 3), (2, 2, 2), 2), ((2, 3, 2), (1, 2, 2), 1), ((3, 3, 2), (2, 2, 1), 1)):
        shapes = (2, *plan(size, f, stride)[0], 3), (*f, 2, 3), (2,)
        yield Case(
            "conv3d_input_grad",
            lambda rng, size=size, stride=stride, shapes=shapes: biased(normal(*shapes)(rng), size, stride),
            lambda g, w, size, stride, padding, dilation, groups, b: naive_input_grad(
                g, w, size, stride=stride, b=b
            ),
            {},
            f"transposed-{'x'.join(map(str, f))}-s{stride}",
        )
    yield Case("conv3d", normal((1, 2, 3, 2, 2), (2, 2, 2, 2, 1)), naive_conv3d, {}, "no-bias")


CASES = list(rows())

"""Rows of pooling. The references are the definitions, one Python loop an index."""

import itertools

import numpy as np

from tests.cases import Case


def each(v, axes=2):
    return (v,) * axes if isinstance(v, int) else tuple(v)


def along(n, f, s, pads, d, ceil_mode):
    """The pixels of each window along an axis: those in the padding too, but none beyond it."""
    end = n + pads[1]
    starts = [a for a in range(-pads[0], end, s) if a + d * (f - 1) < end]
    if ceil_mode and starts[-1] + d * (f - 1) < end - 1 and starts[-1] + s < n:
        starts.append(starts[-1] + s)
    return [[p for p in range(a, a + d * (f - 1) + 1, d) if p < end] for a in starts]


def adaptive(n, out):
    return [range(int(np.floor(i * n / out)), int(np.ceil((i + 1) * n / out))) for i in range(out)]


def windows_of(size, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The windows along each axis."""
    axes = len(size)
    kernel, dilation = each(kernel_size, axes), each(dilation, axes)
    stride = kernel if stride is None else each(stride, axes)
    if padding == "same":
        total = [max((-(-n // s) - 1) * s + f - n, 0) for n, s, f in zip(size, stride, kernel)]
        pads = [(t // 2, t - t // 2) for t in total]
    else:
        pads = [each(p) for p in each(padding, axes)]
    return [along(*axis, ceil_mode) for axis in zip(size, kernel, stride, pads, dilation)]


def pixels_of(window, size):
    """The pixels of a window, a range an axis, that lie in the image."""
    return [p for p in itertools.product(*window) if all(0 <= i < n for i, n in zip(p, size))]


def values_of(window, x):
    return [x[(slice(None), *p)] for p in pixels_of(window, x.shape[1:-1])]


def over(windows, x, value):
    """value(x, window) at each place of the output."""
    places = [value(x, window) for window in itertools.product(*windows)]
    return np.stack(places, 1).reshape(len(x), *map(len, windows), x.shape[-1])


def maximum(x, window):
    return np.max(values_of(window, x), axis=0)


def place(x, window):
    size = x.shape[1:-1]
    places = np.array([np.ravel_multi_index(p, size) for p in pixels_of(window, size)])
    return places[np.argmax(values_of(window, x), axis=0)]


def mean_of(counted):
    def mean(x, window):
        values = values_of(window, x)
        return np.sum(values, axis=0) / (np.prod([*map(len, window)]) if counted else len(values))

    return mean


def naive_max_pool(x, **options):
    return over(windows_of(x.shape[1:-1], **options), x, maximum)


def naive_avg_pool(x, count_include_pad=True, **options):
    return over(windows_of(x.shape[1:-1], **options), x, mean_of(count_include_pad))


def naive_adaptive(x, output_size):
    size = x.shape[1:-1]
    windows = [adaptive(*axis) for axis in zip(size, each(output_size, len(size)))]
    return over(windows, x, mean_of(False))


def transposed(g, size, average):
    """The transpose of averaging, found by averaging each unit image."""
    dx = np.zeros((g.shape[0], *size, g.shape[-1]), g.dtype)
    for place in np.ndindex(*size):
        unit = np.zeros((1, *size, 1), g.dtype)
        unit[(0, *place)] = 1
        dx[(slice(None), *place)] = (g * average(unit)).sum(axis=tuple(range(1, g.ndim - 1)))
    return dx


def naive_avg_pool_grad(g, size, **options):
    return transposed(g, size, lambda unit: naive_avg_pool(unit, **options))


def naive_adaptive_grad(g, size):
    return transposed(g, size, lambda unit: naive_adaptive(unit, g.shape[1:-1]))


def naive_gather(x, index):
    planes = x.reshape(x.shape[0], -1, x.shape[-1])
    y = np.empty(index.shape, x.dtype)
    for at in np.ndindex(index.shape):
        y[at] = planes[at[0], index[at], at[-1]]
    return y


def naive_scatter(g, index, size, **windows):
    dx = np.zeros((g.shape[0], np.prod(size), g.shape[-1]), g.dtype)
    for at in np.ndindex(index.shape):
        dx[at[0], index[at], at[-1]] += g[at]
    return dx.reshape(g.shape[0], *size, g.shape[-1])


# note: (shape of x, options)
POOLINGS = {
    "2x2": ((2, 4, 6, 3), {"kernel_size": 2}),
    "overlapping": ((1, 7, 7, 2), {"kernel_size": 3, "stride": 2}),
    "padded": ((1, 5, 4, 2), {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1}),
    "padded-one-side": ((1, 4, 4, 1), {"kernel_size": 3, "stride": 2, "padding": ((0, 1), (0, 1))}),
    "same": ((1, 5, 4, 2), {"kernel_size": 3, "stride": 1, "padding": "same"}),
    "gaps": ((1, 7, 5, 1), {"kernel_size": 1, "stride": 3}),
    "wide": ((1, 5, 9, 2), {"kernel_size": (2, 8), "stride": 1}),
    "ceil": ((1, 6, 5, 2), {"kernel_size": (3, 2), "stride": 2, "ceil_mode": True}),
    "ceil-padded": ((1, 6, 7, 2), {"kernel_size": 3, "stride": (2, 4), "padding": 1, "ceil_mode": True}),
    "ceil-in-the-padding": ((1, 3, 2, 1), {"kernel_size": 2, "stride": 2, "padding": 1, "ceil_mode": True}),
    "global": ((2, 3, 4, 5), {"kernel_size": (3, 4)}),
    "vectors": ((1, 3, 4, 19), {"kernel_size": 2, "stride": 1}),
    "volume": ((2, 3, 4, 5, 2), {"kernel_size": (2, 2, 3), "stride": (1, 2, 2)}),
    "volume-padded": ((1, 3, 2, 3, 9), {"kernel_size": (2, 1, 3), "padding": (1, 0, 1), "ceil_mode": True}),
}
DILATED = {
    "dilated": ((1, 7, 6, 2), {"kernel_size": (3, 2), "stride": 1, "dilation": (2, 3)}),
    "dilated-volume": (
        (1, 4, 3, 3, 2),
        {"kernel_size": 2, "stride": 1, "dilation": (2, 1, 2), "padding": (1, 0, 0)},
    ),
    "dilated-padded": ((1, 6, 7, 1), {"kernel_size": 3, "stride": 2, "dilation": 2, "padding": (1, 2)}),
}


def distinct(shape):
    """Values at least 0.1 apart: a step of finite differences moves no maximum."""
    return lambda rng: (0.1 * (1 + rng.permutation(int(np.prod(shape))).reshape(shape)),)


def normal(shape):
    return lambda rng: (rng.standard_normal(shape),)


def cotangent_and_index(shape, options):
    """The cotangent of a max pooling, and the places of its maxima."""

    def make(rng):
        index = over(windows_of(shape[1:-1], **options), *distinct(shape)(rng), place)
        return rng.standard_normal(index.shape), index

    return make


def max_rows():
    for note, (shape, options) in {**POOLINGS, **DILATED}.items():
        yield Case("max_pool2d", distinct(shape), naive_max_pool, options, note)
        how = {"size": shape[1:-1], **options}
        yield Case("max_pool2d_grad", cotangent_and_index(shape, options), naive_scatter, how, note)


def average_rows():
    for note, (shape, options) in POOLINGS.items():
        for counted in (True, False) if options.get("padding") else (True,):
            how = {**options, "count_include_pad": counted}
            name = note if counted else f"{note}-without-padding"
            yield Case("avg_pool2d", normal(shape), naive_avg_pool, how, name)
            g = naive_avg_pool(np.zeros(shape), **how).shape
            yield Case("avg_pool2d_grad", normal(g), naive_avg_pool_grad, {"size": shape[1:-1], **how}, name)


def adaptive_rows():
    for shape, out in (
        ((2, 6, 4, 3), (3, 2)),
        ((1, 5, 7, 2), (3, 4)),
        ((1, 2, 3, 1), 5),
        ((2, 3, 2, 4), 1),
        ((1, 3, 4, 3, 2), (2, 3, 1)),
    ):
        note = f"{shape[1:-1]}-to-{out}"
        yield Case("adaptive_avg_pool2d", normal(shape), naive_adaptive, {"output_size": out}, note)
        g, how = (shape[0], *each(out, len(shape) - 2), shape[-1]), {"size": shape[1:-1]}
        yield Case("adaptive_avg_pool2d_grad", normal(g), naive_adaptive_grad, how, note)


def with_index(shape, index_shape, size):
    """Data and an index that meets some places twice and some never."""
    return lambda rng: (rng.standard_normal(shape), rng.integers(0, np.prod(size), index_shape))


CASES = [
    *max_rows(),
    *average_rows(),
    *adaptive_rows(),
    Case("pool_gather", with_index((2, 3, 4, 3), (2, 2, 3, 3), (3, 4)), naive_gather),
    Case("pool_gather", with_index((1, 2, 3, 2, 2), (1, 2, 2, 2, 2), (2, 3, 2)), naive_gather, note="volume"),
    Case("pool_scatter", with_index((2, 2, 3, 3), (2, 2, 3, 3), (3, 4)), naive_scatter, {"size": (3, 4)}),
]

"""Rows of pooling."""

import numpy as np

import nn
from tests.layer_table import Row, normal, same

SHAPES = {1: (2, 7, 2), 2: (1, 5, 6, 2), 3: (1, 4, 3, 5, 1)}
LARGE = {1: (3, 65, 24), 2: (2, 23, 22, 24), 3: (2, 9, 8, 11, 24)}


def by_axes(name, make, note="", **options):
    """A row for sequences, images and volumes."""
    for axes, shape in SHAPES.items():
        kind = f"{name}{axes}d"
        yield same(
            f"{kind}{', ' if note else ''}{note}",
            lambda n, kind=kind, axes=axes: make(getattr(n, kind), axes),
            shape,
            large=normal(LARGE[axes]),
            **options,
        )


def rows_of_maxima():
    yield from by_axes("MaxPool", lambda kind, axes: kind(2))
    yield from by_axes("MaxPool", lambda kind, axes: kind(3, 2, 1), "overlapping")
    yield from by_axes("MaxPool", lambda kind, axes: kind(2, 2, ceil_mode=True), "rounded up")
    yield from by_axes("MaxPool", lambda kind, axes: kind(2, 1, 0, 2), "dilated")
    yield from by_axes("MaxPool", lambda kind, axes: kind(2, return_indices=True), "with indices")
    yield from by_axes(
        "MaxPool", lambda kind, axes: kind(3, 1, 1, return_indices=True), "overlapping indices"
    )
    yield same("MaxPool2d, pairs", lambda n: n.MaxPool2d((3, 2), (1, 2), (1, 0)), (1, 4, 5, 2))
    yield same("MaxPool3d, triples", lambda n: n.MaxPool3d((2, 1, 3), (1, 2, 2), (1, 0, 1)), (1, 3, 3, 4, 1))
    yield from by_axes("AdaptiveMaxPool", lambda kind, axes: kind(2))
    yield from by_axes("AdaptiveMaxPool", lambda kind, axes: kind(3, True), "with indices")
    yield same("AdaptiveMaxPool2d, one axis kept", lambda n: n.AdaptiveMaxPool2d((None, 4)), (1, 3, 5, 2))


def places(size, kernel):
    """A place inside each window of a grid that does not overlap, by its number in the plane: for each of two
    channels."""

    def make(rng):
        out = tuple(n // k for n, k in zip(size, kernel))
        index = np.empty((1, *out, 2), int)
        for at in np.ndindex(*out, 2):
            place = [i * k + rng.integers(k) for i, k in zip(at[:-1], kernel)]
            index[(0, *at)] = np.ravel_multi_index(place, size)
        return rng.standard_normal(index.shape), index

    return make


def mean_at_places(layer, x, index):
    """Values that fall on one place leave their mean."""
    y = np.zeros((1, 4, 1))
    for place in np.unique(index):
        y[0, place] = x[index == place].mean()
    return y


def rows_of_unpooling():
    yield same("MaxUnpool1d", lambda n: n.MaxUnpool1d(3), inputs=places((6,), (3,)))
    yield same("MaxUnpool2d", lambda n: n.MaxUnpool2d(2), inputs=places((4, 6), (2, 2)))
    yield same("MaxUnpool3d", lambda n: n.MaxUnpool3d((1, 2, 2)), inputs=places((2, 4, 2), (1, 2, 2)))
    yield same(
        "MaxUnpool2d, output size",
        lambda n: n.MaxUnpool2d(2),
        inputs=places((4, 4), (2, 2)),
        call=lambda m, x, index: m(x, index, output_size=(5, 5)),
    )
    yield Row(
        "MaxUnpool1d, overlapping",
        lambda: nn.MaxUnpool1d(2, 1),
        None,
        lambda rng: (rng.standard_normal((1, 3, 1)), np.array([1, 1, 3]).reshape(1, 3, 1)),
        expect=mean_at_places,
    )


def rows_of_means():
    yield from by_axes("AvgPool", lambda kind, axes: kind(2))
    yield from by_axes("AvgPool", lambda kind, axes: kind(3, 2, 1), "overlapping")
    yield from by_axes("AvgPool", lambda kind, axes: kind(3, 2, 1, count_include_pad=False), "pads left out")
    yield from by_axes("AvgPool", lambda kind, axes: kind(3, 2, 1, ceil_mode=True), "rounded up")
    yield same("AvgPool2d, divided by", lambda n: n.AvgPool2d(3, 2, 1, divisor_override=5), (1, 5, 4, 2))
    yield same(
        "AvgPool3d, divided by",
        lambda n: n.AvgPool3d(2, 2, 1, ceil_mode=True, divisor_override=3),
        (1, 3, 4, 3, 1),
    )
    yield same(
        "AvgPool2d, divided by, pads left out",
        lambda n: n.AvgPool2d(2, 2, 1, count_include_pad=False, divisor_override=3),
        (1, 4, 3, 1),
    )
    yield from by_axes("AdaptiveAvgPool", lambda kind, axes: kind(3))
    yield from by_axes("AdaptiveAvgPool", lambda kind, axes: kind((2, 4, 3)[:axes]), "one number an axis")
    yield same("AdaptiveAvgPool2d, global", lambda n: n.AdaptiveAvgPool2d(1), (2, 3, 4, 2))
    yield same(
        "AdaptiveAvgPool3d, one axis kept", lambda n: n.AdaptiveAvgPool3d((None, 2, 1)), (1, 3, 3, 4, 1)
    )
    yield from by_axes("LPPool", lambda kind, axes: kind(2, 2))
    yield from by_axes("LPPool", lambda kind, axes: kind(1, 3, 2), "sum")
    yield same(
        "LPPool2d, cubes",
        lambda n: n.LPPool2d(3, 2, 1, True),
        inputs=lambda rng: (rng.uniform(0.5, 1.5, (1, 3, 4, 2)),),
    )


def samples(n, axes):
    """Where the windows of a fractional pooling lie: the same on both sides."""
    u = np.random.default_rng(5).random((2, 3, axes))
    if n is nn:
        return u
    import torch

    return torch.tensor(u, dtype=torch.float32)


def rows_of_fractional():
    for axes, shape in ((2, (2, 5, 6, 3)), (3, (2, 5, 4, 5, 3))):
        kind = f"FractionalMaxPool{axes}d"
        yield same(
            kind,
            lambda n, kind=kind, a=axes: getattr(n, kind)(2, 2, _random_samples=samples(n, a)),
            shape,
        )
        yield same(
            f"{kind}, by ratios, with indices",
            lambda n, kind=kind, a=axes: getattr(n, kind)(
                (1, 2, 2)[-a:], None, (0.5, 0.7, 0.6)[-a:], True, samples(n, a)
            ),
            shape,
        )


def windows(reduce, size):
    """Pooling by its definition, in windows that do not overlap."""

    def expect(layer, x):
        out = [n // k for n, k in zip(x.shape[1:-1], size)]
        y = np.empty((len(x), *out, x.shape[-1]))
        for at in np.ndindex(*out):
            window = tuple(slice(i * k, (i + 1) * k) for i, k in zip(at, size))
            y[(slice(None), *at)] = reduce(x[(slice(None), *window)], tuple(range(1, len(size) + 1)))
        return y

    return expect


def root_of_squares(a, axis):
    return np.sqrt(np.sum(a * a, axis))


BY_DEFINITION = [
    Row(
        f"{name}{axes}d, by definition", make, None, normal(SHAPES[axes]), expect=windows(reduce, (2,) * axes)
    )
    for axes in SHAPES
    for name, make, reduce in (
        ("MaxPool", lambda axes=axes: getattr(nn, f"MaxPool{axes}d")(2), np.max),
        ("AvgPool", lambda axes=axes: getattr(nn, f"AvgPool{axes}d")(2), np.mean),
        ("LPPool", lambda axes=axes: getattr(nn, f"LPPool{axes}d")(2, 2), root_of_squares),
    )
]

GLOBAL = [
    Row(
        f"{name}, {axes} axes",
        lambda name=name: getattr(nn, name)(),
        None,
        normal(SHAPES[axes]),
        expect=lambda layer, x, reduce=reduce: reduce(x, tuple(range(1, x.ndim - 1))),
    )
    for axes in SHAPES
    for name, reduce in (("GlobalAvgPool", np.mean), ("GlobalMaxPool", np.max))
]

ROWS = [
    *rows_of_maxima(),
    *rows_of_unpooling(),
    *rows_of_means(),
    *rows_of_fractional(),
    *BY_DEFINITION,
    *GLOBAL,
]

"""Rows of layers that move, add and take places: pads, resizing, shuffling, shapes."""

import numpy as np

import nn
from tests.layer_table import Row, as_is, channels_first, channels_last, normal, same

SHAPES = {1: (2, 4, 2), 2: (1, 3, 4, 2), 3: (1, 3, 3, 4, 1)}
WIDTHS = (1, 2, 0, 1, 2, 1)


def rows_of_pads():
    for axes, shape in SHAPES.items():
        for kind in ("ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad"):
            yield same(f"{kind}{axes}d", lambda n, k=f"{kind}{axes}d": getattr(n, k)(1), shape)
            yield same(
                f"{kind}{axes}d, each side",
                lambda n, k=f"{kind}{axes}d", axes=axes: getattr(n, k)(WIDTHS[: 2 * axes]),
                shape,
            )
        yield same(
            f"ConstantPad{axes}d",
            lambda n, axes=axes: getattr(n, f"ConstantPad{axes}d")(WIDTHS[: 2 * axes], 1.5),
            shape,
        )
        yield same(
            f"ConstantPad{axes}d, cropping",
            lambda n, axes=axes: getattr(n, f"ConstantPad{axes}d")((-1, 1, 2, -1, 0, -2)[: 2 * axes], 0.5),
            shape,
        )
    yield same("ZeroPad2d, cropping", lambda n: n.ZeroPad2d((-1, -1, 0, -2)), (1, 4, 4, 2))
    for kind, mode in (
        ("ReflectionPad2d", "reflect"),
        ("ReplicationPad2d", "edge"),
        ("CircularPad2d", "wrap"),
    ):
        yield Row(
            f"{kind}, as NumPy pads",
            lambda kind=kind: getattr(nn, kind)((1, 2, 2, 1)),
            None,
            normal((1, 3, 4, 2)),
            expect=lambda layer, x, mode=mode: np.pad(x, [(0, 0), (2, 1), (1, 2), (0, 0)], mode),
        )


def rows_of_resizing():
    for axes, linear in ((1, "linear"), (2, "bilinear"), (3, "trilinear")):
        shape = (1, *(3, 4, 2)[:axes], 2)
        sizes = {"larger": (7, 5, 4)[:axes], "smaller": (2, 3, 1)[:axes]}
        for mode, corners in ((linear, True), (linear, False), ("nearest", None), ("nearest-exact", None)):
            note = f"{mode}{', corners' if corners else ''}"
            for change, size in sizes.items():
                size = size if axes > 1 else size[0]
                yield same(
                    f"Upsample, {note}, {axes} axes, {change}",
                    lambda n, s=size, m=mode, c=corners: n.Upsample(s, mode=m, align_corners=c),
                    shape,
                )
            for factor in (2, 1.7, 0.6):
                yield same(
                    f"Upsample, {note}, {axes} axes, by {factor}",
                    lambda n, f=factor, m=mode, c=corners: n.Upsample(None, f, m, c),
                    shape,
                )
    for corners in (True, False):
        for factor in (2, (1.5, 0.7)):
            yield same(
                f"Upsample, bicubic, corners {corners}, by {factor}",
                lambda n, f=factor, c=corners: n.Upsample(None, f, "bicubic", c),
                (1, 3, 4, 1),
            )
    yield Row(
        "Upsample, doubled",
        lambda: nn.Upsample(scale_factor=2),
        None,
        normal((1, 2, 3, 2)),
        expect=lambda layer, x: x.repeat(2, 1).repeat(2, 2),
    )


def shuffled(layer, x):
    """Channel (c r + i) r + j of a pixel goes to its row i, column j."""
    r, (m, rows, columns, channels) = layer.upscale_factor, x.shape
    y = np.empty((m, rows * r, columns * r, channels // r**2))
    for c, i, j in np.ndindex(y.shape[3], r, r):
        y[:, i::r, j::r, c] = x[..., (c * r + i) * r + j]
    return y


def rows_of_shuffling():
    yield same("PixelShuffle", lambda n: n.PixelShuffle(2), (1, 2, 3, 8))
    yield Row(
        "PixelShuffle, by definition",
        lambda: nn.PixelShuffle(3),
        None,
        normal((1, 1, 2, 18)),
        expect=shuffled,
    )
    yield same("PixelUnshuffle", lambda n: n.PixelUnshuffle(2), (1, 4, 2, 3))
    yield same("ChannelShuffle", lambda n: n.ChannelShuffle(3), (1, 2, 2, 6))


def patches_last(a, channels=2):
    """PyTorch's patches (m, n_C * f * f, L) as (m, L, f * f * n_C); images as ever."""
    if a.ndim != 3:
        return channels_last(a)
    m, values, count = a.shape
    return a.reshape(m, channels, values // channels, count).transpose(0, 3, 2, 1).reshape(m, count, values)


def patches_first(a, channels=2):
    """The way back."""
    if a.ndim != 3:
        return channels_first(a)
    m, count, values = a.shape
    return a.reshape(m, count, values // channels, channels).transpose(0, 3, 2, 1).reshape(m, values, count)


def rows_of_patches():
    moved = dict(to_torch=patches_first, from_torch=patches_last)
    yield same("Unfold", lambda n: n.Unfold(2), (2, 3, 4, 2), **moved)
    yield same(
        "Unfold, all options", lambda n: n.Unfold((2, 3), (2, 1), (1, 2), (2, 3)), (1, 4, 5, 2), **moved
    )
    yield same("Fold", lambda n: n.Fold((3, 4), 2), (2, 6, 8), **moved)
    yield same(
        "Fold, all options",
        lambda n: n.Fold((4, 5), (2, 3), (2, 1), (1, 2), (2, 3)),
        (1, 6, 12),
        **moved,
    )


def rows_of_shapes():
    plain = dict(to_torch=as_is, from_torch=as_is)
    yield same("Flatten", lambda n: n.Flatten(), (2, 3, 2, 2), **plain)
    yield same("Flatten, some axes", lambda n: n.Flatten(0, -2), (2, 3, 2), **plain)
    yield same("Unflatten", lambda n: n.Unflatten(1, (2, 3)), (2, 6, 2), **plain)
    yield same("Unflatten, one length open", lambda n: n.Unflatten(-1, (2, -1)), (2, 6), **plain)
    yield same("Identity", lambda n: n.Identity(3, unused=4), (2, 3), **plain)
    yield Row(
        "Reshape",
        lambda: nn.Reshape(3, -1),
        None,
        normal((2, 12)),
        expect=lambda layer, x: x.reshape(2, 3, 4),
    )
    yield Row(
        "Permute",
        lambda: nn.Permute(0, 2, 1),
        None,
        normal((2, 3, 4)),
        expect=lambda layer, x: x.transpose(0, 2, 1),
    )


ROWS = [
    *rows_of_pads(),
    *rows_of_resizing(),
    *rows_of_shuffling(),
    *rows_of_patches(),
    *rows_of_shapes(),
]

"""Convolution of sequences and volumes, and transposed convolution of images. Inputs need a gradient, filters
and biases too; paddings keep the size, or double it."""

from functools import partial

import numpy as np

from benchmarks.calls import LAYOUTS, sides
from benchmarks.case import Case


def normal(rng, *shape, scale=1.0):
    return np.asarray(scale * rng.standard_normal(shape), np.float32)


def data(rng, x, w, y, **options):
    """Shapes of the input, the filters and the output."""
    fan = np.prod(w[:-1]) if "output_padding" not in options else w[-1] * np.prod(w[:-2]) / 4
    made = {"x": normal(rng, *x), "w": normal(rng, *w, scale=fan**-0.5), "g": normal(rng, *y)}
    return made | {"b": normal(rng, y[-1]), "options": options}


def ours(name, x, w, b, options):
    from nn import functional

    call = getattr(functional, name)
    return lambda: call(x, w, b, **options)


def torch(name, x, w, b, options):
    from torch.nn import functional

    call = getattr(functional, name)
    return lambda: call(x, w, b, **options)


def case(title, name, work, full, tiny):
    return Case(
        title,
        data,
        sides(partial(ours, name), partial(torch, name), ("x", "w", "b"), LAYOUTS),
        full,
        tiny,
        {"torch": 0.9},
        work=3 * 2 * work,
        tolerance=4e-5,
        memory=True,
        exact=True,
    )


def transposed(m, n, c):
    options = {"stride": 2, "padding": 1, "output_padding": 1}
    shapes = {"x": (m, n, n, c), "w": (3, 3, c, c), "y": (m, 2 * n, 2 * n, c)}
    return shapes | options


def sequences(m, T, c, f):
    return {"x": (m, T, c), "w": (f, c, c), "y": (m, T, c), "padding": f // 2}


def volumes(m, n, c, f):
    return {"x": (m, n, n, n, c), "w": (f, f, f, c, c), "y": (m, n, n, n, c), "padding": f // 2}


CASES = [
    case(
        "transposed conv 3x3 s2, 8x32x32x64",
        "conv_transpose2d",
        8 * 32 * 32 * 9 * 64 * 64,
        transposed(8, 32, 64),
        transposed(2, 6, 64),
    ),
    case(
        "conv1d 15, 16x512x64",
        "conv1d",
        16 * 512 * 15 * 64 * 64,
        sequences(16, 512, 64, 15),
        sequences(2, 40, 64, 15),
    ),
    case(
        "conv3d 5x5x5, 2x14x14x14x16",
        "conv3d",
        2 * 14**3 * 125 * 16 * 16,
        volumes(2, 14, 16, 5),
        volumes(1, 9, 16, 5),
    ),
]

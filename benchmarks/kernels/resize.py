"""Resizing images to twice their size, forward and backward."""

from functools import partial

import numpy as np

from benchmarks.calls import LAYOUTS, sides
from benchmarks.case import Case


def images(rng, m, n, c):
    shapes = {"x": (m, n, n, c), "g": (m, 2 * n, 2 * n, c)}
    return {name: np.asarray(rng.standard_normal(shape), np.float32) for name, shape in shapes.items()}


def ours(mode, corners, x):
    from nn.functional import interpolate

    return lambda: interpolate(x, scale_factor=2, mode=mode, align_corners=corners)


def torch(mode, corners, x):
    from torch.nn.functional import interpolate

    return lambda: interpolate(x, scale_factor=2, mode=mode, align_corners=corners)


def resize(mode, corners=None):
    return Case(
        f"resize {mode}, 8x32x32x64 to twice" + (", corners aligned" if corners else ""),
        images,
        sides(partial(ours, mode, corners), partial(torch, mode, corners), ("x",), LAYOUTS),
        {"m": 8, "n": 32, "c": 64},
        {"m": 2, "n": 8, "c": 64},
        {"torch": 1.0},
        tolerance=2e-5,
        memory=True,
        exact=True,
    )


CASES = [resize("nearest"), resize("bilinear", False), resize("bilinear", True)]

"""Rows of the activations and of dropout."""

import numpy as np

import nn
from tests.layer_table import Row, normal, same


def spread(rng):
    """Numbers on both sides of every kink, none near one."""
    return (rng.permutation(np.linspace(-7.1, 7.3, 24)).reshape(4, 6),)


def wide(rng):
    """As many as the kernels of elementwise ops are for."""
    return (rng.uniform(-8, 8, (65, 1031)),)


def rows_of_activations():
    for name in (
        "ReLU, LeakyReLU, PReLU, ELU, CELU, SELU, GELU, SiLU, Mish, Sigmoid, LogSigmoid, Tanh, Tanhshrink, "
        "Hardtanh, ReLU6, Hardswish, Softplus, Softshrink, Hardshrink, Softsign"
    ).split(", "):
        yield same(name, lambda n, name=name: getattr(n, name)(), inputs=spread, large=wide)
    yield same(
        "Hardsigmoid",
        lambda n: n.Hardsigmoid(),
        inputs=spread,
        large=wide,
        exempt={"torch": "PyTorch's slope is the float32 next to 1/6, in float64 too"},
    )
    yield same("LeakyReLU, slope", lambda n: n.LeakyReLU(0.3), inputs=spread)
    yield same("ELU, alpha", lambda n: n.ELU(0.7), inputs=spread)
    yield same("CELU, alpha", lambda n: n.CELU(2.5), inputs=spread)
    yield same("GELU, tanh", lambda n: n.GELU("tanh"), inputs=spread, large=wide)
    yield same("Hardtanh, limits", lambda n: n.Hardtanh(-2.0, 5.0), inputs=spread)
    yield same("Softplus, steep", lambda n: n.Softplus(3.0), inputs=spread)
    yield same("Softplus, threshold", lambda n: n.Softplus(2.0, 5.0), inputs=spread)
    yield same("Softshrink, lambda", lambda n: n.Softshrink(2.0), inputs=spread)
    yield same("Hardshrink, lambda", lambda n: n.Hardshrink(2.0), inputs=spread)
    yield same("Threshold", lambda n: n.Threshold(1.0, -3.0), inputs=spread)
    yield same("PReLU, one a channel", lambda n: n.PReLU(3, 0.4), (1, 2, 3, 3), large=normal((8, 60, 61, 3)))
    yield same("RReLU", lambda n: n.RReLU(), inputs=spread, modes=("eval",))
    yield same("RReLU, without chance", lambda n: n.RReLU(0.2, 0.2), inputs=spread)
    for name in ("Softmax", "LogSoftmax", "Softmin"):
        yield same(name, lambda n, name=name: getattr(n, name)(-1), (3, 4), large=normal((300, 257)))
        yield same(f"{name}, first axis", lambda n, name=name: getattr(n, name)(0), (3, 4))
        yield Row(  # our last axis is PyTorch's axis 1
            f"{name}, of images",
            lambda name=name: getattr(nn, name)(),
            lambda torch, name=name: getattr(torch.nn, name)(1),
            normal((1, 2, 3, 4)),
        )
    yield same("Softmax2d", lambda n: n.Softmax2d(), (1, 2, 3, 4))
    yield same("GLU", lambda n: n.GLU(), (3, 6), large=normal((400, 334)))
    yield Row("GLU, of images", lambda: nn.GLU(), lambda torch: torch.nn.GLU(1), normal((1, 2, 3, 4)))


DROPOUTS = [
    same(name, lambda n, name=name: getattr(n, name)(0.3), shape, modes=("eval",))
    for name, shape in (
        ("Dropout", (4, 5)),
        ("Dropout1d", (2, 3, 4)),
        ("Dropout2d", (2, 2, 3, 4)),
        ("Dropout3d", (2, 2, 1, 2, 3)),
        ("AlphaDropout", (4, 5)),
        ("FeatureAlphaDropout", (2, 3, 4)),
    )
] + [same("Dropout, of nothing", lambda n: n.Dropout(0.0), (4, 5))]

ROWS = [*rows_of_activations(), *DROPOUTS]

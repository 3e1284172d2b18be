"""Rows of the elementwise ops and of the activations."""

import math

import numpy as np

from tests.cases import Case


def normal(*shapes):
    """Standard normal arrays of these shapes."""
    return lambda rng: tuple(rng.standard_normal(shape) for shape in shapes)


def between(low, high, *shapes):
    """Uniform arrays of these shapes."""
    return lambda rng: tuple(rng.uniform(low, high, shape) for shape in shapes)


def apart(*shapes):
    """Arrays whose elements keep 0.1 or more from 0 and from each other: no difference crosses a kink."""

    def make(rng):
        sizes = [int(np.prod(shape)) for shape in shapes]
        places = np.arange(1, sum(sizes) + 1) * rng.choice([-1.0, 1.0], sum(sizes))
        parts = np.split(0.1 * rng.permutation(places), np.cumsum(sizes)[:-1])
        return tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))

    return make


def beside(*kinks):
    """Elements on both sides of each of these places, 0.3 or more away from it."""
    return lambda rng: (np.add.outer(kinks, [-0.9, -0.3, 0.3, 0.9]),)


def complexes(*shapes):
    return lambda rng: tuple(rng.standard_normal(shape) + 1j * rng.standard_normal(shape) for shape in shapes)


def then(make, *more):
    """The arrays of `make`, followed by fixed arguments."""
    return lambda rng: (*make(rng), *more)


def before(first, make):
    return lambda rng: (first, *make(rng))


def with_mask(make, shape):
    """A mask of bools, then the arrays of `make`."""
    return lambda rng: (rng.random(shape) < 0.5, *make(rng))


OVERFLOWS = {"huge": "e^10000 is beyond every float"}
POSITIVE = {"huge": "real for positive numbers only"}
WITHIN_ONE = {"huge": "real for -1 <= x <= 1 only"}
SLOW = {"second": "thousands of finite differences; the small rows have it"}
KINK = {"second": "the slope jumps at these points"}


def softplus(x):
    return np.logaddexp(0.0, x)


def sigmoid(x):
    return np.exp(-np.logaddexp(0.0, -x))


erf = np.vectorize(math.erf, otypes=[float])


def leaky_relu(x, negative_slope=0.01):
    return np.where(x > 0, x, negative_slope * x)


def binary(name, function, make, **fields):
    """One op of two arrays: equal shapes, broadcasting both ways, 0-d, and a Python number on either side."""
    shapes = {
        "": ((3, 4), (3, 4)),
        "row": ((3, 4), (4,)),
        "column": ((3, 1), (1, 4)),
        "left": ((4,), (2, 3, 4)),
        "0-d": ((2, 3), ()),
        "both 0-d": ((), ()),
        "empty": ((3, 0), (1,)),
    }
    rows = [
        Case(name, make(*pair), function, note=note, elementwise=not note, **fields)
        for note, pair in shapes.items()
    ]
    rows.append(Case(name, then(make((3, 4)), 1.75), function, note="array, number", **fields))
    rows.append(Case(name, before(1.75, make((3, 4))), function, note="number, array", **fields))
    return rows


def unary(name, function, make=None, **fields):
    return Case(name, make or normal((3, 4)), function, elementwise=True, **fields)


def positive(*shapes):
    return between(0.5, 2.0, *shapes)


ARITHMETIC = [
    *binary("add", np.add, normal),
    *binary("subtract", np.subtract, normal),
    *binary("multiply", np.multiply, normal),
    *binary("divide", np.divide, positive),
    *binary("power", np.power, positive, exempt={"huge": "10000 ** 10000 is beyond every float"}),
    *binary("mod", np.mod, lambda *shapes: between(1.2, 1.7, *shapes)),
    *binary("maximum", np.maximum, apart),
    *binary("minimum", np.minimum, apart),
    Case(
        "mod",
        lambda rng: (rng.uniform(-7.9, -7.1, 5), np.array([3.0, 3.0, -3.0, 3.0, -3.0])),
        np.mod,
        note="signs",
    ),
    Case("maximum", lambda rng: (np.arange(4.0), np.arange(4.0)), np.maximum, note="ties", exempt=KINK),
    Case("minimum", lambda rng: (np.arange(4.0), np.arange(4.0)), np.minimum, note="ties", exempt=KINK),
]

WHOLE = [-3, -2, -1, 0, 1, 2, 3, 5]
POWERS = [
    *(Case("power", then(apart((3, 4)), n), np.power, note=f"{n}") for n in WHOLE),
    *(
        Case("power", then(positive((3, 4)), p), np.power, note=f"{p}", exempt=POSITIVE)
        for p in (0.5, -1.5, 2.0, 3.0)
    ),
    *(
        Case("power", then(lambda rng: (np.zeros(3),), n), np.power, note=f"0 ** {n}")
        for n in (0, 1, 2, 3, 2.0)
    ),
    Case("power", lambda rng: (np.zeros(5), np.array([0, 1, 2, 3, 4])), np.power, note="0 ** integers"),
    Case("power", lambda rng: (rng.standard_normal((2, 3)), np.array([2, 3, 1])), np.power, note="integers"),
]

UNARY = [
    unary("negative", np.negative),
    unary("reciprocal", np.reciprocal, apart((3, 4))),
    unary("square", np.square),
    unary("sqrt", np.sqrt, positive((3, 4)), exempt=POSITIVE),
    unary("absolute", np.absolute, apart((3, 4))),
    unary("exp", np.exp, exempt=OVERFLOWS),
    unary("expm1", np.expm1, exempt=OVERFLOWS),
    unary("log", np.log, positive((3, 4)), exempt=POSITIVE),
    unary("log1p", np.log1p, positive((3, 4)), exempt=POSITIVE),
    unary("sin", np.sin),
    unary("cos", np.cos),
    unary("tan", np.tan, between(-1.0, 1.0, (3, 4))),
    unary("arcsin", np.arcsin, between(-0.8, 0.8, (3, 4)), exempt=WITHIN_ONE),
    unary("arccos", np.arccos, between(-0.8, 0.8, (3, 4)), exempt=WITHIN_ONE),
    unary("arctan", np.arctan),
    unary("sinh", np.sinh, exempt=OVERFLOWS),
    unary("cosh", np.cosh, exempt=OVERFLOWS),
    unary("tanh", np.tanh),
    unary("clone", np.copy),
    unary("conj", np.conjugate, note="of reals"),
    unary("real", np.real, note="of reals"),
    unary("imag", np.imag, note="of reals"),
    Case(
        "astype",
        then(normal((3, 4)), float),
        lambda x, dtype: x.astype(dtype),
        exempt={"float32": "asks for float64"},
    ),
    Case(
        "astype",
        then(normal((3, 4)), complex),
        lambda x, t: x.astype(t),
        note="complex",
        exempt={"float32": "asks for 128"},
    ),
]

SELECTION = [
    Case("where", with_mask(normal((3, 4), (3, 4)), (3, 4)), np.where, elementwise=True),
    Case("where", with_mask(normal((4,), (2, 1)), (2, 1, 4)), np.where, note="broadcast"),
    Case("where", with_mask(normal((2, 3, 4), ()), (4,)), np.where, note="0-d"),
    Case("where", with_mask(then(normal((3, 4)), 0.5), (3, 4)), np.where, note="array, number"),
    Case("where", with_mask(before(0.5, normal((3, 4))), (3, 4)), np.where, note="number, array"),
    Case("where", lambda rng: (rng.integers(0, 2, 5), *normal(5, 5)(rng)), np.where, note="mask of integers"),
    Case("clip", then(apart((3, 4)), -0.55, 0.65), np.clip, elementwise=True),
    Case("clip", then(apart((3, 4)), None, 0.65), np.clip, note="no lower limit"),
    Case("clip", then(apart((3, 4)), -0.55, None), np.clip, note="no upper limit"),
    Case("clip", apart((3, 4)), np.clip, kwargs={"min": -0.55}, note="min"),
    Case("clip", apart((3, 4)), np.clip, kwargs={"max": 0.65, "min": 0.05}, note="min and max"),
    Case("clip", apart((3, 4)), np.clip, kwargs={"a_min": -0.55, "a_max": 0.65}, note="a_min and a_max"),
    Case(
        "clip",
        lambda rng: (*apart((3, 4))(rng), np.array([-0.33, -0.22, 0.03, 0.0]), np.array(0.77)),
        np.clip,
        note="arrays",
    ),
]

ACTIVATIONS = [
    unary("sigmoid", sigmoid),
    unary("softplus", softplus),
    unary("relu", lambda x: x * (x > 0), apart((3, 4))),
    unary("leaky_relu", leaky_relu, apart((3, 4))),
    Case("leaky_relu", then(apart((3, 4)), 0.2), leaky_relu, note="0.2"),
    Case("leaky_relu", then(apart((3, 4)), 1.5), leaky_relu, note="steeper below 0"),
    unary("erf", erf),
    unary("gelu", lambda x: 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))),
    unary("gelu_tanh", lambda x: x * sigmoid(np.sqrt(8.0 / np.pi) * (x + 0.044715 * x**3))),
    unary("elu", lambda x, alpha=1.0: np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))),
    Case(
        "elu",
        then(apart((3, 4)), 0.5),
        lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1)),
        note="0.5",
    ),
    unary("silu", lambda x: x * sigmoid(x)),
    unary("mish", lambda x: x * np.tanh(np.logaddexp(0, x))),
    unary("hardtanh", lambda x: np.clip(x, -1, 1), beside(-1.0, 1.0)),
    Case(
        "hardtanh",
        then(beside(-0.5, 0.25), -0.5, 0.25),
        lambda x, low, high: np.clip(x, low, high),
        note="limits",
    ),
    unary("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, beside(-3.0, 3.0)),
    unary("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6, beside(-3.0, 3.0)),
    Case(
        "dropout",
        lambda rng: (rng.standard_normal((3, 4)), rng.random((3, 4)) < 0.8, 0.8),
        lambda x, mask, keep: np.where(mask, x / keep, 0.0),
        elementwise=True,
    ),
    Case(
        "dropout",
        lambda rng: (rng.standard_normal((2, 3, 4)), rng.integers(0, 2, (2, 1, 4)), 0.5),
        lambda x, mask, keep: np.where(mask == 1, x / keep, 0.0),
        note="whole channels",
    ),
]

LARGE = [  # over 1,000 elements np.where takes another way
    Case("where", with_mask(normal((40, 30), (40, 30)), (40, 30)), np.where, note="large", exempt=SLOW),
    Case(
        "where", with_mask(then(normal((40, 30)), 0.0), (40, 30)), np.where, note="large, zero", exempt=SLOW
    ),
]

COMPLEX = [
    *(
        unary(name, getattr(np, name), complexes((2, 3)), note="complex")
        for name in ("conj", "real", "imag", "absolute")
    ),
    Case("multiply", complexes((2, 3), (3,)), np.multiply, note="complex"),
    Case("divide", complexes((2, 3), (3,)), np.divide, note="complex"),
    Case("multiply", lambda rng: (*complexes(3)(rng), *normal(3)(rng)), np.multiply, note="complex by real"),
    Case("exp", complexes((2, 3)), np.exp, note="complex", exempt=OVERFLOWS),
]

CASES = [*ARITHMETIC, *POWERS, *UNARY, *SELECTION, *ACTIVATIONS, *LARGE, *COMPLEX]

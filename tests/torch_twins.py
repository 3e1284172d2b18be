"""NumPy's functions and PyTorch's of the same definition: how a call of one reads in the words of the other,
and calls on edge shapes. Elementwise functions, reductions, and what runs along an axis."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Twin:
    """The function `name` of NumPy and its twin in torch (a path below `torch`). Calls are written in
    PyTorch's words: `edges` are `(arguments, keywords)`, documented examples come from PyTorch's docstring.

    `ours(f, *arguments, **keywords)` makes NumPy's call; without it only keywords are renamed. `theirs` takes
    from PyTorch's result what NumPy returns, `both` takes from both results what a derivative is defined of.
    `leaves` are the positions of the differentiable arguments, where not all tensors are. Whole numbers of
    the examples become floats, unless not `whole`. `instead(torch, ...)` says the same in other words where
    PyTorch's own function fails in backward, or differs.
    """

    name: str
    torch: str
    edges: tuple
    ours: Callable | None = None
    theirs: Callable = lambda y: y
    both: Callable = lambda y: y
    leaves: tuple | None = None
    whole: bool = True
    instead: Callable | None = None

    def __str__(self):
        return self.name


def call(*args, **kwargs):
    return args, kwargs


def some(*shape, low=-2.0, high=2.0):
    return np.array(RNG.uniform(low, high, shape))


def complexes(*shape):
    return np.array(some(*shape) + 1j * some(*shape))


# ---- elementwise


def unary(name, torch, low=-2.0, high=2.0, points=(), also_complex=True, **fields):
    shapes = [(), (0,), (3, 0), (2, 3), (2, 1, 3)]
    edges = [call(some(*shape, low=low, high=high)) for shape in shapes]
    edges += [call(np.array(points))] if points else []
    edges += [call(complexes(*shape)) for shape in ((), (0,), (2, 3))] if also_complex else []
    return Twin(name, torch, tuple(edges), **fields)


PAIRS = [
    ((), ()),
    ((2, 3), (2, 3)),
    ((2, 3), ()),
    ((), (3,)),
    ((3,), (2, 1)),
    ((2, 1, 3), (4, 1)),
    ((0, 3), (1,)),
]


def binary(name, torch, low=-2.0, high=2.0, also_complex=True, **fields):
    edges = [call(some(*s, low=low, high=high), some(*t, low=low, high=high)) for s, t in PAIRS]
    if also_complex:
        edges += [call(complexes(*s), complexes(*t)) for s, t in PAIRS]
        edges += [
            call(complexes(2, 3), some(3, low=low, high=high)),
            call(some(3, low=low, high=high), complexes(2, 1)),
        ]
    return Twin(name, torch, tuple(edges), **fields)


KINKS = (-1.0, 0.0, 1.0)
ELEMENTWISE = [
    unary("np.absolute", "abs", points=KINKS),
    unary("np.fabs", "abs", points=KINKS, also_complex=False),
    unary("np.angle", "angle", points=KINKS),
    unary("np.arccos", "acos", -0.9, 0.9),
    unary("np.arccosh", "acosh", 1.1, 3.0),
    unary("np.arcsin", "asin", -0.9, 0.9),
    unary("np.arcsinh", "asinh", points=KINKS),
    unary("np.arctan", "atan", points=KINKS),
    unary("np.arctanh", "atanh", -0.9, 0.9),
    unary("np.conjugate", "conj"),
    unary("np.cos", "cos", points=KINKS),
    unary("np.cosh", "cosh", points=KINKS),
    unary("np.deg2rad", "deg2rad", -90.0, 90.0, also_complex=False),
    unary("np.radians", "deg2rad", -90.0, 90.0, also_complex=False),
    unary("np.rad2deg", "rad2deg", also_complex=False),
    unary("np.degrees", "rad2deg", also_complex=False),
    unary("np.exp", "exp", points=KINKS),
    unary("np.exp2", "special.exp2", points=KINKS),
    unary("np.expm1", "special.expm1", points=KINKS),
    unary("np.frexp", "frexp", also_complex=False, both=lambda y: y[0]),
    unary("np.i0", "special.i0", points=KINKS, also_complex=False),
    Twin("np.imag", "imag", tuple(call(complexes(*s)) for s in ((), (0,), (2, 3)))),
    unary("np.log", "log", 0.2, 3.0, points=(0.0, 1.0)),
    unary("np.log10", "log10", 0.2, 3.0, points=(0.0, 1.0)),
    unary("np.log1p", "log1p", -0.5, 2.0, points=(-1.0, 0.0)),
    unary("np.log2", "log2", 0.2, 3.0, points=(0.0, 1.0)),
    unary("np.nan_to_num", "nan_to_num", points=(*KINKS, np.nan, np.inf, -np.inf), also_complex=False),
    unary("np.negative", "neg"),
    unary("np.positive", "positive"),
    unary("np.real", "real"),
    unary("np.reciprocal", "reciprocal", 0.2, 3.0),
    unary("np.sin", "sin", points=KINKS),
    unary("np.sinc", "special.sinc", points=KINKS),
    unary("np.sinh", "sinh", points=KINKS),
    unary("np.sqrt", "sqrt", 0.2, 3.0, points=(0.0, 1.0)),
    unary("np.square", "square", points=KINKS),
    unary("np.tan", "tan", points=KINKS),
    unary("np.tanh", "tanh", points=(*KINKS, 400.0, -np.inf)),
    unary("np.copy", "clone"),
]


def scaled(f, a, b, alpha=1):
    return f(a, alpha * b)


def rounded(f, a, b, rounding_mode=None):
    return (
        f(a, b) if rounding_mode is None else {"trunc": np.trunc, "floor": np.floor}[rounding_mode](f(a, b))
    )


def exponents(f, x, n):
    return f(x, np.asarray(n).astype(int))


def clamp(*bounds, **named):
    return call(some(2, 3), *bounds, **named)


BINARY = [
    binary("np.add", "add", ours=scaled),
    binary("np.subtract", "sub", ours=scaled),
    binary("np.multiply", "mul"),
    binary("np.divide", "div", 0.3, 3.0, ours=rounded),
    binary("np.power", "pow", 0.3, 3.0),
    binary("np.float_power", "float_power", 0.3, 3.0),
    binary("np.arctan2", "atan2", also_complex=False),
    binary("np.copysign", "copysign", also_complex=False),
    binary("np.fmax", "fmax", also_complex=False),
    binary("np.fmin", "fmin", also_complex=False),
    binary("np.maximum", "maximum", also_complex=False),
    binary("np.minimum", "minimum", also_complex=False),
    binary("np.fmod", "fmod", 0.3, 3.0, also_complex=False),
    binary("np.remainder", "remainder", 0.3, 3.0, also_complex=False),
    binary("np.hypot", "hypot", also_complex=False),
    binary("np.logaddexp", "logaddexp", also_complex=False),
    binary("np.logaddexp2", "logaddexp2", also_complex=False),
    Twin(
        "np.ldexp",
        "ldexp",
        (
            call(some(2, 3), np.array([-1.0, 0.0, 4.0])),
            call(some(), np.array(2.0)),
            call(some(0), np.zeros(0)),
        ),
        ours=exponents,
        leaves=(0,),
    ),
    Twin(
        "np.clip",
        "clamp",
        (
            clamp(-1.0, 1.0),
            clamp(max=0.5),
            clamp(min=some(3)),
            clamp(some(3), some(2, 1, low=0.0, high=1.0)),
            call(some(), 0.0, 1.0),
            call(some(0, 3), some(3), some(3) + 4.0),
            call(np.array([0.0, 0.5, 1.0, 2.0]), 0.0, 1.0),
        ),
        ours=lambda f, x, min=None, max=None: f(x, min, max),
    ),
    Twin(
        "np.where",
        "where",
        (
            call(some(2, 3) > 0, some(2, 3), some(3)),
            call(np.array(True), some(), some(3)),
            call(some(2, 1) > 0, complexes(3), complexes(1, 3)),
            call(np.zeros((0, 3), bool), some(3), some(1)),
        ),
    ),
]

# ---- reductions

AXES = [None, 0, 1, -1, -2]


def reduction(
    name,
    torch,
    axes=(*AXES, (0, 2), (-1, 0)),
    empty=True,
    nan=False,
    complex_too=True,
    nothing=True,
    **fields,
):
    """Over each of these axes, with and without keepdim, of a single number, and of no elements."""
    x = some(3, 5, 3)
    if nan:
        x[0, 1, 1] = x[2, 0, :2] = np.nan
    edges = [call(x)] + [
        call(x, dim=k, keepdim=keep) for k in axes if k is not None for keep in (False, True)
    ]
    edges += [call(some()), call(some(1, 1, 1), dim=-1)]
    edges += [call(some(0, 3), dim=1), call(some(3, 0), dim=0)] if nothing else []
    edges += [call(some(0)), call(some(0, 3), dim=0, keepdim=True)] if empty else []
    edges += [call(complexes(2, 3)), call(complexes(2, 3), dim=-1)] if complex_too else []
    return Twin(name, torch, tuple(edges), **{"ours": over, **fields})


def over(f, x, dim=None, keepdim=False):
    return f(x, axis=dim, keepdims=keepdim)


def spread(f, x, dim=None, unbiased=True, keepdim=False, correction=None):
    return f(x, axis=dim, ddof=(1 if unbiased else 0) if correction is None else correction, keepdims=keepdim)


def ranks(f, x, q, dim=None, keepdim=False, interpolation="linear", factor=1.0):
    return f(x, factor * np.asarray(q), axis=dim, keepdims=keepdim, method=interpolation)


def percents(f, x, q, *args, **kwargs):
    return ranks(f, x, q, *args, **kwargs, factor=100.0)


def quantiles(name, torch, **fields):
    x = some(3, 4, 5)
    if "nan" in torch:
        x[0, 1, 2] = x[2, 0, :4] = np.nan
    qs = [0.3, np.array([0.0, 0.25, 0.9, 1.0])]
    edges = [call(x, q, dim=k, keepdim=keep) for q in qs for k in AXES for keep in (False, True)]
    edges += [
        call(x, 0.35, dim=1, interpolation=way)
        for way in ("linear", "lower", "higher", "nearest", "midpoint")
    ]
    edges += [call(some(), 0.5), call(some(1), np.array([0.0, 1.0]))]
    return Twin(name, torch, tuple(edges), leaves=(0,), **fields)


def first(y):
    return y[0] if isinstance(y, tuple) else y


def middle(torch, x, dim=None, keepdim=False):
    """PyTorch's median is the lower of the two elements in the middle, its quantile their mean."""
    return torch.quantile(x, 0.5, dim, keepdim)


def middle_of_numbers(torch, x, dim=None, keepdim=False):
    return torch.nanquantile(x, 0.5, dim, keepdim)


MIDDLES = dict(axes=(0, 1, -1, -2), empty=False, complex_too=False, nothing=False)
EXTREMES = dict(empty=False, complex_too=False)
REDUCTIONS = [
    reduction("np.sum", "sum"),
    reduction("np.mean", "mean", empty=False),
    reduction("np.prod", "prod", AXES),
    reduction("np.max", "amax", **EXTREMES),
    reduction("np.min", "amin", **EXTREMES),
    reduction("np.amax", "amax", **EXTREMES),
    reduction("np.amin", "amin", **EXTREMES),
    reduction("np.std", "std", empty=False, complex_too=False, ours=spread),
    reduction("np.var", "var", empty=False, complex_too=False, ours=spread),
    reduction("np.nansum", "nansum", nan=True, complex_too=False),
    reduction("np.nanmean", "nanmean", nan=True, empty=False, complex_too=False),
    reduction("np.median", "median", instead=middle, **MIDDLES),
    reduction("np.nanmedian", "nanmedian", nan=True, instead=middle_of_numbers, **MIDDLES),
    quantiles("np.quantile", "quantile", ours=ranks),
    quantiles("np.percentile", "quantile", ours=percents),
    quantiles("np.nanquantile", "nanquantile", ours=ranks),
    quantiles("np.nanpercentile", "nanquantile", ours=percents),
]

# ---- along an axis


def along(name, torch, dims=(0, 1, -1, -2), word="dim", zero_d=True, complex_too=True, **fields):
    edges = [call(some(3, 4, 2), **{word: k}) for k in dims]
    edges += [call(some(0, 3), **{word: k}) for k in (dims[0], dims[-1])]
    edges += [call(some(), **{word: dims[2]})] if zero_d else []
    edges += [call(complexes(3, 2), **{word: k}) for k in (dims[0], dims[-1])] if complex_too else []
    return Twin(name, torch, tuple(edges), **fields)


def ordered(f, x, dim=-1, descending=False, stable=True):
    return np.flip(f(x, dim), dim) if descending else f(x, dim)


def in_stable_order(torch, x, dim=-1, descending=False, stable=True):
    return torch.sort(x, dim=dim, descending=descending, stable=True).values


def slopes(f, x, spacing=1.0, dim=None, edge_order=1):
    spacing = spacing if isinstance(spacing, (list, tuple)) else [spacing]
    return f(x, *spacing, axis=tuple(dim) if isinstance(dim, list) else dim, edge_order=edge_order)


ALONG = [
    along("np.cumsum", "cumsum", zero_d=False),
    along("np.cumprod", "cumprod", zero_d=False),
    along("np.cumulative_sum", "cumsum", zero_d=False),
    along("np.cumulative_prod", "cumprod", zero_d=False),
    along("np.sort", "sort", zero_d=False, complex_too=False, ours=ordered, instead=in_stable_order),
    Twin(
        "np.diff",
        "diff",
        (
            *(call(some(4, 3), n=n, dim=k) for n in (0, 1, 2, 5) for k in (0, -1, -2)),
            call(some(2, 3), prepend=some(2, 1), append=some(2, 2)),
            call(some(3, 2), 2, 0, some(2, 2)),
            call(some(0, 3)),
            call(some(1)),
            call(complexes(2, 3), dim=0),
        ),
        ours=lambda f, x, n=1, dim=-1, prepend=None, append=None: f(
            x, n, dim, **{k: v for k, v in (("prepend", prepend), ("append", append)) if v is not None}
        ),
    ),
    Twin(
        "np.gradient",
        "gradient",
        (
            *(call(some(4, 3), dim=k, edge_order=order) for k in (0, -1, -2) for order in (1, 2)),
            call(some(3, 4), spacing=0.5, edge_order=2),
            call(some(3, 4), spacing=[0.5, 2.0]),
            call(some(3, 4), spacing=[np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 1.5, 4.0])]),
            call(some(5), spacing=[np.array([0.0, 1.0, 1.5, 4.0, 5.0])], edge_order=2),
            call(some(0, 3), dim=1),
            call(complexes(3, 4)),
        ),
        ours=slopes,
    ),
    Twin(
        "np.trapezoid",
        "trapezoid",
        (
            *(call(some(3, 4), dx=0.5, dim=k) for k in (0, 1, -1, -2)),
            call(some(3, 4), some(4)),
            call(some(3, 4), some(3, 4), dim=0),
            call(some(1)),
            call(some(0, 3)),
            call(some(3, 0)),
            call(complexes(2, 3)),
        ),
        ours=lambda f, y, x=None, dx=1.0, dim=-1: f(y, x, dx, dim),
    ),
]

TWINS = [*ELEMENTWISE, *BINARY, *REDUCTIONS, *ALONG]

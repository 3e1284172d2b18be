"""Kernels of elementwise ops and of reductions: the error of `mathf`, one pass over large arrays beside NumPy
on small ones, every kind of operand, sums in place, and one result for any number of threads."""

import math

import numpy as np
import pytest

import autograd
from autograd import Tensor
from autograd.ops.fused import LARGE, fused
from autograd.primitive import registry
from autograd.tensor import ops

pytestmark = pytest.mark.slow

TINY = 1.7e-38  # below, exponentials may come out as 0
SHAPE = (300, 310)  # over LARGE elements
FUSED = sorted(name for name, op in registry.items() if hasattr(op.forward, "kernel"))


def sigmoid(x):
    return np.where(x < 0, np.exp(-np.logaddexp(0, -x)), 1 / (1 + np.exp(-np.abs(x))))


MATHS = {  # units of the last place that kernels/mathf.py promises
    "exp": (np.exp, 1.0),
    "expm1": (np.expm1, 1.5),
    "log": (np.log, 0.9),
    "log1p": (np.log1p, 1.5),
    "sigmoid": (sigmoid, 2.5),
    "tanh": (np.tanh, 5.5),
    "erf": (np.vectorize(math.erf, otypes=[float]), 6.0),
}


@pytest.mark.parametrize("name", MATHS)
def test_maths_is_as_exact_as_promised(name):
    # every 9,973rd float, which is a prime, and those between 2^-12 and 128 thrice as densely
    bits = np.concatenate([np.arange(0, 2**32, 9973), np.arange(0x39800000, 0x43000000, 3331)])
    x = bits.astype(np.uint32).view(np.float32)
    x = np.concatenate([x, -x[-100_000:], np.array([0.0, -0.0, np.inf, -np.inf], np.float32)])
    x = x[~np.isnan(x)]
    assert x.size >= LARGE
    function, limit = MATHS[name]
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.float64))
        rounded = exact.astype(np.float32)
        got = registry[name](x)
        assert got.dtype == np.float32
        normal = np.isfinite(rounded) & (np.abs(rounded) > TINY)
        error = np.abs(got - exact)[normal] / np.spacing(np.abs(rounded[normal]))
        assert error.max() <= limit, x[normal][error.argmax()]
        np.testing.assert_array_equal(got[~np.isfinite(rounded)], rounded[~np.isfinite(rounded)])
        assert np.abs(got - exact)[np.abs(exact) <= TINY].max(initial=0) <= TINY


def test_nan_stays_nan():
    x = np.full(LARGE, np.nan, np.float32)
    for name in (*MATHS, "gelu", "softplus", "silu", "elu", "mish", "hardtanh", "relu"):
        assert np.isnan(registry[name](x)).all(), name


def operands(name, dtype):
    rng = np.random.default_rng(0)
    number = len([n for n in registry[name].parameters if n in ("a", "b")]) or 1
    return [rng.uniform(0.2, 2.8, SHAPE).astype(np.float32).astype(dtype) for _ in range(number)]


def output_and_gradients(name, dtype):
    tensors = [Tensor(a, requires_grad=True) for a in operands(name, dtype)]
    y = registry[name](*tensors)
    y.backward(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32).astype(dtype))
    return [y.numpy(), *(t.grad.numpy() for t in tensors)]


@pytest.mark.parametrize("name", FUSED)
def test_one_pass_gives_what_numpy_gives(name):
    op = registry[name]
    assert (
        op.forward.kernel(*operands(name, np.float32), *op.defaults[len(operands(name, float)) :]) is not None
    )
    for got, wanted in zip(*(output_and_gradients(name, d) for d in (np.float32, np.float64)), strict=True):
        assert got.dtype == np.float32
        scale = np.sqrt(np.mean(wanted**2)) + 1e-30
        assert np.abs(got - wanted).max() <= 4e-6 * scale


def test_the_ops_that_say_so_are_in_the_table():
    known = {
        "add",
        "multiply",
        "exp",
        "tanh",
        "sigmoid",
        "relu",
        "gelu",
        "silu",
        "elu",
        "hardswish",
        "negative",
    }
    assert known <= {*FUSED}


def test_partly_fused_ops_agree_with_numpy():
    x = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    mask = np.random.default_rng(1).random(SHAPE) < 0.8
    np.testing.assert_array_equal(ops.leaky_relu(x, 0.25), np.where(x > 0, x, np.float32(0.25) * x))
    np.testing.assert_allclose(ops.dropout(x, mask, 0.8), np.where(mask, x / np.float32(0.8), 0), rtol=1e-6)


# a result of SHAPE or of many short rows, and what stands beside the large array
SECOND = [
    (SHAPE, SHAPE), (SHAPE, (310,)), (SHAPE, (1, 310)), (SHAPE, (300, 1)), (SHAPE, ()), (SHAPE, (1, 1)),
    ((40_000, 3), (3,)), ((40_000, 3), (40_000, 1)), ((40_000, 7), (7,)), ((5, 200, 100), (200, 100)),
    ((5, 200, 100), (5, 1, 1)), ((5, 200, 100), (200, 1)), ((5, 200, 100), (5, 200, 1)), ((300, 1), (1, 310)),
    ((5, 200, 100), (5, 1, 100)), ((6, 5, 30, 100), (6, 1, 1, 100)), ((6, 5, 30, 100), (6, 5, 1, 100)),
    ((6, 5, 30, 100), (6, 1, 30, 100)), ((6, 5, 30, 100), (6, 1, 30, 1)), ((40, 500, 8), (40, 1, 8)),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "other"), SECOND, ids=str)
@pytest.mark.parametrize("name", ["add", "multiply", "divide"])
def test_every_kind_of_operand(name, shape, other):
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0.5, 2, s).astype(np.float32) for s in (shape, other))
    function = getattr(np, name)
    for x, z in ((a, b), (b, a)):
        np.testing.assert_array_equal(registry[name](x, z), function(x, z))
    np.testing.assert_array_equal(registry[name](a, 1.5), function(a, np.float32(1.5)))


@fused
def affine(x, a, b):
    return x * a + b


def test_operands_that_stay_for_several_rows():
    rng = np.random.default_rng(0)
    x, a, b = (
        rng.standard_normal(s).astype(np.float32) for s in ((6, 5, 30, 100), (6, 1, 1, 100), (6, 5, 1, 100))
    )
    for operands in ((x, a, a + 1), (x, a, b)):
        np.testing.assert_allclose(affine(*operands), operands[0] * operands[1] + operands[2], atol=1e-6)
    assert affine.kernel(x, a, a + 1) is not None
    assert affine.kernel(x, a, b) is None  # for 150 rows and for 30


def test_other_layouts_and_types_are_numpys():
    rng = np.random.default_rng(0)
    a = rng.uniform(0.5, 2, SHAPE).astype(np.float32)
    for other in (a.T.copy().T, a[:, ::-1], a.astype(np.float64), np.broadcast_to(a[0], SHAPE), a > 1):
        got, wanted = ops.multiply(a, other), np.multiply(a, other)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_accumulation_writes_in_place():
    rng = np.random.default_rng(0)
    for shape in (SHAPE, (5, 7)):
        total, part = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
        wanted, kept = total + part, part.copy()
        assert ops.accumulate(total, part) is None
        np.testing.assert_array_equal(total, wanted)
        np.testing.assert_array_equal(part, kept)


REDUCED = [
    (SHAPE, None), (SHAPE, 0), (SHAPE, 1), (SHAPE, (0, 1)), ((4, 200, 100), 1), ((4, 200, 100), (0, 1)),
    ((40, 100, 25), 1), ((40, 100, 25), (1, 2)), ((40, 100, 25), (0, 2)), ((70_000,), 0), ((40_000, 3), 0),
    ((40_000, 3), 1), ((60, 2000), 0),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "axis"), REDUCED, ids=str)
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_and_their_gradients(name, shape, axis, keepdims):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    results = []
    for dtype in (np.float32, np.float64):
        t = Tensor(x.astype(dtype), requires_grad=True)
        y = getattr(t, name)(axis=axis, keepdims=keepdims)
        y.backward(np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype))
        results.append((y.numpy(), t.grad.numpy()))
    (y, grad), (exact, exact_grad) = results
    assert y.dtype == grad.dtype == np.float32
    np.testing.assert_allclose(exact, getattr(np, name)(x.astype(np.float64), axis=axis, keepdims=keepdims))
    np.testing.assert_allclose(y, exact, rtol=1e-5, atol=1e-5 * np.sqrt(x.size / max(y.size, 1)))
    np.testing.assert_allclose(grad, exact_grad, rtol=1e-5, atol=1e-7)


def test_extremes_see_nan_and_share_among_equals():
    x = np.zeros(SHAPE, np.float32)
    x[3, 5] = np.nan
    y = ops.max(x, 1)
    assert np.isnan(y[3])
    assert (np.delete(y, 3) == 0).all()
    t = Tensor(np.zeros(SHAPE, np.float32), requires_grad=True)
    t.max(axis=1).sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), 1 / SHAPE[1], rtol=1e-6)


def test_any_number_of_threads_gives_the_same_bits():
    x = np.random.default_rng(0).standard_normal((512, 700)).astype(np.float32)

    def results():
        t = Tensor(x, requires_grad=True)
        y = ops.gelu(t)
        y.sum(axis=0).sum().backward()
        return [y.numpy(), t.grad.numpy(), x.sum(), ops.sum(x), ops.sum(x, 0), ops.max(x, 1)]

    before = autograd.get_num_threads()
    try:
        autograd.set_num_threads(1)
        alone = results()
    finally:
        autograd.set_num_threads(before)
    for a, b in zip(alone, results(), strict=True):
        np.testing.assert_array_equal(a, b)

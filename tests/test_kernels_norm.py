"""Normalisation, pooling and depthwise kernels beyond the tables: float32 against float64 on shapes that
reach several chunks, blocks and tails; offsets; one result for any number of threads; edges; bad input."""

import numpy as np
import pytest

import autograd
from autograd import Tensor
from autograd.kernels import conv_plain, depthwise
from autograd.ops import normalize
from autograd.ops.conv import conv2d
from autograd.ops.pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d, max_pool2d_grad

pytestmark = pytest.mark.slow

WIDE = (4, 30, 29, 40)  # several chunks, rows that no block divides
SHAPES = [WIDE, (3, 31, 700), (2048, 3), (5000, 1), (7, 1, 1, 19), (2, 64, 64, 5)]

NORMS = {
    "batch": lambda x, w, b: normalize.batch_norm(x, w, b)[0],
    "batch and relu": lambda x, w, b: normalize.batch_norm(x, w, b, relu=True)[0],
    "group": lambda x, w, b: normalize.group_norm(x, 1, w, b),
    "layer": lambda x, w, b: normalize.layer_norm(x, x.shape[-1], w, b),
    "rms": lambda x, w, b: normalize.rms_norm(x, x.shape[-1], w),
    "response": lambda x, w, b: normalize.local_response_norm(x, 5, 0.5),
}


def run(f, *arrays):
    """The output, and the gradients from a fixed cotangent."""
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    y = f(*tensors)
    y.backward(np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype))
    return [y.numpy(), *(t.grad.numpy() for t in tensors if t.grad is not None)]


def close(got, wanted, tolerance):
    for a, b in zip(got, wanted, strict=True):
        scale = np.sqrt(np.mean(b.astype(np.float64) ** 2)) + 1e-30
        assert np.abs(a - b).max() <= tolerance * scale


ROWS = [
    WIDE,
    (3, 31, 700),
    (2, 5000),
    (7, 1, 1, 19),
    (2, 33, 64, 16),
]  # norms of few numbers are ill-conditioned


@pytest.mark.parametrize(
    ("norm", "shape"),
    [(n, s) for n in NORMS for s in (ROWS if n in ("group", "layer", "rms") else SHAPES)],
    ids=str,
)
def test_float32_is_close_to_float64(norm, shape):
    rng = np.random.default_rng(0)
    arrays = [2 + 3 * rng.standard_normal(s) for s in (shape, shape[-1:], shape[-1:])]
    narrow = [a.astype(np.float32) for a in arrays]
    got = run(NORMS[norm], *narrow)
    assert all(a.dtype == np.float32 for a in got)
    close(got, run(NORMS[norm], *(a.astype(np.float64) for a in narrow)), 3e-5)


@pytest.mark.parametrize("norm", ["batch", "group", "layer"])
def test_an_offset_costs_no_digits(norm):
    """The variance of numbers around 10,000: sum(x^2) / n - mean^2 has not one right digit in float32."""
    x = (np.random.default_rng(0).standard_normal(WIDE) + 1e4).astype(np.float32)
    ones, zeros = np.ones(WIDE[-1], np.float32), np.zeros(WIDE[-1], np.float32)
    got = NORMS[norm](x, ones, zeros)
    close([got], [NORMS[norm](x.astype(np.float64), ones.astype(float), zeros.astype(float))], 5e-6)


def test_a_drift_costs_no_digits():
    """The mean of the rows read first says nothing about those that follow."""
    x = np.random.default_rng(0).standard_normal((4000, 8)) + np.linspace(0, 1e4, 4000)[:, None]
    x = x.astype(np.float32)
    _, mean, var = normalize.batch_norm(x)
    np.testing.assert_allclose(mean, x.mean(0, np.float64), rtol=1e-6)
    np.testing.assert_allclose(var, x.astype(np.float64).var(0), rtol=1e-6)


def depthwise_conv(x, w, b):
    return conv2d(x, w, b, padding=1, groups=x.shape[-1])


@pytest.mark.parametrize("name", [*NORMS, "max", "average", "adaptive", "depthwise"])
def test_any_number_of_threads_gives_the_same_bits(name):
    rng = np.random.default_rng(0)
    others = [rng.standard_normal(s).astype(np.float32) for s in (WIDE[-1:], WIDE[-1:])]
    pools = {
        "max": lambda x, w, b: max_pool2d(x, 3, 2),
        "average": lambda x, w, b: avg_pool2d(x, 3, 2),
        "adaptive": lambda x, w, b: adaptive_avg_pool2d(x, (7, 4)),
        "depthwise": lambda x, w, b: depthwise_conv(x, w.reshape(1, 1, 1, -1), b),
    }
    arrays = rng.standard_normal(WIDE).astype(np.float32), *others
    f = {**NORMS, **pools}[name]
    before = autograd.get_num_threads()
    try:
        results = []
        for threads in (1, before):
            autograd.set_num_threads(threads)
            results.append([a.tobytes() for a in run(f, *arrays)])
    finally:
        autograd.set_num_threads(before)
    assert results[0] == results[1]


# images, filters, options: every field of edges, several groups of taps, a block that overlaps, a multiplier
DEPTHWISE = [
    ((2, 9, 11, 37), (3, 3), 1, {"padding": ((1, 1), (1, 1))}),
    ((2, 40, 7, 32), (3, 3), 1, {"padding": ((1, 1), (1, 1)), "stride": (2, 2)}),
    ((1, 8, 9, 16), (5, 5), 2, {"padding": ((2, 2), (2, 2)), "stride": (2, 1)}),
    ((1, 12, 13, 17), (3, 2), 1, {"padding": ((0, 1), (2, 0)), "stride": (2, 1), "dilation": (2, 3)}),
    ((1, 2, 2, 19), (3, 3), 1, {"padding": ((4, 4), (4, 4)), "stride": (3, 3)}),
    ((1, 6, 6, 33), (2, 2), 1, {"stride": (4, 4)}),
    ((1, 9, 9, 9), (7, 4), 3, {"padding": ((3, 3), (0, 3))}),
    ((0, 5, 5, 16), (3, 3), 1, {}),
    ((1, 1, 1, 16), (1, 1), 1, {}),
    ((18, 3, 2, 49), (3, 3), 1, {"padding": ((1, 1), (1, 1))}),
]


@pytest.mark.parametrize(("shape", "kernel_size", "multiplier", "options"), DEPTHWISE, ids=str)
def test_depthwise_agrees_with_the_plain_sums(shape, kernel_size, multiplier, options):
    rng = np.random.default_rng(0)
    stride, dilation = options.get("stride", (1, 1)), options.get("dilation", (1, 1))
    padding, groups = options.get("padding", ((0, 0), (0, 0))), shape[3]
    filters = multiplier * groups
    size = tuple(
        (n + sum(p) - d * (f - 1) - 1) // s + 1
        for n, p, d, f, s in zip(shape[1:3], padding, dilation, kernel_size, stride)
    )
    shapes = shape, (*kernel_size, 1, filters), (filters,), (shape[0], *size, filters)
    narrow = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    results = []
    for module, arrays in ((depthwise, narrow), (conv_plain, [a.astype(np.float64) for a in narrow])):
        x, w, b, g = arrays
        how = stride, padding, dilation, groups
        db = np.empty(filters, x.dtype)
        results.append(
            [
                module.forward(x, w, b, size, *how),
                module.forward(x, w, None, size, *how),
                module.input_grad(g, w, shape[1:3], *how),
                module.weight_grad(x, g, kernel_size, *how, db),
                db,
            ]
        )
    x, w, _, g = narrow
    gradients = depthwise.gradients(x, g, w, *how)
    assert [a.tobytes() for a in gradients] == [a.tobytes() for a in results[0][2:4]]
    for got, wanted in zip(*results):
        assert got.shape == wanted.shape
        scale = np.sqrt(np.mean(wanted**2)) if wanted.size else 1.0
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6 * scale + 1e-12)


def test_maxima_and_their_gradient_in_a_dilated_window():
    x = np.zeros((1, 5, 5, 20), np.float32)
    x[0, 2, 2], x[0, 1, 1] = 1, 2  # the second lies between the taps of the window
    assert (max_pool2d(x, 3, 1, dilation=2) == 1).all()
    index = np.full((1, 1, 1, 20), 12)
    dx = max_pool2d_grad(np.ones((1, 1, 1, 20), np.float32), index, 5, 3, 1, 0, 2)
    np.testing.assert_array_equal(dx, x == 1)


POOLS = [  # few channels and many, few images and many: each has kernels of its own
    ((9, 8, 6, 6), 2, 2, 0, 1),
    ((1, 11, 12, 3), 3, 2, 1, 1),
    ((2, 11, 12, 20), 3, 1, 1, 1),
    ((9, 10, 9, 40), 3, 2, 1, 1),
    ((2, 10, 9, 70), (2, 3), (2, 1), (1, 0), 1),
    ((3, 11, 13, 5), (3, 2), (1, 3), (1, 1), (2, 3)),
    ((70, 28, 28, 6), 2, 2, 0, 1),
]


@pytest.mark.parametrize(("shape", "kernel_size", "stride", "padding", "dilation"), POOLS, ids=str)
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_max_pooling_of_few_and_many_channels(
    torch, shape, kernel_size, stride, padding, dilation, ceil_mode
):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, shape).astype(np.float32)  # many ties: the first of equals takes the gradient
    x[0, 3:5, 2:4, 0] = np.nan
    options = kernel_size, stride, padding, dilation
    theirs = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    z = torch.nn.functional.max_pool2d(theirs, *options, ceil_mode=ceil_mode)
    g = rng.integers(-8, 8, z.shape).astype(np.float32)  # sums of these are exact
    z.backward(torch.tensor(g))
    t = Tensor(x, requires_grad=True)
    y = max_pool2d(t, *options, ceil_mode=ceil_mode)
    y.backward(np.ascontiguousarray(g.transpose(0, 2, 3, 1)))
    np.testing.assert_array_equal(y.numpy(), z.detach().numpy().transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(t.grad.numpy(), theirs.grad.numpy().transpose(0, 2, 3, 1))


def test_statistics_are_outputs_with_gradients():
    """Of sum(mean^2 + var) over channels: 2 mean / n + 2 (x - mean) / n."""
    x = Tensor(np.random.default_rng(0).standard_normal((6, 3)), requires_grad=True)
    _, mean, var = normalize.batch_norm(x)
    np.sum(mean * mean + var).backward()
    np.testing.assert_allclose(x.grad.numpy(), x.numpy() / 3, atol=1e-12)


# ---- bad input

X, f32 = np.ones((2, 5, 6, 4), np.float32), np.float32
BAD = [
    (lambda: normalize.batch_norm(X[:0]), ValueError, "an empty batch has no variance"),
    (lambda: normalize.batch_norm(X[:1, 0, 0]), ValueError, "one value has no variance, needs more than one"),
    (lambda: normalize.batch_norm(X, np.ones(3, f32)), ValueError, r"weight has shape \(3,\), needs \(4,\)"),
    (lambda: normalize.batch_norm(np.ones(4, f32)), ValueError, r"x has shape \(4,\), needs \(m, ..., n_C\)"),
    (lambda: normalize.batch_norm(X[..., :0]), ValueError, "n_C at least 1"),
    (lambda: normalize.batch_norm(X * 1j), TypeError, "takes real numbers"),
    (lambda: normalize.group_norm(X, 3), ValueError, "num_groups=3 does not divide the 4 channels"),
    (lambda: normalize.group_norm(X, 0), ValueError, "num_groups must be at least 1, got 0"),
    (
        lambda: normalize.instance_norm(X[:, :1, :1]),
        ValueError,
        "more than one value per channel of an example",
    ),
    (lambda: normalize.layer_norm(X, 5), ValueError, r"its last axes must be normalized_shape, \(5,\)"),
    (lambda: normalize.layer_norm(X, (6, 4), np.ones(4, f32)), ValueError, r"weight .* needs \(6, 4\)"),
    (lambda: normalize.rms_norm(X, 2.5), TypeError, "normalized_shape is an int"),
    (lambda: normalize.local_response_norm(X, 0), ValueError, "size must be at least 1, got 0"),
    (lambda: normalize.scale_shift(X, *[np.ones(3, f32)] * 3), ValueError, r"center has shape \(3,\)"),
    (lambda: adaptive_avg_pool2d(X, 0), ValueError, "output_size must be at least 1"),
    (lambda: adaptive_avg_pool2d(X[:, :0], 1), ValueError, "an image without pixels has no mean"),
]


@pytest.mark.parametrize(("call", "kind", "text"), BAD, ids=range(len(BAD)))
def test_bad_input_is_one_clear_line(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_empty_batches_pass_through_what_needs_no_batch():
    x = Tensor(X[:0], requires_grad=True)
    for f in (
        lambda: normalize.group_norm(x, 2),
        lambda: normalize.layer_norm(x, 4),
        lambda: normalize.local_response_norm(x, 3),
        lambda: adaptive_avg_pool2d(x, 2),
    ):
        y = f()
        assert y.shape[0] == 0
        np.sum(y).backward()
        assert x.grad.shape == x.shape

"""Convolution of sequences and volumes, transposed convolution and pooling of one to three axes, beside
PyTorch; the register tile over runs under its switches; threads."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from autograd import Tensor
from autograd.ops.convnd import (
    conv1d,
    conv3d,
    conv3d_input_grad,
    conv3d_weight_grad,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from autograd.ops.poolnd import avg_pool, max_pool


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def first(a):
    """Channels last -> PyTorch's layout."""
    return np.moveaxis(a, -1, 1)


def filters_first(w):
    """(f, ..., C, K) -> (K, C, f, ...)."""
    return np.moveaxis(w, (-1, -2), (0, 1))


def agree(torch, ours, theirs, arrays, forms, dtype, options, error):
    """Outputs and gradients of all arrays; PyTorch's are computed in float64."""
    rng = np.random.default_rng(1)
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    exact = [
        torch.tensor(form(a).astype(float)).requires_grad_() for form, a in zip(forms, arrays, strict=True)
    ]
    y, expected = ours(*tensors, **options), theirs(*exact, **options)
    g = rng.standard_normal(y.shape).astype(dtype)
    y.backward(g)
    expected.backward(torch.tensor(first(g).astype(float)))
    pairs = [(first(y.numpy()), expected.detach().numpy())]
    pairs += [
        (form(t.grad.numpy()), u.grad.numpy()) for t, u, form in zip(tensors, exact, forms, strict=True)
    ]
    for got, want in pairs:
        assert got.dtype == dtype
        scale = np.sqrt(np.mean(want**2)) or 1
        np.testing.assert_allclose(got, want, rtol=0, atol=scale * error)


CONVOLUTIONS = [  # input, filters, options
    # tiles cut off and reaching over both borders; channels that fill no vector, or more than one panel
    ((2, 5, 6, 7, 3), (3, 3, 3, 3, 5), {"padding": 1}),
    ((2, 5, 6, 17, 16), (3, 2, 3, 16, 16), {"padding": (1, 0, 1)}),
    ((1, 6, 5, 16, 20), (3, 2, 5, 20, 33), {"stride": (2, 1, 2), "padding": (1, 1, 3)}),
    ((1, 3, 4, 30, 35), (2, 2, 2, 35, 70), {}),
    ((2, 14, 14, 14, 16), (5, 5, 5, 16, 16), {"padding": 2}),
    ((1, 1, 2, 3, 1), (2, 3, 4, 1, 1), {"padding": (1, 1, 2)}),
    # inputs that no output sees, and outputs that see nothing
    ((1, 6, 3, 8, 4), (2, 2, 2, 4, 6), {"stride": (4, 1, 3)}),
    ((2, 2, 2, 2, 3), (5, 5, 5, 3, 4), {"padding": 4}),
    ((1, 2, 4, 9, 5), (4, 2, 3, 5, 6), {"padding": (6, 0, 4), "stride": (3, 1, 1)}),
    # groups and dilation
    (
        (1, 7, 8, 9, 8),
        (2, 3, 2, 4, 12),
        {"stride": (1, 2, 3), "padding": (1, 0, 2), "dilation": (2, 1, 3), "groups": 2},
    ),
    ((2, 3, 4, 5, 24), (2, 2, 2, 4, 48), {"groups": 6}),
    ((1, 4, 5, 8, 17), (3, 3, 3, 1, 17), {"groups": 17, "padding": 1}),
    # more weights than a block holds
    ((1, 2, 2, 3, 300), (3, 3, 4, 300, 90), {"padding": (1, 1, 2)}),
    # Winograd's planes, one plane and one pixel at a time
    ((1, 4, 5, 6, 20), (3, 3, 3, 20, 16), {"padding": 1}),
    ((2, 3, 5, 6, 4), (1, 3, 2, 4, 5), {"padding": (0, 1, 0), "stride": (1, 2, 1)}),
    ((2, 3, 2, 4, 5), (1, 1, 1, 5, 7), {}),
    # one column of a kernel, and outputs that see only what is beyond the border
    ((3, 20, 256), (1, 256, 32), {"padding": 1}),
    ((2, 9, 32), (1, 16, 24), {"padding": 2, "groups": 2}),
    ((1, 3, 4, 6, 40), (2, 2, 1, 40, 20), {"padding": (0, 1, 2), "stride": (1, 1, 2)}),
    # sequences: runs long and short, tiles down one row
    ((2, 37, 20), (15, 20, 18), {"padding": 7}),
    ((3, 500, 3), (7, 3, 17), {"padding": 3, "stride": 2}),
    ((2, 61, 64), (3, 64, 33), {"padding": 4, "dilation": 4}),
    ((2, 33, 12), (4, 3, 8), {"groups": 4, "stride": 3}),
    ((9, 40, 2), (5, 2, 6), {"padding": "same"}),
    ((2, 300, 70), (4, 70, 40), {"stride": 2, "padding": 1}),
]


@pytest.mark.parametrize(("shape", "filters", "options"), CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_convolution_agrees_with_pytorch(torch, shape, filters, options, dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(dtype) for s in (shape, filters, filters[-1:])]
    ours, theirs = (conv1d, "conv1d") if len(shape) == 3 else (conv3d, "conv3d")
    winograd = filters[1:3] == (3, 3) and min(filters[3:]) >= 16 and "groups" not in options
    error = 1e-13 if dtype == np.float64 else 2e-4 if winograd else 2e-5
    forms = first, filters_first, np.array
    agree(torch, ours, getattr(torch.nn.functional, theirs), arrays, forms, dtype, options, error)


@pytest.mark.parametrize(
    ("shape", "filters", "padding"),
    [
        ((2, 14, 4, 5, 16), (5, 5, 5, 16, 18), ((2, 2), (2, 2), (2, 2))),
        ((1, 6, 5, 4, 3), (3, 2, 3, 3, 5), ((0, 0), (0, 1), (0, 0))),  # the last tile cut off
        ((2, 7, 3, 2, 20), (3, 1, 1, 20, 3), ((2, 1), (0, 0), (1, 0))),
        ((3, 1, 3, 9, 2), (5, 3, 2, 2, 40), ((4, 4), (3, 0), (0, 2))),  # tiles that see one plane, or none
        ((1, 13, 8, 9, 7), (5, 3, 3, 7, 9), ((1, 0), (1, 1), (2, 0))),  # more than a block of numbers
    ],
    ids=str,
)
def test_winograds_algorithm_for_volumes(shape, filters, padding):
    """Beside plain sums in float64."""
    from autograd.kernels import winograd_volumes as winograd

    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s) for s in (shape, filters, filters[-1:]))
    y = conv3d(x, w, b, padding=padding)
    g, size = rng.standard_normal(y.shape), shape[1:4]
    g_x = conv3d_input_grad(g, w, size, padding=padding, b=x[0, 0, 0, 0])
    g_w = conv3d_weight_grad(x, g, filters[:3], padding=padding)
    options = (1, 1, 1), padding, (1, 1, 1), 1
    of_x, of_w, of_b, of_g = (a.astype(np.float32) for a in (x, w, b, g))
    for got, want in (
        (winograd.forward(of_x, of_w, of_b, y.shape[1:4], *options), y),
        (winograd.input_grad(of_g, of_w, size, *options, of_x[0, 0, 0, 0].copy()), g_x),
        (winograd.weight_grad(of_x, of_g, filters[:3], *options), g_w),
    ):
        assert got.shape == want.shape and got.flags.c_contiguous
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.sqrt(np.mean(want**2)))


TRANSPOSED = [  # input, filters (f, ..., n_C / groups, n_C_prev), options
    ((2, 9, 6), (4, 5, 6), {"stride": 2, "padding": 1}),
    ((1, 40, 64), (3, 33, 64), {"stride": 3, "output_padding": 2}),
    ((2, 7, 4), (2, 3, 4), {"dilation": 3, "output_padding": 2}),
    ((2, 8, 9, 35), (3, 3, 34, 35), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((1, 5, 16, 6), (2, 5, 4, 6), {"stride": (3, 2), "groups": 2, "padding": (0, 3)}),
    ((2, 6, 7, 18), (3, 3, 20, 18), {"padding": 1}),
    ((1, 3, 4, 5, 6), (2, 2, 2, 7, 6), {"stride": 2}),
    ((1, 3, 2, 9, 20), (3, 3, 3, 17, 20), {"stride": (2, 1, 2), "padding": 1, "output_padding": (1, 0, 1)}),
    ((1, 3, 4, 3, 4), (3, 2, 3, 2, 4), {"groups": 2, "stride": (1, 2, 3), "dilation": (2, 1, 2)}),
    ((1, 2, 2, 3, 3), (1, 1, 1, 2, 3), {"stride": 3, "output_padding": 1}),  # outputs that see nothing
]


@pytest.mark.parametrize(("shape", "filters", "options"), TRANSPOSED, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transposed_convolution_agrees_with_pytorch(torch, shape, filters, options, dtype):
    rng = np.random.default_rng(0)
    axes = len(shape) - 2
    count = filters[-2] * options.get("groups", 1)
    arrays = [rng.standard_normal(s).astype(dtype) for s in (shape, filters, (count,))]
    ours = (conv_transpose1d, conv_transpose2d, conv_transpose3d)[axes - 1]
    theirs = getattr(torch.nn.functional, f"conv_transpose{axes}d")
    winograd = filters[:2] == (3, 3) and axes == 2 and "stride" not in options
    error = 1e-13 if dtype == np.float64 else 2e-4 if winograd else 2e-5
    forms = first, filters_first, np.array
    agree(torch, ours, theirs, arrays, forms, dtype, options, error)


POOLINGS = [
    ((2, 17, 3), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((3, 12, 40), {"kernel_size": 2}),
    ((2, 7, 8, 9, 5), {"kernel_size": 2}),
    ((1, 9, 7, 6, 34), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ((2, 5, 6, 7, 3), {"kernel_size": (1, 2, 3), "stride": (1, 1, 2)}),
    ((1, 6, 4, 4, 3), {"kernel_size": (3, 1, 1), "stride": (2, 1, 1)}),
]


@pytest.mark.parametrize(("shape", "options"), POOLINGS, ids=str)
@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pooling_agrees_with_pytorch(torch, shape, options, kind, dtype):
    x = np.random.default_rng(0).integers(0, 4, shape).astype(dtype)  # the first of equals takes the gradient
    theirs = getattr(torch.nn.functional, f"{kind}_pool{len(shape) - 2}d")
    error = 1e-12 if dtype == np.float64 else 1e-6
    agree(torch, max_pool if kind == "max" else avg_pool, theirs, [x], [first], dtype, options, error)


def test_maxima_with_and_without_indices_are_the_same():
    """And so are their gradients, of NaN and infinity too."""
    x = np.random.default_rng(0).integers(0, 3, (2, 6, 5, 7, 4)).astype(np.float32)
    x[0, :2, :2, :2, 0], x[1, 2, 3, 4, 1], x[1, 2, 4, 4, 1] = -np.inf, np.nan, np.nan
    t, u = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
    y, (z, _) = max_pool(t, 3, 2, 1), max_pool(u, 3, 2, 1, return_indices=True)
    np.testing.assert_array_equal(y.numpy(), z.numpy())
    g = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    y.backward(g)
    z.backward(g)
    np.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-6, atol=1e-6)


def test_an_empty_batch_of_volumes():
    for dtype in (np.float32, np.float64):
        shapes = (0, 4, 5, 5, 2), (3, 3, 3, 2, 4), (4,)
        x, w, b = (Tensor(np.ones(s, dtype), requires_grad=True) for s in shapes)
        y = conv3d(x, w, b, padding=1)
        assert y.shape == (0, 4, 5, 5, 4)
        y.backward(np.zeros(y.shape, dtype))
        for t in (x, w, b):
            np.testing.assert_array_equal(t.grad.numpy(), np.zeros(t.shape))


def test_what_lies_outside_meets_no_infinite_weight():
    """Planes and rows outside are left out; columns are zeros."""
    x, w = np.ones((1, 2, 2, 3, 1), np.float32), np.full((3, 3, 1, 1, 2), np.inf, np.float32)
    assert (conv3d(x, w, padding=(1, 1, 0)) == np.inf).all()


def test_the_number_of_threads_changes_no_bit():
    from autograd.kernels import threads, volumes, winograd_volumes

    rng = np.random.default_rng(0)
    x, w = (
        rng.standard_normal((2, 6, 9, 20, 20), np.float32),
        rng.standard_normal((3, 2, 3, 20, 24), np.float32),
    )
    options = (1, 1, 1), ((1, 1), (0, 0), (1, 1)), (1, 1, 1), 1
    g = rng.standard_normal((2, 6, 8, 20, 24), np.float32)
    found, before = [], threads.get_num_threads()
    try:
        for count in {1, before}:
            threads.set_num_threads(count)
            found.append(
                [
                    call
                    for kernels in (volumes, winograd_volumes)
                    for call in (
                        kernels.forward(x, w, None, g.shape[1:4], *options),
                        kernels.input_grad(g, w, x.shape[1:4], *options),
                        kernels.weight_grad(x, g, w.shape[:3], *options),
                    )
                ]
            )
    finally:
        threads.set_num_threads(before)
    for one, many in zip(found[0], found[-1], strict=True):
        np.testing.assert_array_equal(one, many)


PROGRAM = """
    import numpy as np
    from autograd.ops.convnd import conv3d, conv3d_input_grad, conv3d_weight_grad
    rng = np.random.default_rng(0)
    for n, f, c, k, options in [
        ((5, 6, 17), (2, 2, 3), 20, 35, {"padding": 1}),
        ((4, 5, 9), (3, 2, 3), 3, 5, {"stride": (1, 2, 2)}),
        ((4, 5, 20), (2, 2, 2), 24, 12, {"groups": 3, "padding": (1, 0, 1)}),
        ((9, 9, 17), (5, 5, 5), 20, 12, {"padding": 2}),  # Winograd's
    ]:
        x, w = rng.standard_normal((2, *n, c)), rng.standard_normal((*f, c // options.get("groups", 1), k))
        y = conv3d(x, w, **options)
        for call, arrays, size in (
            (conv3d, (x, w), ()), (conv3d_input_grad, (y, w), (n,)), (conv3d_weight_grad, (x, y), (f,))
        ):
            exact = call(*arrays, *size, **options)
            error = call(*(a.astype("f") for a in arrays), *size, **options) - exact
            print(np.abs(error).max() / np.sqrt(np.mean(exact**2)))
"""


@pytest.mark.slow
def test_every_tile_is_right():
    """The tiles of other processors, and plain loops, each in a process of its own, two at a time."""

    def run(name):
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
        environment = {**os.environ, "NGRAD_SIMD": name}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return np.array(done.stdout.split(), float)

    names = ("off", "neon", "avx2")
    with ThreadPoolExecutor(2) as pool:
        for name, errors in zip(names, pool.map(run, names), strict=True):
            assert errors.size == 12
            assert errors[:9].max() < 1e-5 and errors.max() < 2e-5, name

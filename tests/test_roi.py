"""Regions of interest beyond the table: closed forms, the parallel kernels on large maps, and refusals."""

import numpy as np
import pytest

from autograd import Tensor
from autograd.primitive import registry
from nn.functional import adaptive_max_pool2d, roi_align, roi_pool

RNG = np.random.default_rng(0)
BOX, FIRST = np.array([[1.0, 2.0, 4.0, 5.0]]), np.array([0])


@pytest.mark.parametrize("ratio", [-1, 1, 2, 5])
@pytest.mark.parametrize("aligned", [False, True])
def test_a_slope_is_read_at_the_centres_of_the_bins(ratio, aligned):
    h, w = np.mgrid[:12, :16].astype(float)
    x = (3.0 + 2.0 * h - 0.5 * w)[None, :, :, None]
    y = roi_align(x, np.array([[2.5, 1.25, 11.5, 8.25]]), FIRST, (2, 3), 1.0, ratio, aligned)
    rows, columns = 1.25 + 7 / 2 * (np.arange(2) + 0.5), 2.5 + 9 / 3 * (np.arange(3) + 0.5)
    half = 0.5 if aligned else 0.0
    expected = 3.0 + 2.0 * (rows[:, None] - half) - 0.5 * (columns - half)
    np.testing.assert_allclose(y[0, :, :, 0], expected, rtol=1e-12)


def test_a_box_over_all_pixels_gives_the_map_itself():
    x = RNG.standard_normal((2, 5, 7, 3))
    boxes = np.array([[0.0, 0.0, 7.0, 5.0]] * 2)
    np.testing.assert_allclose(roi_align(x, boxes, [1, 0], (5, 7), aligned=True), x[::-1], rtol=1e-12)


def test_a_box_over_all_pixels_pools_as_adaptive_pooling():
    x = RNG.standard_normal((2, 9, 11, 4))
    boxes = np.array([[0.0, 0.0, 10.0, 8.0]] * 2)
    np.testing.assert_array_equal(roi_pool(x, boxes, [0, 1], (4, 3)), adaptive_max_pool2d(x, (4, 3)))


def many(count, m, n, c):
    x = RNG.standard_normal((m, n, n, c)).astype(np.float32)
    corner = RNG.uniform(-20, 16 * n - 40, (count, 2))
    boxes = np.concatenate([corner, corner + RNG.uniform(4, 9 * n, (count, 2))], 1).astype(np.float32)
    return x, boxes, RNG.integers(0, m, count)


@pytest.mark.parametrize("channels", [3, 70])
def test_many_boxes_in_float32_as_in_float64(channels):
    x, boxes, image = many(150, 3, 40, channels)
    for f, options in ((roi_align, {"aligned": True}), (roi_align, {"sampling_ratio": 2}), (roi_pool, {})):
        results = []
        for dtype in (np.float32, np.float64):
            t = Tensor(x.astype(dtype), requires_grad=True)
            y = f(t, boxes, image, (7, 5), 1 / 16, **options)
            g = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
            y.backward(g.astype(dtype))
            results.append((y.numpy(), t.grad.numpy()))
        (y, dx), (expected, expected_dx) = results
        assert y.dtype == dx.dtype == np.float32
        # the points lie at float32's places, up to 2e-6 of a pixel of 30 away from float64's
        np.testing.assert_allclose(y, expected, atol=2e-4)
        np.testing.assert_allclose(dx, expected_dx, atol=1e-3)


def test_nan_is_not_lost():
    x = np.ones((1, 4, 4, 1))
    x[0, 1, 2] = np.nan
    assert np.isnan(roi_pool(x, np.array([[0.0, 0.0, 3.0, 3.0]]), FIRST, (1, 1))).all()
    assert np.isnan(roi_align(x, np.array([[0.0, 0.0, 3.0, 3.0]]), FIRST, (1, 1))).all()


X = np.ones((2, 6, 6, 1))
INDEX = np.zeros((1, 2, 2, 1), int)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: roi_align(X[0], BOX, FIRST, 2), ValueError, "x has 3 dimensions"),
        (lambda: roi_align(X, BOX[0], FIRST, 2), ValueError, r"boxes are \(K, 4\)"),
        (lambda: roi_align(X, BOX, [0, 1], 2), ValueError, "one for each batch_index"),
        (lambda: roi_align(X, BOX * np.nan, FIRST, 2), ValueError, "box 0 is not finite"),
        (lambda: roi_align(X, BOX, [2], 2), IndexError, "holds 2 to 2, there are 2 maps"),
        (lambda: roi_align(X, BOX, [0.0], 2), TypeError, "batch_index holds integers"),
        (lambda: roi_align(X, BOX, FIRST, 0), ValueError, "output_size must be at least 1"),
        (lambda: roi_align(X, BOX, FIRST, 2, sampling_ratio=1.5), TypeError, "sampling_ratio is an int"),
        (lambda: roi_pool(X[:, :0], BOX, FIRST, 2), ValueError, "has no pixels"),
        (lambda: roi_pool(X * 1j, BOX, FIRST, 2), TypeError, "takes real numbers"),
        (
            lambda: registry["roi_align_grad"](X, X.shape, BOX, FIRST, 2),
            ValueError,
            r"the output of such a pooling \(1, 2, 2, 1\)",
        ),
        (lambda: registry["roi_gather"](X, FIRST, INDEX + 36), IndexError, "a map has 6x6 pixels"),
        (lambda: registry["roi_gather"](X, FIRST, INDEX * 1.0), TypeError, "as integers, got float64"),
        (lambda: registry["roi_gather"](X, [0, 1], INDEX), ValueError, "of 2 boxes, 1 channels"),
        (lambda: registry["roi_scatter"](X, FIRST, INDEX, X.shape), ValueError, "g has shape"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_boxes_are_constants():
    with pytest.raises(TypeError, match="no derivative with respect to boxes|requires grad"):
        roi_align(Tensor(X, requires_grad=True), Tensor(BOX, requires_grad=True), FIRST, 2)

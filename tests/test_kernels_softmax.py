"""Cross-entropy kernels beyond the tables: float32 against float64 at sizes of one thread and of several."""

import numpy as np
import pytest

from autograd import Tensor
from autograd.kernels import softmax
from autograd.ops.softmax import softmax_cross_entropy

SHAPES = [(1, 1), (1, 7), (32, 10), (3, 5, 11), (5, 3000), (7000, 3), (640, 1000)]  # the last two in chunks


def losses_and_gradient(logits, labels, reduction):
    t = Tensor(logits, requires_grad=True)
    losses = softmax_cross_entropy(t, labels, reduction)
    g = np.random.default_rng(1).standard_normal(losses.shape).astype(logits.dtype)
    losses.backward(g)
    return losses.numpy(), t.grad.numpy()


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_float32_is_close_to_float64(shape, reduction):
    rng = np.random.default_rng(0)
    logits, labels = 5 * rng.standard_normal(shape), rng.integers(0, shape[-1], shape[:-1])
    narrow = logits.astype(np.float32)
    got = losses_and_gradient(narrow, labels, reduction)
    wanted = losses_and_gradient(narrow.astype(np.float64), labels, reduction)
    for a, b in zip(got, wanted, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * np.abs(b).max())


@pytest.mark.parametrize("shape", [(32, 10), (640, 1000)], ids=str)
def test_a_label_out_of_range_is_seen_wherever_it_stands(shape):
    x, labels = np.zeros(shape, np.float32), np.zeros(shape[0], int)
    for row in (0, shape[0] // 2, shape[0] - 1):
        for label in (-1, shape[-1]):
            wrong = labels.copy()
            wrong[row] = label
            assert softmax.cross_entropy(x, wrong) is None
            assert softmax.cross_entropy(x, wrong, mean=True) is None


@pytest.mark.parametrize("shape", [(32, 10), (640, 1000)], ids=str)
def test_infinite_and_missing_logits_are_no_error(shape):
    x, labels = np.zeros(shape, np.float32), np.zeros(shape[0], int)
    x[3, 0], x[4, 1], x[5, 1] = -np.inf, np.nan, np.inf
    losses = softmax.cross_entropy(x, labels)[0]
    assert losses[3] == np.inf
    assert np.isnan(losses[4])
    assert np.isnan(losses[5])
    assert np.isfinite(np.delete(losses, [3, 4, 5])).all()

"""The float32 kernels for rows of tables, CTC and resizing, beside NumPy's or our own plain float64."""

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Rows, Tensor
from autograd.kernels.embedding import grouped
from autograd.ops.index import gather, scatter_add_rows
from autograd.ops.resize import interpolate
from autograd.rows import LARGE
from nn.functional import ctc_loss, embedding, embedding_bag, log_softmax


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def picks(rows, *shape):
    """Indices that repeat, and leave rows out."""
    return np.random.default_rng(1).integers(0, rows, shape) // 2 * 2


# ---- tables

# rows, the rest of the shape, indices: tails of vectors, one row, few of many, many of few
TABLES = [
    (40, (1,), picks(40, LARGE + 3)),
    (1000, (7, 5), picks(1000, 40, 25)),
    (300, (128,), picks(300, 500)),
    (1, (33,), picks(1, 1100)),
    (5000, (16,), picks(5000, 3)),
    (5000, (16,), np.zeros((0, 4), int)),
]


@pytest.mark.parametrize(("rows", "rest", "indices"), TABLES)
def test_reading_and_adding_rows(rows, rest, indices):
    table, values = normal(rows, *rest), normal(*indices.shape, *rest)
    np.testing.assert_array_equal(gather(table, indices), table[indices])
    expected = np.zeros(table.shape)
    np.add.at(expected, indices, values)
    dense = scatter_add_rows(values, indices, rows)
    assert dense.dtype == np.float32
    assert dense.base is None  # so that backward keeps it without a copy
    np.testing.assert_allclose(dense, expected, rtol=1e-5, atol=1e-4 * indices.size**0.5 / 10)


def test_indices_outside_are_refused_by_the_kernels_too():
    values, far = normal(LARGE // 4, 4), np.full(LARGE // 4, 9)
    for call in (
        lambda: scatter_add_rows(values, far, 9),
        lambda: scatter_add_rows(values, -far, 9),
        lambda: gather(normal(9, 4), far),
    ):
        with pytest.raises(IndexError, match="rows 0 to 8"):
            call()
    with pytest.raises(IndexError, match="rows -1 to 5 of a table of shape"):
        Rows([5, -1], np.ones((2, 3)), (6, 3))


@pytest.mark.parametrize(
    "indices", [picks(9, 0), picks(9, 1), picks(50, 70), picks(2**40, 70) // 2**35 * 2**35]
)
def test_equal_indices_come_together(indices):
    used, starts, order = grouped(indices, int(indices.max(initial=0)) + 1)
    np.testing.assert_array_equal(used, np.unique(indices))
    np.testing.assert_array_equal(order, np.argsort(indices, kind="stable"))
    np.testing.assert_array_equal(np.repeat(used, np.diff(starts)), np.sort(indices))


def test_rows_are_joined():
    indices, values = picks(500, 900), normal(900, 60)
    rows = Rows(indices, values, (500, 60))
    once, wide = rows.coalesce(), Rows(indices, values.astype(np.float64), (500, 60)).coalesce()
    np.testing.assert_array_equal(once.indices, wide.indices)
    np.testing.assert_allclose(once.values, wide.values, atol=1e-5)
    np.testing.assert_allclose(rows.to_dense().numpy(), wide.to_dense().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (optim.SGD, {"lr": 0.1}),
        (optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
        (optim.Adam, {"lr": 0.1, "weight_decay": 0.01, "maximize": True}),
    ],
)
def test_steps_over_rows_as_in_float64(make, options):
    start, indices, values = normal(400, 50), picks(400, 3, 300), normal(3, 300, 50)
    tables = []
    for dtype in (np.float32, np.float64):
        table = Tensor(start.astype(dtype), requires_grad=True)
        optimizer = make([table], **options)
        for i, v in zip(indices, values, strict=True):
            table.grad = Rows(i, v.astype(dtype), table.shape)
            optimizer.step()
        tables.append(table.numpy())
    np.testing.assert_allclose(*tables, rtol=1e-4, atol=1e-5)
    unused = np.setdiff1d(np.arange(400), indices)
    np.testing.assert_array_equal(tables[0][unused], start[unused])


@pytest.mark.parametrize("width", [3, 600])
def test_a_step_over_rows_is_the_same_on_any_number_of_threads(width):
    n = 1 << 18
    start, values = normal(5000, width), normal(n // width, width)
    words = np.minimum(np.random.default_rng(0).zipf(1.3, len(values)), 5000) - 1  # some often, most never
    expected, tables = start.astype(np.float64), []
    np.subtract.at(expected, words, values)
    threads = autograd.get_num_threads()
    try:
        for count in {1, threads}:
            autograd.set_num_threads(count)
            table = Tensor(start, requires_grad=True)
            table.grad = Rows(words, values, table.shape)
            optim.SGD([table], lr=1.0).step()
            tables.append(table.numpy())
    finally:
        autograd.set_num_threads(threads)
    np.testing.assert_array_equal(tables[0], tables[-1])
    np.testing.assert_allclose(tables[0], expected, atol=2e-3)


def test_a_padding_row_gets_no_gradient():
    words, table = picks(200, 40, 30), Tensor(normal(200, 32), requires_grad=True)
    for sparse in (False, True):
        table.grad = None
        embedding(words, table, padding_idx=4, sparse=sparse).sum().backward()
        grad = table.grad.to_dense().numpy() if sparse else table.grad.numpy()
        expected = np.bincount(words.reshape(-1), minlength=200).astype(float)
        expected[4] = 0.0
        np.testing.assert_array_equal(grad, np.repeat(expected[:, None], 32, 1))


def test_a_step_writes_into_no_row_outside_of_the_table():
    words, table = picks(200, 40, 30), Tensor(normal(200, 32), requires_grad=True)
    y = embedding(words, table, sparse=True)
    words[3, 4] = 200  # the buffer of a batch, filled again too early
    y.sum().backward()
    before = table.numpy().copy()
    with pytest.raises(IndexError, match="rows 0 to 200 of a table of 200"):
        optim.SGD([table], lr=0.1).step()
    np.testing.assert_array_equal(table.numpy(), before)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_as_pytorch(mode, torch):
    words, weight, g = picks(300, 60, 20), normal(300, 64), normal(60, 64)
    ours, theirs = Tensor(weight, requires_grad=True), torch.tensor(weight, requires_grad=True)
    y = embedding_bag(words, ours, mode=mode)
    expected = torch.nn.functional.embedding_bag(torch.tensor(words), theirs, mode=mode)
    y.backward(g)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(y.numpy(), expected.detach(), atol=1e-5)
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad, atol=1e-5)


# ---- joining


@pytest.mark.parametrize(
    ("axis", "shapes"),
    [
        (-1, [(9, 8, 8, 470), (9, 8, 8, 1), (9, 8, 8, 0), (9, 8, 8, 37)]),
        (1, [(70, 90, 5, 13), (70, 3, 5, 13)]),
        (-2, [(64, 4096, 1), (64, 7, 1)]),
    ],
)
def test_joining_and_cutting_as_numpy(axis, shapes):
    arrays, asked = [normal(*s) for s in shapes], [True, False, True, True]
    tensors = [Tensor(a, requires_grad=r) for a, r in zip(arrays, asked, strict=False)]
    y = np.concatenate(tensors, axis)
    expected = np.concatenate(arrays, axis)
    np.testing.assert_array_equal(y.numpy(), expected)
    y.backward(3 * expected)
    for a, t, wanted in zip(arrays, tensors, asked, strict=False):
        assert t.grad is not None if wanted else t.grad is None
        if wanted:
            np.testing.assert_array_equal(t.grad.numpy(), 3 * a)


def test_what_does_not_join_is_refused():
    with pytest.raises(ValueError, match="concatenate"):
        np.concatenate([Tensor(normal(600, 500)), Tensor(normal(601, 500))], -1)


# ---- CTC

LABELS = np.random.default_rng(2).integers(1, 6, (11, 9))
LABELS[1] = 3  # needs a blank between any two
STEPS = np.array([30, 30, 17, 9, 25, 30, 1, 0, 0, 30, 12])
LENGTHS = np.array([9, 9, 5, 9, 0, 1, 1, 0, 1, 8, 6])


def costs(logits, dtype, weights=None):
    x = Tensor(logits.astype(dtype), requires_grad=True)
    log_p = log_softmax(x, -1)
    losses = ctc_loss(log_p, LABELS, STEPS, LENGTHS, reduction="none", zero_infinity=weights is not None)
    losses.backward(np.ones(11, dtype) if weights is None else weights.astype(dtype))
    return losses.numpy(), x.grad.numpy()


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_ctc_in_vectors_as_one_state_after_the_other(scale):
    logits, weights = scale * normal(11, 30, 6), normal(11)
    for g in (None, weights):
        losses, slopes = costs(logits, np.float32, g)
        expected, expected_slopes = costs(logits, np.float64, g)
        assert losses.dtype == slopes.dtype == np.float32
        np.testing.assert_allclose(losses, expected, rtol=2e-6, atol=1e-6 * scale)
        np.testing.assert_allclose(slopes, expected_slopes, atol=2e-5 * scale)
        assert (slopes[STEPS == 0] == 0).all()
        assert (slopes[6, 1:] == 0).all()  # beyond its one step


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ctc_as_pytorch(dtype, torch):
    logits, used = normal(11, 30, 6).astype(dtype), STEPS > 0  # PyTorch needs a step
    losses, slopes = costs(logits, dtype, np.ones(11))
    x = torch.tensor(logits[used], requires_grad=True)
    tensors = [torch.tensor(a[used]) for a in (LABELS, STEPS, LENGTHS)]
    log_p = torch.log_softmax(x, -1).transpose(0, 1)
    theirs = torch.nn.functional.ctc_loss(log_p, *tensors, reduction="none", zero_infinity=True)
    theirs.sum().backward()
    tolerance = 1e-11 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(losses[used], theirs.detach(), rtol=tolerance)
    np.testing.assert_allclose(slopes[used], x.grad, atol=tolerance)


def test_ctc_of_impossible_classes():
    """Probabilities of exactly 0 on the way are no way; NaN stays NaN."""
    log_p = np.full((2, 4, 3), -np.inf, np.float32)
    log_p[:, [0, 1, 2, 3], [1, 0, 2, 0]] = 0.0
    targets, lengths = np.array([[1, 2], [2, 1]]), np.array([2, 2])
    x = Tensor(log_p, requires_grad=True)
    losses = ctc_loss(x, targets, [4, 4], lengths, reduction="none")
    np.testing.assert_array_equal(losses.numpy(), [0.0, np.inf])
    losses.backward(np.ones(2, np.float32))
    np.testing.assert_array_equal(x.grad.numpy()[0], -(log_p[0] == 0).astype(np.float32))
    assert (x.grad.numpy()[1] == 0).all()
    log_p[0, 2] = np.nan
    assert np.isnan(ctc_loss(log_p, targets, [4, 4], lengths, reduction="none")[0])


def test_ctc_at_second_order():
    x = np.random.default_rng(3).standard_normal((2, 5, 3))
    labels = np.array([[1, 1], [2, 1]])
    autograd.check_grads(lambda t: ctc_loss(log_softmax(t, -1), labels, [5, 4], [2, 1]), x)


# ---- resizing


@pytest.mark.parametrize("channels", [1, 3, 16, 70, 200])
@pytest.mark.parametrize(
    ("mode", "corners"), [("nearest", None), ("bilinear", True), ("bilinear", False), ("bicubic", False)]
)
def test_resizing_in_vectors_as_in_float64(mode, corners, channels):
    for size in ((11, 20), (5, 4)):
        results = []
        for dtype in (np.float32, np.float64):
            x = Tensor(normal(3, 8, 9, channels).astype(dtype), requires_grad=True)
            y = interpolate(x, size, mode=mode, align_corners=corners)
            y.backward(normal(*y.shape).astype(dtype))
            results.append((y.numpy(), x.grad.numpy()))
        (y, dx), (expected, expected_dx) = results
        assert y.dtype == dx.dtype == np.float32
        np.testing.assert_allclose(y, expected, atol=4e-6)
        np.testing.assert_allclose(dx, expected_dx, atol=1e-5)


def test_a_layer_resizes_volumes_and_sequences():
    x = normal(2, 3, 4, 5, 6)
    assert nn.Upsample((6, 2, 9), mode="trilinear")(x).shape == (2, 6, 2, 9, 6)
    np.testing.assert_array_equal(nn.Upsample(scale_factor=2)(x[0, 0]), x[0, 0].repeat(2, 1))

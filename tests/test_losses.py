"""Losses against PyTorch, closed forms and the course's numbers."""

import numpy as np
import pytest

import nn
from autograd import Tensor, check_grads
from nn import functional as F

rng = np.random.default_rng(0)
LABELS = np.array([2, 0, 1, 2, 2])
ONE_HOT = np.eye(3)[LABELS]
SOFT = rng.dirichlet(np.ones(3), 5)
ZERO_ONE = (rng.random((4, 3)) < 0.5).astype(float)

LOSSES = {  # our function and PyTorch's, the predictions, the targets
    "cross entropy": ("cross_entropy", rng.standard_normal((5, 3)) * 3, LABELS),
    "cross entropy, one-hot": ("cross_entropy", rng.standard_normal((5, 3)), ONE_HOT),
    "cross entropy, soft": ("cross_entropy", rng.standard_normal((5, 3)), SOFT),
    "cross entropy, far": ("cross_entropy", rng.standard_normal((5, 3)) * 1e4, LABELS),
    "bce": ("binary_cross_entropy", rng.random((4, 3)), ZERO_ONE),
    "bce, soft": ("binary_cross_entropy", rng.random((4, 3)), rng.random((4, 3))),
    "bce with logits": ("binary_cross_entropy_with_logits", rng.standard_normal((4, 3)) * 5, ZERO_ONE),
    "bce with logits, far": ("binary_cross_entropy_with_logits", rng.standard_normal((4, 3)) * 1e4, ZERO_ONE),
    "mse": ("mse_loss", rng.standard_normal((4, 3)), rng.standard_normal((4, 3))),
    "l1": ("l1_loss", rng.standard_normal((4, 3)), rng.standard_normal((4, 3))),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_agrees_with_pytorch(name, reduction, torch):
    function, predictions, targets = LOSSES[name]
    ours, theirs = Tensor(predictions, requires_grad=True), torch.tensor(predictions, requires_grad=True)
    loss = getattr(F, function)(ours, targets, reduction)
    wanted = getattr(torch.nn.functional, function)(theirs, torch.tensor(targets), reduction=reduction)
    np.testing.assert_allclose(loss.numpy(), wanted.detach().numpy(), rtol=1e-9, atol=1e-12)
    loss.sum().backward()
    wanted.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_cross_entropy_of_pixels_agrees_with_pytorch(torch):
    logits, labels = rng.standard_normal((2, 4, 5, 3)), rng.integers(0, 3, (2, 4, 5))
    wanted = torch.nn.functional.cross_entropy(
        torch.tensor(logits.transpose(0, 3, 1, 2)), torch.tensor(labels)
    )
    np.testing.assert_allclose(F.cross_entropy(Tensor(logits), labels).item(), wanted.item(), rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in LOSSES if "far" not in n])
def test_loss_has_second_derivatives(name):
    function, predictions, targets = LOSSES[name]
    check_grads(lambda p: getattr(F, function)(p, targets), predictions)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_keeps_float32_whatever_the_targets_are(name):
    function, predictions, targets = LOSSES[name]
    p = Tensor(predictions.astype(np.float32), requires_grad=True)
    loss = getattr(F, function)(p, targets)
    loss.backward()
    assert loss.dtype == p.grad.dtype == np.float32
    assert loss.shape == ()


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        (nn.CrossEntropyLoss, F.cross_entropy),
        (nn.BCELoss, F.binary_cross_entropy),
        (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits),
        (nn.MSELoss, F.mse_loss),
        (nn.L1Loss, F.l1_loss),
    ],
)
def test_modules_are_the_functions(kind, function):
    predictions = Tensor(np.array([[0.2, 0.7], [0.6, 0.1]], np.float32))
    targets = np.array([1, 0]) if kind is nn.CrossEntropyLoss else np.array([[0, 1], [1, 0]])
    for reduction in ("mean", "sum", "none"):
        loss = kind(reduction=reduction)
        np.testing.assert_array_equal(
            loss(predictions, targets).numpy(), function(predictions, targets, reduction).numpy()
        )
    assert repr(kind()) == f"{kind.__name__}()"
    assert repr(kind("sum")) == f"{kind.__name__}(reduction='sum')"


def test_labels_may_be_tensors_and_lists():
    z = rng.standard_normal((3, 4))
    wanted = F.cross_entropy(Tensor(z), np.array([1, 0, 3])).item()
    assert F.cross_entropy(Tensor(z), [1, 0, 3]).item() == wanted
    assert F.cross_entropy(Tensor(z), Tensor([1, 0, 3])).item() == wanted
    assert F.cross_entropy(z, [1, 0, 3]) == wanted


def test_mse_has_a_gradient_for_targets_that_are_learned_too():
    p, t = Tensor([1.0, 2.0], requires_grad=True), Tensor([0.0, 4.0], requires_grad=True)
    F.mse_loss(p, t).backward()
    assert p.grad.tolist() == [1.0, -2.0]
    assert t.grad.tolist() == [-1.0, 2.0]


# ---- the course's numbers


def test_losses_of_the_notation_slide():  # N-losses, C1W2-bce
    yhat, y = Tensor([0.9, 0.2, 0.1, 0.4, 0.9]), [1, 0, 0, 1, 1]
    np.testing.assert_allclose(F.l1_loss(yhat, y, "sum").item(), 1.1, rtol=1e-6)
    np.testing.assert_allclose(F.mse_loss(yhat, y, "sum").item(), 0.43, rtol=1e-6)
    np.testing.assert_allclose(F.binary_cross_entropy(yhat, y).item(), 0.29110317, rtol=1e-6)


def test_logistic_regression_of_the_assignment():  # C1W2-loopvsvec
    X, Y = np.array([[1, 2, -1], [3, 4, -3.2]]).T, np.array([1, 0, 1])
    w, b = Tensor(np.array([1.0, 2.0]), requires_grad=True), Tensor(np.array(2.0), requires_grad=True)
    cost = F.binary_cross_entropy_with_logits(X @ w + b, Y)
    cost.backward()
    np.testing.assert_allclose(cost.item(), 5.801545319394553, rtol=1e-12)
    np.testing.assert_allclose(w.grad.numpy(), [0.99845601, 2.39507239], rtol=1e-8)
    np.testing.assert_allclose(b.grad.item(), 0.001455578136784208, rtol=1e-9)


def test_gradient_of_softmax_cross_entropy_is_yhat_minus_y():  # C2W3-softmax
    z = Tensor([[5.0, 2.0, -1.0, 3.0]], requires_grad=True)
    F.cross_entropy(z, [3]).backward()
    np.testing.assert_allclose(z.grad.numpy(), nn.Softmax()(z.detach()).numpy() - [[0, 0, 0, 1]], atol=1e-7)


def test_softmax_of_two_classes_is_the_logistic():  # C2W3-softmax
    z, y = rng.standard_normal(6), np.array([0, 1, 1, 0, 1, 0])
    two = F.cross_entropy(Tensor(np.stack([np.zeros(6), z], -1)), y)
    np.testing.assert_allclose(
        two.item(), F.binary_cross_entropy_with_logits(Tensor(z), y).item(), rtol=1e-12
    )


def test_a_certain_error_costs_100_as_in_pytorch(torch):
    p = Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(p, [1, 0, 0, 1], "none")
    np.testing.assert_array_equal(loss.numpy(), [100, 100, 0, 0])
    loss.sum().backward()
    assert np.isfinite(p.grad.numpy()).all()
    theirs = torch.nn.functional.binary_cross_entropy(
        torch.tensor([1e-45, 0.0]), torch.tensor([1.0, 1.0]), reduction="none"
    )
    ours = F.binary_cross_entropy(Tensor(np.array([1e-45, 0], np.float32)), [1, 1], "none")
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


# ---- what bad input gets

logits = Tensor(np.zeros((4, 3), np.float32))
column = Tensor(np.full((4, 1), 0.5, np.float32))


@pytest.mark.parametrize(
    "function", ["mse_loss", "l1_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"]
)
def test_a_column_of_predictions_against_a_row_of_targets(function):
    with pytest.raises(ValueError, match=r"\(4, 1\) and targets \(4,\) must have one shape: reshape one"):
        getattr(F, function)(column, np.ones(4))
    with pytest.raises(ValueError, match=r"\(4, 1\) and targets \(5, 1\) must have one shape$"):
        getattr(F, function)(column, np.ones((5, 1)))


@pytest.mark.parametrize("name", LOSSES)
def test_the_mean_of_an_empty_batch(name):
    function, predictions, targets = LOSSES[name]
    with pytest.raises(ValueError, match=f"^{function}: the batch is empty"):
        getattr(F, function)(Tensor(predictions[:0]), targets[:0])
    assert getattr(F, function)(Tensor(predictions[:0]), targets[:0], "sum").item() == 0


@pytest.mark.parametrize(
    ("loss", "predictions", "targets", "kind", "said"),
    [
        (F.cross_entropy, logits, [0, 1, 2, 3], ValueError, "0..2, got 3"),
        (F.cross_entropy, logits, [0, 1, -1, 2], ValueError, "0..2, got -1"),
        (F.cross_entropy, logits, [0.0, 1.0, 2.0, 1.0], TypeError, "must be integers, got float"),
        (F.cross_entropy, logits, [True, False, True, True], TypeError, "must be integers, got bool"),
        (F.cross_entropy, logits, [[0], [1], [2], [1]], ValueError, "(4, 1)"),
        (F.cross_entropy, logits, [0, 1, 2], ValueError, "(3,)"),
        (
            F.cross_entropy,
            logits,
            np.full((4, 3), 2.0),
            ValueError,
            "one-hot labels must be in [0, 1], got 2 to 2",
        ),
        (F.cross_entropy, [0, 1], [0], TypeError, "logits must be a Tensor or an ndarray, got list"),
        (F.cross_entropy, np.zeros((4, 3), int), [0] * 4, TypeError, "must be floats, got int64"),
        (F.mse_loss, np.zeros(3, int), np.zeros(3), TypeError, "are predictions and targets swapped?"),
        (F.mse_loss, [1.0], [1.0], TypeError, "must be a Tensor or an ndarray, got list"),
        (F.mse_loss, column, np.ones((4, 1), complex), TypeError, "real numbers, got complex128"),
        (F.binary_cross_entropy, column * 3, np.ones((4, 1)), ValueError, "in [0, 1], got 1.5 to 1.5"),
        (
            F.binary_cross_entropy,
            column,
            -np.ones((4, 1)),
            ValueError,
            "targets must be in [0, 1], got -1 to -1",
        ),
        (
            F.binary_cross_entropy_with_logits,
            column,
            [[-1], [1], [1], [1]],
            ValueError,
            "got -1 to 1: use 0 and 1",
        ),
        (F.binary_cross_entropy_with_logits, column, [["1"]] * 4, TypeError, "a tensor holds numbers"),
    ],
)
def test_losses_refuse(loss, predictions, targets, kind, said):
    with pytest.raises(kind) as caught:
        loss(predictions, targets)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_reduction():
    with pytest.raises(ValueError, match='reduction is "mean", "sum" or "none", got \'average\''):
        nn.MSELoss("average")
    with pytest.raises(ValueError, match="got None"):
        F.cross_entropy(logits, [0] * 4, reduction=None)

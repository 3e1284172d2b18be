"""Optimizers against the lecture's and the papers' formulas, written out in NumPy."""

import numpy as np
import pytest

import optim
from autograd import Tensor
from optim.muon import orthogonal
from tests.optimizers import gave


def steps(name, gradients, start, **options):
    """The weights after each of these gradients."""
    (p,), optimizer = gave(name, start, **options)
    for g in gradients:
        p.grad = Tensor(g)
        optimizer.step()
        yield p.numpy().copy()


@pytest.fixture
def gradients():
    return np.random.default_rng(0).standard_normal((10, 3))


def test_minimum_of_the_lecture():  # C2W3-tf: w^2 - 10 w + 25
    (w,), optimizer = gave("SGD", np.array(0.0), lr=0.01)
    for step in range(1, 1001):
        optimizer.zero_grad()
        (w**2 - 10 * w + 25).backward()
        optimizer.step()
        np.testing.assert_allclose(w.item(), 5 * (1 - 0.98**step), rtol=1e-12)
        if step == 1:
            assert w.item() == pytest.approx(0.1)
    np.testing.assert_allclose(w.item(), 4.99999999158516, rtol=1e-12)


def test_both_momentums_of_the_lecture(gradients):  # C2W2-momentum: equal when lr is scaled by 1 - beta
    beta, lr, v, w = 0.9, 0.1, np.zeros(3), np.zeros(3)
    averaged = steps("SGD", gradients, np.zeros(3), lr=lr, momentum=beta, average=True)
    summed = steps("SGD", gradients, np.zeros(3), lr=lr * (1 - beta), momentum=beta)
    for g, mine, other in zip(gradients, averaged, summed):
        v = beta * v + (1 - beta) * g
        w = w - lr * v
        np.testing.assert_allclose(mine, w, rtol=1e-12)
        np.testing.assert_allclose(other, w, rtol=1e-12)


def test_nesterov_of_the_average_is_that_of_the_sum(gradients):
    averaged = steps("SGD", gradients, np.zeros(3), lr=0.1, momentum=0.9, average=True, nesterov=True)
    summed = steps("SGD", gradients, np.zeros(3), lr=0.01, momentum=0.9, nesterov=True)
    np.testing.assert_allclose(list(averaged), list(summed), rtol=1e-12)


def test_rmsprop_of_the_lecture(gradients):  # C2W2-rmsprop: epsilon outside the root
    beta, lr, eps, s, w = 0.9, 0.01, 0.1, np.zeros(3), np.zeros(3)
    for g, mine in zip(gradients, steps("RMSprop", gradients, np.zeros(3), lr=lr, alpha=beta, eps=eps)):
        s = beta * s + (1 - beta) * g**2
        w = w - lr * g / (np.sqrt(s) + eps)
        np.testing.assert_allclose(mine, w, rtol=1e-12)


def test_adam_of_the_lecture(gradients):  # C2W2-adam
    b1, b2, eps, lr = 0.9, 0.999, 1e-8, 0.01
    v, s, w = np.zeros(3), np.zeros(3), np.zeros(3)
    for t, (g, mine) in enumerate(zip(gradients, steps("Adam", gradients, np.zeros(3), lr=lr)), 1):
        v, s = b1 * v + (1 - b1) * g, b2 * s + (1 - b2) * g**2
        w = w - lr * (v / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)
        np.testing.assert_allclose(mine, w, rtol=1e-10)


def test_first_step_of_adam_moves_by_lr_against_the_sign():  # C2W2-adam
    (moved,) = steps("Adam", [np.array([1e-3, -5.0, 1e3, 0.0])], np.zeros(4), lr=0.01)
    np.testing.assert_allclose(moved, [-0.01, 0.01, -0.01, 0], rtol=2e-5)


def test_lion_of_the_paper(gradients):  # Chen et al. 2023, algorithm 2
    b1, b2, lr, decay = 0.9, 0.99, 0.01, 0.1
    m, w = np.zeros(3), np.ones(3)
    mine = steps("Lion", gradients, np.ones(3), lr=lr, betas=(b1, b2), weight_decay=decay)
    for g, got in zip(gradients, mine):
        w = w - lr * (np.sign(b1 * m + (1 - b1) * g) + decay * w)
        m = b2 * m + (1 - b2) * g
        np.testing.assert_allclose(got, w, rtol=1e-12)
    down = list(steps("Lion", gradients, np.zeros(3)))
    up = list(steps("Lion", -gradients, np.zeros(3), maximize=True))
    np.testing.assert_array_equal(down, up)


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (1, 5)])
def test_muons_polynomial_acts_on_singular_values(shape):
    a, b, c = 3.4445, -4.775, 2.0315
    u = np.random.default_rng(0).standard_normal(shape)
    left, s, right = np.linalg.svd(u, full_matrices=False)
    s = s / np.sqrt(np.sum(s**2))
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    np.testing.assert_allclose(orthogonal(u), left * s @ right, rtol=1e-9, atol=1e-12)


def test_muon_of_its_author():
    rng = np.random.default_rng(0)
    gradients, w, m = rng.standard_normal((4, 6, 2)), np.ones((6, 2)), np.zeros((6, 2))
    for g, mine in zip(gradients, steps("Muon", gradients, w, lr=0.1, weight_decay=0.2)):
        m = 0.95 * m + 0.05 * g
        w = w * (1 - 0.1 * 0.2) - 0.1 * np.sqrt(6 / 2) * orthogonal(0.05 * g + 0.95 * m)
        np.testing.assert_allclose(mine, w, rtol=1e-9)


# ---- penalties on weights


def test_weight_decay_is_the_l2_penalty_under_sgd():  # C2W1-decay: W := (1 - lr lambda/m) W - lr dW
    w, g = np.array([2.0, -3.0]), np.array([0.5, 0.25])
    (mine,) = steps("SGD", [g], w, lr=0.1, weight_decay=0.7 / 5)
    np.testing.assert_allclose(mine, (1 - 0.1 * 0.7 / 5) * w - 0.1 * g)


def test_penalty_and_weight_decay_agree_under_sgd_and_not_under_adam():  # C2W1-l2, C2W1-decay
    def moved(name, penalty, decay):
        (w, b), optimizer = gave(name, np.array([[2.0, -3.0]]), np.array([4.0]), lr=0.1)
        if decay:
            optimizer = getattr(optim, name)(optim.decay_groups([w, b], 0.7 / 5), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            cost = ((w * w).sum() + (b * b).sum()) / 8
            (cost + optim.l2_penalty([w, b], 0.7, m=5) if penalty else cost).backward()
            optimizer.step()
        return np.concatenate([w.numpy().ravel(), b.numpy()])

    np.testing.assert_allclose(moved("SGD", True, False), moved("SGD", False, True), rtol=1e-12)
    assert np.abs(moved("AdamW", True, False) - moved("AdamW", False, True)).max() > 1e-4


def test_l2_and_l1_leave_biases_out():  # C2W1-l2, C2W1-l1: lambda/2m ||w||^2, lambda/2m |w|_1
    w, b = Tensor([[1.0, -2.0], [0.0, 3.0]], requires_grad=True), Tensor([7.0], requires_grad=True)
    (optim.l2_penalty([w, b], 0.6, m=3) + optim.l1_penalty([w, b], 0.5, m=10)).backward()
    np.testing.assert_allclose(w.grad.numpy(), 0.6 / 3 * w.numpy() + 0.5 / 20 * np.sign(w.numpy()), rtol=1e-6)
    assert b.grad is None
    assert optim.l2_penalty([w, b], 0.6, m=3).item() == pytest.approx(0.1 * 14)
    assert optim.l1_penalty([w, b], 0.6, m=3).item() == pytest.approx(0.1 * 6)
    with pytest.raises(ValueError, match="two or more dimensions, got none"):
        optim.l2_penalty([b], 0.1)


def test_l1_makes_weights_sparse_and_l2_does_not():  # C2W1-l1
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 8))
    y = x[:, :2] @ [[3.0], [-2.0]]
    small = {}
    for penalty in (optim.l1_penalty, optim.l2_penalty):
        (w,), optimizer = gave("SGD", np.full((8, 1), 0.5), lr=0.05)
        for k in range(400):
            optimizer.param_groups[0]["lr"] = 0.05 / (1 + 0.05 * k)
            optimizer.zero_grad()
            (((x @ w - y) ** 2).mean() / 2 + penalty([w], 1.0)).backward()
            optimizer.step()
        small[penalty] = int(np.sum(np.abs(w.numpy()) < 0.01))
    assert small[optim.l1_penalty] == 6 > small[optim.l2_penalty]


def test_groups_leave_biases_out_of_weight_decay():
    w, b = Tensor(np.ones((2, 2)), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    optimizer = optim.AdamW(optim.decay_groups([w, b], 0.5, lr=0.1))
    w.grad, b.grad = Tensor(np.zeros((2, 2))), Tensor(np.zeros(2))
    optimizer.step()
    np.testing.assert_allclose(w.numpy(), 0.95)
    np.testing.assert_array_equal(b.numpy(), 1)
    assert [len(g["params"]) for g in optim.decay_groups([w], 0.5)] == [1]


def test_momentum_and_adam_leave_a_plateau_sooner():  # C2W2-plateau
    def steps_to_leave(name, **options):
        (w,), optimizer = gave(name, np.array([1e-3, 1.0]), **options)
        for step in range(1, 5000):
            optimizer.zero_grad()
            (w[1] ** 2 - 0.01 * w[0] ** 2).backward()  # a saddle, nearly flat along w[0]
            optimizer.step()
            if abs(w.numpy()[0]) > 1:
                return step
        return 5000

    plain = steps_to_leave("SGD", lr=0.5)
    assert steps_to_leave("SGD", lr=0.5, momentum=0.9) < plain / 2
    assert steps_to_leave("Adam", lr=0.5) < plain / 10

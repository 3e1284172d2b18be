"""Optimizers against PyTorch and the lecture. What every optimizer must do is tested on every
optimizer that `optim` has."""

import copy
import math

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor
from autograd.rows import Rows

EVERY = [
    kind
    for kind in vars(optim).values()
    if isinstance(kind, type) and issubclass(kind, optim.Optimizer) and kind is not optim.Optimizer
]
every_optimizer = pytest.mark.parametrize("kind", EVERY)

TRAJECTORIES = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.2}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-2}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.3}),
]


def quadratic(parameters):
    """A bowl of another curvature along each axis, with its minimum at 1, 2, 3, ..."""
    return sum(
        (
            (p - np.arange(1.0, p.size + 1).reshape(p.shape)) ** 2
            * np.linspace(1, 2, p.size).reshape(p.shape)
        ).sum()
        for p in parameters
    )


def gave(kind, *arrays, **options):
    """Parameters of these values, and an optimizer of them."""
    parameters = [Tensor(np.asarray(a), requires_grad=True) for a in arrays]
    return parameters, kind(parameters, **options)


def take(steps, parameters, optimizer):
    for _ in range(steps):
        optimizer.zero_grad()
        quadratic(parameters).backward()
        optimizer.step()


@pytest.mark.parametrize(("name", "options"), TRAJECTORIES)
def test_twenty_steps_agree_with_pytorch(name, options, torch):
    rng = np.random.default_rng(0)
    starts = [rng.standard_normal((3, 4)), rng.standard_normal(5), np.array(0.5)]
    gradients = [[rng.standard_normal(a.shape) for a in starts] for _ in range(20)]
    ours, optimizer = gave(getattr(optim, name), *starts, **options)
    theirs = [torch.tensor(a, requires_grad=True) for a in starts]
    wanted = getattr(torch.optim, name)(theirs, **options)
    for step, pulled in enumerate(gradients):
        for k, (p, q, g) in enumerate(zip(ours, theirs, pulled)):
            absent = k == 1 and step % 3 == 1
            p.grad, q.grad = (None, None) if absent else (Tensor(g), torch.tensor(g))
        optimizer.step()
        wanted.step()
        for p, q in zip(ours, theirs):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_defaults_are_pytorchs(torch):
    for name in ("SGD", "Adam"):
        p = torch.zeros(1, requires_grad=True)
        theirs = getattr(torch.optim, name)([p]).defaults
        ours = getattr(optim, name)([Tensor([0.0], requires_grad=True)]).defaults
        assert {k: theirs[k] for k in ours} == ours


# ---- every optimizer


@every_optimizer
def test_finds_the_minimum_of_a_quadratic(kind):
    parameters, optimizer = gave(kind, np.zeros((2, 3)), np.zeros(4), np.array(0.0), lr=0.05)
    take(2000, parameters, optimizer)
    for p in parameters:
        np.testing.assert_allclose(p.numpy(), np.arange(1.0, p.size + 1).reshape(p.shape), atol=1e-3)


@every_optimizer
def test_keeps_shape_and_dtype_and_writes_in_place(kind):
    starts = np.zeros((2, 3), np.float32), np.zeros((), np.float32), np.zeros((0, 3), np.float32)
    parameters, optimizer = gave(kind, *starts, lr=np.float64(0.1))
    arrays = [p.numpy() for p in parameters]
    versions = [p.version for p in parameters]
    take(2, parameters, optimizer)
    for p, array, start, version in zip(parameters, arrays, starts, versions):
        assert p.dtype == np.float32
        assert p.shape == start.shape
        assert np.shares_memory(array, p.numpy()) or not p.size
        assert p.version > version
    state = optimizer.state_dict()["state"]
    assert all(v.dtype == np.float32 for s in state.values() for v in s.values() if isinstance(v, np.ndarray))


@every_optimizer
def test_does_not_touch_the_gradients(kind):
    parameters, optimizer = gave(kind, np.ones(3), weight_decay=0.1)
    parameters[0].grad = gradient = Tensor([1.0, -2.0, 3.0])
    optimizer.step()
    optimizer.step()
    assert parameters[0].grad is gradient
    assert gradient.tolist() == [1.0, -2.0, 3.0]


@every_optimizer
def test_state_round_trip(kind):
    """Two runs of 5 + 5 steps, one interrupted by a state_dict, end in the same bits."""
    starts = np.zeros((2, 3)), np.zeros(4), np.array(0.0)
    whole, optimizer = gave(kind, *starts, lr=0.05)
    take(5, whole, optimizer)
    halfway = copy.deepcopy(optimizer.state_dict())
    resumed, other = gave(kind, *(p.numpy() for p in whole), lr=0.5)
    other.load_state_dict(halfway)
    take(5, whole, optimizer)
    take(5, resumed, other)
    for p, q in zip(whole, resumed):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert other.param_groups[0]["lr"] == 0.05


@every_optimizer
def test_loaded_state_is_a_copy(kind):
    one, optimizer = gave(kind, np.zeros(3))
    take(2, one, optimizer)
    two, other = gave(kind, np.zeros(3))
    other.load_state_dict(optimizer.state_dict())
    before = copy.deepcopy(optimizer.state_dict()["state"])
    take(2, two, other)
    np.testing.assert_equal(optimizer.state_dict()["state"], before)


@every_optimizer
def test_parameters_without_gradient_stay(kind):
    (moved, frozen), optimizer = gave(kind, np.ones(2), np.ones(2), lr=0.1)
    moved.grad = Tensor([1.0, 1.0])
    optimizer.step()
    assert frozen.tolist() == [1.0, 1.0]
    assert moved.tolist() != [1.0, 1.0]
    assert list(optimizer.state_dict()["state"]) == [0]
    optimizer.zero_grad()
    assert moved.grad is None


@every_optimizer
def test_groups_override_options(kind):
    fast, slow = (Tensor([0.0], requires_grad=True) for _ in range(2))
    optimizer = kind([{"params": [fast], "lr": 0.2}, {"params": slow}], lr=0.1)
    fast.grad, slow.grad = Tensor([1.0]), Tensor([1.0])
    optimizer.step()
    np.testing.assert_allclose(fast.item(), 2 * slow.item(), rtol=1e-6)
    assert [g["params"] for g in optimizer.state_dict()["param_groups"]] == [[0], [1]]
    assert repr(optimizer).startswith(f"{kind.__name__}(\n  group 0: 1 parameters, lr=0.2")


@every_optimizer
def test_a_write_is_seen_by_a_backward_that_needs_the_old_value(kind):
    (p,), optimizer = gave(kind, np.ones(2))
    p.grad = Tensor(np.ones(2))
    loss = (p * p).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="written in place"):
        loss.backward()


@every_optimizer
def test_an_empty_state_round_trip_before_any_step(kind):
    _, optimizer = gave(kind, np.ones(2), lr=0.3)
    _, other = gave(kind, np.ones(2))
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["lr"] == 0.3
    assert other.state == {}


@every_optimizer
def test_is_copied_with_its_parameters(kind):
    parameters, optimizer = gave(kind, np.zeros(3), lr=0.05)
    take(3, parameters, optimizer)
    twins, twin = copy.deepcopy((parameters, optimizer))
    take(3, parameters, optimizer)
    take(3, twins, twin)
    np.testing.assert_array_equal(twins[0].numpy(), parameters[0].numpy())


def test_row_sparse_gradients_count_as_their_dense_form():
    (p,), optimizer = gave(optim.SGD, np.ones((4, 2)), lr=1.0)
    p.grad = Rows([1, 3, 1], np.ones((3, 2)), (4, 2))
    optimizer.step()
    assert p.tolist() == [[1, 1], [-1, -1], [1, 1], [0, 0]]


# ---- the lecture's formulas


def test_minimum_of_the_lecture():  # C2W3-tf: w^2 - 10 w + 25
    (w,), optimizer = gave(optim.SGD, np.array(0.0), lr=0.01)
    for step in range(1, 1001):
        optimizer.zero_grad()
        (w**2 - 10 * w + 25).backward()
        optimizer.step()
        np.testing.assert_allclose(w.item(), 5 * (1 - 0.98**step), rtol=1e-12)
    np.testing.assert_allclose(w.item(), 4.99999999158516, rtol=1e-12)


def test_momentum_of_the_lecture():  # C2W2-momentum: both forms agree when lr is scaled by 1 - beta
    rng = np.random.default_rng(0)
    beta, lr, gradients = 0.9, 0.1, rng.standard_normal((10, 3))
    (p,), optimizer = gave(optim.SGD, np.zeros(3), lr=lr * (1 - beta), momentum=beta)
    v, w = np.zeros(3), np.zeros(3)
    for g in gradients:
        v = beta * v + (1 - beta) * g
        w = w - lr * v
        p.grad = Tensor(g)
        optimizer.step()
        np.testing.assert_allclose(p.numpy(), w, rtol=1e-12)


def test_adam_of_the_lecture():  # C2W2-adam
    rng = np.random.default_rng(0)
    b1, b2, eps, lr = 0.9, 0.999, 1e-8, 0.01
    (p,), optimizer = gave(optim.Adam, np.zeros(3), lr=lr)
    v, s, w = np.zeros(3), np.zeros(3), np.zeros(3)
    for t in range(1, 11):
        g = rng.standard_normal(3)
        v, s = b1 * v + (1 - b1) * g, b2 * s + (1 - b2) * g**2
        w = w - lr * (v / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)
        p.grad = Tensor(g)
        optimizer.step()
        np.testing.assert_allclose(p.numpy(), w, rtol=1e-10)


def test_first_step_of_adam_moves_by_lr_against_the_sign():  # C2W2-adam
    (p,), optimizer = gave(optim.Adam, np.zeros(4), lr=0.01)
    p.grad = Tensor(np.array([1e-3, -5.0, 1e3, 0.0]))
    optimizer.step()
    np.testing.assert_allclose(p.numpy(), [-0.01, 0.01, -0.01, 0], rtol=2e-5)


def test_weight_decay_is_the_l2_penalty_under_sgd():  # C2W1-decay: W := (1 - lr lambda/m) W - lr dW
    (p,), optimizer = gave(optim.SGD, np.array([2.0, -3.0]), lr=0.1, weight_decay=0.7 / 5)
    p.grad = Tensor(np.array([0.5, 0.25]))
    optimizer.step()
    np.testing.assert_allclose(
        p.numpy(), (1 - 0.1 * 0.7 / 5) * np.array([2.0, -3.0]) - 0.1 * np.array([0.5, 0.25])
    )


@every_optimizer
def test_trains_a_network(kind):
    autograd.seed(1)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([[0], [1], [1], [0]])
    optimizer = kind(net.parameters(), lr=0.05, **({"momentum": 0.9} if kind is optim.SGD else {}))
    loss = nn.BCEWithLogitsLoss()
    first = loss(net(x), y).item()
    for _ in range(600):
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()
    assert loss(net(x), y).item() < 0.1 * first


# ---- what bad use gets


def leaf(*shape):
    return Tensor(np.ones(shape), requires_grad=True)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (list, ValueError, "got no parameters"),
        (lambda: iter(()), ValueError, "got no parameters"),
        (lambda: [{"params": []}], ValueError, "group 0 has no parameters"),
        (lambda: leaf(2), TypeError, "takes a list of parameters or of groups, got one tensor"),
        (lambda: {"params": []}, TypeError, "got one dict"),
        (lambda: [np.ones(2)], TypeError, "parameter 0 is a ndarray, not a tensor"),
        (
            lambda: [("weight", leaf(2))],
            TypeError,
            "parameter 0 is a tuple, not a tensor: give model.parameters()",
        ),
        (lambda: [{"weights": [leaf(2)]}], TypeError, 'a group is a dict with "params"'),
        (
            lambda: [{"params": [leaf(2)], "learning_rate": 1}],
            ValueError,
            "has no option learning_rate, only lr",
        ),
        (lambda: [leaf(2) * 2], ValueError, "is the result of multiply"),
    ],
)
@every_optimizer
def test_refuses_parameters(kind, make, error, said):
    with pytest.raises(error) as caught:
        kind(make())
    assert said in str(caught.value)


@every_optimizer
def test_refuses_a_parameter_twice(kind):
    p, q = leaf(2), leaf(3)
    with pytest.raises(ValueError, match=r"parameter 2 of shape \(2,\) is parameter 0 again"):
        kind([p, q, p])
    with pytest.raises(ValueError, match="parameter 2 .* is parameter 1 again"):
        kind([{"params": [p, q]}, {"params": [q]}])


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (optim.SGD, {"lr": -0.1}, "SGD: lr must be a number from 0, got -0.1"),
        (optim.SGD, {"lr": math.nan}, "lr must be a number from 0, got nan"),
        (optim.SGD, {"lr": math.inf}, "got inf"),
        (optim.SGD, {"lr": "0.1"}, "lr must be a number from 0, got '0.1'"),
        (optim.SGD, {"momentum": -1}, "momentum must be a number from 0"),
        (optim.SGD, {"weight_decay": -1}, "weight_decay must be a number from 0"),
        (optim.SGD, {"nesterov": True}, "nesterov needs momentum over 0 and dampening 0, got 0.0 and 0.0"),
        (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov needs momentum"),
        (optim.Adam, {"betas": (0.9, 1.0)}, "beta2 must be a number in [0, 1), got 1.0"),
        (optim.Adam, {"betas": (-0.1, 0.9)}, "beta1 must be a number in [0, 1), got -0.1"),
        (optim.Adam, {"betas": 0.9}, "betas must be a pair of numbers, got 0.9"),
        (optim.Adam, {"eps": -1e-8}, "eps must be a number from 0"),
    ],
)
def test_refuses_options(kind, options, said):
    with pytest.raises(ValueError) as caught:
        kind([leaf(2)], **options)
    assert said in str(caught.value)
    with pytest.raises(ValueError):
        kind([{"params": [leaf(2)], **options}])


@every_optimizer
def test_refuses_a_gradient_of_another_shape(kind):
    (p,), optimizer = gave(kind, np.ones((3, 1)))
    p.grad = Tensor(np.ones(3))
    with pytest.raises(ValueError, match=r"a parameter of shape \(3, 1\) has a gradient of shape \(3,\)"):
        optimizer.step()


def test_refuses_a_state_of_another_optimizer_or_model():
    (p,), sgd = gave(optim.SGD, np.ones(2), momentum=0.9)
    take(1, [p], sgd)
    _, adam = gave(optim.Adam, np.ones(2))
    before = copy.deepcopy(adam.state_dict())
    with pytest.raises(
        ValueError, match="of another optimizer than Adam: they differ in betas, dampening, eps"
    ):
        adam.load_state_dict(sgd.state_dict())
    with pytest.raises(ValueError, match=r"groups of \[1\] parameters, the state_dict of \[2\]"):
        adam.load_state_dict(gave(optim.Adam, np.ones(2), np.ones(2))[1].state_dict())
    with pytest.raises(ValueError, match="no state_dict of an optimizer"):
        adam.load_state_dict({"weight": np.ones(2)})
    other, long = gave(optim.SGD, np.ones(3), momentum=0.9)
    take(1, other, long)
    with pytest.raises(
        ValueError, match=r"momentum_buffer of parameter 0 has shape \(3,\), the parameter \(2,\)"
    ):
        sgd.load_state_dict(long.state_dict())
    wrong = copy.deepcopy(sgd.state_dict())
    wrong["state"][5] = {}
    with pytest.raises(ValueError, match=r"state of parameters \[5\], which are in none of its groups"):
        sgd.load_state_dict(wrong)
    assert adam.state_dict() == before

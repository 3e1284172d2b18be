"""Layers that take the maximum with 0 in their own pass, and Sequential, which asks them to."""

import numpy as np
import pytest

import nn
from autograd import Tensor, no_grad


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("leading", [(), (0,), (1,), (4,), (3, 0), (2, 70), (130,)])
@pytest.mark.parametrize(
    ("sizes", "bias"), [((3, 5), True), ((70, 90), True), ((70, 90), False), ((9, 1), True)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_and_relu_in_one_pass(leading, sizes, bias, dtype):
    """The bits of one after the other, whoever multiplies: (130, 70) by (70, 90) is the kernel's."""
    layer, x = nn.Linear(*sizes, bias=bias).to(dtype), normal(*leading, sizes[0], dtype=dtype)
    y, expected = layer(x, relu=True), np.maximum(layer(x).numpy(), 0)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.numpy(), expected, strict=True)


@pytest.mark.parametrize("rows", [2, 64])
def test_nan_and_infinity_stay(rows):
    layer, x = nn.Linear(64, 64), normal(rows, 64)
    x[0, 3], x[1, 5] = np.nan, np.inf
    y = layer(x, relu=True).numpy()
    assert np.isnan(y[0]).all()
    np.testing.assert_array_equal(y[1], np.where(layer.weight.numpy()[:, 5] > 0, np.inf, 0))
    assert np.isfinite(y[2:]).all()


@pytest.mark.parametrize("leading", [(130,), (3, 50)])
def test_gradients_are_pytorchs(leading, torch):
    """Where the kernels of large products run."""
    layer, x, g = nn.Linear(70, 90), normal(*leading, 70), normal(*leading, 90, seed=1)
    ours = Tensor(x, requires_grad=True)
    layer(ours, relu=True).backward(g)
    theirs, T = torch.nn.Linear(70, 90), torch.from_numpy(x).requires_grad_()
    with torch.no_grad():
        theirs.weight[...] = torch.from_numpy(layer.weight.numpy().copy())
        theirs.bias[...] = torch.from_numpy(layer.bias.numpy().copy())
    torch.relu(theirs(T)).backward(torch.from_numpy(g))
    pairs = [(ours, T), (layer.weight, theirs.weight), (layer.bias, theirs.bias)]
    for got, want in ((a.grad.numpy(), b.grad.numpy()) for a, b in pairs):
        assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


@pytest.fixture
def calls(monkeypatch):
    """The ReLU modules called so far."""
    seen, forward = [], nn.ReLU.forward

    def counted(self, x):
        seen.append(self)
        return forward(self, x)

    monkeypatch.setattr(nn.ReLU, "forward", counted)
    return seen


LAYERS = {
    "Linear": (lambda: nn.Linear(3, 3), (4, 3)),
    "Conv2d": (lambda: nn.Conv2d(3, 3, 1), (2, 4, 4, 3)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3).eval(), (4, 3)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3).eval(), (2, 4, 4, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_sequential_asks_for_it_where_nothing_is_recorded(name, calls):
    layer, shape = LAYERS[name]
    relu, x = nn.ReLU(), normal(*shape)
    model = nn.Sequential(layer(), relu, layer(), nn.Tanh(), relu, layer(), relu)
    y = model(x).numpy()
    assert len(calls) == 3
    calls.clear()
    with no_grad():
        z = model(x).numpy()
    assert len(calls) == 1  # the one behind the Tanh
    np.testing.assert_allclose(z, y, rtol=0, atol=1e-6)


def leave(layer, relu):
    pass


def hook_on_the_layer(layer, relu):
    layer.register_forward_hook(lambda module, args, output: None)


def hook_on_the_relu(layer, relu):
    relu.register_forward_hook(lambda module, args, output: None)


def own_forward(layer, relu):
    layer.forward = type(layer).forward.__get__(layer)


@pytest.mark.parametrize(
    ("why", "called"), [(leave, 0), (hook_on_the_layer, 1), (hook_on_the_relu, 1), (own_forward, 1)]
)
def test_sequential_calls_a_relu_that_would_be_missed(why, called, calls):
    layer, relu, x = nn.Linear(3, 3), nn.ReLU(), normal(4, 3)
    model = nn.Sequential(layer, relu)
    why(layer, relu)
    with no_grad():
        y = model(x)
    assert len(calls) == called
    np.testing.assert_array_equal(y.numpy(), np.maximum(layer(x).numpy(), 0))

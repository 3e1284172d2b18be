"""Hooks of modules."""

import copy
import pickle

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from tests.test_module import Net, ones


def test_forward_hooks():
    net, seen = Net().eval(), []
    before = net.hidden.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape))
    after = net.hidden.register_forward_hook(lambda module, args, y: seen.append((args[0].shape, y.shape)))
    net(ones(2, 4))
    assert seen == [(2, 4), ((2, 4), (2, 3))]
    before.remove()
    before.remove()
    net(ones(1, 4))
    assert seen[2:] == [((1, 4), (1, 3))]
    after.remove()
    net(ones(1, 4))
    assert len(seen) == 3
    with net.register_forward_hook(lambda module, args, y: seen.append("inside")):
        net(ones(1, 4))
    net(ones(1, 4))
    assert seen[3:] == ["inside"]


def test_forward_hooks_replace_what_goes_in_and_comes_out():
    layer = nn.Tanh()
    layer.register_forward_pre_hook(lambda module, args: args[0] * 0)
    layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    layer.register_forward_hook(lambda module, args, y: y * 2)
    np.testing.assert_allclose(layer(ones(2)).numpy(), 2 * np.tanh(1), rtol=1e-6)


def test_a_hook_reads_activations_inside_a_model():  # what style transfer and pictures of layers need
    net, kept = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), {}
    for name, module in net.named_children():
        module.register_forward_hook(lambda module, args, y, name=name: kept.update({name: y}))
    net(ones(4, 2))
    assert {name: y.shape for name, y in kept.items()} == {"0": (4, 3), "1": (4, 3), "2": (4, 1)}


class Two(nn.Module):
    """Two inputs, of which one is used twice, and two outputs."""

    def forward(self, a, b, factor=1.0):
        return {"product": a * b * factor, "sum": a + 1}


def test_backward_hooks_agree_with_pytorch(torch):
    seen = {}

    def hook_of(side):
        return lambda module, grad_input, grad_output: seen.setdefault(side, []).append(
            [None if g is None else g.detach().numpy().copy() for g in (*grad_input, *grad_output)]
        )

    class TorchTwo(torch.nn.Module):
        def forward(self, a, b):
            return a * b, a + 1

    class OurTwo(nn.Module):
        def forward(self, a, b):
            return a * b, a + 1

    for side, module, tensor in (
        ("ours", OurTwo(), lambda x: Tensor(x, requires_grad=True)),
        ("theirs", TorchTwo(), lambda x: torch.tensor(x, requires_grad=True)),
    ):
        module.register_full_backward_hook(hook_of(side))
        a, b = tensor(np.array([1.0, 2.0])), tensor(np.array([3.0, 4.0]))
        product, total = module(a, b)
        ((product * 2).sum() + (total * 5).sum() + (a * 100).sum()).backward()
        np.testing.assert_array_equal(np.asarray(a.grad.detach()), [111, 113])  # 2 b + 5 + 100
        product, _ = module(a, b)
        product.sum().backward()
    for ours, theirs in zip(seen["ours"], seen["theirs"], strict=True):
        for mine, their in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(0 if mine is None else mine, 0 if their is None else their)


def test_backward_hooks_of_the_first_layer_and_of_dicts():
    seen = []
    layer = nn.Linear(2, 1)
    handle = layer.register_full_backward_hook(lambda module, into, out: seen.append((into, out)))
    layer(ones(3, 2)).sum().backward()
    ((into, (out,)),) = seen
    assert into == (None,)
    assert out.tolist() == [[1.0]] * 3
    assert layer.weight.grad.tolist() == [[3.0, 3.0]]
    handle.remove()
    layer(ones(3, 2)).sum().backward()
    assert len(seen) == 1
    two = Two()
    two.register_full_backward_hook(lambda module, into, out: seen.append((into, out)))
    a, b = Tensor([2.0], requires_grad=True), ones(1)
    out = two(a, b, factor=3.0)
    assert list(out) == ["product", "sum"]
    (out["product"] + out["sum"]).sum().backward()
    (into, out) = seen[-1]
    assert [g if g is None else g.tolist() for g in into] == [[4.0], None]
    assert [g.tolist() for g in out] == [[1.0], [1.0]]


def test_backward_hooks_replace_the_gradient():
    layer = nn.Identity()
    layer.register_full_backward_hook(lambda module, into, out: (into[0] * 10,))
    x = Tensor([1.0, 2.0], requires_grad=True)
    (layer(x) * 3).sum().backward()
    assert x.grad.tolist() == [30.0, 30.0]
    layer.register_full_backward_hook(lambda module, into, out: (None, None))
    with pytest.raises(ValueError, match="a backward hook of Identity returned 2 gradients for 1 arguments"):
        layer(x).sum().backward()


def test_backward_hooks_see_tensors_that_can_be_differentiated_again():
    layer, seen = nn.Tanh(), []
    layer.register_full_backward_hook(lambda module, into, out: seen.append(into[0]))
    x = Tensor(np.array([0.5]), requires_grad=True)
    first = autograd.gradient(layer(x).sum(), x, create_graph=True)
    second = autograd.gradient(first, x)
    t = np.tanh(0.5)
    np.testing.assert_allclose(first.item(), 1 - t * t)
    np.testing.assert_allclose(second.item(), -2 * t * (1 - t * t))
    assert seen[0].requires_grad


def test_hooks_go_with_a_copy_and_do_not_disturb_errors():
    net = nn.Sequential(nn.Linear(2, 2))
    net[0].register_full_backward_hook(count_calls)
    CALLS.clear()
    for duplicate in (net, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        duplicate(Tensor(np.ones((1, 2), np.float32), requires_grad=True)).sum().backward()
    assert len(CALLS) == 3
    assert list(net.state_dict()) == ["0.weight", "0.bias"]
    with pytest.raises(ValueError, match="^0: Linear needs 2 features, got 3"):
        net(ones(1, 3))
    net[0].register_forward_hook(lambda module, args, y: y @ y)
    with pytest.raises(ValueError, match="^0: matmul: "):
        net(ones(3, 2))


CALLS = []


def count_calls(module, into, out):
    CALLS.append(module)


def test_a_relu_taken_along_changes_nothing_and_is_left_where_it_has_hooks():
    """Where no graph is recorded, Sequential lets a layer do the work of the ReLU behind it."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.ReLU(), nn.BatchNorm2d(8), nn.ReLU()).eval()
    x = np.random.default_rng(0).standard_normal((2, 7, 7, 3), np.float32)
    recorded, seen = model(Tensor(x)).numpy(), []
    with autograd.no_grad():
        assert np.array_equal(model(Tensor(x)).numpy(), recorded)
        handle = model[1].register_forward_hook(lambda module, args, output: seen.append(args[0].numpy()))
        assert np.array_equal(model(Tensor(x)).numpy(), recorded)
        handle.remove()
        model(Tensor(x))
    assert len(seen) == 1 and seen[0].min() < 0

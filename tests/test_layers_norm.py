"""Normalisation layers beyond their rows in the table: running statistics and what they are used for."""

import copy

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor

f32 = np.float32


def batch(seed=0, shape=(6, 3, 4, 5)):
    return (2 + 3 * np.random.default_rng(seed).standard_normal(shape)).astype(f32)


def statistics(layer):
    return [b.numpy().copy() for b in (layer.running_mean, layer.running_var, layer.num_batches_tracked)]


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_running_statistics_over_batches_are_pytorchs(torch, momentum):
    ours, theirs = nn.BatchNorm2d(5, momentum=momentum), torch.nn.BatchNorm2d(5, momentum=momentum)
    for seed in range(3):
        x = batch(seed)
        ours(x)
        theirs(torch.tensor(x.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_allclose(ours.running_mean.numpy(), theirs.running_mean.numpy(), rtol=1e-5)
    np.testing.assert_allclose(ours.running_var.numpy(), theirs.running_var.numpy(), rtol=1e-5)
    assert ours.num_batches_tracked.item() == theirs.num_batches_tracked.item() == 3
    assert set(ours.state_dict()) == set(theirs.state_dict())


def test_test_time_uses_the_running_statistics_and_leaves_them():
    layer, x = nn.BatchNorm2d(5, momentum=1.0), batch()
    layer(x)
    before = statistics(layer)
    layer.eval()
    y = layer(x).numpy()
    for a, b in zip(statistics(layer), before):
        np.testing.assert_array_equal(a, b)
    n = x.size / 5
    expected = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) * n / (n - 1) + 1e-5)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_one_example_at_test_time():  # COURSE.md C2W3-bntest
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="more than one value per channel when training"):
        layer(np.ones((1, 3), f32))
    assert layer.num_batches_tracked.item() == 0
    assert layer.eval()(np.ones((1, 3), f32)).shape == (1, 3)


def test_a_checkpoint_counts_a_batch_once():
    plain, x = nn.BatchNorm2d(5), Tensor(batch(), requires_grad=True)
    replayed = copy.deepcopy(plain)
    plain(x).sum().backward()
    first = x.grad.numpy().copy()
    x.grad = None
    autograd.checkpoint(replayed)(x).sum().backward()
    for a, b in zip(statistics(plain), statistics(replayed)):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(x.grad.numpy(), first)


def test_second_derivatives_move_no_statistics():
    layer, x = nn.BatchNorm1d(5), Tensor(batch(shape=(6, 5)), requires_grad=True)
    y = layer(x)
    before = statistics(layer)
    (g,) = autograd.gradient((y * y * y).sum(), [x], create_graph=True)
    (g * g).sum().backward()
    for a, b in zip(statistics(layer), before):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("training", [True, False])
def test_relu_in_the_same_pass(training):
    layer, x = nn.BatchNorm2d(5).train(training), Tensor(batch(), requires_grad=True)
    apart = copy.deepcopy(layer)
    y, z = layer(x, relu=True), np.maximum(apart(x), 0)
    np.testing.assert_array_equal(y.numpy(), z.numpy())
    g = np.random.default_rng(1).standard_normal(y.shape).astype(f32)
    (one,), (two,) = (autograd.gradient(out, [x], gradient=g) for out in (y, z))
    np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-4, atol=1e-6)


def test_reset():
    layer = nn.BatchNorm1d(3)
    layer(batch(shape=(4, 3)))
    layer.reset_running_stats()
    for got, wanted in zip(statistics(layer), (0, 1, 0)):
        assert (got == wanted).all()


def test_layer_norm_of_images_loads_pytorchs_weights(torch):
    theirs, ours = torch.nn.LayerNorm((4, 2, 3)), nn.LayerNorm((2, 3, 4))
    weight = torch.randn(4, 2, 3)
    np.testing.assert_array_equal(
        ours.weight.layout.from_torch(weight.numpy()), weight.permute(1, 2, 0).numpy()
    )
    assert ours.weight.layout.torch_shape(ours.weight.shape) == tuple(theirs.weight.shape)


@pytest.mark.parametrize(
    ("layer", "x", "kind", "said"),
    [
        (nn.BatchNorm2d(8), np.ones((2, 4, 4, 6), f32), ValueError, "BatchNorm2d needs 8 channels, got 6"),
        (nn.BatchNorm2d(8), np.ones((2, 8), f32), ValueError, "needs (m, n_H, n_W, n_C), got shape (2, 8)"),
        (
            nn.BatchNorm1d(8),
            np.ones((2, 2, 2, 8), f32),
            ValueError,
            "needs (m, n_C) or (m, T, n_C), got shape",
        ),
        (nn.BatchNorm2d(8), np.ones((2, 4, 4, 8)), TypeError, "float32, got input of float64"),
        (nn.BatchNorm2d(8), [1.0], TypeError, "takes a Tensor or an ndarray, got list"),
        (nn.BatchNorm2d(8), np.ones((0, 4, 4, 8), f32), ValueError, "an empty batch has no variance"),
        (nn.InstanceNorm2d(8), np.ones((2, 1, 1, 8), f32), ValueError, "one value has no variance"),
        (nn.GroupNorm(2, 4), np.ones((2, 6), f32), ValueError, "GroupNorm needs 4 channels, got 6"),
        (nn.LayerNorm((3, 4)), np.ones((2, 5, 4), f32), ValueError, "must be normalized_shape, (3, 4)"),
        (nn.RMSNorm(4), np.ones((2, 5), f32), ValueError, "RMSNorm needs 4 features, got 5"),
    ],
)
def test_inputs_that_do_not_fit(layer, x, kind, said):
    with pytest.raises(kind) as caught:
        layer(x)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.BatchNorm2d(0), "BatchNorm2d: num_features must be an int of at least 1, got 0"),
        (lambda: nn.GroupNorm(3, 4), "num_groups=3 must divide 4 channels"),
        (lambda: nn.LayerNorm(()), "normalized_shape must name at least one axis"),
        (lambda: nn.LayerNorm((3, 0)), "normalized_shape[1] must be an int of at least 1, got 0"),
        (lambda: nn.LocalResponseNorm(0), "size must be an int of at least 1"),
    ],
)
def test_arguments_that_do_not_fit(make, said):
    with pytest.raises(ValueError) as caught:
        make()
    assert said in str(caught.value)

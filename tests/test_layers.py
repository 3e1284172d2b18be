"""Layers against PyTorch and the course's numbers."""

import math

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, check_grads

LAYERS = {  # what is built from nn and from torch.nn alike, and the shape of its input
    "linear": (lambda n: n.Linear(4, 3), (5, 4)),
    "linear of sequences": (lambda n: n.Linear(4, 3, bias=False), (2, 5, 4)),
    "conv": (lambda n: n.Conv2d(3, 4, 3), (2, 7, 6, 3)),
    "conv without bias": (lambda n: n.Conv2d(3, 4, 3, bias=False), (2, 7, 6, 3)),
    "conv, strides and pads": (lambda n: n.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0)), (2, 7, 6, 2)),
    "conv, same": (lambda n: n.Conv2d(2, 3, 3, padding="same"), (2, 5, 6, 2)),
    "conv, valid": (lambda n: n.Conv2d(2, 3, 3, padding="valid"), (1, 5, 6, 2)),
    "conv, dilated": (lambda n: n.Conv2d(2, 3, 3, dilation=2), (1, 7, 6, 2)),
    "conv, groups": (lambda n: n.Conv2d(4, 6, 3, groups=2), (2, 5, 5, 4)),
    "conv, depthwise": (lambda n: n.Conv2d(4, 4, 3, groups=4), (2, 5, 5, 4)),
    "max pool": (lambda n: n.MaxPool2d(2), (2, 5, 6, 3)),
    "max pool, overlapping": (lambda n: n.MaxPool2d(3, stride=2, padding=1), (2, 7, 6, 3)),
    "average pool": (lambda n: n.AvgPool2d(2), (2, 5, 6, 3)),
    "average pool, padded": (lambda n: n.AvgPool2d(3, 2, padding=1), (2, 7, 6, 3)),
    "average pool, pads left out": (
        lambda n: n.AvgPool2d(3, 2, padding=1, count_include_pad=False),
        (2, 7, 6, 3),
    ),
    "identity": (lambda n: n.Identity(), (3, 4)),
    "relu": (lambda n: n.ReLU(), (3, 4)),
    "leaky relu": (lambda n: n.LeakyReLU(0.2), (3, 4)),
    "sigmoid": (lambda n: n.Sigmoid(), (3, 4)),
    "tanh": (lambda n: n.Tanh(), (3, 4)),
    "softplus": (lambda n: n.Softplus(), (3, 4)),
    "softplus, steep": (lambda n: n.Softplus(beta=3.0), (3, 4)),
    "softmax": (lambda n: n.Softmax(dim=-1), (3, 4)),
    "softmax over columns": (lambda n: n.Softmax(dim=0), (3, 4)),
    "log softmax": (lambda n: n.LogSoftmax(dim=-1), (3, 4)),
}


def in_float64(make):
    """The layer with parameters of float64."""
    autograd.set_default_dtype(np.float64)
    try:
        return make(nn)
    finally:
        autograd.set_default_dtype(np.float32)


def images_to_torch(array):
    """(m, n_H, n_W, n_C) as PyTorch has it; anything else as it is."""
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


def images_from_torch(array):
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


@pytest.mark.parametrize("name", LAYERS)
def test_layer_agrees_with_pytorch_forward_and_backward(name, torch):
    make, shape = LAYERS[name]
    ours, theirs = in_float64(make), make(torch.nn).double()
    rng = np.random.default_rng(1)
    x = rng.standard_normal(shape)
    state = {
        n: torch.tensor(p.layout.to_torch(p.numpy()).copy() if p.layout else p.numpy().copy())
        for n, p in ours.named_parameters()
    }
    theirs.load_state_dict(state)
    their_x = torch.tensor(images_to_torch(x).copy(), requires_grad=True)
    their_y = theirs(their_x)
    our_x = Tensor(x, requires_grad=True)
    our_y = ours(our_x)
    np.testing.assert_allclose(
        our_y.numpy(), images_from_torch(their_y.detach().numpy()), rtol=1e-9, atol=1e-12
    )
    g = rng.standard_normal(our_y.shape)
    our_y.backward(g)
    their_y.backward(torch.tensor(images_to_torch(g).copy()))
    np.testing.assert_allclose(
        our_x.grad.numpy(), images_from_torch(their_x.grad.numpy()), rtol=1e-9, atol=1e-12
    )
    wanted = dict(theirs.named_parameters())
    for n, p in ours.named_parameters():
        grad = p.layout.to_torch(p.grad.numpy()) if p.layout else p.grad.numpy()
        np.testing.assert_allclose(grad, wanted[n].grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=n)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_has_second_derivatives(name):
    make, shape = LAYERS[name]
    layer = in_float64(make)
    x = np.random.default_rng(2).standard_normal(tuple(min(n, 5) for n in shape[:-1]) + shape[-1:])
    parameters = list(layer.parameters())

    check_grads(lambda x, *values: call_with(layer, x, values), x, *(p.numpy() for p in parameters))


def call_with(layer, x, values):
    """The layer's output with other tensors in the place of its parameters."""
    names = [n for n, _ in layer.named_parameters()]
    before = {n: layer.__dict__[n] for n in names}
    layer.__dict__.update(zip(names, values))
    try:
        return layer.forward(x)
    finally:
        layer.__dict__.update(before)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_keeps_float32(name):
    make, shape = LAYERS[name]
    layer = make(nn)
    x = Tensor(np.random.default_rng(3).standard_normal(shape).astype(np.float32), requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32
    assert all(p.grad.dtype == np.float32 for p in layer.parameters())


def test_same_padding_with_a_stride_gives_ceil_n_over_s():
    for n, s in ((7, 2), (8, 2), (8, 3), (5, 1)):
        y = nn.Conv2d(1, 1, 3, stride=s, padding="same")(np.ones((1, n, n, 1), np.float32))
        assert y.shape == (1, math.ceil(n / s), math.ceil(n / s), 1)


# ---- the course's numbers


def count(layer):
    return sum(p.size for p in layer.parameters())


def test_parameter_counts():
    assert count(nn.Conv2d(3, 10, 3)) == 280  # C4W1-params
    assert count(nn.Conv2d(3, 6, 5)) == 456  # C4W1-why
    assert count(nn.Conv2d(3, 8, 5)) == 608  # C4W1-lenet
    assert [count(nn.Linear(*n)) for n in ((400, 120), (120, 84), (84, 10))] == [48120, 10164, 850]
    layers = [nn.Linear(*n) for n in ((3, 5), (5, 5), (5, 3), (3, 1))]
    assert count(nn.Sequential(*layers)) == 72  # C1W4-forward


def test_vertical_edges_of_the_lecture():  # C4W1-edge2
    image = np.zeros((1, 6, 6, 1), np.float32)
    image[:, :, :3] = 10
    layer = nn.Conv2d(1, 1, 3, bias=False)
    layer.weight.data = np.array([[1, 0, -1]] * 3, np.float32).reshape(3, 3, 1, 1)
    np.testing.assert_array_equal(layer(image).numpy()[0, :, :, 0], [[0, 30, 30, 0]] * 4)


def test_pooling_of_the_lecture():  # C4W1-pool
    image = np.array([[1, 3, 2, 1], [2, 9, 1, 1], [1, 3, 2, 3], [5, 6, 1, 2]], np.float32).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(nn.MaxPool2d(2)(Tensor(image)).numpy()[0, :, :, 0], [[9, 2], [6, 3]])
    image = np.array([[1, 3, 2, 1], [2, 9, 1, 1], [1, 4, 2, 3], [5, 6, 1, 2]], np.float32).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(nn.AvgPool2d(2)(Tensor(image)).numpy()[0, :, :, 0], [[3.75, 1.25], [4, 2]])


def test_linear_activations_collapse():  # C1W3-linear
    one, two = in_float64(lambda n: n.Linear(3, 5)), in_float64(lambda n: n.Linear(5, 2))
    x = np.random.default_rng(0).standard_normal((4, 3))
    W = two.weight.numpy() @ one.weight.numpy()
    b = two.weight.numpy() @ one.bias.numpy() + two.bias.numpy()
    np.testing.assert_allclose(two(one(x)).numpy(), x @ W.T + b)


def test_softmax_of_the_lecture():  # C2W3-softmax, and the course's assignment
    np.testing.assert_allclose(
        nn.Softmax()(Tensor([5.0, 2.0, -1.0, 3.0])).numpy(), [0.842, 0.042, 0.002, 0.114], atol=5e-4
    )
    rows = nn.Softmax()(Tensor([[9.0, 2, 5, 0, 0], [7, 5, 0, 0, 0]])).numpy()
    np.testing.assert_allclose(rows[0, :3], [9.80897665e-1, 8.94462891e-4, 1.79657674e-2], rtol=1e-6)
    np.testing.assert_allclose(rows[1, 2:], 8.01252314e-4, rtol=1e-6)


def test_sigmoid_of_the_assignment():
    np.testing.assert_allclose(
        nn.Sigmoid()(Tensor([1.0, 2, 3])).numpy(), [0.73105858, 0.88079708, 0.95257413], rtol=1e-6
    )


def test_flatten():
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 2, 2)
    assert nn.Flatten()(Tensor(x)).shape == (2, 12)
    np.testing.assert_array_equal(nn.Flatten()(Tensor(x)).numpy()[1], x[1].ravel())
    assert nn.Flatten(0, 1)(Tensor(x)).shape == (6, 2, 2)
    assert nn.Flatten()(Tensor(x[:0])).shape == (0, 12)
    assert nn.Flatten()(Tensor(x[:, 0, 0, 0])[:, None]).shape == (2, 1)
    with pytest.raises(ValueError, match=r"^flatten: no axes 1 to -1 in shape \(2,\)"):
        nn.Flatten()(np.ones(2))


def test_a_linear_behind_a_flatten_takes_pytorchs_columns(torch):
    theirs = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 5, 7))
    ours = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(60, 7, spatial=(4, 5, 3)))
    state = {n: t.numpy() for n, t in theirs.state_dict().items()}
    ours.load_state_dict(
        {n: p.layout.from_torch(state[n]) if p.layout else state[n] for n, p in ours.named_parameters()}
    )
    x = np.random.default_rng(0).standard_normal((2, 6, 7, 2)).astype(np.float32)
    expected = theirs(torch.tensor(images_to_torch(x).copy())).detach().numpy()
    np.testing.assert_allclose(ours(x).numpy(), expected, rtol=1e-5, atol=1e-6)
    for n, p in ours.named_parameters():
        if p.layout:
            np.testing.assert_array_equal(p.layout.to_torch(p.numpy()), state[n])
            assert p.layout.torch_shape(p.shape) == state[n].shape


# ---- dropout


def test_dropout_drops_a_fifth_and_keeps_the_mean():  # C2W1-dropout: keep_prob 0.8
    x = Tensor(np.ones((1000, 50), np.float32), requires_grad=True)
    y = nn.Dropout(0.2)(x)
    dropped = (y.numpy() == 0).mean()
    assert abs(dropped - 0.2) < 0.01  # 50,000 draws: one standard deviation is 0.0018
    np.testing.assert_allclose(np.unique(y.numpy()), [0, 1.25])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())
    assert y.dtype == np.float32


def test_dropout_is_the_identity_at_test_time():
    x = Tensor(np.ones(5, np.float32))
    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(0)(x) is x
    assert not nn.Dropout(1)(x).numpy().any()


def test_dropout_draws_from_the_one_generator():
    x, layer = Tensor(np.ones(100, np.float32)), nn.Dropout(0.5)
    autograd.seed(3)
    first, second = layer(x).numpy(), layer(x).numpy()
    autograd.seed(3)
    np.testing.assert_array_equal(layer(x).numpy(), first)
    assert (first != second).any()


@pytest.mark.parametrize("p", [-0.1, 1.5, "0.5", None, math.nan])
def test_dropout_refuses(p):
    with pytest.raises(ValueError, match="probability of dropping"):
        nn.Dropout(p)


# ---- initialisation


@pytest.mark.parametrize(
    ("make", "fan_in"), [(lambda: nn.Linear(50, 400), 50), (lambda: nn.Conv2d(8, 100, 5, groups=2), 100)]
)
def test_defaults_have_pytorchs_distribution(make, fan_in):
    layer, bound = make(), 1 / math.sqrt(fan_in)
    w = layer.weight.numpy().ravel()
    assert np.abs(w).max() < bound
    assert np.abs(w).max() > 0.99 * bound
    deviation = bound / math.sqrt(3)  # of U[-bound, bound]
    assert abs(w.mean()) < 4 * deviation / math.sqrt(w.size)
    assert abs(w.std() / deviation - 1) < 0.03
    assert np.abs(layer.bias.numpy()).max() < bound
    assert layer.bias.numpy().std() > 0


def test_fans_agree_with_pytorch(torch):
    for ours, theirs in (
        (nn.Linear(3, 5), torch.nn.Linear(3, 5)),
        (nn.Conv2d(4, 6, (3, 2), groups=2), torch.nn.Conv2d(4, 6, (3, 2), groups=2)),
    ):
        assert nn.init.fans(ours.weight) == torch.nn.init._calculate_fan_in_and_fan_out(theirs.weight)
    for name in ("linear", "tanh", "relu", "sigmoid", "selu", "leaky_relu"):
        assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


@pytest.mark.parametrize(
    ("fill", "mean", "deviation"),
    [
        (nn.init.zeros_, 0, 0),
        (nn.init.ones_, 1, 0),
        (lambda t: nn.init.constant_(t, 0.5), 0.5, 0),
        (lambda t: nn.init.normal_(t, 2.0, 3.0), 2, 3),
        (lambda t: nn.init.uniform_(t, 1.0, 4.0), 2.5, 3 / math.sqrt(12)),
        (nn.init.small_normal_, 0, 0.01),  # C1W3-init
        (nn.init.xavier_normal_, 0, math.sqrt(2 / 500)),  # C2W1-heinit
        (nn.init.xavier_uniform_, 0, math.sqrt(2 / 500)),
        (nn.init.kaiming_normal_, 0, math.sqrt(2 / 200)),  # C2W1-heinit
        (nn.init.kaiming_uniform_, 0, math.sqrt(2 / 200)),
        (lambda t: nn.init.kaiming_normal_(t, mode="fan_out"), 0, math.sqrt(2 / 300)),
        (lambda t: nn.init.kaiming_normal_(t, nonlinearity="linear"), 0, math.sqrt(1 / 200)),
    ],
)
def test_initialisation(fill, mean, deviation):
    t = nn.Parameter(np.empty((300, 200), np.float32))
    assert fill(t) is t
    values = t.numpy()
    assert abs(values.mean() - mean) <= 4 * deviation / math.sqrt(values.size) + 1e-7
    assert abs(values.std() - deviation) <= 0.02 * deviation + 1e-7
    assert t.dtype == np.float32
    assert t.requires_grad


def test_initialisation_follows_the_seed():
    autograd.seed(5)
    first = nn.Linear(3, 3).weight.numpy()
    autograd.seed(5)
    np.testing.assert_array_equal(nn.Linear(3, 3).weight.numpy(), first)


def test_he_initialisation_keeps_the_scale_through_depth():  # C2W1-heinit, C2W1-explode
    def last(fill):
        layers = [nn.Linear(200, 200, bias=False) for _ in range(30)]
        for layer in layers:
            fill(layer.weight)
        x = np.random.default_rng(0).standard_normal((100, 200)).astype(np.float32)
        return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))(x).numpy().std()

    assert 0.2 < last(nn.init.he_normal_) < 5
    assert last(nn.init.small_normal_) < 1e-15


def test_zero_initialisation_keeps_units_identical():  # C1W3-init
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    for p in net.parameters():
        nn.init.constant_(p, 0.3)
    x = np.random.default_rng(0).standard_normal((20, 2)).astype(np.float32)
    for _ in range(3):
        net.zero_grad()
        (net(x) ** 2).mean().backward()
        with autograd.no_grad():
            for p in net.parameters():
                p -= 0.1 * p.grad
    np.testing.assert_array_equal(net[0].weight.numpy(), np.tile(net[0].weight.numpy()[:1], (4, 1)))


def test_initialisation_refuses():
    vector, matrix = nn.Parameter([1.0]), nn.Parameter(np.ones((2, 2), np.float32))
    with pytest.raises(ValueError, match=r"fans need a matrix or filters, got a tensor of shape \(1,\)"):
        nn.init.xavier_normal_(vector)
    with pytest.raises(ValueError, match="mode is"):
        nn.init.kaiming_normal_(matrix, mode="fan")
    with pytest.raises(ValueError, match="no gain is known for 'relu6'"):
        nn.init.kaiming_normal_(matrix, nonlinearity="relu6")
    with pytest.raises(ValueError, match="a <= b"):
        nn.init.uniform_(matrix, 1, 0)
    with pytest.raises(ValueError, match="std"):
        nn.init.normal_(matrix, 0, -1)


# ---- what bad input gets

f32 = np.float32


@pytest.mark.parametrize(
    ("layer", "x", "kind", "said"),
    [
        (
            nn.Linear(400, 120),
            np.ones((64, 392), f32),
            ValueError,
            r"Linear needs 400 features, got 392; input (64, 392)",
        ),
        (nn.Linear(4, 2), np.zeros((), f32), ValueError, "Linear needs 4 features, got a single number"),
        (
            nn.Linear(4, 2),
            np.ones((2, 4)),
            TypeError,
            "Linear has weights of float32, got input of float64: use x.astype",
        ),
        (nn.Linear(4, 2), np.ones((2, 4), int), TypeError, "got input of int64: use x.astype(np.float32)"),
        (nn.Linear(4, 2), [[1.0] * 4], TypeError, "Linear takes a Tensor or an ndarray, got list"),
        (
            nn.Conv2d(64, 8, 3),
            np.ones((16, 28, 28, 32), f32),
            ValueError,
            "Conv2d needs 64 channels, got 32; input (16, 28, 28, 32)",
        ),
        (
            nn.Conv2d(1, 8, 3),
            np.ones((28, 28, 1), f32),
            ValueError,
            "needs (m, n_H, n_W, n_C), got shape (28, 28, 1); one example is x[None]",
        ),
        (nn.Conv2d(1, 8, 3), np.ones((2, 28, 28, 1), np.uint8), TypeError, "got input of uint8"),
        (nn.Conv2d(1, 8, 5), np.ones((1, 4, 4, 1), f32), ValueError, "5x5 is larger than the image, 4x4"),
        (nn.MaxPool2d(5), np.ones((1, 4, 4, 1), f32), ValueError, "larger than the image"),
        (nn.MaxPool2d(2), np.ones((4, 4), f32), ValueError, "needs 4: (m, n_H, n_W, n_C)"),
    ],
)
def test_layers_refuse_inputs(layer, x, kind, said):
    with pytest.raises(kind) as caught:
        layer(x)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.Linear(0, 3), "Linear: in_features must be an int of at least 1, got 0"),
        (lambda: nn.Linear(3, 2.5), "Linear: out_features must be an int of at least 1, got 2.5"),
        (lambda: nn.Linear(400, 3, spatial=(5, 5, 6)), "must multiply to 400 features, got (5, 5, 6)"),
        (lambda: nn.Linear(400, 3, spatial=(20, 20)), "must multiply to 400 features, got (20, 20)"),
        (lambda: nn.Conv2d(3, -1, 3), "Conv2d: out_channels must be an int of at least 1, got -1"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups=2 must divide 3 input and 4 output channels"),
        (lambda: nn.Conv2d(3, 4, 0), "kernel_size must be at least 1"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), "stride must be at least 1"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), 'padding is "same", "valid"'),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), "padding must be at least 0"),
        (lambda: nn.Softplus(0), "beta must be over 0"),
    ],
)
def test_layers_refuse_arguments(make, said):
    with pytest.raises(ValueError) as caught:
        make()
    assert said in str(caught.value)


def test_empty_batches_pass_through_layers():
    x = np.ones((0, 28, 28, 1), f32)
    net = nn.Sequential(nn.Conv2d(1, 2, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(288, 3))
    assert net(x).shape == (0, 3)

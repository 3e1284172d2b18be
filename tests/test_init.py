"""How parameters start: every function of nn.init, and the default of every layer."""

import math

import numpy as np
import pytest

import autograd
import nn
from nn import init
from tests.layer_table import all_rows

pytestmark = pytest.mark.slow

N = 60_000  # numbers in the matrix below


def matrix(*shape):
    return nn.Parameter(np.empty(shape or (300, 200), np.float32))


def test_fans_agree_with_pytorch(torch):
    for make in (
        lambda n: n.Linear(3, 5),
        lambda n: n.Conv1d(4, 6, 3),
        lambda n: n.Conv2d(4, 6, (3, 2), groups=2),
        lambda n: n.Conv3d(2, 6, (3, 2, 1)),
        lambda n: n.ConvTranspose2d(4, 6, 3, groups=2),
    ):
        theirs = torch.nn.init._calculate_fan_in_and_fan_out(make(torch.nn).weight)
        assert init.fans(make(nn).weight) == theirs


def test_gains_agree_with_pytorch(torch):
    kinds = ("linear", "conv2d", "conv_transpose3d", "tanh", "relu", "sigmoid", "selu", "leaky_relu")
    for name in kinds:
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.2) == torch.nn.init.calculate_gain("leaky_relu", 0.2)


def truncated(low, high):
    """Mean and standard deviation of N(0, 1) cut to [low, high], by the closed form."""

    def density(x):
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    def below(x):
        return math.erf(x / math.sqrt(2)) / 2

    mass = below(high) - below(low)
    mean = (density(low) - density(high)) / mass
    variance = 1 + (low * density(low) - high * density(high)) / mass - mean**2
    return mean, math.sqrt(variance)


@pytest.mark.parametrize(
    ("fill", "mean", "deviation"),
    [
        (init.zeros_, 0, 0),
        (init.ones_, 1, 0),
        (lambda t: init.constant_(t, 0.5), 0.5, 0),
        (lambda t: init.normal_(t, 2.0, 3.0), 2, 3),
        (lambda t: init.uniform_(t, 1.0, 4.0), 2.5, 3 / math.sqrt(12)),
        (init.small_normal_, 0, 0.01),  # C1W3-init
        (init.xavier_normal_, 0, math.sqrt(2 / 500)),  # C2W1-heinit
        (init.xavier_uniform_, 0, math.sqrt(2 / 500)),
        (lambda t: init.xavier_uniform_(t, gain=5 / 3), 0, 5 / 3 * math.sqrt(2 / 500)),
        (init.kaiming_normal_, 0, math.sqrt(2 / 200)),  # C2W1-heinit
        (init.kaiming_uniform_, 0, math.sqrt(2 / 200)),
        (lambda t: init.kaiming_normal_(t, mode="fan_out"), 0, math.sqrt(2 / 300)),
        (lambda t: init.kaiming_uniform_(t, a=0.2), 0, math.sqrt(2 / 1.04 / 200)),
        (lambda t: init.kaiming_normal_(t, nonlinearity="linear"), 0, math.sqrt(1 / 200)),
        (init.lecun_normal_, 0, math.sqrt(1 / 200)),  # C2W1-heinit: 1/n for tanh
        (init.lecun_uniform_, 0, math.sqrt(1 / 200)),
        (init.trunc_normal_, *truncated(-2, 2)),
        (lambda t: init.trunc_normal_(t, 1.0, 0.5, 1.0, 3.0), *(np.array(truncated(0, 4)) * 0.5 + [1, 0])),
        (lambda t: init.trunc_normal_(t, a=0.1, b=0.4), *truncated(0.1, 0.4)),
        (lambda t: init.trunc_normal_(t, a=4.0, b=100.0), *truncated(4, 9)),
        (lambda t: init.trunc_normal_(t, a=-100.0, b=-4.0), *(np.array(truncated(4, 9)) * [-1, 1])),
        (lambda t: init.orthogonal_(t, gain=2.0), 0, 2 / math.sqrt(300)),
        (lambda t: init.sparse_(t, 0.25, std=2.0), 0, 2 * math.sqrt(0.75)),
    ],
)
def test_statistics(fill, mean, deviation):
    t = matrix()
    assert fill(t) is t
    values = t.numpy().astype(np.float64)
    assert abs(values.mean() - mean) <= 4 * deviation / math.sqrt(N) + 1e-7
    assert abs(values.std() - deviation) <= 0.02 * deviation + 1e-7
    assert t.dtype == np.float32
    assert t.requires_grad


def test_truncated_stays_inside():
    for a, b in ((-2, 2), (0.5, 0.6), (3, 50)):
        values = init.trunc_normal_(matrix(), a=a, b=b).numpy()
        assert a <= values.min() <= values.max() <= b


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (20, 20), (3, 3, 2, 30), (3, 3, 8, 5), (3, 4, 6)])
def test_orthogonal(shape):
    w = init.orthogonal_(matrix(*shape)).numpy()
    rows = w if w.ndim == 2 else w.reshape(-1, shape[-1]).T
    product = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-5)
    assert (rows.ravel() < 0).any()
    assert (rows.ravel() > 0).any()


def test_identities():
    np.testing.assert_array_equal(init.eye_(matrix(2, 3)).numpy(), [[1, 0, 0], [0, 1, 0]])
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 4)).astype(np.float32)
    layer = nn.Conv2d(4, 4, 3, padding=1, bias=False)
    init.dirac_(layer.weight)
    np.testing.assert_array_equal(layer(x).numpy(), x)
    layer = nn.Conv2d(4, 8, 3, padding=1, groups=2, bias=False)
    init.dirac_(layer.weight, groups=2)
    y = np.zeros((2, 5, 6, 8), np.float32)
    y[..., [0, 1, 4, 5]] = x
    np.testing.assert_array_equal(layer(x).numpy(), y)


def test_identities_are_pytorchs(torch):
    for groups in (1, 2):
        ours, theirs = nn.Conv2d(4, 6, (3, 2), groups=groups), torch.nn.Conv2d(4, 6, (3, 2), groups=groups)
        init.dirac_(ours.weight, groups)
        torch.nn.init.dirac_(theirs.weight, groups)
        np.testing.assert_array_equal(
            ours.weight.layout.to_torch(ours.weight.numpy()), theirs.weight.detach().numpy()
        )


def test_sparse_has_its_zeros_in_every_column():
    w = init.sparse_(matrix(10, 7), 0.25).numpy()
    np.testing.assert_array_equal((w == 0).sum(0), 3)
    assert len(np.unique(np.argwhere(w == 0)[:, 0])) > 3  # not in the same rows


def test_the_seed_decides():
    for fill in (init.trunc_normal_, init.orthogonal_, lambda t: init.sparse_(t, 0.5), init.lecun_uniform_):
        autograd.seed(5)
        first = fill(matrix(4, 4)).numpy().copy()
        autograd.seed(5)
        np.testing.assert_array_equal(fill(matrix(4, 4)).numpy(), first)
        assert (fill(matrix(4, 4)).numpy() != first).any()


def test_filling_is_outside_the_graph_and_noticed():
    t = nn.Parameter(np.ones((2, 2), np.float32))
    y = (t * t).sum()
    init.orthogonal_(t)
    with pytest.raises(RuntimeError, match="written in place"):
        y.backward()


def test_he_initialisation_keeps_the_scale_through_depth():  # C2W1-heinit, C2W1-explode
    def last(fill):
        layers = [nn.Linear(200, 200, bias=False) for _ in range(30)]
        for layer in layers:
            fill(layer.weight)
        x = np.random.default_rng(0).standard_normal((100, 200)).astype(np.float32)
        return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))(x).numpy().std()

    assert 0.2 < last(init.he_normal_) < 5
    assert last(init.small_normal_) < 1e-15


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: init.xavier_normal_(matrix(3)), "fans need a matrix or filters, got a tensor of shape (3,)"),
        (lambda: init.orthogonal_(matrix(3)), "fans need a matrix or filters"),
        (lambda: init.kaiming_normal_(matrix(), mode="fan"), "mode is"),
        (lambda: init.kaiming_normal_(matrix(), nonlinearity="relu6"), "no gain is known for 'relu6'"),
        (lambda: init.uniform_(matrix(), 1, 0), "a <= b, got 1 and 0"),
        (lambda: init.normal_(matrix(), 0, -1), "std must not be negative, got -1"),
        (lambda: init.trunc_normal_(matrix(), std=0), "needs std > 0 and a < b, got std 0"),
        (lambda: init.trunc_normal_(matrix(), a=2, b=1), "a 2 and b 1"),
        (lambda: init.eye_(matrix(3)), "eye_ needs a matrix, got a tensor of shape (3,)"),
        (lambda: init.dirac_(matrix()), "dirac_ needs filters of 1 groups, got a tensor of shape (300, 200)"),
        (lambda: init.dirac_(matrix(3, 4, 5), 2), "filters of 2 groups, got a tensor of shape (3, 4, 5)"),
        (lambda: init.sparse_(matrix(3), 0.5), "sparse_ needs a matrix"),
        (lambda: init.sparse_(matrix(), 1.5), "a share in [0, 1], got shape (300, 200) and 1.5"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(ValueError) as caught:
        call()
    assert said in str(caught.value)


# ---- what layers start with


@pytest.mark.parametrize(
    ("make", "fan_in"), [(lambda: nn.Linear(50, 400), 50), (lambda: nn.Conv2d(8, 100, 5, groups=2), 100)]
)
def test_defaults_are_uniform_within_one_over_the_root_of_fan_in(make, fan_in):
    layer, bound = make(), 1 / math.sqrt(fan_in)
    w = layer.weight.numpy().ravel()
    assert 0.99 * bound < np.abs(w).max() < bound
    deviation = bound / math.sqrt(3)  # of U[-bound, bound]
    assert abs(w.mean()) < 4 * deviation / math.sqrt(w.size)
    assert abs(w.std() / deviation - 1) < 0.03
    assert np.abs(layer.bias.numpy()).max() < bound
    assert layer.bias.numpy().std() > 0


def one_row_a_layer():
    """The first row of each layer that has parameters."""
    chosen = {}
    for row in all_rows():
        if row.theirs and row.covers not in chosen and any(True for _ in row.ours().parameters()):
            chosen[row.covers] = row
    del chosen["LearnedPositionalEncoding"]  # held against an Embedding, but starts as the papers' tables do
    return list(chosen.values())


@pytest.mark.slow
@pytest.mark.parametrize("row", one_row_a_layer(), ids=lambda row: row.covers)
def test_every_layer_starts_from_pytorchs_distribution(row, torch):
    """Many layers are made of each, and the distributions of each parameter held against each other: by
    Kolmogorov and Smirnov's test, of two samples of 2,000 or more, at a probability of 1e-6."""
    torch.manual_seed(0)
    smallest = min(p.size for p in row.ours().parameters())
    count = math.ceil(2000 / smallest)
    ours, theirs = [row.ours() for _ in range(count)], [row.theirs(torch) for _ in range(count)]
    mine = [dict(layer.named_parameters()) for layer in ours]
    their = [dict(layer.named_parameters()) for layer in theirs]
    assert mine[0].keys() == their[0].keys()
    for name in mine[0]:
        a = np.sort(np.concatenate([p[name].numpy().ravel() for p in mine]))
        b = np.sort(np.concatenate([p[name].detach().numpy().ravel() for p in their]))
        assert a.size == b.size
        every = np.concatenate([a, b])
        apart = np.abs(np.searchsorted(a, every, "right") - np.searchsorted(b, every, "right")).max() / a.size
        assert apart < 2.69 * math.sqrt(2 / a.size), f"{name}: {apart:.3f} of the distribution lie elsewhere"

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
    """The first row of each layer that has parameters, and of each choice of which parameters it has."""
    chosen = {}
    for row in all_rows():
        names = frozenset(name for name, _ in row.ours().named_parameters())
        given = row.covers in ("ParameterList", "ParameterDict") or "fine-tuned" in row.name
        if row.theirs and names and not given:
            chosen.setdefault((row.covers, names), row)
    # held against an Embedding, but starts as the papers' tables do
    return [row for row in chosen.values() if row.covers != "LearnedPositionalEncoding"]


@pytest.mark.slow
@pytest.mark.parametrize("row", one_row_a_layer(), ids=str)
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


def root(n):
    """The bound of U[-1/sqrt(n), 1/sqrt(n))."""
    return "uniform", 1 / math.sqrt(n)


XAVIER = "uniform", math.sqrt(6 / (3 * 40 + 40))  # of in_proj_weight, (3 n, n)
DEFAULTS = {  # the distribution of each parameter, by its closed form: PyTorch's documentation
    "Linear": (lambda: nn.Linear(50, 40), {"weight": root(50), "bias": root(50)}),
    "Bilinear": (lambda: nn.Bilinear(30, 9, 20), {"weight": root(30), "bias": root(30)}),
    **{
        f"Conv{n}d": (
            lambda n=n: getattr(nn, f"Conv{n}d")(8, 60, 3, groups=2),
            {"weight": root(4 * 3**n), "bias": root(4 * 3**n)},
        )
        for n in (1, 2, 3)
    },
    **{  # the fan-in of a transposed filter is n_C / groups times the kernel
        f"ConvTranspose{n}d": (
            lambda n=n: getattr(nn, f"ConvTranspose{n}d")(60, 8, 3, groups=2),
            {"weight": root(4 * 3**n), "bias": root(4 * 3**n)},
        )
        for n in (1, 2, 3)
    },
    "Embedding": (lambda: nn.Embedding(90, 40), {"weight": ("normal", 1.0)}),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(90, 40), {"weight": ("normal", 1.0)}),
    "LearnedPositionalEncoding": (lambda: nn.LearnedPositionalEncoding(40, 90), {"weight": ("normal", 0.02)}),
    **{
        f"{kind}{cell}": (
            lambda kind=kind, cell=cell: getattr(nn, f"{kind}{cell}")(30, 64),
            {
                f"{name}{'' if cell else '_l0'}": root(64)
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            },
        )
        for kind in ("RNN", "LSTM", "GRU")
        for cell in ("", "Cell")
    },
    "MultiheadAttention": (
        lambda: nn.MultiheadAttention(40, 4),
        {
            "in_proj_weight": XAVIER,
            "in_proj_bias": ("constant", 0.0),
            "out_proj.weight": root(40),
            "out_proj.bias": ("constant", 0.0),
        },
    ),
    "PReLU": (lambda: nn.PReLU(3), {"weight": ("constant", 0.25)}),
    **{
        f"{kind}": (
            lambda kind=kind, given=given: getattr(nn, kind)(*given),
            {"weight": ("constant", 1.0), **({} if kind == "RMSNorm" else {"bias": ("constant", 0.0)})},
        )
        for kind, given in (
            *((f"BatchNorm{n}d", (6,)) for n in (1, 2, 3)),
            *((f"InstanceNorm{n}d", (6, 1e-5, 0.1, True)) for n in (1, 2, 3)),
            ("GroupNorm", (2, 6)),
            ("LayerNorm", (6,)),
            ("RMSNorm", (6,)),
        )
    },
    "HierarchicalSoftmax": (lambda: nn.HierarchicalSoftmax(30, np.ones(80)), {"weight": root(30)}),
    "LinearCrossEntropyLoss": (lambda: nn.LinearCrossEntropyLoss(30, 80), {"linear.weight": root(30)}),
    "AdaptiveLogSoftmaxWithLoss": (
        lambda: nn.AdaptiveLogSoftmaxWithLoss(32, 90, [60]),
        {"head.weight": root(32), "tail.0.0.weight": root(32), "tail.0.1.weight": root(8)},
    ),
}
OF_OTHERS = {  # all they have is in layers of the table
    *("Sequential", "ModuleList", "ModuleDict", "Residual", "Parallel", "Concat"),
    *("ParameterList", "ParameterDict"),
    *("TransformerEncoderLayer", "TransformerDecoderLayer", "TransformerEncoder", "TransformerDecoder"),
    "Transformer",
}


def test_every_layer_with_parameters_has_its_defaults():
    with_parameters = {row.covers for row in all_rows() if any(True for _ in row.ours().parameters())}

    assert with_parameters - set(DEFAULTS) == OF_OTHERS


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_have_their_distribution(name):
    """Enough layers for 5,000 numbers of each parameter: the mean to 4.5 standard deviations, the standard
    deviation to 6 %, a uniform one's bounds."""
    make, wanted = DEFAULTS[name]
    first = dict(make().named_parameters())
    assert first.keys() == wanted.keys()
    drawn = {p for p, (kind, _) in wanted.items() if kind != "constant"}
    count = max([1, *(math.ceil(5000 / first[p].size) for p in drawn)])
    layers = [dict(make().named_parameters()) for _ in range(count)]
    for parameter, (kind, scale) in wanted.items():
        values = np.concatenate([p[parameter].numpy().ravel() for p in layers]).astype(np.float64)
        if kind == "constant":
            assert (values == scale).all(), parameter
            continue
        deviation = scale / math.sqrt(3) if kind == "uniform" else scale
        assert abs(values.mean()) < 4.5 * deviation / math.sqrt(values.size), parameter
        assert abs(values.std() / deviation - 1) < 0.06, parameter
        if kind == "uniform":
            assert 0.98 * scale < np.abs(values).max() <= scale, parameter


def test_transformers_start_xavier_uniform():
    net = nn.Transformer(32, 4, 1, 1, 48)
    for name, p in net.named_parameters():
        if p.ndim > 1:
            bound = math.sqrt(6 / sum(p.shape))
            assert 0.95 * bound < np.abs(p.numpy()).max() <= bound, name


def test_fans_of_a_bilinear_table_are_pytorchs(torch):
    theirs = torch.nn.init._calculate_fan_in_and_fan_out(torch.nn.Bilinear(3, 4, 5).weight)
    assert init.fans(nn.Bilinear(3, 4, 5).weight) == theirs == (12, 20)

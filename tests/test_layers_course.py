"""Layers on the course's numbers, and what a row of the table cannot say."""

import math

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor

pytestmark = pytest.mark.slow


def in_float64(make):
    """The layer with parameters of float64."""
    autograd.set_default_dtype(np.float64)
    try:
        return make(nn)
    finally:
        autograd.set_default_dtype(np.float32)


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


def test_convolutions_of_the_lecture():  # C4W4-conv1d, C4W4-conv3d
    one = nn.Sequential(nn.Conv1d(1, 16, 5), nn.Conv1d(16, 32, 5))
    assert [count(layer) for layer in one] == [96, 2592]
    assert one(np.ones((1, 14, 1), np.float32)).shape == (1, 6, 32)
    three = nn.Sequential(nn.Conv3d(1, 16, 5), nn.Conv3d(16, 32, 5))
    assert [count(layer) for layer in three] == [2016, 64032]
    assert three(np.ones((1, 14, 14, 14, 1), np.float32)).shape == (1, 6, 6, 6, 32)


def test_global_average_of_the_lecture():  # C4W1-pool
    assert nn.AvgPool2d(7)(np.ones((1, 7, 7, 1000), np.float32)).shape == (1, 1, 1, 1000)
    assert nn.GlobalAvgPool()(np.ones((1, 7, 7, 1000), np.float32)).shape == (1, 1000)


def test_padding_row_of_an_embedding():
    table = nn.Embedding(4, 3, padding_idx=-1)
    assert table.padding_idx == 3
    np.testing.assert_array_equal(table.weight.numpy()[3], 0)
    table(np.array([[0, 3], [3, 1]])).sum().backward()
    np.testing.assert_array_equal(table.weight.grad.numpy()[:, 0], [1, 1, 0, 0])


def test_sparse_gradient_of_an_embedding():
    table = nn.Embedding(1000, 3, sparse=True)
    table(np.array([5, 7, 5])).sum().backward()
    assert isinstance(table.weight.grad, autograd.Rows)
    np.testing.assert_array_equal(table.weight.grad.coalesce().indices, [5, 7])
    np.testing.assert_array_equal(table.weight.grad.coalesce().values, [[2] * 3, [1] * 3])


def test_frozen_vectors_stay():
    table = nn.Embedding.from_pretrained(np.eye(3, dtype=np.float32))
    assert not table.weight.requires_grad
    assert nn.Embedding.from_pretrained(np.eye(3), freeze=False).weight.requires_grad
    np.testing.assert_array_equal(table(np.array([2])).numpy(), [[0, 0, 1]])


def test_rows_are_shortened_in_place_when_they_are_looked_up(torch):
    for kind in ("Embedding", "EmbeddingBag"):
        ours, theirs = (getattr(n, kind)(4, 3, max_norm=0.5) for n in (nn, torch.nn))
        table = np.array([[3, 4, 0], [0.1, 0, 0], [0, 9, 0], [1, 1, 1]], np.float32)
        ours.load_state_dict({"weight": table})
        theirs.load_state_dict({"weight": torch.tensor(table)})
        y = ours(np.array([[0, 1, 3]]))
        theirs(torch.tensor([[0, 1, 3]]))
        np.testing.assert_allclose(ours.weight.numpy(), theirs.weight.detach().numpy(), rtol=1e-6)
        np.testing.assert_allclose(ours.weight.numpy()[0], [0.3, 0.4, 0], rtol=1e-6)
        np.testing.assert_array_equal(ours.weight.numpy()[[1, 2]], table[[1, 2]])  # short, and not looked up
        y.sum().backward()
        with pytest.raises(IndexError, match="the indices hold 4"):
            ours(np.array([[4]]))


def test_gradients_by_frequency():
    """Divided by how often a word is in the batch, bags or not, padding left out."""
    words = np.array([0, 1, 1, 3, 3, 3])
    for call in (
        lambda w: nn.functional.embedding(words, w, scale_grad_by_freq=True),
        lambda w: nn.functional.embedding_bag(words, w, [0, 2], mode="sum", scale_grad_by_freq=True),
    ):
        table = Tensor(np.ones((5, 2)), requires_grad=True)
        call(table).sum().backward()
        np.testing.assert_allclose(table.grad.numpy()[:, 0], [1, 1, 0, 1, 0])
    table = Tensor(np.ones((5, 2)), requires_grad=True)
    nn.functional.embedding(words, table, -2, None, 2.0, True).sum().backward()
    np.testing.assert_allclose(table.grad.numpy()[:, 0], [1, 1, 0, 0, 0])


def test_weights_of_bags_are_of_the_tables_type():
    bag = nn.EmbeddingBag(4, 3, mode="sum")
    y = bag(np.array([[0, 1]]), per_sample_weights=[[0.5, 2.0]])
    assert y.dtype == np.float32
    table = bag.weight.numpy()
    np.testing.assert_allclose(y.numpy(), [0.5 * table[0] + 2 * table[1]], rtol=1e-6)
    shares = Tensor(np.array([[0.5, 2.0]]), requires_grad=True)
    bag(np.array([[0, 1]]), per_sample_weights=shares).sum().backward()
    np.testing.assert_allclose(shares.grad.numpy(), [table[:2].sum(1)], rtol=1e-6)


def test_unfolding_is_a_convolutions_first_half():
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 3))
    layer = in_float64(lambda n: n.Conv2d(3, 4, (3, 2), (2, 1), bias=False))
    patches = nn.Unfold((3, 2), stride=(2, 1))(x)  # (m, 2 * 4, 3 * 2 * 3)
    y = patches @ layer.weight.numpy().reshape(-1, 4)
    np.testing.assert_allclose(y.reshape(2, 2, 4, 4), layer(x).numpy())
    counts = nn.Fold((6, 5), (3, 2))(np.ones((1, 16, 6)))
    np.testing.assert_array_equal(counts[0, :, :, 0], np.outer([1, 2, 3, 3, 2, 1], [1, 2, 2, 2, 1]))
    np.testing.assert_allclose(nn.Fold((6, 5), (3, 2))(nn.Unfold((3, 2))(x)), x * counts)


def test_fractional_pooling_draws_its_windows():
    x = np.random.default_rng(0).standard_normal((2, 25, 25, 30)).astype(np.float32)
    layer = nn.FractionalMaxPool2d(2, output_ratio=0.7)
    y, z = layer(x), layer(x)
    assert y.shape == z.shape == (2, 17, 17, 30) and (y != z).any()
    autograd.seed(3)
    first, places = nn.FractionalMaxPool2d(2, 17, return_indices=True)(x)
    autograd.seed(3)
    np.testing.assert_array_equal(layer(x), first)
    np.testing.assert_array_equal(
        np.take_along_axis(x.reshape(2, 625, 30), places.reshape(2, 289, 30), 1), first.reshape(2, 289, 30)
    )


def test_unpooling_undoes_pooling():
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3)).astype(np.float32)
    y, places = nn.MaxPool2d(2, return_indices=True)(x)
    back = nn.MaxUnpool2d(2)(y, places, output_size=x.shape)
    assert back.shape == x.shape
    np.testing.assert_array_equal(back[back != 0], x[back != 0])
    np.testing.assert_array_equal(nn.MaxPool2d(2)(np.where(back == 0, -9, back)), y)


def test_containers():
    net = nn.Sequential(nn.Linear(2, 2)).extend([nn.ReLU(), nn.Linear(2, 1)])
    net[1] = nn.Tanh()
    assert [type(m).__name__ for m in net] == ["Linear", "Tanh", "Linear"]
    heads = nn.ModuleDict({"a": nn.Linear(2, 1)})
    heads["b"] = nn.Linear(2, 3)
    assert heads.keys() == ["a", "b"] and "b" in heads and len(heads) == 2
    assert list(heads.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias"]
    del heads["a"]
    assert [name for name, _ in heads.items()] == list(heads) == ["b"]
    with pytest.raises(KeyError, match="no module 'a', only b"):
        heads["a"]
    x = np.ones((1, 2), np.float32)
    assert [y.shape for y in nn.Parallel(nn.Linear(2, 3), nn.Identity())(x)] == [(1, 3), (1, 2)]


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
    expected = theirs(torch.tensor(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
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


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(nn.Dropout1d, (300, 6, 20)), (nn.Dropout2d, (300, 2, 3, 20)), (nn.Dropout3d, (300, 2, 1, 3, 20))],
)
def test_whole_channels_are_dropped(kind, shape):
    y = kind(0.3)(Tensor(np.ones(shape, np.float32))).numpy().reshape(300, 6, 20)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))  # a channel stays or goes as a whole
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7], rtol=1e-6)
    assert abs((y[:, 0] == 0).mean() - 0.3) < 0.03  # 6,000 draws: one standard deviation is 0.006
    with pytest.raises(ValueError, match=f"{kind.__name__} needs {len(shape)} dimensions"):
        kind()(np.ones((2, 3), np.float32))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance_behind_selu(p):  # Klambauer et al. 2017
    x = nn.SELU()(np.random.default_rng(0).standard_normal((500, 400)))
    y = nn.AlphaDropout(p)(x)
    assert abs(y.mean() - x.mean()) < 0.02
    assert abs(y.std() / x.std() - 1) < 0.02
    lowest, times = np.unique(y.round(9), return_counts=True)
    dropped = times.max() / y.size
    assert abs(dropped - p) < 0.01
    a = 1 / math.sqrt((1 - p) * (1 + p * 1.7580993408473766**2))
    at = lowest[times.argmax()]
    np.testing.assert_allclose(at, -1.7580993408473766 * a + a * p * 1.7580993408473766, rtol=1e-6)


def test_feature_alpha_dropout_drops_whole_channels():
    y = nn.FeatureAlphaDropout(0.4)(np.ones((200, 7, 30), np.float32))
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
    assert len(np.unique(y)) == 2


def test_rrelu_draws_slopes_between_its_limits():
    x = np.full((1000, 10), -1.0, np.float32)
    slopes = -nn.RReLU(0.1, 0.4)(x)
    assert 0.1 <= slopes.min() < 0.101 and 0.399 < slopes.max() <= 0.4
    assert abs(slopes.mean() - 0.25) < 0.005  # 10,000 draws: one standard deviation is 0.0009
    assert slopes.dtype == np.float32


@pytest.mark.parametrize("p", [-0.1, 1.5, "0.5", None, math.nan])
def test_dropout_refuses(p):
    with pytest.raises(ValueError, match="probability of dropping"):
        nn.Dropout(p)


def test_empty_batches_pass_through_layers():
    x = np.ones((0, 28, 28, 1), np.float32)
    net = nn.Sequential(nn.Conv2d(1, 2, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(288, 3))
    assert net(x).shape == (0, 3)


@pytest.mark.parametrize(
    ("layer", "shape", "out"),
    [
        (nn.Conv1d(2, 3, 3), (4, 2), (2, 3)),
        (nn.Conv3d(2, 3, 3), (4, 4, 4, 2), (2, 2, 2, 3)),
        (nn.ConvTranspose2d(2, 3, 2, 2), (4, 4, 2), (8, 8, 3)),
        (nn.MaxPool1d(2), (4, 2), (2, 2)),
        (nn.MaxPool3d(2), (4, 4, 4, 2), (2, 2, 2, 2)),
        (nn.AvgPool3d(2), (4, 4, 4, 2), (2, 2, 2, 2)),
        (nn.AdaptiveMaxPool2d(3), (4, 4, 2), (3, 3, 2)),
        (nn.LPPool2d(2, 2), (4, 4, 2), (2, 2, 2)),
        (nn.GlobalAvgPool(), (4, 4, 2), (2,)),
        (nn.ReflectionPad2d(1), (4, 4, 2), (6, 6, 2)),
        (nn.Upsample(scale_factor=2, mode="bilinear"), (4, 4, 2), (8, 8, 2)),
        (nn.PixelShuffle(2), (4, 4, 4), (8, 8, 1)),
        (nn.Dropout2d(), (4, 4, 2), (4, 4, 2)),
        (nn.Reshape(4, 1), (2, 2), (4, 1)),
    ],
)
def test_empty_batches_have_gradients(layer, shape, out):
    x = Tensor(np.ones((0, *shape), np.float32), requires_grad=True)
    y = layer(x)
    assert y.shape == (0, *out)
    y.sum().backward()
    assert x.grad.shape == x.shape


def test_empty_bags():
    for mode in ("sum", "mean", "max"):
        bag = nn.EmbeddingBag(3, 2, mode=mode)
        assert bag(np.zeros((0, 4), int)).shape == (0, 2)
        np.testing.assert_array_equal(bag(np.zeros((2, 0), int)).numpy(), np.zeros((2, 2)))


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

"""The first networks of the course beyond the table of models: the lecture's sizes, their arguments, and
classifiers that slide."""

import numpy as np
import pytest

import nn
from autograd import Tensor, no_grad
from nn import init, models
from nn.models import fully_convolutional
from nn.models.lenet1998 import TABLE
from nn.summary import summary

pytestmark = pytest.mark.slow


def count(model):
    return sum(p.size for p in model.parameters())


# ---- fully connected


@pytest.mark.parametrize(
    ("sizes", "parameters"),
    [
        ((3, 4, 1), 21),  # C1W3-net
        ((3, 5, 5, 3, 1), 72),  # C1W4-forward
        ((2, 3, 5, 4, 2, 1), 66),  # C1W4-dims
        ((12288, 7, 1), 86_031),  # the course's cats
        ((12288, 20, 7, 5, 1), 245_973),
    ],
)
def test_networks_of_the_slides(sizes, parameters):
    model = models.deep_network(sizes)
    assert count(model) == parameters
    for l in range(1, len(sizes)):
        linear = getattr(model.layers, f"linear{l}")
        assert linear.weight.shape == (sizes[l], sizes[l - 1])
        assert linear.bias.shape == (sizes[l],)


def test_an_image_is_unrolled():  # C1W2-imgvec
    image = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    model = models.deep_network((64 * 64 * 3, 1))
    np.testing.assert_array_equal(model(image).numpy(), model(image.reshape(2, 12288)).numpy())


def test_hidden_layers_take_activation_batch_norm_and_dropout():
    model = models.deep_network(
        (4, 6, 5, 2), activation=nn.Tanh, batch_norm=True, dropout=(0.2, 0.0), initialise=init.xavier_normal_
    )
    kinds = [(name, type(module).__name__) for name, module in model.layers.named_children()]
    assert kinds == [
        ("flatten", "Flatten"),
        ("linear1", "Linear"),
        ("norm1", "BatchNorm1d"),
        ("activation1", "Tanh"),
        ("dropout1", "Dropout"),
        ("linear2", "Linear"),
        ("norm2", "BatchNorm1d"),
        ("activation2", "Tanh"),
        ("linear3", "Linear"),
    ]
    layers = model.layers
    assert layers.linear1.bias is layers.linear2.bias is None  # C2W3-bn: beta stands in for b
    assert layers.linear3.bias is not None
    assert layers.dropout1.p == 0.2


def test_zero_initialisation_keeps_units_identical():  # C1W3-init
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(20, 3)).astype(np.float32), rng.integers(0, 2, (20, 1)).astype(np.float32)
    for initialise, alike in ((lambda t: init.constant_(t, 0.1), True), (init.small_normal_, False)):
        model = models.deep_network((3, 4, 1), activation=nn.Tanh, initialise=initialise)
        for _ in range(5):
            model.zero_grad()
            nn.BCEWithLogitsLoss()(model(x), labels).backward()
            with no_grad():
                for p in model.parameters():
                    p -= 0.5 * p.grad
        rows = model.layers.linear1.weight.numpy()
        assert (np.ptp(rows, axis=0) == 0).all() == alike


def test_logistic_regression_starts_at_a_half():
    model = models.logistic_regression(5)
    logits = model(np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32))
    np.testing.assert_array_equal(nn.Sigmoid()(logits).numpy(), 0.5)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"at least two sizes .* got \(3,\)"):
        models.deep_network((3,))
    with pytest.raises(ValueError, match="1 dropout probabilities for 2 hidden layers"):
        models.deep_network((3, 4, 4, 1), dropout=[0.5])


# ---- LeNet-5 of 1998


def test_why_convolutions():  # C4W1-why; the slide's 156 forgets the three channels
    assert count(nn.Conv2d(3, 6, 5)) == 6 * (5 * 5 * 3 + 1) == 456
    assert nn.Conv2d(3, 6, 5)(np.zeros((1, 32, 32, 3), np.float32)).size == 4704
    assert 3072 * 4704 == 14_450_688


def test_parameters_and_connections_of_the_paper():
    model = models.lenet1998()
    parameters = {name: count(child) for name, child in model.named_children()}
    assert parameters == {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164, "output": 0}
    products = {row.name: row.multiply_adds for row in summary(model, (1, 32, 32, 1)).rows}
    assert products["c1"] + 28 * 28 * 6 == 122_304
    assert 14 * 14 * 6 * 5 == 5_880
    assert sum(products[f"c3.{part}"] for part in ("three", "four", "all")) + 10 * 10 * 16 == 151_600
    assert 5 * 5 * 16 * 5 == 2_000
    connections = 122_304 + 5_880 + 151_600 + 2_000 + 48_120 + 10_164 + 84 * 10
    assert connections == 340_908  # the paper's figure


def test_the_table_breaks_the_symmetry():
    assert sum(map(len, TABLE)) == 60
    assert len(set(TABLE)) == 16
    assert [sum(s in row for row in TABLE) for s in range(6)] == [10] * 6


def test_the_nearest_code_wins():
    model = models.lenet1998()
    codes = model.output.codes.numpy()
    assert set(np.unique(codes)) == {-1.0, 1.0}
    logits = model.output(Tensor(codes)).numpy()
    np.testing.assert_array_equal(np.diagonal(logits), 0)
    assert (logits.argmax(axis=1) == np.arange(10)).all()
    other = models.lenet1998()
    np.testing.assert_array_equal(other.output.codes.numpy(), codes)


# ---- classifiers as convolutions


def crops(image, size, stride):
    """Every crop at distances of `stride`: (rows, columns, m, size, size, n_C)."""
    starts = range(0, image.shape[1] - size + 1, stride)
    return np.array([[image[:, i : i + size, j : j + size] for j in starts] for i in starts])


def slide_network():
    """The network of C4W3's slides: 14x14x3 -> 10x10x16 -> 5x5x16 -> 400 -> 400 -> 4."""
    features = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2))
    classifier = nn.Sequential(
        nn.Flatten(),
        nn.Linear(400, 400, spatial=(5, 5, 16)),
        nn.ReLU(),
        nn.Linear(400, 400),
        nn.ReLU(),
        nn.Linear(400, 4),
    )
    return features, classifier


@pytest.mark.parametrize(("larger", "places"), [(14, 1), (16, 2), (28, 8)])
def test_the_lectures_sliding_windows(larger, places):
    features, classifier = slide_network()
    net = fully_convolutional(features, classifier)
    image = np.random.default_rng(0).normal(size=(2, larger, larger, 3)).astype(np.float32)
    found = net(image).numpy()
    assert found.shape == (2, places, places, 4)
    parts = crops(image, 14, 2)
    for i in range(places):
        for j in range(places):
            expected = classifier(features(parts[i, j])).numpy()
            np.testing.assert_allclose(found[:, i, j], expected, atol=1e-5)


def test_lenet_slides():
    model = models.LeNet5(padding=0).eval()
    net = fully_convolutional(model.features, model.classifier)
    image = np.random.default_rng(0).normal(size=(1, 40, 36, 1)).astype(np.float32)
    found = net(image).numpy()
    assert found.shape == (1, 3, 2, 10)
    for i in range(3):
        for j in range(2):
            crop = image[:, 4 * i : 4 * i + 32, 4 * j : 4 * j + 32]
            np.testing.assert_allclose(found[:, i, j], model(crop).numpy(), atol=1e-5)
    assert count(net) == count(model)


@pytest.mark.parametrize("build", [models.vgg11_bn, models.alexnet_2012])
def test_at_its_own_size_a_classifier_stays_what_it_is(build):
    options = dict(places=2) if build is models.vgg11_bn else dict(size=67)
    model = build(num_classes=5, width=6, hidden=8, **options).eval()
    size = 64 if build is models.vgg11_bn else 67
    image = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)
    net = fully_convolutional(model.features, model.classifier).eval()
    found = net(image).numpy()
    assert found.shape == (2, 1, 1, 5)
    np.testing.assert_allclose(found[:, 0, 0], model(image).numpy(), rtol=1e-4, atol=1e-6)


def test_its_weights_are_copies():
    features, classifier = slide_network()
    net = fully_convolutional(features, classifier)
    image = np.ones((1, 14, 14, 3), np.float32)
    before = net(image).numpy().copy()
    for p in (*features.parameters(), *classifier.parameters()):
        init.zeros_(p)
    np.testing.assert_array_equal(net(image).numpy(), before)


def test_what_was_flattened_must_be_told():
    with pytest.raises(ValueError, match=r"Linear\(400, 120\) stands behind a Flatten.*spatial="):
        fully_convolutional(nn.Flatten(), nn.Linear(400, 120))

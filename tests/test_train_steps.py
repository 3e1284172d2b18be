"""What one step of `nn.train.fit` is: clipping, several batches a step, weights of classes and examples."""

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor
from nn import data, train
from tests.test_train_loop import CLASSES, POINTS, RNG, batches, close, network, run

# ---- clipping


def test_clipping_by_norm_and_by_value_as_in_a_loop():
    model, other = network(), network()
    _, weights = run(1, model, optim.SGD(model.parameters(), lr=1.0), clip_norm=0.05, clip_value=0.02)
    optimizer = optim.SGD(other.parameters(), lr=1.0)
    for x, labels in batches():
        optimizer.zero_grad()
        nn.functional.cross_entropy(other(Tensor(x)), labels).backward()
        optim.clip_grad_value_(other.parameters(), 0.02)
        optim.clip_grad_norm_(other.parameters(), 0.05)
        optimizer.step()
    assert close(weights, [p.numpy() for p in other.parameters()], rtol=0, atol=0)
    _, free = run(1, optimizer=None)
    assert not close(weights, free)


# ---- accumulation


@pytest.mark.parametrize(
    ("accumulate", "size", "same_as"), [(2, 8, 16), (3, 10, 30), (4, 20, 80), (100, 7, 90)]
)
def test_accumulated_steps_are_those_of_the_effective_batch(accumulate, size, same_as):
    """Also the last ones of an epoch, of fewer batches, the last of them smaller than the others."""
    parts, a = run(3, train=batches(size), accumulate=accumulate)
    whole, b = run(3, train=batches(same_as))
    assert close(a, b)
    np.testing.assert_allclose(parts.column("loss"), whole.column("loss"), rtol=1e-5)


def test_accumulation_with_weights_is_the_weighted_mean_of_all():
    weights = RNG.uniform(0, 2, 90)
    weights[:8] = 0  # a whole batch that counts nothing

    def loader(size):
        return data.Loader(POINTS, CLASSES, weights, batch_size=size)

    options = dict(sample_weights=True, loss=nn.CrossEntropyLoss(reduction="none"))
    parts, a = run(2, train=loader(8), accumulate=2, **options)
    whole, b = run(2, train=loader(16), **options)
    assert close(a, b)
    np.testing.assert_allclose(parts.column("loss"), whole.column("loss"), rtol=1e-5)


# ---- weights of classes and samples


def test_class_weights_are_those_of_the_loss():
    _, a = run(2, class_weights={0: 0.3, 1: 2.0}, loss=nn.CrossEntropyLoss(reduction="none"))
    _, b = run(2, loss=nn.CrossEntropyLoss(weight=np.array([0.3, 2.0], np.float32)))  # as torch's
    assert close(a, b)
    _, c = run(2, class_weights=[0.3, 2.0], loss=nn.CrossEntropyLoss(reduction="none"))
    assert close(a, c, rtol=0, atol=0)
    _, some = run(2, class_weights={0: 0.3}, loss=nn.CrossEntropyLoss(reduction="none"))  # others count 1
    _, both = run(2, class_weights=[0.3, 1.0], loss=nn.CrossEntropyLoss(reduction="none"))
    assert close(some, both, rtol=0, atol=0)
    one_hot = data.Loader(POINTS, np.eye(2, dtype=np.float32)[CLASSES], batch_size=16)
    _, d = run(2, train=one_hot, class_weights=[0.3, 2.0], loss=nn.CrossEntropyLoss(reduction="none"))
    assert close(a, d)


def test_whole_sample_weights_are_repeated_examples():
    weights = np.tile([1, 3, 0], 30)
    repeated = np.repeat(np.arange(90), weights)
    options = dict(sample_weights=True, loss=nn.CrossEntropyLoss(reduction="none"))
    _, a = run(3, train=data.Loader(POINTS, CLASSES, weights, batch_size=90), **options)
    _, b = run(3, train=data.Loader(POINTS[repeated], CLASSES[repeated], batch_size=200))
    assert close(a, b)


def test_class_and_sample_weights_multiply_and_validation_has_none():
    weights = RNG.uniform(0.5, 2, 90)
    by_class = np.array([0.5, 1.5])
    loader = data.Loader(POINTS, CLASSES, weights, batch_size=30)
    both = data.Loader(POINTS, CLASSES, weights * by_class[CLASSES], batch_size=30)
    options = dict(sample_weights=True, loss=nn.CrossEntropyLoss(reduction="none"), validation=batches())
    first, a = run(2, train=loader, class_weights=by_class, **options)
    second, b = run(2, train=both, **options)
    assert close(a, b)
    model = network()
    plain = train.evaluate(model, batches(), nn.CrossEntropyLoss())["loss"]
    frozen = optim.SGD(model.parameters(), lr=0.0)
    history, _ = run(1, model, frozen, train=loader, class_weights=by_class, **options)
    assert history.rows[0]["val_loss"] == pytest.approx(plain, rel=1e-6)
    w = weights * by_class[CLASSES]
    each = nn.functional.cross_entropy(model(Tensor(POINTS)), CLASSES, reduction="none").numpy()
    assert history.rows[0]["loss"] == pytest.approx((w * each).sum() / w.sum(), rel=1e-5)


def test_weights_of_binary_targets_and_of_every_pixel():
    y = CLASSES[:, None].astype(np.float32)
    loss = nn.BCEWithLogitsLoss(reduction="none")
    weights = np.where(CLASSES, 3.0, 1.0)

    def logistic():
        autograd.seed(1)
        return nn.Linear(2, 1)

    _, a = run(2, logistic(), train=data.Loader(POINTS, y, batch_size=30), class_weights=[1, 3], loss=loss)
    model = logistic()
    _, b = run(2, model, train=data.Loader(POINTS, y, weights, batch_size=30), sample_weights=True, loss=loss)
    assert close(a, b)
    pixels = RNG.integers(0, 2, (12, 5))
    images = RNG.normal(size=(12, 5, 2)).astype(np.float32)
    _, c = run(
        1,
        network(),
        train=data.Loader(images, pixels, batch_size=12),
        class_weights=[0.3, 2],
        loss=nn.CrossEntropyLoss(reduction="none"),
    )
    _, d = run(
        1,
        network(),
        train=data.Loader(images, pixels, batch_size=12),
        loss=nn.CrossEntropyLoss(weight=np.array([0.3, 2], np.float32)),
    )
    assert close(c, d)

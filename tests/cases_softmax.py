"""Rows of softmax, its logarithm and the fused cross-entropies."""

import numpy as np

from tests.cases import Case
from tests.cases_elementwise import normal


def softmax(x, axis=-1):
    return np.exp(log_softmax(x, axis))


def log_softmax(x, axis=-1):
    return x - np.logaddexp.reduce(x, axis=axis, keepdims=True)


def binary_cross_entropy(logits, labels):
    """The definition, each logarithm of a sigmoid by logaddexp."""
    return labels * np.logaddexp(0.0, -logits) + (1 - labels) * np.logaddexp(0.0, logits)


def classes(shape, count):
    """Logits and integer labels."""
    return lambda rng: (rng.standard_normal((*shape, count)), rng.integers(0, count, shape))


def probabilities(shape, count):
    """Logits and labels that are probabilities."""
    return lambda rng: (rng.standard_normal((*shape, count)), softmax(rng.standard_normal((*shape, count))))


def one_hot(rng):
    return rng.standard_normal((5, 4)), np.eye(4)[rng.integers(0, 4, 5)]


CASES = [
    *(
        Case(name, normal((2, 3, 4)), function, kwargs={"axis": axis}, note=f"axis={axis}")
        for name, function in (("softmax", softmax), ("log_softmax", log_softmax))
        for axis in (-1, 0, 1)
    ),
    Case("softmax", normal((5,)), softmax, note="one row"),
    Case("softmax", normal((0, 3)), softmax, note="empty batch"),
    Case("log_softmax", normal((0, 3)), log_softmax, note="empty batch"),
    Case("softmax_cross_entropy", classes((5,), 4), note="labels"),
    Case("softmax_cross_entropy", classes((2, 3), 4), note="labels of a sequence"),
    Case("softmax_cross_entropy", classes((), 4), note="one example"),
    Case("softmax_cross_entropy", classes((0,), 4), note="empty batch"),
    Case("softmax_cross_entropy", classes((3,), 1), note="one class"),
    Case("softmax_cross_entropy", probabilities((5,), 4), note="probabilities"),
    Case("softmax_cross_entropy", probabilities((2, 3), 4), note="probabilities of a sequence"),
    Case("softmax_cross_entropy", one_hot, note="one-hot"),
    *(
        Case("softmax_cross_entropy", make, kwargs={"reduction": "mean"}, note=f"mean, {note}")
        for note, make in (
            ("labels", classes((5,), 4)),
            ("labels of a sequence", classes((2, 3), 4)),
            ("one example", classes((), 4)),
            ("probabilities", probabilities((2, 3), 4)),
        )
    ),
    Case(
        "softmax_cross_entropy",
        lambda rng: (rng.standard_normal((5, 4)), np.eye(4, dtype=int)[[0, 3, 1, 1, 2]]),
        note="one-hot of integers",
    ),
    Case(
        "binary_cross_entropy_with_logits",
        lambda rng: (rng.standard_normal((3, 4)), rng.uniform(size=(3, 4))),
        binary_cross_entropy,
        elementwise=True,
    ),
    Case(
        "binary_cross_entropy_with_logits",
        lambda rng: (rng.standard_normal(5), rng.integers(0, 2, 5)),
        binary_cross_entropy,
        note="labels of 0 and 1",
    ),
]

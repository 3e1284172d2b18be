"""Rows of the recurrent ops. Each has a twin; what no twin shows is in test_sequence_layers.py."""

import numpy as np

from tests.cases import Case

RAGGED = np.array([1, 3, 0, 2])


def weights(k, m, T, n_x, n, states, biases, state=True):
    """rng -> x, the states before, W, U and the biases of an op of k maps."""

    def make(rng):
        normal = lambda *shape: 0.7 * rng.standard_normal(shape)
        before = [normal(m, n) if state else None for _ in range(states)]
        maps = normal(k * n, n_x), normal(k * n, n)
        return normal(m, T, n_x), *before, *maps, *(normal(k * n) for _ in range(biases))

    return make


def of_lstm(m=2, T=3, n_x=2, n=2, p=None, peephole=False):
    """With a peephole, and with a projection to p values."""

    def make(rng):
        normal = lambda *shape: 0.7 * rng.standard_normal(shape)
        return (
            normal(m, T, n_x),
            normal(m, p or n),
            normal(m, n),
            normal(4 * n, n_x),
            normal(4 * n, p or n),
            normal(4 * n),
            normal(3, n) if peephole else None,
            normal(p, n) if p else None,
        )

    return make


OPS = {"rnn": (1, 1, 1), "lstm": (4, 2, 1), "gru": (3, 1, 2)}  # maps, states, biases

CASES = [
    *(
        case
        for op, (k, states, biases) in OPS.items()
        for case in (
            Case(op, weights(k, 2, 3, 3, 2, states, biases)),
            Case(op, weights(k, 2, 2, 2, 2, states, biases), kwargs={"reverse": True}, note="reverse"),
            Case(op, weights(k, 4, 3, 1, 2, states, biases), kwargs={"lengths": RAGGED}, note="ragged"),
            Case(
                op,
                weights(k, 4, 3, 2, 1, states, biases),
                kwargs={"lengths": RAGGED, "reverse": True},
                note="ragged, reverse",
            ),
            Case(
                op,
                weights(k, 2, 3, 1, 2, states, 0, False),
                kwargs={"lengths": [3, 3]},
                note="no bias, no h0",
            ),
            Case(op, weights(k, 3, 1, 2, 2, states, biases), note="T=1"),
            Case(op, weights(k, 0, 2, 2, 2, states, biases), note="m=0"),
            Case(
                op,
                weights(k, 1, 17, 2, 2, states, biases),
                note="long",
                exempt={"second": "as the short rows"},
            ),
        )
    ),
    Case("rnn", weights(1, 2, 3, 2, 3, 1, 1), kwargs={"nonlinearity": "relu"}, note="relu"),
    Case("lstm", of_lstm(peephole=True), note="peephole"),
    Case("lstm", of_lstm(m=1, T=2, n=3, p=2), note="projection"),
    Case(
        "lstm",
        of_lstm(m=4, n_x=1, n=2, p=1, peephole=True),
        kwargs={"lengths": RAGGED, "reverse": True},
        note="peephole, projection, ragged, reverse",
    ),
    Case("gru", weights(3, 2, 3, 3, 2, 1, 2), kwargs={"reset_after": False}, note="reset before"),
    Case("gru", weights(3, 2, 3, 2, 2, 1, 1), kwargs={"reset_after": False}, note="reset before, one bias"),
    Case(
        "gru",
        weights(3, 4, 3, 1, 2, 1, 2),
        kwargs={"lengths": RAGGED, "reset_after": False},
        note="reset before, ragged",
    ),
]

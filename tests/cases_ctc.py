"""Rows of CTC. The reference sums over every way there is, as the definition says."""

import itertools

import numpy as np

import autograd.ops.ctc
from tests.cases import Case
from tests.cases_softmax import log_softmax

assert autograd.ops.ctc  # declares the op


def collapse(way, blank):
    """Repeats merged, then blanks dropped."""
    return tuple(k for k, _ in itertools.groupby(way) if k != blank)


def every_way(log_p, targets, input_lengths, target_lengths, blank=0):
    """-log of the summed probability of all C^T ways that read as the labels."""
    losses = []
    for rows, labels, T, S in zip(log_p, targets, input_lengths, target_lengths):
        total = -np.inf
        for way in itertools.product(range(rows.shape[1]), repeat=int(T)):
            if collapse(way, blank) == tuple(labels[:S]):
                total = np.logaddexp(total, sum(rows[t, k] for t, k in enumerate(way)))
        losses.append(-total)
    return np.array(losses)


def sequences(T, C, targets, steps, lengths):
    def make(rng):
        log_p = log_softmax(rng.standard_normal((len(targets), T, C)))
        return log_p, np.array(targets), np.array(steps), np.array(lengths)

    return make


CASES = [
    Case("ctc", sequences(4, 3, [[1, 2]], [4], [2]), every_way, note="one"),
    Case("ctc", sequences(5, 3, [[1, 1, 2], [2, 1, 0]], [5, 4], [3, 2]), every_way, note="variable lengths"),
    Case(
        "ctc", sequences(5, 3, [[0, 0]], [5], [2]), every_way, kwargs={"blank": 2}, note="repeats, blank last"
    ),
    Case("ctc", sequences(3, 3, [[1, 2], [0, 0]], [3, 3], [2, 0]), every_way, note="no labels"),
    Case("ctc", sequences(3, 2, np.zeros((2, 0), int), [3, 2], [0, 0]), every_way, note="no labels at all"),
    Case("ctc", sequences(4, 4, [[1, 2, 3, 1]], [4], [4]), every_way, note="one way only"),
    Case("ctc", sequences(1, 3, [[2]], [1], [1]), every_way, note="one step"),
    Case("ctc", sequences(9, 5, [[1, 2, 2, 4], [3, 3, 3, 1]], [9, 7], [4, 3]), note="the twin"),
    Case("ctc", sequences(4, 3, np.zeros((0, 2), int), [], []), every_way, note="empty batch"),
]

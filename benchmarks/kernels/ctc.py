"""CTC behind a log-softmax, as a speech network ends: the logits (m, T, C) need a gradient."""

import numpy as np

from benchmarks.calls import sides
from benchmarks.case import Case


def speech(rng, m, T, S, C):
    """Labels 1..C-1, lengths a little different."""
    return {
        "x": np.asarray(rng.standard_normal((m, T, C)), np.float32),
        "targets": rng.integers(1, C, (m, S)),
        "steps": rng.integers(9 * T // 10, T + 1, m),
        "lengths": rng.integers(9 * S // 10, S + 1, m),
        "g": np.ones(m, np.float32),
    }


def ours(x, targets, steps, lengths):
    from nn.functional import ctc_loss, log_softmax

    return lambda: ctc_loss(log_softmax(x, -1), targets, steps, lengths, reduction="none")


def torch(x, targets, steps, lengths):
    from torch.nn.functional import ctc_loss, log_softmax

    def call():
        log_p = log_softmax(x, -1).transpose(0, 1)  # PyTorch wants (T, m, C)
        return ctc_loss(log_p, targets, steps, lengths, reduction="none")

    return call


CASES = [
    Case(
        "CTC, batch 32, T 200, 40 labels, 30 classes",
        speech,
        sides(ours, torch, ("x",)),
        {"m": 32, "T": 200, "S": 40, "C": 30},
        {"m": 4, "T": 60, "S": 12, "C": 30},
        {"torch": 1.5},
        tolerance=1e-3,  # of the slopes: PyTorch keeps logarithms of some hundreds in float32
        memory=True,
        exact=True,
    )
]

"""Dropout."""

import numbers

import numpy as np

from autograd import random
from autograd.ops.activation import dropout as dropped

from ..module import Module


def _check(p):
    if not isinstance(p, numbers.Real) or not 0 <= float(p) <= 1:
        raise ValueError(f"dropout: p is the probability of dropping, a number in [0, 1], got {p!r}")


def dropout(x, p=0.5, training=True):
    """Drops each element with probability p and divides the others by 1 - p, so the mean stays: "inverted"
    dropout; the course's keep_prob is 1 - p. Returns x itself unless `training`. Raises ValueError unless 0
    <= p <= 1. COURSE.md C2W1-dropout."""
    _check(p)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    mask = random.generator().random(x.shape, np.float32) >= p
    return dropped(x, mask, 1.0 - p)


class Dropout(Module):
    """`dropout` in training, the identity after `eval()`. Dropout(p=0.5). The mask is drawn from the
    generator that `autograd.seed` restarts. Srivastava et al. 2014."""

    def __init__(self, p=0.5):
        super().__init__()
        _check(p)
        self.p = p

    def forward(self, x):
        return dropout(x, self.p, self.training)

    def extra_repr(self):
        return f"p={self.p}"

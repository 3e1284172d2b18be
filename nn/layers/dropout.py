"""Dropout: of elements, of whole channels, and the kind that SELU needs. Masks are drawn from the generator
that `autograd.seed` restarts."""

import numbers

import numpy as np

from autograd import random
from autograd.ops import units
from autograd.ops.activation import dropout as dropped

from ..module import Module


def _check(p):
    if not isinstance(p, numbers.Real) or not 0 <= float(p) <= 1:
        raise ValueError(f"dropout: p is the probability of dropping, a number in [0, 1], got {p!r}")


def _drop(x, p, shape):
    if p == 1:
        return x * 0.0
    mask = random.generator().random(shape, np.float32) >= p
    return dropped(x, mask, 1.0 - p)


def _each_channel(x):
    """The shape of a mask that is one number for each example and channel."""
    if x.ndim < 2:
        raise ValueError(f"dropping channels needs (m, ..., n_C), got shape {x.shape}")
    return (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])


def dropout(x, p=0.5, training=True):
    """Drops each element with probability p and divides the others by 1 - p, so the mean stays: "inverted"
    dropout; the course's keep_prob is 1 - p. Returns x itself unless `training`. Raises ValueError unless 0
    <= p <= 1. COURSE.md C2W1-dropout."""
    _check(p)
    return _drop(x, p, x.shape) if training and p else x


def channel_dropout(x, p=0.5, training=True):
    """`dropout` of whole channels of x (m, ..., n_C), drawn anew for each example: what neighbours share
    cannot stand in for what is dropped. Tompson et al. 2015."""
    _check(p)
    return _drop(x, p, _each_channel(x)) if training and p else x


dropout1d = dropout2d = dropout3d = channel_dropout


def alpha_dropout(x, p=0.5, training=True):
    """Sets each element to SELU's lowest value with probability p, and scales and shifts the result so that
    mean 0 and variance 1 stay. Klambauer et al. 2017."""
    _check(p)
    return _alpha_drop(x, p, x.shape) if training and p else x


def feature_alpha_dropout(x, p=0.5, training=True):
    """`alpha_dropout` of whole channels of x (m, ..., n_C)."""
    _check(p)
    return _alpha_drop(x, p, _each_channel(x)) if training and p else x


def _alpha_drop(x, p, shape):
    if p == 1:
        return x * 0.0
    return units.alpha_dropout(x, random.generator().random(shape, np.float32) >= p, float(p))


class _Dropout(Module):
    def __init__(self, p=0.5):
        super().__init__()
        _check(p)
        self.p = p

    def extra_repr(self):
        return f"p={self.p}"


class Dropout(_Dropout):
    """`dropout` in training, the identity after `eval()`. Dropout(p=0.5). Srivastava et al. 2014."""

    def forward(self, x):
        return dropout(x, self.p, self.training)


class _ChannelDropout(_Dropout):
    axes: int

    def forward(self, x):
        if x.ndim != self.axes + 2:
            raise ValueError(f"{type(self).__name__} needs {self.axes + 2} dimensions, got shape {x.shape}")
        return channel_dropout(x, self.p, self.training)


class Dropout1d(_ChannelDropout):
    """`Dropout2d` of sequences (m, T, n_C)."""

    axes = 1


class Dropout2d(_ChannelDropout):
    """In training drops whole channels of images (m, n_H, n_W, n_C) with probability p, for each example
    anew, and divides the others by 1 - p; the identity after `eval()`. Dropout2d(p=0.5). Raises ValueError
    for what is no such batch. Tompson et al. 2015."""

    axes = 2


class Dropout3d(_ChannelDropout):
    """`Dropout2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = 3


class AlphaDropout(_Dropout):
    """In training `alpha_dropout`, which goes with SELU: mean 0 and variance 1 stay. AlphaDropout(p=0.5).
    Klambauer et al. 2017."""

    def forward(self, x):
        return alpha_dropout(x, self.p, self.training)


class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels of (m, ..., n_C). FeatureAlphaDropout(p=0.5)."""

    def forward(self, x):
        return feature_alpha_dropout(x, self.p, self.training)

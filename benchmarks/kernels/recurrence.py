"""Recurrent layers over whole sequences: the input (m, T, n_x) needs a gradient, as an embedding's would.

PyTorch takes sequences as (m, T, n_x), "batch_first", or (T, m, n_x), "time_first": both are measured."""

from functools import partial

import numpy as np

from benchmarks.calls import SEQUENCES, sides
from benchmarks.case import Case

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
MAPS = {"LSTM": 4, "GRU": 3}


def sequences(rng, maps, m, T, n_x, n):
    """Weights of U(-1/sqrt(n), 1/sqrt(n)), as layers start."""
    shapes = (maps * n, n_x), (maps * n, n), (maps * n,), (maps * n,)
    weights = {name: rng.uniform(-(n**-0.5), n**-0.5, shape) for name, shape in zip(WEIGHTS, shapes)}
    data = {"x": rng.standard_normal((m, T, n_x)), **weights, "g": rng.standard_normal((m, T, n))}
    return {name: np.asarray(a, np.float32) for name, a in data.items()} | {"maps": maps}


def ours(name, x, maps, **weights):
    import nn

    layer = getattr(nn, name)(x.shape[-1], weights["weight_hh"].shape[1])
    return _given(layer, nn.Parameter, x, weights)


def torch(name, x, maps, **weights):
    import torch

    first = x.is_contiguous()  # (m, T, n_x) lies as (T, m, n_x) where time comes first
    x = x if first else x.transpose(0, 1)
    layer = getattr(torch.nn, name)(x.shape[-1], weights["weight_hh"].shape[1], batch_first=first)
    call, own = _given(layer, torch.nn.Parameter, x, weights)
    return call if first else lambda: call().transpose(0, 1), own


def _given(layer, parameter, x, weights):
    """A call of the layer with these weights, and the parameters that took their place."""
    own = {name: parameter(weight.detach()) for name, weight in weights.items()}
    for name, weight in own.items():
        setattr(layer, f"{name}_l0", weight)
    return lambda: layer(x)[0], own


def recurrent(name, target, m, T, n_x, n):
    maps = MAPS[name]
    return Case(
        f"{name}, batch {m}, T {T}, {n_x}->{n}",
        sequences,
        sides(partial(ours, name), partial(torch, name), ("x", *WEIGHTS), SEQUENCES),
        {"maps": maps, "m": m, "T": T, "n_x": n_x, "n": n},
        {"maps": maps, "m": min(m, 2), "T": 64, "n_x": 64, "n": 64},
        {"torch": target},
        work=3 * 2 * m * T * maps * n * (n_x + n),
        tolerance=2e-5,
        memory=True,
        exact=True,
    )


CASES = [
    recurrent("LSTM", 1.05, 32, 64, 64, 256),
    recurrent("GRU", 1.6, 32, 64, 64, 256),
    recurrent("LSTM", 2.0, 1, 256, 64, 64),
    recurrent("GRU", 8.0, 1, 256, 64, 64),
]

"""How the time and memory of a training step grow: with batch, width, depth, sequence length, image size and
threads. The name of a case ends in its size; `--plot` draws a line for all that share the rest of it.
"""

import importlib
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.calls import sides
from benchmarks.case import Case
from benchmarks.groups.engine import mlp_data, mlp_ours, mlp_torch
from benchmarks.groups.models import classifier

# ---- fully connected


def by_gradients(build, inputs):
    """A builder's step, and of its results the loss and the gradients. Adam's first step moves every weight
    by the rate, however small its gradient; among a million weights some have one that is rounding alone, and
    there the sides' weights are apart by as much as that step, which says nothing."""
    step, result = build(inputs)
    return step, lambda: {name: a for name, a in result().items() if not name.startswith("parameter")}


def mlp(title, m, widths):
    return Case(
        title,
        mlp_data,
        {"ours": partial(by_gradients, mlp_ours), "torch": partial(by_gradients, mlp_torch)},
        {"m": m, "widths": widths, "record": True},
        {"m": 3, "widths": (5, 4, 3), "record": True},
        memory=True,
        examples=(m, "images"),
    )


BATCH = [mlp(f"MLP 784-256-10, batch {m}", m, (784, 256, 10)) for m in (16, 64, 256, 1024, 4096)]
WIDTH = [mlp(f"MLP 784-n-n-10, width {n}", 64, (784, n, n, 10)) for n in (64, 256, 1024, 2048)]
DEPTH = [mlp(f"MLP 784-128-...-10, depth {n}", 64, (784, *(128,) * n, 10)) for n in (1, 4, 16, 64)]


# ---- sequences


def sequences(rng, m, T, n):
    scale = n**-0.5
    shapes = {"weight_ih": (4 * n, n), "weight_hh": (4 * n, n), "bias_ih": (4 * n,), "bias_hh": (4 * n,)}
    drawn = {k: np.asarray(rng.uniform(-scale, scale, shape), np.float32) for k, shape in shapes.items()}
    x, g = (np.asarray(rng.standard_normal((m, T, n)), np.float32) for _ in range(2))
    return {"x": x, "g": g, **drawn}


WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def lstm(library, x, **weights):
    """An LSTM of a library's with these weights; the two have the same words here."""
    n = x.shape[-1]
    layers = importlib.import_module("torch.nn" if library == "torch" else "nn")
    layer = layers.LSTM(n, n, **({"batch_first": True} if library == "torch" else {}))
    own = {}
    for name, value in weights.items():
        own[name] = layers.Parameter(value.detach())
        setattr(layer, f"{name}_l0", own[name])
    return lambda: layer(x)[0], own


def length(T):
    return Case(
        f"LSTM of 128, 16 sequences, length {T}",
        sequences,
        sides(partial(lstm, "ours"), partial(lstm, "torch"), ("x", *WEIGHTS)),
        {"m": 16, "T": T, "n": 128},
        {"m": 2, "T": 3, "n": 8},
        memory=True,
        examples=(16 * T, "steps"),
    )


# ---- images and threads


def resnet20(title, m, n, threads=0):
    step = classifier("", "resnet20", m, n, tiny_n=16, options={"num_classes": 10}, tiny={"width": 4})[0]
    return replace(step, name=title, threads=threads, targets={})


SIDE = [resnet20(f"ResNet-20, 16 images, side {n}", 16, n) for n in (16, 32, 64, 128)]
THREADS = [resnet20(f"ResNet-20, 32 images of 32x32, threads {k}", 32, 32, k) for k in (1, 2)]

CASES = [*BATCH, *WIDTH, *DEPTH, *(length(T) for T in (16, 64, 256)), *SIDE, *THREADS]

"""Rows of attention. Its reference is the definition, row by row; with dropout it is the twin."""

import numpy as np

from tests.cases import Case

MASK = np.array([[True, False, True, True], [False, False, False, False], [False, True, False, False]])


def qkv(batch=(2,), T_q=3, T_k=4, d=2, d_v=3, bias=None):
    def make(rng):
        q = rng.standard_normal((*batch, T_q, d))
        k, v = rng.standard_normal((*batch, T_k, d)), rng.standard_normal((*batch, T_k, d_v))
        return (q, k, v) if bias is None else (q, k, v, rng.standard_normal(bias))

    return make


def shared_keys(rng):
    """Two heads of queries, keys and values without a batch."""
    return rng.standard_normal((2, 2, 3, 2)), rng.standard_normal((2, 4, 2)), rng.standard_normal((4, 3))


def definition(q, k, v, bias=0.0, mask=True, causal=False, scale=None):
    """One query after the other: the mean of the values it may look at, weighted by e^score."""
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    q, k, v = (np.broadcast_to(a, (*lead, *a.shape[-2:])) for a in (q, k, v))
    scores = (*lead, q.shape[-2], k.shape[-2])
    mask, bias = np.broadcast_to(mask, scores), np.broadcast_to(bias, scores)
    y = np.zeros((*q.shape[:-1], v.shape[-1]))
    for *at, t in np.ndindex(q.shape[:-1]):
        at = tuple(at)
        keys = [j for j in range(k.shape[-2]) if mask[(*at, t, j)] and (j <= t or not causal)]
        factor = q.shape[-1] ** -0.5 if scale is None else scale
        score = [factor * (q[(*at, t)] @ k[(*at, j)]) + bias[(*at, t, j)] for j in keys]
        weights = np.exp(score - np.logaddexp.reduce(score)) if keys else []
        y[(*at, t)] = sum((w * v[(*at, j)] for w, j in zip(weights, keys, strict=True)), 0 * y[(*at, t)])
    return y


def heads(x, heads):
    """The definition: three blocks of columns, each cut into heads."""
    cut = [np.split(block, heads, axis=-1) for block in np.split(x, 3, axis=-1)]
    return tuple(np.stack(parts, axis=1) for parts in cut)


CASES = [
    Case("attention", qkv(), definition),
    Case("attention", qkv((), 1, 1), definition, note="T=1"),
    Case("attention", qkv((2, 2), 2, 3), definition, kwargs={"scale": 0.3}, note="heads, scale"),
    Case("attention", qkv((2,), 3, 3), definition, kwargs={"causal": True}, note="causal"),
    Case("attention", qkv((1,), 3, 4), definition, kwargs={"causal": True}, note="causal, more keys"),
    Case("attention", qkv((1,), 4, 2), definition, kwargs={"causal": True}, note="causal, fewer keys"),
    Case("attention", qkv(), definition, kwargs={"mask": MASK}, note="mask, one row of it empty"),
    Case(
        "attention",
        qkv(),
        definition,
        kwargs={"mask": MASK, "causal": True},
        note="mask and causal, an empty row",
    ),
    Case(
        "attention",
        qkv((2, 2), 2, 3),
        definition,
        kwargs={"mask": np.array([[True, True, False], [True, False, False]])[:, None, None]},
        note="padding",
    ),
    Case("attention", qkv(bias=(3, 4)), definition, note="bias"),
    Case("attention", qkv((2, 2), bias=(2, 1, 4)), definition, kwargs={"mask": MASK}, note="bias and mask"),
    Case("attention", shared_keys, definition, note="leading axes broadcast"),
    Case("attention", qkv((2,), 3, 0), definition, note="no keys"),
    Case("attention", qkv((0,), 3, 4), definition, note="empty batch"),
    Case("attention", qkv(), kwargs={"dropout": 0.4, "seed": 5}, note="dropout"),
    Case("attention", qkv(), kwargs={"dropout": 0.4, "seed": 5, "causal": True}, note="dropout, causal"),
    Case(
        "attention",
        qkv((2,), 37, 45, 16, 16),
        definition,
        note="long",
        exempt={"second": "as the short rows"},
    ),
    Case("split_heads", lambda rng: (rng.standard_normal((2, 3, 12)), 2), heads),
    Case("split_heads", lambda rng: (rng.standard_normal((1, 2, 3)), 1), heads, note="one head"),
]

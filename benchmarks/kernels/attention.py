"""Scaled dot-product attention: queries, keys and values (m, heads, T, d), all of which need a gradient."""

from functools import partial

import numpy as np

from benchmarks.calls import sides
from benchmarks.case import Case


def heads(rng, m, h, T, d):
    return {name: np.asarray(rng.standard_normal((m, h, T, d)), np.float32) for name in "qkvg"}


def ours(causal, q, k, v):
    from nn.functional import scaled_dot_product_attention

    return lambda: scaled_dot_product_attention(q, k, v, is_causal=causal)


def torch(causal, q, k, v):
    from torch.nn.functional import scaled_dot_product_attention

    return lambda: scaled_dot_product_attention(q, k, v, is_causal=causal)


def attention(m, h, T, d, causal=False):
    products = 2 + 4  # of (T, d) and (d, T), or as many operations: forward, and backward
    return Case(
        f"attention, {m} x {h} heads x {T} x {d}" + causal * ", causal",
        heads,
        sides(partial(ours, causal), partial(torch, causal), ("q", "k", "v")),
        {"m": m, "h": h, "T": T, "d": d},
        {"m": 2, "h": 2, "T": 96, "d": d},
        {"torch": 1.2},
        work=products * 2 * m * h * T * T * d // (1 + causal),
        tolerance=2e-5,
        memory=True,
        exact=True,
    )


CASES = [attention(16, 8, 256, 64), attention(4, 8, 1024, 64, causal=True)]

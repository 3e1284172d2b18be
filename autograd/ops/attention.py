"""Scaled dot-product attention, and the random numbers of its dropout."""

import math
from functools import cache

import numpy as np

from ..primitive import primitive
from .linalg import matmul
from .softmax import softmax

KERNEL = 1 << 16  # multiply-adds of the scores from which the kernels are worth loading


@cache
def _kernels():
    from ..kernels import attention

    return attention


def _fast(q, k, v):
    """Whether the kernels are for these: float32, a batch and heads at most, and enough work."""
    few = max(q.ndim, k.ndim, v.ndim) <= 4 and q.shape[-1] > 0
    return few and q.dtype == np.float32 and max(q.size, k.size) * min(q.shape[-2], k.shape[-2]) >= KERNEL


def _four(axes, *arrays):
    """Arrays (..., rows, columns) of up to `axes` axes as (batch, heads, rows, columns)."""
    front = {2: (None, None), 3: (slice(None), None), 4: ()}[axes]
    return [None if a is None else np.asarray(a)[(None,) * (axes - np.ndim(a))][front] for a in arrays]


def _given(axes, a):
    """And back."""
    return a if axes == 4 else a[{2: (0, 0), 3: (slice(None), 0)}[axes]]


@primitive(residuals=("p", "lse"))
def attention(q, k, v, bias=None, mask=None, causal=False, scale=None, dropout=0.0, seed=0):
    """softmax(scale * q k^T + bias) v: each query's mean of the values, weighted by how its key fits.

    q (..., T_q, d), k (..., T_k, d), v (..., T_k, d_v), the leading axes (batch, heads) broadcast; y
    (..., T_q, d_v). `scale` is 1 / sqrt(d) unless given. `bias` is added to the scores, `mask` is True where
    a query may look at a key, both broadcast to (..., T_q, T_k); `causal` lets query t look at keys 0..t. A
    query that may look nowhere gets 0. `dropout` drops that share of the weights, and divides the others by
    1 - dropout; which, `seed` says (`kept_weights`). Raises ValueError for shapes that do not fit, TypeError
    for a mask that is not boolean. Vaswani et al. 2017; COURSE.md C5W4-selfatt."""
    _check(q, k, v, bias, mask, dropout)
    if _fast(q, k, v):
        axes = max(q.ndim, k.ndim, v.ndim)
        operands = _four(axes, q, k, v, bias, mask)
        y, lse = _kernels().attention(*operands, causal, _scale(q, scale), dropout, seed)
        return _given(axes, y), None, lse
    p = _weights(q, k, bias, mask, causal, scale)
    return np.matmul(_dropped(p, dropout, seed), v), p, None


def _weights(q, k, bias, mask, causal, scale):
    """The weights before dropout."""
    s = np.matmul(q * _scale(q, scale), k.swapaxes(-1, -2))  # (..., T_q, T_k)
    if bias is not None:
        s = s + bias
    allowed = _allowed(s.shape, mask, causal)
    if allowed is not None:
        s = np.where(allowed, s, -np.inf)
    largest = np.max(s, axis=-1, keepdims=True, initial=-np.inf)
    s -= np.where(np.isfinite(largest), largest, 0.0)
    p = np.exp(s, out=s)
    total = np.sum(p, axis=-1, keepdims=True)
    p /= np.where(total == 0, 1.0, total)
    return p


@attention.vjp("q", "k", "v", "bias")
def _(g, q, k, v, bias, mask, causal, scale, dropout, seed, y, p, lse, needs):
    scale = _scale(q, scale)
    if p is None and not needs[3]:
        axes = g.ndim
        g, q, k, v, y, bias, mask = _four(axes, g, q, k, v, y, bias, mask)
        found = _kernels().attention_grad(g, q, k, v, y, lse, bias, mask, causal, scale, dropout, seed)
        return *(_given(axes, of) for of in found), None
    if p is None:  # the cotangent of a bias wants them all
        p = _weights(q, k, bias, mask, causal, scale)
    g_v = np.matmul(_dropped(p, dropout, seed).swapaxes(-1, -2), g) if needs[2] else None
    if not (needs[0] or needs[1] or needs[3]):
        return None, None, g_v, None
    g_s = _dropped(np.matmul(g, v.swapaxes(-1, -2)), dropout, seed)
    g_s = p * (g_s - np.sum(g_s * p, axis=-1, keepdims=True))
    g_q = np.matmul(g_s, k) * scale if needs[0] else None
    g_k = np.matmul(g_s.swapaxes(-1, -2), q) * scale if needs[1] else None
    return g_q, g_k, g_v, g_s if needs[3] else None


@attention.twin
def _(q, k, v, bias=None, mask=None, causal=False, scale=None, dropout=0.0, seed=0):
    return matmul(attention_weights(q, k, bias, mask, causal, scale, dropout, seed), v)


def attention_weights(q, k, bias=None, mask=None, causal=False, scale=None, dropout=0.0, seed=0):
    """The weights (..., T_q, T_k) with which `attention` of the same arguments takes the mean of the values:
    composed of ops, so they can be looked at and differentiated."""
    scale = 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale
    s = matmul(q, k.swapaxes(-1, -2)) * scale
    if bias is not None:
        s = s + bias
    if mask is not None:
        s = np.where(mask, s, -np.inf)
    if causal:
        s = np.where(np.tri(*s.shape[-2:], dtype=np.bool_), s, -np.inf)
    somewhere = np.any(s > -np.inf, axis=-1, keepdims=True)
    p = np.where(somewhere, softmax(np.where(somewhere, s, 0.0)), 0.0)
    if dropout:
        p = p * (kept_weights(p.shape, dropout, seed) / (1.0 - dropout)).astype(p.dtype)
    return p


def _scale(q, scale):
    return 1.0 / math.sqrt(q.shape[-1]) if scale is None else float(scale)


def _allowed(shape, mask, causal):
    """Where queries may look, or None for everywhere."""
    if not causal:
        return mask
    before = np.tri(*shape[-2:], dtype=np.bool_)
    return before if mask is None else before & mask


def _dropped(p, dropout, seed):
    if not dropout:
        return p
    return np.where(kept_weights(p.shape, dropout, seed), p / p.dtype.type(1.0 - dropout), p.dtype.type(0))


_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB))


def kept_weights(shape, dropout, seed) -> np.ndarray:
    """Which weights of this shape stay. SplitMix64 of (seed, place in row-major order), so that whoever needs
    one weight's number computes it without the others (Steele, Lea and Flood 2014)."""
    z = np.arange(1, math.prod(shape) + 1, dtype=np.uint64)
    z *= _STEP
    z += np.uint64(seed)
    for shift, factor in _MIX:
        z ^= z >> shift
        z *= factor
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(40) >= np.uint64(round(dropout * 2**24))).reshape(shape)


def _check(q, k, v, bias, mask, dropout):
    shapes = f"q {q.shape}, k {k.shape}, v {v.shape}"
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ValueError(f"needs q (..., T_q, d), k (..., T_k, d), v (..., T_k, d_v), got {shapes}")
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"queries have {q.shape[-1]} features, keys {k.shape[-1]}: they must agree; {shapes}"
        )
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"there are {k.shape[-2]} keys and {v.shape[-2]} values: they must agree; {shapes}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is the share of weights to drop, 0 <= dropout < 1, got {dropout}")
    if mask is not None and np.asarray(mask).dtype != bool:
        raise TypeError(
            f"mask is boolean, True where a query may look, got {np.asarray(mask).dtype}: add it as bias"
        )
    try:
        scores = (*np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2]), q.shape[-2], k.shape[-2])
    except ValueError:
        raise ValueError(f"the leading axes do not broadcast: {shapes}") from None
    for name, given in (("bias", bias), ("mask", mask)):
        try:
            fits = given is None or np.broadcast_shapes(np.shape(given), scores) == scores
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(f"{name} has shape {np.shape(given)}, needs to broadcast to {scores}: {shapes}")


@primitive(outputs=3)
def split_heads(x, heads):
    """Queries, keys and values out of one projection: x (m, T, 3 n) as three of (m, heads, T, n / heads).
    Raises ValueError when the features are no multiple of 3 heads."""
    m, T, n = x.shape
    if n % (3 * heads):
        raise ValueError(f"x has {n} features, needs a multiple of 3 * {heads}")
    parts = x.reshape(m, T, 3, heads, n // (3 * heads))
    return tuple(parts[:, :, k].swapaxes(1, 2) for k in range(3))


@split_heads.vjp("x")
def _(g, x, heads):
    m, T, n = x.shape
    none = np.zeros((m, T, heads, n // (3 * heads)), x.dtype)
    parts = [none if part is None else np.swapaxes(part, 1, 2) for part in g]
    return np.stack(parts, axis=2).reshape((m, T, n))  # (m, T, 3, heads, d)

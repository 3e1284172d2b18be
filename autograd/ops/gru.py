"""Gated recurrent units over whole sequences; the arguments are those of `recurrent.py`."""

from functools import cache

import numpy as np

from ..primitive import primitive
from . import sequence
from .activation import sigmoid
from .linalg import linear
from .reduce import sum_


@cache
def _kernels():
    from ..kernels import gru

    return gru


# ---- gated recurrent units


def _steps(a, h, U, b_h, alive, reset_after):
    n = U.shape[1]
    inner = np.empty(h[1:].shape, a.dtype)  # U_n h + b_n, or with the reset before, r * h
    bias = np.zeros((3, n), a.dtype) if b_h is None else b_h.reshape(3, n)
    rows = U.T if reset_after else U[: 2 * n].T
    for t in range(len(a)):
        gates, new = a[t], h[t + 1]
        from_h = np.matmul(h[t], rows).reshape(a.shape[1], 3 if reset_after else 2, n)
        from_h += bias[: from_h.shape[1]]
        gates[:, :2] += from_h[:, :2]
        sequence.activate(gates[:, :2])
        if reset_after:
            inner[t] = from_h[:, 2]
            gates[:, 2] += gates[:, 0] * inner[t]
        else:
            np.multiply(gates[:, 0], h[t], out=inner[t])
            gates[:, 2] += np.matmul(inner[t], U[2 * n :].T) + bias[2]
        np.tanh(gates[:, 2], out=gates[:, 2])
        # not n + z (h - n), so that z = 1 keeps h to the last bit
        np.multiply(gates[:, 1], h[t], out=new)
        new += (1.0 - gates[:, 1]) * gates[:, 2]
        sequence.keep(h, t, alive)
    return inner


def _steps_back(gates, from_h, h, g_y, dh, U, alive, reset_after):
    """The cotangents of W x + b and of U h + b_h, and of the first state."""
    n = U.shape[1]
    r, z, cand = (gates[:, :, k] for k in range(3))  # each (T, m, n)
    to_n = (1.0 - z) * (1.0 - cand * cand)
    to_z = z * (1.0 - z) * (h[:-1] - cand)
    to_r = r * (1.0 - r) * (from_h if reset_after else h[:-1])
    dz = np.empty_like(gates)
    dz_h = np.empty_like(gates) if reset_after else dz  # of U h + b_h
    for t in reversed(range(len(dz))):
        dh, passed = sequence.split(dh if g_y is None else dh + g_y[t], alive, t)
        d_n = np.multiply(dh, to_n[t], out=dz[t, :, 2])
        np.multiply(dh, to_z[t], out=dz[t, :, 1])
        dh = dh * z[t]
        if reset_after:
            np.multiply(d_n, to_r[t], out=dz[t, :, 0])
            dz_h[t, :, :2] = dz[t, :, :2]
            np.multiply(d_n, r[t], out=dz_h[t, :, 2])
            dh += np.matmul(dz_h[t].reshape(len(dh), 3 * n), U)
        else:
            back = np.matmul(d_n, U[2 * n :])
            np.multiply(back, to_r[t], out=dz[t, :, 0])
            dh += back * r[t]
            dh += np.matmul(dz[t, :, :2].reshape(len(dh), 2 * n), U[: 2 * n])
        dh += passed
    return dz, dz_h, dh


@primitive(outputs=2, residuals=("gates", "from_h", "h"))
def gru(x, h0, W, U, b=None, b_h=None, lengths=None, reverse=False, reset_after=True):
    """Gated recurrent units: returns all h (m, T, n), and the last (m, n).

        r, z = sigmoid(W x<t> + b + U h<t-1> + b_h)       each with rows of its own: W is [r, z, n]
        n = tanh(W x<t> + b + r * (U h<t-1> + b_h))       with reset_after, as PyTorch, cuDNN and Keras
        n = tanh(W x<t> + b + U (r * h<t-1>) + b_h)       without: the course and Cho et al. 2014
        h<t> = (1 - z) * n + z * h<t-1>

    COURSE.md C5W1-gru, whose c is h, Gamma_r is r, and Gamma_u is 1 - z."""
    sequence.check(3, x, {"h0": h0}, W, U, {"b": b, "b_h": b_h}, lengths)
    n = U.shape[1]
    alive = sequence.alive_steps(x, lengths, reverse)
    a = sequence.maps(x, alive, reverse, W, b, 3)  # (T, m, 3, n): the gates, once through the loop
    h = sequence.track(h0, a, n)
    if sequence.fast(x, U, len(a)):
        inner = _kernels().gru(a, h, U, b_h, alive, reset_after)
    else:
        inner = _steps(a, h, U, b_h, alive, reset_after)
    return (sequence.output(h, alive, reverse), h[-1].copy()), a, inner, h


@gru.vjp("x", "h0", "W", "U", "b", "b_h")
def _(g, x, W, U, lengths, reverse, reset_after, gates, from_h, h, needs):
    alive = sequence.alive_steps(x, lengths, reverse)
    n = U.shape[1]
    dh = sequence.last(g[1], h)
    if sequence.fast(x, U, len(gates)):
        dz, dz_h = _kernels().gru_grad(gates, from_h, h, g[0], dh, U, alive, reverse, reset_after)
    else:
        g_y = sequence.outputs_grad(g[0], alive, reverse)
        dz, dz_h, dh = _steps_back(gates, from_h, h, g_y, dh, U, alive, reset_after)
    g_x, g_W, g_b = sequence.of_input(dz, x, W, alive, reverse, (needs[0], needs[2], needs[4]))
    g_U = None
    if needs[3] and reset_after:
        g_U = sequence.product(dz_h, h[:-1])
    elif needs[3]:
        g_U = np.concatenate([sequence.product(dz[:, :, :2], h[:-1]), sequence.product(dz[:, :, 2], from_h)])
    return g_x, dh, g_W, g_U, g_b, sum_(dz_h, (0, 1)).reshape(3 * n) if needs[5] else None


@gru.twin
def _(x, h0, W, U, b=None, b_h=None, lengths=None, reverse=False, reset_after=True):
    n = U.shape[1]

    def part(v, k):
        return None if v is None else v[k * n : (k + 1) * n]

    def step(x, h):
        from_x = np.split(linear(x, W, b), 3, axis=-1)
        r, z = (sigmoid(from_x[k] + linear(h, part(U, k), part(b_h, k))) for k in range(2))
        inner = linear(h if reset_after else r * h, part(U, 2), part(b_h, 2))
        return [(1.0 - z) * np.tanh(from_x[2] + (r * inner if reset_after else inner)) + z * h]

    return sequence.unrolled(step, x, [h0], [n], lengths, reverse)

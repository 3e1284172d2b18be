"""Recurrent layers over whole sequences: one op for a layer and direction, its rule goes back through time.

    x (m, T, n_x)  the sequences           h0, c0 (m, n)  the states before the first step, None for zeros
    W (k n, n_x)   from the input          U (k n, n)     from the state before
    b (k n,)       the bias, or None       lengths (m,)   how many steps each sequence has, None: all T

k is the number of a step's affine maps, in PyTorch's order: 1 for `rnn`, 4 for `lstm`, 3 for `gru`. Behind
its length a sequence counts for nothing: the output there is 0, and the last state is that at its end.
`reverse` runs from the last step to the first. Misfits raise ValueError with both shapes. Inside, time comes
first, in the order of the steps.
"""

from functools import cache

import numpy as np

from ..primitive import primitive
from . import sequence
from .activation import relu, sigmoid
from .linalg import linear


@cache
def _kernels():
    from ..kernels import recurrent

    return recurrent


# ---- the plain one


@primitive(outputs=2, residuals=("h",))
def rnn(x, h0, W, U, b=None, lengths=None, reverse=False, nonlinearity="tanh"):
    """h<t> = tanh(W x<t> + U h<t-1> + b), or relu: returns all h (m, T, n), and the last (m, n).

    COURSE.md C5W1-rnn, where W is Wax, U is Waa and h is a."""
    sequence.check(1, x, {"h0": h0}, W, U, {"b": b}, lengths)
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f'nonlinearity is "tanh" or "relu", got {nonlinearity!r}')
    alive = sequence.alive_steps(x, lengths, reverse)
    z = sequence.maps(x, alive, reverse, W, b, 1).squeeze(2)  # (T, m, n)
    h = sequence.track(h0, z, len(U))
    if sequence.fast(x, U, len(z)):
        _kernels().rnn(z, h, U, alive, nonlinearity == "relu")
    else:
        for t in range(len(z)):
            new = np.matmul(h[t], U.T) + z[t]
            h[t + 1] = np.tanh(new) if nonlinearity == "tanh" else np.maximum(new, 0)
            sequence.keep(h, t, alive)
    return (sequence.output(h, alive, reverse), h[-1].copy()), h


@rnn.vjp("x", "h0", "W", "U", "b")
def _(g, x, W, U, lengths, reverse, nonlinearity, h, needs):
    alive = sequence.alive_steps(x, lengths, reverse)
    dh = sequence.last(g[1], h)
    if sequence.fast(x, U, len(h) - 1):
        dz = _kernels().rnn_grad(h, g[0], dh, U, alive, reverse, nonlinearity == "relu")
    else:
        g_y = sequence.outputs_grad(g[0], alive, reverse)
        slope = 1.0 - h[1:] * h[1:] if nonlinearity == "tanh" else (h[1:] > 0).astype(h.dtype)
        dz = np.empty_like(slope)
        for t in reversed(range(len(dz))):
            dh, passed = sequence.split(dh if g_y is None else dh + g_y[t], alive, t)
            np.multiply(dh, slope[t], out=dz[t])
            dh = np.matmul(dz[t], U) + passed
    g_x, g_W, g_b = sequence.of_input(dz, x, W, alive, reverse, (needs[0], needs[2], needs[4]))
    return g_x, dh, g_W, sequence.product(dz, h[:-1]) if needs[3] else None, g_b


@rnn.twin
def _(x, h0, W, U, b=None, lengths=None, reverse=False, nonlinearity="tanh"):
    function = np.tanh if nonlinearity == "tanh" else relu

    def step(x, h):
        return [function(linear(x, W, b) + linear(h, U))]

    return sequence.unrolled(step, x, [h0], [len(U)], lengths, reverse)


# ---- long short-term memory


def _lstm_steps(a, h, c, U, peephole, projection, alive):
    scale = np.array([[0.5], [0.5], [1.0], [0.5]], a.dtype)  # tanh in the third
    shift = 1 - scale
    from_h = np.empty(a.shape[1:2] + U.shape[:1], a.dtype)
    for t in range(len(a)):
        gates, new = a[t], c[t + 1]
        gates += np.matmul(h[t], U.T, out=from_h).reshape(gates.shape)
        if peephole is not None:
            gates[:, :2] += peephole[:2] * c[t][:, None]  # (m, 2, n)
            sequence.activate(gates[:, :3], scale[:3], shift[:3])
        else:
            sequence.activate(gates, scale, shift)
        np.multiply(gates[:, 1], c[t], out=new)
        new += gates[:, 0] * gates[:, 2]
        if peephole is not None:
            gates[:, 3] += peephole[2] * new
            sequence.activate(gates[:, 3])
        cell = np.tanh(new)
        cell *= gates[:, 3]
        h[t + 1] = cell if projection is None else np.matmul(cell, projection.T)
        sequence.keep(c, t, alive)
        sequence.keep(h, t, alive)


def _lstm_steps_back(gates, h, c, g_y, dh, dc, U, peephole, projection, alive):
    """The cotangents of the maps, of what a projection gave, and of the first states."""
    i, f, cand, o = (gates[:, :, k] for k in range(4))  # each (T, m, n)
    cell = np.tanh(c[1:])
    slopes = gates * (1.0 - gates)  # (T, m, 4, n): what a step's dc, or in o its dh, is multiplied with
    slopes[:, :, 0] *= cand
    slopes[:, :, 1] *= c[:-1]
    slopes[:, :, 2] = i * (1.0 - cand * cand)
    slopes[:, :, 3] *= cell
    to_cell = o * (1.0 - cell * cell)
    dz = np.empty_like(gates)
    reached = np.empty_like(h[1:])  # by the cotangents of h, which a projection needs again
    for t in reversed(range(len(dz))):
        dh, passed_h = sequence.split(dh if g_y is None else dh + g_y[t], alive, t)
        dc, passed_c = sequence.split(dc, alive, t)
        if projection is not None:
            reached[t] = dh
            dh = np.matmul(dh, projection)
        np.multiply(slopes[t, :, 3], dh, out=dz[t, :, 3])
        dc = dc + to_cell[t] * dh
        if peephole is not None:
            dc += peephole[2] * dz[t, :, 3]
        np.multiply(slopes[t, :, :3], dc[:, None], out=dz[t, :, :3])
        dc *= f[t]
        if peephole is not None:
            dc += (peephole[:2] * dz[t, :, :2]).sum(axis=1)
        dc += passed_c
        dh = np.matmul(dz[t].reshape(len(dh), len(U)), U) + passed_h
    return dz, reached, dh, dc


@primitive(outputs=3, residuals=("gates", "h", "c"))
def lstm(x, h0, c0, W, U, b=None, peephole=None, projection=None, lengths=None, reverse=False):
    """Long short-term memory: returns all h (m, T, n), the last h and the last c (m, n).

        i, f, o = sigmoid(W x<t> + U h<t-1> + b)          each with rows of its own: W is [i, f, g, o]
        g = tanh(...);  c<t> = f * c<t-1> + i * g;  h<t> = o * tanh(c<t>)

    `peephole` (3, n) lets the gates see the cell: its rows times c<t-1> are added in i and f, the last times
    c<t> in o (Gers and Schmidhuber 2000). `projection` (p, n) makes h<t> = projection (o * tanh(c<t>)); then
    U is (4 n, p). Hochreiter and Schmidhuber 1997; COURSE.md C5W1-lstm: i, f, o are its Gamma_u, f, o."""
    n = len(U) // 4
    sequence.check(4, x, {"h0": h0, "c0": c0}, W, U, {"b": b}, lengths, n)
    if peephole is not None and peephole.shape != (3, n):
        raise ValueError(f"peephole has shape {peephole.shape}, U {U.shape} needs (3, {n})")
    if (U.shape[1] != n) if projection is None else (projection.shape != (U.shape[1], n)):
        got = "no projection" if projection is None else f"a projection of {projection.shape}"
        raise ValueError(f"U {U.shape} needs a projection of ({U.shape[1]}, {n}), got {got}")
    alive = sequence.alive_steps(x, lengths, reverse)
    a = sequence.maps(x, alive, reverse, W, b, 4)  # (T, m, 4, n): the gates, once through the loop
    h, c = sequence.track(h0, a, U.shape[1]), sequence.track(c0, a, n)
    if projection is None and sequence.fast(x, U, len(a)):
        _kernels().lstm(a, h, c, U, peephole, alive)
    else:
        _lstm_steps(a, h, c, U, peephole, projection, alive)
    return (sequence.output(h, alive, reverse), h[-1].copy(), c[-1].copy()), a, h, c


@lstm.vjp("x", "h0", "c0", "W", "U", "b", "peephole", "projection")
def _(g, x, W, U, peephole, projection, lengths, reverse, gates, h, c, needs):
    alive = sequence.alive_steps(x, lengths, reverse)
    dh, dc, reached = sequence.last(g[1], h), sequence.last(g[2], c), None
    if projection is None and sequence.fast(x, U, len(gates)):
        dz, g_b = _kernels().lstm_grad(gates, c, g[0], dh, dc, U, peephole, alive, reverse)
    else:
        g_y = sequence.outputs_grad(g[0], alive, reverse)
        dz, reached, dh, dc = _lstm_steps_back(gates, h, c, g_y, dh, dc, U, peephole, projection, alive)
        g_b = dz.sum(axis=(0, 1)).reshape(len(U))
    g_x, g_W, _ = sequence.of_input(dz, x, W, alive, reverse, (needs[0], needs[3], False))
    g_U = sequence.product(dz, h[:-1]) if needs[4] else None
    g_peephole = g_projection = None
    if needs[6]:
        g_peephole = np.stack(
            [(dz[:, :, k] * seen).sum(axis=(0, 1)) for k, seen in ((0, c[:-1]), (1, c[:-1]), (3, c[1:]))]
        )
    if needs[7]:
        g_projection = sequence.product(reached, gates[:, :, 3] * np.tanh(c[1:]))
    return g_x, dh, dc, g_W, g_U, g_b, g_peephole, g_projection


@lstm.twin
def _(x, h0, c0, W, U, b=None, peephole=None, projection=None, lengths=None, reverse=False):
    n = len(U) // 4

    def step(x, h, c):
        i, f, cand, o = np.split(linear(x, W, b) + linear(h, U), 4, axis=-1)
        if peephole is not None:
            i, f = i + peephole[0] * c, f + peephole[1] * c
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(cand)
        if peephole is not None:
            o = o + peephole[2] * c
        h = sigmoid(o) * np.tanh(c)
        return [h if projection is None else linear(h, projection), c]

    return sequence.unrolled(step, x, [h0, c0], [U.shape[1], n], lengths, reverse)

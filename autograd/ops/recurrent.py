"""Recurrent layers over whole sequences: one op for a layer and direction, its rule goes back through time.

    x (m, T, n_x)  the sequences           h0, c0 (m, n)  the states before the first step, None for zeros
    W (k n, n_x)   from the input          U (k n, n)     from the state before
    b (k n,)       the bias, or None       lengths (m,)   how many steps each sequence has, None: all T

k is the number of a step's affine maps, in PyTorch's order: 1 for `rnn`, 4 for `lstm`, 3 for `gru`. Behind
its length a sequence counts for nothing: the output there is 0, and the last state is that at its end.
`reverse` runs from the last step to the first. Misfits raise ValueError with both shapes. Inside, time comes
first, in the order of the steps.
"""

import math

import numpy as np

from ..primitive import primitive
from .activation import relu, sigmoid
from .linalg import linear


def _in_order(x, reverse):
    """(m, T, n) as (T, m, n) in the order of the steps; and back."""
    return x.swapaxes(0, 1)[::-1] if reverse else x.swapaxes(0, 1)


def _back(x, reverse):
    return (x[::-1] if reverse else x).swapaxes(0, 1)


def _check(k, x, states, W, U, b, lengths, inner=None):
    """Raises unless the shapes fit; `inner` is the number of units where a projection shortens the state."""
    if x.ndim != 3 or not x.shape[1]:
        one = "; one sequence is x[None]" if x.ndim == 2 else ""
        raise ValueError(f"x has shape {x.shape}, needs (m, T, features) with at least one step{one}")
    n = U.shape[-1]
    rows = k * (inner or n)
    if U.shape != (rows, n):
        raise ValueError(f"U has shape {U.shape}, needs ({rows}, {n})")
    if W.shape != (rows, x.shape[2]):
        raise ValueError(f"W has shape {W.shape}, needs ({rows}, {x.shape[2]}) as U is {U.shape}")
    for name, vector in b.items():
        if vector is not None and vector.shape != (rows,):
            raise ValueError(f"{name} has shape {vector.shape}, U {U.shape} needs ({rows},)")
    for (name, state), size in zip(states.items(), (n, inner or n)):
        if state is not None and state.shape != (len(x), size):
            raise ValueError(f"{name} has shape {state.shape}, needs {(len(x), size)} for x {x.shape}")
    if lengths is not None:
        given = np.asarray(lengths)
        if given.shape != x.shape[:1] or given.dtype.kind not in "iu":
            raise ValueError(
                f"lengths are {given.dtype} of shape {given.shape}, x {x.shape} needs {x.shape[:1]} integers"
            )
        if given.size and not 0 <= given.min() <= given.max() <= x.shape[1]:
            wrong = given.min() if given.min() < 0 else given.max()
            raise ValueError(f"lengths hold {wrong}, the sequences have {x.shape[1]} steps")


def _alive(x, lengths, reverse):
    """1 where a sequence has the step, else 0: (T, m, 1) in the order of the steps. None if all have all."""
    if lengths is None or np.min(lengths, initial=x.shape[1]) == x.shape[1]:
        return None
    alive = (np.arange(x.shape[1])[:, None] < np.asarray(lengths))[..., None].astype(x.dtype)
    return alive[::-1] if reverse else alive


def _inputs(x, alive, reverse):
    """x in the order of the steps, one row for each step of each sequence, (T m, n_x)."""
    xs = _in_order(x, reverse)
    if alive is not None:
        xs = np.where(alive, xs, x.dtype.type(0))  # so that not even a NaN gets out of the padding
    return xs.reshape(len(xs) * len(x), x.shape[2])


def _maps(x, alive, reverse, W, b, k):
    """W x + b of every step by one product, (T, m, k, n)."""
    z = np.matmul(_inputs(x, alive, reverse), W.T)
    if b is not None:
        z += b
    return z.reshape(x.shape[1], x.shape[0], k, len(W) // k)


def _track(state, like, size):
    """Room for a state before the first and after each step, (T + 1, m, size), the first filled in."""
    track = np.empty((len(like) + 1, like.shape[1], size), like.dtype)
    track[0] = 0 if state is None else state
    return track


def _keep(track, t, alive):
    """Sequences that have no step t keep their state."""
    if alive is not None:
        np.copyto(track[t + 1], track[t], where=alive[t] == 0)


def _output(h, alive, reverse):
    return _back(h[1:] if alive is None else h[1:] * alive, reverse)


def _cotangents(g, track, alive, reverse):
    """The cotangents of the outputs in the order of the steps, (T, m, n) or None, and of the last state."""
    g_y = None if g[0] is None else _in_order(g[0], reverse)
    g_y = g_y if g_y is None or alive is None else g_y * alive
    return g_y, _last(g[1], track)


def _last(g_state, track):
    return np.zeros_like(track[0]) if g_state is None else g_state.copy()


def _split(d, alive, t):
    """A cotangent after step t: the share of the sequences that have the step, and of the others."""
    if alive is None:
        return d, 0.0
    reached = d * alive[t]
    return reached, d - reached


def _of_input(dz, x, W, alive, reverse, needs):
    """Cotangents of x, W and b from those of the maps, (T, m, k, n)."""
    flat = dz.reshape(len(dz) * len(x), len(W))
    in_order = x.shape[1], x.shape[0], x.shape[2]
    g_x = _back(np.matmul(flat, W).reshape(in_order), reverse) if needs[0] else None
    g_W = np.matmul(flat.T, _inputs(x, alive, reverse)) if needs[1] else None
    return g_x, g_W, flat.sum(axis=0) if needs[2] else None


def _product(dz, states):
    """The sum over steps and sequences of dz^T state: (T, m, k, n) and (T, m, p) give (k n, p)."""
    rows = dz.shape[0] * dz.shape[1]
    return np.matmul(dz.reshape(rows, math.prod(dz.shape[2:])).T, states.reshape(rows, states.shape[-1]))


def _unrolled(step, x, states, sizes, lengths, reverse):
    """What the twins share: the states step by step, the first of them as output."""
    m, T, _ = x.shape
    lengths = None if lengths is None else np.asarray(lengths)[:, None]
    states = [np.zeros((m, n), x.dtype) if s is None else s for s, n in zip(states, sizes, strict=True)]
    outputs: list = [None] * T
    for t in reversed(range(T)) if reverse else range(T):
        after = step(x[:, t] if lengths is None else np.where(t < lengths, x[:, t], 0.0), *states)
        if lengths is not None:
            after = [np.where(t < lengths, new, old) for new, old in zip(after, states, strict=True)]
        states = after
        outputs[t] = states[0] if lengths is None else np.where(t < lengths, states[0], 0.0)
    return (np.stack(outputs, axis=1), *states)


# ---- the plain one


@primitive(outputs=2, residuals=("h",))
def rnn(x, h0, W, U, b=None, lengths=None, reverse=False, nonlinearity="tanh"):
    """h<t> = tanh(W x<t> + U h<t-1> + b), or relu: returns all h (m, T, n), and the last (m, n).

    COURSE.md C5W1-rnn, where W is Wax, U is Waa and h is a."""
    _check(1, x, {"h0": h0}, W, U, {"b": b}, lengths)
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f'nonlinearity is "tanh" or "relu", got {nonlinearity!r}')
    alive = _alive(x, lengths, reverse)
    z = _maps(x, alive, reverse, W, b, 1)[:, :, 0]  # (T, m, n)
    h = _track(h0, z, len(U))
    for t in range(len(z)):
        new = np.matmul(h[t], U.T) + z[t]
        h[t + 1] = np.tanh(new) if nonlinearity == "tanh" else np.maximum(new, 0)
        _keep(h, t, alive)
    return (_output(h, alive, reverse), h[-1].copy()), h


@rnn.vjp("x", "h0", "W", "U", "b")
def _(g, x, W, U, lengths, reverse, nonlinearity, h, needs):
    alive = _alive(x, lengths, reverse)
    g_y, dh = _cotangents(g, h, alive, reverse)
    slope = 1.0 - h[1:] * h[1:] if nonlinearity == "tanh" else (h[1:] > 0).astype(h.dtype)
    dz = np.empty_like(slope)
    for t in reversed(range(len(dz))):
        dh, passed = _split(dh if g_y is None else dh + g_y[t], alive, t)
        np.multiply(dh, slope[t], out=dz[t])
        dh = np.matmul(dz[t], U) + passed
    g_x, g_W, g_b = _of_input(dz, x, W, alive, reverse, (needs[0], needs[2], needs[4]))
    return g_x, dh, g_W, _product(dz, h[:-1]) if needs[3] else None, g_b


@rnn.twin
def _(x, h0, W, U, b=None, lengths=None, reverse=False, nonlinearity="tanh"):
    function = np.tanh if nonlinearity == "tanh" else relu

    def step(x, h):
        return [function(linear(x, W, b) + linear(h, U))]

    return _unrolled(step, x, [h0], [len(U)], lengths, reverse)


# ---- long short-term memory


def _activate(a, scale=0.5, shift=0.5):
    """scale * tanh(scale * a) + shift in place: the sigmoid with 0.5 and 0.5, tanh with 1 and 0. So one pass
    serves all gates of a step."""
    a *= scale
    np.tanh(a, out=a)
    a *= scale
    a += shift


@primitive(outputs=3, residuals=("gates", "h", "c"))
def lstm(x, h0, c0, W, U, b=None, peephole=None, projection=None, lengths=None, reverse=False):
    """Long short-term memory: returns all h (m, T, n), the last h and the last c (m, n).

        i, f, o = sigmoid(W x<t> + U h<t-1> + b)          each with rows of its own: W is [i, f, g, o]
        g = tanh(...);  c<t> = f * c<t-1> + i * g;  h<t> = o * tanh(c<t>)

    `peephole` (3, n) lets the gates see the cell: its rows times c<t-1> are added in i and f, the last times
    c<t> in o (Gers and Schmidhuber 2000). `projection` (p, n) makes h<t> = projection (o * tanh(c<t>)); then
    U is (4 n, p). Hochreiter and Schmidhuber 1997; COURSE.md C5W1-lstm: i, f, o are its Gamma_u, f, o."""
    n = len(U) // 4
    _check(4, x, {"h0": h0, "c0": c0}, W, U, {"b": b}, lengths, n)
    if peephole is not None and peephole.shape != (3, n):
        raise ValueError(f"peephole has shape {peephole.shape}, U {U.shape} needs (3, {n})")
    if (U.shape[1] != n) if projection is None else (projection.shape != (U.shape[1], n)):
        got = "no projection" if projection is None else f"a projection of {projection.shape}"
        raise ValueError(f"U {U.shape} needs a projection of ({U.shape[1]}, {n}), got {got}")
    alive = _alive(x, lengths, reverse)
    a = _maps(x, alive, reverse, W, b, 4)  # (T, m, 4, n): the gates, once through the loop
    h, c = _track(h0, a, U.shape[1]), _track(c0, a, n)
    scale = np.array([[0.5], [0.5], [1.0], [0.5]], a.dtype)  # tanh in the third
    shift = 1 - scale
    from_h = np.empty((x.shape[0], 4 * n), a.dtype)
    for t in range(len(a)):
        gates, new = a[t], c[t + 1]
        gates += np.matmul(h[t], U.T, out=from_h).reshape(gates.shape)
        if peephole is not None:
            gates[:, :2] += peephole[:2] * c[t][:, None]  # (m, 2, n)
            _activate(gates[:, :3], scale[:3], shift[:3])
        else:
            _activate(gates, scale, shift)
        np.multiply(gates[:, 1], c[t], out=new)
        new += gates[:, 0] * gates[:, 2]
        if peephole is not None:
            gates[:, 3] += peephole[2] * new
            _activate(gates[:, 3])
        cell = np.tanh(new)
        cell *= gates[:, 3]
        h[t + 1] = cell if projection is None else np.matmul(cell, projection.T)
        _keep(c, t, alive)
        _keep(h, t, alive)
    return (_output(h, alive, reverse), h[-1].copy(), c[-1].copy()), a, h, c


@lstm.vjp("x", "h0", "c0", "W", "U", "b", "peephole", "projection")
def _(g, x, W, U, peephole, projection, lengths, reverse, gates, h, c, needs):
    alive = _alive(x, lengths, reverse)
    g_y, dh = _cotangents(g, h, alive, reverse)
    dc = _last(g[2], c)
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
        dh, passed_h = _split(dh if g_y is None else dh + g_y[t], alive, t)
        dc, passed_c = _split(dc, alive, t)
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
        dh = np.matmul(dz[t].reshape(len(x), len(U)), U) + passed_h
    g_x, g_W, g_b = _of_input(dz, x, W, alive, reverse, (needs[0], needs[3], needs[5]))
    g_U = _product(dz, h[:-1]) if needs[4] else None
    g_peephole = g_projection = None
    if needs[6]:
        g_peephole = np.stack(
            [(dz[:, :, k] * seen).sum(axis=(0, 1)) for k, seen in ((0, c[:-1]), (1, c[:-1]), (3, c[1:]))]
        )
    if needs[7]:
        g_projection = _product(reached, o * cell)
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

    return _unrolled(step, x, [h0, c0], [U.shape[1], n], lengths, reverse)


# ---- gated recurrent units


@primitive(outputs=2, residuals=("gates", "from_h", "h"))
def gru(x, h0, W, U, b=None, b_h=None, lengths=None, reverse=False, reset_after=True):
    """Gated recurrent units: returns all h (m, T, n), and the last (m, n).

        r, z = sigmoid(W x<t> + b + U h<t-1> + b_h)       each with rows of its own: W is [r, z, n]
        n = tanh(W x<t> + b + r * (U h<t-1> + b_h))       with reset_after, as PyTorch, cuDNN and Keras
        n = tanh(W x<t> + b + U (r * h<t-1>) + b_h)       without: the course and Cho et al. 2014
        h<t> = (1 - z) * n + z * h<t-1>

    COURSE.md C5W1-gru, whose c is h, Gamma_r is r, and Gamma_u is 1 - z."""
    _check(3, x, {"h0": h0}, W, U, {"b": b, "b_h": b_h}, lengths)
    n = U.shape[1]
    alive = _alive(x, lengths, reverse)
    a = _maps(x, alive, reverse, W, b, 3)  # (T, m, 3, n): the gates, once through the loop
    h = _track(h0, a, n)
    inner = np.empty(h[1:].shape, a.dtype)  # U_n h + b_n, or with the reset before, r * h
    bias = np.zeros((3, n), a.dtype) if b_h is None else b_h.reshape(3, n)
    rows = U.T if reset_after else U[: 2 * n].T
    for t in range(len(a)):
        gates, new = a[t], h[t + 1]
        from_h = np.matmul(h[t], rows).reshape(len(x), 3 if reset_after else 2, n)
        from_h += bias[: from_h.shape[1]]
        gates[:, :2] += from_h[:, :2]
        _activate(gates[:, :2])
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
        _keep(h, t, alive)
    return (_output(h, alive, reverse), h[-1].copy()), a, inner, h


@gru.vjp("x", "h0", "W", "U", "b", "b_h")
def _(g, x, W, U, lengths, reverse, reset_after, gates, from_h, h, needs):
    alive = _alive(x, lengths, reverse)
    n = U.shape[1]
    g_y, dh = _cotangents(g, h, alive, reverse)
    r, z, cand = (gates[:, :, k] for k in range(3))  # each (T, m, n)
    to_n = (1.0 - z) * (1.0 - cand * cand)
    to_z = z * (1.0 - z) * (h[:-1] - cand)
    to_r = r * (1.0 - r) * (from_h if reset_after else h[:-1])
    dz = np.empty_like(gates)
    dz_h = np.empty_like(gates) if reset_after else dz  # of U h + b_h
    for t in reversed(range(len(dz))):
        dh, passed = _split(dh if g_y is None else dh + g_y[t], alive, t)
        d_n = np.multiply(dh, to_n[t], out=dz[t, :, 2])
        np.multiply(dh, to_z[t], out=dz[t, :, 1])
        dh = dh * z[t]
        if reset_after:
            np.multiply(d_n, to_r[t], out=dz[t, :, 0])
            dz_h[t, :, :2] = dz[t, :, :2]
            np.multiply(d_n, r[t], out=dz_h[t, :, 2])
            dh += np.matmul(dz_h[t].reshape(len(x), 3 * n), U)
        else:
            back = np.matmul(d_n, U[2 * n :])
            np.multiply(back, to_r[t], out=dz[t, :, 0])
            dh += back * r[t]
            dh += np.matmul(dz[t, :, :2].reshape(len(x), 2 * n), U[: 2 * n])
        dh += passed
    g_x, g_W, g_b = _of_input(dz, x, W, alive, reverse, (needs[0], needs[2], needs[4]))
    g_U = None
    if needs[3] and reset_after:
        g_U = _product(dz_h, h[:-1])
    elif needs[3]:
        g_U = np.concatenate([_product(dz[:, :, :2], h[:-1]), _product(dz[:, :, 2], from_h)])
    return g_x, dh, g_W, g_U, g_b, dz_h.sum(axis=(0, 1)).reshape(3 * n) if needs[5] else None


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

    return _unrolled(step, x, [h0], [n], lengths, reverse)

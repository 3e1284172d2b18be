"""What recurrent layers share: the order of the steps, sequences of different lengths, and the products with
the input and for the weights, which are one for all steps. `recurrent.py` and `gru.py` have the layers.

Inside, time comes first, in the order of the steps: (T, m, n)."""

import math

import numpy as np

from .linalg import linear, matmul
from .reduce import sum_

KERNEL = 1 << 14  # multiply-adds in all from which the kernels are worth loading


def fast(x, U, T):
    """Whether the kernels are for these: float32, and enough work."""
    return x.dtype == U.dtype == np.float32 and len(x) * T * U.size >= KERNEL


def in_order(x, reverse):
    """(m, T, n) as (T, m, n) in the order of the steps; and back."""
    return x.swapaxes(0, 1)[::-1] if reverse else x.swapaxes(0, 1)


def back(x, reverse):
    return (x[::-1] if reverse else x).swapaxes(0, 1)


def check(k, x, states, W, U, b, lengths, inner=None):
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


def alive_steps(x, lengths, reverse):
    """1 where a sequence has the step, else 0: (T, m, 1) in the order of the steps. None if all have all."""
    if lengths is None or np.min(lengths, initial=x.shape[1]) == x.shape[1]:
        return None
    alive = (np.arange(x.shape[1])[:, None] < np.asarray(lengths))[..., None].astype(x.dtype)
    return alive[::-1] if reverse else alive


def inputs(x, alive, reverse):
    """x in the order of the steps, one row for each step of each sequence, (T m, n_x)."""
    xs = in_order(x, reverse)
    if alive is not None:
        xs = np.where(alive, xs, x.dtype.type(0))  # so that not even a NaN gets out of the padding
    return xs.reshape(len(xs) * len(x), x.shape[2])


def maps(x, alive, reverse, W, b, k):
    """W x + b of every step by one product, (T, m, k, n)."""
    return linear(inputs(x, alive, reverse), W, b).reshape(x.shape[1], x.shape[0], k, len(W) // k)


def track(state, like, size):
    """Room for a state before the first and after each step, (T + 1, m, size), the first filled in."""
    track = np.empty((len(like) + 1, like.shape[1], size), like.dtype)
    track[0] = 0 if state is None else state
    return track


def keep(track, t, alive):
    """Sequences that have no step t keep their state."""
    if alive is not None:
        np.copyto(track[t + 1], track[t], where=alive[t] == 0)


def output(h, alive, reverse):
    return back(h[1:] if alive is None else h[1:] * alive, reverse)


def outputs_grad(g, alive, reverse):
    """The cotangents of the outputs, (m, T, n) or None, in the order of the steps, 0 behind the end."""
    g_y = None if g is None else in_order(g, reverse)
    return g_y if g_y is None or alive is None else g_y * alive


def last(g_state, track):
    return np.zeros_like(track[0]) if g_state is None else g_state.copy()


def split(d, alive, t):
    """A cotangent after step t: the share of the sequences that have the step, and of the others."""
    if alive is None:
        return d, 0.0
    reached = d * alive[t]
    return reached, d - reached


def of_input(dz, x, W, alive, reverse, needs):
    """Cotangents of x, W and b from those of the maps, (T, m, k, n)."""
    flat = dz.reshape(len(dz) * len(x), len(W))
    in_order = x.shape[1], x.shape[0], x.shape[2]
    g_x = back(matmul(flat, W).reshape(in_order), reverse) if needs[0] else None
    g_W = matmul(flat.T, inputs(x, alive, reverse)) if needs[1] else None
    return g_x, g_W, sum_(flat, 0) if needs[2] else None


def product(dz, states):
    """The sum over steps and sequences of dz^T state: (T, m, k, n) and (T, m, p) give (k n, p)."""
    rows = dz.shape[0] * dz.shape[1]
    return matmul(dz.reshape(rows, math.prod(dz.shape[2:])).T, states.reshape(rows, states.shape[-1]))


def unrolled(step, x, states, sizes, lengths, reverse):
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


def activate(a, scale=0.5, shift=0.5):
    """scale * tanh(scale * a) + shift in place: the sigmoid with 0.5 and 0.5, tanh with 1 and 0. So one pass
    serves all gates of a step."""
    a *= scale
    np.tanh(a, out=a)
    a *= scale
    a += shift

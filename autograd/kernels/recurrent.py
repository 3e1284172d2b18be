"""The steps of recurrent layers, with no Python between them: RNN and LSTM; gru.py has the gated units.

One sequence does not wait for another, so a thread takes some of them through all their steps. What the
steps have in common, the product with the input, is one GEMM before the loop and one behind it. In a step the
product with the state is added to that by the microkernel, and all gates of a sequence are one pass.

Time comes first, in the order of the steps: gates a (T, m, k n), states h and c (T + 1, m, n). `alive`
(T, m) is 0 where a sequence has no such step, and then its state stays; it is empty where all have all. Only
the cotangents of the outputs, g (m, T, n), are as the layer's user has them: `reverse` tells their order.
"""

import numpy as np

from . import operands
from .compiling import kernel
from .loops import chunks_of, loop, use_wide_vectors
from .mathf import maximum, sigmoid, tanh
from .operands import floats, numbers
from .packing import pack_panels
from .patches import aligned
from .simd import COLUMNS, ROWS, tile
from .threads import get_num_threads, ready

NOBODY = np.empty((0, 0), np.float32)


@kernel()
def _pack(w, transposed, panels):
    (depth, width), row = w.shape, w.shape[1]
    if transposed:
        depth, width = width, depth
    b_row, b_step = (1, row) if transposed else (row, 1)
    pack_panels(w.ctypes.data, b_row, b_step, width, depth, panels.ctypes.data, depth * COLUMNS)


def packed(w, transposed=False):
    """w (depth, width), or its transpose, as `product` takes it: panels of COLUMNS columns, (count, depth,
    COLUMNS)."""
    depth, width = w.shape[::-1] if transposed else w.shape
    panels = aligned(-(-width // COLUMNS), depth, COLUMNS)
    _pack(ready(w, np.float32), transposed, panels)
    return panels


@kernel()
def product(x, x_row, panels, y, y_row, width, rows, accumulate):
    """y[i, :width] (+)= x[i] w for `rows` rows that start at the addresses x and y."""
    depth = panels.shape[1]
    blocks = (rows + ROWS - 1) // ROWS
    for p in range(len(panels)):
        w, columns = panels.ctypes.data + 4 * p * depth * COLUMNS, min(COLUMNS, width - p * COLUMNS)
        for block in range(blocks):
            first, last = rows * block // blocks, rows * (block + 1) // blocks
            u, v = x + 4 * first * x_row, y + 4 * (first * y_row + p * COLUMNS)
            tile(u, x_row, 1, w, COLUMNS, depth, v, y_row, last - first, columns, accumulate)


@kernel(forceinline=True)
def lives(alive, t, r):
    """Whether sequence r has step t."""
    return alive.size == 0 or alive[t, r] != 0


@kernel(forceinline=True)
def above(g, t, r, reverse):
    """The cotangent of the output of step t."""
    return g[r, g.shape[1] - 1 - t] if reverse else g[r, t]


def run(body, m, operations, arrays, *more):
    """Runs a kernel over m sequences, as many chunks as threads: each reads all weights in every step.
    Rows are sums of their own, so their number changes no bit."""
    operands.run(body, min(chunks_of(m, operations), get_num_threads()), m, arrays, more)


def outputs_grad(g, states):
    """Cotangents of the outputs as kernels take them; there are none where only the last state was used."""
    steps, m, n = states.shape
    return np.zeros((m, steps - 1, n), np.float32) if g is None else ready(g, np.float32)


def flags(alive):
    """The mask of `alive` steps (T, m, 1), or None, as kernels take it."""
    return NOBODY if alive is None else ready(alive[..., 0], np.float32)


# ---- the plain unit


@loop
def _rnn(chunk, first, last, width, at):
    use_wide_vectors()
    a, h, panels, alive = floats(at, 0)[0], floats(at, 1)[0], floats(at, 2)[0], floats(at, 3)[0, 0]
    rectify, (steps, _, n) = numbers(at)[0], a.shape
    for t in range(steps):
        row = first * n * 4
        product(h[t].ctypes.data + row, n, panels, a[t].ctypes.data + row, n, n, last - first, 1)
        for r in range(first, last):
            z, before, after = a[t, r], h[t, r], h[t + 1, r]
            if not lives(alive, t, r):
                for j in range(n):
                    after[j] = before[j]
            elif rectify:
                for j in range(n):
                    after[j] = maximum(z[j], np.float32(0))
            else:
                for j in range(n):
                    after[j] = tanh(z[j])


def rnn(a, h, U, alive, rectify):
    """Fills h[1:] from h[0] and the products with the input a (T, m, n), which are overwritten."""
    run(_rnn, a.shape[1], a.size * len(U), (a, h, packed(U, True), flags(alive)), rectify)


@loop
def _rnn_grad(chunk, first, last, width, at):
    use_wide_vectors()
    dz, h, g, dh = floats(at, 0)[0], floats(at, 1)[0], floats(at, 2)[0], floats(at, 3)[0, 0]
    panels, alive = floats(at, 4)[0], floats(at, 5)[0, 0]
    reverse, rectify = numbers(at)[0], numbers(at)[1]
    steps, _, n = dz.shape
    for t in range(steps - 1, -1, -1):
        for r in range(first, last):
            d, y, from_y, below = dz[t, r], h[t + 1, r], above(g, t, r, reverse), dh[r]
            if not lives(alive, t, r):
                for j in range(n):
                    d[j] = 0
            elif rectify:
                for j in range(n):
                    d[j] = below[j] + from_y[j] if y[j] > 0 else np.float32(0)
                    below[j] = 0
            else:
                for j in range(n):
                    d[j] = (below[j] + from_y[j]) * (np.float32(1) - y[j] * y[j])
                    below[j] = 0
        row = first * n * 4
        product(dz[t].ctypes.data + row, n, panels, dh.ctypes.data + row, n, n, last - first, 1)


def rnn_grad(h, g, dh, U, alive, reverse, rectify):
    """The cotangents of the maps, (T, m, n), from those of the outputs, g (m, T, n), and of the last state,
    dh (m, n), which becomes that of the first."""
    dz = np.empty_like(h[1:])
    arrays = dz, h, outputs_grad(g, h), dh, packed(U), flags(alive)
    run(_rnn_grad, dz.shape[1], dz.size * len(U), arrays, reverse, rectify)
    return dz


# ---- long short-term memory


@loop
def _lstm(chunk, first, last, width, at):
    use_wide_vectors()
    a, h, c, panels = floats(at, 0)[0], floats(at, 1)[0], floats(at, 2)[0], floats(at, 3)[0]
    peephole, alive = floats(at, 4)[0, 0], floats(at, 5)[0, 0]
    see_i, see_f, see_o = peephole[0], peephole[1], peephole[2]
    (steps, _, wide), n, count = a.shape, c.shape[2], last - first
    for t in range(steps):
        line = a[t].ctypes.data + first * wide * 4
        product(h[t].ctypes.data + first * n * 4, n, panels, line, wide, wide, count, 1)
        for r in range(first, last):
            gates, before, after, out = a[t, r], c[t, r], c[t + 1, r], h[t + 1, r]
            if not lives(alive, t, r):
                for j in range(n):
                    after[j] = before[j]
                for j in range(n):
                    out[j] = h[t, r, j]
                continue
            gate_i, gate_f, gate_g, gate_o = gates[:n], gates[n : 2 * n], gates[2 * n : 3 * n], gates[3 * n :]
            for j in range(n):
                i = sigmoid(gate_i[j] + see_i[j] * before[j])
                f = sigmoid(gate_f[j] + see_f[j] * before[j])
                candidate = tanh(gate_g[j])
                cell = f * before[j] + i * candidate
                o = sigmoid(gate_o[j] + see_o[j] * cell)
                gate_i[j] = i
                gate_f[j] = f
                gate_g[j] = candidate
                gate_o[j] = o
                after[j] = cell
                out[j] = o * tanh(cell)


def _peephole(peephole, n):
    return np.zeros((3, n), np.float32) if peephole is None else ready(peephole, np.float32)


def lstm(a, h, c, U, peephole, alive):
    """Fills h[1:] and c[1:] from h[0], c[0] and the products with the input a (T, m, 4, n), which become the
    gates i, f, g, o."""
    _, m, n = c.shape
    lines = a.reshape(*a.shape[:2], 4 * n)
    run(_lstm, m, a.size * n, (lines, h, c, packed(U, True), _peephole(peephole, n), flags(alive)))


@loop
def _lstm_grad(chunk, first, last, width, at):
    use_wide_vectors()
    dz, gates, c, g = floats(at, 0)[0], floats(at, 1)[0], floats(at, 2)[0], floats(at, 3)[0]
    dh, dc, panels = floats(at, 4)[0, 0], floats(at, 5)[0, 0], floats(at, 6)[0]
    peephole, alive, sums = floats(at, 7)[0, 0], floats(at, 8)[0, 0], floats(at, 9)[0, 0]
    reverse = numbers(at)[0]
    see_i, see_f, see_o = peephole[0], peephole[1], peephole[2]
    (steps, _, wide), n, count, one = dz.shape, c.shape[2], last - first, np.float32(1)
    for t in range(steps - 1, -1, -1):
        for r in range(first, last):
            d, values = dz[t, r], gates[t, r]
            if not lives(alive, t, r):
                for j in range(wide):
                    d[j] = 0
                continue
            d_i, d_f, d_g, d_o = d[:n], d[n : 2 * n], d[2 * n : 3 * n], d[3 * n :]
            gate_i, gate_f, gate_g = values[:n], values[n : 2 * n], values[2 * n : 3 * n]
            gate_o, from_y, of_h, of_c = values[3 * n :], above(g, t, r, reverse), dh[r], dc[r]
            before, after = c[t, r], c[t + 1, r]
            for j in range(n):
                i, f, candidate, o = gate_i[j], gate_f[j], gate_g[j], gate_o[j]
                cell, reached = tanh(after[j]), of_h[j] + from_y[j]
                to_o = reached * cell * o * (one - o)
                total = of_c[j] + reached * o * (one - cell * cell) + see_o[j] * to_o
                to_i = total * candidate * i * (one - i)
                to_f = total * before[j] * f * (one - f)
                d_i[j] = to_i
                d_f[j] = to_f
                d_g[j] = total * i * (one - candidate * candidate)
                d_o[j] = to_o
                of_c[j] = total * f + see_i[j] * to_i + see_f[j] * to_f
                of_h[j] = 0
            over_steps = sums[r]
            for j in range(wide):
                over_steps[j] += d[j]
        line = dz[t].ctypes.data + first * wide * 4
        product(line, wide, panels, dh.ctypes.data + first * n * 4, n, n, count, 1)


def lstm_grad(gates, c, g, dh, dc, U, peephole, alive, reverse):
    """The cotangents of the maps, (T, m, 4, n), and of the bias, their sum (4 n,), from those of the outputs,
    g (m, T, n), and of the last states, dh and dc (m, n), which become those of the first. A sum over the
    steps is taken for each sequence, while the cotangents are in cache."""
    _, m, n = c.shape
    lines = gates.reshape(*gates.shape[:2], 4 * n)
    dz, sums = np.empty_like(lines), np.zeros((m, 4 * n), np.float32)
    rest = outputs_grad(g, c), dh, dc, packed(U), _peephole(peephole, n), flags(alive), sums
    run(_lstm_grad, m, dz.size * n, (dz, lines, c, *rest), reverse)
    return dz.reshape(gates.shape), sums.sum(axis=0)

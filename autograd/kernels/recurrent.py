"""The steps of recurrent layers, with no Python between them: RNN and LSTM; gru.py has the gated units.

One sequence does not wait for another, so a thread takes some of them through all their steps. What the
steps have in common, the product with the input, is one GEMM before the loop and one behind it. In a step the
product with the state is added to that by the microkernel, and all gates of a sequence are one pass.

Time comes first, in the order of the steps: gates a (T, m, k, n), states h and c (T + 1, m, n). `alive`
(T, m) is 0 where a sequence has no such step, and then its state stays; it is empty where all have all.
"""

import numpy as np
from numba import prange

from .compiling import kernel
from .mathf import maximum, sigmoid, tanh
from .patches import aligned
from .simd import COLUMNS, ROWS, tile
from .threads import chunks_of, get_num_threads, launch, ready

CONTRACT = {"contract"}
NOBODY = np.empty((0, 0), np.float32)


@kernel()
def _pack(w, transposed, panels):
    for p in range(len(panels)):
        for block in range(0, panels.shape[1], 16):  # a cache line at a time where w is transposed
            for k in range(COLUMNS):
                column = p * COLUMNS + k
                for d in range(block, min(block + 16, panels.shape[1])):
                    if transposed:
                        panels[p, d, k] = w[column, d] if column < w.shape[0] else np.float32(0)
                    else:
                        panels[p, d, k] = w[d, column] if column < w.shape[1] else np.float32(0)


def packed(w, transposed=False):
    """w (depth, width), or its transpose, as `product` takes it: panels of COLUMNS columns, (count, depth,
    COLUMNS), 0 beyond its width."""
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
        for block in range(blocks):
            first, last = rows * block // blocks, rows * (block + 1) // blocks
            tile(
                x + first * x_row * 4,
                x_row,
                1,
                panels.ctypes.data + p * depth * COLUMNS * 4,
                COLUMNS,
                depth,
                y + (first * y_row + p * COLUMNS) * 4,
                y_row,
                last - first,
                min(COLUMNS, width - p * COLUMNS),
                accumulate,
            )


def run(body, loop, m, operations, *arguments):
    """Launches a kernel over m sequences, as many chunks as threads: each reads all weights in every step.
    Rows are sums of their own, so their number changes no bit."""
    launch(body, loop, min(chunks_of(m, operations), get_num_threads()), m, *arguments)


def or_zeros(g, like):
    """Cotangents of the outputs as kernels take them; there are none where only the last state was used."""
    return np.zeros_like(like) if g is None else ready(g, np.float32)


def flags(alive):
    """The mask of `alive` steps (T, m, 1), or None, as kernels take it."""
    return NOBODY if alive is None else ready(alive[..., 0], np.float32)


# ---- the plain unit


@kernel(fastmath=CONTRACT)
def _rnn(chunk, first, last, a, h, panels, alive, rectify):
    steps, _, n = a.shape
    for t in range(steps):
        row = first * n * 4
        product(h[t].ctypes.data + row, n, panels, a[t].ctypes.data + row, n, n, last - first, 1)
        for r in range(first, last):
            z, before, after = a[t, r], h[t, r], h[t + 1, r]
            if alive.size > 0 and alive[t, r] == 0:
                for j in range(n):
                    after[j] = before[j]
            elif rectify:
                for j in range(n):
                    after[j] = maximum(z[j], np.float32(0))
            else:
                for j in range(n):
                    after[j] = tanh(z[j])


@kernel(parallel=True)
def _rnn_loop(chunks, rows, a, h, panels, alive, rectify):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _rnn(chunk, first, last, a, h, panels, alive, rectify)


def rnn(a, h, U, alive, rectify):
    """Fills h[1:] from h[0] and the products with the input a (T, m, n), which are overwritten."""
    steps, m, n = a.shape
    run(_rnn, _rnn_loop, m, a.size * n, a, h, packed(U, True), flags(alive), rectify)


@kernel(fastmath=CONTRACT)
def _rnn_grad(chunk, first, last, dz, h, g, dh, panels, alive, rectify):
    steps, _, n = dz.shape
    for t in range(steps - 1, -1, -1):
        for r in range(first, last):
            d, y, above, below = dz[t, r], h[t + 1, r], g[t, r], dh[r]
            if alive.size > 0 and alive[t, r] == 0:
                for j in range(n):
                    d[j] = 0
            else:
                for j in range(n):
                    slope = np.float32(1) - y[j] * y[j]
                    if rectify:
                        slope = np.float32(1) if y[j] > 0 else np.float32(0)
                    d[j] = (below[j] + above[j]) * slope
                    below[j] = 0
        row = first * n * 4
        product(dz[t].ctypes.data + row, n, panels, dh.ctypes.data + row, n, n, last - first, 1)


@kernel(parallel=True)
def _rnn_grad_loop(chunks, rows, dz, h, g, dh, panels, alive, rectify):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _rnn_grad(chunk, first, last, dz, h, g, dh, panels, alive, rectify)


def rnn_grad(h, g, dh, U, alive, rectify):
    """The cotangents of the maps, (T, m, n), from those of the outputs, g (T, m, n), and of the last state,
    dh (m, n), which becomes that of the first."""
    dz = np.empty_like(h[1:])
    steps, m, n = dz.shape
    run(
        _rnn_grad,
        _rnn_grad_loop,
        m,
        dz.size * n,
        dz,
        h,
        or_zeros(g, dz),
        dh,
        packed(U),
        flags(alive),
        rectify,
    )
    return dz


# ---- long short-term memory


@kernel(fastmath=CONTRACT)
def _lstm(chunk, first, last, a, h, c, panels, peephole, alive):
    steps, _, width = a.shape
    n = width // 4
    see_i, see_f, see_o = peephole[0], peephole[1], peephole[2]
    for t in range(steps):
        product(
            h[t].ctypes.data + first * n * 4,
            n,
            panels,
            a[t].ctypes.data + first * width * 4,
            width,
            width,
            last - first,
            1,
        )
        for r in range(first, last):
            gates, before, after, out = a[t, r], c[t, r], c[t + 1, r], h[t + 1, r]
            if alive.size > 0 and alive[t, r] == 0:
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


@kernel(parallel=True)
def _lstm_loop(chunks, rows, a, h, c, panels, peephole, alive):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _lstm(chunk, first, last, a, h, c, panels, peephole, alive)


def _peephole(peephole, n):
    return np.zeros((3, n), np.float32) if peephole is None else ready(peephole, np.float32)


def lstm(a, h, c, U, peephole, alive):
    """Fills h[1:] and c[1:] from h[0], c[0] and the products with the input a (T, m, 4, n), which become the
    gates i, f, g, o."""
    _, m, n = c.shape
    lines = a.reshape(*a.shape[:2], 4 * n)
    arguments = lines, h, c, packed(U, True), _peephole(peephole, n), flags(alive)
    run(_lstm, _lstm_loop, m, a.size * n, *arguments)


@kernel(fastmath=CONTRACT)
def _lstm_grad(chunk, first, last, dz, gates, c, g, dh, dc, panels, peephole, alive):
    steps, _, width = dz.shape
    n = width // 4
    one = np.float32(1)
    see_i, see_f, see_o = peephole[0], peephole[1], peephole[2]
    for t in range(steps - 1, -1, -1):
        for r in range(first, last):
            d, values = dz[t, r], gates[t, r]
            if alive.size > 0 and alive[t, r] == 0:
                for j in range(width):
                    d[j] = 0
                continue
            d_i, d_f, d_g, d_o = d[:n], d[n : 2 * n], d[2 * n : 3 * n], d[3 * n :]
            gate_i, gate_f, gate_g, gate_o = (
                values[:n],
                values[n : 2 * n],
                values[2 * n : 3 * n],
                values[3 * n :],
            )
            before, after, above, of_h, of_c = c[t, r], c[t + 1, r], g[t, r], dh[r], dc[r]
            for j in range(n):
                i, f, candidate, o = gate_i[j], gate_f[j], gate_g[j], gate_o[j]
                cell, reached = tanh(after[j]), of_h[j] + above[j]
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
        product(
            dz[t].ctypes.data + first * width * 4,
            width,
            panels,
            dh.ctypes.data + first * n * 4,
            n,
            n,
            last - first,
            1,
        )


@kernel(parallel=True)
def _lstm_grad_loop(chunks, rows, dz, gates, c, g, dh, dc, panels, peephole, alive):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _lstm_grad(chunk, first, last, dz, gates, c, g, dh, dc, panels, peephole, alive)


def lstm_grad(gates, c, g, dh, dc, U, peephole, alive):
    """The cotangents of the maps, (T, m, 4, n), from those of the outputs, g (T, m, n), and of the last
    states, dh and dc (m, n), which become those of the first."""
    _, m, n = c.shape
    lines = gates.reshape(*gates.shape[:2], 4 * n)
    dz = np.empty_like(lines)
    rest = packed(U), _peephole(peephole, n), flags(alive)
    run(_lstm_grad, _lstm_grad_loop, m, dz.size * n, dz, lines, c, or_zeros(g, c[1:]), dh, dc, *rest)
    return dz.reshape(gates.shape)

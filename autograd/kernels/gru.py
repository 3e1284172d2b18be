"""The steps of gated recurrent units, as recurrent.py has those of the other layers: with the reset after the
product with the state, as PyTorch has it, and before it, as the course has it."""

import numpy as np

from .loops import loop, use_wide_vectors
from .mathf import sigmoid, tanh
from .operands import floats, numbers
from .recurrent import above, flags, lives, outputs_grad, packed, product, run
from .threads import ready

# ---- reset after the product: n = tanh(a_n + r * (U_n h + b_n))


@loop
def _after(chunk, first, last, width, at):
    use_wide_vectors()
    a, h, inner, room = floats(at, 0)[0], floats(at, 1)[0], floats(at, 2)[0], floats(at, 3)[0, 0]
    bias, alive, panels = floats(at, 4)[0, 0, 0], floats(at, 5)[0, 0], floats(at, 6)[0]
    (steps, _, wide), n, count = a.shape, h.shape[2], last - first
    bias_r, bias_z, bias_n = bias[:n], bias[n : 2 * n], bias[2 * n :]
    for t in range(steps):
        line = room.ctypes.data + first * wide * 4
        product(h[t].ctypes.data + first * n * 4, n, panels, line, wide, wide, count, 0)
        for r in range(first, last):
            gates, from_h, before, out, kept = a[t, r], room[r], h[t, r], h[t + 1, r], inner[t, r]
            if not lives(alive, t, r):
                for j in range(n):
                    out[j] = before[j]
                    kept[j] = 0
                continue
            gate_r, gate_z, gate_n = gates[:n], gates[n : 2 * n], gates[2 * n :]
            from_r, from_z, from_n = from_h[:n], from_h[n : 2 * n], from_h[2 * n :]
            for j in range(n):
                reset = sigmoid(gate_r[j] + (from_r[j] + bias_r[j]))
                keep = sigmoid(gate_z[j] + (from_z[j] + bias_z[j]))
                seen = from_n[j] + bias_n[j]
                candidate = tanh(gate_n[j] + reset * seen)
                gate_r[j] = reset
                gate_z[j] = keep
                gate_n[j] = candidate
                kept[j] = seen
                out[j] = keep * before[j] + (np.float32(1) - keep) * candidate


@loop
def _after_grad(chunk, first, last, width, at):
    use_wide_vectors()
    dz, dz_h, gates, inner = floats(at, 0)[0], floats(at, 1)[0], floats(at, 2)[0], floats(at, 3)[0]
    h, g, dh, panels = floats(at, 4)[0], floats(at, 5)[0], floats(at, 6)[0, 0], floats(at, 7)[0]
    alive, reverse = floats(at, 8)[0, 0], numbers(at)[0]
    (steps, _, wide), n, count, one = dz.shape, h.shape[2], last - first, np.float32(1)
    for t in range(steps - 1, -1, -1):
        for r in range(first, last):
            d, d_h, values = dz[t, r], dz_h[t, r], gates[t, r]
            if not lives(alive, t, r):
                for j in range(wide):
                    d[j] = 0
                    d_h[j] = 0
                continue
            d_r, d_z, d_n = d[:n], d[n : 2 * n], d[2 * n :]
            h_r, h_z, h_n = d_h[:n], d_h[n : 2 * n], d_h[2 * n :]
            gate_r, gate_z, gate_n = values[:n], values[n : 2 * n], values[2 * n :]
            before, seen, from_y, of_h = h[t, r], inner[t, r], above(g, t, r, reverse), dh[r]
            for j in range(n):
                reset, keep, candidate = gate_r[j], gate_z[j], gate_n[j]
                reached = of_h[j] + from_y[j]
                to_n = reached * (one - keep) * (one - candidate * candidate)
                to_z = reached * (before[j] - candidate) * keep * (one - keep)
                to_r = to_n * seen[j] * reset * (one - reset)
                d_n[j] = to_n
                h_n[j] = to_n * reset
                d_z[j] = to_z
                h_z[j] = to_z
                d_r[j] = to_r
                h_r[j] = to_r
                of_h[j] = reached * keep
        line = dz_h[t].ctypes.data + first * wide * 4
        product(line, wide, panels, dh.ctypes.data + first * n * 4, n, n, count, 1)


# ---- reset before the product: n = tanh(a_n + U_n (r * h) + b_n)


@loop
def _before(chunk, first, last, width, at):
    use_wide_vectors()
    a, h, inner, bias = floats(at, 0)[0], floats(at, 1)[0], floats(at, 2)[0], floats(at, 3)[0, 0, 0]
    alive, panels, panels_n = floats(at, 4)[0, 0], floats(at, 5)[0], floats(at, 6)[0]
    (steps, _, wide), n, count = a.shape, h.shape[2], last - first
    bias_r, bias_z, bias_n = bias[:n], bias[n : 2 * n], bias[2 * n :]
    for t in range(steps):
        row, line = first * n * 4, a[t].ctypes.data + first * wide * 4
        product(h[t].ctypes.data + row, n, panels, line, wide, 2 * n, count, 1)
        for r in range(first, last):
            gates, before, kept = a[t, r], h[t, r], inner[t, r]
            gate_r, gate_z = gates[:n], gates[n : 2 * n]
            for j in range(n):
                reset = sigmoid(gate_r[j] + bias_r[j])
                gate_z[j] = sigmoid(gate_z[j] + bias_z[j])
                gate_r[j] = reset
                kept[j] = reset * before[j]
        product(inner[t].ctypes.data + row, n, panels_n, line + 2 * n * 4, wide, n, count, 1)
        for r in range(first, last):
            gates, before, out = a[t, r], h[t, r], h[t + 1, r]
            gate_z, gate_n = gates[n : 2 * n], gates[2 * n :]
            if not lives(alive, t, r):
                for j in range(n):
                    out[j] = before[j]
                continue
            for j in range(n):
                candidate = tanh(gate_n[j] + bias_n[j])
                gate_n[j] = candidate
                out[j] = gate_z[j] * before[j] + (np.float32(1) - gate_z[j]) * candidate


@loop
def _before_grad(chunk, first, last, width, at):
    use_wide_vectors()
    dz, gates, h, g = floats(at, 0)[0], floats(at, 1)[0], floats(at, 2)[0], floats(at, 3)[0]
    dh, room, alive = floats(at, 4)[0, 0], floats(at, 5)[0, 0], floats(at, 6)[0, 0]
    panels, panels_n, reverse = floats(at, 7)[0], floats(at, 8)[0], numbers(at)[0]
    (steps, _, wide), n, count, one = dz.shape, h.shape[2], last - first, np.float32(1)
    for t in range(steps - 1, -1, -1):
        for r in range(first, last):
            d, values = dz[t, r], gates[t, r]
            if not lives(alive, t, r):
                for j in range(wide):
                    d[j] = 0
                continue
            d_z, d_n = d[n : 2 * n], d[2 * n :]
            gate_z, gate_n = values[n : 2 * n], values[2 * n :]
            before, from_y, of_h = h[t, r], above(g, t, r, reverse), dh[r]
            for j in range(n):
                keep, candidate, reached = gate_z[j], gate_n[j], of_h[j] + from_y[j]
                d_n[j] = reached * (one - keep) * (one - candidate * candidate)
                d_z[j] = reached * (before[j] - candidate) * keep * (one - keep)
                of_h[j] = reached * keep
        row, line = first * n * 4, dz[t].ctypes.data + first * wide * 4
        product(line + 2 * n * 4, wide, panels_n, room.ctypes.data + row, n, n, count, 0)
        for r in range(first, last):
            if not lives(alive, t, r):
                continue
            d_r, gate_r, before, back, of_h = dz[t, r, :n], gates[t, r, :n], h[t, r], room[r], dh[r]
            for j in range(n):
                d_r[j] = back[j] * before[j] * gate_r[j] * (one - gate_r[j])
                of_h[j] += back[j] * gate_r[j]
        product(line, wide, panels, dh.ctypes.data + row, n, n, count, 1)


# ---- both


def gru(a, h, U, bias, alive, reset_after):
    """Fills h[1:] from h[0] and the products with the input a (T, m, 3, n), which become the gates r, z and
    n. Returns U_n h + b_n of each step, or with the reset before, r * h: (T, m, n)."""
    steps, m, _, n = a.shape
    lines, inner = a.reshape(steps, m, 3 * n), np.empty((steps, m, n), np.float32)
    bias = np.zeros(3 * n, np.float32) if bias is None else ready(bias, np.float32)
    if reset_after:
        room = np.empty((m, 3 * n), np.float32)
        run(_after, m, a.size * n, (lines, h, inner, room, bias, flags(alive), packed(U, True)))
    else:
        panels = packed(U[: 2 * n], True), packed(U[2 * n :], True)
        run(_before, m, a.size * n, (lines, h, inner, bias, flags(alive), *panels))
    return inner


def gru_grad(gates, inner, h, g, dh, U, alive, reverse, reset_after):
    """The cotangents of W x + b and of U h + b_h, both (T, m, 3, n), from those of the outputs, g (m, T, n),
    and of the last state, dh (m, n), which becomes that of the first. With the reset before they are one."""
    steps, m, _, n = gates.shape
    lines = gates.reshape(steps, m, 3 * n)
    dz, g = np.empty_like(lines), outputs_grad(g, h)
    if reset_after:
        dz_h = np.empty_like(dz)
        arrays = dz, dz_h, lines, inner, h, g, dh, packed(U), flags(alive)
        run(_after_grad, m, dz.size * n, arrays, reverse)
        return dz.reshape(gates.shape), dz_h.reshape(gates.shape)
    room, panels = np.empty((m, n), np.float32), (packed(U[: 2 * n]), packed(U[2 * n :]))
    run(_before_grad, m, dz.size * n, (dz, lines, h, g, dh, room, flags(alive), *panels), reverse)
    dz = dz.reshape(gates.shape)
    return dz, dz

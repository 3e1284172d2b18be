"""Connectionist temporal classification, in logarithms. Labels are interleaved with blanks: of S labels come
L = 2 S + 1 states, blanks at the even ones, and a way moves on by 0, 1 or 2 states a step.

float32 is the fast path: examples in parallel, all states of a step in vector code. Sums of logarithms are
kept in float64, since they grow with time; differences of them are small where they matter, so exponentials
and logarithms are float32's. In place of log 0 stands NEVER, so that no infinity meets another. float64 is
the plain path, one state after the other."""

import numpy as np
from numba import carray, float32

from . import mathf
from .compiling import kernel
from .loops import chunks_of, loop, use_wide_vectors
from .operands import floats, run, wholes

NEVER = -1e30
_IMPOSSIBLE = 1e29  # losses above are of labels that fit no way


# ---- float32. A row of alpha has two states before the first, one of beta two behind the last, all NEVER.


@kernel(forceinline=True)
def _log_of_sum(a, b, c):
    """log(e^a + e^b + e^c)."""
    top = a if a > b else b
    top = top if top > c else c
    total = mathf.exp(float32(a - top)) + mathf.exp(float32(b - top)) + mathf.exp(float32(c - top))
    return top + np.float64(mathf.log(total))


@kernel()
def _emitted(log_p, states, out):
    """The logarithms of the states' probabilities at one step."""
    for s in range(len(out)):
        x = np.float64(log_p[states[s]])
        out[s] = NEVER if x < NEVER else x


@kernel()
def _forward_step(before, skip, emitted, alpha):
    use_wide_vectors()
    for s in range(len(emitted)):
        alpha[s + 2] = _log_of_sum(before[s + 2], before[s + 1], before[s] + skip[s]) + emitted[s]


@kernel()
def _backward_step(later, skip, alpha, loss, beta, visits):
    """beta, the probability of all that comes after each state, and from it the expected visits."""
    use_wide_vectors()
    for s in range(len(visits)):
        b = _log_of_sum(later[s], later[s + 1], later[s + 2] + skip[s + 2])
        beta[s] = b
        visits[s] = mathf.exp(float32(alpha[s + 2] + b + loss))


@kernel()
def _skips(states, skip):
    """0 where a way may come from two states before, past a blank between different labels, else NEVER."""
    for s in range(len(skip)):
        allowed = s % 2 == 1 and 1 < s < len(states) and states[s] != states[max(s - 2, 0)]
        skip[s] = 0.0 if allowed else NEVER


@loop
def _forward(chunk, first, last, width, at):
    log_p, states = floats(at, 0)[0], wholes(at, 1)[0, 0]
    steps, counts = wholes(at, 2)[0, 0, 0], wholes(at, 3)[0, 0, 0]
    T_most, L_most = log_p.shape[1], states.shape[1]
    alpha = carray(at[2 + 4], (len(log_p), T_most, L_most + 2), np.float64)
    loss = carray(at[2 + 5], (len(log_p),), np.float64)
    skip, emitted, start = np.empty(L_most + 2), np.empty(L_most), np.empty(L_most + 2)
    for n in range(first, last):
        T, L = steps[n], counts[n]
        _skips(states[n, :L], skip)
        start[:] = NEVER
        start[2] = 0.0  # as if the step before the first had been at the first state
        for t in range(T):
            before = alpha[n, t - 1] if t else start
            _emitted(log_p[n, t], states[n], emitted[:L])
            alpha[n, t, 0], alpha[n, t, 1] = NEVER, NEVER
            _forward_step(before, skip, emitted[:L], alpha[n, t])
        if T == 0:
            loss[n] = 0.0 if L == 1 else np.inf
        else:
            a, b = alpha[n, T - 1, L + 1], alpha[n, T - 1, L]  # the last label and the blank behind it
            loss[n] = -(max(a, b) + np.log1p(np.exp(-abs(a - b))))
            if loss[n] > _IMPOSSIBLE:
                loss[n] = np.inf


@loop
def _backward(chunk, first, last, width, at):
    log_p, states, slopes = floats(at, 0)[0], wholes(at, 1)[0, 0], floats(at, 7)[0]
    steps, counts, g = wholes(at, 2)[0, 0, 0], wholes(at, 3)[0, 0, 0], floats(at, 6)[0, 0, 0]
    T_most, L_most = log_p.shape[1], states.shape[1]
    alpha = carray(at[2 + 4], (len(log_p), T_most, L_most + 2), np.float64)
    loss = carray(at[2 + 5], (len(log_p),), np.float64)
    skip, emitted, visits = np.empty(L_most + 2), np.empty(L_most), np.empty(L_most, np.float32)
    beta, later = np.empty(L_most), np.empty(L_most + 2)
    for n in range(first, last):
        T, L = steps[n], counts[n]
        for t in range(T_most):
            for k in range(slopes.shape[2]):
                slopes[n, t, k] = 0
        if loss[n] == np.inf:
            continue
        _skips(states[n, :L], skip)
        # as if the step behind the last were at the last state
        later[: L + 2] = NEVER
        later[L - 1] = 0.0
        for t in range(T - 1, -1, -1):
            if t < T - 1:
                for s in range(L):
                    later[s] = beta[s] + emitted[s]
            _backward_step(later, skip, alpha[n, t], loss[n], beta, visits[:L])
            blank = float32(0)
            for s in range(0, L, 2):
                blank += visits[s]
            slopes[n, t, states[n, 0]] = -g[n] * blank
            for s in range(1, L, 2):
                slopes[n, t, states[n, s]] -= g[n] * visits[s]
            _emitted(log_p[n, t], states[n], emitted[:L])


# ---- float64


@kernel()
def _plus(a, b):
    """log(e^a + e^b)."""
    top, low = (a, b) if a > b else (b, a)
    return top if low == -np.inf else top + np.log1p(np.exp(low - top))


@kernel()
def _plain_forward(log_p, states, steps, counts, alpha, loss):
    for n in range(len(log_p)):
        T, L = steps[n], counts[n]
        for t in range(T):
            for s in range(L):
                if t == 0:
                    a = 0.0 if s < 2 else -np.inf
                else:
                    a = alpha[n, t - 1, s]
                    if s > 0:
                        a = _plus(a, alpha[n, t - 1, s - 1])
                    if s % 2 == 1 and s > 1 and states[n, s] != states[n, s - 2]:
                        a = _plus(a, alpha[n, t - 1, s - 2])
                alpha[n, t, s] = a + log_p[n, t, states[n, s]]
        if T == 0:
            loss[n] = 0.0 if L == 1 else np.inf
        else:
            end = alpha[n, T - 1, L - 1]
            loss[n] = -(_plus(end, alpha[n, T - 1, L - 2]) if L > 1 else end)


@kernel()
def _plain_backward(log_p, states, steps, counts, alpha, loss, g, slopes):
    slopes[:] = 0
    beta = np.empty(states.shape[1])
    later = np.empty(states.shape[1])
    for n in range(len(log_p)):
        T, L = steps[n], counts[n]
        if loss[n] == np.inf:
            continue
        for t in range(T - 1, -1, -1):
            for s in range(L):
                if t == T - 1:
                    beta[s] = 0.0 if s >= L - 2 else -np.inf
                else:
                    b = later[s]
                    if s + 1 < L:
                        b = _plus(b, later[s + 1])
                    if s % 2 == 1 and s + 2 < L and states[n, s] != states[n, s + 2]:
                        b = _plus(b, later[s + 2])
                    beta[s] = b
                visits = alpha[n, t, s] + beta[s] + loss[n]
                slopes[n, t, states[n, s]] -= g[n] * np.exp(visits)
            for s in range(L):
                later[s] = beta[s] + log_p[n, t, states[n, s]]


def forward(log_p, states, steps, counts):
    """The losses (m,), and alpha (m, T, states): the logarithm of the probability of all ways that are in a
    state at a step, both float64. log_p (m, T, C); states (m, L) class numbers, blanks at the even ones; of
    steps (m,) and counts (m,) so many of T and of L are in use."""
    (m, T, _), L, fast = log_p.shape, states.shape[1], log_p.dtype == np.float32
    alpha, loss = np.empty((m, T, L + 2 if fast else L)), np.empty(m)
    arrays = log_p, states, steps, counts, alpha, loss
    if fast:
        run(_forward, chunks_of(m, 16 * alpha.size), m, arrays, ())
    else:
        _plain_forward(*arrays)
    return loss, alpha


def backward(log_p, states, steps, counts, alpha, loss, g):
    """The losses' derivatives by log_p, times their cotangents g (m,): minus the expected number of visits,
    at each step, of each class. They are 0 where no way fits."""
    slopes = np.empty_like(log_p)
    arrays = log_p, states, steps, counts, alpha, loss, g, slopes
    if log_p.dtype == np.float32:
        run(_backward, chunks_of(len(log_p), 16 * alpha.size), len(log_p), arrays, ())
    else:
        _plain_backward(*arrays)
    return slopes

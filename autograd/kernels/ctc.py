"""Connectionist temporal classification, in logarithms of float64. Labels are interleaved with blanks: of S
labels come L = 2 S + 1 states, blanks at the even ones. One example after the other; the work is m T L, small
beside that of the network before."""

import numpy as np

from .compiling import kernel


@kernel()
def _plus(a, b):
    """log(e^a + e^b)."""
    top, low = (a, b) if a > b else (b, a)
    return top if low == -np.inf else top + np.log1p(np.exp(low - top))


@kernel()
def forward(log_p, states, steps, counts, alpha, loss):
    """alpha[n, t, s], the logarithm of the probability of all ways that are in state s at step t, and the
    losses. log_p (m, T, C), states (m, L) class numbers, steps and counts (m,): how many of T and of L are
    in use. alpha (m, T, L) and loss (m,) are written."""
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
def expected_counts(log_p, states, steps, counts, alpha, loss, g, slopes):
    """slopes (m, T, C), which come as zeros: - g times the expected number of visits, at each step, of each
    class. beta, the probability of all that comes after, is kept for one step at a time."""
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

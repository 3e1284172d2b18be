"""Connectionist temporal classification (Graves et al. 2006): the probability of labels over all their
alignments with time."""

import numpy as np

from ..primitive import primitive
from .reduce import logsumexp
from .selection import where
from .window import float_type

_NEVER = -1e30  # stands for log 0 in the twin: no infinity meets another


@primitive(residuals=("alpha", "loss"))
def ctc(log_probabilities, targets, input_lengths, target_lengths, blank=0):
    """-log P(labels) of each example, (m,): the sum of the probabilities of all ways to spread the labels
    over the steps, where a way may repeat a label and put blanks between. Infinity where there is no way.

    `log_probabilities` (m, T, C); `targets` (m, S) integers, of which the first `target_lengths` (m,) count;
    of the steps the first `input_lengths` (m,) count. The derivative by a log-probability is minus the
    expected number of times that the class stands at the step. Raises ValueError for shapes that do not fit,
    and lengths and labels out of range. Source: COURSE.md C5W3-ctc."""
    from ..kernels import ctc as kernels
    from ..kernels import threads

    dtype, work = float_type(log_probabilities)
    states = _states(log_probabilities, targets, input_lengths, target_lengths, blank)
    loss, alpha = kernels.forward(threads.ready(log_probabilities, work), *states)
    return loss.astype(dtype), alpha, loss


@ctc.vjp("log_probabilities")
def _(g, log_probabilities, targets, input_lengths, target_lengths, blank, alpha, loss):
    from ..kernels import ctc as kernels
    from ..kernels import threads

    dtype, work = float_type(log_probabilities)
    states, steps, counts = _states(log_probabilities, targets, input_lengths, target_lengths, blank)
    log_p = threads.ready(log_probabilities, work)
    slopes = kernels.backward(log_p, states, steps, counts, alpha, loss, threads.ready(g, work))
    return slopes.astype(dtype, copy=False)


@ctc.twin
def _(log_probabilities, targets, input_lengths, target_lengths, blank=0):
    states, steps, counts = _states(log_probabilities, targets, input_lengths, target_lengths, blank)
    (m, L), T = states.shape, log_probabilities.shape[1]
    s = np.arange(L)
    used = s < counts[:, None]
    skips = (s % 2 == 1) & (s > 1) & (states != np.roll(states, 2, axis=1))  # past a blank between two labels
    at_states = np.take_along_axis(log_probabilities, states[:, None, :], 2)  # (m, T, L)
    dtype = log_probabilities.dtype
    start = np.where(s < 2, 0.0, _NEVER).astype(dtype)
    alpha = np.broadcast_to(start, (m, L))
    never = np.full((m, 2), _NEVER, dtype)
    for t in range(T):
        before = alpha
        if t:
            by_one = np.concatenate([never[:, :1], alpha[:, :-1]], axis=1)
            by_two = np.concatenate([never, alpha], axis=1)[:, :L]
            alpha = logsumexp(np.stack([alpha, by_one, where(skips, by_two, _NEVER)]), 0)
        alpha = where((t < steps)[:, None], alpha + at_states[:, t], before)
    ends = used & (s >= counts[:, None] - 2)
    loss = -logsumexp(where(ends, alpha, _NEVER), 1)
    repeats = np.sum((s % 2 == 1) & (s > 1) & ~skips & used, axis=1)
    return where(steps >= counts // 2 + repeats, loss, np.inf)


def _states(log_probabilities, targets, input_lengths, target_lengths, blank):
    """The labels with blanks before, between and behind, (m, 2 S + 1); the steps, and the states that
    count."""
    targets, steps, lengths = map(np.asarray, (targets, input_lengths, target_lengths))
    shape = log_probabilities.shape
    if len(shape) != 3:
        raise ValueError(f"log_probabilities need shape (m, T, C), got {shape}")
    m, T, C = shape
    if targets.ndim != 2 or len(targets) != m or steps.shape != (m,) or lengths.shape != (m,):
        raise ValueError(
            f"log_probabilities {shape} need targets ({m}, S) and lengths ({m},), got targets "
            f"{targets.shape}, input_lengths {steps.shape}, target_lengths {lengths.shape}"
        )
    for name, values in (("targets", targets), ("input_lengths", steps), ("target_lengths", lengths)):
        if values.dtype.kind not in "iu" and values.size:
            raise TypeError(f"{name} must be integers, got {values.dtype}")
    if not 0 <= blank < C:
        raise ValueError(f"the blank is a class, 0..{C - 1}, got {blank}")
    S = targets.shape[1]
    for name, values, most in (("input_lengths", steps, T), ("target_lengths", lengths, S)):
        if m and not 0 <= values.min() <= values.max() <= most:
            raise ValueError(f"{name} must lie in 0..{most}, got {values.min()} to {values.max()}")
    used = np.arange(S) < lengths[:, None]
    labels = targets[used]
    if wrong := labels[(labels < 0) | (labels >= C) | (labels == blank)][:1].tolist():
        raise ValueError(f"labels are classes 0..{C - 1} other than the blank {blank}, got {wrong[0]}")
    states = np.full((m, 2 * S + 1), blank, np.int64)
    states[:, 1::2] = np.where(used, targets, blank)
    return states, steps.astype(np.int64), 2 * lengths.astype(np.int64) + 1

"""From a model that tells how likely the next token is to whole sequences: greedy, beam search, sampling.

Each takes any function

    step(tokens (n,), state) -> (log-probabilities (n, V), state)

that reads one more token of n sequences. A state is None, an array whose first axis is the sequences, or a
tuple, list or dict of states; what it holds only `step` knows. `start` (m,) is the token that each of the m
sequences begins with, such as SOS; it is not part of the result. `end`, such as EOS, ends a sequence.
COURSE.md C5W1-sample, C5W3-greedy, C5W3-beam."""

from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[np.ndarray, Any], tuple[np.ndarray, Any]]


def greedy(
    step: Step, start, length: int, state: Any = None, end: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Takes the most likely token at each step. Returns tokens (m, T), T <= length, and the log-probability
    (m,) of each sequence. Behind `end` stands `end`. Raises ValueError for a length below 1 and starts of
    another shape."""
    return _follow(step, start, length, state, end, lambda log_probs: log_probs.argmax(axis=-1))


def sample(
    step: Step,
    start,
    length: int,
    state: Any = None,
    end: int | None = None,
    *,
    rng: np.random.Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws each token from `chances(log-probabilities, temperature, top_k, top_p)`. Returns tokens (m, T)
    and the model's log-probability (m,) of each sequence; the rest is as in `greedy`. COURSE.md
    C5W1-sample."""

    def draw(log_probs):
        cumulative = chances(log_probs, temperature, top_k, top_p).cumsum(axis=-1)
        drawn = rng.random((len(cumulative), 1)) * cumulative[:, -1:]
        return (cumulative <= drawn).sum(axis=-1)

    return _follow(step, start, length, state, end, draw)


def chances(
    log_probs, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> np.ndarray:
    """Probabilities (n, V) to draw the next token by, from log-probabilities (n, V) of a model:
    softmax(log p / temperature), of which `top_k` keeps the k largest, and `top_p` the fewest that together
    have at least that share (nucleus sampling, Holtzman et al. 2019). A temperature below 1 makes likely
    tokens likelier. Raises ValueError for arguments out of range."""
    if not temperature > 0:
        raise ValueError(f"temperature must be a number > 0, got {temperature!r}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be a whole number >= 1, got {top_k!r}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is a share, 0 < top_p <= 1, got {top_p!r}")
    scores = np.asarray(log_probs, np.float64) / temperature
    p = np.exp(scores - scores.max(axis=-1, keepdims=True))
    if top_k is not None and top_k < p.shape[-1]:
        least = np.partition(p, -top_k, axis=-1)[..., -top_k, None]
        p = np.where(p >= least, p, 0.0)
    p /= p.sum(axis=-1, keepdims=True)
    if top_p is not None:
        order = np.argsort(-p, axis=-1, kind="stable")
        sorted_p = np.take_along_axis(p, order, axis=-1)
        before = sorted_p.cumsum(axis=-1) - sorted_p  # the share of all that are likelier
        np.put_along_axis(p, order, np.where(before < top_p, sorted_p, 0.0), axis=-1)
        p /= p.sum(axis=-1, keepdims=True)
    return p


def beam_search(
    step: Step,
    start,
    length: int,
    state: Any = None,
    end: int | None = None,
    beam: int = 3,
    alpha: float = 0.7,
) -> tuple[np.ndarray, np.ndarray]:
    """Keeps the `beam` most likely sequences at each step: of beam V candidates the best `beam`, of which
    those that end are set aside. Returns tokens (m, beam, T) and scores (m, beam), best first, where

        score = log-probability / T_y^alpha

    and T_y counts `end`: without alpha long sequences lose, each token making them less likely. A beam of 1
    is greedy search. Behind `end` stands `end`; where fewer than `beam` sequences exist, the score is -inf.
    Raises ValueError for arguments out of range. COURSE.md C5W3-beam, C5W3-lennorm."""
    tokens = _starts(start, length)
    if beam < 1 or not alpha >= 0:
        raise ValueError(f"a beam of 1 or more and alpha >= 0, got beam={beam!r}, alpha={alpha!r}")
    m = len(tokens)
    first_row = beam * np.arange(m)[:, None]
    tokens, state = np.repeat(tokens, beam), _rows(state, np.repeat(np.arange(m), beam))
    sums = np.full((m, beam), -np.inf)  # log-probabilities of those that go on
    sums[:, 0] = 0.0
    words = np.zeros((m, beam, 0), np.int64)
    found: list[list[tuple[float, np.ndarray]]] = [[] for _ in range(m)]
    for t in range(1, length + 1):
        log_probs, state = step(tokens, state)
        V = log_probs.shape[-1]
        candidates = sums[:, :, None] + np.asarray(log_probs, np.float64).reshape(m, beam, V)
        candidates = candidates.reshape(m, beam * V)
        best = np.stack([_largest(row, beam) for row in candidates])  # (m, beam)
        sums, parents, tokens = np.take_along_axis(candidates, best, axis=1), best // V, best % V
        words = np.take_along_axis(words, parents[:, :, None], axis=1)
        words = np.concatenate([words, tokens[:, :, None]], axis=2)  # (m, beam, t)
        ended = np.full(tokens.shape, t == length) if end is None else (tokens == end) | (t == length)
        for i, b in np.argwhere(ended & (sums > -np.inf)):
            found[i].append((sums[i, b] / t**alpha, words[i, b]))
        sums[ended] = -np.inf
        for i in range(m):
            found[i] = sorted(found[i], key=lambda one: -one[0])[:beam]
            if len(found[i]) == beam and sums[i].max() / length**alpha <= found[i][-1][0]:
                sums[i] = -np.inf  # whatever follows only makes them less likely
        if not (sums > -np.inf).any():
            break
        tokens, state = tokens.reshape(-1), _rows(state, (first_row + parents).reshape(-1))
    return _table(found, beam, end)


def _largest(row, count):
    """The places of the `count` largest numbers, in falling order; of equal ones the first."""
    least = np.partition(row, -count)[-count]
    places = np.flatnonzero(row >= least)
    return places[np.argsort(-row[places], kind="stable")[:count]]


def _table(found, beam, end):
    T = max(len(words) for row in found for _, words in row)
    tokens = np.full((len(found), beam, T), 0 if end is None else end, np.int64)
    scores = np.full((len(found), beam), -np.inf)
    for i, row in enumerate(found):
        for b, (score, words) in enumerate(row):
            tokens[i, b, : len(words)], scores[i, b] = words, score
    return tokens, scores


def _follow(step, start, length, state, end, choose):
    tokens = _starts(start, length)
    m = len(tokens)
    total, live, chosen = np.zeros(m), np.ones(m, bool), []
    while len(chosen) < length and live.any():
        log_probs, state = step(tokens, state)
        tokens = choose(log_probs)
        total += np.where(live, log_probs[np.arange(m), tokens], 0.0)
        if end is not None:
            tokens = np.where(live, tokens, end)
            live &= tokens != end
        chosen.append(tokens)
    return np.stack(chosen, axis=1), total


def _starts(start, length):
    start = np.asarray(start)
    if start.ndim != 1 or not start.size or start.dtype.kind not in "iu":
        raise ValueError(f"start is one token for each sequence, integers (m,), got shape {start.shape}")
    if length < 1:
        raise ValueError(f"length must be a whole number >= 1, got {length!r}")
    return start.astype(np.int64)


def _rows(state, chosen):
    """The state of the sequences `chosen`, in that order."""
    if state is None:
        return None
    if isinstance(state, dict):
        return {name: _rows(part, chosen) for name, part in state.items()}
    if isinstance(state, (tuple, list)):
        return type(state)(_rows(part, chosen) for part in state)
    return state[chosen]

"""A language model that counts: what a network has to beat."""

import numpy as np


class NGram:
    """How likely each token is after the n - 1 before it, by counting, from a text of numbers in 0..V-1.

        p(c | h) = (count(h c) + kinds(h) p(c | h')) / (count(h) + kinds(h))

    where h' is h without its first token, kinds(h) how many different tokens followed h, and the last p is
    1 / V: contexts in which much can follow trust the shorter one more. An h that never stood in the text
    leaves p(c | h').

    NGram(order, size): order n, size V. Raises ValueError where size^order does not fit 63 bits. Witten and
    Bell 1991; in the notation of Chen and Goodman 1998."""

    def __init__(self, order: int, size: int):
        if order < 1 or size < 1 or size**order >= 2**63:
            raise ValueError(f"NGram: order and size of at least 1, size^order < 2^63, got {order}, {size}")
        self.order, self.size = order, size
        self._tables: list[tuple] = []  # for each length of h: its (codes, counts, kinds), and h c's

    def fit(self, tokens) -> "NGram":
        """Counts a text (n,); returns self. Raises ValueError for numbers outside 0..V-1."""
        tokens = self._checked(tokens)
        self._tables = []
        for k in range(self.order):
            codes, counts = np.unique(self._codes(tokens, k + 1), return_counts=True)  # of h c
            contexts, first = np.unique(codes // self.size, return_index=True)
            kinds = np.diff(np.append(first, len(codes)))
            totals = np.add.reduceat(counts, first) if len(first) else counts
            self._tables.append((codes, counts, contexts, totals, kinds))
        return self

    def log_probs(self, tokens) -> np.ndarray:
        """The natural logarithm (n,) of how likely each token of a text is after those before it; at the
        beginning there are fewer. Raises ValueError before `fit`, and for numbers outside 0..V-1."""
        if not self._tables:
            raise ValueError("NGram has counted nothing yet: call fit(tokens) first")
        tokens = self._checked(tokens)
        p = np.full(len(tokens), 1 / self.size)
        for k, (codes, counts, contexts, totals, kinds) in enumerate(self._tables):
            together = self._codes(tokens, k + 1)
            after = together // self.size
            n, T = _looked_up(contexts, totals, after), _looked_up(contexts, kinds, after)
            seen = n > 0
            mixed = (_looked_up(codes, counts, together) + T * p[k:]) / np.where(seen, n + T, 1)
            p[k:] = np.where(seen, mixed, p[k:])
        return np.log(p)

    def _checked(self, tokens):
        tokens = np.asarray(tokens)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise ValueError(f"NGram takes a text of numbers (n,), got {tokens.dtype} {tokens.shape}")
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.size:
            raise ValueError(f"NGram: numbers from {tokens.min()} to {tokens.max()}, not 0..{self.size - 1}")
        return tokens.astype(np.int64)

    def _codes(self, tokens, length):
        """Each run of that many tokens as one number, (n - length + 1,)."""
        last = len(tokens) - length + 1
        codes = np.zeros(max(last, 0), np.int64)
        for k in range(length):
            codes = codes * self.size + tokens[k : k + max(last, 0)]
        return codes


def _looked_up(keys, values, wanted):
    """The values of the keys wanted, 0 where there is no such key; `keys` rise."""
    if not len(keys):
        return np.zeros(len(wanted))
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0).astype(np.float64)

"""Tokens and their numbers."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np


class Vocabulary:
    """The tokens that a model knows, each with its number: the place in `tokens`.

        words = Vocabulary.of("the cat sat on the mat".split(), size=3)   # <UNK>, the, cat
        words.encode(["the", "dog"])                                      # [1, 0]
        words.decode([1, 2])                                              # ["the", "cat"]

    Vocabulary(tokens, unknown=None): `unknown` is one of them, which stands for all others, such as
    "<UNK>". Tokens are words, characters, or anything that can be a key. Raises ValueError for a token that
    is there twice and an `unknown` that is not there. COURSE.md C5W1-onehot."""

    def __init__(self, tokens: Iterable, unknown=None):
        self.tokens = tuple(tokens)
        self._numbers = {token: k for k, token in enumerate(self.tokens)}
        if len(self._numbers) != len(self.tokens):
            twice = [token for token, count in Counter(self.tokens).items() if count > 1]
            raise ValueError(f"a vocabulary has each token once, this one has {twice[0]!r} more often")
        if unknown is not None and unknown not in self._numbers:
            raise ValueError(f"{unknown!r}, which should stand for unknown tokens, is not in the vocabulary")
        self.unknown = unknown

    @classmethod
    def of(cls, text: Iterable, size: int | None = None, special: Sequence = ("<UNK>",)) -> "Vocabulary":
        """The `special` tokens, of which the first stands for unknown ones, and then those of the text, the
        most frequent first, `size` in all; all of them without `size`. Tokens that are as frequent come in
        the order of the text."""
        counts = Counter(text)
        often = [token for token, _ in counts.most_common() if token not in special]
        room = None if size is None else max(0, size - len(special))
        return cls((*special, *often[:room]), special[0] if special else None)

    def encode(self, tokens: Iterable) -> np.ndarray:
        """The numbers (n,) of tokens. Raises KeyError for an unknown one where nothing stands for it."""
        tokens, rest = list(tokens), self._numbers.get(self.unknown, -1)
        numbers = [self._numbers.get(token, rest) for token in tokens]
        if -1 in numbers:
            raise KeyError(f"{tokens[numbers.index(-1)]!r} is not in the vocabulary of {len(self)} tokens")
        return np.array(numbers, np.int64)

    def decode(self, numbers) -> list:
        """The tokens of numbers (n,)."""
        return [self.tokens[k] for k in np.asarray(numbers).tolist()]

    def __len__(self):
        return len(self.tokens)

    def __contains__(self, token):
        return token in self._numbers

    def __repr__(self):
        return f"Vocabulary({len(self)} tokens, unknown={self.unknown!r})"


def padded(sequences: Sequence, padding: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of numbers of different lengths as (m, T), with `padding` behind the shorter ones, and their
    lengths (m,). Raises ValueError for none at all."""
    if not len(sequences):
        raise ValueError("there is no sequence to pad")
    lengths = np.array([len(one) for one in sequences])
    table = np.full((len(sequences), int(lengths.max())), padding, np.int64)
    for row, one in zip(table, sequences):
        row[: len(one)] = one
    return table, lengths

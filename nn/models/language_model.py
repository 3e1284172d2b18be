"""Recurrent language models: how likely each next word or character is, given all before it.

Mikolov et al., "Recurrent neural network based language model", 2010; lectures C5W1, Language model and
sequence generation, Sampling novel sequences.

    P(y<1> ... y<T>) = product over t of P(y<t> | y<1> ... y<t-1>)

    network       reads              recurrent layers      predicts     parameters
    char_rnn      27 one-hot         RNN of 50 units       27                5,277    the course's dinosaurs
    char_gru      104, 64 each       GRU of 256 units      104            279,912    the recipe's
    word_rnn      10,000 one-hot     RNN of 100 units      10,000        2,020,100    the lecture's sizes
    word_lstm     10,000, 650 each   2 LSTMs of 650        10,000       19,775,200    Zaremba et al. 2014

Each layer has one bias, as the course counts them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.modes import no_grad
from autograd.ops.softmax import log_softmax
from autograd.tensor import as_array, unwrap

from .. import init
from ..layers import GRU, LSTM, RNN, Dropout, Embedding, Linear
from ..module import Module
from .catalog import Entry

CELLS = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


def layers_of(model: Module, cell: str):
    """The kind of layer that a model is told to have; raises ValueError for one that is not there."""
    if cell not in CELLS:
        raise ValueError(f"{type(model).__name__}: cell is one of {', '.join(CELLS)}, got {cell!r}")
    return CELLS[cell]


class NextToken(Module):
    """Abstract: logits (m, T, V) of the token behind each of `tokens` (m, T), which sees that one and those
    before it. `read` and `step` go on from where they stopped; both behave as at test time only after
    `eval()`."""

    _run: Callable[..., tuple]  # (tokens, state) -> logits and the state behind them

    def forward(self, tokens):
        return self._run(tokens, None)[0]

    def read(self, tokens, state: Any = None) -> tuple[np.ndarray, Any]:
        """Log-probabilities (m, T, V) of what comes behind each of tokens (m, T), which follow on what led to
        `state`; and the state behind them. All plain arrays: nothing is recorded."""
        with no_grad():
            logits, state = self._run(as_array(tokens), state)
            return unwrap(log_softmax(logits)), state

    def step(self, tokens, state: Any = None) -> tuple[np.ndarray, Any]:
        """The same for one token of each sequence, (m,) to (m, V): the step function of `nn.text`."""
        log_probs, state = self.read(as_array(tokens)[:, None], state)
        return log_probs[:, 0], state


class LanguageModel(NextToken):
    """Recurrent layers over tokens (m, T), and a softmax over the vocabulary: logits (m, T, vocabulary).

    LanguageModel(vocabulary, hidden, features=None, layers=1, cell="lstm", dropout=0.0, tied=False). Tokens
    are looked up in a table of `features` columns, or without `features` taken as one-hot vectors, the
    course's x<t>. `cell` is "rnn", "gru" or "lstm". `dropout` acts on all that is not recurrent (Zaremba et
    al. 2014). `tied` takes the table for the output layer too (Press and Wolf 2017), and needs features =
    hidden. A state is (m, layers, hidden), of an LSTM two of them. Raises ValueError for another cell, and
    for tied tables of different widths."""

    def __init__(
        self,
        vocabulary: int,
        hidden: int,
        features: int | None = None,
        layers: int = 1,
        cell: str = "lstm",
        dropout: float = 0.0,
        tied: bool = False,
    ):
        super().__init__()
        kind = layers_of(self, cell)
        if tied and features != hidden:
            raise ValueError(f"LanguageModel: tied needs features = hidden, got {features} and {hidden}")
        self.vocabulary, self.tied = vocabulary, bool(tied)
        if features is not None:
            self.embedding = Embedding(vocabulary, features)
            init.uniform_(self.embedding.weight, -0.1, 0.1)
        between = dropout if layers > 1 else 0.0
        self.rnn = kind(features or vocabulary, hidden, layers, dropout=between, recurrent_bias=False)
        self.dropout = Dropout(dropout)
        self.output = Linear(hidden, vocabulary)
        if tied:
            self.output.weight = self.embedding.weight

    def _run(self, tokens, state):
        x = self.embedding(tokens) if hasattr(self, "embedding") else self._one_hot(tokens)
        y, state = self.rnn(self.dropout(x), _layers_first(state))
        return self.output(self.dropout(y)), _sequences_first(state)

    def _one_hot(self, tokens):
        numbers = as_array(tokens)[..., None]
        rows = np.zeros((*tokens.shape, self.vocabulary), self.output.weight.dtype)
        np.put_along_axis(rows, numbers, 1.0, axis=-1)
        return rows  # (m, T, vocabulary)


def _layers_first(state):
    """(m, layers, n) as the layers take it."""
    if isinstance(state, tuple):
        return tuple(map(_layers_first, state))
    return None if state is None else np.swapaxes(state, 0, 1)


def _sequences_first(state):
    """(layers, m, n) of a layer as a plain array (m, layers, n)."""
    if isinstance(state, tuple):
        return tuple(map(_sequences_first, state))
    return unwrap(state).swapaxes(0, 1)


def char_rnn(vocabulary: int = 27, hidden: int = 50, **options) -> LanguageModel:
    """The course's generator of names, of the letters and the end of a line: 5,277 parameters. `options` are
    those of `LanguageModel`, here and below."""
    return LanguageModel(vocabulary, hidden, **{"cell": "rnn", **options})


def char_gru(vocabulary: int = 104, hidden: int = 256, features: int = 64, **options) -> LanguageModel:
    """For the characters of a text, as the recipe `charlm` has it: 279,912 parameters."""
    return LanguageModel(vocabulary, hidden, features, **{"cell": "gru", **options})


def word_rnn(vocabulary: int = 10_000, hidden: int = 100, **options) -> LanguageModel:
    """The lecture's: Waa (100, 100), Wax (100, 10,000). 2,020,100 parameters."""
    return LanguageModel(vocabulary, hidden, **{"cell": "rnn", **options})


def word_lstm(vocabulary: int = 10_000, hidden: int = 650, features: int = 650, **options) -> LanguageModel:
    """The medium one of Zaremba, Sutskever and Vinyals 2014, for the Penn Treebank: 19,775,200 parameters."""
    return LanguageModel(vocabulary, hidden, features, **{"layers": 2, "dropout": 0.5, **options})


def _tokens(length, vocabulary):
    return lambda rng, m: (rng.integers(vocabulary, size=(m, length)),)


_MIKOLOV, _ZAREMBA = "Mikolov et al. 2010", "Zaremba et al. 2014"
ENTRIES = (
    Entry("char_rnn", char_rnn, (20,), 5_277, 104_000, "C5W1-sample", _MIKOLOV, _tokens(20, 27)),
    Entry(
        "char_gru", char_gru, (64,), 279_912, 17_432_576, "C5W1-sample", "Cho et al. 2014", _tokens(64, 104)
    ),
    Entry("word_rnn", word_rnn, (9,), 2_020_100, 18_090_000, "C5W1-lm", _MIKOLOV, _tokens(9, 10_000)),
    Entry("word_lstm", word_lstm, (35,), 19_775_200, 464_100_000, "C5W1-lm", _ZAREMBA, _tokens(35, 10_000)),
)

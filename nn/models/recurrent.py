"""Recurrent networks of each type of input and output, and the course's networks that are of one.

Lectures C5W1, Different types of RNNs, Bidirectional RNN, Deep RNNs; C5W2, Sentiment classification.

    one to one        x -> y                     `deep_network`
    one to many       x -> y<1> ... y<T>         `music`, which plays on from one value
    many to one       x<1> ... x<T> -> y         `sentiment_lstm`, `emojify`
    many to many      x<1> ... x<T> -> y<1> ... y<T>, as many: `name_tagger`
    many to many      x<1> ... x<T> -> y<1> ... y<T_y>, others: `encoder_decoder`

    network              words      vectors    recurrent layers                         parameters
    name_tagger          10,000     300        GRU of 100, both directions, twice        3,421,401
    sentiment_average    10,000     300        none: their mean                          3,001,505
    sentiment_lstm       10,000     300        LSTM of 128                               3,220,293
    emojify             400,001      50        LSTM of 128, twice, dropout 0.5          20,223,927
    music                    78     one-hot    LSTM of 64                                   41,678
"""

import numpy as np

from autograd.tensor import as_array

from ..layers import Dropout, Embedding, Linear
from ..module import Module
from .catalog import Entry
from .language_model import LanguageModel, layers_of


class SequenceTagger(Module):
    """Many to many, as many: logits (m, T, classes) of each of words (m, T).

    SequenceTagger(vocabulary=10_000, features=300, hidden=100, layers=1, cell="gru", bidirectional=True,
    classes=1). One class is yes or no, as whether a word belongs to a name. In both directions each output
    sees all words; in one those up to its own. `lengths` (m,) are the words of each. Raises ValueError for
    another cell than "rnn", "gru" or "lstm". COURSE.md C5W1-onehot, C5W1-brnn, C5W1-deeprnn."""

    def __init__(
        self,
        vocabulary: int = 10_000,
        features: int = 300,
        hidden: int = 100,
        layers: int = 1,
        cell: str = "gru",
        bidirectional: bool = True,
        classes: int = 1,
    ):
        super().__init__()
        kind = layers_of(self, cell)
        self.embedding = Embedding(vocabulary, features)
        self.rnn = kind(features, hidden, layers, bidirectional=bidirectional, recurrent_bias=False)
        self.output = Linear(hidden * (1 + bidirectional), classes)

    def forward(self, words, lengths=None):
        return self.output(self.rnn(self.embedding(words), lengths=lengths)[0])


class SequenceClassifier(Module):
    """Many to one: logits (m, classes) of words (m, T), from the last layer's state behind the last word.

    SequenceClassifier(vocabulary=10_000, features=300, hidden=128, layers=1, cell="lstm", dropout=0.0,
    classes=5). `lengths` (m,) are the words of each. `dropout` acts behind each layer. Raises ValueError for
    another cell than "rnn", "gru" or "lstm". COURSE.md C5W2-sentiment."""

    def __init__(
        self,
        vocabulary: int = 10_000,
        features: int = 300,
        hidden: int = 128,
        layers: int = 1,
        cell: str = "lstm",
        dropout: float = 0.0,
        classes: int = 5,
    ):
        super().__init__()
        kind = layers_of(self, cell)
        self.embedding = Embedding(vocabulary, features)
        between = dropout if layers > 1 else 0.0
        self.rnn = kind(features, hidden, layers, dropout=between, recurrent_bias=False)
        self.dropout = Dropout(dropout)
        self.output = Linear(hidden, classes)

    def forward(self, words, lengths=None):
        _, state = self.rnn(self.embedding(words), lengths=lengths)
        h = state[0] if isinstance(state, tuple) else state  # (layers, m, hidden)
        return self.output(self.dropout(h[-1]))


class AverageClassifier(Module):
    """Logits (m, classes) of words (m, T), from the mean of their vectors: "lacking in good, good, good" is
    as good to it as any other order of these words.

    AverageClassifier(vocabulary=10_000, features=300, classes=5). `lengths` (m,) are the words of each.
    COURSE.md C5W2-sentiment."""

    def __init__(self, vocabulary: int = 10_000, features: int = 300, classes: int = 5):
        super().__init__()
        self.embedding = Embedding(vocabulary, features)
        self.output = Linear(features, classes)

    def forward(self, words, lengths=None):
        x = self.embedding(words)  # (m, T, features)
        if lengths is None:
            return self.output(np.mean(x, axis=1))
        lengths = as_array(lengths)[:, None]
        share = (np.arange(x.shape[1]) < lengths) / lengths  # (m, T)
        return self.output(np.sum(x * share[..., None].astype(x.dtype), axis=1))


def name_tagger(**options) -> SequenceTagger:
    """Which words are of a name: 3,421,401 parameters. `options` are those of `SequenceTagger`."""
    return SequenceTagger(**({"layers": 2} | options))


def sentiment_average(**options) -> AverageClassifier:
    """One to five stars: 3,001,505 parameters. `options` are those of `AverageClassifier`."""
    return AverageClassifier(**options)


def sentiment_lstm(**options) -> SequenceClassifier:
    """One to five stars: 3,220,293 parameters. `options` are those of `SequenceClassifier`."""
    return SequenceClassifier(**options)


def emojify(**options) -> SequenceClassifier:
    """The course's second: which of five emojis goes with a sentence. 20,223,927 parameters, of which
    `freeze("embedding")` leaves 223,877, as where the vectors are GloVe's."""
    usual = dict(vocabulary=400_001, features=50, layers=2, dropout=0.5)
    return SequenceClassifier(**(usual | options))


def music(vocabulary: int = 78, hidden: int = 64) -> LanguageModel:
    """The course's jazz of 78 values: 41,678 parameters."""
    return LanguageModel(vocabulary, hidden)


def _words(vocabulary, length):
    return lambda rng, m: (rng.integers(vocabulary, size=(m, length)),)


_COURSE = "the course"
ENTRIES = (
    Entry("name_tagger", name_tagger, (9,), 3_421_401, 3_781_800, "C5W1-brnn", _COURSE, _words(10_000, 9)),
    Entry(
        *("sentiment_average", sentiment_average, (10,), 3_001_505, 1_500, "C5W2-sentiment", _COURSE),
        _words(10_000, 10),
    ),
    Entry(
        *("sentiment_lstm", sentiment_lstm, (10,), 3_220_293, 2_192_000, "C5W2-sentiment", _COURSE),
        _words(10_000, 10),
    ),
    Entry("emojify", emojify, (10,), 20_223_927, 2_222_720, "C5W2-sentiment", _COURSE, _words(400_001, 10)),
    Entry("music", music, (30,), 41_678, 1_240_320, "C5W1-sample", _COURSE, _words(78, 30)),
)

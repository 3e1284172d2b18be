"""Learning word vectors: from the words before, from the words around, from counts.

Bengio et al., "A neural probabilistic language model", 2003; Mikolov et al., "Efficient estimation of word
representations", 2013, and "Distributed representations", 2013; Pennington, Socher, Manning, "GloVe", 2014;
lectures C5W2.

    network                 from                          to                     parameters
    neural_language_model   4 words of 300: 1200 numbers  softmax of 10,000      15,010,000
    skip_gram               a word c                      a word t near it        6,000,000
    cbow                    the mean of words around      the word between        6,000,000
    glove                   two words i, j                log X_ij                6,020,000

What a softmax of 10,000 would cost, `nn.HierarchicalSoftmax` does in about log2(10,000) = 13.3 products, and
`nn.NegativeSamplingLoss` in k + 1: both take `model.vectors(words)`, the second `model.output.weight` as its
table.
"""

import numpy as np

from ..layers import Embedding, Linear
from ..module import Module
from .catalog import Entry


class NeuralLanguageModel(Module):
    """Logits (m, vocabulary) of the word behind the last `context` words (m, context): their vectors side by
    side, a layer of `hidden` tanh units if there are any, and a softmax.

    NeuralLanguageModel(vocabulary=10_000, features=300, context=4, hidden=None). Raises ValueError for
    another number of words. COURSE.md C5W2-nlm."""

    def __init__(
        self, vocabulary: int = 10_000, features: int = 300, context: int = 4, hidden: int | None = None
    ):
        super().__init__()
        self.context = context
        self.embedding = Embedding(vocabulary, features)
        self.hidden = None if hidden is None else Linear(context * features, hidden)
        self.output = Linear(hidden or context * features, vocabulary)

    def forward(self, words):
        if words.shape[-1] != self.context:
            raise ValueError(f"NeuralLanguageModel takes the last {self.context} words, got {words.shape}")
        x = self.embedding(words).reshape((len(words), -1))  # (m, context * features)
        return self.output(x if self.hidden is None else np.tanh(self.hidden(x)))


class SkipGram(Module):
    """Logits (m, vocabulary) of a word near each of words (m,): theta e_c for all theta.

    SkipGram(vocabulary=10_000, features=300). `vectors(words)` are the e_c (m, features). COURSE.md
    C5W2-skipgram."""

    def __init__(self, vocabulary: int = 10_000, features: int = 300):
        super().__init__()
        self.embedding = Embedding(vocabulary, features)
        self.output = Linear(features, vocabulary, bias=False)

    def vectors(self, words):
        """What the softmax, or what stands in its place, is over."""
        return self.embedding(words)

    def forward(self, words):
        return self.output(self.vectors(words))


class CBOW(Module):
    """Logits (m, vocabulary) of the word in the middle of words (m, window): theta times their mean vector.

    CBOW(vocabulary=10_000, features=300). `vectors(words)` are the means (m, features). COURSE.md
    C5W2-skipgram."""

    def __init__(self, vocabulary: int = 10_000, features: int = 300):
        super().__init__()
        self.embedding = Embedding(vocabulary, features)
        self.output = Linear(features, vocabulary, bias=False)

    def vectors(self, words):
        """What the softmax, or what stands in its place, is over."""
        return np.mean(self.embedding(words), axis=1)

    def forward(self, words):
        return self.output(self.vectors(words))


class GloVe(Module):
    """Scores (m,) of pairs of words, i (m,) and j (m,): theta_i . e_j + b_i + b'_j, to be log X_ij by
    `nn.GloVeLoss()(model(i, j), X)`.

    GloVe(vocabulary=10_000, features=300). theta and e play the same part, so a word's vector is the mean of
    both: `word_vectors()` (vocabulary, features). COURSE.md C5W2-glove."""

    def __init__(self, vocabulary: int = 10_000, features: int = 300):
        super().__init__()
        self.theta, self.e = Embedding(vocabulary, features), Embedding(vocabulary, features)
        self.theta_bias, self.e_bias = Embedding(vocabulary, 1), Embedding(vocabulary, 1)

    def forward(self, i, j):
        products = np.sum(self.theta(i) * self.e(j), axis=-1)
        return products + self.theta_bias(i)[..., 0] + self.e_bias(j)[..., 0]

    def word_vectors(self) -> np.ndarray:
        """(e + theta) / 2."""
        return (self.theta.weight.numpy() + self.e.weight.numpy()) / 2


def neural_language_model(**options) -> NeuralLanguageModel:
    """15,010,000 parameters. `options` are those of `NeuralLanguageModel`."""
    return NeuralLanguageModel(**options)


def skip_gram(**options) -> SkipGram:
    """6,000,000 parameters. `options` are those of `SkipGram`."""
    return SkipGram(**options)


def cbow(**options) -> CBOW:
    """6,000,000 parameters. `options` are those of `CBOW`."""
    return CBOW(**options)


def glove(**options) -> GloVe:
    """6,020,000 parameters. `options` are those of `GloVe`."""
    return GloVe(**options)


def _words(*shape):
    return lambda rng, m: (rng.integers(10_000, size=(m, *shape)),)


def _pair(rng, m):
    return rng.integers(10_000, size=m), rng.integers(10_000, size=m)


_BENGIO, _MIKOLOV = "Bengio et al. 2003", "Mikolov et al. 2013"
ENTRIES = (
    Entry(
        *("neural_language_model", neural_language_model, (4,), 15_010_000, 12_000_000),
        *("C5W2-nlm", _BENGIO, _words(4)),
    ),
    Entry("skip_gram", skip_gram, (), 6_000_000, 3_000_000, "C5W2-skipgram", _MIKOLOV, _words()),
    Entry("cbow", cbow, (8,), 6_000_000, 3_000_000, "C5W2-skipgram", _MIKOLOV, _words(8)),
    Entry("glove", glove, (2,), 6_020_000, 0, "C5W2-glove", "Pennington et al. 2014", _pair),
)

"""BERT: the encoder of a Transformer, trained to fill gaps in text.

Devlin, Chang, Lee, Toutanova, "BERT: Pre-training of deep bidirectional Transformers", 2018; lecture C5W4.

    words, positions, segments    30,522, 512 and 2 learned rows of d, summed and normalised
    layer x N                     self-attention of h heads; d -> 4 d -> d with GELU; post-norm
    pooler                        tanh of an affine map of the first word's vector

    network        N      d    h     parameters
    bert_base     12    768   12    109,482,240
    bert_large    24   1024   16    335,141,888

Members are called as in the published weights (`encoder.layer.0.attention.self.query`).
"""

import numpy as np

from autograd.ops.units import gelu
from autograd.tensor import as_array

from .. import init
from ..layers import Dropout, Embedding, LayerNorm, Linear, ModuleList
from ..layers.attention import scaled_dot_product_attention
from ..module import Module
from .catalog import Entry


class _Embeddings(Module):
    def __init__(self, vocabulary, d, max_len, segments, dropout):
        super().__init__()
        self.word_embeddings = Embedding(vocabulary, d)
        self.position_embeddings = Embedding(max_len, d)
        self.token_type_embeddings = Embedding(segments, d)
        self.LayerNorm = LayerNorm(d, eps=1e-12)
        self.dropout = Dropout(dropout)

    def forward(self, words, segments):
        T = words.shape[1]
        if T > self.position_embeddings.num_embeddings:
            raise ValueError(f"BERT has {self.position_embeddings.num_embeddings} positions, got {T} words")
        x = self.word_embeddings(words) + self.position_embeddings(np.arange(T))
        return self.dropout(self.LayerNorm(x + self.token_type_embeddings(segments)))


class _SelfAttention(Module):
    def __init__(self, d, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value = Linear(d, d), Linear(d, d), Linear(d, d)

    def forward(self, x, allowed):
        m, T, d = x.shape
        split = (m, T, self.heads, d // self.heads)
        q, k, v = (f(x).reshape(split).swapaxes(1, 2) for f in (self.query, self.key, self.value))
        dropout = self.dropout if self.training else 0.0
        y = scaled_dot_product_attention(q, k, v, allowed, dropout)  # (m, heads, T, d / heads)
        return y.swapaxes(1, 2).reshape((m, T, d))


class _Output(Module):
    """norm(residual + dropout(W x + b))."""

    def __init__(self, n_in, d, dropout):
        super().__init__()
        self.dense = Linear(n_in, d)
        self.LayerNorm = LayerNorm(d, eps=1e-12)
        self.dropout = Dropout(dropout)

    def forward(self, x, residual):
        return self.LayerNorm(residual + self.dropout(self.dense(x)))


class _Attention(Module):
    def __init__(self, d, heads, dropout):
        super().__init__()
        self.self = _SelfAttention(d, heads, dropout)
        self.output = _Output(d, d, dropout)

    def forward(self, x, allowed):
        return self.output(self.self(x, allowed), x)


class _Dense(Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.dense = Linear(n_in, n_out)

    def forward(self, x):
        return self.dense(x)


class _Layer(Module):
    def __init__(self, d, heads, feed_forward, dropout):
        super().__init__()
        self.attention = _Attention(d, heads, dropout)
        self.intermediate = _Dense(d, feed_forward)
        self.output = _Output(feed_forward, d, dropout)

    def forward(self, x, allowed):
        x = self.attention(x, allowed)
        return self.output(gelu(self.intermediate(x)), x)


class _Encoder(Module):
    def __init__(self, layers):
        super().__init__()
        self.layer = ModuleList(layers)

    def forward(self, x, allowed):
        for layer in self.layer:
            x = layer(x, allowed)
        return x


class Bert(Module):
    """Words (m, T) to a vector for each, (m, T, d), and one for the text, (m, d).

    Bert(vocabulary=30_522, d_model=768, heads=12, layers=12, feed_forward=3072, dropout=0.1, max_len=512,
    segments=2). Call: bert(words, padding=None, segments=None), with `padding` (m, T) True where there is no
    word, and `segments` (m, T), 0 in the first of two sentences and 1 in the second; 0 without it. Matrices
    start from N(0, 0.02^2). Raises ValueError for more than `max_len` words and for heads that do not divide
    d_model."""

    def __init__(
        self,
        vocabulary: int = 30_522,
        d_model: int = 768,
        heads: int = 12,
        layers: int = 12,
        feed_forward: int = 3072,
        dropout: float = 0.1,
        max_len: int = 512,
        segments: int = 2,
    ):
        super().__init__()
        if d_model % heads:
            raise ValueError(f"Bert: {heads} heads must divide {d_model} features")
        self.embeddings = _Embeddings(vocabulary, d_model, max_len, segments, dropout)
        self.encoder = _Encoder(_Layer(d_model, heads, feed_forward, dropout) for _ in range(layers))
        self.pooler = _Dense(d_model, d_model)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                init.normal_(parameter, 0.0, 0.02)
            elif name.endswith("bias"):
                init.zeros_(parameter)

    def forward(self, words, padding=None, segments=None):
        words = as_array(words)
        segments = np.zeros(words.shape, np.int64) if segments is None else segments
        allowed = None if padding is None else ~as_array(padding)[:, None, None, :]  # (m, 1, 1, T)
        x = self.encoder(self.embeddings(words, segments), allowed)
        return x, np.tanh(self.pooler(x[:, 0]))


def bert_base(**options) -> Bert:
    """109,482,240 parameters. `options` are those of `Bert`, here and below."""
    return Bert(**options)


def bert_large(**options) -> Bert:
    """335,141,888 parameters."""
    large = dict(d_model=1024, heads=16, layers=24, feed_forward=4096)
    return Bert(**(large | options))


def _text(rng, m):
    return (rng.integers(30_522, size=(m, 128)),)


def _entry(build, parameters, multiply_adds):
    return Entry(
        *(build.__name__, build, (128,), parameters, multiply_adds, "C5W4-encdec", "Devlin et al. 2018"),
        _text,
    )


ENTRIES = (
    _entry(bert_base, 109_482_240, 11_174_215_680),
    _entry(bert_large, 335_141_888, 39_461_060_608),
)

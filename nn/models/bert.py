"""BERT: the encoder of a Transformer, trained to fill gaps in text.

Devlin, Chang, Lee, Toutanova, "BERT: Pre-training of deep bidirectional Transformers", 2018; lecture C5W4.

    words, positions, segments    30,522, 512 and 2 learned rows of d, summed and normalised
    layer x N                     self-attention of h heads; d -> 4 d -> d with GELU; post-norm
    pooler                        tanh of an affine map of the first word's vector
    masked language model         instead of the pooler: affine map, GELU, norm; then a product with the table
                                  of words, and biases

    network                  N      d    h     parameters
    bert_base               12    768   12    109,482,240
    bert_large              24   1024   16    335,141,888
    bert_base_masked_lm     12    768   12    109,514,298
    bert_large_masked_lm    24   1024   16    335,174,458

Members are called as in the published weights (`encoder.layer.0.attention.self.query`).
"""

import numpy as np

from autograd.modes import get_default_dtype
from autograd.ops.linalg import linear
from autograd.ops.units import gelu
from autograd.tensor import as_array

from .. import init
from ..layers import Dropout, Embedding, LayerNorm, Linear, ModuleList
from ..layers.attention import scaled_dot_product_attention
from ..module import Module, Parameter
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
    segments=2, pooler=True). Call: bert(words, padding=None, segments=None), with `padding` (m, T) True where
    there is no word, and `segments` (m, T), 0 in the first of two sentences and 1 in the second; 0 without
    it. Without `pooler` the text's vector is that of its first word. Matrices start from N(0, 0.02^2). Raises
    ValueError for more than `max_len` words and for heads that do not divide d_model."""

    pooler: _Dense | None

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
        pooler: bool = True,
    ):
        super().__init__()
        if d_model % heads:
            raise ValueError(f"Bert: {heads} heads must divide {d_model} features")
        self.embeddings = _Embeddings(vocabulary, d_model, max_len, segments, dropout)
        self.encoder = _Encoder(_Layer(d_model, heads, feed_forward, dropout) for _ in range(layers))
        self.pooler = _Dense(d_model, d_model) if pooler else None
        _start(self)

    def forward(self, words, padding=None, segments=None):
        words = as_array(words)
        segments = np.zeros(words.shape, np.int64) if segments is None else segments
        allowed = None if padding is None else ~as_array(padding)[:, None, None, :]  # (m, 1, 1, T)
        x = self.encoder(self.embeddings(words, segments), allowed)
        return x, x[:, 0] if self.pooler is None else np.tanh(self.pooler(x[:, 0]))


def _start(model):
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            init.normal_(parameter, 0.0, 0.02)
        elif name.endswith("bias"):
            init.zeros_(parameter)


class _Transform(Module):
    """norm(gelu(W x + b))."""

    def __init__(self, d):
        super().__init__()
        self.dense = Linear(d, d)
        self.LayerNorm = LayerNorm(d, eps=1e-12)

    def forward(self, x):
        return self.LayerNorm(gelu(self.dense(x)))


class _Predictions(Module):
    def __init__(self, vocabulary, d):
        super().__init__()
        self.transform = _Transform(d)
        self.bias = Parameter(np.zeros(vocabulary, get_default_dtype()))

    def forward(self, x, words):
        return linear(self.transform(x), words, self.bias)


class _Heads(Module):
    def __init__(self, vocabulary, d):
        super().__init__()
        self.predictions = _Predictions(vocabulary, d)

    def forward(self, x, words):
        return self.predictions(x, words)


class BertMaskedLM(Module):
    """Words (m, T), some of them masked, to logits (m, T, vocabulary) of the word at each place: what BERT
    is trained with (section 3.1 of the paper, and its appendix A.1), and what fills a gap.

    BertMaskedLM(vocabulary=30_522, d_model=768, **options): those of `Bert`, which it has without pooler as
    `bert`. The words' table is the last matrix too. Called as `Bert`."""

    def __init__(self, vocabulary: int = 30_522, d_model: int = 768, **options):
        super().__init__()
        self.bert = Bert(vocabulary, d_model, pooler=False, **options)
        self.cls = _Heads(vocabulary, d_model)
        _start(self.cls)

    def forward(self, words, padding=None, segments=None):
        x, _ = self.bert(words, padding, segments)
        return self.cls(x, self.bert.embeddings.word_embeddings.weight)


LARGE = dict(d_model=1024, heads=16, layers=24, feed_forward=4096)


def bert_base(**options) -> Bert:
    """109,482,240 parameters. `options` are those of `Bert`, here and below."""
    return Bert(**options)


def bert_large(**options) -> Bert:
    """335,141,888 parameters."""
    return Bert(**(LARGE | options))


def bert_base_masked_lm(**options) -> BertMaskedLM:
    """109,514,298 parameters. `options` are those of `BertMaskedLM`, here and below."""
    return BertMaskedLM(**options)


def bert_large_masked_lm(**options) -> BertMaskedLM:
    """335,174,458 parameters."""
    return BertMaskedLM(**(LARGE | options))


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
    _entry(bert_base_masked_lm, 109_514_298, 14_249_558_016),
    _entry(bert_large_masked_lm, 335_174_458, 43_594_809_344),
)

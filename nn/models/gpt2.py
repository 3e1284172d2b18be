"""GPT-2: the decoder of a Transformer as a language model.

Radford et al., "Language models are unsupervised multitask learners", 2019; lecture C5W4.

    words, positions    50,257 and 1,024 learned rows of d, summed
    layer x N           x + attention(norm(x)), then x + feed_forward(norm(x)): pre-norm, GELU by tanh
    output              normalised, then a product with the table of words

    network         N      d    h     parameters
    gpt2           12    768   12    124,439,808
    gpt2_medium    24   1024   16    354,823,168

Members are called as in the published weights (`h.0.attn.c_attn`), which have matrices (n_in, n_out).
"""

import math

import numpy as np

from autograd.ops.attention import split_heads
from autograd.ops.linalg import linear
from autograd.ops.units import gelu
from autograd.tensor import unwrap

from .. import init
from ..layers import Dropout, Embedding, LayerNorm, Linear, ModuleList
from ..layers.attention import scaled_dot_product_attention
from ..module import Layout, Module, Parameter
from .catalog import Entry
from .language_model import NextToken


def _linear(n_in, n_out, std=0.02):
    """An affine map whose published weights lie (n_in, n_out)."""
    layer = Linear(n_in, n_out)
    layer.weight = Parameter(layer.weight.detach(), layout=Layout((1, 0)))
    init.normal_(layer.weight, 0.0, std)
    return layer


class _Attention(Module):
    def __init__(self, d, heads, dropout, std):
        super().__init__()
        self.heads, self.p = heads, dropout
        self.c_attn, self.c_proj = _linear(d, 3 * d), _linear(d, d, std)
        self.resid_dropout = Dropout(dropout)

    def forward(self, x, before):
        q, k, v = split_heads(self.c_attn(x), self.heads)  # each (m, heads, T, d / heads)
        T, P = x.shape[1], 0
        if before is not None:
            P = before[0].shape[2]
            k, v = (np.concatenate(pair, axis=2) for pair in zip(before, (k, v)))
        allowed = np.tri(T, P + T, P, dtype=np.bool_) if P and T > 1 else None
        y = scaled_dot_product_attention(q, k, v, allowed, self.p if self.training else 0.0, is_causal=not P)
        return self.resid_dropout(self.c_proj(y.swapaxes(1, 2).reshape(x.shape))), (unwrap(k), unwrap(v))


class _FeedForward(Module):
    def __init__(self, d, dropout, std):
        super().__init__()
        self.c_fc, self.c_proj = _linear(d, 4 * d), _linear(4 * d, d, std)
        self.dropout = Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.c_proj(gelu(self.c_fc(x), "tanh")))


class _Layer(Module):
    def __init__(self, d, heads, dropout, std):
        super().__init__()
        self.ln_1 = LayerNorm(d)
        self.attn = _Attention(d, heads, dropout, std)
        self.ln_2 = LayerNorm(d)
        self.mlp = _FeedForward(d, dropout, std)

    def forward(self, x, before):
        y, cache = self.attn(self.ln_1(x), before)
        x = x + y
        return x + self.mlp(self.ln_2(x)), cache


class GPT2(NextToken):
    """Logits (m, T, vocabulary) of the token behind each of tokens (m, T), which sees itself and those
    before.

    GPT2(vocabulary=50_257, d_model=768, heads=12, layers=12, max_len=1024, dropout=0.1). The state of `read`
    and `step` is each layer's keys and values so far, (m, heads, T, d_model / heads): one token more costs as
    much as one token, and not as all before it. Matrices start from N(0, 0.02^2), those that add to the
    residual stream with 0.02 / sqrt(2 layers). Raises ValueError for more than `max_len` tokens and for heads
    that do not divide d_model."""

    def __init__(
        self,
        vocabulary: int = 50_257,
        d_model: int = 768,
        heads: int = 12,
        layers: int = 12,
        max_len: int = 1024,
        dropout: float = 0.1,
    ):
        super().__init__()
        if d_model % heads:
            raise ValueError(f"GPT2: {heads} heads must divide {d_model} features")
        self.wte, self.wpe = Embedding(vocabulary, d_model), Embedding(max_len, d_model)
        init.normal_(self.wte.weight, 0.0, 0.02)
        init.normal_(self.wpe.weight, 0.0, 0.02)
        self.drop = Dropout(dropout)
        std = 0.02 / math.sqrt(2 * layers)
        self.h = ModuleList(_Layer(d_model, heads, dropout, std) for _ in range(layers))
        self.ln_f = LayerNorm(d_model)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                init.zeros_(parameter)

    def _run(self, tokens, state):
        past = 0 if state is None else state[0][0].shape[2]
        places = np.arange(past, past + tokens.shape[1])
        if places[-1] >= self.wpe.num_embeddings:
            raise ValueError(f"GPT2 has {self.wpe.num_embeddings} positions, got {len(places) + past} tokens")
        x = self.drop(self.wte(tokens) + self.wpe(places))
        caches = []
        for layer, before in zip(self.h, state or [None] * len(self.h)):
            x, cache = layer(x, before)
            caches.append(cache)
        return linear(self.ln_f(x), self.wte.weight), caches


def gpt2(**options) -> GPT2:
    """124,439,808 parameters. `options` are those of `GPT2`, here and below."""
    return GPT2(**options)


def gpt2_medium(**options) -> GPT2:
    """354,823,168 parameters."""
    return GPT2(**(dict(d_model=1024, heads=16, layers=24) | options))


def _text(rng, m):
    return (rng.integers(50_257, size=(m, 64)),)


def _entry(build, parameters, multiply_adds):
    return Entry(
        *(build.__name__, build, (64,), parameters, multiply_adds, "C5W4-encdec", "Radford et al. 2019"),
        _text,
    )


ENTRIES = (
    _entry(gpt2, 124_439_808, 7_981_547_520),
    _entry(gpt2_medium, 354_823_168, 22_822_322_176),
)

"""The Transformer, for translation.

Vaswani et al., "Attention is all you need", 2017; lecture C5W4, Transformer network.

    words           one table of V = 37,000 rows for both languages and the softmax, times sqrt(d)
    positions       PE[t, 2 i] = sin(t / 10000^(2 i / d)), PE[t, 2 i + 1] = cos(...), added
    encoder x N     self-attention of h heads; d -> d_ff -> d with ReLU
    decoder x N     self-attention, of the words before only; attention to the encoder; d -> d_ff -> d
    around each     LayerNorm(x + dropout(sublayer(x)))

    network             N      d    d_ff    h    dropout     parameters
    transformer_base    6    512    2048    8        0.1     63,082,496
    transformer_big     6   1024    4096   16        0.3    214,245,376

The paper trains with label smoothing 0.1: `nn.CrossEntropyLoss(label_smoothing=0.1)`.
"""

import math
from typing import Any

import numpy as np

from autograd.modes import no_grad
from autograd.ops.linalg import linear
from autograd.ops.softmax import log_softmax
from autograd.tensor import as_array, unwrap

from .. import init
from ..layers import (
    Embedding,
    LayerNorm,
    PositionalEncoding,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from ..module import Module
from .catalog import Entry


class TranslationTransformer(Module):
    """Logits (m, T, vocabulary) of the word behind each of target words (m, T), given source words
    (m, T_src).

    TranslationTransformer(vocabulary=37_000, d_model=512, heads=8, layers=6, feed_forward=2048, dropout=0.1,
    norm_first=False, max_len=1024). `norm_first` normalises what goes into a sublayer, and each stack's
    result (pre-norm), where the paper normalises each sum (post-norm).

    Call: model(source, target, source_padding=None, target_padding=None). The target begins with SOS, so that
    the logits at t are of word t. Paddings (m, T) are True where there is no word. For decoding with
    `nn.text`, after `eval()`:

        beam_search(model.step, np.full(m, SOS), 50, model.start(source), EOS)
    """

    def __init__(
        self,
        vocabulary: int = 37_000,
        d_model: int = 512,
        heads: int = 8,
        layers: int = 6,
        feed_forward: int = 2048,
        dropout: float = 0.1,
        norm_first: bool = False,
        max_len: int = 1024,
    ):
        super().__init__()
        options = dict(dim_feedforward=feed_forward, dropout=dropout, norm_first=norm_first)
        self.scale = math.sqrt(d_model)
        self.embedding = Embedding(vocabulary, d_model)
        self.positions = PositionalEncoding(d_model, max_len, dropout)
        self.encoder = TransformerEncoder(
            TransformerEncoderLayer(d_model, heads, **options),
            layers,
            LayerNorm(d_model) if norm_first else None,
        )
        self.decoder = TransformerDecoder(
            TransformerDecoderLayer(d_model, heads, **options),
            layers,
            LayerNorm(d_model) if norm_first else None,
        )
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        init.normal_(self.embedding.weight, 0.0, 1 / self.scale)

    def forward(self, source, target, source_padding=None, target_padding=None):
        memory = self.encode(source, source_padding)
        y = self.decoder(
            self._embedded(target),
            memory,
            tgt_key_padding_mask=target_padding,
            memory_key_padding_mask=source_padding,
            tgt_is_causal=True,
        )
        return linear(y, self.embedding.weight)  # (m, T, vocabulary)

    def encode(self, source, source_padding=None):
        """What the decoder looks at, (m, T_src, d_model)."""
        return self.encoder(self._embedded(source), src_key_padding_mask=source_padding)

    def _embedded(self, words, first=0):
        return self.positions(self.embedding(words) * self.scale, first)

    def start(self, source, source_padding=None) -> tuple[list, np.ndarray]:
        """The state that `step` starts from: for each layer of the decoder keys and values, each (m, heads,
        T, d_model / heads), of the words so far, none, and of the encoder's output; and (m, 1, 1, T_src),
        where one may look at that."""
        with no_grad():
            memory = self.encode(source, source_padding)
            layers = [_arrays(layer.start(memory)) for layer in self.decoder.layers]
        padding = np.zeros(memory.shape[:2], bool) if source_padding is None else as_array(source_padding)
        return layers, ~padding[:, None, None, :]

    def step(self, tokens, state: Any) -> tuple[np.ndarray, Any]:
        """Log-probabilities (m, vocabulary) of the word behind `tokens` (m,), and the state then. Raises
        ValueError for more than `max_len` words."""
        layers, allowed = state
        with no_grad():
            x = self._embedded(as_array(tokens)[:, None], first=layers[0][0].shape[2])
            read = []
            for layer, before in zip(self.decoder.layers, layers):
                x, after = layer.step(x, before, allowed)
                read.append(_arrays(after))
            x = x if self.decoder.norm is None else self.decoder.norm(x)
            logits = linear(x[:, 0], self.embedding.weight)
            return unwrap(log_softmax(logits)), (read, allowed)


def _arrays(tensors):
    """Contiguous, as attention reads them."""
    return tuple(np.ascontiguousarray(unwrap(t)) for t in tensors)


def transformer_base(**options) -> TranslationTransformer:
    """63,082,496 parameters. `options` are those of `TranslationTransformer`, here and below."""
    return TranslationTransformer(**options)


def transformer_big(**options) -> TranslationTransformer:
    """214,245,376 parameters."""
    big = dict(d_model=1024, heads=16, feed_forward=4096, dropout=0.3)
    return TranslationTransformer(**(big | options))


def _sentences(rng, m):
    return rng.integers(37_000, size=(m, 25)), rng.integers(37_000, size=(m, 25))


def _entry(build, parameters, multiply_adds):
    return Entry(
        *(build.__name__, build, (25,), parameters, multiply_adds, "C5W4-full", "Vaswani et al. 2017"),
        _sentences,
    )


ENTRIES = (
    _entry(transformer_base, 63_082_496, 1_586_124_800),
    _entry(transformer_big, 214_245_376, 5_374_259_200),
)

"""The Transformer (Vaswani et al. 2017) of attention and feed-forward layers. Sequences are (m, T, d_model).

Masks are those of `MultiheadAttention`: where a boolean one is True, a query may NOT look; one of floats is
added to the scores. Each attention takes one of shape (T_q, T_k) or (m * heads, T_q, T_k), a key padding mask
(m, T_k), and `is_causal`, by which position t sees 0..t. COURSE.md C5W4-encdec, C5W4-full."""

import copy

import numpy as np

from autograd.modes import get_default_dtype
from autograd.ops.activation import gelu, relu

from .. import init
from ..module import Module
from .attention import MultiheadAttention
from .check import positive
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .normalization import LayerNorm

_ACTIVATIONS = {"relu": relu, "gelu": gelu}


class _Block(Module):
    """Abstract: sublayers, each with a residual connection, a normalisation, and dropout."""

    norm1: LayerNorm
    norm2: LayerNorm
    norm3: LayerNorm
    dropout1: Dropout
    dropout2: Dropout
    dropout3: Dropout

    def __init__(
        self, sublayers, d_model, nhead, dim_feedforward, dropout, activation, eps, norm_first, bias
    ):
        super().__init__()
        if not callable(activation) and activation not in _ACTIVATIONS:
            raise ValueError(
                f'{type(self).__name__}: activation is "relu", "gelu" or a function, got {activation!r}'
            )
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias)
        if sublayers == 3:
            self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias)
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        for k in range(1, sublayers + 1):
            setattr(self, f"norm{k}", LayerNorm(d_model, eps=eps, bias=bias))
        for k in range(1, sublayers + 1):
            setattr(self, f"dropout{k}", Dropout(dropout))
        self.activation = activation
        self.norm_first = bool(norm_first)

    def _around(self, sublayer, x, norm, dropout):
        """x + sublayer(x), normalised: before the sublayer, or the sum."""
        if self.norm_first:
            return x + dropout(sublayer(norm(x)))
        return norm(x + dropout(sublayer(x)))

    def _feed_forward(self, x):
        activation = _ACTIVATIONS.get(self.activation, self.activation)
        return self.linear2(self.dropout(activation(self.linear1(x))))

    def extra_repr(self):
        return "norm_first=True" if self.norm_first else ""


class TransformerEncoderLayer(_Block):
    """Self-attention, then a feed-forward layer, each around a residual connection: (m, T, d) -> (m, T, d).

        x = norm1(x + self_attn(x));  x = norm2(x + linear2(activation(linear1(x))))

    TransformerEncoderLayer(d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu",
    layer_norm_eps=1e-5, norm_first=False, bias=True). `activation` is "relu", "gelu" or a function.
    `norm_first` normalises what goes into a sublayer, and not the sum. Call: layer(src, src_mask=None,
    src_key_padding_mask=None, is_causal=False)."""

    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation="relu",
        layer_norm_eps=1e-5,
        norm_first=False,
        bias=True,
    ):
        super().__init__(
            2, d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, norm_first, bias
        )

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        def attend(x):
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        x = self._around(attend, src, self.norm1, self.dropout1)
        return self._around(self._feed_forward, x, self.norm2, self.dropout2)


class TransformerDecoderLayer(_Block):
    """Self-attention, attention to the encoder's output, then a feed-forward layer, each around a residual
    connection: (m, T, d) and memory (m, T_src, d) -> (m, T, d).

    Arguments as for `TransformerEncoderLayer`. Call: layer(tgt, memory, tgt_mask=None, memory_mask=None,
    tgt_key_padding_mask=None, memory_key_padding_mask=None, tgt_is_causal=False, memory_is_causal=False)."""

    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation="relu",
        layer_norm_eps=1e-5,
        norm_first=False,
        bias=True,
    ):
        super().__init__(
            3, d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, norm_first, bias
        )

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=False,
        memory_is_causal=False,
    ):
        def attend(x):
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def look_up(x):
            return self.multihead_attn(
                x,
                memory,
                memory,
                memory_key_padding_mask,
                False,
                memory_mask,
                is_causal=memory_is_causal,
            )[0]

        return self._sublayers(tgt, attend, look_up)

    def _sublayers(self, x, attend, look_up):
        x = self._around(attend, x, self.norm1, self.dropout1)
        x = self._around(look_up, x, self.norm2, self.dropout2)
        return self._around(self._feed_forward, x, self.norm3, self.dropout3)

    def start(self, memory) -> tuple:
        """The state that `step` starts from: keys and values, each (m, heads, T, d / heads), of no position
        yet, and those of the memory."""
        k, v = self.multihead_attn.heads_of(memory, 1, 3)
        return k[:, :, :0], v[:, :, :0], k, v

    def step(self, x, state, allowed=None):
        """One position more, x (m, 1, d), of what `tgt_is_causal` lets see itself and those before: what the
        layer gives for it, and the state then. `allowed` (m, 1, 1, T_src) is True where a position may look
        at the memory. It costs as much as one position, and not as all before it."""
        k, v, keys, values = state

        def attend(x):
            nonlocal k, v
            q, *new = self.self_attn.heads_of(x)
            k, v = (np.concatenate(pair, axis=2) for pair in zip((k, v), new))
            return self.self_attn.attend(q, k, v)

        def look_up(x):
            (q,) = self.multihead_attn.heads_of(x, 0, 1)
            return self.multihead_attn.attend(q, keys, values, allowed)

        return self._sublayers(x, attend, look_up), (k, v, keys, values)


class _Stack(Module):
    """Abstract: copies of a layer on top of each other."""

    def _stack(self, layer, num_layers, norm):
        positive(self, num_layers=num_layers)
        self.layers = ModuleList(copy.deepcopy(layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm

    def _finish(self, x):
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """`num_layers` copies of an encoder layer, and a normalisation of the result if given: (m, T, d) ->
    (m, T, d).

    TransformerEncoder(encoder_layer, num_layers, norm=None). As in PyTorch all copies start from the same
    weights; `Transformer` draws each anew. Call: encoder(src, mask=None, src_key_padding_mask=None,
    is_causal=False)."""

    def __init__(self, encoder_layer, num_layers, norm=None):
        super().__init__()
        self._stack(encoder_layer, num_layers, norm)

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=False):
        x = src
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, is_causal)
        return self._finish(x)


class TransformerDecoder(_Stack):
    """`num_layers` copies of a decoder layer, and a normalisation of the result if given: (m, T, d) and
    memory (m, T_src, d) -> (m, T, d).

    TransformerDecoder(decoder_layer, num_layers, norm=None). All copies start from the same weights. The call
    is that of `TransformerDecoderLayer`."""

    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__()
        self._stack(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=False,
        memory_is_causal=False,
    ):
        x = tgt
        for layer in self.layers:
            x = layer(
                x,
                memory,
                tgt_mask,
                memory_mask,
                tgt_key_padding_mask,
                memory_key_padding_mask,
                tgt_is_causal,
                memory_is_causal,
            )
        return self._finish(x)


class Transformer(Module):
    """Encoder and decoder: src (m, T_src, d) and tgt (m, T, d) -> (m, T, d). Embeddings, positions and the
    layer that predicts words are around it.

    Transformer(d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048,
    dropout=0.1, activation="relu", custom_encoder=None, custom_decoder=None, layer_norm_eps=1e-5,
    norm_first=False, bias=True). All matrices start Xavier uniform. As in PyTorch both stacks end with a
    normalisation, 2 * 2 d parameters more than the paper has.

    Call: transformer(src, tgt, src_mask=None, tgt_mask=None, memory_mask=None, src_key_padding_mask=None,
    tgt_key_padding_mask=None, memory_key_padding_mask=None, src_is_causal=False, tgt_is_causal=False,
    memory_is_causal=False). A translation is trained with tgt_is_causal=True. Raises ValueError when the
    batches or features of src and tgt differ."""

    def __init__(
        self,
        d_model=512,
        nhead=8,
        num_encoder_layers=6,
        num_decoder_layers=6,
        dim_feedforward=2048,
        dropout=0.1,
        activation="relu",
        custom_encoder=None,
        custom_decoder=None,
        layer_norm_eps=1e-5,
        norm_first=False,
        bias=True,
    ):
        super().__init__()
        options = d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, norm_first, bias
        norm = lambda: LayerNorm(d_model, eps=layer_norm_eps, bias=bias)
        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*options), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*options), num_decoder_layers, norm()
        )
        self.d_model, self.nhead = d_model, nhead
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all matrices anew, Xavier uniform; biases and normalisations stay."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    @staticmethod
    def generate_square_subsequent_mask(sz, dtype=None) -> np.ndarray:
        """(sz, sz) of floats to add to scores: -inf above the diagonal, 0 elsewhere, so that position t sees
        0..t. `is_causal` does the same without the array."""
        return np.triu(np.full((sz, sz), -np.inf, dtype or get_default_dtype()), 1)

    def forward(
        self,
        src,
        tgt,
        src_mask=None,
        tgt_mask=None,
        memory_mask=None,
        src_key_padding_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        src_is_causal=False,
        tgt_is_causal=False,
        memory_is_causal=False,
    ):
        if len(src) != len(tgt) or not src.shape[-1] == tgt.shape[-1] == self.d_model:
            raise ValueError(
                f"Transformer needs src and tgt of one batch and {self.d_model} features, "
                f"got {src.shape} and {tgt.shape}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )

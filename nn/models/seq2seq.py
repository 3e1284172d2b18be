"""One sequence into another: an encoder, and a decoder that is a language model given what was read.

Sutskever, Vinyals, Le, "Sequence to sequence learning with neural networks", 2014; Cho et al. 2014; with
attention Bahdanau, Cho, Bengio, "Neural machine translation by jointly learning to align and translate",
2014, and Luong, Pham, Manning 2015; lectures C5W3, Basic models, Attention model.

    additive            e<t, t'> = v . tanh(W s<t-1> + U a<t'>)
    multiplicative      e<t, t'> = s<t-1> . W a<t'>
    both                alpha = softmax over t' of e;  c<t> = sum over t' of alpha<t, t'> a<t'>

    network              parameters    for
    encoder_decoder      13,399,824    words of 10,000, LSTMs of 512
    bahdanau             26,656,528    the same words, GRUs of 512, additive attention
    date_translation         52,960    the course's dates: Tx = 30 of 37 signs, Ty = 10 of 11
"""

from typing import Any

import numpy as np

from autograd.modes import no_grad
from autograd.ops.softmax import log_softmax, softmax
from autograd.tensor import as_array, unwrap

from ..layers import GRU, LSTM, Embedding, GRUCell, Linear, LSTMCell
from ..module import Module
from .catalog import Entry


class EncoderDecoder(Module):
    """Logits (m, T, target_words) of the word behind each of target words (m, T), given source words
    (m, T_src): the decoder's LSTM starts from where the encoder's ended.

    EncoderDecoder(source_words=10_000, target_words=10_000, features=256, hidden=512, layers=1). Call:
    model(source, target, lengths=None), the target beginning with SOS, `lengths` (m,) the words of each
    source. With `nn.text`: beam_search(model.step, start, 50, model.start(source), EOS)."""

    def __init__(
        self,
        source_words: int = 10_000,
        target_words: int = 10_000,
        features: int = 256,
        hidden: int = 512,
        layers: int = 1,
    ):
        super().__init__()
        self.source_embedding = Embedding(source_words, features)
        self.target_embedding = Embedding(target_words, features)
        self.encoder = LSTM(features, hidden, layers, recurrent_bias=False)
        self.decoder = LSTM(features, hidden, layers, recurrent_bias=False)
        self.output = Linear(hidden, target_words)

    def forward(self, source, target, lengths=None):
        _, state = self.encoder(self.source_embedding(source), lengths=lengths)
        y, _ = self.decoder(self.target_embedding(target), state)
        return self.output(y)

    def start(self, source, lengths=None) -> tuple[np.ndarray, ...]:
        """The state that `step` starts from: h and c (m, layers, hidden) behind the source."""
        with no_grad():
            _, state = self.encoder(self.source_embedding(source), lengths=lengths)
        return tuple(unwrap(s).swapaxes(0, 1) for s in state)

    def step(self, tokens, state: Any) -> tuple[np.ndarray, Any]:
        """Log-probabilities (m, target_words) of the word behind `tokens` (m,), and the state then."""
        with no_grad():
            x = self.target_embedding(as_array(tokens)[:, None])
            y, after = self.decoder(x, tuple(s.swapaxes(0, 1) for s in state))
            return unwrap(log_softmax(self.output(y[:, 0]))), tuple(unwrap(s).swapaxes(0, 1) for s in after)


class AdditiveAttention(Module):
    """Which of the vectors a (m, T_src, n_a) a state s (m, n_s) looks at: their mean (m, n_a) with weights
    alpha (m, T_src), and alpha, which sums to 1 over T_src.

    AdditiveAttention(state_size, size, hidden): e = v . tanh(W s + U a + b). Call: attention(s, a, keys,
    padding=None), with keys = attention.keys(a), the same for each s; `padding` (m, T_src) is True where
    there is nothing to look at. COURSE.md C5W3-attention."""

    def __init__(self, state_size: int, size: int, hidden: int):
        super().__init__()
        self.W, self.U = Linear(state_size, hidden, bias=False), Linear(size, hidden)
        self.v = Linear(hidden, 1, bias=False)

    def keys(self, a):
        """U a + b."""
        return self.U(a)

    def forward(self, s, a, keys, padding=None):
        e = self.v(np.tanh(np.expand_dims(self.W(s), 1) + keys))[..., 0]  # (m, T_src)
        return _mean(e, a, padding)


class MultiplicativeAttention(Module):
    """`AdditiveAttention` with e = s . W a. MultiplicativeAttention(state_size, size). Luong et al. 2015."""

    def __init__(self, state_size: int, size: int):
        super().__init__()
        self.W = Linear(size, state_size, bias=False)

    def keys(self, a):
        """W a."""
        return self.W(a)

    def forward(self, s, a, keys, padding=None):
        return _mean(np.matmul(keys, np.expand_dims(s, -1))[..., 0], a, padding)


def _mean(e, a, padding):
    if padding is not None:
        e = np.where(as_array(padding), -np.inf, e)
    alpha = softmax(e)  # (m, T_src)
    return np.matmul(np.expand_dims(alpha, 1), a)[:, 0], alpha


class AttentionTranslator(Module):
    """Logits (m, T, target_words), and the weights alpha (m, T, T_src) with which each target word looked at
    the source's.

    AttentionTranslator(source_words=10_000, target_words=10_000, features=256, hidden=512,
    attention="additive"). The encoder reads in both directions; the decoder's state before a word says where
    to look for it. Call: model(source, target, padding=None), the target beginning with SOS, `padding`
    (m, T_src) True behind the end of a source. With `nn.text`: beam_search(model.step, start, 50,
    model.start(source), EOS). Raises ValueError for an attention that is not "additive" or
    "multiplicative"."""

    def __init__(
        self,
        source_words: int = 10_000,
        target_words: int = 10_000,
        features: int = 256,
        hidden: int = 512,
        attention: str = "additive",
    ):
        super().__init__()
        if attention not in ("additive", "multiplicative"):
            raise ValueError(f'attention is "additive" or "multiplicative", got {attention!r}')
        self.source_embedding = Embedding(source_words, features)
        self.target_embedding = Embedding(target_words, features)
        self.encoder = GRU(features, hidden, bidirectional=True, recurrent_bias=False)
        self.first = Linear(hidden, hidden)  # the decoder's first state, of the encoder's last one backwards
        if attention == "additive":
            self.attention: AdditiveAttention | MultiplicativeAttention = AdditiveAttention(
                hidden, 2 * hidden, hidden
            )
        else:
            self.attention = MultiplicativeAttention(hidden, 2 * hidden)
        self.decoder = GRUCell(features + 2 * hidden, hidden, recurrent_bias=False)
        self.output = Linear(3 * hidden, target_words)

    def forward(self, source, target, padding=None):
        a, keys, s = self._read(source, padding)
        x = self.target_embedding(target)  # (m, T, features)
        logits, weights = [], []
        for t in range(x.shape[1]):
            y, alpha, s = self._word(x[:, t], s, a, keys, padding)
            logits.append(y)
            weights.append(alpha)
        return np.stack(logits, axis=1), np.stack(weights, axis=1)

    def _read(self, source, padding):
        lengths = None if padding is None else (~as_array(padding)).sum(axis=1)
        a, h = self.encoder(self.source_embedding(source), lengths=lengths)
        return a, self.attention.keys(a), np.tanh(self.first(h[1]))

    def _word(self, x, s, a, keys, padding):
        c, alpha = self.attention(s, a, keys, padding)
        s = self.decoder(np.concatenate([x, c], axis=-1), s)
        return self.output(np.concatenate([s, c], axis=-1)), alpha, s

    def start(self, source, padding=None) -> tuple[np.ndarray, ...]:
        """The state that `step` starts from: the decoder's, the source's vectors and keys, the padding."""
        with no_grad():
            a, keys, s = map(unwrap, self._read(source, padding))
        return s, a, keys, np.zeros(a.shape[:2], bool) if padding is None else as_array(padding)

    def step(self, tokens, state: Any) -> tuple[np.ndarray, Any]:
        """Log-probabilities (m, target_words) of the word behind `tokens` (m,), and the state then."""
        s, a, keys, padding = state
        with no_grad():
            logits, _, s = self._word(self.target_embedding(tokens), s, a, keys, padding)
            return unwrap(log_softmax(logits)), (unwrap(s), a, keys, padding)


class DateTranslation(Module):
    """The course's translator of dates: signs (m, T_x) of "23 April, 1564" to logits (m, T_y, target) of
    "1564-04-23", and the weights alpha (m, T_y, T_x).

    DateTranslation(source=37, target=11, length=10, pre=32, post=64, hidden=10). What was written before does
    not go into the decoder; e = relu(V tanh(U [a<t'>, s<t-1>])). COURSE.md C5W3-dates."""

    def __init__(
        self,
        source: int = 37,
        target: int = 11,
        length: int = 10,
        pre: int = 32,
        post: int = 64,
        hidden: int = 10,
    ):
        super().__init__()
        self.source, self.length = source, length
        self.encoder = LSTM(source, pre, bidirectional=True, recurrent_bias=False)
        self.energy1 = Linear(2 * pre + post, hidden)
        self.energy2 = Linear(hidden, 1)
        self.decoder = LSTMCell(2 * pre, post, recurrent_bias=False)
        self.output = Linear(post, target)

    def forward(self, signs):
        one_hot = np.eye(self.source, dtype=self.output.weight.dtype)[as_array(signs)]
        a, _ = self.encoder(one_hot)  # (m, T_x, 2 pre)
        m, T_x, _ = a.shape
        s = c = np.zeros((m, self.output.in_features), a.dtype)
        logits, weights = [], []
        for _ in range(self.length):
            repeated = np.broadcast_to(np.expand_dims(s, 1), (m, T_x, s.shape[-1]))
            e = np.tanh(self.energy1(np.concatenate([a, repeated], axis=-1)))
            context, alpha = _mean(np.maximum(self.energy2(e), 0.0)[..., 0], a, None)
            s, c = self.decoder(context, (s, c))
            logits.append(self.output(s))
            weights.append(alpha)
        return np.stack(logits, axis=1), np.stack(weights, axis=1)


def encoder_decoder(**options) -> EncoderDecoder:
    """Words of two languages by LSTMs. `options` are those of `EncoderDecoder`."""
    return EncoderDecoder(**options)


def bahdanau(**options) -> AttentionTranslator:
    """The same with attention. `options` are those of `AttentionTranslator`."""
    return AttentionTranslator(**options)


def date_translation(**options) -> DateTranslation:
    """52,960 parameters. `options` are those of `DateTranslation`."""
    return DateTranslation(**options)


def _five_to_six(rng, m):
    """Jane visite l'Afrique en septembre; Jane is visiting Africa in September."""
    return rng.integers(10_000, size=(m, 5)), rng.integers(10_000, size=(m, 6))


def _date(rng, m):
    return (rng.integers(37, size=(m, 30)),)


ENTRIES = (
    Entry(
        *(
            "encoder_decoder",
            encoder_decoder,
            (5,),
            13_399_824,
            48_021_504,
            "C5W3-seq2seq",
            "Sutskever et al. 2014",
        ),
        _five_to_six,
    ),
    Entry(
        *("bahdanau", bahdanau, (5,), 26_656_528, 124_974_080, "C5W3-attention", "Bahdanau et al. 2014"),
        _five_to_six,
    ),
    Entry(
        *("date_translation", date_translation, (30,), 52_960, 1_270_840, "C5W3-dates", "the course"), _date
    ),
)

"""What an image shows, in words: a convolutional network into a recurrent one.

Vinyals et al., "Show and tell", 2014; Xu et al., "Show, attend and tell", 2015; lecture C5W3, Picking the
most likely sentence.

    show_and_tell        4096 numbers of AlexNet's last hidden layer -> 512, the LSTM's first input;
                         words of 10,000, 512 each; LSTM of 512                       14,446,864
    show_attend_tell     14 x 14 x 512 of VGG's last convolutions, all places looked at before each word;
                         words of 10,000, 512 each; LSTM of 512                       14,711,056
"""

from typing import Any

import numpy as np

from autograd.modes import no_grad
from autograd.ops.activation import sigmoid
from autograd.ops.softmax import log_softmax
from autograd.tensor import as_array, unwrap

from ..layers import LSTM, Embedding, Linear, LSTMCell
from ..module import Module
from .catalog import Entry
from .seq2seq import AdditiveAttention


class ShowAndTell(Module):
    """Logits (m, T, vocabulary) of the word behind each of words (m, T), given features of images (m, n_in),
    such as the 4096 of AlexNet's last hidden layer, or what `images` makes of the images themselves.

    ShowAndTell(vocabulary=10_000, features=512, hidden=512, n_in=4096, images=None): `images` is a module
    from images to (m, n_in). The words begin with SOS. With `nn.text`: beam_search(model.step, start, 20,
    model.start(images), EOS). COURSE.md C5W3-caption."""

    def __init__(
        self,
        vocabulary: int = 10_000,
        features: int = 512,
        hidden: int = 512,
        n_in: int = 4096,
        images: Module | None = None,
    ):
        super().__init__()
        self.images = images
        self.first = Linear(n_in, features)
        self.embedding = Embedding(vocabulary, features)
        self.rnn = LSTM(features, hidden, recurrent_bias=False)
        self.output = Linear(hidden, vocabulary)

    def forward(self, images, words):
        x = np.concatenate([self._seen(images), self.embedding(words)], axis=1)  # (m, 1 + T, features)
        return self.output(self.rnn(x)[0][:, 1:])

    def _seen(self, images):
        x = images if self.images is None else self.images(images)
        return np.expand_dims(self.first(x), 1)

    def start(self, images) -> tuple[np.ndarray, ...]:
        """The state that `step` starts from: h and c (m, 1, hidden) behind the image."""
        with no_grad():
            return tuple(unwrap(s).swapaxes(0, 1) for s in self.rnn(self._seen(images))[1])

    def step(self, tokens, state: Any) -> tuple[np.ndarray, Any]:
        """Log-probabilities (m, vocabulary) of the word behind `tokens` (m,), and the state then."""
        with no_grad():
            x = self.embedding(as_array(tokens)[:, None])
            y, after = self.rnn(x, tuple(s.swapaxes(0, 1) for s in state))
            return unwrap(log_softmax(self.output(y[:, 0]))), tuple(unwrap(s).swapaxes(0, 1) for s in after)


class ShowAttendTell(Module):
    """Logits (m, T, vocabulary) of the word behind each of words (m, T), given features of images
    (m, n_H, n_W, n_C), and the weights alpha (m, T, n_H, n_W) of the places looked at before each.

    ShowAttendTell(vocabulary=10_000, features=512, hidden=512, channels=512, images=None): `images` is a
    module from images to (m, n_H, n_W, channels). The words begin with SOS. With `nn.text` as `ShowAndTell`.
    COURSE.md C5W3-attention."""

    def __init__(
        self,
        vocabulary: int = 10_000,
        features: int = 512,
        hidden: int = 512,
        channels: int = 512,
        images: Module | None = None,
    ):
        super().__init__()
        self.images = images
        self.first_h, self.first_c = Linear(channels, hidden), Linear(channels, hidden)  # of the mean place
        self.attention = AdditiveAttention(hidden, channels, hidden)
        self.gate = Linear(hidden, channels)
        self.embedding = Embedding(vocabulary, features)
        self.cell = LSTMCell(features + channels, hidden, recurrent_bias=False)
        self.output = Linear(hidden, vocabulary)

    def forward(self, images, words):
        state, shape = self._read(images)
        x = self.embedding(words)
        logits, weights = [], []
        for t in range(x.shape[1]):
            y, alpha, state = self._word(x[:, t], state)
            logits.append(y)
            weights.append(alpha.reshape(shape))
        return np.stack(logits, axis=1), np.stack(weights, axis=1)

    def _read(self, images):
        a = images if self.images is None else self.images(images)
        m, n_H, n_W, n_C = a.shape
        a = a.reshape((m, n_H * n_W, n_C))
        mean = np.mean(a, axis=1)
        h, c = np.tanh(self.first_h(mean)), np.tanh(self.first_c(mean))
        return (h, c, a, self.attention.keys(a)), (m, n_H, n_W)

    def _word(self, x, state):
        h, c, a, keys = state
        context, alpha = self.attention(h, a, keys)
        gate = sigmoid(self.gate(h))  # how much of the image matters now
        h, c = self.cell(np.concatenate([x, gate * context], axis=-1), (h, c))
        return self.output(h), alpha, (h, c, a, keys)

    def start(self, images) -> tuple[np.ndarray, ...]:
        """The state that `step` starts from: h, c, the places' vectors and their keys."""
        with no_grad():
            return tuple(map(unwrap, self._read(images)[0]))

    def step(self, tokens, state: Any) -> tuple[np.ndarray, Any]:
        """Log-probabilities (m, vocabulary) of the word behind `tokens` (m,), and the state then."""
        with no_grad():
            logits, _, state = self._word(self.embedding(tokens), state)
            return unwrap(log_softmax(logits)), tuple(map(unwrap, state))


def show_and_tell(**options) -> ShowAndTell:
    """14,446,864 parameters. `options` are those of `ShowAndTell`."""
    return ShowAndTell(**options)


def show_attend_tell(**options) -> ShowAttendTell:
    """14,711,056 parameters. `options` are those of `ShowAttendTell`."""
    return ShowAttendTell(**options)


def _features(*shape):
    return lambda rng, m: (rng.standard_normal((m, *shape), np.float32), rng.integers(10_000, size=(m, 10)))


ENTRIES = (
    Entry(
        *(
            "show_and_tell",
            show_and_tell,
            (4096,),
            14_446_864,
            76_365_824,
            "C5W3-caption",
            "Vinyals et al. 2014",
        ),
        _features(4096),
    ),
    Entry(
        *(
            "show_attend_tell",
            show_attend_tell,
            (14, 14, 512),
            14_711_056,
            141_811_712,
            "C5W3-caption",
            "Xu et al. 2015",
        ),
        _features(14, 14, 512),
    ),
)

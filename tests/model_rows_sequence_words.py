"""Word vectors; recurrent networks of each type; captions."""

import numpy as np

import nn
from tests.model_rows import Row
from tests.sequence_twins import numbers, recurrent

NONE = {"multiply_adds": "none is published"}
COUNTED = "by the lecture's sizes: "


def row(name, parameters, source, shapes, twin, usual, tiny, **more):
    """`usual` are the arguments of the twin at the published size."""
    exempt = {**NONE, **more.pop("exempt", {})}
    both = lambda torch, **given: twin(torch, **(usual | given))
    more = {"layout": "sequence", "lr": 2e-2, **more}
    return Row(name, parameters, None, source, shapes, tiny=tiny, twin=both, exempt=exempt, **more)


def torch_words(torch, kind, vocabulary, features, context=4, hidden=None):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = tnn.Embedding(vocabulary, features)
            width = features * (context if kind == "before" else 1)
            if hidden:
                self.hidden = tnn.Linear(width, hidden)
            self.output = tnn.Linear(hidden or width, vocabulary, bias=kind == "before")

        def forward(self, words):
            x = self.embedding(words)
            if kind == "before":
                x = x.flatten(1)
            elif kind == "around":
                x = x.mean(1)
            return self.output(torch.tanh(self.hidden(x)) if hidden else x)

    return Net()


def torch_glove(torch, vocabulary, features):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.theta, self.e = tnn.Embedding(vocabulary, features), tnn.Embedding(vocabulary, features)
            self.theta_bias, self.e_bias = tnn.Embedding(vocabulary, 1), tnn.Embedding(vocabulary, 1)

        def forward(self, i, j):
            products = torch.einsum("md,md->m", self.theta(i), self.e(j))
            return products + self.theta_bias(i).squeeze(1) + self.e_bias(j).squeeze(1)

    return Net()


def few(V, *shape):
    """Words of that shape, and one to predict: the words are different, or it could not be learned."""

    def examples(rng, m):
        words = np.stack([rng.permutation(V)[: int(np.prod(shape))] for _ in range(m)])
        words = words.reshape(m, *shape) if shape else np.arange(m)
        return (words,), rng.integers(V, size=m)

    return examples


def pairs(rng, m):
    return (np.arange(m), np.arange(m)[::-1].copy()), np.array([1.0, 40.0, 0.0, 300.0])[:m]


def together(scores, X):
    return nn.GloVeLoss()(scores, X)


def torch_labels(torch, vocabulary, features, hidden, layers, cell, bidirectional, classes, one, dropout=0.0):
    """A class for each word, or `one` for all of them."""
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = tnn.Embedding(vocabulary, features)
            self.rnn = recurrent(torch, cell, features, hidden, layers, bidirectional)
            if one:
                self.dropout = tnn.Dropout(dropout)
            self.output = tnn.Linear(hidden * (1 + bidirectional), classes)

        def forward(self, words):
            y, _ = self.rnn(self.embedding(words))
            return self.output(y[:, -1] if one else y)

    return Net()


def torch_average(torch, vocabulary, features, classes):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = tnn.Embedding(vocabulary, features)
            self.output = tnn.Linear(features, classes)

        def forward(self, words, lengths=None):
            x = self.embedding(words)
            if lengths is None:
                return self.output(x.mean(1))
            return self.output(torch.stack([one[:n].mean(0) for one, n in zip(x, lengths.tolist())]))

    return Net()


def torch_music(torch, vocabulary, hidden):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = recurrent(torch, "lstm", vocabulary, hidden)
            self.dropout = tnn.Dropout(0.0)
            self.output = tnn.Linear(hidden, vocabulary)

        def forward(self, tokens):
            eye = torch.eye(vocabulary, dtype=self.output.weight.dtype, device=tokens.device)
            return self.output(self.rnn(eye[tokens])[0])

    return Net()


def names(rng, m):
    return (rng.integers(9, size=(m, 5)),), rng.integers(2, size=(m, 5, 1)).astype("f4")


def cut(rng, m):
    return (rng.permutation(36)[: 9 * m].reshape(m, 9)[:, :6], np.array([6, 2, 4, 1])), np.arange(m) % 3


def torch_show_and_tell(torch, vocabulary=10_000, features=512, hidden=512, n_in=4096):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.first = tnn.Linear(n_in, features)
            self.embedding = tnn.Embedding(vocabulary, features)
            self.rnn = recurrent(torch, "lstm", features, hidden)
            self.output = tnn.Linear(hidden, vocabulary)

        def forward(self, images, words):
            _, state = self.rnn(self.first(images)[:, None])
            return self.output(self.rnn(self.embedding(words), state)[0])

    return Net()


def torch_show_attend_tell(torch, vocabulary=10_000, features=512, hidden=512, channels=512):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.first_h, self.first_c = tnn.Linear(channels, hidden), tnn.Linear(channels, hidden)
            self.attention = tnn.Module()
            self.attention.W = tnn.Linear(hidden, hidden, bias=False)
            self.attention.U = tnn.Linear(channels, hidden)
            self.attention.v = tnn.Linear(hidden, 1, bias=False)
            self.gate = tnn.Linear(hidden, channels)
            self.embedding = tnn.Embedding(vocabulary, features)
            n_x = features + channels
            self.cell = tnn.Module()
            self.cell.weight_ih = tnn.Parameter(torch.randn(4 * hidden, n_x))
            self.cell.weight_hh = tnn.Parameter(torch.randn(4 * hidden, hidden))
            self.cell.bias_ih = tnn.Parameter(torch.randn(4 * hidden))
            self.output = tnn.Linear(hidden, vocabulary)

        def forward(self, images, words):
            a = images.flatten(1, 2)
            h, c = torch.tanh(self.first_h(a.mean(1))), torch.tanh(self.first_c(a.mean(1)))
            logits, weights, A = [], [], self.attention
            keys = A.U(a)
            for x in self.embedding(words).unbind(1):
                alpha = A.v(torch.tanh(A.W(h)[:, None] + keys)).softmax(1)  # (m, places, 1)
                seen = torch.sigmoid(self.gate(h)) * (alpha.transpose(1, 2) @ a)[:, 0]
                z = torch.cat([x, seen], -1) @ self.cell.weight_ih.T + self.cell.bias_ih
                i, f, g, o = (z + h @ self.cell.weight_hh.T).chunk(4, -1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
                logits.append(self.output(h))
                weights.append(alpha.view(images.shape[:3]))
            return torch.stack(logits, 1), torch.stack(weights, 1)

    return Net()


def captions(*shape):
    def examples(rng, m):
        images = rng.normal(size=(m, *shape)).astype("f4")
        return (images, rng.integers(7, size=(m, 4))), rng.integers(7, size=(m, 4))

    return examples


def first_output(outputs, targets):
    return nn.CrossEntropyLoss()(outputs[0], targets)


V = dict(vocabulary=10_000, features=300)
GRU_TAGS = dict(hidden=100, layers=2, cell="gru", bidirectional=True, classes=1, one=False)
ONE = dict(hidden=128, cell="lstm", bidirectional=False, classes=5, one=True)
ROWS = [
    row(
        "neural_language_model",
        15_010_000,
        COUNTED + "300 * 10,000, and 1200 * 10,000 + 10,000",
        {"embedding": (4, 300), "output": (10_000,)},
        torch_words,
        V | {"kind": "before"},
        dict(vocabulary=11, features=5, hidden=8),
        examples=few(11, 4),
        second=True,
    ),
    row(
        "skip_gram",
        6_000_000,
        COUNTED + "theta and e of 10,000 words",
        {"embedding": (300,), "output": (10_000,)},
        torch_words,
        V | {"kind": "one"},
        dict(vocabulary=11, features=8),
        examples=few(11),
    ),
    row(
        "cbow",
        6_000_000,
        COUNTED + "theta and e of 10,000 words",
        {"embedding": (8, 300), "output": (10_000,)},
        torch_words,
        V | {"kind": "around"},
        dict(vocabulary=11, features=8),
        examples=few(11, 4),
    ),
    row(
        "glove",
        6_020_000,
        COUNTED + "theta, e, b and b' of 10,000 words",
        {"theta": (300,), "e_bias": (1,)},
        torch_glove,
        V,
        dict(vocabulary=11, features=8),
        examples=pairs,
        cost=together,
        exempt={"flops": "PyTorch's counter counts the products of vectors in einsum"},
    ),
    row(
        "name_tagger",
        3_421_401,
        COUNTED + "3 n (n + x) + 3 n each way, x = 300 and 200, n = 100",
        {"embedding": (9, 300), "rnn": (9, 200), "output": (9, 1)},
        torch_labels,
        V | GRU_TAGS,
        dict(vocabulary=9, features=6, hidden=8),
        examples=names,
        cost=lambda y, t: nn.BCEWithLogitsLoss()(y, t),
    ),
    row(
        "sentiment_average",
        3_001_505,
        COUNTED + "10,000 * 300, and 300 * 5 + 5",
        {"embedding": (10, 300), "output": (5,)},
        torch_average,
        V | {"classes": 5},
        dict(vocabulary=36, features=6, classes=3),
        examples=cut,
    ),
    row(
        "sentiment_lstm",
        3_220_293,
        COUNTED + "10,000 * 300, 4 n (n + 300) + 4 n, and 5 n + 5 for n = 128",
        {"rnn": (10, 128), "output": (5,)},
        torch_labels,
        V | ONE | {"layers": 1},
        dict(vocabulary=11, features=6, hidden=8, classes=11),
        examples=few(11, 6),
    ),
    row(
        "emojify",
        20_223_927,
        "the course's assignment, as Keras counts it",
        {"embedding": (10, 50), "rnn": (10, 128), "output": (5,)},
        torch_labels,
        ONE | dict(vocabulary=400_001, features=50, layers=2, dropout=0.5),
        dict(vocabulary=11, features=6, hidden=8, classes=11, dropout=0.0),
        examples=few(11, 6),
    ),
    row(
        "music",
        41_678,
        "the course's assignment: 4 n (n + 78) + 4 n, and 78 n + 78 for n = 64",
        {"rnn": (30, 64), "output": (30, 78)},
        torch_music,
        dict(vocabulary=78, hidden=64),
        dict(vocabulary=7, hidden=12),
        examples=numbers(7, 6),
    ),
    row(
        "show_and_tell",
        14_446_864,
        COUNTED + "an image of 4096 numbers, 10,000 words of 512, an LSTM of 512 with one bias",
        {"first": (512,), "rnn": (11, 512), "output": (10, 10_000)},
        torch_show_and_tell,
        {},
        dict(vocabulary=7, features=6, hidden=12, n_in=5),
        examples=captions(5),
    ),
    row(
        "show_attend_tell",
        14_711_056,
        COUNTED + "14 x 14 places of 512 numbers, 10,000 words of 512, an LSTM of 512 with one bias",
        {"first_h": (512,), "cell": (512,), "output": (10_000,)},
        torch_show_attend_tell,
        {},
        dict(vocabulary=7, features=6, hidden=12, channels=5),
        examples=captions(2, 3, 5),
        cost=first_output,
        second=True,
    ),
]

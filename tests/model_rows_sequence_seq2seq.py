"""Encoders and decoders, with attention and without; speech."""

import numpy as np

import nn
from tests.model_rows import Row
from tests.sequence_twins import recurrent


def torch_encoder_decoder(
    torch, source_words=10_000, target_words=10_000, features=256, hidden=512, layers=1
):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.source_embedding = tnn.Embedding(source_words, features)
            self.target_embedding = tnn.Embedding(target_words, features)
            self.encoder = recurrent(torch, "lstm", features, hidden, layers)
            self.decoder = recurrent(torch, "lstm", features, hidden, layers)
            self.output = tnn.Linear(hidden, target_words)

        def forward(self, source, target):
            _, state = self.encoder(self.source_embedding(source))
            return self.output(self.decoder(self.target_embedding(target), state)[0])

    return Net()


def gru_step(torch, x, h, cell):
    """PyTorch's GRU with one bias."""
    n = h.shape[-1]
    z, u = x @ cell.weight_ih.T + cell.bias_ih, h @ cell.weight_hh.T
    r, keep = (z[:, : 2 * n] + u[:, : 2 * n]).sigmoid().chunk(2, -1)
    return (1 - keep) * torch.tanh(z[:, 2 * n :] + r * u[:, 2 * n :]) + keep * h


def cell_of(torch, gates, n_x, n):
    cell = torch.nn.Module()
    for name, shape in (("weight_ih", (n_x,)), ("weight_hh", (n,)), ("bias_ih", ())):
        cell.register_parameter(name, torch.nn.Parameter(torch.randn(gates * n, *shape)))
    return cell


def torch_bahdanau(
    torch, source_words=10_000, target_words=10_000, features=256, hidden=512, attention="additive"
):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.source_embedding = tnn.Embedding(source_words, features)
            self.target_embedding = tnn.Embedding(target_words, features)
            self.encoder = recurrent(torch, "gru", features, hidden, bidirectional=True)
            self.first = tnn.Linear(hidden, hidden)
            self.attention = tnn.Module()
            if attention == "additive":
                self.attention.W = tnn.Linear(hidden, hidden, bias=False)
                self.attention.U = tnn.Linear(2 * hidden, hidden)
                self.attention.v = tnn.Linear(hidden, 1, bias=False)
            else:
                self.attention.W = tnn.Linear(2 * hidden, hidden, bias=False)
            self.decoder = cell_of(torch, 3, features + 2 * hidden, hidden)
            self.output = tnn.Linear(3 * hidden, target_words)

        def forward(self, source, target):
            A = self.attention
            a, ends = self.encoder(self.source_embedding(source))
            s = torch.tanh(self.first(ends[0][1]))
            keys = A.U(a) if attention == "additive" else A.W(a)
            logits, weights = [], []
            for x in self.target_embedding(target).unbind(1):
                if attention == "additive":
                    alpha = A.v(torch.tanh(A.W(s)[:, None] + keys)).softmax(1)
                else:
                    alpha = (keys @ s[:, :, None]).softmax(1)
                c = (alpha.transpose(1, 2) @ a)[:, 0]
                s = gru_step(torch, torch.cat([x, c], -1), s, self.decoder)
                logits.append(self.output(torch.cat([s, c], -1)))
                weights.append(alpha[..., 0])
            return torch.stack(logits, 1), torch.stack(weights, 1)

    return Net()


def torch_dates(torch, source=37, target=11, length=10, pre=32, post=64, hidden=10):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = recurrent(torch, "lstm", source, pre, bidirectional=True)
            self.energy1, self.energy2 = tnn.Linear(2 * pre + post, hidden), tnn.Linear(hidden, 1)
            self.decoder = cell_of(torch, 4, 2 * pre, post)
            self.output = tnn.Linear(post, target)

        def forward(self, signs):
            eye = torch.eye(source, dtype=self.output.weight.dtype, device=signs.device)
            a, _ = self.encoder(eye[signs])
            s = c = a.new_zeros(len(a), post)
            logits, weights = [], []
            for _ in range(length):
                both = torch.cat([a, s[:, None].expand(-1, a.shape[1], -1)], -1)
                alpha = torch.relu(self.energy2(torch.tanh(self.energy1(both)))).softmax(1)
                z = (alpha.transpose(1, 2) @ a)[:, 0] @ self.decoder.weight_ih.T + self.decoder.bias_ih
                i, f, g, o = (z + s @ self.decoder.weight_hh.T).chunk(4, -1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                s = o.sigmoid() * c.tanh()
                logits.append(self.output(s))
                weights.append(alpha[..., 0])
            return torch.stack(logits, 1), torch.stack(weights, 1)

    return Net()


def torch_deep_speech(torch, features=161, signs=29, context=9, hidden=2048, dropout=0.05):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.layer1 = tnn.Conv1d(features, hidden, 2 * context + 1, padding=context)
            self.layer2, self.layer3 = tnn.Linear(hidden, hidden), tnn.Linear(hidden, hidden)
            self.rnn = tnn.Module()
            for suffix in ("_l0", "_l0_reverse"):
                for name, shape in (("weight_ih", (hidden,)), ("weight_hh", (hidden,)), ("bias_ih", ())):
                    self.rnn.register_parameter(name + suffix, tnn.Parameter(torch.randn(hidden, *shape)))
            self.layer5, self.output = tnn.Linear(hidden, hidden), tnn.Linear(hidden, signs)
            self.dropout = tnn.Dropout(dropout)

        def forward(self, spectra):
            x = self.layer1(spectra.transpose(1, 2)).transpose(1, 2).clamp(0, 20)
            x = self.layer3(self.layer2(x).clamp(0, 20)).clamp(0, 20)
            total = 0
            for suffix in ("_l0", "_l0_reverse"):
                W, U, b = (getattr(self.rnn, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih"))
                steps = (x @ W.T + b).unbind(1)
                h, states = x.new_zeros(len(x), hidden), []
                for z in steps if suffix == "_l0" else steps[::-1]:
                    h = torch.relu(z + h @ U.T)
                    states.append(h)
                total = total + torch.stack(states if suffix == "_l0" else states[::-1], 1)
            return self.output(self.layer5(total).clamp(0, 20))

    return Net()


def torch_trigger(torch, features=101, filters=196, hidden=128, dropout=0.8, reset_after=True):
    tnn = torch.nn
    gates = dict(recurrent_bias=reset_after, reset_after=reset_after)

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.conv = tnn.Conv1d(features, filters, 15, 4)
            self.norm1, self.norm2, self.norm3 = (tnn.BatchNorm1d(n) for n in (filters, hidden, hidden))
            for k in (1, 2, 3, 4):
                setattr(self, f"dropout{k}", tnn.Dropout(dropout))
            self.gru1 = recurrent(torch, "gru", filters, hidden, **gates)
            self.gru2 = recurrent(torch, "gru", hidden, hidden, **gates)
            self.output = tnn.Linear(hidden, 1)

        def forward(self, spectra):
            x = torch.relu(self.norm1(self.conv(spectra.transpose(1, 2)))).transpose(1, 2)
            for gru, norm in ((self.gru1, self.norm2), (self.gru2, self.norm3)):
                x = norm(gru(x)[0].transpose(1, 2)).transpose(1, 2)
            return self.output(x)

    return Net()


def sentences(rng, m):
    return (rng.integers(9, size=(m, 5)), rng.integers(8, size=(m, 4))), rng.integers(8, size=(m, 4))


def dates(rng, m):
    return (rng.integers(7, size=(m, 6)),), rng.integers(5, size=(m, 3))


def first_output(outputs, targets):
    return nn.CrossEntropyLoss()(outputs[0], targets)


def spoken(rng, m):
    """Spectra, and two signs for each, never the same twice."""
    return (rng.normal(size=(m, 7, 6)).astype("f4"),), np.array([[1, 2], [2, 3], [3, 1], [2, 1]])[:m]


def by_ctc(logits, targets):
    m, T = logits.shape[:2]
    return nn.CTCLoss()(nn.functional.log_softmax(logits), targets, np.full(m, T), np.full(m, 2))


def clips(rng, m):
    return (rng.normal(size=(m, 31, 6)).astype("f4"),), rng.integers(2, size=(m, 5, 1)).astype("f4")


NONE = {"multiply_adds": "none is published"}
WORDS = dict(source_words=9, target_words=8, features=6, hidden=10)
COMMON = dict(layout="sequence", lr=2e-2, exempt=NONE)
ROWS = [
    Row(
        "encoder_decoder",
        13_399_824,
        None,
        "4 (n (n + x) + n) each of x = 256, n = 512, tables of 10,000 words, and 10,000 (n + 1)",
        {"encoder": (5, 512), "decoder": (6, 512), "output": (6, 10_000)},
        tiny=WORDS | {"layers": 2},
        twin=torch_encoder_decoder,
        examples=sentences,
        **COMMON,
    ),
    Row(
        "bahdanau",
        26_656_528,
        None,
        "appendix A of the paper, with the sizes of the table",
        {"encoder": (5, 1024), "attention": (1024,), "output": (10_000,)},
        tiny=WORDS,
        twin=torch_bahdanau,
        examples=sentences,
        cost=first_output,
        second=True,
        **COMMON,
    ),
    Row(
        "date_translation",
        52_960,
        None,
        "the course's assignment, as Keras counts it",
        {"encoder": (30, 64), "energy2": (30, 1), "decoder": (64,), "output": (11,)},
        tiny=dict(source=7, target=5, length=3, pre=6, post=10, hidden=4),
        twin=torch_dates,
        examples=dates,
        cost=first_output,
        **COMMON,
    ),
    Row(
        "deep_speech",
        35_696_669,
        None,
        "section 2 of the paper, with 161 features and 9 steps of context to each side",
        {"layer1": (50, 2048), "rnn": (50, 4096), "output": (50, 29)},
        tiny=dict(features=6, signs=4, context=1, hidden=12, dropout=0.0),
        twin=torch_deep_speech,
        examples=spoken,
        cost=by_ctc,
        layout="sequence",
        lr=1e-2,
        exempt=NONE,
    ),
    Row(
        "trigger_word",
        522_425,
        None,
        "the course's assignment, as Keras counts it: 523,329 with 904 running statistics",
        {"conv": (1375, 196), "gru1": (1375, 128), "gru2": (1375, 128), "output": (1375, 1)},
        tiny=dict(features=6, filters=8, hidden=10, dropout=0.0),
        twin=torch_trigger,
        examples=clips,
        cost=lambda y, t: nn.BCEWithLogitsLoss()(y, t),
        layout="sequence",
        lr=2e-2,
        exempt=NONE | {"flops": "1,375 steps one by one take seconds; tests/test_models_sequence.py counts"},
    ),
]

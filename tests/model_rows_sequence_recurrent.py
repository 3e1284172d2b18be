"""Recurrent language models."""

from tests.model_rows import Row
from tests.sequence_twins import numbers, recurrent


def torch_language_model(torch, vocabulary, hidden, features=None, layers=1, cell="rnn", dropout=0.0):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            if features:
                self.embedding = tnn.Embedding(vocabulary, features)
            self.rnn = recurrent(torch, cell, features or vocabulary, hidden, layers)
            self.dropout = tnn.Dropout(dropout)
            self.output = tnn.Linear(hidden, vocabulary)

        def forward(self, tokens):
            one_hot = torch.eye(vocabulary, dtype=self.output.weight.dtype, device=tokens.device)
            x = self.embedding(tokens) if features else one_hot[tokens]
            return self.output(self.dropout(self.rnn(x)[0]))

    return Net()


NONE = {"multiply_adds": "none is published"}
ROWS = [
    Row(
        "char_rnn",
        5_277,
        None,
        "n (n + 27) + n and 27 n + 27 for n = 50",
        {"rnn": (20, 50), "output": (20, 27)},
        twin=lambda torch, **tiny: torch_language_model(torch, **({"vocabulary": 27, "hidden": 50} | tiny)),
        tiny=dict(vocabulary=7, hidden=12),
        examples=numbers(7, 6),
        layout="sequence",
        second=True,
        lr=2e-2,
        exempt=NONE,
    ),
    Row(
        "char_gru",
        279_912,
        None,
        "104 * 64 + 3 (n (n + 64) + n) + 104 (n + 1) for n = 256",
        {"rnn": (64, 256), "output": (64, 104)},
        twin=lambda torch, **tiny: torch_language_model(
            torch, **(dict(vocabulary=104, hidden=256, features=64, cell="gru") | tiny)
        ),
        tiny=dict(vocabulary=7, hidden=12, features=5),
        examples=numbers(7, 6),
        layout="sequence",
        lr=2e-2,
        exempt=NONE,
    ),
    Row(
        "word_rnn",
        2_020_100,
        None,
        "Waa (100, 100), Wax (100, 10000) of the lecture, and as many to predict",
        {"rnn": (9, 100), "output": (9, 10_000)},
        twin=lambda torch, **tiny: torch_language_model(
            torch, **({"vocabulary": 10_000, "hidden": 100} | tiny)
        ),
        tiny=dict(vocabulary=9, hidden=12, cell="gru", layers=2),
        examples=numbers(9, 5),
        layout="sequence",
        lr=2e-2,
        exempt=NONE,
    ),
    Row(
        "word_lstm",
        19_775_200,
        None,
        "section 4.1 of the paper; 20 million in later ones",
        {"embedding": (35, 650), "rnn": (35, 650), "output": (35, 10_000)},
        twin=lambda torch, **tiny: torch_language_model(
            torch,
            **(dict(vocabulary=10_000, hidden=650, features=650, layers=2, cell="lstm", dropout=0.5) | tiny),
        ),
        tiny=dict(vocabulary=9, hidden=12, features=8, dropout=0.0),
        examples=numbers(9, 5),
        layout="sequence",
        lr=2e-2,
        exempt=NONE,
    ),
]

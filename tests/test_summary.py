"""nn.summary: what each layer puts out, owns, computes and keeps."""

import numpy as np
import pytest

import nn
from nn.summary import _bytes, summary


def f32(*shape):
    return np.zeros(shape, np.float32)


def test_what_is_kept_for_backward():
    """Each array once: the input and the ReLU's output, which the next layer needs too."""
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 3), nn.Tanh())
    table = summary(model, (4, 10))
    assert [row.memory for row in table.rows] == [4 * 10 * 4, 4 * 20 * 4, 0, 4 * 3 * 4]
    assert table.memory == 160 + 320 + 48
    assert str(table).splitlines()[-1].endswith("528 B")


def test_memory_grows_with_the_batch():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(392, 10))
    one, ten = (summary(model, (m, 16, 16, 3)).memory for m in (1, 10))
    assert ten == 10 * one
    assert one >= 16 * 16 * 3 * 4 + 14 * 14 * 8 * 4


def test_bytes_are_told_in_units():
    assert [_bytes(n) for n in (0, 999, 1000, 25_600, 3_210_000, 45_600_000_000)] == [
        "0 B",
        "999 B",
        "1.0 KB",
        "25.6 KB",
        "3.2 MB",
        "45.6 GB",
    ]


class Einsum(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(f32(5, 6))

    def forward(self, x):
        return np.einsum("mti,io->mto", x, self.weight)


T, m = 7, 2


@pytest.mark.parametrize(
    ("make", "inputs", "wanted"),
    [
        (lambda: nn.Linear(5, 3), [(m, T, 5)], m * T * 5 * 3),
        (lambda: nn.Bilinear(3, 4, 5), [(m, 3), (m, 4)], None),
        (lambda: nn.Conv1d(3, 5, 3), [(m, 9, 3)], m * 7 * 5 * 3 * 3),
        (lambda: nn.Conv2d(4, 6, (3, 2), groups=2), [(m, 6, 5, 4)], m * 4 * 4 * 6 * 3 * 2 * 2),
        (lambda: nn.Conv3d(2, 3, 2), [(m, 4, 4, 4, 2)], m * 27 * 3 * 8 * 2),
        (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), [(m, 5, 5, 4)], m * 25 * 4 * 9 * 6),
        (lambda: nn.RNN(5, 4), [(m, T, 5)], m * T * 4 * (5 + 4)),
        (lambda: nn.GRU(5, 4), [(m, T, 5)], m * T * 3 * 4 * (5 + 4)),
        (lambda: nn.LSTM(5, 4, bidirectional=True), [(m, T, 5)], 2 * m * T * 4 * 4 * (5 + 4)),
        (
            lambda: nn.MultiheadAttention(8, 2),  # four maps of d x d, and q k^T and its product with v
            [(m, T, 8)] * 3,
            4 * m * T * 8 * 8 + 2 * m * T * T * 8,
        ),
        (Einsum, [(m, T, 5)], m * T * 5 * 6),
        (lambda: nn.Embedding(10, 4), [np.zeros((m, T), int)], 0),
    ],
)
def test_multiply_adds(make, inputs, wanted):
    table = summary(make(), *inputs)
    if wanted is None:  # two products, in the order that the op chooses
        assert table.multiply_adds >= m * 3 * 4 * 5
    else:
        assert table.multiply_adds == wanted


def test_bottleneck_of_the_lecture():  # C4W2-incepcost
    direct = nn.Conv2d(192, 32, 5, padding="same")
    assert summary(direct, (1, 28, 28, 192)).multiply_adds == 120_422_400
    bottleneck = nn.Sequential(nn.Conv2d(192, 16, 1), nn.Conv2d(16, 32, 5, padding="same"))
    table = summary(bottleneck, (1, 28, 28, 192))
    assert [row.multiply_adds for row in table.rows] == [2_408_448, 10_035_200]


def test_depthwise_separable_convolution_of_the_lecture():  # C4W2-dwsep
    assert summary(nn.Conv2d(3, 5, 3), (1, 6, 6, 3)).multiply_adds == 2160
    separable = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 5, 1))
    assert [row.multiply_adds for row in summary(separable, (1, 6, 6, 3)).rows] == [432, 240]


def test_several_outputs_and_hooks_do_no_harm():
    model = nn.Sequential(nn.LSTM(3, 4))
    seen = []
    model[0].register_forward_hook(lambda module, args, output: seen.append(len(output)))
    table = summary(model, (2, 5, 3))
    assert seen == [2]
    assert table.rows[0].shape == (2, 5, 4)


def test_tied_weights_count_once():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    table = summary(model, (1, 3))
    assert [row.parameters for row in table.rows] == [12, 0]
    assert table.parameters == table.trainable == 12

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
ATTENTION = 4 * m * T * 8 * 8 + 2 * m * T * T * 8  # four maps of d x d, and q k^T and its product with v


@pytest.mark.parametrize(
    ("make", "inputs", "shape", "parameters", "wanted"),
    [
        (lambda: nn.Linear(5, 3), [(m, T, 5)], (m, T, 3), 18, m * T * 5 * 3),
        # rows of x1 W, (m, n_out, n_2), and their products with x2
        (lambda: nn.Bilinear(3, 4, 5), [(m, 3), (m, 4)], (m, 5), 65, m * 3 * 4 * 5 + m * 4 * 5),
        (lambda: nn.Conv1d(3, 5, 3), [(m, 9, 3)], (m, 7, 5), 50, m * 7 * 5 * 3 * 3),
        (
            lambda: nn.Conv1d(4, 6, 3, 2, 1, groups=2),
            [(m, 9, 4)],
            (m, 5, 6),
            42,
            m * 5 * 6 * 3 * 2,
        ),
        (
            lambda: nn.Conv2d(4, 6, (3, 2), groups=2),
            [(m, 6, 5, 4)],
            (m, 4, 4, 6),
            78,
            m * 4 * 4 * 6 * 3 * 2 * 2,
        ),
        (lambda: nn.Conv2d(4, 4, 3, 1, 1, groups=4), [(m, 6, 5, 4)], (m, 6, 5, 4), 40, m * 30 * 4 * 9),
        (lambda: nn.Conv3d(2, 3, 2), [(m, 4, 4, 4, 2)], (m, 3, 3, 3, 3), 51, m * 27 * 3 * 8 * 2),
        # each value of the input is multiplied with a filter
        (
            lambda: nn.ConvTranspose1d(4, 6, 3, stride=2, groups=2),
            [(m, 5, 4)],
            (m, 11, 6),
            42,
            m * 5 * 4 * 3 * 3,
        ),
        (
            lambda: nn.ConvTranspose2d(4, 6, 3, stride=2),
            [(m, 5, 5, 4)],
            (m, 11, 11, 6),
            222,
            m * 25 * 4 * 9 * 6,
        ),
        (
            lambda: nn.ConvTranspose3d(2, 3, 2, stride=2),
            [(m, 3, 3, 3, 2)],
            (m, 6, 6, 6, 3),
            51,
            m * 27 * 2 * 8 * 3,
        ),
        (lambda: nn.RNN(5, 4), [(m, T, 5)], (m, T, 4), 44, m * T * 4 * (5 + 4)),
        (lambda: nn.GRU(5, 4), [(m, T, 5)], (m, T, 4), 132, m * T * 3 * 4 * (5 + 4)),
        (
            lambda: nn.LSTM(5, 4, bidirectional=True),
            [(m, T, 5)],
            (m, T, 8),
            352,
            2 * m * T * 4 * 4 * (5 + 4),
        ),
        (  # two layers, each h projected from 4 to 3
            lambda: nn.LSTM(5, 4, 2, proj_size=3),
            [(m, T, 5)],
            (m, T, 3),
            312,
            m * T * (16 * (5 + 3) + 3 * 4 + 16 * (3 + 3) + 3 * 4),
        ),
        (lambda: nn.LSTMCell(5, 4), [(m, 5)], (m, 4), 176, m * 4 * 4 * (5 + 4)),
        (lambda: nn.GRUCell(5, 4), [(m, 5)], (m, 4), 132, m * 3 * 4 * (5 + 4)),
        (lambda: nn.RNNCell(5, 4), [(m, 5)], (m, 4), 44, m * 4 * (5 + 4)),
        (lambda: nn.MultiheadAttention(8, 2), [(m, T, 8)] * 3, (m, T, 8), 288, ATTENTION),
        (
            lambda: nn.MultiheadAttention(8, 2, kdim=3, vdim=5),
            [(m, T, 8), (m, 9, 3), (m, 9, 5)],
            (m, T, 8),
            224,
            m * T * 8 * 8 * 2 + m * 9 * 8 * (3 + 5) + 2 * m * T * 9 * 8,
        ),
        (
            lambda: nn.TransformerEncoderLayer(8, 2, 16),
            [(m, T, 8)],
            (m, T, 8),
            600,
            ATTENTION + 2 * m * T * 8 * 16,
        ),
        (Einsum, [(m, T, 5)], (m, T, 6), 30, m * T * 5 * 6),
        # looking up and adding multiplies nothing
        (lambda: nn.Embedding(10, 4), [np.zeros((m, T), int)], (m, T, 4), 40, 0),
        (lambda: nn.EmbeddingBag(10, 4), [np.zeros((m, T), int)], (m, 4), 40, 0),
        (lambda: nn.EmbeddingBag(10, 4, mode="sum"), [np.zeros((m, T), int)], (m, 4), 40, 0),
        (lambda: nn.EmbeddingBag(10, 4, mode="max"), [np.zeros((m, T), int)], (m, 4), 40, 0),
        (lambda: nn.BatchNorm2d(3), [(m, 4, 4, 3)], (m, 4, 4, 3), 6, 0),
        (lambda: nn.LayerNorm(3), [(m, 4, 3)], (m, 4, 3), 6, 0),
        (lambda: nn.Unfold(2), [(m, 4, 4, 3)], (m, 9, 12), 0, 0),
    ],
)
def test_shapes_parameters_and_multiply_adds(make, inputs, shape, parameters, wanted):
    model = make()
    table = summary(model, *inputs)
    assert table.parameters == parameters == sum(p.size for p in model.parameters())
    assert table.multiply_adds == wanted
    row = next(row for row in table.rows if row.name == "(itself)" or len(table.rows) > 3)
    assert (table.rows[-1] if len(table.rows) > 3 else row).shape == shape


@pytest.mark.parametrize(
    ("make", "inputs", "floats"),
    [  # what the backward pass needs: the input, as the filters are parameters
        (lambda: nn.Linear(5, 3), [(m, T, 5)], m * T * 5),
        # x1, W by x1's axis, the rows of x1 W, x2
        (lambda: nn.Bilinear(3, 4, 5), [(m, 3), (m, 4)], m * 3 + 3 * 4 * 5 + m * 4 * 5 + m * 4),
        (lambda: nn.Conv1d(3, 5, 3), [(m, 9, 3)], m * 9 * 3),
        (lambda: nn.Conv2d(4, 6, 3), [(m, 6, 5, 4)], m * 6 * 5 * 4),
        (lambda: nn.Conv3d(2, 3, 2), [(m, 4, 4, 4, 2)], m * 4**3 * 2),
        (lambda: nn.ConvTranspose1d(4, 6, 3), [(m, 5, 4)], m * 5 * 4),
        (lambda: nn.ConvTranspose2d(4, 6, 3), [(m, 5, 5, 4)], m * 5 * 5 * 4),
        (lambda: nn.ConvTranspose3d(2, 3, 2), [(m, 3, 3, 3, 2)], m * 3**3 * 2),
        (lambda: nn.Embedding(10, 4), [np.zeros((m, T), int)], 2 * m * T),  # the indices, of 8 bytes
        (lambda: nn.EmbeddingBag(10, 4, mode="sum"), [np.zeros((m, T), int)], 4 * m * T),  # and their bags
        (nn.Tanh, [(m, T)], m * T),
        (nn.Flatten, [(m, T, 3)], 0),
    ],
)
def test_memory_of_activations(make, inputs, floats):
    assert summary(make(), *inputs).memory == 4 * floats


def test_memory_of_recurrence_and_attention():
    """At least the input, and for each step what its gates were; less than ten times that."""
    for layer, gates in ((nn.RNN(5, 4), 1), (nn.GRU(5, 4), 3), (nn.LSTM(5, 4), 4)):
        least = 4 * (m * T * 5 + m * T * gates * 4)
        assert least <= summary(layer, (m, T, 5)).memory <= 10 * least
    least = 4 * (m * T * 8 + 3 * m * T * 8)  # the input, and q, k, v
    assert least <= summary(nn.MultiheadAttention(8, 2), *[(m, T, 8)] * 3).memory <= 10 * least


class Block(nn.Module):
    """Work of its own before, between and after its layers."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(f32(4, 4))
        self.first = nn.Linear(4, 5)
        self.second = nn.Linear(5, 6)

    def forward(self, x):
        return np.tanh(self.second(np.tanh(self.first(x @ self.scale))))


def test_work_between_layers_is_its_modules_own():
    table = summary(nn.Sequential(nn.Tanh(), Block()), (m, 4))
    rows = {row.name: (row.multiply_adds, row.memory) for row in table.rows}
    assert rows == {
        "0": (0, 4 * m * 4),
        "1": (m * 4 * 4, 4 * (m * 5 + m * 6)),  # both results of tanh; x is the output of the first
        "1.first": (m * 4 * 5, 4 * m * 4),
        "1.second": (m * 5 * 6, 0),
    }
    attention = {
        row.name: row.multiply_adds for row in summary(nn.MultiheadAttention(8, 2), *[(m, T, 8)] * 3).rows
    }
    assert attention == {"(itself)": ATTENTION - m * T * 64, "out_proj": m * T * 64}


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

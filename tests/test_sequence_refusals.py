"""What the layers of sequences refuse: each error names both sides."""

import numpy as np
import pytest

import nn
from autograd.ops.attention import attention
from autograd.ops.gru import gru
from autograd.ops.recurrent import lstm, rnn


def zeros(*shape):
    return np.zeros(shape, np.float32)


REFUSALS = {
    "features": (lambda: nn.LSTM(3, 4)(zeros(2, 5, 7)), ValueError, "LSTM needs 3 features, got 7"),
    "one sequence": (lambda: nn.GRU(3, 4)(zeros(5, 3)), ValueError, r"\(5, 3\).*x\[None\]"),
    "dtype": (lambda: nn.RNN(3, 4)(np.zeros((2, 5, 3))), TypeError, "float32.*float64"),
    "no steps": (lambda: nn.RNN(3, 4)(zeros(2, 0, 3)), ValueError, r"\(2, 0, 3\).*at least one step"),
    "states": (
        lambda: nn.GRU(3, 4, 2)(zeros(2, 5, 3), zeros(1, 2, 4)),
        ValueError,
        r"h_0 of shape \(2, 2, 4\), got \(1, 2, 4\)",
    ),
    "memory": (
        lambda: nn.LSTM(3, 4)(zeros(2, 5, 3), (zeros(1, 2, 4), zeros(1, 3, 4))),
        ValueError,
        r"c_0 of shape \(1, 2, 4\), got \(1, 3, 4\)",
    ),
    "one state of two": (
        lambda: nn.LSTM(3, 4)(zeros(2, 5, 3), zeros(1, 2, 4)),
        TypeError,
        r"\(h_0, c_0\), got ndarray",
    ),
    "cell's states": (
        lambda: nn.LSTMCell(3, 4)(zeros(2, 3), zeros(2, 4)),
        TypeError,
        r"\(h, c\), got ndarray",
    ),
    "cell's sequence": (
        lambda: nn.GRUCell(3, 4)(zeros(2, 5, 3)),
        ValueError,
        r"one step, got shape \(2, 5, 3\)",
    ),
    "cell's batch": (
        lambda: nn.RNNCell(3, 4)(zeros(2, 3), zeros(5, 4)),
        ValueError,
        r"h0 has shape \(5, 4\), needs \(2, 4\)",
    ),
    "lengths": (lambda: nn.RNN(3, 4)(zeros(2, 5, 3), lengths=[1, 6]), ValueError, "hold 6.*have 5 steps"),
    "lengths of another batch": (
        lambda: nn.RNN(3, 4)(zeros(2, 5, 3), lengths=[1, 2, 3]),
        ValueError,
        r"shape \(3,\).*\(2,\) integers",
    ),
    "a mask with a gap": (
        lambda: nn.RNN(3, 4)(zeros(1, 3, 3), lengths=np.array([[True, False, True]])),
        ValueError,
        r"without a gap, got shape \(1, 3\), 2 True",
    ),
    "sizes": (lambda: nn.GRU(3, 0), ValueError, "hidden_size must be an int of at least 1, got 0"),
    "projection": (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "under hidden_size 4, got 4"),
    "nonlinearity": (lambda: nn.RNN(3, 4, nonlinearity="sigmoid"), ValueError, "got 'sigmoid'"),
    "dropout": (lambda: nn.GRU(3, 4, 2, dropout=2), ValueError, "0 <= p <= 1, got 2"),
    "rows of W": (
        lambda: gru(zeros(2, 5, 3), None, zeros(9, 3), zeros(12, 4)),
        ValueError,
        r"W has shape \(9, 3\), needs \(12, 3\)",
    ),
    "rows of U": (lambda: rnn(zeros(2, 5, 3), None, zeros(4, 3), zeros(5, 4)), ValueError, r"needs \(4, 4\)"),
    "bias": (
        lambda: rnn(zeros(2, 5, 3), None, zeros(4, 3), zeros(4, 4), zeros(5)),
        ValueError,
        r"b has shape \(5,\), U \(4, 4\) needs \(4,\)",
    ),
    "no projection": (
        lambda: lstm(zeros(2, 5, 3), None, None, zeros(16, 3), zeros(16, 2)),
        ValueError,
        r"projection of \(2, 4\), got no projection",
    ),
    "peephole": (
        lambda: lstm(zeros(2, 5, 3), None, None, zeros(16, 3), zeros(16, 4), peephole=zeros(4, 4)),
        ValueError,
        r"peephole has shape \(4, 4\).*needs \(3, 4\)",
    ),
    "rnn op": (
        lambda: rnn(zeros(2, 5, 3), None, zeros(4, 3), zeros(4, 4), nonlinearity="relu6"),
        ValueError,
        "got 'relu6'",
    ),
    "heads": (lambda: nn.MultiheadAttention(10, 3), ValueError, "3 heads must divide 10 features"),
    "attention's dropout": (lambda: nn.MultiheadAttention(4, 2, 1.0), ValueError, "p < 1, got 1.0"),
    "query": (
        lambda: nn.MultiheadAttention(4, 2)(zeros(2, 3, 5), zeros(2, 3, 4), zeros(2, 3, 4)),
        ValueError,
        "needs 4 features of the query, got 5",
    ),
    "keys and values": (
        lambda: nn.MultiheadAttention(4, 2)(zeros(2, 3, 4), zeros(2, 3, 4), zeros(2, 5, 4)),
        ValueError,
        r"got \(2, 3, 4\), \(2, 3, 4\), \(2, 5, 4\)",
    ),
    "mask's shape": (
        lambda: nn.MultiheadAttention(4, 2)(*[zeros(2, 3, 4)] * 3, attn_mask=zeros(2, 3, 3)),
        ValueError,
        r"attn_mask of shape \(3, 3\) or \(4, 3, 3\), got \(2, 3, 3\)",
    ),
    "padding's shape": (
        lambda: nn.MultiheadAttention(4, 2)(*[zeros(2, 3, 4)] * 3, zeros(3, 2)),
        ValueError,
        r"key_padding_mask of shape \(2, 3\), got \(3, 2\)",
    ),
    "features of keys": (
        lambda: attention(zeros(2, 3, 4), zeros(2, 3, 5), zeros(2, 3, 4)),
        ValueError,
        "queries have 4 features, keys 5",
    ),
    "number of values": (
        lambda: attention(zeros(2, 3, 4), zeros(2, 3, 4), zeros(2, 2, 4)),
        ValueError,
        "3 keys and 2 values",
    ),
    "a vector": (lambda: attention(zeros(4), zeros(3, 4), zeros(3, 4)), ValueError, r"q \(4,\)"),
    "leading axes": (
        lambda: attention(zeros(2, 3, 4), zeros(5, 3, 4), zeros(5, 3, 4)),
        ValueError,
        "do not broadcast",
    ),
    "bias's shape": (
        lambda: attention(*[zeros(2, 3, 4)] * 3, bias=zeros(3, 2)),
        ValueError,
        r"bias has shape \(3, 2\), needs to broadcast to \(2, 3, 3\)",
    ),
    "bias with another axis": (
        lambda: attention(*[zeros(3, 4)] * 3, bias=zeros(2, 3, 3)),
        ValueError,
        r"bias has shape \(2, 3, 3\), needs to broadcast to \(3, 3\)",
    ),
    "mask of floats": (
        lambda: attention(*[zeros(2, 3, 4)] * 3, mask=zeros(3, 3)),
        TypeError,
        "mask is boolean.*got float32",
    ),
    "share": (lambda: attention(*[zeros(2, 3, 4)] * 3, dropout=1.0), ValueError, "dropout < 1, got 1.0"),
    "activation": (
        lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"),
        ValueError,
        """"relu", "gelu" or a function, got 'tanh'""",
    ),
    "batches": (
        lambda: nn.Transformer(4, 2, 1, 1, 4)(zeros(2, 3, 4), zeros(3, 3, 4)),
        ValueError,
        r"got \(2, 3, 4\) and \(3, 3, 4\)",
    ),
    "positions": (
        lambda: nn.PositionalEncoding(4, max_len=5)(zeros(1, 6, 4)),
        ValueError,
        r"5 positions \(max_len\), got 6 steps",
    ),
    "features of positions": (
        lambda: nn.LearnedPositionalEncoding(4, 5)(zeros(1, 3, 6)),
        ValueError,
        "needs 4 features, got 6",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_name_both_sides(name):
    call, kind, text = REFUSALS[name]
    with pytest.raises(kind, match=text):
        call()

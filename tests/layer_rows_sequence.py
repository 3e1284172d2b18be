"""Rows of recurrent layers and attention."""

import numpy as np

import nn
from tests.layer_table import MANY, Row, as_is, normal

PLAIN = dict(to_torch=as_is, from_torch=as_is)
LENGTHS = np.array([3, 1, 2])


def of_layers(module, x, *states, lengths=None):
    """Calls ours with `lengths`, PyTorch's with a packed sequence."""
    hx = None if not states else states[0] if len(states) == 1 else states
    if isinstance(module, nn.Module):
        return module(x, hx, lengths)
    if lengths is None:
        return module(x, hx)
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    y, last = module(pack_padded_sequence(x, lengths, True, False), hx)
    return pad_packed_sequence(y, True, total_length=x.shape[1])[0], last


def ragged(module, x, lengths, *states):
    return of_layers(module, x, *states, lengths=lengths)


DEEP = {"second": "what it is made of has it, and its own rows"}


def recurrent(name, *args, x=(2, 3, 2), states=(), call=of_layers, before=(), **options):
    """A row of a recurrent layer, built alike on both sides."""
    kind = name.split(",")[0]
    states = normal(*states)
    return Row(
        name,
        lambda: getattr(nn, kind)(2, *args, **options),
        lambda torch: getattr(torch.nn, kind)(2, *args, batch_first=True, **options),
        lambda rng: (*normal(x)(rng), *before, *states(rng)),
        **PLAIN,
        call=call,
        large=lambda rng: (*normal((x[0], 20, 2))(rng), *before, *states(rng)),
        exempt=DEEP if "two layers" in name and kind != "RNN" else {},
    )


def rows_of_recurrence():
    for kind, n in (("RNN", 1), ("GRU", 1), ("LSTM", 2)):
        yield recurrent(kind, 2)
        yield recurrent(f"{kind}, without biases", 2, bias=False)
        yield recurrent(f"{kind}, states", 3, x=(2, 2, 2), states=[(1, 2, 3)] * n)
        yield recurrent(f"{kind}, both directions", 2, x=(2, 2, 2), bidirectional=True)
        yield recurrent(
            f"{kind}, two layers of both directions with states",
            1,
            2,
            x=(1, 2, 2),
            states=[(4, 1, 1)] * n,
            bidirectional=True,
        )
        yield recurrent(f"{kind}, lengths", 2, x=(3, 3, 2), call=ragged, before=(LENGTHS,))
        yield recurrent(
            f"{kind}, lengths, two layers of both directions with states",
            1,
            2,
            x=(3, 3, 2),
            states=[(4, 3, 1)] * n,
            call=ragged,
            before=(LENGTHS,),
            bidirectional=True,
        )
        yield recurrent(f"{kind}, one step", 2, x=(3, 1, 2))
        yield Row(
            f"{kind}, wide",
            lambda kind=kind: getattr(nn, kind)(24, 48),
            lambda torch, kind=kind: getattr(torch.nn, kind)(24, 48, batch_first=True),
            normal((5, 30, 24)),
            **PLAIN,
            exempt=MANY,
        )
    yield recurrent("RNN, relu", 3, nonlinearity="relu")
    yield recurrent("LSTM, projection", 3, proj_size=2, states=[(1, 2, 2), (1, 2, 3)])
    yield recurrent("LSTM, two layers of projections", 2, 2, proj_size=1, x=(1, 2, 2), bidirectional=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def numpy_of(layer, *names):
    return [getattr(layer, name).numpy() for name in names]


def course_gru_step(W, U, b, x, c):
    """C5W1-gru: a = c, Gamma_u is the weight of what is new."""
    (W_r, W_z, W_c), (U_r, U_z, U_c), (b_r, b_z, b_c) = (np.split(p, 3) for p in (W, U, b))
    relevance = sigmoid(x @ W_r.T + c @ U_r.T + b_r)
    update = 1 - sigmoid(x @ W_z.T + c @ U_z.T + b_z)
    return update * np.tanh(x @ W_c.T + (relevance * c) @ U_c.T + b_c) + (1 - update) * c


def course_gru(layer, x):
    weights = numpy_of(layer, "weight_ih_l0", "weight_hh_l0", "bias_ih_l0")
    c, outputs = np.zeros((len(x), layer.hidden_size)), []
    for t in range(x.shape[1]):
        c = course_gru_step(*weights, x[:, t], c)
        outputs.append(c)
    return np.stack(outputs, 1), c[None]


def course_gru_cell(layer, x, c):
    return course_gru_step(*numpy_of(layer, "weight_ih", "weight_hh", "bias_ih"), x, c)


def gru_with_one_bias(layer, x):
    """PyTorch's equations without b_h."""
    W, U, b = numpy_of(layer, "weight_ih_l0", "weight_hh_l0", "bias_ih_l0")
    h, outputs = np.zeros((len(x), layer.hidden_size)), []
    for t in range(x.shape[1]):
        (r, z, n), (of_r, of_z, of_n) = (np.split(p, 3, axis=-1) for p in (x[:, t] @ W.T + b, h @ U.T))
        z = sigmoid(z + of_z)
        h = (1 - z) * np.tanh(n + sigmoid(r + of_r) * of_n) + z * h
        outputs.append(h)
    return np.stack(outputs, 1), h[None]


def peephole_lstm(W, U, b, peephole, x, h, c):
    """One step of Gers and Schmidhuber's LSTM."""
    i, f, g, o = np.split(x @ W.T + h @ U.T + b, 4, axis=-1)
    c = sigmoid(f + peephole[1] * c) * c + sigmoid(i + peephole[0] * c) * np.tanh(g)
    return sigmoid(o + peephole[2] * c) * np.tanh(c), c


def lstm_with_peephole(layer, x):
    W, U, b_x, b_h, peephole = numpy_of(
        layer, "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_peephole_l0"
    )
    h = c = np.zeros((len(x), layer.hidden_size))
    outputs = []
    for t in range(x.shape[1]):
        h, c = peephole_lstm(W, U, b_x + b_h, peephole, x[:, t], h, c)
        outputs.append(h)
    return np.stack(outputs, 1), h[None], c[None]


def cell_with_peephole(layer, x, h, c):
    W, U, b, peephole = numpy_of(layer, "weight_ih", "weight_hh", "bias_ih", "weight_peephole")
    return peephole_lstm(W, U, b, peephole, x, h, c)


def rows_of_the_courses_recurrence():
    x = normal((2, 3, 2))
    course = dict(reset_after=False, recurrent_bias=False)
    yield Row("GRU, reset before", lambda: nn.GRU(2, 3, **course), None, x, **PLAIN, expect=course_gru)
    yield Row(
        "GRU, one bias",
        lambda: nn.GRU(2, 2, recurrent_bias=False),
        None,
        x,
        **PLAIN,
        expect=gru_with_one_bias,
    )
    yield Row(
        "LSTM, peephole", lambda: nn.LSTM(2, 2, peephole=True), None, x, **PLAIN, expect=lstm_with_peephole
    )
    yield Row(
        "LSTMCell, peephole",
        lambda: nn.LSTMCell(2, 2, peephole=True, recurrent_bias=False),
        None,
        normal((2, 2), (2, 2), (2, 2)),
        **PLAIN,
        call=lambda cell, x, h, c: cell(x, (h, c)),
        expect=cell_with_peephole,
    )
    yield Row(
        "GRUCell, reset before",
        lambda: nn.GRUCell(2, 3, **course),
        None,
        normal((2, 2), (2, 3)),
        **PLAIN,
        expect=course_gru_cell,
    )


def cell(name, *args, n=2, states=0, **options):
    kind = name.split(",")[0]
    return Row(
        name,
        lambda: getattr(nn, kind)(3, n, *args, **options),
        lambda torch: getattr(torch.nn, kind)(3, n, *args, **options),
        normal((2, 3), *[(2, n)] * states),
        **PLAIN,
        call=lambda module, x, *hx: module(x, *([hx] if len(hx) > 1 else hx)),
    )


def rows_of_cells():
    for kind, n in (("RNNCell", 1), ("GRUCell", 1), ("LSTMCell", 2)):
        yield cell(kind)
        yield cell(f"{kind}, states", states=n)
        yield cell(f"{kind}, without biases", False, states=n)
    yield cell("RNNCell, relu", True, "relu", states=1)


# ---- attention


LONG_CAUSAL = ~np.tri(70, dtype=bool)


def attends(
    name, inputs, *args, call=lambda module, *x: module(*x), modes=("train", "eval"), exempt=None, **options
):
    return Row(
        name,
        lambda: nn.MultiheadAttention(*args, **options),
        lambda torch: torch.nn.MultiheadAttention(*args, batch_first=True, **options),
        inputs,
        **PLAIN,
        call=call,
        modes=modes,
        exempt=exempt or {},
    )


def to_itself(*names, **options):
    """Calls attention(x, x, x) with further inputs by name; PyTorch's takes tensors only."""

    def call(module, x, *more):
        given = {**dict(zip(names, more, strict=True)), **options}
        if not isinstance(module, nn.Module):
            import torch

            given = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}
        return module(x, x, x, **given)

    return call


def and_also(make, *more):
    return lambda rng: (*make(rng), *more)


PADDING = np.array([[False, False, True], [False, True, True]])
CAUSAL = ~np.tri(3, dtype=bool)
EACH_HEAD = np.stack([CAUSAL, CAUSAL.T, CAUSAL & False, np.eye(3) > 0])  # 2 sequences, 2 heads


def rows_of_attention():
    x, qkv = normal((2, 3, 4)), normal((1, 2, 4), (1, 3, 4), (1, 3, 4))
    yield attends("MultiheadAttention", qkv, 4, 2)
    for note, weights in (("", True), (", without weights", False)):
        for what, more in (("", {}), (" and causal", {"is_causal": True, "attn_mask": LONG_CAUSAL})):
            yield attends(
                f"MultiheadAttention, long{what}{note}",
                normal((2, 70, 64)),
                64,
                4,
                call=to_itself(need_weights=weights, **more),
                exempt=MANY,
            )
    yield attends("MultiheadAttention, of itself", x, 4, 2, call=to_itself())
    yield attends(
        "MultiheadAttention, of itself, without weights", x, 4, 2, call=to_itself(need_weights=False)
    )
    yield attends("MultiheadAttention, one head without biases", x, 4, 1, call=to_itself(), bias=False)
    yield attends(
        "MultiheadAttention, weights of each head", x, 2 * 2, 2, call=to_itself(average_attn_weights=False)
    )
    yield attends("MultiheadAttention, dropout at rest", qkv, 4, 2, 0.5, modes=("eval",))
    for weights in (True, False):
        note = "" if weights else ", without weights"
        for kind, names, masks in (
            ("padding", ["key_padding_mask"], [PADDING]),
            ("mask", ["attn_mask"], [CAUSAL]),
            ("mask of each head", ["attn_mask"], [EACH_HEAD]),
            ("mask and padding", ["attn_mask", "key_padding_mask"], [CAUSAL, PADDING]),
            ("both of floats", ["attn_mask", "key_padding_mask"], [np.tri(3) * 2, PADDING * -3.0]),
        ):
            yield attends(
                f"MultiheadAttention, {kind}{note}",
                and_also(x, *masks),
                4,
                2,
                call=to_itself(*names, need_weights=weights),
            )
    yield attends(
        "MultiheadAttention, other features", normal((2, 2, 4), (2, 3, 3), (2, 3, 1)), 4, 2, kdim=3, vdim=1
    )
    yield attends(
        "MultiheadAttention, added keys",
        and_also(x, CAUSAL, PADDING),
        4,
        2,
        call=to_itself("attn_mask", "key_padding_mask"),
        add_bias_kv=True,
        add_zero_attn=True,
    )
    yield attends(
        "MultiheadAttention, added keys and float masks",
        and_also(qkv, np.tri(2, 3)),
        4,
        2,
        call=lambda module, q, k, v, mask: module(q, k, v, attn_mask=mask),
        add_bias_kv=True,
    )


ROWS = [
    *rows_of_recurrence(),
    *rows_of_the_courses_recurrence(),
    *rows_of_cells(),
    *rows_of_attention(),
]

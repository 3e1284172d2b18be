"""Rows of recurrent layers, attention, Transformers and positions."""

import numpy as np

import nn
from tests.layer_table import Row, as_is, normal

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


def attends(name, inputs, *args, call=lambda module, *x: module(*x), modes=("train", "eval"), **options):
    return Row(
        name,
        lambda: nn.MultiheadAttention(*args, **options),
        lambda torch: torch.nn.MultiheadAttention(*args, batch_first=True, **options),
        inputs,
        **PLAIN,
        call=call,
        modes=modes,
    )


def to_itself(*names, **options):
    """Calls attention(x, x, x) with further inputs by name."""
    return lambda module, x, *more: module(x, x, x, **dict(zip(names, more, strict=True)), **options)


def and_also(make, *more):
    return lambda rng: (*make(rng), *more)


PADDING = np.array([[False, False, True], [False, True, True]])
CAUSAL = ~np.tri(3, dtype=bool)
EACH_HEAD = np.stack([CAUSAL, CAUSAL.T, CAUSAL & False, np.eye(3) > 0])  # 2 sequences, 2 heads


def rows_of_attention():
    x, qkv = normal((2, 3, 4)), normal((1, 2, 4), (1, 3, 4), (1, 3, 4))
    yield attends("MultiheadAttention", qkv, 4, 2)
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


# ---- Transformers

SMALL = dict(d_model=4, nhead=2, dim_feedforward=3)


def block(name, inputs, call=lambda module, *x: module(*x), second=True, modes=("train", "eval"), **options):
    kind = name.split(",")[0]
    options = {**SMALL, "dropout": 0.0, **options}
    return Row(
        name,
        lambda: getattr(nn, kind)(**options),
        lambda torch: getattr(torch.nn, kind)(batch_first=True, **options),
        inputs,
        **PLAIN,
        call=call,
        modes=modes,
        exempt={} if second else DEEP,
    )


def rows_of_blocks():
    x, both = normal((1, 3, 4)), normal((1, 1, 4), (1, 2, 4))
    for kind, inputs in (("TransformerEncoderLayer", x), ("TransformerDecoderLayer", both)):
        yield block(kind, inputs, second="En" in kind)
        yield block(f"{kind}, norm first", inputs, norm_first=True, second="En" in kind)
        yield block(f"{kind}, gelu", inputs, activation="gelu", second="En" in kind)
        yield block(f"{kind}, without biases", inputs, bias=False, layer_norm_eps=1e-3)
        yield block(f"{kind}, dropout at rest", inputs, dropout=0.3, modes=("eval",), second=False)
        yield block(
            f"{kind}, heads", normal(*[(2, 3, 8)] * (1 + ("De" in kind))), second=False, d_model=8, nhead=4
        )
    yield block(
        "TransformerEncoderLayer, masks",
        and_also(normal((2, 3, 4)), CAUSAL, PADDING),
        lambda module, x, mask, padding: module(x, src_mask=mask, src_key_padding_mask=padding),
    )
    yield block(
        "TransformerDecoderLayer, masks",
        and_also(normal((2, 3, 4), (2, 3, 4)), CAUSAL, PADDING, ~CAUSAL.T, PADDING[::-1].copy()),
        lambda module, x, memory, mask, padding, memory_mask, memory_padding: module(
            x, memory, mask, memory_mask, padding, memory_padding
        ),
        second=False,
    )


def stacked(library, kind, norm, **options):
    """Two layers on top of each other, and a normalisation."""
    if library is not nn:
        options["batch_first"] = True
    layer = getattr(library, f"{kind}Layer")(**SMALL, dropout=0.0, **options)
    more = {"enable_nested_tensor": False} if library is not nn and "En" in kind else {}
    return getattr(library, kind)(layer, 2, library.LayerNorm(4) if norm else None, **more)


def rows_of_transformers():
    for kind, inputs in (("TransformerEncoder", [(2, 3, 4)]), ("TransformerDecoder", [(2, 3, 4)] * 2)):
        for norm in (False, True):
            yield Row(
                f"{kind}, norm" if norm else kind,
                lambda k=kind, norm=norm: stacked(nn, k, norm),
                lambda torch, k=kind, norm=norm: stacked(torch.nn, k, norm),
                and_also(normal(*inputs), CAUSAL),
                **PLAIN,
                call=lambda module, *x: module(*x),
                exempt=DEEP,
            )
    yield Row(
        "TransformerEncoder, padding",
        lambda: stacked(nn, "TransformerEncoder", True, norm_first=True),
        lambda torch: stacked(torch.nn, "TransformerEncoder", True, norm_first=True),
        and_also(normal((2, 3, 4)), PADDING),
        **PLAIN,
        call=lambda module, x, padding: module(x, src_key_padding_mask=padding),
        exempt=DEEP,
    )
    small = dict(SMALL, num_encoder_layers=1, num_decoder_layers=2, dropout=0.0)
    yield Row(
        "Transformer",
        lambda: nn.Transformer(**small),
        lambda torch: torch.nn.Transformer(**small, batch_first=True),
        and_also(normal((2, 3, 4), (2, 2, 4)), CAUSAL[:2, :2], PADDING),
        **PLAIN,
        call=lambda module, src, tgt, mask, padding: module(
            src, tgt, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding
        ),
        exempt=DEEP,
    )


# ---- positions


def sines(layer, x):
    """The paper's formula, number by number."""
    _, T, d = x.shape
    rows = [
        [(np.cos if j % 2 else np.sin)(t / 10000 ** ((j - j % 2) / d)) for j in range(d)] for t in range(T)
    ]
    return x + np.array(rows)


def added(module, x):
    """Ours; or the rows of PyTorch's Embedding, which has the same state."""
    return module(x) if isinstance(module, nn.Module) else x + module.weight[: x.shape[1]]


def rows_of_positions():
    for d in (4, 5):
        yield Row(
            f"PositionalEncoding, {d} features",
            lambda d=d: nn.PositionalEncoding(d, max_len=7),
            None,
            normal((2, 3, d)),
            **PLAIN,
            expect=sines,
        )
    yield Row(
        "LearnedPositionalEncoding",
        lambda: nn.LearnedPositionalEncoding(3, max_len=5),
        lambda torch: torch.nn.Embedding(5, 3),
        normal((2, 4, 3)),
        **PLAIN,
        call=added,
        expect=lambda layer, x: x + layer.weight.numpy()[:4],
    )


ROWS = [
    *rows_of_recurrence(),
    *rows_of_the_courses_recurrence(),
    *rows_of_cells(),
    *rows_of_attention(),
    *rows_of_blocks(),
    *rows_of_transformers(),
    *rows_of_positions(),
]

"""Closed forms, continued: recurrence, attention, Transformers; one sequence after the other."""

import math

import numpy as np

from tests.layer_references import by_definition, gelu, reference, sigmoid, softmax, values

# ---- recurrence


def one_step(layer, W, U, b_x, b_h, x, state, suffix):
    """The states after a step. b_x and b_h are 0 where there is none."""
    h = state[0]
    of_x, of_h = x @ W.T + b_x, h @ U.T + b_h
    kind = type(layer).__name__.removesuffix("Cell")
    if kind == "RNN":
        z = of_x + of_h
        return (np.tanh(z) if layer.nonlinearity == "tanh" else np.maximum(z, 0),)
    if kind == "GRU":
        (r, z, n), (r_h, z_h, n_h) = np.split(of_x, 3, -1), np.split(of_h, 3, -1)
        r, z = sigmoid(r + r_h), sigmoid(z + z_h)
        return ((1 - z) * np.tanh(n + r * n_h) + z * h,)
    i, f, g, o = np.split(of_x + of_h, 4, -1)
    c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
    h, project = sigmoid(o) * np.tanh(c), getattr(layer, f"weight_hr{suffix}", None)
    return (h if project is None else h @ project.numpy().T), c


def weights_of(layer, suffix):
    found = values(layer, *(f"{name}{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))
    return [0.0 if p is None else p for p in found]


@reference("RNN", "LSTM", "GRU")
def recurrent(layer, x, hx=None, lengths=None):
    states = 2 if type(layer).__name__ == "LSTM" else 1
    m, T, _ = x.shape
    lengths = np.full(m, T) if lengths is None else lengths
    directions = 1 + layer.bidirectional
    starts = (hx if states == 2 else (hx,)) if hx is not None else None
    ends = [[] for _ in range(states)]
    for level in range(layer.num_layers):
        outputs = []
        for reverse in range(directions):
            suffix = f"_l{level}" + "_reverse" * reverse
            weights = weights_of(layer, suffix)
            widths = (layer.proj_size or layer.hidden_size, layer.hidden_size)[:states]
            y, last = np.zeros((m, T, widths[0])), [np.zeros((m, n)) for n in widths]
            for k in range(m):
                place = level * directions + reverse
                state = [s[place, k] for s in starts] if starts else [np.zeros(n) for n in widths]
                steps = range(lengths[k])
                for t in reversed(steps) if reverse else steps:
                    state = one_step(layer, *weights, x[k, t], state, suffix)
                    y[k, t] = state[0]
                for end, s in zip(last, state):
                    end[k] = s
            outputs.append(y)
            for end, s in zip(ends, last):
                end.append(s)
        x = np.concatenate(outputs, -1)
    last = [np.stack(end) for end in ends]
    return x, last[0] if states == 1 else tuple(last)


@reference("RNNCell", "LSTMCell", "GRUCell")
def cell(layer, x, hx=None):
    states = 2 if type(layer).__name__ == "LSTMCell" else 1
    zeros = [np.zeros((len(x), layer.hidden_size))] * states
    state = zeros if hx is None else hx if states == 2 else (hx,)
    after = one_step(layer, *weights_of(layer, ""), x, state, "")
    return after if states == 2 else after[0]


# ---- attention


def as_scores(mask):
    """True, which forbids, as minus infinity."""
    if mask is None:
        return 0.0
    return np.where(mask, -np.inf, 0.0) if mask.dtype == bool else mask


def shares(scores):
    """softmax; 0 where a query may look nowhere."""
    nowhere = np.isneginf(scores).all(-1, keepdims=True)
    return np.where(nowhere, 0.0, softmax(np.where(nowhere, 0.0, scores)))


@reference("MultiheadAttention")
def multihead_attention(
    layer,
    query,
    key,
    value,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    average_attn_weights=True,
    is_causal=False,
):
    n, h = layer.embed_dim, layer.num_heads
    together, *apart = values(layer, "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
    matrices = apart if together is None else np.split(together, 3)
    bias, bias_k, bias_v = values(layer, "in_proj_bias", "bias_k", "bias_v")
    biases = [0.0] * 3 if bias is None else np.split(bias, 3)
    y, weights = np.empty(query.shape), []
    for s in range(len(query)):
        q, k, v = (x[s] @ W.T + b for x, W, b in zip((query, key, value), matrices, biases))
        given = len(k)
        if bias_k is not None:
            k, v = np.vstack([k, bias_k[0]]), np.vstack([v, bias_v[0]])
        if layer.add_zero_attn:
            k, v = np.vstack([k, np.zeros((1, n))]), np.vstack([v, np.zeros((1, n))])
        of_heads = []
        for head, at in enumerate(np.split(np.arange(n), h)):
            scores = q[:, at] @ k[:, at].T / math.sqrt(n // h)
            mask = attn_mask if attn_mask is None or attn_mask.ndim == 2 else attn_mask[s * h + head]
            scores[:, :given] += as_scores(mask)
            if key_padding_mask is not None:
                scores[:, :given] += as_scores(key_padding_mask)[s]
            if is_causal:
                scores[:, :given] += np.where(np.tri(len(q), given), 0.0, -np.inf)
            of_heads.append(shares(scores))
            y[s, :, at] = (of_heads[-1] @ v[:, at]).T
        weights.append(of_heads)
    y = by_definition(layer.out_proj, y)
    if not need_weights:
        return y, None
    return y, np.mean(weights, 1) if average_attn_weights else np.array(weights)


# ---- Transformers


def around(layer, k, x, sublayer):
    """x + sublayer(x), normalised: before the sublayer, or the sum."""
    norm = getattr(layer, f"norm{k}")
    if layer.norm_first:
        return x + sublayer(by_definition(norm, x))
    return by_definition(norm, x + sublayer(x))


def feed_forward(layer):
    bend = gelu if layer.activation == "gelu" else lambda z: np.maximum(z, 0)
    return lambda x: by_definition(layer.linear2, bend(by_definition(layer.linear1, x)))


@reference("TransformerEncoderLayer")
def encoder_layer(layer, src, src_mask=None, src_key_padding_mask=None):
    def attend(x):
        return by_definition(layer.self_attn, x, x, x, src_key_padding_mask, attn_mask=src_mask)[0]

    return around(layer, 2, around(layer, 1, src, attend), feed_forward(layer))


@reference("TransformerDecoderLayer")
def decoder_layer(
    layer,
    tgt,
    memory,
    tgt_mask=None,
    memory_mask=None,
    tgt_key_padding_mask=None,
    memory_key_padding_mask=None,
):
    def attend(x):
        return by_definition(layer.self_attn, x, x, x, tgt_key_padding_mask, attn_mask=tgt_mask)[0]

    def look_up(x):
        of_memory = memory, memory, memory_key_padding_mask
        return by_definition(layer.multihead_attn, x, *of_memory, attn_mask=memory_mask)[0]

    x = around(layer, 2, around(layer, 1, tgt, attend), look_up)
    return around(layer, 3, x, feed_forward(layer))


@reference("TransformerEncoder", "TransformerDecoder")
def stack(layer, x, *others, **options):
    if "src_key_padding_mask" in options:
        others = (None, options["src_key_padding_mask"])
    for one in layer.layers:
        x = by_definition(one, x, *others)
    return x if layer.norm is None else by_definition(layer.norm, x)


@reference("Transformer")
def transformer(layer, src, tgt, tgt_mask=None, src_key_padding_mask=None, memory_key_padding_mask=None):
    memory = stack(layer.encoder, src, None, src_key_padding_mask)
    return stack(layer.decoder, tgt, memory, tgt_mask, None, None, memory_key_padding_mask)

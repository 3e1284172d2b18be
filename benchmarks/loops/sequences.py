"""Steps of recurrent networks, embeddings, and the CTC cost (C5W1-rnn, C5W1-lstm, C5W2-matrix, C5W2-analogy,
C5W3-ctc)."""

import math

import numpy as np

from .ways import three_ways


def normal(rng, *shape, scale=1.0):
    return np.asarray(scale * rng.standard_normal(shape), np.float32)


# ---- one step of a plain recurrent network: h = tanh(W x + U h + b), for m sequences


def state(rng, m, n, maps=1):
    """n numbers in the state and in the input; `maps` times as many rows in the weights."""
    scale = n**-0.5
    return {
        "x": normal(rng, m, n),
        "h": normal(rng, m, n),
        "W": normal(rng, maps * n, n, scale=scale),
        "U": normal(rng, maps * n, n, scale=scale),
        "b": normal(rng, maps * n),
    }


def affine_loops(x, h, W, U, b):
    m, n = x.shape
    z = [[0.0] * len(W) for _ in range(m)]
    for i in range(m):
        for row in range(len(W)):
            total = float(b[row])
            for j in range(n):
                total += float(W[row, j]) * float(x[i, j]) + float(U[row, j]) * float(h[i, j])
            z[i][row] = total
    return z


def rnn_loops(x, h, W, U, b):
    return np.array([[math.tanh(value) for value in row] for row in affine_loops(x, h, W, U, b)])


def rnn(x, h, W, U, b):
    return np.tanh(x @ W.T + h @ U.T + b)


def cell_of(name, W, U, b):
    """A cell of `nn` with these weights."""
    import nn
    from autograd import no_grad

    cell = getattr(nn, name)(W.shape[1], U.shape[1], recurrent_bias=False)
    given = {"weight_ih": W, "weight_hh": U, "bias_ih": b}
    with no_grad():
        for path, p in cell.named_parameters():
            p[...] = given[path]
    return cell


def rnn_ours(x, h, W, U, b):
    from autograd import Tensor, no_grad

    cell, x, h = cell_of("RNNCell", W, U, b), Tensor(x), Tensor(h)

    def call():
        with no_grad():
            return cell(x, h)

    return call


# ---- one step of an LSTM, its gates stacked [i, f, g, o]


def long_state(rng, m, n):
    return {**state(rng, m, n, maps=4), "c": normal(rng, m, n)}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_loops(x, h, c, W, U, b):
    m, n = x.shape
    z = affine_loops(x, h, W, U, b)
    new_h, new_c = np.zeros((m, n)), np.zeros((m, n))
    for k in range(m):
        for j in range(n):
            i, f, o = (1 / (1 + math.exp(-z[k][gate * n + j])) for gate in (0, 1, 3))
            new_c[k, j] = f * c[k, j] + i * math.tanh(z[k][2 * n + j])
            new_h[k, j] = o * math.tanh(new_c[k, j])
    return new_h, new_c


def lstm(x, h, c, W, U, b):
    i, f, g, o = np.split(x @ W.T + h @ U.T + b, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def lstm_ours(x, h, c, W, U, b):
    from autograd import Tensor, no_grad

    cell, x, h, c = cell_of("LSTMCell", W, U, b), Tensor(x), Tensor(h), Tensor(c)

    def call():
        with no_grad():
            return cell(x, (h, c))

    return call


# ---- the gradient of an embedding of V words: add up at the rows that were looked up


def looked_up(rng, tokens, V, d):
    return {"ids": rng.integers(0, V, tokens), "g": normal(rng, tokens, d), "E": normal(rng, V, d)}


def scatter_loops(ids, g, E):
    dE = np.zeros_like(E)
    for t in range(len(ids)):
        for j in range(g.shape[1]):
            dE[ids[t], j] += g[t, j]
    return dE


def scatter(ids, g, E):
    dE = np.zeros_like(E)
    np.add.at(dE, ids, g)
    return dE


def scatter_ours(ids, g, E):
    from autograd import Tensor
    from nn.functional import embedding

    E, g = Tensor(E, requires_grad=True), Tensor(g)

    def call():
        E.grad = None
        embedding(ids, E).backward(g)
        return E.grad

    return call


# ---- the embedding nearest to each of q, by cosine


def words(rng, q, V, d):
    return {"queries": normal(rng, q, d), "E": normal(rng, V, d)}


def nearest_loops(queries, E):
    found = []
    for query in queries.tolist():
        best, where = -2.0, -1
        length = math.sqrt(sum(a * a for a in query))
        for k in range(len(E)):
            word = E[k].tolist()
            dot = square = 0.0
            for a, b in zip(query, word):
                dot += a * b
                square += b * b
            if (cosine := dot / (length * math.sqrt(square))) > best:
                best, where = cosine, k
        found.append(where)
    return found


def nearest(queries, E):
    rows = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (queries, E))
    return np.argmax(next(rows) @ next(rows).T, axis=1)


def nearest_ours(queries, E):
    from autograd import Tensor, no_grad
    from nn.functional import normalize

    queries, E = Tensor(queries), Tensor(E)

    def call():
        with no_grad():
            return np.argmax(normalize(queries) @ normalize(E).T, axis=1)

    return call


# ---- the CTC cost of m sequences, forward, C characters of which 0 is the blank


def speech(rng, m, T, S, C):
    logits = normal(rng, m, T, C).astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return {"log_p": log_p.astype(np.float32), "labels": rng.integers(1, C, (m, S))}


def ctc_loops(log_p, labels):
    """Graves et al. 2006, equations 6 and 7, with logarithms."""
    costs = []
    for p, label in zip(log_p.tolist(), labels.tolist()):
        extended = [0]
        for character in label:
            extended += [character, 0]
        alpha = [p[0][s] if k < 2 else -math.inf for k, s in enumerate(extended)]
        for step in p[1:]:
            new = []
            for k, s in enumerate(extended):
                ways = [alpha[k]]
                if k > 0:
                    ways.append(alpha[k - 1])
                if k > 1 and s != 0 and s != extended[k - 2]:
                    ways.append(alpha[k - 2])
                most = max(ways)
                if most == -math.inf:
                    new.append(most)
                    continue
                total = 0.0
                for way in ways:
                    total += math.exp(way - most)
                new.append(most + math.log(total) + step[s])
            alpha = new
        costs.append(-np.logaddexp(alpha[-1], alpha[-2]))
    return np.array(costs)


def ctc(log_p, labels):
    m, S = labels.shape
    extended = np.zeros((m, 2 * S + 1), np.int64)
    extended[:, 1::2] = labels
    skips = np.zeros(extended.shape, bool)
    skips[:, 2:] = (extended[:, 2:] != 0) & (extended[:, 2:] != extended[:, :-2])
    p = np.take_along_axis(log_p, extended[:, None], 2)  # (m, T, 2 S + 1)
    alpha = np.full(extended.shape, -np.inf)
    alpha[:, :2] = p[:, 0, :2]
    for t in range(1, p.shape[1]):
        before = np.pad(alpha, ((0, 0), (2, 0)), constant_values=-np.inf)
        two = np.where(skips, before[:, :-2], -np.inf)
        alpha = np.logaddexp(np.logaddexp(alpha, before[:, 1:-1]), two) + p[:, t]
    return -np.logaddexp(alpha[:, -1], alpha[:, -2])


def ctc_ours(log_p, labels):
    from autograd import Tensor, no_grad
    from nn.functional import ctc_loss

    log_p = Tensor(log_p)

    def call():
        with no_grad():
            return ctc_loss(log_p, labels, reduction="none")

    return call


CASES = [
    *three_ways(
        "RNN step",
        state,
        rnn_loops,
        rnn,
        rnn_ours,
        [{"m": 10, "n": 32}, {"m": 10, "n": 100}],
        {"m": 2, "n": 3},
    ),
    *three_ways(
        "LSTM step",
        long_state,
        lstm_loops,
        lstm,
        lstm_ours,
        [{"m": 10, "n": 32}, {"m": 10, "n": 64}],
        {"m": 2, "n": 3},
    ),
    *three_ways(
        "gradient of an embedding",
        looked_up,
        scatter_loops,
        scatter,
        scatter_ours,
        [{"tokens": 64, "V": 1000, "d": 50}, {"tokens": 4096, "V": 10_000, "d": 50}],
        {"tokens": 6, "V": 4, "d": 3},
    ),
    *three_ways(
        "nearest embedding",
        words,
        nearest_loops,
        nearest,
        nearest_ours,
        [{"q": 1, "V": 1000, "d": 50}, {"q": 4, "V": 10_000, "d": 50}],
        {"q": 2, "V": 5, "d": 3},
    ),
    *three_ways(
        "CTC cost",
        speech,
        ctc_loops,
        ctc,
        ctc_ours,
        [{"m": 1, "T": 50, "S": 10, "C": 28}, {"m": 8, "T": 200, "S": 30, "C": 28}],
        {"m": 2, "T": 6, "S": 2, "C": 4},
    ),
]

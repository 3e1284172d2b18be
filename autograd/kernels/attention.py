"""Attention without the matrix of weights: scores are made a block of queries and keys at a time, in cache,
and turned into weights there (Milakov and Gimelshein 2018; Rabe and Staats 2021; Dao et al. 2022). What is
kept of them is one number a query, the logarithm of its sum of exponentials, from which backward makes them
again.

An operand is a tuple (address, strides of batch, head and row in elements); its last axis is contiguous. So
heads that lie side by side, broadcast axes and masks of any shape are read where they are. `numbers` are
heads, T_q, T_k, d, d_v, causal, the threshold of dropout and its seed; `factors` the scale and the share that
dropout keeps.
"""

import numpy as np
from llvmlite import ir
from numba import prange, types, uint64
from numba.extending import intrinsic

from .compiling import REASSOCIATE, kernel
from .mathf import exp
from .patches import aligned
from .simd import COLUMNS, ROWS, tile
from .simd import _floats_at as floats_at
from .threads import chunks_of, get_num_threads, launch

QUERIES, KEYS = 8 * ROWS, 512  # of a block: its scores fill a fraction of a core's L2
NOTHING = (0, 0, 0, 0, 0)


@intrinsic
def bytes_at(typingctx, address):
    """A byte address as a pointer to uint8, to be indexed."""

    def codegen(context, b, signature, arguments):
        return b.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.CPointer(types.uint8)(types.intp), codegen


@kernel()
def _pack(source, row, width, count, panels):
    """Rows of `width` numbers as columns: panels (count / COLUMNS, width, COLUMNS)."""
    source = floats_at(source)
    for p in range((count + COLUMNS - 1) // COLUMNS):
        for k in range(min(COLUMNS, count - p * COLUMNS)):
            start = (p * COLUMNS + k) * row
            for d in range(width):
                panels[p, d, k] = source[start + d]


@kernel()
def _against(x, x_row, rows, panels, first, count, out):
    """out[i, j] = x[i] . key[first + j], first a multiple of COLUMNS."""
    depth = panels.shape[1]
    for j in range(0, count, COLUMNS):
        panel = panels.ctypes.data + (first + j) // COLUMNS * panels.strides[0]
        for i in range(0, rows, ROWS):
            tile(
                x + i * x_row * 4,
                x_row,
                1,
                panel,
                COLUMNS,
                depth,
                out.ctypes.data + (i * out.shape[1] + j) * 4,
                out.shape[1],
                min(ROWS, rows - i),
                min(COLUMNS, count - j),
                0,
            )


@kernel()
def _times(x, x_row, x_step, rows, depth, w, w_row, width, y, y_row):
    """y[i] += sum over k of x[i, k] w[k]."""
    for j in range(0, width, COLUMNS):
        for i in range(0, rows, ROWS):
            tile(
                x + i * x_row * 4,
                x_row,
                x_step,
                w + j * 4,
                w_row,
                depth,
                y + (i * y_row + j) * 4,
                y_row,
                min(ROWS, rows - i),
                min(COLUMNS, width - j),
                1,
            )


@kernel()
def _seen(scores, count, t, k0, scale, bias, mask, causal, row):
    """Scales the scores of query t with keys k0..k0 + count, adds the bias, and sets those it may not look at
    to -infinity. `row` has the batch and the head."""
    if bias[0] != 0:
        added, start = floats_at(bias[0]), row[0] * bias[1] + row[1] * bias[2] + t * bias[3] + k0 * bias[4]
        for j in range(count):
            scores[j] = scores[j] * scale + added[start + j * bias[4]]
    else:
        for j in range(count):
            scores[j] *= scale
    if mask[0] != 0:
        looks, start = bytes_at(mask[0]), row[0] * mask[1] + row[1] * mask[2] + t * mask[3] + k0 * mask[4]
        for j in range(count):
            if looks[start + j * mask[4]] == 0:
                scores[j] = -np.inf
    if causal:
        for j in range(max(t + 1 - k0, 0), count):
            scores[j] = -np.inf


@kernel()
def _drop(weights, count, first, threshold, seed, kept):
    """Sets weights that are dropped to 0 and divides the others by `kept`; `first` is the place of the first
    among all. The numbers are those of ops/attention.py, `kept_weights`."""
    for j in range(count):
        z = uint64(first + j + 1) * uint64(0x9E3779B97F4A7C15) + uint64(seed)
        z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
        z ^= z >> uint64(31)
        weights[j] = weights[j] / kept if (z >> uint64(40)) >= uint64(threshold) else np.float32(0)


@kernel(fastmath=REASSOCIATE)
def _largest(scores, count):
    found = -np.float32(np.inf)
    for j in range(count):
        found = scores[j] if scores[j] > found else found
    return found


@kernel(fastmath=REASSOCIATE)
def _exponentials(scores, count, top):
    """Turns scores into e^(score - top), and returns their sum."""
    total = np.float32(0)
    for j in range(count):
        e = exp(scores[j] - top)
        scores[j] = e
        total += e
    return total


@kernel(fastmath=REASSOCIATE)
def _dot(a, b, count):
    a, b = floats_at(a), floats_at(b)
    total = np.float32(0)
    for j in range(count):
        total += a[j] * b[j]
    return total


@kernel()
def _at(operand, b, h, row):
    """The address of a row."""
    return operand[0] + (b * operand[1] + h * operand[2] + row * operand[3]) * 4


@kernel()
def _forward(chunk, first, last, lse, q, k, v, y, bias, mask, numbers, factors, room, packed):
    """Blocks first..last of queries, those of one head after the other."""
    heads, queries, keys, d, d_v, causal, threshold, seed = numbers
    scale, kept = factors
    scores, panels = room[chunk, 0], packed[chunk, 0, :, :d]
    blocks = (queries + QUERIES - 1) // QUERIES
    done = -1
    for item in range(first, last):
        pair, t0 = item // blocks, item % blocks * QUERIES
        b, h = pair // heads, pair % heads
        if pair != done:
            _pack(_at(k, b, h, 0), k[3], d, keys, panels)
            done = pair
        rows = min(QUERIES, queries - t0)
        top, total = np.empty(rows, np.float32), np.empty(rows, np.float32)
        reach = min(keys, t0 + rows) if causal else keys
        for i in range(rows):
            top[i], total[i] = -np.inf, 0
        for k0 in range(0, reach, KEYS):
            count = min(KEYS, reach - k0)
            _against(_at(q, b, h, t0), q[3], rows, panels, k0, count, scores)
            for i in range(rows):
                row, t = scores[i], t0 + i
                _seen(row, count, t, k0, scale, bias, mask, causal, (b, h))
                largest = max(top[i], _largest(row, count))
                base = largest if largest > -np.inf else np.float32(0)
                shrink = exp(top[i] - base)
                total[i] = total[i] * shrink + _exponentials(row, count, base)
                top[i] = largest
                if k0 > 0:
                    line = floats_at(_at(y, b, h, t))
                    for j in range(d_v):
                        line[j] *= shrink
                if threshold > 0:
                    _drop(row, count, (pair * queries + t) * keys + k0, threshold, seed, kept)
            out = _at(y, b, h, t0)
            _times(scores.ctypes.data, KEYS, 1, rows, count, _at(v, b, h, k0), v[3], d_v, out, y[3])
        for i in range(rows):
            line = floats_at(_at(y, b, h, t0 + i))
            inverse = np.float32(1) / total[i] if total[i] > 0 else np.float32(0)
            for j in range(d_v):
                line[j] *= inverse
            lse[pair, t0 + i] = top[i] + np.float32(np.log(total[i])) if total[i] > 0 else np.float32(np.inf)


@kernel(parallel=True)
def _forward_loop(chunks, items, lse, q, k, v, y, bias, mask, numbers, factors, room, packed):
    for n in prange(chunks):
        chunk = np.int64(n)
        first, last = chunk * items // chunks, (chunk + 1) * items // chunks
        _forward(chunk, first, last, lse, q, k, v, y, bias, mask, numbers, factors, room, packed)


@kernel()
def _backward(
    chunk, first, last, lse, g, q, k, v, y, to_q, to_k, to_v, bias, mask, numbers, factors, room, packed
):
    """Heads first..last. With w the weights, w' what dropout left of them, and D = g . y of each query:

    to_v = w'^T g,  s = w * (dropped(g v^T) - D) * scale,  to_q = s k,  to_k = s^T q"""
    heads, queries, keys, d, d_v, causal, threshold, seed = numbers
    scale, kept = factors
    scores, slopes = room[chunk, 0], room[chunk, 1]
    of_k, of_v = packed[chunk, 0, :, :d], packed[chunk, 1, :, :d_v]
    for pair in range(first, last):
        b, h = pair // heads, pair % heads
        _pack(_at(k, b, h, 0), k[3], d, keys, of_k)
        _pack(_at(v, b, h, 0), v[3], d_v, keys, of_v)
        for t0 in range(0, queries, QUERIES):
            rows = min(QUERIES, queries - t0)
            reach = min(keys, t0 + rows) if causal else keys
            for k0 in range(0, reach, KEYS):
                count = min(KEYS, reach - k0)
                g_at, q_at = _at(g, b, h, t0), _at(q, b, h, t0)
                _against(q_at, q[3], rows, of_k, k0, count, scores)
                _against(g_at, g[3], rows, of_v, k0, count, slopes)
                for i in range(rows):
                    row, slope, t = scores[i], slopes[i], t0 + i
                    _seen(row, count, t, k0, scale, bias, mask, causal, (b, h))
                    _exponentials(row, count, lse[pair, t])
                    dot = _dot(_at(g, b, h, t), _at(y, b, h, t), d_v)
                    if threshold > 0:
                        _drop(slope, count, (pair * queries + t) * keys + k0, threshold, seed, kept)
                    for j in range(count):
                        slope[j] = row[j] * (slope[j] - dot) * scale
                    if threshold > 0:
                        _drop(row, count, (pair * queries + t) * keys + k0, threshold, seed, kept)
                s, w = slopes.ctypes.data, scores.ctypes.data
                _times(w, 1, KEYS, count, rows, g_at, g[3], d_v, _at(to_v, b, h, k0), to_v[3])
                _times(s, 1, KEYS, count, rows, q_at, q[3], d, _at(to_k, b, h, k0), to_k[3])
                k_at = _at(k, b, h, k0)
                _times(s, KEYS, 1, rows, count, k_at, k[3], d, _at(to_q, b, h, t0), to_q[3])


@kernel(parallel=True)
def _backward_loop(
    chunks, pairs, lse, g, q, k, v, y, to_q, to_k, to_v, bias, mask, numbers, factors, room, packed
):
    for n in prange(chunks):
        chunk = np.int64(n)
        first, last = chunk * pairs // chunks, (chunk + 1) * pairs // chunks
        _backward(
            chunk,
            first,
            last,
            lse,
            g,
            q,
            k,
            v,
            y,
            to_q,
            to_k,
            to_v,
            bias,
            mask,
            numbers,
            factors,
            room,
            packed,
        )


def _operand(a, lead):
    """A tuple for the kernels, and the array that it points into."""
    if a.strides[-1] != 4 or any(s % 4 for s in a.strides):
        a = np.ascontiguousarray(a)
    a = np.broadcast_to(a, (*lead, *a.shape[-2:]))
    return (a.ctypes.data, *(s // 4 for s in a.strides[:3])), a


def _added(a, shape):
    """The same for a bias or mask, None for none: strides of all four axes."""
    if a is None:
        return NOTHING, None
    a = np.broadcast_to(a, shape)
    return (a.ctypes.data, *(s // a.itemsize for s in a.strides)), a


def _heads_last(lead, rows, width):
    """Room for (batch, heads, rows, width) in which the heads of a row lie side by side, as what follows
    attention wants them."""
    return np.zeros((lead[0], rows, lead[1], width), np.float32).swapaxes(1, 2)


def _chunks(items, operations):
    """As many as threads, for the sake of scratch; each query and each head is a sum of its own, so their
    number changes no bit."""
    return min(chunks_of(items, operations), get_num_threads())


def _dropping(dropout, seed):
    """The threshold of `_drop` and the seed, as signed numbers of the same bits."""
    return round(dropout * 2**24), int(np.uint64(seed).astype(np.int64))


def attention(q, k, v, bias, mask, causal, scale, dropout, seed):
    """y (batch, heads, T_q, d_v) and the logarithm of each query's sum of exponentials, (batch * heads, T_q),
    infinite where a query may look nowhere. All are float32 of four axes, the first two broadcast."""
    lead = np.broadcast_shapes(q.shape[:2], k.shape[:2], v.shape[:2])
    queries, keys, d, d_v = q.shape[2], k.shape[2], q.shape[3], v.shape[3]
    pairs = lead[0] * lead[1]
    y, lse = _heads_last(lead, queries, d_v), np.empty((pairs, queries), np.float32)
    if not y.size or not keys:
        lse.fill(np.inf)
        return y, lse
    operands, kept = zip(*(_operand(a, lead) for a in (q, k, v, y)))
    added, held = zip(*(_added(a, (*lead, queries, keys)) for a in (bias, mask)))
    items = pairs * -(-queries // QUERIES)
    chunks = _chunks(items, pairs * queries * keys * (d + d_v))
    room = np.empty((chunks, 1, QUERIES, KEYS), np.float32)
    packed = aligned(chunks, 1, -(-keys // COLUMNS), d, COLUMNS)
    numbers = lead[1], queries, keys, d, d_v, int(causal), *_dropping(dropout, seed)
    factors = np.float32(scale), np.float32(1.0 - dropout)
    launch(_forward, _forward_loop, chunks, items, lse, *operands, *added, numbers, factors, room, packed)
    del kept, held  # they lived until here, with the addresses in use
    return y, lse


def attention_grad(g, q, k, v, y, lse, bias, mask, causal, scale, dropout, seed):
    """The cotangents of q, k and v, each of its broadcast shape."""
    lead = y.shape[:2]
    queries, keys, d, d_v = q.shape[2], k.shape[2], q.shape[3], v.shape[3]
    results = [_heads_last(lead, rows, n) for rows, n in ((queries, d), (keys, d), (keys, d_v))]
    if not y.size or not keys:
        return results
    operands, kept = zip(*(_operand(a, lead) for a in (g, q, k, v, y, *results)))
    added, held = zip(*(_added(a, (*lead, queries, keys)) for a in (bias, mask)))
    pairs = lead[0] * lead[1]
    chunks = _chunks(pairs, pairs * queries * keys * (d + d_v))
    room = np.empty((chunks, 2, QUERIES, KEYS), np.float32)
    packed = aligned(chunks, 2, -(-keys // COLUMNS), max(d, d_v), COLUMNS)
    numbers = lead[1], queries, keys, d, d_v, int(causal), *_dropping(dropout, seed)
    factors = np.float32(scale), np.float32(1.0 - dropout)
    launch(_backward, _backward_loop, chunks, pairs, lse, *operands, *added, numbers, factors, room, packed)
    del kept, held
    return results

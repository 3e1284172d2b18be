"""Attention without the matrix of weights: scores are made a block of queries and keys at a time, in cache,
and turned into weights there (Milakov and Gimelshein 2018; Rabe and Staats 2021; Dao et al. 2022). What is
kept of them is one number a query, the logarithm of its sum of exponentials, from which backward makes them
again.

An operand is (address, strides of batch, head and row in elements); its last axis is contiguous. So heads
that lie side by side, broadcast axes and masks of any shape are read where they are. What a block of scores
is multiplied with is copied to where the tile reads it fastest: keys and values of a head into panels of
COLUMNS columns, queries, times the scale, and cotangents of a block into rows of `wide` numbers.
"""

import numpy as np
from llvmlite import ir
from numba import types, uint64
from numba.extending import intrinsic

from .compiling import REASSOCIATE, kernel
from .loops import chunks_of, loop, use_wide_vectors
from .mathf import exp
from .packing import pack_panels
from .patches import aligned
from .simd import COLUMNS, ROWS, floats_at, integers_at, tile
from .threads import get_num_threads

# Of a block: its scores fill a fraction of a core's L2; keys are whole panels.
QUERIES, KEYS = 10 * ROWS, 256 // COLUMNS * COLUMNS
LINE = KEYS + 16  # numbers from row to row of the scores: with a power of 2, columns would share cache lines
NOTHING = (0, 0, 0, 0, 0)
BIAS, MASK, OPERANDS = 9, 14, 19  # where these begin among a kernel's numbers


@intrinsic
def bytes_at(typingctx, address):
    """A byte address as a pointer to uint8, to be indexed."""

    def codegen(context, b, signature, arguments):
        return b.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.CPointer(types.uint8)(types.intp), codegen


@kernel()
def _copy(source, source_row, target, target_row, rows, columns, factor):
    use_wide_vectors()
    for i in range(rows):
        s, t = floats_at(source + 4 * i * source_row), floats_at(target + 4 * i * target_row)
        for j in range(columns):
            t[j] = s[j] * factor


@kernel()
def _as_rows(source, row, count, width, panels, factor):
    """Rows times a factor: panels (width / COLUMNS, count, COLUMNS)."""
    for j in range(0, width, COLUMNS):
        columns = min(COLUMNS, width - j)
        _copy(source + 4 * j, row, panels + 4 * j * count, COLUMNS, count, columns, factor)


@kernel()
def _against(x, wide, rows, panels, first, count, depth, out, reach):
    """out[i, j] = x[i] . key[first + j], first a multiple of COLUMNS; row i reaches the first reach + i keys,
    and what lies beyond is left out by whole tiles."""
    for j in range(0, count, COLUMNS):
        columns = min(COLUMNS, count - j)
        for i in range(0, rows, ROWS):
            part = min(ROWS, rows - i)
            if j < reach + i + part - 1:
                w, y = panels + 4 * (first + j) * depth, out + 4 * (i * LINE + j)
                tile(x + 4 * i * wide, wide, 1, w, COLUMNS, depth, y, LINE, part, columns, 0)


@kernel()
def _weighted(x, rows, count, panels, first, keys, width, y, y_row, accumulate, reach):
    """y[i] (+)= sum over k of x[i, k] value[first + k], for rows that reach as in `_against`."""
    for j in range(0, width, COLUMNS):
        columns, w = min(COLUMNS, width - j), panels + 4 * (j * keys + first * COLUMNS)
        for i in range(0, rows, ROWS):
            part = min(ROWS, rows - i)
            depth = min(count, reach + i + part - 1)
            if depth > 0:
                u, v = x + 4 * i * LINE, y + 4 * (i * y_row + j)
                tile(u, LINE, 1, w, COLUMNS, depth, v, y_row, part, columns, accumulate)


@kernel()
def _back(x, rows, count, w, wide, width, y, y_row, accumulate, reach):
    """y[k] (+)= sum over i of x[i, k] w[i], the transpose of `_weighted`."""
    for j in range(0, width, COLUMNS):
        columns = min(COLUMNS, width - j)
        for k in range(0, count, ROWS):
            i = max(k + 1 - reach, 0)
            if i < rows:
                u, v = x + 4 * (i * LINE + k), w + 4 * (i * wide + j)
                z, part = y + 4 * (k * y_row + j), min(ROWS, count - k)
                tile(u, 1, LINE, v, wide, rows - i, z, y_row, part, columns, accumulate)


@kernel()
def _seen(scores, count, t, k0, bias, mask, b, h):
    """Adds the bias to the scores of query t with keys k0..k0 + count, and sets those it may not look at to
    -infinity."""
    if bias[0] != 0:
        added, start = floats_at(bias[0]), b * bias[1] + h * bias[2] + t * bias[3] + k0 * bias[4]
        for j in range(count):
            scores[j] += added[start + j * bias[4]]
    if mask[0] != 0:
        looks, start = bytes_at(mask[0]), b * mask[1] + h * mask[2] + t * mask[3] + k0 * mask[4]
        for j in range(count):
            if looks[start + j * mask[4]] == 0:
                scores[j] = -np.float32(np.inf)


@kernel()
def _drop(weights, count, first, threshold, seed, kept):
    """Sets weights that are dropped to 0 and divides the others by `kept`; `first` is the place of the first
    among all. The numbers are those of ops/attention.py, `kept_weights`."""
    use_wide_vectors()
    for j in range(count):
        z = uint64(first + j + 1) * uint64(0x9E3779B97F4A7C15) + uint64(seed)
        z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
        z ^= z >> uint64(31)
        weights[j] = weights[j] / kept if (z >> uint64(40)) >= uint64(threshold) else np.float32(0)


@kernel()
def _largest(scores, count):
    """The maximum, by integers in the order of the floats: of these LLVM takes maxima in vectors."""
    use_wide_vectors()
    top = np.int32(-0x7F800001)  # -infinity
    for j in range(count):
        bits = np.float32(scores[j]).view(np.int32)
        top = max(top, np.int32(bits ^ np.int32(np.int32(bits >> 31) & 0x7FFFFFFF)))
    return np.int32(top ^ np.int32(np.int32(top >> 31) & 0x7FFFFFFF)).view(np.float32)


@kernel(fastmath=REASSOCIATE)
def _exponentials(scores, count, top):
    """Turns scores into e^(score - top), and returns their sum."""
    use_wide_vectors()
    total = np.float32(0)
    for j in range(count):
        e = exp(scores[j] - top)
        scores[j] = e
        total += e
    return total


@kernel(fastmath=REASSOCIATE)
def _slopes(scores, slopes, count, lse, dot):
    """Turns scores into weights, e^(score - lse), and slopes into weight * (slope - dot)."""
    use_wide_vectors()
    for j in range(count):
        e = exp(scores[j] - lse)
        scores[j] = e
        slopes[j] = e * (slopes[j] - dot)


@kernel(fastmath=REASSOCIATE)
def _dot(a, b, count):
    a, b = floats_at(a), floats_at(b)
    total = np.float32(0)
    for j in range(count):
        total += a[j] * b[j]
    return total


@kernel(forceinline=True)
def _clear(line, first, last):
    for j in range(first, last):
        line[j] = 0


@kernel(forceinline=True)
def _numbers(n):
    return n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]


@kernel(forceinline=True)
def _added(n, k):
    return n[k], n[k + 1], n[k + 2], n[k + 3], n[k + 4]


@kernel(forceinline=True)
def _at(n, operand, b, h, row):
    """The address of a row of an operand."""
    k = OPERANDS + 4 * operand
    return n[k] + 4 * (b * n[k + 1] + h * n[k + 2] + row * n[k + 3])


@kernel(forceinline=True)
def _row(n, operand):
    """How far apart the rows of an operand are."""
    return n[OPERANDS + 4 * operand + 3]


@loop
def _forward(chunk, first, last, wide, at):
    """Blocks first..last of queries, those of one head after the other. Operands: q, k, v, y."""
    at = integers_at(at)
    n, factors, lse = integers_at(at[0]), floats_at(at[1]), floats_at(at[2])
    heads, queries, keys, d, d_v, causal, threshold, seed = _numbers(n)
    bias, mask = _added(n, BIAS), _added(n, MASK)
    of_k = at[3] + 4 * chunk * n[8]
    of_v = of_k + 4 * (keys + COLUMNS) * wide
    x = of_v + 4 * (keys + COLUMNS) * wide
    scores = x + 4 * QUERIES * wide
    top, total = np.empty(QUERIES, np.float32), np.empty(QUERIES, np.float32)
    blocks = (queries + QUERIES - 1) // QUERIES
    done = -1
    for item in range(first, last):
        pair, block = item // blocks, item % blocks
        b, h = pair // heads, pair % heads
        if pair != done:
            pack_panels(_at(n, 1, b, h, 0), 1, _row(n, 1), keys, d, of_k, d * COLUMNS)
            _as_rows(_at(n, 2, b, h, 0), _row(n, 2), keys, d_v, of_v, np.float32(1))
            done = pair
        t0 = queries * block // blocks
        rows = queries * (block + 1) // blocks - t0
        _copy(_at(n, 0, b, h, t0), _row(n, 0), x, wide, rows, d, factors[0])
        y, y_row = _at(n, 3, b, h, t0), _row(n, 3)
        for i in range(rows):
            top[i], total[i] = -np.float32(np.inf), 0
        for k0 in range(0, min(keys, t0 + rows) if causal else keys, KEYS):
            count = min(KEYS, keys - k0)
            reach = t0 + 1 - k0 if causal else count  # of the first query; the next one's is 1 more
            _against(x, wide, rows, of_k, k0, count, d, scores, reach)
            for i in range(rows):
                line, t = floats_at(scores + 4 * i * LINE), t0 + i
                seen = min(max(reach + i, 0), count)
                _clear(line, seen, min(count, seen + ROWS))
                if seen == 0:
                    continue
                _seen(line, seen, t, k0, bias, mask, b, h)
                largest = max(top[i], _largest(line, seen))
                base = largest if largest > -np.float32(np.inf) else np.float32(0)
                shrink = exp(top[i] - base)
                total[i] = total[i] * shrink + _exponentials(line, seen, base)
                if k0 > 0 and largest > top[i]:
                    out = floats_at(y + 4 * i * y_row)
                    for j in range(d_v):
                        out[j] *= shrink
                top[i] = largest
                if threshold > 0:
                    _drop(line, seen, (pair * queries + t) * keys + k0, threshold, seed, factors[1])
            _weighted(scores, rows, count, of_v, k0, keys, d_v, y, y_row, k0, reach)
        for i in range(rows):
            out = floats_at(y + 4 * i * y_row)
            inverse = np.float32(1) / total[i] if total[i] > 0 else np.float32(0)
            for j in range(d_v):
                out[j] *= inverse
            base = top[i] + np.float32(np.log(total[i])) if total[i] > 0 else np.float32(np.inf)
            lse[pair * queries + t0 + i] = base


@loop
def _backward(chunk, first, last, wide, at):
    """Heads first..last. Operands: q, k, v, y, g and the cotangents of q, k, v. With w the weights, w' what
    dropout left of them, and D = g . y of each query:

    to_v = w'^T g,  s = w * (dropped(g v^T) - D),  to_q = s (scale k),  to_k = s^T (scale q)"""
    at = integers_at(at)
    n, factors, lse = integers_at(at[0]), floats_at(at[1]), floats_at(at[2])
    heads, queries, keys, d, d_v, causal, threshold, seed = _numbers(n)
    bias, mask = _added(n, BIAS), _added(n, MASK)
    of_k = at[3] + 4 * chunk * n[8]
    of_v = of_k + 4 * (keys + COLUMNS) * wide
    k_rows = of_v + 4 * (keys + COLUMNS) * wide
    x = k_rows + 4 * (keys + COLUMNS) * wide
    g = x + 4 * QUERIES * wide
    scores = g + 4 * QUERIES * wide
    slopes = scores + 4 * QUERIES * LINE
    blocks = (queries + QUERIES - 1) // QUERIES
    for pair in range(first, last):
        b, h = pair // heads, pair % heads
        pack_panels(_at(n, 1, b, h, 0), 1, _row(n, 1), keys, d, of_k, d * COLUMNS)
        pack_panels(_at(n, 2, b, h, 0), 1, _row(n, 2), keys, d_v, of_v, d_v * COLUMNS)
        _as_rows(_at(n, 1, b, h, 0), _row(n, 1), keys, d, k_rows, factors[0])
        for block in range(blocks):
            t0 = queries * block // blocks
            rows = queries * (block + 1) // blocks - t0
            _copy(_at(n, 0, b, h, t0), _row(n, 0), x, wide, rows, d, factors[0])
            _copy(_at(n, 4, b, h, t0), _row(n, 4), g, wide, rows, d_v, np.float32(1))
            onto = t0 + causal  # what is added to; with `causal` the caller clears it
            for k0 in range(0, min(keys, t0 + rows) if causal else keys, KEYS):
                count = min(KEYS, keys - k0)
                reach = t0 + 1 - k0 if causal else count
                _against(x, wide, rows, of_k, k0, count, d, scores, reach)
                _against(g, wide, rows, of_v, k0, count, d_v, slopes, reach)
                for i in range(rows):
                    line, slope, t = (
                        floats_at(scores + 4 * i * LINE),
                        floats_at(slopes + 4 * i * LINE),
                        t0 + i,
                    )
                    seen = min(max(reach + i, 0), count)
                    _clear(line, seen, min(count, seen + ROWS))
                    _clear(slope, seen, min(count, seen + ROWS))
                    if seen == 0:
                        continue
                    _seen(line, seen, t, k0, bias, mask, b, h)
                    dot, place = (
                        _dot(g + 4 * i * wide, _at(n, 3, b, h, t), d_v),
                        (pair * queries + t) * keys + k0,
                    )
                    if threshold > 0:
                        _drop(slope, seen, place, threshold, seed, factors[1])
                    _slopes(line, slope, seen, lse[pair * queries + t], dot)
                    if threshold > 0:
                        _drop(line, seen, place, threshold, seed, factors[1])
                to_k, to_v, to_q = _at(n, 6, b, h, k0), _at(n, 7, b, h, k0), _at(n, 5, b, h, t0)
                _back(scores, rows, count, g, wide, d_v, to_v, _row(n, 7), onto, reach)
                _back(slopes, rows, count, x, wide, d, to_k, _row(n, 6), onto, reach)
                _weighted(slopes, rows, count, k_rows, k0, keys, d, to_q, _row(n, 5), k0, reach)


def _operand(a, lead):
    """The numbers of an operand for the kernels, and the array that they are of."""
    if a.strides[-1] != 4 or any(s % 4 for s in a.strides):
        a = np.ascontiguousarray(a)
    a = np.broadcast_to(a, (*lead, *a.shape[-2:]))
    return (a.ctypes.data, *(s // 4 for s in a.strides[:3])), a


def _optional(a, shape):
    """The same for a bias or mask, None for none: strides of all four axes."""
    if a is None:
        return NOTHING, None
    a = np.broadcast_to(a, shape)
    return (a.ctypes.data, *(s // a.itemsize for s in a.strides)), a


def _laid_out_like(a, lead, rows, width, make=np.empty):
    """Room for (batch, heads, rows, width): where the heads of a row lie side by side in `a`, as projections
    give them and what follows attention wants them, here too."""
    if 0 < a.strides[1] < a.strides[2]:
        return make((lead[0], rows, lead[1], width), np.float32).swapaxes(1, 2)
    return make((*lead, rows, width), np.float32)


def _run(body, items, copies, operands, lse, bias, mask, causal, scale, dropout, seed):
    """Runs a kernel over its items, with room for `copies` of a head's keys and as many blocks less one. Each
    query and each head is a sum of its own, so the number of chunks, as many as threads for the sake of
    scratch, changes no bit."""
    q, k, v, y = operands[:4]
    lead, (queries, d), (keys, d_v) = y.shape[:2], q.shape[2:], v.shape[2:]
    operations = lead[0] * lead[1] * queries * keys * (d + d_v)
    chunks = min(chunks_of(items, operations), get_num_threads())
    wide = -(-max(d, d_v) // COLUMNS) * COLUMNS
    size = copies * (keys + COLUMNS) * wide + (copies - 1) * QUERIES * (wide + LINE)
    places, held = zip(*(_operand(a, lead) for a in operands))
    added, kept = zip(*(_optional(a, (*lead, queries, keys)) for a in (bias, mask)))
    signed = int(np.uint64(seed).astype(np.int64))  # the same bits
    numbers = [lead[1], queries, keys, d, d_v, causal, round(dropout * 2**24), signed, size]
    numbers = np.array([*numbers, *(n for a in (*added, *places) for n in a)], np.int64)
    factors = np.array([scale, 1.0 - dropout], np.float32)
    body(chunks, items, wide, numbers, factors, lse, aligned(chunks, size))
    del held, kept  # they lived until here, with the addresses in use


def attention(q, k, v, bias, mask, causal, scale, dropout, seed):
    """y (batch, heads, T_q, d_v) and the logarithm of each query's sum of exponentials, (batch * heads, T_q),
    infinite where a query may look nowhere. All are float32 of four axes, the first two broadcast."""
    lead, queries = np.broadcast_shapes(q.shape[:2], k.shape[:2], v.shape[:2]), q.shape[2]
    y, lse = _laid_out_like(q, lead, queries, v.shape[3]), np.empty((lead[0] * lead[1], queries), np.float32)
    if not y.size or not k.shape[2]:
        y.fill(0)
        lse.fill(np.inf)
        return y, lse
    items = len(lse) * -(-queries // QUERIES)
    _run(_forward, items, 2, (q, k, v, y), lse, bias, mask, causal, scale, dropout, seed)
    return y, lse


def attention_grad(g, q, k, v, y, lse, bias, mask, causal, scale, dropout, seed):
    """The cotangents of q, k and v, each of its broadcast shape."""
    lead, empty = y.shape[:2], not y.size or not k.shape[2]
    clear = np.zeros if causal or empty else np.empty  # a key that no query sees
    to_q = _laid_out_like(q, lead, *q.shape[2:], np.zeros if empty else np.empty)
    to_k, to_v = (_laid_out_like(a, lead, *a.shape[2:], clear) for a in (k, v))
    if not empty:
        operands = q, k, v, y, g, to_q, to_k, to_v
        _run(_backward, len(lse), 3, operands, lse, bias, mask, causal, scale, dropout, seed)
    return [to_q, to_k, to_v]

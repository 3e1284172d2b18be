"""Matrix products of float32: c = a b + bias or max(a b + bias, 0), of any size and strides, one or many at a
time.

The innermost work is a tile of `simd`: ROWS rows of a times a panel of COLUMNS columns of b. The rest brings
the operands near to it (Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication"):

    a block of b, DEPTH x 1024, is packed into panels, each contiguous and aligned: NumPy's arrays begin 16
        bytes into a cache line, so loads of 64 would cross lines, and a tile run 12% slower
    a block of a, 6 ROWS x DEPTH, is packed where it serves many panels: in slivers of ROWS rows, which are
        one stream each; rows 4 kB apart would push each other out of the cache
    panel by panel, the tiles of the block

One panel (32 kB) stays in the first cache, one block of a (86 kB) and of b (1 MB) in the second. Where c is
large the blocks are 18 ROWS x DEPTH (258 kB) and DEPTH x 2048 (2 MB): that of b overflows into the third
cache, but a panel from there serves three times as many rows, and a is packed half as often. That is up to
4% of a product of (2048, 2048), 1% of one of (1024, 1024).

Where many matrices follow each other, the tiles of one product ask for the operands of the next, so that none
waits for the third cache: 5, 11 and 16% of the time of 64 products of (128, 64) by (64, 128) and of their two
gradients.

A transposed operand is read where it lies: the tile takes a either way, and packing turns b around. Each
thread multiplies rows, or columns, of c of its own. An element of c is the same sequence of additions however
the work is cut, so the number of threads changes no bit. The kernels are handed addresses only: so any
strides compile once.

Error against float64 over standard normal inputs: 1.2e-7 of sqrt(k), the size of an element of c.
"""

import functools
import itertools
import math

import numpy as np

from . import threads
from .compiling import kernel
from .loops import _DATA, _FLOAT32, _call, _chunks, _word_at, loop
from .packing import pack_panels, pack_slivers
from .patches import LINE, aligned, rectify
from .simd import COLUMNS, LANES, ROWS, TAILS, integers_at, tile_ahead

DEPTH = 256
BLOCKS = 6 * ROWS, 1024 // COLUMNS * COLUMNS  # rows of a, columns of b
LARGE_BLOCKS = 18 * ROWS, 2048 // COLUMNS * COLUMNS
# Elements that the second caches do not hold: of c, from which the large blocks pay; of a, b and c together,
# from which asking for the next matrices pays, which costs 1% where they are near.
LARGE = 1 << 20
PARALLEL = 1 << 20  # multiply-adds from which a second thread saves more than its launch costs
# Elements of c from which it is to begin with a cache line: a tile of rows that do touches two lines in each
# and not three, which is 8 to 20% of the time of a large product, once c is no longer in the caches. Where
# two threads write to the same rows it always is: a line of both goes back and forth between them in every
# row, 4 of 21 us at (128, 128) by (128, 128).
ALIGN = 1 << 17
# Fitted to the times of 34 sizes and their transposes, each packed and cut in every way; in rows of a tile.
# To pack a number of b; to pack one of a, or of b turned around. How much longer a tile takes where a or b is
# not packed: a near, b, or either far apart, so that a step of the depth is another page and the same few
# lines of the first cache. And where two threads write to the same rows of c.
COPY, TURN, NEAR, FAR, LOOSE, ACROSS = 0.2, 0.4, 1.02, 1.3, 1.06, 1.04


@kernel()
def _rows(a, a_row, a_step, w, panel, w_row, c, c_row, bias, size, accumulate, block, packed, relu, ahead):
    """c (m, n) (+)= a (m, depth) w (depth, n), w in panels, `block` rows of a at a time, which are packed if
    `packed` has room; then the maximum with 0 if `relu`, while these rows are near. `ahead` is what to ask
    for meanwhile: where, how many numbers, and the same again."""
    m, n, depth = size
    next_a, of_a, next_b, of_b = ahead
    asked = 0
    for i0 in range(0, m, block):
        i1 = min(m, i0 + block)
        x, x_row, x_step, x_next = a + 4 * i0 * a_row, a_row, a_step, a_row
        if packed != 0:
            pack_slivers(x, a_row, a_step, i1 - i0, depth, packed)
            x, x_row, x_step, x_next = packed, 1, ROWS, depth
        for j in range(0, n, COLUMNS):
            columns = min(COLUMNS, n - j)
            v = w + 4 * (j // COLUMNS) * panel
            for i in range(i0, i1, ROWS):
                rows = min(ROWS, i1 - i)
                u, y = x + 4 * (i - i0) * x_next, c + 4 * (i * c_row + j)
                start, start_row = y, c_row
                if accumulate == 0:
                    start, start_row = bias + 4 * j if bias != 0 else 0, 0
                after = 0
                if asked < of_a + of_b:
                    after = next_a + 4 * asked if asked < of_a else next_b + 4 * (asked - of_a)
                    asked += LINE // 4 * depth
                tile_ahead(
                    u, x_row, x_step, v, w_row, depth, y, c_row, rows, columns, start, start_row, after
                )
        if relu != 0:
            rectify(c + 4 * i0 * c_row, c_row, i1 - i0, n)


@loop
def _multiply(chunk, first, last, width, at):
    """Parts first..last of all products: each product is cut into down * across. `at` has the addresses of a,
    b, c, bias, scratch and the plan."""
    at = integers_at(at)
    plan = integers_at(at[5])
    m, n, k, deep = plan[0], plan[1], plan[2], plan[3]
    a_row, a_step, b_row, b_step = plan[4], plan[5], plan[6], plan[7]
    a_at, pack_b, panel, down, across = plan[8], plan[9], plan[10], plan[11], plan[12]
    scratch, biased, onto, relu = plan[13], plan[14], plan[15], plan[16]
    block, block_columns, of_a, of_b, axes = plan[17], plan[18], plan[19], plan[20], plan[21]
    packed_b = (at[4] + 63 & ~63) + 4 * chunk * scratch
    packed_a = packed_b + 4 * a_at if a_at >= 0 else 0
    panels = (n + COLUMNS - 1) // COLUMNS
    for item in range(first, last):
        product, part = item // (down * across), item % (down * across)
        top, bottom = part // across * m // down, (part // across + 1) * m // down
        left = part % across * panels // across * COLUMNS
        right = min((part % across + 1) * panels // across * COLUMNS, n)
        a, b = top * a_row, left * b_step
        rest = product
        for axis in range(axes):  # the last batch axis first
            length, step_a, step_b = plan[22 + 3 * axis], plan[23 + 3 * axis], plan[24 + 3 * axis]
            a, b, rest = a + rest % length * step_a, b + rest % length * step_b, rest // length
        a, b, c = at[0] + 4 * a, at[1] + 4 * b, at[2] + 4 * ((product * m + top) * n + left)
        bias = at[3] + 4 * left if biased else 0
        for j in range(0, right - left, block_columns):
            columns = min(block_columns, right - left - j)
            for d in range(0, k, deep):
                depth = min(deep, k - d)
                w, w_panel, w_row = b + 4 * (d * b_row + j * b_step), COLUMNS, b_row
                if pack_b:
                    pack_panels(w, b_row, b_step, columns, depth, packed_b, panel)
                    w, w_panel, w_row = packed_b, panel, COLUMNS
                _rows(
                    a + 4 * d * a_step,
                    a_row,
                    a_step,
                    w,
                    w_panel,
                    w_row,
                    c + 4 * j,
                    n,
                    bias + 4 * j if biased else 0,
                    (bottom - top, columns, depth),
                    d + onto,
                    block,
                    packed_a,
                    relu if d + depth == k else 0,
                    (a + 4 * of_a, of_a, b + 4 * of_b, of_b),
                )


@kernel()
def _alone(address, items, a, b, c, bias, scratch, plan):
    """`_multiply` in this thread, with less ado: a small product takes no longer than this call."""
    at = np.empty(6, np.intp)
    at[0], at[1], at[2] = _word_at(a + _DATA), _word_at(b + _DATA), _word_at(c + _DATA)
    at[3], at[4], at[5] = _word_at(bias + _DATA), _word_at(scratch + _DATA), _word_at(plan + _DATA)
    _call(address, 0, 0, items, 0, at)


def _even(n, most):
    """The length of steps of at most `most` that are equal, but for the last, and as few as may be."""
    return -(-n // -(-n // most))


def _row_cost(rows):
    """The time of `rows` rows of tiles, in rows: one with fewer rows loads as much of b."""
    tail = rows % ROWS
    return rows // ROWS * (ROWS + 1) + (min(t for t in TAILS if t >= tail) + 2.5 if tail else 0)


def _layout(m, n, parts, a_far, b_far, b_turned):
    """(pack_a, pack_b, down, across): what to pack, and into how many parts to cut the rows and the columns
    of c, so that the largest part takes least time. Parts pack for themselves: to pack b together and wait
    for each other, and then to fetch half of it from the other processor, was 4 to 8% slower."""
    best = math.inf, ()
    panels = -(-n // COLUMNS)
    for down in range(parts, 0, -1):
        across = parts // down
        rows, columns = -(-m // down), -(-panels // across) * COLUMNS
        for pack_a, pack_b in itertools.product((False, True), (True,) if b_turned else (False, True)):
            time = _row_cost(rows) * columns / COLUMNS
            time *= 1 if pack_a else FAR if a_far else NEAR
            time *= 1 if pack_b else FAR if b_far else LOOSE
            time += TURN * rows * pack_a + (TURN if b_turned else COPY) * columns * pack_b
            time *= ACROSS if across > 1 else 1
            best = min(best, (time, (pack_a, pack_b, down, across)), key=lambda found: found[0])
    return best[1]


@functools.lru_cache(1024)
def _plan(a_shape, a_strides, b_shape, b_strides, biased, onto, relu, workers):
    """How to multiply: (shape of c, whether aligning it pays, elements of scratch, chunks, parts, the numbers
    that `_multiply` takes). None where an operand has no axis of neighbours among its last two, and is to be
    copied."""
    (*a_batch, m, k), (*b_batch, k_of_b, n) = a_shape, b_shape
    if k != k_of_b:
        raise ValueError(f"a has {k} columns, b has {k_of_b} rows")
    batch = np.broadcast_shapes(tuple(a_batch), tuple(b_batch))
    shape, count = (*batch, m, n), math.prod(batch)
    if count * m * n * k == 0:
        return shape, False, 0, 0, 0, None
    strides = [s // 4 for s in (*a_strides, *b_strides)]
    (*of_a, a_row, a_step), (*of_b, b_row, b_step) = strides[: len(a_shape)], strides[len(a_shape) :]
    if any(s % 4 for s in (*a_strides, *b_strides)) or 1 not in (a_row, a_step) or 1 not in (b_row, b_step):
        return None
    if count * m * n * k < PARALLEL:
        workers = 1
    # Many products are dealt out whole; a few are cut.
    parts = 1 if count % workers == 0 or count >= 8 * workers else workers
    deep = _even(-(-k // LANES), DEPTH // LANES) * LANES
    pack_a, pack_b, down, across = _layout(
        m, n, parts, a_step * deep > 1 << 13, k * b_row > 1 << 18, b_step != 1
    )
    chunks = min(workers, count * down * across)
    panel = (deep + 1) * COLUMNS  # no power of 2
    # A short product is mostly writing c: along its rows, then, and not down a panel.
    short = deep <= 128
    rows = -(-m // down)
    block, block_columns = LARGE_BLOCKS if m * n >= LARGE and not short else BLOCKS
    block = ROWS if short else _even(-(-rows // ROWS), block // ROWS) * ROWS
    room_b = -(-min(n, block_columns) // COLUMNS) * panel * pack_b
    room_a = -(-(block * deep + LANES) // LINE) * LINE * pack_a  # a vector more: see transpose_rows
    scratch = room_b + room_a
    axes = []  # the last first: its length, and how far apart the matrices of a and of b are
    for axis, length in enumerate(reversed(batch)):
        axes += [length]
        for own, stride in ((a_batch, of_a), (b_batch, of_b)):
            axes += [stride[-1 - axis] if axis < len(own) and own[-1 - axis] > 1 else 0]
    far = count * (m * k + k * n + m * n) >= LARGE and parts == 1 and k <= deep and n <= block_columns
    ahead = [m * k * (axes[1] == m * k), k * n * (axes[2] == k * n)] if batch and far else [0, 0]
    numbers = [m, n, k, deep, a_row, a_step, b_row, b_step]
    numbers += [room_b if pack_a else -1, pack_b, panel, down, across]
    numbers += [scratch, biased, onto, relu, block, block_columns, *ahead, len(batch), *axes]
    align = across > 1 or count * m * n >= ALIGN
    return shape, align, scratch * chunks + 16, chunks, count * down * across, np.array(numbers, np.int64)


def product(a, b, bias=None, onto=None, relu=False):
    """a (..., m, k) b (..., k, n), the leading axes broadcast, plus bias (n,) in every row: float32 arrays of
    any strides, result (..., m, n). With `onto`, a C-contiguous array of that shape, the result is added to
    it in place. `relu` takes the maximum of all that and 0, where NaN stays. Raises ValueError where the
    shapes do not fit."""
    biased, adds = bias is not None, onto is not None
    plan = _plan(a.shape, a.strides, b.shape, b.strides, biased, adds, relu, threads.available())
    if plan is None:
        return product(np.ascontiguousarray(a), np.ascontiguousarray(b), bias, onto, relu)
    shape, align, room, chunks, parts, numbers = plan
    if adds:
        c = onto
    else:
        c = aligned(*shape) if align else np.empty(shape, np.float32)
    if biased and adds:
        c += bias  # the tile begins from one or the other
    if numbers is None:  # nothing to add up
        if not adds:
            c[...] = bias if biased else 0
        return np.maximum(c, 0, out=c) if relu else c
    bias = np.ascontiguousarray(bias) if biased else c
    scratch = np.empty(room, np.float32)
    objects = id(a), id(b), id(c), id(bias), id(scratch), id(numbers)
    if chunks == 1:
        _alone(_multiply.address, parts, *objects)
    else:
        with threads.turn():
            _chunks(chunks, parts, _FLOAT32, _multiply.address, 0, np.array(objects))
    return c

"""Tables of rows in float32: reading rows by index, adding into them, and steps of an optimizer over a few.

Indices repeat. For a whole table, rows are first sorted by where they go (`grouped`), and a thread clears its
part of the table just before it adds to it. A step over a few rows deals them out (`RowUpdate`). In both each
row of a table belongs to one thread and sums are taken in the order of the indices, so that the number of
threads changes no bit."""

import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from .compiling import kernel
from .loops import chunks_of, loop, use_wide_vectors
from .operands import floats, run, wholes
from .patches import LINE
from .simd import POINTER, prefetch
from .threads import available, ready
from .update import AHEAD, PIECE, UNCHANGED, Update


@loop
def _gather(chunk, first, last, width, at):
    use_wide_vectors()
    numbers, indices = carray(at[0], (2,), np.int64), carray(at[1], (last,), np.int64)
    table, y = carray(at[2], (numbers[0], width), np.float32), carray(at[3], (last, width), np.float32)
    for k in range(first, last):
        row = indices[k]
        if row < 0 or row >= numbers[0]:
            numbers[1] = 1
            return
        for v in range(width):
            y[k, v] = table[row, v]


def gather(table, indices):
    """table[indices]: table (rows, ...) of float32, integers of any shape, neither empty. None where an index
    lies outside of the table."""
    y = np.empty((*indices.shape, *table.shape[1:]), np.float32)
    numbers, n = np.array([len(table), 0]), indices.size
    flat, table = np.ascontiguousarray(indices, np.int64), np.ascontiguousarray(table)
    _gather(chunks_of(n, 2 * y.size), n, y.size // n, numbers, flat, table, y)
    return None if numbers[1] else y


@kernel()
def _join(indices, bits, keys):
    for k in range(keys.size):
        keys[k] = indices[k] << bits | k


@kernel()
def _split(keys, bits, used, starts, order):
    """Fills what `grouped` returns, and says how many groups there are. Writes on rather than asks whether a
    group begins, which nobody can foresee."""
    group, before = -1, np.int64(-1)
    starts[0] = 0
    for k in range(keys.size):
        row = np.int64(keys[k]) >> bits
        order[k] = np.int64(keys[k]) & ((1 << bits) - 1)
        group += row != before
        used[group], starts[group + 1], before = row, k + 1, row
    return group + 1


def grouped(indices, rows):
    """Indices (n,) under `rows` in groups of equals: the different ones, ascending; where each group starts,
    with the end behind the last; and the places of all, group by group in order. Raises IndexError for
    others, since kernels write where these say."""
    n = len(indices)
    bits = max(n - 1, 1).bit_length()
    kind = np.int32 if rows << bits <= 1 << 31 else np.int64
    # a number and its place in one: faster than a stable argsort, and in int32 twice as fast again
    keys = np.empty(n, kind)
    used, starts, order = np.empty(n, np.int64), np.empty(n + 1, np.int64), np.empty(n, np.int64)
    _join(ready(indices, np.int64), bits, keys)
    keys.sort()
    groups = _split(keys, bits, used, starts, order)
    if n and not 0 <= used[0] <= used[groups - 1] < rows:  # written into since they were checked
        raise IndexError(f"rows {used[0]} to {used[groups - 1]} of a table of {rows}")
    return used[:groups], starts[: groups + 1], order


@kernel()
def _add_group(values, order, start, end, out):
    use_wide_vectors()
    for k in range(start, end):
        row = values[order[k]]
        for v in range(out.size):
            out[v] += row[v]


@loop
def _scatter(chunk, first, last, width, at):
    values, used, starts = floats(at, 0)[0, 0], wholes(at, 1)[0, 0, 0], wholes(at, 2)[0, 0, 0]
    order, table = wholes(at, 3)[0, 0, 0], floats(at, 4)[0, 0]
    cleared = table[first:last].reshape(-1)
    for i in range(cleared.size):
        cleared[i] = 0
    j = np.searchsorted(used, first)
    while j < len(used) and used[j] < last:
        _add_group(values, order, starts[j], starts[j + 1], table[used[j]])
        j += 1


def scatter(values, groups, shape):
    """A table of `shape`, (rows, ...), of zeros with values (n, width) added at the indices that were
    `grouped`."""
    table = np.empty(shape, np.float32)
    rows, width = shape[0], values.shape[1]
    arrays = values, *groups, table.reshape(rows, width)
    run(_scatter, chunks_of(rows, table.size + 2 * values.size), rows, arrays, ())
    return table


@loop
def _sums(chunk, first, last, width, at):
    values, starts, order = floats(at, 0)[0, 0], wholes(at, 1)[0, 0, 0], wholes(at, 2)[0, 0, 0]
    sums = floats(at, 3)[0, 0]
    for j in range(first, last):
        for v in range(sums.shape[1]):
            sums[j, v] = 0
        _add_group(values, order, starts[j], starts[j + 1], sums[j])


def sums(values, groups):
    """The sum of values (n, width) over each group."""
    used, starts, order = groups
    out = np.empty((len(used), values.shape[1]), np.float32)
    run(_sums, chunks_of(len(used), 2 * values.size), len(used), (values, starts, order, out), ())
    return out


_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: multiples of it are spread evenly


@kernel()
def _deal(indices, rows, part, parts, places, own):
    """Fills places and own with the places of this part's rows among the indices, and the rows. Returns their
    number, or -1 if some index lies outside. Writes on rather than asks whose a row is, which nobody can
    foresee."""
    count, outside = 0, False
    for k in range(len(indices)):
        row = indices[k]
        outside |= (row < 0) | (row >= rows)
        places[count], own[count] = k, row
        share = (np.uint64(row) * _MIX >> np.uint64(32)) * np.uint64(parts) >> np.uint64(32)
        count += np.int64(share) == part
    return -1 if outside else count


@kernel()
def _link(own, following, heads):
    """Fills following[i] with the next i of the same row, -1 for the last, and heads, one longer, with the
    first i of each row, ascending. Returns the number of rows. Goes backwards, so that the next one is in
    the hash table of those seen."""
    size = 16
    while size < 2 * len(own):
        size *= 2
    seen = np.zeros(size, np.int32)  # i + 1, at its row's slot or the first free one behind
    for i in range(len(own) - 1, -1, -1):
        slot = np.int64(np.uint64(own[i]) * _MIX >> np.uint64(24)) & (size - 1)
        while seen[slot] > 0 and own[seen[slot] - 1] != own[i]:
            slot = (slot + 1) & (size - 1)
        following[i] = np.int64(seen[slot]) - 1
        heads[i], heads[following[i]] = True, False  # of no following one: the last, which is to spare
        seen[slot] = i + 1
    count = 0
    for i in range(len(own)):
        first = heads[i]
        heads[count] = i
        count += first
    return count


@kernel()
def _add_chain(values, places, following, i, out):
    use_wide_vectors()
    out[:] = 0
    while i >= 0:
        row = values[places[i]]
        for v in range(out.size):
            out[v] += row[v]
        i = following[i]


@intrinsic
def _fetch(typing, address):
    """Asks for the cache line at an address."""

    def emit(context, builder, signature, values):
        prefetch(builder, builder.bitcast(values[0], POINTER))
        return context.get_dummy_value()

    return types.none(types.voidptr), emit


class RowUpdate(Update):
    """A step of an optimizer over those rows of its tables that have a gradient: its sum over equal indices,
    and the rule, in one pass. Rows are dealt out to the threads. Each finds its own among the indices, and
    takes them in the order in which they first come: so where few repeat, the gradient is read in order, and
    only tables in leaps. The beginning of their rows is asked for early, but once a row, since most words of
    a text are repeats; what follows in a long row the hardware sees coming."""

    def loop_source(self, numbers):
        w, g, *state = self.arrays
        tables = [(name, f"elements(objects[{k}], ") for k, name in enumerate((w, *state))]
        return [
            "def loop(chunk, first, last, width, at):",
            f"    numbers = carray(at[0], ({numbers},), float32)",
            "    sizes = carray(at[1], (4,), int64)",
            "    rows, n, parts = sizes[0], sizes[1], sizes[2]",
            "    indices, values = carray(at[2], (n,), int64), carray(at[3], (n, width), float32)",
            f"    objects = carray(at[4], ({len(tables)},), int64)",
            "    places, own, sums = empty(n, int64), empty(n, int64), empty(width, float32)",
            "    use_wide_vectors()",
            "    count = deal(indices, rows, chunk, parts, places, own)",
            "    if count < 0:",
            "        sizes[3] = 1",
            "        return",
            "    following, heads = empty(count, int64), empty(count + 1, int64)",
            "    groups = link(own[:count], following, heads)",
            f"    ahead = max({AHEAD} // width, 1)",
            "    for j in range(groups):",
            "        row = own[heads[min(j + ahead, groups - 1)]]",
            f"        for v in range(0, min(width, {PIECE}), {LINE // 4}):",
            *[f"            fetch({place}row * width + v))" for _, place in tables],
            "        i = heads[j]",
            f"        {g} = values[places[i]]",
            "        if following[i] >= 0:",
            "            add_chain(values, places, following, i, sums)",
            f"            {g} = sums",
            *[
                f"        {name} = carray({place}own[i] * width), (width,), float32)"
                for name, place in tables
            ],
            f"        segment(width, {', '.join(self.arrays)}, numbers)",
        ]

    scope = Update.scope | {"empty": np.empty, "deal": _deal, "link": _link}
    scope |= {"add_chain": _add_chain, "fetch": _fetch}

    def over(self, tables, values, indices, numbers, change=UNCHANGED) -> None:
        """Runs over the rows of `tables`, the rule's arrays without the gradient, C-contiguous float32, that
        the gradient's values (n, ...) belong to: indices (n,) int64, n > 0. Raises IndexError for others, and
        then has written nothing."""
        body, numbers = self.chosen(numbers, change)
        values, indices = np.ascontiguousarray(values, np.float32), np.ascontiguousarray(indices)
        n, rows = len(indices), len(tables[0])
        parts = min(available(), chunks_of(n, 2 * values.size))
        sizes, objects = np.array([rows, n, parts, 0]), np.array([id(a) for a in tables])
        body(parts, n, values.size // n, numbers, sizes, indices, values, objects)
        if sizes[3]:  # written into since they were checked
            raise IndexError(f"rows {indices.min()} to {indices.max()} of a table of {rows}")

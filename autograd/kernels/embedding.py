"""Tables of rows in float32: reading rows by index, adding into them, and steps of an optimizer over a few.

Indices repeat, so rows are first sorted by where they go (`grouped`). Then each row of a table belongs to
one thread, sums are taken in the order of the indices, and a thread clears its part of a table just before it
adds to it."""

import numpy as np
from numba import carray

from .compiling import kernel
from .loops import chunks_of, loop, use_wide_vectors
from .operands import floats, run, wholes
from .threads import ready
from .update import UNCHANGED, Update


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


class RowUpdate(Update):
    """A step of an optimizer over those rows of its tables that have a gradient: its sum over each group, and
    the rule, in one pass."""

    def loop_source(self, numbers):
        w, g, *state = self.arrays
        tables = (w, *state)
        return [
            "def loop(chunk, first, last, width, at):",
            f"    numbers = carray(at[0], ({numbers},), float32)",
            "    used, starts = carray(at[1], (last,), int64), carray(at[2], (last + 1,), int64)",
            "    order = carray(at[3], (starts[last],), int64)",
            "    values = carray(at[4], (starts[last], width), float32)",
            f"    objects = carray(at[5], ({len(tables)},), int64)",
            "    sums = empty(width, float32)",
            "    use_wide_vectors()",
            "    for j in range(first, last):",
            f"        {g} = values[order[starts[j]]]",
            "        if starts[j + 1] > starts[j] + 1:",
            "            sums[:] = 0",
            "            add_group(values, order, starts[j], starts[j + 1], sums)",
            f"            {g} = sums",
            *[
                f"        {name} = carray(elements(objects[{k}], used[j] * width), (width,), float32)"
                for k, name in enumerate(tables)
            ],
            f"        segment(width, {', '.join(self.arrays)}, numbers)",
        ]

    scope = Update.scope | {"empty": np.empty, "add_group": _add_group}

    def over(self, tables, values, indices, numbers, change=UNCHANGED) -> None:
        """Runs over the rows of `tables`, the rule's arrays without the gradient, C-contiguous float32, that
        the gradient's values (n, ...) belong to: indices (n,) int64, n > 0."""
        body, numbers = self.chosen(numbers, change)
        values, objects = np.ascontiguousarray(values, np.float32), np.array([id(a) for a in tables])
        used, starts, order = grouped(indices, len(tables[0]))
        chunks, width = chunks_of(len(used), 2 * values.size), values.size // len(indices)
        body(chunks, len(used), width, numbers, used, starts, order, values, objects)

"""Tables of windows, for pooling.

A table (places, 1 + most) holds, for each place of a result, how many places it is made of, and these. Of
several axes the table is of their flattened places: a box in a volume is, like a rectangle in an image, a
set of rows and a range of columns."""

import functools

import numpy as np


@functools.lru_cache(256)
def windows(size, out, kernel, stride, pads, dilation=1, count_padding=True):
    """The `out` windows along an axis of `size` pixels, (out, 3) int64: the first pixel inside, the end, and
    how many pixels count. `kernel` None means adaptive: from floor(i n / out) to ceil((i + 1) n / out)."""
    if kernel is None:
        start = np.arange(out) * size // out
        end = -(-np.arange(1, out + 1) * size // out)
        return np.stack([start, end, end - start], 1)
    start = np.arange(out) * stride - pads[0]
    end = start + dilation * (kernel - 1) + 1
    inside = start + -(-np.maximum(-start, 0) // dilation) * dilation
    until = np.minimum(end, size)
    counted = np.minimum(end, size + pads[1]) - start if count_padding else until - inside
    return np.stack([inside, until, counted], 1)


def _held(table):
    """Which entries of a table's rows are places."""
    return np.arange(1, table.shape[1]) <= table[:, :1]


def _crossed(a, b, size):
    """The table of two axes, flattened, from those of each, the second of `size` places."""
    places = (a[:, None, 1:, None] * size + b[None, :, None, 1:]).reshape(len(a) * len(b), -1)
    held = (_held(a)[:, None, :, None] & _held(b)[None, :, None]).reshape(places.shape)
    first = np.argsort(~held, axis=1, kind="stable")  # places before what is none
    return np.concatenate([held.sum(1)[:, None], np.take_along_axis(places, first, 1)], 1)


def _transposed(table, size):
    """The table of which rows of a table hold each of `size` places."""
    held = _held(table)
    rows, places = np.nonzero(held)[0], table[:, 1:][held]
    order = np.argsort(places, kind="stable")
    rows, places = rows[order], places[order]
    number = np.bincount(places, minlength=size)
    result = np.zeros((size, 1 + number.max(initial=0)), np.int64)
    result[:, 0] = number
    result[places, 1 + np.arange(len(places)) - (np.cumsum(number) - number)[places]] = rows
    return result


@functools.lru_cache(64)
def tables(axes, dilation, backward=False):
    """The tables of rows, of all axes but the last, and of columns: which pixels a window holds, or with
    `backward` which windows hold a pixel. An axis is what `windows` takes up to `pads`."""
    each = []
    for axis, step in zip(axes, dilation, strict=True):
        first, end, _ = windows(*axis, step).T
        number = np.maximum(-(-(end - first) // step), 0)
        places = first[:, None] + step * np.arange(number.max(initial=0))
        table = np.concatenate([number[:, None], places], 1)
        each.append(_transposed(table, axis[0]) if backward else table)
    sizes = [axis[1] if backward else axis[0] for axis in axes]
    rows = np.array([[1, 0]])
    for table, size in zip(each[:-1], sizes[:-1], strict=True):
        rows = _crossed(rows, table, size)
    return rows, each[-1]


@functools.lru_cache(64)
def counts(dtype, axes, count_padding):
    """How many pixels the mean over a window counts, in each row and in each column."""
    each = [windows(*axis, count_padding=count_padding)[:, 2] for axis in axes]
    of_rows = functools.reduce(np.multiply.outer, each[:-1], np.ones((), int)).reshape(-1)
    return of_rows.astype(dtype), each[-1].astype(dtype)


@functools.lru_cache(64)
def sums(backward, dtype, channels, axes, count_padding):
    """The tables of `pool._average_narrow` for the windows along two axes, rows and columns, or with
    `backward` for the transpose of their means."""
    found = [windows(*axis, count_padding=count_padding) for axis in axes]
    spans = [w[:, :2] for w in found]
    if backward:
        over = tables(axes, (1,) * len(axes), True)
        spans = [np.stack([w[:, 1], w[:, 1] + w[:, 0]], 1) for w in over]
    seen = axes[1][1] if backward else axes[1][0]  # columns of what is summed; one of zeros follows
    ahead = spans[1][:, 0] + np.arange((spans[1][:, 1] - spans[1][:, 0]).max(initial=0))[:, None]
    places = np.where(ahead < spans[1][:, 1], ahead, seen)[..., None] * channels + np.arange(channels)
    shares = [(1.0 / w[:, 2]).astype(dtype) for w in found]
    shares[1] = np.repeat(shares[1], channels)
    ones = np.ones(len(spans[0]), dtype), np.ones(len(spans[1]) * channels, dtype)
    if not backward:
        ones = np.ones(axes[0][0], dtype), np.ones(seen * channels, dtype)
    weights = (*shares, *ones) if backward else (*ones, *shares)
    spans = np.ascontiguousarray(spans[0])
    return spans, places.reshape(len(places), -1).astype(np.uint32), weights

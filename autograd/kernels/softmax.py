"""Softmax along contiguous rows: x (rows, classes), float32, one or two passes over memory.

Rows are taken in blocks of some thousand elements that stay in the first cache: what works row by row (the
maximum, the sum) alternates with exponentials over the whole block, so that rows of ten classes fill vectors
too. A cross-entropy keeps two numbers of each row, its maximum and the sum of its exponentials, and its
gradient takes the exponentials again: that costs less than writing and reading them."""

import numpy as np
from numba import carray, float32, int64

from . import mathf
from .compiling import REASSOCIATE, kernel
from .loops import chunks_of, loop, use_wide_vectors
from .threads import ready

_BLOCK = 2048  # elements
_COST = 12  # of one element, in additions

_inlined = kernel(forceinline=True, fastmath=REASSOCIATE)


@_inlined
def _order(x):
    """The integer that stands to others as x to other floats: LLVM takes maxima of integers in vectors."""
    bits = np.float32(x).view(np.int32)
    return np.int32(bits ^ np.int32(np.int32(bits >> 31) & 0x7FFFFFFF))


@_inlined
def _largest(x):
    """The maximum. It may miss a NaN: that makes the row's exponentials NaN anyway."""
    use_wide_vectors()
    top = _order(x[0])
    for i in range(x.size):
        top = max(top, _order(x[i]))
    return np.int32(top ^ np.int32(np.int32(top >> 31) & 0x7FFFFFFF)).view(np.float32)


@_inlined
def _exponentials(x, width, e, tops):
    """e^(x - its row's maximum) for a block of rows, and the maxima. Returns how many rows there are."""
    use_wide_vectors()
    rows = x.size // width
    for row in range(rows):
        source, target = x[row * width : (row + 1) * width], e[row * width : (row + 1) * width]
        tops[row] = top = _largest(source)
        for i in range(width):
            target[i] = source[i] - top
    for i in range(x.size):
        e[i] = mathf.exp(e[i])
    return rows


@_inlined
def _sum(x):
    use_wide_vectors()
    total = float32(0.0)
    for i in range(x.size):
        total += x[i]
    return total


@loop
def _softmax(chunk, first, last, width, at):
    use_wide_vectors()
    x, y = carray(at[0], (last * width,), float32), carray(at[1], (last * width,), float32)
    tops = np.empty(_BLOCK, float32)
    step = max(_BLOCK // width, 1)
    for row in range(first, last, step):
        end = min(row + step, last)
        e = y[row * width : end * width]
        for k in range(_exponentials(x[row * width : end * width], width, e, tops)):
            part = e[k * width : (k + 1) * width]
            scale = float32(1.0) / _sum(part)
            for i in range(width):
                part[i] *= scale


@loop
def _softmax_grad(chunk, first, last, width, at):
    use_wide_vectors()
    size = (last * width,)
    g, y, dx = carray(at[0], size, float32), carray(at[1], size, float32), carray(at[2], size, float32)
    for row in range(first, last):
        start, end = row * width, (row + 1) * width
        u, p, out = g[start:end], y[start:end], dx[start:end]
        total = float32(0.0)
        for i in range(width):
            total += u[i] * p[i]
        for i in range(width):
            out[i] = p[i] * (u[i] - total)


@loop
def _log_softmax(chunk, first, last, width, at):
    use_wide_vectors()
    x, y = carray(at[0], (last * width,), float32), carray(at[1], (last * width,), float32)
    tops = np.empty(_BLOCK, float32)
    step = max(_BLOCK // width, 1)
    for row in range(first, last, step):
        end = min(row + step, last)
        source, e = x[row * width : end * width], y[row * width : end * width]
        for k in range(_exponentials(source, width, e, tops)):
            part, given = e[k * width : (k + 1) * width], source[k * width : (k + 1) * width]
            top, total = tops[k], mathf.log(_sum(part))
            for i in range(width):
                part[i] = given[i] - top - total


@loop
def _log_softmax_grad(chunk, first, last, width, at):
    use_wide_vectors()
    size = (last * width,)
    g, y, dx = carray(at[0], size, float32), carray(at[1], size, float32), carray(at[2], size, float32)
    step = max(_BLOCK // width, 1)
    for row in range(first, last, step):
        end = min(row + step, last)
        u, log_p, out = (
            g[row * width : end * width],
            y[row * width : end * width],
            dx[row * width : end * width],
        )
        for i in range(out.size):
            out[i] = mathf.exp(log_p[i])
        for k in range(end - row):
            cotangents, part = u[k * width : (k + 1) * width], out[k * width : (k + 1) * width]
            total = _sum(cotangents)
            for i in range(width):
                part[i] = cotangents[i] - part[i] * total


@loop
def _cross_entropy(chunk, first, last, width, at):
    """The losses, each row's maximum and sum of exponentials, and a flag: whether a label is out of range."""
    use_wide_vectors()
    x, labels = carray(at[0], (last * width,), float32), carray(at[1], (last,), int64)
    losses, tops = carray(at[2], (last,), float32), carray(at[3], (last,), float32)
    totals, wrong = carray(at[4], (last,), float32), carray(at[5], (1,), int64)
    step = max(_BLOCK // width, 1)
    e = np.empty(step * width, float32)
    for row in range(first, last, step):
        end = min(row + step, last)
        block = x[row * width : end * width]
        for k in range(_exponentials(block, width, e[: block.size], tops[row:end])):
            label = labels[row + k]
            totals[row + k] = total = _sum(e[k * width : (k + 1) * width])
            if 0 <= label < width:
                losses[row + k] = mathf.log(total) - (block[k * width + label] - tops[row + k])
            else:
                wrong[0] = 1


@loop
def _cross_entropy_grad(chunk, first, last, width, at):
    use_wide_vectors()
    g, x = carray(at[0], (last,), float32), carray(at[1], (last * width,), float32)
    labels, tops = carray(at[2], (last,), int64), carray(at[3], (last,), float32)
    totals, dx = carray(at[4], (last,), float32), carray(at[5], (last * width,), float32)
    step = max(_BLOCK // width, 1)
    for row in range(first, last, step):
        end = min(row + step, last)
        out = dx[row * width : end * width]
        for k in range(end - row):
            part, source = out[k * width : (k + 1) * width], x[(row + k) * width : (row + k + 1) * width]
            top = tops[row + k]
            for i in range(width):
                part[i] = source[i] - top
        for i in range(out.size):
            out[i] = mathf.exp(out[i])
        for k in range(end - row):
            part = out[k * width : (k + 1) * width]
            scale = g[row + k] / totals[row + k]
            for i in range(width):
                part[i] *= scale
            part[labels[row + k]] -= g[row + k]


def _run(body, x, *arrays):
    """Runs a body over the rows of x."""
    width = x.shape[-1]
    rows = x.size // width
    body(chunks_of(rows, x.size * _COST), rows, width, *arrays)
    return arrays[-1]


def softmax(x):
    """x (..., classes) -> e^x / sum(e^x) of each row."""
    return _run(_softmax, x, x, np.empty_like(x))


def softmax_grad(g, y):
    """The cotangent of x from that of y = softmax(x)."""
    return _run(_softmax_grad, y, g, y, np.empty_like(y))


def log_softmax(x):
    """x (..., classes) -> x - log(sum(e^x)) of each row."""
    return _run(_log_softmax, x, x, np.empty_like(x))


def log_softmax_grad(g, y):
    """The cotangent of x from that of y = log_softmax(x)."""
    return _run(_log_softmax_grad, y, g, y, np.empty_like(y))


def cross_entropy(x, labels):
    """x (..., classes) and integer labels (...) -> (losses, maxima, sums of exponentials), each (...). None
    where a label is out of range."""
    x, labels = ready(x, np.float32), ready(labels, np.int64)
    shape = labels.shape
    losses, tops, totals = (
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
    )
    wrong = _run(_cross_entropy, x, x, labels, losses, tops, totals, np.zeros(1, np.int64))
    return None if wrong[0] else (losses, tops, totals)


def cross_entropy_grad(g, x, labels, tops, totals):
    """The cotangent of x from that of the losses, g (...)."""
    g, x, labels = ready(g, np.float32), ready(x, np.float32), ready(labels, np.int64)
    return _run(_cross_entropy_grad, x, g, x, labels, tops, totals, np.empty_like(x))

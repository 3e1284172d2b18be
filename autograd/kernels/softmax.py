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
from .threads import GRAIN, ready

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


@_inlined
def _losses(x, labels, width, losses, tops, totals):
    """The losses, each row's maximum and sum of exponentials. Returns the sum of the losses, or -inf, which
    no sum of losses is, where a label is out of range."""
    step = max(_BLOCK // width, 1)
    e = np.empty(min(step, labels.size) * width, float32)
    total = 0.0
    for row in range(0, labels.size, step):
        end = min(row + step, labels.size)
        block = x[row * width : end * width]
        for k in range(_exponentials(block, width, e[: block.size], tops[row:end])):
            label = labels[row + k]
            totals[row + k] = below = _sum(e[k * width : (k + 1) * width])
            if 0 <= label < width:
                losses[row + k] = loss = mathf.log(below) - (block[k * width + label] - tops[row + k])
                total += loss
            else:
                total = -np.inf
    return total


@loop
def _cross_entropy(chunk, first, last, width, at):
    use_wide_vectors()
    x, labels = carray(at[0], (last * width,), float32), carray(at[1], (last,), int64)
    losses, tops = carray(at[2], (last,), float32), carray(at[3], (last,), float32)
    totals, wrong = carray(at[4], (last,), float32), carray(at[5], (1,), int64)
    x, labels = x[first * width : last * width], labels[first:last]
    if _losses(x, labels, width, losses[first:last], tops[first:last], totals[first:last]) == -np.inf:
        wrong[0] = 1


@kernel(fastmath=REASSOCIATE)
def _cross_entropy_serial(x, labels, losses, tops, totals):
    use_wide_vectors()
    return _losses(x, labels, x.size // labels.size, losses, tops, totals)


@_inlined
def _losses_grad(g, x, labels, width, tops, totals, dx):
    """g is the cotangent of each loss, or of their mean alone."""
    step = max(_BLOCK // width, 1)
    each = 1 if g.size == labels.size else 0
    share = float32(1.0) if each else float32(1.0) / float32(labels.size)
    for row in range(0, labels.size, step):
        end = min(row + step, labels.size)
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
            cotangent = g[(row + k) * each] * share
            scale = cotangent / totals[row + k]
            for i in range(width):
                part[i] *= scale
            part[labels[row + k]] -= cotangent


@loop
def _cross_entropy_grad(chunk, first, last, width, at):
    use_wide_vectors()
    g, x = carray(at[0], (last,), float32), carray(at[1], (last * width,), float32)
    labels, tops = carray(at[2], (last,), int64), carray(at[3], (last,), float32)
    totals, dx = carray(at[4], (last,), float32), carray(at[5], (last * width,), float32)
    low, high = first * width, last * width
    rows = tops[first:last], totals[first:last]
    _losses_grad(g[first:last], x[low:high], labels[first:last], width, *rows, dx[low:high])


@kernel(fastmath=REASSOCIATE)
def _cross_entropy_grad_serial(g, x, labels, tops, totals, dx):
    use_wide_vectors()
    _losses_grad(g, x, labels, x.size // labels.size, tops, totals, dx)


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


def _is_small(x):
    """Whether the work is one thread's: then a kernel is called without the ceremony of a loop, since a loss
    of 32 rows of 10 classes takes less time than that."""
    return x.size * _COST < 2 * GRAIN


def cross_entropy(x, labels, mean=False):
    """x (..., classes) and integer labels (...), not none -> (losses, maxima, sums of exponentials), each
    (...), or the mean loss for the losses. None where a label is out of range."""
    x, labels = ready(x, np.float32), ready(labels, np.int64)
    losses = np.empty(labels.shape, np.float32)
    tops, totals = np.empty((2, labels.size), np.float32)
    if _is_small(x):
        sum_of = _cross_entropy_serial(x.reshape(-1), labels.reshape(-1), losses.reshape(-1), tops, totals)
        wrong = sum_of == -np.inf
    else:
        wrong = _run(_cross_entropy, x, x, labels, losses, tops, totals, np.zeros(1, np.int64))[0]
        sum_of = np.add.reduce(losses, axis=None) if mean else 0.0
    if wrong:
        return None
    return np.float32(sum_of / labels.size) if mean else losses, tops, totals


def cross_entropy_grad(g, x, labels, tops, totals):
    """The cotangent of x from that of the losses, g (...), or of their mean, g ()."""
    g, x, labels = ready(g, np.float32), ready(x, np.float32), ready(labels, np.int64)
    dx = np.empty(x.shape, np.float32)
    if _is_small(x):
        flat = g.reshape(-1), x.reshape(-1), labels.reshape(-1)
        _cross_entropy_grad_serial(*flat, tops, totals, dx.reshape(-1))
        return dx
    if g.shape != labels.shape:
        g = np.full(labels.shape, g / labels.size, np.float32)
    return _run(_cross_entropy_grad, x, g, x, labels, tops, totals, dx)

"""Local response normalisation over neighbouring channels, x seen as (rows, C):

    y[c] = x[c] * s[c]^-beta        s[c] = k + alpha / size * sum of x[j]^2 over the window of c

whose window goes from c - size // 2 to c + (size - 1) // 2, channels outside being 0. One pass over memory
each way: a row fits the first cache, and backward computes s again rather than read it."""

import numpy as np
from numba import prange

from .compiling import kernel
from .threads import chunks_of, launch

CONTRACT = {"contract"}


@kernel(fastmath=CONTRACT)
def _window_sums(padded, size, sums):
    """sums[c] = padded[c] + ... + padded[c + size - 1]."""
    for c in range(sums.size):
        sums[c] = padded[c]
    for t in range(1, size):
        shifted = padded[t : t + sums.size]
        for c in range(sums.size):
            sums[c] += shifted[c]


@kernel(fastmath=CONTRACT)
def _powers(sums, scale, beta, k, powers):
    """powers = (k + scale * sums)^-beta, and the base in sums. AlexNet's beta of 0.75 is two square roots."""
    one = sums.dtype.type(1)
    for c in range(sums.size):
        sums[c] = k + scale * sums[c]
    if beta == 0.75:
        for c in range(sums.size):
            powers[c] = one / np.sqrt(sums[c] * np.sqrt(sums[c]))
    else:
        for c in range(sums.size):
            powers[c] = sums[c] ** -beta


@kernel(fastmath=CONTRACT)
def _response(chunk, first, last, x, y, size, scale, beta, k):
    channels = x.shape[1]
    padded = np.zeros(channels + size - 1, x.dtype)
    sums, powers = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    squares = padded[size // 2 : size // 2 + channels]
    for row in range(first, last):
        values, out = x[row], y[row]
        for c in range(channels):
            squares[c] = values[c] * values[c]
        _window_sums(padded, size, sums)
        _powers(sums, scale, beta, k, powers)
        for c in range(channels):
            out[c] = values[c] * powers[c]


@kernel(parallel=True)
def _response_loop(chunks, rows, x, y, size, scale, beta, k):
    for i in prange(chunks):
        chunk = np.int64(i)
        _response(chunk, chunk * rows // chunks, (chunk + 1) * rows // chunks, x, y, size, scale, beta, k)


@kernel(fastmath=CONTRACT)
def _response_grad(chunk, first, last, g, x, dx, size, scale, beta, k):
    """dx = g s^-beta - 2 scale beta x * (sum of g x s^(-beta-1) over the channels whose window holds it)."""
    channels = x.shape[1]
    padded, turned = np.zeros((2, channels + size - 1), x.dtype)
    sums, powers = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    squares = padded[size // 2 : size // 2 + channels]
    parts = turned[(size - 1) // 2 : (size - 1) // 2 + channels]
    factor = -2 * scale * beta
    for row in range(first, last):
        cotangents, values, out = g[row], x[row], dx[row]
        for c in range(channels):
            squares[c] = values[c] * values[c]
        _window_sums(padded, size, sums)
        _powers(sums, scale, beta, k, powers)
        for c in range(channels):
            parts[c] = cotangents[c] * values[c] * powers[c] / sums[c]
        _window_sums(turned, size, sums)
        for c in range(channels):
            out[c] = cotangents[c] * powers[c] + factor * values[c] * sums[c]


@kernel(parallel=True)
def _response_grad_loop(chunks, rows, g, x, dx, size, scale, beta, k):
    for i in prange(chunks):
        chunk = np.int64(i)
        first, last = chunk * rows // chunks, (chunk + 1) * rows // chunks
        _response_grad(chunk, first, last, g, x, dx, size, scale, beta, k)


def _options(x, size, alpha, beta, k):
    number = x.dtype.type
    return size, number(alpha / size), number(beta), number(k)


def forward(x, size, alpha, beta, k):
    """x (m, ..., C) -> y of its shape."""
    y = np.empty(x.shape, x.dtype)
    flat = [a.reshape(-1, x.shape[-1]) for a in (x, y)]
    rows = len(flat[0])
    options = _options(x, size, alpha, beta, k)
    launch(_response, _response_loop, chunks_of(rows, 8 * x.size), rows, *flat, *options)
    return y


def grad(g, x, size, alpha, beta, k):
    """The cotangent of x from that of y."""
    dx = np.empty(x.shape, x.dtype)
    flat = [a.reshape(-1, x.shape[-1]) for a in (g, x, dx)]
    rows = len(flat[0])
    options = _options(x, size, alpha, beta, k)
    launch(_response_grad, _response_grad_loop, chunks_of(rows, 16 * x.size), rows, *flat, *options)
    return dx

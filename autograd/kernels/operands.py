"""Handing arrays and numbers to the body of a loop, which is a C function of addresses.

`run(body, chunks, rows, arrays, numbers)` calls it. In the body, `floats(at, k)` and `wholes(at, k)` are
array k as float32 or int64, of four axes (the first ones 1 where it has fewer), and `numbers(at)` are the
numbers."""

import functools

import numpy as np
from numba import carray

from .compiling import kernel
from .loops import chunks_of, loop

_MOST = 32  # numbers a body can be given


@functools.lru_cache(1024)
def _table(shapes):
    return np.array([(1,) * (4 - len(shape)) + shape for shape in shapes], np.int64)


@functools.lru_cache(1024)
def _padded(numbers):
    return np.array([*numbers, *[0] * (_MOST - len(numbers))], np.int64)


def run(body, chunks, rows, arrays, numbers):
    """Runs a `loops.loop` over `range(rows)` in chunks. Arrays are C-contiguous, of at most four axes. Bodies
    only read the numbers: those of an earlier call are handed out again."""
    shapes = _table(tuple([a.shape for a in arrays]))
    body(chunks, rows, 0, shapes, _padded(tuple(numbers)), *arrays)


def room_for(out, shape):
    """Where sums of this shape (parts, ...) are to be taken: in `out` itself if there is one part."""
    return out.reshape(shape) if out is not None and shape[0] == 1 else np.empty(shape, np.float32)


@kernel(forceinline=True)
def _shape(at, k):
    shapes = carray(at[0], (k + 1, 4), np.int64)
    return shapes[k, 0], shapes[k, 1], shapes[k, 2], shapes[k, 3]


@kernel(forceinline=True)
def floats(at, k):
    return carray(at[2 + k], _shape(at, k), np.float32)


@kernel(forceinline=True)
def wholes(at, k):
    return carray(at[2 + k], _shape(at, k), np.int64)


@kernel(forceinline=True)
def numbers(at):
    return carray(at[1], (_MOST,), np.int64)


@loop
def _add(chunk, first, last, width, at):
    parts, out = floats(at, 0)[0, 0], floats(at, 1)[0, 0, 0]
    for i in range(first, last):
        out[i] = parts[0, i]
    for part in range(1, len(parts)):
        for i in range(first, last):
            out[i] += parts[part, i]


def add(parts, out):
    """Fills `out` with the sum of the parts (n, ...), in order, if that is not where they are (`room_for`).
    The caller owns `out` itself and no view, which backward would copy."""
    if len(parts) > 1:
        arrays = parts.reshape(len(parts), -1), out.reshape(-1)
        run(_add, chunks_of(out.size, parts.size), out.size, arrays, ())
    return out

"""Arrays joined along an axis, and cut apart again, in float32: what lies before the axis counts rows, and in
each row of the whole the rows of the parts follow each other. NumPy copies one part after the other on one
thread, in pieces as short as a row of a part: the channels of one pixel."""

import math
from itertools import accumulate

import numpy as np
from numba import carray

from .loops import chunks_of, loop, use_wide_vectors


@loop
def _move(chunk, first, last, parts, at):
    """Of the places (parts + 1, 2), where each part begins and how wide it is, the last row is the width of
    the whole and whether the parts are cut from it."""
    use_wide_vectors()
    places = carray(at[0], (parts + 1, 2), np.int64)
    whole = carray(at[1], (last, places[parts, 0]), np.float32)
    cuts = places[parts, 1] != 0
    for i in range(first, last):
        for k in range(parts):
            begin, width = places[k, 0], places[k, 1]
            part = carray(at[2 + k], (last, width), np.float32)
            if cuts:
                for v in range(width):
                    part[i, v] = whole[i, begin + v]
            else:
                for v in range(width):
                    whole[i, begin + v] = part[i, v]


def _run(cuts, rows, whole, parts, begins):
    widths = [part.size // rows for part in parts]
    places = np.array([*zip(begins, widths, strict=True), (whole.size // rows, cuts)], np.int64)
    _move(chunks_of(rows, 2 * whole.size), rows, len(parts), places, whole, *parts)


def join(arrays, axis):
    """np.concatenate(arrays, axis) of C-contiguous arrays, axis >= 0, something before it."""
    before, behind = arrays[0].shape[:axis], arrays[0].shape[axis + 1 :]
    lengths = [a.shape[axis] for a in arrays]
    y = np.empty((*before, sum(lengths), *behind), np.float32)
    begins = [n * math.prod(behind) for n in accumulate(lengths[:-1], initial=0)]
    _run(False, math.prod(before), y, arrays, begins)
    return y


def cut(whole, axis, shapes, needs):
    """The arrays of these shapes that were joined to the C-contiguous `whole`, as many as `needs` has; None
    for those that are not needed."""
    inner = math.prod(whole.shape[axis + 1 :])
    begins = [n * inner for n in accumulate((s[axis] for s in shapes), initial=0)]
    parts = [np.empty(s, np.float32) if need else None for s, need in zip(shapes, needs, strict=False)]
    wanted = [(part, begin) for part, begin in zip(parts, begins, strict=False) if part is not None]
    _run(True, math.prod(whole.shape[:axis]), whole, *zip(*wanted, strict=True))
    return parts

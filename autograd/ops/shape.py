"""Ops that move elements: their rules move the cotangent back. Where NumPy returns a view, so do they."""

import functools
import itertools
import math

import numpy as np

from ..dispatch import nondiff
from ..primitive import primitive
from ..tensor import dispatch, unwrap
from .index import put_add

# From so many float32 elements on, in so many rows of so many, two threads join arrays faster than NumPy: 212
# us and 486 for two of (4, 48, 48, 64).
LARGE, ROWS, WIDE = 1 << 18, 64, 4

nondiff(np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.shares_memory, np.may_share_memory)
nondiff(np.zeros_like, np.ones_like, np.empty_like)
nondiff(np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.lexsort)
nondiff(np.any, np.all, np.nonzero, np.flatnonzero, np.argwhere, np.count_nonzero)
nondiff(np.searchsorted, np.digitize, np.isin)


@primitive(np.reshape, residuals=("shape_before",))
def reshape(a, shape):
    """The same elements, in row-major order, in another shape; one length may be -1. Raises ValueError when
    the number of elements differs."""
    return a.reshape(shape), a.shape


@reshape.vjp("a")
def _(g, shape_before):
    return g.reshape(shape_before)


@primitive(np.ravel, residuals=("shape",))
def ravel(a):
    """The elements in one row, in row-major order."""
    return a.reshape(-1), a.shape


@ravel.vjp("a")
def _(g, shape):
    return g.reshape(shape)


@primitive(np.expand_dims, residuals=("shape",))
def expand_dims(a, axis):
    """A new axis of length 1 at each place of `axis` (an int or a tuple) in the result."""
    return np.expand_dims(a, axis), a.shape


@expand_dims.vjp("a")
def _(g, shape):
    return g.reshape(shape)


@primitive(np.squeeze, residuals=("shape",))
def squeeze(a, axis=None):
    """Without the axes of length 1, or without those named. Raises ValueError when a named one is longer."""
    return a.squeeze(axis), a.shape


@squeeze.vjp("a")
def _(g, shape):
    return g.reshape(shape)


@primitive(np.transpose)
def transpose(a, axes=None):
    """The axes in the order `axes` (by default reversed): `y.shape[k] == a.shape[axes[k]]`."""
    return a.transpose(axes)


@transpose.vjp("a")
def _(g, axes):
    if axes is None:
        return g.T
    inverse = [0] * len(axes)
    for place, axis in enumerate(axes):
        inverse[axis] = place
    return g.transpose(inverse)


@primitive(np.swapaxes)
def swapaxes(a, axis1, axis2):
    """Two axes exchanged."""
    return a.swapaxes(axis1, axis2)


@swapaxes.vjp("a")
def _(g, axis1, axis2):
    return g.swapaxes(axis1, axis2)


@primitive(np.moveaxis)
def moveaxis(a, source, destination):
    """The axes of `source` (an int or a tuple) moved to `destination`; the others keep their order."""
    return np.moveaxis(a, source, destination)


@moveaxis.vjp("a")
def _(g, source, destination):
    return np.moveaxis(g, destination, source)


@primitive(np.broadcast_to)
def broadcast_to(array, shape):
    """Stretched to `shape` by NumPy's rules of broadcasting; a read-only view. Raises ValueError when it does
    not fit."""
    return np.broadcast_to(array, shape)


@broadcast_to.vjp("array")
def _(g):
    return g  # the engine sums over what was stretched


@primitive(np.concatenate, variadic="arrays", residuals=("shapes",))
def concatenate(arrays, axis=0):
    """The arrays one after another along an axis they have already (None: flattened first). Raises ValueError
    when their other axes differ."""
    shapes = [np.shape(a) for a in arrays]
    if shapes and len(shapes) * math.prod(shapes[0]) >= LARGE and _in_rows(arrays, axis):
        if len({(s[:axis], s[axis:][1:]) for s in shapes}) == 1:
            return _kernels().join(arrays, axis % len(shapes[0])), shapes
    return np.concatenate(arrays, axis), shapes


def _in_rows(arrays, axis):
    """Whether kernels/joining.py takes these arrays: their rows, what lies before the axis, are enough and
    wide enough."""
    if axis is None or not -arrays[0].ndim <= axis < arrays[0].ndim:
        return False
    fit = all(type(a) is np.ndarray and a.dtype == np.float32 and a.flags.c_contiguous for a in arrays)
    return fit and ROWS <= math.prod(arrays[0].shape[:axis]) <= arrays[0].size // WIDE


@functools.cache
def _kernels():
    from ..kernels import joining

    return joining


@concatenate.vjp("arrays")
def _(g, needs, axis, shapes):
    if g.size >= LARGE and _in_rows([g], axis):
        return _kernels().cut(g, axis % g.ndim, shapes, needs)
    before = () if axis is None else (slice(None),) * (axis % g.ndim)
    lengths = [math.prod(s) if axis is None else s[axis] for s in shapes]
    stops = itertools.accumulate(lengths)
    return [
        g[(*before, slice(stop - length, stop))].reshape(shape) if need else None
        for need, stop, length, shape in zip(needs, stops, lengths, shapes, strict=False)
    ]


@primitive(np.stack, variadic="arrays")
def stack(arrays, axis=0):
    """Arrays of one shape side by side along a new axis. Raises ValueError when their shapes differ."""
    return np.stack(arrays, axis)


@stack.vjp("arrays")
def _(g, needs, axis):
    g = np.moveaxis(g, axis, 0)
    return [g[k] if need else None for k, need in enumerate(needs)]


def array_split(ary, indices_or_sections, axis=0) -> list:
    """Cut along an axis, at given indices or into a number of parts of nearly one length: a list of views."""
    length = ary.shape[axis]
    if np.ndim(indices_or_sections):
        cuts = list(indices_or_sections)
    else:
        parts = int(indices_or_sections)
        if parts < 1:
            raise ValueError(f"array_split: into {parts} parts, needs at least 1")
        each, longer = divmod(length, parts)
        cuts = [k * each + min(k, longer) for k in range(1, parts)]
    before = (slice(None),) * (axis % ary.ndim)
    return [ary[(*before, slice(start, stop))] for start, stop in zip([0, *cuts], [*cuts, None], strict=True)]


def split(ary, indices_or_sections, axis=0) -> list:
    """`array_split` into parts of equal length. Raises ValueError when the axis does not divide so."""
    if not np.ndim(indices_or_sections) and ary.shape[axis] % indices_or_sections:
        raise ValueError(
            f"split: axis {axis} of shape {ary.shape} cannot be cut into {indices_or_sections} equal parts; "
            "np.array_split makes unequal ones"
        )
    return array_split(ary, indices_or_sections, axis)


def full_like(a, fill_value, dtype=None) -> np.ndarray:
    """A plain array of a's shape, filled. Raises TypeError for a fill that requires grad."""
    return np.full_like(unwrap(a), fill_value, dtype)  # NumPy's copy refuses such a fill


dispatch[np.array_split] = array_split
dispatch[np.split] = split
dispatch[np.full_like] = full_like


@primitive(residuals=("window",))
def pad(array, pad_width, constant_values=0.0):
    """Framed with a constant. `pad_width` is one number, `(before, after)` for all axes, or a pair for each.
    Raises ValueError on widths below 0, and when the pairs do not fit the axes."""
    if np.ndim(pad_width) == 2 and len(pad_width) not in (1, array.ndim):
        raise ValueError(f"{len(pad_width)} pairs of widths for {array.ndim} axes")
    widths = np.broadcast_to(pad_width, (array.ndim, 2)).tolist()
    if any(width < 0 for pair in widths for width in pair):
        raise ValueError(f"negative widths in {pad_width}: cut with a slice")
    window = tuple(slice(before, before + n) for (before, _), n in zip(widths, array.shape, strict=True))
    if np.ndim(constant_values):
        return np.pad(array, pad_width, constant_values=constant_values), window
    shape = [before + n + after for (before, after), n in zip(widths, array.shape, strict=True)]
    y = np.full(shape, constant_values, array.dtype) if constant_values else np.zeros(shape, array.dtype)
    y[window] = array
    return y, window


@pad.vjp("array")
def _(g, window):
    return g[window]


@primitive(np.flip)
def flip(m, axis=None):
    """In reverse order along an axis, along several (a tuple), or along all (None)."""
    return np.flip(m, axis)


@flip.vjp("m")
def _(g, axis):
    return np.flip(g, axis)


@primitive(np.roll)
def roll(a, shift, axis=None):
    """Rotated by `shift` places along an axis or along several; flattened meanwhile when `axis` is None."""
    return np.roll(a, shift, axis)


@roll.vjp("a")
def _(g, shift, axis):
    return np.roll(g, np.negative(shift), axis)


@primitive(np.repeat, residuals=("shape",))
def repeat(a, repeats, axis=None):
    """Each element along an axis (None: of the flattened array) `repeats` times: one number, or one each."""
    return np.repeat(a, repeats, axis), np.shape(a)


@repeat.vjp("a")
def _(g, repeats, axis, shape):
    flat = (math.prod(shape),) if axis is None else shape
    axis = 0 if axis is None else axis % len(shape)
    before, length, after = flat[:axis], flat[axis], flat[axis + 1 :]
    if np.size(repeats) == 1:
        summed = g.reshape((*before, length, int(np.reshape(repeats, ())), *after)).sum(axis=axis + 1)
    else:
        sources = np.repeat(np.arange(length), repeats)
        summed = put_add(g, (slice(None),) * axis + (sources,), flat)
    return summed.reshape(shape)


@primitive(np.tile, residuals=("shape",))
def tile(A, reps):
    """The whole array `reps` times, one number or one an axis; new axes come in front."""
    return np.tile(A, reps), A.shape


@tile.vjp("A")
def _(g, reps, shape):
    reps = tuple(np.ravel(reps).tolist())
    ndim = max(len(reps), len(shape))
    reps = (1,) * (ndim - len(reps)) + reps
    lengths = (1,) * (ndim - len(shape)) + shape
    pairs = itertools.chain.from_iterable(zip(reps, lengths, strict=True))
    return g.reshape(tuple(pairs)).sum(axis=tuple(range(0, 2 * ndim, 2))).reshape(shape)


@primitive(np.diagonal, residuals=("shape",))
def diagonal(a, offset=0, axis1=0, axis2=1):
    """The elements whose indices on two axes differ by `offset`, as a last axis; a read-only view."""
    return np.diagonal(a, offset, axis1, axis2), a.shape


@diagonal.vjp("a")
def _(g, shape, offset, axis1, axis2):
    return put_diagonal(g, shape, offset, axis1, axis2)


@primitive()
def put_diagonal(values, shape, offset=0, axis1=0, axis2=1):
    """Zeros of `shape` with `values` on a diagonal: the adjoint of `diagonal`."""
    y = np.zeros(shape, values.dtype)
    length = np.diagonal(y, offset, axis1, axis2).shape[-1]
    places = np.arange(length)
    np.moveaxis(y, (axis1, axis2), (-2, -1))[..., places + max(-offset, 0), places + max(offset, 0)] = values
    return y


@put_diagonal.vjp("values")
def _(g, offset, axis1, axis2):
    return np.diagonal(g, offset, axis1, axis2)


@primitive(np.trace, residuals=("shape",))
def trace(a, offset=0, axis1=0, axis2=1):
    """The sum of a diagonal."""
    return np.trace(a, offset, axis1, axis2), a.shape


@trace.vjp("a")
def _(g, shape, offset, axis1, axis2):
    return put_diagonal(g[..., None], shape, offset, axis1, axis2)

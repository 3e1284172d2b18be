"""Padding by reflection, replication, wrapping, statistics and ramps, composed of slices and products: their
rules are those of the parts."""

from collections.abc import Callable

import numpy as np

from ..dispatch import composed
from .linalg import tensordot
from .shape import pad as framed

_MODES = ("constant", "reflect", "replicate", "circular")


def pad_axes(x, widths, mode="constant", value=0.0):
    """x with `widths[k] = (before, after)` elements added on axis k, for each axis of a dict.

    `mode` is "constant" (filled with `value`), "reflect" (... c b | a b c ..., the edge once), "replicate"
    (... a a | a b c ...) or "circular" (... b c | a b c ...). A negative width takes elements away. Raises
    ValueError for another mode, a reflection or a wrap wider than the axis provides, and when nothing is
    left."""
    if mode not in _MODES:
        raise ValueError(f"padding mode is one of {', '.join(_MODES)}, got {mode!r}")
    for axis, (before, after) in widths.items():
        n = x.shape[axis]
        if n + before + after < 1 or n + min(before, 0) < 1 or n + min(after, 0) < 1:
            raise ValueError(f"padding ({before}, {after}) leaves nothing of axis {axis} of shape {x.shape}")
        if before < 0 or after < 0:
            x = x[_along(axis, max(-before, 0), n - max(-after, 0))]
    grown = {axis: (max(b, 0), max(a, 0)) for axis, (b, a) in widths.items() if max(b, a) > 0}
    if not grown:
        return x
    if mode == "constant":
        pairs = [(0, 0)] * x.ndim
        for axis, width in grown.items():
            pairs[axis] = width
        return framed(x, pairs, value)
    part = {"reflect": _reflect, "replicate": _replicate, "circular": _circular}[mode]
    for axis, (before, after) in grown.items():
        ahead, behind = part(x, axis, before, after)
        x = np.concatenate([*([ahead] if before else []), x, *([behind] if after else [])], axis=axis)
    return x


def _along(axis, start, stop, step=1):
    return (slice(None),) * axis + (slice(start, stop, step),)


def _enough(x, axis, width, least, what):
    if width > least:
        raise ValueError(
            f"{what} of {width} needs more than the {x.shape[axis]} elements of axis {axis}, {x.shape}"
        )


def _reflect(x, axis, before, after):
    n = x.shape[axis]
    _enough(x, axis, max(before, after), n - 1, "a reflection")
    ahead = np.flip(x[_along(axis, 1, before + 1)], axis)
    return ahead, np.flip(x[_along(axis, n - 1 - after, n - 1)], axis)


def _replicate(x, axis, before, after):
    n = x.shape[axis]
    _enough(x, axis, 1, n, "a replication")

    def stretched(edge, width):
        shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
        return np.broadcast_to(x[_along(axis, edge, edge + 1)], shape)

    return stretched(0, before), stretched(n - 1, after)


def _circular(x, axis, before, after):
    n = x.shape[axis]
    _enough(x, axis, max(before, after), n, "a wrap")
    return x[_along(axis, n - before, n)], x[_along(axis, 0, after)]


def pad(x, pad, mode="constant", value=0.0):
    """torch.nn.functional.pad: `pad` is (before, after) of the last axis of places, then of the one before
    it, and so on: (left, right, top, bottom) for images (m, n_H, n_W, n_C). Where it goes on, the channels
    follow, then the batch. Raises ValueError for an odd number of widths or too many."""
    pad = tuple(pad) if np.ndim(pad) else (pad, pad)
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad holds {len(pad)} widths, needs a pair for each of at most {x.ndim} axes")
    order = [*range(x.ndim - 2, 0, -1), x.ndim - 1, 0]
    return pad_axes(
        x, {axis: (pad[2 * k], pad[2 * k + 1]) for k, axis in enumerate(order[: len(pad) // 2])}, mode, value
    )


# What fills a side: elements of x itself, one statistic of it, or a sum of elements with fixed weights.
_TAKEN = ("edge", "reflect", "symmetric", "wrap")
_STATISTICS: dict[str, Callable] = {
    "maximum": np.max,
    "minimum": np.min,
    "mean": np.mean,
    "median": np.median,
}


@composed(np.pad)
def numpy_pad(array, pad_width, mode="constant", **options):
    """numpy.pad, with each of its modes and their options. Raises ValueError for a mode that is a function or
    "empty": what they write has no derivative; and for NumPy's own reasons."""
    if isinstance(pad_width, dict):
        widths = [(0, 0)] * array.ndim
        for axis, width in pad_width.items():
            widths[axis] = (width, width) if np.ndim(width) == 0 else width
        pad_width = widths
    if mode == "constant":
        return framed(array, pad_width, options.pop("constant_values", 0.0), **options)
    if mode not in (*_TAKEN, *_STATISTICS, "linear_ramp"):
        known = ", ".join(("constant", *_TAKEN, *_STATISTICS, "linear_ramp"))
        raise ValueError(f"pad: mode {mode!r} has no derivative, those that have are {known}")
    np.pad(np.ones((1,) * array.ndim), pad_width, mode, **options)  # NumPy's own complaints
    each = {name: _pairs(value, array.ndim) for name, value in options.items() if name != "reflect_type"}
    for axis, width in enumerate(_pairs(pad_width, array.ndim)):
        if any(width):
            own = {name: pairs[axis] for name, pairs in each.items()}
            array = _pad_axis(array, axis, width, mode, options.get("reflect_type", "even"), own)
    return array


def _pairs(value, ndim):
    """One number, one pair or a pair for each axis, as the last."""
    return [(None, None)] * ndim if value is None else np.broadcast_to(value, (ndim, 2)).tolist()


def _pad_axis(x, axis, width, mode, reflect_type, options):
    n = x.shape[axis]
    if mode in _TAKEN and reflect_type == "even":
        return np.take(x, np.pad(np.arange(n), width, mode), axis=axis)
    if mode in _STATISTICS:
        sides = []
        for after, (wide, length) in enumerate(zip(width, options.get("stat_length", (None, None)))):
            k = n if length is None else min(length, n)
            part = x[_along(axis, n - k, n) if after else _along(axis, 0, k)]
            value = _STATISTICS[mode](part, axis=axis, keepdims=True)
            sides.append(np.broadcast_to(value, (*x.shape[:axis], wide, *x.shape[axis + 1 :])))
        return np.concatenate([sides[0], x, sides[1]], axis=axis)
    # Linear in x but for the values at the ends: NumPy pads the unit vectors, and 0 for those.
    more = {"end_values": options["end_values"]} if "end_values" in options else {}
    more |= {} if mode == "linear_ramp" else {"reflect_type": reflect_type}
    zero = np.pad(np.zeros(n), width, mode, **more)
    units = [np.pad(unit, width, mode, **more) - zero for unit in np.eye(n)]
    y = np.moveaxis(tensordot(x, np.array(units, x.dtype), ((axis,), (0,))), -1, axis)
    return y + zero.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - axis - 1)) if zero.any() else y

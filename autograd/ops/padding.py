"""Padding by reflection, replication and wrapping, composed of slices: their rules are those of the parts."""

import numpy as np

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
        return np.pad(x, pairs, constant_values=value)
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

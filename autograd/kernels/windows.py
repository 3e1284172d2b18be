"""Tables of the windows along an axis, for pooling."""

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


@functools.lru_cache(64)
def pixels(channels, dilation, *axis):
    """The table `pixels` of `pool._max_narrow` for the windows along an axis."""
    found = windows(*axis, dilation)
    steps = np.maximum((found[:, 1] - 1 - found[:, 0]) // dilation, 0)  # to a window's last pixel
    ahead = np.minimum(np.arange(steps.max(initial=0) + 1)[:, None], steps) * dilation
    columns = np.repeat(found[:, 0] + ahead, channels, axis=1)  # (kw, OW*C)
    channel = np.tile(np.arange(channels), len(found))
    return np.stack([columns * channels + channel, columns]).astype(np.uint32)


def covers(windows, size):
    """The windows over each of `size` pixels along an axis, (size, 2) int64: the first, and the end."""
    pixels = np.arange(size)
    return np.stack([np.searchsorted(windows[:, k], pixels, "right") for k in (1, 0)], 1)


@functools.lru_cache(64)
def sums(backward, dtype, channels, axes, count_padding):
    """The tables of `pool._average_narrow` for the windows along two axes, rows and columns, or with
    `backward` for the transpose of their means."""
    found = [windows(*axis, count_padding=count_padding) for axis in axes]
    spans = [covers(w, axis[0]) if backward else w[:, :2] for w, axis in zip(found, axes, strict=True)]
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

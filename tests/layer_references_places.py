"""Closed forms, continued: normalisation, padding and resizing."""

import math

import numpy as np

from tests.layer_references import of_each, reference, scaled, values

# ---- normalisation


def standard(x, axes, eps):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@reference(*(f"{kind}Norm{axes}d" for kind in ("Batch", "Instance") for axes in (1, 2, 3)))
def batch_norm(layer, x):
    if layer.track_running_stats:
        mean, var = values(layer, "running_mean", "running_var")
        return scaled((x - mean) / np.sqrt(var + layer.eps), layer)
    first = 0 if "Batch" in type(layer).__name__ else 1
    return scaled(standard(x, tuple(range(first, x.ndim - 1)), layer.eps), layer)


@reference("GroupNorm")
def group_norm(layer, x):
    parts = np.split(x, layer.num_groups, -1)
    return scaled(np.concatenate([standard(p, tuple(range(1, x.ndim)), layer.eps) for p in parts], -1), layer)


@reference("LayerNorm")
def layer_norm(layer, x):
    return scaled(standard(x, tuple(range(-len(layer.normalized_shape), 0)), layer.eps), layer)


@reference("RMSNorm")
def rms_norm(layer, x):
    eps = np.finfo(np.float64).eps if layer.eps is None else layer.eps
    return scaled(x / np.sqrt((x * x).mean(-1, keepdims=True) + eps), layer)


@reference("LocalResponseNorm")
def local_response_norm(layer, x):
    """size // 2 neighbours below, (size - 1) // 2 above."""
    y, n = np.empty_like(x), x.shape[-1]
    for c in range(n):
        near = x[..., max(c - layer.size // 2, 0) : c + (layer.size - 1) // 2 + 1]
        total = layer.k + layer.alpha / layer.size * (near * near).sum(-1)
        y[..., c] = x[..., c] / total**layer.beta
    return y


# ---- places


PADS = ("ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad")


@reference(*(f"{kind}{axes}d" for kind in PADS for axes in (1, 2, 3)))
def padded(layer, x):
    axes = x.ndim - 2
    pairs = [layer.padding[2 * k : 2 * k + 2] for k in reversed(range(axes))]
    kept = tuple(slice(max(-b, 0), n + min(a, 0)) for (b, a), n in zip(pairs, x.shape[1:-1]))
    x = x[(slice(None), *kept)]
    added = [(0, 0), *((max(b, 0), max(a, 0)) for b, a in pairs), (0, 0)]
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[layer.mode]
    return np.pad(x, added, mode, **({"constant_values": layer.value} if mode == "constant" else {}))


def keys(t):
    """The weight of a pixel at distance t: Keys 1981, a = -3/4."""
    t, a = abs(t), -0.75
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def resizing(n, out, factor, mode, corners):
    """The matrix (out, n) that resizes one axis."""
    step = n / out if factor is None else 1 / factor
    matrix = np.zeros((out, n))
    for i in range(out):
        if mode.startswith("nearest"):
            at = np.float32(i + 0.5 * (mode == "nearest-exact")) * np.float32(step)
            matrix[i, min(int(at), n - 1)] = 1
            continue
        at = i * (n - 1) / max(out - 1, 1) if corners else (i + 0.5) * step - 0.5
        if mode != "bicubic":
            at = max(at, 0.0)
            low = min(int(at), n - 1)
            for j, share in ((low, 1 - (at - low)), (min(low + 1, n - 1), at - low)):
                matrix[i, j] += share
            continue
        for j in range(math.floor(at) - 1, math.floor(at) + 3):
            matrix[i, min(max(j, 0), n - 1)] += keys(at - j)
    return matrix


@reference("Upsample")
def upsample(layer, x):
    axes = x.ndim - 2
    sizes, factors = of_each(layer.size, axes), of_each(layer.scale_factor, axes)
    for axis, (size, factor) in enumerate(zip(sizes, factors), 1):
        n = x.shape[axis]
        out = math.floor(n * factor) if size is None else size
        matrix = resizing(n, out, factor, layer.mode, layer.align_corners)
        x = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
    return x


@reference("PixelShuffle")
def pixel_shuffle(layer, x):
    """Channel (c r + i) r + j of a pixel goes to its row i, column j."""
    r, (m, rows, columns, channels) = layer.upscale_factor, x.shape
    y = np.empty((m, rows * r, columns * r, channels // r**2))
    for c, i, j in np.ndindex(y.shape[3], r, r):
        y[:, i::r, j::r, c] = x[..., (c * r + i) * r + j]
    return y


@reference("PixelUnshuffle")
def pixel_unshuffle(layer, x):
    r = layer.downscale_factor
    parts = [x[:, i::r, j::r, c] for c in range(x.shape[3]) for i in range(r) for j in range(r)]
    return np.stack(parts, -1)


@reference("ChannelShuffle")
def channel_shuffle(layer, x):
    each = x.shape[-1] // layer.groups
    return np.concatenate([x[..., k::each] for k in range(each)], -1)

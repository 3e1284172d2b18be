"""Closed forms of the layers in NumPy, from their definitions and without a line of ours: what every row is
held to, at test time, where PyTorch is not installed. Further ones are in `layer_references_*.py`."""

import itertools
import math

import numpy as np

import nn

REFERENCES = {}


def reference(*names):
    """Declares the closed form of these layers: function(layer, *inputs, **options)."""

    def declare(function):
        REFERENCES.update(dict.fromkeys(names, function))
        return function

    return declare


def by_definition(layer, *inputs, **options):
    """What the layer gives, by its closed form."""
    return REFERENCES[type(layer).__name__](layer, *inputs, **options)


class ByDefinition(nn.Module):
    """A layer's closed form, called as the layer is."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, *inputs, **options):
        return by_definition(self.layer, *inputs, **options)


def values(layer, *names):
    """The parameters of these names as arrays, None where there is none."""
    found = [getattr(layer, name, None) for name in names]
    return [None if p is None else p.numpy() for p in found]


def scaled(y, layer):
    weight, bias = values(layer, "weight", "bias")
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def of_each(value, axes):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes


# ---- elementwise, and over one axis


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z, axis=-1):
    e = np.exp(z - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def normal_distribution(z):
    return np.vectorize(lambda t: 0.5 * (1 + math.erf(t / math.sqrt(2))))(z)


def gelu(x, approximate="none"):
    if approximate == "none":
        return x * normal_distribution(x)
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def merged(x, first, last):
    return x.reshape(*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :])


def split(x, axis, sizes):
    return x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])


SELU = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

FORMULAS = {
    "ReLU": lambda m, x: np.where(x > 0, x, 0),
    "LeakyReLU": lambda m, x: np.where(x > 0, x, m.negative_slope * x),
    "PReLU": lambda m, x: np.where(x > 0, x, m.weight.numpy() * x),
    "RReLU": lambda m, x: np.where(x > 0, x, (m.lower + m.upper) / 2 * x),
    "ELU": lambda m, x: np.where(x > 0, x, m.alpha * (np.exp(x) - 1)),
    "CELU": lambda m, x: np.where(x > 0, x, m.alpha * (np.exp(x / m.alpha) - 1)),
    "SELU": lambda m, x: SELU[0] * np.where(x > 0, x, SELU[1] * (np.exp(x) - 1)),
    "GELU": lambda m, x: gelu(x, m.approximate),
    "SiLU": lambda m, x: x * sigmoid(x),
    "Mish": lambda m, x: x * np.tanh(np.log(1 + np.exp(x))),
    "Sigmoid": lambda m, x: sigmoid(x),
    "LogSigmoid": lambda m, x: -np.log(1 + np.exp(-x)),
    "Tanh": lambda m, x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "Tanhshrink": lambda m, x: x - np.tanh(x),
    "Hardtanh": lambda m, x: np.clip(x, m.min_val, m.max_val),
    "ReLU6": lambda m, x: np.clip(x, 0, 6),
    "Hardsigmoid": lambda m, x: np.clip(x + 3, 0, 6) / 6,
    "Hardswish": lambda m, x: x * np.clip(x + 3, 0, 6) / 6,
    "Softplus": lambda m, x: np.where(m.beta * x > m.threshold, x, np.log(1 + np.exp(m.beta * x)) / m.beta),
    "Softshrink": lambda m, x: np.sign(x) * np.maximum(np.abs(x) - m.lambd, 0),
    "Hardshrink": lambda m, x: x * (np.abs(x) > m.lambd),
    "Softsign": lambda m, x: x / (1 + np.abs(x)),
    "Threshold": lambda m, x: np.where(x > m.threshold, x, m.value),
    "Softmax": lambda m, x: softmax(x, m.dim),
    "Softmin": lambda m, x: softmax(-x, m.dim),
    "LogSoftmax": lambda m, x: np.log(softmax(x, m.dim)),
    "Softmax2d": lambda m, x: softmax(x),
    "GLU": lambda m, x: np.split(x, 2, m.dim)[0] * sigmoid(np.split(x, 2, m.dim)[1]),
    "Identity": lambda m, x: x,
    "Flatten": lambda m, x: merged(x, m.start_dim, m.end_dim % x.ndim),
    "Unflatten": lambda m, x: split(x, m.dim % x.ndim, m.unflattened_size),
    "CosineSimilarity": lambda m, a, b: (a * b).sum(m.dim) / np.sqrt((a * a).sum(m.dim) * (b * b).sum(m.dim)),
    "PairwiseDistance": lambda m, a, b: np.sqrt(((a - b + m.eps) ** 2).sum(-1)),
}
REFERENCES.update(FORMULAS)


@reference("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
def at_rest(layer, x):
    return x


# ---- products


@reference("Linear")
def linear(layer, x):
    bias = values(layer, "bias")[0]
    return np.einsum("...i,oi->...o", x, layer.weight.numpy()) + (0 if bias is None else bias)


@reference("Bilinear")
def bilinear(layer, a, b):
    bias = values(layer, "bias")[0]
    return np.einsum("...i,kij,...j->...k", a, layer.weight.numpy(), b) + (0 if bias is None else bias)


@reference("Sequential")
def one_after_the_other(layer, x):
    for module in layer:
        x = by_definition(module, x)
    return x


@reference("Listed")
def listed(layer, x):
    return one_after_the_other(layer.layers.values() if hasattr(layer.layers, "values") else layer.layers, x)


@reference("Owned")
def owned(layer, x):
    for p in layer.held.values() if hasattr(layer.held, "values") else layer.held:
        x = x * p.numpy()
    return x


@reference("Embedding")
def embedding(layer, indices):
    return shortened(layer)[indices]


def shortened(layer):
    """The table; rows that are looked up are no longer than `max_norm` then."""
    table = layer.weight.numpy()
    if layer.max_norm is None:
        return table
    norms = np.linalg.norm(table, layer.norm_type, axis=1)
    return table * np.where(norms > layer.max_norm, layer.max_norm / (norms + 1e-7), 1.0)[:, None]


@reference("EmbeddingBag")
def embedding_bag(layer, indices, offsets=None, per_sample_weights=None):
    table, width = shortened(layer), layer.embedding_dim
    shares = np.ones(indices.shape) if per_sample_weights is None else per_sample_weights
    if offsets is None:
        bags = list(zip(indices, shares))
    else:
        ends = offsets[1:] if layer.include_last_offset else [*offsets[1:], len(indices)]
        bags = [(indices[i:j], shares[i:j]) for i, j in zip(offsets, ends)]
    reduce = {"sum": np.sum, "mean": np.mean, "max": np.max}[layer.mode]
    y = np.zeros((len(bags), width))
    for row, (bag, of_bag) in zip(y, bags):
        kept = [table[i] * s for i, s in zip(bag, of_bag) if i != layer.padding_idx]
        if kept:
            row[...] = reduce(kept, axis=0)
    return y


# ---- windows


def patches(x, kernel, stride=1, dilation=1):
    """What each window sees: (m, ..., n_C) to (m, *windows, *kernel, n_C)."""
    axes = len(kernel)
    stride, dilation = of_each(stride, axes), of_each(dilation, axes)
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], kernel, stride, dilation)]
    y = np.empty((len(x), *out, *kernel, x.shape[-1]), x.dtype)
    for at in np.ndindex(*kernel):
        steps = [slice(a * d, a * d + (o - 1) * s + 1, s) for a, o, s, d in zip(at, out, stride, dilation)]
        y[(slice(None),) * (1 + axes) + at] = x[(slice(None), *steps)]
    return y


def same_pads(padding, size, kernel, stride, dilation):
    """(before, after) of each axis."""
    if padding == "valid":
        padding = 0
    if padding != "same":
        return [(p, p) for p in of_each(padding, len(size))]
    wide = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    total = [max((math.ceil(n / s) - 1) * s + k - n, 0) for n, s, k in zip(size, stride, wide)]
    return [(t // 2, t - t // 2) for t in total]


@reference("Conv1d", "Conv2d", "Conv3d")
def convolution(layer, x):
    w, b = values(layer, "weight", "bias")
    axes, groups = w.ndim - 2, layer.groups
    pads = same_pads(layer.padding, x.shape[1:-1], w.shape[:axes], layer.stride, layer.dilation)
    mode = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    x = np.pad(x, [(0, 0), *pads, (0, 0)], mode[layer.padding_mode])
    seen = patches(x, w.shape[:axes], layer.stride, layer.dilation)
    parts = zip(np.split(seen, groups, -1), np.split(w, groups, -1))
    y = np.concatenate([np.tensordot(p, f, axes + 1) for p, f in parts], -1)
    return y if b is None else y + b


@reference("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
def transposed_convolution(layer, x, output_size=None):
    """Each pixel adds its filter, times itself."""
    w, b = values(layer, "weight", "bias")
    axes, kernel, s, d = w.ndim - 2, w.shape[:-2], layer.stride, layer.dilation
    least = [(n - 1) * t + e * (k - 1) + 1 for n, t, e, k in zip(x.shape[1:-1], s, d, kernel)]
    extra = layer.output_padding
    if output_size is not None:
        extra = [o - n + 2 * p for o, n, p in zip(output_size, least, layer.padding)]
    y = np.zeros((len(x), *(n + e for n, e in zip(least, extra)), w.shape[-2] * layer.groups))
    parts = [
        (g, np.split(x, layer.groups, -1)[g], np.split(w, layer.groups, -1)[g]) for g in range(layer.groups)
    ]
    for at in np.ndindex(*kernel):
        there = [slice(a * e, a * e + (n - 1) * t + 1, t) for a, e, n, t in zip(at, d, x.shape[1:-1], s)]
        for g, of_group, filters in parts:
            channels = slice(g * w.shape[-2], (g + 1) * w.shape[-2])
            y[(slice(None), *there, channels)] += of_group @ filters[at].T
    kept = [slice(p, n - p) for p, n in zip(layer.padding, y.shape[1:-1])]
    y = y[(slice(None), *kept)]
    assert y.ndim == axes + 2
    return y if b is None else y + b


def pool_windows(layer, x, fill):
    """(m, *windows, positions, n_C) of x, with its padding, and 1 in the rest where there is a pixel, -1 in
    the padding, 0 beyond it."""
    axes = x.ndim - 2
    options = [getattr(layer, name, default) for name, default in (("padding", 0), ("dilation", 1))]
    kernel, stride, pad, spread = (of_each(v, axes) for v in (layer.kernel_size, layer.stride, *options))
    beyond = []
    for n, k, s, p, d in zip(x.shape[1:-1], kernel, stride, pad, spread):
        room = n + 2 * p - d * (k - 1) - 1
        out = (math.ceil(room / s) if layer.ceil_mode else room // s) + 1
        out -= bool(layer.ceil_mode and (out - 1) * s >= n + p)
        beyond.append(max((out - 1) * s + d * (k - 1) + 1 - n - 2 * p, 0))

    def around(a, inner, outer):
        a = np.pad(a, [(0, 0), *((p, p) for p in pad), (0, 0)], constant_values=inner)
        a = np.pad(a, [(0, 0), *((0, e) for e in beyond), (0, 0)], constant_values=outer)
        seen = patches(a, kernel, stride, spread)
        return seen.reshape(*seen.shape[: 1 + axes], -1, seen.shape[-1])

    place = np.arange(math.prod(x.shape[1:-1])).reshape(1, *x.shape[1:-1], 1)
    kinds = around(np.ones((1, *x.shape[1:-1], 1)), -1, 0)
    return around(x, fill, fill), kinds, around(place, 0, 0)


@reference("MaxPool1d", "MaxPool2d", "MaxPool3d")
def max_pool(layer, x):
    seen, _, place = pool_windows(layer, x, -np.inf)
    index = np.take_along_axis(np.broadcast_to(place, seen.shape), seen.argmax(-2)[..., None, :], -2)
    return (seen.max(-2), index[..., 0, :]) if layer.return_indices else seen.max(-2)


@reference("AvgPool1d", "AvgPool2d", "AvgPool3d")
def avg_pool(layer, x):
    seen, kinds, _ = pool_windows(layer, x, 0.0)
    count = (kinds != 0 if layer.count_include_pad else kinds == 1).sum(-2)
    return seen.sum(-2) / (layer.divisor_override or count)


@reference("LPPool1d", "LPPool2d", "LPPool3d")
def lp_pool(layer, x):
    seen, _, _ = pool_windows(layer, x, 0.0)
    return (seen**layer.norm_type).sum(-2) ** (1 / layer.norm_type)


@reference(*(f"Adaptive{kind}Pool{axes}d" for kind in ("Avg", "Max") for axes in (1, 2, 3)))
def adaptive_pool(layer, x):
    size = x.shape[1:-1]
    out = [n if o is None else o for n, o in zip(size, of_each(layer.output_size, len(size)))]
    y = np.empty((len(x), *out, x.shape[-1]))
    index = np.empty(y.shape, int)
    place = np.arange(math.prod(size)).reshape(size)
    for at in np.ndindex(*out):
        window = tuple(slice(i * n // o, -(-(i + 1) * n // o)) for i, n, o in zip(at, size, out))
        seen = x[(slice(None), *window)].reshape(len(x), -1, x.shape[-1])
        y[(slice(None), *at)] = seen.mean(1) if "Avg" in type(layer).__name__ else seen.max(1)
        index[(slice(None), *at)] = place[window].ravel()[seen.argmax(1)]
    return (y, index) if getattr(layer, "return_indices", False) else y


@reference("MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d")
def max_unpool(layer, x, index, output_size=None):
    axes = x.ndim - 2
    kernel, stride = of_each(layer.kernel_size, axes), of_each(layer.stride, axes)
    size = output_size or [(n - 1) * s + k for n, s, k in zip(x.shape[1:-1], stride, kernel)]
    y = np.zeros((len(x), math.prod(size), x.shape[-1]))
    for at in np.ndindex(*x.shape):
        y[at[0], index[at], at[-1]] = x[at]
    return y.reshape(len(x), *size, x.shape[-1])


@reference("FractionalMaxPool2d", "FractionalMaxPool3d")
def fractional_max_pool(layer, x):
    size = x.shape[1:-1]
    ratios = of_each(layer.output_ratio, len(size))
    out = of_each(layer.output_size or [int(n * r) for n, r in zip(size, ratios)], len(size))
    kernel, samples = of_each(layer.kernel_size, len(size)), layer._random_samples.numpy()
    y, index = np.empty((len(x), *out, x.shape[-1])), np.empty((len(x), *out, x.shape[-1]), int)
    for i, c in itertools.product(range(len(x)), range(x.shape[-1])):
        starts = []
        for n, o, k, u in zip(size, out, kernel, samples[i, c][:: -1 if len(size) == 2 else 1]):
            a = (n - k) / (o - 1)
            starts.append([int((j + u) * a) - int(u * a) for j in range(o - 1)] + [n - k])
        for at in np.ndindex(*out):
            window = [slice(s[j], s[j] + k) for s, j, k in zip(starts, at, kernel)]
            seen = x[(i, *window, c)]
            best = np.unravel_index(seen.argmax(), seen.shape)
            y[(i, *at, c)] = seen[best]
            index[(i, *at, c)] = np.ravel_multi_index([w.start + b for w, b in zip(window, best)], size)
    return (y, index) if layer.return_indices else y


@reference("Unfold")
def unfold(layer, x):
    pads = [(p, p) for p in of_each(layer.padding, 2)]
    x = np.pad(x, [(0, 0), *pads, (0, 0)])
    seen = patches(x, of_each(layer.kernel_size, 2), layer.stride, layer.dilation)
    return seen.reshape(len(x), math.prod(seen.shape[1:3]), -1)


@reference("Fold")
def fold(layer, x):
    """Each patch is added where it came from."""
    size, kernel, pad = (of_each(v, 2) for v in (layer.output_size, layer.kernel_size, layer.padding))
    stride, spread = of_each(layer.stride, 2), of_each(layer.dilation, 2)
    place = np.arange(math.prod(n + 2 * p for n, p in zip(size, pad)))
    padded = tuple(n + 2 * p for n, p in zip(size, pad))
    seen = patches(place.reshape(1, *padded, 1), kernel, stride, spread).reshape(x.shape[1], -1)
    y = np.zeros((len(x), len(place), x.shape[2] // math.prod(kernel)))
    for k, places in enumerate(seen):
        for j, p in enumerate(places):
            y[:, p] += x[:, k].reshape(len(x), len(places), -1)[:, j]
    y = y.reshape(len(x), *padded, -1)
    return y[:, pad[0] : pad[0] + size[0], pad[1] : pad[1] + size[1]]


from tests import layer_references_places, layer_references_sequence  # noqa: E402, F401

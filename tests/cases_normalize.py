"""Rows of normalisation. The references are PyTorch's formulas, one loop a set of elements; the rows reach
one and many channels, every part an array may lack, and more than a block of rows."""

import numpy as np

from tests.cases import Case


def affine(y, weight, bias):
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def normalized(values, eps):
    return (values - values.mean()) / np.sqrt(((values - values.mean()) ** 2).mean() + eps)


def naive_batch_norm(x, weight=None, bias=None, eps=1e-5, relu=False):
    channels = range(x.shape[-1])
    y = affine(np.stack([normalized(x[..., c], eps) for c in channels], -1), weight, bias)
    mean = np.array([x[..., c].mean() for c in channels])
    var = np.array([((x[..., c] - mean[c]) ** 2).mean() for c in channels])
    return np.maximum(y, 0) if relu else y, mean, var


def naive_group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    y = np.empty_like(x)
    width = x.shape[-1] // num_groups
    for n in range(len(x)):
        for c in range(0, x.shape[-1], width):
            y[n, ..., c : c + width] = normalized(x[n, ..., c : c + width], eps)
    return affine(y, weight, bias)


def naive_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    leading = x.ndim - np.size(normalized_shape)
    y = np.empty_like(x)
    for place in np.ndindex(x.shape[:leading]):
        y[place] = normalized(x[place], eps)
    return affine(y, weight, bias)


def naive_rms_norm(x, normalized_shape, weight=None, eps=None):
    leading = x.ndim - np.size(normalized_shape)
    y = np.empty_like(x)
    for place in np.ndindex(x.shape[:leading]):
        y[place] = x[place] / np.sqrt(
            (x[place] ** 2).mean() + (np.finfo(x.dtype).eps if eps is None else eps)
        )
    return affine(y, weight, None)


def naive_response(x, size, alpha=1e-4, beta=0.75, k=1.0):
    y = np.empty_like(x)
    for c in range(x.shape[-1]):
        window = x[..., max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        y[..., c] = x[..., c] / (k + alpha / size * (window**2).sum(-1)) ** beta
    return y


def naive_scale_shift(x, center, scale, shift, relu=False):
    y = (x - center) * scale + shift
    return np.maximum(y, 0) if relu else y


def normal(*shapes, options=()):
    """Arrays of these shapes, off center and of several spreads; None stays, and `options` come second."""

    def make(rng):
        x, *others = (None if s is None else 1 + 2 * rng.standard_normal(s) for s in shapes)
        return x, *options, *others

    return make


SHAPES = {
    "images": (2, 3, 4, 5),
    "rows": (9, 4),
    "one-channel": (3, 4, 1),
    "two-values": (2, 3),
    "blocks": (6, 5, 7, 3),
    "joined-rows": (4, 8, 2),
}


def batch_rows():
    for note, shape in SHAPES.items():
        channels = shape[-1:]
        yield Case("batch_norm", normal(shape, channels, channels), naive_batch_norm, {}, note)
    shape, channels = SHAPES["images"], (5,)
    make = normal(shape, channels, channels)
    yield Case("batch_norm", make, naive_batch_norm, {"relu": True}, "relu")
    yield Case("batch_norm", normal(shape), naive_batch_norm, {"eps": 0.1}, "plain")
    yield Case("batch_norm", normal(shape, channels), naive_batch_norm, {}, "no-bias")
    yield Case("batch_norm", normal(shape, None, channels), naive_batch_norm, {}, "no-weight")
    for relu in (False, True):
        make, note = normal(shape, *[channels] * 3), "relu" if relu else ""
        yield Case("scale_shift", make, naive_scale_shift, {"relu": relu}, note)


def group_rows():
    for groups in (1, 2, 3, 6):
        make = normal((2, 3, 2, 6), (6,), (6,), options=(groups,))
        yield Case("group_norm", make, naive_group_norm, {}, f"{groups}-of-6")
    yield Case("group_norm", normal((3, 4), options=(2,)), naive_group_norm, {"eps": 0.1}, "plain")
    yield Case("group_norm", normal((1, 5, 1), (1,), options=(1,)), naive_group_norm, {}, "one-channel")


def row_rows():
    for note, x, last in (("last", (3, 2, 5), 5), ("two", (2, 3, 4), (3, 4)), ("all", (7,), (7,))):
        shape = (last,) if isinstance(last, int) else last
        make = normal(x, shape, shape, options=(last,))
        yield Case("layer_norm", make, naive_layer_norm, {}, note)
        yield Case("rms_norm", normal(x, shape, options=(last,)), naive_rms_norm, {}, note)
    yield Case("layer_norm", normal((4, 6), options=(6,)), naive_layer_norm, {"eps": 0.1}, "plain")
    yield Case("layer_norm", normal((2, 6), None, (6,), options=(6,)), naive_layer_norm, {}, "no-weight")
    yield Case("rms_norm", normal((4, 6), options=(6,)), naive_rms_norm, {"eps": 0.1}, "plain")


def response_rows():
    strong = {"alpha": 0.5, "k": 2.0}
    for size in (1, 2, 5):
        yield Case(
            "local_response_norm", normal((2, 3, 6)), naive_response, {"size": size, **strong}, f"{size}"
        )
    how = {"size": 3, "beta": 0.6, **strong}
    yield Case("local_response_norm", normal((3, 4)), naive_response, how, "other-power")
    yield Case("local_response_norm", normal((2, 2, 2, 3)), naive_response, {"size": 5}, "wider-than-x")


CASES = [*batch_rows(), *group_rows(), *row_rows(), *response_rows()]

"""Single layers at the sizes of real networks, forward and backward unless the name says otherwise: what the
kernels take beside PyTorch's, in the faster of its two layouts.

Images of 1 and 3 channels are a network's input and need no gradient. Layers have biases, as they do by
default. Tiny sizes are large enough to run the kernels that the full ones run, so that these are loaded
before memory is looked at.
"""

from functools import partial
from typing import Any

import numpy as np

from benchmarks.calls import LAYOUTS, sides
from benchmarks.case import Case
from benchmarks.kernels import attention, ctc, embedding, places, recurrence, resize

# Winograd's error is up to 2e-4 of the RMS, a fifth of the largest value or less
CONVOLUTION: dict[str, Any] = {"tolerance": 4e-5, "memory": True, "exact": True}
OTHER: dict[str, Any] = {"tolerance": 2e-5, "memory": True, "exact": True}


def normal(rng, *shape, scale=1.0):
    return np.asarray(scale * rng.standard_normal(shape), np.float32)


# ---- convolution


def images(rng, m, n, c, k, f, stride=1, pad=0, groups=1):
    """n x n images of c channels, k filters of f x f."""
    out = (n + 2 * pad - f) // stride + 1
    fan = f * f * c // groups
    return {
        "x": normal(rng, m, n, n, c),
        "w": normal(rng, f, f, c // groups, k, scale=fan**-0.5),
        "b": normal(rng, k),
        "g": normal(rng, m, out, out, k),
        "stride": stride,
        "pad": pad,
        "groups": groups,
    }


def conv_ours(x, w, b, stride, pad, groups):
    from nn.functional import conv2d

    return lambda: conv2d(x, w, b, stride, pad, 1, groups)


def conv_torch(x, w, b, stride, pad, groups):
    from torch.nn.functional import conv2d

    return lambda: conv2d(x, w, b, stride, pad, 1, groups)


def conv(name, target, full, tiny, record=True):
    """A convolution; `tiny` overrides what differs from the full size."""
    size = {"stride": 1, "pad": 0, "groups": 1} | full
    c, f = size["c"], size["f"]
    out = (size["n"] + 2 * size["pad"] - f) // size["stride"] + 1
    leaves = ("w", "b") if c in (1, 3) else ("x", "w", "b")
    passes = 2 + ("x" in leaves) if record else 1  # forward, and the gradients of w and x
    return Case(
        f"{name}, forward" if not record else name,
        images,
        sides(conv_ours, conv_torch, leaves, LAYOUTS, record),
        size,
        size | tiny,
        {"torch": target},
        work=2 * passes * size["m"] * out * out * size["k"] * f * f * c // size["groups"],
        **CONVOLUTION,
    )


def title(m, n, c, k=None):
    return f"{m}x{n}x{n}x{c}" + (f"->{k}" if k else "")


def three_by_three(m, n, c):
    """Stride 1, both ways and forward alone."""
    name, full = f"conv 3x3, {title(m, n, c)}", {"m": m, "n": n, "c": c, "k": c, "f": 3, "pad": 1}
    tiny = {"m": 2, "n": 8}
    return [conv(name, 1.15, full, tiny), conv(name, 1.3, full, tiny, record=False)]


def depthwise(stride):
    full = {"m": 16, "n": 28, "c": 96, "k": 96, "f": 3, "pad": 1, "groups": 96, "stride": stride}
    return conv(f"depthwise 3x3 s{stride}, {title(16, 28, 96)}", 1.3, full, {"m": 2, "n": 14})


CONVOLUTIONS = [
    *three_by_three(16, 56, 64),
    *three_by_three(16, 28, 128),
    *three_by_three(16, 14, 256),
    *three_by_three(4, 112, 64),
    conv(
        f"conv 3x3, {title(16, 7, 512)}",
        0.9,
        {"m": 16, "n": 7, "c": 512, "k": 512, "f": 3, "pad": 1},
        {"m": 2, "n": 4},
    ),
    conv(
        f"conv 3x3 s2, {title(16, 56, 128)}",
        0.9,
        {"m": 16, "n": 56, "c": 128, "k": 128, "f": 3, "pad": 1, "stride": 2},
        {"m": 2, "n": 9},
    ),
    conv(
        f"conv 1x1, {title(16, 14, 256, 1024)}",
        0.9,
        {"m": 16, "n": 14, "c": 256, "k": 1024, "f": 1},
        {"m": 2, "n": 5},
    ),
    conv(
        f"conv 7x7 s2, {title(8, 224, 3, 64)}",
        0.9,
        {"m": 8, "n": 224, "c": 3, "k": 64, "f": 7, "pad": 3, "stride": 2},
        {"n": 16},
    ),
    conv(
        f"conv 5x5, {title(16, 28, 32)}",
        0.9,
        {"m": 16, "n": 28, "c": 32, "k": 32, "f": 5, "pad": 2},
        {"m": 2, "n": 9},
    ),
    conv(
        f"LeNet conv 5x5, {title(64, 28, 1, 6)}",
        1.3,
        {"m": 64, "n": 28, "c": 1, "k": 6, "f": 5, "pad": 2},
        {"m": 8, "n": 16},
    ),
    conv(
        f"LeNet conv 5x5, {title(64, 14, 6, 16)}",
        1.3,
        {"m": 64, "n": 14, "c": 6, "k": 16, "f": 5},
        {"m": 8, "n": 10},
    ),
    depthwise(1),
    depthwise(2),
]


# ---- pooling


def pooled(rng, m, n, c, f, stride, pad):
    out = (n + 2 * pad - f) // stride + 1
    shapes = (m, n, n, c), (m, out, out, c)
    return dict(zip("xg", (normal(rng, *shape) for shape in shapes))) | {
        "f": f,
        "stride": stride,
        "pad": pad,
    }


def pool_ours(name, x, f, stride, pad):
    from nn import functional

    call = getattr(functional, name)
    return lambda: call(x, f, stride, pad)


def pool_torch(name, x, f, stride, pad):
    from torch.nn import functional

    call = getattr(functional, name)
    return lambda: call(x, f, stride, pad)


def pool(name, function, f, stride, pad):
    shape = {"m": 16, "n": 112, "c": 64}
    how = {"f": f, "stride": stride, "pad": pad}
    return Case(
        f"{name} pool {f}x{f} s{stride}, {title(**shape)}",
        pooled,
        sides(partial(pool_ours, function), partial(pool_torch, function), ("x",), LAYOUTS),
        shape | how,
        {"m": 2, "n": 32, "c": 64} | how,
        {"torch": 1.5},
        **OTHER,
    )


# ---- normalisation and activations

NEAR = 1e-3  # a ReLU's input this near to 0 may come out on either side of it


def batch(rng, m, n, c):
    x, w, b = normal(rng, m, n, n, c), normal(rng, c, scale=0.2) + 1, normal(rng, c, scale=0.2)
    axes = (0, 1, 2)
    y = (x - x.mean(axes)) / x.std(axes) * w + b
    x += np.where(np.abs(y) < NEAR, np.copysign(2 * NEAR, y), 0)
    return {"x": x, "weight": w, "bias": b, "g": normal(rng, m, n, n, c)}


def norm_relu_ours(x, weight, bias):
    import nn

    layer = nn.BatchNorm2d(x.shape[-1])
    layer.weight, layer.bias = own = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
    return lambda: layer(x, relu=True), dict(zip(("weight", "bias"), own))


def norm_relu_torch(x, weight, bias):
    import torch

    norm = torch.nn.BatchNorm2d(x.shape[1], dtype=x.dtype)
    norm.weight, norm.bias = own = torch.nn.Parameter(weight.detach()), torch.nn.Parameter(bias.detach())
    layer = torch.nn.Sequential(norm, torch.nn.ReLU())
    return lambda: layer(x), dict(zip(("weight", "bias"), own))


def tokens(rng, m, t, d):
    return {"x": normal(rng, m, t, d), "g": normal(rng, m, t, d)}


def weighted_tokens(rng, m, t, d):
    return {"weight": normal(rng, d, scale=0.2) + 1, "bias": normal(rng, d, scale=0.2)} | tokens(rng, m, t, d)


def away_from_0(rng, m, t, d):
    made = tokens(rng, m, t, d)
    return made | {"x": made["x"] + np.copysign(np.float32(NEAR), made["x"])}


def layer_norm_ours(x, weight, bias):
    from nn.functional import layer_norm

    return lambda: layer_norm(x, x.shape[-1], weight, bias)


def layer_norm_torch(x, weight, bias):
    from torch.nn.functional import layer_norm

    return lambda: layer_norm(x, x.shape[-1:], weight, bias)


def activation_ours(name, x):
    from nn import functional

    call = getattr(functional, name)
    return lambda: call(x)


def activation_torch(name, x):
    from torch.nn import functional

    call = getattr(functional, name)
    return lambda: call(x)


def activation(name, function, data):
    return Case(
        f"{name} (64, 128, 512)",
        data,
        sides(partial(activation_ours, function), partial(activation_torch, function), ("x",)),
        {"m": 64, "t": 128, "d": 512},
        {"m": 2, "t": 128, "d": 512},
        {"torch": 1.0},
        **OTHER,
    )


# ---- the loss


def classes(rng, m, c):
    return {"x": normal(rng, m, c), "labels": rng.integers(0, c, m), "g": normal(rng)}


def loss_ours(x, labels):
    from nn.functional import cross_entropy

    return lambda: cross_entropy(x, labels)


def loss_torch(x, labels):
    from torch.nn.functional import cross_entropy

    return lambda: cross_entropy(x, labels)


def loss(m, c, targets, tiny):
    build = sides(loss_ours, loss_torch, ("x",))
    name = f"softmax cross-entropy ({m:,}, {c:,})"
    return Case(name, classes, build, {"m": m, "c": c}, tiny, targets, **OTHER)


# ---- products


def factors(rng, a, b):
    a, b = normal(rng, *a, scale=a[-1] ** -0.5), normal(rng, *b)
    return {"a": a, "b": b, "g": normal(rng, *a.shape[:-1], b.shape[-1])}


def product(a, b):
    return lambda: a @ b


def matmul(a, b, name=None, tiny=None):
    name = name or f"matmul {a} x {b}"
    work = 3 * 2 * int(np.prod(a)) * b[-1]
    build = sides(product, product, ("a", "b"))
    full = {"a": a, "b": b}
    return Case(name, factors, build, full, tiny or full, {"torch": 0.95}, work=work, **OTHER)


def square(n):
    return matmul((n, n), (n, n), f"matmul {n}x{n}", {"a": (min(n, 256),) * 2, "b": (min(n, 256),) * 2})


CASES = [
    *CONVOLUTIONS,
    pool("max", "max_pool2d", 3, 2, 1),
    pool("average", "avg_pool2d", 2, 2, 0),
    loss(4096, 1000, {"torch": 1.5}, {"m": 512, "c": 1000}),
    loss(32, 10, {}, {"m": 32, "c": 10}),
    Case(
        "batch norm + ReLU, 16x56x56x64",
        batch,
        sides(norm_relu_ours, norm_relu_torch, ("x", "weight", "bias"), LAYOUTS),
        {"m": 16, "n": 56, "c": 64},
        {"m": 2, "n": 56, "c": 64},
        {"torch": 2.0},
        notes={
            "torch": "ours: nn.BatchNorm2d(64)(x, relu=True); PyTorch's: Sequential(BatchNorm2d(64), ReLU())"
        },
        **OTHER,
    ),
    Case(
        "layer norm (64, 128, 512)",
        weighted_tokens,
        sides(layer_norm_ours, layer_norm_torch, ("x", "weight", "bias")),
        {"m": 64, "t": 128, "d": 512},
        {"m": 2, "t": 128, "d": 512},
        {"torch": 1.0},
        **OTHER,
    ),
    activation("GELU (exact)", "gelu", tokens),
    activation("ReLU", "relu", away_from_0),
    *(square(n) for n in (64, 128, 256, 512, 1024, 2048)),
    matmul((4096, 64), (64, 512), tiny={"a": (512, 64), "b": (64, 512)}),
    matmul((64, 128, 64), (64, 64, 128), tiny={"a": (8, 128, 64), "b": (8, 64, 128)}),
    *places.CASES,
    *recurrence.CASES,
    *attention.CASES,
    *embedding.CASES,
    *ctc.CASES,
    *resize.CASES,
]

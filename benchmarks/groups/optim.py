"""A step of an optimizer over ready gradients, alone and with clipping: 10 million numbers in 60 tensors, and
200 small tensors, where the work on each costs less than the call.

PyTorch has three ways to run the same optimizer: its default, `foreach=True` and `fused=True`. The opponent
is the fastest; Adam's default has a case, and a target, of its own."""

from functools import partial

import numpy as np

from benchmarks.case import Case

# 10,005,180 numbers: weights and biases of 30 layers, and of another 30 in one piece
LARGE = {"shapes": ((577, 577),) * 30 + ((577,),) * 30}
SMALL = {"shapes": ((32, 32),) * 100 + ((64,),) * 100}
TINY = {"shapes": ((3, 4), (5,))}
WAYS = {"torch:default": {}, "torch:foreach": {"foreach": True}, "torch:fused": {"fused": True}}
SHRINK = 0.9999  # of the norm that is allowed, from step to step: so that each step has something to clip


def data(rng, shapes):
    def arrays():
        return [np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes]

    return {"values": arrays(), "gradients": arrays()}


def ours(name, options, clip, inputs):
    import autograd
    import optim

    parameters = [autograd.Tensor(a, requires_grad=True) for a in inputs["values"]]
    for p, g in zip(parameters, inputs["gradients"]):
        p.grad = autograd.Tensor(g)
    optimizer = getattr(optim, name)(parameters, **options)
    return _steps(optimizer, parameters, optim.clip_grad_norm_ if clip else None)


def torch(name, options, clip, way, inputs):
    import torch

    parameters = [torch.tensor(a, requires_grad=True) for a in inputs["values"]]
    for p, g in zip(parameters, inputs["gradients"]):
        p.grad = torch.tensor(g)
    optimizer = getattr(torch.optim, name)(parameters, **options, **way)
    return _steps(optimizer, parameters, torch.nn.utils.clip_grad_norm_ if clip else None)


def _steps(optimizer, parameters, clip):
    bound = 100.0

    def step():
        nonlocal bound
        if clip is not None:
            bound *= SHRINK
            clip(parameters, bound)
        optimizer.step()

    def result():
        return {f"parameter {k}": p.detach().numpy().copy() for k, p in enumerate(parameters)}

    return step, result


def case(title, name, options, full, clip=False, ways=tuple(WAYS), target=0.95):
    """A case beside PyTorch's ways to run the same optimizer."""
    build = {"ours": partial(ours, name, options, clip)}
    build |= {side: partial(torch, name, options, clip, WAYS[side]) for side in ways}
    return Case(title, data, build, full, TINY, {"torch": target})


def adam(title, full):
    """Beside the fastest, and beside what PyTorch does when it is not told."""
    default = ("torch:default",)
    return [
        case(f"Adam, {title}", "Adam", {}, full),
        case(f"Adam, {title}, beside the default", "Adam", {}, full, ways=default, target=4.0),
    ]


MOMENTUM = {"lr": 0.001, "momentum": 0.9}

CASES = [
    *adam("10 million in 60 tensors", LARGE),
    case("SGD with momentum, 10 million in 60 tensors", "SGD", MOMENTUM, LARGE),
    case("clipping and Adam, 10 million in 60 tensors", "Adam", {}, LARGE, clip=True),
    *adam("200 small tensors", SMALL),
    case("SGD with momentum, 200 small tensors", "SGD", MOMENTUM, SMALL),
    case("clipping and SGD with momentum, 200 small tensors", "SGD", MOMENTUM, SMALL, clip=True),
]

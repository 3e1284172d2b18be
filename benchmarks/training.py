"""A training step and an inference of a network of `nn.models`, on our side and in PyTorch.

PyTorch's network is the twin of the tests' table (`tests/model_rows_*.py`), written from the published
description, with the same names; it loads the weights that ours starts from. Neither has dropout or
stochastic depth, since no two libraries draw alike. Each side has its own Adam, with its default settings but
for the rate, which is so small that the same examples can be learned over and over.

A case's data are `inputs`, the arguments of a forward pass, `targets`, what its cost compares with, `options`
of the constructor, and `weights` by name where other peers are to start from the same. Arrays of floats with
three axes or more have their channels last; PyTorch gets them first in the layouts LAYOUTS, and as they are
in "".
"""

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from .calls import LAYOUTS
from .case import Case

RATE = 1e-6
NOTES = dict.fromkeys(("compile", "jax", "tinygrad"), "it compiles in its first step: its peak is with that")


def network(
    title: str,
    entry: str,
    data: Callable[..., Mapping],
    full: Mapping,
    tiny: Mapping,
    cost: Callable,
    layouts: tuple[str, ...] = LAYOUTS,
    examples: str = "images",
    target: float | None = 0.9,
    tolerance: float = 5e-3,
    inference: bool = True,
    call: Callable | None = None,
    elsewhere: Callable[[bool], Mapping] | None = None,
) -> list[Case]:
    """The cases of one network: a training step, and an inference.

    `entry` is its name in `nn.models`; `data(rng, **size)` makes "inputs", "targets" and "options", where "m"
    of a size is the number of `examples`. `cost(functional, outputs, *targets)` is the loss in the words that
    `nn.functional` and `torch.nn.functional` share; `outputs` is the list of the network's, or of what
    `call(functional, model, *inputs)` gives. `elsewhere(train)` are the builders of other peers."""

    def case(what, train):
        build = {"ours": partial(_ours, entry, cost, call, train)}
        build |= {
            f"torch:{layout}" if layout else "torch": partial(_torch, entry, cost, call, train, layout, False)
            for layout in layouts
        }
        build["compile"] = partial(_torch, entry, cost, call, train, layouts[-1], True)
        build |= elsewhere(train) if elsewhere else {}
        return Case(
            f"{title}, {what}, {full['m']} {examples}",
            data,
            build,
            full,
            tiny,
            {"torch": target} if train and target else {},
            tolerance=tolerance,
            memory=True,
            examples=(full["m"], examples),
            notes=NOTES,
        )

    return [case("step", True), *([case("inference", False)] if inference else [])]


def still(model):
    """The model with every probability of dropping something at 0."""
    for module in model.modules():
        for name in ("p", "dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return model


def row_of(entry: str):
    """A network's row in the table of the tests. Raises ImportError where the tests are not."""
    try:
        from tests.model_rows import all_rows
    except ImportError as error:
        raise ImportError(
            f"PyTorch's networks stand in tests/, beside benchmarks/ in the repository: {error}"
        ) from None
    return next(row for row in all_rows() if row.name == entry)


def built(entry, options, weights=None):
    """Our network, with the same random weights each time, or with these, by name and as we lay them out."""
    import autograd
    from nn import models

    autograd.seed(0)
    model = still(models.find(entry).build(**options))
    if weights:
        model.load_state_dict(weights)
    return model


def _ours(entry, cost, call, train, inputs):
    import autograd
    import nn
    import optim

    model = built(entry, inputs["options"], inputs.get("weights")).train(train)
    parameters = dict(model.named_parameters())

    def array(p, a):
        return p.layout.to_torch(a.numpy()) if getattr(p, "layout", None) else a.numpy()

    args, targets = inputs["inputs"], inputs["targets"]
    cost = partial(cost, nn.functional)
    adam = optim.Adam(list(parameters.values()), lr=RATE)
    run = partial(call, nn.functional, model) if call else model
    return steps(run, parameters, args, targets, cost, adam, train, autograd.no_grad, array)


def twin_of(entry, options, layout, weights=None):
    """PyTorch's network with the weights of ours, in one of its layouts."""
    import torch
    from safetensors.torch import load_file

    import nn

    model = still(row_of(entry).twin(torch, **options))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "weights.safetensors")
        nn.save_weights(built(entry, options, weights), file, layout="torch")
        model.load_state_dict(load_file(file))
    return model.to(memory_format=torch.channels_last) if layout == "channels_last" else model


def as_torch(a, layout):
    """An input for PyTorch in one of its layouts."""
    import torch

    if not isinstance(a, np.ndarray):
        return a
    t = torch.from_numpy(a)
    if a.dtype.kind in "iu":
        return t.long()
    if a.ndim < 3 or not layout:
        return t
    last = layout == "channels_last" and a.ndim == 4
    return t.movedim(-1, 1).contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def _torch(entry, cost, call, train, layout, compiled, inputs):
    import torch

    model = twin_of(entry, inputs["options"], layout, inputs.get("weights")).train(train)
    parameters = dict(model.named_parameters())

    def array(p, t):
        a = t.detach().numpy()
        return np.ascontiguousarray(np.moveaxis(a, 1, -1)) if p is None and layout and a.ndim > 2 else a

    args, targets = ([as_torch(a, layout) for a in inputs[key]] for key in ("inputs", "targets"))
    cost = partial(cost, torch.nn.functional)
    adam = torch.optim.Adam(list(parameters.values()), lr=RATE)
    run = partial(call, torch.nn.functional, model) if call else model
    run = torch.compile(run) if compiled else run
    return steps(run, parameters, args, targets, cost, adam, train, torch.no_grad, array)


def flat(outputs) -> list:
    """The tensors of a network's output: one, or those of a tuple."""
    if isinstance(outputs, tuple | list):
        return [y for part in outputs for y in flat(part)]
    return [outputs]


def steps(model, parameters, args, targets, cost, optimizer, train, no_grad, array):
    """The step of a training, or of an inference, and what gives its results: `cost(outputs, *targets)` of
    what `model(*args)` gives; `array(p, a)` is the gradient of parameter p as we lay it out, with None for p
    an output."""
    last = {}

    def step():
        optimizer.zero_grad()
        loss = cost(flat(model(*args)), *targets)
        loss.backward()
        optimizer.step()
        last["loss"] = loss.detach()

    def inference():
        last.clear()
        with no_grad():
            last["outputs"] = flat(model(*args))

    def result():
        if not train:
            return {f"output {k}": array(None, y) for k, y in enumerate(last["outputs"])}
        names = [name for name, p in parameters.items() if p.grad is not None]
        gradient = [array(parameters[name], parameters[name].grad) for name in (names[0], names[-1])]
        # The norm: a value that rounding moves across the kink of a ReLU changes some of its elements.
        norm = np.asarray(np.linalg.norm(gradient[0]))
        found = {"loss": array(None, last["loss"]), f"norm of the gradient of {names[0]}": norm}
        return found | ({f"gradient of {names[-1]}": gradient[1]} if len(names) > 1 else {})

    return step if train else inference, result

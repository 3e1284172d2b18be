"""One call of a layer, forward and backward, on our side and in PyTorch's layouts.

Inputs are arrays by name, in our layout: four axes are images (m, n_H, n_W, n_C), but for "w", which are
filters (f, f, n_C_prev / groups, n_C). A side's `prepare(**tensors)` gives the call that is timed, a function
of no arguments that returns one tensor, or a pair of that and the parameters, by name, that took the place of
tensors. The cotangent of what the call returns is the input "g", so that no loss is timed beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

LAYOUTS = ("contiguous", "channels_last")  # torch.contiguous_format, torch.channels_last
_IMAGES, _FILTERS = ((0, 3, 1, 2), (0, 2, 3, 1)), ((3, 2, 0, 1), (2, 3, 1, 0))  # to PyTorch's axes, and back


def sides(ours: Callable, torch: Callable, leaves: Sequence[str], layouts=("",), record=True) -> Mapping:
    """The builders of a `Case`: ours, and PyTorch's for each of its layouts ("" for what has only one).
    `leaves` names the inputs that need a gradient; `record=False` is the forward without recording."""
    build = {"ours": partial(_ours, ours, leaves, record)}
    for layout in layouts:
        name = f"torch:{layout}" if layout else "torch"
        build[name] = partial(_torch, torch, leaves, record, layout or LAYOUTS[0])
    return build


def _ours(prepare, leaves, record, inputs):
    import autograd

    def tensor(name, a):
        if not isinstance(a, np.ndarray) or a.dtype.kind != "f":
            return a
        return autograd.Tensor(a, requires_grad=record and name in leaves)

    return _steps(prepare, leaves, record, inputs, tensor, autograd.no_grad, lambda name, t: t.numpy())


def _torch(prepare, leaves, record, layout, inputs):
    import torch

    form = torch.channels_last if layout == "channels_last" else torch.contiguous_format

    def tensor(name, a):
        if not isinstance(a, np.ndarray):
            return a
        t = torch.from_numpy(a)
        if a.ndim == 4:
            t = t.permute(_axes(name)[0]).contiguous(memory_format=form)
        return t.requires_grad_(record and name in leaves)

    def array(name, t):
        a = t.detach().numpy()
        return np.ascontiguousarray(a.transpose(_axes(name)[1])) if a.ndim == 4 else a

    return _steps(prepare, leaves, record, inputs, tensor, torch.no_grad, array)


def _axes(name):
    return _FILTERS if name == "w" else _IMAGES


def _steps(prepare, leaves, record, inputs, tensor, no_grad, array):
    tensors = {name: tensor(name, a) for name, a in inputs.items()}
    g = tensors.pop("g")
    prepared = prepare(**tensors)
    call, own = prepared if isinstance(prepared, tuple) else (prepared, {})
    tensors |= own
    last = {}

    def recorded():
        last.clear()  # the output goes before the next is made, as in a training loop's function
        for name in leaves:
            tensors[name].grad = None
        last["y"] = y = call()
        y.backward(g)

    def unrecorded():
        last.clear()
        with no_grad():
            last["y"] = call()

    def result():
        gradients = {f"d{name}": array(name, tensors[name].grad) for name in leaves} if record else {}
        return {"y": array("y", last["y"])} | gradients

    return recorded if record else unrecorded, result

"""One call of a layer, forward and backward, on our side and in PyTorch's layouts.

Inputs are arrays by name, in our layout. Where PyTorch has LAYOUTS, three to five axes are sequences, images
or volumes (m, ..., n_C), but for "w", which are filters (f, ..., n_C_prev / groups, n_C); where it has
SEQUENCES, three axes are a batch of them, (m, T, n). A side's `prepare(**tensors)` gives the call that is
timed, a function of no arguments that returns one tensor, or a pair of that and the parameters, by name, that
took the place of tensors. The cotangent of what the call returns is the input "g", so that no loss is timed
beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

LAYOUTS = ("contiguous", "channels_last")  # axes in memory as PyTorch names them, or the second one last
SEQUENCES = ("batch_first", "time_first")


def sides(ours: Callable, torch: Callable, leaves: Sequence[str], layouts=("",), record=True) -> Mapping:
    """The builders of a `Case`: ours, and PyTorch's for each of its layouts ("" for what has only one).
    `leaves` names the inputs that need a gradient; `record=False` is the forward without recording."""
    build = {"ours": partial(_ours, ours, leaves, record)}
    for layout in layouts:
        name = f"torch:{layout}" if layout else "torch"
        build[name] = partial(_torch, torch, leaves, record, layout)
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

    def tensor(name, a):
        if not isinstance(a, np.ndarray):
            return a
        t = torch.from_numpy(a)
        if a.ndim > 2 and layout in LAYOUTS:
            t = t.permute(_axes(name, a.ndim)[0]).contiguous()
        if a.ndim > 2 and layout == "channels_last":
            t = t.movedim(1, -1).contiguous().movedim(-1, 1)
        if a.ndim == 3 and layout == "time_first":
            t = t.transpose(0, 1).contiguous().transpose(0, 1)
        return t.requires_grad_(record and name in leaves)

    def array(name, t):
        a = t.detach().numpy()
        places = a.ndim > 2 and layout in LAYOUTS
        return np.ascontiguousarray(a.transpose(_axes(name, a.ndim)[1])) if places else a

    return _steps(prepare, leaves, record, inputs, tensor, torch.no_grad, array)


def _axes(name, ndim):
    """Our axes in PyTorch's order, and the way back."""
    if name == "w":
        return (ndim - 1, ndim - 2, *range(ndim - 2)), (*range(2, ndim), 1, 0)
    return (0, ndim - 1, *range(1, ndim - 1)), (0, *range(2, ndim), 1)


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

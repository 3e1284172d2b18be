"""Batch normalisation and ReLU folded into the layer before them, for inference."""

import copy
from collections import Counter

import numpy as np

from autograd import Tensor, enable_grad
from autograd.graph import Node, vertex_of
from autograd.ops.activation import relu as rectified
from autograd.transforms import flatten

from .layers import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Linear,
    ReLU,
)
from .module import Module, Parameter

_NORMS = (BatchNorm1d, BatchNorm2d, BatchNorm3d)
_TRANSPOSED = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
_LAYERS = (Conv1d, Conv2d, Conv3d, *_TRANSPOSED, Linear)


class Folded(Module):
    """What is left of a folded module: nothing, or the ReLU that a normalisation is asked for, unless the
    layer before takes that along (`done`)."""

    def __init__(self, done=False):
        super().__init__()
        self.done = done

    def forward(self, x, relu=False):
        return rectified(x) if relu and not self.done else x


def fuse(model: Module, *inputs) -> Module:
    """A copy of the model with each batch normalisation folded into the convolution or Linear whose output it
    takes: W' = W s and b' = (b - mean) s + beta for each channel, with s = gamma / sqrt(var + eps). A ReLU
    that follows a Conv2d or a Linear is taken in the same pass. It gives the same outputs, up to rounding,
    and is faster: `fast = nn.fuse(model.eval(), (1, 224, 224, 3))`.

    `inputs` are arrays, or shapes that stand for zeros of float32, as in `summary`: the model is run to see
    which layer feeds which. A normalisation or ReLU is left as it is where something else uses that layer's
    output, or the layer's weights, or has hooks on either, and a normalisation that keeps no running
    statistics. The model itself stays as it was.

    Raises ValueError without inputs, and for a model in training, whose normalisations use each batch's
    statistics; TypeError for what is no Module. COURSE.md C2W3-bn-reg."""
    if not isinstance(model, Module):
        raise TypeError(f"fuse takes a Module, got {type(model).__name__}")
    training = [name or type(model).__name__ for name, module in model.named_modules() if module.training]
    if training:
        raise ValueError(
            f"fuse needs a model as at test time, but {training[0]} is in training: call model.eval() first"
        )
    if not inputs:
        raise ValueError("fuse needs an input or its shape, such as fuse(model, (1, 28, 28, 1))")
    pairs = _pairs(model, inputs, _NORMS)
    fused = copy.deepcopy(model)
    modules = dict(fused._walk())
    for layer, norm in pairs:
        _fold(modules[layer], modules[norm])
    _leave_out(fused, {id(modules[norm]) for _, norm in pairs}, False)
    modules = dict(fused._walk())
    pairs = _pairs(fused, inputs, (ReLU, Folded))
    for layer, _ in pairs:
        modules[layer].rectified = True
    _leave_out(fused, {id(modules[relu]) for _, relu in pairs}, True)
    return fused


def _leave_out(model, ids, done):
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if id(child) in ids:
                setattr(module, name, Folded(done).eval())


def _pairs(model, inputs, followers) -> list[tuple[str, str]]:
    """The paths of the layers and the followers, modules of such a type, that alone take their outputs, seen
    in one run."""
    made: dict[int, list] = {}  # id of a layer -> the places in the graph of its outputs
    taken: dict[int, list] = {}  # id of a follower -> those of its inputs
    watched = [module for module in model.modules() if isinstance(module, (*_LAYERS, *followers))]
    asked = [(p, p.requires_grad) for p in model.parameters()]
    try:
        model.requires_grad_()  # what is frozen would leave no trace in the graph
        for module in watched:
            module.__dict__["forward"] = _watch(module, made, taken, followers)
        with enable_grad():
            output = model(*(_leaf(x) for x in inputs))
    finally:
        for module in watched:
            vars(module).pop("forward", None)
        for parameter, needed in asked:
            parameter.requires_grad_(needed)
    ends = [vertex_of(t) for t in flatten(output)[0] if isinstance(t, Tensor)]
    uses, owners = _uses(ends), _owners(model)
    names = {id(module): name for name, module in model.named_modules()}
    by_id = {id(module): module for module in watched}
    maker = {id(vertex): layer for layer, vertices in made.items() for vertex in vertices}
    found = []
    for follower, sources in taken.items():
        layer = maker.get(id(sources[0]))
        if layer is None or {id(v) for v in sources} != {id(v) for v in made[layer]}:
            continue  # one of the two works for others as well
        alone = all(uses.get(vertex, 0) == 1 for vertex in sources)
        if alone and _foldable(by_id[layer], by_id[follower], owners):
            found.append((names[layer], names[follower]))
    return found


def _watch(module, made, taken, followers):
    """The module's forward, noting what it takes or gives."""
    forward = module.forward

    def run(x, *args, **kwargs):
        y = forward(x, *args, **kwargs)
        table, t = (taken, x) if isinstance(module, followers) else (made, y)
        if not isinstance(module, Folded) or args or kwargs:  # one that is asked for nothing does nothing
            table.setdefault(id(module), []).append(vertex_of(t))
        return y

    return run


def _leaf(x):
    if isinstance(x, tuple) and all(isinstance(n, (int, np.integer)) for n in x):
        x = np.zeros(x, np.float32)
    array = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    return Tensor(array, requires_grad=array.dtype.kind == "f")


def _uses(ends) -> Counter:
    """How often each vertex is an input of another, or an output of the model."""
    uses = Counter(ends)
    waiting = list(uses)
    for vertex in waiting:
        for parent in vertex.inputs if isinstance(vertex, Node) else ():
            if parent not in uses:
                waiting.append(parent)
            uses[parent] += 1
    return uses


def _owners(model) -> Counter:
    """How many modules hold each parameter."""
    return Counter(id(p) for module in model.modules() for p in module.parameters(recurse=False))


def _foldable(layer, follower, owners) -> bool:
    if layer._hooks is not None or follower._hooks is not None:
        return False
    if isinstance(follower, _NORMS):
        shared = any(owners[id(p)] > 1 for p in layer.parameters())
        return follower.running_mean is not None and not shared
    return type(layer) in (Conv2d, Linear)  # a forward of its own need not know `rectified`


def _fold(layer, norm) -> None:
    """Folds the normalisation into the layer's weights, in float64."""
    dtype = layer.weight.dtype
    scale = 1.0 / np.sqrt(norm.running_var.numpy().astype(np.float64) + norm.eps)  # (n_C,)
    if norm.weight is not None:
        scale *= norm.weight.numpy()
    shift = -norm.running_mean.numpy() * scale
    if norm.bias is not None:
        shift += norm.bias.numpy()
    if layer.bias is not None:
        shift += layer.bias.numpy() * scale
    old = layer.weight.numpy()
    if isinstance(layer, Linear):
        weight = old * scale[:, None]  # (n_C, n_in)
    elif isinstance(layer, _TRANSPOSED):  # (f, ..., n_C / groups, n_C_prev), each group of n_C_prev its own
        groups, each = layer.groups, len(scale) // layer.groups
        split = old.reshape((*old.shape[:-1], groups, old.shape[-1] // groups))
        weight = (split * scale.reshape((groups, each)).T[..., None]).reshape(old.shape)
    else:
        weight = old * scale  # (f, ..., n_C_prev / groups, n_C)
    trained = layer.weight.requires_grad
    layer.weight = Parameter(weight.astype(dtype), trained, layout=layer.weight.layout)
    layer.bias = Parameter(shift.astype(dtype), trained)

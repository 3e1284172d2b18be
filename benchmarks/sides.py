"""How each library runs a forward and its backward, so that a case writes the forward once, for all of them.

A forward is `forward(lib, **inputs)` and returns one number, with operators, methods and functions that NumPy
names; `lib` is the library's own namespace of these (`np.tanh` on our tensors, `torch.tanh` on PyTorch's).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np


def every_side(forward: Callable, leaves: Sequence[str], record: bool = True) -> Mapping[str, Callable]:
    """The builders of a `Case`: the forward alone, or with a backward that gives the gradients of the inputs
    named in `leaves`. An input may be an array, a list of arrays, or anything else, which is handed on as it
    is."""
    libraries = {"ours": ours, "torch": torch, "jax": jax, "mygrad": mygrad, "hips": hips}
    return {name: partial(build, forward, leaves, record) for name, build in libraries.items()}


def ours(forward, leaves, record, inputs):
    """Our side: NumPy's functions, on our tensors."""
    import autograd

    tensors, flat = _convert(inputs, leaves, partial(autograd.Tensor, requires_grad=True), autograd.Tensor)
    run = partial(forward, np, **tensors)
    return _steps(run, flat, record, autograd.no_grad, lambda t: t.numpy(), lambda t: t.grad.numpy())


def torch(forward, leaves, record, inputs):
    """PyTorch's side."""
    import torch

    tensors, flat = _convert(inputs, leaves, lambda a: torch.tensor(a, requires_grad=True), torch.tensor)
    run = partial(forward, torch, **tensors)
    return _steps(run, flat, record, torch.no_grad, lambda t: t.detach().numpy(), lambda t: t.grad.numpy())


def jax(forward, leaves, record, inputs):
    """JAX's side: forward and backward compiled as one function of all arrays."""
    import jax
    import jax.numpy

    def is_array(value):
        return isinstance(value, (np.ndarray, list))

    given = {name: jax.tree.map(jax.numpy.asarray, a) for name, a in inputs.items() if is_array(a)}
    fixed = {name: value for name, value in inputs.items() if not is_array(value)}
    parameters = {name: given.pop(name) for name in leaves}

    def function(parameters, others):
        return forward(jax.numpy, **parameters, **others, **fixed)

    run = jax.jit(jax.value_and_grad(function) if record else function)
    last = {}

    def step():
        last["made"] = jax.block_until_ready(run(parameters, given))

    def result():
        output, gradients = last["made"] if record else (last["made"], {})
        return _named(output, jax.tree.leaves([gradients[name] for name in leaves]) if record else [])

    return step, result


def mygrad(forward, leaves, record, inputs):
    """MyGrad's side, with its default settings."""
    import mygrad

    tensors, flat = _convert(inputs, leaves, mygrad.tensor, partial(mygrad.tensor, constant=True))
    run = partial(forward, mygrad, **tensors)
    # A gradient vanishes by itself when its tensor is used again, so there is none to clear.
    return _steps(
        run, flat, record, lambda: mygrad.no_autodiff, lambda t: t.data, lambda t: t.grad, clear=False
    )


def hips(forward, leaves, record, inputs):
    """HIPS/autograd's side: it has functions instead of tensors, and without recording they see plain arrays.

    A list of leaves is handed over as one array and taken apart inside. Given as a list, a thousand scalars
    take it 25 times as long, for it goes through the whole list for the gradient of each element.
    """
    import autograd
    import autograd.numpy

    def function(parameters):
        pairs = zip(leaves, parameters)
        taken = {name: list(p) if isinstance(inputs[name], list) else p for name, p in pairs}
        return forward(autograd.numpy, **constants, **taken)

    constants = {name: value for name, value in inputs.items() if name not in leaves}
    stacked = [np.stack(inputs[name]) if isinstance(inputs[name], list) else inputs[name] for name in leaves]
    value_and_grad = autograd.value_and_grad(function)
    last = {"gradients": []}

    def recorded():
        last["output"], last["gradients"] = value_and_grad(stacked)

    def unrecorded():
        last["output"] = forward(autograd.numpy, **inputs)

    def result():
        pairs = zip(leaves, last["gradients"])
        groups = [list(g) if isinstance(inputs[name], list) else [g] for name, g in pairs]
        return _named(last["output"], [g for group in groups for g in group])

    return recorded if record else unrecorded, result


def _convert(inputs, leaves, leaf, constant):
    """The inputs as tensors, and those that are leaves in one list."""
    values, flat = {}, []
    for name, value in inputs.items():
        make = leaf if name in leaves else constant
        if isinstance(value, list):
            values[name] = [make(a) for a in value]
        else:
            values[name] = make(value) if isinstance(value, np.ndarray) else value
    for name in leaves:
        flat.extend(values[name] if isinstance(values[name], list) else [values[name]])
    return values, flat


def _steps(run, leaves, record, no_grad, array, gradient, clear=True):
    last = {}

    def recorded():
        if clear:
            for leaf in leaves:
                leaf.grad = None
        last["output"] = output = run()
        output.backward()

    def unrecorded():
        with no_grad():
            last["output"] = run()

    def result():
        return _named(array(last["output"]), [gradient(leaf) for leaf in leaves] if record else [])

    return recorded if record else unrecorded, result


def _named(output, gradients):
    return {"output": np.asarray(output)} | {f"gradient {i}": np.asarray(g) for i, g in enumerate(gradients)}

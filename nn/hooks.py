"""Hooks of modules: functions that are called as a module is, before and after its forward, and when its
gradient is complete."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.primitive import Primitive
from autograd.tensor import Tensor, as_array, wrap
from autograd.transforms import flatten, unflatten


class Hooks:
    """A module's hooks of each kind, by key, in the order they were registered."""

    def __init__(self):
        self.before: dict[int, Callable] = {}  # (module, args) -> args or None
        self.after: dict[int, Callable] = {}  # (module, args, output) -> output or None
        self.backward: dict[int, Callable] = {}  # (module, grad_input, grad_output) -> grad_input or None


_keys = itertools.count()


class Handle:
    """A registered hook; `remove()` takes it away, and does nothing a second time. As a context, `with
    model.register_forward_hook(...):`, it does so at the end."""

    def __init__(self, hooks: dict[int, Callable], hook: Callable):
        self._hooks, self._key = hooks, next(_keys)
        self._hooks[self._key] = hook

    def remove(self) -> None:
        self._hooks.pop(self._key, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def run(module, hooks: Hooks, args: tuple, kwargs: dict):
    """The module's forward, with its hooks around it."""
    for hook in list(hooks.before.values()):
        replaced = hook(module, args)
        if replaced is not None:
            args = replaced if isinstance(replaced, tuple) else (replaced,)
    call = _Backward(module, hooks) if hooks.backward else None
    if call:
        args = call.entered(args)
    output = module.forward(*args, **kwargs)
    for hook in list(hooks.after.values()):
        replaced = hook(module, args, output)
        output = output if replaced is None else replaced
    return call.left(output) if call else output


class _Backward:
    """One call of a module whose gradient is watched: what goes in, and what comes out, passes through an op
    whose rule sees all its cotangents together."""

    def __init__(self, module, hooks):
        self.module, self.hooks = module, hooks
        self.places: list[int] = []  # of the arguments that require grad
        self.count = 0  # of arguments
        self.grad_output: tuple = ()

    def entered(self, args):
        self.count = len(args)
        self.places = [i for i, x in enumerate(args) if isinstance(x, Tensor) and x.requires_grad]
        through = iter(_pass([args[i] for i in self.places], self._inputs_rule))
        return tuple(next(through) if i in self.places else x for i, x in enumerate(args))

    def left(self, output):
        leaves, structure = flatten(output)
        chosen = [k for k, x in enumerate(leaves) if isinstance(x, Tensor) and x.requires_grad]
        self.outputs, self.chosen = len(leaves), chosen
        through = iter(_pass([leaves[k] for k in chosen], self._outputs_rule))
        return unflatten(structure, [next(through) if k in chosen else x for k, x in enumerate(leaves)])

    def _outputs_rule(self, cotangents):
        given = dict(zip(self.chosen, cotangents))
        self.grad_output = tuple(_tensor(given.get(k)) for k in range(self.outputs))
        if not self.places:
            self._call((None,) * self.count)
        return cotangents

    def _inputs_rule(self, cotangents):
        given = dict(zip(self.places, cotangents))
        found = self._call(tuple(_tensor(given.get(i)) for i in range(self.count)))
        plain = not any(isinstance(g, Tensor) for g in cotangents)
        return [as_array(g) if plain and g is not None else g for g in (found[i] for i in self.places)]

    def _call(self, grad_input):
        for hook in list(self.hooks.backward.values()):
            replaced = hook(self.module, grad_input, self.grad_output)
            if replaced is not None:
                replaced = replaced if isinstance(replaced, tuple) else (replaced,)
                if len(replaced) != len(grad_input):
                    raise ValueError(
                        f"a backward hook of {type(self.module).__name__} returned {len(replaced)} gradients "
                        f"for {len(grad_input)} arguments"
                    )
                grad_input = replaced
        return grad_input


def _pass(tensors: list[Tensor], rule: Callable[[Sequence], Sequence]) -> Sequence[Any]:
    """The tensors, recorded as the outputs of one op with this rule."""
    if not tensors:
        return ()
    several = len(tensors) > 1

    def hook(arrays):
        return tuple(arrays) if several else arrays[0]

    op = Primitive(hook, variadic="arrays", outputs=len(tensors))
    op.vjp("arrays")(lambda g: rule(g if several else (g,)))
    return op(tensors) if several else (op(tensors),)


def _tensor(g):
    return g if g is None or isinstance(g, Tensor) else wrap(np.asarray(g))

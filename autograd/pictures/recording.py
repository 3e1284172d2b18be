"""What a graph does not keep: in which module each op was recorded, at which line, and what it put out."""

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import Node, Outputs, consumers_first, propagate, sum_by_vertex, vertex_of
from ..modes import no_grad, state
from ..tensor import Tensor, _owner
from .model import Scope

LIBRARY = ("autograd", "nn", "numpy")  # packages whose lines are not the user's


@dataclass
class Fact:
    """What is known of one recorded op; `value` only where values are kept."""

    scope: tuple[Scope, ...]
    line: str
    value: Any = None
    forward: float = 0.0  # seconds
    backward: float = 0.0


class Recording:
    """A context that learns of each op that is recorded within it. `modules` are models whose parts are to be
    told apart; their own call is no scope where there is only one. `values` keeps what each op put out. As
    scopes need no more than `named_modules`, this floor knows nothing of nn."""

    def __init__(self, modules: Iterable = (), values: bool = False):
        self.facts: dict[Node, Fact] = {}
        self.scopes: list[Scope] = []
        self.values = values
        self._modules = list(modules)
        states = [t for model in self._modules for t in (*model.parameters(), *model.buffers())]
        self.states = {id(owner): owner for owner in (_owner(t._data) for t in states)}  # not activations
        self._running: list[tuple[Scope | None, str]] = []  # the calls at work, and their modules' paths
        self._calls: dict[int, list[Scope]] = {}  # id of a module -> its calls
        named = [pair for model in self._modules for pair in model.named_parameters()]
        self._names = {id(p): (name, p.size) for name, p in named}
        self._watched: list = []

    def __enter__(self):
        self._before = state.watchers
        state.watchers = (*self._before, self._recorded)
        for model in self._modules:
            for path, module in model.named_modules():
                if "forward" not in vars(module):
                    self._watched.append(module)
                    vars(module)["forward"] = self._around(module, path, module is model, module.forward)
        return self

    def __exit__(self, *_):
        state.watchers = self._before
        for module in self._watched:
            del vars(module)["forward"]
        self._watched.clear()
        for calls in self._calls.values():
            for scope in calls:
                scope.calls = len(calls)

    def scope_of(self, vertex) -> tuple[Scope, ...]:
        """The module calls around an op, outermost first."""
        fact = self.facts.get(vertex)
        return fact.scope if fact else ()

    # ---- modules

    def _around(self, module, path, root, forward):
        def run(*args, **kwargs):
            caller = self._running[-1][1] if self._running else ""
            name = path[len(caller) + 1 :] if caller and path.startswith(caller + ".") else path
            scope = None
            if not root or len(self._modules) > 1:
                scope = self._scope(module, name or type(module).__name__, path)
            self._running.append((scope, path))
            begin = time.perf_counter()
            try:
                output = forward(*args, **kwargs)
            finally:
                self._running.pop()
                self._ran(scope, begin, time.perf_counter())
            if scope is not None:
                first = output
                while isinstance(first, (tuple, list)) and first:
                    first = first[0]
                scope.shape = getattr(first, "shape", None)
            return output

        return run

    def _scope(self, module, name, path) -> Scope:
        calls = self._calls.setdefault(id(module), [])
        members = dict(self._names[id(p)] for p in module.parameters() if id(p) in self._names)
        scope = Scope(
            name,
            path,
            type(module).__name__,
            " ".join(module.extra_repr().split()),
            leaf=_is_layer(module),
            stack=is_row(module) or _only_stacks(module),
            members=members,
            size=sum(members.values()),
            call=len(calls) + 1,
        )
        calls.append(scope)
        self.scopes.append(scope)
        return scope

    def _ran(self, scope: Scope | None, begin: float, end: float) -> None:
        """What the profiler does when a module's call is over; times are those of `time.perf_counter`."""

    # ---- ops

    def _recorded(self, node, y):
        scope = tuple(scope for scope, _ in self._running if scope is not None)
        self.facts[node] = Fact(scope, user_line(), y if self.values else None)


def _is_layer(module) -> bool:
    """Whether a module holds no modules; or parameters of its own and such modules, as attention does."""
    children = [child for _, child in module.named_children()]
    inner = any(next(child.named_children(), None) for child in children)
    return not children or (not inner and next(module.named_parameters(recurse=False), None) is not None)


def is_row(module) -> bool:
    """Whether a module is a Sequential or a list: its modules are numbered."""
    names = [name for name, _ in module.named_children()]
    return bool(names) and all(name.isdigit() for name in names)


def _only_stacks(module) -> bool:
    """Whether a module is there to hold repeated ones, as a TransformerEncoder is: beside leaves it has one
    row, of at least two alike, which are made of modules themselves, and of nothing else."""
    composite = [child for _, child in module.named_children() if next(child.named_children(), None)]
    if len(composite) != 1 or not is_row(composite[0]):
        return False
    inner = [m for _, m in composite[0].named_children()]
    return (
        len(inner) >= 2
        and len(set(map(type, inner))) == 1
        and all(next(m.named_children(), None) for m in inner)
    )


def user_line() -> str:
    """The innermost line that belongs to none of our packages, as "file:line", from the current folder where
    the file lies in it: pages are handed on."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in LIBRARY:
        frame = frame.f_back
    file = frame.f_code.co_filename
    return f"{file.removeprefix(os.getcwd() + os.sep)}:{frame.f_lineno}"


def cotangents(outputs: list[Tensor], paths_to: Tensor | None = None) -> dict:
    """The gradient of the sum of the outputs with respect to each vertex before them, as arrays by vertex. No
    `.grad` changes, no hook of a tensor is called and nothing is freed. Raises RuntimeError where backward
    freed the graph."""
    found: dict = {}

    def watch(node, g, pulled):
        found[node] = g

    roots = [t for t in outputs if t.requires_grad]
    hooked = [(v, v.hooks) for v in consumers_first([vertex_of(t) for t in roots]) if v.hooks]
    before = state.backward_watchers
    state.backward_watchers = (*before, watch)
    try:
        for vertex, _ in hooked:
            vertex.hooks = None
        with no_grad():
            start = sum_by_vertex([(t, np.ones(t.shape, t.dtype)) for t in roots], False)
            wanted = None if paths_to is None else {vertex_of(paths_to)}
            for leaf, g, _ in propagate(start, False, True, wanted):
                found[leaf] = g
    except RuntimeError as error:
        if "freed" not in str(error):
            raise
        raise RuntimeError(
            "backward freed this graph, so its gradients cannot be computed again: draw it before, or call "
            "backward(retain_graph=True)"
        ) from None
    finally:
        state.backward_watchers = before
        for vertex, hooks in hooked:
            vertex.hooks = hooks
    return {vertex: g for vertex, g in found.items() if not isinstance(g, Outputs)}

"""From recorded Nodes to a Diagram, in one pass over the order of execution."""

import math
from collections.abc import Iterator, Mapping
from inspect import Parameter

import numpy as np

from ..graph import Node, consumers_first, vertex_of
from ..modes import no_grad
from ..primitive import Plan
from ..tensor import Tensor, _owner
from .contents import heat, histogram, numbers
from .model import Box, Diagram, Edge, Value
from .recording import Recording, cotangents
from .rules import textbook, written

_LOST = object()
FEW = 9  # arrays of up to so many numbers are written out when values are asked for


def read(
    outputs: list[Tensor],
    names: Mapping,
    inputs: list[Tensor],
    shown: frozenset[str],
    constants: bool,
    recording: Recording | None = None,
) -> Diagram:
    """The Diagram of the graph that made `outputs`. See `draw` for the arguments; `inputs` are leaves to be
    shown as data although they require grad; `recording` knows of scopes, values and times."""
    return _Reader(outputs, names, inputs, shown, constants, recording).diagram


def execution_order(roots: list) -> list:
    """The vertices before `roots`, each after all it uses: of an op's inputs the one with the longest history
    comes first, the others just before they are used. So a recurrent net reads step by step, as it was
    run."""
    height: dict = {}
    for vertex in reversed(list(consumers_first(roots))):
        height[vertex] = max((height[parent] + 1 for parent in vertex.inputs), default=0)
    order: dict = {}
    stack = list(reversed(roots))
    while stack:
        vertex = stack[-1]
        missing = [parent for parent in reversed(vertex.inputs) if parent not in order]
        if missing and vertex not in order:
            stack.extend(sorted(missing, key=height.__getitem__))
        else:
            order[stack.pop()] = None
    return list(order)


class _Reader:
    def __init__(self, outputs, names, inputs, shown, constants, recording):
        self.shown, self.constants = shown, constants
        self.facts = recording.facts if recording else {}
        wanted = shown & {"gradients", "norms", "histograms"}
        self.gradients = cotangents(outputs) if wanted else None
        # id of the array that owns memory kept for backward -> that array
        self.kept = dict(recording.states) if recording else {}
        self.names = {}  # vertex -> name
        self.tensors = {}  # vertex -> a tensor that stands there
        self.arrays = {}  # id of an array, or of the one that owns its memory -> name
        for name, thing in names.items():
            self.learn(name, thing)
        self.inputs = set(map(id, inputs))
        self.leaves = self.ops = 0
        self.scope: tuple = ()  # of the op that is being read
        self.told = tuple(sorted(shown))
        self.places = {}  # vertex -> (box, number of the output)
        self.data = {}  # id of an array -> its box
        for t in outputs:
            self.tensors.setdefault(vertex_of(t), t)
            if t.name:
                self.names.setdefault(vertex_of(t), t.name)
        titles = [self.names.get(vertex_of(t)) or ("loss" if t.size == 1 else "output") for t in outputs]
        self.diagram = Diagram(" and ".join(titles))
        for vertex in execution_order([vertex_of(t) for t in outputs]):
            if isinstance(vertex, Node):  # leaves come in with their first user, in its arguments' order
                self.place(vertex)
        for t, title in zip(outputs, titles, strict=True):
            self.mark(t, title)
        self.diagram.reference = math.sqrt(sum(t.size for t in outputs))  # of gradients of 1

    def learn(self, name, thing):
        if isinstance(thing, Tensor):
            vertex = vertex_of(thing)
            self.names[vertex] = name
            self.tensors[vertex] = thing
            array = thing._data
        elif isinstance(thing, np.ndarray):
            array = thing
        else:
            raise TypeError(f"names maps names to tensors, got {type(thing).__name__} for {name!r}")
        self.arrays.setdefault(id(_owner(array)), name)
        self.arrays[id(array)] = name

    def place(self, vertex) -> tuple[Box, int]:
        """The box that puts out a vertex's value, and the number of that output."""
        if vertex not in self.places:
            if not isinstance(vertex, Node):
                place = self.leaf(vertex), 0
            elif len(vertex.inputs) == 1 and vertex.inputs[0].shape is None:  # one output of an op of several
                place = self.places[vertex.inputs[0]][0], vertex.plan.k
                place[0].values[vertex.plan.k] = self.value(vertex)
            else:
                place = self.op(vertex), 0
            self.places[vertex] = place
        return self.places[vertex]

    def leaf(self, t: Tensor) -> Box:
        self.leaves += 1
        kind = "data" if id(t) in self.inputs or not t.requires_grad else "parameter"
        name = self.names.get(t) or t.name or f"leaf{self.leaves}"
        box = Box("", kind, name, values={0: self.value(t, t, name)}, shown=self.told)
        if kind == "parameter":
            box.scope = self.scope
            self.kept.setdefault(id(_owner(t._data)), t._data)
        return self.diagram.add(box)

    def op(self, node: Node) -> Box:
        primitive, places = node.plan.primitive, node.plan.places
        inputs = ((*_slot(primitive, at), vertex) for vertex, at in zip(node.inputs, places, strict=True))
        arguments = sorted([*inputs, *_others(node)], key=lambda argument: argument[0])
        box = Box("", "op", node.name, help=(primitive.__doc__ or "").strip().split("\n")[0])
        if (fact := self.facts.get(node)) is not None:
            self.scope, box.line = fact.scope, fact.line
            box.seconds = (fact.forward, fact.backward) if fact.forward else None
        else:
            self.scope = ()
        box.scope, box.shown = self.scope, self.told
        if self.shown & {"rules", "histograms"}:
            box.rule = written(textbook(node.plan))
        tails = []
        for (at, _), slot, value in arguments:
            if isinstance(value, (Node, Tensor)):
                tails.append((slot, *self.place(value)))
            elif isinstance(value, np.ndarray) and value.ndim:
                if self.constants:
                    tails.append((slot, self.constant(value, slot), 0))
            elif at in primitive.differentiable and value is not None:
                box.fixed[len(tails) + len(box.fixed)] = _brief(value)
            else:
                box.notes.append(f"{slot}={_brief(value)}")
        self.diagram.add(box)
        self.ops += 1
        box.number, box.kept = self.ops, self.keeps(node)
        if "locals" in self.shown:
            box.local = _local(node)
        if node.shape is not None:
            box.values[0] = self.value(node)
        self.diagram.edges += [Edge(tail.id, box.id, slot, output) for slot, tail, output in tails]
        return box

    def constant(self, array, slot) -> Box:
        if id(array) not in self.data:
            name = self.arrays.get(id(array)) or self.arrays.get(id(_owner(array)))
            scope = self.scope if name is None else ()
            if name is None:
                name = slot if slot not in ("a", "b") and "[" not in slot else "constant"
            value = Value(array.shape, str(array.dtype), name, self.content(array), heat=self.heated(array))
            box = Box("", "data", name, values={0: value}, scope=scope, shown=self.told)
            self.data[id(array)] = self.diagram.add(box)
        return self.data[id(array)]

    def keeps(self, node) -> int:
        """Bytes that an op keeps for its rules, and no op before it did, nor a parameter."""
        total, waiting = 0, list(node.saved) if isinstance(node.saved, tuple) else []
        while waiting:
            value = waiting.pop()
            if isinstance(value, (tuple, list)):
                waiting.extend(value)
            elif isinstance(value, np.ndarray) and id(owner := _owner(value)) not in self.kept:
                self.kept[id(owner)] = owner
                total += owner.nbytes
        return total

    def mark(self, t: Tensor, title: str) -> None:
        tail, output = self.place(vertex_of(t))
        if t.node is None:
            tail.kind, tail.title = "output", title
            return
        box = self.diagram.add(Box("", "output", title, values={0: self.value(vertex_of(t), t, title)}))
        self.diagram.edges.append(Edge(tail.id, box.id, "", output))

    def value(self, vertex, t=None, name=None) -> Value:
        if t is None:
            t = self.tensors[vertex] if vertex in self.tensors else _retained(vertex)
        name = name or self.names.get(vertex) or (t.name if t is not None else None)
        array = self.array(vertex) if t is None else t._data
        gradient = t.grad._data if t is not None and isinstance(t.grad, Tensor) else None
        if self.gradients is not None:
            gradient = self.gradients.get(vertex)
        about: dict = {}
        if array is not None:
            about["content"] = self.content(array)
            about["heat"] = self.heated(array)
            about["histogram"] = histogram(array) if "histograms" in self.shown else None
        if gradient is not None:
            if self.shown & {"gradients", "values"} and 0 < gradient.size <= FEW:
                about["gradient"] = numbers(gradient)
            about["gradient_heat"] = heat(gradient) if {"heat", "gradients"} <= self.shown else None
            if "norms" in self.shown or ("gradients" in self.shown and gradient.size > FEW):
                about["norm"] = float(np.linalg.norm(gradient))
            about["gradient_histogram"] = histogram(gradient) if "histograms" in self.shown else None
        return Value(vertex.shape, str(vertex.dtype), name, **about)

    def array(self, vertex):
        """What an op put out, where that was kept."""
        if vertex in self.facts:
            return self.facts[vertex].value
        if len(vertex.inputs) == 1 and vertex.inputs[0] in self.facts:  # one output of an op of several
            whole = self.facts[vertex.inputs[0]].value
            return None if whole is None else whole[vertex.plan.k]
        return None

    def heated(self, array):
        return heat(array) if "heat" in self.shown else None

    def content(self, array) -> str | None:
        return numbers(array) if "values" in self.shown and 0 < array.size <= FEW else None


def _slot(primitive, place) -> tuple[tuple[int, int], str]:
    """Where an input stands among an op's arguments, and what it is called there."""
    if primitive.variadic is None:
        return (place, 0), primitive.parameters[place].rstrip("_")
    return (primitive.variadic, place), f"{primitive.parameters[primitive.variadic]}[{place}]"


def _others(node) -> Iterator[tuple[tuple[int, int], str, object]]:
    """The arguments without gradient that are not at their default, as (position, name, value). Of what no
    rule kept, and of what backward freed, only the presence is known."""
    primitive, places = node.plan.primitive, node.plan.places
    saved = node.saved if isinstance(node.saved, tuple) else ()  # freed, or to be computed again
    for name, value in zip(node.plan.saved_names, saved, strict=False):
        if name not in primitive.parameters:
            continue
        at = primitive.parameters.index(name)
        if at == primitive.variadic:
            elements = enumerate(value)
            yield from ((*_slot(primitive, k), element) for k, element in elements if k not in places)
        elif primitive.variadic is not None or at not in places:
            if not _same(value, primitive.defaults[at]):
                yield (at, 0), name.rstrip("_"), value
    for at in primitive.differentiable:
        lost = not saved or primitive.parameters[at] not in node.plan.saved_names
        if (
            primitive.variadic is None
            and at not in places
            and lost
            and primitive.defaults[at] is Parameter.empty
        ):
            yield (at, 0), primitive.parameters[at], _LOST


def _local(node) -> dict[str, str]:
    """The derivative of an op's single number by each of its inputs of few numbers, by the input's name."""
    plan = node.plan
    if node.shape is None or math.prod(node.shape) != 1 or not isinstance(node.saved, tuple):
        return {}
    names = [_slot(plan.primitive, at)[1] for at in plan.places] if isinstance(plan, Plan) else []
    with no_grad():
        pulled = plan.pull(np.ones(node.shape, node.dtype), node.saved)
    found = [(name, np.asarray(g)) for name, g in zip(names, pulled) if g is not None]
    return {name: " ".join(numbers(g).split()) for name, g in found if 0 < g.size <= FEW}


def _retained(node) -> Tensor | None:
    """The tensor of a node that was asked to `retain_grad()`, while it lives."""
    for hook in (node.hooks or {}).values():
        if (reference := getattr(hook, "tensor", None)) is not None:
            return reference()
    return None


def _same(value, default) -> bool:
    if isinstance(value, tuple) and isinstance(default, int):
        return all(_same(part, default) for part in value)  # stride=(1, 1) is stride=1
    comparable = type(value) is type(default) and not isinstance(value, np.ndarray)
    return value is default or (comparable and value == default)


def _brief(value) -> str:
    """A plain argument of an op as a person would write it."""
    if value is _LOST:
        return "constant"
    if isinstance(value, slice):
        parts = ["" if part is None else _brief(part) for part in (value.start, value.stop)]
        return ":".join(parts) + (f":{_brief(value.step)}" if value.step is not None else "")
    if value is Ellipsis:
        return "..."
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_brief, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, np.ndarray):
        return f"array{value.shape}" if value.ndim else _brief(value.item())
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.4g}"
    text = getattr(value, "__name__", None) or str(value)
    return text if len(text) <= 40 else text[:39] + "…"

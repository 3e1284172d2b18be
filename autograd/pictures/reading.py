"""From recorded Nodes to a Diagram, in one pass over the topological order."""

from collections.abc import Iterable, Mapping

import numpy as np

from ..graph import Node, consumers_first, vertex_of
from ..tensor import Tensor, _owner
from .model import Box, Diagram, Edge, Value

FEW = 9  # arrays of up to so many numbers are written out when values are asked for


def read(outputs: Iterable[Tensor], names: Mapping, inputs: Iterable[Tensor], values: bool, constants: bool) -> Diagram:
    """The Diagram of the graph that made `outputs`. See `draw` for the arguments; `inputs` are leaves to be shown as
    data although they require grad."""
    return _Reader(list(outputs), dict(names), list(inputs), values, constants).diagram


class _Reader:
    def __init__(self, outputs, names, inputs, values, constants):
        self.values, self.constants = values, constants
        self.names = {}  # vertex -> name
        self.tensors = {}  # vertex -> a tensor that stands there
        self.arrays = {}  # id of an array, or of the array that owns its memory -> name
        self.held = []  # keeps ids of arrays from being given away
        for name, thing in names.items():
            self.learn(name, thing)
        self.inputs = set(map(id, inputs))
        self.leaves = 0
        self.places = {}  # vertex -> (box, number of the output)
        self.data = {}  # id of an array -> its box
        for t in outputs:
            self.tensors.setdefault(vertex_of(t), t)
            if t.name:
                self.names.setdefault(vertex_of(t), t.name)
        titles = [self.names.get(vertex_of(t)) or ("loss" if t.size == 1 else "output") for t in outputs]
        self.diagram = Diagram(" and ".join(titles))
        order = list(consumers_first([vertex_of(t) for t in outputs]))
        for vertex in reversed(order):
            self.places[vertex] = self.place(vertex)
        for t, title in zip(outputs, titles, strict=True):
            self.mark(t, title)

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
        self.held.append(array)
        self.arrays.setdefault(id(_owner(array)), name)
        self.arrays[id(array)] = name

    def place(self, vertex) -> tuple[Box, int]:
        if not isinstance(vertex, Node):
            return self.leaf(vertex), 0
        if len(vertex.inputs) == 1 and vertex.inputs[0].shape is None:  # one output of an op of several
            box, k = self.places[vertex.inputs[0]][0], vertex.plan.k
            box.values[k] = self.value(vertex)
            return box, k
        return self.op(vertex), 0

    def leaf(self, t: Tensor) -> Box:
        self.leaves += 1
        given = id(t) in self.inputs or not t.requires_grad
        name = self.names.get(t) or t.name or f"leaf{self.leaves}"
        return self.diagram.add("data" if given else "parameter", name, values={0: self.value(t, t, name)})

    def op(self, node: Node) -> Box:
        primitive, plan = node.plan.primitive, node.plan
        operands, notes = [], []  # operands as (position of the argument, slot, box, output), or with a number for a box
        for vertex, place in zip(node.inputs, plan.places, strict=True):
            if primitive.variadic:
                at, slot = (primitive.parameters.index(primitive.variadic), place), f"{primitive.variadic}[{place}]"
            else:
                at, slot = (place, 0), primitive.parameters[place]
            operands.append((at, slot, *self.places[vertex]))
        for at, slot, value in self.others(node):
            if isinstance(value, np.ndarray) and value.ndim:
                if self.constants:
                    operands.append((at, slot, self.constant(value, slot), 0))
            elif not primitive.variadic and at[0] in primitive.differentiable:
                operands.append((at, slot, _brief(value), 0))
            else:
                notes.append(f"{slot.rstrip('_')}={_brief(value)}")
        box = self.diagram.add("op", node.name, notes=notes, help=(primitive.__doc__ or "").strip().split("\n")[0])
        if node.shape is not None:
            box.values[0] = self.value(node)
        operands.sort(key=lambda operand: operand[0])
        for k, (_, slot, tail, output) in enumerate(operands):
            if isinstance(tail, Box):
                self.diagram.edges.append(Edge(tail.id, box.id, slot.rstrip("_"), output))
            else:
                box.fixed[k] = tail
        return box

    def others(self, node):
        """The saved arguments without a gradient that are not at their default, as (position, name, value)."""
        primitive, plan = node.plan.primitive, node.plan
        for name, value in zip(plan.saved_names, node.saved or (), strict=node.saved is not None):
            if name not in primitive.parameters:
                continue
            at = primitive.parameters.index(name)
            if name == primitive.variadic:
                for k, element in enumerate(value):
                    if k not in plan.places:
                        yield (at, k), f"{name}[{k}]", element
            elif (primitive.variadic or at not in plan.places) and not _same(value, primitive.defaults[at]):
                yield (at, 0), name, value

    def constant(self, array, slot) -> Box:
        if id(array) not in self.data:
            name = self.arrays.get(id(array)) or self.arrays.get(id(_owner(array))) or slot
            value = Value(array.shape, str(array.dtype), name, self.content(array))
            self.data[id(array)] = self.diagram.add("data", name, values={0: value})
        return self.data[id(array)]

    def mark(self, t: Tensor, title: str) -> None:
        tail, output = self.places[vertex_of(t)]
        if t.node is None:
            tail.kind = "output"
            return
        box = self.diagram.add("output", title, values={0: self.value(vertex_of(t), t, title)})
        self.diagram.edges.append(Edge(tail.id, box.id, "", output))

    def value(self, vertex, t=None, name=None) -> Value:
        if t is None:
            t = self.tensors[vertex] if vertex in self.tensors else _retained(vertex)
        name = name or self.names.get(vertex) or (t.name if t is not None else None)
        content = gradient = None
        if self.values and t is not None:
            content = self.content(t._data)
            gradient = self.content(t.grad._data) if t.grad is not None else None
        return Value(vertex.shape, str(vertex.dtype), name, content, gradient)

    def content(self, array) -> str | None:
        return _numbers(array) if self.values and 0 < array.size <= FEW else None


def _retained(node):
    """The tensor of a node that was asked to `retain_grad()`, while it lives."""
    for hook in (getattr(node, "hooks", None) or {}).values():
        if (reference := getattr(hook, "tensor", None)) is not None:
            return reference()
    return None


def _same(value, default) -> bool:
    return value is default or (type(value) is type(default) and not isinstance(value, np.ndarray) and value == default)


def _numbers(array) -> str:
    if array.size == 1 and not array.ndim:
        return f"{array.item():.4g}" if array.dtype.kind in "fc" else str(array.item())
    return np.array2string(array, precision=3, separator=", ", floatmode="maxprec", max_line_width=1000)


def _brief(value) -> str:
    """An option of an op as a person would write it."""
    if isinstance(value, slice):
        parts = ["" if part is None else _brief(part) for part in (value.start, value.stop)]
        return ":".join(parts) + (f":{_brief(value.step)}" if value.step is not None else "")
    if value is Ellipsis:
        return "..."
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_brief, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, np.ndarray) and value.ndim:
        return f"array{value.shape}"
    if isinstance(value, (float, np.floating)) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        return f"{float(value):.4g}"
    text = getattr(value, "__name__", None) or str(value)
    return text if len(text) <= 40 else text[:39] + "…"

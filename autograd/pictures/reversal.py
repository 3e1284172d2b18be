"""The backward graph: from the loss to the leaves, each op with its local derivatives."""

from dataclasses import replace

from .model import Box, Diagram, Edge, Value


def backward_graph(diagram: Diagram) -> Diagram:
    """The graph that backward runs through, of a diagram read with its gradients: one box for each op's rule,
    in the order in which they run; each edge carries the gradient of the value that flowed there. What
    several ops used gets the sum of what they hand back."""
    reverse = _Reversal(diagram)
    for box in reversed(diagram.boxes.values()):
        reverse.take(box)
    return reverse.result


class _Reversal:
    def __init__(self, diagram: Diagram):
        self.into = diagram.into()
        self.result = Diagram(f"the gradient of {diagram.title}", reference=diagram.reference)
        self.loss = diagram.title if " and " not in diagram.title else "L"
        # (box, output) -> what hands its gradient back: places in the backward graph
        self.handed: dict[tuple[str, int], list[tuple[str, int]]] = {}
        self.steps = 0

    def take(self, box: Box) -> None:
        if box.kind == "output" and self.into[box.id]:
            (edge,) = self.into[box.id]
            start = self.add(Box("", "data", "", values={0: self.gradient(box.values[0], box.title)}), box)
            self.handed.setdefault((edge.tail, edge.output), []).append((start.id, 0))
        elif box.kind == "op":
            self.op(box)
        elif box.values[0].gradient or box.values[0].norm is not None:
            sources = self.handed.get((box.id, 0), [])
            if sources:
                value = self.gradient(box.values[0], box.title)
                end = self.add(Box("", "parameter", "", values={0: value}), box)
                self.join(self.total(sources, value, box), end)

    def op(self, box: Box) -> None:
        arriving = [
            self.total(sources, self.gradient(value, value.name), box)
            for k, value in box.values.items()
            if (sources := self.handed.get((box.id, k)))
        ]
        if not arriving:
            return
        self.steps += 1
        rules = dict(line[1:].split(" = ", 1) for line in box.rule.split("\n") if " = " in line)
        notes = [f"d{name} = {rule}" for name, rule in rules.items()]
        notes += [f"∂y/∂{slot} = {number}" for slot, number in box.local.items()]
        step = Box("", "rule", box.title, notes, number=self.steps, help=f"backward of {box.title}")
        step = self.add(step, box)
        for place in arriving:
            self.join(place, step)
        for edge in self.into[box.id]:
            if edge.slot.split("[")[0] not in rules:
                continue  # it asks for no gradient
            k = len(step.values)
            step.values[k] = Value((), "float32")  # until the tail is reached: see `total`
            self.handed.setdefault((edge.tail, edge.output), []).append((step.id, k))

    def total(self, sources, value: Value, box: Box) -> tuple[str, int]:
        """The place where a value's gradient is complete: of a single source, or of their sum."""
        bare = replace(value, name=None, content=None, norm=None)
        if len(sources) > 1:
            for id, k in sources:
                self.result.boxes[id].values[k] = bare
            each = f"of {len(sources)} ways back"
            added = self.add(Box("", "rule", "sum", [each], values={0: value}), box)
            for place in sources:
                self.join(place, added)
            return added.id, 0
        id, k = sources[0]
        if self.result.boxes[id].worked:
            self.result.boxes[id].values[k] = value
        return id, k

    def gradient(self, value: Value, name: str | None) -> Value:
        """A value's gradient, as a value."""
        title = f"d{self.loss}/d{name}" if name and value.name != "" else None
        return Value(
            value.shape, value.dtype, title, value.gradient, norm=value.norm, heat=value.gradient_heat
        )

    def add(self, box: Box, of: Box) -> Box:
        box.scope, box.shown = of.scope, of.shown
        if not box.title and box.values:
            box.title = box.values[0].name or "gradient"
        return self.result.add(box)

    def join(self, place: tuple[str, int], head: Box) -> None:
        tail, output = place
        self.result.edges.append(Edge(tail, head.id, "g", output))

"""What a picture is made of: boxes, the values they put out, and edges.

It stands between the recorded graph and the renderers: reading.py builds it, arrange.py and whatever else
folds or groups boxes rewrites it, and tape.py, dot.py and mermaid.py know nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Value:
    """An array that flows: its shape, its dtype where that is not float32, and what is known of it beside."""

    shape: tuple[int, ...]
    dtype: str
    name: str | None = None
    content: str | None = None  # the numbers, where they were asked for and are few
    gradient: str | None = None

    @property
    def type(self) -> str:
        """Shape and dtype, as "(64, 10)" or "(64,) int64": float32 goes without saying."""
        return str(self.shape) if self.dtype == "float32" else f"{self.shape} {self.dtype}"

    def lines(self, title: str | None) -> list[tuple[str, str]]:
        """What is said of it, line by line, as ("title" or "type" or "gradient", text). A number stands for
        the shape of a scalar."""
        said = []
        if title or self.content:
            equals = "" if not title or not self.content else " =\n" if "\n" in self.content else " = "
            text = f"{title or ''}{equals}{self.content or ''}"
            said += [("title", line) for line in text.split("\n")]
        if not self.content or self.type != "()":
            said.append(("type", self.type))
        if self.gradient:
            between = "\n" if "\n" in self.gradient else " "
            said += [("gradient", line) for line in f"grad{between}{self.gradient}".split("\n")]
        return said


@dataclass
class Box:
    """A vertex of the picture. `kind` is "op", "parameter" (a leaf that requires grad), "data" (an array that
    gets no gradient) or "output" (what was drawn). `scope` is the path of clusters around it, outermost
    first."""

    id: str
    kind: str
    title: str
    notes: list[str] = field(default_factory=list)
    fixed: dict[int, str] = field(default_factory=dict)  # operands that are plain numbers, by their place
    values: dict[int, Value] = field(default_factory=dict)  # what it puts out, by the number of the output
    help: str = ""
    scope: tuple[str, ...] = ()
    again: bool = False  # the same leaf stands elsewhere too

    def operands(self, flowing: list[str]) -> list[str]:
        """What the op takes, in order: `flowing` says it of the edges, in between stand the plain numbers."""
        every = list(flowing)
        for at, number in sorted(self.fixed.items()):
            every.insert(at, number)
        return every


@dataclass(frozen=True)
class Edge:
    """Output number `output` of the box `tail` is the argument `slot` of the box `head`."""

    tail: str
    head: str
    slot: str = ""
    output: int = 0


@dataclass
class Diagram:
    """Boxes by id, each after those it uses, and edges in the order of arguments."""

    title: str
    boxes: dict[str, Box] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def add(self, box: Box) -> Box:
        """Takes a box in, and gives it the next free id."""
        box.id = f"n{len(self.boxes)}"
        self.boxes[box.id] = box
        return box

    def flowing(self, edge: Edge) -> Value:
        """The value on an edge."""
        return self.boxes[edge.tail].values[edge.output]

    def count(self, kind: str) -> int:
        """The number of boxes of one kind."""
        return sum(box.kind == kind for box in self.boxes.values())

    def into(self) -> dict[str, list[Edge]]:
        """The edges that end in each box."""
        found: dict[str, list[Edge]] = {id: [] for id in self.boxes}
        for edge in self.edges:
            found[edge.head].append(edge)
        return found

    def ranks(self) -> dict[str, int]:
        """The place of each box in the order of execution, as late as its users allow; the first is at 0."""
        after = dict.fromkeys(self.boxes, 0)  # boxes on the longest way from here to an end
        out: dict[str, list[str]] = {id: [] for id in self.boxes}
        for edge in self.edges:
            out[edge.tail].append(edge.head)
        for id in reversed(self.boxes):
            after[id] = max((after[head] + 1 for head in out[id]), default=0)
        deepest = max(after.values())
        return {id: deepest - n for id, n in after.items()}

    def span(self) -> int:
        """The summed length of the edges in ranks: what a layout has to route, so what it costs."""
        ranks = self.ranks()
        return sum(ranks[e.head] - ranks[e.tail] for e in self.edges)

    def nested(self) -> Iterator[tuple[str, Any]]:
        """The boxes within their clusters, as ("open", scope), ("box", box) and ("close", scope), each
        cluster once, where its first box stands."""
        root: dict = {}
        for box in self.boxes.values():
            room = root
            for depth in range(len(box.scope)):
                room = room.setdefault(box.scope[: depth + 1], {})
            room[box.id] = box
        stack = [iter(root.items())]
        opened: list = []
        while stack:
            for key, item in stack[-1]:
                if isinstance(item, Box):
                    yield "box", item
                    continue
                yield "open", key
                opened.append(key)
                stack.append(iter(item.items()))
                break
            else:
                stack.pop()
                if opened:
                    yield "close", opened.pop()

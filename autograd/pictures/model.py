"""What a picture is made of: boxes, the values they put out, and edges.

It stands between the recorded graph and the renderers: reading.py builds it; levels.py, folding.py,
arrange.py and reversal.py rewrite it; tape.py, dot.py, mermaid.py and page.py know nothing else.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Scope:
    """One call of a module: `name` is what its caller calls it ("layers.0"), `path` the same from the model
    on, `kind` its class. A `leaf` is a layer, which holds no modules that matter; a `stack` is there to hold
    repeated ones. `times` calls that look alike are folded into this one, the last of them is `until`.
    `members` are the sizes of all parameters in it by their path."""

    name: str
    path: str
    kind: str
    arguments: str = ""
    leaf: bool = True
    stack: bool = False
    members: dict[str, int] = field(default_factory=dict)
    size: int = 0  # of all of them, also where `members` leaves out what was counted elsewhere
    shape: tuple[int, ...] | None = None  # of its (first) output
    call: int = 1
    calls: int = 1
    times: int = 1
    until: str = ""

    @property
    def title(self) -> str:
        """Its class, and how often: "TransformerEncoderLayer × 6", "LSTMCell, call 2 of 7"."""
        if self.times > 1 and self.until == self.name:
            return f"{self.kind}, called {self.times} times"
        many = f" × {self.times}" if self.times > 1 else ""
        return f"{self.kind}{many}" + (f", call {self.call} of {self.calls}" if self.calls > 1 else "")

    @property
    def parameters(self) -> int:
        """How many numbers its parameters hold."""
        return sum(self.members.values())

    @property
    def copies(self) -> int:
        """How many modules are folded into it: several calls of one are one."""
        return 1 if self.until == self.name else self.times

    @property
    def place(self) -> str:
        """Its name, or those of the first and the last where it is folded: "layers.0 … 5"."""
        if self.until in ("", self.name):
            return self.name
        stem, dot, last = self.until.rpartition(".")
        return f"{self.name} … {last if dot and self.name.startswith(stem + dot) else self.until}"

    def __str__(self):
        return f"{self.place}: {self.title}"


@dataclass(frozen=True)
class Histogram:
    """Counts of an array's finite numbers in bins of equal width from `low` to `high`, and how many are
    not finite."""

    low: float
    high: float
    counts: tuple[int, ...]
    bad: int = 0


@dataclass(frozen=True)
class Value:
    """An array that flows: its shape, its dtype where that is not float32, and what is known of it beside."""

    shape: tuple[int, ...]
    dtype: str
    name: str | None = None
    content: str | None = None  # the numbers, where they were asked for and are few
    gradient: str | None = None
    heat: tuple[tuple[float, ...], ...] | None = None  # rows of numbers from -1 to 1
    gradient_heat: tuple[tuple[float, ...], ...] | None = None
    norm: float | None = None  # of the gradient
    histogram: Histogram | None = None
    gradient_histogram: Histogram | None = None

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
        if self.norm is not None and not self.gradient:
            said.append(("gradient", f"|grad| {self.norm:.2g}"))
        return said

    def health(self, reference: float) -> str:
        """How its gradient fares against the one that the backward pass starts from: "vanished" below a
        hundred thousandth of its norm, "faint" below a thousandth, "strong" above a hundred times, "exploded"
        above a thousand times or where it is not finite, "" in between or where no norm is known."""
        if self.norm is None:
            return ""
        ratio = self.norm / (reference or 1.0)
        if not ratio <= 1e3:
            return "exploded"
        return "strong" if ratio > 1e2 else "vanished" if ratio < 1e-5 else "faint" if ratio < 1e-3 else ""


@dataclass
class Box:
    """A vertex of the picture. `kind` is "op", "module" (a call of one, whose ops are not shown: `call`),
    "rule" (of an op, in a backward graph), "parameter" (a leaf that requires grad), "data" (an array that
    gets no gradient), "value" (a result that has its own box) or "output" (what was drawn). `scope` is the
    path of clusters around it, outermost first: Scopes, or strings."""

    id: str
    kind: str
    title: str
    notes: list[str] = field(default_factory=list)
    fixed: dict[int, str] = field(default_factory=dict)  # operands that are plain numbers, by their place
    values: dict[int, Value] = field(default_factory=dict)  # what it puts out, by the number of the output
    help: str = ""
    scope: tuple[Any, ...] = ()
    again: bool = False  # the same leaf, or the same module, stands elsewhere too
    call: Scope | None = None
    rule: str = ""  # the derivative as the textbook writes it
    kept: int = 0  # bytes held for the backward pass
    seconds: tuple[float, float] | None = None  # forward and backward
    line: str = ""  # of the user's code
    number: int | None = None  # in the order of execution
    shown: tuple[str, ...] = ()  # what of the above is written into the box
    local: dict[str, str] = field(default_factory=dict)  # its derivative by each input, where these are few

    @property
    def worked(self) -> bool:
        """Whether it computes: an op, a module, or the rule of an op."""
        return self.kind in ("op", "module", "rule")

    @property
    def heading(self) -> str:
        """Its title within its cluster, after its number in the order of execution where that is shown."""
        title = self.call.title if self.call else self.title
        if self.kind == "parameter" and self.scope and not isinstance(self.scope[-1], str):
            title = title.removeprefix(f"{self.scope[-1].path}.")  # the cluster says the rest
        return f"{self.number}. {title}" if self.number and "order" in self.shown else title

    def about(self, arguments: int) -> list[str]:
        """The small lines under the title of what worked: "(3, ·)" where an operand is a plain number, its
        options, and what else was asked for."""
        said = [f"({', '.join(self.operands(['·'] * arguments))})"] if self.fixed else []
        said += ([self.call.place] if self.call else []) + self.notes
        if "rules" in self.shown and self.rule:
            said += self.rule.split("\n")
        if "memory" in self.shown and self.kept:
            said.append(f"keeps {in_bytes(self.kept)}")
        if "time" in self.shown and self.seconds:
            forward, backward = self.seconds
            said.append(in_seconds(forward) + (f", backward {in_seconds(backward)}" if backward else ""))
        return said

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
    reference: float = 1.0  # the norm of the gradient that the backward pass starts from

    def add(self, box: Box) -> Box:
        """Takes a box in, and gives it the next free id."""
        box.id = f"n{len(self.boxes)}"
        self.boxes[box.id] = box
        return box

    def flowing(self, edge: Edge) -> Value:
        """The value on an edge."""
        return self.boxes[edge.tail].values[edge.output]

    @property
    def parameters(self) -> int:
        """How many numbers the parameters in the picture hold, those of folded and of closed modules too."""
        seen: dict[str, int] = {}
        for box in self.boxes.values():
            times = 1
            for scope in box.scope:
                times *= 1 if isinstance(scope, str) else scope.copies
            if box.call is not None:
                sizes = {path: times * box.call.copies * size for path, size in box.call.members.items()}
                seen = {**sizes, **seen}
            elif box.kind == "parameter":
                seen.setdefault(box.title, times * math.prod(box.values[0].shape))
        return sum(seen.values())

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


def in_bytes(count: int) -> str:
    """Bytes as a person says them: "3.2 MB"."""
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} B"


def in_seconds(seconds: float) -> str:
    """Seconds as a person says them: "1.5 ms"."""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"

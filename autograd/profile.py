"""Where the time and the memory of a computation go: by op and by module, forward and backward."""

import functools
import json
import os
import threading
import time
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .modes import state
from .pictures.model import in_bytes, in_seconds
from .pictures.recording import Fact, Recording, user_line
from .primitive import Plan, registry
from .tensor import _owner


@dataclass
class Row:
    """What one op, or one module without the modules in it, took: `calls` of it, seconds, and bytes:
    `output` of what it put out, `kept` of what it holds for the backward pass and nothing before it held."""

    name: str
    calls: int = 0
    forward: float = 0.0
    backward: float = 0.0
    output: int = 0
    kept: int = 0

    @property
    def seconds(self) -> float:
        """Forward and backward together."""
        return self.forward + self.backward


@dataclass(frozen=True)
class Event:
    """One span of the timeline: `kind` is "forward", "backward" or "module"; times are in seconds from the
    start of the profile."""

    name: str
    kind: str
    begin: float
    end: float
    about: dict


class profile(Recording):
    """A context that measures each op run within it, in the thread that entered it:

        with autograd.profile(model) as p:
            loss = criterion(model(x), y)
            loss.backward()
        print(p)                               # by op, and by module
        p.save("step.json")                    # for chrome://tracing or ui.perfetto.dev
        autograd.draw(loss, profile=p, show="time")

    `models` are the Modules whose parts are told apart; without one there is only the table by op. The
    seconds of an op are those of its forward function and of its rule. What is left of `wall`, the time
    within the context, is Python between the ops. Measure a second run: the first compiles kernels. Of ops
    that are not recorded (under `no_grad`) only the time is known. Nothing is slower outside the context. The
    graph is held as long as the profile is, without the values that backward frees."""

    def __init__(self, *models):
        for model in models:
            if not hasattr(model, "named_modules"):
                raise TypeError(f"profile takes Modules, got {type(model).__name__}")
        super().__init__(models)
        self.events: list[Event] = []
        self.wall = 0.0
        self._ops: dict[str, Row] = {}
        self._places: dict[str, Row] = {}  # by the path of a module
        self._seen: dict[str, set] = {}  # path -> its calls
        self._depth = 0  # ops and rules at work: what runs within one is its own
        self._span: tuple[float, float] | None = None  # of the op, or of the rule, that ran last
        self._kept: dict[int, weakref.ref] = {}  # id of the array that owns memory -> that array
        self._timed: list = []  # (object, attribute, what stood there)
        self._plans: set[int] = set()
        self._thread = 0

    def __enter__(self):
        if self._timed:
            raise RuntimeError("this profile is running already")
        self._thread = threading.get_ident()
        for op in registry.values():
            self._timed.append((op, "forward", op.forward))
            op.forward = self._clocked(op.forward, op.name)
        self._before_backward = state.backward_watchers
        state.backward_watchers = (*self._before_backward, self._went_back)
        super().__enter__()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *error):
        self.wall += time.perf_counter() - self._start
        super().__exit__(*error)
        state.backward_watchers = self._before_backward
        for thing, attribute, before in reversed(self._timed):
            setattr(thing, attribute, before)
        self._timed.clear()
        self._plans.clear()

    # ---- measuring

    def _clocked(self, forward, name):
        """An op's forward with a clock around it."""
        clock = time.perf_counter

        @functools.wraps(forward)
        def run(*args, **kwargs):
            if self._depth or threading.get_ident() != self._thread:
                return forward(*args, **kwargs)
            self._depth += 1
            begin = clock()
            try:
                return forward(*args, **kwargs)
            finally:
                self._span = begin, clock()
                self._depth -= 1
                self._went_forward(name, *self._span)

        return run

    def _clocked_rule(self, pull):
        clock = time.perf_counter

        def run(g, saved, needs=None):
            self._depth += 1
            begin = clock()
            try:
                return pull(g, saved, needs)
            finally:
                self._span = begin, clock()
                self._depth -= 1

        return run

    def _rows(self, name, scope) -> tuple[Row, Row]:
        place = _path(scope) or "(outside)"
        self._seen.setdefault(place, set()).add(scope[-1] if scope else None)
        return self._ops.setdefault(name, Row(name)), self._places.setdefault(place, Row(place))

    def _went_forward(self, name, begin, end):
        scope = tuple(scope for scope, _ in self._running if scope is not None)
        for row in self._rows(name, scope):
            row.calls += 1
            row.forward += end - begin
        self._note(name, "forward", begin, end, {"module": _path(scope)})

    def _recorded(self, node, y):
        scope = tuple(scope for scope, _ in self._running if scope is not None)
        fact = self.facts[node] = Fact(scope, user_line())
        if self._span is not None:  # None for an op that no declaration knows, such as a hook
            begin, end = self._span
            fact.forward = end - begin
        size = sum(part.nbytes for part in y) if isinstance(y, tuple) else y.nbytes
        kept = self._keeps(node.saved)
        for row in self._rows(node.name, scope):
            row.output += size
            row.kept += kept
        if self._span is not None:
            self.events[-1].about.update(shape=str(node.shape), bytes=size, kept=kept, line=fact.line)
        self._span = None
        plan = node.plan
        if isinstance(plan, Plan) and id(plan) not in self._plans:
            self._plans.add(id(plan))
            self._timed.append((plan, "pull", plan.pull))
            plan.pull = self._clocked_rule(plan.pull)

    def _went_back(self, node, g, pulled):
        if self._span is None or not isinstance(node.plan, Plan):
            return
        (begin, end), self._span = self._span, None
        fact = self.facts.get(node)
        if fact is not None:
            fact.backward += end - begin
        scope = fact.scope if fact else ()
        for row in self._rows(node.name, scope):
            row.backward += end - begin
        self._note(node.name, "backward", begin, end, {"shape": str(node.shape), "module": _path(scope)})

    def _keeps(self, saved) -> int:
        total, waiting = 0, list(saved) if isinstance(saved, tuple) else []
        while waiting:
            value = waiting.pop()
            if isinstance(value, (tuple, list)):
                waiting.extend(value)
            elif isinstance(value, np.ndarray) and self._is_new(owner := _owner(value)):
                total += owner.nbytes
        return total

    def _is_new(self, array) -> bool:
        key = id(array)
        if key in self._kept or key in self.states:
            return False
        self._kept[key] = weakref.ref(array, lambda _: self._kept.pop(key, None))
        return True

    def _ran(self, scope, begin, end):
        if scope is not None:
            self._note(f"{scope.path} {scope.kind}", "module", begin, end, {})

    def _note(self, name, kind, begin, end, about):
        self.events.append(Event(name, kind, begin - self._start, end - self._start, about))

    # ---- telling

    @property
    def ops(self) -> list[Row]:
        """One row for each op, the slowest first."""
        return sorted(self._ops.values(), key=lambda row: -row.seconds)

    @property
    def modules(self) -> list[Row]:
        """One row for each module that did work itself, in the order in which they ran; "(outside)" is what
        ran in none."""
        return [replace(row, calls=len(self._seen[name])) for name, row in self._places.items()]

    def __str__(self):
        parts = [_table("op", self.ops)]
        if self._modules:
            parts.append(_table("module", self.modules))
        busy = sum(row.seconds for row in self.ops)
        parts.append(f"{in_seconds(busy)} in ops, {in_seconds(self.wall)} in all")
        return "\n\n".join(parts)

    def save(self, path) -> Path:
        """Writes the timeline as a Chrome trace (JSON), to be opened at chrome://tracing or ui.perfetto.dev:
        modules and forward ops in one row, backward ops in another. Returns the path; raises ValueError
        unless it ends in .json."""
        path = Path(path)
        if path.suffix.lower() != ".json":
            raise ValueError(f"a Chrome trace ends in .json, got {path.name!r}")
        rows = {"forward": 1, "module": 1, "backward": 2}
        named = [
            {"ph": "M", "name": "thread_name", "pid": 1, "tid": tid, "args": {"name": name}}
            for tid, name in ((1, "forward"), (2, "backward"))
        ]
        spans = [
            {
                "ph": "X",
                "name": event.name,
                "cat": event.kind,
                "ts": event.begin * 1e6,  # microseconds
                "dur": (event.end - event.begin) * 1e6,
                "pid": 1,
                "tid": rows[event.kind],
                "args": event.about,
            }
            for event in self.events
        ]
        text = json.dumps({"traceEvents": named + spans, "displayTimeUnit": "ms"})
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_text(text, encoding="utf-8")
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path


def _path(scope) -> str:
    return scope[-1].path or scope[-1].kind if scope else ""


def _table(what: str, rows: Iterable[Row]) -> str:
    rows = list(rows)
    head = (what, "calls", "forward", "backward", "share", "output", "kept for backward")
    whole = sum(row.seconds for row in rows) or 1.0
    lines = [
        (
            row.name,
            f"{row.calls:,}",
            in_seconds(row.forward),
            in_seconds(row.backward) if row.backward else "-",
            f"{row.seconds / whole:.1%}",
            in_bytes(row.output),
            in_bytes(row.kept),
        )
        for row in rows
    ]
    total = (
        "total",
        f"{sum(row.calls for row in rows):,}",
        in_seconds(sum(row.forward for row in rows)),
        in_seconds(sum(row.backward for row in rows)),
        "",
        in_bytes(sum(row.output for row in rows)),
        in_bytes(sum(row.kept for row in rows)),
    )
    widths = [max(len(line[k]) for line in [head, *lines, total]) for k in range(len(head))]

    def show(line):
        cells = [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))]
        return "  ".join(cells).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([show(head), rule, *map(show, lines), rule, show(total)])

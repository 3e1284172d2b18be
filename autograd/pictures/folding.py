"""Repeated blocks, folded: a run of module calls that look alike and follow each other becomes one, "× 6"."""

from dataclasses import replace
from itertools import pairwise

from .model import Box, Diagram, Edge, Scope


def folded(diagram: Diagram) -> Diagram:
    """The diagram with its runs folded, innermost modules first. Two calls look alike when they have the same
    boxes with the same shapes, wired alike, and each takes from the one before it (or from what all of the
    run take) and gives to the one after it alone."""
    boxes = {id: replace(box, values=dict(box.values)) for id, box in diagram.boxes.items()}
    diagram = Diagram(diagram.title, boxes, list(diagram.edges))
    deepest = max((len(_path(box)) for box in boxes.values()), default=0)
    for depth in range(deepest, 0, -1):
        _fold_at(diagram, depth)
    return diagram


def _path(box: Box) -> tuple:
    return (*box.scope, box.call) if box.call else box.scope


def _fold_at(diagram: Diagram, depth: int) -> None:
    """Folds the calls whose path has `depth` steps."""
    units: dict[tuple, list[str]] = {}
    for id, box in diagram.boxes.items():
        path = _path(box)
        if len(path) >= depth and all(isinstance(scope, Scope) for scope in path[:depth]):
            units.setdefault(path[:depth], []).append(id)
    if len(units) < 2:
        return
    unit_of = {id: path for path, ids in units.items() for id in ids}
    inside: dict[tuple, list[Edge]] = {path: [] for path in units}
    entering: dict[tuple, list[Edge]] = {path: [] for path in units}
    leaving: dict[tuple, set] = {path: set() for path in units}
    for edge in diagram.edges:
        tail, head = unit_of.get(edge.tail), unit_of.get(edge.head)
        if tail is not None and tail == head:
            inside[tail].append(edge)
            continue
        if head is not None:
            entering[head].append(edge)
        if tail is not None:
            leaving[tail].add(head)
    signatures = {p: _signature(diagram, p, ids, inside[p], entering[p]) for p, ids in units.items()}
    after: dict[tuple, list[tuple]] = {}
    for path in units:
        after.setdefault(path[:-1], []).append(path)
    for siblings in after.values():
        run, wiring = [siblings[0]], None
        pairs: list[tuple] = [*pairwise(siblings), (siblings[-1], None)]
        for before, path in pairs:
            wires = None
            if path is not None and signatures[before] == signatures[path] and leaving[before] == {path}:
                wires = _wires(units[before], entering[path])
            if wires is not None and wiring in (None, wires):
                run.append(path)
                wiring = wires
                continue
            if len(run) > 1:
                _merge(diagram, [units[p] for p in run], [p[-1] for p in run])
            run, wiring = [path], None  # after the last, an end that nothing looks at


def _signature(diagram, path, ids, inside, entering):
    """What two calls must share to look alike."""
    place = {id: k for k, id in enumerate(ids)}
    stem = path[-1].path + "."
    looks = []
    for id in ids:
        box = diagram.boxes[id]
        inner = [(s.name, s.kind, s.times) for s in _path(box)[len(path) :]]
        title = box.title.removeprefix(stem)
        values = [replace(v, name=None, histogram=None, gradient_histogram=None) for v in box.values.values()]
        notes = tuple(box.notes) if box.call is None else (box.call.arguments, box.call.size)
        fixed = tuple(box.fixed.items())
        looks.append((box.kind, title, notes, fixed, tuple(values), tuple(inner)))
    wires = [(place[e.tail], place[e.head], e.slot, e.output) for e in inside]
    doors = sorted((place[e.head], e.slot) for e in entering)
    return path[-1].kind, path[-1].arguments, tuple(looks), tuple(wires), tuple(doors)


def _wires(before: list[str], entering: list[Edge]):
    """Where the inputs of a call come from: by place in the call before it, or from outside; None where
    nothing comes from the call before."""
    place = {id: k for k, id in enumerate(before)}
    wires = tuple((place.get(e.tail, e.tail), e.output, e.slot) for e in entering)
    return wires if any(isinstance(at, int) for at, _, _ in wires) else None


def _merge(diagram: Diagram, runs: list[list[str]], calls: list[Scope]) -> None:
    first, last = runs[0], runs[-1]
    call = replace(
        calls[0],
        times=sum(c.times for c in calls),
        until=calls[-1].until or calls[-1].name,
        calls=1 if calls[-1].path == calls[0].path else calls[0].calls,
    )
    for copy in runs[1:]:
        for id, other in zip(first, copy, strict=True):
            box, twin = diagram.boxes[id], diagram.boxes.pop(other)
            box.kept += twin.kept
            if box.seconds and twin.seconds:
                box.seconds = box.seconds[0] + twin.seconds[0], box.seconds[1] + twin.seconds[1]
    for id in first:
        box = diagram.boxes[id]
        box.scope = tuple(call if scope is calls[0] else scope for scope in box.scope)
        if box.call is calls[0]:
            box.call = call
            box.again = False
            each = f"{call.parameters:,} parameters"
            box.notes = [f"{note} each" if note == each and call.copies > 1 else note for note in box.notes]
    gone = {id for copy in runs[1:] for id in copy}
    ends = dict(zip(last, first, strict=True))
    edges = []
    for edge in diagram.edges:
        if edge.head in gone:
            continue
        if edge.tail in ends:
            edge = replace(edge, tail=ends[edge.tail])
        edges.append(edge)
    diagram.edges = edges

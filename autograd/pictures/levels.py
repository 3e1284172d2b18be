"""Fewer boxes: each call of a module as one box, at one of four levels of detail; or more, at the level of
scalars."""

import heapq
from dataclasses import replace

from .model import Box, Diagram, Edge, Scope

LEVELS = ("scalar", "op", "layer", "block", "architecture")
_WITHIN = object()  # stands for what is inside of modules, and not seen
SYMBOLS = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "power": "^", "negative": "−", "matmul": "@",
    "sum": "Σ", "sqrt": "√",
}  # fmt: skip


def at_level(diagram: Diagram, level: str) -> Diagram:
    """The diagram at a level: "scalar" gives each value a box of its own; "op" leaves it as it is; "layer"
    makes one box of each module without modules; "block" one of each module that is not a Sequential, a list
    or a stack of repeated ones; "architecture" one of each module of the model."""
    if level == "scalar":
        return values_apart(diagram)
    if level == "op":
        return diagram
    return collapsed(diagram, {id: unit_of(box, level) for id, box in diagram.boxes.items()})


def unit_of(box: Box, level: str) -> tuple[Scope, ...]:
    """The path of the module call that a box disappears into, () where it stays."""
    for depth, scope in enumerate(box.scope):
        if isinstance(scope, str):
            continue
        closed = {"layer": scope.leaf, "block": scope.leaf or not scope.stack, "architecture": True}[level]
        if closed:
            return box.scope[: depth + 1]
    return ()


def collapsed(diagram: Diagram, units: dict[str, tuple[Scope, ...]]) -> Diagram:
    """The diagram in which each unit, the path of a module call, is one box."""
    users: dict[str, list[str]] = {id: [] for id in diagram.boxes}
    for edge in diagram.edges:
        users[edge.tail].append(edge.head)
    home: dict[str, object] = {}  # id of a box -> what stands for it: a Scope, or itself
    for id, box in diagram.boxes.items():
        home[id] = units[id][-1] if units[id] and box.worked else id
    for id, box in diagram.boxes.items():
        if not box.worked and users[id]:
            where = {home[user] for user in users[id]}
            own = box.kind == "parameter" and all(isinstance(unit, Scope) for unit in where)
            if own or (len(where) == 1 and units[id] and home[users[id][0]] is units[id][-1]):
                home[id] = _WITHIN

    found: dict[object, Box] = {}
    counted: set[str] = set()
    calls: dict[str, int] = {}
    for id, box in diagram.boxes.items():
        key = home[id]
        if not isinstance(key, Scope) and key is not _WITHIN:
            found[key] = replace(box, id="", values=dict(box.values))
        elif isinstance(key, Scope) and key not in found:
            found[key] = _module(key, units[id][:-1], box, counted)
            calls[key.path] = calls.get(key.path, 0) + 1
        if isinstance(key, Scope):
            _count_in(found[key], box)

    outputs: dict[tuple[object, str, int], int] = {}
    edges: list[tuple[object, object, str, int]] = []
    for edge in diagram.edges:
        tail, head = home[edge.tail], home[edge.head]
        if tail is head or tail not in found or head not in found:
            continue
        number = edge.output
        if isinstance(tail, Scope):
            place = tail, edge.tail, edge.output
            number = outputs.setdefault(place, len(found[tail].values))
            found[tail].values.setdefault(number, diagram.flowing(edge))
        slot = "" if isinstance(head, Scope) else edge.slot
        if (tail, head, slot, number) not in edges[-8:]:  # q, k and v of one x
            edges.append((tail, head, slot, number))
    return _in_order(diagram.title, found, edges)


def _module(call: Scope, scope, first: Box, counted: set[str]) -> Box:
    members = {path: size for path, size in call.members.items() if path not in counted}
    counted.update(members)
    short = bool(call.arguments) and len(call.arguments) <= 32
    notes = [call.arguments] if short else []
    call = replace(call, members=members)
    if call.parameters:
        notes.append(f"{call.parameters:,} parameters")
    elif call.members or call.call > 1:
        notes.append("shared parameters" if call.members else "the same parameters")
    box = Box("", "module", call.kind, notes, scope=scope, call=call, line=first.line, shown=first.shown)
    box.again = call.call > 1
    return box


def _count_in(box: Box, inner: Box) -> None:
    box.kept += inner.kept
    if inner.seconds:
        forward, backward = box.seconds or (0.0, 0.0)
        box.seconds = forward + inner.seconds[0], backward + inner.seconds[1]


def _in_order(title, found, edges) -> Diagram:
    """The boxes, each after all it uses, otherwise in the order in which they came."""
    place = {key: k for k, key in enumerate(found)}
    keys = list(found)
    waits = dict.fromkeys(found, 0)
    users: dict = {key: [] for key in found}
    for tail, head, _, _ in edges:
        waits[head] += 1
        users[tail].append(head)
    diagram = Diagram(title)
    ready = [place[key] for key in found if not waits[key]]
    left = iter(found)
    while len(diagram.boxes) < len(found):
        if not ready:  # modules that wait for each other, since one calls back into the other
            ready = [next(place[key] for key in left if not found[key].id)]
        box = found[key := keys[heapq.heappop(ready)]]
        if box.id:
            continue
        diagram.add(box)
        for user in users[key]:
            waits[user] -= 1
            if not waits[user]:
                heapq.heappush(ready, place[user])
    work = 0
    for box in diagram.boxes.values():
        work += box.worked
        box.number = work if box.worked else None
    diagram.edges = [Edge(found[t].id, found[h].id, slot, number) for t, h, slot, number in edges]
    return diagram


def values_apart(diagram: Diagram) -> Diagram:
    """Each value has its own box with its name, its numbers and its gradient, and each op is a sign between
    them."""
    apart = Diagram(diagram.title)
    heads = [(edge, diagram.boxes[edge.head]) for edge in diagram.edges]
    marked = {(edge.tail, edge.output): head for edge, head in heads if head.kind == "output"}
    ids: dict[str, str] = {}
    places: dict[tuple[str, int], str] = {}
    into = diagram.into()
    for old, box in diagram.boxes.items():
        if box.kind == "output" and into[old]:
            continue
        new = apart.add(replace(box, id="", values=dict(box.values)))
        ids[old] = new.id
        apart.edges += [Edge(places[e.tail, e.output], new.id, e.slot) for e in into[old]]
        if not box.worked:
            places[old, 0] = new.id
            continue
        new.title = SYMBOLS.get(box.title, box.title)
        for k, value in box.values.items():
            end = marked.get((old, k))
            value = end.values[0] if end else value
            title = end.title if end else value.name or ""
            kind = "output" if end else "value"
            own = apart.add(Box("", kind, title, values={0: value}, scope=box.scope, shown=box.shown))
            apart.edges.append(Edge(new.id, own.id, "", k))
            places[old, k] = own.id
    return apart

"""A Diagram as a page of HTML: one file that needs no network, in which a reader pans, zooms, searches, opens
and closes modules, and asks each box about itself. Layout and drawing are in web/."""

import html
import json
import re
from pathlib import Path

from .arrange import repeat_far_leaves
from .model import Box, Diagram, Histogram, Scope, Value, in_bytes, in_seconds

FAR = 20_000  # summed length of edges, in ranks, beyond which leaves are shown at each of their users
WEB = Path(__file__).with_name("web")


def page(diagram: Diagram, level: str) -> str:
    """The page, with modules open down to `level`."""
    if diagram.span() > FAR:
        diagram = repeat_far_leaves(diagram)
    scopes, places = _scopes(diagram)
    numbers = {id: k for k, id in enumerate(diagram.boxes)}
    graph = {
        "level": level,
        "scopes": scopes,
        "nodes": [_node(box, places, diagram.reference) for box in diagram.boxes.values()],
        "edges": [[numbers[e.tail], numbers[e.head], e.output, e.slot] for e in diagram.edges],
    }
    text = json.dumps(graph, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    parts = {
        "title": html.escape(f"graph of {diagram.title}"),
        "style": _read("page.css"),
        "script": _read("layout.js") + _read("page.js"),
        "graph": text.replace("<", "\\u003c"),  # or a name could end the script
    }
    pieces = re.split(r"\{\{(\w+)\}\}", _read("page.html"))  # in one go: a part may hold braces itself
    return "".join(parts[piece] if k % 2 else piece for k, piece in enumerate(pieces))


def _read(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _scopes(diagram: Diagram) -> tuple[list[dict], dict]:
    """The module calls as rows, each after the one around it; and the number of each. Row 0 is the whole."""
    rows: list[dict] = [{"name": "", "title": "", "path": ""}]
    places: dict = {(): 0}
    for box in diagram.boxes.values():
        for depth in range(1, len(box.scope) + 1):
            path = box.scope[:depth]
            if path in places:
                continue
            scope = path[-1] if isinstance(path[-1], Scope) else Scope(str(path[-1]), str(path[-1]), "")
            rows.append(
                {
                    "in": places[path[:-1]],
                    "name": scope.place,
                    "title": scope.title,
                    "path": scope.path,
                    "arguments": scope.arguments,
                    "leaf": scope.leaf,
                    "stack": scope.stack,
                    "parameters": scope.parameters,
                    "shape": "" if scope.shape is None else str(scope.shape),
                }
            )
            places[path] = len(rows) - 1
    return rows, places


def _node(box: Box, places, reference: float) -> dict:
    first = next(iter(box.values.values()), None)
    count = max(box.values, default=-1) + 1
    row = {
        "in": places[box.scope],
        "kind": box.kind,
        "title": box.heading,
        "notes": [note for note in box.about(0) if note not in box.rule.split("\n")] if box.worked else [],
        "values": [_value(box.values.get(k), reference) for k in range(count)],
        "health": first.health(reference) if first and "norms" in box.shown else "",
        "help": box.help,
        "rule": box.rule,
        "line": box.line,
        "kept": in_bytes(box.kept) if box.kept else "",
    }
    if box.number:
        row["number"] = box.number
    if box.seconds:
        forward, backward = map(in_seconds, box.seconds)
        row["time"] = f"forward {forward}" + (f", backward {backward}" if box.seconds[1] else "")
    return row


def _value(value: Value | None, reference: float) -> dict | None:
    if value is None:
        return None
    row: dict = {"type": value.type, "name": value.name, "content": value.content, "gradient": value.gradient}
    if value.norm is not None:
        row |= {"norm": f"{value.norm:.2g}", "health": value.health(reference)}
    row |= {"histogram": _bars(value.histogram), "gradient_histogram": _bars(value.gradient_histogram)}
    return {key: content for key, content in row.items() if content}


def _bars(histogram: Histogram | None) -> dict | None:
    if histogram is None:
        return None
    ends = {"low": f"{histogram.low:.3g}", "high": f"{histogram.high:.3g}"}
    return {**ends, "counts": list(histogram.counts), "bad": histogram.bad}

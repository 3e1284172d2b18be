"""A Diagram as a DOT string.

Colours are chosen once for white and for dark pages: each box and each edge's label brings its own light
ground for dark text, and lines have a grey that stands out from both. Widths are given as minima from an
estimate of the text, so that a viewer with a wider font than the layout's clips nothing.
"""

import html
from dataclasses import replace

from graphviz import Digraph, escape

from .model import Box, Diagram, Value

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"
LINE = "#8a939c"
PLATE = "#eef1f4"
INK = {"title": "#1f2933", "type": "#52606d", "gradient": "#a1235b"}
SIZE = {"title": 12, "type": 10, "gradient": 10}  # points
BOLD = {"title": "<B>{}</B>", "type": "{}", "gradient": "<B>{}</B>"}
ENDS = ("output", "value", "parameter")  # boxes that themselves say what flows into them
LOOKS = {
    "op": dict(shape="box", style="rounded,filled", fillcolor="#dbe8fb", color="#4a7fd0"),
    "parameter": dict(shape="box", style="filled", fillcolor="#dcf2e0", color="#3f9a57"),
    "data": dict(shape="note", style="filled", fillcolor="#fbeccd", color="#c08a1e"),
    "output": dict(shape="box", style="filled", fillcolor="#fbdbe0", color="#cf3f57", peripheries="2"),
    "module": dict(shape="box", style="rounded,filled,bold", fillcolor="#e8e2fa", color="#7458c4"),
    "rule": dict(shape="box", style="rounded,filled", fillcolor="#f7e1ec", color="#b0417a"),
    "value": dict(shape="box", style="filled", fillcolor=PLATE, color=LINE),
}
# How a gradient fares against the one at the start: blue as it fades, red as it grows.
HEALTH = {"vanished": "#a8c9ff", "faint": "#d3e4ff", "strong": "#ffd9cc", "exploded": "#ffb3a1"}
COLD, WARM = (0x2B, 0x6C, 0xC4), (0xC9, 0x3A, 0x2B)  # of a heat map at -1 and at 1; 0 is white


def dot(diagram: Diagram, direction: str) -> str:
    """The DOT source; `direction` is "LR" or "TB"."""
    into = diagram.into()
    graph = Digraph(escape(f"graph of {diagram.title}"))
    graph.attr("graph", rankdir=direction, ranksep="0.35", nodesep="0.25", pad="0.15")
    graph.attr("node", fontname=FONT, margin="0.14,0.07", height="0.3")
    graph.attr("edge", fontname=FONT, color=LINE, arrowsize="0.7")
    rooms, clusters = [graph], 0
    for event, item in diagram.nested():
        if event == "box":
            _box(rooms[-1], item, len(into[item.id]), diagram.reference)
        elif event == "open":
            cluster = Digraph(f"cluster_{clusters}")
            clusters += 1
            cluster.attr(label=escape(str(item[-1])), style="rounded", color=LINE, fontcolor=LINE)
            cluster.attr(fontname=FONT, fontsize="11", labeljust="l")
            rooms.append(cluster)
        else:
            cluster = rooms.pop()
            rooms[-1].subgraph(cluster)
    told_of = set()
    for edge in diagram.edges:
        tail, head = diagram.boxes[edge.tail], diagram.boxes[edge.head]
        value = diagram.flowing(edge)
        about = f"{value.name or tail.title}: {value.type}"
        attributes = {"tooltip": escape(f"{about} as {edge.slot}" if edge.slot else about)}
        if tail.worked:
            attributes["weight"] = "4"
            told = replace(edge, slot="")  # h * h says it once
            if head.kind not in ENDS and told not in told_of:
                told_of.add(told)
                number = edge.output if len(tail.values) > 1 and tail.kind == "op" else None
                attributes["label"] = _plate(value, number, _tint(tail, value, diagram.reference) or PLATE)
        graph.edge(edge.tail, edge.head, **attributes)
    return graph.source


def _box(graph, box: Box, arguments: int, reference: float) -> None:
    value = next(iter(box.values.values()), None)
    if box.worked:
        lines = [("title", box.heading), *(("type", note) for note in box.about(arguments))]
        label = _text(lines)
    else:
        lines = box.values[0].lines(box.heading)
        label = _with_heat(lines, box.values[0])
    about = escape(f"{box.heading}: {box.help or (box.line if box.worked else box.values[0].type)}")
    attributes = {**LOOKS[box.kind], "class": box.kind, "tooltip": about}
    if tint := _tint(box, value, reference):
        attributes["fillcolor"] = tint
    if box.again:
        attributes["style"] += ",dashed"
    if box.kind == "op" and len(box.title) == 1 and len(lines) == 1:
        attributes.update(shape="circle", style="filled", margin="0.02")
    else:
        attributes["width"] = f"{max(map(_width, lines)) + 0.28:.2f}"
    graph.node(box.id, f"<{label}>", **attributes)


def _tint(box: Box, value: Value | None, reference: float) -> str | None:
    return HEALTH.get(value.health(reference)) if value and "norms" in box.shown else None


def _plate(value: Value, output: int | None, ground: str) -> str:
    lines = value.lines(value.name)
    if output is not None:
        lines.insert(0, ("type", f"output {output}"))
    return (
        f'<<TABLE BORDER="0" CELLSPACING="2" CELLPADDING="2"><TR><TD BGCOLOR="{ground}" STYLE="rounded" '
        f'WIDTH="{72 * max(map(_width, lines)) + 4:.0f}">{_with_heat(lines, value)}</TD></TR></TABLE>>'
    )


def _with_heat(lines, value: Value) -> str:
    """The lines, with the heat maps of the numbers and of their gradient below what is said of each."""
    if not (value.heat or value.gradient_heat):
        return _text(lines)
    of_gradient = [line for line in lines if line[0] == "gradient"]
    of_value = [line for line in lines if line[0] != "gradient"]
    parts: list = [_text(of_value), value.heat and _cells(value.heat)]
    parts += [of_gradient and _text(of_gradient), value.gradient_heat and _cells(value.gradient_heat)]
    rows = "".join(f"<TR><TD>{part}</TD></TR>" for part in parts if part)
    return f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{rows}</TABLE>'


def _cells(rows) -> str:
    """A heat map: one small cell for each number, blue below zero, red above."""
    size = 10 if max(len(rows), len(rows[0])) <= 8 else 6
    cells = "".join(
        "<TR>"
        + "".join(
            f'<TD WIDTH="{size}" HEIGHT="{size}" FIXEDSIZE="TRUE" BGCOLOR="{_heat_colour(x)}"></TD>'
            for x in row
        )
        + "</TR>"
        for row in rows
    )
    extent = f'FIXEDSIZE="TRUE" WIDTH="{size * len(rows[0]) + 2}" HEIGHT="{size * len(rows) + 2}"'
    about = f'BORDER="1" COLOR="{LINE}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'
    return f"<TABLE {about} {extent}>{cells}</TABLE>"


def _heat_colour(x: float) -> str:
    end = WARM if x > 0 else COLD
    return "#" + "".join(f"{round(255 + (c - 255) * min(abs(x), 1.0)):02x}" for c in end)


def _text(lines) -> str:
    return "<BR/>".join(
        f'<FONT POINT-SIZE="{SIZE[role]}" COLOR="{INK[role]}">{BOLD[role].format(html.escape(text))}</FONT>'
        for role, text in lines
    )


def _width(line) -> float:
    """Inches that a line takes in a wide sans serif font."""
    role, text = line
    return len(text) * SIZE[role] * (0.53 if role == "type" else 0.66) / 72

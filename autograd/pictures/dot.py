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
LOOKS = {
    "op": dict(shape="box", style="rounded,filled", fillcolor="#dbe8fb", color="#4a7fd0"),
    "parameter": dict(shape="box", style="filled", fillcolor="#dcf2e0", color="#3f9a57"),
    "data": dict(shape="note", style="filled", fillcolor="#fbeccd", color="#c08a1e"),
    "output": dict(shape="box", style="filled", fillcolor="#fbdbe0", color="#cf3f57", peripheries="2"),
}


def dot(diagram: Diagram, direction: str) -> str:
    """The DOT source; `direction` is "LR" or "TB"."""
    into = diagram.into()
    graph = Digraph(escape(f"graph of {diagram.title}"))
    graph.attr("graph", rankdir=direction, ranksep="0.35", nodesep="0.25", pad="0.15")
    graph.attr("node", fontname=FONT, margin="0.14,0.07", height="0.3")
    graph.attr("edge", fontname=FONT, color=LINE, arrowsize="0.7")
    rooms = [graph]
    for event, item in diagram.nested():
        if event == "box":
            _box(rooms[-1], item, len(into[item.id]))
        elif event == "open":
            cluster = Digraph(escape(f"cluster_{'/'.join(item)}"))
            cluster.attr(label=escape(item[-1]), style="rounded", color=LINE, fontcolor=LINE, fontname=FONT)
            rooms.append(cluster)
        else:
            cluster = rooms.pop()
            rooms[-1].subgraph(cluster)
    told_of = set()
    for edge in diagram.edges:
        tail, head = diagram.boxes[edge.tail], diagram.boxes[edge.head]
        value = diagram.flowing(edge)
        told = f"{value.name or tail.title}: {value.type}"
        attributes = {"tooltip": escape(f"{told} as {edge.slot}" if edge.slot else told)}
        if tail.kind == "op":
            attributes["weight"] = "4"
            if head.kind != "output" and replace(edge, slot="") not in told_of:  # h * h says it once
                told_of.add(replace(edge, slot=""))
                attributes["label"] = _plate(value, edge.output if len(tail.values) > 1 else None)
        graph.edge(edge.tail, edge.head, **attributes)
    return graph.source


def notes(box: Box, arguments: int) -> list[str]:
    """The small lines under an op's name: "(3, ·)" where an operand is a plain number, then its options."""
    return ([f"({', '.join(box.operands(['·'] * arguments))})"] if box.fixed else []) + box.notes


def _box(graph, box: Box, arguments: int) -> None:
    if box.kind == "op":
        lines = [("title", box.title), *(("type", note) for note in notes(box, arguments))]
    else:
        lines = box.values[0].lines(box.title)
    width = max(map(_width, lines)) + 0.28
    about = escape(f"{box.title}: {box.help or box.values[0].type}")
    attributes = {**LOOKS[box.kind], "class": box.kind, "width": f"{width:.2f}", "tooltip": about}
    if box.again:
        attributes["style"] += ",dashed"
    graph.node(box.id, f"<{_text(lines)}>", **attributes)


def _plate(value: Value, output: int | None) -> str:
    lines = value.lines(value.name)
    if output is not None:
        lines.insert(0, ("type", f"output {output}"))
    return (
        f'<<TABLE BORDER="0" CELLSPACING="2" CELLPADDING="2"><TR><TD BGCOLOR="{PLATE}" STYLE="rounded" '
        f'WIDTH="{72 * max(map(_width, lines)) + 4:.0f}">{_text(lines)}</TD></TR></TABLE>>'
    )


def _text(lines) -> str:
    return "<BR/>".join(
        f'<FONT POINT-SIZE="{SIZE[role]}" COLOR="{INK[role]}">{BOLD[role].format(html.escape(text))}</FONT>'
        for role, text in lines
    )


def _width(line) -> float:
    """Inches that a line takes in a wide sans serif font."""
    role, text = line
    return len(text) * SIZE[role] * (0.53 if role == "type" else 0.66) / 72

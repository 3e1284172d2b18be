"""A Diagram as Mermaid, which GitHub and many wikis draw from the text alone."""

from .dot import ENDS, LOOKS
from .model import Box, Diagram, Value

SHAPES = {
    "op": '("{}")', "module": '("{}")', "rule": '("{}")', "parameter": '["{}"]', "value": '["{}"]',
    "data": '[/"{}"/]', "output": '[["{}"]]',
}  # fmt: skip


def mermaid(diagram: Diagram, direction: str) -> str:
    """The Mermaid source; `direction` is "LR" or "TB"."""
    into = diagram.into()
    lines = [f"flowchart {direction}"]
    indent = "    "
    for event, item in diagram.nested():
        if event == "box":
            shape = SHAPES[item.kind].format(_label(item, len(into[item.id])))
            lines.append(f"{indent}{item.id}{shape}:::{item.kind}")
        elif event == "open":
            lines.append(f'{indent}subgraph s{len(lines)}["{_text(str(item[-1]))}"]')
            indent += "    "
        else:
            indent = indent[4:]
            lines.append(f"{indent}end")
    for edge in diagram.edges:
        value = diagram.flowing(edge)
        flows = diagram.boxes[edge.tail].worked and diagram.boxes[edge.head].kind not in ENDS
        label = f'|"{_about(value, value.name)}"|' if flows else ""
        lines.append(f"    {edge.tail} -->{label} {edge.head}")
    for kind, look in LOOKS.items():
        if not diagram.count(kind):
            continue
        lines.append(f"    classDef {kind} fill:{look['fillcolor']},stroke:{look['color']},color:#1f2933")
    return "\n".join(lines) + "\n"


def _label(box: Box, arguments: int) -> str:
    if box.worked:
        return "<br/>".join(map(_text, [box.heading, *box.about(arguments)]))
    return _about(box.values[0], box.heading)


def _about(value: Value, title: str | None) -> str:
    return "<br/>".join(_text(text) for _, text in value.lines(title))


def _text(text: str) -> str:
    """Mermaid writes special characters as their number between # and ;."""
    return "".join(c if c.isalnum() or c in " .,:_=+-()/%" else f"#{ord(c)};" for c in text)

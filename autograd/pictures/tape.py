"""A Diagram as text: the arrays it starts from, then one line per op in the order of their execution."""

from .model import Diagram, Value


def tape(diagram: Diagram) -> str:
    """The tape. An op's result is called %1, %2, ... unless it has a name."""
    into = diagram.into()
    heads = [(edge, diagram.boxes[edge.head]) for edge in diagram.edges]
    drawn = {(edge.tail, edge.output): head.title for edge, head in heads if head.kind == "output"}
    ops = 0
    called: dict[tuple[str, int], str] = {}
    leaves, lines = [], []
    for box in diagram.boxes.values():
        if box.worked:
            ops += 1
            for k, value in sorted(box.values.items()):
                number = f"%{ops}" if len(box.values) == 1 else f"%{ops}.{k}"
                called[box.id, k] = drawn.get((box.id, k)) or value.name or number
            arguments = box.operands([called[e.tail, e.output] for e in into[box.id]])
            results = ", ".join(called[box.id, k] for k in sorted(box.values))
            value_types = ", ".join(_about(v) for _, v in sorted(box.values.items()))
            arguments += box.notes if box.kind != "module" else []
            beside = box.about(0)[bool(box.fixed) + (len(box.notes) if box.kind != "module" else 0) :]
            told = "  ".join([value_types, *beside])
            lines.append((results, f"= {box.heading}({', '.join(arguments)})", told))
        elif box.kind in ("value", "output", "parameter") and into[box.id]:
            (made,) = into[box.id]
            called[box.id, 0] = called[made.tail, made.output]
        else:
            called[box.id, 0] = box.title
            leaves.append((box.title, box.kind, _about(box.values[0])))
    rows = leaves + lines
    widths = [min(max(len(row[i]) for row in rows), 90) for i in (0, 1)]
    works = any(box.kind in ("module", "rule") for box in diagram.boxes.values())
    head = ", ".join(
        f"{n:,} {word if n == 1 or word == 'data' else word + 's'}"
        for word in ("op", "module", "rule", "parameter", "data")
        if (n := diagram.count(word)) or (word == "op" and not works)
    )
    return "\n".join(
        [
            f"graph of {diagram.title}: {head}",
            *(f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c}" for a, b, c in rows),
        ]
    )


def _about(value: Value) -> str:
    parts = [value.type]
    if value.content:
        parts.append("= " + " ".join(value.content.split()))
    if value.gradient:
        parts.append("grad " + " ".join(value.gradient.split()))
    elif value.norm is not None:
        parts.append(f"|grad| {value.norm:.2g}")
    return "  ".join(parts)

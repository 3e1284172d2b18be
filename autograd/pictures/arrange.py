"""Rewrites of a Diagram before it is laid out."""

from dataclasses import replace

from .model import Diagram, Edge

NEAR = 4  # ranks
SHALLOW = 7  # graphs of up to so many ranks are laid out from left to right,
WIDEST = 190  # unless the longest labels of all ranks have more letters together


def repeat_far_leaves(diagram: Diagram) -> Diagram:
    """A leaf that is used in places far apart, such as the weights of a recurrent layer, is shown again
    (marked so) at each: wires across a whole picture can neither be followed nor laid out in reasonable
    time."""
    ranks, into = diagram.ranks(), diagram.into()
    shown: dict[str, tuple[str, int]] = {}  # leaf -> its latest box, and the rank of that box's first use
    arranged = Diagram(diagram.title)
    for id, box in diagram.boxes.items():
        for edge in into[id]:
            leaf = not into[edge.tail] and diagram.boxes[edge.tail].kind != "op"
            tail = edge.tail
            if leaf:
                tail, rank = shown.get(edge.tail, (edge.tail, ranks[id]))
                if abs(ranks[id] - rank) > NEAR:
                    tail, rank = f"{edge.tail}_{id}", ranks[id]
                    arranged.boxes[tail] = replace(diagram.boxes[edge.tail], id=tail, again=True)
                shown[edge.tail] = tail, rank
            arranged.edges.append(Edge(tail, id, edge.slot, edge.output))
        arranged.boxes[id] = box
    return arranged


def runs_across(diagram: Diagram) -> bool:
    """Whether a diagram, laid out from left to right, is short and narrow enough to be read."""
    ranks, into = diagram.ranks(), diagram.into()
    if max(ranks.values()) > SHALLOW:
        return False
    letters: dict[int, int] = {}
    for id, box in diagram.boxes.items():
        lines = [box.heading, *box.about(len(into[id]))] if box.worked else []
        lines += [text for value in box.values.values() for _, text in value.lines(value.name)]
        letters[ranks[id]] = max(letters.get(ranks[id], 0), *map(len, lines))
    return sum(letters.values()) <= WIDEST

"""Pictures of the graph: structure, not pixels. What is drawn is read back from the DOT and from the SVG."""

from xml.etree import ElementTree

import numpy as np
import pygraphviz

import nn
from autograd import Tensor, draw, gradient, no_grad
from autograd.primitive import primitive, registry
from nn.models import LeNet5

SVG = "{http://www.w3.org/2000/svg}"


def element(label):
    """An HTML-like label (pygraphviz hands it over without its outer < >) as an element."""
    return ElementTree.fromstring(f"<label>{label}</label>")


def lines(label):
    """The lines of text of an HTML-like label."""
    return "".join(element(label.replace("<BR/>", "\n")).itertext()).split("\n") if label else []


def parsed(picture):
    """The boxes as {id: (kind, lines)} and the edges as [(tail, head, lines)], read back from the DOT."""
    graph = pygraphviz.AGraph(string=picture.dot)
    boxes = {n: (n.attr["class"], lines(n.attr["label"])) for n in graph.nodes()}
    return boxes, [(*edge, lines(edge.attr["label"])) for edge in graph.edges()]


def in_svg(source):
    """The boxes of an SVG as {id: (kind, lines)}, and its edges as (tail, head)."""
    boxes, edges = {}, []
    for g in ElementTree.fromstring(source).iter(f"{SVG}g"):
        kinds = g.get("class", "").split()
        if kinds[:1] == ["node"]:
            boxes[g.find(f"{SVG}title").text] = (kinds[1], [t.text for t in g.iter(f"{SVG}text")])
        elif kinds == ["edge"]:
            edges.append(tuple(g.find(f"{SVG}title").text.split("->")))
    return boxes, edges


def lecture():
    """COURSE.md, C1W2-graph-fwd: J = 3(a + bc) with a = 5, b = 3, c = 2."""
    a, b, c = (Tensor(x, requires_grad=True, name=n) for n, x in (("a", 5.0), ("b", 3.0), ("c", 2.0)))
    u = b * c
    v = a + u
    J = 3 * v
    return a, b, c, u, v, J


def lenet_step():
    model = LeNet5()
    images, labels = np.zeros((2, 28, 28, 1), np.float32), np.zeros(2, int)
    loss = nn.CrossEntropyLoss()(model(Tensor(images)), labels)
    return model, loss


def test_the_lectures_graph_with_values_and_gradients():
    a, b, c, u, v, J = lecture()
    J.backward(retain_graph=True)
    boxes, edges = parsed(draw(J, values=True, names={"J": J}))
    assert [text for kind, text in boxes.values() if kind == "op"] == [
        ["multiply"],
        ["add"],
        ["multiply", "(3, ·)"],
    ]
    # COURSE.md, C1W2-graph-bwd: dJ/da = 3, dJ/db = 6, dJ/dc = 9
    leaves = sorted(text for kind, text in boxes.values() if kind == "parameter")
    assert leaves == [["a = 5", "grad 3"], ["b = 3", "grad 6"], ["c = 2", "grad 9"]]
    assert [text for kind, text in boxes.values() if kind == "output"] == [["J = 33"]]
    assert len(edges) == 6


def test_intermediate_values_are_known_by_name():
    a, b, c, u, v, J = lecture()
    for t in (u, v):
        t.retain_grad()
    J.backward()
    _, edges = parsed(draw(J, values=True, names={"u": u, "v": v}))
    # COURSE.md, C1W2-graph-bwd: u = 6 and v = 11, dJ/du = dJ/dv = 3
    assert [text for _, _, text in edges if text] == [["u = 6", "grad 3"], ["v = 11", "grad 3"]]


def test_intermediate_values_are_known_after_retain_grad():
    a, b, c, u, v, J = lecture()
    for t in (u, v, J):
        t.retain_grad()
    J.backward()
    boxes, edges = parsed(draw(J, values=True))
    assert [text for _, _, text in edges if text] == [["6", "grad 3"], ["11", "grad 3"]]
    assert ("output", ["loss = 33", "grad 1"]) in boxes.values()


def test_small_arrays_are_written_out_and_large_ones_are_not():
    W = Tensor([[0.5, -1.0], [2.0, 0.0]], requires_grad=True, name="W")
    boxes, _ = parsed(draw(np.sum(W * W), values=True))
    assert ("parameter", ["W =", "[0.5, -1]", "[2, 0]", "(2, 2)"]) in boxes.values()
    W = Tensor(np.ones((5, 5)), requires_grad=True, name="W")
    boxes, _ = parsed(draw(np.sum(W), values=True))
    assert ("parameter", ["W", "(5, 5) float64"]) in boxes.values()


def test_a_step_of_lenet():
    model, loss = lenet_step()
    picture = draw(loss, names=model.named_parameters())
    boxes, edges = parsed(picture)
    ops = [text[0] for kind, text in boxes.values() if kind == "op"]
    # COURSE.md, C4W2-lenet5: two convolutions with pooling, three fully connected layers
    layers = [
        op for op in ops if op in ("conv2d", "max_pool2d", "avg_pool2d", "linear", "softmax_cross_entropy")
    ]
    assert [op.replace("avg", "max") for op in layers] == [
        "conv2d", "max_pool2d", "conv2d", "max_pool2d", "linear", "linear", "linear", "softmax_cross_entropy"
    ]  # fmt: skip
    shapes = [text[0] for _, _, text in edges if text]
    for shape in (
        (2, 28, 28, 6),
        (2, 14, 14, 6),
        (2, 10, 10, 16),
        (2, 5, 5, 16),
        (2, 400),
        (2, 120),
        (2, 84),
        (2, 10),
    ):
        assert str(shape) in shapes
    parameters = {tuple(text) for kind, text in boxes.values() if kind == "parameter"}
    assert parameters == {(name, str(p.shape)) for name, p in model.named_parameters()}
    data = [text for kind, text in boxes.values() if kind == "data"]
    assert data == [["x", "(2, 28, 28, 1)"], ["labels", "(2,) int64"]]
    assert [(kind, text) for kind, text in boxes.values()][-1] == ("output", ["loss", "()"])
    assert picture.direction == "TB"

    drawn, wires = in_svg(picture.render("svg"))
    assert drawn == boxes
    assert sorted(wires) == sorted((tail, head) for tail, head, _ in edges)


def test_every_edge_joins_argument_and_op():
    model, loss = lenet_step()
    diagram = draw(loss, names=model.named_parameters()).diagram
    for edge in diagram.edges:
        tail, head = diagram.boxes[edge.tail], diagram.boxes[edge.head]
        if tail.title.endswith(("weight", "bias")):
            assert edge.slot.lower() == {"weight": "w", "bias": "b"}[tail.title.split(".")[-1]]
            assert head.title in ("conv2d", "linear")
    order = list(diagram.boxes)
    assert all(order.index(e.tail) < order.index(e.head) for e in diagram.edges)


def test_arrays_without_gradient_can_be_left_out_and_named():
    model = nn.Linear(4, 3)
    x, labels = Tensor(np.zeros((2, 4), np.float32)), np.zeros(2, int)
    loss = nn.CrossEntropyLoss()(model(x), labels)
    assert draw(loss, constants=False).diagram.count("data") == 0
    named = draw(loss, names={"images": x, "digits": labels}).diagram
    assert [box.title for box in named.boxes.values() if box.kind == "data"] == ["images", "digits"]


def test_operands_that_are_numbers_stand_where_they_were_given():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    assert "multiply(2, x)" in str(draw(2.0 * x)) and "multiply(x, 2)" in str(draw(x * 2.0))
    assert parsed(draw(2.0 * x))[0]["n1"] == ("op", ["multiply", "(2, ·)"])
    # no rule of subtract keeps its arguments, so the picture can only say that there was one
    assert "subtract(constant, x)" in str(draw(np.sum(1.0 - x)))


def test_options_are_shown_unless_they_are_the_default():
    x = Tensor(np.ones((3, 4)), requires_grad=True, name="x")
    assert "sum(x, axis=1)" in str(draw(np.sum(x, axis=1)))
    assert "= sum(x) " in str(draw(np.sum(x)))
    g = gradient(np.sum(x[0, 1:3] ** 2), x, create_graph=True)
    assert "key=(0, 1:3)" in str(draw(g))


def test_a_value_used_twice_has_two_edges_and_one_label():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    h = np.tanh(x)
    _, edges = parsed(draw(np.sum(h * h)))
    assert [text for tail, head, text in edges if (tail, head) == ("n1", "n2")].count(["(2,)"]) == 1
    assert len([1 for tail, head, _ in edges if (tail, head) == ("n1", "n2")]) == 2


def test_tensors_without_history():
    for t in (Tensor([1.0, 2.0], name="t"), Tensor([1.0, 2.0], requires_grad=True, name="t")):
        picture = draw(t)
        assert parsed(picture) == ({"n0": ("output", ["t", "(2,)"])}, [])
        assert in_svg(picture.render("svg"))[0] == {"n0": ("output", ["t", "(2,)"])}
        assert "0 ops" in str(picture)
    with no_grad():
        quiet = np.sum(Tensor([1.0, 2.0], requires_grad=True) * 3.0)
    assert "t" in str(draw(Tensor([1.0]) + 1.0)) and draw(quiet).diagram.count("op") == 0


def test_several_outputs_share_their_graph():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    h = np.tanh(x)
    picture = draw([np.sum(h), h])
    boxes, _ = parsed(picture)
    assert [text[0] for kind, text in boxes.values() if kind == "output"] == ["loss", "output"]
    assert picture.diagram.count("op") == 2


def test_an_op_of_several_outputs_is_one_box():
    @primitive(outputs=2)
    def halves(a):
        return np.split(a, 2)

    @halves.vjp("a")
    def _(g):
        return np.concatenate([np.zeros(1) if part is None else part for part in g])

    try:
        left, right = halves(Tensor([1.0, 2.0], requires_grad=True, name="x"))
        picture = draw(np.sum(left * right))
        boxes, edges = parsed(picture)
    finally:
        del registry["halves"]
    assert [text[0] for kind, text in boxes.values() if kind == "op"] == ["halves", "multiply", "sum"]
    assert [text for *_, text in edges if len(text) == 2] == [["output 0", "(1,)"], ["output 1", "(1,)"]]
    assert "%1.0, %1.1  = halves(x)" in str(picture)


def test_a_sequence_of_arrays():
    x = Tensor(np.ones((1, 2)), requires_grad=True, name="x")
    picture = draw(np.concatenate([x, np.tanh(x)], axis=1))
    assert "concatenate(x, %1, axis=1)" in str(picture)
    slots = [e.slot for e in picture.diagram.edges if picture.diagram.boxes[e.head].title == "concatenate"]
    assert slots == ["arrays[0]", "arrays[1]"]


def test_the_graph_of_a_gradient():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    g = gradient(np.sum(np.tanh(x)), x, create_graph=True)
    assert draw(g).diagram.count("op") > 2


def test_drawing_after_backward_freed_the_graph():
    model, loss = lenet_step()
    loss.backward()
    boxes, _ = parsed(draw(loss, names=model.named_parameters()))
    assert sum(kind == "parameter" for kind, _ in boxes.values()) == 10


def test_names_that_need_escaping_survive_every_format(tmp_path):
    name = 'a<b>&"c"\\n {|} é#;'
    picture = draw(np.sum(Tensor([1.0], requires_grad=True, name=name) * 2.0), names={})
    boxes, _ = parsed(picture)
    assert boxes["n0"] == ("parameter", [name, "(1,)"])
    drawn, _ = in_svg(picture.render("svg"))
    assert drawn["n0"] == ("parameter", [name, "(1,)"])
    assert name in str(picture)
    label = picture.mermaid.split('n0["')[1].split('"]')[0]
    assert not set(label.replace("<br/>", "")) & set('<>"\\{|}')


def test_the_same_graph_gives_the_same_source():
    sources = [draw(lenet_step()[1]) for _ in range(2)]
    assert sources[0].dot == sources[1].dot and sources[0].mermaid == sources[1].mermaid
    assert sources[0].render("svg") == sources[1].render("svg")

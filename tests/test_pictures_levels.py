"""Pictures at every level of detail: what is one box, what is folded, and that nothing is lost on the way."""

import time
from xml.etree import ElementTree

import numpy as np
import pygraphviz
import pytest

import autograd
import nn
from autograd import Tensor, draw
from autograd.ops.activation import relu
from nn.models import catalog
from nn.summary import summary
from tests.test_pictures import SVG, in_svg, lines, parsed


def f32(*shape):
    return np.zeros(shape, np.float32)


def titles(diagram, *kinds):
    return [box.heading for box in diagram.boxes.values() if box.kind in kinds]


class Shared(nn.Module):
    """One layer, called three times."""

    def __init__(self):
        super().__init__()
        self.cell = nn.Linear(4, 4)

    def forward(self, x, other):
        return self.cell(np.tanh(self.cell(x))) + self.cell(other)


# ---- levels


def test_scalars_in_micrograds_way():
    """The neuron of micrograd's README: o = tanh(x1 w1 + x2 w2 + b) = 0.7071, with its gradients."""

    def neuron(x1, x2, w1, w2, b):
        return np.tanh(x1 * w1 + x2 * w2 + b)

    picture = draw(neuron, 2.0, 0.0, -3.0, 1.0, 6.8813735870195432, level="scalar", show="values gradients")
    boxes, edges = parsed(picture)
    leaves = {text[0]: text[1] for kind, text in boxes.values() if kind == "data"}
    assert leaves == {
        "x1 = 2": "grad -1.5",
        "w1 = -3": "grad 1",
        "x2 = 0": "grad 0.5",
        "w2 = 1": "grad 0",
        "b = 6.881": "grad 0.5",
    }
    assert [text for kind, text in boxes.values() if kind == "output"] == [["loss = 0.7071", "grad 1"]]
    assert [text[0] for kind, text in boxes.values() if kind == "op"] == ["×", "×", "+", "+", "tanh"]
    kinds = {id: kind for id, (kind, _) in boxes.items()}
    assert all((kinds[tail] == "op") != (kinds[head] == "op") for tail, head, _ in edges)  # they alternate


@pytest.mark.parametrize("name", ["lenet", "resnet20", "nin_cifar10"])
def test_layers_are_the_rows_of_the_summary(name):
    entry = catalog.find(name)
    model, inputs = entry.build().eval(), entry.inputs()
    table = summary(model, *inputs)
    diagram = draw(model, *inputs, level="layer", fold=False).diagram
    drawn = {box.call.path: box for box in diagram.boxes.values() if box.call}
    rows = {row.name: row for row in table.rows if row.kind != "Dropout"}  # which does nothing at test time
    for path, box in drawn.items():
        assert (box.call.kind, box.call.shape, box.call.parameters, box.kept) == (
            rows[path].kind,
            rows[path].shape,
            rows[path].parameters,
            rows[path].memory,
        )
    left = {path: row for path, row in rows.items() if path not in drawn}
    assert not any(row.parameters for row in left.values())
    assert diagram.parameters == table.parameters == entry.parameters


@pytest.mark.parametrize("level", ["op", "layer", "block", "architecture"])
@pytest.mark.parametrize("fold", [True, False])
def test_every_level_holds_every_parameter(level, fold):
    model = nn.Transformer(16, 2, 3, 3, 32).eval()
    diagram = draw(model, f32(1, 5, 16), f32(1, 4, 16), level=level, fold=fold).diagram
    assert diagram.parameters == sum(p.size for p in model.parameters())
    order = list(diagram.boxes)
    assert all(order.index(e.tail) < order.index(e.head) for e in diagram.edges)


def test_a_transformer_folds_its_layers():
    model = nn.Transformer(16, 2, 6, 6, 32).eval()
    picture = draw(model, f32(1, 5, 16), f32(1, 4, 16), level="block")
    assert titles(picture.diagram, "module") == [
        "TransformerEncoderLayer × 6", "LayerNorm", "TransformerDecoderLayer × 6", "LayerNorm",
    ]  # fmt: skip
    graph = pygraphviz.AGraph(string=picture.dot)
    assert [c.graph_attr["label"] for c in graph.subgraphs()] == [
        "encoder: TransformerEncoder",
        "decoder: TransformerDecoder",
    ]
    # memory goes to every decoder layer: one edge to the folded box
    boxes = picture.diagram.boxes
    (memory,) = [
        e.head
        for e in picture.diagram.edges
        if boxes[e.tail].scope != boxes[e.head].scope and boxes[e.tail].call and boxes[e.head].call
    ]
    assert boxes[memory].heading == "TransformerDecoderLayer × 6"
    inside = draw(model, f32(1, 5, 16), f32(1, 4, 16), level="layer")
    graph = pygraphviz.AGraph(string=inside.dot)  # kept: its parts do not keep it
    encoder = graph.subgraphs()[0]
    labels = {cluster.graph_attr["label"] for cluster in encoder.subgraphs()}
    assert labels == {"layers.0 … 5: TransformerEncoderLayer × 6"}
    unfolded = draw(model, f32(1, 5, 16), f32(1, 4, 16), level="block", fold=False)
    assert titles(unfolded.diagram, "module").count("TransformerEncoderLayer") == 6


def test_what_differs_is_not_folded():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 4))
    assert titles(draw(model, f32(2, 4), level="layer").diagram, "module") == [
        "Linear × 2",
        "Linear",
        "Linear",
    ]
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)))
    values = draw(model, np.ones((1, 4), np.float32), level="layer", values=True)
    assert titles(values.diagram, "module") == ["Linear"] * 3  # each has numbers of its own


def test_a_module_that_is_called_again_is_another_box_not_a_loop():
    diagram = draw(Shared(), f32(2, 4), f32(2, 4), level="layer").diagram
    assert titles(diagram, "module") == [f"Linear, call {k} of 3" for k in (1, 2, 3)]
    assert diagram.parameters == 4 * 4 + 4
    assert not any(edge.tail == edge.head for edge in diagram.edges)
    (weight,) = [
        box for box in draw(Shared(), f32(2, 4), f32(2, 4)).diagram.boxes.values() if "weight" in box.title
    ]
    assert weight.kind == "parameter"


def test_calls_in_a_row_are_told_in_one_box():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.step = nn.Linear(4, 4)

        def forward(self, x):
            for _ in range(7):
                x = self.step(x)
            return x

    diagram = draw(Loop(), f32(2, 4), level="layer").diagram
    assert titles(diagram, "module") == ["Linear, called 7 times"]
    assert diagram.parameters == 20


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet152", "googlenet", "transformer"])
def test_big_graphs_stay_readable(name, tmp_path):
    if name == "transformer":
        model, inputs = nn.Transformer(), (f32(1, 10, 512), f32(1, 7, 512))
    else:
        entry = catalog.find(name)
        model, inputs = entry.build(), entry.inputs()
    model.eval()
    model(*map(Tensor, inputs))  # compiles
    begin = time.perf_counter()
    picture = draw(model, *inputs, level="block")
    file = picture.save(tmp_path / "graph.svg")
    assert time.perf_counter() - begin < 3
    boxes, _ = in_svg(file.read_bytes())
    assert len(boxes) <= 60
    # 1600 pixels wide, the smallest letters are still 9 pixels high
    root = ElementTree.fromstring(file.read_bytes())
    width = float(root.get("width").removesuffix("pt"))
    smallest = min(float(text.get("font-size")) for text in root.iter(f"{SVG}text"))
    assert smallest * min(1600 / width, 96 / 72) >= 9


def test_labels_stay_within_their_boxes():
    """Each text of the SVG, in a wide font, is inside its node's outline."""
    model = nn.Transformer(16, 2, 3, 3, 32).eval()
    picture = draw(model, f32(1, 5, 16), f32(1, 4, 16), level="layer", show="memory order")
    for g in ElementTree.fromstring(picture.render("svg")).iter(f"{SVG}g"):
        if g.get("class", "").startswith("node"):
            outline = next(shape for shape in g.iter() if shape.tag in (f"{SVG}path", f"{SVG}polygon"))
            points = (outline.get("d") or outline.get("points")).replace("M", " ").replace("C", " ")
            xs = [float(point.split(",")[0]) for point in points.split()]
            for text in g.iter(f"{SVG}text"):
                wide = 0.62 if text.get("font-weight") == "bold" else 0.53
                length = wide * len(text.text) * float(text.get("font-size"))
                left = float(text.get("x")) - (length / 2 if text.get("text-anchor") == "middle" else 0)
                assert min(xs) <= left and left + length <= max(xs), text.text


# ---- what is told beside


def test_the_lectures_numbers_on_every_box():
    """COURSE.md C1W2-graph-fwd and -bwd: J = 33, v = 11, u = 6; dv = du = da = 3, db = 6, dc = 9."""
    picture = draw(lambda a, b, c: 3 * (a + b * c), 5.0, 3.0, 2.0, show="values gradients order")
    boxes, edges = parsed(picture)
    assert sorted(text for kind, text in boxes.values() if kind == "data") == [
        ["a = 5", "grad 3"],
        ["b = 3", "grad 6"],
        ["c = 2", "grad 9"],
    ]
    assert [text for _, _, text in edges if text] == [["6", "grad 3"], ["11", "grad 3"]]
    assert ("output", ["loss = 33", "grad 1"]) in boxes.values()
    ops = [text[0] for kind, text in boxes.values() if kind == "op"]
    assert ops == ["1. multiply", "2. add", "3. multiply"]


def test_the_backward_graph_has_the_local_derivatives():
    a, b, c = (Tensor(x, requires_grad=True, name=n) for n, x in (("a", 5.0), ("b", 3.0), ("c", 2.0)))
    J = 3 * (a + b * c)
    picture = draw(J, names={"J": J}, backward=True)
    boxes, edges = parsed(picture)
    rules = [text for kind, text in boxes.values() if kind == "rule"]
    assert rules == [
        ["multiply", "db = g · a", "∂y/∂b = 3"],
        ["add", "da = g", "db = g", "∂y/∂a = 1", "∂y/∂b = 1"],
        ["multiply", "da = g · b", "db = g · a", "∂y/∂a = 2", "∂y/∂b = 3"],
    ]
    ends = {text[0] for kind, text in boxes.values() if kind == "parameter"}
    assert ends == {"dJ/da = 3", "dJ/db = 6", "dJ/dc = 9"}
    assert ("data", ["dJ/dJ = 1"]) in boxes.values()
    assert a.grad is None
    J.backward()  # the picture freed nothing


def test_the_backward_graph_sums_what_several_ops_used():
    x = Tensor([0.5], requires_grad=True, name="x")
    h = np.tanh(x)
    diagram = draw(np.sum(h * np.exp(h)), backward=True).diagram
    (added,) = [box for box in diagram.boxes.values() if box.title == "sum" and "ways" in box.notes[0]]
    assert added.notes == ["of 2 ways back"]
    assert sum(edge.head == added.id for edge in diagram.edges) == 2
    t = np.tanh(0.5)
    found = next(box for box in diagram.boxes.values() if box.kind == "parameter").values[0].content
    assert float(found.strip("[]")) == pytest.approx((np.exp(t) + t * np.exp(t)) * (1 - t * t), rel=1e-3)


def test_gradients_are_told_without_touching_grad_or_hooks():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    h = np.tanh(x)
    h.retain_grad()
    called = []
    x.register_hook(called.append)
    boxes, _ = parsed(draw(np.sum(h), show="values gradients"))
    slope = 1 - np.tanh([1.0, 2.0]) ** 2
    assert (
        "parameter",
        ["x = [1, 2]", f"grad [{slope[0]:.4g}, {slope[1]:.4g}]", "(2,)"],
    ) not in boxes.values()
    (leaf,) = [text for kind, text in boxes.values() if kind == "parameter"]
    assert f"grad [{slope[0]:.4g}, {slope[1]:.4g}]" in leaf
    assert not called and x.grad is None and h.grad is None


def test_vanishing_and_exploding_gradients_are_coloured():
    layers = [layer for _ in range(8) for layer in (nn.Linear(16, 16), nn.Sigmoid())]
    diagram = draw(nn.Sequential(*layers), np.ones((4, 16), np.float32), show="norms", level="layer").diagram
    # each sigmoid's slope is at most 1/4: COURSE.md, C1W3-dacts
    values = [box.values[0] for box in diagram.boxes.values() if box.kind == "module"]
    health = [value.health(diagram.reference) for value in values]
    assert health[0] == "vanished" and health[-1] == "" and "faint" in health
    x = Tensor([1.0], requires_grad=True, name="x")
    graph = pygraphviz.AGraph(string=draw(np.exp(20.0 * x), show="norms").dot)
    assert graph.get_node("n0").attr["fillcolor"] == "#ffb3a1"


def test_heat_maps_of_small_arrays():
    W = Tensor([[0.5, -1.0], [0.0, 1.0]], requires_grad=True, name="W")
    graph = pygraphviz.AGraph(string=draw(np.sum(W), show="heat").dot)
    cells = ElementTree.fromstring(f"<a>{graph.get_node('n0').attr['label']}</a>").iter("TD")
    colours = [cell.get("BGCOLOR") for cell in cells if cell.get("BGCOLOR")]
    assert colours[1:] == ["#2b6cc4", "#ffffff", "#c93a2b"] and colours[0] == "#e49c95"
    large = Tensor(np.ones((40, 40)), requires_grad=True)
    assert "BGCOLOR" not in draw(np.sum(large), show="heat").dot.split("n0 ")[1].split("\n")[0]


def test_memory_rules_and_options_are_told_where_asked_for():
    x = Tensor(np.ones((3, 4)), requires_grad=True, name="x")
    boxes, _ = parsed(draw(np.sum(np.tanh(x), axis=1), show=["rules", "memory"]))
    ops = [text for kind, text in boxes.values() if kind == "op"]
    assert ops == [["tanh", "dx = g (1 − y²)", "keeps 96 B"], ["sum", "axis=1", "da = g to each term"]]


def test_every_op_has_a_rule_to_tell():
    from autograd.pictures.rules import TEXTBOOK, textbook
    from autograd.primitive import Plan, registry

    assert set(TEXTBOOK) <= set(registry)
    for name, op in registry.items():
        many = 1 if op.variadic is not None else sum(1 << place for place in op.differentiable)
        assert "see its source" not in textbook(Plan(op, many)).values(), name
    for name, rules in TEXTBOOK.items():
        served = {argument for arguments, _, _ in registry[name].rules for argument in arguments}
        if name not in ("rnn", "gru", "lstm"):
            assert set(rules) <= served, name


def test_a_drawn_model_is_left_as_it_was():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    before = {name: t.numpy().copy() for name, t in model.state_dict().items()}
    draw(model, np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32), show="gradients")
    assert all(np.array_equal(before[name], t.numpy()) for name, t in model.state_dict().items())
    assert all("forward" not in vars(module) for module in model.modules())
    assert model[1].weight.grad is None and autograd.modes.state.watchers == ()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(level="blocks"), "scalar, op, layer, block, architecture, got 'blocks'"),
        (dict(show="values colour"), "heat.*got 'colour'"),
        (dict(show="time"), r"autograd\.profile\(model\)"),
    ],
)
def test_unknown_options(options, says):
    with pytest.raises(ValueError, match=says):
        draw(Tensor([1.0]), **options)


def test_gradients_of_a_freed_graph_say_what_to_do():
    x = Tensor([1.0], requires_grad=True)
    y = np.exp(x)
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        draw(y, show="gradients")


def test_modules_in_mermaid_and_text():
    model = nn.Transformer(16, 2, 3, 3, 32).eval()
    picture = draw(model, f32(1, 5, 16), f32(1, 4, 16), level="block")
    assert "TransformerEncoderLayer × 3" in str(picture) and "layers.0 … 2" in str(picture)
    assert str(picture).startswith("graph of output: 4 modules, 2 data")
    assert picture.mermaid.count("subgraph") == 2 and ":::module" in picture.mermaid
    assert lines("") == []


# ---- the chain from a loss to a parameter


def test_explain_prints_the_local_derivatives(capsys):
    a, b, c = (Tensor(x, requires_grad=True, name=n) for n, x in (("a", 5.0), ("b", 3.0), ("c", 2.0)))
    assert autograd.explain(3 * (a + b * c), c) is None
    told = [line.split() for line in capsys.readouterr().out.split("\n")]
    assert [row[:4] for row in told[2:5]] == [
        ["multiply", "()", "1", "3"],
        ["add", "()", "3", "1"],
        ["multiply", "()", "3", "3"],
    ]
    assert told[5] == ["c", "()", "9"]  # COURSE.md, C1W2-graph-bwd
    assert a.grad is None


def test_explain_says_where_a_gradient_died(capsys):
    x = Tensor([-1.0, -2.0], requires_grad=True, name="x")
    autograd.explain(np.sum(relu(x * 3.0)), x)
    assert "it died at relu" in capsys.readouterr().out
    deep = nn.Sequential(*(layer for _ in range(10) for layer in (nn.Linear(16, 16), nn.Sigmoid())))
    loss = np.sum(deep(Tensor(np.ones((4, 16), np.float32))))
    autograd.explain(loss, deep[0].bias)
    out = capsys.readouterr().out
    assert "it has vanished, most at" in out and out.count("sigmoid") >= 10
    with pytest.raises(ValueError, match="does not depend"):
        autograd.explain(np.sum(x), Tensor([1.0], requires_grad=True))
    with pytest.raises(TypeError, match="got int"):
        autograd.explain(np.sum(x), 3)


def test_explain_counts_the_paths_of_a_residual_net():
    from autograd.pictures import chain

    x = Tensor([0.3], requires_grad=True, name="x")
    h = x
    for _ in range(5):
        h = h + np.tanh(h)
    steps, norm, paths = chain(np.sum(h), x)
    assert paths == 2**5
    slope, value = 1.0, 0.3
    for _ in range(5):
        slope *= 2 - np.tanh(value) ** 2
        value += np.tanh(value)
    assert norm == pytest.approx(slope, rel=1e-5)

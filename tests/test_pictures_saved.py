"""Pictures saved, read and asked for."""

import subprocess
import sys
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pygraphviz
import pytest
from matplotlib import font_manager
from PIL import ImageFont

import nn
from autograd import Tensor, draw
from autograd.pictures import Picture, trace
from autograd.pictures.dot import INK, LINE, LOOKS, PLATE
from autograd.pictures.model import Box, Diagram, Edge, Value
from autograd.pictures.render import shutil as renderers_shutil
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


# ---- saving


STARTS = {
    "svg": b"<?xml", "png": b"\x89PNG\r\n", "pdf": b"%PDF-", "dot": b"digraph", "mmd": b"flowchart ",
    "html": b"<!DOCTYPE html>",
}  # fmt: skip


@pytest.mark.parametrize("ending", STARTS)
def test_saves_by_ending(tmp_path, ending):
    path = tmp_path / f"graph.{ending.upper() if ending == 'png' else ending}"
    path.write_bytes(b"old")
    assert draw(lecture()[-1]).save(str(path)) == path
    assert path.read_bytes().startswith(STARTS[ending])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_failed_save_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "graph.dot"
    path.write_text("old")

    def full(_):
        raise OSError("disk full")

    monkeypatch.setattr("autograd.pictures.picture.os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        draw(lecture()[-1]).save(path)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["graph.dot"]


def test_saving_says_what_is_wrong(tmp_path):
    picture = draw(lecture()[-1])
    for name in ("graph.gif", "graph"):
        with pytest.raises(ValueError, match=rf"'{name}'.*\.svg, \.png, \.pdf, \.dot, \.mmd, \.html"):
            picture.save(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        picture.save(tmp_path / "nowhere" / "graph.svg")


def test_without_any_graphviz_one_line_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setattr(renderers_shutil, "which", lambda name: None)
    picture = draw(lecture()[-1])
    for ending in ("svg", "png", "pdf"):
        with pytest.raises(ImportError, match=r"pip install 'ngrad\[draw\]'") as error:
            picture.save(tmp_path / f"graph.{ending}")
        assert "\n" not in str(error.value)
    with pytest.warns(UserWarning, match=r"ngrad\[draw\]"):
        assert picture._repr_svg_() is None
    picture.save(tmp_path / "graph.dot")
    picture.save(tmp_path / "graph.mmd")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".dot", ".mmd"]


def test_the_systems_dot_is_used_where_pygraphviz_is_not(monkeypatch):
    calls = []

    def run(command, input, **_):
        calls.append((command, input))
        return SimpleNamespace(returncode=len(calls) - 1, stdout=b"<svg/>", stderr=b"syntax error")

    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.setattr(renderers_shutil, "which", lambda name: f"/opt/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    picture = draw(lecture()[-1])
    assert picture.render("svg") == b"<svg/>"
    assert calls == [(["/opt/bin/dot", "-Tsvg", "-Gbgcolor=transparent"], picture.dot.encode())]
    with pytest.raises(RuntimeError, match="/opt/bin/dot failed: syntax error"):
        picture.render("svg")


def test_jupyter_gets_an_svg_without_ground():
    source = draw(lecture()[-1])._repr_svg_()
    root = ElementTree.fromstring(source.encode())
    assert root.tag == f"{SVG}svg"
    ground = root.find(f"{SVG}g").findall(f"{SVG}polygon")
    assert all(shape.get("fill") in ("none", "transparent") for shape in ground)


# ---- reading it


def luminance(colour):
    """Relative luminance (WCAG 2.1)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_it_reads_on_white_and_on_black():
    for ground in [PLATE, *(look["fillcolor"] for look in LOOKS.values())]:
        assert min(contrast(ink, ground) for ink in INK.values()) >= 4.5  # WCAG 2.1, 1.4.3: text
    for page in ("#ffffff", "#111111"):
        assert contrast(LINE, page) >= 3  # WCAG 2.1, 1.4.11: graphics


def test_labels_fit_their_boxes_in_a_wide_font():
    wide = {
        bold: font_manager.findfont(f"DejaVu Sans:{'bold' if bold else 'regular'}") for bold in (True, False)
    }

    def measured(run):
        font = ImageFont.truetype(wide[run.find("B") is not None], 100)
        return font.getlength("".join(run.itertext())) * int(run.get("POINT-SIZE")) / 100

    model, loss = lenet_step()
    graph = pygraphviz.AGraph(string=draw(loss, names=model.named_parameters()).dot)
    for box in graph.nodes():
        runs = element(box.attr["label"]).iter("FONT")
        assert max(map(measured, runs)) <= 72 * float(box.attr["width"]), box.attr["label"]
    plates = [e.attr["label"] for e in graph.edges() if e.attr["label"]]
    assert plates
    for plate in plates:
        cell = element(plate).find("TABLE/TR/TD")
        assert max(map(measured, cell.iter("FONT"))) <= float(cell.get("WIDTH")), plate


def test_text_has_one_line_per_op():
    a, b, c, u, v, J = lecture()
    assert (
        str(draw(J, names={"u": u, "J": J}))
        == """graph of J: 3 ops, 3 parameters
  b   parameter          ()
  c   parameter          ()
  a   parameter          ()
  u   = multiply(b, c)   ()
  %2  = add(a, u)        ()
  J   = multiply(3, %2)  ()"""
    )


def test_a_recurrent_net_reads_step_by_step():
    W, U = (Tensor(np.eye(2, dtype=np.float32), requires_grad=True, name=n) for n in "WU")
    h = np.zeros((1, 2), np.float32)
    steps = 12
    for _ in range(steps):
        h = np.tanh(np.ones((1, 2), np.float32) @ W + h @ U)
    picture = draw(np.sum(h), direction="TB")
    ops = [box.title for box in picture.diagram.boxes.values() if box.kind == "op"]
    assert [ops[i] for i in range(2, len(ops), 4)] == ["add"] * steps
    # W and U are one box each in the graph, and stand beside the steps that use them in the picture
    assert picture.diagram.count("parameter") == 2
    graph = pygraphviz.AGraph(string=picture.dot)
    shown = [box.attr["style"] for box in graph.nodes() if lines(box.attr["label"])[0] == "W"]
    assert len(shown) > steps // 3 and ["dashed" in style for style in shown].count(False) == 1
    assert len(graph.edges()) == len(picture.diagram.edges)


def test_small_graphs_run_left_to_right_and_deep_ones_down():
    x = Tensor([1.0], requires_grad=True)
    assert draw(x * 2.0).direction == "LR"
    y = x
    for _ in range(20):
        y = np.tanh(y)
    assert draw(y).direction == "TB" and draw(y, direction="LR").direction == "LR"
    assert "rankdir=LR" in draw(y, direction="LR").dot and draw(y).mermaid.startswith("flowchart TB")


def test_ten_thousand_ops(tmp_path):
    x = Tensor([1.0], requires_grad=True, name="x")
    y = x
    for _ in range(5_000):
        y = np.tanh(y) * x  # x has 5,000 users
    picture = draw(y)
    assert picture.diagram.count("op") == 10_000
    assert len(str(picture).split("\n")) > 10_000 and len(repr(picture).split("\n")) < 100
    picture.save(tmp_path / "graph.dot")
    picture.save(tmp_path / "graph.mmd")
    with pytest.raises(ValueError, match="too large to lay out") as error:
        picture.save(tmp_path / "graph.svg")
    assert "\n" not in str(error.value) and not (tmp_path / "graph.svg").exists()
    with pytest.warns(UserWarning, match="too large"):
        assert picture._repr_svg_() is None


def test_clusters_nest_by_scope():
    value = {0: Value((2,), "float32")}
    diagram = Diagram("net")
    for kind, title, scope in (
        ("data", "x", ()),
        ("op", "linear", ("encoder", "layer 1")),
        ("op", "relu", ("encoder",)),
        ("op", "tanh", ("encoder", "layer 1")),
        ("output", "y", ()),
    ):
        diagram.add(Box("", kind, title, values=value, scope=scope))
    diagram.edges = [Edge(f"n{k}", f"n{k + 1}", "x") for k in range(4)]
    picture = Picture(diagram)
    graph = pygraphviz.AGraph(string=picture.dot)
    (encoder,) = graph.subgraphs()
    (layer,) = encoder.subgraphs()
    assert encoder.graph_attr["label"] == "encoder" and sorted(encoder.nodes()) == ["n1", "n2", "n3"]
    assert layer.graph_attr["label"] == "layer 1" and sorted(layer.nodes()) == ["n1", "n3"]
    assert picture.mermaid.count("subgraph") == 2 and picture.mermaid.count("    end") == 2
    assert set(in_svg(picture.render("svg"))[0]) == set(diagram.boxes)


# ---- what is drawn


def test_a_module_and_its_input():
    picture = draw(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), np.zeros((2, 4), np.float32))
    boxes, _ = parsed(picture)
    kinds = {text[0]: kind for kind, text in boxes.values()}
    assert kinds["weight"] == kinds["bias"] == "parameter"  # within their cluster
    graph = pygraphviz.AGraph(string=picture.dot)
    assert [cluster.graph_attr["label"] for cluster in graph.subgraphs()] == ["0: Linear", "1: ReLU"]
    assert ["(2, 4)"] in [text[1:] for kind, text in boxes.values() if kind == "data"]
    assert ("output", ["output", "(2, 3)"]) in boxes.values()


def test_a_function_and_its_arrays():
    def f(left, right):
        return np.tanh(left) * right

    boxes, _ = parsed(draw(f, np.ones((3, 2), np.float32), 2.0))
    assert [text for kind, text in boxes.values() if kind == "data"] == [["left", "(3, 2)"], ["right", "()"]]


def test_trace_prints_the_tape(capsys):
    assert trace(lambda x: np.sum(np.tanh(x), axis=0), np.ones((3, 2), np.float32)) is None
    printed = capsys.readouterr().out.split("\n")
    assert [line.split() for line in printed[1:-1]] == [
        ["x", "data", "(3,", "2)"],
        ["%1", "=", "tanh(x)", "(3,", "2)"],
        ["output", "=", "sum(%1,", "axis=0)", "(2,)"],
    ]


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        ((np.ones(2),), {}, "got ndarray"),
        (([],), {}, "got list"),
        (([Tensor([1.0]), 2.0],), {}, "list with float"),
        ((lambda: None,), {}, "returned NoneType"),
        ((Tensor([1.0]), 3), {}, "inputs go with a function"),
        ((Tensor([1.0]),), {"names": {"x": 3}}, "got int for 'x'"),
    ],
)
def test_what_cannot_be_drawn(arguments, options, says):
    with pytest.raises(TypeError, match=says):
        draw(*arguments, **options)


def test_an_unknown_direction():
    with pytest.raises(ValueError, match='"LR".*"TB".*\'up\''):
        draw(Tensor([1.0]), direction="up")

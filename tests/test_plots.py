"""nn.train.plots: what each plot shows, read back from matplotlib's objects; and what it refuses."""

import numpy as np
import pytest

import nn
from nn.metrics import confusion_matrix
from nn.train import History, plots


def rng():
    return np.random.default_rng(0)


def history():
    rows = [dict(epoch=t, loss=2.0 / t, val_loss=2.5 / t, accuracy=1 - 1 / t, seconds=1.0) for t in (1, 2, 3)]
    return History(rows, monitor="val_loss")


def points(axes):
    return np.concatenate([drawn.get_offsets() for drawn in axes.collections if len(drawn.get_offsets()) > 1])


def test_learning_curves():
    loss, accuracy = plots.learning_curves(history()).axes
    assert [line.get_label() for line in loss.lines] == ["training", "validation", "best val_loss"]
    assert list(loss.lines[1].get_ydata()) == [2.5, 1.25, 2.5 / 3] and loss.get_yscale() == "log"
    assert accuracy.get_title() == "accuracy" and len(accuracy.lines) == 2


def test_confusion_matrix():
    true, predicted = [0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 0, 2]
    axes, _ = plots.confusion_matrix(predicted, true, ["cat", "dog", "bird"]).axes
    counts = confusion_matrix(predicted, true)
    shown = {tuple(map(int, text.get_position()[::-1])): int(text.get_text()) for text in axes.texts}
    assert shown == {(i, j): counts[i, j] for i in range(3) for j in range(3) if counts[i, j]}
    assert axes.get_title() == "66.7% of 6 right"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "bird"]


@pytest.mark.parametrize(
    "classify",
    [
        lambda z: (z[:, 0] > z[:, 1]).astype(int),
        lambda z: np.stack([z[:, 1], z[:, 0]], 1),
        lambda z: (z[:, 0] - z[:, 1])[:, None],
        nn.Linear(2, 2),
    ],
    ids=["classes", "scores", "logit", "module"],
)
def test_decision_boundary(classify):
    X = rng().standard_normal((40, 2))
    labels = (X[:, 0] > X[:, 1]).astype(int)
    (axes,) = plots.decision_boundary(classify, X, labels, ["left", "right"]).axes
    assert sorted(map(tuple, points(axes))) == sorted(map(tuple, X))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["left", "right"]


def test_attention_map():
    weights = rng().random((3, 4, 5))
    figure = plots.attention_map(weights, list("abcd"), list("vwxyz"))
    heads = [axes for axes in figure.axes if axes.images and axes.get_title().startswith("head")]
    assert len(heads) == 3 and np.array_equal(heads[1].images[0].get_array(), weights[1])
    assert [label.get_text() for label in heads[0].get_xticklabels()] == list("vwxyz")
    assert plots.attention_map(weights[0]).axes[0].get_title() == "attention"


@pytest.mark.parametrize("method", ["pca", pytest.param("tsne", marks=pytest.mark.slow)])
def test_embeddings(method):
    vectors = rng().standard_normal((8, 20))
    vectors[4:] += 10
    figure = plots.embeddings(vectors, list("abcdefgh"), ["people"] * 4 + ["fruit"] * 4, method)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == list("abcdefgh")
    fruit, people = (drawn.get_offsets() for drawn in axes.collections)
    apart = np.linalg.norm(fruit.mean(0) - people.mean(0))
    assert (
        apart > 3 * max(np.linalg.norm(group - group.mean(0), axis=1).max() for group in (fruit, people)) / 2
    )


def test_pca_is_the_plane_of_largest_variance():
    vectors = rng().standard_normal((200, 3)) * (5.0, 0.1, 2.0)
    plane = np.asarray(points(plots.embeddings(vectors).axes[0]))
    assert np.sort(plane.std(0)) == pytest.approx(np.sort(vectors.std(0))[1:], rel=0.01)


def test_cost_surface():
    way = np.array([[0.9, 0.9], [0.5, -0.3], [0.1, 0.1]])
    (axes,) = plots.cost_surface(lambda a, b: a**2 + 3 * b**2, {"momentum": way}).axes
    assert np.array_equal(np.transpose(axes.lines[0].get_data()), way)
    assert axes.get_legend().get_texts()[0].get_text() == "momentum"


def test_filters_and_activations():
    colour = rng().standard_normal((3, 3, 3, 5))
    figure = plots.filters(colour)
    assert sum(bool(axes.images) for axes in figure.axes) == 5
    shown = np.asarray(figure.axes[2].images[0].get_array())
    assert shown == pytest.approx(0.5 + 0.5 * colour[..., 2] / np.abs(colour).max())
    figure = plots.filters(nn.Conv2d(1, 6, 5).weight)
    assert len([axes for axes in figure.axes if axes.images]) == 6
    values = rng().random((1, 6, 7, 12))
    figure = plots.activations(values)
    seen = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(seen) == 12 and np.array_equal(seen[3], values[0, ..., 3])


def test_boxes_and_masks():
    image = np.zeros((40, 60, 3), np.uint8)
    masks = np.zeros((2, 40, 60))
    masks[1, 5:9, 5:9] = 1
    corners = [[10, 5, 30, 25], [40, 0, 60, 20]]
    (axes,) = plots.boxes(image, corners, [1, 0], [0.9, 0.25], masks, ["cat", "dog"]).axes
    drawn = [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in axes.patches]
    assert drawn == [(10, 5, 20, 20), (40, 0, 20, 20)]
    assert [text.get_text() for text in axes.texts] == ["dog 0.90", "cat 0.25"]
    assert len(axes.images) == 3 and (axes.images[2].get_array()[..., 3] > 0).sum() == 16
    assert len(plots.boxes(image).axes[0].patches) == 0


def test_top_predictions():
    shares = np.array([0.1, 0.6, 0.05, 0.25])
    left, right = plots.top_predictions(np.zeros((8, 8, 1)), shares, list("abcd"), 3, label=3).axes
    assert [bar.get_width() for bar in right.patches] == [0.6, 0.25, 0.1]
    assert [label.get_text() for label in right.get_yticklabels()] == ["b", "d", "a"]
    assert len({bar.get_facecolor() for bar in right.patches}) == 2 and len(left.images) == 1


@pytest.mark.slow
def test_every_plot_is_written_as_a_file(tmp_path):
    for ending in ("png", "svg", "pdf"):
        plots.learning_curves(history(), tmp_path / f"curves.{ending}")
    plots.boxes(np.zeros((9, 9)), path=tmp_path / "boxes.png")
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for file in tmp_path.iterdir():
        assert file.read_bytes().startswith(starts[file.suffix[1:]])
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: plots.learning_curves(History()), "no epoch was finished"),
        (lambda: plots.decision_boundary(len, np.ones((3, 3)), [0, 1, 0]), r"\(3, 3\)"),
        (lambda: plots.attention_map(np.ones(3)), r"2 or 3 axes, got shape \(3,\)"),
        (lambda: plots.attention_map(np.ones((2, 3)), ["a"]), "1 names for 2 queries"),
        (lambda: plots.embeddings(np.ones((3, 4)), method="umap"), "'umap'"),
        (lambda: plots.embeddings(np.ones((1, 4))), "got 1"),
        (lambda: plots.cost_surface(lambda a, b: a[:3, :3]), r"gave \(3, 3\)"),
        (lambda: plots.filters(np.ones((3, 3))), "weight must have 4 axes"),
        (lambda: plots.activations(np.ones((2, 3, 3, 4))), "batch of 2"),
        (lambda: plots.boxes(np.ones((4, 4, 2))), "1 or 3 channels"),
        (lambda: plots.boxes(np.ones((4, 4)), np.ones((2, 3))), r"\(2, 3\)"),
        (lambda: plots.boxes(np.ones((4, 4)), np.ones((2, 4)), ["a"]), "got 1 labels"),
        (lambda: plots.top_predictions(np.ones((4, 4)), [2.0, 1.0]), "softmax the logits first"),
    ],
)
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_without_matplotlib_one_line_names_the_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'ngrad\[plots\]'"):
        plots.filters(np.ones((3, 3, 1, 2)))

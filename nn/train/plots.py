"""Plots that a course draws, one call each. Every function returns matplotlib's Figure, which a notebook
shows; with `path` it also writes the file (png, svg, pdf by its ending), as a whole or not at all. No window
is ever opened. All raise ImportError that names the pip command where matplotlib is missing."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autograd.modes import no_grad
from autograd.tensor import Tensor, unwrap

from ..extras import extra
from ..files import replacing
from ..metrics import confusion_matrix as count_confusions
from .history import History

COLOURS = ("#2b6cc4", "#d0692b", "#3f9a57", "#a1235b", "#7458c4", "#8a6d1a", "#2a9d9d", "#5b6470")


def _figure(width: float, height: float, rows: int = 1, columns: int = 1, **options) -> tuple[Any, Any]:
    """A Figure of so many inches and its axes, an array of (rows, columns)."""
    with extra("plots"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen, whatever backend the user's matplotlib is set to
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def _finished(figure, path: str | Path | None):
    if path is not None:
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=120)
    return figure


def _array(x, what: str, *ranks: int) -> np.ndarray:
    array = np.asarray(unwrap(x))
    if array.ndim not in ranks:
        wanted = " or ".join(map(str, ranks))
        raise ValueError(f"{what} must have {wanted} axes, got shape {array.shape}")
    return array


def _names(names, count: int, what: str) -> list[str]:
    named = list(map(str, names)) if names is not None else list(map(str, range(count)))
    if len(named) != count:
        raise ValueError(f"{len(named)} names for {count} {what}")
    return named


def learning_curves(history: History, path: str | Path | None = None):
    """One panel for the loss and one for each metric, over the epochs: training, validation, and the best
    epoch. Raises ValueError for a history of no epoch."""
    best = history.best
    if best is None:
        raise ValueError("no curves to draw: no epoch was finished")
    other = ("epoch", "learning_rate", "seconds")
    panels = [name for name in history.rows[0] if name not in other and not name.startswith("val_")]
    figure, grid = _figure(5 * len(panels), 3.6, 1, len(panels))
    epochs = history.column("epoch")
    for axes, name in zip(grid[0], panels):
        for column, label in ((name, "training"), (f"val_{name}", "validation")):
            if any(column in row for row in history.rows):
                seen = [(t, row[column]) for t, row in zip(epochs, history.rows) if column in row]
                axes.plot(*zip(*seen), marker=".", label=label)
        axes.axvline(best["epoch"], color="grey", linestyle=":", label=f"best {history.monitor}")
        axes.set(
            xlabel="epoch",
            title=name,
            yscale="log" if name == "loss" and min(history.column(name)) > 0 else "linear",
        )
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return _finished(figure, path)


def confusion_matrix(predictions, labels, names: Sequence[str] | None = None, path: str | Path | None = None):
    """How often each true class (row) was taken for each class (column): the counts, and the share of the row
    as colour. `predictions` and `labels` are as for `nn.metrics.confusion_matrix`."""
    counts = count_confusions(unwrap(predictions), unwrap(labels), None if names is None else len(names))
    n = len(counts)
    named = _names(names, n, "classes")
    figure, grid = _figure(max(4.0, 0.55 * n + 2.2), max(3.6, 0.5 * n + 1.6))
    axes = grid[0, 0]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts):
        ink = "white" if shares[row, column] > 0.55 else "#1f2933"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=ink, fontsize=9)
    turned = max(map(len, named)) > 4
    axes.set_xticks(range(n), named, rotation=45 if turned else 0, ha="right" if turned else "center")
    axes.set_yticks(range(n), named)
    right = np.trace(counts) / counts.sum()
    axes.set(xlabel="predicted", ylabel="true", title=f"{right:.1%} of {counts.sum():,} right")
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    return _finished(figure, path)


def decision_boundary(
    classify: Callable,
    X,
    labels,
    names: Sequence[str] | None = None,
    path: str | Path | None = None,
):
    """What a classifier says of each point of the plane, and the examples X: (m, 2) with their class numbers
    (m,). `classify` is a Module or a function of (k, 2) points that gives class numbers (k,), scores
    (k, classes), or of one class a logit (k, 1), which is for it above 0. COURSE.md C1W3-net."""
    X, labels = _array(X, "X", 2), np.asarray(unwrap(labels)).ravel()
    if X.shape[1] != 2 or len(labels) != len(X):
        raise ValueError(f"X must be (m, 2) with m labels, got {X.shape} and {labels.shape}")
    low, high = X.min(0), X.max(0)
    margin = 0.12 * np.maximum(high - low, 1e-6)
    sides = [np.linspace(*ends, 240) for ends in zip(low - margin, high + margin)]
    x1, x2 = np.meshgrid(*sides)
    points = np.stack([x1.ravel(), x2.ravel()], 1)
    with no_grad():
        given = Tensor(points.astype(np.float32)) if hasattr(classify, "parameters") else points
        said = np.asarray(unwrap(classify(given)))
    if said.ndim == 2:
        said = said.argmax(1) if said.shape[1] > 1 else said[:, 0] > 0
    classes = int(max(said.max(), labels.max())) + 1
    named = _names(names, classes, "classes")
    figure, grid = _figure(5.4, 4.4)
    axes = grid[0, 0]
    colours = [COLOURS[k % len(COLOURS)] for k in range(classes)]
    edges = np.arange(classes + 1) - 0.5
    axes.contourf(x1, x2, said.reshape(x1.shape).astype(float), levels=edges, colors=colours, alpha=0.22)
    for k in range(classes):
        of = labels == k
        axes.scatter(*X[of].T, s=18, color=colours[k], edgecolors="white", linewidths=0.5, label=named[k])
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.legend(loc="best", framealpha=0.9)
    return _finished(figure, path)


def attention_map(weights, queries=None, keys=None, path: str | Path | None = None):
    """Where each query looks: weights (T_q, T_k), or (heads, T_q, T_k) with a panel for each head. `queries`
    and `keys` are the words. COURSE.md C5W3-attention."""
    weights = _array(weights, "weights", 2, 3)
    heads = weights[None] if weights.ndim == 2 else weights
    count, rows, columns = heads.shape
    top = float(heads.max(initial=0.0)) or 1.0
    across = min(count, 4)
    down = math.ceil(count / across)
    wide, tall = max(3.0, 0.32 * columns + 1.6), max(2.4, 0.32 * rows + 1.4)
    figure, grid = _figure(across * wide, down * tall, down, across)
    x_names = _names(keys, columns, "keys") if keys is not None else None
    y_names = _names(queries, rows, "queries") if queries is not None else None
    for k, axes in enumerate(grid.flat):
        if k >= count:
            axes.set_visible(False)
            continue
        image = axes.imshow(heads[k], cmap="viridis", vmin=0, vmax=top, aspect="auto")
        if x_names:
            axes.set_xticks(range(columns), x_names, rotation=60, ha="right", rotation_mode="anchor")
        if y_names:
            axes.set_yticks(range(rows), y_names)
        axes.set(title=f"head {k}" if count > 1 else "attention", xlabel="looks at")
    figure.colorbar(image, ax=grid, shrink=0.8, label="weight")
    return _finished(figure, path)


def embeddings(
    vectors,
    words: Sequence[str] | None = None,
    groups=None,
    method: str = "pca",
    seed: int = 0,
    path: str | Path | None = None,
):
    """Vectors (n, d) as points of the plane, named by `words`, coloured by `groups`, whose entries are equal
    where they belong together. `method`: "pca", the plane of largest variance, or "tsne" (van der Maaten and
    Hinton 2008, by scikit-learn), which keeps neighbours together. COURSE.md C5W2-tsne."""
    vectors = _array(vectors, "vectors", 2).astype(float)
    if len(vectors) < 2:
        raise ValueError(f"needs two vectors or more, got {len(vectors)}")
    if method == "tsne":
        with extra("data"):
            from sklearn.manifold import TSNE
        near = min(30.0, (len(vectors) - 1) / 3)
        plane = TSNE(2, perplexity=near, init="pca", random_state=seed).fit_transform(vectors)
    elif method == "pca":
        centred = vectors - vectors.mean(0)
        _, _, axes_of = np.linalg.svd(centred, full_matrices=False)
        plane = np.pad(centred @ axes_of[:2].T, ((0, 0), (0, max(0, 2 - len(axes_of)))))
    else:
        raise ValueError(f'method is "pca" or "tsne", got {method!r}')
    figure, grid = _figure(6.4, 5.2)
    axes = grid[0, 0]
    groups = np.zeros(len(plane)) if groups is None else np.asarray(groups)
    for k, group in enumerate(np.unique(groups)):
        of = groups == group
        colour = COLOURS[k % len(COLOURS)]
        axes.scatter(*plane[of].T, s=22, color=colour, label=str(group))
    for word, point in zip(_names(words, len(plane), "vectors") if words is not None else [], plane):
        axes.annotate(word, point, xytext=(4, 3), textcoords="offset points", fontsize=9)
    if len(np.unique(groups)) > 1:
        axes.legend()
    axes.margins(0.12)
    axes.set(xlabel="component 1", ylabel="component 2")
    axes.grid(alpha=0.3)
    return _finished(figure, path)


def cost_surface(
    cost: Callable,
    paths: Mapping[str, Any] | None = None,
    region=((-1.0, 1.0), (-1.0, 1.0)),
    path: str | Path | None = None,
):
    """The contours of a cost of two parameters over `region` ((low, high) of each), and on it the way that
    each optimizer went: `paths` maps its name to (steps + 1, 2) points. `cost` takes two arrays of one shape
    and gives a third. COURSE.md C2W2-momentum."""
    sides = [np.linspace(low, high, 200) for low, high in region]
    w1, w2 = np.meshgrid(*sides)
    with no_grad():
        values = _array(cost(w1, w2), "cost(w1, w2)", 2)
    if values.shape != w1.shape:
        raise ValueError(f"cost must give an array of shape {w1.shape}, gave {values.shape}")
    figure, grid = _figure(6.2, 4.8)
    axes = grid[0, 0]
    low = float(values.min())
    levels = low + np.geomspace(1e-3, 1.0, 22) * max(float(values.max()) - low, 1e-12)
    with extra("plots"):
        from matplotlib.colors import LogNorm
    above = np.maximum(values - low, levels[0] - low)
    axes.contourf(w1, w2, above, levels=levels - low, cmap="Greys", norm=LogNorm(), alpha=0.45, extend="both")
    axes.contour(w1, w2, above, levels=levels - low, colors="#8a939c", linewidths=0.5)
    for k, (name, points) in enumerate((paths or {}).items()):
        points = _array(points, f"the path of {name}", 2)
        colour = COLOURS[k % len(COLOURS)]
        axes.plot(*points.T, marker=".", markersize=5, linewidth=1.4, color=colour, label=name)
        axes.plot(*points[-1], marker="o", markersize=8, color=colour)
    if paths:
        axes.legend(loc="best", framealpha=0.9)
    axes.set(xlabel="$w_1$", ylabel="$w_2$", xlim=region[0], ylim=region[1])
    return _finished(figure, path)


def _as_picture(image) -> np.ndarray:
    """(n_H, n_W), (n_H, n_W, 1) or (n_H, n_W, 3), of bytes or of floats that are brought to 0..1."""
    image = _array(image, "an image", 2, 3)
    if image.ndim == 3 and image.shape[2] not in (1, 3):
        raise ValueError(f"an image has 1 or 3 channels, last, got shape {image.shape}")
    image = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if image.dtype.kind == "f":
        low, high = float(image.min(initial=0.0)), float(image.max(initial=1.0))
        image = (image - low) / ((high - low) or 1.0)
    return image


def _tiles(pictures, titles, columns: int, path, **options):
    count = len(pictures)
    across = min(count, columns)
    down = math.ceil(count / across)
    figure, grid = _figure(1.15 * across + 0.3, (1.15 + 0.2 * bool(titles)) * down + 0.3, down, across)
    for k, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if k < count:
            axes.imshow(pictures[k], **options)
            axes.set_title(titles[k] if titles else "", fontsize=8, pad=2)
    return _finished(figure, path)


def filters(weight, columns: int = 8, path: str | Path | None = None):
    """The filters of a convolution (f, f, n_C_prev, n_C): in colour where they look at 3 channels, otherwise
    the first channel each looks at, blue below zero and red above."""
    weight = _array(weight, "weight", 4)
    each = np.moveaxis(weight, -1, 0)
    titles = [str(k) for k in range(len(each))]
    if weight.shape[2] == 3:
        top = float(np.abs(weight).max()) or 1.0
        return _tiles(list(0.5 + 0.5 * each / top), titles, columns, path)
    top = float(np.abs(weight[:, :, 0]).max()) or 1.0
    return _tiles(list(each[..., 0]), titles, columns, path, cmap="RdBu_r", vmin=-top, vmax=top)


def activations(values, columns: int = 8, path: str | Path | None = None):
    """What each channel of a layer saw in one image: values (n_H, n_W, n_C), or (1, n_H, n_W, n_C); each in
    its own scale. COURSE.md C4W4-visual."""
    values = _array(values, "values", 3, 4)
    if values.ndim == 4:
        if len(values) != 1:
            raise ValueError(f"activations shows one example, got a batch of {len(values)}")
        values = values[0]
    titles = [str(k) for k in range(values.shape[2])]
    return _tiles(list(np.moveaxis(values, -1, 0)), titles, columns, path, cmap="viridis")


def boxes(
    image,
    corners=(),
    labels: Sequence | None = None,
    scores=None,
    masks=(),
    names: Sequence[str] | None = None,
    path: str | Path | None = None,
):
    """Boxes (n, 4) of corners (x1, y1, x2, y2) in pixels on an image, each with its class and its score, and
    masks (n, n_H, n_W) of what belongs to it, in one colour for each class. `labels` are class numbers, of
    which `names` says what they are, or words. COURSE.md C4W3-yolo, C4W3-unet."""
    picture = _as_picture(image)
    corners = _array(corners, "corners", 2) if len(corners) else np.zeros((0, 4))
    masks = _array(masks, "masks", 3) if len(masks) else np.zeros((0, *picture.shape[:2]))
    if corners.shape[1] != 4 or masks.shape[1:] != picture.shape[:2]:
        raise ValueError(
            f"needs corners (n, 4) and masks (n, {', '.join(map(str, picture.shape[:2]))}), "
            f"got {corners.shape} and {masks.shape}"
        )
    count = max(len(corners), len(masks))
    marks = list(labels) if labels is not None else [0] * count
    if len(marks) != count or (scores is not None and len(scores) != count):
        raise ValueError(f"{count} boxes need as many labels and scores, got {len(marks)} labels")
    kinds = {mark: k for k, mark in enumerate(dict.fromkeys(marks))}
    with extra("plots"):
        from matplotlib.colors import to_rgb
        from matplotlib.patches import Rectangle
    tall, wide = picture.shape[:2]
    figure, grid = _figure(6.0, max(1.5, 6.0 * tall / wide))
    axes = grid[0, 0]
    axes.imshow(picture, cmap="gray" if picture.ndim == 2 else None, extent=(0, wide, tall, 0))
    axes.set_axis_off()
    for k in range(count):
        colour = COLOURS[kinds[marks[k]] % len(COLOURS)]
        if k < len(masks):
            layer = np.zeros((tall, wide, 4))
            layer[..., :3], layer[..., 3] = to_rgb(colour), 0.45 * (masks[k] > 0.5)
            axes.imshow(layer, extent=(0, wide, tall, 0))
        if k < len(corners):
            x1, y1, x2, y2 = corners[k]
            axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=2))
            told = [] if labels is None else [str(names[marks[k]] if names is not None else marks[k])]
            told += [] if scores is None else [f"{float(scores[k]):.2f}"]
            if told:
                plate = dict(facecolor=colour, edgecolor="none", pad=1.5)
                top = max(y1, 0.045 * tall)  # within the picture
                about = dict(color="white", fontsize=9, va="bottom", bbox=plate)
                axes.text(min(max(x1, 0), wide), top, " ".join(told), **about)
    axes.set(xlim=(0, wide), ylim=(tall, 0))
    return _finished(figure, path)


def top_predictions(
    image,
    probabilities,
    names: Sequence[str] | None = None,
    k: int = 5,
    label: int | None = None,
    path: str | Path | None = None,
):
    """An image and the k classes that a network finds likeliest for it, as bars; the one of `label`, the true
    class, is green. `probabilities` are (classes,) and sum to 1. COURSE.md C2W3-softmax."""
    shares = _array(probabilities, "probabilities", 1)
    if not math.isclose(float(shares.sum()), 1.0, abs_tol=1e-3):
        raise ValueError(f"probabilities sum to {float(shares.sum()):.4g}, not 1: softmax the logits first")
    named = _names(names, len(shares), "classes")
    best = np.argsort(-shares, kind="stable")[:k]
    figure, grid = _figure(6.8, 2.6, 1, 2, width_ratios=(1, 1.3))
    left, right = grid[0]
    picture = _as_picture(image)
    left.imshow(picture, cmap="gray" if picture.ndim == 2 else None)
    left.set_axis_off()
    colours = [COLOURS[2] if i == label else COLOURS[0] for i in best]
    right.barh(range(len(best)), shares[best], color=colours)
    right.set_yticks(range(len(best)), [named[i] for i in best])
    for row, share in enumerate(shares[best]):
        right.text(share + 0.015, row, f"{share:.1%}", va="center", fontsize=9)
    right.invert_yaxis()
    right.set(xlim=(0, 1.18), xticks=())
    for side in ("top", "right", "bottom"):
        right.spines[side].set_visible(False)
    return _finished(figure, path)

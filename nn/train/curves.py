"""The learning curves as a picture."""

from pathlib import Path

from ..extras import extra
from ..files import replacing
from .history import History


def save_curves(history: History, path: str | Path) -> None:
    """One panel for the loss and one for each metric, over the epochs: training, validation, and the best
    epoch.

    Raises ImportError without matplotlib, ValueError for a history of no epoch.
    """
    with extra("plots"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    best = history.best
    if best is None:
        raise ValueError("no curves to draw: no epoch was finished")
    other = ("epoch", "learning_rate", "seconds")
    panels = [name for name in history.rows[0] if name not in other and not name.startswith("val_")]
    figure = Figure(figsize=(5 * len(panels), 3.6), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen, whatever backend the user's matplotlib is set to
    epochs = history.column("epoch")
    for axes, name in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
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
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)

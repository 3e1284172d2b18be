"""The learning curves as a file beside the weights."""

from pathlib import Path

from .history import History
from .plots import learning_curves


def save_curves(history: History, path: str | Path) -> None:
    """Writes `plots.learning_curves` of a history. Raises ImportError without matplotlib, ValueError for a
    history of no epoch."""
    learning_curves(history, path)

"""The files of a training."""

from pathlib import Path
from typing import Any

from ..files import sweep, writable_folder
from ..weights import save_weights
from .checkpoint import BEFORE, CHECKPOINT, read_checkpoint, way_out, write_checkpoint
from .training import Training

BEST, LAST, HISTORY = "model.safetensors", "last.safetensors", "history.jsonl"


class Folder:
    """Keeps the folder `out` of a training up to date. The checkpoint is written last: a run that is killed
    between two files does that part again, and writes the same. Raises OSError for a folder that cannot be
    written."""

    def __init__(self, out: str | Path, training: Training):
        self.path, self.training = writable_folder(out), training
        sweep(self.path, (BEST, LAST, HISTORY, CHECKPOINT, BEFORE))
        if training.step:  # resumed; the killed run may have written one epoch more than its checkpoint has
            training.history.save(self.path / HISTORY)

    def save(self) -> None:
        """What it takes to go on."""
        save_weights(self.training.model, self.path / LAST)
        write_checkpoint(self.path / CHECKPOINT, self.training.state_dict())

    def save_epoch(self) -> None:
        """After an epoch."""
        history = self.training.history
        if history.best is history.rows[-1]:
            self.save_best()
        history.save(self.path / HISTORY)
        self.save()

    def save_best(self) -> None:
        """The weights that the model has."""
        save_weights(self.training.model, self.path / BEST)


def restore(training: Training, path: Path) -> None:
    """Brings a training to where its checkpoint is. Raises FileNotFoundError where there is none, ValueError
    for one that cannot be used, which says why and the way out."""
    state = read_checkpoint(path)
    try:
        training.load_state_dict(state)
    except ValueError as error:
        raise ValueError(f"{path} does not fit this training: {error}; {way_out(path)}") from None
    except KeyError as missing:
        raise ValueError(f"{path} is of no training by fit: it has no {missing}; {way_out(path)}") from None
    if training.history.ended in ("interrupted", "time", "patience"):  # asked anew
        training.history.ended = ""


def settings_of(out: str | Path) -> dict[str, Any]:
    """The `settings` of the run whose checkpoint is in `out`. Raises as `fit(resume=True)` does."""
    return read_checkpoint(Path(out) / CHECKPOINT).get("settings", {})

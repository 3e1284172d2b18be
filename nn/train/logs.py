"""Callbacks that write down how a training goes, for other programs to read."""

import os
import time
from pathlib import Path
from typing import Any

from ..extras import extra
from .training import Training


class Log:
    """Writes the history to a file after each epoch, as a whole: JSON lines into a `.jsonl`, a table into a
    `.csv`. (`fit(out=...)` writes history.jsonl by itself.) Raises ValueError for another ending, OSError
    where the file cannot be written."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if self.path.suffix not in (".jsonl", ".csv"):
            raise ValueError(f"Log writes a .jsonl or .csv, got {self.path.name!r}")

    def on_train_begin(self, training: Training) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        training.history.save(self.path)  # of a resumed run: cut back to its checkpoint

    def on_epoch_end(self, training: Training) -> None:
        training.history.save(self.path)


class TensorBoard:
    """Event files for TensorBoard in `folder`: `tensorboard --logdir folder` shows them. After each epoch the
    numbers of its row ("loss/train", "loss/validation", "accuracy/train", ..., "learning_rate"), and the loss
    of every `every`th step ("step/loss"), over the steps of the optimizer. Each is on disk at once; a resumed
    run takes the place of what was written after its checkpoint. Raises ImportError without tensorboardX,
    ValueError for `every` below 1."""

    def __init__(self, folder: str | Path, every: int = 10):
        # SummaryWriter writes from a thread, up to two minutes late: a kill would lose it.
        with extra("tensorboard"):
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto import event_pb2, summary_pb2
        if not isinstance(every, int) or every < 1:
            raise ValueError(f"TensorBoard: every must be a whole number >= 1, got {every!r}")
        self.folder, self.every = Path(folder), every
        self._writer: Any = None
        self._open, self._events, self._summaries = EventsWriter, event_pb2, summary_pb2

    def on_train_begin(self, training: Training) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._writer = self._open(str(self.folder / "events"), f".{training.step}.{os.getpid()}")
        started = self._events.SessionLog(status=self._events.SessionLog.START)
        self._write(training.step + 1, session_log=started)  # what is there from that step on is forgotten

    def on_step_end(self, training: Training) -> None:
        if training.step % self.every == 0:
            self._scalars(training, {"step/loss": training.loss})

    def on_epoch_end(self, training: Training) -> None:
        row = training.history.rows[-1]
        self._scalars(training, {_tag(n): v for n, v in row.items() if n not in ("epoch", "seconds")})

    def on_train_end(self, training: Training) -> None:
        self._writer.close()
        self._writer = None

    def __del__(self):
        if getattr(self, "_writer", None) is not None:  # training ended by an error
            self._writer.close()

    def _scalars(self, training, values):
        rows = [self._summaries.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._write(training.step, summary=self._summaries.Summary(value=rows))

    def _write(self, step, **what):
        self._writer.write_event(self._events.Event(wall_time=time.time(), step=step, **what))
        self._writer.flush()


def _tag(column) -> str:
    """Training and validation of one quantity stand together."""
    if column == "learning_rate":
        return column
    return f"{column.removeprefix('val_')}/{'validation' if column.startswith('val_') else 'train'}"

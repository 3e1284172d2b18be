"""What happened in each epoch."""

import csv
import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from ..files import replacing


@dataclass
class History:
    """One row an epoch: `epoch` (from 1), `loss` and each metric over the training batches, the same with
    `val_` in front over the validation examples (not in every epoch, if `validate_every` says so),
    `learning_rate`, `seconds`. `monitor` names the column that chooses `best`, `mode` whether low ("min") or
    high ("max") is good. `ended` says why training stopped before its last epoch: "interrupted" (Ctrl-C),
    "time" (the budget was used up), "patience" (nothing improved any more), or what a callback said."""

    rows: list[dict[str, float]] = field(default_factory=list)
    monitor: str = "loss"
    mode: str = "min"
    ended: str = field(default="", compare=False)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.ended == "interrupted"

    def _badness(self, row) -> float:
        value = row[self.monitor] if self.mode == "min" else -row[self.monitor]
        return math.inf if math.isnan(value) else value

    def _judged(self):
        return [row for row in self.rows if self.monitor in row]

    @property
    def best(self) -> dict[str, float] | None:
        """The first row with the best `monitor`; None before there is one."""
        return min(self._judged(), key=self._badness, default=None)

    def waited(self, min_delta: float = 0.0) -> int:
        """How often `monitor` was looked at since it last improved by more than `min_delta`."""
        least, waited = math.inf, 0
        for row in self._judged():
            better = self._badness(row) < least - min_delta
            least, waited = (self._badness(row), 0) if better else (least, waited + 1)
        return waited

    def column(self, name: str) -> list[float]:
        """One number of each epoch, NaN where an epoch has none. Raises KeyError for a name of no column."""
        if not any(name in row for row in self.rows):
            raise KeyError(name)
        return [row.get(name, math.nan) for row in self.rows]

    def save(self, path: str | Path) -> None:
        """Writes a line for each epoch, replacing the file as a whole: JSON objects into a `.jsonl`, a table
        with a head line into a `.csv`. Raises ValueError for another ending, OSError where it cannot be
        written."""
        path = Path(path)
        if path.suffix == ".jsonl":
            text = "".join(json.dumps(row) + "\n" for row in self.rows)
        elif path.suffix == ".csv":
            text = self._table()
        else:
            raise ValueError(f"a history is saved as .jsonl or .csv, got {path.name!r}")
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _table(self):
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        table = io.StringIO()
        writer = csv.DictWriter(table, columns, lineterminator="\n")  # an absent number is an empty cell
        writer.writeheader()
        writer.writerows(self.rows)
        return table.getvalue()

    @classmethod
    def load(cls, path: str | Path) -> "History":
        """Reads what `save` wrote into a `.jsonl`. Raises ValueError that names the line which is not a JSON
        object."""
        rows = []
        for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from None
            if not isinstance(row, dict) or "loss" not in row:
                raise ValueError(f"{path}, line {number} is not a row of a history: {line[:60]!r}")
            rows.append(row)
        return cls(rows, "val_loss" if any("val_loss" in row for row in rows) else "loss")

"""What happened in each epoch."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from .files import replacing


@dataclass
class History:
    """One row an epoch: `epoch` (from 1), `loss` and each metric over the training batches, the same with
    `val_` in front over the validation examples, `learning_rate`, `seconds`. `monitor` names the column
    that chooses `best`."""

    rows: list[dict[str, float]] = field(default_factory=list)
    monitor: str = "loss"
    interrupted: bool = False

    @property
    def best(self) -> dict[str, float] | None:
        """The first row with the lowest `monitor`; None before the first epoch is done."""
        return min(self.rows, key=lambda row: row[self.monitor]) if self.rows else None

    def column(self, name: str) -> list[float]:
        """One number of each epoch."""
        return [row[name] for row in self.rows]

    def save(self, path: str | Path) -> None:
        """Writes a JSON object a line for each epoch, replacing the file as a whole."""
        with replacing(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "History":
        """Reads what `save` wrote. Raises ValueError that names the line which is not a JSON object."""
        rows = []
        for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from None
            if not isinstance(row, dict) or "loss" not in row:
                raise ValueError(f"{path}, line {number} is not a row of a history: {line[:60]!r}")
            rows.append(row)
        return cls(rows, "val_loss" if rows and "val_loss" in rows[0] else "loss")

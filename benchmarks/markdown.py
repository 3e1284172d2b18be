"""Tables for the README, from the JSON of a run: of whole networks, of the course's loops, of how time and
memory grow.

python -m benchmarks models loops scale --peers torch,numpy,loops --json run.json
python -m benchmarks.markdown run.json             # prints those of the groups that were run
python -m benchmarks.markdown run.json README.md   # puts them in the place of those there
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from .case import peer_of
from .measure import Row
from .report import amount, digits, ends, fastest, load, means, rows_of

START, END = "<!-- measured: {} -->", "<!-- end of {} -->"
TITLES = (("step", "Training steps"), ("inference", "Inference"))


def models(rows: list[Row]) -> str:
    """Training steps and inference beside PyTorch's faster layout, each with the geometric mean above."""
    parts = []
    for kind, title in TITLES:
        if lines := networks(rows, kind):
            found = [row for row in rows if f", {kind}, " in row.case and row.unit == "s"]
            mean = next((line.partition(": ")[2] for line in means(found) if "beside PyTorch" in line), "")
            head = table("network", "batch", "ours", "PyTorch", "ratio", "memory, ours / PyTorch")
            parts.append("\n".join([f"{title}{': ' if mean else ''}{mean}.", "", *head, *lines]))
    return "\n\n".join(parts)


def networks(rows: list[Row], kind: str) -> list[str]:
    """The lines of the rows of this kind ("step" or "inference"), and of those that failed."""
    lines = []
    best = {id(row) for row in fastest(rows)}
    for row in rows:
        name, _, rest = row.case.rpartition(f", {kind}, ")
        if not name or not row.side or peer_of(row.side) != "torch" or not (id(row) in best or row.failed):
            continue
        if row.failed:
            lines.append(f"| {name} | {rest} | - | - | {row.verdict} | - |")
            continue
        ratio = digits(row.ratio) + (f" ({ends(row.interval)})" if row.interval else "")
        ratio += ", not valid" if row.verdict == "not valid" else ""
        times = amount(row.ours, "s"), amount(row.theirs, "s")
        lines.append(f"| {name} | {rest} | {times[0]} | {times[1]} | {ratio} | {memory(row)} |")
    return lines


def memory(row: Row) -> str:
    """Both peaks, "-" where they are not known."""
    if row.ours_peak is None or row.theirs_peak is None:
        return "-"
    peaks = [peak / 2**20 for peak in (row.ours_peak, row.theirs_peak)]
    return " / ".join(f"{peak:.{1 if peak < 9.95 else 0}f}" for peak in peaks) + " MB"


def loops(rows: list[Row]) -> str:
    """A line for each loop, its sizes beside each other: Python's loops, NumPy, ours, and both ratios."""
    lines = table("loop", "size", "Python", "NumPy", "ours", "Python / ours", "NumPy / ours")
    beside = {side: {row.case: row for row in rows if row.side == side} for side in ("loops", "numpy")}
    both = [(beside["loops"][case], row) for case, row in beside["numpy"].items() if case in beside["loops"]]
    for name, found in series(both, lambda pair: pair[0].case.partition(", ")[::2]).items():
        columns = [
            [size for size, _ in found],
            [amount(python.theirs, "s") for _, (python, _) in found],
            [amount(numpy.theirs, "s") for _, (_, numpy) in found],
            [amount(numpy.ours, "s") for _, (_, numpy) in found],
            [ratio(python) for _, (python, _) in found],
            [ratio(numpy) for _, (_, numpy) in found],
        ]
        lines.append(f"| {name} | {' | '.join(map('; '.join, columns))} |")
    return "\n".join(lines)


def scale(rows: list[Row]) -> str:
    """A line for all cases that differ in their last number: both times, the ratio, and both peaks."""
    lines = table("training step of", "with", "ours", "PyTorch", "ratio", "memory, ours / PyTorch")
    best = [row for row in fastest(rows) if peer_of(row.side or "") == "torch"]
    for name, found in series(best, lambda row: row.case.rpartition(" ")[::2]).items():
        what, _, grows = name.rpartition(", ")
        columns = [
            [amount(row.ours, "s") for _, row in found],
            [amount(row.theirs, "s") for _, row in found],
            [ratio(row) for _, row in found],
            [memory(row) for _, row in found],
        ]
        sizes = "; ".join(size for size, _ in found)
        lines.append(f"| {what} | {grows} {sizes} | {' | '.join(map('; '.join, columns))} |")
    return "\n".join(lines)


def table(*heads: str) -> list[str]:
    """The first two lines of one."""
    return [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]


def series(items: list, split: Callable) -> dict:
    """Pairs of a size and an item for each name, of items that `split` takes apart into a name and a size."""
    found: dict = {}
    for item in items:
        name, size = split(item)
        found.setdefault(name, []).append((size, item))
    return found


def ratio(row: Row) -> str:
    """A ratio in a line that holds several."""
    if row.ratio is None:
        return row.verdict
    return digits(row.ratio) + (" (not valid)" if row.verdict == "not valid" else "")


GROUPS: dict[str, Callable[[list[Row]], str]] = {"models": models, "loops": loops, "scale": scale}


def sections(run: dict) -> dict[str, str]:
    """The tables of a run by group."""
    rows = rows_of(run)
    by_group = {group: [row for row in rows if row.group == group] for group in GROUPS}
    return {group: GROUPS[group](found) for group, found in by_group.items() if found}


def main(argv: list[str]) -> int:
    """Prints the tables, or writes each between the two comments that say where."""
    if len(argv) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    found = sections(load(Path(argv[0])))
    if len(argv) == 1:
        print(*found.values(), sep="\n\n")
        return 0
    file = Path(argv[1])
    text = file.read_text(encoding="utf-8")
    for group, tables in found.items():
        start, end = START.format(group), END.format(group)
        place = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        if not place.search(text):
            print(f"{file} has no {start} ... {end}", file=sys.stderr)
            return 1
        text = place.sub(lambda _, new=f"{start}\n\n{tables}\n\n{end}": new, text, count=1)
    file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

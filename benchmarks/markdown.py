"""A table of training steps for the README, from the JSON of a run:

python -m benchmarks models --peers torch --json run.json
python -m benchmarks.markdown run.json             # prints it
python -m benchmarks.markdown run.json README.md   # puts it in the place of the one there
"""

import sys
from pathlib import Path

from .case import peer_of
from .measure import Row
from .report import amount, fastest, load, means, rows_of

START, END = "<!-- measured -->", "<!-- end of what was measured -->"
HEAD = (
    "| network | batch | ours | PyTorch | ratio | memory, ours / PyTorch |",
    "| --- | --- | --- | --- | --- | --- |",
)
TITLES = (("step", "Training steps"), ("inference", "Inference"))


def table(rows: list[Row], kind: str) -> list[str]:
    """The lines of the rows of this kind ("step" or "inference") beside PyTorch's faster layout, and of those
    that failed."""
    lines = []
    best = {id(row) for row in fastest(rows)}
    for row in rows:
        name, _, rest = row.case.rpartition(f", {kind}, ")
        if not name or not row.side or peer_of(row.side) != "torch" or not (id(row) in best or row.failed):
            continue
        if row.failed:
            lines.append(f"| {name} | {rest} | - | - | {row.verdict} | - |")
            continue
        ratio = f"{row.ratio:.2f}"
        if row.interval:
            ratio += " ({:.2f} .. {:.2f})".format(*row.interval)
        if row.verdict == "not valid":
            ratio += ", not valid"
        memory = "-"
        if row.ours_peak is not None and row.theirs_peak is not None:
            memory = f"{row.ours_peak / 2**20:.0f} / {row.theirs_peak / 2**20:.0f} MB"
        times = amount(row.ours, "s"), amount(row.theirs, "s")
        lines.append(f"| {name} | {rest} | {times[0]} | {times[1]} | {ratio} | {memory} |")
    return lines


def section(run: dict) -> str:
    """Both tables, each with the geometric mean of its ratios below."""
    rows = [row for row in rows_of(run) if row.group == "models"]
    parts = []
    for kind, title in TITLES:
        if lines := table(rows, kind):
            found = [row for row in rows if f", {kind}, " in row.case and row.unit == "s"]
            mean = next((line.partition(": ")[2] for line in means(found) if "beside PyTorch" in line), "")
            parts.append("\n".join([f"{title}{': ' if mean else ''}{mean}.", "", *HEAD, *lines]))
    return "\n\n".join(parts)


def main(argv: list[str]) -> int:
    """Prints the tables, or writes them between the two comments that say where."""
    if len(argv) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    text = section(load(Path(argv[0])))
    if len(argv) == 1:
        print(text)
        return 0
    file = Path(argv[1])
    before, start, rest = file.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        print(f"{file} has no {START} ... {END}", file=sys.stderr)
        return 1
    file.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The table for people, the JSON for machines, and the comparison of two runs."""

import json
import os
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .measure import APART, Method, Row

COLUMNS = (
    *("case", "beside", "ours", "theirs", "of GEMM", "error", "memory"),
    *("target", "verdict", "ratio", "95% interval"),
)
LEFT = ("case", "beside", "verdict")


def amount(value: float | None, unit: str) -> str:
    """A number with its unit, three digits; times in the unit that fits."""
    if value is None:
        return "-"
    if unit != "s":
        return f"{value:g} {unit}"
    for scale, name in ((1, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{_digits(value / scale)} {name}"
    return f"{_digits(value / 1e-6)} us"


def _digits(value):
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def cells(row: Row) -> list[str]:
    """A row's text, in the order of COLUMNS."""
    memory = _beside(row.ours_peak, row.theirs_peak, lambda peak: f"{peak / 2**20:.1f}", " MB")
    memory += " MORE" if row.takes_more_memory else ""
    share = _beside(row.ours_share, row.theirs_share, lambda share: f"{100 * share:.0f}", "%")
    apart = _beside(row.ours_error, row.theirs_error, lambda error: f"{error:.0e}")
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    interval = "-" if row.interval is None else "{:.2f} .. {:.2f}".format(*row.interval)
    times = amount(row.ours, row.unit), amount(row.theirs, row.unit)
    beside = (row.side or "-").replace(":", " ")
    return [row.case, beside, *times, share, apart, memory, row.target, row.verdict, ratio, interval]


def _beside(ours, theirs, text, unit=""):
    """Ours / theirs, nothing where neither is known."""
    if ours is None and theirs is None:
        return ""
    return " / ".join("-" if value is None else text(value) for value in (ours, theirs)) + unit


def table(rows: Sequence[Row]) -> str:
    """The rows under a title for each group, columns aligned over all; notes are numbered below."""
    lines, notes = [list(COLUMNS)], []
    for row in rows:
        line = cells(row)
        for note in row.notes:
            if note not in notes:
                notes.append(note)
            line[COLUMNS.index("verdict")] += f" [{notes.index(note) + 1}]"
        lines.append(line)
    shown = [i for i in range(len(COLUMNS)) if any(line[i] for line in lines[1:])]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]

    def aligned(line):
        parts = (line[i].ljust(widths[i]) if COLUMNS[i] in LEFT else line[i].rjust(widths[i]) for i in shown)
        return "  ".join(parts).rstrip()

    text, group = [], None
    for row, line in zip(rows, lines[1:], strict=True):
        if row.group != group:
            group = row.group
            text += ["", f"# {group}", aligned(lines[0])]
        text.append(aligned(line))
    text += ["", *(f"[{i}] {note}" for i, note in enumerate(notes, 1))]
    return "\n".join(text).strip("\n")


def machine() -> dict:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"^model name\s*: (.*)$", text, re.MULTILINE):
            model = found[1]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform(), "load_before": load}


def summary(
    rows: Sequence[Row], method: Method, quick: bool, threads: int, where: dict, gemm: dict | None = None
) -> dict:
    """All of a run, as JSON holds it. `gemm` is the machine's rate, if a case has asked for it."""
    versions = {"Python": platform.python_version()}
    for row in rows:
        versions |= row.versions
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": quick,
        "threads": threads,
        "versions": versions,
        "machine": where,
        "gemm": gemm,
        "method": asdict(method),
        "rows": [asdict(row) for row in rows],
    }


def heading(run: dict) -> str:
    """The line above the table: how, on what, and with which versions this was measured."""
    quick = "QUICK run, blocks too short to trust: " if run["quick"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    where = f"{run['threads']} threads on {run['machine']['cpu']}, {run['machine']['cores']} cores"
    lines = [f"{quick}{where}; {versions}", "ratio: theirs / ours, above 1 we are faster"]
    if run["gemm"]:
        rate = f"{run['gemm']['rate'] / 1e9:.0f} GFLOP/s, by {run['gemm']['by']}"
        lines.append(f"of GEMM: ours / theirs, of a large float32 product's rate ({rate})")
    if any(row["ours_error"] is not None for row in run["rows"]):
        lines.append("error: ours / theirs, the largest beside float64, in units of the result's RMS")
    if any(row["ours_peak"] is not None for row in run["rows"]):
        lines.append("memory: ours / theirs, at the peak; MORE where ours is above theirs")
    return "\n".join(lines)


def compare(old: dict, new: dict) -> list[str]:
    """What got slower or faster beyond the noise since an older run: the intervals of the ratio, or of our
    own time where there is no peer, do not touch, and the medians are further apart than a valid row's may be
    from itself. A row that failed, was not valid, or is in one run only is not compared."""
    lines = []
    for key in ("quick", "threads", "method"):
        if old[key] != new[key]:
            lines.append(f"the two runs differ in {key}: {old[key]} then, {new[key]} now")
    if old["machine"]["cpu"] != new["machine"]["cpu"]:
        lines.append(f"another machine: {old['machine']['cpu']} then, {new['machine']['cpu']} now")
    before = {(row["group"], row["case"], row["side"]): row for row in old["rows"]}
    unfit = ("disagree", "failed", "not valid")
    compared = 0
    for row in new["rows"]:
        then = before.get((row["group"], row["case"], row["side"]))
        if then is None or row["verdict"] in unfit or then["verdict"] in unfit:
            continue
        name = " beside ".join(filter(None, (row["case"], row["side"])))
        by_ratio = bool(then["interval"] and row["interval"])
        ends, median = ("interval", "ratio") if by_ratio else ("ours_interval", "ours")
        a, b = then[ends], row[ends]
        if not (a and b):
            continue
        compared += 1
        apart = max(then[median], row[median]) > (1 + APART) * min(then[median], row[median])
        if apart and (b[1] < a[0] or b[0] > a[1]):
            word = "faster" if (b[0] > a[1]) == by_ratio else "SLOWER"
            kind = "ratio" if by_ratio else f"our time ({row['unit']})"
            before_now = ("{:.3g} .. {:.3g}".format(*interval) for interval in (a, b))
            lines.append("{}: {}: {} {} then, {} now".format(word, name, kind, *before_now))
    return [*lines, f"{compared} rows compared"]


def save(run: dict, path: Path) -> None:
    """Writes a run as JSON."""
    path.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> dict:
    """Reads a run that `save` wrote. Raises OSError, or ValueError for a file that is something else."""
    run = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(run, dict) or "rows" not in run:
        raise ValueError(f"{path} is not a run of the benchmarks")
    return run

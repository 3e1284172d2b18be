"""The table for people, the JSON for machines, and the comparison of two runs."""

import json
import math
import os
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .case import peer_of
from .measure import APART, SLACK, Method, Row
from .peers import library

COLUMNS = (
    *("case", "beside", "ours", "theirs", "throughput", "of GEMM", "error", "memory"),
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
            return f"{digits(value / scale)} {name}"
    return f"{digits(value / 1e-6)} us"


def digits(value: float) -> str:
    """Three digits, or as many as a whole number has; at most two behind the point."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def ends(interval: Sequence[float]) -> str:
    """An interval of ratios."""
    return " .. ".join(map(digits, interval))


def cells(row: Row) -> list[str]:
    """A row's text, in the order of COLUMNS."""
    memory = _beside(row.ours_peak, row.theirs_peak, lambda peak: f"{peak / 2**20:.1f}", " MB")
    memory += " MORE" if row.takes_more_memory else ""
    share = _beside(row.ours_share, row.theirs_share, lambda share: f"{100 * share:.0f}", "%")
    apart = _beside(row.ours_error, row.theirs_error, lambda error: f"{error:.0e}")
    count, examples = row.examples or (0, "")
    rates = (count / seconds if count and seconds else None for seconds in (row.ours, row.theirs))
    throughput = _beside(*rates, lambda rate: f"{rate:,.0f}", f" {examples}/s")
    ratio = "-" if row.ratio is None else digits(row.ratio)
    interval = "-" if row.interval is None else ends(row.interval)
    times = amount(row.ours, row.unit), amount(row.theirs, row.unit)
    beside = (row.side or "-").replace(":", " ")
    columns = [row.case, beside, *times, throughput, share, apart, memory, row.target]
    return [*columns, row.verdict, ratio, interval]


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


def fastest(rows: Sequence[Row]) -> list[Row]:
    """The rows of each peer's fastest layout, of those that have a ratio."""
    found: dict[tuple, Row] = {}
    for row in rows:
        if row.side is not None and row.ratio is not None:
            key = (row.group, row.case, peer_of(row.side))
            if key not in found or row.theirs < found[key].theirs:
                found[key] = row
    return list(found.values())


def means(rows: Sequence[Row]) -> list[str]:
    """The geometric mean of the ratios for each group and peer, in its fastest layout: of all rows, and of
    those with a target where that is another number."""
    lines, groups = [], {}
    for row in fastest(rows):
        if row.unit == "s":
            groups.setdefault((row.group, peer_of(row.side)), []).append(row)
    for (group, peer), found in groups.items():
        wanted = [row for row in found if row.target]
        text = f"{group} beside {library(peer).title}: geometric mean {_mean(found):.2f} of {len(found)} rows"
        if 0 < len(wanted) < len(found):
            text += f", {_mean(wanted):.2f} of the {len(wanted)} with a target"
        lines.append(f"{text}; the least {min(row.ratio for row in found):.2f}")
    return lines


def _mean(rows):
    return math.exp(sum(math.log(row.ratio) for row in rows) / len(rows))


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
    rows: Sequence[Row],
    method: Method,
    quick: bool,
    threads: int,
    where: dict,
    gemm: dict | None = None,
    memory: dict | None = None,
) -> dict:
    """All of a run, as JSON holds it. `gemm` and `memory` are the machine's rates, if a case has asked for
    them: of a large product in additions and multiplications, of a large copy in bytes, a second."""
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
        "memory": memory,
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
        lines.append(
            "memory: ours / theirs, the peak of four steps over the level after import; MORE: ours above"
        )
    return "\n".join(lines)


def compare(old: dict, new: dict) -> list[str]:
    """What got slower or faster beyond the noise since an older run: the intervals of the ratio, or of our
    own time where there is no peer, do not touch, and the medians are further apart than a valid row's may be
    from itself. Memory is compared by the same 10%, beyond what two runs of one side may differ in. A row
    that failed, was not valid, or is in one run only is named, not compared."""
    lines = []
    for key in ("quick", "threads", "method"):
        if old[key] != new[key]:
            lines.append(f"the two runs differ in {key}: {old[key]} then, {new[key]} now")
    if old["machine"]["cpu"] != new["machine"]["cpu"]:
        lines.append(f"another machine: {old['machine']['cpu']} then, {new['machine']['cpu']} now")
    for name in sorted(old["versions"].keys() & new["versions"].keys()):
        if old["versions"][name] != new["versions"][name]:
            lines.append(f"another {name}: {old['versions'][name]} then, {new['versions'][name]} now")
    now = {_key(row): row for row in new["rows"]}
    before = {_key(row): row for row in old["rows"]}
    compared = 0
    for key, row in now.items():
        then, name = before.get(key), " beside ".join(filter(None, key[1:]))
        if then is None:
            lines.append(f"new: {name}")
        elif unfit := _unfit(row, "now") or _unfit(then, "then"):
            lines.append(f"not compared: {name}: {unfit}")
        elif apart := _apart(then, row):
            compared += 1
            lines += [f"{word}: {name}: {what}" for word, what in apart if word]
    lines += [f"gone: {' beside '.join(filter(None, key[1:]))}" for key in before if key not in now]
    return [*lines, f"{compared} rows compared"]


def _key(row):
    return row["group"], row["case"], row["side"]


def _unfit(row, when):
    return f"{row['verdict']} {when}" if row["verdict"] in ("disagree", "failed", "not valid") else ""


def _apart(then, row):
    """Pairs of a word and what it is about, the word "" where two rows do not differ; none if they have
    nothing to compare."""
    by_ratio = bool(then["interval"] and row["interval"])
    ends, median = ("interval", "ratio") if by_ratio else ("ours_interval", "ours")
    a, b = then[ends], row[ends]
    if not (a and b):
        return []
    found = [("", "")]
    if _beyond(then[median], row[median]) and (b[1] < a[0] or b[0] > a[1]):
        kind = "ratio" if by_ratio else f"our time ({row['unit']})"
        text = f"{kind} {a[0]:.3g} .. {a[1]:.3g} then, {b[0]:.3g} .. {b[1]:.3g} now"
        found.append(("faster" if (b[0] > a[1]) == by_ratio else "SLOWER", text))
    p, q = then["ours_peak"], row["ours_peak"]
    if p is not None and q is not None and _beyond(p, q) and abs(q - p) > SLACK:
        text = f"{p / 2**20:.1f} MB then, {q / 2**20:.1f} MB now"
        found.append(("MORE MEMORY" if q > p else "less memory", text))
    return found


def _beyond(a, b):
    return max(a, b) > (1 + APART) * min(a, b)


def save(run: dict, path: Path) -> None:
    """Writes a run as JSON, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def rows_of(run: dict) -> list[Row]:
    """The rows of a run that was read back."""
    return [Row(**row) for row in run["rows"]]


def load(path: Path) -> dict:
    """Reads a run that `save` wrote. Raises OSError, or ValueError for a file that is something else."""
    run = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(run, dict) or "rows" not in run:
        raise ValueError(f"{path} is not a run of the benchmarks")
    return run

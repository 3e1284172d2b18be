"""`python -m benchmarks`: the command line."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from . import report
from .case import ON_REQUEST, cases_of, group_names, module_of, peer_of
from .measure import FULL, QUICK, Row, Runner
from .peers import PEERS


def cores() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def arguments(argv=None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed beside other libraries.")
    names, peers = group_names(), list(PEERS)
    usual = [name for name in names if name not in ON_REQUEST]
    parser.add_argument(
        "groups",
        nargs="*",
        metavar="GROUP",
        help=f"of {', '.join(names)}; all but {', '.join(ON_REQUEST)} by default",
    )
    parser.add_argument(
        "--peers",
        default=",".join(name for name in peers if PEERS[name].usual),
        help="by default %(default)s, where installed; there is " + ", ".join(peers),
    )
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="cases whose name holds this; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="short blocks: to see it work, not to quote")
    parser.add_argument(
        "--json", type=Path, metavar="F", help="write everything measured to F, case after case"
    )
    parser.add_argument(
        "--resume", action="store_true", help="measure only what F of --json lacks, or where a side failed"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="F", help="draw the ratios into F (png, svg, pdf), one picture a group"
    )
    parser.add_argument(
        "--threads", type=int, default=cores(), metavar="N", help="of all sides (%(default)s)"
    )
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="say what got slower since that run")
    options = parser.parse_args(argv)
    options.groups = options.groups or usual
    options.peers = [name for name in options.peers.split(",") if name]
    for kind, given, known in (("group", options.groups, names), ("peer", options.peers, peers)):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"no {kind} {', '.join(unknown)}; there are {', '.join(known)}")
    work = [(g, m, case) for g in options.groups for m in [module_of(g)] for case in cases_of(m)]
    options.work = [item for item in work if any(word in item[2].name for word in options.only or [""])]
    if not options.work:
        words, groups = ", ".join(options.only), ", ".join(options.groups)
        parser.error(f"--only {words}: no case of {groups} has that in its name")
    if options.plot and options.plot.suffix not in (".png", ".svg", ".pdf"):
        parser.error(f"--plot {options.plot}: the name ends in .png, .svg or .pdf")
    if options.plot and not importlib.util.find_spec("matplotlib"):
        parser.error('--plot draws with matplotlib: pip install "ngrad[plots]"')
    if options.resume and not options.json:
        parser.error("--resume goes on with a file: name it with --json F")
    if options.threads < 1:
        parser.error(f"--threads {options.threads}: at least 1")
    for name, file in (("--json", options.json), ("--plot", options.plot)):
        if file and not file.parent.is_dir():
            parser.error(f"{name} {file}: there is no folder {file.parent}; make it first")
        if file and file.is_dir():
            parser.error(f"{name} {file}: that is a folder; name a file in it")
    options.before = options.json if options.resume and options.json.exists() else None
    for name, option in (("compare", "--compare"), ("before", "--resume")):
        if file := getattr(options, name):
            try:
                setattr(options, name, report.load(file))
            except (OSError, ValueError) as error:
                parser.error(f"{option}: {error}")
    if options.before:
        then, now = _pace(**options.before), _pace(**vars(options))
        if then != now:
            way = "ask for the same, or name another file with --json"
            parser.error(f"--resume: {options.json} was measured {then}, and this would be {now}: {way}")
    return options


def _pace(*, quick=None, threads=None, **_):
    """What rows have in common to stand in one table."""
    return f"with --threads {threads} {'and' if quick else 'without'} --quick"


def lacking(work: Sequence[tuple], rows: Sequence[Row], peers: Sequence[str]) -> Iterator[tuple]:
    """The cases of `work` that have no rows, or none about some side of these peers, with these peers."""
    for group, module, case in work:
        found = {row.side for row in rows if (row.group, row.case) == (group, case.name)}
        unseen = {peer_of(side) for side in case.sides if side not in found}
        beside = [name for name in peers if name in unseen]
        if beside or not found:
            yield group, module, case, beside


def merged(rows: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Rows, with those about a case's peers replaced that it has new ones about, and that of it alone."""
    again = {(row.group, row.case, peer) for row in new for peer in (None, row.side and peer_of(row.side))}
    kept = [row for row in rows if (row.group, row.case, row.side and peer_of(row.side)) not in again]
    return [*kept, *new]


def main(argv=None) -> int:
    """Measures, prints, and returns 1 when a side failed or two disagreed, 130 when Ctrl-C stopped it."""
    options = arguments(argv)
    peers = []
    for name in options.peers:
        if PEERS[name].installed:
            peers.append(name)
        else:
            print(f"without {PEERS[name].title}, {PEERS[name].missing}", file=sys.stderr)
    where = report.machine()
    if where["load_before"] and where["load_before"] > 0.3:
        print(f"load average {where['load_before']:.1f}: what else runs here will show", file=sys.stderr)

    method = QUICK if options.quick else FULL
    before = options.before or {"rows": [], "gemm": None, "memory": None}
    rows = [row for row in report.rows_of(before) if not row.failed]
    work = list(lacking(options.work, rows, peers))
    keys = [(group, case.name, side) for group, _, case in options.work for side in (None, *case.sides)]
    place = {key: k for k, key in enumerate(keys)}

    def run_so_far():
        rows.sort(key=lambda row: place.get((row.group, row.case, row.side), -1))  # as without a stop
        return report.summary(rows, method, options.quick, options.threads, where, runner.gemm, runner.memory)

    written = 0
    try:
        with tqdm(work, unit="case", leave=False) as bar:
            runner = Runner(method, options.threads, peers, bar.set_postfix_str)
            runner.gemm, runner.memory = before["gemm"], before["memory"]
            for group, module, case, beside in bar:
                bar.set_description(f"{group}: {case.name}")
                rows = merged(rows, runner.run(group, module, case, beside))
                if options.json:
                    report.save(run_so_far(), options.json)
                    written = len(rows)
    except KeyboardInterrupt:
        print(_stopped(written, options), file=sys.stderr)
        return 130

    run = run_so_far()
    print(report.heading(run), report.table(rows), *report.means(rows), sep="\n\n")
    if options.compare:
        print("", *report.compare(options.compare, run), sep="\n")
    if options.plot:
        from .plot import pictures

        files = pictures(rows, run, options.plot)
        print(*(f"drawn: {file}" for file in files or ["nothing, for no row has a ratio"]), sep="\n")
    return 1 if any(row.failed for row in rows) else 0


def _stopped(written, options):
    if not options.json:
        return "stopped: no rows written; a run with --json F can go on with --resume"
    way = "the same with --resume goes on" if written or options.resume else "the same begins again"
    return f"stopped: {written} rows written to {options.json}; {way}"


if __name__ == "__main__":
    sys.exit(main())

"""The method.

Each side runs in a process of its own. First both run once and their results are compared: sides that
disagree are not timed. Then each is timed while the other rests, and then both alternate, a block of ours, a
block of theirs, round after round; the start of each block is dropped, for the other side's threads may still
be spinning. The ratio (theirs / ours) is the median over the rounds, where what drifts from minute to minute
drifts for both; its 95% interval is the one of order statistics, which assumes nothing about the
distribution. A side whose two medians, alone and alternated, are more than 10% apart makes the row not valid.
"""

import json
import math
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .agreement import Disagreement, check, error
from .case import Case, Launch, peer_of
from .peers import ROOT, library

APART = 0.10  # how far a side's two medians may be apart
SLACK = 1 << 20  # bytes
LONG = 25  # a step that takes so many times what would be dropped of a block is not dropped
PATIENCE = 600.0  # seconds until an answer: a compiler may take minutes
WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True)
class Method:
    """How long to look: `rounds` of two blocks of `seconds` each after `drop` seconds unmeasured, `alone`
    blocks of each side alone (as many as rounds where there is no other), `launches` fresh processes, of
    which `cold` with cold caches."""

    rounds: int
    seconds: float
    drop: float
    alone: int
    launches: int
    cold: int


FULL = Method(rounds=9, seconds=0.5, drop=0.25, alone=6, launches=9, cold=6)
# shorter, a block is over before OpenBLAS's threads have stopped spinning, some 25 ms; and of two slow steps
# alone one odd one made rows not valid
QUICK = Method(rounds=6, seconds=0.1, drop=0.05, alone=5, launches=2, cold=1)


@dataclass
class Row:
    """One line of the table: a case, ours beside one side of a peer (or alone, where `side` is None)."""

    group: str
    case: str
    side: str | None
    unit: str = "s"
    ours: float | None = None
    ours_alone: float | None = None
    theirs: float | None = None
    theirs_alone: float | None = None
    target: str = ""
    verdict: str = ""
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    ours_interval: tuple[float, float] | None = None
    ours_peak: int | None = None
    theirs_peak: int | None = None
    ours_share: float | None = None  # of the machine's GEMM rate
    theirs_share: float | None = None
    ours_error: float | None = None  # beside float64
    theirs_error: float | None = None
    work: int = 0  # additions and multiplications
    traffic: int = 0  # bytes of the inputs and the results: what must go through memory at least
    examples: tuple[int, str] | None = None
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether there is nothing to read off this row: a side raised, or the sides disagree."""
        return self.verdict in ("disagree", "failed")

    @property
    def takes_more_memory(self) -> bool:
        """Whether our peak is above theirs, by more than what two runs of one side may differ in."""
        if self.ours_peak is None or self.theirs_peak is None:
            return False
        return self.ours_peak > self.theirs_peak + SLACK


class WorkerError(Exception):
    """A side could not do what it was asked to."""


def environment(threads: int) -> dict[str, str]:
    """This process's environment with the number of threads that every library is to use."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")
    return {**os.environ, **dict.fromkeys(names, str(threads))}  # NPROC is JAX's


class Side:
    """One side of a case in a process of its own. Raises WorkerError where the side does."""

    def __init__(self, name: str, threads: int):
        self.name = name
        self.process = subprocess.Popen(
            [library(peer_of(name)).python, "-I", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(threads),
            text=True,
            process_group=0,  # Ctrl-C is for this process, which ends that one
        )
        self.versions: dict[str, str] = {}
        self.median = 0.0  # of its last block

    def ask(self, do: str, **arguments) -> dict:
        """Sends one command and waits for its answer; a process that gives none for long is ended."""
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(f"{self.name}: the process ended with code {self.process.wait()}") from None
        timer = threading.Timer(PATIENCE, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise WorkerError(f"{self.name}: the process ended with code {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.name}: {answer['error']}")
        return answer

    def block(self, method: Method) -> float:
        """The median time of a step, in one block."""
        drop = 0.0 if self.median > LONG * method.drop else method.drop
        self.median = self.ask("block", seconds=method.seconds, drop=drop)["median"]
        return self.median

    def __enter__(self):
        try:
            self.versions = self.ask("library", name=peer_of(self.name))["versions"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.stdout.close()


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95% confidence interval of the median, by order statistics: from the k-th smallest to the k-th
    largest, with the largest k for which Binomial(n, 1/2) is below k with probability 2.5% at most. None for
    fewer than 6 values, whose extremes do not reach 95%."""
    ordered, n = sorted(values), len(values)
    k, below = 0, 0.0
    while k < n and (below := below + math.comb(n, k) / 2**n) <= 0.025:
        k += 1
    return (ordered[k - 1], ordered[n - k]) if k else None


def check_alone(row: Row) -> None:
    """Marks the row not valid where a side ran at another speed alone than alternated."""
    both = (("ours", row.ours, row.ours_alone), (row.side, row.theirs, row.theirs_alone))
    for name, alternated, alone in both:
        apart = max(alternated, alone) / min(alternated, alone) - 1
        if apart > APART:
            row.verdict = "not valid"
            times = f"{alternated * 1e6:.4g} us alternated and {alone * 1e6:.4g} us alone"
            row.notes.append(f"not valid: {name} took {times}, {apart:.0%} apart")


def judge(row: Row, target: float | None) -> None:
    """Writes into the row what its ratio and interval say about the target, or about who is faster (smaller,
    where the unit is not a time)."""
    low, high = row.interval or (-math.inf, math.inf)
    if target is None:
        better, worse = ("faster", "slower") if row.unit == "s" else ("smaller", "larger")
        verdict = better if low > 1 else worse if high < 1 else "undecided"
    else:
        row.target = f">= {target:g}"
        verdict = "met" if low >= target else "missed" if high < target else "undecided"
    if not row.verdict:
        row.verdict = verdict
        if verdict == "undecided":
            row.notes.append("undecided: the spread is too wide to say who won, or whether the target is met")


def judge_slower_layouts(rows: list[Row]) -> None:
    """The opponent is the fastest of a peer's layouts; the rows of its others are marked so."""
    for peer in {peer_of(row.side) for row in rows if row.side}:
        timed = [row for row in rows if row.side and peer_of(row.side) == peer and row.theirs is not None]
        for row in sorted(timed, key=lambda row: row.theirs)[1:]:
            if row.verdict != "not valid":
                row.verdict, row.target = "slower layout", ""


class Runner:
    """Measures cases by one method, with one number of threads, against the peers that are wanted."""

    def __init__(self, method: Method, threads: int, peers: Sequence[str], progress: Callable[[str], None]):
        self._versions: dict[str, dict[str, str]] = {}
        self.gemm: Any = None  # the machine's rates, once a case has asked for them
        self.memory: Any = None
        self.method, self.threads, self.peers, self.progress = method, threads, tuple(peers), progress

    def run(
        self, group: str, module: str, case: Case | Launch, peers: Sequence[str] | None = None
    ) -> list[Row]:
        """The rows of one case: one a side that it has of these peers (by default of all that are wanted), or
        one alone where it has none."""
        sides = [side for side in case.sides if peer_of(side) in (self.peers if peers is None else peers)]
        usual = self.threads
        try:
            if isinstance(case, Case):
                self.threads = case.threads or usual
                rows = self._steps(group, module, case, sides)
            else:
                rows = self._launches(group, module, case, sides)
        finally:
            self.threads = usual
        for row in rows:
            if row.side and (note := case.notes.get(peer_of(row.side))):
                row.notes.append(note)
        return rows

    # ---- a step that runs many times

    def _steps(self, group, module, case, sides):
        where = {"module": module, "case": case.name}
        rows = [
            Row(group, case.name, side, work=case.work, examples=case.examples) for side in sides or [None]
        ]
        with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
            self.progress("ours")
            try:
                exact = self._exact((sides or ["ours"])[0], where, folder) if case.exact else None
                if case.work or case.exact:
                    self._measure_machine()
                ours = running.enter_context(Side("ours", self.threads))
                expected, made = self._start(ours, case, where, folder)
                if made["compiled"]:  # which took memory: another process finds it in the cache
                    running.close()
                    ours = running.enter_context(Side("ours", self.threads))
                    expected, made = self._start(ours, case, where, folder)
                alone = self._blocks(ours, self.method.alone if sides else self.method.rounds)
            except WorkerError as failure:
                return [_failed(row, failure) for row in rows]
            for row in rows:
                row.ours = row.ours_alone = statistics.median(alone)
                row.ours_interval, row.versions = interval(alone), dict(ours.versions)
                row.ours_error = None if exact is None else error(expected, exact)
                row.traffic, row.ours_peak = made["bytes"], made["peak"]
                if row.side is not None:
                    self.progress(row.side)
                    try:
                        with Side(row.side, self.threads) as theirs:
                            self._compare(row, case, ours, theirs, where, expected, exact, folder)
                    except (WorkerError, Disagreement) as failure:
                        _failed(row, failure)
                if case.work:
                    row.ours_share, row.theirs_share = (
                        None if seconds is None else case.work / seconds / self.gemm["rate"]
                        for seconds in (row.ours, row.theirs)
                    )
        judge_slower_layouts(rows)
        return rows

    def _compare(self, row, case, ours, theirs, where, expected, exact, folder):
        row.versions |= theirs.versions
        found, made = self._start(theirs, case, where, folder)
        row.theirs_peak = made["peak"]
        check(expected, found, theirs.name, case)
        row.theirs_error = None if exact is None else error(found, exact)
        row.theirs_alone = statistics.median(self._blocks(theirs, self.method.alone))
        rounds = [(ours.block(self.method), theirs.block(self.method)) for _ in range(self.method.rounds)]
        a, b = zip(*rounds, strict=True)
        row.ours, row.theirs = statistics.median(a), statistics.median(b)
        ratios = [y / x for x, y in rounds]
        row.ratio, row.interval, row.ours_interval = statistics.median(ratios), interval(ratios), interval(a)
        check_alone(row)
        judge(row, case.targets.get(peer_of(theirs.name)))

    def _blocks(self, side, times):
        return [side.block(self.method) for _ in range(times)]

    def _start(self, side, case, where, folder):
        """A side's results, and what the worker's `begin` answers, with the bytes of the results added."""
        file = str(Path(folder, "results.npz"))
        made = side.ask("begin", side=side.name, file=file, memory=case.memory, **where)
        with np.load(file) as results:
            found = dict(results)
        made["bytes"] += sum(a.nbytes for a in found.values())
        return found, made

    def _exact(self, name, where, folder):
        """A side's results from float64."""
        file = str(Path(folder, "exact.npz"))
        with Side(name, self.threads) as side:
            side.ask("build", side=name, size="full", dtype="float64", **where)
            side.ask("check", file=file)
        with np.load(file) as results:
            return dict(results)

    def _measure_machine(self):
        """What the machine can do: the best rates of a large product and of a large copy, by PyTorch or by
        NumPy alone."""
        if self.gemm is None:
            found = []
            for name in ("ours", *(name for name in ("torch",) if name in self.peers)):
                with Side(name, self.threads) as side:
                    title = "NumPy" if name == "ours" else library(name).title
                    look = {"seconds": 2 * self.method.seconds, "drop": 2 * self.method.drop}
                    rates = [side.ask(do, **look)["rate"] for do in ("sgemm", "copy")]
                    found.append([{"rate": rate, "by": title} for rate in rates])
            self.gemm, self.memory = (max(best, key=lambda one: one["rate"]) for best in zip(*found))

    # ---- a number that a fresh process prints

    def _launches(self, group, module, case, sides):
        rows = [Row(group, case.name, side, case.unit) for side in sides or [None]]
        with tempfile.TemporaryDirectory(prefix="ngrad-bench-") as warm:
            for row in rows:
                self.progress(row.side or "ours")
                try:
                    if not case.cold:
                        self._launch(case, "ours", warm)
                    self._compare_launches(row, case, warm)
                except (WorkerError, Disagreement) as failure:
                    _failed(row, failure)
        return rows

    def _compare_launches(self, row, case, warm):
        names = ["ours", row.side] if row.side else ["ours"]
        for name in names:
            row.versions |= self._versions_of(name)
        times = self.method.cold if case.cold else self.method.launches
        runs = [[self._launch(case, name, warm) for name in names] for _ in range(times)]
        ours, *theirs = ([run["value"] for run in side] for side in zip(*runs, strict=True))
        row.ours, row.ours_interval = statistics.median(ours), interval(ours)
        if theirs:
            check(*({k: np.array(v) for k, v in run["result"].items()} for run in runs[0]), row.side, case)
            row.theirs = statistics.median(theirs[0])
            ratios = [b / a for a, b in zip(ours, theirs[0], strict=True)]
            row.ratio, row.interval = statistics.median(ratios), interval(ratios)
        if case.most is not None:
            row.target = f"<= {case.most:g} {case.unit}"
            row.verdict = "met" if row.ours <= case.most else "missed"
        elif theirs:
            judge(row, case.targets.get(peer_of(row.side)))

    def _versions_of(self, name):
        if name not in self._versions:
            with Side(name, self.threads) as process:
                self._versions[name] = process.versions
        return self._versions[name]

    def _launch(self, case, side, warm):
        with tempfile.TemporaryDirectory(prefix="ngrad-bench-") as empty:
            return launch(case, side, self.threads, empty if case.cold else warm)


def _failed(row, failure):
    row.verdict = "disagree" if isinstance(failure, Disagreement) else "failed"
    row.notes.append(str(failure))
    return row


def launch(case: Launch, side: str, threads: int, cache: str) -> dict:
    """Runs one process of a case, with compiled kernels kept in the folder `cache`; what it printed last."""
    peer = library(peer_of(side))
    path = {"PYTHONPATH": str(ROOT)} if side == "ours" else {}
    done = subprocess.run(
        [peer.python, "-P", "-c", case.scripts[side], repr(time.time())],
        env={**environment(threads), "NUMBA_CACHE_DIR": cache, **path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise WorkerError(f"{side}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return json.loads(done.stdout.splitlines()[-1])

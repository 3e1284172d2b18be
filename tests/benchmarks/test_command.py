"""The command line: what it refuses, how a run stops and goes on."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from benchmarks import __main__ as command
from benchmarks import peers
from benchmarks.case import cases_of, group_names, peer_of
from benchmarks.measure import Row
from benchmarks.report import load

pytestmark = pytest.mark.slow  # some start processes of their own

STAND_INS = "tests.benchmarks.stand_ins"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["engin"], f"no group engin; there are {', '.join(group_names())}"),
        (["startup", "--only", "conv"], "--only conv: no case of startup has that in its name"),
        (["--peers", "torch,theano"], "no peer theano; there are torch, compile, jax"),
        (["--threads", "0"], "--threads 0: at least 1"),
        (["--resume"], "--resume goes on with a file: name it with --json F"),
        (["--plot", "ratios.txt"], "--plot ratios.txt: the name ends in .png, .svg or .pdf"),
        (["--plot", "/nowhere/a.png"], "--plot /nowhere/a.png: there is no folder /nowhere; make it first"),
        (["--json", "/nowhere/a.json"], "--json /nowhere/a.json: there is no folder /nowhere; make it first"),
        (["--json", "/"], "--json /: that is a folder; name a file in it"),
        (["--compare", "/nowhere.json"], "--compare: "),
    ],
)
def test_errors_name_the_way_out(argv, message, capsys):
    with pytest.raises(SystemExit):
        command.main(argv)
    assert message in capsys.readouterr().err


def test_plot_needs_matplotlib(monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        command.main(["--plot", "ratios.png"])
    assert '--plot draws with matplotlib: pip install "ngrad[plots]"' in capsys.readouterr().err


def test_it_runs_with_missing_peers_and_says_how_to_get_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setattr(command, "module_of", lambda group: STAND_INS)
    monkeypatch.setattr(
        command, "cases_of", lambda module: [c for c in cases_of(module) if c.name == "raises"]
    )
    file = tmp_path / "run.json"
    plot = ["--plot", str(tmp_path / "run.png")]
    assert command.main(["engine", "--quick", "--peers", "mygrad,hips", "--json", str(file), *plot]) == 0
    said = capsys.readouterr()
    assert "without HIPS/autograd, not installed: python -m benchmarks.peers hips" in said.err
    assert said.out.startswith("QUICK run")
    assert said.out.endswith("nothing, for no row has a ratio\n")
    assert len(load(file)["rows"]) == 1
    assert command.main(["engine", "--quick", "--peers", "", "--compare", str(file)]) == 0
    assert "1 rows compared" in capsys.readouterr().out


class Noting:
    """In the place of a Runner: notes what it is asked for, and stops or fails where it is told to."""

    gemm = memory = None
    seen: list[tuple]
    stops: set[str]
    fails: set[tuple]

    def __init__(self, *arguments):
        pass

    def run(self, group, module, case, beside):
        self.seen.append((case.name, *beside))
        if case.name in self.stops:
            self.stops.remove(case.name)
            raise KeyboardInterrupt
        sides = [side for side in case.sides if peer_of(side) in beside] or [None]
        rows = [Row(group, case.name, side, ours=1e-3) for side in sides]
        for row in rows:
            row.verdict = "failed" if (row.case, row.side) in self.fails else ""
        return rows


@pytest.fixture
def noting(monkeypatch):
    """What a run asks its Runner for, with cases that have sides of three peers that are all installed."""
    cases = {
        "layouts": {"ours": None, "torch:first": None, "torch:last": None, "jax": None},
        "one side": {"ours": None, "jax": None},
        "alone": {"ours": None},
    }
    blank = next(case for case in cases_of(STAND_INS) if case.name == "layouts")
    made = [replace(blank, name=name, build=build) for name, build in cases.items()]
    monkeypatch.setattr(command, "cases_of", lambda module: made)
    monkeypatch.setattr(peers.Peer, "missing", "")
    monkeypatch.setattr(command, "Runner", Noting)
    Noting.seen, Noting.stops, Noting.fails = [], set(), set()
    return Noting


def rows_in(file):
    return [(row["case"], row["side"]) for row in load(file)["rows"]]


ALL = [
    ("layouts", "torch:first"),
    ("layouts", "torch:last"),
    ("layouts", "jax"),
    ("one side", "jax"),
    ("alone", None),
]


def test_a_run_that_stopped_goes_on(noting, tmp_path, capsys):
    file = tmp_path / "run.json"
    told = ["engine", "--peers", "torch,jax", "--json", str(file)]
    noting.stops, noting.fails = {"one side"}, {("alone", None)}
    assert command.main(told) == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"stopped: 3 rows written to {file}; the same with --resume goes on"
    )
    assert rows_in(file) == ALL[:3]
    noting.seen.clear()
    assert command.main([*told, "--resume"]) == 1
    assert noting.seen == [("one side", "jax"), ("alone",)]
    noting.seen.clear()
    assert command.main([*told, "--resume"]) == 1
    assert noting.seen == [("alone",)]  # what failed is tried again, once
    assert rows_in(file) == ALL


def test_a_run_that_stopped_with_nothing_written_says_so(noting, tmp_path, capsys):
    file = tmp_path / "run.json"
    for more, said in (
        ((), "stopped: no rows written; a run with --json F can go on with --resume"),
        (("--json", str(file)), f"stopped: 0 rows written to {file}; the same begins again"),
    ):
        noting.stops = {"layouts"}
        assert command.main(["engine", "--peers", "", *more]) == 130
        assert capsys.readouterr().err.splitlines()[-1] == said


def test_further_peers_are_measured_and_stand_where_one_run_had_put_them(noting, tmp_path):
    file = tmp_path / "run.json"
    told = ["engine", "--json", str(file), "--resume", "--peers"]
    assert command.main([*told, ""]) == 0
    assert rows_in(file) == [("layouts", None), ("one side", None), ("alone", None)]
    noting.seen.clear()
    assert command.main([*told, "jax"]) == 0
    assert noting.seen == [("layouts", "jax"), ("one side", "jax")]
    noting.seen.clear()
    assert command.main([*told, "torch,jax"]) == 0
    assert noting.seen == [("layouts", "torch")]
    assert rows_in(file) == ALL
    noting.seen.clear()
    assert command.main([*told, "torch"]) == 0
    assert (noting.seen, rows_in(file)) == ([], ALL)


def test_of_a_peer_with_a_layout_that_failed_all_are_measured_again(noting, tmp_path):
    file = tmp_path / "run.json"
    told = ["engine", "--json", str(file), "--resume", "--peers", "torch,jax"]
    noting.fails = {("layouts", "torch:first")}
    assert command.main(told) == 1
    noting.seen.clear()
    noting.fails = set()
    assert command.main(told) == 0
    assert (noting.seen, rows_in(file)) == ([("layouts", "torch")], ALL)


def test_a_run_goes_on_as_it_was_measured_or_not_at_all(noting, tmp_path, capsys):
    file = tmp_path / "run.json"
    told = ["engine", "--peers", "", "--json", str(file)]
    assert command.main([*told, "--quick", "--threads", "2"]) == 0
    for more, now in (
        (["--threads", "1"], "with --threads 1 without --quick"),
        (["--threads", "2"], "with --threads 2 without --quick"),
        (["--threads", "1", "--quick"], "with --threads 1 and --quick"),
    ):
        with pytest.raises(SystemExit):
            command.main([*told, "--resume", *more])
        said = f"--resume: {file} was measured with --threads 2 and --quick, and this would be {now}: ask for"
        assert said in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="groups of processes are POSIX's")
def test_ctrl_c_ends_a_run_at_once_and_leaves_what_it_wrote(tmp_path):
    file = tmp_path / "run.json"
    argv = ["engine", "--quick", "--threads", "1", "--peers", "", "--json", str(file)]
    argv += ["--only", "raises", "--only", "sleeps"]
    script = (
        f"import sys; from benchmarks import __main__ as command; command.module_of = lambda g: {STAND_INS!r}"
    )
    script += f"; sys.exit(command.main({argv!r}))"
    terminal = subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not file.exists() and terminal.poll() is None:
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(terminal.pid, signal.SIGINT)  # as a terminal does, to all it has started
    said = terminal.communicate(timeout=30)[1]
    assert terminal.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1] == f"stopped: 1 rows written to {file}; the same with --resume goes on"
    assert rows_in(file) == [("raises", None)]

"""The method: intervals, verdicts, and processes that answer, disagree, or die."""

import numpy as np
import pytest

from benchmarks.agreement import disagreement, error
from benchmarks.case import cases_of
from benchmarks.measure import (
    SLACK,
    Method,
    Row,
    Runner,
    Side,
    check_alone,
    interval,
    judge,
)

pytestmark = pytest.mark.slow  # each starts processes of its own

STAND_INS = "tests.benchmarks.stand_ins"
SHORT = Method(rounds=6, seconds=0.02, drop=0.005, alone=2, launches=6, cold=1)


def rows_of(name, peers=("ours",)):
    case = next(case for case in cases_of(STAND_INS) if case.name == name)
    seen = []
    rows = Runner(SHORT, 1, peers, seen.append).run("group", STAND_INS, case)
    assert seen
    return {row.side: row for row in rows}


@pytest.mark.parametrize(("n", "k"), [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (15, 4), (20, 6), (25, 8)])
def test_interval_is_the_one_of_the_tables(n, k):
    # k - 1 is the two-sided 5% critical value in the tables of the sign test
    values = np.random.default_rng(0).permutation(np.arange(1, n + 1)).tolist()
    assert interval(values) == (k, n + 1 - k)


def test_five_values_have_no_interval():
    assert interval([1, 2, 3, 4, 5]) is None


def test_disagreement_names_what_differs():
    a = np.array([1.0, -4.0])
    assert disagreement({"y": a}, {"y": a + 3e-4}, 1e-4) is None
    assert "y: 0.0005 apart where the largest value is 4" in disagreement({"y": a}, {"y": a + 5e-4}, 1e-4)
    assert "nan apart" in disagreement({"y": a}, {"y": a * np.nan}, 1e-4)
    assert "float64 (2,) against float32 (2,)" in disagreement({"y": a}, {"y": a.astype(np.float32)}, 1e-4)
    assert "(2,) against float64 (1, 2)" in disagreement({"y": a}, {"y": a[None]}, 1e-4)
    assert "['y'] against ['z']" in disagreement({"y": a}, {"z": a}, 1e-4)
    assert disagreement({"y": np.empty(0)}, {"y": np.empty(0)}, 1e-4) is None


def test_error_is_the_largest_in_units_of_the_root_mean_square():
    exact = {"y": np.array([3.0, -4.0, 5.0, 0.0]), "z": np.zeros(2), "none": np.empty(0)}  # y: sqrt(50 / 4)
    found = {"y": exact["y"] + [0, 1, 0, -0.5], "z": exact["z"], "none": exact["none"]}
    assert error(found, exact) == pytest.approx(1 / 12.5**0.5)
    assert error(exact, exact) == 0
    assert error(found | {"z": np.array([0.0, 2.0])}, exact) == 2


@pytest.mark.parametrize(
    ("low", "high", "target", "verdict"),
    [
        (1.1, 1.2, None, "faster"),
        (0.8, 0.9, None, "slower"),
        (0.9, 1.1, None, "undecided"),
        (1.3, 1.4, 1.3, "met"),
        (1.1, 1.2, 1.3, "missed"),
        (1.2, 1.4, 1.3, "undecided"),
    ],
)
def test_verdict_needs_the_whole_interval_on_one_side(low, high, target, verdict):
    row = Row("g", "c", "torch", interval=(low, high))
    judge(row, target)
    assert row.verdict == verdict
    assert row.target == ("" if target is None else ">= 1.3")


def test_a_side_that_runs_at_another_speed_alone_makes_the_row_not_valid():
    row = Row("g", "c", "torch", ours=1e-3, ours_alone=1.09e-3, theirs=2e-3, theirs_alone=1.8e-3)
    check_alone(row)
    assert row.verdict == "not valid"
    assert row.notes == ["not valid: torch took 2000 us alternated and 1800 us alone, 11% apart"]
    judge(row, 1.0)
    assert row.verdict == "not valid"


def test_both_layouts_are_timed_and_the_faster_is_the_opponent():
    rows = rows_of("layouts")
    assert list(rows) == ["ours", "ours:fast", "ours:slow"]
    assert rows["ours:slow"].verdict in ("slower layout", "not valid")
    for row in rows.values():
        assert row.theirs > 0
        assert row.interval[0] <= row.ratio <= row.interval[1]
        assert row.versions.keys() == {"ngrad", "NumPy"}
    assert rows["ours:fast"].ratio > 2


@pytest.mark.parametrize(
    ("case", "verdict", "note"),
    [
        ("values differ", "disagree", "ours and ours:other disagree, so they are not compared: y: 0.0"),
        ("dtypes differ", "disagree", "y: float32 (32,) against float64 (32,)"),
        ("dies", "failed", "ours:other: the process ended with code 3"),
        ("raises", "failed", "ours:other: ValueError: no such layer"),
        (
            "launches differ",
            "disagree",
            "ours and ours:other disagree, so they are not compared: loss: 1 apart",
        ),
    ],
)
def test_a_side_that_is_wrong_is_not_timed(case, verdict, note):
    row = rows_of(case)["ours:other"]
    assert (row.verdict, row.failed, row.theirs, row.ratio) == (verdict, True, None, None)
    assert note in row.notes[0]


def test_without_peers_we_are_timed_alone():
    row = rows_of("layouts", peers=())[None]
    assert row.ours >= 0.001
    assert (row.theirs, row.ratio, row.verdict) == (None, None, "")


def test_launches_are_compared_and_judged_by_our_own_limit():
    row = rows_of("launch")["ours:other"]
    assert (row.ours, row.theirs, row.ratio, row.interval) == (2, 5, 2.5, (2.5, 2.5))
    assert (row.target, row.verdict) == ("<= 3 modules", "met")
    assert rows_of("launch fails", peers=())[None].notes == ["ours: no kernels"]


def test_work_is_seen_beside_the_machine_and_results_beside_float64():
    case = next(case for case in cases_of(STAND_INS) if case.name == "work")
    runner = Runner(SHORT, 1, ("ours",), lambda text: None)
    assert runner.gemm is None
    row = runner.run("group", STAND_INS, case)[1]
    assert runner.gemm["by"] == "NumPy"
    assert 1e8 < runner.gemm["rate"] < 1e13
    assert row.ours_share == pytest.approx(1000 / row.ours / runner.gemm["rate"])
    assert row.theirs_share == pytest.approx(1000 / row.theirs / runner.gemm["rate"])
    assert 0 < row.ours_error == row.theirs_error < 1e-6


def test_more_memory_is_what_two_runs_may_not_differ_in():
    assert not Row("g", "c", "torch", ours_peak=SLACK + 5, theirs_peak=5).takes_more_memory
    assert Row("g", "c", "torch", ours_peak=SLACK + 6, theirs_peak=5).takes_more_memory
    assert not Row("g", "c", "torch", ours_peak=SLACK + 6).takes_more_memory


def test_peak_memory_counts_what_the_case_holds_at_once():
    row = rows_of("memory", peers=())[None]
    assert 60 * 2**20 < row.ours_peak < 80 * 2**20
    assert rows_of("layouts", peers=())[None].ours_peak is None


def test_peak_memory_counts_what_a_first_step_loads():
    assert 32 * 2**20 <= rows_of("memory of a first step", peers=())[None].ours_peak < 40 * 2**20


def test_a_worker_goes_on_after_an_error():
    with Side("ours", 1) as side:
        with pytest.raises(Exception, match="ours: ValueError: no such layer"):
            side.ask("build", module=STAND_INS, case="raises", side="ours:other", size="tiny")
        side.ask("build", module=STAND_INS, case="raises", side="ours", size="tiny")
        assert side.ask("block", seconds=0.001, drop=0)["steps"] > 0

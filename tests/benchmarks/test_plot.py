"""The pictures of a run: which are drawn, and what stands in them."""

import re

import pytest

from benchmarks.measure import QUICK, Row
from benchmarks.plot import pictures
from benchmarks.report import machine, summary

pytestmark = pytest.mark.slow

pyplot = pytest.importorskip("matplotlib.pyplot")
RATES = {"rate": 3e11, "by": "PyTorch"}, {"rate": 2e10, "by": "PyTorch"}


def row(group, case, ratio, half=0.1, **more):
    ends = (ratio - half, ratio + half)
    return Row(group, case, "torch", ours=1e-3, theirs=ratio * 1e-3, ratio=ratio, interval=ends, **more)


def drawn(tmp_path, *rows):
    run = summary(rows, QUICK, False, 2, machine(), *RATES)
    files = pictures(rows, run, tmp_path / "p.svg")
    return {file.name: file.read_text() for file in files}


def heard(svg):
    """The texts of a picture, which matplotlib leaves in comments."""
    return re.findall(r"<!-- (.*?) -->", svg)


def test_bars_of_each_group(tmp_path):
    rows = [row("engine", "chain", 1.5), row("optim", "Adam", 0.5), Row("optim", "alone", None)]
    files = drawn(tmp_path, *rows)
    assert list(files) == ["p-engine.svg", "p-optim.svg"]
    assert {"chain  |  torch", "1.50"} <= set(heard(files["p-engine.svg"]))
    assert "chain  |  torch" not in files["p-optim.svg"]
    assert list(drawn(tmp_path, rows[0])) == ["p.svg"]


@pytest.mark.parametrize(
    ("ratios", "numbers"),
    [
        ((0.98, 1.03), ["0.98", "1", "1.02"]),
        ((1.1, 1.6), ["1", "1.2", "1.4", "1.6"]),
        ((0.9, 3.5), ["1", "2", "3"]),
        ((0.4, 9.0), ["0.5", "1", "2", "4", "8"]),
        ((1.5, 70.0), ["1", "2", "5", "10", "20", "50"]),
        ((1.5, 3e4), ["1", "10", "100", "1,000", "10,000"]),
        ((1.0,), ["0.999", "0.9995", "1", "1.0005", "1.001"]),
    ],
)
def test_a_narrow_range_has_numbers_too(tmp_path, ratios, numbers):
    svg = drawn(tmp_path, *(row("optim", "Adam", ratio, half=0.001) for ratio in ratios))["p.svg"]
    marks = re.split(r'<g id="[xy]tick_', svg)[1:]
    told = [text for mark in marks for text in heard(mark)[:1]]
    assert [text for text in told if re.fullmatch(r"[\d.,]+", text)] == numbers


def test_roofline_counts_what_must_move(tmp_path):
    worked = row("kernels", "product", 1.2, work=10**9, traffic=10**7)
    moved = row("kernels", "pool", 1.2, traffic=10**7)
    files = drawn(tmp_path, worked, moved)
    assert list(files) == ["p.svg", "p-roofline.svg"]
    texts = set(heard(files["p-roofline.svg"]))
    assert {"1  product", "pool", "roof: 300 GFLOP/s (PyTorch), 20.0 GB/s (PyTorch)"} <= texts


def test_growth_has_a_column_for_all_that_differ_in_their_last_number(tmp_path):
    peaks = {"ours_peak": 2**20, "theirs_peak": 2**21}
    rows = [row("scale", f"MLP, batch {m}", 1.5, **peaks) for m in (1, 4)]
    rows += [row("scale", f"LSTM, length {m}", 1.5) for m in (16, 64)]
    texts = heard(drawn(tmp_path, *rows)["p.svg"])
    assert [texts.count(word) for word in ("MLP", "LSTM", "batch", "length")] == [1, 1, 2, 2]


def test_a_row_alone_has_no_bar(tmp_path):
    assert drawn(tmp_path, Row("engine", "alone", None)) == {}

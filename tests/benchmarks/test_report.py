"""The table, the JSON, and the comparison of two runs."""

import json
from dataclasses import asdict

import pytest

from benchmarks import markdown, peers
from benchmarks.measure import QUICK, Row
from benchmarks.report import amount, cells, compare, heading, load, machine, means, save, summary, table

pytestmark = pytest.mark.slow


def row(case="chain", side="torch", ratio=1.5, half=0.1, **more):
    given = {"ours": 2e-4, "theirs": 3e-4, "interval": (ratio - half, ratio + half), "verdict": "met", **more}
    return Row("engine", case, side, ratio=ratio, **given)


def run(*rows):
    return summary(rows, QUICK, False, 2, machine())


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.345e-6, "s", "2.35 us"),
        (123.4e-6, "s", "123 us"),
        (12.34e-3, "s", "12.3 ms"),
        (1.5, "s", "1.50 s"),
        (0, "modules", "0 modules"),
        (None, "s", "-"),
    ],
)
def test_amounts_are_short(value, unit, text):
    assert amount(value, unit) == text


def test_table_is_aligned_and_ends_with_ratio_and_interval():
    rows = [
        row(),
        row("a longer name", "torch:channels_last", notes=["busy"]),
        row(side=None, notes=["busy"]),
    ]
    title, head, *lines, _, note = table(rows).splitlines()
    assert title == "# engine"
    assert head.split()[-3:] == ["ratio", "95%", "interval"]
    assert {len(line) for line in [head, *lines]} == {len(head)}
    assert "torch channels_last" in lines[1]
    assert lines[1].endswith("1.50  1.40 .. 1.60")
    assert [line.count("met [1]") for line in lines] == [0, 1, 1]
    assert note == "[1] busy"


def test_what_few_cases_ask_for_has_a_column_and_a_line_in_the_heading():
    mb = 2**20
    asked = row(
        ours_share=0.5,
        theirs_share=0.25,
        ours_error=3e-6,
        theirs_error=None,
        ours_peak=8 * mb,
        theirs_peak=4 * mb,
        examples=(80, "images"),
    )
    assert cells(asked)[4:8] == ["400,000 / 266,667 images/s", "50 / 25%", "3e-06 / -", "8.0 / 4.0 MB MORE"]
    assert cells(row())[4:8] == ["", "", "", ""]
    assert "of GEMM" not in table([row()])
    text = heading(summary([asked], QUICK, False, 2, machine(), {"rate": 3.004e11, "by": "PyTorch"}))
    assert "(300 GFLOP/s, by PyTorch)" in text
    assert [line.partition(":")[0] for line in text.splitlines()[2:]] == ["of GEMM", "error", "memory"]
    assert len(heading(run(row())).splitlines()) == 2


def test_compare_flags_what_the_intervals_keep_apart():
    def alone(ours):
        return row("ours", None, ours=ours, interval=None, ours_interval=(ours - 0.05, ours + 0.05))

    old = run(row("a"), row("b"), row("c"), alone(1.0), row("d", half=0.001))
    new = run(
        row("a", ratio=1.1),
        row("b", ratio=1.6),
        row("c", ratio=2.0),
        alone(1.3),
        row("d", ratio=1.4, half=0.001),
        row("new"),
    )
    lines = compare(old, new)
    words = ["SLOWER", "faster", "SLOWER", "new", "5 rows compared"]
    assert [line.partition(":")[0] for line in lines] == words
    assert lines[0] == "SLOWER: a beside torch: ratio 1.4 .. 1.6 then, 1 .. 1.2 now"
    assert "our time (s) 0.95 .. 1.05 then, 1.25 .. 1.35 now" in lines[2]


def test_compare_names_what_it_leaves_out():
    old, new = run(row("a"), row("b")), run(row("a", ratio=0.5, verdict="not valid"))
    assert compare(old, {**new, "threads": 1}) == [
        "the two runs differ in threads: 2 then, 1 now",
        "not compared: a beside torch: not valid now",
        "gone: b beside torch",
        "0 rows compared",
    ]


def test_compare_sees_memory_and_versions():
    mb = 2**20
    old = run(row("a", ours_peak=10 * mb), row("b", ours_peak=10 * mb, versions={"NumPy": "2.0"}))
    new = run(row("a", ours_peak=12 * mb), row("b", ours_peak=11 * mb, versions={"NumPy": "2.1"}))
    assert compare(old, new) == [
        "another NumPy: 2.0 then, 2.1 now",
        "MORE MEMORY: a beside torch: 10.0 MB then, 12.0 MB now",
        "2 rows compared",
    ]
    assert "less memory: a beside torch: 12.0 MB then, 10.0 MB now" in compare(new, old)


def test_means_are_geometric_and_of_the_faster_layout():
    rows = [
        row("a", "torch:contiguous", ratio=8.0, theirs=8e-3),
        row("a", "torch:channels_last", ratio=4.0, theirs=4e-3, target=">= 0.9"),
        row("b", "torch", ratio=1.0),
        row("c", "hips", ratio=2.0),
        row("d", "torch", ratio=0.1, unit="MB"),
        Row("engine", "e", "torch"),
    ]
    assert means(rows) == [
        "engine beside PyTorch: geometric mean 2.00 of 2 rows, 4.00 of the 1 with a target; the least 1.00",
        "engine beside HIPS/autograd: geometric mean 2.00 of 1 rows; the least 2.00",
    ]


def test_json_round_trip(tmp_path):
    made = run(row(versions={"PyTorch": "2.13.0"}))
    save(made, tmp_path / "run.json")
    back = load(tmp_path / "run.json")
    assert back == json.loads(json.dumps(made))
    assert back["rows"] == [json.loads(json.dumps(asdict(row(versions={"PyTorch": "2.13.0"}))))]
    assert {"Python", "PyTorch"} <= back["versions"].keys()
    assert back["machine"]["cpu"]
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ValueError, match=r"other\.json is not a run"):
        load(tmp_path / "other.json")


def test_what_a_peer_lacks_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    assert peers.PEERS["hips"].missing == "not installed: python -m benchmarks.peers hips"
    assert peers.PEERS["tinygrad"].missing.endswith("; no compiler: it calls one of clang")
    assert peers.PEERS["numpy"].missing == ""


def test_the_tables_of_the_readme(tmp_path, capsys):
    mb = 2**20
    peaks = {"ours_peak": 3 * mb, "theirs_peak": 14 * mb}
    rows = [
        Row("models", "LeNet-5, step, 64 images", "torch:contiguous", ours=1e-3, theirs=3e-3, ratio=3.0),
        Row(
            *("models", "LeNet-5, step, 64 images", "torch:channels_last"),
            **{"ours": 1e-3, "theirs": 2e-3, "ratio": 2.0, "interval": (1.9, 2.1), **peaks},
        ),
        Row("models", "U-Net, 96x96, step, 4 images", "torch", verdict="failed"),
        Row("models", "LeNet-5, inference, 64 images", "torch", ours=1e-3, theirs=8e-3, ratio=8.0),
        Row("models", "LeNet-5, step, 64 images", "jax", ours=1e-3, theirs=9e-3, ratio=9.0),
        Row("engine", "chain", "torch", ours=1e-3, theirs=9e-3, ratio=9.0),
    ]
    file, readme = tmp_path / "run.json", tmp_path / "README.md"
    save(run(*rows), file)
    start, end = markdown.START.format("models"), markdown.END.format("models")
    readme.write_text(f"before\n{start}\nold\n{end}\nafter\n")
    assert markdown.main([str(file), str(readme)]) == 0
    lines = readme.read_text().splitlines()
    assert "old" not in lines and (lines[0], lines[-1]) == ("before", "after")
    assert lines[3] == "Training steps: geometric mean 2.00 of 1 rows; the least 2.00."
    assert lines[7] == "| LeNet-5 | 64 images | 1.00 ms | 2.00 ms | 2.00 (1.90 .. 2.10) | 3.0 / 14 MB |"
    assert lines[8] == "| U-Net, 96x96 | 4 images | - | - | failed | - |"
    assert "| LeNet-5 | 64 images | 1.00 ms | 8.00 ms | 8.00 | - |" in lines
    assert markdown.main([str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == lines[3:-3]
    assert markdown.main([]) == 2
    readme.write_text("no place")
    assert markdown.main([str(file), str(readme)]) == 1


def test_tables_of_loops_and_growth_have_a_line_for_all_sizes():
    rows = [
        Row(
            "loops", f"dot product, n {n}", side, ours=1e-3, theirs=ratio * 1e-3, ratio=ratio, verdict=verdict
        )
        for n, side, ratio, verdict in (
            ("10", "numpy", 0.5, "slower"),
            ("10", "loops", 100.0, "faster"),
            ("1,000", "numpy", 2.0, "not valid"),
            ("1,000", "loops", 2e3, "faster"),
        )
    ]
    peaks = {"ours_peak": 2**20, "theirs_peak": 2**21}
    rows += [
        Row("scale", f"MLP, batch {m}", "torch", ours=1e-3, theirs=2e-3, ratio=2.0, **peaks) for m in (1, 4)
    ]
    found = markdown.sections(run(*rows))
    assert found["loops"].splitlines()[2:] == [
        "| dot product | n 10; n 1,000 | 100 ms; 2.00 s | 500 us; 2.00 ms | 1.00 ms; 1.00 ms | 100; 2,000 | "
        "0.50; 2.00 (not valid) |"
    ]
    assert found["scale"].splitlines()[2:] == [
        "| MLP | batch 1; 4 | 1.00 ms; 1.00 ms | 2.00 ms; 2.00 ms | 2.00; 2.00 | 1.0 / 2.0 MB; 1.0 / 2.0 MB |"
    ]

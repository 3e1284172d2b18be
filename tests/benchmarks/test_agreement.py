"""Every case at its tiny size: the sides agree. A side that lives apart is tested where it is installed."""

import numpy as np
import pytest

from benchmarks.agreement import disagreement
from benchmarks.case import Case, cases_of, group_names, module_of, peer_of
from benchmarks.measure import Side
from benchmarks.peers import PEERS
from benchmarks.worker import build

pytestmark = pytest.mark.slow  # each starts processes of its own

CASES = [
    (module_of(g), case) for g in group_names() for case in cases_of(module_of(g)) if isinstance(case, Case)
]
APART = [peer.name for peer in PEERS.values() if peer.apart and peer.installed]


def run(module, case, side):
    step, result = build(module, case.name, side, "tiny")
    step()
    return result()


def having(peer):
    rows = [(m, case, side) for m, case in CASES for side in case.sides if peer_of(side) == peer]
    return [pytest.param(*row, id=f"{row[1].name}-{row[2]}") for row in rows]


@pytest.mark.parametrize(("module", "case", "side"), having("ours"))
def test_the_full_size_differs_from_the_tiny_one_in_numbers_only(module, case, side):
    assert case.full.keys() == case.tiny.keys()
    rng = np.random.default_rng
    full, tiny = case.data(rng(0), **case.full), case.data(rng(0), **case.tiny)
    assert [(k, type(v)) for k, v in full.items()] == [(k, type(v)) for k, v in tiny.items()]


@pytest.mark.parametrize(("module", "case", "side"), having("ours"))
def test_steps_can_be_repeated_and_give_arrays(module, case, side):
    step, result = build(module, case.name, side, "tiny")
    for _ in range(3):
        step()
    assert result()
    assert all(type(a) is np.ndarray and np.isfinite(a).all() for a in result().values())


@pytest.mark.parametrize(("module", "case", "side"), having("torch"))
def test_pytorch_agrees(module, case, side, torch):
    assert disagreement(run(module, case, "ours"), run(module, case, side), case.tolerance) is None


def test_peers_that_live_apart_agree_where_they_are_installed(tmp_path):
    file = str(tmp_path / "results.npz")
    for peer in APART:
        with Side(peer, threads=1) as process:
            for module, case, side in (row.values for row in having(peer)):
                process.ask("build", module=module, case=case.name, side=side, size="tiny")
                process.ask("check", file=file)
                with np.load(file) as results:
                    theirs = dict(results)
                wrong = disagreement(run(module, case, "ours"), theirs, case.tolerance)
                assert wrong is None, f"{case.name}, {side}"

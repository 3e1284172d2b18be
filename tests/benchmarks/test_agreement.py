"""Every case at its tiny size: the sides agree. A side that lives apart is tested where it is installed.
The networks of the group `published` are those of the table of models, whose own tests these would repeat."""

import functools
import re

import numpy as np
import pytest

from benchmarks.agreement import disagreement
from benchmarks.case import ON_REQUEST, Case, cases_of, group_names, module_of, peer_of
from benchmarks.measure import Side
from benchmarks.peers import PEERS
from benchmarks.worker import build

pytestmark = pytest.mark.slow  # each starts processes of its own

GROUPS = [module_of(group) for group in group_names() if group not in ON_REQUEST]
CASES = [(module, case) for module in GROUPS for case in cases_of(module) if isinstance(case, Case)]
APART = [peer.name for peer in PEERS.values() if peer.apart and peer.installed]


def run(module, name, side):
    step, result, _ = build(module, name, side, "tiny")
    step()
    return result()


ours = functools.cache(functools.partial(run, side="ours"))


def agree(module, case, theirs):
    return disagreement(ours(module, case.name), theirs, case.tolerance)


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
    step, result, _ = build(module, case.name, side, "tiny")
    for _ in range(3):
        step()
    assert result()
    assert all(type(a) is np.ndarray and np.isfinite(a).all() for a in result().values())


def test_of_each_network_a_step_and_an_inference_stand_beside_compiled_ones():
    kinds: dict[str, set[str]] = {}
    for case in cases_of(module_of("models")):
        title, kind = re.fullmatch(r"(.*?)(?: and its loss)?, (step|inference), .*", case.name).groups()
        kinds.setdefault(title, set()).add(kind)
        assert "compile" in case.sides
    assert kinds.pop("YOLO v2, 416x416") == {"inference"}  # it steps like v1, but for the cost
    assert {title: found for title, found in kinds.items() if len(found) < 2} == {}


@pytest.mark.parametrize(("module", "case", "side"), having("torch"))
def test_pytorch_agrees(module, case, side, torch):
    assert agree(module, case, run(module, case.name, side)) is None


@pytest.mark.parametrize(("module", "case", "side"), having("numpy") + having("loops"))
def test_loops_and_numpy_agree(module, case, side):
    assert agree(module, case, run(module, case.name, side)) is None


def test_peers_that_live_apart_agree_where_they_are_installed(tmp_path):
    file = str(tmp_path / "results.npz")
    for peer in APART:
        with Side(peer, threads=1) as process:
            for module, case, side in (row.values for row in having(peer)):
                process.ask("build", module=module, case=case.name, side=side, size="tiny")
                process.ask("check", file=file)
                with np.load(file) as results:
                    theirs = dict(results)
                assert agree(module, case, theirs) is None, f"{case.name}, {side}"

"""The scripts of the group `startup`."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.agreement import disagreement
from benchmarks.case import Launch, cases_of, module_of
from benchmarks.measure import launch
from benchmarks.peers import PEERS

CASES = {case.name: case for case in cases_of(module_of("startup"))}
LENET = [case for case in CASES.values() if case.name.startswith("LeNet, start")]


def results(answer):
    return {name: np.array(value) for name, value in answer["result"].items()}


def test_import_is_timed(tmp_path):
    assert 0 < launch(CASES["import, beyond NumPy's own"], "ours", 1, str(tmp_path))["value"] < 10


def test_what_is_installed_is_summed_up(tmp_path, torch):
    case = CASES["installed, with all it needs"]
    ours, theirs = (launch(case, side, 1, str(tmp_path))["value"] for side in ("ours", "torch"))
    numpy = sum(file.stat().st_size for file in Path(np.__file__).parent.rglob("*.so*")) / 2**20
    assert numpy < ours < 1000
    assert theirs > 200  # the CPU build's wheel alone has 190 MB


def test_import_loads_no_numba(tmp_path):
    assert launch(CASES["Numba's modules after the import"], "ours", 1, str(tmp_path))["value"] == 0


@pytest.mark.slow
def test_lenet_agrees_with_pytorch_and_the_first_step_fills_the_cache(tmp_path, torch):
    warm, cold = LENET
    assert isinstance(warm, Launch)
    assert (warm.scripts, warm.cold, cold.cold) == (cold.scripts, False, True)
    first = launch(warm, "ours", 1, str(tmp_path))
    assert list(tmp_path.rglob("*.nbc"))
    second = launch(warm, "ours", 1, str(tmp_path))
    assert second["value"] < first["value"]
    theirs = launch(warm, "torch", 1, str(tmp_path))
    assert disagreement(results(second), results(theirs), warm.tolerance) is None
    assert PEERS["torch"].installed
    memory = launch(CASES["LeNet, memory of the process at its peak"], "ours", 1, str(tmp_path))
    assert 50 < memory["value"] < 2000
    assert disagreement(results(memory), results(theirs), warm.tolerance) is None

"""Networks as cases: what both sides have in common, and where PyTorch's come from."""

import sys

import numpy as np
import pytest

import nn
from benchmarks.agreement import disagreement
from benchmarks.case import cases_of, module_of
from benchmarks.training import flat, row_of, still
from benchmarks.worker import build
from nn import models

pytestmark = pytest.mark.slow


def test_every_network_can_be_run_at_its_published_size():
    cases = {case.name: case for case in cases_of(module_of("published"))}
    assert [name.partition(",")[0] for name in cases] == list(models.entries())
    lenet = cases["lenet, step, 2 examples"]
    (images,) = lenet.data(np.random.default_rng(0), **lenet.full)["inputs"]
    assert images.shape == (2, 28, 28, 1)


@pytest.mark.parametrize("name", ["lenet", "logistic_regression"])
def test_published_networks_agree(name, torch):
    module = module_of("published")
    case = next(case for case in cases_of(module) if case.name.startswith(f"{name},"))
    found = []
    for side in case.sides[:2]:
        step, result, _ = build(module, case.name, side, "tiny")
        step()
        found.append(result())
    assert disagreement(*found, case.tolerance) is None


def test_nothing_is_dropped(torch):
    model = still(nn.Sequential(nn.Dropout(0.5), nn.LSTM(2, 2, num_layers=2, dropout=0.5)))
    assert (model[0].p, model[1].dropout) == (0.0, 0.0)
    assert still(torch.nn.Sequential(torch.nn.Dropout(0.5)))[0].p == 0.0


def test_without_the_tests_one_is_told_where_the_networks_are(monkeypatch):
    monkeypatch.setitem(sys.modules, "tests.model_rows", None)
    with pytest.raises(ImportError, match="PyTorch's networks stand in tests/"):
        row_of("lenet")


def test_outputs_are_told_apart():
    assert flat((1, [2, (3,)])) == [1, 2, 3]

"""autograd.profile: where the time and the memory of a step go."""

import json
import threading
import time

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, draw, no_grad
from autograd.modes import state
from autograd.primitive import registry
from nn.summary import summary


def f32(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def step(model, x):
    loss = np.sum(model(x))
    loss.backward(retain_graph=True)
    return loss


@pytest.fixture
def measured():
    """A profiled step of a small network, its profile and its loss."""
    model = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 4))
    x = Tensor(f32(8, 20))
    step(model, x)
    with autograd.profile(model) as p:
        loss = step(model, x)
    return model, p, loss


def test_each_op_is_a_row_with_its_calls_times_and_bytes(measured):
    _, p, _ = measured
    rows = {row.name: row for row in p.ops}
    assert {name: rows[name].calls for name in ("linear", "tanh", "sum")} == {
        "linear": 2,
        "tanh": 1,
        "sum": 1,
    }
    assert all(rows[name].forward > 0 and rows[name].backward > 0 for name in ("linear", "tanh", "sum"))
    assert rows["linear"].output == 4 * (8 * 30 + 8 * 4) and rows["tanh"].output == 4 * 8 * 30
    assert [row.seconds for row in p.ops] == sorted((row.seconds for row in p.ops), reverse=True)
    assert 0 < sum(row.seconds for row in p.ops) <= p.wall


def test_modules_keep_what_the_summary_says(measured):
    model, p, _ = measured
    rows = {row.name: row for row in p.modules}
    table = {row.name: row.memory for row in summary(model, (8, 20)).rows}
    assert {name: rows[name].kept for name in table} == table
    assert rows["0"].calls == 1 and rows["0"].backward > 0
    assert sum(row.forward for row in p.modules) == pytest.approx(sum(row.forward for row in p.ops))
    assert sum(row.backward for row in p.modules) == pytest.approx(sum(row.backward for row in p.ops))


def test_the_table_tells_both(measured):
    text = str(measured[1])
    heads = [line.split()[:4] for line in text.split("\n") if "forward" in line]
    assert heads == [["op", "calls", "forward", "backward"], ["module", "calls", "forward", "backward"]]
    assert text.split("\n")[-1].endswith("in all") and "(outside)" in text
    assert "module" not in str(autograd.profile())


def test_the_picture_shows_the_times(measured):
    _, p, loss = measured
    diagram = draw(loss, profile=p, show="time memory", level="layer").diagram
    drawn = {box.call.path: box for box in diagram.boxes.values() if box.call}
    facts = {fact.scope[-1].path: fact for fact in p.facts.values() if fact.scope}
    for path, box in drawn.items():
        assert box.seconds == (facts[path].forward, facts[path].backward) and min(box.seconds) > 0
    assert any("backward" in line for line in drawn["0"].about(1))


def test_a_chrome_trace(measured, tmp_path):
    _, p, _ = measured
    path = p.save(tmp_path / "step.json")
    events = json.loads(path.read_text())["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    assert {event["cat"] for event in spans} == {"forward", "backward", "module"}
    assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in spans)
    (linear,) = [e for e in spans if e["name"] == "0 Linear"]
    inside = [e for e in spans if e["cat"] == "forward" and e["args"]["module"] == "0"]
    assert all(linear["ts"] <= e["ts"] and e["ts"] + e["dur"] <= linear["ts"] + linear["dur"] for e in inside)
    assert inside[0]["args"]["shape"] == "(8, 30)" and "test_profile.py:" in inside[0]["args"]["line"]
    with pytest.raises(ValueError, match=r"ends in \.json, got 'step\.txt'"):
        p.save(tmp_path / "step.txt")


def test_it_measures_what_takes_long():
    @autograd.primitive()
    def sleepy(x):
        time.sleep(0.05)
        return x + 1.0

    @sleepy.vjp("x")
    def _(g):
        time.sleep(0.03)
        return g

    try:
        x = Tensor([1.0], requires_grad=True)
        with autograd.profile() as p:
            np.sum(np.tanh(sleepy(x))).backward()
    finally:
        del registry["sleepy"]
    row = p.ops[0]
    assert row.name == "sleepy" and 0.05 <= row.forward < 0.2 and 0.03 <= row.backward < 0.2


def test_nothing_is_left_behind():
    forwards = {name: op.forward for name, op in registry.items()}
    model = nn.Linear(3, 2)
    profile = autograd.profile(model)

    def interrupted():
        with profile:
            step(model, Tensor(f32(4, 3)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert all(op.forward is forwards[name] for name, op in registry.items())
    assert state.watchers == state.backward_watchers == ()
    assert "forward" not in vars(model)
    assert not any(
        "pull" in vars(plan) and plan.pull.__name__ == "run" for plan in registry["linear"].plans.values()
    )


def test_what_is_not_recorded_is_timed_too():
    model = nn.Linear(3, 2)
    with autograd.profile(model) as p, no_grad():
        model(Tensor(f32(4, 3)))
    (row,) = [row for row in p.ops if row.name == "linear"]
    assert row.calls == 1 and row.forward > 0 and row.backward == row.kept == 0


def test_other_threads_are_not_measured():
    x = Tensor(f32(3), requires_grad=True)
    with autograd.profile() as p:
        other = threading.Thread(target=lambda: np.tanh(x))
        other.start()
        other.join()
        np.exp(x)
    assert [row.name for row in p.ops] == ["exp"]


def test_a_module_that_is_called_again_counts_its_calls():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.Linear(3, 3)

        def forward(self, x):
            return self.cell(self.cell(x))

    with autograd.profile(model := Twice()) as p:
        model(Tensor(f32(4, 3)))
    assert {row.name: row.calls for row in p.modules} == {"cell": 2}


def test_what_is_no_module():
    with pytest.raises(TypeError, match="got int"):
        autograd.profile(3)

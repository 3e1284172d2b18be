"""A resumed run is the run that was never stopped, to the last bit."""

import shutil
import signal
import time

import numpy as np
import pytest

import autograd
import nn
import optim
from nn import data, train
from tests.optimizers import NAMES
from tests.survivor import POINTS, result, same, survivor


class Killed(Exception):
    pass


class KilledAt:
    """As if the process died after a step. Without a state, so a run with it is as one without."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, training):
        if training.step == self.step:
            raise Killed


def killed(out, step, **options):
    with pytest.raises(Killed):
        survivor(out, callbacks=[KilledAt(step)], **options)


# ---- bit for bit


@pytest.mark.parametrize("step", [1, 3, 4, 5, 19])
@pytest.mark.parametrize("every", [1, 3, None])
def test_a_resumed_run_is_the_run_that_was_not_stopped(tmp_path, step, every):
    """Steps 4, 8, ... end an epoch: killed within, at the end of, and just after one. The resumed run gets
    another seed, which must not matter."""
    _, average = survivor(tmp_path / "whole", callbacks=[KilledAt(0)], checkpoint_every=every)
    killed(tmp_path / "halves", step, checkpoint_every=every)
    if not (tmp_path / "halves" / "checkpoint.safetensors").exists():
        assert step <= (every or 4)
        return
    _, resumed = survivor(tmp_path / "halves", True, seed=77, callbacks=[KilledAt(0)], checkpoint_every=every)
    assert same(result(tmp_path / "halves"), result(tmp_path / "whole"))
    assert same(resumed, average)


def test_ctrl_c_and_resume(tmp_path):
    class Press:
        def on_step_end(self, training):
            if training.step == 6 and not pressed:
                pressed.append(True)
                signal.raise_signal(signal.SIGINT)

    pressed = []
    history, _ = survivor(tmp_path / "halves", callbacks=[Press()], checkpoint_every=None)
    assert history.interrupted
    assert len(history.rows) == 1
    history, _ = survivor(tmp_path / "halves", True, callbacks=[Press()], checkpoint_every=None)
    assert not history.ended
    assert len(history.rows) == 5
    survivor(tmp_path / "whole", callbacks=[Press()], checkpoint_every=None)
    assert same(result(tmp_path / "halves"), result(tmp_path / "whole"))


def test_a_time_budget_ends_within_an_epoch_and_is_resumed(tmp_path):
    class Slow:
        def on_step_end(self, training):
            time.sleep(0.01)

    ended = []
    for _ in range(100):
        resume = (tmp_path / "parts" / "checkpoint.safetensors").exists()
        out = dict(callbacks=[Slow()], time_budget=0.025, checkpoint_every=None)
        history, _ = survivor(tmp_path / "parts", resume, **out)
        ended.append(history.ended)
        if not history.ended:
            break
    survivor(tmp_path / "whole", callbacks=[Slow()])
    assert len(ended) > 3
    assert {*ended} == {"time", ""}
    assert same(result(tmp_path / "parts"), result(tmp_path / "whole"))


def test_a_finished_run_resumes_to_itself_and_takes_more_epochs(tmp_path):
    survivor(tmp_path / "five", epochs=3)
    before = result(tmp_path / "five")
    history, average = survivor(tmp_path / "five", True, epochs=3)
    assert len(history.rows) == 3
    assert same(result(tmp_path / "five"), before)
    survivor(tmp_path / "five", True, epochs=5)
    survivor(tmp_path / "whole", epochs=5)
    assert same(result(tmp_path / "five"), result(tmp_path / "whole"))


def small(name="Adam", seed=0, **options):
    """A little run with one optimizer: (fit's arguments, model)."""
    autograd.seed(seed)
    model = nn.Sequential(nn.Linear(2, 6, bias=False), nn.Tanh(), nn.Linear(6, 2, bias=False))
    optimizer = getattr(optim, name)(model.parameters(), lr=options.pop("lr", 0.01))
    loader = options.pop("train", None) or data.Loader(
        POINTS[:60], (POINTS[:60].sum(1) > 0).astype(np.int64), batch_size=16, shuffle=True, seed=seed
    )
    return model, (model, loader, nn.CrossEntropyLoss(), optimizer, 3), {"progress": False, **options}


@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_is_resumed_bit_for_bit(name, tmp_path):
    for out, step in (("whole", 0), ("halves", 6)):
        model, args, options = small(name, callbacks=[KilledAt(step)])
        options.update(out=tmp_path / out, checkpoint_every=1)
        if step:
            with pytest.raises(Killed):
                train.fit(*args, **options)
            _, args, options = small(name, seed=9, callbacks=[KilledAt(0)], out=tmp_path / out, resume=True)
            train.fit(*args, checkpoint_every=1, **options)
        else:
            train.fit(*args, **options)
    assert same(result(tmp_path / "halves"), result(tmp_path / "whole"))


def schedule_of(kind, optimizer):
    return {
        "plateau": lambda: optim.ReduceLROnPlateau(optimizer, patience=0, factor=0.5, threshold=0.5),
        "epochs": lambda: optim.StepLR(optimizer, 1, 0.5),
        "function": lambda: lambda epoch: 0.05 / (1 + epoch),
        "chained": lambda: optim.SequentialLR(
            optimizer, [optim.LinearLR(optimizer), optim.MultiplicativeLR(optimizer, lambda t: 0.9)], [2]
        ),
    }[kind]()


@pytest.mark.parametrize("kind", ["plateau", "epochs", "function", "chained"])
@pytest.mark.parametrize("step", [5, 8, 9])
def test_schedules_and_early_stopping_are_resumed(kind, step, tmp_path):
    def run(out, step, **more):
        model, args, options = small(callbacks=[KilledAt(step)], out=tmp_path / out, **more)
        args = (*args[:4], 9)
        options["schedule"] = schedule_of(kind, args[3])
        return train.fit(*args, patience=3, min_delta=0.01, checkpoint_every=2, **options)

    whole = run("whole", 0)
    with pytest.raises(Killed):
        run("halves", step)
    halves = run("halves", 0, resume=True, seed=4)
    assert same(result(tmp_path / "halves"), result(tmp_path / "whole"))
    assert halves.ended == whole.ended


def test_batches_without_a_state_are_passed_over(tmp_path):
    batches = list(data.Loader(POINTS[:60], (POINTS[:60].sum(1) > 0).astype(np.int64), batch_size=16))
    for out, step in (("whole", 0), ("halves", 6)):
        _, args, options = small(train=batches, callbacks=[KilledAt(step)])
        try:
            train.fit(*args, out=tmp_path / out, checkpoint_every=1, **options)
        except Killed:
            _, args, options = small(train=batches, seed=9, callbacks=[KilledAt(0)], resume=True)
            train.fit(*args, out=tmp_path / out, checkpoint_every=1, **options)
    assert same(result(tmp_path / "halves"), result(tmp_path / "whole"))


def test_what_was_frozen_on_the_way_is_frozen_again_and_a_path_may_be_given(tmp_path):
    class Freeze:
        def on_epoch_end(self, training):
            if training.epoch == 1:
                training.model.freeze("0")

    model, args, options = small(callbacks=[Freeze(), KilledAt(10)], out=tmp_path)
    with pytest.raises(Killed):
        train.fit(*args, **options)
    frozen = model[0].weight.numpy().copy()
    elsewhere = tmp_path / "elsewhere.safetensors"
    shutil.copy(tmp_path / "checkpoint.safetensors", elsewhere)
    model, args, options = small(callbacks=[Freeze(), KilledAt(0)], seed=5)
    train.fit(*args, resume=elsewhere, **options)
    assert not model[0].weight.requires_grad
    assert same(model[0].weight.numpy(), frozen)


def test_generators_of_other_kinds(tmp_path):
    def loader():
        rng = np.random.Generator(np.random.MT19937(3))
        return data.Loader(POINTS[:60], (POINTS[:60].sum(1) > 0).astype(np.int64), shuffle=True, seed=rng)

    _, args, options = small(train=loader(), callbacks=[KilledAt(3)], out=tmp_path / "halves")
    with pytest.raises(Killed):
        train.fit(*args, checkpoint_every=1, **options)
    _, args, options = small(train=loader(), callbacks=[KilledAt(0)], out=tmp_path / "halves", resume=True)
    train.fit(*args, **options)
    _, args, options = small(train=loader(), callbacks=[KilledAt(0)], out=tmp_path / "whole")
    train.fit(*args, **options)
    assert same(result(tmp_path / "halves"), result(tmp_path / "whole"))

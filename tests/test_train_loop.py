"""What `nn.train.fit` can do beside taking steps: callbacks, schedules, weights, accumulation, clipping,
early stopping, logs; and the loop of ten lines that does without it."""

import itertools
import time

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor
from nn import data, metrics, train

RNG = np.random.default_rng(5)
POINTS = RNG.normal(size=(90, 2)).astype(np.float32)
CLASSES = (POINTS[:, 0] * POINTS[:, 1] > 0).astype(np.int64)
STEPS = 6  # of an epoch: 90 examples in batches of 16


def network():
    autograd.seed(3)
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))


def batches(size=16, count=90):
    return data.Loader(POINTS[:count], CLASSES[:count], batch_size=size)


def run(epochs=1, model=None, optimizer=None, loss=None, **options):
    model = model or network()
    optimizer = optimizer or optim.SGD(model.parameters(), lr=0.1)
    loader = options.pop("train", None) or batches()
    history = train.fit(
        model, loader, loss or nn.CrossEntropyLoss(), optimizer, epochs, progress=False, **options
    )
    return history, [p.numpy().copy() for p in model.parameters()]


def close(a, b, **options):
    return all(np.allclose(x, y, **{"rtol": 1e-5, "atol": 1e-6, **options}) for x, y in zip(a, b))


# ---- a loop of one's own


def test_a_loop_of_ones_own_in_ten_lines():
    autograd.seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    loader = data.Loader(POINTS, CLASSES, batch_size=16, shuffle=True, seed=0)
    for _ in range(60):
        for x, labels in loader:
            loss = nn.functional.cross_entropy(model(x), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert metrics.accuracy(train.predict(model, POINTS), CLASSES) > 0.95


# ---- callbacks


def test_callbacks_are_called_at_their_moments_with_the_training():
    seen = []

    class Noted:
        def on_train_begin(self, training):
            seen.append(("begin", training.epoch, training.step))

        def on_epoch_begin(self, training):
            seen.append(("epoch", training.epoch, training.step))

        def on_step_end(self, training):
            assert np.isfinite(training.loss)
            assert training.rate == 0.1
            seen.append(("step", training.epoch, training.step))

        def on_epoch_end(self, training):
            training.history.rows[-1]["noted"] = 1.0
            seen.append(("row", training.epoch, training.history.rows[-1]["epoch"]))

        def on_train_end(self, training):
            seen.append(("end", training.epoch, training.step))

    class Only:
        def on_epoch_end(self, training):
            seen.append("only")

    history, _ = run(2, train=batches(45), callbacks=[Noted(), Only()])
    assert seen == [
        *[("begin", 0, 0), ("epoch", 0, 0), ("step", 0, 1), ("step", 0, 2), ("row", 1, 1), "only"],
        *[("epoch", 1, 2), ("step", 1, 3), ("step", 1, 4), ("row", 2, 2), "only", ("end", 2, 4)],
    ]
    assert history.column("noted") == [1.0, 1.0]


def test_a_callback_may_stop_it(tmp_path):
    class Stop:
        def on_step_end(self, training):
            if training.step == 8:
                training.stop("eight is enough")

    history, _ = run(5, callbacks=[Stop()], out=tmp_path)
    assert history.ended == "eight is enough"
    assert len(history.rows) == 1
    assert train.read_checkpoint(tmp_path / "checkpoint.safetensors")["place"]["step"] == 8

    class Later:
        def on_epoch_end(self, training):
            if training.epoch == 2:
                training.stop("two epochs")

    history, _ = run(5, callbacks=[Later()])
    assert (history.ended, len(history.rows)) == ("two epochs", 2)


@pytest.mark.parametrize(
    ("callback", "said"),
    [
        (print, "a builtin_function_or_method has no method of a callback: on_train_begin, "),
        (type("Keras", (), {"on_batch_end": None})(), "a Keras has on_batch_end, which is no method of a "),
    ],
)
def test_what_is_no_callback_is_refused(callback, said):
    with pytest.raises(TypeError) as caught:
        run(callbacks=[callback])
    assert said in str(caught.value)


# ---- metrics, validation, early stopping


def constant(*values):
    """A metric that gives these values one after the other."""
    given = iter(values)
    return lambda outputs, targets: next(given)


def test_several_metrics_and_how_often_validation_is():
    history, _ = run(
        5,
        metrics={"accuracy": metrics.accuracy, "spread": lambda outputs, targets: outputs.std()},
        validation=batches(count=30),
        validate_every=2,
    )
    assert [row["epoch"] for row in history.rows if "val_loss" in row] == [2, 4, 5]  # and the last
    assert {"accuracy", "spread"} <= history.rows[0].keys()
    assert {"val_accuracy", "val_spread"} <= history.rows[1].keys()
    assert np.isnan(history.column("val_spread")).tolist() == [True, False, True, False, False]
    assert history.best["epoch"] in (2, 4, 5)
    with pytest.raises(KeyError):
        history.column("val_spreat")


def test_metrics_count_a_partial_batch_by_its_size():
    share = {"share": lambda outputs, targets: targets.mean()}
    history, _ = run(metrics=share, train=batches(40), accumulate=2)
    assert history.rows[0]["share"] == pytest.approx(CLASSES.mean())


@pytest.mark.parametrize(("mode", "best"), [("min", 3), ("max", 2)])
def test_monitor_and_its_direction(mode, best):
    values = {"score": constant(*[0] * STEPS, 0.5, *[0] * STEPS, 0.9, *[0] * STEPS, 0.1)}
    model = network()
    kept = []

    class Keep:
        def on_epoch_end(self, training):
            kept.append(training.weights())

    history, weights = run(
        3, model, validation=batches(), metrics=values, monitor="val_score", mode=mode, callbacks=[Keep()]
    )
    assert history.best["epoch"] == best
    assert close(weights, kept[best - 1].values(), rtol=0, atol=0)


def test_early_stopping_stops_and_keeps_the_best_weights():  # C2W1-early
    scores = [0.9, 0.5, 0.6, 0.49, 0.7, 0.48, 0.47, 0.46]
    values = constant(*itertools.chain.from_iterable([*[0] * STEPS, s] for s in scores))
    options = dict(validation=batches(), metrics={"score": values}, monitor="val_score", mode="min")
    history, _ = run(8, patience=3, min_delta=0.05, **options)
    assert history.ended == "patience"
    assert len(history.rows) == 5  # 0.6, 0.49 and 0.7 are not better than 0.5 by over 0.05
    assert history.best["epoch"] == 4  # but 0.49 is the best
    assert history.waited(0.05) == 3
    assert history.waited() == 1


def test_early_stopping_counts_the_epochs_that_were_validated():
    history, _ = run(
        20,
        optimizer=optim.SGD(network().parameters(), lr=0.1),
        validation=batches(),
        validate_every=3,
        patience=2,
    )
    assert (history.ended, len(history.rows)) == ("patience", 9)  # nothing moves: 3 is best, 6 and 9 are not


def test_a_monitor_that_is_nan_is_never_best():
    history = train.History([{"loss": float("nan")}, {"loss": 2.0}, {"loss": 1.0}, {"loss": float("nan")}])
    assert history.best == {"loss": 1.0}
    assert history.waited() == 1


# ---- schedules


def test_a_schedule_of_optim_by_the_epoch():
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.2)
    history, _ = run(4, model, optimizer, schedule=optim.InverseTimeLR(optimizer, 1.0))
    np.testing.assert_allclose(history.column("learning_rate"), [0.2, 0.1, 0.2 / 3, 0.05])  # C2W2-lrdecay


class Rates:
    def __init__(self):
        self.seen = []

    def on_step_end(self, training):
        self.seen.append(training.rate)


def test_a_schedule_of_optim_by_the_step():
    model, rates = network(), Rates()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    schedule = optim.OneCycleLR(optimizer, 0.1, total_steps=2 * STEPS)
    history, _ = run(2, model, optimizer, schedule=schedule, schedule_by="step", callbacks=[rates])
    other = optim.Adam(network().parameters(), lr=0.1)
    reference, wanted = optim.OneCycleLR(other, 0.1, total_steps=2 * STEPS), []
    for _ in range(2 * STEPS):
        wanted.append(other.param_groups[0]["lr"])
        reference.step()
    assert rates.seen == wanted
    assert history.column("learning_rate") == [wanted[5], wanted[11]]


@pytest.mark.parametrize(("by", "wanted"), [("step", np.arange(1, 13)), ("epoch", [1] * 6 + [2] * 6)])
def test_a_plain_function_as_schedule(by, wanted):
    rates = Rates()
    run(2, schedule=lambda k: 0.01 * (k + 1), schedule_by=by, callbacks=[rates])
    np.testing.assert_allclose(rates.seen, 0.01 * np.asarray(wanted))


def test_reduce_on_plateau_sees_the_monitored_column():
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    values = {"score": constant(*itertools.chain.from_iterable([*[0] * STEPS, s] for s in (1, 2, 2, 2, 3)))}
    schedule = optim.ReduceLROnPlateau(optimizer, "max", factor=0.5, patience=0)
    history, _ = run(
        5,
        model,
        optimizer,
        validation=batches(),
        metrics=values,
        monitor="val_score",
        mode="max",
        schedule=schedule,
    )
    np.testing.assert_allclose(history.column("learning_rate"), [0.1, 0.1, 0.1, 0.05, 0.025])


# ---- other optimizers and models


def test_lbfgs_trains_with_its_closure():
    model = network()
    optimizer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
    history, _ = run(8, model, optimizer, train=batches(90), metrics={"accuracy": metrics.accuracy})
    assert history.rows[-1]["loss"] < 0.3 < history.rows[0]["loss"]


def test_models_of_several_inputs():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, a, b):
            return self.linear(a + b)

    model = Sum()
    loader = data.Loader(POINTS, POINTS, CLASSES, batch_size=16)
    history, _ = run(2, model, train=loader, validation=loader)
    assert len(history.rows) == 2
    outputs = train.predict(model, (POINTS, POINTS), batch_size=7)
    assert outputs.shape == (90, 2)
    assert np.allclose(outputs, model(Tensor(POINTS), Tensor(POINTS)).numpy(), atol=1e-6)


# ---- time


def test_a_time_budget_ends_it_and_keeps_what_there_is():
    class Slow:
        def on_step_end(self, training):
            time.sleep(0.02)

    start = time.perf_counter()
    history, _ = run(10_000, time_budget=0.3, callbacks=[Slow()])
    assert history.ended == "time"
    assert 0.3 <= time.perf_counter() - start < 5
    assert history.rows


# ---- what is refused


def per_example(**options):
    return lambda: run(loss=nn.CrossEntropyLoss(reduction="none"), **options)


def other_schedule():
    run(schedule=optim.StepLR(optim.SGD(network().parameters()), 3))


def plateau_by_step():
    optimizer = optim.SGD(network().parameters())
    run(optimizer=optimizer, schedule=optim.ReduceLROnPlateau(optimizer), schedule_by="step")


BAD = {
    "validate_every": (lambda: run(validate_every=0), "validate_every must be a whole number >= 1, got 0"),
    "patience": (lambda: run(patience=0), "patience must be a whole number >= 1, got 0"),
    "accumulate": (lambda: run(accumulate=1.5), "accumulate must be a whole number >= 1, got 1.5"),
    "checkpoint_every": (lambda: run(checkpoint_every=-1), "checkpoint_every must be a whole number >= 1"),
    "no folder": (lambda: run(checkpoint_every=5), "resume=True and checkpoint_every need out="),
    "resume without folder": (lambda: run(resume=True), "resume=True and checkpoint_every need out="),
    "monitor": (
        lambda: run(monitor="val_loss"),
        "monitor 'val_loss' is no column of this history: it has loss",
    ),
    "mode": (
        lambda: run(monitor="accuracy", metrics={"accuracy": metrics.accuracy}),
        """monitor 'accuracy' needs mode="min" or mode="max", what is good; got None""",
    ),
    "mode word": (lambda: run(mode="up"), "got 'up'"),
    "metric": (lambda: run(metrics={"loss": metrics.accuracy}), 'a metric cannot be called "loss"'),
    "schedule_by": (
        lambda: run(schedule_by="batch"),
        """schedule_by must be "epoch" or "step", got 'batch'""",
    ),
    "schedule": (
        lambda: run(schedule=0.1),
        "schedule is one of optim's or a function of the epoch, got a float",
    ),
    "other optimizer": (other_schedule, "the StepLR moves another optimizer than the one given"),
    "plateau": (plateau_by_step, "ReduceLROnPlateau watches epochs: leave schedule_by out"),
    "clip_norm": (lambda: run(clip_norm=0), "clip_norm must be a number > 0, got 0"),
    "clip_value": (lambda: run(clip_value=float("nan")), "clip_value must be a number > 0, got nan"),
    "class weights": (
        per_example(class_weights=[1, -1]),
        "class_weights must be numbers >= 0, one for each class, got [1, -1]",
    ),
    "class names": (per_example(class_weights={"cat": 1}), "a dict of class numbers and weights, got {'cat'"),
    "shares": (
        per_example(class_weights=[1.0], train=data.Loader(POINTS, np.eye(2, dtype=np.float32)[CLASSES])),
        "class weights are of classes 0 to 0, and the targets are shares of 2 classes",
    ),
    "fractions": (
        per_example(class_weights=[1.0, 2.0], train=data.Loader(POINTS, np.full(90, 0.5))),
        "class weights need class numbers as targets, got 0.5, ...",
    ),
    "classes": (per_example(class_weights=[1.0]), "class weights are of classes 0 to 0, and the targets are"),
    "zero weights": (per_example(class_weights=[0, 0]), "the weights of step 1 sum to 0: needs more than 0"),
    "mean loss": (lambda: run(class_weights=[1, 2]), 'make it with reduction="none"'),
    "no weights": (
        per_example(sample_weights=True),
        "a batch is (*inputs, target, weights) with weights (16,)",
    ),
    "time": (lambda: run(time_budget=-1), "time_budget must be a number > 0, got -1"),
    "no batch": (lambda: run(train=iter(())), "nothing to train on: the loader gives no batch"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_arguments_get_one_line(case):
    call, said = BAD[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)

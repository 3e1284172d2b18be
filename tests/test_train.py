"""nn.train: the loop, what it writes, and how it ends when something goes wrong; and nn.summary."""

import itertools
import json
import re
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from nn import data, metrics, train
from nn.summary import summary
from optim import SGD, Adam

RNG = np.random.default_rng(5)
POINTS = RNG.normal(size=(90, 2)).astype(np.float32)
CLASSES = (POINTS[:, 0] * POINTS[:, 1] > 0).astype(np.int64)  # XOR: no straight line separates them


def network():
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))


def batches(count=90, **options):
    options = {"batch_size": 16, "shuffle": True, "seed": 0} | options
    return data.Loader(POINTS[:count], CLASSES[:count], **options)


def run(model=None, epochs=3, loss=None, **options):
    model = model or network()
    optimizer = options.pop("optimizer", None) or Adam(model.parameters(), lr=0.02)
    loader = options.pop("train", None) or batches()
    options.setdefault("progress", False)
    return train.fit(model, loader, loss or nn.CrossEntropyLoss(), optimizer, epochs, **options)


def arrays(model):
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def unfinished(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".") or path.suffix == ".tmp"]


# ---- the loop


def test_fit_learns():
    model = network()
    history = run(model, 60, metrics={"accuracy": metrics.accuracy})
    assert history.rows[-1]["loss"] < 0.2 < history.rows[0]["loss"]
    assert metrics.accuracy(train.predict(model, POINTS), CLASSES) > 0.95


def test_fit_takes_the_same_steps_as_a_loop_of_ones_own():
    autograd.seed(1)
    mine, theirs = network(), network()
    theirs.load_state_dict(arrays(mine))
    run(theirs, 2, optimizer=SGD(theirs.parameters(), lr=0.1, momentum=0.9))

    optimizer, loader = SGD(mine.parameters(), lr=0.1, momentum=0.9), batches()
    for _ in range(2):
        for x, labels in loader:
            loss = nn.CrossEntropyLoss()(mine(Tensor(x)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert same(arrays(mine), arrays(theirs))


def test_history_has_a_row_for_each_epoch(tmp_path):
    history = run(epochs=2, metrics={"accuracy": metrics.accuracy}, validation=batches(30), out=tmp_path)
    names = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"]
    assert [list(row) for row in history.rows] == [names, names]
    assert history.monitor == "val_loss"
    assert train.History.load(tmp_path / "history.jsonl") == history
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_the_mean_counts_a_partial_batch_by_its_size():
    model = network()
    whole = train.evaluate(
        model, batches(batch_size=90), nn.CrossEntropyLoss(), {"accuracy": metrics.accuracy}
    )
    parts = train.evaluate(
        model, batches(batch_size=40), nn.CrossEntropyLoss(), {"accuracy": metrics.accuracy}
    )
    assert parts == pytest.approx(whole, rel=1e-6)
    frozen = run(model, 1, optimizer=SGD(model.parameters(), lr=0.0), train=batches(batch_size=40))
    assert frozen.rows[0]["loss"] == pytest.approx(whole["loss"], rel=1e-6)


def test_schedule_sets_the_learning_rate_of_each_epoch():
    history = run(epochs=3, schedule=lambda epoch: 0.2 / (1 + epoch))  # C2W2: alpha0 / (1 + decay * epoch)
    assert history.column("learning_rate") == pytest.approx([0.2, 0.1, 0.2 / 3])


@pytest.mark.parametrize("with_folder", [True, False])
def test_the_best_weights_stay_and_the_last_are_on_disk(tmp_path, with_folder):
    model = network()
    options = {"out": tmp_path} if with_folder else {}
    history = run(
        model, 4, validation=batches(), schedule=lambda epoch: 0.02 if epoch < 3 else 30.0, **options
    )
    assert history.best["epoch"] == 3
    kept = train.evaluate(model, batches(), nn.CrossEntropyLoss())["loss"]
    assert kept == pytest.approx(history.best["val_loss"], rel=1e-6)
    if with_folder:
        best, last = network(), network()
        nn.load_weights(best, tmp_path / "model.safetensors")
        nn.load_weights(last, tmp_path / "last.safetensors")
        assert same(arrays(best), arrays(model))
        assert not same(arrays(last), arrays(model))
        assert not unfinished(tmp_path)


def test_training_and_test_behaviour():
    model = nn.Sequential(nn.Linear(2, 50), nn.Dropout(0.5), nn.Linear(50, 2))
    model.train()
    model[1].eval()
    outputs = [train.predict(model, POINTS) for _ in range(2)]
    assert np.array_equal(*outputs)
    assert [module.training for module in model.modules()] == [True, True, False, True]
    run(model, 1, validation=batches())
    assert all(module.training for module in model.modules())


def test_predict_goes_in_batches():
    model = network()
    assert np.allclose(train.predict(model, POINTS, batch_size=7), train.predict(model, POINTS), atol=1e-6)


# ---- what goes wrong


def test_a_nan_loss_stops_and_names_the_step(tmp_path):
    model = network()
    run(model, 1, out=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = itertools.count(1)
    real = nn.CrossEntropyLoss()

    def loss(output, target):
        return real(output, target) * (float("nan") if next(calls) == 9 else 1.0)

    with pytest.raises(
        FloatingPointError, match=r"loss is nan at step 9 \(epoch 2, batch 3 of 6, learning rate 0\.02\)"
    ):
        run(model, 3, loss=loss, out=tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "checkpoint.safetensors",
        "history.jsonl",
        "last.safetensors",
        "model.safetensors",
    ]
    calls = itertools.count(9)
    with pytest.raises(FloatingPointError, match="at step 1 "):
        run(model, 3, loss=loss, out=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def presses_ctrl_c(at, times=1):
    """A loss during whose call number `at` Ctrl-C is pressed."""
    calls = itertools.count(1)
    real = nn.CrossEntropyLoss()

    def loss(output, target):
        if next(calls) == at:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return real(output, target)

    return loss


def test_ctrl_c_saves_and_ends(tmp_path, capsys):
    model = network()
    handler = signal.getsignal(signal.SIGINT)
    history = run(model, 5, loss=presses_ctrl_c(at=8), out=tmp_path)
    assert history.interrupted
    assert len(history.rows) == 1
    assert signal.getsignal(signal.SIGINT) is handler
    assert "stopping after this step" in capsys.readouterr().err
    best, last = network(), network()
    nn.load_weights(best, tmp_path / "model.safetensors")
    nn.load_weights(last, tmp_path / "last.safetensors")
    assert same(arrays(best), arrays(model))
    assert not same(arrays(best), arrays(last))


def test_ctrl_c_in_the_first_epoch_saves_what_there_is(tmp_path):
    model = network()
    history = run(model, 5, loss=presses_ctrl_c(at=2), out=tmp_path)
    assert history.interrupted
    assert history.best is None
    best = network()
    nn.load_weights(best, tmp_path / "model.safetensors")
    assert same(arrays(best), arrays(model))


def test_a_second_ctrl_c_stops_at_once():
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(loss=presses_ctrl_c(at=2, times=2))
    assert signal.getsignal(signal.SIGINT) is handler


def test_fit_runs_outside_the_main_thread():
    histories = []
    thread = threading.Thread(target=lambda: histories.append(run(epochs=1)))
    thread.start()
    thread.join()
    assert len(histories[0].rows) == 1


BAD_CALLS = {
    "epochs": (lambda: run(epochs=0), ValueError, "epochs must be a whole number >= 1, got 0"),
    "labels": (
        lambda: run(train=data.Loader(POINTS, CLASSES + 1)),
        ValueError,
        "0.*1.*got .*2",
    ),
    "columns": (
        lambda: run(train=data.Loader(POINTS[:, :1], CLASSES)),
        ValueError,
        r"^0: Linear needs 2 features, got 1",
    ),
    "(m, 1) against (m,)": (
        lambda: run(
            nn.Linear(2, 1), loss=nn.MSELoss(), train=data.Loader(POINTS, POINTS[:, 0], batch_size=90)
        ),
        ValueError,
        r"\(90, 1\).*\(90,\)|\(90,\).*\(90, 1\)",
    ),
    "no batch": (lambda: train.evaluate(network(), []), ValueError, "there is no batch"),
    "no input": (lambda: train.predict(network(), POINTS[:0]), ValueError, r"inputs of shape \(0, 2\)"),
    "no epoch": (lambda: train.save_curves(train.History(), "a.png"), ValueError, "no epoch was finished"),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_calls_say_what_is_wrong_in_one_line(case):
    call, kind, text = BAD_CALLS[case]
    with pytest.raises(kind, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="cannot write into the folder"):
        run(out=tmp_path / "file", loss=lambda output, target: pytest.fail("trained"))
    assert (tmp_path / "file").read_text() == "mine"


def test_files_are_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    with train.replacing(path) as temporary:
        temporary.write_text("old")
        assert temporary.suffix == ".txt"
    with pytest.raises(FileNotFoundError), train.replacing(path):
        Path("the disk/is full").write_text("half of the n")
    with pytest.raises(UnicodeEncodeError), train.replacing(path) as temporary:
        temporary.write_text("half of the n\udcff", encoding="utf-8")
    assert path.read_text() == "old"
    assert not unfinished(tmp_path)


@pytest.mark.parametrize("line", ["{", "[1]", '{"epoch": 1}'])
def test_a_foreign_history_names_the_line(tmp_path, line):
    (tmp_path / "history.jsonl").write_text('{"epoch": 1, "loss": 2.0}\n' + line + "\n")
    with pytest.raises(ValueError, match=r"history\.jsonl, line 2 is not"):
        train.History.load(tmp_path / "history.jsonl")


# ---- curves


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 1},
        {"epochs": 1, "metrics": {"accuracy": metrics.accuracy}, "validation": batches()},
        {"epochs": 5, "validation": batches(), "validate_every": 2},
    ],
)
def test_curves_are_a_picture(tmp_path, options):
    train.save_curves(run(**options), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert not unfinished(tmp_path)


def test_curves_without_matplotlib_name_the_pip_command(tmp_path, monkeypatch):
    for module in ("matplotlib", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"^matplotlib is not installed: pip install 'ngrad\[plots\]'$"):
        train.save_curves(train.History([{"epoch": 1, "loss": 1.0}]), tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


# ---- the layer table


class Residual(nn.Module):
    """Uses one layer twice, a product of its own parameter, and an op outside any layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding="same")
        self.scale = nn.Parameter(np.eye(4, dtype=np.float32))
        self.unused = nn.Linear(7, 3)

    def forward(self, x):
        return x + np.matmul(self.conv(self.conv(x)), self.scale)


def test_summary_counts_calls_shared_layers_and_own_parameters():
    model = Residual().train()
    model.conv.requires_grad_(False)
    before = arrays(model)
    table = summary(model, (2, 6, 5, 4))
    rows = {row.name: row for row in table.rows}
    assert rows["conv"].multiply_adds == 2 * (2 * 6 * 5) * 4 * (3 * 3 * 4)
    assert rows["conv"].parameters == 3 * 3 * 4 * 4 + 4
    assert rows["(itself)"].multiply_adds == (2 * 6 * 5) * 4 * 4
    assert rows["(itself)"].parameters == 16
    assert rows["(itself)"].shape == (2, 6, 5, 4)
    assert rows["unused"].parameters == 7 * 3 + 3
    assert rows["unused"].shape is None
    assert table.parameters == 148 + 16 + 24
    assert table.trainable == 16 + 24
    assert "frozen" in str(table)
    # the model is as before: frozen, in training mode, its forward its own
    assert same(before, arrays(model))
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == [
        "conv.weight",
        "conv.bias",
    ]
    assert all(module.training and "forward" not in vars(module) for module in model.modules())


def test_summary_of_the_course_dense_network():
    # C1W4: 12288-20-7-5-1 has 245,973 parameters (COURSE.md)
    sizes = [12288, 20, 7, 5, 1]
    model = nn.Sequential(*(nn.Linear(n, m) for n, m in itertools.pairwise(sizes)))
    table = summary(model, (1, 12288))
    assert table.parameters == 245_973
    assert table.multiply_adds == 12288 * 20 + 20 * 7 + 7 * 5 + 5 * 1
    assert [row.shape for row in table.rows] == [(1, n) for n in sizes[1:]]
    assert re.search(r"^total +Sequential +245,973 +245,940 +49.3 KB$", str(table), re.MULTILINE)


def test_summary_leaves_a_model_that_raises_as_it_was():
    model = Residual().train()
    with pytest.raises(ValueError, match="conv"):
        summary(model, (2, 6, 5, 3))
    assert all(module.training and "forward" not in vars(module) for module in model.modules())
    with pytest.raises(ValueError, match="summary needs an input"):
        summary(model)

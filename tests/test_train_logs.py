"""What `nn.train` writes for other programs: CSV, JSON lines, and events for TensorBoard."""

import csv
import json
import sys
import time

import numpy as np
import pytest

from nn import metrics, train
from tests.test_train_loop import batches, run


def test_csv_and_jsonl_logs(tmp_path):
    logs = [train.Log(tmp_path / "logs" / "a.csv"), train.Log(tmp_path / "b.jsonl")]
    history, _ = run(3, validation=batches(), validate_every=2, callbacks=logs)
    with (tmp_path / "logs" / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == history.column("loss")
    assert [row["val_loss"] == "" for row in rows] == [True, False, False]
    lines = (tmp_path / "b.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history.rows
    with pytest.raises(ValueError, match=r"Log writes a \.jsonl or \.csv, got 'a\.txt'"):
        train.Log("a.txt")
    with pytest.raises(ValueError, match=r"saved as \.jsonl or \.csv, got 'a\.txt'"):
        history.save(tmp_path / "a.txt")


def events(folder):
    """{tag: [(step, value)]} of all event files: records of a length, its CRC, an Event, its CRC."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        while whole:
            size = int.from_bytes(whole[:8], "little")
            event = Event.FromString(whole[12 : 12 + size])
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
            if event.HasField("session_log"):  # a resumed run: TensorBoard forgets what came after this step
                found = {tag: [p for p in row if p[0] < event.step] for tag, row in found.items()}
            whole = whole[16 + size :]
    return found


def test_tensorboard_logs(tmp_path):
    options = dict(metrics={"accuracy": metrics.accuracy}, validation=batches())
    history, _ = run(3, callbacks=[train.TensorBoard(tmp_path, every=4)], **options)
    seen = events(tmp_path)
    steps = [6, 12, 18]
    for tag, column in (
        ("loss/train", "loss"),
        ("loss/validation", "val_loss"),
        ("accuracy/train", "accuracy"),
        ("accuracy/validation", "val_accuracy"),
        ("learning_rate", "learning_rate"),
    ):
        assert [step for step, _ in seen[tag]] == steps
        np.testing.assert_allclose([v for _, v in seen[tag]], history.column(column), rtol=1e-6)
    assert [step for step, _ in seen["step/loss"]] == [4, 8, 12, 16]
    assert seen.keys() == {
        *("loss/train", "loss/validation", "accuracy/train", "accuracy/validation"),
        *("learning_rate", "step/loss"),
    }


def test_tensorboard_logs_of_a_resumed_run_have_each_step_once(tmp_path):
    class Bomb:
        def __init__(self, at):
            self.at = at

        def on_step_end(self, training):
            if training.step == self.at:
                raise ZeroDivisionError

    for at in (10, 0):
        board = train.TensorBoard(tmp_path / "events", every=1)
        options = dict(out=tmp_path / "out", resume=at == 0)
        if at:
            with pytest.raises(ZeroDivisionError):
                run(3, callbacks=[board, Bomb(at)], **options)
        else:
            run(3, callbacks=[board, Bomb(at)], **options)
        time.sleep(1.0)  # event files are named by the second, and read in that order
    assert [step for step, _ in events(tmp_path / "events")["step/loss"]] == list(range(1, 19))


def test_tensorboard_without_its_package_names_the_pip_command(tmp_path, monkeypatch):
    for module in ("tensorboardX", "tensorboardX.event_file_writer"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        ImportError, match=r"^tensorboardX is not installed: pip install 'ngrad\[tensorboard\]'$"
    ):
        train.TensorBoard(tmp_path)
    assert not list(tmp_path.iterdir())

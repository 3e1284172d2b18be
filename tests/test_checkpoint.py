"""Checkpoint files: what cannot be resumed is refused in one line that says what differs and the way out, and
whatever goes wrong, the last good checkpoint is still there."""

import json
import os
import shutil

import numpy as np
import pytest

import nn
import optim
from nn import data, train
from tests.survivor import POINTS, Average, same
from tests.test_resume import small


def edited(path):
    """One learning rate of it, as an editor would change it."""
    whole = path.read_bytes()
    assert b'\\"step\\": 12' in whole
    path.write_bytes(whole.replace(b'\\"step\\": 12', b'\\"step\\": 13'))


def bit_flipped(path):
    whole = bytearray(path.read_bytes())
    whole[-40] ^= 1
    path.write_bytes(bytes(whole))


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path):
    path.write_bytes(b"")


def only_weights(path):
    shutil.copy(path.with_name("model.safetensors"), path)


def newer(path):
    path.write_bytes(path.read_bytes().replace(b'"version":"1"', b'"version":"2"'))


def pickled(path):
    path.write_bytes(b"PK\x03\x04 a pickle in a zip file")


DAMAGES = {
    edited: "was changed after it was written: its SHA-256 is another",
    bit_flipped: "was changed after it was written: its SHA-256 is another",
    truncated: "is no safetensors file, or a truncated one",
    emptied: "is no safetensors file, or a truncated one",
    only_weights: "is no checkpoint: it holds weights, and nothing of how they were trained",
    newer: "is a checkpoint of version 2, and this ngrad reads 1",
    pickled: "is no safetensors file",
}


def trained(out, **more):
    _, args, options = small(out=out, **more)
    return train.fit(*args, **options)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_still_there(damage, tmp_path):
    trained(tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    damage(path)
    files = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    model, args, options = small(out=tmp_path, resume=True)
    weights = [p.numpy().copy() for p in model.parameters()]
    with pytest.raises(ValueError) as caught:
        train.fit(*args, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(str(path))
    assert DAMAGES[damage] in said
    assert "the one before it is whole: rename" in said
    assert same(weights, [p.numpy() for p in model.parameters()])
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == files
    # the way out works
    (tmp_path / "checkpoint-before.safetensors").rename(path)
    assert len(trained(tmp_path, resume=True).rows) == 3


def test_without_one_before_it_the_way_out_is_to_start_again(tmp_path):
    trained(tmp_path)
    (tmp_path / "checkpoint-before.safetensors").unlink()
    truncated(tmp_path / "checkpoint.safetensors")
    with pytest.raises(ValueError, match="; start again without resuming$"):
        trained(tmp_path, resume=True)
    with pytest.raises(FileNotFoundError, match="nothing to resume: no checkpoint at .*elsewhere"):
        trained(tmp_path, resume=tmp_path / "elsewhere" / "checkpoint.safetensors")


def other_run(**changes):
    """A run that differs from `small` in one thing."""
    model, (_, loader, loss, optimizer, epochs), options = small()
    model = changes.pop("model", model)
    optimizer = changes.pop("optimizer", optim.Adam)(model.parameters(), lr=0.01)
    return (model, changes.pop("train", loader), loss, optimizer, epochs), {**options, **changes}


def layers(*last, hidden=6, dtype=None):
    model = nn.Sequential(nn.Linear(2, hidden, bias=False), *last, nn.Linear(hidden, 2, bias=False))
    return model.to(dtype) if dtype else model


def with_schedule():
    args, options = other_run()
    return args, {**options, "schedule": optim.StepLR(args[3], 2)}


def with_average():
    args, options = other_run()
    return args, {**options, "callbacks": [Average(args[0])]}


def loader_of(examples, batch_size=16):
    return data.Loader(
        POINTS[:examples], np.zeros(examples, int), batch_size=batch_size, shuffle=True, seed=0
    )


FOREIGN = {
    "wider": (
        lambda: other_run(model=layers(nn.Tanh(), hidden=7)),
        "mis-shaped (0.weight: got (6, 2), needs (7, 2)",
    ),
    "deeper": (
        lambda: other_run(model=layers(nn.Tanh(), nn.Linear(6, 6))),
        "the weights do not fit Sequential",
    ),
    "activation": (
        lambda: other_run(model=layers(nn.ReLU())),
        "its model has (1): Tanh() where this Sequential has (1): ReLU()",
    ),
    "class": (lambda: other_run(model=nn.Linear(2, 2)), "it is of model Sequential, this one is Linear"),
    "dtype": (
        lambda: other_run(model=layers(nn.Tanh(), dtype=np.float64)),
        "0.weight is float32 in it, float64 in this Sequential",
    ),
    "optimizer": (lambda: other_run(optimizer=optim.AdamW), "it is of optimizer Adam, this one is AdamW"),
    "schedule": (with_schedule, "its schedule is none, this one is StepLR"),
    "callbacks": (with_average, "it has the state of 0 callbacks, now 1 have one"),
    "monitor": (
        lambda: other_run(validation=[(POINTS[:2], np.array([0, 1]))]),
        "its monitor is 'loss', now 'val_loss'",
    ),
    "batch size": (
        lambda: other_run(
            train=data.Loader(POINTS[:60], np.zeros(60, int), batch_size=20, shuffle=True, seed=0)
        ),
        "the Loader had batch_size=16, now batch_size=20",
    ),
    "data": (
        lambda: other_run(train=loader_of(150)),
        "the Loader had examples=60, now examples=150",
    ),
    "kind of data": (
        lambda: other_run(train=[(POINTS[:2], np.array([0, 1]))]),
        "its loader is Loader, this one is list",
    ),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_checkpoint_of_another_run_is_refused(case, tmp_path):
    trained(tmp_path)
    files = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    make, text = FOREIGN[case]
    args, options = make()
    weights = [p.numpy().copy() for p in args[0].parameters()]
    with pytest.raises(ValueError) as caught:
        train.fit(*args, out=tmp_path, resume=True, **options)
    said = str(caught.value)
    assert "does not fit this training: " in said
    assert text in said
    assert "\n" not in said
    assert "start again without resuming" in said
    assert same(weights, [p.numpy() for p in args[0].parameters()])
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == files


def test_what_a_checkpoint_cannot_hold_is_named(tmp_path):
    class Odd:
        def on_epoch_end(self, training):
            pass

        def state_dict(self):
            return {"seen": [1, {2, 3}]}

    with pytest.raises(TypeError, match=r"callbacks\.0\.state\.seen\.1 is a set"):
        trained(tmp_path, callbacks=[Odd()])


def test_checkpoints_hold_nested_things_as_they_are(tmp_path):
    path = tmp_path / "a.safetensors"
    state = {
        "numbers": [1, -2.5, True, None, float("inf"), 2**100, np.float32(0.1), np.int64(7)],
        "arrays": {"empty": np.zeros((0, 3)), "0-d": np.array(2.0), "odd": np.arange(6.0).reshape(2, 3).T},
        "types": [np.array([0, 1, 1], t) for t in ("i1", "u2", "i8", "f2", "f4", "f8", "?")],
        "text": 'é"\n',
    }
    train.write_checkpoint(path, state)
    back = train.read_checkpoint(path)
    assert same(back["arrays"], state["arrays"])
    assert same(back["types"], state["types"])
    assert back["numbers"] == [1, -2.5, True, None, float("inf"), 2**100, float(np.float32(0.1)), 7]
    assert back["text"] == state["text"]
    back["arrays"]["odd"][0] = 5  # it is the reader's own


# ---- disks that are full, read-only, or gone


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    """The kernel itself says that no space is left, to the write of the second epoch's checkpoint."""

    monkeypatch.setattr("nn.files.secrets.token_hex", lambda _: "0")  # which makes its name one of a kind

    class Full:
        def on_epoch_end(self, training):
            if training.epoch == 2:
                (tmp_path / f".checkpoint-{os.getpid()}-0.safetensors").symlink_to("/dev/full")

    with pytest.raises(
        OSError, match=r"cannot write: No space left on device: .*checkpoint\.safetensors"
    ) as e:
        trained(tmp_path, callbacks=[Full()])
    assert "\n" not in str(e.value)
    assert train.read_checkpoint(tmp_path / "checkpoint.safetensors")["place"]["epoch"] == 1
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_disappears_is_one_line(tmp_path):
    class Gone:
        def on_epoch_end(self, training):
            shutil.rmtree(tmp_path / "out")

    with pytest.raises(OSError, match="cannot write") as caught:
        trained(tmp_path / "out", callbacks=[Gone()])
    assert "\n" not in str(caught.value)


def test_what_a_killed_writer_left_is_swept_away(tmp_path):
    left = [".checkpoint-123-0a1b2c3d.safetensors", ".history-9-f1.jsonl", ".model-7-0a1b2c3d.safetensors"]
    mine = ["notes.tmp", ".checkpoint", "model-1.safetensors", ".history-of-mine.jsonl"]
    for name in [*left, *mine]:
        (tmp_path / name).write_text("half")
    trained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *mine,
        "model.safetensors",
        "last.safetensors",
        "history.jsonl",
        "checkpoint.safetensors",
        "checkpoint-before.safetensors",
    }


def test_a_checkpoint_of_ones_own_is_no_training(tmp_path):
    train.write_checkpoint(tmp_path / "checkpoint.safetensors", {"my": np.ones(3)})
    assert train.settings_of(tmp_path) == {}
    with pytest.raises(ValueError, match="is of no training by fit: it has no 'model'; start again without"):
        trained(tmp_path, resume=True)


def test_a_checkpoint_alone_is_enough(tmp_path):
    trained(tmp_path / "here")
    (tmp_path / "there").mkdir()
    shutil.copy(tmp_path / "here" / "checkpoint.safetensors", tmp_path / "there")
    trained(tmp_path / "there", resume=True)
    for name in ("model.safetensors", "history.jsonl"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_resumed_history_is_cut_back_to_the_checkpoint(tmp_path):
    trained(tmp_path)
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 4, "loss": 0.0}) + "\n")
    trained(tmp_path, resume=True)
    assert train.History.load(tmp_path / "history.jsonl").column("epoch") == [1, 2, 3]

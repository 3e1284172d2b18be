"""`python -m nn`: what a person types, and what wrong input gets: status 2, one line, no traceback, nothing
damaged."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nn
from nn import data
from nn.__main__ import main
from nn.models import LeNet5

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with LeNet-5 after two epochs, and a picture of a digit; and what the training printed."""
    folder = tmp_path_factory.mktemp("lenet")
    done = python("-m", "nn", "train", "lenet", "--epochs", "2", "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    image = 255 * (1 - data.load_digits(200)[0][0, :, :, 0])
    Image.fromarray(np.pad(image, 30, constant_values=255).astype(np.uint8)).save(folder / "zero.png")
    return folder, done.stdout


def python(*arguments, cwd=None, timeout=None, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **environment}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
        env=environment,
    )


def test_help_shows_every_command_and_examples():
    done = python("-m", "nn", "--help")
    assert done.returncode == 0
    for word in ("list", "train", "predict", "eval", "draw", "summary", "python -m nn train lenet"):
        assert word in done.stdout


@pytest.mark.parametrize("command", ["train", "predict", "eval", "draw", "summary", "list"])
def test_each_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"python -m nn {command}" in capsys.readouterr().out


def test_list_and_summary(capsys):
    assert main(["list"]) == 0
    assert re.search(r"lenet +lenet\.py +61,706 +416,520", capsys.readouterr().out)
    assert main(["summary", "lenet"]) == 0
    out = capsys.readouterr().out
    assert "(1, 10, 10, 16)" in out
    assert "61,706" in out
    assert "416,520" in out


def test_train_writes_and_prints_what_it_promises(trained):
    folder, out = trained
    names = {path.name for path in (folder / "out").iterdir()}
    pictures = {"graph.svg", "curves.png"}
    states = {f"{name}.safetensors" for name in ("model", "last", "checkpoint", "checkpoint-before")}
    assert names == {*states, *pictures, "history.jsonl"}
    for text in ("61,706", "416,520", "epoch 2/2", "held-out accuracy", "of 359"):
        assert text in out
    drawn = (folder / "out" / "graph.svg").read_text()
    for text in (
        "<svg",
        "conv2d",
        "max_pool2d",
        "softmax_cross_entropy",
        "(32, 28, 28, 6)",
        "images",
        "features.0.weight",
    ):
        assert text in drawn
    rows = [json.loads(line) for line in (folder / "out" / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    Image.open(folder / "out" / "curves.png").verify()


def test_eval_counts_the_held_out_fifth(trained, capsys):
    folder, printed = trained
    assert main(["eval", "lenet", "--out", str(folder / "out")]) == 0
    out = capsys.readouterr().out
    reached = next(line for line in printed.splitlines() if line.startswith("held-out accuracy"))
    assert out.split(",")[0] == reached.split(",")[0]
    counts = [int(c) for line in out.splitlines()[4:] for c in line.split()[1:] if c != "."]
    assert sum(counts) == 359


def test_predict_reads_a_picture_and_says_what_it_did(trained, capsys):
    folder, _ = trained
    assert main(["predict", "lenet", str(folder / "zero.png"), "--out", str(folder / "out")]) == 0
    out = capsys.readouterr().out
    for text in ("260x260 pixels", "dark on light: inverted", "cropped to", "this is a 0"):
        assert text in out
    shares = [float(line.split()[1].rstrip("%")) for line in out.splitlines()[-10:]]
    assert sum(shares) == pytest.approx(100, abs=1)


@pytest.mark.parametrize("ending", ["svg", "dot", "png"])
def test_draw(tmp_path, capsys, ending):
    file = tmp_path / "new" / f"graph.{ending}"
    assert main(["draw", "lenet", str(file)]) == 0
    assert str(file) in capsys.readouterr().out
    assert file.stat().st_size > 1000


# ---- bad input

BAD_ARGUMENTS = {
    "no command": ([], "required: COMMAND"),
    "unknown command": (["trane", "lenet"], "invalid choice: 'trane'"),
    "no name": (["train"], "required: NAME"),
    "seed": (["train", "lenet", "--seed", "x"], "argument --seed: needs a whole number >= 0, got 'x'"),
    "epochs": (["train", "lenet", "--epochs", "0"], "needs a whole number >= 1, got '0'"),
    "batch size": (["train", "lenet", "--batch-size", "-3"], "--batch-size"),
    "learning rate": (["train", "lenet", "--lr", "nan"], "needs a number > 0, got 'nan'"),
    "checkpoint every": (["train", "lenet", "--checkpoint-every", "0"], "needs a whole number >= 1, got '0'"),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_arguments_get_one_line(case, capsys):
    arguments, text = BAD_ARGUMENTS[case]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    one_line(capsys.readouterr().err, text)


def one_line(err, text):
    assert text in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


BAD_NAMES = {
    "train": (["train", "lenett"], "'lenett': did you mean 'lenet'?"),
    "train far": (["train", "xyz"], ", lenet"),
    "predict": (["predict", "xyz", "a.png"], "nothing to train is called 'xyz'"),
    "eval": (["eval", "xyz"], "'xyz'"),
    "draw": (["draw", "lenett"], "did you mean 'lenet'?"),
    "summary": (["summary", "xyz"], "no model is called 'xyz'"),
    "predict before train": (["predict", "lenet", "a.png"], "run `python -m nn train lenet` first"),
    "eval before train": (["eval", "lenet"], "run `python -m nn train lenet` first"),
    "draw ending": (["draw", "lenet", "graph.doc"], "must end in"),
    "out is a file": (["train", "lenet", "--out", "file"], "cannot write into the folder file"),
    "out in a file": (["train", "lenet", "--out", "file/lenet"], "cannot write into the folder file/lenet"),
}


@pytest.mark.parametrize("case", BAD_NAMES)
def test_bad_names_and_places_get_one_line(case, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    arguments, text = BAD_NAMES[case]
    assert main(arguments) == 2
    one_line(capsys.readouterr().err, text)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_pictures_that_cannot_be_read_get_one_line(trained, capsys, tmp_path):
    folder, _ = trained
    whole = (folder / "zero.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("a seven")
    Image.new("RGB", (30, 20), "white").save(tmp_path / "blank.png")
    cases = {
        "missing.png": "no such file",
        "cut.png": "damaged or cut short",
        "text.png": "is not an image file",
        "blank.png": "blank.png: the picture shows no digit",
        ".": "is a folder",
    }
    for name, text in cases.items():
        assert main(["predict", "lenet", str(tmp_path / name), "--out", str(folder / "out")]) == 2
        one_line(capsys.readouterr().err, text)


def truncated(path):
    path.write_bytes(path.read_bytes()[:5000])


def foreign(path):
    path.write_bytes(b"PK\x03\x04 a pickle in a zip file")


def another_models(path):
    nn.save_weights(LeNet5(num_classes=7), path)


def fewer_layers(path):
    nn.save_weights(LeNet5().features, path)


BAD_WEIGHTS = {
    truncated: "truncated",
    foreign: "is no safetensors file",
    another_models: "2 mis-shaped (classifier.5.weight: got (7, 84), needs (10, 84)",
    fewer_layers: "10 missing (features.0.weight",
}


@pytest.mark.parametrize("damage", BAD_WEIGHTS, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("command", ["eval", "predict"])
def test_bad_weights_get_one_line_and_stay_as_they_are(trained, capsys, tmp_path, damage, command):
    folder, _ = trained
    weights = tmp_path / "model.safetensors"
    weights.write_bytes((folder / "out" / "model.safetensors").read_bytes())
    damage(weights)
    before = weights.read_bytes()
    file = [str(folder / "zero.png")] if command == "predict" else []
    assert main([command, "lenet", *file, "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    one_line(err, BAD_WEIGHTS[damage])
    assert "model.safetensors" in err
    assert weights.read_bytes() == before


def test_a_loss_that_explodes_gets_one_line_and_damages_nothing(trained, capsys, tmp_path):
    folder, _ = trained
    weights = tmp_path / "model.safetensors"
    weights.write_bytes((folder / "out" / "model.safetensors").read_bytes())
    before = weights.read_bytes()
    with np.errstate(all="ignore"):
        assert main(["train", "lenet", "--lr", "1e30", "--quiet", "--out", str(tmp_path)]) == 2
    one_line(capsys.readouterr().err, "python -m nn train: the loss is ")
    assert weights.read_bytes() == before


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({missing}))
from nn.__main__ import main
sys.exit(main({arguments}))
"""


def python_without(missing, arguments, folder):
    """Runs a command where these packages, and every program, seem not to be installed."""
    code = WITHOUT.format(missing=missing, arguments=arguments)
    done = python("-c", code, cwd=folder, PATH="")
    told = done.stderr.splitlines(keepends=True)  # what is new is compiled, and said
    done.stderr = "".join(line for line in told if not line.startswith("ngrad: compiling kernels"))
    return done


@pytest.mark.parametrize(
    ("missing", "arguments", "text"),
    [
        (
            "sklearn",
            ["train", "lenet", "--out", "new"],
            "sklearn is not installed: pip install 'ngrad[data]'",
        ),
        (
            "PIL",
            ["predict", "lenet", "zero.png", "--out", "out"],
            "PIL is not installed: pip install 'ngrad[data]'",
        ),
        (
            "skimage",
            ["predict", "lenet", "zero.png", "--out", "out"],
            "skimage is not installed: pip install 'ngrad[data]'",
        ),
        ("pygraphviz", ["draw", "lenet", "new.svg"], "pip install 'ngrad[draw]'"),
    ],
)
def test_a_missing_extra_gets_one_line_with_the_pip_command(trained, missing, arguments, text):
    folder, _ = trained
    done = python_without([missing], arguments, folder)
    assert done.returncode == 2, done.stderr
    one_line(done.stderr, text)
    assert not (folder / "new.svg").exists()


def test_training_does_without_pictures_when_their_extras_are_missing(tmp_path):
    missing = ["matplotlib", "pygraphviz"]
    done = python_without(missing, ["train", "lenet", "--epochs", "1", "--out", "."], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "curves.png is left out: matplotlib is not installed: pip install 'ngrad[plots]'" in done.stdout
    assert "pip install 'ngrad[draw]'" in done.stdout
    assert (tmp_path / "model.safetensors").is_file()
    assert not (tmp_path / "curves.png").exists()


CTRL_C = """
import _thread, pathlib, sys, threading, time
from nn.__main__ import main

def press():
    while not pathlib.Path("model.safetensors").exists():
        time.sleep(0.05)
    _thread.interrupt_main()

threading.Thread(target=press, daemon=True).start()
sys.exit(main(["train", "lenet", "--epochs", "10000", "--out", "."]))
"""


@pytest.mark.slow
def test_ctrl_c_saves_and_ends_cleanly(tmp_path):
    done = python("-c", CTRL_C, cwd=tmp_path, timeout=300)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert "what was reached is saved: python -m nn train lenet --out . --resume" in done.stderr
    assert "held-out accuracy" in done.stdout
    for name in ("model", "last"):
        nn.load_weights(LeNet5(), tmp_path / f"{name}.safetensors")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]

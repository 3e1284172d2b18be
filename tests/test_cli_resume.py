"""`python -m nn train NAME --resume`: runs that were killed go on, and what stands in their way gets
status 2, one line, and damages nothing."""

import inspect
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from nn import recipes, train
from nn.__main__ import main
from tests.test_cli import one_line, python, truncated

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with LeNet-5 after two epochs."""
    folder = tmp_path_factory.mktemp("lenet") / "out"
    assert main(["train", "lenet", "--epochs", "2", "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_takes_the_options_of_the_command(name):
    parameters = inspect.signature(recipes.load(name).train).parameters
    options = ["seed", "epochs", "batch_size", "learning_rate", "checkpoint_every", "resume", "quiet"]
    assert set(options) <= parameters.keys()
    assert parameters["resume"].default is parameters["quiet"].default is False
    assert parameters["checkpoint_every"].default is None


def weights_and_rows(folder):
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for row in rows:
        del row["seconds"]
    return [rows, *((folder / f"{name}.safetensors").read_bytes() for name in ("model", "last"))]


KILLED_AT = """
import os, signal, sys
from nn.__main__ import main
from nn.train import checkpoint

replaced, count = os.replace, [0]

def replace(source, target):
    replaced(source, target)
    count[0] += str(target).endswith("checkpoint.safetensors")
    if count[0] == {saves}:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = replace
sys.exit(main(["train", "lenet", "--out", ".", *{options}]))
"""


def test_a_killed_run_is_resumed_as_if_it_had_never_stopped(tmp_path, capsys):
    options = ["--epochs", "2", "--batch-size", "64", "--seed", "4", "--lr", "0.003", "--quiet"]
    assert main(["train", "lenet", "--out", str(tmp_path / "whole"), *options]) == 0
    (tmp_path / "halves").mkdir()
    code = KILLED_AT.format(saves=5, options=[*options, "--checkpoint-every", "7"])
    assert python("-c", code, cwd=tmp_path / "halves").returncode == -9
    assert main(["train", "lenet", "--out", str(tmp_path / "halves"), "--resume"]) == 0
    assert "resumed after epoch 1 and 7 batches of the next" in capsys.readouterr().out
    assert weights_and_rows(tmp_path / "halves") == weights_and_rows(tmp_path / "whole")


def checkpoint_truncated(folder):
    truncated(folder / "checkpoint.safetensors")


def checkpoint_edited(folder):
    path = folder / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes().replace(b'\\"epoch\\": 2', b'\\"epoch\\": 1', 1))


def checkpoint_of_another_model(folder):
    train.write_checkpoint(folder / "checkpoint.safetensors", {"settings": {"recipe": "vgg"}})


def weights_as_checkpoint(folder):
    shutil.copy(folder / "model.safetensors", folder / "checkpoint.safetensors")


def other_optimizer(folder):
    state = train.read_checkpoint(folder / "checkpoint.safetensors")
    state["optimizer"]["kind"] = "SGD"
    train.write_checkpoint(folder / "checkpoint.safetensors", state)


def other_architecture(folder):
    state = train.read_checkpoint(folder / "checkpoint.safetensors")
    del state["model"]["weights"]["classifier.5.bias"]
    train.write_checkpoint(folder / "checkpoint.safetensors", state)


BAD_CHECKPOINTS = {
    checkpoint_truncated: "is no safetensors file, or a truncated one",
    checkpoint_edited: "was changed after it was written",
    checkpoint_of_another_model: "is of a run of vgg: --out names another folder",
    weights_as_checkpoint: "is no checkpoint: it holds weights",
    other_optimizer: "it is of optimizer SGD, this one is Adam; the one before it is whole: rename",
    other_architecture: "1 missing (classifier.5.bias)",
}


@pytest.mark.parametrize("damage", BAD_CHECKPOINTS, ids=lambda damage: damage.__name__)
def test_a_checkpoint_that_cannot_be_resumed_gets_one_line(trained, capsys, tmp_path, damage):
    shutil.copytree(trained, tmp_path / "out")
    damage(tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    command = ["train", "lenet", "--resume", "--quiet", "--epochs", "3", "--out", str(tmp_path / "out")]
    assert main(command) == 2
    one_line(capsys.readouterr().err, BAD_CHECKPOINTS[damage])
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {**after, "graph.svg": b""} == {**before, "graph.svg": b""}


def test_resume_with_nothing_there_or_other_options_gets_one_line(trained, capsys, tmp_path):
    out = str(trained)
    for arguments, text in (
        (["--out", str(tmp_path / "new")], "nothing to resume: no checkpoint at"),
        (
            ["--out", out, "--seed", "5"],
            "has --seed 0, not 5: leave --seed out to resume it, or leave --resume",
        ),
        (["--out", out, "--batch-size", "8"], "has --batch-size 32, not 8"),
        (["--out", out, "--lr", "1"], "has --learning-rate 0.002, not 1.0"),
    ):
        assert main(["train", "lenet", "--resume", *arguments]) == 2
        one_line(capsys.readouterr().err, text)
    assert not (tmp_path / "new").exists()


FULL_DISK = """
import resource, sys
from nn.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
sys.exit(main(["train", "lenet", "--quiet", "--out", *{arguments}]))
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of processes are POSIX's")
@pytest.mark.parametrize("most", [500_000, 240_000])
def test_a_full_disk_gets_one_line_and_the_last_checkpoint_stays(trained, tmp_path, most):
    shutil.copytree(trained, tmp_path / "out")
    path = tmp_path / "out" / "checkpoint.safetensors"
    before, weights = path.read_bytes(), (tmp_path / "out" / "model.safetensors").read_bytes()
    arguments = [str(tmp_path / "out"), "--resume", "--epochs", "3"]
    done = python("-c", FULL_DISK.format(most=most, arguments=arguments))
    assert done.returncode == 2, done.stderr
    said = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith("Fontconfig")]
    one_line("".join(said), "cannot write: File too large")
    assert path.read_bytes() == before
    assert most == 500_000 or (tmp_path / "out" / "model.safetensors").read_bytes() == weights
    assert not [p.name for p in path.parent.iterdir() if p.name.startswith(".") or ".tmp" in p.name]
    assert main(["train", "lenet", "--quiet", "--out", *arguments]) == 0


READ_ONLY = """
import os, sys
from nn.__main__ import main
import nn.recipes.lenet
if os.getuid() == 0:  # may write anywhere
    os.setresuid(65534, 65534, 65534)
sys.exit(main(["train", "lenet", "--quiet", "--out", *{arguments}]))
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions of folders are POSIX's")
@pytest.mark.parametrize("resume", [[], ["--resume", "--epochs", "3"]])
def test_a_read_only_folder_gets_one_line(trained, resume):
    with tempfile.TemporaryDirectory() as place:  # where nobody may look, unlike in tmp_path
        out = Path(place) / "out"
        shutil.copytree(trained, out)
        before = {path.name: path.read_bytes() for path in out.iterdir()}
        for folder in (out, Path(place)):
            folder.chmod(0o555)
        try:
            done = python("-c", READ_ONLY.format(arguments=[str(out), *resume]))
        finally:
            for folder in (Path(place), out):
                folder.chmod(0o700)
        assert done.returncode == 2, done.stderr
        one_line(done.stderr, f"cannot write into the folder {out}: Permission denied")
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before

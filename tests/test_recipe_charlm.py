"""The recipe that writes like a manual: what is held out, what it counts, what it writes. On a part of its
text, with less than a minute's training left out."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from nn.__main__ import main
from nn.data.texts import load_topics, split_texts, windows
from nn.models import LanguageModel
from nn.recipes import charlm
from nn.text import NGram, Vocabulary
from nn.train import fit


def test_topics_are_there():
    topics = load_topics()
    assert len(topics) >= 79 and list(topics) == sorted(topics)
    assert sum(map(len, topics.values())) > 400_000
    assert "context manager" in topics["with"]


def test_held_out_topics_are_whole_and_nobodys_else():
    topics = load_topics()
    rest, held = split_texts(topics, 0.1, 0)
    assert not set(rest) & set(held) and {**rest, **held} == topics
    share = sum(map(len, held.values())) / sum(map(len, topics.values()))
    assert 0.1 <= share < 0.2
    parts = charlm.texts()
    assert parts[2] == "".join(held.values())
    assert sum(map(len, parts)) == sum(map(len, topics.values()))
    with pytest.raises(ValueError, match=r"held_out=0.9 of 1 texts leaves 0 and 1"):
        split_texts({"one": "text"}, 0.9, 0)


def test_windows():
    x, y = windows(np.arange(11), 3)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert y.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert windows(np.arange(10), 3)[0].shape == (3, 3)
    with pytest.raises(ValueError, match="a text of 3 tokens has no window of 3 and the one behind"):
        windows(np.arange(3), 3)


def test_bits_are_those_of_each_step():
    model = LanguageModel(5, 8, cell="gru").eval()
    numbers = np.random.default_rng(0).integers(0, 5, 9)
    total, state = 0.0, None
    for now, following in zip(numbers, numbers[1:]):
        log_probs, state = model.step(np.array([now]), state)
        total -= log_probs[0, following] / math.log(2)
    assert charlm.bits(model, numbers) == pytest.approx(total / 8, rel=1e-5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder after two epochs on an eighth of the text, the History and the held-out bits."""
    folder = tmp_path_factory.mktemp("charlm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charlm, "load_topics", part)
        yield folder, *charlm.train(folder, epochs=2, quiet=True)


def part():
    topics = load_topics()
    return {name: topics[name][:4000] for name in list(topics)[::4]}


@pytest.mark.slow
def test_writes_what_it_promises(trained):
    folder, history, reached = trained
    assert {path.name for path in folder.iterdir()} >= set(charlm.FILES)
    Image.open(folder / "curves.png").verify()
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[1]["val_loss"] < rows[0]["val_loss"] < math.log(100)
    samples = (folder / "samples.txt").read_text()
    assert samples.count("---- temperature") == 3 and len(samples) > 900
    words = Vocabulary(json.loads((folder / "vocabulary.json").read_text()), charlm.UNKNOWN)
    held = words.encode(charlm.texts()[2])
    letters = NGram(1, len(words)).fit(words.encode(charlm.texts()[0]))
    assert reached < -letters.log_probs(held).mean() / math.log(2) - 0.5


@pytest.mark.slow
def test_eval_says_the_same_and_what_counting_reaches(trained, capsys):
    folder, _, reached = trained
    assert main(["eval", "charlm", "--out", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"held-out bits per character {reached:.3f}"
    assert (
        lines[1].endswith(tuple("0123456789")) and "-gram model, the best of its kind on them: " in lines[1]
    )
    table = [line.split() for line in lines[4:]]
    held = split_texts(part(), 0.1, charlm.SPLIT)[1]
    assert [row[0] for row in table] == list(held)
    mean = np.average([float(row[2]) for row in table], weights=[len(text) for text in held.values()])
    assert mean == pytest.approx(reached, abs=0.1)  # each topic read from its start


@pytest.mark.slow
def test_predict_reads_and_writes_on(trained, tmp_path, capsys):
    folder, _, _ = trained
    (tmp_path / "text.txt").write_text('The "with" statement \u4e2d is\n')
    assert main(["predict", "charlm", str(tmp_path / "text.txt"), "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "26 characters, 1 of them unknown" in out
    assert len(out.partition("|")[2]) > 390
    for content, message in ((b"x", "a text of 1 characters"), (b"\xff\xfe\x00", "is no text in UTF-8")):
        (tmp_path / "other").write_bytes(content)
        assert main(["predict", "charlm", str(tmp_path / "other"), "--out", str(folder)]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(trained, tmp_path, monkeypatch):
    folder, _, reached = trained

    class Stop(Exception):
        pass

    def stopped(model, path, *args, **kwargs):
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(charlm, "load_weights", stopped)  # behind the training, before all else
        patch.setattr(charlm, "fit", lambda *args, **more: fit_until_step_20(*args, **more))
        with pytest.raises(Stop):
            charlm.train(tmp_path, epochs=2, quiet=True)
    _, again = charlm.train(tmp_path, epochs=2, quiet=True, resume=True)
    assert again == reached
    assert (tmp_path / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def fit_until_step_20(*args, **more):
    class Until:
        def on_step_end(self, training):
            if training.step == 20:
                training.stop("interrupted")

    return fit(*args, callbacks=[Until()], **more)


def test_without_a_trained_network(tmp_path, capsys):
    assert main(["eval", "charlm", "--out", str(tmp_path)]) == 2
    assert f"run `python -m nn train charlm --out {tmp_path}` first" in capsys.readouterr().err

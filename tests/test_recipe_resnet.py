"""The residual network on photographs: its data, its three commands, and that it beats a softmax
regression."""

import json

import numpy as np
import pytest
from PIL import Image

from nn import data
from nn.__main__ import main
from nn.data.photos import PHOTOS, load_photo, photo_squares, tiles
from nn.recipes import resnet


def test_tiles_are_the_picture_without_overlap():
    picture = np.arange(7 * 11 * 3).reshape(7, 11, 3)
    cut = tiles(picture, 3)
    assert cut.shape == (6, 3, 3, 3)
    assert np.array_equal(cut[0], picture[:3, :3])
    assert np.array_equal(cut[1], picture[:3, 3:6])
    assert np.array_equal(cut[5], picture[3:6, 6:9])
    with pytest.raises(ValueError, match="a picture of 11x7 pixels has no square of 8x8"):
        tiles(picture, 8)


def test_sixteen_photos_are_there():
    squares, labels = photo_squares(64, 64, 0)
    again = photo_squares(64, 64, 0)
    assert np.array_equal(squares, again[0]) and np.array_equal(labels, again[1])
    assert squares.dtype == np.uint8 and squares.shape[1:] == (64, 64, 3)
    counts = np.bincount(labels, minlength=16)
    assert len(counts) == len(PHOTOS) == 16
    assert counts.min() == 24 and counts.max() == 64  # coins has 384x303 pixels
    cat = np.round(255 * load_photo("cat")).astype(np.uint8)
    assert np.array_equal(squares[labels == list(PHOTOS).index("cat")][0], cat[:64, :64])


def test_held_out_windows_are_of_squares_that_nobody_trains_on():
    training, validation, held = resnet.windows()
    assert [len(labels) for _, labels in (training, validation, held)] == [2668, 296, 740]
    squares = training[0][:: resnet.WINDOWS]
    learned = {tile.tobytes() for tile in resnet._scaled(np.concatenate([tiles(s, 32) for s in squares]))}
    flat = {tile.tobytes() for tile in held[0] if tile.max() < -0.98}  # the black around the retina
    both = learned & {tile.tobytes() for tile in held[0]}
    assert both <= flat
    assert len(set(held[1])) == 16


def test_windows_are_parts_of_their_squares():
    squares = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), np.uint8)
    cut = resnet._windowed(np.repeat(squares, 50, axis=0), np.random.default_rng(0))
    assert cut.shape == (100, 32, 32, 3) and cut.dtype == np.float32
    assert -1 <= cut.min() and cut.max() <= 1
    pixels = np.round((cut[0] + 1) * 127.5).astype(np.uint8)
    views = np.lib.stride_tricks.sliding_window_view(squares[0], (32, 32), axis=(0, 1))
    views = np.moveaxis(views, 2, -1).reshape(-1, 32, 32, 3)
    assert any(((views == p).all(axis=(1, 2, 3))).any() for p in (pixels, pixels[:, ::-1]))
    assert len({tile.tobytes() for tile in cut[:50]}) > 45


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder after three epochs, the History and the held-out accuracy."""
    folder = tmp_path_factory.mktemp("resnet")
    return folder, *resnet.train(folder, epochs=3, quiet=True)


@pytest.mark.slow
def test_beats_a_softmax_regression(trained, capsys):
    """After 3 of 16 epochs already; the regression stays near a third."""
    folder, history, reached = trained
    assert main(["eval", "resnet", "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"held-out accuracy {reached:.2%}" in out
    baseline = float(out.split("softmax regression on the same pixels: ")[1].split("%")[0]) / 100
    assert 0.25 < baseline < 0.45
    assert reached > baseline + 0.2
    table = [line.split() for line in out.splitlines()[4:]]
    assert [row[0] for row in table] == list(PHOTOS)
    assert sum(int(row[1]) for row in table) == 740
    right = sum(round(int(row[1]) * float(row[2].rstrip("%")) / 100) for row in table)
    assert right == round(reached * 740)
    assert len(history.rows) == 3


@pytest.mark.slow
def test_writes_what_it_promises(trained):
    folder, _, _ = trained
    assert {path.name for path in folder.iterdir()} >= set(resnet.FILES)
    for name in ("predictions.png", "curves.png"):
        Image.open(folder / name).verify()
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]


@pytest.mark.slow
def test_predict_says_which_photo_a_picture_is_like(trained, tmp_path, capsys):
    folder, _, _ = trained
    Image.fromarray(np.round(255 * load_photo("moon")).astype(np.uint8)).save(tmp_path / "moon.png")
    assert main(["predict", "resnet", str(tmp_path / "moon.png"), "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "512x512 pixels, 256 windows of 32x32" in out
    assert "most like moon" in out
    Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(tmp_path / "small.png")
    assert main(["predict", "resnet", str(tmp_path / "small.png"), "--out", str(folder)]) == 2
    assert "40x20 pixels has no square of 32x32" in capsys.readouterr().err


def test_without_a_trained_network(tmp_path, capsys):
    assert main(["eval", "resnet", "--out", str(tmp_path)]) == 2
    assert f"run `python -m nn train resnet --out {tmp_path}` first" in capsys.readouterr().err


def test_grey_photos_have_three_equal_channels():
    moon = load_photo("moon")
    assert moon.shape == (512, 512, 3)
    assert np.array_equal(moon[..., 0], moon[..., 2])
    assert data.grey(moon).shape == (512, 512)

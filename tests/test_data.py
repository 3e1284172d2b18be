"""nn.data and nn.metrics: batches, the held-out part, real digits, a person's pictures, and what bad input
gets."""

import itertools
import json
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets
from sklearn import metrics as peer

from nn import data, metrics


def loader(m=10, **options):
    return data.Loader(np.arange(m), np.arange(m) * 10, **options)


# ---- batches


def test_batches_hold_every_example_once_and_end_with_a_partial_one():
    batches = list(loader(10, batch_size=4))
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    assert np.array_equal(np.concatenate([x for x, _ in batches]), np.arange(10))
    assert all(np.array_equal(y, 10 * x) for x, y in batches)
    assert len(loader(10, batch_size=4)) == 3
    assert len(loader(8, batch_size=4)) == 2


def test_drop_last_leaves_the_partial_batch_out():
    assert [len(x) for x, _ in loader(10, batch_size=4, drop_last=True)] == [4, 4]


def test_shuffling_is_new_in_every_pass_and_the_seed_repeats_it():
    first, again = loader(50, shuffle=True, seed=3), loader(50, shuffle=True, seed=3)
    passes = [np.concatenate([x for x, _ in first]) for _ in range(2)]
    assert not np.array_equal(*passes)
    assert all(np.array_equal(np.sort(order), np.arange(50)) for order in passes)
    assert all(np.array_equal(order, np.concatenate([x for x, _ in again])) for order in passes)


def test_a_generator_is_drawn_from():
    orders = [
        next(iter(loader(50, shuffle=True, batch_size=50, seed=np.random.default_rng(3))))[0] for _ in "ab"
    ]
    assert np.array_equal(*orders)


def test_transform_changes_the_inputs_only():
    x, y = next(iter(loader(4, seed=0, transform=lambda x, rng: -x)))
    assert np.array_equal(x, [0, -1, -2, -3])
    assert np.array_equal(y, [0, 10, 20, 30])


def noisy(images, rng):
    return images + rng.normal(size=images.shape)


@pytest.mark.parametrize("options", [{}, {"shuffle": True, "seed": 3}, {"transform": noisy, "seed": 3}])
@pytest.mark.parametrize("done", [0, 2, 4])
def test_a_pass_goes_on_from_its_state(options, done):
    """Others may draw from the same generator on the way, as dropout does."""
    whole, halves = loader(batch_size=3, **options), loader(batch_size=3, **options)

    def taken(loader, count):
        batches = []
        for batch in itertools.islice(loader, count):
            batches.append(batch)
            if loader.rng:
                loader.rng.random()
        return batches

    wanted = [taken(whole, 9), taken(whole, 9), taken(whole, 9)]
    first = taken(halves, 9)
    second = taken(halves, done)
    state = json.loads(json.dumps(halves.state_dict()))
    assert state["done"] == done
    fresh = loader(batch_size=3, **options)
    fresh.load_state_dict(state)
    assert fresh.state_dict() == state
    got = [first, second + taken(fresh, 9), taken(fresh, 9)]
    for one, other in zip(got, wanted):
        assert len(one) == len(other) == 4
        assert all(np.array_equal(a, b) for x, y in zip(one, other) for a, b in zip(x, y))


def test_a_state_of_other_batches_is_refused():
    state = loader(batch_size=3, shuffle=True, seed=0).state_dict()
    for other, text in (
        (loader(batch_size=4, shuffle=True, seed=0), "the Loader had batch_size=3, now batch_size=4"),
        (loader(9, batch_size=3, shuffle=True, seed=0), "the Loader had examples=10, now examples=9"),
        (loader(batch_size=3, seed=0), "the Loader had shuffle=True, now shuffle=False"),
    ):
        with pytest.raises(ValueError, match=text):
            other.load_state_dict(state)
    with pytest.raises(ValueError, match="this is no state_dict of a Loader: it needs examples, batch_size"):
        loader().load_state_dict({"epoch": 3})
    with pytest.raises(ValueError, match="one Loader has a generator, the other has none"):
        loader(batch_size=3).load_state_dict(loader(batch_size=3, seed=0).state_dict())


BAD_LOADERS = {
    "lengths": (lambda: data.Loader(np.zeros((3, 2)), np.zeros(4)), "arrays of different lengths: 3, 4"),
    "none": (lambda: data.Loader(), "no arrays given"),
    "scalar": (lambda: data.Loader(np.float32(1)), "array 0 is a single number"),
    "empty": (lambda: data.Loader(np.zeros((0, 2)), np.zeros(0)), "no examples"),
    "batch size": (lambda: loader(batch_size=0), "batch_size must be a whole number >= 1, got 0"),
    "drop all": (
        lambda: loader(3, batch_size=4, drop_last=True),
        "leaves no batch: 3 examples, batch_size 4",
    ),
    "no seed": (lambda: loader(shuffle=True), "need seed="),
    "split": (lambda: data.split(np.arange(3), held_out=0.1, seed=0), "0 held out and 3 to train on"),
}


@pytest.mark.parametrize("case", BAD_LOADERS)
def test_bad_loaders_say_what_is_wrong(case):
    make, text = BAD_LOADERS[case]
    with pytest.raises(ValueError, match=text):
        make()


def test_a_seed_is_a_whole_number_or_a_generator():
    with pytest.raises(TypeError, match="got 'zero'"):
        loader(shuffle=True, seed="zero")


def test_split_parts_share_nothing_and_keep_pairs_together():
    (x, y), (held_x, held_y) = data.split(np.arange(1797), -np.arange(1797), held_out=0.2, seed=0)
    assert len(held_x) == 359
    assert np.array_equal(np.sort(np.concatenate([x, held_x])), np.arange(1797))
    assert np.array_equal(y, -x)
    assert np.array_equal(held_y, -held_x)
    assert np.array_equal(held_x, data.split(np.arange(1797), held_out=0.2, seed=0)[1][0])


# ---- images


def test_digits_are_scikit_learns():
    images, labels = data.load_digits(28)
    ours = datasets.load_digits()
    assert images.shape == (1797, 28, 28, 1)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert np.array_equal(labels, ours.target)
    assert labels.dtype == np.int64
    # enlarging keeps how much ink there is
    assert np.allclose(images.mean((1, 2, 3)), ours.images.mean((1, 2)) / 16, atol=0.03)
    assert data.load_digits(32)[0].shape == (1797, 32, 32, 1)


def test_shift_moves_each_image_by_its_own_amount():
    images = np.zeros((500, 5, 6, 2), np.float32)
    images[:, 2, 3] = [1, 2]
    moved = data.shift(images, 2, np.random.default_rng(0))
    assert moved.shape == images.shape
    assert np.array_equal(moved.sum((1, 2)), np.full((500, 2), [1, 2]))
    places = np.argwhere(moved[..., 0])[:, 1:]
    assert len(np.unique(places, axis=0)) == 25
    assert np.array_equal(places.min(0), [0, 1])
    assert np.array_equal(places.max(0), [4, 5])


MODES = {
    "RGB": ((255, 0, 51), [1, 0, 0.2]),
    "L": (51, [0.2, 0.2, 0.2]),
    "1": (1, [1, 1, 1]),
    "RGBA": ((255, 0, 0, 0), [1, 1, 1]),  # what is transparent shows white
    "LA": ((0, 255), [0, 0, 0]),
    "I;16": (13107, [0.2, 0.2, 0.2]),
    "P": (0, [0, 0, 0]),
}


@pytest.mark.parametrize("mode", MODES)
def test_pictures_are_read_in_every_mode(tmp_path, mode):
    colour, expected = MODES[mode]
    image = Image.new(mode, (4, 3), colour)
    if mode == "P":
        image.putpalette([0, 0, 0])
    image.save(tmp_path / "a.png")
    read = data.read_image(tmp_path / "a.png")
    assert read.shape == (3, 4, 3)
    assert read.dtype == np.float32
    assert np.allclose(read, expected, atol=1e-6)


def test_a_photo_is_turned_as_its_camera_meant(tmp_path):
    image = Image.new("RGB", (4, 3))
    exif = image.getexif()
    exif[0x0112] = 6  # the orientation "turn by 90 degrees"
    image.save(tmp_path / "a.jpg", exif=exif)
    assert data.read_image(tmp_path / "a.jpg").shape == (4, 3, 3)


def test_unreadable_pictures_say_why(tmp_path, monkeypatch):
    whole = tmp_path / "whole.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), np.uint8)).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:3000])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("a seven")
    cases = [
        ("missing.png", FileNotFoundError, "no such file"),
        (".", IsADirectoryError, "is a folder"),
        ("cut.png", ValueError, "damaged or cut short"),
        ("empty.png", ValueError, "is not an image file"),
        ("text.png", ValueError, "is not an image file"),
    ]
    for name, error, text in cases:
        with pytest.raises(error, match=text):
            data.read_image(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="is too large"):
        data.read_image(whole)


def picture_of(digit, size=160, ink=0.1, paper=0.9):
    """A digit as someone would have it in a file: larger, with margins, on paper."""
    large = np.asarray(Image.fromarray(digit[..., 0]).resize((size, size)))
    canvas = np.zeros((size + 90, size + 160), np.float32)
    canvas[30 : 30 + size, 110 : 110 + size] = large
    return paper + (ink - paper) * np.clip(canvas, 0, 1)


def test_the_digit_in_a_picture_looks_like_those_of_the_training_set():
    images, _ = data.load_digits(28)
    alike = []
    for digit in images[:50]:
        dark, said = data.digit_in_picture(picture_of(digit))
        light, said_too = data.digit_in_picture(picture_of(digit, ink=0.95, paper=0.2))
        assert "dark on light" in said[0]
        assert "light on dark" in said_too[0]
        assert dark.shape == (28, 28, 1)
        assert np.allclose(dark, light, atol=1e-5)
        alike.append(np.corrcoef(dark.ravel(), digit.ravel())[0, 1])
    assert np.median(alike) > 0.9


def test_specks_and_margins_do_not_move_the_digit():
    digit = data.load_digits(28)[0][4]
    clean = picture_of(digit)
    dirty = np.pad(clean, 60, constant_values=0.9)
    dirty[5, 5] = dirty[-9, 40] = 0.1
    difference = data.digit_in_picture(clean)[0] - data.digit_in_picture(dirty)[0]
    assert np.abs(difference).mean() < 0.005


def test_a_blank_picture_shows_no_digit():
    with pytest.raises(ValueError, match="shows no digit"):
        data.digit_in_picture(np.full((40, 30), 0.7, np.float32))


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("PIL", lambda: data.read_image("a.png")),
        ("sklearn", lambda: data.load_digits()),
        ("skimage", lambda: data.digit_in_picture(np.eye(9, dtype=np.float32))),
    ],
)
def test_a_missing_extra_is_one_line_with_the_pip_command(monkeypatch, package, call):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"^{package} is not installed: pip install 'ngrad\[data\]'$"):
        call()


# ---- metrics, against scikit-learn's


def test_accuracy_and_confusion_matrix():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(200, 5)), rng.integers(0, 5, 200)
    predicted = scores.argmax(1)
    assert metrics.accuracy(scores, labels) == peer.accuracy_score(labels, predicted)
    assert metrics.accuracy(predicted, labels) == peer.accuracy_score(labels, predicted)
    assert np.array_equal(metrics.confusion_matrix(scores, labels), peer.confusion_matrix(labels, predicted))
    assert metrics.confusion_matrix([0, 1], [0, 1], 4).shape == (4, 4)


BAD_METRICS = {
    "column": (
        lambda: metrics.accuracy(np.zeros((5, 1)), np.zeros(5, int)),
        r"shape \(5, 1\) against labels of shape \(5,\)",
    ),
    "lengths": (
        lambda: metrics.accuracy(np.zeros((5, 3)), np.zeros(4, int)),
        r"\(5,\) against labels of shape \(4,\)",
    ),
    "one-hot": (lambda: metrics.accuracy(np.zeros((5, 3)), np.zeros((5, 3))), r"float64 of shape \(5, 3\)"),
    "floats": (lambda: metrics.accuracy(np.zeros(5), np.zeros(5, int)), "must be class numbers, got float64"),
    "empty": (lambda: metrics.accuracy(np.zeros((0, 3)), np.zeros(0, int)), "no examples"),
    "range": (lambda: metrics.confusion_matrix([0, 7], [0, 1], 3), "from 0 to 7, needs 0 to 2"),
}


@pytest.mark.parametrize("case", BAD_METRICS)
def test_bad_predictions_say_what_is_wrong(case):
    call, text = BAD_METRICS[case]
    with pytest.raises(ValueError, match=text):
        call()

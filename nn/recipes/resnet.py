"""ResNet-20 tells from 32x32 pixels which of sixteen photographs they are from, colour or grey.

The photos come with scikit-image and scikit-learn. They are cut into squares of 64x64, a fifth of which is
held out whole, the same one for every seed, and chooses nothing; a tenth of the rest chooses the epoch whose
weights are kept. The network learns from random 32x32 windows of the other squares, so that it never sees a
held-out pixel. A softmax regression on the same pixels shows what the network is worth.
"""

import math
import time
from pathlib import Path

import numpy as np

import autograd
from optim import Adam

from .. import data, metrics
from ..data.photos import PHOTOS, photo_squares, tiles
from ..extras import extra
from ..layers import Flatten, Linear, Sequential
from ..losses import CrossEntropyLoss
from ..models import ResNet, resnet20
from ..module import Module
from ..summary import summary
from ..train import evaluate as judge
from ..train import fit, replacing, save_curves, writable_folder
from ..train import predict as outputs
from ..weights import load_weights, save_weights
from . import if_installed, silent, weights_in

MODEL = "resnet20"
SIZE, SQUARE, MOST = 32, 64, 64  # pixels of a window, of a square; squares of a photo at most
SPLIT = 0  # the seed that says which fifth is held out
WINDOWS = 4  # that an epoch takes of each square
FILES = (
    *("model.safetensors", "last.safetensors", "checkpoint.safetensors", "baseline.safetensors"),
    *("predictions.png", "curves.png", "history.jsonl"),
)
ACCURACY = {"accuracy": metrics.accuracy}


def windows():
    """`(training, validation, held out)`, each `(images, labels)`: squares of 64x64 to take windows from,
    uint8, and twice the four windows of each square, `(m, 32, 32, 3)` in -1..1."""
    rest, held = data.split(*photo_squares(SQUARE, MOST, SPLIT), held_out=0.2, seed=SPLIT)
    training, validation = data.split(*rest, held_out=0.1, seed=SPLIT)
    repeated = tuple(np.repeat(a, WINDOWS, axis=0) for a in training)
    return repeated, _quarters(*validation), _quarters(*held)


def train(
    out: str | Path,
    *,
    seed: int = 0,
    epochs: int = 16,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    checkpoint_every: int | None = None,
    resume: bool = False,
    quiet: bool = False,
):
    """Trains with Adam, a cosine schedule, random windows and mirroring; then the softmax regression. Writes
    model.safetensors (the best epoch's weights), last.safetensors, baseline.safetensors, predictions.png
    (held-out windows and what they are taken for), curves.png, history.jsonl and checkpoint.safetensors into
    `out`, and returns the History and the held-out accuracy."""
    settings: dict[str, object] = dict(recipe="resnet", seed=seed, epochs=epochs, batch_size=batch_size)
    settings |= dict(learning_rate=learning_rate, checkpoint_every=checkpoint_every)
    say = silent if quiet else print
    start = time.perf_counter()
    out = writable_folder(out)
    rng = autograd.seed(seed)
    training, validation, held = windows()
    model, loss = _network(), CrossEntropyLoss()
    say(summary(model, (1, SIZE, SIZE, 3)))
    say(
        f"\n{len(training[1]):,} windows an epoch to train on, {len(validation[1]):,} to choose the best "
        f"epoch, {len(held[1]):,} held out"
    )

    def fitted(model, rng, rate, **options):
        return fit(
            model,
            data.Loader(*training, batch_size=batch_size, shuffle=True, seed=rng, transform=_windowed),
            loss,
            Adam(model.parameters(), lr=rate),
            epochs,
            validation=data.Loader(*validation, batch_size=256),
            metrics=ACCURACY,
            schedule=lambda epoch: rate * 0.5 * (1 + math.cos(math.pi * epoch / epochs)),
            **options,
        )

    keep = dict(checkpoint_every=checkpoint_every, resume=resume, settings=settings)
    history = fitted(model, rng, learning_rate, out=out, progress=not quiet, **keep)
    load_weights(model, out / "model.safetensors")  # what is judged is what was written
    reached = _accuracy(model, held)
    which = f"weights of epoch {history.best['epoch']}" if history.best else "weights of an unfinished epoch"
    say(f"\nheld-out accuracy {reached:.2%} ({round(reached * len(held[1]))} of {len(held[1])}), {which}")
    notes = [if_installed(lambda: save_predictions(model, held, out / "predictions.png"), "predictions.png")]
    if history.best:
        notes.append(if_installed(lambda: save_curves(history, out / "curves.png"), "curves.png"))
    if not history.interrupted:
        baseline = _baseline()
        fitted(baseline, np.random.default_rng(seed), 1e-3, progress=False)
        save_weights(baseline, out / "baseline.safetensors")
        say(f"softmax regression on the same pixels: {_accuracy(baseline, held):.2%}")
    say(f"{time.perf_counter() - start:.1f} s")
    for note in filter(None, notes):
        say(note)
    say(f"written to {out}: {', '.join(name for name in FILES if (out / name).is_file())}")
    return history, reached


def evaluate(out: str | Path) -> float:
    """Judges the trained network on the held-out fifth: accuracy, beside the softmax regression's, and for
    each photo the share of its windows that is recognised and what it is most often taken for."""
    model, held = _trained(out), windows()[-1]
    result = judge(model, data.Loader(*held, batch_size=256), CrossEntropyLoss(), ACCURACY)
    matrix = metrics.confusion_matrix(outputs(model, held[0]), held[1], len(PHOTOS))
    share, loss = result["accuracy"], result["loss"]
    print(f"held-out accuracy {share:.2%} ({int(matrix.trace())} of {len(held[1])}), loss {loss:.4f}")
    weights = Path(out) / "baseline.safetensors"
    if weights.is_file():
        baseline = _baseline()
        load_weights(baseline, weights)
        print(f"softmax regression on the same pixels: {_accuracy(baseline, held):.2%}")
    names = list(PHOTOS)
    print("\nphoto       windows  recognised  most often taken for")
    for k, row in enumerate(matrix):
        wrong = np.where(np.arange(len(names)) == k, 0, row)
        other = f"{names[wrong.argmax()]} ({wrong.max()})" if wrong.any() else "-"
        print(f"{names[k]:<12}{row.sum():>7}{row[k] / row.sum():>12.1%}  {other}")
    return share


def predict(out: str | Path, file: str | Path) -> str:
    """Says which of the photos the 32x32 windows of a picture look like."""
    model = _trained(out)
    picture = data.read_image(file)
    try:
        cut = tiles(picture, SIZE)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    logits = outputs(model, _scaled(255 * cut)).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    share = (powers / powers.sum(axis=1, keepdims=True)).mean(axis=0)
    names = list(PHOTOS)
    print(f"{file}: {picture.shape[1]}x{picture.shape[0]} pixels, {len(cut)} windows of {SIZE}x{SIZE}")
    print(f"\nmost like {names[share.argmax()]} (mean probability {share.max():.1%})\n")
    for k in np.argsort(-share):
        print(f"  {names[k]:<12}{share[k]:6.1%}  {'#' * round(40 * share[k])}".rstrip())
    return names[share.argmax()]


def save_predictions(model: Module, held, path: str | Path, columns: int = 10) -> None:
    """Draws held-out windows, a row for each photo, each with what it is taken for: in a green frame when it
    is right, in a red one when it is wrong. Raises ImportError without matplotlib."""
    with extra("plots"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    images, labels = held
    names = list(PHOTOS)
    figure = Figure(figsize=(columns + 1, 1.2 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen, whatever backend the user's matplotlib is set to
    rng = np.random.default_rng(SPLIT)
    for k, row in enumerate(figure.subplots(len(names), columns, squeeze=False)):
        chosen = rng.permutation(np.flatnonzero(labels == k))[:columns]
        taken = outputs(model, images[chosen]).argmax(axis=1)
        row[0].set_ylabel(names[k], rotation=0, ha="right", va="center", fontsize=11)
        for axes in row[len(chosen) :]:
            axes.axis("off")
        for axes, image, guess in zip(row, images[chosen], taken):
            colour = "tab:green" if guess == k else "tab:red"
            axes.imshow((image + 1) / 2)
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(names[guess], fontsize=9, color=colour, labelpad=2)
            for spine in axes.spines.values():
                spine.set(edgecolor=colour, linewidth=3)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _scaled(pixels) -> np.ndarray:
    """0..255 as -1..1."""
    return (np.asarray(pixels, np.float32) / np.float32(127.5) - 1).astype(np.float32)


def _quarters(squares, labels):
    """Squares `(m, 64, 64, 3)` as their four windows `(4m, 32, 32, 3)`."""
    cut = np.concatenate([tiles(square, SIZE) for square in squares])
    return _scaled(cut), np.repeat(labels, len(cut) // len(labels))


def _windowed(squares, rng):
    """A random window of each square, every second one mirrored."""
    places = np.lib.stride_tricks.sliding_window_view(squares, (SIZE, SIZE), axis=(1, 2))
    m = len(squares)
    down, right = rng.integers(0, SQUARE - SIZE + 1, (2, m))
    cut = np.moveaxis(places[np.arange(m), down, right], 1, -1)  # (m, 32, 32, 3)
    return _scaled(np.where((rng.random(m) < 0.5)[:, None, None, None], cut[:, :, ::-1], cut))


def _network() -> ResNet:
    return resnet20(num_classes=len(PHOTOS))


def _baseline() -> Sequential:
    return Sequential(Flatten(), Linear(SIZE * SIZE * 3, len(PHOTOS)))


def _accuracy(model, held) -> float:
    return judge(model, data.Loader(*held, batch_size=256), metrics=ACCURACY)["accuracy"]


def _trained(out) -> ResNet:
    model = _network()
    load_weights(model, weights_in(out, "resnet"))
    return model

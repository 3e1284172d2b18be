"""LeNet-5 reads handwritten digits: scikit-learn's 1,797 images, enlarged to 28x28.

A fifth of the images is held out, the same one for every seed, and chooses nothing: the epoch whose weights
are kept is chosen by the loss on a tenth of the rest. The settings below were chosen by cross-validation
within that rest.
"""

import math
import time
from pathlib import Path

import numpy as np

import autograd
from autograd.pictures import draw
from optim import Adam

from .. import data, metrics
from ..losses import CrossEntropyLoss
from ..models import LeNet5
from ..summary import summary
from ..train import evaluate as judge
from ..train import fit, save_curves, writable_folder
from ..train import predict as outputs
from ..weights import load_weights
from . import if_installed, silent, weights_in

MODEL = "lenet"
SIZE = 28  # pixels a side
SPLIT = 0  # the seed that says which fifth is held out
SHIFT = 2  # pixels that a training image is moved at most
FILES = (
    *("model.safetensors", "last.safetensors", "checkpoint.safetensors"),
    *("graph.svg", "curves.png", "history.jsonl"),
)
ACCURACY = {"accuracy": metrics.accuracy}


def digits():
    """`(training, validation, held out)`, each `(images, labels)`: 1,294, 144 and 359 digits."""
    rest, held = data.split(*data.load_digits(SIZE), held_out=0.2, seed=SPLIT)
    return *data.split(*rest, held_out=0.1, seed=SPLIT), held


def train(
    out: str | Path,
    *,
    seed: int = 0,
    epochs: int = 20,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    checkpoint_every: int | None = None,
    resume: bool = False,
    quiet: bool = False,
):
    """Trains with Adam, a cosine schedule and shifted images. Writes model.safetensors (the best epoch's
    weights), last.safetensors, graph.svg (the graph of one step), curves.png, history.jsonl and
    checkpoint.safetensors into `out`, and returns the History and the held-out accuracy."""
    settings: dict[str, object] = dict(recipe=MODEL, seed=seed, epochs=epochs, batch_size=batch_size)
    settings |= dict(learning_rate=learning_rate, checkpoint_every=checkpoint_every)
    say = silent if quiet else print
    start = time.perf_counter()
    out = writable_folder(out)
    rng = autograd.seed(seed)
    training, validation, held = digits()
    model = LeNet5()
    loss = CrossEntropyLoss()
    say(summary(model, (1, SIZE, SIZE, 1)))
    sizes = [f"{len(labels):,}" for _, labels in (training, validation, held)]
    say("\n{} digits to train on, {} to choose the best epoch, {} held out".format(*sizes))

    batches = data.Loader(*training, batch_size=batch_size, shuffle=True, seed=rng, transform=_moved)
    notes = [_picture(model, loss, training, batch_size, out / "graph.svg")]
    history = fit(
        model,
        batches,
        loss,
        Adam(model.parameters(), lr=learning_rate),
        epochs,
        validation=data.Loader(*validation, batch_size=256),
        metrics=ACCURACY,
        schedule=lambda epoch: learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / epochs)),
        out=out,
        checkpoint_every=checkpoint_every,
        resume=resume,
        settings=settings,
        progress=not quiet,
    )
    if history.best:
        notes.append(if_installed(lambda: save_curves(history, out / "curves.png"), "curves.png"))
    load_weights(model, out / "model.safetensors")  # what is judged is what was written
    reached = judge(model, data.Loader(*held, batch_size=256), metrics=ACCURACY)["accuracy"]
    which = f"weights of epoch {history.best['epoch']}" if history.best else "weights of an unfinished epoch"
    say(
        f"\nheld-out accuracy {reached:.2%} ({round(reached * len(held[1]))} of {len(held[1])}), {which}, "
        f"{time.perf_counter() - start:.1f} s"
    )
    for note in filter(None, notes):
        say(note)
    say(f"written to {out}: {', '.join(name for name in FILES if (out / name).is_file())}")
    return history, reached


def evaluate(out: str | Path) -> float:
    """Judges the trained model on the held-out fifth: accuracy, loss, and which digits it takes for which."""
    model = _trained(out)
    held = digits()[-1]
    result = judge(model, data.Loader(*held, batch_size=256), CrossEntropyLoss(), ACCURACY)
    matrix = metrics.confusion_matrix(outputs(model, held[0]), held[1], 10)
    right = int(matrix.trace())
    share, loss = result["accuracy"], result["loss"]
    print(f"held-out accuracy {share:.2%} ({right} of {len(held[1])}), loss {loss:.4f}\n")
    print("true digit (row) taken for (column)")
    print("    " + "".join(f"{digit:>4}" for digit in range(10)))
    for digit, row in enumerate(matrix):
        print(f"{digit:>4}" + "".join(f"{count or '.':>4}" for count in row))
    return share


def predict(out: str | Path, file: str | Path) -> int:
    """Says which digit a picture shows: any size, colour or grey, dark on light or light on dark."""
    model = _trained(out)
    picture = data.read_image(file)
    try:
        image, done = data.digit_in_picture(data.grey(picture), SIZE)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    logits = outputs(model, image[None])[0].astype(np.float64)
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    digit = int(probabilities.argmax())
    print(f"{file}: {picture.shape[1]}x{picture.shape[0]} pixels")
    for step in done:
        print(f"  {step}")
    print(f"\nthis is a {digit} (probability {probabilities[digit]:.1%})\n")
    for k, p in enumerate(probabilities):
        print(f"  {k}  {p:6.1%}  {'#' * round(40 * p)}".rstrip())
    return digit


def _trained(out) -> LeNet5:
    model = LeNet5()
    load_weights(model, weights_in(out, "lenet"))
    return model


def _moved(images, rng):
    return data.shift(images, SHIFT, rng)


def _picture(model, loss, training, batch_size, path) -> str | None:
    """Draws the graph of one training step."""
    images, labels = autograd.Tensor(training[0][:batch_size]), training[1][:batch_size]
    cost = loss(model(images), labels)
    names = {**dict(model.named_parameters()), "images": images}
    return if_installed(lambda: draw(cost, names=names).save(path), path.name)

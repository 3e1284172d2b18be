"""A small training with everything that has a state, which tests stop, kill and resume:
`python -m tests.survivor FOLDER EPOCHS` trains into it, or goes on from the checkpoint there."""

import sys
from pathlib import Path

import numpy as np

import autograd
import nn
import optim
from nn import data, metrics, train

EPOCHS = 5
RNG = np.random.default_rng(8)
POINTS = RNG.normal(size=(150, 2)).astype(np.float32)
CLASSES = (POINTS[:, 0] * POINTS[:, 1] > 0).astype(np.int64)


class Average:
    """A moving average of the weights: a callback with a state of its own."""

    def __init__(self, model):
        self.average = optim.ExponentialMovingAverage(model.parameters(), 0.9)
        self.state_dict, self.load_state_dict = self.average.state_dict, self.average.load_state_dict

    def on_step_end(self, training):
        self.average.update()


class Ready:
    """Tells who waits for it that training begins."""

    def on_train_begin(self, training):
        print("training", flush=True)


def noisy(points, rng):
    return points + rng.normal(0, 0.1, points.shape).astype(np.float32)


def survivor(out, resume=False, seed=1, epochs=EPOCHS, callbacks=(), checkpoint_every=1, **options):
    """Trains; returns (history, the average's values). The seed of a resumed run must not matter."""
    rng = autograd.seed(seed)
    model = nn.Sequential(nn.Linear(2, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 2))
    optimizer = optim.AdamW(model.parameters(), lr=0.02, amsgrad=True)
    average = Average(model)
    options = {"accumulate": 2, "clip_norm": 1.0, "metrics": {"accuracy": metrics.accuracy}} | options
    history = train.fit(
        model,
        data.Loader(POINTS[:120], CLASSES[:120], batch_size=16, shuffle=True, seed=rng, transform=noisy),
        nn.CrossEntropyLoss(),
        optimizer,
        epochs,
        validation=data.Loader(POINTS[120:], CLASSES[120:], batch_size=16),
        schedule=optim.OneCycleLR(optimizer, 0.05, total_steps=4 * max(epochs, EPOCHS)),
        schedule_by="step",
        callbacks=[average, Ready(), *callbacks],
        out=out,
        checkpoint_every=checkpoint_every,
        resume=resume,
        progress=False,
        **options,
    )
    return history, average.average.values()


def result(out):
    """All that a finished training left, without the seconds it took."""
    state = train.read_checkpoint(Path(out) / "checkpoint.safetensors")
    rows = train.History.load(Path(out) / "history.jsonl").rows
    for row in [*rows, *state["history"]["rows"]]:
        del row["seconds"]
    weights = {name: (Path(out) / f"{name}.safetensors").read_bytes() for name in ("model", "last")}
    return {"checkpoint": state, "rows": rows, **weights}


def same(a, b):
    """Whether two results agree to the last bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b or (a != a and b != b)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    survivor(folder, (folder / "checkpoint.safetensors").exists(), epochs=int(sys.argv[2]))

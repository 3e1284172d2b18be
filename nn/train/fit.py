"""The training loop."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from autograd import Tensor
from optim import Optimizer

from ..data import Loader
from ..module import Module
from ..weights import save_weights
from .files import writable_folder
from .history import History
from .interrupt import Interrupt
from .run import Metrics, evaluate

BEST, LAST, HISTORY = "model.safetensors", "last.safetensors", "history.jsonl"


def fit(
    model: Module,
    train: Loader,
    loss: Callable,
    optimizer: Optimizer,
    epochs: int,
    *,
    validation: Loader | None = None,
    metrics: Metrics | None = None,
    schedule: Callable[[int], float] | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Trains the model, and leaves it with its best weights: those of the epoch with the lowest validation
    loss, or training loss when there is no validation.

    Args: `train` and `validation` give batches `(*inputs, target)`; `loss(output, target)` is one number;
    `metrics` maps names to functions of outputs and targets; `schedule(epoch)` gives the learning rate of
    an epoch, counted from 0. Into the folder `out`, after every epoch, go the best weights
    (model.safetensors), the last ones (last.safetensors) and history.jsonl; each replaces the file before
    it as a whole.

    Ctrl-C finishes the step at hand, saves, and returns with `history.interrupted`. Raises
    FloatingPointError that names the step when the loss is NaN or infinite: nothing of that epoch is saved.
    Raises ValueError for epochs below 1, OSError when `out` cannot be written.
    """
    if not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f"epochs must be a whole number >= 1, got {epochs!r}")
    folder = None if out is None else writable_folder(out)
    history = History(monitor="loss" if validation is None else "val_loss")
    best: dict | None = None
    bar = tqdm(total=epochs * len(train), unit="step", disable=None if progress else True, leave=False)
    with Interrupt() as interrupt, bar:
        for epoch in range(epochs):
            start = time.perf_counter()
            if schedule is not None:
                for group in optimizer.param_groups:
                    group["lr"] = schedule(epoch)
            row = _epoch(model, train, loss, optimizer, metrics or {}, epoch, bar, interrupt)
            if folder is not None:
                save_weights(model, folder / LAST)
            if interrupt.asked:
                history.interrupted = True
                break
            if validation is not None:
                judged = evaluate(model, validation, loss, metrics)
                row.update({f"val_{name}": value for name, value in judged.items()})
            row.update(learning_rate=optimizer.param_groups[0]["lr"], seconds=time.perf_counter() - start)
            history.rows.append({"epoch": epoch + 1, **row})
            if history.best is history.rows[-1]:
                best = {name: values.numpy().copy() for name, values in model.state_dict().items()}
                if folder is not None:
                    save_weights(model, folder / BEST)
            if folder is not None:
                history.save(folder / HISTORY)
            if progress:
                bar.write(_line(history.rows[-1], epochs))
    if best is not None:
        model.load_state_dict(best)
    elif folder is not None:  # interrupted in its first epoch: what there is
        save_weights(model, folder / BEST)
    return history


def _epoch(model, train, loss, optimizer, metrics, epoch, bar, interrupt) -> dict[str, float]:
    """One pass over the training examples: the mean of the loss and of each metric."""
    model.train()
    totals = dict.fromkeys(("loss", *metrics), 0.0)
    examples = 0
    for k, (*inputs, target) in enumerate(train, 1):
        output = model(*map(Tensor, inputs))
        cost = loss(output, target)
        value = cost.item()
        if not math.isfinite(value):
            rate = optimizer.param_groups[0]["lr"]
            raise FloatingPointError(
                f"the loss is {value} at step {epoch * len(train) + k} (epoch {epoch + 1}, batch {k} of "
                f"{len(train)}, learning rate {rate:g}): try a smaller rate, and look for NaN in the data"
            )
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        examples += len(target)
        totals["loss"] += value * len(target)
        for name, metric in metrics.items():
            totals[name] += metric(output.numpy(), np.asarray(target)) * len(target)
        bar.update()
        if interrupt.asked:
            break
    if not examples:
        raise ValueError("nothing to train on: the loader gives no batch")
    return {name: total / examples for name, total in totals.items()}


def _line(row, epochs) -> str:
    """One epoch in words."""
    shown = [
        f"{name} {value:.4f}"
        for name, value in row.items()
        if name not in ("epoch", "learning_rate", "seconds")
    ]
    return f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  {'  '.join(shown)}  {row['seconds']:.1f} s"

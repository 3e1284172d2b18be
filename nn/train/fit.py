"""The training loop."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from optim import LRScheduler, Optimizer

from ..module import Module
from .callbacks import Callbacks
from .checkpoint import CHECKPOINT
from .folder import Folder, restore
from .history import History
from .interrupt import Interrupt
from .rates import Rates
from .run import Metrics, evaluate
from .step import Step
from .training import Training, kept


def fit(
    model: Module,
    train: Iterable,
    loss: Callable,
    optimizer: Optimizer,
    epochs: int,
    *,
    validation: Iterable | None = None,
    validate_every: int = 1,
    metrics: Metrics | None = None,
    monitor: str | None = None,
    mode: str | None = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    schedule: LRScheduler | Callable[[int], float] | None = None,
    schedule_by: str = "epoch",
    accumulate: int = 1,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    class_weights: Mapping[int, float] | Sequence[float] | None = None,
    sample_weights: bool = False,
    time_budget: float | None = None,
    callbacks: Iterable[Any] = (),
    out: str | Path | None = None,
    checkpoint_every: int | None = None,
    resume: bool | str | Path = False,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> History:
    """Trains the model, and leaves it with its best weights: those of the epoch with the best `monitor`.

    `train` and `validation` give batches `(*inputs, target)`; `loss(output, target)` is their mean loss.
    Validation follows every `validate_every`th epoch and the last. `metrics` maps names to functions of
    outputs and targets. `monitor` is a column of the History, by default "val_loss", or "loss" without
    validation; `mode` "min" or "max" says what is good, and need not be given where the name ends in "loss".
    Training ends after `patience` looks at it that were not better by more than `min_delta` (C2W1-early).

    `schedule` is one of `optim`, moved on after each epoch, or after each step of the optimizer with
    `schedule_by="step"`; or a function that gives the learning rate of an epoch or step, counted from 0. A
    step is by the mean gradient over the examples of `accumulate` batches, each number clipped to
    `clip_value`, then all together to `clip_norm`. `class_weights` (a list, or a dict of some classes) and
    `sample_weights=True` (batches `(*inputs, target, weights)`) make the training loss sum(w loss) / sum(w);
    `loss` must then give one number for each example. `callbacks`: see nn/train/callbacks.py; `Log` (CSV,
    JSON lines) and `TensorBoard` are two. `time_budget` is in seconds.

    Into the folder `out`, after every epoch, go the best weights (model.safetensors), the last ones
    (last.safetensors), history.jsonl, and checkpoint.safetensors, that one also after `checkpoint_every`
    steps; each replaces the file before it as a whole. `resume=True` goes on from the checkpoint in `out`, a
    path from one elsewhere, bit for bit as if the run had never been stopped, if model, data and arguments
    are the same. `settings` (what JSON holds) are the caller's own notes in it, see `settings_of`.

    Ctrl-C, and the end of the time budget, finish the step at hand, save, and return: `history.ended` says
    so. Raises FloatingPointError that names the step when the loss is NaN or infinite; what was saved before
    stays. Raises ValueError for arguments out of range and for a checkpoint that does not fit, OSError for
    files that cannot be written or read.
    """
    _check(epochs=epochs, validate_every=validate_every, accumulate=accumulate)
    _check(
        **{n: v for n, v in (("patience", patience), ("checkpoint_every", checkpoint_every)) if v is not None}
    )
    if out is None and (resume is True or checkpoint_every):
        raise ValueError("resume=True and checkpoint_every need out=, the folder with the checkpoint")
    if time_budget is not None and not time_budget > 0:
        raise ValueError(f"time_budget must be a number > 0, got {time_budget!r}")
    history = History([], *_monitored(monitor, mode, metrics or {}, validation))
    call = Callbacks(callbacks)
    training = Training(
        model, optimizer, epochs, history, schedule, call.all, train, validation, dict(settings or {})
    )
    rates = Rates(schedule, schedule_by, optimizer)
    step = Step(loss, metrics or {}, class_weights, sample_weights, clip_norm, clip_value)
    if resume:
        restore(training, Path(out or "", CHECKPOINT) if isinstance(resume, bool) else Path(resume))
    folder = None if out is None else Folder(out, training)
    bar = _bar(training, train, progress)
    deadline = None if time_budget is None else time.perf_counter() + time_budget

    def asked_to_end() -> bool:
        if interrupt.asked:
            training.stop("interrupted")
        elif deadline is not None and time.perf_counter() >= deadline:
            training.stop("time")
        elif patience is not None and not training.batch and history.waited(min_delta) >= patience:
            training.stop("patience")
        return bool(history.ended)

    with Interrupt() as interrupt, bar:
        if progress and resume:
            within = f" and {training.batch} batches of the next" if training.batch else ""
            bar.write(f"resumed after epoch {training.epoch}{within}")
        call("on_train_begin", training)
        while training.epoch < epochs and not asked_to_end():
            start = time.perf_counter() - training.seconds
            model.train()
            if not training.batch:
                rates.begin("epoch", training, training.epoch)
            call("on_epoch_begin", training)
            for batches in _groups(train, accumulate, training.batch):
                rates.begin("step", training, training.step)
                step(training, batches)
                rates.end("step", training)
                bar.update(len(batches))
                training.seconds = time.perf_counter() - start
                call("on_step_end", training)
                if asked_to_end():
                    break
                if folder and checkpoint_every and training.step % checkpoint_every == 0:
                    folder.save()
            if history.ended:  # in the middle of an epoch
                if folder:
                    folder.save()
                break
            row = training.means()
            training.epoch += 1
            if validation is not None and (training.epoch % validate_every == 0 or training.epoch == epochs):
                judged = evaluate(model, validation, loss, metrics)
                row.update({f"val_{name}": value for name, value in judged.items()})
                training.validated = kept(validation)
            row.update(learning_rate=training.rate, seconds=time.perf_counter() - start)
            history.rows.append({"epoch": training.epoch, **row})
            training.batch, training.seconds, training.sums = 0, 0.0, {}
            if history.best is history.rows[-1]:
                training.best = training.weights()
            rates.end("epoch", training)
            call("on_epoch_end", training)
            if folder:
                folder.save_epoch()
            if progress:
                bar.write(_line(history.rows[-1], epochs))
    if training.best is not None:
        model.load_state_dict(training.best)
    if folder:  # also what there is after less than an epoch, and where only the checkpoint was brought along
        folder.save_best()
    call("on_train_end", training)
    return history


def _check(**numbers) -> None:
    for name, value in numbers.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")


def _monitored(monitor, mode, metrics, validation) -> tuple[str, str]:
    """The column that says which epoch is best, and whether low or high is good."""
    if "loss" in metrics:
        raise ValueError('a metric cannot be called "loss": the loss has that column')
    names = ["loss", *metrics]
    if validation is not None:
        names += [f"val_{name}" for name in names]
    monitor = monitor or ("loss" if validation is None else "val_loss")
    if monitor not in names:
        raise ValueError(f"monitor {monitor!r} is no column of this history: it has {', '.join(names)}")
    if mode is None and monitor.endswith("loss"):
        mode = "min"
    if mode not in ("min", "max"):
        raise ValueError(f'monitor {monitor!r} needs mode="min" or mode="max", what is good; got {mode!r}')
    return monitor, mode


def _groups(train, size, done) -> Iterator[list]:
    """The batches that make a step each, without those that were done before the run was resumed."""
    batches = iter(train)
    if done and not hasattr(train, "load_state_dict"):
        batches = itertools.islice(batches, done, None)
    while group := list(itertools.islice(batches, size)):
        yield group


def _bar(training, train, progress) -> tqdm:
    length = len(train) if hasattr(train, "__len__") else None
    total = length and training.epochs * length
    done = training.epoch * (length or 0) + training.batch
    return tqdm(total=total, initial=done, unit="batch", disable=None if progress else True, leave=False)


def _line(row, epochs) -> str:
    """One epoch in words."""
    shown = [
        f"{name} {value:.4f}"
        for name, value in row.items()
        if name not in ("epoch", "learning_rate", "seconds")
    ]
    return f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  {'  '.join(shown)}  {row['seconds']:.1f} s"

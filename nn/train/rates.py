"""The learning rate of a training, as its schedule says."""

from collections.abc import Callable

from optim import LRScheduler, Optimizer, ReduceLROnPlateau

from .training import Training


class Rates:
    """A schedule of `optim`, moved on after each epoch or step of the optimizer (`by`), or a function that
    gives the rate of the epoch or step at hand, counted from 0. Raises ValueError for a schedule of another
    optimizer, or one that watches epochs by the step; TypeError for what is neither."""

    def __init__(self, schedule: LRScheduler | Callable[[int], float] | None, by: str, optimizer: Optimizer):
        if by not in ("epoch", "step"):
            raise ValueError(f'schedule_by must be "epoch" or "step", got {by!r}')
        self.by, self.schedule, self.function = by, None, None
        if isinstance(schedule, LRScheduler):
            self.schedule = schedule
            if schedule.optimizer is not optimizer:
                raise ValueError(f"the {type(schedule).__name__} moves another optimizer than the one given")
            if by == "step" and isinstance(schedule, ReduceLROnPlateau):
                raise ValueError("ReduceLROnPlateau watches epochs: leave schedule_by out")
        elif callable(schedule):
            self.function = schedule
        elif schedule is not None:
            raise TypeError(
                f"schedule is one of optim's or a function of the epoch, got a {type(schedule).__name__}"
            )

    def begin(self, what: str, training: Training, number: int) -> None:
        """Before an epoch or step."""
        if self.function is not None and what == self.by:
            for group in training.optimizer.param_groups:
                group["lr"] = float(self.function(number))

    def end(self, what: str, training: Training) -> None:
        """After an epoch or step."""
        if self.schedule is None or what != self.by:
            return
        if isinstance(self.schedule, ReduceLROnPlateau):
            row = training.history.rows[-1]
            if training.history.monitor in row:
                self.schedule.step(row[training.history.monitor])
        else:
            self.schedule.step()

"""Schedules made of schedules."""

from bisect import bisect_right
from collections.abc import Sequence

from .plateau import ReduceLROnPlateau
from .schedule import LRScheduler


class _Combined(LRScheduler):
    def __init__(self, optimizer, schedulers, last_epoch=-1):
        self.schedulers = list(schedulers)
        if not self.schedulers:
            raise ValueError(f"{self._name} got no schedules")
        for k, schedule in enumerate(self.schedulers):
            if not isinstance(schedule, LRScheduler) or isinstance(schedule, ReduceLROnPlateau):
                raise TypeError(
                    f"{self._name}: number {k} is a {type(schedule).__name__}, which has no epochs"
                )
            if schedule.optimizer is not optimizer:
                raise ValueError(
                    f"{self._name}: number {k}, {type(schedule).__name__}, has another optimizer"
                )
        super().__init__(optimizer, last_epoch)

    def state_dict(self):
        return {**super().state_dict(), "schedulers": [s.state_dict() for s in self.schedulers]}

    def load_state_dict(self, state_dict):
        states = state_dict.get("schedulers") if isinstance(state_dict, dict) else None
        if not isinstance(states, list) or len(states) != len(self.schedulers):
            raise ValueError(f"this is no state_dict of a {self._name} of {len(self.schedulers)} schedules")
        own = list(self.schedulers)
        super().load_state_dict(state_dict)
        self.schedulers = own
        for schedule, state in zip(self.schedulers, states):
            schedule.load_state_dict(state)


class SequentialLR(_Combined):
    """One schedule after the other: the next begins, at its epoch 0, at each milestone. Linear warm-up, then
    a cosine: SequentialLR(o, [LinearLR(o, 0.1, total_iters=5), CosineAnnealingLR(o, 95)], milestones=[5]).
    Raises ValueError unless there is one milestone less than schedules, in order."""

    def __init__(
        self,
        optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ):
        self.milestones = list(milestones)
        schedulers = list(schedulers)
        if len(self.milestones) != len(schedulers) - 1 or sorted(self.milestones) != self.milestones:
            raise ValueError(
                f"SequentialLR of {len(schedulers)} schedules needs one milestone less, in order, "
                f"got {self.milestones}"
            )
        super().__init__(optimizer, schedulers, last_epoch)

    def rate(self, t, base, k):
        place = bisect_right(self.milestones, t)
        return self.schedulers[place].rate(t - (self.milestones[place - 1] if place else 0), base, k)

    def set(self, t):
        place = bisect_right(self.milestones, t)
        self.schedulers[place].set(t - (self.milestones[place - 1] if place else 0))


class ChainedScheduler(_Combined):
    """All at once: each takes the rate of the one before as its base, so factors multiply."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer=None):
        schedulers = list(schedulers)
        if optimizer is None and schedulers:
            optimizer = getattr(schedulers[0], "optimizer", None)
        super().__init__(optimizer, schedulers)

    def set(self, t):
        for schedule in self.schedulers:  # for what they set beside the rate
            schedule.set(t)
        super().set(t)

    def rate(self, t, base, k):
        for schedule in self.schedulers:
            base = schedule.rate(t, base, k)
        return base

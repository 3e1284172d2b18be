"""Learning rates that change over training: what every schedule shares, and decays of one line.

A schedule is a closed form of the epoch (or step, whatever it counts) t = 0, 1, 2, ..., so it needs to
remember nothing but t:

    schedule = StepLR(optimizer, step_size=30)
    for epoch in range(90):
        ...                                  # steps of the optimizer
        schedule.step()
"""

import math
import numbers
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .optimizer import Optimizer
from .options import in_range, not_negative, whole


class LRScheduler:
    """Writes the learning rate of each group of `optimizer`. A subclass defines `rate`. The rate that a group
    has when its first schedule is made is its base rate (`group["initial_lr"]`), also for groups added later.
    Making the schedule sets the rate of epoch 0, or of `last_epoch + 1`. Raises TypeError for what is no
    optimizer."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{self._name} takes an optimizer, got a {type(optimizer).__name__}")
        whole(self, {"last_epoch": last_epoch}, -1, "last_epoch")
        self.optimizer = optimizer
        self.last_epoch: float = last_epoch
        self.step()

    @property
    def _name(self):
        return type(self).__name__

    def rate(self, t: float, base: float, k: int) -> float:
        """The learning rate of group k at epoch t, given its base rate."""
        raise TypeError(f"{self._name} defines no rate(t, base, k)")

    def step(self, epoch: float | None = None) -> None:
        """Goes on to the next epoch, or to a given one, and sets its learning rates."""
        if epoch is not None and not (isinstance(epoch, numbers.Real) and epoch >= 0):
            raise ValueError(f"{self._name}: an epoch is a number from 0, got {epoch!r}")
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self.set(self.last_epoch)

    def set(self, t: float) -> None:
        """Sets the learning rates of epoch t."""
        for k, group in enumerate(self.optimizer.param_groups):
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = float(self.rate(t, group["initial_lr"], k))

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands: numbers, lists and strings. Its arguments are not in it."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from there. The learning rates themselves come with the optimizer's state_dict. Raises
        ValueError for a state_dict of another kind of schedule."""
        own = self.state_dict()
        if not isinstance(state_dict, Mapping) or state_dict.keys() != own.keys():
            raise ValueError(f"this is no state_dict of a {self._name}: it needs {', '.join(own)}")
        for name, value in state_dict.items():
            setattr(self, name, value)

    def __repr__(self):
        rates = ", ".join(f"{lr:g}" for lr in self.get_last_lr())
        return f"{self._name}(last_epoch={self.last_epoch}, lr=[{rates}])"


def of_group(schedule: LRScheduler, value: Any, k: int) -> Any:
    """The value for group k: `value` itself, or element k of a list. Raises ValueError for a list of another
    length than there are groups."""
    if not isinstance(value, (list, tuple)):
        return value
    groups = len(schedule.optimizer.param_groups)
    if len(value) != groups:
        raise ValueError(f"{type(schedule).__name__} got {len(value)} values for {groups} groups")
    return value[k]


class LambdaLR(LRScheduler):
    """base lr_lambda(t); a list has a function for each group."""

    def __init__(
        self,
        optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ):
        self.lr_lambda = lr_lambda
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        return base * of_group(self, self.lr_lambda, k)(t)


class MultiplicativeLR(LRScheduler):
    """base lr_lambda(1) lr_lambda(2) ... lr_lambda(t); a list has a function for each group."""

    def __init__(
        self,
        optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ):
        self.lr_lambda = lr_lambda
        self._products: dict[int, tuple[float, float]] = {}  # of each group: (t, product up to t)
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        done, product = self._products.get(k, (0, 1.0))
        if t < done:
            done, product = 0, 1.0
        for epoch in range(int(done) + 1, int(t) + 1):
            product *= of_group(self, self.lr_lambda, k)(epoch)
        self._products[k] = t, product
        return base * product


class ManualLR(LRScheduler):
    """Rates written down: {0: 0.1, 30: 0.01, 60: 0.001} changes at epochs 30 and 60 (COURSE.md C2W2-lrother).
    Before the first it is the base rate. Raises ValueError for a table that is empty or has bad entries."""

    def __init__(self, optimizer, rates: Mapping[int, float], last_epoch: int = -1):
        if not isinstance(rates, Mapping) or not rates:
            raise ValueError(f"ManualLR takes a dict of epochs and rates, got {rates!r}")
        self.rates = {int(epoch): rate for epoch, rate in sorted(rates.items())}
        not_negative(
            self,
            {f"the rate of epoch {t}": r for t, r in self.rates.items()},
            *(f"the rate of epoch {t}" for t in self.rates),
        )
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        place = bisect_right(list(self.rates), t)
        return list(self.rates.values())[place - 1] if place else base


class ConstantLR(LRScheduler):
    """base factor for the first `total_iters` epochs, then base."""

    def __init__(self, optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1):
        self.factor, self.total_iters = factor, total_iters
        in_range(self, vars(self), 0, math.nextafter(1, 2), "factor")
        whole(self, vars(self), 0, "total_iters")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        return base * (self.factor if t < self.total_iters else 1.0)


class LinearLR(LRScheduler):
    """Linear warm-up: base times a factor that goes from `start_factor` to `end_factor` in `total_iters`
    epochs, and stays."""

    def __init__(
        self,
        optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        in_range(self, vars(self), 0, math.nextafter(1, 2), "start_factor", "end_factor")
        whole(self, vars(self), 1, "total_iters")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        done = min(t, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class StepLR(LRScheduler):
    """A staircase: base gamma^floor(t / step_size) (COURSE.md C2W2-lrother)."""

    def __init__(self, optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size, self.gamma = step_size, gamma
        whole(self, vars(self), 1, "step_size")
        not_negative(self, vars(self), "gamma")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """base gamma^(number of milestones up to t)."""

    def __init__(self, optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones, self.gamma = sorted(milestones), gamma
        not_negative(self, vars(self), "gamma")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        return base * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(LRScheduler):
    """base gamma^t; the lecture's 0.95^epoch is gamma = 0.95 (COURSE.md C2W2-lrother)."""

    def __init__(self, optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        not_negative(self, vars(self), "gamma")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        return base * self.gamma**t


class PolynomialLR(LRScheduler):
    """base (1 - t / total_iters)^power, then 0."""

    def __init__(self, optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters, self.power = total_iters, power
        whole(self, vars(self), 1, "total_iters")
        not_negative(self, vars(self), "power")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        return base * (1.0 - min(t, self.total_iters) / self.total_iters) ** self.power


class InverseTimeLR(LRScheduler):
    """base / (1 + decay_rate t) (COURSE.md C2W2-lrdecay)."""

    def __init__(self, optimizer, decay_rate: float, last_epoch: int = -1):
        self.decay_rate = decay_rate
        not_negative(self, vars(self), "decay_rate")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        return base / (1.0 + self.decay_rate * t)


class InverseSqrtLR(LRScheduler):
    """base k / sqrt(t) (COURSE.md C2W2-lrother). With `warmup`, linear up to base k at t = warmup, and from
    there base k sqrt(warmup / t). Epoch 0 counts as epoch 1 where there is no warm-up."""

    def __init__(self, optimizer, k: float = 1.0, warmup: int = 0, last_epoch: int = -1):
        self.k, self.warmup = k, warmup
        not_negative(self, vars(self), "k")
        whole(self, vars(self), 0, "warmup")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        if t < self.warmup:
            return base * self.k * t / self.warmup
        return base * self.k * math.sqrt(max(self.warmup, 1) / max(t, 1))


class TransformerLR(LRScheduler):
    """base d_model^-1/2 min(s^-1/2, s warmup^-3/2) at step s = t + 1 (Vaswani et al. 2017, section 5.3), with
    an optimizer whose lr is 1, or another factor. It is highest at s = warmup."""

    def __init__(self, optimizer, d_model: int, warmup: int = 4000, last_epoch: int = -1):
        self.d_model, self.warmup = d_model, warmup
        whole(self, vars(self), 1, "d_model", "warmup")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        s = t + 1
        return base * self.d_model**-0.5 * min(s**-0.5, s * self.warmup**-1.5)

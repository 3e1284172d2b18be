"""Schedules that go up and down: cosines, cycles, and the averaging phase."""

import math
from collections.abc import Callable

from .options import in_range, not_negative, one_of, switches, whole
from .schedule import LRScheduler, of_group


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2 (Loshchilov and Hutter 2017): down in `T_max`
    epochs, and up again after them."""

    def __init__(self, optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max, self.eta_min = T_max, eta_min
        whole(self, vars(self), 1, "T_max")
        not_negative(self, vars(self), "eta_min")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        return _cosine(base, self.eta_min, t / self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """The same, but back to base at once: after `T_0` epochs, and then after periods that are each `T_mult`
    times as long as the one before. t may be a fraction: step(epoch + batch / batches)."""

    def __init__(self, optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        whole(self, vars(self), 1, "T_0", "T_mult")
        not_negative(self, vars(self), "eta_min")
        super().__init__(optimizer, last_epoch)

    def rate(self, t, base, k):
        period = self.T_0
        if self.T_mult == 1:
            t = t % period
        while t >= period:
            t, period = t - period, period * self.T_mult
        return _cosine(base, self.eta_min, t / period)

    def step(self, epoch=None):
        super().step(math.floor(self.last_epoch) + 1 if epoch is None else epoch)


class _Momentum(LRScheduler):
    """A schedule of momentum too (beta1 for Adam's family), where `cycle_momentum`."""

    cycle_momentum: bool

    def _check_momentum(self, optimizer):
        switches(self, vars(self), "cycle_momentum")
        defaults = getattr(optimizer, "defaults", {})
        if self.cycle_momentum and "momentum" not in defaults and "betas" not in defaults:
            raise ValueError(
                f"{self._name}: {type(optimizer).__name__} has no momentum: give cycle_momentum=False"
            )

    def momentum(self, t: float, k: int) -> float:
        """The momentum of group k at t."""
        raise TypeError(f"{self._name} defines no momentum(t, k)")

    def set(self, t):
        super().set(t)
        if self.cycle_momentum:
            for k, group in enumerate(self.optimizer.param_groups):
                if "betas" in group:
                    group["betas"] = (self.momentum(t, k), *group["betas"][1:])
                else:
                    group["momentum"] = self.momentum(t, k)


class CyclicLR(_Momentum):
    """Triangles between `base_lr` and `max_lr` (Smith 2017): up in `step_size_up` steps, down in
    `step_size_down`. Their height is scaled by 1 ("triangular"), 2^-(cycle - 1) ("triangular2") or gamma^t
    ("exp_range"), or by `scale_fn` of the cycle (from 1) or of t, as `scale_mode` says. Momentum goes the
    other way, from `max_momentum` to `base_momentum`. Lists have a value for each group."""

    def __init__(
        self,
        optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ):
        self.base_lr, self.max_lr = base_lr, max_lr
        self.step_size_up = step_size_up
        self.step_size_down = step_size_up if step_size_down is None else step_size_down
        self.mode, self.gamma, self.scale_fn, self.scale_mode = mode, gamma, scale_fn, scale_mode
        self.cycle_momentum = cycle_momentum
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        whole(self, vars(self), 1, "step_size_up", "step_size_down")
        not_negative(self, vars(self), "gamma")
        one_of(self, vars(self), "mode", ("triangular", "triangular2", "exp_range"))
        one_of(self, vars(self), "scale_mode", ("cycle", "iterations"))
        self._check_momentum(optimizer)
        super().__init__(optimizer, last_epoch)

    def _height(self, t):
        """How far up the triangle stands at t, from 0 to 1."""
        total = self.step_size_up + self.step_size_down
        cycle, x = t // total + 1, t % total
        up = x / self.step_size_up if x <= self.step_size_up else (total - x) / self.step_size_down
        if self.scale_fn is not None:
            return up * self.scale_fn(cycle if self.scale_mode == "cycle" else t)
        return (
            up * {"triangular": 1.0, "triangular2": 2.0 ** (1 - cycle), "exp_range": self.gamma**t}[self.mode]
        )

    def rate(self, t, base, k):
        low, high = of_group(self, self.base_lr, k), of_group(self, self.max_lr, k)
        return low + (high - low) * self._height(t)

    def momentum(self, t, k):
        low, high = of_group(self, self.base_momentum, k), of_group(self, self.max_momentum, k)
        return high - (high - low) * self._height(t)


class OneCycleLR(_Momentum):
    """One cycle for the whole training (Smith and Topin 2019): from max_lr / div_factor up to `max_lr` in the
    first `pct_start` of `total_steps` (or epochs * steps_per_epoch), then down to max_lr / div_factor /
    final_div_factor; with `three_phase` down as it went up, and then on to the end. Along cosines, or lines.
    Momentum goes the other way, from `max_momentum` to `base_momentum` and back. Lists have a value for each
    group. Raises ValueError after `total_steps`."""

    def __init__(
        self,
        optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
            whole(
                self, {"epochs": epochs, "steps_per_epoch": steps_per_epoch}, 1, "epochs", "steps_per_epoch"
            )
            total_steps = epochs * steps_per_epoch
        self.max_lr, self.total_steps, self.pct_start = max_lr, total_steps, pct_start
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        self.div_factor, self.final_div_factor, self.three_phase = div_factor, final_div_factor, three_phase
        whole(self, vars(self), 1, "total_steps")
        in_range(self, vars(self), 0, math.nextafter(1, 2), "pct_start")
        in_range(self, vars(self), 1e-300, math.inf, "div_factor", "final_div_factor")
        one_of(self, vars(self), "anneal_strategy", ("cos", "linear"))
        self._check_momentum(optimizer)
        super().__init__(optimizer, last_epoch)

    def _anneal(self, t, stations):
        """The value at t on the way from station to station."""
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR is over: step {t} of total_steps={self.total_steps}")
        peak = self.pct_start * self.total_steps
        ends = [peak - 1, 2 * peak - 2, self.total_steps - 1] if self.three_phase else None
        ends = ends or [peak - 1, self.total_steps - 1]
        start = 0.0
        for end, a, b in zip(ends, stations, stations[1:]):
            if t <= end or end == ends[-1]:
                done = (t - start) / (end - start) if end != start else 1.0
                return _cosine(a, b, done) if self.anneal_strategy == "cos" else a + (b - a) * done
            start = end

    def rate(self, t, base, k):
        high = of_group(self, self.max_lr, k)
        low = high / self.div_factor
        stations = [low, high, low] if self.three_phase else [low, high]
        return self._anneal(t, [*stations, low / self.final_div_factor])

    def momentum(self, t, k):
        low, high = of_group(self, self.base_momentum, k), of_group(self, self.max_momentum, k)
        return self._anneal(t, [high, low, high, high] if self.three_phase else [high, low, high])


class SWALR(LRScheduler):
    """From the rate of the moment to `swa_lr` in `anneal_epochs` epochs, along a cosine or a line, and then
    constant: for the phase in which a `StochasticWeightAverage` is taken. A list has a value for each
    group."""

    def __init__(
        self,
        optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ):
        self.swa_lr, self.anneal_epochs, self.anneal_strategy = swa_lr, anneal_epochs, anneal_strategy
        whole(self, vars(self), 0, "anneal_epochs")
        one_of(self, vars(self), "anneal_strategy", ("cos", "linear"))
        self.optimizer = optimizer
        self.begin = []
        for k, group in enumerate(getattr(optimizer, "param_groups", ())):
            # made on its way (last_epoch), it finds the rate of the next epoch: back to that of epoch 0
            left, end = self._left(last_epoch + 1), of_group(self, swa_lr, k)
            self.begin.append(end + (float(group["lr"]) - end) / left if left else float(group["lr"]))
        super().__init__(optimizer, last_epoch)

    def _left(self, t):
        """The share of the way from `begin` to `swa_lr` that is left at epoch t."""
        done = min(1.0, t / self.anneal_epochs) if self.anneal_epochs else 1.0
        return (1.0 + math.cos(math.pi * done)) / 2.0 if self.anneal_strategy == "cos" else 1.0 - done

    def rate(self, t, base, k):
        start, end = self.begin[k] if k < len(self.begin) else base, of_group(self, self.swa_lr, k)
        return end + (start - end) * self._left(t)

    def state_dict(self):
        return {**super().state_dict(), "begin": list(self.begin)}


def _cosine(start, end, done):
    """From start to end along half a cosine."""
    return end + (start - end) * (1.0 + math.cos(math.pi * done)) / 2.0

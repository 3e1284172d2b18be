"""A learning rate that falls when training stands still."""

import math

from .optimizer import Optimizer
from .options import in_range, not_negative, one_of, whole
from .schedule import LRScheduler, of_group


class ReduceLROnPlateau(LRScheduler):
    """lr = max(factor lr, min_lr) after more than `patience` epochs without improvement, then no counting for
    `cooldown` epochs. A metric improves when it is under best (1 - threshold) for `mode` "min", over
    best (1 + threshold) for "max", or under best - threshold, over best + threshold, for `threshold_mode`
    "abs". A change of less than `eps` is not made. `step(metric)` once an epoch. `min_lr` may be a list with
    a value for each group."""

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ):
        self.mode, self.factor, self.patience, self.threshold = mode, factor, patience, threshold
        self.threshold_mode, self.cooldown, self.min_lr, self.eps = threshold_mode, cooldown, min_lr, eps
        one_of(self, vars(self), "mode", ("min", "max"))
        one_of(self, vars(self), "threshold_mode", ("rel", "abs"))
        in_range(self, vars(self), 0, 1, "factor")
        whole(self, vars(self), 0, "patience", "cooldown")
        not_negative(self, vars(self), "threshold", "eps")
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def rate(self, t, base, k):
        return self.optimizer.param_groups[k]["lr"]  # changes with the metric, not with the epoch

    def step(self, metric: float | None = None) -> None:
        """Takes this epoch's metric."""
        self.last_epoch += 1
        if metric is None:
            if self.last_epoch > 0:
                raise ValueError("ReduceLROnPlateau: step(metric) needs the number that it watches")
            return
        metric = float(metric)
        self.num_bad_epochs += 1
        if self._improved(metric):
            self.best, self.num_bad_epochs = metric, 0
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
            for k, group in enumerate(self.optimizer.param_groups):
                lr = max(group["lr"] * self.factor, of_group(self, self.min_lr, k))
                if group["lr"] - lr > self.eps:
                    group["lr"] = lr

    def _improved(self, metric):
        sign = 1.0 if self.mode == "min" else -1.0
        if self.threshold_mode == "rel":
            return sign * metric < sign * self.best * (1.0 - sign * self.threshold)
        return sign * metric < sign * self.best - self.threshold

    def state_dict(self):
        names = "last_epoch", "best", "num_bad_epochs", "cooldown_counter"
        return {name: getattr(self, name) for name in names}

"""Search for hyper-parameters: random points from coarse to fine, each on the scale that suits it, and the
learning-rate range test."""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.modes import no_grad
from autograd.random import generator
from autograd.tensor import Tensor, as_array, writable

from .optimizer import Optimizer


@dataclass(frozen=True)
class Range:
    """A range from `low` to `high`, both possible, that is drawn from evenly on a scale of its own:
    `to_scale` and `from_scale` lead there and back. Raises ValueError for an empty range or one that its
    scale lacks."""

    low: float
    high: float

    def __post_init__(self):
        if not (self.low <= self.high and self.allowed()):
            raise ValueError(f"{type(self).__name__} cannot draw between {self.low!r} and {self.high!r}")

    def allowed(self) -> bool:
        """Whether the scale has both ends."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def to_scale(self, value: float) -> float:
        return value

    def from_scale(self, place: float) -> float:
        return place

    def draw(self, rng: np.random.Generator) -> float:
        """A value at random."""
        value = self.from_scale(rng.uniform(self.to_scale(self.low), self.to_scale(self.high)))
        return min(max(value, self.low), self.high)

    def around(self, values: Sequence[float]) -> "Range":
        """The range of these values, wider by a quarter on each side, inside this one."""
        places = [self.to_scale(value) for value in values]
        margin = (max(places) - min(places)) / 4
        low, high = self.from_scale(min(places) - margin), self.from_scale(max(places) + margin)
        return type(self)(max(low, self.low), min(high, self.high))


class Uniform(Range):
    """Evenly between low and high, such as a keep probability."""


class LogUniform(Range):
    """10^r with r uniform, such as a learning rate: Uniform(1e-4, 1) would spend 90% of its draws between 0.1
    and 1 (COURSE.md C2W3-scale)."""

    def allowed(self):
        return super().allowed() and self.low > 0

    def to_scale(self, value):
        return math.log10(value)

    def from_scale(self, place):
        return 10.0**place


class OneMinusLogUniform(Range):
    """1 - 10^r with r uniform, such as the beta of an average: 1 / (1 - beta) values count, 10 for 0.9 and
    for 0.9005, but 1000 for 0.999 and 2000 for 0.9995 (COURSE.md C2W3-scale)."""

    def allowed(self):
        return super().allowed() and self.high < 1

    def to_scale(self, value):
        return -math.log10(1.0 - value)

    def from_scale(self, place):
        return 1.0 - 10.0**-place


class Integer(Range):
    """A whole number from low to high, such as units of a layer, 50 to 100, or layers, 2 to 4 (COURSE.md
    C2W3-search)."""

    def draw(self, rng):
        return int(rng.integers(math.ceil(self.low), math.floor(self.high) + 1))

    def around(self, values):
        margin = math.ceil((max(values) - min(values)) / 4)
        return Integer(max(min(values) - margin, self.low), min(max(values) + margin, self.high))


@dataclass(frozen=True)
class Choice:
    """One of several."""

    options: tuple

    def __init__(self, *options: Any):
        if not options:
            raise ValueError("Choice of nothing")
        object.__setattr__(self, "options", options)

    def draw(self, rng):
        return self.options[int(rng.integers(len(self.options)))]

    def around(self, values):
        return Choice(*[option for option in self.options if option in values])


Space = Mapping[str, Range | Choice]


@dataclass
class Trials:
    """What a search has tried: (score, values) of each trial, in order. The best has the lowest score."""

    rows: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def ranked(self) -> list[tuple[float, dict[str, Any]]]:
        """The trials, best first; those that failed (NaN) last."""
        return sorted(self.rows, key=lambda row: math.inf if math.isnan(row[0]) else row[0])

    @property
    def best(self) -> dict[str, Any]:
        """The values of the best trial."""
        return self.ranked()[0][1]

    def __str__(self):
        """A table, best first."""
        names = list(self.rows[0][1]) if self.rows else []
        body = [[_short(score), *[_short(values[n]) for n in names]] for score, values in self.ranked()]
        lines = [["score", *names], *body]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths)) for line in lines)


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def random_search(objective: Callable[..., float], space: Space, trials: int) -> Trials:
    """Calls `objective(**values)` for random values and notes the scores, of which low ones are good. Random
    points, unlike a grid, try a new value of every hyper-parameter each time, also of the one that matters
    (COURSE.md C2W3-search). Draws from `autograd.seed`'s generator. Raises ValueError for no trials."""
    if trials < 1 or not space:
        raise ValueError("a search needs at least one trial and one hyper-parameter")
    done = Trials()
    for _ in range(trials):
        values = {name: scale.draw(generator()) for name, scale in space.items()}
        done.rows.append((float(objective(**values)), values))
    return done


def coarse_to_fine(
    objective: Callable[..., float], space: Space, trials: int, rounds: int = 2, keep: float = 0.25
) -> Trials:
    """Random search in `rounds` rounds of `trials` each: every round but the first looks only between the
    best `keep` of all trials so far, and a little around them (COURSE.md C2W3-search)."""
    if rounds < 1 or not 0 < keep <= 1:
        raise ValueError(f"coarse_to_fine needs rounds >= 1 and 0 < keep <= 1, got {rounds!r} and {keep!r}")
    done = random_search(objective, space, trials)
    for _ in range(rounds - 1):
        good = [values for _, values in done.ranked()[: max(2, math.ceil(keep * len(done.rows)))]]
        finer = {name: scale.around([values[name] for values in good]) for name, scale in space.items()}
        done.rows += random_search(objective, finer, trials).rows
    return done


@dataclass
class RangeTest:
    """The losses at growing learning rates; `smooth` is their average over the last few, bias corrected."""

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smooth: list[float] = field(default_factory=list)

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss fell fastest, per factor of the rate, before its minimum."""
        lowest = int(np.argmin(self.smooth))
        falls = np.gradient(np.asarray(self.smooth)) if len(self.smooth) > 1 else np.zeros(1)
        return self.rates[int(np.argmin(falls[: lowest + 1]))]


def lr_range_test(
    train_step: Callable[[], Any],
    optimizer: Optimizer,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    beta: float = 0.9,
    diverged: float = 4.0,
    buffers: Iterable[Tensor] = (),
) -> RangeTest:
    """Trains for `steps` steps while the learning rate of all groups grows from `low` to `high`, by the same
    factor each step (Smith 2017). `train_step()` runs backward and the optimizer's step on a new batch, and
    returns the loss. It ends early when the smoothed loss is over `diverged` times its least, or not finite.
    Afterwards weights, state, learning rates and `autograd.seed`'s generator are as before, and so are
    `buffers`: give it `model.buffers()` where a model has running statistics. Raises ValueError unless
    0 < low < high and there are two steps."""
    if not 0 < low < high < math.inf or steps < 2:
        raise ValueError(f"lr_range_test needs 0 < low < high and 2 steps, got {low!r}, {high!r}, {steps!r}")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moved = [*parameters, *buffers]
    values = [as_array(t).copy() for t in moved]
    drawn = generator().bit_generator.state
    state = {p: copy.deepcopy(s) for p, s in optimizer.state.items()}
    before = [group["lr"] for group in optimizer.param_groups]
    test, average = RangeTest(), 0.0
    try:
        for k in range(steps):
            rate = low * (high / low) ** (k / (steps - 1))
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = train_step()
            loss = float(loss.item() if hasattr(loss, "item") else loss)
            if not math.isfinite(loss):
                break
            average = beta * average + (1.0 - beta) * loss
            test.rates.append(rate)
            test.losses.append(loss)
            test.smooth.append(average / (1.0 - beta ** (k + 1)))
            if k and test.smooth[-1] > diverged * min(test.smooth):
                break
    finally:
        optimizer.state = state
        for group, lr in zip(optimizer.param_groups, before):
            group["lr"] = lr
        with no_grad():
            for t, value in zip(moved, values):
                writable(t)[...] = value
                t.grad = None
        generator().bit_generator.state = drawn
    if not test.rates:
        raise ValueError(f"lr_range_test: the loss is not finite at the lowest rate, {low:g}")
    return test

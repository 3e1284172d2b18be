"""What can be measured: a step that runs many times, or a number that a fresh process prints."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GROUPS = Path(__file__).parent / "groups"
ON_REQUEST = ("published",)  # groups that take very long


@dataclass(frozen=True)
class Case:
    """One piece of work, the same for us and for every peer.

    `data(rng, **size)` makes the inputs, the same for all sides; `full` is the size that is timed, `tiny` the
    one that tests run. `build` maps a side ("ours", a peer's name, or "peer:layout" where a peer has several)
    to a function that takes those inputs and returns `(step, result)`: `step()` is timed, `result()` gives
    the arrays that the last step made, by name. Builders import their library inside, since each side runs in
    an environment of its own.

    `targets` says how many times as long a peer should take, at least. Results of two sides agree when they
    differ by at most `tolerance` times the largest value. `memory` asks for the peak of each side too,
    `exact` for how far each is from the same in float64. `work` is the number of additions and
    multiplications of a full step, where that is to be seen beside what the machine can do. `examples` is how
    many of what a step goes through, such as (64, "images"): throughput is then shown. `threads` is 0 for as
    many as the command line says. `notes` says what a reader must know about the row of a peer.
    """

    name: str
    data: Callable[..., Mapping[str, Any]]
    build: Mapping[str, Callable[[Mapping[str, Any]], tuple[Callable, Callable]]]
    full: Mapping[str, Any]
    tiny: Mapping[str, Any]
    targets: Mapping[str, float] = field(default_factory=dict)
    tolerance: float = 1e-4
    memory: bool = False
    exact: bool = False
    work: int = 0
    examples: tuple[int, str] | None = None
    threads: int = 0
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def sides(self) -> tuple[str, ...]:
        """Every side, ours among them."""
        return tuple(self.build)


@dataclass(frozen=True)
class Launch:
    """A number that a fresh process finds out about itself, such as how long an import takes.

    `scripts` maps a side to Python source that prints `{"value": number, "result": {name: numbers}}` as its
    last line; its first argument is the time (`time.time()`) at which the process was started. Kernels are
    cached in an empty folder for each process where `cold`, else in one that a process before the measured
    ones has filled. `most` is our own target, in `unit`; `targets`, `tolerance` and `notes` are as in `Case`.
    """

    name: str
    scripts: Mapping[str, str]
    unit: str = "s"
    most: float | None = None
    cold: bool = False
    targets: Mapping[str, float] = field(default_factory=dict)
    tolerance: float = 1e-4
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def sides(self) -> tuple[str, ...]:
        """Every side, ours among them."""
        return tuple(self.scripts)


def peer_of(side: str) -> str:
    """The peer of a side: "torch" of "torch:channels_last"."""
    return side.partition(":")[0]


def group_names() -> list[str]:
    """The groups there are: one file each."""
    return sorted(path.stem for path in GROUPS.glob("[a-z]*.py"))


def module_of(group: str) -> str:
    """The full name of a group's module."""
    return f"benchmarks.groups.{group}"


def cases_of(module: str) -> list[Case | Launch]:
    """The cases that a module lists in its CASES, such as those of "benchmarks.groups.engine"."""
    return importlib.import_module(module).CASES

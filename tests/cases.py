"""The table of ops: every registered op has its rows here (one list a chapter), or the suite fails."""

import importlib
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

CHECKS = ("second", "float32", "huge", "layout", "numpy", "empty")


@dataclass(frozen=True)
class Case:
    """One op on one set of arguments. `make(rng)` gives the positional arguments, floats in float64; `expect`
    is the forward's reference, called with the same arguments (None: the op's twin). `elementwise` rows are
    also run on empty and 0-d arrays. `exempt` maps the name of a check (CHECKS) to the reason it does not
    apply."""

    op: str
    make: Callable[[np.random.Generator], tuple]
    expect: Callable | None = None
    kwargs: Mapping = field(default_factory=dict)
    note: str = ""
    elementwise: bool = False
    exempt: Mapping[str, str] = field(default_factory=dict)

    def __str__(self):
        return f"{self.op}-{self.note}" if self.note else self.op


def all_cases() -> list[Case]:
    """The rows of every chapter."""
    files = sorted(pathlib.Path(__file__).parent.glob("cases_*.py"))
    return [case for file in files for case in importlib.import_module(f"tests.{file.stem}").CASES]

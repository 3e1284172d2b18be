"""What can be built by name: each architecture's file ends with its rows, and is found by being here."""

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..module import Module


@dataclass(frozen=True)
class Entry:
    """One architecture at one size: what `build()` gives, what it takes, and its published size.

    `examples(rng, m)` gives the arguments of a forward pass of m examples at that size, a tuple of arrays;
    without it a network takes one array (m, *input_shape) of float32."""

    name: str
    build: Callable[..., Module]
    input_shape: tuple[int, ...]  # without the batch
    parameters: int
    multiply_adds: int  # of one example
    course: str  # its row in the course's table of contents, week and topic: "C4W2-vgg"
    paper: str
    examples: Callable[[np.random.Generator, int], tuple] | None = None

    def inputs(self, m: int = 1, seed: int = 0) -> tuple:
        """Arguments of a forward pass of m examples, drawn from a generator of that seed."""
        rng = np.random.default_rng(seed)
        if self.examples is not None:
            return self.examples(rng, m)
        return (rng.standard_normal((m, *self.input_shape), np.float32),)

    @property
    def file(self) -> str:
        """The file in nn/models that it stands in."""
        return f"{self.build.__module__.rpartition('.')[2]}.py"


def entries() -> dict[str, Entry]:
    """Every entry by name, in the order of the files."""
    from .. import models

    found: dict[str, Entry] = {}
    for file in pkgutil.iter_modules(models.__path__, f"{models.__name__}."):
        for entry in getattr(importlib.import_module(file.name), "ENTRIES", ()):
            if entry.name in found:
                raise ValueError(f"two models are called {entry.name!r}: the second is in {file.name}")
            found[entry.name] = entry
    return found


def find(name: str) -> Entry:
    """The entry of that name; raises ValueError that names the nearest."""
    known = entries()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        raise ValueError(f"no model is called {name!r}: {hint}")
    return known[name]

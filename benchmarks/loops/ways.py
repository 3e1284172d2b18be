"""The same work written three ways: loops over single numbers, as a lecture writes them first; NumPy without
a loop where that can be; and what one calls here."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from benchmarks.case import Case


def three_ways(
    title: str,
    data: Callable[..., Mapping],
    loops: Callable,
    vectorised: Callable,
    ours: Callable,
    sizes: list[Mapping],
    tiny: Mapping,
    tolerance: float = 1e-4,
) -> list[Case]:
    """A case for each size, named by it. `loops(**inputs)` and `vectorised(**inputs)` return an array, a
    number or a tuple of them; `ours(**inputs)` returns the call that does the same, so that arrays become
    tensors and layers are made before the time counts."""
    prepare = {
        "ours": ours,
        "numpy": lambda **inputs: partial(vectorised, **inputs),
        "loops": lambda **inputs: partial(loops, **inputs),
    }
    build = {side: partial(_run, prepared) for side, prepared in prepare.items()}
    return [Case(f"{title}, {_named(size)}", data, build, size, tiny, tolerance=tolerance) for size in sizes]


def _named(size):
    return ", ".join(f"{name} {value:,}" for name, value in size.items())


def _run(prepare, inputs):
    call, last = prepare(**inputs), {}

    def step():
        last["made"] = call()

    def result():
        made = last["made"] if isinstance(last["made"], tuple) else (last["made"],)
        arrays = (a.numpy() if hasattr(a, "requires_grad") else a for a in made)
        return {f"result {k}": np.asarray(a, np.float64) for k, a in enumerate(arrays)}

    return step, result

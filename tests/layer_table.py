"""The table of layers: every layer that `nn` exports has its rows in `tests/layer_rows_*.py`, or the suite
fails."""

import importlib
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CHECKS = ("torch", "float32", "second", "state", "copy")


def channels_first(array: np.ndarray) -> np.ndarray:
    """Images and sequences as PyTorch has them: the last axis second. What has no axis between stays."""
    return np.moveaxis(array, -1, 1) if array.ndim > 2 else array


def channels_last(array: np.ndarray) -> np.ndarray:
    """The way back."""
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


MANY = {"second": "too many numbers for finite differences"}


def as_is(array: np.ndarray) -> np.ndarray:
    """For layers whose axes agree with PyTorch's (`batch_first=True`, activations over the last axis)."""
    return array


def called(module, *inputs):
    """How a module is called, unless the row says otherwise."""
    return module(*inputs)


@dataclass(frozen=True)
class Row:
    """One layer with one choice of arguments.

    `name` starts with the name of the class ("Conv2d, groups"). `ours()` builds the layer, in the default
    dtype of the moment; `theirs(torch)` PyTorch's, None where it has none. `inputs(rng)` gives the arguments
    of the call, floats in float64, channels last, small enough for finite differences (a few dozen numbers);
    what is no array is passed on as it is. `to_torch` and `from_torch` move the axes of every input and
    output. `call(module, *inputs)` calls ours and theirs. `modes` are those that are held against PyTorch:
    ("eval",) where training draws random numbers. `expect(layer, *inputs)` is a closed form of the output at
    test time in NumPy, needed where PyTorch has no such layer. `large(rng)` gives the inputs of the float32
    check, of a size that reaches the fast kernels; `tolerance` is that check's, relative to the output's RMS.
    `exempt` maps the name of a check (CHECKS) to the reason it does not apply."""

    name: str
    ours: Callable[[], Any]
    theirs: Callable[[Any], Any] | None
    inputs: Callable[[np.random.Generator], tuple]
    to_torch: Callable[[np.ndarray], np.ndarray] = channels_first
    from_torch: Callable[[np.ndarray], np.ndarray] = channels_last
    modes: tuple[str, ...] = ("train", "eval")
    exempt: Mapping[str, str] = field(default_factory=dict)
    call: Callable[..., Any] = called
    expect: Callable[..., Any] | None = None
    large: Callable[[np.random.Generator], tuple] | None = None
    tolerance: float = 1e-5

    def __str__(self):
        return self.name

    @property
    def covers(self) -> str:
        """The name of the class."""
        return self.name.replace(",", " ").split()[0]


def all_rows() -> list[Row]:
    """The rows of every chapter."""
    files = sorted(pathlib.Path(__file__).parent.glob("layer_rows_*.py"))
    return [row for file in files for row in importlib.import_module(f"tests.{file.stem}").ROWS]


def normal(*shapes):
    """Inputs of these shapes from N(0, 1)."""
    return lambda rng: tuple(rng.standard_normal(shape) for shape in shapes)


def same(name, make, *shapes, **options) -> Row:
    """A row of a layer that is built from nn and from torch.nn alike: make(nn), make(torch.nn)."""
    import nn

    inputs = options.pop("inputs", normal(*shapes))
    return Row(name, lambda: make(nn), lambda torch: make(torch.nn), inputs, **options)

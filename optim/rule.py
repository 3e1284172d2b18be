"""An optimizer's maths as the textbook writes it, run over many parameters.

    @rule("w", "v")                          # the arrays that it gives new values
    def momentum(w, g, v, /, mu, lr):        # arrays before the /, numbers after it
        v = mu * v + g
        w = w - lr * v
        return w, v

On float64 and on little float32 NumPy runs the lines as they stand, one parameter after the other. On more
the same lines, compiled, run over all parameters in one parallel pass that writes in place."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from autograd.rows import Rows

# float32 elements in all from which the kernel is worth loading: below, NumPy takes less than a step's
# overhead
LARGE = 1 << 12
_FLOAT32 = np.dtype(np.float32)

Numbers = tuple[float, ...]
UNCHANGED = (1.0, 0.0, 1.0)  # sign, decay, shrink: see `changed`


class Rule:
    """Elementwise maths `function(*arrays, /, *numbers)` that gives new values to the arrays named in
    `written`, in that order. It may use operators and functions of NumPy that `autograd/kernels/mathf.py`
    has."""

    def __init__(self, function: Callable, written: Sequence[str]):
        self.function = function
        self.written = tuple(written)
        code = function.__code__
        names = code.co_varnames[: code.co_posonlyargcount]
        self.places = [names.index(name) for name in written]
        self.__doc__ = function.__doc__

    @cached_property
    def kernel(self):
        """The same lines, compiled."""
        from autograd.kernels.update import Update

        return Update(self.function, self.written)

    @cached_property
    def row_kernel(self):
        """The same lines, compiled for some rows of tables."""
        from autograd.kernels.embedding import RowUpdate

        return RowUpdate(self.function, self.written)

    def __call__(self, rows: list, numbers: Numbers, change: Numbers = UNCHANGED) -> None:
        """Runs over `rows`: for each parameter a tuple of its arrays, in the order of the function's
        arguments. All are C-contiguous where the first is float32."""
        fast = [row for row in rows if row[0].dtype is _FLOAT32]
        if sum([row[0].size for row in fast]) >= LARGE:
            self.kernel(fast, numbers, change)
            if len(fast) == len(rows):
                return
            rows = [row for row in rows if row[0].dtype is not _FLOAT32]
        with np.errstate(all="ignore"):  # as kernels do: a NaN says enough
            for row in rows:
                self.plain(row, numbers, change)

    def on_rows(self, tables: Sequence[np.ndarray], g: Rows, numbers: Numbers, change=UNCHANGED) -> None:
        """Runs over those rows of `tables`, the function's arrays but the gradient, that g has."""
        if tables[0].dtype is _FLOAT32 and g.values.size >= LARGE:
            self.row_kernel.over(tables, g.values, g.indices, numbers, change)
            return
        g = g.coalesce()
        w, *rest = [table[g.indices] for table in tables]
        taken = w, g.values.astype(w.dtype, copy=False), *rest
        self([taken], numbers, change)
        for place in self.places:
            tables[place - (place > 1)][g.indices] = taken[place]

    def plain(self, row: Sequence[np.ndarray], numbers: Numbers, change: Numbers = UNCHANGED) -> None:
        """Runs over one parameter, by NumPy."""
        inputs = row if change == UNCHANGED else (*changed(row[0], row[1], change), *row[2:])
        results = self.function(*inputs, *numbers)
        if len(self.places) == 1:
            results = (results,)
        for place, result in zip(self.places, results):
            row[place][...] = result


def rule(*written: str) -> Callable[[Callable], Rule]:
    """Declares a `Rule`."""
    return lambda function: Rule(function, written)


def changed(w: np.ndarray, g: np.ndarray, change: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """What a rule starts from: g = sign g + decay w, the gradient of a cost to be minimised, with its L2
    penalty; and w = shrink w, weight decay apart from the gradient."""
    sign, decay, shrink = change
    if sign != 1.0:
        g = sign * g
    if decay:
        g = g + decay * w
    return (shrink * w if shrink != 1.0 else w), g

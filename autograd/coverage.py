"""Which of NumPy's functions a tensor may go through, and what becomes of its gradient: the table that
`python -m autograd coverage` prints."""

import numpy as np

from .dispatch import without_derivative
from .tensor import dispatch

DIFFERENTIABLE, PLAIN, REFUSED = "differentiable", "plain array", "refused"
NAMESPACES = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft}

_DATES = "dates have no derivative"
_IN_PLACE = "writes into its argument: autograd.numpy has it as a function that returns the new array"
_REASONS = {
    "np.busday_count": _DATES,
    "np.busday_offset": _DATES,
    "np.datetime_as_string": _DATES,
    "np.is_busday": _DATES,
    "np.copyto": "writes into its argument: np.where chooses between arrays",
    "np.fill_diagonal": _IN_PLACE,
    "np.place": _IN_PLACE,
    "np.put": _IN_PLACE,
    "np.put_along_axis": _IN_PLACE,
    "np.putmask": _IN_PLACE,
    "np.nextafter": "the next number of the type: x itself has its derivative",
}


def dispatchable() -> dict:
    """NumPy's ufuncs and array functions by name; of several names of one function the first."""
    found = {}
    for prefix, namespace in NAMESPACES.items():
        for name in sorted(dir(namespace)):
            function = getattr(namespace, name) if not name.startswith("_") else None
            if isinstance(function, (np.ufunc, type(np.sum))):
                found.setdefault(function, f"{prefix}.{name}")
    return {name: function for function, name in found.items()}


def coverage() -> dict:
    """For each of these names what a tensor meets there: (state, reason); a reason where it is refused."""
    table = {}
    for name, function in dispatchable().items():
        if function in without_derivative:
            table[name] = (PLAIN, "")
        elif function in dispatch:
            table[name] = (DIFFERENTIABLE, "")
        else:
            table[name] = (REFUSED, _REASONS.get(name, ""))
    return table


def report() -> str:
    """The table as text, with the share of each state."""
    table = coverage()
    lines = []
    for prefix in NAMESPACES:
        for state in (DIFFERENTIABLE, PLAIN, REFUSED):
            names = [n for n, (s, _) in table.items() if s == state and n.rpartition(".")[0] == prefix]
            if not names:
                continue
            lines.append(f"{prefix}, {state}: {len(names)}")
            if state == REFUSED:
                lines += [f"    {n.rpartition('.')[2]}: {table[n][1]}" for n in names]
            else:
                lines += _wrapped([n.rpartition(".")[2] for n in names])
    counts = {state: sum(s == state for s, _ in table.values()) for state in (DIFFERENTIABLE, PLAIN, REFUSED)}
    shares = ", ".join(f"{n} {state} ({n / len(table):.0%})" for state, n in counts.items())
    return "\n".join([*lines, f"{len(table)} functions of NumPy {np.__version__}: {shares}"])


def _wrapped(names, width=100):
    lines, line = [], ""
    for name in names:
        if line and len(line) + 1 + len(name) > width:
            lines.append(line)
            line = ""
        line = f"{line} {name}" if line else name
    return [f"    {x}" for x in [*lines, line]]

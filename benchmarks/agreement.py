"""Whether the results of two sides agree, and how far they are from exact ones."""

from collections.abc import Mapping

import numpy as np

from .case import Case, Launch

Arrays = Mapping[str, np.ndarray]


class Disagreement(Exception):
    """The results of two sides differ."""


def disagreement(ours: Arrays, theirs: Arrays, tolerance: float) -> str | None:
    """In what two sides' results differ, None when they agree: the same names, shapes and dtypes, and values
    no further apart than `tolerance` times the largest."""
    if set(ours) != set(theirs):
        return f"results {sorted(ours)} against {sorted(theirs)}"
    for name, a in ours.items():
        b = theirs[name]
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{name}: {a.dtype} {a.shape} against {b.dtype} {b.shape}"
        scale = float(np.abs(a).max(initial=0))
        error = float(np.abs(a - b).max(initial=0))
        if not error <= tolerance * scale:
            return f"{name}: {error:.2g} apart where the largest value is {scale:.2g}"
    return None


def check(ours: Arrays, theirs: Arrays, side: str, case: Case | Launch) -> None:
    """Raises Disagreement, saying in what, when the results of a case differ."""
    if wrong := disagreement(ours, theirs, case.tolerance):
        raise Disagreement(f"ours and {side} disagree, so they are not compared: {wrong}")


def error(found: Arrays, exact: Arrays) -> float:
    """How far results are from exact ones: the largest difference over the root mean square, of the array
    where that is most."""
    worst = 0.0
    for name, a in exact.items():
        size = float(np.sqrt(np.mean(np.square(a)))) if a.size else 0.0
        apart = float(np.abs(found[name] - a).max(initial=0))
        worst = max(worst, apart / size if size else apart)
    return worst

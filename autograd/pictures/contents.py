"""What a picture tells of the numbers in an array."""

import numpy as np

from .model import Histogram

BINS = 24
CELLS = 256  # arrays of up to so many numbers become a heat map


def numbers(array) -> str:
    """A few numbers, written out: one line for each row."""
    if array.ndim > 1:
        return "\n".join(map(numbers, array))
    if array.ndim:
        return f"[{', '.join(numbers(element) for element in array)}]"
    return f"{array.item():.4g}" if array.dtype.kind in "fc" else str(array.item())


def heat(array) -> tuple[tuple[float, ...], ...] | None:
    """Rows of numbers from -1 to 1, the largest magnitude scaled to 1, of an array with up to two axes longer
    than 1; None for what is too large, or a single number."""
    if not 1 < array.size <= CELLS or array.dtype.kind == "c":
        return None
    shape = [n for n in array.shape if n > 1]
    if len(shape) > 2:
        return None
    rows = np.asarray(array, float).reshape(shape if len(shape) == 2 else (1, -1))
    top = np.max(np.abs(rows), initial=0.0, where=np.isfinite(rows))
    return tuple(tuple(row) for row in np.nan_to_num(rows / (top or 1.0), posinf=1.0, neginf=-1.0).tolist())


def histogram(array) -> Histogram | None:
    """The counts of an array's numbers; None for an empty or a complex one."""
    if not array.size or array.dtype.kind == "c":
        return None
    flat = np.ravel(array)
    finite = flat if flat.dtype.kind in "iub" else flat[np.isfinite(flat)]
    if not finite.size:
        return Histogram(0.0, 0.0, (), flat.size)
    counts, edges = np.histogram(finite.astype(float, copy=False), BINS)
    return Histogram(float(edges[0]), float(edges[-1]), tuple(counts.tolist()), flat.size - finite.size)

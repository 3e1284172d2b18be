"""scipy.signal.convolve over chosen axes, composed of windows and one einsum."""

import string

import numpy as np


def convolve(A, B, axes=None, dot_axes=((), ()), mode="full"):
    """The convolution of A and B over the pairs of `axes` (all of them in order by default), summed over
    the pairs of
    `dot_axes`. The result has the other axes of A, then those of B, then the convolved ones. `mode` is
    "full",
    "valid" or "same" (of A's size). Raises ValueError for another one."""
    if mode not in ("full", "valid", "same"):
        raise ValueError(f"convolve: mode is 'full', 'valid' or 'same', got {mode!r}")
    if axes is None:
        axes = range(np.ndim(A)), range(np.ndim(B))
    letters = iter(string.ascii_letters)
    of_a, of_b = ([next(letters) for _ in range(np.ndim(X))] for X in (A, B))
    for i, j in zip(*dot_axes, strict=True):
        of_b[j] = of_a[i]
    contracted = {of_a[i] for i in dot_axes[0]}
    convolved = []
    for i, j in zip(*axes, strict=True):
        at = i + sum(len(label) > 1 for label in of_a[:i])
        n, m = np.shape(A)[at], np.shape(B)[j]
        first = {"full": 0, "valid": min(n, m) - 1, "same": (m - 1) // 2}[mode]
        count = {"full": n + m - 1, "valid": abs(n - m) + 1, "same": n}[mode]
        widths = [(0, 0)] * np.ndim(A)
        widths[at] = (m - 1, m - 1)
        # (..., count, m, ...): the m elements of A that each element of the result meets
        A = np.take(np.pad(A, widths), first + np.arange(count)[:, None] + np.arange(m), axis=at)
        B = np.flip(B, j)
        convolved.append(of_a[i])
        of_a[i] = of_a[i] + of_b[j]
    met = set("".join(convolved)) | contracted | {label[1] for label in of_a if len(label) > 1}
    kept = [x for x in (*of_a, *of_b) if len(x) == 1 and x not in met]
    return np.einsum(f"{''.join(of_a)},{''.join(of_b)}->{''.join([*kept, *convolved])}", A, B)

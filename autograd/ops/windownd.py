"""The arithmetic of sliding windows over one, two or three axes: `window.py` for every number of axes."""

import operator

import numpy as np

PLACES = {1: "(m, T, n_C)", 2: "(m, n_H, n_W, n_C)", 3: "(m, n_D, n_H, n_W, n_C)"}


def several(value, axes: int, name: str, least: int) -> tuple[int, ...]:
    """One int an axis, from one int or from as many as there are axes. Raises TypeError for what is neither,
    ValueError below `least`."""
    try:
        each = (operator.index(value),) * axes
    except TypeError:
        try:
            each = tuple(map(operator.index, value))
        except TypeError:
            raise TypeError(f"{name} is an int or {axes} ints, got {value!r}") from None
        if len(each) != axes:
            raise TypeError(f"{name} is an int or {axes} ints, got {value!r}") from None
    if min(each) < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return each


def pads_of(padding, size, kernel, stride, dilation) -> tuple[tuple[int, int], ...]:
    """A pair (before, after) for each axis from a number, one number an axis, the pairs themselves, "valid"
    (none) or "same" (ceil(n / s) outputs, the odd element after, as in TensorFlow). Raises TypeError or
    ValueError for anything else."""
    axes = len(size)
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * axes
        if padding != "same":
            raise ValueError(f'padding is "same", "valid", a number or numbers, got {padding!r}')
        span = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(size, stride, span, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    if isinstance(padding, (tuple, list)) and padding and {*map(type, padding)} <= {tuple, list}:
        if len(padding) != axes:
            raise TypeError(f"padding holds {len(padding)} pairs for {axes} axes: {padding!r}")
        return tuple(several(p, 2, "padding of an axis", 0) for p in padding)  # type: ignore[misc]
    return tuple((p, p) for p in several(padding, axes, "padding", 0))


def outputs_of(size, kernel, stride, pads, dilation) -> tuple[int, ...]:
    """floor((n + p_before + p_after - d(f-1) - 1) / s) + 1 for each axis. Raises ValueError where the kernel
    is larger than the padded input."""
    padded = tuple(n + sum(p) for n, p in zip(size, pads, strict=True))
    span = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    if any(k > n for k, n in zip(span, padded, strict=True)):
        spread = f", spread to {by(span)} by its dilation," if span != tuple(kernel) else ""
        what = "image" if len(size) == 2 else "input"
        raise ValueError(
            f"a kernel of {by(kernel)}{spread} is larger than the {what}, {by(size)} "
            f"({by(padded)} with its padding)"
        )
    return tuple((n - k) // s + 1 for n, k, s in zip(padded, span, stride, strict=True))


def by(size) -> str:
    """3x4x5."""
    return "x".join(map(str, size))


def batch(x, axes: int, name: str = "x"):
    """Raises ValueError unless x is a batch of what has so many axes beside batch and channels."""
    ndim = np.ndim(x)
    if ndim != axes + 2:
        hint = f"; one example is {name}[None]" if ndim == axes + 1 else ""
        raise ValueError(f"{name} has {ndim} dimensions, needs {axes + 2}: {PLACES[axes]}{hint}")
    return x

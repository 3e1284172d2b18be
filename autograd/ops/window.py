"""The arithmetic of sliding windows, shared by convolution and pooling: sizes are (rows, columns)."""

import operator

import numpy as np

from ..modes import get_default_dtype

Pair = tuple[int, int]
Pads = tuple[Pair, Pair]

_FLOAT32 = np.dtype(np.float32)


def pair(value, name: str, least: int) -> Pair:
    """(rows, columns) from one int or two. Raises TypeError for what is neither, ValueError below `least`."""
    try:
        both = (operator.index(value),) * 2
    except TypeError:
        try:
            rows, columns = value
            both = operator.index(rows), operator.index(columns)
        except (TypeError, ValueError):
            raise TypeError(f"{name} is an int or a pair of ints, got {value!r}") from None
    if min(both) < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return both


def whole(value, name: str, least: int) -> int:
    """One int. Raises TypeError for what is not, ValueError below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is an int, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return number


def extent(kernel: Pair, dilation: Pair) -> Pair:
    """How many pixels a kernel spans: d * (f - 1) + 1."""
    return dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1


def resolve_padding(padding, size: Pair, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Pads:
    """((top, bottom), (left, right)) from a number, (rows, columns), that form itself, "valid" or "same".

    "valid" is no padding. "same" gives ceil(n / s) outputs, so the input's size at stride 1, and where the
    total is odd the extra pixel goes to the bottom and the right, as in TensorFlow. COURSE.md C4W1-pad: p =
    (f - 1) / 2 for an odd f. Raises TypeError or ValueError for anything else."""
    if isinstance(padding, str):
        if padding == "valid":
            return (0, 0), (0, 0)
        if padding != "same":
            raise ValueError(f'padding is "same", "valid", a number or pairs of numbers, got {padding!r}')
        span = extent(kernel, dilation)
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(size, stride, span, strict=True)]
        rows, columns = ((t // 2, t - t // 2) for t in total)
        return rows, columns
    if isinstance(padding, (tuple, list)) and [*map(type, padding)] in ([tuple] * 2, [list] * 2):
        return pair(padding[0], "padding of rows", 0), pair(padding[1], "padding of columns", 0)
    rows, columns = pair(padding, "padding", 0)
    return (rows, rows), (columns, columns)


def output_size(size: Pair, kernel: Pair, stride: Pair, pads: Pads, dilation: Pair = (1, 1)) -> Pair:
    """floor((n + p_before + p_after - d(f-1) - 1) / s) + 1 for rows and columns (COURSE.md C4W1-stride).

    Raises ValueError where the kernel is larger than the padded image, so that no window fits.
    """
    padded = tuple(n + sum(p) for n, p in zip(size, pads, strict=True))
    span = extent(kernel, dilation)
    if span[0] > padded[0] or span[1] > padded[1]:
        spread = f", spread to {span[0]}x{span[1]} by its dilation," if span != kernel else ""
        raise ValueError(
            f"a kernel of {kernel[0]}x{kernel[1]}{spread} is larger than the image, {size[0]}x{size[1]} "
            f"({padded[0]}x{padded[1]} with its padding)"
        )
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(padded, span, stride, strict=True))
    return rows, columns


def images(x, name: str) -> np.ndarray:
    """x as an array. Raises ValueError unless it is a batch of images, (m, n_H, n_W, n_C)."""
    x = np.asarray(x)
    if x.ndim != 4:
        hint = f"; one image is {name}[None]" if x.ndim == 3 else ""
        raise ValueError(f"{name} has {x.ndim} dimensions, needs 4: (m, n_H, n_W, n_C), channels last{hint}")
    return x


def float_type(*arrays) -> tuple[np.dtype, type]:
    """The dtype of the result, and that of the kernel which computes it (float32 or float64). Integers follow
    the floats beside them. Raises TypeError for complex numbers."""
    if all(a is None or getattr(a, "dtype", None) is _FLOAT32 for a in arrays):
        return _FLOAT32, np.float32
    dtypes = [np.asarray(a).dtype for a in arrays if a is not None]
    if bad := [d for d in dtypes if d.kind not in "fiub"]:
        raise TypeError(f"takes real numbers, got {bad[0]}")
    floats = [d for d in dtypes if d.kind == "f"]
    result = np.result_type(*floats) if floats else np.dtype(get_default_dtype())
    return result, np.float64 if result.itemsize > 4 else np.float32

"""Layers that only rearrange."""

import math

import numpy as np

from ..module import Module


def flatten(x, start_dim=1, end_dim=-1):
    """Merges the axes from `start_dim` to `end_dim` into one: (m, n_H, n_W, n_C) -> (m, n_H * n_W * n_C).
    Raises ValueError when there are no such axes, as with a batch of single numbers."""
    ndim = len(x.shape)
    start, end = (d + ndim if d < 0 else d for d in (start_dim, end_dim))
    if not 0 <= start <= end < ndim:
        raise ValueError(f"flatten: no axes {start_dim} to {end_dim} in shape {x.shape}")
    merged = int(np.prod(x.shape[start : end + 1]))
    return np.reshape(x, (*x.shape[:start], merged, *x.shape[end + 1 :]))  # (..., merged, ...)


def unflatten(x, dim, sizes):
    """Splits one axis into several: (m, 24) -> (m, 2, 3, 4) for dim 1 and sizes (2, 3, 4). One size may be
    -1. Raises ValueError where they do not multiply to the axis."""
    ndim = len(x.shape)
    at = dim + ndim if dim < 0 else dim
    if not 0 <= at < ndim:
        raise ValueError(f"unflatten: no axis {dim} in shape {x.shape}")
    sizes = list(sizes)
    if sizes.count(-1) == 1 and (known := -math.prod(sizes)) and x.shape[at] % known == 0:
        sizes[sizes.index(-1)] = x.shape[at] // known
    if math.prod(sizes) != x.shape[at] or min(sizes, default=0) < 0:
        raise ValueError(f"unflatten: sizes {tuple(sizes)} do not multiply to axis {dim} of shape {x.shape}")
    return np.reshape(x, (*x.shape[:at], *sizes, *x.shape[at + 1 :]))


class Flatten(Module):
    """Merges all axes but the batch's: (m, n_H, n_W, n_C) -> (m, n_H * n_W * n_C); Flatten(start_dim=1,
    end_dim=-1). PyTorch, being channels first, flattens in another order: give the Linear behind it
    `spatial=(n_H, n_W, n_C)`. COURSE.md C1W2-imgvec."""

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x):
        return flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self):
        return "" if (self.start_dim, self.end_dim) == (1, -1) else f"{self.start_dim}, {self.end_dim}"


class Unflatten(Module):
    """Splits axis `dim` into `unflattened_size`: Unflatten(1, (7, 7, 64)) takes (m, 3136) to (m, 7, 7, 64).
    One size may be -1. Raises ValueError where they do not multiply to the axis."""

    def __init__(self, dim, unflattened_size):
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x):
        return unflatten(x, self.dim, self.unflattened_size)

    def extra_repr(self):
        return f"{self.dim}, {self.unflattened_size}"


class Reshape(Module):
    """Another shape for each example, the batch's axis kept: Reshape(7, 7, 64) takes (m, 3136) to (m, 7, 7,
    64). One length may be -1. Raises ValueError when the number of elements differs."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return np.reshape(x, (x.shape[0], *self.shape))

    def extra_repr(self):
        return ", ".join(map(str, self.shape))


class Permute(Module):
    """The axes in another order, the batch's among them: Permute(0, 2, 1) exchanges time and features of (m,
    T, features). Raises ValueError for other numbers of axes."""

    def __init__(self, *dims):
        super().__init__()
        if sorted(dims) != list(range(len(dims))):
            raise ValueError(f"Permute: the axes are 0 to {len(dims) - 1}, each once, got {dims}")
        self.dims = dims

    def forward(self, x):
        if x.ndim != len(self.dims):
            raise ValueError(f"Permute: {self.dims} is for {len(self.dims)} axes, got shape {x.shape}")
        return np.transpose(x, self.dims)

    def extra_repr(self):
        return ", ".join(map(str, self.dims))


class Identity(Module):
    """Returns its input; a place for a layer. Arguments are ignored."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, x):
        return x

"""Layers that only rearrange."""

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


class Identity(Module):
    """Returns its input; a place for a layer. Arguments are ignored."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, x):
        return x

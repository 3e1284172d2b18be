"""Fully connected layers."""

import math

import numpy as np

from autograd.modes import get_default_dtype
from autograd.ops.linalg import linear

from .. import init
from ..module import Layout, Module, Parameter
from .check import fits, positive


class Linear(Module):
    """z = x W^T + b

    over the last axis: x (..., n_in) -> z (..., n_out), with `weight` (n_out, n_in), the course's W[l], and
    `bias` (n_out,).

    Linear(in_features, out_features, bias=True, spatial=None). Behind a Flatten of images, `spatial=(n_H,
    n_W, n_C)` says what was flattened; then weights exchanged with PyTorch, which flattens (n_C, n_H, n_W),
    have their columns permuted. Both start from U(-1/sqrt(n_in), 1/sqrt(n_in)), as in PyTorch. Raises
    ValueError for inputs of other than n_in features, TypeError for inputs of another dtype. COURSE.md
    C1W4-forward."""

    def __init__(self, in_features, out_features, bias=True, spatial=None):
        super().__init__()
        positive(self, in_features=in_features, out_features=out_features)
        layout = None
        if spatial is not None:
            spatial = tuple(spatial)
            if len(spatial) != 3 or math.prod(spatial) != in_features:
                raise ValueError(
                    f"Linear: spatial (n_H, n_W, n_C) must multiply to {in_features} features, got {spatial}"
                )
            layout = Layout((0, 3, 1, 2), (out_features, *spatial))
        self.in_features, self.out_features, self.spatial = in_features, out_features, spatial
        self.weight = Parameter(np.empty((out_features, in_features), get_default_dtype()), layout=layout)
        self.bias = Parameter(np.empty(out_features, get_default_dtype())) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights and biases anew."""
        init.fan_in_uniform_(self.weight, self.in_features)
        if self.bias is not None:
            init.fan_in_uniform_(self.bias, self.in_features)

    def forward(self, x):
        fits(self, x, self.weight, self.in_features, "features")
        return linear(x, self.weight, self.bias)

    def extra_repr(self):
        notes = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{notes}" + (
            f", spatial={self.spatial}" if self.spatial else ""
        )

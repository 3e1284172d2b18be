"""Fully connected layers."""

import math

import numpy as np

from autograd.modes import get_default_dtype
from autograd.ops.linalg import linear, linear_relu

from .. import init
from ..module import Layout, Module, Parameter
from .check import fits, positive


def bilinear(x1, x2, weight, bias=None):
    """y_k = x1^T W_k x2 + b_k over the last axes: x1 (..., n_1), x2 (..., n_2), weight (n_out, n_1, n_2)."""
    outputs, first, second = weight.shape
    table = weight.transpose((1, 0, 2)).reshape((first, outputs * second))
    rows = np.matmul(x1, table).reshape((*x1.shape[:-1], outputs, second))  # (..., n_out, n_2)
    y = np.matmul(rows, x2[..., None])[..., 0]
    return y if bias is None else y + bias


class _Affine(Module):
    weight: Parameter
    bias: Parameter | None

    def reset_parameters(self) -> None:
        """Draws weights and biases anew."""
        fan_in = self.weight.shape[1]
        init.fan_in_uniform_(self.weight, fan_in)
        if self.bias is not None:
            init.fan_in_uniform_(self.bias, fan_in)


class Linear(_Affine):
    """z = x W^T + b

    over the last axis: x (..., n_in) -> z (..., n_out), with `weight` (n_out, n_in), the course's W[l], and
    `bias` (n_out,).

    Linear(in_features, out_features, bias=True, spatial=None). Behind a Flatten of images, `spatial=(n_H,
    n_W, n_C)` says what was flattened; then weights exchanged with PyTorch, which flattens (n_C, n_H, n_W),
    have their columns permuted; (T, n_C) and (n_D, n_H, n_W, n_C) do so for sequences and volumes.
    `layer(x, relu=True)` takes the maximum with 0 in the same pass. Both start from U(-1/sqrt(n_in),
    1/sqrt(n_in)), as in PyTorch. Raises ValueError for inputs of other than n_in features, TypeError for
    inputs of another dtype. COURSE.md C1W4-forward."""

    rectified = False  # `nn.fuse` sets it where a ReLU follows

    def __init__(self, in_features, out_features, bias=True, spatial=None):
        super().__init__()
        positive(self, in_features=in_features, out_features=out_features)
        layout = None
        if spatial is not None:
            spatial = tuple(spatial)
            axes = len(spatial)
            if not 2 <= axes <= 4 or math.prod(spatial) != in_features:
                raise ValueError(
                    f"Linear: spatial (n_H, n_W, n_C) must multiply to {in_features} features, got {spatial}"
                )
            layout = Layout((0, axes, *range(1, axes)), (out_features, *spatial))
        self.in_features, self.out_features, self.spatial = in_features, out_features, spatial
        self.weight = Parameter(np.empty((out_features, in_features), get_default_dtype()), layout=layout)
        self.bias = Parameter(np.empty(out_features, get_default_dtype())) if bias else None
        self.reset_parameters()

    def forward(self, x, relu=False):
        fits(self, x, self.weight, self.in_features, "features")
        op = linear_relu if relu or self.rectified else linear
        return op.run(x, self.weight, self.bias)

    def extra_repr(self):
        notes = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{notes}" + (
            f", spatial={self.spatial}" if self.spatial else ""
        )


class Bilinear(_Affine):
    """y_k = x1^T W_k x2 + b_k: x1 (..., n_1) and x2 (..., n_2) to (..., n_out), with `weight` (n_out, n_1,
    n_2) and `bias` (n_out,).

    Bilinear(in1_features, in2_features, out_features, bias=True). Both start from U(-1/sqrt(n_1),
    1/sqrt(n_1)), as in PyTorch. Raises ValueError for other features, or leading axes that differ, TypeError
    for another dtype."""

    def __init__(self, in1_features, in2_features, out_features, bias=True):
        super().__init__()
        positive(self, in1_features=in1_features, in2_features=in2_features, out_features=out_features)
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        shape = (out_features, in1_features, in2_features)
        # PyTorch's axes too; declared, for no layout means filters to who counts fans
        self.weight = Parameter(np.empty(shape, get_default_dtype()), layout=Layout((0, 1, 2)))
        self.bias = Parameter(np.empty(out_features, get_default_dtype())) if bias else None
        self.reset_parameters()

    def forward(self, x1, x2):
        fits(self, x1, self.weight, self.in1_features, "features in its first input")
        fits(self, x2, self.weight, self.in2_features, "features in its second input")
        if x1.shape[:-1] != x2.shape[:-1]:
            raise ValueError(f"Bilinear: its inputs {x1.shape} and {x2.shape} differ before the last axis")
        return bilinear(x1, x2, self.weight, self.bias)

    def extra_repr(self):
        notes = "" if self.bias is not None else ", bias=False"
        return f"{self.in1_features}, {self.in2_features}, {self.out_features}{notes}"

"""Activations, elementwise but for the softmaxes; any shape in, the same shape out. COURSE.md C1W3-acts,
C2W3-softmax."""

import numpy as np

from autograd.ops.activation import leaky_relu, relu, sigmoid, softplus
from autograd.ops.softmax import log_softmax, softmax

from ..module import Module


class ReLU(Module):
    """max(0, z). Its derivative at 0 is 0, as in PyTorch; the course's is 1 (C1W3-dacts)."""

    def forward(self, x):
        return relu(x)


class LeakyReLU(Module):
    """max(z, 0) + slope * min(z, 0). LeakyReLU(negative_slope=0.01). Its derivative at 0 is the slope."""

    def __init__(self, negative_slope=0.01):
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x):
        return leaky_relu(x, self.negative_slope)

    def extra_repr(self):
        return f"{self.negative_slope}"


class Sigmoid(Module):
    """1 / (1 + e^-z)."""

    def forward(self, x):
        return sigmoid(x)


class Tanh(Module):
    """(e^z - e^-z) / (e^z + e^-z)."""

    def forward(self, x):
        return np.tanh(x)


class _OverAxis(Module):
    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def extra_repr(self):
        return f"dim={self.dim}"


class Softmax(_OverAxis):
    """e^z_k / sum_j e^z_j over one axis, the last unless `dim` says otherwise: the shares sum to 1.
    Softmax(dim=-1)."""

    def forward(self, x):
        return softmax(x, self.dim)


class LogSoftmax(_OverAxis):
    """log softmax(z), without the overflow of taking the two apart. LogSoftmax(dim=-1)."""

    def forward(self, x):
        return log_softmax(x, self.dim)


class Softplus(Module):
    """log(1 + e^(beta z)) / beta, a smooth ReLU. Softplus(beta=1.0)."""

    def __init__(self, beta=1.0):
        super().__init__()
        if not beta > 0:
            raise ValueError(f"Softplus: beta must be over 0, got {beta!r}")
        self.beta = float(beta)

    def forward(self, x):
        return softplus(x) if self.beta == 1 else softplus(self.beta * x) / self.beta

    def extra_repr(self):
        return f"beta={self.beta}"

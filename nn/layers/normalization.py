"""Normalisation layers, channels last."""

from typing import Any

import numpy as np

from autograd.modes import get_default_dtype, is_replaying, no_grad
from autograd.ops import normalize
from autograd.tensor import Tensor, unwrap, writable

from .. import init
from ..module import Layout, Module, Parameter
from .check import _AXES, fits, number, positive


def batch_norm(
    x,
    running_mean,
    running_var,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
    relu=False,
):
    """`BatchNorm2d` of x (m, ..., n_C) as a function: with `training` by the mean and variance of the batch,
    towards which the running statistics, tensors (n_C,) or None, are moved in place; otherwise by those."""
    if not training:
        return _fixed(x, running_mean, running_var, weight, bias, eps, relu)
    y, mean, var = normalize.batch_norm(x, weight, bias, eps, relu)
    if running_mean is not None and not is_replaying():
        number = x.size // x.shape[-1]
        _move(running_mean, momentum, unwrap(mean))
        _move(running_var, momentum, unwrap(var) * (number / (number - 1)))
    return y


def instance_norm(
    x,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    """`InstanceNorm2d` of x (m, ..., n_C) as a function; running statistics as in `batch_norm`, moved with
    `use_input_stats`, used without."""
    if not use_input_stats:
        return _fixed(x, running_mean, running_var, weight, bias, eps)
    y = normalize.instance_norm(x, weight, bias, eps)
    if running_mean is not None and not is_replaying():
        values, places = unwrap(x), tuple(range(1, x.ndim - 1))
        _move(running_mean, momentum, values.mean(axis=places).mean(axis=0))
        _move(running_var, momentum, values.var(axis=places, ddof=1).mean(axis=0))
    return y


def _fixed(x, mean, var, weight, bias, eps, relu=False):
    """By statistics, which are constants."""
    scale = 1.0 / np.sqrt(var + eps)
    return normalize.scale_shift(x, mean, scale if weight is None else scale * weight, bias, relu)


def _move(statistic, share, value):
    """A running statistic by a share towards that of a batch."""
    with no_grad():
        running = writable(statistic)
        running[...] = share * value + (1 - share) * running


class _Norm(Module):
    """What the layers with running statistics share: `axes` is the numbers of dimensions they take."""

    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    axes: tuple[int, ...]

    def __init__(self, num_features, eps, momentum, affine, track_running_stats, bias):
        super().__init__()
        positive(self, num_features=num_features)
        self.num_features, self.eps = num_features, number(self, "eps", eps)
        self.momentum = None if momentum is None else number(self, "momentum", momentum)
        self.affine, self.track_running_stats = bool(affine), bool(track_running_stats)
        dtype = get_default_dtype()
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine and bias else None
        self.register_buffer("running_mean", np.zeros(num_features, dtype) if track_running_stats else None)
        self.register_buffer("running_var", np.ones(num_features, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.array(0) if track_running_stats else None)

    def reset_running_stats(self) -> None:
        """Sets the running statistics back to mean 0, variance 1 and no batch."""
        if self.track_running_stats:
            with no_grad():
                for buffer, value in (
                    (self.running_mean, 0),
                    (self.running_var, 1),
                    (self.num_batches_tracked, 0),
                ):
                    writable(buffer)[...] = value

    def reset_parameters(self) -> None:
        """Sets weights to 1, biases to 0 and the running statistics back."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check(self, x):
        ndim = getattr(x, "ndim", None)
        like = self.weight if self.affine else self.running_mean if self.track_running_stats else x
        if isinstance(x, (Tensor, np.ndarray)) and ndim not in self.axes:
            needs = " or ".join(_AXES.get(n, "(m, n_C)") for n in self.axes)
            raise ValueError(f"{type(self).__name__} needs {needs}, got shape {x.shape}")
        fits(self, x, like, self.num_features, "channels")

    def extra_repr(self):
        names = ("eps", "momentum", "affine", "track_running_stats")
        notes = [f"{self.num_features}", *(f"{name}={getattr(self, name)}" for name in names)]
        return ", ".join(notes + (["bias=False"] if self.affine and self.bias is None else []))


class _BatchNorm(_Norm):
    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, *, bias=True
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias)

    def forward(self, x, relu=False):
        self._check(x)
        moves = self.training and self.track_running_stats
        share = self.momentum
        if share is None and moves:
            share = 1.0 / (self.num_batches_tracked.item() + 1)
        y = batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            share,
            self.eps,
            relu,
        )
        if moves and not is_replaying():
            with no_grad():
                writable(self.num_batches_tracked)[...] += 1
        return y


class BatchNorm1d(_BatchNorm):
    """`BatchNorm2d` of rows (m, n_C) or sequences (m, T, n_C)."""

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias for each channel of images (m, n_H, n_W, n_C), with
    the mean and variance of the batch in training, and after `eval()` with `running_mean` and `running_var`,
    which training moves by the share `momentum` towards each batch's (var / (n - 1) there).

    BatchNorm2d(num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, bias=True),
    num_features = n_C; `momentum=None` takes the mean of all batches. The course's beta is 1 - momentum, its
    gamma `weight`. `layer(x, relu=True)` takes the maximum with 0 in the same pass. Raises ValueError for
    inputs of other channels, and in training for one value a channel. Ioffe and Szegedy 2015; COURSE.md
    C2W3-bn."""

    axes = (4,)


class BatchNorm3d(_BatchNorm):
    """`BatchNorm2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = (5,)


class _InstanceNorm(_Norm):
    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, *, bias=True
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias)

    def forward(self, x):
        self._check(x)
        return instance_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum or 0.0,
            self.eps,
        )


class InstanceNorm1d(_InstanceNorm):
    """`InstanceNorm2d` of sequences (m, T, n_C)."""

    axes = (3,)


class InstanceNorm2d(_InstanceNorm):
    """`BatchNorm2d` with a mean and variance for each image and channel of (m, n_H, n_W, n_C), in training
    and after `eval()` alike unless it tracks running statistics.

    InstanceNorm2d(num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, bias=True).
    Raises ValueError for inputs of other channels and images of one pixel. Ulyanov et al. 2016."""

    axes = (4,)


class InstanceNorm3d(_InstanceNorm):
    """`InstanceNorm2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = (5,)


class GroupNorm(Module):
    """y = (x - mean) / sqrt(var + eps) * weight + bias with a mean and variance for each example of x (m,
    ..., n_C) and each of `num_groups` groups of neighbouring channels.

    GroupNorm(num_groups, num_channels, eps=1e-5, affine=True, bias=True). Raises ValueError for groups that
    do not divide the channels, and inputs of other channels. Wu and He 2018."""

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, *, bias=True):
        super().__init__()
        positive(self, num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups={num_groups} must divide {num_channels} channels")
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, number(self, "eps", eps)
        dtype = get_default_dtype()
        self.weight = Parameter(np.ones(num_channels, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, dtype)) if affine and bias else None

    def forward(self, x):
        fits(self, x, x if self.weight is None else self.weight, self.num_channels, "channels")
        return normalize.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        affine = self.weight is not None
        bias = ", bias=False" if affine and self.bias is None else ""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={affine}{bias}"


class _RowNorm(Module):
    """What layer and RMS norm share: parameters of the shape of the last axes. For images (n_H, n_W, n_C)
    that shape is PyTorch's (n_C, n_H, n_W)."""

    def __init__(self, normalized_shape, eps, elementwise_affine, bias):
        super().__init__()
        shape = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        positive(self, **{f"normalized_shape[{k}]": n for k, n in enumerate(shape)})
        if not shape:
            raise ValueError(f"{type(self).__name__}: normalized_shape must name at least one axis, got ()")
        self.normalized_shape = tuple(shape)
        self.eps = None if eps is None else number(self, "eps", eps)
        last = len(shape) - 1
        layout = Layout((last, *range(last))) if len(shape) > 2 else None
        dtype = get_default_dtype()
        self.weight = Parameter(np.ones(shape, dtype), layout=layout) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape, dtype), layout=layout) if elementwise_affine and bias else None

    def _check(self, x):
        fits(self, x, x if self.weight is None else self.weight, self.normalized_shape[-1], "features")

    def extra_repr(self):
        affine = self.weight is not None
        bias = "" if self.bias is not None or not affine or isinstance(self, RMSNorm) else ", bias=False"
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={affine}{bias}"


class LayerNorm(_RowNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias with a mean and variance for each example of x (...,
    *normalized_shape), over its last axes.

    LayerNorm(normalized_shape, eps=1e-5, elementwise_affine=True, bias=True), a number or a tuple. Raises
    ValueError for inputs of another shape. Ba et al. 2016; COURSE.md C5W4."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True):
        super().__init__(normalized_shape, eps, elementwise_affine, bias)

    def forward(self, x):
        self._check(x)
        return normalize.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(_RowNorm):
    """y = x / sqrt(mean(x^2) + eps) * weight for each example of x (..., *normalized_shape), over its last
    axes.

    RMSNorm(normalized_shape, eps=None, elementwise_affine=True); eps is by default the spacing of floats at
    1. Raises ValueError for inputs of another shape. Zhang and Sennrich 2019."""

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True):
        super().__init__(normalized_shape, eps, elementwise_affine, False)

    def forward(self, x):
        self._check(x)
        return normalize.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class LocalResponseNorm(Module):
    """y = x / (k + alpha / size * sum of squares over `size` neighbouring channels)^beta, x (m, ..., n_C).

    LocalResponseNorm(size, alpha=1e-4, beta=0.75, k=1.0). AlexNet's is size=5, alpha=5e-4, k=2: PyTorch
    divides alpha by the size. Krizhevsky et al. 2012."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        positive(self, size=size)
        self.size = size
        self.alpha, self.beta, self.k = (
            number(self, name, value) for name, value in (("alpha", alpha), ("beta", beta), ("k", k))
        )

    def forward(self, x):
        return normalize.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"

"""Normalisation layers, channels last."""

from typing import Any

import numpy as np

from autograd.modes import get_default_dtype, is_replaying, no_grad
from autograd.ops import normalize
from autograd.tensor import Tensor, writable

from ..module import Layout, Module, Parameter
from .check import _AXES, fits, number, positive


class _Norm(Module):
    """What the layers with running statistics share: `axes` is the numbers of dimensions they take."""

    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    axes: tuple[int, ...]

    def __init__(self, num_features, eps, momentum, affine, track_running_stats):
        super().__init__()
        positive(self, num_features=num_features)
        self.num_features, self.eps = num_features, number(self, "eps", eps)
        self.momentum = None if momentum is None else number(self, "momentum", momentum)
        self.affine, self.track_running_stats = bool(affine), bool(track_running_stats)
        dtype = get_default_dtype()
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
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
        if self.affine:
            with no_grad():
                writable(self.weight)[...] = 1
                writable(self.bias)[...] = 0

    def _check(self, x):
        ndim = getattr(x, "ndim", None)
        like = self.weight if self.affine else self.running_mean if self.track_running_stats else x
        if isinstance(x, (Tensor, np.ndarray)) and ndim not in self.axes:
            needs = " or ".join(_AXES.get(n, "(m, n_C)") for n in self.axes)
            raise ValueError(f"{type(self).__name__} needs {needs}, got shape {x.shape}")
        fits(self, x, like, self.num_features, "channels")

    def _fixed(self, x, relu=False):
        """By the running statistics, which are constants."""
        scale = 1.0 / np.sqrt(self.running_var + self.eps)
        if self.affine:
            return normalize.scale_shift(x, self.running_mean, scale * self.weight, self.bias, relu)
        zeros = np.zeros(self.num_features, self.running_mean.dtype)
        return normalize.scale_shift(x, self.running_mean, scale, zeros, relu)

    def _update(self, share, mean, var):
        """Moves the running statistics by a share towards those of a batch. `var` is the unbiased
        variance."""
        with no_grad():
            for buffer, value in ((self.running_mean, mean), (self.running_var, var)):
                running = writable(buffer)
                running[...] = share * value + (1 - share) * running

    def extra_repr(self):
        names = ("eps", "momentum", "affine", "track_running_stats")
        return ", ".join([f"{self.num_features}", *(f"{name}={getattr(self, name)}" for name in names)])


class _BatchNorm(_Norm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, x, relu=False):
        self._check(x)
        if not self.training and self.track_running_stats:
            return self._fixed(x, relu)
        y, mean, var = normalize.batch_norm(x, self.weight, self.bias, self.eps, relu)
        if self.training and self.track_running_stats and not is_replaying():
            with no_grad():
                writable(self.num_batches_tracked)[...] += 1
            share = 1.0 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
            number = x.size // self.num_features
            mean, var = (t.numpy() if isinstance(t, Tensor) else t for t in (mean, var))
            self._update(share, mean, var * (number / (number - 1)))
        return y


class BatchNorm1d(_BatchNorm):
    """`BatchNorm2d` of rows (m, n_C) or sequences (m, T, n_C)."""

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias for each channel of images (m, n_H, n_W, n_C), with
    the mean and variance of the batch in training, and after `eval()` with `running_mean` and `running_var`,
    which training moves by the share `momentum` towards each batch's (var / (n - 1) there).

    BatchNorm2d(num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True), num_features =
    n_C; `momentum=None` takes the mean of all batches. The course's beta is 1 - momentum, its gamma `weight`.
    `layer(x, relu=True)` takes the maximum with 0 in the same pass. Raises ValueError for inputs of other
    channels, and in training for one value a channel. Ioffe and Szegedy 2015; COURSE.md C2W3-bn."""

    axes = (4,)


class BatchNorm3d(_BatchNorm):
    """`BatchNorm2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = (5,)


class _InstanceNorm(_Norm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False):
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, x):
        self._check(x)
        if not self.training and self.track_running_stats:
            return self._fixed(x)
        y = normalize.instance_norm(x, self.weight, self.bias, self.eps)
        if self.training and self.track_running_stats and not is_replaying():
            values = x.numpy() if isinstance(x, Tensor) else x
            places = tuple(range(1, x.ndim - 1))
            mean, var = values.mean(axis=places), values.var(axis=places, ddof=1)
            self._update(self.momentum or 0.0, mean.mean(axis=0), var.mean(axis=0))
        return y


class InstanceNorm1d(_InstanceNorm):
    """`InstanceNorm2d` of sequences (m, T, n_C)."""

    axes = (3,)


class InstanceNorm2d(_InstanceNorm):
    """`BatchNorm2d` with a mean and variance for each image and channel of (m, n_H, n_W, n_C), in training
    and after `eval()` alike unless it tracks running statistics.

    InstanceNorm2d(num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False). Raises
    ValueError for inputs of other channels and images of one pixel. Ulyanov et al. 2016."""

    axes = (4,)


class InstanceNorm3d(_InstanceNorm):
    """`InstanceNorm2d` of volumes (m, n_D, n_H, n_W, n_C)."""

    axes = (5,)


class GroupNorm(Module):
    """y = (x - mean) / sqrt(var + eps) * weight + bias with a mean and variance for each example of x (m,
    ..., n_C) and each of `num_groups` groups of neighbouring channels.

    GroupNorm(num_groups, num_channels, eps=1e-5, affine=True). Raises ValueError for groups that do not
    divide the channels, and inputs of other channels. Wu and He 2018."""

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True):
        super().__init__()
        positive(self, num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups={num_groups} must divide {num_channels} channels")
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, number(self, "eps", eps)
        dtype = get_default_dtype()
        self.weight = Parameter(np.ones(num_channels, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, dtype)) if affine else None

    def forward(self, x):
        fits(self, x, x if self.weight is None else self.weight, self.num_channels, "channels")
        return normalize.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        affine = self.weight is not None
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={affine}"


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
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


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

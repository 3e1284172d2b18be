# mypy: disable-error-code="call-arg,misc"
"""Pooling over images, channels last. Two families, each closed under differentiation: reading and adding at
an index (max pooling), and averaging and its transpose. All of these take volumes too, (m, n_D, n_H, n_W,
n_C), with three numbers in the place of two; `poolnd.py` hands them over."""

import math

import numpy as np

from ..modes import is_grad_enabled
from ..primitive import primitive
from .window import float_type, images
from .windownd import by, outputs_of, pads_of, several


def _batch(x, name: str) -> np.ndarray:
    """x as an array of volumes, or else of images."""
    x = np.asarray(x)
    return x if x.ndim == 5 else images(x, name)


def _options(size, kernel_size, stride, padding, dilation=1, ceil_mode=False):
    """The size of the output, and (kernel_size, stride, pads, dilation) as kernels take them."""
    axes = len(size)
    kernel, dilation = several(kernel_size, axes, "kernel_size", 1), several(dilation, axes, "dilation", 1)
    stride = kernel if stride is None else several(stride, axes, "stride", 1)
    pads = pads_of(padding, size, kernel, stride, dilation)
    span = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    if any(max(p) > k // 2 for p, k in zip(pads, span, strict=True)):
        raise ValueError(f"padding {padding!r} is more than half of the kernel, {by(kernel)}")
    out = outputs_of(size, kernel, stride, pads, dilation)
    if ceil_mode:
        out = tuple(map(_with_the_rest, size, span, stride, pads, out))
    return out, (kernel, stride, pads, dilation)


def _with_the_rest(n, kernel, stride, pads, out):
    """The number of windows with one more for pixels left over at the end, if it starts before the padding
    does."""
    rest = (n + sum(pads) - kernel) % stride
    return out + bool(rest and out * stride < n + pads[0])


@primitive(residuals=("index", "size"))
def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The maximum of each window of x (m, n_H, n_W, n_C), to (m, n_H', n_W', n_C), where
    n' = floor((n + 2p - d(f-1) - 1) / s) + 1.

    `kernel_size`, `stride` (the kernel's size by default) and `dilation` are numbers or pairs, `padding` as
    in `conv2d`; padding never wins. With `ceil_mode` a window more takes the pixels left over at the bottom
    and the right, unless it would start in the padding. The gradient goes to the window's maximum, to the
    first of equals, as in PyTorch; a NaN wins. Raises ValueError for shapes that do not fit, and padding over
    half of the kernel. Source: COURSE.md C4W1-pool."""
    y, index = maxima(x, kernel_size, stride, padding, dilation, ceil_mode, is_grad_enabled())
    return y, index, np.shape(x)[1:-1]


def maxima(x, kernel_size, stride, padding, dilation, ceil_mode, indexed=True):
    """The maxima of `max_pool2d` and their int32 places, None unless they are `indexed`."""
    from ..kernels import pool, threads

    x = _batch(x, "x")
    dtype, work = float_type(x)
    out, options = _options(x.shape[1:-1], kernel_size, stride, padding, dilation, ceil_mode)
    y, index = pool.max_forward(threads.ready(x, work), out, *options, indexed)
    return y.astype(dtype, copy=False), index


@max_pool2d.vjp("x")
def _(g, index, size, kernel_size, stride, padding, dilation, ceil_mode):
    return max_pool2d_grad(g, index, size, kernel_size, stride, padding, dilation, ceil_mode)


@primitive()
def max_pool2d_grad(g, index, size, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The cotangent of `max_pool2d`'s x, (m, *size, n_C), from that of its output, g (m, n_H', n_W', n_C),
    and the places h * n_W + w of the maxima, an integer index of g's shape: `pool_scatter` for an index whose
    places lie in the windows, several times as fast. Arguments and errors as in `max_pool2d`; raises
    ValueError where g or index is not of the size that `size` gives."""
    from ..kernels import pool, threads

    g = _batch(g, "g")
    size = several(size, g.ndim - 2, "size", 1)
    index = _places(_batch(index, "index"), g.shape, size)
    dtype, work = float_type(g)
    out, options = _options(size, kernel_size, stride, padding, dilation, ceil_mode)
    _check_cotangent(g, out)
    index = threads.ready(index, np.int32)
    return pool.max_grad(threads.ready(g, work), index, size, *options).astype(dtype, copy=False)


@max_pool2d_grad.vjp("g")
def _(u, index):
    return pool_gather(u, index)


def _check_cotangent(g, out):
    if g.shape[1:-1] != out:
        places = ", ".join(map(str, out))
        raise ValueError(f"g has shape {g.shape}, the output of such a pooling (m, {places}, n_C)")


def _places(index, like, size):
    """The index as kernels take it, of the shape `like`; they see whether each place lies inside."""
    if index.dtype.kind not in "iu":
        raise TypeError(f"index holds places h * n_W + w as integers, got {index.dtype}")
    if index.shape != like:
        raise ValueError(f"index has shape {index.shape}, needs {like}")
    if math.prod(size) > np.iinfo(np.int32).max:
        raise ValueError(f"a plane of {by(size)} has more than 2^31 pixels")
    if index.dtype != np.int32:  # a place too far off for int32 must not wrap back into the plane
        index = np.clip(index.astype(np.int64, copy=False), -1, np.iinfo(np.int32).max)
    return index


@primitive(residuals=("size",))
def pool_gather(x, index):
    """Reads x (m, n_H, n_W, n_C) at places of its planes: y[m, i, j, c] = x[m, h, w, c] where index[m, i, j,
    c] is the integer h * n_W + w. Raises IndexError for a place outside, ValueError and TypeError for an
    index that does not fit."""
    from ..kernels import pool, threads

    x, index = _batch(x, "x"), _batch(index, "index")
    size = x.shape[1:-1]
    index = _places(index, (x.shape[0], *index.shape[1:-1], x.shape[-1]), size)
    dtype, work = float_type(x)
    y = pool.gather(threads.ready(x, work), threads.ready(index, np.int32))
    return y.astype(dtype, copy=False), size


@pool_gather.vjp("x")
def _(g, index, size):
    return pool_scatter(g, index, size)


@primitive()
def pool_scatter(g, index, size):
    """The transpose of `pool_gather`, and with max pooling's index its gradient ("unpooling"): zeros (m,
    *size, n_C) to which g (m, n_H', n_W', n_C) is added at the places of index, of g's shape. Errors as in
    `pool_gather`."""
    from ..kernels import pool, threads

    g = _batch(g, "g")
    size = several(size, g.ndim - 2, "size", 1)
    index = _places(_batch(index, "index"), g.shape, size)
    dtype, work = float_type(g)
    dx = pool.scatter(threads.ready(g, work), threads.ready(index, np.int32), size)
    return dx.astype(dtype, copy=False)


@pool_scatter.vjp("g")
def _(u, index):
    return pool_gather(u, index)


@primitive(residuals=("size",))
def avg_pool2d(x, kernel_size, stride=None, padding=0, count_include_pad=True, ceil_mode=False):
    """The mean of each window of x (m, n_H, n_W, n_C), to (m, n_H', n_W', n_C), where
    n' = floor((n + 2p - f) / s) + 1.

    Padding counts as zeros; with `count_include_pad=False` (TensorFlow's and Keras's choice) the mean is over
    the pixels of the image only. What `ceil_mode` lets a window reach beyond the padding never counts.
    Arguments and errors as in `max_pool2d`. Source: COURSE.md C4W1-pool."""
    from ..kernels import pool, threads

    x = _batch(x, "x")
    dtype, work = float_type(x)
    size = x.shape[1:-1]
    out, (*options, _) = _options(size, kernel_size, stride, padding, ceil_mode=ceil_mode)
    y = pool.average(threads.ready(x, work), out, *options, count_padding=bool(count_include_pad))
    return y.astype(dtype, copy=False), size


@avg_pool2d.vjp("x")
def _(g, size, kernel_size, stride, padding, count_include_pad, ceil_mode):
    return avg_pool2d_grad(g, size, kernel_size, stride, padding, count_include_pad, ceil_mode)


@primitive()
def avg_pool2d_grad(g, size, kernel_size, stride=None, padding=0, count_include_pad=True, ceil_mode=False):
    """The cotangent of `avg_pool2d`'s x, (m, *size, n_C), from that of its output, g (m, n_H', n_W', n_C):
    each window spreads its share over its pixels. Arguments and errors as in `avg_pool2d`; raises ValueError
    where g is not of the size that `size` gives."""
    from ..kernels import pool, threads

    g = _batch(g, "g")
    dtype, work = float_type(g)
    size = several(size, g.ndim - 2, "size", 1)
    out, (*options, _) = _options(size, kernel_size, stride, padding, ceil_mode=ceil_mode)
    _check_cotangent(g, out)
    dx = pool.average_grad(threads.ready(g, work), size, *options, count_padding=bool(count_include_pad))
    return dx.astype(dtype, copy=False)


@avg_pool2d_grad.vjp("g")
def _(u, kernel_size, stride, padding, count_include_pad, ceil_mode):
    return avg_pool2d(u, kernel_size, stride, padding, count_include_pad, ceil_mode)


_ADAPTIVE = None, None, None, True  # kernel_size, stride, padding, count_padding


def _checked_size(x, output_size):
    if 0 in x.shape[1:-1]:
        raise ValueError(f"x has shape {x.shape}: an image without pixels has no mean")
    return several(output_size, x.ndim - 2, "output_size", 1)


@primitive(residuals=("size",))
def adaptive_avg_pool2d(x, output_size):
    """The means of x (m, n_H, n_W, n_C) over a grid of `output_size` windows, to (m, *output_size, n_C):
    window i goes from floor(i n / n') to ceil((i + 1) n / n'), so neighbours may share pixels. `output_size`
    is a number or a pair; 1 is global average pooling. Raises ValueError for an image without pixels. Lin et
    al. 2013, "Network in network"."""
    from ..kernels import pool, threads

    x = _batch(x, "x")
    dtype, work = float_type(x)
    y = pool.average(threads.ready(x, work), _checked_size(x, output_size), *_ADAPTIVE)
    return y.astype(dtype, copy=False), x.shape[1:-1]


@adaptive_avg_pool2d.vjp("x")
def _(g, size):
    return adaptive_avg_pool2d_grad(g, size)


@primitive()
def adaptive_avg_pool2d_grad(g, size):
    """The cotangent of `adaptive_avg_pool2d`'s x, (m, *size, n_C), from that of its output."""
    from ..kernels import pool, threads

    g = _batch(g, "g")
    dtype, work = float_type(g)
    dx = pool.average_grad(threads.ready(g, work), several(size, g.ndim - 2, "size", 1), *_ADAPTIVE)
    return dx.astype(dtype, copy=False)


@adaptive_avg_pool2d_grad.vjp("g")
def _(u, g):
    return adaptive_avg_pool2d(u, g.shape[1:-1])

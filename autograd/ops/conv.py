# mypy: disable-error-code="misc"
"""Convolution over images, channels last, and its two gradients: a family closed under differentiation.

y is bilinear in x and w, so each gradient is bilinear too, and the derivatives of the three are the three:

    y = conv2d(x, w)            gx = conv2d_input_grad(g, w)        gw = conv2d_weight_grad(x, g)

Where the gradients of several arguments are asked for, one call of the kernels computes them together.
"""

import functools

import numpy as np

from ..primitive import primitive
from .fused import fused
from .reduce import sum_
from .selection import where
from .window import float_type, images, output_size, pair, resolve_padding, whole


@functools.cache
def _kernels():
    from ..kernels import conv, threads

    return conv, threads


def _options(size, kernel_size, stride, padding, dilation, groups):
    """The size of the output, and the options as kernels take them. What was asked before is looked up, for
    the answer takes longer than starting a kernel."""
    options = size, kernel_size, stride, padding, dilation, groups
    return _known(*options) if _is_plain(options) else _resolved(*options)


def _is_plain(option):
    """Whether this is a whole number, a word or a tuple of them: nothing that equals another and differs, as
    1.0 does from 1."""
    kind = type(option)
    return kind is int or kind is str or (kind is tuple and all(map(_is_plain, option)))


def _resolved(size, kernel_size, stride, padding, dilation, groups):
    stride, dilation = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
    pads = resolve_padding(padding, size, kernel_size, stride, dilation)
    options = stride, pads, dilation, whole(groups, "groups", 1)
    return output_size(size, kernel_size, stride, pads, dilation), options


_known = functools.lru_cache(256)(_resolved)


def _filters(w):
    w = np.asarray(w)
    if w.ndim != 4 or 0 in w.shape:
        raise ValueError(f"w has shape {w.shape}, needs (f, f, n_C_prev / groups, n_C), none of them 0")
    return w


def _check_channels(channels, per_filter, filters, groups):
    """Each filter sees the channels of its group."""
    if channels % groups or filters % groups:
        what = f"{channels} input channels" if channels % groups else f"{filters} filters"
        raise ValueError(f"groups={groups} does not divide the {what}")
    if channels != per_filter * groups:
        of = f" in each of {groups} groups, {per_filter * groups} in all" if groups > 1 else ""
        raise ValueError(f"x has {channels} channels, the filters w take {per_filter}{of}")


@primitive(residuals=("size", "kernel_size", "rectified"))
def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1, relu=False):
    """Convolution (cross-correlation) of images x (m, n_H, n_W, n_C_prev) with filters w (f, f, n_C_prev /
    groups, n_C) and biases b (n_C,), to (m, n_H', n_W', n_C):

        y[m, i, j, k] = b[k] + sum over (a, e, c) of x[m, i*s + a*d - top, j*s + e*d - left, c] w[a, e, c, k]

    with x = 0 outside the image and n' = floor((n + 2p - d(f-1) - 1) / s) + 1. `padding` is a number, a pair,
    ((top, bottom), (left, right)), "same" or "valid" (`window.resolve_padding`); `stride` and `dilation` are
    numbers or pairs. With `groups`, filter k sees the channels of its group only; with `relu` the maximum
    with 0 is taken in the same pass. Integers are read as floats. Raises ValueError for shapes and channels
    that do not fit, a kernel larger than the padded image, a stride under 1. Source: COURSE.md C4W1-edge to
    C4W1-params."""
    conv, threads = _kernels()
    x, w = images(x, "x"), _filters(w)
    size, kernel_size = x.shape[1:3], w.shape[:2]
    out, options = _options(size, kernel_size, stride, padding, dilation, groups)
    _check_channels(x.shape[3], w.shape[2], w.shape[3], options[3])
    if b is not None and np.shape(b) != w.shape[3:]:
        raise ValueError(f"b has shape {np.shape(b)}, needs {w.shape[3:]}: one number a filter")
    dtype, work = float_type(x, w, b)
    b = None if b is None else threads.ready(b, work)
    y = conv.forward(threads.ready(x, work), threads.ready(w, work), b, out, *options, relu=bool(relu))
    y = y.astype(dtype, copy=False)
    return y, size, kernel_size, y if relu else None


@fused
def _passed(g, rectified):
    return where(rectified > 0, g, 0.0)


def _through(g, rectified):
    """The cotangent before the ReLU, if there was one."""
    return g if rectified is None else _passed(g, rectified)


@conv2d.vjp("x")
def _(g, w, size, rectified, stride, padding, dilation, groups):
    return conv2d_input_grad(_through(g, rectified), w, size, stride, padding, dilation, groups)


@conv2d.vjp("w")
def _(g, x, kernel_size, rectified, stride, padding, dilation, groups):
    return conv2d_weight_grad(x, _through(g, rectified), kernel_size, stride, padding, dilation, groups)


@conv2d.vjp("b")
def _(g, rectified):
    return sum_(_through(g, rectified), axis=(0, 1, 2))


@conv2d.vjp("x", "w", "b")
def _(g, x, w, size, kernel_size, rectified, needs, stride, padding, dilation, groups):
    g = _through(g, rectified)
    options = stride, padding, dilation, groups
    if type(g) is not np.ndarray or not needs[1]:
        dx = conv2d_input_grad(g, w, size, *options) if needs[0] else None
        dw = conv2d_weight_grad(x, g, kernel_size, *options) if needs[1] else None
        return dx, dw, sum_(g, axis=(0, 1, 2)) if needs[2] else None
    conv, threads = _kernels()
    dtype, work = float_type(x, w, g)
    x, w, g = (threads.ready(a, work) for a in (x, w, g))
    _, options = _options(size, kernel_size, *options)
    db = np.empty(w.shape[3], work) if needs[2] else None
    if needs[0]:
        dx, dw = conv.gradients(x, g, w, *options, db=db)
    else:
        dx, dw = None, conv.weight_grad(x, g, kernel_size, *options, db=db)
    return [a if a is None else a.astype(dtype, copy=False) for a in (dx, dw, db)]


def _check_cotangent(g, out, filters):
    if g.shape[1:3] != out or (filters is not None and g.shape[3] != filters):
        needs = f"(m, {out[0]}, {out[1]}, {'n_C' if filters is None else filters})"
        raise ValueError(f"g has shape {g.shape}, the output of such a convolution {needs}")


@primitive(residuals=("kernel_size",))
def conv2d_input_grad(g, w, size, stride=1, padding=0, dilation=1, groups=1):
    """The cotangent of `conv2d`'s x, (m, *size, n_C_prev), from that of its output, g (m, n_H', n_W', n_C):
    each output adds its filter, times g, to the pixels it saw. This is transposed convolution too. Arguments
    and errors as in `conv2d`; raises ValueError where g is not of the size that `size` gives."""
    conv, threads = _kernels()
    g, w = images(g, "g"), _filters(w)
    size, kernel_size = pair(size, "size", 1), w.shape[:2]
    out, options = _options(size, kernel_size, stride, padding, dilation, groups)
    _check_channels(w.shape[2] * options[3], w.shape[2], w.shape[3], options[3])
    _check_cotangent(g, out, w.shape[3])
    dtype, work = float_type(g, w)
    dx = conv.input_grad(threads.ready(g, work), threads.ready(w, work), size, *options)
    return dx.astype(dtype, copy=False), kernel_size


@conv2d_input_grad.vjp("g")
def _(u, w, stride, padding, dilation, groups):
    return conv2d(u, w, None, stride, padding, dilation, groups)


@conv2d_input_grad.vjp("w")
def _(u, g, kernel_size, stride, padding, dilation, groups):
    return conv2d_weight_grad(u, g, kernel_size, stride, padding, dilation, groups)


@primitive(residuals=("size",))
def conv2d_weight_grad(x, g, kernel_size, stride=1, padding=0, dilation=1, groups=1):
    """The cotangent of `conv2d`'s w, (*kernel_size, n_C_prev / groups, n_C), from its images x and the
    cotangent of its output, g (m, n_H', n_W', n_C): the sum over all outputs of the patch times g. Arguments
    and errors as in `conv2d`; raises ValueError where g is not of the output's size, or x and g are not of as
    many images."""
    conv, threads = _kernels()
    x, g = images(x, "x"), images(g, "g")
    size, kernel_size = x.shape[1:3], pair(kernel_size, "kernel_size", 1)
    out, options = _options(size, kernel_size, stride, padding, dilation, groups)
    _check_channels(x.shape[3], x.shape[3] // options[3], g.shape[3], options[3])
    _check_cotangent(g, out, None)
    if x.shape[0] != g.shape[0]:
        raise ValueError(f"x has {x.shape[0]} images, g {g.shape[0]}")
    dtype, work = float_type(x, g)
    dw = conv.weight_grad(threads.ready(x, work), threads.ready(g, work), kernel_size, *options)
    return dw.astype(dtype, copy=False), size


@conv2d_weight_grad.vjp("x")
def _(u, g, size, stride, padding, dilation, groups):
    return conv2d_input_grad(g, u, size, stride, padding, dilation, groups)


@conv2d_weight_grad.vjp("g")
def _(u, x, stride, padding, dilation, groups):
    return conv2d(x, u, None, stride, padding, dilation, groups)

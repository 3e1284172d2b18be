"""Convolution over sequences and volumes, and transposed convolution, all on the family of `conv.py`.

A volume's convolution is a sum over the kernel's slices: slice a of the filters meets every plane of the
input that lies a steps deep in a window, and that is a convolution of images. So are its two gradients:

    y = conv3d(x, w)            gx = conv3d_input_grad(g, w)        gw = conv3d_weight_grad(x, g)
"""

import numpy as np

from ..primitive import primitive
from .conv import conv2d, conv2d_input_grad, conv2d_weight_grad
from .window import float_type
from .windownd import batch, by, outputs_of, pads_of, several


def _options(size, kernel, stride, padding, dilation, groups):
    """The size of the output; stride, pads and dilation of the depth; and the options of the planes."""
    stride, dilation = several(stride, 3, "stride", 1), several(dilation, 3, "dilation", 1)
    pads = pads_of(padding, size, kernel, stride, dilation)
    out = outputs_of(size, kernel, stride, pads, dilation)
    return out, (stride[0], pads[0][0], dilation[0]), (stride[1:], pads[1:], dilation[1:], groups)


def _slices(depth, kernel, out, stride, before, dilation):
    """For each slice a of the kernel that meets the volume: (a, the outputs it serves, the planes they see),
    both as slices."""
    for a in range(kernel):
        offset = a * dilation - before  # output i sees plane i * stride + offset
        first = max(0, -(offset // stride))
        stop = min(out, (depth - 1 - offset) // stride + 1)
        if first < stop:
            planes = slice(first * stride + offset, (stop - 1) * stride + offset + 1, stride)
            yield a, slice(first, stop), planes


def _planes(x):
    """(m, n_D, n_H, n_W, n_C) as images, (m * n_D, n_H, n_W, n_C)."""
    return x.reshape((x.shape[0] * x.shape[1], *x.shape[2:]))


def _filters(w):
    if np.ndim(w) != 5 or 0 in w.shape:
        raise ValueError(
            f"w has shape {np.shape(w)}, needs (f, f, f, n_C_prev / groups, n_C), none of them 0"
        )
    return w


@primitive(residuals=("size", "kernel_size"))
def conv3d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution (cross-correlation) of volumes x (m, n_D, n_H, n_W, n_C_prev) with filters w (f, f, f,
    n_C_prev / groups, n_C) and biases b (n_C,), to (m, n_D', n_H', n_W', n_C), n' = floor((n + 2p - d(f-1) -
    1) / s) + 1. Options and errors are those of `conv2d` with one number more. Source: COURSE.md
    C4W4-conv3d."""
    x, w = batch(np.asarray(x), 3), _filters(np.asarray(w))
    size, kernel = x.shape[1:4], w.shape[:3]
    out, depth, options = _options(size, kernel, stride, padding, dilation, groups)
    if b is not None and np.shape(b) != w.shape[4:]:
        raise ValueError(f"b has shape {np.shape(b)}, needs {w.shape[4:]}: one number a filter")
    y = np.zeros((x.shape[0], *out, w.shape[4]), float_type(x, w, b)[0])
    y += 0 if b is None else b
    for a, served, seen in _slices(size[0], kernel[0], out[0], *depth):
        part = conv2d(_planes(x[:, seen]), w[a], None, *options)
        y[:, served] += part.reshape(y[:, served].shape)
    return y, size, kernel


@conv3d.vjp("x")
def _(g, w, size, stride, padding, dilation, groups):
    return conv3d_input_grad(g, w, size, stride, padding, dilation, groups)


@conv3d.vjp("w")
def _(g, x, kernel_size, stride, padding, dilation, groups):
    return conv3d_weight_grad(x, g, kernel_size, stride, padding, dilation, groups)


@conv3d.vjp("b")
def _(g):
    return np.sum(g, axis=(0, 1, 2, 3))


def _check_cotangent(g, out):
    if g.shape[1:4] != out:
        raise ValueError(f"g has shape {g.shape}, the output of such a convolution is {by(out)}")


@primitive(residuals=("kernel_size",))
def conv3d_input_grad(g, w, size, stride=1, padding=0, dilation=1, groups=1):
    """The cotangent of `conv3d`'s x, (m, *size, n_C_prev), from that of its output, g (m, n_D', n_H', n_W',
    n_C). Raises ValueError where g is not of the size that `size` gives."""
    g, w = batch(np.asarray(g), 3, "g"), _filters(np.asarray(w))
    size, kernel = several(size, 3, "size", 1), w.shape[:3]
    out, depth, options = _options(size, kernel, stride, padding, dilation, groups)
    _check_cotangent(g, out)
    dx = np.zeros((g.shape[0], *size, w.shape[3] * groups), float_type(g, w)[0])
    for a, served, seen in _slices(size[0], kernel[0], out[0], *depth):
        part = conv2d_input_grad(_planes(g[:, served]), w[a], size[1:], *options)
        dx[:, seen] += part.reshape(dx[:, seen].shape)
    return dx, kernel


@conv3d_input_grad.vjp("g")
def _(u, w, stride, padding, dilation, groups):
    return conv3d(u, w, None, stride, padding, dilation, groups)


@conv3d_input_grad.vjp("w")
def _(u, g, kernel_size, stride, padding, dilation, groups):
    return conv3d_weight_grad(u, g, kernel_size, stride, padding, dilation, groups)


@primitive(residuals=("size",))
def conv3d_weight_grad(x, g, kernel_size, stride=1, padding=0, dilation=1, groups=1):
    """The cotangent of `conv3d`'s w, (*kernel_size, n_C_prev / groups, n_C), from its volumes x and the
    cotangent of its output, g. Raises ValueError where g is not of the output's size, or x and g are not of
    as many volumes."""
    x, g = batch(np.asarray(x), 3), batch(np.asarray(g), 3, "g")
    size, kernel = x.shape[1:4], several(kernel_size, 3, "kernel_size", 1)
    out, depth, options = _options(size, kernel, stride, padding, dilation, groups)
    _check_cotangent(g, out)
    if x.shape[0] != g.shape[0]:
        raise ValueError(f"x has {x.shape[0]} volumes, g {g.shape[0]}")
    dw = np.zeros((*kernel, x.shape[4] // groups, g.shape[4]), float_type(x, g)[0])
    for a, served, seen in _slices(size[0], kernel[0], out[0], *depth):
        dw[a] = conv2d_weight_grad(_planes(x[:, seen]), _planes(g[:, served]), kernel[1:], *options)
    return dw, size


@conv3d_weight_grad.vjp("x")
def _(u, g, size, stride, padding, dilation, groups):
    return conv3d_input_grad(g, u, size, stride, padding, dilation, groups)


@conv3d_weight_grad.vjp("g")
def _(u, x, stride, padding, dilation, groups):
    return conv3d(x, u, None, stride, padding, dilation, groups)


# ---- sequences: images of one row


def conv1d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of sequences x (m, T, n_C_prev) with filters w (f, n_C_prev / groups, n_C) and biases b
    (n_C,), to (m, T', n_C). Options and errors are those of `conv2d` with one number less. Source: COURSE.md
    C4W4-conv1d."""
    batch(x, 1)
    if np.ndim(w) != 3:
        raise ValueError(f"conv1d: w has shape {np.shape(w)}, needs (f, n_C_prev / groups, n_C)")
    (stride,), (dilation,) = several(stride, 1, "stride", 1), several(dilation, 1, "dilation", 1)
    (pads,) = pads_of(padding, x.shape[1:2], w.shape[:1], (stride,), (dilation,))
    y = conv2d(x[:, None], w[None], b, (1, stride), ((0, 0), pads), (1, dilation), groups)
    return y[:, 0]


# ---- transposed convolution: the input gradient, as a layer's forward


def _grown(size, kernel, stride, padding, output_padding, dilation):
    """Per axis the size of the output, (n - 1) s - 2p + d (f - 1) + output_padding + 1; what of it a
    convolution can see; and its pads."""
    spans = [d * (f - 1) + 1 for f, d in zip(kernel, dilation, strict=True)]
    total = [
        (n - 1) * s - 2 * p + k + o
        for n, s, p, k, o in zip(size, stride, padding, spans, output_padding, strict=True)
    ]
    if min(total) < 1:
        raise ValueError(
            f"the output would be {by(total)}: the padding {padding} takes more than there is of {by(size)}"
        )
    for o, s, d in zip(output_padding, stride, dilation, strict=True):
        if o >= max(s, d):
            raise ValueError(
                f"output_padding {output_padding} must be less than stride {stride} or dilation {dilation}"
            )
    # a stride's floor forgives stride - 1 pixels too many; what a wide dilation asks beyond stays zero
    pads = [(p, max(p - o, 0)) for p, o in zip(padding, output_padding, strict=True)]
    beyond = [max(o - p - s + 1, 0) for o, p, s in zip(output_padding, padding, stride, strict=True)]
    return tuple(total), tuple(t - o for t, o in zip(total, beyond, strict=True)), tuple(pads)


def _transposed(axes, x, w, b, stride, padding, output_padding, groups, dilation):
    batch(x, axes)
    if np.ndim(w) != axes + 2:
        raise ValueError(f"w has shape {np.shape(w)}, needs ({'f, ' * axes}n_C / groups, n_C_prev)")
    stride, dilation = several(stride, axes, "stride", 1), several(dilation, axes, "dilation", 1)
    padding = several(padding, axes, "padding", 0)
    output_padding = several(output_padding, axes, "output_padding", 0)
    if x.shape[-1] != w.shape[-1]:
        raise ValueError(f"x has {x.shape[-1]} channels, the filters w {w.shape} take {w.shape[-1]}")
    total, size, pads = _grown(x.shape[1:-1], w.shape[:axes], stride, padding, output_padding, dilation)
    if axes == 1:
        options = (1, *stride), ((0, 0), *pads), (1, *dilation), groups
        y = conv2d_input_grad(x[:, None], w[None], (1, *size), *options)[:, 0]
    else:
        adjoint = conv2d_input_grad if axes == 2 else conv3d_input_grad
        y = adjoint(x, w, size, stride, pads, dilation, groups)
    if size != total:
        y = np.pad(y, [(0, 0), *((0, t - n) for t, n in zip(total, size, strict=True)), (0, 0)])
    return y if b is None else y + b


def conv_transpose1d(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed convolution of sequences x (m, T, n_C_prev) with filters w (f, n_C / groups, n_C_prev); see
    `conv_transpose2d`."""
    return _transposed(1, x, w, b, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed convolution of images x (m, n_H, n_W, n_C_prev) with filters w (f, f, n_C / groups,
    n_C_prev), each pixel adding its filter, times itself, to the output (m, n_H', n_W', n_C):

        n' = (n - 1) s - 2p + d (f - 1) + output_padding + 1

    `output_padding` pixels more at the bottom and the right tell apart the sizes that a stride's convolution
    maps to one. Raises ValueError unless it is less than stride or dilation, and for channels that do not
    fit. Source: COURSE.md C4W3-tconv."""
    return _transposed(2, x, w, b, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed convolution of volumes x (m, n_D, n_H, n_W, n_C_prev) with filters w (f, f, f, n_C / groups,
    n_C_prev); see `conv_transpose2d`."""
    return _transposed(3, x, w, b, stride, padding, output_padding, groups, dilation)

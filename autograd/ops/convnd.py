# mypy: disable-error-code="call-arg,misc"
"""Convolution over sequences and volumes, and transposed convolution of one to three axes: a family closed
under differentiation, as in `conv.py`.

    y = conv3d(x, w)            gx = conv3d_input_grad(g, w)        gw = conv3d_weight_grad(x, g)

Where neither `kernels.volumes` nor `kernels.winograd_volumes` serves, a volume's convolution is a sum over
the kernel's slices: slice a of the filters meets every plane of the input that lies a steps deep in a window,
and that is a convolution of images, done by whatever is best for those.
"""

import numpy as np

from ..primitive import primitive
from .conv import _check_channels, conv2d, conv2d_input_grad, conv2d_weight_grad
from .reduce import sum_
from .window import float_type, whole
from .windownd import batch, by, outputs_of, pads_of, several


def _options(size, kernel, stride, padding, dilation, groups):
    """The size of the output, and stride, pads, dilation and groups as kernels take them."""
    stride, dilation = several(stride, 3, "stride", 1), several(dilation, 3, "dilation", 1)
    pads = pads_of(padding, size, kernel, stride, dilation)
    out = outputs_of(size, kernel, stride, pads, dilation)
    return out, (stride, pads, dilation, whole(groups, "groups", 1))


def _slices(depth, kernel, out, stride, pads, dilation, groups):
    """The options of the convolution of planes; and for each slice a of the kernel that meets the volume (a,
    the outputs it serves, the planes they see), both as slices."""
    found = []
    for a in range(kernel):
        offset = a * dilation[0] - pads[0][0]  # output i sees plane i * stride + offset
        first = max(0, -(offset // stride[0]))
        stop = min(out, (depth - 1 - offset) // stride[0] + 1)
        if first < stop:
            planes = slice(first * stride[0] + offset, (stop - 1) * stride[0] + offset + 1, stride[0])
            found.append((a, slice(first, stop), planes))
    return (stride[1:], pads[1:], dilation[1:], groups), found


def _planes(x):
    """(m, n_D, n_H, n_W, n_C) as images, (m * n_D, n_H, n_W, n_C)."""
    return x.reshape((x.shape[0] * x.shape[1], *x.shape[2:]))


def _flat(kernel, stride, pads, *_):
    """Whether the convolution is one of planes, each by itself."""
    return kernel[0] == stride[0] == 1 and pads[0] == (0, 0)


def _kernels(dtype, shape, depth, w_shape, options, adjoint=False):
    """The module that convolves volumes of this shape to `depth` planes, or None for plane by plane."""
    from ..kernels import volumes, winograd_volumes

    if not volumes.suits(dtype, w_shape, *options, adjoint=adjoint):
        return None
    return winograd_volumes if winograd_volumes.suits(shape, depth, w_shape, *options) else volumes


def _filters(w):
    w = np.asarray(w)
    if w.ndim != 5 or 0 in w.shape:
        raise ValueError(
            f"w has shape {np.shape(w)}, needs (f, f, f, n_C_prev / groups, n_C), none of them 0"
        )
    return w


def _biases(b, count):
    if b is not None and np.shape(b) != (count,):
        raise ValueError(f"b has shape {np.shape(b)}, needs ({count},): one number a filter")


@primitive(residuals=("size", "kernel_size"))
def conv3d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution (cross-correlation) of volumes x (m, n_D, n_H, n_W, n_C_prev) with filters w (f, f, f,
    n_C_prev / groups, n_C) and biases b (n_C,), to (m, n_D', n_H', n_W', n_C), n' = floor((n + 2p - d(f-1) -
    1) / s) + 1. Options and errors are those of `conv2d` with one number more. Source: COURSE.md
    C4W4-conv3d."""
    from ..kernels import threads

    x, w = batch(np.asarray(x), 3), _filters(w)
    size, kernel = x.shape[1:4], w.shape[:3]
    out, options = _options(size, kernel, stride, padding, dilation, groups)
    _check_channels(x.shape[4], w.shape[3], w.shape[4], options[3])
    _biases(b, w.shape[4])
    dtype, work = float_type(x, w, b)
    if kernels := _kernels(work, x.shape, out[0], w.shape, options):
        b = None if b is None else threads.ready(b, work)
        y = kernels.forward(threads.ready(x, work), threads.ready(w, work), b, out, *options)
        return y.astype(dtype, copy=False), size, kernel
    plane, slices = _slices(size[0], kernel[0], out[0], *options)
    if _flat(kernel, *options):
        return conv2d(_planes(x), w[0], b, *plane).reshape((len(x), *out, w.shape[4])), size, kernel
    y = np.zeros((len(x), *out, w.shape[4]), dtype)
    y += 0 if b is None else b
    for a, served, seen in slices:
        part = conv2d(_planes(x[:, seen]), w[a], None, *plane)
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
    return sum_(g, axis=(0, 1, 2, 3))


def _check_cotangent(g, out, filters):
    if g.shape[1:4] != out or (filters is not None and g.shape[4] != filters):
        needs = by(out) if filters is None else f"{by(out)} of {filters} channels"
        raise ValueError(f"g has shape {g.shape}, the output of such a convolution is {needs}")


@primitive(residuals=("kernel_size",))
def conv3d_input_grad(g, w, size, stride=1, padding=0, dilation=1, groups=1, b=None):
    """The cotangent of `conv3d`'s x, (m, *size, n_C_prev), from that of its output, g (m, n_D', n_H', n_W',
    n_C), plus b (n_C_prev,) everywhere: transposed convolution. Raises ValueError where g is not of the size
    that `size` gives."""
    from ..kernels import threads

    g, w = batch(np.asarray(g), 3, "g"), _filters(w)
    size, kernel = several(size, 3, "size", 1), w.shape[:3]
    out, options = _options(size, kernel, stride, padding, dilation, groups)
    channels = w.shape[3] * options[3]
    _check_channels(channels, w.shape[3], w.shape[4], options[3])
    _check_cotangent(g, out, w.shape[4])
    _biases(b, channels)
    dtype, work = float_type(g, w, b)
    if kernels := _kernels(work, g.shape, size[0], w.shape, options, adjoint=True):
        b = None if b is None else threads.ready(b, work)
        dx = kernels.input_grad(threads.ready(g, work), threads.ready(w, work), size, *options, b)
        return dx.astype(dtype, copy=False), kernel
    plane, slices = _slices(size[0], kernel[0], out[0], *options)
    if _flat(kernel, *options):
        dx = conv2d_input_grad(_planes(g), w[0], size[1:], *plane).reshape((len(g), *size, channels))
        return (dx if b is None else dx + b), kernel
    dx = np.zeros((len(g), *size, channels), dtype)
    dx += 0 if b is None else b
    for a, served, seen in slices:
        part = conv2d_input_grad(_planes(g[:, served]), w[a], size[1:], *plane)
        dx[:, seen] += part.reshape(dx[:, seen].shape)
    return dx, kernel


@conv3d_input_grad.vjp("g")
def _(u, w, stride, padding, dilation, groups):
    return conv3d(u, w, None, stride, padding, dilation, groups)


@conv3d_input_grad.vjp("w")
def _(u, g, kernel_size, stride, padding, dilation, groups):
    return conv3d_weight_grad(u, g, kernel_size, stride, padding, dilation, groups)


@conv3d_input_grad.vjp("b")
def _(u):
    return sum_(u, axis=(0, 1, 2, 3))


@conv3d_input_grad.vjp("g", "w", "b")
def _(u, g, w, kernel_size, needs, stride, padding, dilation, groups):
    if type(u) is np.ndarray:  # some channels of more, where outputs were concatenated: gathered once
        u = np.ascontiguousarray(u)
    options = stride, padding, dilation, groups
    dg = conv3d(u, w, None, *options) if needs[0] else None
    dw = conv3d_weight_grad(u, g, kernel_size, *options) if needs[1] else None
    return dg, dw, sum_(u, axis=(0, 1, 2, 3)) if needs[2] else None


@primitive(residuals=("size",))
def conv3d_weight_grad(x, g, kernel_size, stride=1, padding=0, dilation=1, groups=1):
    """The cotangent of `conv3d`'s w, (*kernel_size, n_C_prev / groups, n_C), from its volumes x and the
    cotangent of its output, g. Raises ValueError where g is not of the output's size, or x and g are not of
    as many volumes."""
    from ..kernels import threads

    x, g = batch(np.asarray(x), 3), batch(np.asarray(g), 3, "g")
    size, kernel = x.shape[1:4], several(kernel_size, 3, "kernel_size", 1)
    out, options = _options(size, kernel, stride, padding, dilation, groups)
    _check_channels(x.shape[4], x.shape[4] // options[3], g.shape[4], options[3])
    _check_cotangent(g, out, None)
    if x.shape[0] != g.shape[0]:
        raise ValueError(f"x has {x.shape[0]} volumes, g {g.shape[0]}")
    dtype, work = float_type(x, g)
    shape = (*kernel, x.shape[4] // options[3], g.shape[4])
    if kernels := _kernels(work, x.shape, out[0], shape, options):
        dw = kernels.weight_grad(threads.ready(x, work), threads.ready(g, work), kernel, *options)
        return dw.astype(dtype, copy=False), size
    plane, slices = _slices(size[0], kernel[0], out[0], *options)
    dw = np.zeros(shape, dtype)
    for a, served, seen in slices:
        dw[a] = conv2d_weight_grad(_planes(x[:, seen]), _planes(g[:, served]), kernel[1:], *plane)
    return dw, size


@conv3d_weight_grad.vjp("x")
def _(u, g, size, stride, padding, dilation, groups):
    return conv3d_input_grad(g, u, size, stride, padding, dilation, groups)


@conv3d_weight_grad.vjp("g")
def _(u, x, stride, padding, dilation, groups):
    return conv3d(x, u, None, stride, padding, dilation, groups)


# ---- sequences and images: volumes of one row or one plane


def _as_volumes(x, axes, first):
    """x with axes of length 1 from axis `first` on, as many as it lacks. A reshape, whose gradient copies
    nothing."""
    return x.reshape((*x.shape[:first], *(1,) * (3 - axes), *x.shape[first:]))


def _of_three(options, axes, fill):
    return (fill,) * (3 - axes) + tuple(options)


def conv1d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of sequences x (m, T, n_C_prev) with filters w (f, n_C_prev / groups, n_C) and biases b
    (n_C,), to (m, T', n_C). Options and errors are those of `conv2d` with one number less. Source: COURSE.md
    C4W4-conv1d."""
    batch(x, 1)
    if np.ndim(w) != 3:
        raise ValueError(f"conv1d: w has shape {np.shape(w)}, needs (f, n_C_prev / groups, n_C)")
    stride, dilation = several(stride, 1, "stride", 1), several(dilation, 1, "dilation", 1)
    pads = pads_of(padding, x.shape[1:2], w.shape[:1], stride, dilation)
    options = _of_three(stride, 1, 1), _of_three(pads, 1, (0, 0)), _of_three(dilation, 1, 1), groups
    y = conv3d(_as_volumes(x, 1, 1), _as_volumes(w, 1, 0), b, *options)
    return y.reshape((y.shape[0], *y.shape[3:]))


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
    options = _of_three(stride, axes, 1), _of_three(pads, axes, (0, 0)), _of_three(dilation, axes, 1), groups
    fits = size == total
    volumes, filters = _as_volumes(x, axes, 1), _as_volumes(w, axes, 0)
    y = conv3d_input_grad(volumes, filters, _of_three(size, axes, 1), *options, b if fits else None)
    y = y.reshape((x.shape[0], *size, y.shape[4]))
    if fits:
        return y
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

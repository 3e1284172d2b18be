"""Along a line: differences, integrals, running totals, interpolation, convolution."""

import numpy as np

from ..dispatch import composed
from ..primitive import primitive
from ..tensor import unwrap
from .products import alike, array
from .selection import where


def _cut(a, axis, start, stop, step=None):
    """A slice along one axis."""
    return a[(slice(None),) * (axis % a.ndim) + (slice(start, stop, step),)]


# ---- differences


@composed(np.diff)
def diff(a, n=1, axis=-1, prepend=None, append=None):
    """Each element less the one before it along an axis, n times over; `prepend` and `append` are put at the
    ends first."""
    a = array(a)
    if a.ndim == 0:
        raise ValueError("diff: takes at least 1 axis, got a single number")
    ends = []
    for end in (prepend, append):
        if end is not None:
            end = alike(a, end)[1]
            shape = tuple(1 if k == axis % a.ndim else m for k, m in enumerate(a.shape))
            ends.append(np.broadcast_to(end, shape) if end.ndim == 0 else end)
        else:
            ends.append(None)
    parts = [part for part in (ends[0], a, ends[1]) if part is not None]
    a = np.concatenate(parts, axis=axis) if len(parts) > 1 else a
    if n < 0:
        raise ValueError(f"diff: n is {n}, needs at least 0")
    for _ in range(n):
        a = _cut(a, axis, 1, None) - _cut(a, axis, None, -1)
    return a


@primitive(np.unwrap)
def unwrap_(p, discont=None, axis=-1, period=2 * np.pi):
    """Angles along an axis with multiples of the period added where they jump by more than `discont` (by
    default half a period). What is added does not change with p: the derivative is 1."""
    return np.unwrap(p, discont, axis, period=period)


@unwrap_.vjp("p")
def _(g):
    return g


@composed(np.ediff1d)
def ediff1d(ary, to_end=None, to_begin=None):
    """`diff` of the flattened array, with numbers put at the ends of the result."""
    differences = diff(np.ravel(ary))
    parts = [np.ravel(array(p)) for p in (to_begin, differences, to_end) if p is not None]
    return np.concatenate(parts) if len(parts) > 1 else differences


@composed(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    """Derivatives along each axis by differences: two-sided inside, one-sided of order `edge_order` (1 or 2)
    at the ends. `varargs` are the spacings: none, one for all axes, or one an axis, each a number or the
    coordinates. A tuple, or the one array."""
    f = array(f)
    axes = range(f.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = [k % f.ndim for k in axes]
    spacings = list(varargs) or [1.0]
    if len(spacings) == 1:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise TypeError(f"gradient: {len(varargs)} spacings for {len(axes)} axes")
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order is 1 or 2, got {edge_order}")
    for k in axes:
        if f.shape[k] < edge_order + 1:
            raise ValueError(f"gradient: axis {k} of shape {f.shape} needs {edge_order + 1} elements")
    y = tuple(_slope(f, h, k, edge_order) for h, k in zip(spacings, axes))
    return y[0] if len(y) == 1 else y


def _slope(f, h, axis, edge_order):
    f = np.moveaxis(f, axis, -1)
    n = f.shape[-1]
    if np.ndim(h) == 0:
        steps = np.ones(n - 1) * h
    else:
        steps = diff(array(h))
        if steps.shape != (n - 1,):
            raise ValueError(f"gradient: {steps.shape[0] + 1} coordinates for {n} elements")
    steps = steps.astype(f.dtype) if f.dtype.kind in "fc" and not hasattr(steps, "node") else steps
    before, after = steps[:-1], steps[1:]
    rises = (f[..., 1:] - f[..., :-1]) / steps
    inside = (after * rises[..., :-1] + before * rises[..., 1:]) / (before + after)
    if edge_order == 1:
        first, last = rises[..., :1], rises[..., -1:]
    else:
        bends = (rises[..., 1:] - rises[..., :-1]) / (before + after)
        first = rises[..., :1] - steps[:1] * bends[..., :1]
        last = rises[..., -1:] + steps[-1:] * bends[..., -1:]
    return np.moveaxis(np.concatenate([first, inside, last], axis=-1), -1, axis)


@composed(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral along an axis by trapezoids; x are the coordinates, dx their distance."""
    y, x = alike(y, x) if x is not None else (array(y), None)
    if x is not None:
        dx = diff(x) if np.ndim(x) == 1 else diff(x, axis=axis)
        if np.ndim(x) == 1:
            dx = dx.reshape([-1 if k == axis % y.ndim else 1 for k in range(y.ndim)])
    return np.sum(dx * (_cut(y, axis, 1, None) + _cut(y, axis, None, -1)), axis=axis) * 0.5


def _with_initial(running, start, x, axis, include_initial):
    axis = _only(x, axis)
    y = running(x, axis)
    if not include_initial:
        return y
    first = np.full([1 if k == axis % x.ndim else n for k, n in enumerate(x.shape)], start, x.dtype)
    return np.concatenate([first, y], axis=axis)


def _only(x, axis):
    if axis is None and x.ndim != 1:
        raise ValueError(f"axis= says along which axis of shape {x.shape}")
    return 0 if axis is None else axis


@composed(*([np.cumulative_sum] if hasattr(np, "cumulative_sum") else []))
def cumulative_sum(x, *, axis=None, include_initial=False):
    """Running sums along an axis; with `include_initial` a 0 stands before them."""
    return _with_initial(np.cumsum, 0.0, x, axis, include_initial)


@composed(*([np.cumulative_prod] if hasattr(np, "cumulative_prod") else []))
def cumulative_prod(x, *, axis=None, include_initial=False):
    """Running products along an axis; with `include_initial` a 1 stands before them."""
    return _with_initial(np.cumprod, 1.0, x, axis, include_initial)


# ---- ranges


@composed(np.linspace)
def linspace(start, stop, num=50, endpoint=True, retstep=False, axis=0):
    """`num` numbers from start to stop, evenly spaced along a new axis; without `endpoint` short of stop."""
    start, stop = 1.0 * array(start), 1.0 * array(stop)
    parts = num - 1 if endpoint else num
    step = (stop - start) / parts if parts > 0 else np.nan * (stop - start)
    ndim = max(start.ndim, stop.ndim)
    shares = (np.arange(num) / max(parts, 1)).reshape((-1, *(1,) * ndim)).astype(unwrap(stop - start).dtype)
    y = np.moveaxis(start + shares * (stop - start), 0, axis)
    return (y, step) if retstep else y


@composed(np.logspace)
def logspace(start, stop, num=50, endpoint=True, base=10.0, axis=0):
    """`base` to the powers of `linspace`."""
    if np.ndim(base):
        base = np.expand_dims(base, axis)
    return np.power(base, linspace(start, stop, num, endpoint, False, axis))


@composed(np.geomspace)
def geomspace(start, stop, num=50, endpoint=True, axis=0):
    """`num` numbers from start to stop, each the same multiple of the one before. For numbers of one sign."""
    start, stop = 1.0 * array(start), 1.0 * array(stop)
    powers = logspace(0.0 * start, np.log(stop / start), num, endpoint, np.e, axis)
    return np.expand_dims(start, axis) * powers if start.ndim == powers.ndim - 1 else start * powers


# ---- interpolation


@composed(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    """The piecewise linear function through the points (xp, fp), xp ascending, at x. Outside of xp `left` and
    `right`, by default the first and the last of fp; or the function has a period. At a knot the slope is
    that to its right."""
    x, xp, fp = array(x), array(xp), array(fp)
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.shape[0]:
        raise ValueError(f"interp: xp and fp are vectors of one length, got {xp.shape} and {fp.shape}")
    if period is not None:
        period = abs(period)
        x, xp = np.mod(x, period), np.mod(xp, period)
        order = np.argsort(unwrap(xp))
        xp, fp = xp[order], fp[order]
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    left = fp[0] if left is None or period is not None else left
    right = fp[-1] if right is None or period is not None else right
    at, knots = unwrap(x), unwrap(xp)
    if xp.shape[0] == 1:
        y = np.broadcast_to(fp[0], x.shape)
    else:
        k = np.clip(np.searchsorted(knots, at, "right") - 1, 0, xp.shape[0] - 2)
        share = (x - xp[k]) / (xp[k + 1] - xp[k])
        y = fp[k] + share * (fp[k + 1] - fp[k])
    return where(at < knots[0], left, where(at > knots[-1], right, y))


# ---- convolution


@primitive()
def convolve_full(a, v):
    """y[k] = sum_i a[i] v[k - i] of two vectors, wherever they overlap: n + m - 1 elements."""
    return np.convolve(a, v)


@convolve_full.vjp("a")
def _(g, v):
    return _slid(g, v)


@convolve_full.vjp("v")
def _(g, a):
    return _slid(g, a)


def _slid(g, v):
    """sum_k g[i + k] v[k], where v lies within g."""
    m = v.shape[0]
    return convolve_full(g, v[::-1])[m - 1 : g.shape[0]]


def _vectors(a, v, name):
    a, v = (x.reshape((1,)) if x.ndim == 0 else x for x in (array(a), array(v)))
    if a.ndim != 1 or v.ndim != 1 or not a.shape[0] or not v.shape[0]:
        raise ValueError(f"{name}: takes two vectors that are not empty, got shapes {a.shape} and {v.shape}")
    return a, v


def _part(full, n, m, mode, start, name):
    """What a mode keeps of a full convolution; `start` is where "same" begins."""
    if mode == "full":
        return full
    if mode == "same":
        return full[start : start + max(n, m)]
    if mode == "valid":
        return full[min(n, m) - 1 : max(n, m)]
    raise ValueError(f"{name}: mode is 'full', 'same' or 'valid', got {mode!r}")


@composed(np.convolve)
def convolve(a, v, mode="full"):
    """sum_i a[i] v[k - i] of two vectors: wherever they overlap ("full"), as many as the longer has ("same"),
    or where the shorter lies within the longer ("valid")."""
    a, v = _vectors(a, v, "convolve")
    n, m = a.shape[0], v.shape[0]
    return _part(convolve_full(a, v), n, m, mode, (min(n, m) - 1) // 2, "convolve")


@composed(np.correlate)
def correlate(a, v, mode="valid"):
    """sum_i a[i + k] conj(v[i]) of two vectors, in the modes of `convolve`."""
    a, v = _vectors(a, v, "correlate")
    n, m = a.shape[0], v.shape[0]
    shorter = min(n, m) - 1
    start = shorter // 2 if n >= m else shorter - shorter // 2
    other = np.conj(v) if np.iscomplexobj(v) else v
    return _part(convolve_full(a, other[::-1]), n, m, mode, start, "correlate")

"""More products: of vectors over an axis, cross products, Kronecker's. Composed, so every order comes for
free."""

import numpy as np

from ..dispatch import composed
from ..tensor import Tensor, dispatch
from .linalg import matmul, tensordot


def array(x):
    """x if it is a tensor or an array already, else as an array: Python's lists and numbers."""
    return x if isinstance(x, (Tensor, np.ndarray)) else np.asarray(x)


def alike(*values):
    """The values as arrays; Python's lists and numbers in the float type of the others, so that they promote
    nothing."""
    given = [v for v in values if isinstance(v, (Tensor, np.ndarray))]
    floats = [v.dtype for v in given if v.dtype.kind in "fc"]
    target = np.result_type(*floats) if floats else None
    return [v if isinstance(v, (Tensor, np.ndarray)) else _in_type(np.asarray(v), target) for v in values]


def _in_type(x, target):
    if target is None or (x.dtype.kind == "c" and target.kind != "c"):
        return x
    return x.astype(target)


@composed(np.vdot)
def vdot(a, b):
    """The sum over all elements of conj(a) b."""
    a, b = map(np.ravel, alike(a, b))
    return np.matmul(np.conj(a) if np.iscomplexobj(a) else a, b)


def _conj(x):
    return np.conj(x) if np.iscomplexobj(x) else x


@composed(*([np.vecdot] if hasattr(np, "vecdot") else []), np.linalg.vecdot)
def vecdot(x1, x2, axis=-1):
    """The sum over an axis of conj(x1) x2, the other axes broadcast. Raises ValueError when its lengths
    differ."""
    x1, x2 = alike(x1, x2)
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot: axis {axis} of x1 {x1.shape} and of x2 {x2.shape} differ in length")
    x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    return np.matmul(_conj(x1)[..., None, :], x2[..., None])[..., 0, 0]


@composed(*([np.matvec] if hasattr(np, "matvec") else []))
def matvec(x1, x2):
    """Matrices (..., n, m) by vectors (..., m), the leading axes broadcast: (..., n)."""
    return np.matmul(x1, array(x2)[..., None])[..., 0]


@composed(*([np.vecmat] if hasattr(np, "vecmat") else []))
def vecmat(x1, x2):
    """Vectors (..., n), conjugated, by matrices (..., n, m), the leading axes broadcast: (..., m)."""
    return np.matmul(_conj(array(x1))[..., None, :], x2)[..., 0, :]


@composed(np.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The cross product of vectors of length 3 (or 2, their third component then 0; of two such only the
    third component is returned). Raises ValueError for other lengths."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = alike(a, b)
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if {a.shape[-1], b.shape[-1]} - {2, 3}:
        raise ValueError(f"cross: vectors are 2 or 3 long, got {a.shape[-1]} and {b.shape[-1]}")
    third = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    if a.shape[-1] == b.shape[-1] == 2:
        return third
    a2, b2 = (x[..., 2] if x.shape[-1] == 3 else 0.0 * x[..., 0] for x in (a, b))
    parts = [a[..., 1] * b2 - a2 * b[..., 1], a2 * b[..., 0] - a[..., 0] * b2, third]
    return np.stack(parts, axisc)


@composed(np.linalg.cross)
def linalg_cross(x1, x2, axis=-1):
    """The cross product of vectors of length 3 along an axis. Raises ValueError for other lengths."""
    x1, x2 = alike(x1, x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(f"cross: vectors are 3 long, got {x1.shape[axis]} and {x2.shape[axis]}")
    return cross(x1, x2, axis=axis)


@composed(np.linalg.outer)
def linalg_outer(x1, x2):
    """All products of an element of x1 (rows) and one of x2 (columns). Raises ValueError unless both are
    vectors."""
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(f"outer: takes vectors, got shapes {np.shape(x1)} and {np.shape(x2)}")
    return np.outer(x1, x2)


@composed(np.kron)
def kron(a, b):
    """The Kronecker product: each element of a replaced by its product with b. Axes pair from the last."""
    a, b = alike(a, b)
    ndim = max(a.ndim, b.ndim)
    of_a, of_b = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    wide = a.reshape([n for k in of_a for n in (k, 1)]) * b.reshape([n for k in of_b for n in (1, k)])
    return wide.reshape(tuple(i * j for i, j in zip(of_a, of_b)))


@composed(np.linalg.trace)
def linalg_trace(x, offset=0):
    """The sum of a diagonal of each matrix of the last two axes."""
    return np.trace(x, offset, -2, -1)


@composed(np.linalg.diagonal)
def linalg_diagonal(x, offset=0):
    """A diagonal of each matrix of the last two axes."""
    return np.diagonal(x, offset, -2, -1)


@composed(*([np.matrix_transpose] if hasattr(np, "matrix_transpose") else []), np.linalg.matrix_transpose)
def matrix_transpose(x):
    """Each matrix of the last two axes transposed. Raises ValueError for a vector or a number."""
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose: takes at least 2 axes, got shape {x.shape}")
    return np.swapaxes(x, -1, -2)


dispatch[np.linalg.matmul] = matmul
dispatch[np.linalg.tensordot] = tensordot

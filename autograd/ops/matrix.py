"""Factorisations of matrices and what rests on them, for any leading axes: rules of the textbook.

Sources: M. Giles, "An extended collection of matrix derivative results" (2008); for complex matrices the
forms PyTorch gives in `torch.linalg`. Rules that are not holomorphic are written for PyTorch's gradients and
stand between two conjugations, since cotangents run conjugated. A factor is defined up to signs (phases) of
its columns and, where eigenvalues or singular values are equal, up to rotations: only functions that do not
depend on these have a derivative. The first derivative of singular values alone needs no such condition.
"""

import math

import numpy as np

from ..primitive import primitive
from ..tensor import unwrap
from .selection import where


def _t(x):
    return np.swapaxes(x, -1, -2)


def adjoint(x):
    """The conjugate transpose of the last two axes."""
    return np.conj(_t(x)) if x.dtype.kind == "c" else _t(x)


def conj(x):
    return np.conj(x) if x.dtype.kind == "c" else x


def _eye(n):
    return np.eye(n, dtype=bool)


def _on_diagonal(values):
    """Vectors (..., n) as diagonal matrices (..., n, n)."""
    return where(_eye(values.shape[-1]), values[..., None, :], 0.0)


def _gaps(values):
    """E_jk = values_k - values_j, and infinity where that is 0: what is divided by it there vanishes."""
    e = values[..., None, :] - values[..., :, None]
    return where(e == 0, np.inf, e)


def _square(a, name):
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"{name}: takes square matrices, got shape {a.shape}")


# ---- inverse, determinants, systems


@primitive(np.linalg.inv)
def inv(a):
    """The inverses of square matrices. Raises ValueError on a singular one."""
    _square(a, "inv")
    return np.linalg.inv(a)


@inv.vjp("a")
def _(g, y):
    return -np.matmul(_t(y), np.matmul(g, _t(y)))


@primitive(np.linalg.det)
def det(a):
    """The determinants of square matrices; derivatives are right also where they are 0."""
    _square(a, "det")
    return np.linalg.det(a)


@det.vjp("a")
def _(g, a, y):
    if np.all(y):
        return (g * y)[..., None, None] * _t(np.linalg.inv(a))
    return g[..., None, None] * _cofactors(a)


def _cofactors(a):
    """The matrix of signed minors: the derivative of the determinant, as it stands for singular matrices."""
    n = a.shape[-1]
    left = np.array([[k for k in range(n) if k != i] for i in range(n)]).reshape((n, n - 1))
    minors = a[..., left[:, None, :, None], left[None, :, None, :]]  # (..., n, n, n - 1, n - 1)
    signs = np.where(np.add.outer(np.arange(n), np.arange(n)) % 2, -1.0, 1.0).astype(a.dtype)
    return signs * det(minors)


@primitive(outputs=2)
def slogdet(a):
    """(sign, log |det a|) of square matrices."""
    _square(a, "slogdet")
    return tuple(np.linalg.slogdet(a))


@slogdet.vjp("a")
def _(g, a, y):
    g_sign, g_log = g
    if a.dtype.kind != "c":
        g_log = 0.0 * g_sign if g_log is None else g_log
        return g_log[..., None, None] * _t(np.linalg.inv(a))
    turns = 0.0 * g_log if g_sign is None else np.real(1j * g_sign * y[0]) * -1j
    total = turns if g_log is None else turns + g_log
    return total[..., None, None] * _t(np.linalg.inv(a))


@primitive()
def solve(a, b):
    """The x of a x = b: a (..., n, n), b (..., n, k), leading axes broadcast. Raises ValueError on a singular
    matrix."""
    _square(a, "solve")
    return np.linalg.solve(a, b)


@solve.vjp("a", "b")
def _(g, a, y, needs):
    to_b = solve(_t(a), g)
    return -np.matmul(to_b, _t(y)) if needs[0] else None, to_b


@primitive()
def pinv(a, rcond):
    """The Moore-Penrose inverses; singular values up to rcond times the largest count as 0. The rule holds
    while the rank stays as it is (Golub and Pereyra, 1973)."""
    return np.linalg.pinv(a, rcond)


@pinv.vjp("a")
def _(g, a, y):
    g, p = conj(g), y
    ap, pa = np.matmul(a, p), np.matmul(p, a)
    gh, ph = adjoint(g), adjoint(p)
    first = np.matmul(ph, np.matmul(g, ph))
    across = np.matmul(gh, np.matmul(p, ph))
    down = np.matmul(ph, np.matmul(p, gh))
    slope = -first + (across - np.matmul(ap, across)) + (down - np.matmul(down, pa))
    return conj(slope)


# ---- factorisations


@primitive()
def cholesky(a):
    """The lower triangular L of a = L L^H, for Hermitian positive definite a (its Hermitian part is taken).
    Raises ValueError when a is not positive definite."""
    _square(a, "cholesky")
    return np.linalg.cholesky(0.5 * (a + adjoint(a)))


@cholesky.vjp("a")
def _(g, y):
    middle = np.tril(np.matmul(adjoint(y), conj(g)))
    middle = where(_eye(y.shape[-1]), 0.5 * middle, middle)
    back = np.linalg.inv(y)
    slope = np.matmul(adjoint(back), np.matmul(middle, back))
    return conj(0.5 * (slope + adjoint(slope)))


@primitive(outputs=2)
def eigh(a, UPLO="L"):
    """(eigenvalues in ascending order, eigenvectors in columns) of Hermitian matrices (the Hermitian part is
    taken). The signs of the vectors are those LAPACK finds from that triangle."""
    _square(a, "eigh")
    return tuple(np.linalg.eigh(0.5 * (a + adjoint(a)), UPLO))


@eigh.vjp("a")
def _(g, y):
    (g_values, g_vectors), (values, vectors) = g, y
    middle = 0.0
    if g_vectors is not None:
        middle = np.matmul(adjoint(vectors), conj(g_vectors)) / _gaps(values)
    if g_values is not None:
        middle = middle + _on_diagonal(g_values)
    slope = np.matmul(vectors, np.matmul(middle, adjoint(vectors)))
    return conj(0.5 * (slope + adjoint(slope)))


@primitive(outputs=2)
def eig(a):
    """(eigenvalues, eigenvectors of length 1 in columns) of square matrices: complex unless all are real."""
    _square(a, "eig")
    return tuple(np.linalg.eig(a))


@eig.vjp("a")
def _(g, y):
    (g_values, g_vectors), (values, vectors) = g, y
    middle = 0.0
    if g_vectors is not None:
        inner = np.matmul(adjoint(vectors), conj(g_vectors))
        length = np.real(np.diagonal(inner, 0, -2, -1))[..., None, :]  # vectors keep the length 1
        inner = inner - np.matmul(adjoint(vectors), vectors) * length
        middle = inner / conj(_gaps(values))
    if g_values is not None:
        middle = middle + _on_diagonal(conj(g_values))
    back = adjoint(np.linalg.inv(vectors))
    return conj(np.matmul(back, np.matmul(middle, adjoint(vectors))))


@primitive(outputs=3)
def svd(a):
    """(U, S, V^H) with a = U S V^H: a (..., m, n), S (..., k) descending, k = min(m, n), U (..., m, k), V^H
    (..., k, n)."""
    return tuple(np.linalg.svd(a, full_matrices=False))


@svd.vjp("a")
def _svd_slope(g, y):
    (g_u, g_s, g_vh), (u, s, vh) = g, y
    if g_u is None and g_vh is None:  # of singular values alone: nothing to divide by
        return conj(np.matmul(u * g_s[..., None, :], vh))
    uh, v = adjoint(u), adjoint(vh)
    s_row, s_column = s[..., None, :], s[..., :, None]
    gaps = _gaps(s * s)
    middle = 0.0 if g_s is None else _on_diagonal(g_s)
    slope = 0.0
    if g_u is not None:
        g_u = conj(g_u)
        inner = np.matmul(uh, g_u)
        skew = inner - adjoint(inner)
        middle = middle + skew / gaps * s_row
        if u.dtype.kind == "c":  # the phase, which a function of the factors must not depend on
            middle = middle + where(_eye(s.shape[-1]), skew / (2.0 * s_row), 0.0)
        if u.shape[-2] > s.shape[-1]:
            slope = np.matmul((g_u - np.matmul(u, inner)) / s_row, vh)
    if g_vh is not None:
        g_vh = conj(g_vh)
        inner = np.matmul(g_vh, v)  # (V^H g_V)^H
        middle = middle + s_column * ((adjoint(inner) - inner) / gaps)
        if vh.shape[-1] > s.shape[-1]:
            slope = slope + np.matmul(u, (g_vh - np.matmul(inner, vh)) / s_column)
    return conj(np.matmul(u, np.matmul(middle, vh)) + slope)


@primitive(outputs=2)
def qr(a):
    """(Q, R) with a = Q R: a (..., m, n) with m >= n, Q (..., m, n) with orthonormal columns, R (..., n, n)
    upper triangular."""
    if a.ndim < 2 or a.shape[-2] < a.shape[-1]:
        raise ValueError(f"takes matrices with at least as many rows as columns, got shape {a.shape}")
    return tuple(np.linalg.qr(a))


@qr.vjp("a")
def _qr_slope(g, y):
    (g_q, g_r), (q, r) = g, y
    middle = 0.0
    if g_r is not None:
        middle = np.matmul(np.triu(conj(g_r)), adjoint(r))
    if g_q is not None:
        g_q = conj(g_q)
        middle = middle - np.matmul(adjoint(q), g_q)
    upper = np.triu(middle)
    both = upper + adjoint(upper)
    both = where(_eye(r.shape[-1]), 0.5 * np.real(both), both)
    slope = np.matmul(q, both) if g_q is None else g_q + np.matmul(q, both)
    return conj(np.matmul(slope, adjoint(np.linalg.inv(r))))


# ---- with further columns, which complete a basis


def _of_first(g, basis, k, name):
    """The cotangent of the first k columns of a unitary matrix, with what that of the others says about them:
    the space of the others turns against that of the first, dU_2 = -U_1 (dU_1)^H U_2. Which basis of it they
    are is arbitrary. Raises ValueError when the loss depends on that."""
    g = conj(g)
    first, others = basis[..., :k], basis[..., k:]
    g_first, g_others = g[..., :k], g[..., k:]
    inner = np.matmul(adjoint(others), g_others)
    turning = np.abs(unwrap(inner - adjoint(inner))).max(initial=0)
    if turning > math.sqrt(np.finfo(g.dtype).eps) * np.abs(unwrap(g_others)).max(initial=0):
        raise ValueError(
            f"{name}: the loss depends on the last {others.shape[-1]} of {basis.shape[-1]} columns, an "
            f"arbitrary basis: only their space has a derivative; use the first {k}"
        )
    return conj(g_first - np.matmul(others, np.matmul(adjoint(g_others), first)))


@primitive(outputs=3)
def svd_full(a):
    """(U, S, V^H) as of `svd`, U (..., m, m) and V^H (..., n, n) completed to unitary matrices. Functions of
    the spaces that the further columns span have a derivative, functions of the columns have none."""
    return tuple(np.linalg.svd(a, full_matrices=True))


@svd_full.vjp("a")
def _(g, y):
    (g_u, g_s, g_vh), (u, s, vh) = g, y
    k = s.shape[-1]
    if g_u is not None and u.shape[-1] > k:
        g_u = _of_first(g_u, u, k, "svd with full_matrices")
    if g_vh is not None and vh.shape[-1] > k:
        g_vh = adjoint(_of_first(adjoint(g_vh), adjoint(vh), k, "svd with full_matrices"))
    return _svd_slope((g_u, g_s, g_vh), (u[..., :k], s, vh[..., :k, :]))


@primitive(outputs=2)
def qr_complete(a):
    """(Q, R) as of `qr`, Q (..., m, m) completed to a unitary matrix, R (..., m, n) with rows of 0. Functions
    of the space that the further columns span have a derivative, functions of the columns have none."""
    return tuple(np.linalg.qr(a, "complete"))


@qr_complete.vjp("a")
def _(g, y):
    (g_q, g_r), (q, r) = g, y
    k = r.shape[-1]
    g_q = None if g_q is None else _of_first(g_q, q, k, "qr in mode 'complete'")
    return _qr_slope((g_q, None if g_r is None else g_r[..., :k, :]), (q[..., :k], r[..., :k, :]))

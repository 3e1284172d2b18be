"""np.linalg's functions that are composed of the primitives in matrix.py and of the reductions, so every
order comes for free; and those that only call a primitive in NumPy's way."""

import math
from collections import namedtuple

import numpy as np

from ..dispatch import composed, nondiff
from ..tensor import unwrap
from . import matrix
from .products import array
from .selection import where
from .statistics import root

nondiff(np.linalg.matrix_rank)

SlogdetResult = namedtuple("SlogdetResult", "sign logabsdet")
EighResult = namedtuple("EighResult", "eigenvalues eigenvectors")
EigResult = namedtuple("EigResult", "eigenvalues eigenvectors")
SVDResult = namedtuple("SVDResult", "U S Vh")
QRResult = namedtuple("QRResult", "Q R")


# ---- NumPy's ways to call the primitives


@composed(np.linalg.slogdet)
def linalg_slogdet(a):
    """(sign, logabsdet) of the determinants."""
    return SlogdetResult(*matrix.slogdet(a))


@composed(np.linalg.solve)
def linalg_solve(a, b):
    """The x of a x = b; b is a vector when it has one axis, else a stack of matrices."""
    a, b = array(a), array(b)
    if b.ndim == 1:
        return matrix.solve(a, b[:, None])[..., 0]
    return matrix.solve(a, b)


def _hermitian(a, lower=True):
    """The Hermitian matrices of which a holds one triangle. Where a is Hermitian itself it comes back as it
    is, and so gets a Hermitian gradient, as in PyTorch."""
    plain = unwrap(a)
    if np.allclose(
        plain, np.conj(np.swapaxes(plain, -1, -2)), rtol=1e-4, atol=1e-6 * np.abs(plain).max(initial=0)
    ):
        return a
    half = np.tril(a, -1) if lower else np.triu(a, 1)
    diagonal = where(np.eye(a.shape[-1], dtype=bool), np.real(a), 0.0)
    return half + matrix.adjoint(half) + diagonal


@composed(np.linalg.cholesky)
def linalg_cholesky(a, *, upper=False):
    """The triangular L of a = L L^H, or with `upper` the U of a = U^H U. Only that triangle of a is read."""
    factor = matrix.cholesky(_hermitian(a, not upper))
    return matrix.adjoint(factor) if upper else factor


@composed(np.linalg.eigh)
def linalg_eigh(a, UPLO="L"):
    """(eigenvalues, eigenvectors) of Hermitian matrices, of which one triangle is looked at."""
    return EighResult(*matrix.eigh(_hermitian(a, UPLO.upper() == "L"), UPLO))


@composed(np.linalg.eigvalsh)
def linalg_eigvalsh(a, UPLO="L"):
    """The eigenvalues of Hermitian matrices."""
    return linalg_eigh(a, UPLO).eigenvalues


@composed(np.linalg.eig)
def linalg_eig(a):
    """(eigenvalues, eigenvectors) of square matrices."""
    return EigResult(*matrix.eig(a))


@composed(np.linalg.eigvals)
def linalg_eigvals(a):
    """The eigenvalues of square matrices."""
    return matrix.eig(a)[0]


@composed(np.linalg.svd)
def linalg_svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    """(U, S, Vh) with a = U S Vh; S alone without `compute_uv`. The further columns of the full U, or rows of
    the full Vh, are an arbitrary basis: backward raises ValueError when the loss depends on which."""
    if not compute_uv:
        return matrix.svd(a)[1]
    full = full_matrices and a.shape[-1] != a.shape[-2]
    return SVDResult(*(matrix.svd_full(a) if full else matrix.svd(a)))


@composed(np.linalg.svdvals)
def linalg_svdvals(x):
    """The singular values, in descending order."""
    return matrix.svd(x)[1]


@composed(np.linalg.qr)
def linalg_qr(a, mode="reduced"):
    """(Q, R) with a = Q R; R alone in mode 'r'; in mode 'complete' with further columns in Q for every row of
    a. These are an arbitrary basis: backward raises ValueError when the loss depends on which. Raises
    ValueError in mode 'raw', LAPACK's own form."""
    m, n = a.shape[-2:]
    if mode not in ("reduced", "r", "complete"):
        raise ValueError(f"qr: mode {mode!r} has no derivative: 'reduced', 'complete' and 'r' have")
    if mode == "complete" and m > n:
        return QRResult(*matrix.qr_complete(a))
    q, r = matrix.qr(a[..., :m])
    if m < n:  # the further columns in the coordinates of Q
        r = np.concatenate([r, np.matmul(matrix.adjoint(q), a[..., m:])], axis=-1)
    return r if mode == "r" else QRResult(q, r)


@composed(np.linalg.pinv)
def linalg_pinv(a, rcond=None, hermitian=False, *, rtol=None):
    """The Moore-Penrose inverses; singular values up to rcond (or rtol) times the largest count as 0."""
    rcond = rcond if rcond is not None else 1e-15 if rtol is None else rtol
    return matrix.pinv(a, unwrap(rcond))


# ---- norms


@composed(np.linalg.vector_norm)
def vector_norm(x, *, axis=None, keepdims=False, ord=2):
    """(sum |x|^ord)^(1/ord) over axes (None: all); the largest |x| for ord = inf, the smallest for -inf, how
    many are not 0 for ord = 0. At 0 the derivative is 0."""
    x = array(x)
    if ord == 0:
        kind = unwrap(x).real.dtype
        return np.sum(unwrap(x) != 0, axis=axis, keepdims=keepdims).astype(kind)
    if ord == 2:
        squares = np.real(x * np.conj(x)) if np.iscomplexobj(x) else x * x
        return root(np.sum(squares, axis=axis, keepdims=keepdims))
    size = np.absolute(x)
    if ord == np.inf:
        return np.max(size, axis=axis, keepdims=keepdims)
    if ord == -np.inf:
        return np.min(size, axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    zero = unwrap(size) == 0
    if ord > 0:
        powers = where(zero, 0.0, where(zero, 1.0, size) ** ord)
    else:
        powers = where(zero, np.inf, where(zero, 1.0, size) ** ord)
    total = np.sum(powers, axis=axis, keepdims=keepdims)
    none = (unwrap(total) == 0) | np.isinf(unwrap(total))
    return where(none, 0.0, where(none, 1.0, total) ** (1.0 / ord))


@composed(np.linalg.matrix_norm)
def matrix_norm(x, *, keepdims=False, ord="fro"):
    """A norm of each matrix of the last two axes: 'fro', 'nuc' (sum of singular values), 2 and -2 (the
    largest and smallest), 1 and -1 (the largest and smallest sum of a column), inf and -inf (of a row).
    Raises ValueError on another."""
    return _matrix_norm(array(x), ord, (-2, -1), keepdims)


def _matrix_norm(x, ord, axes, keepdims):
    row, column = (k % x.ndim for k in axes)
    if ord in (None, "fro", "f"):
        return vector_norm(x, axis=(row, column), keepdims=keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        first, second = (row, column) if abs(ord) == 1 else (column, row)
        extreme = np.max if ord > 0 else np.min
        sums = np.sum(np.absolute(x), axis=first, keepdims=True)
        return (
            extreme(sums, axis=second, keepdims=True) if keepdims else _dropped(extreme, sums, first, second)
        )
    if ord in (2, -2, "nuc"):
        values = matrix.svd(np.moveaxis(x, (row, column), (-2, -1)))[1]
        y = np.sum(values, axis=-1) if ord == "nuc" else values[..., 0 if ord == 2 else -1]
        return np.expand_dims(y, (row, column)) if keepdims else y
    raise ValueError(f"norm: {ord!r} is no norm of a matrix: 'fro', 'nuc', 1, -1, 2, -2, inf and -inf are")


def _dropped(extreme, sums, first, second):
    y = extreme(sums, axis=second, keepdims=True)
    return np.squeeze(y, (first, second))


@composed(np.linalg.norm)
def norm(x, ord=None, axis=None, keepdims=False):
    """A norm of vectors along one axis or of matrices along two. Without axis and ord, of all elements; with
    ord alone, of x as the vector or matrix it is."""
    x = array(x)
    if axis is None and ord is None:
        return vector_norm(x, keepdims=keepdims)
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == 1:
        if isinstance(ord, str):
            raise ValueError(f"norm: {ord!r} is no norm of a vector: a number is")
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ValueError(f"norm: {len(axes)} axes of shape {x.shape}: a norm is of vectors (1) or matrices (2)")


@composed(np.linalg.cond)
def cond(x, p=None):
    """The condition number: norm(x) norm(inv(x)), for p = None, 2, -2 from the singular values."""
    if p in (None, 2, -2):
        s = matrix.svd(x)[1]
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return _matrix_norm(x, p, (-2, -1), False) * _matrix_norm(matrix.inv(x), p, (-2, -1), False)


# ---- powers, chains, systems of any axes


@composed(np.linalg.matrix_power)
def matrix_power(a, n):
    """a times itself n times, by squaring; of the inverse for negative n."""
    if n < 0:
        return matrix_power(matrix.inv(a), -n)
    if n == 0:
        return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    y = None
    while True:
        if n & 1:
            y = a if y is None else np.matmul(y, a)
        n >>= 1
        if not n:
            return y
        a = np.matmul(a, a)


@composed(np.linalg.multi_dot)
def multi_dot(arrays):
    """The product of a chain of matrices, in the order of fewest multiplications; the first and the last may
    be vectors."""
    arrays = [array(a) for a in arrays]
    first, last = arrays[0].ndim == 1, arrays[-1].ndim == 1
    if first:
        arrays[0] = arrays[0][None]
    if last:
        arrays[-1] = arrays[-1][:, None]
    sizes = [a.shape[0] for a in arrays] + [arrays[-1].shape[1]]
    cuts = _best_cuts(sizes)

    def product(i, j):
        return arrays[i] if i == j else np.matmul(product(i, cuts[i, j]), product(cuts[i, j] + 1, j))

    y = product(0, len(arrays) - 1)
    y = y[0] if first else y
    return y[..., 0] if last else y


def _best_cuts(sizes):
    """Where to cut each stretch of a chain of matrices (sizes[k], sizes[k + 1]); Cormen et al., 15.2."""
    n = len(sizes) - 1
    cost, cuts = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], cuts[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )
    return cuts


@composed(np.linalg.lstsq)
def lstsq(a, b, rcond=None):
    """(x, residuals, rank, s): the x of least |a x - b|, and of least |x| among these; residuals are the sums
    of squares of the columns of a x - b (empty unless a has more rows than columns and full rank). Singular
    values up to rcond times the largest count as 0. The rank is a plain number."""
    a, b = array(a), array(b)
    m, n = a.shape
    if rcond is None:
        rcond = np.finfo(unwrap(a).dtype).eps * max(m, n)
    s = matrix.svd(a)[1]
    rank = int(np.sum(unwrap(s) > rcond * unwrap(s).max(initial=0)))
    columns = b[:, None] if b.ndim == 1 else b
    x = np.matmul(matrix.pinv(a, rcond), columns)
    rest = np.absolute(columns - np.matmul(a, x))
    residuals = np.sum(rest * rest, axis=0) if rank == n < m else np.zeros(0, unwrap(rest).dtype)
    return x[:, 0] if b.ndim == 1 else x, residuals, rank, s


@composed(np.linalg.tensorinv)
def tensorinv(a, ind=2):
    """The inverse of a as a map from its last axes to its first `ind` ones: tensordot of both is the
    identity."""
    left, right = a.shape[:ind], a.shape[ind:]
    return matrix.inv(a.reshape((math.prod(left), math.prod(right)))).reshape((*right, *left))


@composed(np.linalg.tensorsolve)
def tensorsolve(a, b, axes=None):
    """The x of tensordot(a, x, x.ndim) = b; `axes` of a are moved to its end first."""
    a, b = array(a), array(b)
    if axes is not None:
        places = [k % a.ndim for k in axes]
        a = np.transpose(a, [*(k for k in range(a.ndim) if k not in places), *places])
    shape = a.shape[b.ndim :]
    square = a.reshape((b.size, math.prod(shape)))
    return matrix.solve(square, b.reshape((-1, 1))).reshape(shape)

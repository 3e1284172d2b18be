"""Polynomials by their coefficients, the highest power first, as np.polyval and its relatives take them.
Composed, so every order comes for free."""

import numpy as np

from ..dispatch import composed
from ..tensor import unwrap
from .arrange import vander
from .calculus import convolve
from .linear_algebra import linalg_eigvals, lstsq
from .products import alike, array
from .statistics import root


def _coefficients(p):
    p = array(p)
    return p.reshape((1,)) if p.ndim == 0 else p


@composed(np.polyval)
def polyval(p, x):
    """The polynomial at x, by Horner's rule."""
    p, x = alike(p, x)
    p = _coefficients(p)
    y = 0.0 * x
    for k in range(p.shape[0]):
        y = y * x + p[k]
    return y


def _aligned(a1, a2):
    a1, a2 = map(_coefficients, alike(a1, a2))
    n = max(a1.shape[0], a2.shape[0])
    return (np.pad(a, (n - a.shape[0], 0)) if a.shape[0] < n else a for a in (a1, a2))


@composed(np.polyadd)
def polyadd(a1, a2):
    """The sum of two polynomials."""
    a1, a2 = _aligned(a1, a2)
    return a1 + a2


@composed(np.polysub)
def polysub(a1, a2):
    """The difference of two polynomials."""
    a1, a2 = _aligned(a1, a2)
    return a1 - a2


@composed(np.polymul)
def polymul(a1, a2):
    """The product of two polynomials."""
    return convolve(*map(_coefficients, alike(a1, a2)))


@composed(np.polydiv)
def polydiv(u, v):
    """(quotient, remainder) of two polynomials, by long division."""
    u, v = _coefficients(u) + 0.0, _coefficients(v) + 0.0
    n, m = u.shape[0], v.shape[0]
    if n < m:
        return 0.0 * u[:1], u
    quotient = []
    for k in range(n - m + 1):
        d = u[k] / v[0]
        quotient.append(d)
        u = u - np.pad(d * v, (k, n - m - k))
    rest = u[n - m + 1 :] if m > 1 else 0.0 * u[:1]
    small = np.flatnonzero(~np.isclose(unwrap(rest), 0, rtol=1e-14))  # NumPy's rule for leading zeros
    start = small[0] if small.size else rest.shape[0] - 1
    return np.stack(quotient), rest[start:]


@composed(np.polyder)
def polyder(p, m=1):
    """The m-th derivative of a polynomial."""
    p = _coefficients(p)
    for _ in range(m):
        n = p.shape[0] - 1
        p = p[:-1] * np.arange(n, 0, -1)
    return p


@composed(np.polyint)
def polyint(p, m=1, k=None):
    """The m-th integral of a polynomial; k are the constants of integration, one for all or one each."""
    p, k = alike(p, 0.0 if k is None else k)
    p, constants = _coefficients(p), np.broadcast_to(k, (m,))
    for i in range(m):
        n = p.shape[0]
        p = np.concatenate([p / np.arange(n, 0, -1), constants[i : i + 1]])
    return p


@composed(np.polyfit)
def polyfit(x, y, deg, rcond=None, w=None):
    """The coefficients of the polynomial of degree `deg` of least squared error at the points (x, y), each
    error times its weight w. Raises ValueError when the shapes do not fit."""
    x, y = array(x), array(y)
    if x.ndim != 1 or y.shape[0] != x.shape[0]:
        raise ValueError(f"polyfit: x is a vector with an element for each of y, got {x.shape} and {y.shape}")
    powers = vander(x, deg + 1)
    if w is not None:
        w = array(w)
        powers = powers * w[:, None]
        y = y * (w[:, None] if y.ndim == 2 else w)
    scale = root(np.sum(powers * powers, axis=0))  # for a better condition, as NumPy does
    rcond = x.shape[0] * np.finfo(unwrap(x).dtype).eps if rcond is None else rcond
    found = lstsq(powers / scale, y, rcond)[0]
    return found / (scale[:, None] if y.ndim == 2 else scale)


@composed(np.poly)
def poly(seq_of_zeros):
    """The polynomial with these roots and the leading coefficient 1; of a matrix, its characteristic one."""
    roots_ = array(seq_of_zeros)
    roots_ = linalg_eigvals(roots_) if roots_.ndim == 2 else roots_
    p = np.ones(1, unwrap(roots_).dtype)
    for k in range(roots_.shape[0]):
        p = convolve(p, np.stack([np.ones((), p.dtype), -roots_[k]]))
    return p


@composed(np.roots)
def roots(p):
    """The roots of a polynomial: eigenvalues of its companion matrix. The leading coefficient must not be 0;
    roots at 0 come last. Several equal roots have no derivative."""
    places = np.flatnonzero(unwrap(p))
    if not places.size or places[0]:
        raise ValueError("roots: the leading coefficient is 0: cut it off")
    zeros = p.shape[0] - 1 - places[-1]
    p = p[: places[-1] + 1]
    n = p.shape[0] - 1
    if n == 0:
        return np.zeros(zeros, unwrap(p).dtype)
    companion = np.concatenate([(-p[1:] / p[0])[None], np.eye(n - 1, n, dtype=unwrap(p).dtype)])
    found = linalg_eigvals(companion)
    return np.concatenate([found, np.zeros(zeros, unwrap(found).dtype)]) if zeros else found

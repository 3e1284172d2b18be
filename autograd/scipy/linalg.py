"""scipy.linalg: solvers and the square root, whose derivatives are solutions of the transposed problem
(Giles 2008,
"Collected matrix derivative results")."""

from typing import Any

import numpy as np
import scipy.linalg as _linalg

from ..extend import defvjp, primitive

sqrtm = primitive(_linalg.sqrtm)
solve_sylvester = primitive(_linalg.solve_sylvester)
solve_triangular = primitive(_linalg.solve_triangular)
solve_banded = primitive(_linalg.solve_banded)

defvjp(sqrtm, lambda y, A: lambda g: np.real(solve_sylvester(y.T, y.T, g)))
defvjp(
    solve_sylvester,
    lambda y, a, b, q: lambda g: -solve_sylvester(a.T, b.T, g) @ y.T,
    lambda y, a, b, q: lambda g: -y.T @ solve_sylvester(a.T, b.T, g),
    lambda y, a, b, q: lambda g: solve_sylvester(a.T, b.T, g),
)


def _turned(a, trans):
    """The `trans` that solves with the transpose."""
    if trans in (2, "C"):
        raise ValueError("solve_triangular: trans='C' has no derivative here: conjugate a, and use 'T'")
    return "T" if trans in (0, "N") else "N"


def _columns(x):
    return x if x.ndim > 1 else x[:, None]


def _of_matrix(y, a, b, trans=0, lower=False, **kwargs):
    def rule(g):
        v = solve_triangular(a, g, trans=_turned(a, trans), lower=lower, **kwargs)
        full = -_columns(v) @ _columns(y).T
        full = full if trans in (0, "N") else full.T
        return np.tril(full) if lower else np.triu(full)

    return rule


def _of_right_side(y, a, b, trans=0, lower=False, **kwargs):
    return lambda g: solve_triangular(a, g, trans=_turned(a, trans), lower=lower, **kwargs)


defvjp(solve_triangular, _of_matrix, _of_right_side)


def _indices(l_and_u, n):
    """(row, column) of the elements of a banded matrix kept in SciPy's diagonal form, and which of them
    exist."""
    column = np.arange(n)[None, :].repeat(sum(l_and_u) + 1, 0)
    row = column + np.arange(-l_and_u[1], l_and_u[0] + 1)[:, None]
    return row, column, (row >= 0) & (row < n)


def _transposed(l_and_u, a):
    """The diagonal form of the transpose."""
    lower, upper = l_and_u
    n = a.shape[1]
    row, column, exists = _indices((upper, lower), n)
    from_place = np.where(exists, upper + column - row, 0), np.where(exists, row, 0)
    return (upper, lower), np.where(exists, a[from_place], 0.0)


def _of_band(y, l_and_u, a, b):
    def rule(g):
        v = _columns(solve_banded(*_transposed(l_and_u, a), g))
        row, column, exists = _indices(l_and_u, a.shape[1])
        products = -np.sum(v[np.where(exists, row, 0)] * _columns(y)[column], axis=-1)
        return np.where(exists, products, 0.0)

    return rule


defvjp(
    solve_banded,
    None,
    _of_band,
    lambda y, l_and_u, a, b: lambda g: solve_banded(*_transposed(l_and_u, a), g),
)


def __getattr__(name: str) -> Any:
    return getattr(_linalg, name)

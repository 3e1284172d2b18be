"""scipy.special: each function with its derivative as a row. Derivatives from the NIST Digital Library of
Mathematical
Functions, chapters 5 (gamma), 6-8 (incomplete gamma, beta), 7 (error function), 10 (Bessel)."""

import math
from typing import Any

import numpy as np
import scipy.special as _special

from ..extend import defvjp, primitive
from ..tensor import Tensor


def _op(function, *derivatives) -> Any:
    """The function as a primitive; for each argument its derivative (ans, *args), None for zero."""
    op = primitive(function)
    defvjp(op, *[d and _times(d) for d in derivatives])
    return op


def _times(derivative):
    return lambda ans, *args: lambda g: g * derivative(ans, *args)


_ROOT_PI = math.sqrt(math.pi)

gamma: Any = _op(_special.gamma, lambda y, x: y * psi(x))
gammaln: Any = _op(_special.gammaln, lambda y, x: psi(x))
gammasgn: Any = _op(_special.gammasgn, None)
rgamma: Any = _op(_special.rgamma, lambda y, x: -y * psi(x))
psi: Any = _op(_special.psi, lambda y, x: polygamma(1, x))
digamma: Any = _op(_special.digamma, lambda y, x: polygamma(1, x))
polygamma: Any = _op(_special.polygamma, None, lambda y, n, x: polygamma(n + 1, x))
poch: Any = _op(_special.poch, None, lambda y, a, z: y * psi(a + z))
factorial: Any = _op(_special.factorial, lambda y, x: y * psi(x + 1.0))
multigammaln: Any = _op(
    _special.multigammaln,
    lambda y, a, d: (
        np.sum(psi(a[..., None] - np.arange(d) / 2.0), axis=-1)
        if np.ndim(a)
        else sum(psi(a - k / 2.0) for k in range(d))
    ),
    None,
)
gammainc: Any = _op(_special.gammainc, None, lambda y, a, x: np.exp(-x + (a - 1.0) * np.log(x) - gammaln(a)))
gammaincc: Any = _op(
    _special.gammaincc, None, lambda y, a, x: -np.exp(-x + (a - 1.0) * np.log(x) - gammaln(a))
)
beta: Any = _op(
    _special.beta, lambda y, a, b: y * (psi(a) - psi(a + b)), lambda y, a, b: y * (psi(b) - psi(a + b))
)
betaln: Any = _op(_special.betaln, lambda y, a, b: psi(a) - psi(a + b), lambda y, a, b: psi(b) - psi(a + b))
betainc: Any = _op(
    _special.betainc, None, None, lambda y, a, b, x: x ** (a - 1.0) * (1.0 - x) ** (b - 1.0) / beta(a, b)
)
erf: Any = _op(_special.erf, lambda y, x: 2.0 / _ROOT_PI * np.exp(-(x**2)))
erfc: Any = _op(_special.erfc, lambda y, x: -2.0 / _ROOT_PI * np.exp(-(x**2)))
erfinv: Any = _op(_special.erfinv, lambda y, x: _ROOT_PI / 2.0 * np.exp(y**2))
erfcinv: Any = _op(_special.erfcinv, lambda y, x: -_ROOT_PI / 2.0 * np.exp(y**2))
expit: Any = _op(_special.expit, lambda y, x: y * (1.0 - y))
logit: Any = _op(_special.logit, lambda y, x: 1.0 / (x * (1.0 - x)))
j0: Any = _op(_special.j0, lambda y, x: -j1(x))
j1: Any = _op(_special.j1, lambda y, x: (j0(x) - jn(2, x)) / 2.0)
jn: Any = _op(_special.jn, None, lambda y, n, x: (jn(n - 1, x) - jn(n + 1, x)) / 2.0)
y0: Any = _op(_special.y0, lambda y, x: -y1(x))
y1: Any = _op(_special.y1, lambda y, x: (y0(x) - yn(2, x)) / 2.0)
yn: Any = _op(_special.yn, None, lambda y, n, x: (yn(n - 1, x) - yn(n + 1, x)) / 2.0)
i0: Any = _op(_special.i0, lambda y, x: i1(x))
i1: Any = _op(_special.i1, lambda y, x: (i0(x) + iv(2, x)) / 2.0)
iv: Any = _op(_special.iv, None, lambda y, v, x: (iv(v - 1, x) + iv(v + 1, x)) / 2.0)
ive: Any = _op(_special.ive, None, lambda y, v, x: (ive(v - 1, x) + ive(v + 1, x)) / 2.0 - np.sign(x) * y)


def logsumexp(x, axis=None, b=1.0, keepdims=False):
    """log(sum(b exp(x))), stably."""
    highest = np.max(_value(x), axis=axis, keepdims=True)
    total = np.log(np.sum(b * np.exp(x - highest), axis=axis, keepdims=keepdims))
    return total + (highest if keepdims else np.squeeze(highest, axis))


def _value(x):
    return x._data if isinstance(x, Tensor) else x

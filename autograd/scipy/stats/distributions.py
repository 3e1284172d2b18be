"""Distributions of SciPy's names and parameters; what is not defined here is SciPy's own, without
derivative."""

import math
from typing import Any

import numpy as np
import scipy.stats as _stats

from ...core import defvjp
from ...tracer import getval, primitive
from .. import special

_LOG_2PI = math.log(2 * math.pi)


def _on_support(density, x, low, high=np.inf):
    """density(x) between low and high; minus infinity, with a derivative of zero, elsewhere."""
    value = getval(x)
    inside = (value >= low) & (value <= high)
    return density(x) if np.all(inside) else np.where(inside, density(np.where(inside, x, 0.5)), -np.inf)


def _times_log(c, log, x):
    """c log(x), which is 0 where c is, also where the logarithm is infinite: at the ends of a support."""
    ends = (getval(c) == 0) & np.isinf(log(getval(x)))
    return np.where(ends, 0.0, c * log(np.where(ends, 0.5, x))) if np.any(ends) else c * log(x)


class _Distribution:
    """pdf from logpdf, logcdf and logsf from cdf and sf, the rest from SciPy."""

    def __init__(self):
        self._own = getattr(_stats, type(self).__name__[1:].lower())

    def __getattr__(self, name) -> Any:
        return getattr(self._own, name)

    def pdf(self, *args, **kwargs):
        """The density."""
        return np.exp(self.logpdf(*args, **kwargs))

    def pmf(self, *args, **kwargs):
        """The probability."""
        return np.exp(self.logpmf(*args, **kwargs))

    def logcdf(self, *args, **kwargs):
        """The logarithm of the distribution function."""
        return np.log(self.cdf(*args, **kwargs))

    def logsf(self, *args, **kwargs):
        """The logarithm of 1 - cdf."""
        return np.log(self.sf(*args, **kwargs))


_norm_logcdf = primitive(_stats.norm.logcdf)
defvjp(_norm_logcdf, lambda y, z: lambda g: g * np.exp(-(z**2) / 2 - _LOG_2PI / 2 - y))


class _Norm(_Distribution):
    def logpdf(self, x, loc=0.0, scale=1.0):
        """-((x - loc) / scale)^2 / 2 - log(scale) - log(2 pi) / 2."""
        return -(((x - loc) / scale) ** 2) / 2.0 - np.log(scale) - _LOG_2PI / 2

    def cdf(self, x, loc=0.0, scale=1.0):
        """erfc(-z / sqrt(2)) / 2 at z = (x - loc) / scale."""
        return special.erfc(-(x - loc) / scale / math.sqrt(2)) / 2.0

    def sf(self, x, loc=0.0, scale=1.0):
        """1 - cdf."""
        return special.erfc((x - loc) / scale / math.sqrt(2)) / 2.0

    def logcdf(self, x, loc=0.0, scale=1.0):
        """log cdf, also far out where cdf is 0."""
        return _norm_logcdf((x - loc) / scale)

    def logsf(self, x, loc=0.0, scale=1.0):
        """log (1 - cdf), also far out."""
        return _norm_logcdf(-(x - loc) / scale)


class _Gamma(_Distribution):
    def logpdf(self, x, a):
        """(a - 1) log x - x - log Gamma(a)."""
        return _on_support(lambda x: _times_log(a - 1.0, np.log, x) - x - special.gammaln(a), x, 0.0)

    def cdf(self, x, a):
        """The regularized incomplete gamma function."""
        return special.gammainc(a, np.maximum(x, 0.0))


class _Chi2(_Distribution):
    def logpdf(self, x, df):
        """Of the gamma distribution with a = df / 2, at x / 2."""
        return gamma.logpdf(x / 2.0, df / 2.0) - math.log(2)

    def cdf(self, x, df):
        """Of the gamma distribution with a = df / 2, at x / 2."""
        return gamma.cdf(x / 2.0, df / 2.0)


class _Beta(_Distribution):
    def logpdf(self, x, a, b):
        """(a - 1) log x + (b - 1) log(1 - x) - log B(a, b)."""

        def density(x):
            powers = _times_log(a - 1.0, np.log, x) + _times_log(b - 1.0, np.log1p, -x)
            return powers - special.betaln(a, b)

        return _on_support(density, x, 0.0, 1.0)

    def cdf(self, x, a, b):
        """The regularized incomplete beta function."""
        return special.betainc(a, b, np.clip(x, 0.0, 1.0))


class _Poisson(_Distribution):
    def logpmf(self, k, mu):
        """k log mu - mu - log k!."""
        return k * np.log(mu) - mu - special.gammaln(k + 1.0)

    def cdf(self, k, mu):
        """The regularized upper incomplete gamma function."""
        return special.gammaincc(np.floor(k) + 1.0, mu)


class _Bernoulli(_Distribution):
    def logpmf(self, k, p):
        """log p for 1, log(1 - p) for 0."""
        return k * np.log(p) + (1.0 - k) * np.log1p(-p)


_t_cdf = primitive(_stats.t.cdf)
defvjp(_t_cdf, lambda y, z, df: lambda g: g * t.pdf(z, df), None)


class _T(_Distribution):
    def logpdf(self, x, df, loc=0.0, scale=1.0):
        """Student's t: -(df + 1) / 2 log(1 + z^2 / df) and its constant, at z = (x - loc) / scale."""
        constant = special.gammaln((df + 1.0) / 2.0) - special.gammaln(df / 2.0) - np.log(df * math.pi) / 2.0
        z = (x - loc) / scale
        return constant - np.log(scale) - (df + 1.0) / 2.0 * np.log1p(z**2 / df)

    def cdf(self, x, df, loc=0.0, scale=1.0):
        """Differentiable in x, loc and scale."""
        return _t_cdf((x - loc) / scale, df)


class _Dirichlet(_Distribution):
    def logpdf(self, x, alpha):
        """sum (alpha - 1) log x - sum log Gamma(alpha) + log Gamma(sum alpha)."""
        constant = special.gammaln(np.sum(alpha)) - np.sum(special.gammaln(alpha))
        return constant + np.sum((alpha - 1.0) * np.log(x))


norm: Any = _Norm()
gamma: Any = _Gamma()
chi2: Any = _Chi2()
beta: Any = _Beta()
poisson: Any = _Poisson()
bernoulli: Any = _Bernoulli()
t: Any = _T()
dirichlet: Any = _Dirichlet()

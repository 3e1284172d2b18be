"""Special functions. Those that need SciPy say so when they are called: `pip install ngrad[scipy]`. The error
function itself is in activation.py."""

import math

import numpy as np

from ..dispatch import composed
from ..primitive import primitive


def _scipy():
    try:
        from scipy import special
    except ImportError:
        raise ImportError("this function is SciPy's: pip install 'ngrad[scipy]'") from None
    return special


@composed(np.sinc)
def sinc(x):
    """sin(pi x) / (pi x), and 1 at 0."""
    return sinc_slope(x, 0)


@primitive()
def sinc_slope(x, n):
    """The n-th derivative of sinc(x) = sin(pi x) / (pi x). From x sinc(x) = sin(pi x) / pi, differentiated n
    times: x f_n + n f_(n-1) = pi^(n-1) sin(pi x + n pi / 2); near 0, where that cancels, Taylor's series."""
    x = np.asarray(x)
    if n == 0:
        return np.sinc(x)
    near = np.abs(x) < 1
    far = np.where(near, 1.0, x)
    slope = np.sinc(far)
    for k in range(1, n + 1):
        slope = (math.pi ** (k - 1) * np.sin(math.pi * far + k * math.pi / 2) - k * slope) / far
    z, series = np.where(near, x, 0.0), np.zeros_like(slope)
    for k in range((n + 1) // 2, n + 16):
        weight = (-1) ** k * math.pi ** (2 * k) / ((2 * k + 1) * math.factorial(2 * k - n))
        series = series + weight * z ** (2 * k - n)
    return np.where(near, series, slope).astype(x.dtype)


@sinc_slope.vjp("x")
def _(g, x, n):
    return g * sinc_slope(x, n + 1)


@primitive(np.i0)
def i0(x):
    """The modified Bessel function of the first kind and order 0. Its derivative needs SciPy."""
    return np.i0(x).astype(np.asarray(x).dtype).reshape(np.shape(x))


@i0.vjp("x")
def _(g, x):
    return g * bessel_i(x, 1)


@primitive()
def bessel_i(x, n):
    """The modified Bessel function of the first kind and whole order n; I_n' = (I_(n-1) + I_(n+1)) / 2. Needs
    SciPy."""
    return _scipy().iv(n, x)


@bessel_i.vjp("x")
def _(g, x, n):
    return 0.5 * g * (bessel_i(x, n - 1) + bessel_i(x, n + 1))


@primitive()
def erfc(x):
    """1 - erf(x), exact where erf is near 1. Needs SciPy."""
    return _scipy().erfc(x)


@erfc.vjp("x")
def _(g, x):
    return g * (-2.0 / math.sqrt(math.pi)) * np.exp(-x * x)


@primitive()
def erfinv(x):
    """The inverse of erf, of -1 < x < 1. Needs SciPy."""
    return _scipy().erfinv(x)


@erfinv.vjp("x")
def _(g, y):
    return g * (math.sqrt(math.pi) / 2.0) * np.exp(y * y)


@primitive()
def gammaln(x):
    """log |Gamma(x)|. Needs SciPy."""
    return _scipy().gammaln(x)


@gammaln.vjp("x")
def _(g, x):
    return g * digamma(x)


@primitive()
def digamma(x):
    """The derivative of log Gamma(x). Needs SciPy."""
    return _scipy().digamma(x)


@digamma.vjp("x")
def _(g, x):
    return g * polygamma(x, 1)


@primitive()
def polygamma(x, n):
    """The n-th derivative of digamma(x), n >= 1, for x > 0. Needs SciPy."""
    return _scipy().polygamma(n, x).astype(np.asarray(x).dtype)


@polygamma.vjp("x")
def _(g, x, n):
    return g * polygamma(x, n + 1)

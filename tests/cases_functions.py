"""Rows of the further elementwise ops, the special functions and the convolution of vectors."""

import math

import numpy as np

from tests.cases import Case
from tests.cases_elementwise import (
    OVERFLOWS,
    POSITIVE,
    WITHIN_ONE,
    apart,
    between,
    binary,
    normal,
    then,
    unary,
)

SPECIAL = {"huge": "beyond every float, or a pole, at 10000"}


def by_integral(f, low=0.0, high=1.0, n=40):
    """The integral of f over an interval, by Gauss and Legendre's rule."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    t = 0.5 * (high - low) * nodes + 0.5 * (high + low)
    return 0.5 * (high - low) * sum(w * f(u) for u, w in zip(t, weights))


def sinc_slope(x, n):
    """From sinc(x) = integral of cos(pi x t) over 0 <= t <= 1, differentiated under the integral."""
    return by_integral(lambda t: (math.pi * t) ** n * np.cos(math.pi * x * t + n * math.pi / 2))


def bessel_i(x, n):
    """By Bessel's integral."""
    return by_integral(lambda t: np.exp(x * np.cos(math.pi * t)) * np.cos(n * math.pi * t))


def polygamma(x, n):
    """By its series, up to Euler and Maclaurin's tail."""
    total, m = 0.0, 40
    for k in range(m):
        total = total + 1.0 / (x + k) ** (n + 1)
    z = x + m
    tail = z**-n / n + 0.5 * z ** -(n + 1) + (n + 1) / 12 * z ** -(n + 2)
    tail = tail - (n + 1) * (n + 2) * (n + 3) / 720 * z ** -(n + 4)
    tail = tail + (n + 1) * (n + 2) * (n + 3) * (n + 4) * (n + 5) / 30240 * z ** -(n + 6)
    return (-1) ** (n + 1) * math.factorial(n) * (total + tail)


def digamma(x):
    """Psi(x) = log z - 1/2z - 1/12z^2 + 1/120z^4 - 1/252z^6 at z = x + 40; Psi(x) = Psi(x + 1) - 1/x."""
    z = x + 40.0
    y = np.log(z) - 0.5 / z - 1 / (12 * z**2) + 1 / (120 * z**4) - 1 / (252 * z**6)
    return y - sum(1.0 / (x + k) for k in range(40))


erfc = np.vectorize(math.erfc, otypes=[float])
gammaln = np.vectorize(math.lgamma, otypes=[float])


def erfinv(x):
    """The root of erf(y) = x by bisection."""

    def root(target):
        low, high = -6.0, 6.0
        for _ in range(200):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if math.erf(middle) < target else (low, middle)
        return 0.5 * (low + high)

    return np.vectorize(root, otypes=[float])(x)


ELEMENTWISE = [
    unary("arcsinh", np.arcsinh),
    unary("arccosh", np.arccosh, between(1.2, 3.0, (3, 4)), exempt=POSITIVE),
    unary("arctanh", np.arctanh, between(-0.8, 0.8, (3, 4)), exempt=WITHIN_ONE),
    unary("exp2", np.exp2, exempt=OVERFLOWS),
    unary("log2", np.log2, between(0.5, 2.0, (3, 4)), exempt=POSITIVE),
    unary("log10", np.log10, between(0.5, 2.0, (3, 4)), exempt=POSITIVE),
    unary("cbrt", np.cbrt, apart((3, 4))),
    *binary("logaddexp", np.logaddexp, normal),
    *binary("logaddexp2", np.logaddexp2, normal),
    *binary("hypot", np.hypot, apart),
    *binary("arctan2", np.arctan2, apart),
    *binary("fmod", np.fmod, lambda *shapes: between(1.2, 1.7, *shapes)),
    *binary("fmax", np.fmax, apart),
    *binary("fmin", np.fmin, apart),
    *binary("copysign", np.copysign, apart),
    Case("fmod", lambda rng: (np.array([7.5, -7.5]), np.array([-3.0, 3.0])), np.fmod, note="signs"),
    Case("ldexp", lambda rng: (*normal((2, 3))(rng), np.array([1, -2, 3])), np.ldexp, elementwise=False),
    Case("ldexp", then(normal(()), 2), np.ldexp, note="0-d"),
]

SPECIALS = [
    *(
        Case("sinc_slope", then(between(-3.0, 3.0, (3, 4)), n), sinc_slope, note=f"{n}", elementwise=n == 1)
        for n in range(4)
    ),
    Case("sinc_slope", lambda rng: (np.array([0.0, 1e-9, 0.999, 1.0, 1.001]), 2), sinc_slope, note="0 and 1"),
    unary("i0", np.i0, exempt=SPECIAL),
    *(Case("bessel_i", then(normal((3, 4)), n), bessel_i, note=f"{n}", exempt=SPECIAL) for n in (0, 1, 3)),
    unary("erfc", erfc),
    unary("erfinv", erfinv, between(-0.8, 0.8, (3, 4)), exempt=WITHIN_ONE),
    unary("gammaln", gammaln, between(0.5, 4.0, (3, 4)), exempt=POSITIVE),
    unary("digamma", digamma, between(0.5, 4.0, (3, 4)), exempt=POSITIVE),
    *(
        Case("polygamma", then(between(0.8, 4.0, (3, 4)), n), polygamma, note=f"{n}", exempt=POSITIVE)
        for n in (1, 2)
    ),
]

CONVOLUTION = [
    Case("convolve_full", normal(5, 3), np.convolve),
    Case("convolve_full", normal(2, 4), np.convolve, note="the second longer"),
    Case("convolve_full", normal(1, 1), np.convolve, note="numbers"),
]

CASES = [*ELEMENTWISE, *SPECIALS, *CONVOLUTION]

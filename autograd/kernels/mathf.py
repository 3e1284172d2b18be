"""Exponentials, logarithms and their kin for one float32, written so that LLVM turns a loop over them into
vector code: no branch, no table, no call. pip's Numba has no vector maths library, and its scalar one takes
six times as long as NumPy.

Largest error beside float64 (tests/test_kernels_elementwise.py measures it), in units of the last place (ULP)
of the true value:

    exp 1.0    expm1 1.5    log 0.9    log1p 1.5    sigmoid 2.5    tanh 5.5    erf 6.0

Infinities and zeros come out as NumPy has them, NaN stays NaN. Exponentials under 1.7e-38 come out as 0. The
names are NumPy's, so that an op's own lines compile against this module."""

import numpy as np
from numba import float32, int32

from .compiling import kernel

_maths = kernel(forceinline=True, fastmath={"contract"})  # a fused multiply-add where the CPU has one

_INFINITY = np.float32(np.inf)
_ROUND = np.float32(1.5 * 2**23)  # x + _ROUND has x, rounded to an integer, in its last bits
_ROUND_BITS = 0x4B400000
_LOG2_E = np.float32(1.44269504)
_LN2_HIGH = np.float32(0.693359375)  # 9 bits: its products with small integers are exact
_LN2_LOW = np.float32(-2.12194440e-4)
_SMALLEST = np.float32(2.0**-126)


# ---- arithmetic and choices


@_maths
def add(a, b):
    """a + b."""
    return a + b


@_maths
def subtract(a, b):
    """a - b."""
    return a - b


@_maths
def multiply(a, b):
    """a * b."""
    return a * b


@_maths
def divide(a, b):
    """a / b."""
    return a / b


@_maths
def negative(x):
    """-x."""
    return -x


@_maths
def reciprocal(x):
    """1 / x."""
    return float32(1.0) / x


@_maths
def where(condition, a, b):
    """a or b. Both are computed, so it is a select and no branch."""
    return a if condition else b


@_maths
def maximum(a, b):
    """The larger; NaN if either is."""
    return a if a > b or a != a else b


@_maths
def minimum(a, b):
    """The smaller; NaN if either is."""
    return a if a < b or a != a else b


@_maths
def absolute(x):
    """|x|."""
    return np.float32(abs(x))


@_maths
def sign(x):
    """-1, 0 or 1; NaN of NaN."""
    return float32(1.0) if x > 0 else float32(-1.0) if x < 0 else x


@_maths
def sqrt(x):
    """The square root, correctly rounded."""
    return np.float32(np.sqrt(x))


@_maths
def square(x):
    """x squared."""
    return x * x


# ---- exponentials


@_maths
def _two_to(n):
    """2^n of an integer -126 <= n <= 127, and 0 for -127."""
    return np.int32((n + 127) << 23).view(np.float32)


@_maths
def _reduced(x):
    """x = n log 2 + r with a whole n and |r| <= log(2) / 2: n as integer, r."""
    shifted = x * _LOG2_E + _ROUND
    whole = shifted - _ROUND
    r = x - whole * _LN2_HIGH
    return np.int32(np.float32(shifted).view(np.int32) - _ROUND_BITS), r - whole * _LN2_LOW


@_maths
def _expm1_near_0(r):
    """e^r - 1 for |r| <= log(2) / 2: the polynomial of least relative error."""
    p = float32(1.984588162e-4)
    p = p * r + float32(1.394066843e-3)
    p = p * r + float32(8.333389647e-3)
    p = p * r + float32(4.166635871e-2)
    p = p * r + float32(1.666666567e-1)
    p = p * r + float32(0.5)
    return p * (r * r) + r


@_maths
def exp(x):
    """e^x, as 2p times 2^(n - 1), since 2^n may lie outside float32 where the result does not."""
    x = where(x > float32(89.0), float32(89.0), x)  # infinite already
    x = where(x < float32(-87.3), float32(-87.3), x)  # 2^-127 comes out as 0
    n, r = _reduced(x)
    return (float32(2.0) * _expm1_near_0(r) + float32(2.0)) * _two_to(np.int32(n - 1))


@_maths
def expm1(x):
    """e^x - 1."""
    big = where(x > float32(89.0), float32(89.0), x)
    n, r = _reduced(where(big < float32(-18.0), float32(-18.0), big))
    half = np.int32(n >> 1)
    scale = _two_to(np.int32(n - half))
    # (2^n p + 2^n - 1), its first factor taken in two halves
    y = (_expm1_near_0(r) * scale + (scale - _two_to(np.int32(-half)))) * _two_to(half)
    return where(x == float32(0.0), x, y)


@_maths
def sigmoid(x):
    """1 / (1 + e^-x), below 0 as e^x / (1 + e^x): no overflow."""
    e = exp(-absolute(x))
    return where(x < float32(0.0), e, float32(1.0)) / (float32(1.0) + e)


@_maths
def _between(x, limit):
    """x limited to -limit..limit; NaN stays."""
    x = where(x > limit, limit, x)
    return where(x < -limit, -limit, x)


@_maths
def tanh(x):
    """The hyperbolic tangent, as x times a ratio of polynomials in x^2."""
    t = _between(x, float32(9.02))  # 1 from here on
    s = t * t
    p = float32(1.33188083e-08)
    p = p * s + float32(2.05832857e-05)
    p = p * s + float32(0.00349402265)
    p = p * s + float32(0.133797079)
    p = p * s + float32(1.0)
    q = float32(7.7619103e-07)
    q = q * s + float32(0.000328307331)
    q = q * s + float32(0.0258710273)
    q = q * s + float32(0.467130244)
    q = q * s + float32(1.0)
    return _between(t * (p / q), float32(1.0))


# ---- logarithms


@_maths
def log(x):
    """The natural logarithm: x = 2^n m with sqrt(1/2) <= m < sqrt(2), and a polynomial in m - 1."""
    tiny = x < _SMALLEST
    bits = np.float32(where(tiny, x * float32(2.0**23), x)).view(np.int32)
    n = np.int32(np.int32(bits - 0x3F3504F3) >> 23)  # the exponent, rounded so that m lies around 1
    r = np.int32(bits - np.int32(n << 23)).view(np.float32) - float32(1.0)
    p = float32(7.0376836292e-2)
    p = p * r + float32(-1.1514610310e-1)
    p = p * r + float32(1.1676998740e-1)
    p = p * r + float32(-1.2420140846e-1)
    p = p * r + float32(1.4249322787e-1)
    p = p * r + float32(-1.6668057665e-1)
    p = p * r + float32(2.0000714765e-1)
    p = p * r + float32(-2.4999993993e-1)
    p = p * r + float32(3.3333331174e-1)
    whole = float32(np.int32(n - where(tiny, int32(23), int32(0))))
    y = p * (r * r * r) + whole * _LN2_LOW - float32(0.5) * (r * r) + r + whole * _LN2_HIGH
    y = where(x == _INFINITY, x, y)
    y = where(x < float32(0.0), float32(np.nan), where(x == float32(0.0), -_INFINITY, y))
    return where(x != x, x, y)


@_maths
def log1p(x):
    """log(1 + x): the logarithm of the rounded 1 + x, and what the rounding lost."""
    u = float32(1.0) + x
    lost = x - (u - float32(1.0))
    y = log(u) + lost / u
    return where(x == float32(0.0), x, where((u <= float32(0.0)) | (u == _INFINITY), log(u), y))


@_maths
def softplus(x):
    """log(1 + e^x), without overflow."""
    return maximum(x, float32(0.0)) + log1p(exp(-absolute(x)))


# ---- the error function


@_maths
def erf(x):
    """2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x, as x times a ratio of polynomials in x^2."""
    t = _between(x, float32(3.93))  # 1 from here on
    s = t * t
    p = float32(2.04197704e-06)
    p = p * s + float32(0.000284805952)
    p = p * s + float32(0.00377952005)
    p = p * s + float32(0.0527900048)
    p = p * s + float32(0.190781847)
    p = p * s + float32(1.12837911)
    q = float32(3.80040001e-05)
    q = q * s + float32(0.0011651899)
    q = q * s + float32(0.0149972579)
    q = q * s + float32(0.114256687)
    q = q * s + float32(0.502408743)
    q = q * s + float32(1.0)
    return _between(t * (p / q), float32(1.0))

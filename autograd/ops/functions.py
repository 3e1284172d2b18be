"""More elementwise maths: inverse hyperbolic functions, logarithms to other bases, angles, remainders."""

import math

import numpy as np

from ..dispatch import composed, nondiff
from ..primitive import primitive
from ..tensor import unwrap
from .products import array
from .selection import where

nondiff(np.spacing, np.gcd, np.lcm, np.bitwise_count, np.isnat, np.array_equiv)

_LN2, _LN10 = math.log(2.0), math.log(10.0)


def _below(a, y):
    """a - y for y = log(e^a + e^b): of an infinite y 0 where a is what makes it so, else -infinity."""
    infinite = np.isinf(y)
    below = where(infinite, -np.inf, a - where(infinite, 0.0, y))
    return where(infinite & (a == np.inf), 0.0, below)


# ---- inverse hyperbolic functions, roots, powers and logarithms


@primitive(np.arcsinh)
def arcsinh(x):
    """The inverse hyperbolic sine."""
    return np.arcsinh(x)


@arcsinh.vjp("x")
def _(g, x):
    return g / np.sqrt(x * x + 1.0)


@primitive(np.arccosh)
def arccosh(x):
    """The inverse hyperbolic cosine, of x >= 1."""
    return np.arccosh(x)


@arccosh.vjp("x")
def _(g, x):
    return g / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0))


@primitive(np.arctanh)
def arctanh(x):
    """The inverse hyperbolic tangent, of -1 < x < 1."""
    return np.arctanh(x)


@arctanh.vjp("x")
def _(g, x):
    return g / (1.0 - x * x)


@primitive(np.exp2)
def exp2(x):
    """2^x."""
    return np.exp2(x)


@exp2.vjp("x")
def _(g, y):
    return g * (_LN2 * y)


@primitive(np.log2)
def log2(x):
    """The logarithm to base 2."""
    return np.log2(x)


@log2.vjp("x")
def _(g, x):
    return g / (_LN2 * x)


@primitive(np.log10)
def log10(x):
    """The logarithm to base 10."""
    return np.log10(x)


@log10.vjp("x")
def _(g, x):
    return g / (_LN10 * x)


@primitive(np.cbrt)
def cbrt(x):
    """The real cube root; its slope at 0 is infinite."""
    return np.cbrt(x)


@cbrt.vjp("x")
def _(g, y):
    return g / (3.0 * y * y)


@primitive(np.logaddexp)
def logaddexp(a, b):
    """log(e^a + e^b), without overflow."""
    return np.logaddexp(a, b)


@logaddexp.vjp("a")
def _(g, a, y):
    return g * np.exp(_below(a, y))


@logaddexp.vjp("b")
def _(g, b, y):
    return g * np.exp(_below(b, y))


@primitive(np.logaddexp2)
def logaddexp2(a, b):
    """log2(2^a + 2^b), without overflow."""
    return np.logaddexp2(a, b)


@logaddexp2.vjp("a")
def _(g, a, y):
    return g * np.exp2(_below(a, y))


@logaddexp2.vjp("b")
def _(g, b, y):
    return g * np.exp2(_below(b, y))


@composed(np.float_power)
def float_power(a, b):
    """a ** b in float64 (or complex128), whatever the types of a and b."""
    wide = np.result_type(unwrap(a), unwrap(b), np.float64)
    return np.power(_wide(a, wide), _wide(b, wide))


def _wide(x, dtype):
    return x if isinstance(x, (int, float)) else array(x).astype(dtype)


# ---- angles and lengths


@primitive(np.hypot)
def hypot(a, b):
    """sqrt(a^2 + b^2), without overflow. At (0, 0) both slopes are 0."""
    return np.hypot(a, b)


@hypot.vjp("a")
def _(g, a, y):
    return g * (a / where(y == 0, 1.0, y))


@hypot.vjp("b")
def _(g, b, y):
    return g * (b / where(y == 0, 1.0, y))


@primitive(np.arctan2)
def arctan2(a, b):
    """The angle of the point (b, a) from the positive axis of b. At (0, 0) both slopes are 0."""
    return np.arctan2(a, b)


@arctan2.vjp("a")
def _(g, a, b):
    return g * (b / _squares(a, b))


@arctan2.vjp("b")
def _(g, a, b):
    return -g * (a / _squares(a, b))


def _squares(a, b):
    """a^2 + b^2, and 1 where that is 0: there the numerators are 0."""
    total = a * a + b * b
    return where(total == 0, 1.0, total)


@composed(np.deg2rad, np.radians)
def deg2rad(x):
    """Degrees in radians."""
    return x * (math.pi / 180.0)


@composed(np.rad2deg, np.degrees)
def rad2deg(x):
    """Radians in degrees."""
    return x * (180.0 / math.pi)


@composed(np.angle)
def angle(z, deg=False):
    """The argument of a complex number, in (-pi, pi]; of a real one 0 or pi, which has the slope 0."""
    radians = np.arctan2(np.imag(z), np.real(z))
    return rad2deg(radians) if deg else radians


@composed(np.real_if_close)
def real_if_close(a, tol=100):
    """The real part where every imaginary part is within `tol` machine epsilons of 0, otherwise a."""
    close = not np.iscomplexobj(np.real_if_close(unwrap(a), tol))
    return np.real(a) if close else a


# ---- remainders, signs and parts of numbers


@primitive(np.fmod)
def fmod(a, b):
    """The remainder of a / b with the sign of a; the jumps count as flat."""
    return np.fmod(a, b)


@fmod.vjp("a")
def _(g):
    return g


@fmod.vjp("b")
def _(g, a, b):
    return -g * np.trunc(a / b)


@composed(np.divmod)
def divmod_(a, b):
    """(a // b, a mod b); the quotient is a plain array."""
    return np.floor_divide(a, b), np.mod(a, b)


@composed(np.modf)
def modf(x):
    """(fractional part, whole part), each with the sign of x; the whole part is a plain array."""
    whole = np.trunc(x)
    return x - whole, whole


@composed(np.frexp)
def frexp(x):
    """(mantissa, exponent) with x = mantissa * 2^exponent; the exponent is a plain array."""
    exponent = np.frexp(unwrap(x))[1]
    return np.ldexp(x, -exponent), exponent


@primitive(np.ldexp)
def ldexp(x, exponent):
    """x * 2^exponent, for integer exponents."""
    return np.ldexp(x, exponent)


@ldexp.vjp("x")
def _(g, exponent):
    return np.ldexp(g, exponent)


@composed(np.fabs)
def fabs(x):
    """|x| of real numbers; the slope at 0 is 0."""
    if np.iscomplexobj(x):
        raise TypeError(f"fabs: takes real numbers, got {x.dtype}: np.abs takes complex ones")
    return np.absolute(x)


@primitive(np.copysign)
def copysign(a, b):
    """|a| with the sign of b; at a = 0 the slope is 0."""
    return np.copysign(a, b)


@copysign.vjp("a")
def _(g, a, b):
    turned = np.signbit(unwrap(a)) != np.signbit(unwrap(b))
    return where(unwrap(a) == 0, 0.0, where(turned, -g, g))


@copysign.vjp("b")
def _(g):
    return 0.0 * g


@primitive(np.fmax)
def fmax(a, b):
    """The larger of a and b, or the one that is not NaN; where they are equal each gets half of the
    derivative, where both are NaN a gets it."""
    return np.fmax(a, b)


@fmax.vjp("a")
def _(g, a, b):
    return where(a == b, 0.5 * g, where((a > b) | np.isnan(b), g, 0.0))


@fmax.vjp("b")
def _(g, a, b):
    return where(a == b, 0.5 * g, where((b > a) | (np.isnan(a) & ~np.isnan(b)), g, 0.0))


@primitive(np.fmin)
def fmin(a, b):
    """The smaller of a and b, or the one that is not NaN; where they are equal each gets half of the
    derivative, where both are NaN a gets it."""
    return np.fmin(a, b)


@fmin.vjp("a")
def _(g, a, b):
    return where(a == b, 0.5 * g, where((a < b) | np.isnan(b), g, 0.0))


@fmin.vjp("b")
def _(g, a, b):
    return where(a == b, 0.5 * g, where((b < a) | (np.isnan(a) & ~np.isnan(b)), g, 0.0))


@composed(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """x with numbers in the place of NaN and of the infinities (by default the largest ones of the type);
    these have the slope 0. A copy in any case."""
    plain = np.nan_to_num(unwrap(x), True, nan, posinf, neginf)
    return where(np.isfinite(x), x, plain)

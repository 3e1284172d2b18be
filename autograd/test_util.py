"""HIPS/autograd's checks of derivatives against finite differences. For new code `autograd.check_grads`
looks at every
element; this one at one random direction, in the form programs written for HIPS/autograd use."""

import itertools

from .core import make_jvp, make_vjp, vspace
from .wrap_util import get_name, unary_to_nary

TOL = RTOL = EPS = 1e-6


def scalar_close(a, b) -> bool:
    """Whether two numbers agree to 1e-6, absolutely or relative to their sum."""
    return bool(abs(a - b) < TOL or abs(a - b) / abs(a + b) < RTOL)


def check_equivalent(x, y) -> None:
    """Asserts that two values lie in one space and agree along a random direction."""
    space, other = vspace(x), vspace(y)
    assert space == other, f"VSpace mismatch:\nx: {space}\ny: {other}"
    v = space.randn()
    assert scalar_close(space.inner_prod(x, v), space.inner_prod(y, v)), f"Value mismatch:\nx: {x}\ny: {y}"


def _numerical_jvp(f, x, v):
    """(f(x + v eps/2) - f(x - v eps/2)) / eps."""
    space = vspace(x)
    ahead, behind = (f(space.add(x, space.scalar_mul(v, sign * EPS / 2))) for sign in (1, -1))
    out = vspace(ahead)
    return out.scalar_mul(out.add(ahead, out.scalar_mul(behind, -1.0)), 1 / EPS)


def _check_vjp(f, x):
    vjp, y = make_vjp(f, x)
    x_space, y_space = vspace(x), vspace(y)
    v, w = x_space.randn(), y_space.randn()
    pulled = x_space.covector(vjp(y_space.covector(w)))
    assert vspace(pulled) == x_space
    exact = x_space.inner_prod(v, pulled)
    numeric = y_space.inner_prod(w, _numerical_jvp(f, x, v))
    assert scalar_close(numeric, exact), (
        f"Derivative (VJP) check of {get_name(f)} failed with arg {x}:\n"
        f"analytic: {exact}\nnumeric:  {numeric}"
    )


def _check_jvp(f, x):
    v = vspace(x).randn()
    check_equivalent(make_jvp(f, x)(v)[1], _numerical_jvp(f, x, v))


_MODES = {"fwd": (_check_jvp, make_jvp), "rev": (_check_vjp, make_vjp)}


@unary_to_nary
def check_grads(f, x, modes=("fwd", "rev"), order=2):
    """check_grads(f, argnum=0)(*args) asserts that the derivatives of f agree with finite differences along a
    random direction, forward and in reverse, up to `order`."""
    for mode in modes:
        _MODES[mode][0](f, x)
        if order > 1:
            if mode == "fwd":
                derivative = lambda x, v: make_jvp(f, x)(v)[1]
                v = vspace(x).randn()
            else:
                derivative = lambda x, v: make_vjp(f, x)[0](v)
                v = vspace(f(x)).randn()
            derivative.__name__ = f"{'jvp' if mode == 'fwd' else 'vjp'}_{get_name(f)}"
            check_grads(derivative, (0, 1), modes, order - 1)(x, v)


def combo_check(fun, *args, **kwargs):
    """check_grads of fun at every combination: combo_check(fun, argnums)(choices of each argument,
    name=choices)."""
    check = check_grads(fun, *args, **kwargs)

    def at(*choices, **named):
        for values in itertools.product(*choices):
            for options in itertools.product(*named.values()):
                check(*values, **dict(zip(named, options, strict=True)))

    return at

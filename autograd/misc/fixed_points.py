"""Fixed points x = f(a)(x), differentiated by the implicit function theorem."""

from ..core import make_vjp, vspace
from ..extend import defvjp, primitive


@primitive
def fixed_point(f, a, x0, distance, tol):
    """The x with x = f(a)(x), by iterating from x0 until distance(x, previous x) is at most tol.
    Differentiable in
    a: with A = df/da and B = df/dx at x, dx/da = (I - B)^-1 A, whose transpose is a fixed point too."""
    step = f(a)
    x, before = step(x0), x0
    while distance(x, before) > tol:
        x, before = step(x), x
    return x


def _rule(ans, f, a, x0, distance, tol):
    def step_back(parameters):
        a, x, g = parameters
        pull, _ = make_vjp(f(a), x)
        return lambda w: vspace(x).add(pull(w), g)

    def rule(g):
        pull_a, _ = make_vjp(lambda a: f(a)(ans), a)
        return pull_a(fixed_point(step_back, (a, ans, g), vspace(x0).zeros(), distance, tol))

    return rule


defvjp(fixed_point, None, _rule, None)

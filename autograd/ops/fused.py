# mypy: disable-error-code="misc,attr-defined"
"""Elementwise ops whose lines are also their kernels.

    @elementwise(np.tanh)          # instead of @primitive(np.tanh)
    def tanh(x):
        return np.tanh(x)

On float32 arrays of LARGE elements or more, the forward and each rule of such an op run as one parallel pass,
compiled from the very lines (`kernels/elementwise.py`); on all else NumPy runs them as they stand. `fused`
does the same for any function of that kind."""

from functools import partial, wraps

from numpy import ndarray

from ..primitive import primitive

LARGE = 1 << 16  # elements: below, NumPy's calls take less time than the threads need to start


def elementwise(*numpy_functions):
    """Declares an op like `primitive`. Its lines must be arithmetic, comparisons, and functions that
    `kernels/mathf.py` has, on arrays and numbers. Where it stands for a NumPy function, that one runs on
    small arrays."""

    def declare(forward):
        op = primitive(*numpy_functions)(
            fused(forward, plain=numpy_functions[0] if numpy_functions else None)
        )
        declare_rule = op.vjp
        op.vjp = lambda *arguments: (
            lambda rule: declare_rule(*arguments)(rule if hasattr(rule, "kernel") else fused(rule))
        )
        return op

    return declare


def fused(function=None, *, plain=None):
    """A decorator: the function runs as one kernel where an argument is a large array and the others fit, and
    as `plain` on all else, by default itself. Of a function of `g`, a cotangent and so an array of the
    result's size, only that one is looked at. Its `kernel` returns None where the arguments do not fit; with
    `in_place=True` it writes the result into the first."""
    if function is None:
        return partial(fused, plain=plain)
    plain = plain or function
    made = []

    def kernel(*args, in_place=False):
        if not made:
            from ..kernels.elementwise import Kernel

            made.append(Kernel(function))
        return made[0](*args, in_place=in_place)

    def run(*args):
        y = kernel(*args)
        return plain(*args) if y is None else y

    # one function for each form, since every op passes here and each tenth of a microsecond counts
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    if names == ("g",):

        def choose(g):
            return run(g) if g.size >= LARGE else plain(g)
    elif names[0] == "g" and len(names) == 2:

        def choose(g, a):
            return run(g, a) if g.size >= LARGE else plain(g, a)
    elif names[0] == "g":

        def choose(g, *args):
            return run(g, *args) if g.size >= LARGE else plain(g, *args)
    elif len(names) == 1:

        def choose(a):
            return run(a) if type(a) is ndarray and a.size >= LARGE else plain(a)
    elif len(names) == 2:

        def choose(a, b):
            if (type(a) is ndarray and a.size >= LARGE) or (type(b) is ndarray and b.size >= LARGE):
                return run(a, b)
            return plain(a, b)
    else:

        def choose(*args):
            large = any(type(a) is ndarray and a.size >= LARGE for a in args)
            return run(*args) if large else plain(*args)

    choose.kernel, choose.small = kernel, (plain, LARGE)
    return wraps(function)(choose)

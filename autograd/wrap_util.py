"""From an operator on functions of one argument to one on functions of many."""

import functools

from .transforms import called
from .util import subvals


def get_name(f) -> str:
    """f's name, also where f has none."""
    return getattr(f, "__name__", "[unknown name]")


def wraps(fun):
    """functools.wraps; also for what has no name."""
    return functools.wraps(fun)


def unary_to_nary(operator):
    """Of operator(f, x), which works on a function of one argument at a point, the operator
    (f, argnum=0) -> (args -> ...) on one of its arguments, or on a tuple of several."""

    @functools.wraps(operator)
    def nary(fun, argnum=0, *rest, **options):
        if type(argnum) not in (int, tuple, list):
            raise TypeError(f"argnum must be an int or a tuple of ints, got {argnum!r}")

        @called(get_name(operator), fun, argnum)
        def at(*args, **kwargs):
            single = isinstance(argnum, int)

            def of_one(x):
                return fun(*subvals(args, [(argnum, x)] if single else zip(argnum, x)), **kwargs)

            of_one.__name__ = get_name(fun)
            x = args[argnum] if single else tuple(args[i] for i in argnum)
            return operator(of_one, x, *rest, **options)

        return at

    return nary

"""Small names of HIPS/autograd that programs import from here."""

import warnings

from .tracer import toposort as toposort


def subvals(x, pairs) -> tuple:
    """The sequence x as a tuple, with the value v at place i for each (i, v) of `pairs`."""
    changed = list(x)
    for i, v in pairs:
        changed[i] = v
    return tuple(changed)


def subval(x, i, v) -> tuple:
    """The sequence x as a tuple, with v at place i."""
    return subvals(x, [(i, v)])


def func(f):
    """f itself: once the way from a method to its function."""
    return f


def quick_grad_check(fun, arg0, extra_args=(), kwargs=None, verbose=True, eps=1e-4, rtol=1e-4, atol=1e-6):
    """check_grads of the first order with respect to the first argument; the old name warns."""
    from .test_util import check_grads

    warnings.warn("quick_grad_check is an old name: use test_util.check_grads", stacklevel=2)
    check_grads(lambda x: fun(x, *extra_args, **(kwargs or {})), modes=["rev"], order=1)(arg0)

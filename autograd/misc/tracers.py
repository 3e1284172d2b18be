"""const_graph, by its name: HIPS/autograd keeps the graph of a function with fixed control flow, to save
the time of the
function's own Python. Here recording costs little, so the function simply runs."""

import functools


def const_graph(fun, *args, **kwargs):
    """fun with these arguments fixed: a function of the remaining ones."""
    return functools.wraps(fun)(functools.partial(fun, *args, **kwargs))

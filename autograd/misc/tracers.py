"""const_graph, by its name. HIPS/autograd keeps the graph of a function with fixed control flow, and replays
it to save the time of the function's own Python. Here the function runs each time: recording costs little,
and functions composed of ops (a median, an interpolation) read values to choose what they do, which a
replay would take from the first call."""

import functools


def const_graph(fun, *args, **kwargs):
    """fun with these arguments fixed: a function of the remaining ones."""
    return functools.wraps(fun)(functools.partial(fun, *args, **kwargs))

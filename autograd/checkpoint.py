"""Trades time for memory: a function's inner values are dropped after the forward and computed again in
backward."""

import functools

from . import random
from .modes import enable_grad, state


def checkpoint(f):
    """`f`, recorded without what its rules would save; backward runs it once more to get that back.

    The generator is restored for the second run, so dropout draws the same masks, and `is_replaying()` is
    true in it, so layers leave running statistics alone. Works at any order of derivative, nested, and on
    functions that use parameters from outside. Raises RuntimeError in backward when the second run records
    other ops than the first, or when a value it uses was written in between.
    """

    @functools.wraps(f)
    def checkpointed(*args, **kwargs):
        if not state.recording:
            return f(*args, **kwargs)
        again = _Again(f, args, kwargs)
        nodes: list = []
        with _collecting(nodes):
            out = f(*args, **kwargs)
        for k, node in enumerate(nodes):
            if node.saved:
                node.saved = functools.partial(again.saved, k, node.name)
        return out

    return checkpointed


class _collecting:
    """Collects the nodes recorded by this thread."""

    def __init__(self, nodes):
        self.watcher = lambda node, y: nodes.append(node)

    def __enter__(self):
        self.before = state.watchers
        state.watchers = (*self.before, self.watcher)

    def __exit__(self, *_):
        state.watchers = self.before


class _Again:
    """The second run. It knows its nodes by their order only, so no reference cycle arises."""

    def __init__(self, f, args, kwargs):
        self.call = functools.partial(f, *args, **kwargs)
        self.generator = random.generator().bit_generator.state
        self.values = None

    def saved(self, k, name):
        """What the k-th recorded op of the function saves; the first to ask runs the function."""
        if self.values is None:
            self.values = self.run()
        if k >= len(self.values) or self.values[k][0] != name:
            raise RuntimeError(
                f"a checkpointed function recorded {name} as its op {k} at first, and something else when "
                "it ran again for backward: it must do the same ops both times"
            )
        _, value = self.values[k]
        self.values[k] = (name, None)
        return value

    def run(self):
        """Runs the function as it ran at first; returns (op, saved) of each node."""
        nodes: list = []
        bits = random.generator().bit_generator
        now = bits.state
        before = state.watchers, state.replaying
        state.watchers, state.replaying = (), True
        bits.state = self.generator
        try:
            with enable_grad(), _collecting(nodes):
                self.call()
        finally:
            bits.state = now
            state.watchers, state.replaying = before
        return [(node.name, node.saved) for node in nodes]

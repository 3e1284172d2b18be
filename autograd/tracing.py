"""HIPS/autograd's traces: which calls a function makes of what depends on its argument, told to a class of
nodes of the user's own."""

import functools
import threading
import warnings

from .graph import vertex_of
from .modes import state
from .primitive import _at, _Select, registry
from .tensor import Tensor
from .transforms import Call, flatten, unflatten


def isbox(x) -> bool:
    """Whether x is a tensor, as the arguments of a function are while it is differentiated."""
    return isinstance(x, Tensor)


def getval(x):
    """The array or number of a tensor, also inside containers; anything else as it is."""
    if isinstance(x, Tensor):
        return x._data[()]
    if isinstance(x, (tuple, list, dict)):
        leaves, structure = flatten(x)
        return unflatten(structure, map(getval, leaves)) if any(map(isbox, leaves)) else x
    return x


def counts(x):
    """Whether x is a tensor of which there are derivatives."""
    return isinstance(x, Tensor) and x.requires_grad


class Node:
    """One recorded call that depends on the start of a `trace`. A subclass keeps in `__init__` what it wants
    of the call, and in `initialize_root`, for the start itself, of what `new_root` was given."""

    __slots__ = ()
    parents: tuple  # by this name `toposort` finds them

    def __init__(self, value, fun, args, kwargs, parent_argnums, parents):
        """value = fun(*args, **kwargs), where args[parent_argnums[i]] is the value of the node parents[i]."""

    def initialize_root(self, *args, **kwargs):
        """What `__init__` is for the start."""

    @classmethod
    def new_root(cls, *args, **kwargs):
        """The node of the start."""
        root = object.__new__(cls)
        root.initialize_root(*args, **kwargs)
        return root


def trace(start_node, fun, x):
    """(fun(x), the node it came from): while fun runs, a node of start_node's class is made of each op that
    depends on x, derivatives in it included. Comparisons and what else has no derivative are values, as what
    does not depend on x. Where all of fun(x) is, a warning says so, and the node is None."""
    with _Trace(start_node) as told:

        def run(lifted):
            told.begin(x, lifted)
            return fun(lifted)

        call = Call(run, (x,), {}, 0, plain=True)
        leaves, structure = flatten(call.out)
        tensors = [t for t in leaves if counts(t)]
        outside = bool(tensors) and call.is_used_outside(*tensors)
        value = unflatten(structure, [call.value(t, outside) if isbox(t) else t for t in leaves])
        nodes = [told.node_of(vertex_of(t)) if counts(t) else None for t in leaves]
        if all(node is None for node in nodes):
            warnings.warn("Output seems independent of input.", stacklevel=2)
            return value, None
        if structure is None:
            return value, nodes[0]
        parents = {n: node for n, node in enumerate(nodes) if node is not None}
        build = lambda *leaves: unflatten(structure, leaves)
        build.__name__ = "make_sequence"
        values = tuple(flatten(value)[0])
        return value, told.kind(value, build, values, {}, tuple(parents), tuple(parents.values()))


class _Open(threading.local):
    here: tuple = ()  # the traces that are under way in this thread


open_traces = _Open()


def getitem(whole, k):
    """The k-th of the arrays in a container, or of an op's several results."""
    return flatten(whole)[0][k]


class _Trace:
    """Within it each op that depends on the start is told to a class of nodes. A node of the graph keeps no
    more than its rules need, so what an op was called with is noted where its forward runs."""

    def __init__(self, start):
        self.start, self.kind = start, type(start)
        self.nodes: dict = {}  # vertex of the graph -> node
        self.wholes: dict = {}  # vertex of several values -> these
        self.parts: dict = {}  # vertex of a leaf of the start -> its number
        self.called: tuple = ()  # what the op that ran last was called with
        self.depth = 0  # forwards at work: what runs within one is its own
        self.thread = threading.get_ident()

    def __enter__(self):
        self.before = state.watchers, open_traces.here, [(op, op.forward) for op in registry.values()]
        for op, forward in self.before[2]:
            op.forward = self._noting(forward)
        state.watchers, open_traces.here = (*state.watchers, self._recorded), (*open_traces.here, self)
        return self

    def __exit__(self, *_):
        state.watchers, open_traces.here, forwards = self.before
        for op, forward in forwards:
            op.forward = forward

    def begin(self, x, lifted):
        """The start, as it is and as tensors."""
        leaves, structure = flatten(lifted)
        if structure is None:
            self.nodes[vertex_of(lifted)] = self.start
        else:
            self.nodes[self], self.wholes[self] = self.start, x
            self.parts = {vertex_of(t): k for k, t in enumerate(leaves)}

    def _noting(self, forward):
        @functools.wraps(forward)
        def run(*args, **kwargs):
            if self.depth or threading.get_ident() != self.thread:
                return forward(*args, **kwargs)
            self.depth += 1
            try:
                return forward(*args, **kwargs)
            finally:
                self.depth -= 1
                self.called = args

        return run

    def _recorded(self, node, y):
        op, args = node.plan.primitive, list(self.called)
        while len(args) > 1 and args[-1] is op.defaults[len(args) - 1]:
            args.pop()
        at = op.variadic
        places = [(k, 0) if at is None else (at, k) for k in node.plan.places]
        self.tell(node, y if isinstance(y, tuple) else y[()], op, args, {}, places)

    def tell(self, vertex, value, fun, args, kwargs, places):
        """value = fun(*args, **kwargs) made this vertex; (n, k) of `places` says for each of its inputs that
        it is the k-th array in argument n."""
        known = [self.node_of(v) for v in vertex.inputs]
        if all(node is None for node in known):
            return
        if any(flatten(args[n])[1] is not None for n, _ in places):
            fun, args, places = _of_leaves(fun, args, places)
        args, parents = list(args), {}
        for (n, _), before, node in zip(places, vertex.inputs, known, strict=True):
            if node is not None:
                args[n], parents[n] = getval(args[n]), node
            elif not isbox(args[n]):
                args[n] = _at(before, args[n])
        if isinstance(value, (tuple, list, dict)):
            self.wholes[vertex] = value
        argnums, nodes = tuple(parents), tuple(parents.values())
        self.nodes[vertex] = self.kind(value, fun, tuple(args), kwargs, argnums, nodes)

    def node_of(self, vertex):
        """The node of a vertex of the graph, None where it does not depend on the start."""
        if vertex not in self.nodes:
            plan, whole, k = getattr(vertex, "plan", None), self, self.parts.get(vertex)
            if isinstance(plan, _Select):
                whole, k = vertex.inputs[0], plan.k
            if k is not None and whole in self.nodes:
                value = self.wholes[whole]
                told = getitem(value, k), getitem, (value, k), {}, (0,), (self.nodes[whole],)
                self.nodes[vertex] = self.kind(*told)
        return self.nodes.get(vertex)


def _of_leaves(fun, args, places):
    """The same call as one of the arrays in its arguments, with their places in it."""
    leaves, structure = flatten(tuple(args))
    before = [len(flatten(tuple(args[:n]))[0]) for n, _ in places]
    of_leaves = lambda *leaves, **kwargs: fun(*unflatten(structure, leaves), **kwargs)
    of_leaves.__name__ = fun.__name__
    return of_leaves, leaves, [(start + k, 0) for start, (_, k) in zip(before, places, strict=True)]

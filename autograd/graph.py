"""The recorded graph, and the one loop that differentiates it.

A vertex is a `Node` (one recorded op) or a leaf tensor. A node knows the vertices its differentiable inputs
came from and what its rules asked to keep; never its output tensor, so a graph holds no reference cycle.
"""

from sys import getrefcount
from types import NoneType

import numpy as np

from .modes import state
from .tensor import Tensor, as_array, ops, version, wrap, writes


class Node:
    """One recorded op: `name`, `inputs` (vertices), `shape` and `dtype` of its output, and `saved`, the
    values its rules named. `saved` is None once backward has used and freed it."""

    __slots__ = ("plan", "inputs", "saved", "shape", "dtype", "clock", "hooks", "line")

    def __init__(self, plan, inputs, saved, shape, dtype, clock):
        self.plan = plan
        self.inputs = inputs
        self.saved = saved
        self.shape = shape
        self.dtype = dtype
        self.clock = clock  # the clock of writes when the values were saved
        self.hooks = self.line = None  # `line`: the user's source line, in anomaly mode

    @property
    def name(self) -> str:
        """The op's name."""
        return self.plan.primitive.name

    @property
    def saved_bytes(self) -> int:
        """Memory of the arrays kept for the rules; what several ops share is counted by each."""
        return sum(a.nbytes for a in _arrays(self.saved if isinstance(self.saved, tuple) else ()))

    def __repr__(self):
        return f"<{self.name} {self.shape} {self.dtype}>"


class Outputs(tuple):
    """The cotangents of an op of several outputs, None where there is none."""

    shape = dtype = None

    def __add__(self, other):
        pairs = zip(self, other, strict=True)
        return Outputs(b if a is None else a if b is None else a + b for a, b in pairs)


def _arrays(saved):
    for value in saved:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _arrays(value)


def _reached(roots):
    """[vertex, how often it is an input of another, cotangent so far, whether nothing shares its memory]
    of each vertex reachable from the roots, by vertex (iterative: no recursion, no sort)."""
    reached = {root: [root, 0, None, False] for root in roots}
    found = list(reached)
    for vertex in found:
        for parent in vertex.inputs:
            entry = reached.get(parent)
            if entry is None:
                reached[parent] = [parent, 1, None, False]
                found.append(parent)
            else:
                entry[1] += 1
    return reached


def consumers_first(roots):
    """Yields every vertex reachable from the roots, each after all vertices that use it."""
    reached = _reached(roots)
    ready = [vertex for vertex, uses, _, _ in reached.values() if not uses]
    while ready:
        vertex = ready.pop()
        yield vertex
        for parent in vertex.inputs:
            entry = reached[parent]
            entry[1] -= 1
            if not entry[1]:
                ready.append(parent)


def vertex_of(t: Tensor):
    """Where a tensor stands in the graph: the node that made it, or itself when it is a leaf."""
    return t if t.node is None else t.node


def _unbroadcast(g, shape):
    """Sums a cotangent down to the shape that broadcasting had stretched."""
    extra = g.ndim - len(shape)
    if type(g) is np.ndarray and extra == 1 and g.shape[1:] == shape:
        return ops.column_sums(g)  # a bias: the usual case, without a detour
    stretched = [i for i in range(g.ndim) if i < extra or (shape[i - extra] == 1 and g.shape[i] != 1)]
    summed = ops.sum(g, tuple(stretched), True) if stretched else g
    if summed.shape[extra:] != shape or extra < 0:
        raise ValueError(f"a rule returned a cotangent of shape {g.shape} for an input of shape {shape}")
    return summed.reshape(shape) if extra else summed


def _fit(g, vertex):
    """A raw cotangent brought to its vertex's shape and dtype."""
    if g.shape != vertex.shape:
        g = _unbroadcast(g, vertex.shape)
    if g.dtype != vertex.dtype:
        if vertex.dtype.kind not in "fc":
            raise TypeError(f"only floats have gradients, and an input that requires grad is {vertex.dtype}")
        if g.dtype.kind == "c" and vertex.dtype.kind != "c":
            g = np.real(g)
        g = g.astype(vertex.dtype)
    return g


def _saved(node):
    """What was saved for the rules: it must be there still, or be computed again, and be unwritten since."""
    while not isinstance(node.saved, (tuple, NoneType)):
        node.saved = node.saved()  # a checkpoint
    if node.saved is None:
        raise RuntimeError(
            f"backward reaches {node.name} a second time, and its saved values were freed: "
            "call the first backward with retain_graph=True, or run the forward again"
        )
    for name, saved in zip(node.plan.saved_names, node.saved, strict=False):
        for array in _arrays((saved,)):
            now = version(array)
            if now > node.clock:
                raise RuntimeError(
                    f"backward of {node.name} needs {name!r} of shape {array.shape} as it was at "
                    f"version {node.clock}, but it was written in place and is at version {now}: clone() it "
                    "before the write, or write after backward; recorded at "
                    + (node.line or "a line that detect_anomaly() shows")
                )
    return node.saved


def _run_hooks(vertex, g):
    for hook in list(vertex.hooks.values()):
        plain = isinstance(g, (np.ndarray, np.generic))
        replaced = hook(_turn(wrap(wrap(np.asarray(g)).numpy()) if plain else g))  # read-only: it is shared
        if replaced is not None:
            if replaced.shape != vertex.shape:
                raise ValueError(f"a hook gave a gradient of shape {replaced.shape}, needs {vertex.shape}")
            g = _turn(replaced if isinstance(g, Tensor) else as_array(replaced))
    return g


def propagate(cotangents, create_graph, retain_graph, wanted=None, reached=None):
    """The loop. `cotangents` maps root vertices to their cotangents. Yields (vertex, cotangent, owned) for
    each leaf, or for each vertex of `wanted` and then only the paths to these are walked; `owned` tells that
    the buffer is shared with nothing."""
    needed = needs = None
    reached, ready = reached or _reached(cotangents), []
    if wanted is not None:
        needed = set(wanted)
        for vertex in reversed(list(consumers_first(cotangents))):
            if not needed.isdisjoint(vertex.inputs):
                needed.add(vertex)
    for vertex, g in cotangents.items():
        entry = reached[vertex]
        entry[2] = g
        if not entry[1]:
            ready.append(entry)
    watchers = state.backward_watchers
    while ready:
        vertex, _, g, owned = entry = ready.pop()
        entry[2] = None
        inputs = vertex.inputs
        if g is not None:
            if vertex.hooks:
                g, owned = _run_hooks(vertex, g), False
            if not inputs if wanted is None else vertex in wanted:
                yield vertex, g, owned
        if g is None or (needed is not None and needed.isdisjoint(inputs)):
            pulled = [None] * len(inputs)
        elif inputs:
            saved = vertex.saved
            if type(saved) is not tuple or (saved and vertex.clock != writes.clock):
                saved = _saved(vertex)
            if needed is not None:
                needs = [parent in needed for parent in inputs]
            if create_graph:
                pulled = vertex.plan.pull_recorded(vertex, g, needs)
            else:
                pulled = vertex.plan.pull(g, saved, needs)
            for watch in watchers:
                watch(vertex, g, pulled)
            if not retain_graph:
                vertex.saved = None
        else:
            continue
        for parent, raw in zip(inputs, pulled):
            entry = reached[parent]
            entry[1] = left = entry[1] - 1
            if not left:
                ready.append(entry)
            if raw is None:
                continue
            leaf = type(parent) is not Node
            like = parent._data if leaf else parent
            if raw.shape != like.shape or raw.dtype is not like.dtype:
                raw = _fit(raw, parent)
            before = entry[2]
            if before is None:
                entry[2] = raw
                entry[3] = leaf and _is_fresh(raw, g, saved)
            elif entry[3] and type(before) is type(raw) is np.ndarray:
                ops.accumulate(before, raw)
            else:
                entry[2] = before + raw
                entry[3] = True


def _is_fresh(raw, g, saved):
    """Whether nothing but this cotangent, just returned by a rule, holds its memory."""
    if type(raw) is not np.ndarray or raw is g:
        return False
    for kept in saved:
        if kept is raw:
            return False
    # an array cut out of an aligned buffer: raw holds it, and the argument of the call
    return raw.base is None or (type(raw.base) is np.ndarray and getrefcount(raw.base) == 2)


def cotangents_of(outputs, gs, inputs, needs) -> dict:
    """The recorded cotangents of the inputs that are needed, by vertex, from those of one output or of
    several."""
    pairs = [(outputs, gs)] if isinstance(outputs, Tensor) else zip(outputs, gs, strict=True)
    pairs = [(o, g) for o, g in pairs if g is not None and o.requires_grad]
    start = sum_by_vertex(pairs, True)
    wanted = {vertex_of(t) for t, need in zip(inputs, needs, strict=True) if need}
    return {vertex: g for vertex, g, _ in propagate(start, True, True, wanted)}


def start_of(output, gradient):
    """The cotangent that backward starts from, checked."""
    if not isinstance(output, Tensor) or not output.requires_grad:
        raise RuntimeError(
            f"a {type(output).__name__} that does not require grad has nothing to differentiate: create its "
            "inputs with requires_grad=True, and compute it outside no_grad()"
        )
    if gradient is None:
        if output.size != 1:
            raise RuntimeError(
                f"gradient of a tensor of shape {output.shape}: reduce it to one number (a loss), "
                "or give its cotangent as gradient="
            )
        return np.array(1, output.dtype, ndmin=output.ndim)
    g = gradient if isinstance(gradient, Tensor) else as_array(gradient)
    if g.shape != output.shape:
        raise ValueError(f"gradient has shape {g.shape}, the tensor it belongs to {output.shape}")
    return _turn(g if g.dtype == output.dtype else g.astype(output.dtype))


def _turn(g):
    """Between `.grad`, which is PyTorch's dL/dRe + i dL/dIm, and the cotangents of the rules, which are its
    conjugate so that rules of complex functions are the textbook's."""
    return np.conj(g) if g.dtype.kind == "c" else g


def sum_by_vertex(pairs, create_graph):
    """What a backward starts from, by vertex, of pairs of an output and its cotangent."""
    total: dict = {}
    for output, g in pairs:
        if isinstance(g, Tensor) is not create_graph:
            g = wrap(g) if create_graph else g._data
        vertex = vertex_of(output)
        total[vertex] = total[vertex] + g if vertex in total else g
    return total


def finished(g, owned):
    """A cotangent as a gradient that shares memory with nothing."""
    if not isinstance(g, (np.ndarray, np.generic)):
        return _turn(g.clone()) if isinstance(g, Tensor) else g  # rows of an embedding
    if g.dtype.kind == "c":
        g = np.conj(g)
    elif not owned:
        g = ops.clone.forward(g)
    return wrap(g if type(g) is np.ndarray else np.asarray(g))


def backward(output, gradient=None, retain_graph=None, create_graph=False) -> None:
    """`Tensor.backward`."""
    retain_graph = create_graph if retain_graph is None else retain_graph
    before, state.recording = state.recording, create_graph
    try:
        cotangents = sum_by_vertex([(output, start_of(output, gradient))], create_graph)
        for leaf, g, owned in propagate(cotangents, create_graph, retain_graph):
            g = finished(g, owned)
            leaf.grad = g if leaf.grad is None else leaf.grad + g if isinstance(g, Tensor) else g + leaf.grad
    finally:
        state.recording = before


ops.backward = backward

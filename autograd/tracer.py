"""HIPS/autograd's names for recording, and functions with rules in its form.

`primitive(f)` makes of any Python function of arrays, numbers and containers of them one recorded op; its
rules come from `extend.defvjp`. Ours, autograd.primitive, is the shorter and faster form for new code.
"""

import functools
import operator

import numpy as np

from . import graph
from .graph import Outputs, vertex_of
from .modes import state
from .primitive import _parts
from .tensor import Tensor, wrap, writes
from .tracing import Node as Node
from .tracing import counts as _counts
from .tracing import getval as getval
from .tracing import isbox as isbox
from .tracing import open_traces
from .tracing import trace as trace
from .transforms import boxes, convention, flatten, unflatten

Box = Tensor


class Value:
    """What is no array, in the place of a tensor's array, and as its derivative: it is added as its vector
    space says. First derivatives alone come to it."""

    shape, dtype = (), np.dtype(object)
    requires_grad = False

    def __init__(self, value):
        self._data, self.value = self, value

    def __getitem__(self, _):
        return self.value

    def __add__(self, other):
        return Value(self._space().add(self.value, other.value))

    def zeros(self):
        """Zero, of the same space."""
        return Value(self._space().zeros())

    def _space(self):
        from .core import vspace  # which stands on this module

        return vspace(self.value)


def _register(cls, value_type):
    """Values of this type, which has a vector space, can be differentiated by: inside a function they are
    of this class, a subclass of Box. Kinds of arrays and numbers are tensors already."""
    if not issubclass(value_type, (np.ndarray, np.generic, float, complex, Tensor)):
        boxes[value_type] = lambda value: wrap(Value(value), kind=cls)


Tensor.register = classmethod(_register)  # type: ignore


def new_box(value, trace=None, node=None):
    """The tensor that stands for a value inside a function, a leaf without `node`. Traces need no number
    here: `trace` is not looked at."""
    if type(value) in boxes:
        box = boxes[type(value)](value)
    else:
        box = wrap(np.asarray(value))
    if box._data.dtype.kind not in "fcO":
        raise TypeError(f"only floats can be differentiated, got {type(value).__name__}")
    box.node, box.requires_grad = node, True
    return box


def _data_of(x):
    """What a tensor of this value holds."""
    return Value(x) if type(x) in boxes else np.asarray(getval(x))


# function -> maker(argnums, ans, args, kwargs) of g -> one cotangent for each argnum
primitive_vjps: dict = {}


Tensor._value = property(getval)  # type: ignore[attr-defined]  # what HIPS programs read inside a function


def _rebinding(in_place, apart):
    """What a += b means while a plain call records: a = a + b, as in HIPS/autograd, where nothing is written
    in place. Outside of one, and where nothing requires grad, it is the write it is."""

    def run(a, b):
        recorded = state.recording and (a.requires_grad or _counts(b))
        return apart(a, b) if recorded and convention.plain else in_place(a, b)

    return run


for _name in ("add", "sub", "mul", "truediv", "pow"):
    _in_place, _apart = getattr(Tensor, f"__i{_name}__"), getattr(operator, f"__{_name}__")
    setattr(Tensor, f"__i{_name}__", _rebinding(_in_place, _apart))


class RecordedWriteError(RuntimeError, TypeError):
    """An assignment into a tensor that requires grad: a TypeError in HIPS/autograd."""


def _refusing(write):
    """Item assignment, whose refusal is one of both."""

    def run(t, index, value):
        try:
            write(t, index, value)
        except RuntimeError as error:
            raise RecordedWriteError(str(error)) from None

    return run


Tensor.__setitem__ = _refusing(Tensor.__setitem__)  # type: ignore[method-assign]


def _parents(vertex):
    return vertex.parents if isinstance(vertex, Node) else vertex.inputs


def toposort(end_node, parents=_parents):
    """Yields the vertices, or nodes of a `trace` that keep their `parents`, before `end_node`, each after all
    that use it."""
    uses = {end_node: 0}
    found = [end_node]
    for vertex in found:
        for parent in parents(vertex):
            if parent not in uses:
                uses[parent] = 0
                found.append(parent)
            uses[parent] += 1
    ready = [end_node]
    while ready:
        vertex = ready.pop()
        yield vertex
        for parent in parents(vertex):
            uses[parent] -= 1
            if not uses[parent]:
                ready.append(parent)


def notrace_primitive(f):
    """f on the values of its arguments: what it returns is not recorded."""

    @functools.wraps(f)
    def on_values(*args, **kwargs):
        return f(*map(getval, args), **kwargs)

    return on_values


_not_recorded: set = set()


def register_notrace(trace_type, function):
    """What `primitive` made of a function without derivative is not recorded: it runs on values. So it is for
    every kind of `trace_type`."""
    _not_recorded.add(function)


def primitive(f_raw):
    """f_raw as one recorded op. It is called with arrays, numbers and whatever else its arguments are; the
    rule of `extend.defvjp` is asked for the cotangents of those positional arguments that hold tensors.
    Raises NotImplementedError, as HIPS/autograd does, where there is none."""

    @functools.wraps(f_raw)
    def recorded(*args, **kwargs):
        spread = [flatten(a)[0] for a in args]
        if not any(isinstance(x, Tensor) for leaves in spread for x in leaves):
            return f_raw(*args, **kwargs)
        answer = f_raw(*map(getval, args), **kwargs)
        if recorded in _not_recorded:
            return answer
        leaves, structure = flatten(answer)
        arrays = [_data_of(x) for x in leaves]
        if any(a.dtype.kind not in "fc" and type(a) is not Value for a in arrays):
            return answer
        places = [(n, k) for n, found in enumerate(spread) for k, x in enumerate(found) if _counts(x)]
        if not state.recording or not places:
            return answer if type(answer) in boxes else unflatten(structure, map(wrap, arrays))
        plan = _Applied(recorded, places, structure, arrays, args, kwargs)
        inputs = tuple(vertex_of(spread[n][k]) for n, k in places)
        if structure is None:
            node = graph.Node(plan, inputs, (), arrays[0].shape, arrays[0].dtype, writes.clock)
        else:
            node = graph.Node(plan, inputs, (), None, None, writes.clock)
        for open_trace in open_traces.here:
            open_trace.tell(node, answer, recorded, args, kwargs, places)
        if structure is None:
            return new_box(answer, node=node) if type(answer) in boxes else wrap(arrays[0], node)
        return unflatten(structure, _parts(node, arrays))

    recorded.fun = f_raw  # type: ignore[attr-defined]
    return recorded


class _Applied:
    """One call of such an op, as the plan of its node: it makes the rule when a cotangent arrives."""

    saved_names = ()

    def __init__(self, function, places, structure, arrays, args, kwargs):
        self.function, self.places, self.structure = function, places, structure
        if not open_traces.here:  # which may be after no derivative
            self.rule()
        self.arrays, self.args, self.kwargs = arrays, args, kwargs
        self.primitive, self.outputs, self.name = self, len(arrays), function.__name__

    def rule(self):
        """The rule of its function. Raises NotImplementedError where there is none."""
        if self.function not in primitive_vjps:
            argnums = sorted({n for n, _ in self.places})
            raise NotImplementedError(
                f"no rule for arguments {argnums} of {self.function.__name__}: defvjp gives it"
            )
        return primitive_vjps[self.function]

    def pull(self, g, saved, needs=None):
        values = [x[()] for x in self.arrays]
        found = self._pull(g, values, tuple(map(getval, self.args)))
        return [_data_of(x) for x in found]

    def pull_recorded(self, node, g, needs=None):
        many = self.structure is not None
        answers = list(_parts(node, self.arrays)) if many else [wrap(self.arrays[0], node)]
        found = self._pull(g, answers, self.args)
        return [x if isinstance(x, Tensor) else wrap(np.asarray(x)) for x in found]

    def _pull(self, g, answers, args):
        if isinstance(g, Outputs):
            given = [
                np.zeros(a.shape, a.dtype) if p is None else p for p, a in zip(g, self.arrays, strict=True)
            ]
            g = unflatten(self.structure, given)
        argnums = tuple(sorted({n for n, _ in self.places}))
        found = self.rule()(argnums, unflatten(self.structure, answers), args, self.kwargs)(g)
        leaves = dict(zip(argnums, (flatten(x)[0] for x in found), strict=True))
        return [leaves[n][k] for n, k in self.places]

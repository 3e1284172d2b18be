"""One declaration per op: the function, NumPy's dispatch, the rule and the registry row.

    @primitive(np.tanh)
    def tanh(x):                 # the forward sees ndarrays only
        return np.tanh(x)

    @tanh.vjp("x") def _(g, y):                 # the names say what is saved: y is the output; x is not
    named, so it is not kept return g * (1 - y * y)

A rule is a pure function of NumPy calls. In an ordinary backward it runs on ndarrays; under `create_graph` it
is given Tensors, its calls dispatch back to primitives, and so the same lines give every order of derivative.
"""

import inspect
from operator import itemgetter
from typing import Any

import numpy as np
from numpy import ndarray

from . import graph
from .graph import Node, Outputs
from .methods import operators
from .modes import enable_grad, get_default_dtype, state
from .tensor import Tensor, _new, dispatch, ops, wrap, writes

registry: dict[str, "Primitive"] = {}
_REQUIRED = inspect.Parameter.empty
_WEAK = frozenset((float, int, bool, complex, type(None)))  # Python scalars never decide a dtype


class Primitive:
    """A differentiable op. Called with arrays it returns an array; with tensors, a recorded tensor."""

    def __init__(self, forward, variadic=None, outputs=1, residuals=()):
        signature = inspect.signature(forward).parameters
        self.forward = forward
        self.name = self.__name__ = forward.__name__.rstrip("_")
        self.__doc__, self.__module__ = forward.__doc__, forward.__module__
        self.parameters = tuple(signature)
        self.defaults = [p.default for p in signature.values()]
        self.arity = len(self.parameters)
        self.required = self.defaults.count(_REQUIRED)
        self.variadic = None if variadic is None else self.parameters.index(variadic)
        self.outputs = outputs
        self.residuals = tuple(residuals)
        self.rules = []  # (arguments it serves, names it asks for, rule)
        self.plans = {}  # by a mask of the inputs that require grad
        self.differentiable: tuple = ()  # positions of the arguments that have a rule
        self.twin_function = None

    def vjp(self, *arguments):
        """Declares the rule of one argument; or one rule of several, which returns a tuple, and is told by
        `needs`, if it names it, which of them are asked for. An argument's own rule serves it alone."""

        def declare(rule):
            names = list(inspect.signature(rule).parameters)[1:]
            known = {*self.parameters, *self.residuals, "y", "needs"}
            if unknown := [n for n in (*arguments, *names) if n not in known]:
                raise TypeError(f"rule of {self.name}: unknown names {unknown}, known are {sorted(known)}")
            self.rules.append((arguments, names, rule))
            places = {self.parameters.index(a) for a in arguments}
            self.differentiable = tuple(sorted({*self.differentiable, *places}))
            before = self.__dict__.pop("run", self)
            plainly = self.outputs == 1 and self.variadic is None
            if plainly and self.differentiable == (0,):
                self.__dict__["run"] = _on_first(self)
            elif plainly and self.arity == 2 and not self.residuals and self.differentiable == (0, 1):
                self.__dict__["run"] = _on_two(self)
            ufuncs = [f for f, op in dispatch.items() if op in (self, before) and isinstance(f, np.ufunc)]
            dispatch.update({f: self.__dict__.get("run", self) for f in ufuncs if f.nin == self.arity})
            if self.name in operators and registry.get(self.name) is self:
                for name, method in zip(operators[self.name], (self.run, lambda b, a: self.run(a, b))):
                    setattr(Tensor, name, method)
            return rule

        return declare

    def twin(self, function):
        """Declares the same maths composed from other primitives: what is replayed under `create_graph`."""
        self.twin_function = function
        return function

    def __repr__(self):
        return f"<primitive {self.name}({', '.join(self.parameters)})>"

    def __call__(self, *args, **kwargs):
        return self.run(*(self._bind(args, kwargs) if kwargs or len(args) != self.arity else args))

    def run(self, *args):
        """The op of all its arguments by position. Those of one operand, or two, have a shorter one."""
        values, at = list(args), self.variadic
        elements = values
        if at is not None:
            elements = values[at] = list(values[at])
        # whether several arguments have to come to one dtype
        recording, mixes = state.recording, at is not None or len(self.differentiable) > 1
        # what requires grad: its vertices, a bit for the place of each
        inputs, mask, dtype, traced, mixed = [], 0, None, False, False
        for i, value in enumerate(elements):
            if isinstance(value, Tensor):
                traced = True
                elements[i] = array = value._data
                if mixes and array.dtype is not dtype:
                    mixed, dtype = mixed or dtype is not None, array.dtype
                if recording and value.requires_grad:
                    mask |= 1 << i
                    inputs.append(value if value.node is None else value.node)
            elif mixes and type(value) not in _WEAK and (at is not None or i in self.differentiable):
                kind = value.dtype if type(value) is ndarray else list
                mixed, dtype = mixed or (dtype is not None and kind is not dtype), kind
        try:
            if mixed and traced:
                one_dtype(elements, self.differentiable if at is None else range(len(elements)))
            y: Any = self.forward(*values)
        except (ValueError, TypeError, IndexError) as error:
            raise self._explain(error, values) from None
        if not traced:
            return y[0] if self.residuals else y
        y, kept = (y[0], y[1:]) if self.residuals else (y, ())
        many = self.outputs > 1
        if many:
            y = tuple(map(np.asarray, y))
        elif type(y) is not ndarray:
            y = np.asarray(y)
        if not mask or (not many and y.dtype.kind not in "fc"):
            return tuple(map(wrap, y)) if many else wrap(y)
        plan = self.plans.get(mask) or self.plans.setdefault(mask, Plan(self, mask))
        shape, dtype = (None, None) if many else (y.shape, y.dtype)
        node = Node(plan, tuple(inputs), plan.pick((*values, y, *kept)), shape, dtype, writes.clock)
        for watch in state.watchers:
            watch(node, y)
        return _parts(node, y) if many else wrap(y, node)

    def _bind(self, args, kwargs):
        if len(args) > self.arity:
            raise TypeError(
                f"{self.name} takes {self.arity} arguments ({', '.join(self.parameters)}), got {len(args)}"
            )
        values = [*args, *self.defaults[len(args) :]]
        if not kwargs and len(args) >= self.required:
            return values
        for name, value in kwargs.items():
            if name not in self.parameters[len(args) :]:
                twice = "twice" if name in self.parameters else f"but takes only {', '.join(self.parameters)}"
                raise TypeError(f"{self.name} got argument {name!r} {twice}")
            values[self.parameters.index(name)] = value
        if missing := [n for n, v in zip(self.parameters, values, strict=True) if v is _REQUIRED]:
            raise TypeError(f"{self.name} misses {', '.join(missing)}")
        return values

    def _explain(self, error, values):
        names = self.parameters
        if self.variadic is not None:
            values = values[self.variadic]
            names = [f"{names[self.variadic]}[{k}]" for k in range(len(values))]
        shapes = [f"{n} {v.shape}" for n, v in zip(names, values, strict=False) if isinstance(v, ndarray)]
        kind = next(k for k in (ValueError, TypeError, IndexError) if isinstance(error, k))
        text = str(error)
        return kind(text if text.startswith(self.name) else f"{self.name}: {text} [{', '.join(shapes)}]")


def one_dtype(values, places) -> None:
    """Brings the values at these places of a list to one float dtype: that of the widest array of floats that
    is not 0-d. So 0-d operands, integers, lists and Python scalars never promote a float32 result."""
    places = [i for i in places if type(values[i]) not in _WEAK]
    strong, weak = [], []
    for i in places:
        given, values[i] = values[i], np.asarray(values[i])
        if values[i].dtype.kind not in "fiubc":
            raise TypeError(f"takes numbers, got {type(given).__name__}")
        if values[i].dtype.kind in "fc":
            listed = isinstance(given, (list, tuple))
            kinds = weak if listed or not values[i].ndim else strong
            kinds.append(get_default_dtype() if listed and not strong else values[i].dtype)
    if strong or weak:
        target = np.result_type(*(strong or weak))
        if target.kind == "f" and any(t.kind == "c" for t in weak):
            target = np.result_type(target, np.complex64)
        for i in places:
            values[i] = values[i].astype(target, copy=False)


def _on_first(op):
    """The path written out for an op of one operand and options, where a microsecond counts: as a function
    and no method, which so is an operator of tensors without another call."""
    residuals = op.residuals

    def on_first(a, *options):
        for option in options:
            if isinstance(option, Tensor):
                return Primitive.run(op, a, *options)
        x = a._data if isinstance(a, Tensor) else a
        try:
            y = op.forward(x, *options) if options else op.forward(x)
        except (ValueError, TypeError, IndexError) as error:
            raise op._explain(error, (x, *options)) from None
        kept = ()
        if residuals:
            y, *kept = y
        if x is a:
            return y
        if type(y) is not ndarray:
            y = np.asarray(y)
        if not a.requires_grad or not state.recording or y.dtype.kind not in "fc":
            return wrap(y)
        plan = op.plans.get(1) or op.plans.setdefault(1, Plan(op, 1))
        node = _new(Node)
        node.plan, node.inputs = plan, (a if a.node is None else a.node,)
        node.saved = plan.pick((x, *options, y, *kept) if options or kept else (x, y))
        node.shape, node.dtype, node.clock = y.shape, y.dtype, writes.clock
        node.hooks = node.line = None
        for watch in state.watchers:
            watch(node, y)
        return wrap(y, node)

    on_first.name = op.name  # type: ignore[attr-defined]
    return on_first


def _on_two(op):
    """And for an op of two."""
    forward = op.forward
    small, limit = getattr(forward, "small", (op, 0))  # of arrays of fewer elements than the limit

    def on_two(a, b):
        mask = 0
        x, z = a, b
        if traced := isinstance(a, Tensor):
            x = a._data
            if a.requires_grad:
                mask = 1
        if isinstance(b, Tensor):
            traced = True
            z = b._data
            if b.requires_grad:
                mask += 2
        if type(x) is type(z) is ndarray:
            mixed = x.dtype is not z.dtype
            plain = limit and x.size < limit > z.size and op.forward is forward
        else:
            mixed = type(x) not in _WEAK and type(z) not in _WEAK
            plain = False
        try:
            if mixed and traced:
                one_dtype(values := [x, z], (0, 1))
                x, z = values
            y = small(x, z) if plain else op.forward(x, z)
        except (ValueError, TypeError) as error:
            raise op._explain(error, (x, z)) from None
        if not traced:
            return y
        if type(y) is not ndarray:
            y = np.asarray(y)
        t = _new(Tensor)  # wrap(y, node), written out
        t._data = y
        t.grad = t.name = t.hooks = None
        if not mask or not state.recording:
            t.node = None
            t.requires_grad = False
            return t
        if mask == 3:
            inputs = a if a.node is None else a.node, b if b.node is None else b.node
        else:
            only = a if mask == 1 else b
            inputs = (only if only.node is None else only.node,)
        plan = op.plans.get(mask) or op.plans.setdefault(mask, Plan(op, mask))
        t.node = node = _new(Node)
        node.plan, node.inputs, node.saved = plan, inputs, plan.pick((x, z, y))
        node.shape, node.dtype, node.clock = y.shape, y.dtype, writes.clock
        node.hooks = node.line = None
        t.requires_grad = True
        for watch in state.watchers:
            watch(node, y)
        return t

    on_two.name = op.name  # type: ignore[attr-defined]
    return on_two


class Plan:
    """What an op does for one choice of inputs that require grad: what it saves, and how it pulls a cotangent
    back."""

    def __init__(self, op, mask):
        self.primitive = op
        self.places = [i for i in range(mask.bit_length()) if mask >> i & 1]
        named = self.places if op.variadic is None else [op.variadic]
        self.inputs = [op.parameters[i] for i in named]
        rules = [(a, n, r) for a, n, r in op.rules if any(x in self.inputs for x in a)]
        if without := [x for x in self.inputs if not any(x in a for a, _, _ in rules)]:
            raise TypeError(
                f"{op.name} has no derivative with respect to {', '.join(without)}, "
                "which got a tensor that requires grad: detach() it"
            )
        several = len(self.inputs) > 1  # one rule for all of them, or for one its own, which saves less
        rules = [r for r in rules if {*self.inputs} <= {*r[0]} and (len(r[0]) > 1) == several] or rules
        rules.sort(key=lambda rule: min(self.inputs.index(x) for x in rule[0] if x in self.inputs))
        names = [*op.parameters, "y", *op.residuals]
        asked = {*op.parameters} if op.twin_function else set()
        asked.update(x for _, wanted, _ in rules for x in wanted)
        self.saved_names = [x for x in names if x in asked]
        self.pick = _pick(names, self.saved_names)
        self.served = [arguments for arguments, _, _ in rules]
        if op.variadic is None and all(len(a) == 1 for a in self.served):
            self.pull = _written_out(rules, self.saved_names)
        else:
            self.calls = [(rule, _pick([*self.saved_names, "needs"], wanted)) for _, wanted, rule in rules]
            self.pull = self._pull_jointly

    def _pull_jointly(self, g, saved, needs=None):
        op, variadic = self.primitive, self.primitive.variadic is not None
        asked = {i for i, need in zip(self.places, needs or [True] * len(self.places), strict=True) if need}
        given = {}
        for (rule, pick), arguments in zip(self.calls, self.served, strict=True):
            places = range(self.places[-1] + 1) if variadic else [op.parameters.index(a) for a in arguments]
            wanted = tuple(i in asked for i in places)
            if any(wanted):
                result = rule(g, *pick((*saved, wanted)))
                given.update(zip(places, result if variadic or len(wanted) > 1 else [result], strict=False))
        found = [given[i] if i in asked else None for i in self.places]
        own = [id(a) for a in found if a is not None and a is not g]
        if len({*own}) < len(own) or not {*own}.isdisjoint(id(getattr(a, "base", None)) for a in found):
            found = [a if a is None else ops.clone(a) for a in found]  # a rule gave one array for several
        return found

    def pull_recorded(self, node, g, needs=None):
        """The same on Tensors, recorded, so that the result can be differentiated again."""
        op, inputs, saved = self.primitive, node.inputs, node.saved
        if op.twin_function:
            arrays = dict(zip(self.saved_names, saved, strict=True))
            arrays = arrays[self.inputs[0]] if op.variadic is not None else [arrays[n] for n in op.parameters]
            # the walk through the twin ends at copies, so that inputs which depend on each other stay apart
            inputs = [ops.clone(_at(v, arrays[i])) for v, i in zip(inputs, self.places, strict=True)]
        values = list(saved)
        for k, name in enumerate(self.saved_names):
            if name == "y" and not op.twin_function:
                values[k] = _parts(node, saved[k]) if op.outputs > 1 else wrap(saved[k], node)
            elif name in self.inputs and op.variadic is None:
                values[k] = _at(inputs[self.inputs.index(name)], saved[k])
            elif name in self.inputs:
                there = dict(zip(self.places, inputs, strict=True))
                values[k] = [_at(there[i], a) if i in there else a for i, a in enumerate(saved[k])]
        if not op.twin_function:
            return self.pull(g, values, needs)
        arguments = dict(zip(self.saved_names, values, strict=True))
        with enable_grad():
            out = op.twin_function(*(arguments[name] for name in op.parameters))
        found = graph.cotangents_of(out, g, inputs, needs or [True] * len(inputs))
        return [found.get(graph.vertex_of(t)) for t in inputs]


def _written_out(rules, saved_names):
    """A plan's `pull` where each input has its rule: the loop over them written out, since each node of a
    backward passes here: lambda g, saved, needs=None: (rule0(g, saved[1]), rule1(g), ...)."""
    scope, calls = {"__name__": __name__}, []  # the name tells anomaly mode that these lines are ours
    for k, (_, wanted, rule) in enumerate(rules):
        scope[f"rule{k}"] = rule
        calls.append(f"rule{k}({', '.join(['g', *(f'saved[{saved_names.index(x)}]' for x in wanted)])})")
    some = [f"{call} if needs[{k}] else None" for k, call in enumerate(calls)]
    every = f"({', '.join(calls)},) if needs is None else ({', '.join(some)},)"
    return eval(f"lambda g, saved, needs=None: {every}", scope)


def _pick(names, wanted):
    """A function that takes the `wanted` out of a tuple or list of the values that go by `names`."""
    indices = [names.index(x) for x in wanted]
    if len(indices) > 1:
        return itemgetter(*indices)
    return itemgetter(slice(indices[0], indices[0] + 1) if indices else slice(0))


def _at(vertex, array):
    """A saved array as a tensor at its place in the graph; what is a tensor already stays."""
    return wrap(array, vertex) if isinstance(vertex, Node) else vertex


class _Select:
    """The plan of one output of an op of several: hands its cotangent to its place among the op's."""

    saved_names = ()

    def __init__(self, op, k):
        self.primitive, self.k = op, k

    def pull(self, g, saved, needs=None):
        return (Outputs(g if i == self.k else None for i in range(self.primitive.outputs)),)

    def pull_recorded(self, node, g, needs=None):
        return self.pull(g, ())


def _parts(node, arrays):
    op = node.plan.primitive
    parts = [Node(_Select(op, k), (node,), (), a.shape, a.dtype, node.clock) for k, a in enumerate(arrays)]
    return tuple(map(wrap, arrays, parts))


def primitive(*numpy_functions, variadic=None, outputs=1, residuals=()):
    """Declares an op. `numpy_functions` dispatch to it when they meet a Tensor. `variadic` names an argument
    that is a sequence of arrays; `outputs` is the number of arrays returned; `residuals` names what the
    forward returns beside its output for the rules, as `(y, *residuals)`. Raises ValueError on a name that is
    taken."""

    def declare(forward):
        op = Primitive(forward, variadic, outputs, residuals)
        if op.name in registry and registry[op.name].__module__ != op.__module__:
            raise ValueError(f"an op named {op.name!r} is declared in {registry[op.name].__module__} already")
        for function in numpy_functions:
            dispatch[function] = op
        registry[op.name] = op
        setattr(ops, op.name, op)
        return op

    return declare

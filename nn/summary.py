"""The layer table of a model: run it once, look at what it recorded."""

import math
from dataclasses import dataclass

import numpy as np

from autograd import Tensor, enable_grad
from autograd.graph import Node, vertex_of
from autograd.primitive import Plan
from autograd.tensor import unwrap
from autograd.transforms import flatten

from .module import Module


def _shape(node, name):
    """The shape of one of an op's arguments."""
    for names, values in ((node.plan.inputs, node.inputs), (node.plan.saved_names, node.saved)):
        if name in names:
            return getattr(values[names.index(name)], "shape", ())
    return ()


def _filters(node):
    """A convolution: each value of the output is one dot product with a filter (f, ..., n_C_prev / groups,
    n_C)."""
    return math.prod(node.shape) * math.prod(_shape(node, "w")[:-1])


def _spread(node):
    """A transposed convolution: each value of the input is multiplied with a filter."""
    return math.prod(_shape(node, "g")) * math.prod(_shape(node, "w")[:-1])


def _affine(node):
    """x W^T + b with W: (n_out, n_in)."""
    return math.prod(node.shape) * _shape(node, "W")[-1]


def _matmul(node):
    """Each value of the output is one dot product along the last axis of the first factor."""
    return math.prod(node.shape) * _shape(node, "a")[-1]


def _contract(node):
    """One product for each choice of all labels."""
    subscripts = node.saved[node.plan.saved_names.index("subscripts")]
    labels = subscripts.partition("->")[0].split(",")
    sizes = {c: n for name, term in zip("ab", labels) for c, n in zip(term, _shape(node, name))}
    return math.prod(sizes.values())


def _recurrent(node):
    """At each step of each sequence a product with W and one with U."""
    weights = [_shape(node, name) for name in ("W", "U", "projection")]
    return math.prod(_shape(node, "x")[:2]) * sum(math.prod(w) for w in weights if w)


def _attention(node):
    """q k^T, and the shares times v."""
    q, k, v = (_shape(node, name) for name in "qkv")
    return math.prod(q[:-1]) * k[-2] * (q[-1] + v[-1])


# Ops that multiply and add; all others count as nothing, as in published tables.
MULTIPLY_ADDS = {
    **dict.fromkeys(("conv2d", "conv3d"), _filters),
    **dict.fromkeys(("conv2d_input_grad", "conv3d_input_grad"), _spread),
    **dict.fromkeys(("rnn", "lstm", "gru"), _recurrent),
    **dict.fromkeys(("linear", "linear_relu"), _affine),
    "matmul": _matmul,
    "contract": _contract,
    "attention": _attention,
}


@dataclass
class Row:
    """One module that did work itself: `name` is its path, `shape` its output's; `parameters`,
    `multiply_adds` and `memory`, the bytes that its ops keep for the backward pass, are its own, without
    those of the modules in it."""

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int
    multiply_adds: int
    memory: int


@dataclass
class Summary:
    """The rows of the table in the order the modules ran, and their sums. `print` shows it."""

    title: str
    input_shape: tuple[int, ...]
    rows: list[Row]
    trainable: int

    @property
    def parameters(self) -> int:
        """How many numbers the model's parameters hold; a shared one counts once."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one forward pass at this input shape."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def memory(self) -> int:
        """Bytes that one forward pass keeps for the backward pass: inputs and activations, each once, without
        the parameters."""
        return sum(row.memory for row in self.rows)

    def __str__(self):
        head = ("layer", "kind", "output shape", "parameters", "multiply-adds", "kept for backward")
        lines = [("input", "", str(self.input_shape), "", "", "")]
        lines += [
            (row.name, row.kind, "-" if row.shape is None else str(row.shape), *_numbers(row))
            for row in self.rows
        ]
        total = ("total", self.title, "", *_numbers(self))
        widths = [max(len(line[k]) for line in [head, *lines, total]) for k in range(len(head))]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

        def show(line):
            left = [line[k].ljust(widths[k]) for k in range(3)]
            return "  ".join([*left, *(line[k].rjust(widths[k]) for k in range(3, len(line)))]).rstrip()

        shown = [show(head), rule, *map(show, lines), rule, show(total)]
        if self.trainable != self.parameters:
            shown.append(f"{self.trainable:,} of the parameters are trained, the others are frozen")
        return "\n".join(shown)


def _numbers(row):
    return f"{row.parameters:,}", f"{row.multiply_adds:,}", _bytes(row.memory)


def _bytes(count) -> str:
    if count < 1000:
        return f"{count} B"
    size, unit = next((size, unit) for size, unit in _UNITS if count >= size)
    return f"{count / size:,.1f} {unit}"


_UNITS = [(10**9, "GB"), (10**6, "MB"), (10**3, "KB")]


def summary(model: Module, *inputs) -> Summary:
    """Runs the model once, as at test time, and tells what each of its modules put out, owns and computes.

    `inputs` are arrays, or shapes that stand for zeros of float32: `print(nn.summary(model, (1, 28, 28,
    1)))`. A multiply-add is one product added to a sum, in convolutions and products of matrices, as
    published tables count them (biases, activations and pooling count as nothing). What is kept for backward
    are the arrays that the recorded ops hold, each counted where it is first held: the memory of a training
    step beside parameters, gradients and the optimizer's state. The model is left as it was.

    Raises ValueError without inputs, and whatever the model raises on a wrong shape.
    """
    if not inputs:
        raise ValueError("summary needs an input or its shape, such as summary(model, (1, 28, 28, 1))")
    given = [_leaf(x) for x in inputs]
    rows: dict[int, Row] = {}
    graph = _Graph(model)
    owned: set[int] = set()
    running: list[Module] = []  # the module at work is the last; those before wait for it
    names = {id(module): name for name, module in model.named_modules()}

    def credit(module, tensors):
        """Counts what led to the tensors, and was not counted before, as the module's own work."""
        products, kept = graph.count([vertex_of(t) for t in tensors])
        parameters = [p for _, p in module.named_parameters(recurse=False) if id(p) not in owned]
        owned.update(map(id, parameters))
        size = sum(p.size for p in parameters)
        leaf = next(module.named_children(), None) is None
        row = rows.get(id(module))
        if row is not None:
            row.multiply_adds += products
            row.memory += kept
        elif leaf or size or products or kept:
            name = names[id(module)] or "(itself)"
            row = rows[id(module)] = Row(name, type(module).__name__, None, size, products, kept)
        return row

    def watched(module, forward):
        def run(*args, **kwargs):
            if running:  # what the caller did to the input is the caller's work
                credit(running[-1], _tensors((args, kwargs)))
            running.append(module)
            output = forward(*args, **kwargs)
            running.pop()
            found = _tensors(output)
            row = credit(module, found)
            if row is not None and found:
                row.shape = found[0].shape
            return output

        return run

    modes = [(module, module.training) for module in model.modules()]
    asked = [(p, p.requires_grad) for p in model.parameters()]
    try:
        model.eval().requires_grad_()  # frozen parameters would leave their ops out of the graph
        for module, _ in modes:
            module.__dict__["forward"] = watched(module, module.forward)
        with enable_grad():
            model(*given)
    finally:
        for module, mode in modes:
            vars(module).pop("forward", None)
            module.training = mode
        for parameter, needed in asked:
            parameter.requires_grad_(needed)
    for module, _ in modes:  # what did not run still owns its parameters
        if id(module) not in rows:
            size = sum(p.size for p in module.parameters(recurse=False) if id(p) not in owned)
            owned.update(map(id, module.parameters(recurse=False)))
            if size:
                name = names[id(module)] or "(itself)"
                rows[id(module)] = Row(name, f"{type(module).__name__}, not run", None, size, 0, 0)
    trainable = sum(p.size for p, needed in asked if needed)
    return Summary(type(model).__name__, given[0].shape, list(rows.values()), trainable)


def _leaf(x) -> Tensor:
    """An input as the start of a graph; a shape becomes zeros."""
    if isinstance(x, tuple) and all(isinstance(n, (int, np.integer)) for n in x):
        x = np.zeros(x, np.float32)
    array = np.asarray(unwrap(x))
    return Tensor(array, requires_grad=array.dtype.kind == "f")


def _tensors(tree):
    return [t for t in flatten(tree)[0] if isinstance(t, Tensor)]


class _Graph:
    """What was recorded, counted as it grows: each node once, each array that nodes keep once."""

    def __init__(self, model):
        self.counted: set[Node] = set()
        tensors = [t.numpy() for t in (*model.parameters(), *model.buffers())]
        self.known = {id(owner): owner for owner in map(_owner, tensors)}  # held, so that ids stay theirs

    def count(self, vertices) -> tuple[int, int]:
        """Multiply-adds, and the bytes kept, of the nodes that led here and were not counted before."""
        total, kept, waiting = 0, 0, list(vertices)
        while waiting:
            vertex = waiting.pop()
            if not isinstance(vertex, Node) or vertex in self.counted:
                continue
            self.counted.add(vertex)
            one_output = not isinstance(vertex.plan, Plan)  # of an op of several, which is counted itself
            rule = None if one_output else MULTIPLY_ADDS.get(vertex.name)
            total += rule(vertex) if rule else 0
            saved = vertex.saved if isinstance(vertex.saved, tuple) else ()  # a checkpoint keeps nothing yet
            for array in flatten(saved)[0]:
                if isinstance(array, np.ndarray) and id(owner := _owner(array)) not in self.known:
                    self.known[id(owner)] = owner
                    kept += owner.nbytes
            waiting.extend(vertex.inputs)
        return total, kept


def _owner(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array

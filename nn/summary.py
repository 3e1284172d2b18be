"""The layer table of a model: run it once, look at what it recorded."""

import math
from dataclasses import dataclass

import numpy as np

from autograd import Tensor, enable_grad
from autograd.graph import Node, vertex_of
from autograd.tensor import unwrap

from .module import Module


def _filters(node):
    """A convolution: each value of the output is one dot product with a filter (f, f, n_C_prev / groups,
    n_C)."""
    weights = node.inputs[1].shape
    return math.prod(node.shape) * math.prod(weights[:-1])


def _affine(node):
    """x W^T + b with W: (n_out, n_in)."""
    return math.prod(node.shape) * node.inputs[1].shape[-1]


def _matmul(node):
    """Each value of the output is one dot product along the last axis of the first factor."""
    return math.prod(node.shape) * node.inputs[0].shape[-1]


# Ops that multiply and add; all others count as nothing, as in published tables. node.inputs are (x, W, ...).
MULTIPLY_ADDS = {"conv2d": _filters, "linear": _affine, "matmul": _matmul}


@dataclass
class Row:
    """One module that did work itself: `name` is its path, `shape` its output's, `parameters` and
    `multiply_adds` its own, without those of the modules in it."""

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int
    multiply_adds: int


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

    def __str__(self):
        head = ("layer", "kind", "output shape", "parameters", "multiply-adds")
        lines = [("input", "", str(self.input_shape), "", "")]
        lines += [
            (
                row.name,
                row.kind,
                "-" if row.shape is None else str(row.shape),
                f"{row.parameters:,}",
                f"{row.multiply_adds:,}",
            )
            for row in self.rows
        ]
        total = ("total", self.title, "", f"{self.parameters:,}", f"{self.multiply_adds:,}")
        widths = [max(len(line[k]) for line in [head, *lines, total]) for k in range(5)]
        rule = "-" * (sum(widths) + 8)

        def show(line):
            left = [line[k].ljust(widths[k]) for k in range(3)]
            return "  ".join([*left, *(line[k].rjust(widths[k]) for k in (3, 4))]).rstrip()

        shown = [show(head), rule, *map(show, lines), rule, show(total)]
        if self.trainable != self.parameters:
            shown.append(f"{self.trainable:,} of the parameters are trained, the others are frozen")
        return "\n".join(shown)


def summary(model: Module, *inputs) -> Summary:
    """Runs the model once, as at test time, and tells what each of its modules put out, owns and computes.

    `inputs` are arrays, or shapes that stand for zeros of float32: `print(nn.summary(model, (1, 28, 28,
    1)))`. A multiply-add is one product added to a sum, in convolutions and products of matrices, as
    published tables count them (biases, activations and pooling count as nothing). The model is left as it
    was.

    Raises ValueError without inputs, and whatever the model raises on a wrong shape.
    """
    if not inputs:
        raise ValueError("summary needs an input or its shape, such as summary(model, (1, 28, 28, 1))")
    given = [_leaf(x) for x in inputs]
    rows: dict[int, Row] = {}
    counted: set = set()
    owned: set[int] = set()
    names = {id(module): name for name, module in model.named_modules()}

    def note(module, output):
        tensors = [
            t for t in (output if isinstance(output, (tuple, list)) else [output]) if isinstance(t, Tensor)
        ]
        products = sum(_count(vertex_of(t), counted) for t in tensors)
        parameters = [p for _, p in module.named_parameters(recurse=False) if id(p) not in owned]
        owned.update(map(id, parameters))
        size = sum(p.size for p in parameters)
        leaf = next(module.named_children(), None) is None
        row = rows.get(id(module))
        if row is not None:
            row.multiply_adds += products
        elif leaf or size or products:
            row = rows[id(module)] = Row(
                names[id(module)] or "(itself)", type(module).__name__, None, size, products
            )
        if row is not None and tensors:
            row.shape = tensors[0].shape

    modes = [(module, module.training) for module in model.modules()]
    asked = [(p, p.requires_grad) for p in model.parameters()]
    try:
        model.eval().requires_grad_()  # frozen parameters would leave their ops out of the graph
        for module, _ in modes:
            module.__dict__["forward"] = _watched(module, module.forward, note)
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
                rows[id(module)] = Row(
                    names[id(module)] or "(itself)", f"{type(module).__name__}, not run", None, size, 0
                )
    trainable = sum(p.size for p, needed in asked if needed)
    return Summary(type(model).__name__, given[0].shape, list(rows.values()), trainable)


def _leaf(x) -> Tensor:
    """An input as the start of a graph; a shape becomes zeros."""
    if isinstance(x, tuple) and all(isinstance(n, (int, np.integer)) for n in x):
        x = np.zeros(x, np.float32)
    array = np.asarray(unwrap(x))
    return Tensor(array, requires_grad=array.dtype.kind == "f")


def _watched(module, forward, note):
    def run(*args, **kwargs):
        output = forward(*args, **kwargs)
        note(module, output)
        return output

    return run


def _count(vertex, counted) -> int:
    """Multiply-adds of the nodes that led to this vertex and were not counted before."""
    total, waiting = 0, [vertex]
    while waiting:
        vertex = waiting.pop()
        if not isinstance(vertex, Node) or vertex in counted:
            continue
        counted.add(vertex)
        rule = MULTIPLY_ADDS.get(vertex.name)
        total += rule(vertex) if rule else 0
        waiting.extend(vertex.inputs)
    return total

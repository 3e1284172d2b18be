"""Where a gradient died: the chain of local derivatives from a loss to one parameter."""

import math
from dataclasses import dataclass

import numpy as np

from ..graph import Node, consumers_first, vertex_of
from ..tensor import Tensor, label
from .recording import cotangents
from .rules import textbook


@dataclass(frozen=True)
class Step:
    """One op on the way back: the norm of the gradient of its result, what its rule multiplies it by on the
    way to the next (the ratio of the two norms), and the rule."""

    op: str
    argument: str
    shape: tuple[int, ...]
    norm: float
    factor: float
    rule: str


def chain(loss: Tensor, parameter: Tensor) -> tuple[list[Step], float, int]:
    """The ops from the loss back to the parameter, the norm of the parameter's gradient, and the number of
    paths between them. Of several paths it takes, at each op, the input that gets the largest gradient.
    Nothing is freed and no `.grad` changes. Raises ValueError where the loss does not depend on the
    parameter, RuntimeError where backward freed the graph."""
    if not isinstance(loss, Tensor) or not isinstance(parameter, Tensor):
        wrong = next(x for x in (loss, parameter) if not isinstance(x, Tensor))
        raise TypeError(f"explain takes the loss and a parameter, both tensors, got {type(wrong).__name__}")
    end, start = vertex_of(parameter), vertex_of(loss)
    paths: dict = {end: 1}
    for vertex in reversed(list(consumers_first([start]))):
        if count := sum(paths.get(parent, 0) for parent in vertex.inputs):
            paths[vertex] = count
    if not loss.requires_grad or start not in paths:
        raise ValueError(f"the loss does not depend on {label(parameter)}: no gradient can reach it")
    gradients = cotangents([loss], parameter)
    norms = {vertex: float(np.linalg.norm(gradients[vertex])) for vertex in paths if vertex in gradients}
    steps, vertex = [], start
    while vertex is not end:
        ahead = [(k, parent) for k, parent in enumerate(vertex.inputs) if parent in paths]
        k, follower = max(ahead, key=lambda pair: _rank(norms.get(pair[1], 0.0)))
        before, after = norms.get(vertex, math.nan), norms.get(follower, math.nan)
        if vertex.shape is not None and follower.shape is not None:  # else handed on within one op
            argument = _argument(vertex, k)
            rule = textbook(vertex.plan).get(argument.split("[")[0], "")
            factor = after / before if before else math.nan
            steps.append(Step(vertex.name, argument, vertex.shape, before, factor, rule))
        vertex = follower
    return steps, norms.get(end, 0.0), paths[start]


def explain(loss: Tensor, parameter: Tensor) -> None:
    """Prints the chain of local derivatives from the loss to the parameter: for each op on the way the norm
    of the gradient that arrives, what its rule multiplies that norm by, and the rule. Where the norm is a
    hundred thousandth of the first the gradient has vanished, where it is a thousand times it, exploded.

        autograd.explain(loss, model.hidden.weight)

    Raises ValueError where the loss does not depend on the parameter."""
    steps, norm, count = chain(loss, parameter)
    name = parameter.name or "the parameter"
    rows = [("op", "result", "|gradient|", "times", "rule")]
    for step in steps:
        rule = f"d{step.argument} = {step.rule}" if step.rule else f"d{step.argument}"
        rows.append((step.op, str(step.shape), f"{step.norm:.3g}", f"{step.factor:.3g}", rule))
    rows.append((name, str(parameter.shape), f"{norm:.3g}", "", ""))
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    ways = "1 path" if count == 1 else f"{count:,} paths, of which the strongest"
    print(f"from the loss to {name}: {ways}")
    for op, shape, size, factor, rule in rows:
        cells = op.ljust(widths[0]), shape.ljust(widths[1]), size.rjust(widths[2]), factor.rjust(widths[3])
        print(f"  {'  '.join(cells)}  {rule}".rstrip())
    print(_verdict(steps, norm, name))


def _verdict(steps, norm: float, name: str) -> str:
    if not math.isfinite(norm):
        first = next((step.op for step in steps if not math.isfinite(step.norm)), name)
        return f"the gradient is not finite from {first} on"
    start = steps[0].norm if steps else norm
    whole = norm / start if start else math.nan
    told = f"{name} gets {whole:.3g} of the norm at the loss"
    weakest = min(steps, key=lambda step: step.factor, default=None)
    strongest = max(steps, key=lambda step: step.factor, default=None)
    if whole == 0 and (dead := next((step for step in steps if step.factor == 0), None)):
        return f"{told}: it died at {dead.op}"
    if whole < 1e-5 and weakest:
        return f"{told}: it has vanished, most at {weakest.op} (times {weakest.factor:.3g})"
    if whole > 1e3 and strongest:
        return f"{told}: it has exploded, most at {strongest.op} (times {strongest.factor:.3g})"
    return told


def _rank(norm: float) -> float:
    return math.inf if math.isnan(norm) else norm


def _argument(node: Node, k: int) -> str:
    op, places = node.plan.primitive, getattr(node.plan, "places", None)
    if places is None:
        return op.name
    if op.variadic is not None:
        return f"{op.parameters[op.variadic]}[{places[k]}]"
    return op.parameters[places[k]]

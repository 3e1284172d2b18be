"""One training step of every network of `nn.models` at its published size, 2 examples: that it runs, in what
time and memory. The loss is the mean square of all outputs, so that one rule does for every kind.

It takes very long, so it is measured only where it is named:

    python -m benchmarks published --quick --peers torch
"""

from benchmarks.calls import LAYOUTS
from benchmarks.training import network, row_of
from nn import models

M = 2


def examples(rng, m, name, tiny):
    """What the entry takes; of the tiny network what its row in the tests does."""
    row = row_of(name) if tiny else None
    inputs = row.batch_of()[0] if row else models.find(name).inputs(m)
    return {"inputs": list(inputs), "targets": [], "options": dict(row.tiny) if row else {}}


def mean_squares(functional, outputs):
    return sum((y * y).mean() for y in outputs)


def step(entry):
    size = {"m": M, "name": entry.name, "tiny": False}
    images = entry.examples is None and len(entry.input_shape) == 3
    return network(
        entry.name,
        entry.name,
        examples,
        size,
        {**size, "tiny": True},
        mean_squares,
        layouts=LAYOUTS if images else ("",),
        examples="examples",
        target=None,
        tolerance=2e-2,
        inference=False,
    )


CASES = [case for entry in models.entries().values() for case in step(entry)]

"""A step of training a table of 50,000 words: zeroing the gradient, looking up a batch of sentences, backward
and plain SGD. The gradient is dense, of the table's size, or holds the rows that were used (`sparse`)."""

from functools import partial

import numpy as np

from benchmarks.case import Case


def words(rng, rows, d, m, T):
    return {
        "table": np.asarray(rng.standard_normal((rows, d)), np.float32),
        "indices": rng.integers(0, rows, (m, T)),
        "g": np.asarray(rng.standard_normal((m, T, d)), np.float32),
    }


def ours(sparse, inputs):
    import autograd
    import optim
    from nn.functional import embedding

    table = autograd.Tensor(inputs["table"], requires_grad=True)
    indices, g = inputs["indices"], autograd.Tensor(inputs["g"])
    call = lambda: embedding(indices, table, sparse=sparse)
    return _steps(call, table, g, optim.SGD([table], lr=1e-3))


def torch(sparse, inputs):
    import torch

    table = torch.tensor(inputs["table"], requires_grad=True)
    indices, g = torch.from_numpy(inputs["indices"]), torch.from_numpy(inputs["g"])
    call = lambda: torch.nn.functional.embedding(indices, table, sparse=sparse)
    return _steps(call, table, g, torch.optim.SGD([table], lr=1e-3))


def _steps(call, table, g, optimizer):
    last = {}

    def step():
        last.clear()
        optimizer.zero_grad()
        last["y"] = y = call()
        y.backward(g)
        optimizer.step()

    def result():
        return {name: t.detach().numpy().copy() for name, t in (("y", last["y"]), ("table", table))}

    return step, result


def embedding(sparse):
    size = {"rows": 50_000, "d": 128, "m": 64, "T": 128}
    return Case(
        f"embedding (64, 128) of 50,000 x 128, {'sparse' if sparse else 'dense'} gradient, SGD",
        words,
        {"ours": partial(ours, sparse), "torch": partial(torch, sparse)},
        size,
        size | {"rows": 500, "m": 4},
        {"torch": 1.5},
        tolerance=1e-5,
        memory=True,
    )


CASES = [embedding(False), embedding(True)]

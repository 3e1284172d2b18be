"""Rows of autograd/ops/linalg.py."""

import numpy as np

from .cases import Case


def of(*shapes):
    """One array of each shape."""
    return lambda rng: tuple(rng.standard_normal(s) for s in shapes)


# x W^T + b by np.einsum, which shares no code with the op
def linear(x, W, b=None):
    return np.einsum("...i,oi->...o", x, W) + (0 if b is None else b)


def linear_relu(x, W, b=None):
    return np.maximum(linear(x, W, b), 0)


def matmul(a, b):
    """By the definition: a sum of products over the shared axis."""
    column, row = b.ndim == 1, a.ndim == 1
    a, b = a[None] if row else a, b[:, None] if column else b
    y = (a[..., :, :, None] * b[..., None, :, :]).sum(axis=-2)
    y = y[..., 0] if column else y
    return y[..., 0] if row and column else y[..., 0, :] if row else y


SHAPES = {
    "": [(2, 3), (3, 4)],
    "vectors": [(3,), (3,)],
    "vector and matrix": [(3,), (3, 4)],
    "matrix and vector": [(2, 3), (3,)],
    "batch and matrix": [(5, 2, 3), (3, 4)],
    "two batch axes and matrix": [(2, 2, 2, 3), (3, 4)],
    "matrix and batch": [(2, 3), (5, 3, 4)],
    "batch and vector": [(5, 2, 3), (3,)],
    "vector and batch": [(3,), (5, 3, 4)],
    "batches": [(5, 2, 3), (5, 3, 4)],
    "batches broadcast both ways": [(2, 1, 2, 3), (4, 3, 2)],
    "batch of one": [(4, 2, 3), (1, 3, 2)],
    "no rows": [(0, 3), (3, 4)],
    "nothing to sum": [(2, 0), (0, 3)],
    "empty batch": [(0, 2, 3), (3, 4)],
}
AFFINE = {
    "": [(4, 3), (5, 3), (5,)],
    "no bias": [(4, 3), (5, 3)],
    "one example": [(3,), (5, 3), (5,)],
    "a sequence": [(2, 4, 3), (5, 3), (5,)],
    "two leading axes, no bias": [(2, 1, 2, 3), (5, 3)],
    "no examples": [(0, 3), (5, 3), (5,)],
    "an empty sequence": [(2, 0, 3), (5, 3), (5,)],
}
CONTRACTIONS = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ij,kj->ki": [(2, 3), (4, 3)],
    "bij,bjk->bik": [(2, 2, 3), (2, 3, 4)],
    "bhid,bhjd->bhij": [(2, 2, 3, 2), (2, 2, 4, 2)],
    "ibj,jk->bki": [(2, 2, 3), (3, 4)],
    "abc,dbc->ad": [(2, 3, 2), (4, 3, 2)],
    "ij,j->i": [(2, 3), (3,)],
    "i,ij->j": [(2,), (2, 3)],
    "i,i->": [(3,), (3,)],
    "bi,bi->b": [(2, 3), (2, 3)],
    "i,j->ji": [(2,), (3,)],
    "ij,ij->ij": [(2, 3), (2, 3)],
    ",ij->ji": [(), (2, 3)],
    "ij,jk->ki": [(0, 3), (3, 4)],
}


def contraction(subscripts, shapes):
    return lambda rng: (*(rng.standard_normal(s) for s in shapes), subscripts)


CASES = [Case("matmul", of(*shapes), matmul, note=note) for note, shapes in SHAPES.items()]
CASES += [
    Case(op, of(*shapes), expect, note=note)
    for op, expect in (("linear", linear), ("linear_relu", linear_relu))
    for note, shapes in AFFINE.items()
]
CASES += [
    Case("contract", contraction(spec, shapes), lambda a, b, spec: np.einsum(spec, a, b), note=spec)
    for spec, shapes in CONTRACTIONS.items()
]

"""How far apart vectors lie, as functions and as layers. Vectors lie on the last axis unless `dim` says
otherwise."""

import numpy as np

from autograd.tensor import unwrap

from ..module import Module
from .check import number


def norm(x, p=2.0, dim=-1, keepdim=False):
    """(sum |x|^p)^(1/p) over an axis, with derivative 0 at 0."""
    if p == 1:
        return np.sum(np.abs(x), axis=dim, keepdims=keepdim)
    if p == np.inf:
        return np.max(np.abs(x), axis=dim, keepdims=keepdim)
    total = np.sum(x * x if p == 2 else np.abs(x) ** p, axis=dim, keepdims=keepdim)
    some = unwrap(total) > 0
    total = np.where(some, total, 1.0)
    return np.where(some, np.sqrt(total) if p == 2 else total ** (1 / p), 0.0)


def pairwise_distance(first, second, p=2.0, eps=1e-6, keepdim=False):
    """|first - second + eps| in the p-norm over the last axis: (..., d) and (..., d) to (...), or (..., 1)
    with `keepdim`. The eps keeps a slope where both are equal, as in PyTorch. Raises ValueError unless p >=
    1."""
    if not p >= 1:
        raise ValueError(f"pairwise_distance: p must be at least 1, got {p!r}")
    return norm(first - second + float(eps), float(p), keepdim=keepdim)


def cosine_similarity(first, second, dim=-1, eps=1e-8):
    """cos of the angle between vectors, (first . second) / (|first| |second|) over an axis, each norm being
    eps at least. COURSE.md C5W2-analogy."""
    norms = [np.maximum(norm(x, dim=dim), float(eps)) for x in (first, second)]
    return np.sum(first * second, axis=dim) / (norms[0] * norms[1])


def normalize(x, p=2.0, dim=-1, eps=1e-12):
    """Vectors scaled to length 1: x / |x| in the p-norm over an axis, the norm being eps at least. What face
    embeddings are before a triplet loss."""
    return x / np.maximum(norm(x, float(p), dim, keepdim=True), float(eps))


class PairwiseDistance(Module):
    """`pairwise_distance(first, second)`: (..., d) and (..., d) to (...). PairwiseDistance(p=2.0, eps=1e-6,
    keepdim=False). Raises ValueError unless p >= 1."""

    def __init__(self, p=2.0, eps=1e-6, keepdim=False):
        super().__init__()
        self.norm, self.eps = number(self, "p", p), number(self, "eps", eps)
        self.keepdim = bool(keepdim)
        if not self.norm >= 1:
            raise ValueError(f"PairwiseDistance: p must be at least 1, got {p!r}")

    def forward(self, first, second):
        return pairwise_distance(first, second, self.norm, self.eps, self.keepdim)

    def extra_repr(self):
        return f"p={self.norm}, eps={self.eps}" + (", keepdim=True" if self.keepdim else "")


class CosineSimilarity(Module):
    """`cosine_similarity(first, second)` over the axis `dim`, the last unless given (PyTorch's is axis 1):
    (..., d) and (..., d) to (...). CosineSimilarity(dim=-1, eps=1e-8). COURSE.md C5W2-analogy."""

    def __init__(self, dim=-1, eps=1e-8):
        super().__init__()
        self.dim, self.eps = dim, number(self, "eps", eps)

    def forward(self, first, second):
        return cosine_similarity(first, second, self.dim, self.eps)

    def extra_repr(self):
        return f"dim={self.dim}, eps={self.eps}"

"""Two pictures, one encoder, one answer: is it the same person?

Taigman, Yang, Ranzato, Wolf, "DeepFace", 2014; lecture C4W4, Siamese network, face verification and binary
classification. Both pictures go through the same encoder, so that the embeddings of a database can be
computed beforehand, and a logistic unit weighs how the embeddings differ:

    absolute      sigma(sum_k w_k |f_k - g_k| + b)
    chi_square    sigma(sum_k w_k (f_k - g_k)^2 / (f_k + g_k) + b), of features >= 0

    siamese: NN4.small2 (`nn4_small2.py`) and 128 weights and a bias, 3,734,097 parameters
"""

import numpy as np

from autograd.tensor import unwrap

from ..layers import Linear
from ..module import Module
from .catalog import Entry
from .nn4_small2 import nn4_small2

DISTANCES = ("absolute", "chi_square")


class Siamese(Module):
    """Logits `(m, 1)`, large where two pictures show one person.

    Siamese(encoder, features, distance="absolute"): `encoder` makes `(m, features)` of pictures. Called with
    two batches of pictures; `compare` takes embeddings. The order of the two does not matter. Raises
    ValueError for another distance, and chi_square of negative features. COURSE.md C4W4-siamese,
    C4W4-binary."""

    def __init__(self, encoder: Module, features: int, distance: str = "absolute"):
        super().__init__()
        if distance not in DISTANCES:
            raise ValueError(f"Siamese: distance is {' or '.join(DISTANCES)}, got {distance!r}")
        self.encoder, self.distance = encoder, distance
        self.head = Linear(features, 1)

    def forward(self, first, second):
        return self.compare(self.encoder(first), self.encoder(second))

    def compare(self, f, g):
        """Logits (m, 1) of embeddings (m, features), or one of (1, features)."""
        if self.distance == "absolute":
            return self.head(np.abs(f - g))
        low = min(unwrap(f).min(initial=0), unwrap(g).min(initial=0))
        if low < 0:
            raise ValueError(
                f"Siamese: chi_square needs features >= 0, got {low:g}: end the encoder in a ReLU"
            )
        both = f + g
        some = unwrap(both) > 0
        return self.head(np.where(some, (f - g) ** 2 / np.where(some, both, 1.0), 0.0))


def siamese(distance: str = "absolute", embedding: int = 128, **options) -> Siamese:
    """NN4.small2 for both faces: 3,734,097 parameters. `options` are those of `NN4Small2`."""
    return Siamese(nn4_small2(embedding=embedding, **options), embedding, distance)


def _pairs(rng, m):
    return tuple(rng.standard_normal((m, 96, 96, 3), np.float32) for _ in range(2))


ENTRIES = (
    Entry(
        "siamese", siamese, (96, 96, 3), 3_734_097, 400_236_672, "C4W4-binary", "Taigman et al. 2014", _pairs
    ),
)

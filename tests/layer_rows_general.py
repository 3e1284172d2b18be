"""Rows of the fully connected layers, the tables of vectors and the containers."""

import numpy as np

import nn
from tests.layer_table import Row, as_is, normal, same

PLAIN = dict(to_torch=as_is, from_torch=as_is)
TABLE = [[0.1, 0.2], [-1.0, 3.0], [0.5, -0.7], [2.0, 1.0]]


def affine(layer, x):
    return x @ layer.weight.numpy().T + layer.bias.numpy()


def rows_of_linear():
    yield same("Linear", lambda n: n.Linear(4, 3), (5, 4), **PLAIN, expect=affine)
    yield same("Linear, of sequences", lambda n: n.Linear(4, 3, bias=False), (2, 3, 4), **PLAIN)
    yield same(
        "Linear, of many features",
        lambda n: n.Linear(200, 130),
        (33, 200),
        **PLAIN,
        exempt={"second": "too many numbers for finite differences"},
    )
    yield same(
        "Bilinear",
        lambda n: n.Bilinear(2, 3, 4),
        (3, 2),
        (3, 3),
        expect=lambda layer, a, b: (
            np.einsum("mi,kij,mj->mk", a, layer.weight.numpy(), b) + layer.bias.numpy()
        ),
    )
    yield same("Bilinear, of sequences", lambda n: n.Bilinear(2, 2, 1, False), (2, 3, 2), (2, 3, 2), **PLAIN)


def words(*shape, rows=5):
    return lambda rng: (rng.integers(0, rows, shape),)


def bags(*more):
    """Five bags of nine words, the second one empty."""
    return lambda rng: (rng.integers(0, 5, 9), np.array([0, 2, 2, 3, 8]), *(m(rng) for m in more))


NO_SLOPE = {"second": "its row of padding has no gradient, by definition"}
FROZEN = {"second": "nothing in it is differentiable"}


def rows_of_tables():
    yield same("Embedding", lambda n: n.Embedding(5, 3), inputs=words(2, 4), **PLAIN)
    yield same(
        "Embedding, padding", lambda n: n.Embedding(5, 3, 2), inputs=words(3, 5), exempt=NO_SLOPE, **PLAIN
    )
    yield same("Embedding, sparse", lambda n: n.Embedding(5, 3, sparse=True), inputs=words(2, 4), **PLAIN)
    yield same(
        "Embedding, frozen",
        lambda n: n.Embedding.from_pretrained(_table(n)),
        inputs=words(6, rows=4),
        exempt=FROZEN,
    )
    yield same(
        "Embedding, fine-tuned",
        lambda n: n.Embedding.from_pretrained(_table(n), freeze=False, padding_idx=1),
        inputs=lambda rng: (np.array([0, 2, 3, 3]),),
    )
    yield Row(
        "Embedding, by definition",
        lambda: nn.Embedding(5, 3),
        None,
        words(2, 4),
        expect=lambda layer, indices: layer.weight.numpy()[indices],
    )
    for mode in ("sum", "mean", "max"):
        yield same(
            f"EmbeddingBag, {mode}", lambda n, m=mode: n.EmbeddingBag(5, 3, mode=m), inputs=words(3, 4)
        )
        yield same(
            f"EmbeddingBag, {mode}, offsets", lambda n, m=mode: n.EmbeddingBag(5, 3, mode=m), inputs=bags()
        )
        yield same(
            f"EmbeddingBag, {mode}, padding",
            lambda n, m=mode: n.EmbeddingBag(5, 3, mode=m, padding_idx=1),
            inputs=bags(),
        )
    yield same(
        "EmbeddingBag, weighted",
        lambda n: n.EmbeddingBag(5, 2, mode="sum"),
        inputs=bags(lambda rng: rng.standard_normal(9)),
    )
    yield same(
        "EmbeddingBag, last offset",
        lambda n: n.EmbeddingBag(5, 2, include_last_offset=True),
        inputs=lambda rng: (rng.integers(0, 5, 6), np.array([0, 1, 4, 6])),
    )
    yield same(
        "EmbeddingBag, sparse", lambda n: n.EmbeddingBag(5, 2, mode="sum", sparse=True), inputs=words(2, 3)
    )
    for mode, reduce in (("sum", np.sum), ("mean", np.mean), ("max", np.max)):
        yield Row(
            f"EmbeddingBag, {mode}, by definition",
            lambda mode=mode: nn.EmbeddingBag(5, 3, mode=mode),
            None,
            words(3, 4),
            expect=lambda layer, indices, f=reduce: f(layer.weight.numpy()[indices], 1),
        )


def _table(n):
    if n is nn:
        return TABLE
    import torch

    return torch.tensor(TABLE)


class Listed(nn.Module):
    """A ModuleList or ModuleDict at work."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        for layer in self.layers.values() if hasattr(self.layers, "values") else self.layers:
            x = layer(x)
        return x


def listed_in(torch, layers):
    class TheirListed(torch.nn.Module):
        forward = Listed.forward

    theirs = TheirListed()
    theirs.layers = layers
    return theirs


def parts(n):
    return [n.Linear(3, 4), n.Tanh(), n.Linear(4, 2)]


def dense(layer, x):
    return x @ layer.weight.numpy().T + layer.bias.numpy()


def rows_of_containers():
    yield same("Sequential", lambda n: n.Sequential(*parts(n)), (2, 3))
    yield Row(
        "Sequential, named",
        lambda: nn.Sequential({"first": nn.Linear(3, 2), "second": nn.Tanh()}),
        None,
        normal((2, 3)),
        expect=lambda layer, x: np.tanh(dense(layer.first, x)),
    )
    yield Row(
        "ModuleList",
        lambda: Listed(nn.ModuleList(parts(nn))),
        lambda torch: listed_in(torch, torch.nn.ModuleList(parts(torch.nn))),
        normal((2, 3)),
    )
    yield Row(
        "ModuleDict",
        lambda: Listed(nn.ModuleDict(dict(zip("abc", parts(nn))))),
        lambda torch: listed_in(torch, torch.nn.ModuleDict(dict(zip("abc", parts(torch.nn))))),
        normal((2, 3)),
    )
    yield Row(
        "Residual",
        lambda: nn.Residual(nn.Sequential(nn.Linear(3, 3), nn.Tanh())),
        None,
        normal((2, 3)),
        expect=lambda layer, x: np.tanh(dense(layer.body[0], x)) + x,
    )
    yield Row(
        "Residual, shortcut",
        lambda: nn.Residual(nn.Linear(3, 2), nn.Linear(3, 2)),
        None,
        normal((2, 3)),
        expect=lambda layer, x: dense(layer.body, x) + dense(layer.shortcut, x),
    )
    yield Row(
        "Parallel",
        lambda: nn.Parallel(nn.Linear(3, 2), nn.Tanh()),
        None,
        normal((2, 3)),
        expect=lambda layer, x: (dense(next(layer.children()), x), np.tanh(x)),
    )
    yield Row(
        "Concat",
        lambda: nn.Concat({"wide": nn.Linear(3, 4), "narrow": nn.Linear(3, 1)}),
        None,
        normal((2, 2, 3)),
        expect=lambda layer, x: np.concatenate([dense(layer.wide, x), dense(layer.narrow, x)], -1),
    )
    yield Row("Lambda", lambda: nn.Lambda(np.tanh), None, normal((2, 3)), expect=lambda layer, x: np.tanh(x))


ROWS = [*rows_of_linear(), *rows_of_tables(), *rows_of_containers()]

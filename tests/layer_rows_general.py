"""Rows of the fully connected layers, the tables of vectors and the containers."""

import numpy as np

import autograd
import nn
from tests.layer_table import MANY, Row, as_is, channels_first, channels_last, normal, same

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
        exempt=MANY,
        large=normal((150, 200)),
    )
    for what, shape in (("sequences", (2, 6)), ("images", (2, 3, 2)), ("volumes", (2, 1, 3, 2))):
        yield Row(
            f"Linear, behind a Flatten of {what}",
            lambda shape=shape: nn.Sequential(nn.Flatten(), nn.Linear(12, 3, spatial=shape)),
            lambda torch: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3)),
            normal((2, *shape)),
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


def twice(rng):
    """Bags of words, each there twice: of others PyTorch 2.13 takes the wrong count (its issue 190063)."""
    return rng.permutation(np.repeat(np.arange(5), 2)), np.array([0, 3, 3, 7])


NO_SLOPE = {"second": "its row of padding has no gradient, by definition"}
RENORMED = {"second": "the call itself shortens rows of the table"}
SCALED = {"second": "what it gives as the gradient is one that was scaled"}
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
    for norm_type in (2.0, 1.0, np.inf):
        yield same(
            f"Embedding, no row longer than 1 in norm {norm_type}",
            lambda n, p=norm_type: n.Embedding(5, 3, max_norm=1.0, norm_type=p),
            inputs=words(2, 3),
            exempt=RENORMED,
            **PLAIN,
        )
    yield same(
        "Embedding, by frequency",
        lambda n: n.Embedding(5, 3, scale_grad_by_freq=True),
        inputs=words(3, 4),
        exempt=SCALED,
        **PLAIN,
    )
    yield same(
        "Embedding, by frequency, padding",
        lambda n: n.Embedding(5, 3, -1, 2.0, 2.0, True),
        inputs=words(3, 4),
        exempt=SCALED,
        **PLAIN,
    )
    yield same(
        "Embedding, a vocabulary",
        lambda n: n.Embedding(1000, 32),
        inputs=words(64, 40, rows=1000),
        exempt=MANY,
        **PLAIN,
    )
    for mode in ("sum", "mean"):
        yield same(
            f"EmbeddingBag, {mode}, by frequency",
            lambda n, m=mode: n.EmbeddingBag(5, 3, scale_grad_by_freq=True, mode=m),
            inputs=twice,
            exempt=SCALED,
        )
        yield same(
            f"EmbeddingBag, {mode}, by frequency, padding",
            lambda n, m=mode: n.EmbeddingBag(5, 3, None, 2.0, True, m, padding_idx=-2),
            inputs=lambda rng: (twice(rng)[0].reshape(2, 5),),
            exempt=SCALED,
        )
    for mode in ("sum", "mean", "max"):
        yield same(
            f"EmbeddingBag, {mode}, no long row",
            lambda n, m=mode: n.EmbeddingBag(5, 3, 1.0, mode=m),
            inputs=bags(),
            exempt=RENORMED,
        )
        yield same(
            f"EmbeddingBag, {mode}, a vocabulary",
            lambda n, m=mode: n.EmbeddingBag(1000, 32, mode=m),
            inputs=words(64, 40, rows=1000),
            exempt=MANY,
        )
        yield same(
            f"EmbeddingBag, {mode}, last offset, padding",
            lambda n, m=mode: n.EmbeddingBag(5, 2, mode=m, include_last_offset=True, padding_idx=0),
            inputs=lambda rng: (rng.integers(0, 5, 6), np.array([0, 1, 1, 4, 6])),
        )
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
        "EmbeddingBag, weighted rows",
        lambda n: n.EmbeddingBag(5, 2, mode="sum", padding_idx=1),
        inputs=lambda rng: (rng.integers(0, 5, (3, 4)), rng.standard_normal((3, 4))),
        call=lambda module, indices, weights: module(indices, per_sample_weights=weights),
    )
    yield same(
        "EmbeddingBag, weighted, last offset, by frequency",
        lambda n: n.EmbeddingBag(5, 2, None, 2.0, True, "sum", include_last_offset=True),
        inputs=lambda rng: (twice(rng)[0], np.array([0, 1, 4, 10]), rng.standard_normal(10)),
        exempt=SCALED,
    )
    yield same(
        "EmbeddingBag, last offset",
        lambda n: n.EmbeddingBag(5, 2, include_last_offset=True),
        inputs=lambda rng: (rng.integers(0, 5, 6), np.array([0, 1, 4, 6])),
    )
    for mode in ("sum", "mean"):
        yield same(
            f"EmbeddingBag, {mode}, sparse",
            lambda n, m=mode: n.EmbeddingBag(5, 2, mode=m, sparse=True),
            inputs=words(2, 3),
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


class Owned(nn.Module):
    """A ParameterList or ParameterDict at work."""

    def __init__(self, held):
        super().__init__()
        self.held = held

    def forward(self, x):
        for p in self.held.values() if hasattr(self.held, "values") else self.held:
            x = x * p
        return x


def owned_in(torch, held):
    class TheirOwned(torch.nn.Module):
        forward = Owned.forward

    theirs = TheirOwned()
    theirs.held = held
    return theirs


def factors():
    """Of the default dtype, as parameters that layers draw."""
    dtype = np.zeros(1, autograd.get_default_dtype()).dtype
    return {"each": np.array([1.0, 2.0, 3.0], dtype), "all": np.array(0.5, dtype)}


def rows_of_parameters():
    yield Row(
        "ParameterList",
        lambda: Owned(nn.ParameterList(factors().values())),
        lambda torch: owned_in(torch, torch.nn.ParameterList(map(torch.tensor, factors().values()))),
        normal((2, 3)),
        expect=lambda layer, x: x * layer.held[0].numpy() * layer.held[1].numpy(),
    )
    yield Row(
        "ParameterDict",
        lambda: Owned(nn.ParameterDict(factors())),
        lambda torch: owned_in(
            torch, torch.nn.ParameterDict({name: torch.tensor(a) for name, a in factors().items()})
        ),
        normal((2, 3)),
        expect=lambda layer, x: x * layer.held["each"].numpy() * layer.held["all"].numpy(),
    )


def rows_of_distances():
    pair = (2, 3, 4), (2, 3, 4)
    yield same("PairwiseDistance", lambda n: n.PairwiseDistance(), *pair, **PLAIN)
    yield same(
        "PairwiseDistance, of differences",
        lambda n: n.PairwiseDistance(1.0, 0.1, True),
        *pair,
        **PLAIN,
        expect=lambda layer, a, b: np.sum(np.abs(a - b + 0.1), -1, keepdims=True),
    )
    yield same(
        "PairwiseDistance, cubes",
        lambda n: n.PairwiseDistance(3.0),
        *pair,
        **PLAIN,
        expect=lambda layer, a, b: np.sum(np.abs(a - b + 1e-6) ** 3, -1) ** (1 / 3),
    )
    yield same(
        "CosineSimilarity, an axis",
        lambda n: n.CosineSimilarity(0),
        *pair,
        **PLAIN,
        expect=lambda layer, a, b: np.sum(a * b, 0) / (np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)),
    )
    yield Row(  # our last axis is PyTorch's axis 1
        "CosineSimilarity, of images",
        lambda: nn.CosineSimilarity(),
        lambda torch: torch.nn.CosineSimilarity(),
        normal((2, 2, 3, 4), (2, 2, 3, 4)),
        from_torch=lambda a: channels_last(a) if a.ndim == 4 else a,
        to_torch=lambda a: channels_first(a) if a.ndim == 4 else a,
    )


ROWS = [
    *rows_of_parameters(),
    *rows_of_distances(),
    *rows_of_linear(),
    *rows_of_tables(),
    *rows_of_containers(),
]

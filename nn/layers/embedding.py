"""Tables of vectors, one a word: looked up, or looked up and summed."""

import numpy as np

from autograd.modes import get_default_dtype, no_grad
from autograd.ops.index import rows_at, scatter_add_rows
from autograd.primitive import Primitive
from autograd.tensor import Tensor, as_array, unwrap, writable

from .. import init
from ..module import Module, Parameter
from .check import number, positive

_MODES = ("sum", "mean", "max")


def embedding(
    indices,
    weight,
    padding_idx=None,
    max_norm=None,
    norm_type=2.0,
    scale_grad_by_freq=False,
    sparse=False,
):
    """The rows `weight[indices]`: integers of any shape (m, T) to (m, T, embedding_dim). The row of
    `padding_idx` gets no gradient. With `sparse` the gradient is `autograd.Rows`; the rest is as in
    `Embedding`."""
    _refuse("embedding", scale_grad_by_freq and sparse, "scale_grad_by_freq", "a sparse gradient")
    indices = _integers(indices, len(weight))
    _shorten(weight, indices, max_norm, norm_type)
    return _looked_up(weight, indices, scale_grad_by_freq, sparse, padding_idx)


def _integers(indices, rows):
    indices = np.asarray(unwrap(indices))
    if indices.dtype.kind not in "iu":
        raise TypeError(f"embedding takes indices, integers from 0 to {rows - 1}, got {indices.dtype}")
    return indices


def _refuse(name, both, one, other):
    if both:
        raise ValueError(f"{name}: {one} does not go with {other}")


def _shorten(weight, indices, max_norm, norm_type):
    """Scales the rows that are looked up, in place, to a norm of `max_norm` where it is larger."""
    if max_norm is None:
        return
    table, used = unwrap(weight), np.unique(indices)
    used = used[(used >= 0) & (used < len(table))]  # the lookup refuses the others
    norms = np.linalg.norm(table[used], norm_type, axis=-1)
    long = norms > max_norm
    if long.any():
        with no_grad():
            table = writable(weight) if isinstance(weight, Tensor) else table
        table[used[long]] *= (max_norm / (norms[long, None] + 1e-7)).astype(table.dtype)


def _unchanged(rows, shares):
    return rows


# The identity, whose cotangent is multiplied: what makes it no derivative is asked for.
_scale_cotangent = Primitive(_unchanged)
_scale_cotangent.vjp("rows")(lambda g, shares: g * shares)


def _looked_up(weight, indices, by_frequency, sparse, padding_idx=None):
    """The rows, (*indices.shape, embedding_dim). `by_frequency` divides the cotangent of each by how often it
    is among them; those of `padding_idx` get none."""
    rows = rows_at(weight, indices, sparse)
    if not indices.size or not (by_frequency or padding_idx is not None):
        return rows
    shares = np.ones(indices.shape, rows.dtype)
    if by_frequency:
        shares /= np.bincount(indices.reshape(-1), minlength=len(weight))[indices]
    if padding_idx is not None:
        shares[indices == padding_idx % len(weight)] = 0.0
    return _scale_cotangent(rows, shares[..., None])


def embedding_bag(
    indices,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2.0,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """The sum, mean or maximum over bags of rows of `weight`; see `EmbeddingBag`."""
    if mode not in _MODES:
        raise ValueError(f"embedding_bag: mode is one of {', '.join(_MODES)}, got {mode!r}")
    _refuse("embedding_bag", scale_grad_by_freq and mode == "max", "scale_grad_by_freq", 'mode "max"')
    _refuse("embedding_bag", scale_grad_by_freq and sparse, "scale_grad_by_freq", "a sparse gradient")
    indices, shares = _integers(indices, len(weight)), per_sample_weights
    bags, count = _bags(indices, offsets, include_last_offset)
    _shorten(weight, indices, max_norm, norm_type)
    if shares is not None:
        shares = shares if hasattr(shares, "dtype") else as_array(shares)
        shares = shares if shares.dtype == weight.dtype else shares.astype(weight.dtype)
        if mode != "sum":
            raise ValueError(f'embedding_bag: per_sample_weights are for mode "sum", got {mode!r}')
        if shares.shape != indices.shape:
            raise ValueError(
                f"embedding_bag: per_sample_weights {shares.shape} and indices {indices.shape} differ"
            )
        shares = shares.reshape(-1)
    indices = indices.reshape(-1)
    if padding_idx is not None:
        kept = np.flatnonzero(indices != padding_idx % len(weight))
        indices, bags = indices[kept], bags[kept]
        shares = None if shares is None else shares[kept]
    rows = _looked_up(weight, indices, scale_grad_by_freq, sparse)  # (n, embedding_dim)
    if mode == "max":
        return _max_of_bags(rows, bags, count)
    if shares is not None:
        rows = rows * shares[:, None]
    total = scatter_add_rows(rows, bags, count)
    if mode == "sum":
        return total
    sizes = np.maximum(np.bincount(bags, minlength=count), 1)
    return total / sizes[:, None].astype(total.dtype)


def _bags(indices, offsets, include_last_offset):
    """The bag of each index, in one row, and the number of bags."""
    if indices.ndim == 2 and offsets is None:
        return np.repeat(np.arange(len(indices)), indices.shape[1]), len(indices)
    if indices.ndim != 1 or offsets is None:
        raise ValueError(
            "embedding_bag takes indices (m, T) without offsets, or (n,) with them, got indices "
            f"{indices.shape} and {'none' if offsets is None else 'some'}"
        )
    starts = np.asarray(unwrap(offsets))
    ends = starts[1:] if include_last_offset else np.append(starts[1:], len(indices))
    starts = starts[: len(ends)]
    if starts.ndim != 1 or not len(starts) or starts[0] != 0 or (ends < starts).any():
        raise ValueError(f"embedding_bag: offsets start with 0 and never fall, got {starts.tolist()}")
    if ends[-1] != len(indices):
        raise ValueError(f"embedding_bag: the offsets end at {ends[-1]}, there are {len(indices)} indices")
    return np.repeat(np.arange(len(starts)), ends - starts), len(starts)


def _max_of_bags(rows, bags, count):
    """The maximum of each bag, read where it first stands; 0 for an empty bag."""
    values = unwrap(rows)
    if not len(values):
        return scatter_add_rows(rows, bags, count)
    top = np.full((count, values.shape[1]), -np.inf, values.dtype)
    np.maximum.at(top, bags, values)
    places = np.where(values == top[bags], np.arange(len(values))[:, None], len(values))
    first = np.full(top.shape, len(values))
    np.minimum.at(first, bags, places)
    empty = first == len(values)
    return np.where(empty, 0.0, np.take_along_axis(rows, np.where(empty, 0, first), axis=0))


class _Table(Module):
    def __init__(
        self, num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
    ):
        super().__init__()
        positive(self, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(
                    f"{type(self).__name__}: padding_idx {padding_idx} is no row of {num_embeddings}"
                )
            padding_idx %= num_embeddings
        _refuse(type(self).__name__, scale_grad_by_freq and sparse, "scale_grad_by_freq", "a sparse gradient")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx, self.sparse = padding_idx, bool(sparse)
        self.max_norm = None if max_norm is None else number(self, "max_norm", max_norm)
        self.norm_type = number(self, "norm_type", norm_type)
        self.scale_grad_by_freq = bool(scale_grad_by_freq)
        self.weight = Parameter(np.empty((num_embeddings, embedding_dim), get_default_dtype()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the table anew from N(0, 1); the row of `padding_idx` is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0.0

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, **options):
        """A layer with this table (num_embeddings, embedding_dim), frozen unless `freeze` is False; `options`
        are those of the layer. Raises ValueError for what is no matrix."""
        table = as_array(embeddings)
        if table.ndim != 2:
            raise ValueError(
                f"{cls.__name__}: a table is (num_embeddings, embedding_dim), got shape {table.shape}"
            )
        layer = cls(*table.shape, **options)
        layer.weight = Parameter(table, requires_grad=not freeze)
        return layer

    def extra_repr(self):
        usual: dict = {"padding_idx": None, "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False}
        usual |= {"sparse": False, "mode": "mean", "include_last_offset": False}
        other = [f"{k}={getattr(self, k)!r}" for k, v in usual.items() if getattr(self, k, v) != v]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *other])


class Embedding(_Table):
    """The rows `weight[indices]` of a table (num_embeddings, embedding_dim): integers of any shape (m, T) to
    (m, T, embedding_dim).

    Embedding(num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0,
    scale_grad_by_freq=False, sparse=False). The row of `padding_idx` starts as 0 and gets no gradient. Rows
    of a `norm_type`-norm above `max_norm` are scaled to it, in place, when they are looked up.
    `scale_grad_by_freq` divides the gradient of each row by how often it is among the indices. With `sparse`
    the table's gradient holds the rows that were used, as `autograd.Rows`. The table starts from N(0, 1).
    `Embedding.from_pretrained(table, freeze=True)` takes vectors that are there. Raises TypeError for indices
    that are not integers, IndexError for those outside the table. COURSE.md C5W2-matrix."""

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
    ):
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        )

    def forward(self, indices):
        return embedding(
            indices,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )


class EmbeddingBag(_Table):
    """The sum, mean or maximum over bags of rows of a table: indices (m, T), a bag each, to (m,
    embedding_dim); or indices (n,) and `offsets` (m,), where in them each bag starts.

    EmbeddingBag(num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
    mode="mean", sparse=False, include_last_offset=False, padding_idx=None); forward(indices, offsets=None,
    per_sample_weights=None), weights of the indices' shape for mode "sum". An empty bag is 0, and rows of
    `padding_idx` are in no bag. With `include_last_offset` the offsets end with n. What is not said here is
    as in `Embedding`. Raises ValueError for shapes and arguments that do not go together, and errors of
    `Embedding`. COURSE.md C5W2-sentiment."""

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        mode="mean",
        sparse=False,
        include_last_offset=False,
        padding_idx=None,
    ):
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        )
        if mode not in _MODES:
            raise ValueError(f"EmbeddingBag: mode is one of {', '.join(_MODES)}, got {mode!r}")
        _refuse("EmbeddingBag", scale_grad_by_freq and mode == "max", "scale_grad_by_freq", 'mode "max"')
        self.mode, self.include_last_offset = mode, bool(include_last_offset)

    def forward(self, indices, offsets=None, per_sample_weights=None):
        return embedding_bag(
            indices,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

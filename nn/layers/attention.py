"""Attention layers."""

import math

import numpy as np

from autograd import random
from autograd.modes import get_default_dtype
from autograd.ops.attention import attention, attention_weights, split_heads
from autograd.ops.linalg import linear
from autograd.tensor import as_array

from .. import init
from ..module import Module, Parameter
from .check import fits, positive
from .linear import Linear


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None
):
    """softmax(scale * query key^T) value, scale = 1 / sqrt(d) unless given: query (..., T_q, d), key (...,
    T_k, d), value (..., T_k, d_v) -> (..., T_q, d_v).

    A boolean `attn_mask` is True where a query may look at a key (in MultiheadAttention it is the opposite,
    as in PyTorch); one of floats is added to the scores. `is_causal` lets query t look at keys 0..t.
    `dropout_p` is the share of weights dropped, always. A query that may look nowhere gets 0. COURSE.md
    C5W4-selfatt."""
    mask = bias = None
    if attn_mask is not None:
        if as_array(attn_mask).dtype == bool:
            mask = as_array(attn_mask)
        else:
            bias = _like(query, attn_mask, "attn_mask")
    return attention(query, key, value, bias, mask, is_causal, scale, dropout_p, _seed(dropout_p))


def _seed(dropout):
    """Draws only where it matters, so that other draws stay what they were."""
    return int(random.generator().integers(2**63)) if dropout else 0


def _like(x, bias, name):
    """A mask of floats in the dtype of x, which it must not change."""
    bias = bias if hasattr(bias, "dtype") else as_array(bias)
    if bias.dtype.kind != "f":
        raise TypeError(
            f"{name} is boolean, or floats that are added to the scores, got {bias.dtype}: of integers that "
            "tell words from padding take mask == 0 or mask != 0"
        )
    return bias if bias.dtype == x.dtype else bias.astype(x.dtype)


def _parameter(there, *shape):
    return Parameter(np.empty(shape, get_default_dtype())) if there else None


class MultiheadAttention(Module):
    """concat(head_1, ..., head_h) W_o, where head_i is attention of queries, keys and values each projected
    to d = n / h features by matrices of its own: query (m, T_q, n), key (m, T_k, kdim), value (m, T_k, vdim)
    -> (m, T_q, n).

    MultiheadAttention(embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False,
    kdim=embed_dim, vdim=embed_dim). n is embed_dim. The projections are rows of `in_proj_weight` (3 n, n),
    or, where kdim or vdim differ, `q_proj_weight` (n, n), `k_proj_weight` (n, kdim), `v_proj_weight` (n,
    vdim); W_o is `out_proj`. They start Xavier uniform, biases at 0. `dropout` drops weights while training.
    `add_bias_kv` adds a learned key and value to every sequence, `add_zero_attn` a key and value of zeros.

    Call: attention(query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
    average_attn_weights=True, is_causal=False) -> (output, weights), weights (m, T_q, T_k) the mean over the
    heads, or (m, h, T_q, T_k) each, or None; without them it is faster. Boolean masks are True where a query
    may NOT look, masks of floats are added to the scores: `key_padding_mask` (m, T_k), `attn_mask` (T_q, T_k)
    or (m * h, T_q, T_k). `is_causal` lets query t look at keys 0..t, with no mask needed. A query that may
    look nowhere gets zeros, where PyTorch gives NaN. Raises ValueError for shapes that do not fit. Vaswani et
    al. 2017; COURSE.md C5W4-mha."""

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
    ):
        super().__init__()
        kdim = embed_dim if kdim is None else kdim
        vdim = embed_dim if vdim is None else vdim
        positive(self, embed_dim=embed_dim, num_heads=num_heads, kdim=kdim, vdim=vdim)
        if embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: {num_heads} heads must divide {embed_dim} features")
        if not 0 <= dropout < 1:
            raise ValueError(f"MultiheadAttention: dropout is a share, 0 <= p < 1, got {dropout!r}")
        self.embed_dim, self.num_heads, self.kdim, self.vdim = embed_dim, num_heads, kdim, vdim
        self.dropout, self.add_zero_attn = float(dropout), bool(add_zero_attn)
        n, together = embed_dim, kdim == vdim == embed_dim
        self.in_proj_weight = _parameter(together, 3 * n, n)
        self.q_proj_weight = _parameter(not together, n, n)
        self.k_proj_weight = _parameter(not together, n, kdim)
        self.v_proj_weight = _parameter(not together, n, vdim)
        self.in_proj_bias = _parameter(bias, 3 * n)
        self.bias_k = _parameter(add_bias_kv, 1, 1, n)
        self.bias_v = _parameter(add_bias_kv, 1, 1, n)
        self.out_proj = Linear(n, n, bias=bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all weights anew and sets the biases to 0."""
        self.out_proj.reset_parameters()
        for name, parameter in self.named_parameters():
            if name in ("in_proj_bias", "out_proj.bias"):
                init.zeros_(parameter)
            elif name in ("bias_k", "bias_v"):
                init.normal_(parameter, 0.0, 1 / math.sqrt(self.embed_dim))
            elif name != "out_proj.weight":
                init.xavier_uniform_(parameter)

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):
        self._check(query, key, value)
        q, k, v = self._project(query, key, value)  # each (m, h, T, d)
        mask, bias = self._masks(q, key, k.shape[2], key_padding_mask, attn_mask, is_causal)
        dropout = self.dropout if self.training else 0.0
        # where keys were added, the causal mask is in `mask`
        options = bias, mask, is_causal and k.shape[2] == key.shape[1], None, dropout, _seed(dropout)
        if need_weights:
            weights = attention_weights(q, k, *options)  # (m, h, T_q, T_k)
            y = np.matmul(weights, v)
        else:
            weights, y = None, attention(q, k, v, *options)
        y = np.swapaxes(y, 1, 2).reshape(query.shape)  # (m, T_q, h, d) as (m, T_q, n)
        if weights is not None and average_attn_weights:
            weights = np.mean(weights, axis=1)  # (m, T_q, T_k)
        return self.out_proj(y), weights

    def heads_of(self, x, first=0, last=3) -> tuple:
        """The queries, keys and values of x (m, T, n), each (m, h, T, d), or those of the three from `first`
        up to `last`: what `attend` takes, for decoding that keeps keys and values. Needs keys and values of
        embed_dim features."""
        rows = slice(first * self.embed_dim, last * self.embed_dim)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[rows]
        parts = linear(x, self.in_proj_weight[rows], bias)
        shape = (*x.shape[:2], last - first, self.num_heads, self.embed_dim // self.num_heads)
        parts = parts.reshape(shape)  # (m, T, parts, h, d)
        return tuple(parts[:, :, k].swapaxes(1, 2) for k in range(last - first))

    def attend(self, q, k, v, allowed=None):
        """What queries find at keys and values of `heads_of`, (m, T_q, n); `allowed` is True where one may
        look."""
        dropout = self.dropout if self.training else 0.0
        y = attention(q, k, v, None, allowed, False, None, dropout, _seed(dropout))
        return self.out_proj(y.swapaxes(1, 2).reshape((len(q), q.shape[2], self.embed_dim)))

    def _check(self, query, key, value):
        for x, size, what in (
            (query, self.embed_dim, "query"),
            (key, self.kdim, "key"),
            (value, self.vdim, "value"),
        ):
            fits(self, x, self.out_proj.weight, size, f"features of the {what}", 3)
        if not (len(query) == len(key) == len(value) and key.shape[1] == value.shape[1]):
            raise ValueError(
                f"MultiheadAttention needs query (m, T_q, n), key (m, T_k, kdim), value (m, T_k, vdim), "
                f"got {query.shape}, {key.shape}, {value.shape}"
            )

    def _project(self, query, key, value):
        more_keys = self.bias_k is not None or self.add_zero_attn
        if query is key is value and self.in_proj_weight is not None and not more_keys:
            return split_heads(linear(query, self.in_proj_weight, self.in_proj_bias), self.num_heads)
        if self.in_proj_weight is not None:
            matrices = np.split(self.in_proj_weight, 3)
        else:
            matrices = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        biases = [None] * 3 if self.in_proj_bias is None else np.split(self.in_proj_bias, 3)
        q, k, v = (linear(x, W, b) for x, W, b in zip((query, key, value), matrices, biases))
        row = (len(query), 1, self.embed_dim)
        if self.bias_k is not None:
            more = np.broadcast_to(self.bias_k, row), np.broadcast_to(self.bias_v, row)
            k, v = (np.concatenate(pair, axis=1) for pair in zip((k, v), more))
        if self.add_zero_attn:
            k, v = (np.concatenate([x, np.zeros(row, x.dtype)], axis=1) for x in (k, v))
        d = self.embed_dim // self.num_heads
        return [x.reshape((len(x), -1, self.num_heads, d)).swapaxes(1, 2) for x in (q, k, v)]

    def _masks(self, q, key, keys, key_padding_mask, attn_mask, is_causal):
        """(mask, bias) as `attention` takes them, from PyTorch's two masks; `keys` counts the added ones."""
        m, h, T_q, _ = q.shape
        T_k = key.shape[1]
        causal = ~np.tri(T_q, T_k, dtype=np.bool_) if is_causal and keys > T_k else None
        of_heads = (T_q, T_k) if np.ndim(attn_mask) == 2 else (m, h, T_q, T_k)
        mask = bias = None
        for name, x, accepted, spread in (
            ("key_padding_mask", key_padding_mask, [(m, T_k)], (m, 1, 1, T_k)),
            ("attn_mask", attn_mask, [(T_q, T_k), (m * h, T_q, T_k)], of_heads),
            ("is_causal", causal, [(T_q, T_k)], (T_q, T_k)),
        ):
            if x is None:
                continue
            if np.shape(x) not in accepted:
                needed = " or ".join(map(str, accepted))
                raise ValueError(f"MultiheadAttention needs {name} of shape {needed}, got {np.shape(x)}")
            added = [(0, 0)] * (len(spread) - 1) + [(0, keys - T_k)]
            if as_array(x).dtype == bool:
                allowed = np.pad(~as_array(x).reshape(spread), added, constant_values=True)
                mask = allowed if mask is None else mask & allowed
            else:
                x = _like(q, x, name).reshape(spread)
                x = np.pad(x, added) if keys > T_k else x
                bias = x if bias is None else bias + x
        return mask, bias

    def extra_repr(self):
        n = self.embed_dim
        given = {
            "dropout": (self.dropout, 0.0),
            "bias": (self.in_proj_bias is not None, True),
            "add_bias_kv": (self.bias_k is not None, False),
            "add_zero_attn": (self.add_zero_attn, False),
            "kdim": (self.kdim, n),
            "vdim": (self.vdim, n),
        }
        other = [f"{name}={value!r}" for name, (value, usual) in given.items() if value != usual]
        return ", ".join([f"{self.embed_dim}, {self.num_heads}", *other])

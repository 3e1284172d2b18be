"""The attention kernels against NumPy in float64: blocks with every tail, masks, biases and dropout."""

import numpy as np
import pytest

import autograd
from autograd import Tensor
from autograd.kernels import attention as kernels
from autograd.ops import attention as chapter
from autograd.ops.attention import attention

SHAPES = [  # batch and heads, T_q, T_k, d, d_v
    ((2, 3), 5, 7, 4, 6),
    ((), 33, 40, 8, 8),
    ((2,), 300, 290, 16, 40),  # several blocks of queries, and of keys
    ((1, 2), 70, 700, 33, 17),
    ((2, 2), 1, 600, 16, 16),
]


@pytest.fixture(autouse=True)
def always(monkeypatch):
    monkeypatch.setattr(chapter, "KERNEL", 0)


def inputs(shape, seed=0):
    lead, T_q, T_k, d, d_v = shape
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(*lead, *s)) for s in ((T_q, d), (T_k, d), (T_k, d_v))]


def results(arrays, dtype, **options):
    q, k, v = (Tensor(a.astype(dtype), requires_grad=True) for a in arrays)
    if isinstance(options.get("bias"), np.ndarray):
        options["bias"] = options["bias"].astype(dtype)
    y = attention(q, k, v, **options)
    weights = np.random.default_rng(1).normal(size=y.shape).astype(dtype)
    (y * weights).sum().backward()
    return [y.numpy(), q.grad.numpy(), k.grad.numpy(), v.grad.numpy()]


def agree(arrays, **options):
    exact = results(arrays, np.float64, **options)
    for true, got in zip(exact, results(arrays, np.float32, **options), strict=True):
        assert got.dtype == np.float32
        assert np.abs(true - got).max() <= 1e-5 * np.abs(true).max() + 1e-6


def options_of(name, shape):
    lead, T_q, T_k, _, _ = shape
    rng = np.random.default_rng(2)
    if name == "mask":
        mask = rng.random((T_q, T_k)) < 0.7
        mask[0] = False  # a query that may look nowhere
        return {"mask": mask}
    if name == "padding":
        return {"mask": (np.arange(T_k) < max(T_k // 2, 1))[None], "causal": True}
    if name == "bias":
        return {"bias": rng.normal(size=(*lead, T_q, T_k))}
    return {
        "plain": {},
        "causal": {"causal": True},
        "scale": {"scale": 0.3},
        "dropout": {"dropout": 0.3, "seed": 2**62 + 5},
        "dropout, causal": {"dropout": 0.3, "seed": 7, "causal": True},
    }[name]


NAMES = ["plain", "causal", "scale", "mask", "padding", "bias", "dropout", "dropout, causal"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_numpy_in_float64(shape, name):
    agree(inputs(shape), **options_of(name, shape))


def test_operands_are_read_where_they_are():
    """Heads out of one projection, broadcast keys, a column that is not contiguous."""
    rng = np.random.default_rng(0)
    heads = rng.normal(size=(2, 9, 3, 4, 8)).transpose(2, 0, 3, 1, 4)
    agree(list(heads))
    q, k, v = inputs(((2, 3), 9, 11, 8, 8))
    agree([q, k[:1, :1], v[:, :1]])
    agree([q, k[0, 0], np.asfortranarray(v)])


def test_results_lie_in_memory_as_the_operands_do():
    """So heads that come out of one projection, (m, T, heads, d), go into the next as they are."""
    rng = np.random.default_rng(0)
    apart = [rng.normal(size=(2, 3, 40, 8)).astype(np.float32) for _ in range(3)]
    together = [np.ascontiguousarray(a.swapaxes(1, 2)).swapaxes(1, 2) for a in apart]
    for arrays, order in ((apart, (0, 1, 2, 3)), (together, (0, 2, 1, 3))):
        y, lse = kernels.attention(*arrays, None, None, False, 0.3, 0.0, 0)
        found = kernels.attention_grad(y, *arrays, y, lse, None, None, False, 0.3, 0.0, 0)
        assert all(a.transpose(order).flags.c_contiguous for a in (y, *found))


def test_a_bias_that_requires_grad():
    q, k, v = inputs(((2, 2), 6, 9, 4, 4))
    found = []
    for dtype in (np.float64, np.float32):
        bias = Tensor(np.random.default_rng(3).normal(size=(2, 6, 9)).astype(dtype), requires_grad=True)
        y = attention(q.astype(dtype), k.astype(dtype), v.astype(dtype), bias)
        (y * y).sum().backward()
        found.append(bias.grad.numpy())
    assert np.abs(found[0] - found[1]).max() < 1e-5


@pytest.mark.parametrize("name", ["plain", "dropout, causal"])
def test_threads_change_no_bit(name):
    before, found = autograd.get_num_threads(), []
    arrays, options = inputs(((3, 2), 150, 280, 16, 16)), options_of(name, SHAPES[0])
    for threads in (1, 2):
        autograd.set_num_threads(threads)
        try:
            found.append(results(arrays, np.float32, **options))
        finally:
            autograd.set_num_threads(before)
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_no_matrix_of_weights_is_made():
    """One head of 4,096 queries and keys: the weights would take 64 MB, the blocks take less than 3."""
    import tracemalloc

    q, k, v = (a.astype(np.float32) for a in inputs(((1, 1), 4096, 4096, 8, 8)))
    kernels.attention(q, k, v, None, None, True, 0.3, 0.0, 0)
    tracemalloc.start()
    results([q, k, v], np.float32, causal=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6

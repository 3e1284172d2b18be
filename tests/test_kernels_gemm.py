"""Products on the register microkernel, against NumPy in float64: every transpose, tail, stride and batch."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor
from autograd.kernels import gemm, threads
from autograd.ops import linalg

ROOT = Path(__file__).parent.parent


@pytest.fixture(params=[1, 2])
def count(request):
    """Runs the test with this number of threads, as far as the machine has them."""
    before = threads.get_num_threads()
    threads.set_num_threads(min(request.param, before))
    yield request.param
    threads.set_num_threads(before)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def turned(x):
    """The same values, with the last axis but one as the axis of neighbours."""
    return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)


def check(a, b, bias=None, onto=None):
    """The product is that of NumPy in float64, to a few roundings."""
    wide = a.astype(np.float64) @ b.astype(np.float64)
    expected = wide + (0 if bias is None else bias) + (0 if onto is None else onto)
    before = a.tobytes(), b.tobytes()
    c = gemm.product(a, b, bias, onto)
    assert c.dtype == np.float32 and c.shape == expected.shape
    assert onto is None or c is onto
    assert before == (a.tobytes(), b.tobytes())
    scale = np.sqrt(a.shape[-1]) + np.abs(expected).max(initial=0)
    assert np.abs(c - expected).max(initial=0) <= 1e-6 * scale, (a.shape, b.shape, a.strides, b.strides)
    return c


TRANSPOSES = [(lambda x: x, lambda x: x), (lambda x: x, turned), (turned, lambda x: x), (turned, turned)]
NAMES = ["NN", "NT", "TN", "TT"]


@pytest.mark.parametrize("lay_out", TRANSPOSES, ids=NAMES)
def test_every_tail(lay_out):
    """Rows and columns from 1 to beyond two tiles, and depths around a vector."""
    of_a, of_b = lay_out
    for m in range(1, 34):
        for n in (*range(1, 34), 47, 48, 49, 65):
            k = 1 + (7 * m + 3 * n) % 37
            check(of_a(normal(m, k)), of_b(normal(k, n, seed=1)))


SHAPES = {
    "b as it lies": (20, 300, 500),
    "b packed": (64, 64, 64),
    "a packed too": (200, 300, 1100),
    "several blocks of rows and of depth": (400, 600, 550),
    "several blocks of columns": (60, 300, 2100),
    "many blocks of depth": (30, 4200, 70),
    "one row": (1, 2000, 700),
    "one column": (2000, 700, 1),
    "no depth to speak of": (900, 1, 1200),
    "larger blocks": (1030, 200, 1100),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("lay_out", TRANSPOSES, ids=NAMES)
def test_every_way_through_the_blocks(lay_out, shape, count):
    (of_a, of_b), (m, k, n) = lay_out, shape
    a, b = of_a(normal(m, k)), of_b(normal(k, n, seed=1))
    check(a, b)
    check(a, b, bias=normal(n, seed=2))
    check(a, b, onto=normal(m, n, seed=3))
    check(a, b, bias=normal(n, seed=2), onto=normal(m, n, seed=3))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("lay_out", TRANSPOSES, ids=NAMES)
def test_relu_changes_no_other_bit(lay_out, shape, count):
    (of_a, of_b), (m, k, n) = lay_out, shape
    a, b, bias, onto = of_a(normal(m, k)), of_b(normal(k, n, seed=1)), normal(n, seed=2), normal(m, n, seed=3)
    for x in (None, bias):
        assert np.array_equal(gemm.product(a, b, x, relu=True), np.maximum(gemm.product(a, b, x), 0))
    expected = np.maximum(gemm.product(a, b, bias, onto.copy()), 0)
    assert np.array_equal(gemm.product(a, b, bias, onto, relu=True), expected)


def test_relu_keeps_nan_and_infinity():
    b = normal(40, 70)
    b[3, 5], b[7, 60], b[8, 61] = np.nan, np.inf, -np.inf
    y = gemm.product(np.eye(40, dtype=np.float32), b, relu=True)
    assert np.isnan(y[:, 5]).all() and y[7, 60] == np.inf and y[8, 61] == 0
    of_nothing = gemm.product(normal(2, 0), normal(0, 3), np.float32([-1, 2, np.nan]), relu=True)
    assert np.array_equal(of_nothing, [[0, 2, np.nan]] * 2, equal_nan=True)


BATCHES = {
    "one axis": ((7, 30, 40), (7, 40, 50)),
    "one matrix for all on the right": ((7, 30, 40), (40, 50)),
    "one matrix for all on the left": ((30, 40), (7, 40, 50)),
    "an axis of one": ((7, 1, 30, 40), (7, 5, 40, 50)),
    "broadcast both ways": ((6, 1, 30, 40), (5, 40, 50)),
    "three axes": ((2, 1, 3, 9, 8), (4, 1, 8, 7)),
    "few of many numbers": ((3, 200, 150), (3, 150, 180)),
    "many of few numbers": ((500, 2, 3), (500, 3, 4)),
    "one of one": ((1, 200, 300), (1, 300, 200)),
    "more than the caches hold": ((66, 129, 65), (66, 65, 70)),
}


@pytest.mark.parametrize("shapes", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("lay_out", TRANSPOSES, ids=NAMES)
def test_batches_broadcast(lay_out, shapes, count, monkeypatch):
    (of_a, of_b), (a, b) = lay_out, shapes
    check(of_a(normal(*a)), of_b(normal(*b, seed=1)))
    monkeypatch.setattr(gemm, "PARALLEL", 0)
    gemm._plan.cache_clear()
    bias = normal(b[-1], seed=2)
    y = check(of_a(normal(*a)), of_b(normal(*b, seed=1)), bias)
    z = gemm.product(of_a(normal(*a)), of_b(normal(*b, seed=1)), bias, relu=True)
    assert np.array_equal(z, np.maximum(y, 0))
    gemm._plan.cache_clear()


def test_arrays_of_any_strides():
    x = normal(40, 60, 20)
    y = normal(20, 40, 70, seed=1)
    check(x[:, ::2, ::-1], y.transpose(1, 0, 2))  # nothing is next to anything in the first
    check(x[3, 5:50, 2:18], y[2:18, 7, 5:40])
    check(x[3, ::-1], y[:, 4, ::-1])
    check(np.broadcast_to(x[0, 0], (50, 20)), np.broadcast_to(y[:, :1, 0], (20, 33)))
    heads = normal(2, 9, 4, 16).swapaxes(1, 2)  # what attention multiplies
    check(heads, heads.swapaxes(-1, -2))
    check(np.asfortranarray(x[0]), y[:, 0])
    check(x[0, :, :1], y[:1, 0])


def test_operands_that_cannot_be_written():
    a, b, bias = normal(80, 70), normal(70, 90), normal(90)
    for x in (a, b, bias):
        x.flags.writeable = False
    check(a, b, bias)
    check(b.T, a.T)


def test_nothing_to_multiply():
    for a, b in (
        ((0, 3), (3, 4)),
        ((3, 4), (4, 0)),
        ((2, 0), (0, 3)),
        ((0, 2, 3), (3, 4)),
        ((5, 2, 0), (0, 3)),
    ):
        check(normal(*a), normal(*b))
        check(normal(*a), normal(*b), onto=np.ones(np.matmul(normal(*a), normal(*b)).shape, np.float32))
    assert (gemm.product(normal(2, 0), normal(0, 3), np.arange(3, dtype=np.float32)) == [0, 1, 2]).all()


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="a has 3 columns, b has 4 rows"):
        gemm.product(normal(2, 3), normal(4, 2))
    with pytest.raises(ValueError):
        gemm.product(normal(2, 2, 3), normal(3, 3, 2))


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    before = threads.get_num_threads()
    for m, k, n in (*SHAPES.values(), (257, 513, 129)):
        for of_a, of_b in TRANSPOSES:
            a, b, bias = of_a(normal(m, k)), of_b(normal(k, n, seed=1)), normal(n, seed=2)
            every = gemm.product(a, b, bias).tobytes()
            assert gemm.product(a, b, bias).tobytes() == every
            threads.set_num_threads(1)
            assert gemm.product(a, b, bias).tobytes() == every, (m, k, n)
            threads.set_num_threads(before)


def test_two_python_threads_at_once():
    a, b = normal(300, 200), normal(200, 300, seed=1)
    expected = gemm.product(a, b)
    wrong = []

    def work():
        for _ in range(100):
            if not np.array_equal(gemm.product(a, b), expected):
                wrong.append(1)

    both = [threading.Thread(target=work) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert not wrong


NARROW = """
    import numpy as np
    from autograd.kernels import gemm, simd
    assert simd.NAME == {name!r}
    rng = np.random.default_rng(0)
    for m in (1, 2, 5, 8, 9, 50):
        for n in (*range(1, 34), 70):
            for k in (1, 9, 300):
                a, b = rng.standard_normal((m, k), dtype="f"), rng.standard_normal((k, n), dtype="f")
                for x in (a, np.asfortranarray(a)):
                    for y in (b, np.asfortranarray(b)):
                        bias = rng.standard_normal(n, dtype="f")
                        wrong = np.abs(gemm.product(x, y, bias) - (a.astype(float) @ b + bias)).max()
                        assert wrong < 1e-5 * np.sqrt(k), (m, n, k, wrong)
    a, b = rng.standard_normal((400, 300), dtype="f"), rng.standard_normal((300, 500), dtype="f")
    assert np.abs(gemm.product(a, b) - a.astype(float) @ b).max() < 1e-4
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["avx2", "neon", "plain", "off"])
def test_narrower_tiles(name):
    """LLVM lowers each of them anywhere."""
    program = textwrap.dedent(NARROW.format(name=name))
    environment = {**os.environ, "NGRAD_SIMD": name}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


# ---- where the ops use it


def gradients(function, *arrays):
    tensors = [Tensor(x, requires_grad=True) for x in arrays]
    y = function(*tensors)
    g = normal(*y.shape, seed=9)
    y.backward(Tensor(g))
    return y.numpy(), g, [t.grad.numpy() for t in tensors]


def close(found, expected):
    assert found.dtype == np.float32 and found.shape == expected.shape
    assert np.abs(found - expected).max() <= 2e-6 * np.abs(expected).max()


@pytest.mark.parametrize("leading", [(), (3,), (2, 2)])
def test_matmul_forward_and_backward(leading):
    a, b = normal(*leading, 90, 110), normal(*leading, 110, 130, seed=1)
    y, g, (g_a, g_b) = gradients(np.matmul, a, b)
    a, b = a.astype(float), b.astype(float)
    close(y, a @ b)
    close(g_a, g @ b.swapaxes(-1, -2))
    close(g_b, a.swapaxes(-1, -2) @ g)


def test_matmul_of_a_batch_and_one_matrix():
    a, b = normal(6, 90, 110), normal(110, 130, seed=1)
    y, g, (g_a, g_b) = gradients(np.matmul, a, b)
    close(y, a.astype(float) @ b)
    close(g_a, g.astype(float) @ b.T)
    close(g_b, np.einsum("bij,bik->jk", a.astype(float), g))


@pytest.mark.parametrize("leading", [(100,), (3, 40)])
def test_linear_forward_and_backward(leading):
    x, W, b = normal(*leading, 120), normal(140, 120, seed=1), normal(140, seed=2)
    y, g, (g_x, g_W, g_b) = gradients(linalg.linear, x, W, b)
    x, W = x.astype(float), W.astype(float)
    close(y, x @ W.T + b)
    close(g_x, g @ W)
    close(g_W, g.reshape(-1, 140).T @ x.reshape(-1, 120))
    close(g_b, g.reshape(-1, 140).sum(axis=0, dtype=float))


def test_the_second_derivative_of_large_products():
    """d/dx of sum((dL/dW)^2) for L = sum((x W^T)^2) / 2, so dL/dW = W x^T x."""
    x, W = Tensor(normal(80, 90), requires_grad=True), Tensor(normal(100, 90, seed=1), requires_grad=True)
    y = linalg.linear(x, W)
    (g_W,) = ag.gradient(np.sum(y * y) * 0.5, [W], create_graph=True)
    (g_x,) = ag.gradient(np.sum(g_W * g_W), [x])
    x, W = x.numpy().astype(float), W.numpy().astype(float)
    of_W = W @ (x.T @ x)
    close(g_x.numpy(), 2 * x @ (W.T @ of_W + of_W.T @ W))


def test_other_dtypes_stay_with_numpy():
    a, b = normal(200, 200).astype(np.float64), normal(200, 200, seed=1).astype(np.float64)
    assert np.array_equal(linalg.matmul(a, b), a @ b)
    assert linalg.matmul(a.astype(np.float32), b).dtype == np.float64
    assert linalg.matmul(a.astype(np.int64), a.astype(np.int64)).dtype == np.int64
    assert linalg.linear(a, b, a[0]).dtype == np.float64


def test_contractions_of_large_arrays():
    a, b = normal(100, 30, 40), normal(40, 30, 110, seed=1)
    wide = a.astype(float), b.astype(float)
    close(np.einsum("ijk,kjl->il", Tensor(a), Tensor(b)).numpy(), np.einsum("ijk,kjl->il", *wide))
    found = np.tensordot(Tensor(a), Tensor(b), ((2, 1), (0, 1))).numpy()
    close(found, np.tensordot(*wide, ((2, 1), (0, 1))))
    close(np.dot(Tensor(a), Tensor(b[:, 0])).numpy(), np.dot(wide[0], wide[1][:, 0]))

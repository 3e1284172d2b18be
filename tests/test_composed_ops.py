"""NumPy functions that are composed of ops, so have no row in the table: contractions and splits. What the
chapters shape, index and linalg promise beyond values comes next: views, nothing saved, and errors."""

import numpy as np
import pytest

from autograd import Tensor, check_grads
from autograd.ops.index import gather
from autograd.ops.linalg import linear

EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 2)),
    ("ba,cb", (2, 3), (2, 2)),
    (" i j , j k -> k i", (2, 3), (3, 2)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iij->j", (2, 2, 3)),
    ("iji->ij", (2, 3, 2)),
    ("iii->i", (2, 2, 2)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)),
    ("...ij->...ji", (2, 2, 3)),
    ("...i,...i", (2, 1, 3), (2, 3)),
    ("i...,i...->...", (3, 2), (3, 2)),
    ("b...d,de->b...e", (2, 2, 3, 2), (2, 2)),
    ("ij...,jk...->ik...", (2, 3, 2), (3, 2, 1)),
    ("ii,ij->j", (2, 2), (2, 3)),
    ("ij,kl->il", (2, 3), (2, 2)),
    ("ij,ij->i", (2, 1), (2, 3)),
    ("ij,ij->j", (1, 3), (2, 3)),
    ("ij,ij->j", (1, 3), (1, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)),
    ("ij,j,i->", (2, 3), (3,), (2,)),
    ("ij,ij,ij->j", (2, 3), (2, 3), (2, 3)),
    ("i,j,k->kij", (2,), (2,), (2,)),
    ("abc,cd,bde->ae", (2, 2, 2), (2, 3), (2, 3, 2)),
    ("ij,jk->ik", (0, 3), (3, 2)),
    ("ij,jk->ik", (2, 0), (0, 2)),
]


def check(f, *shapes):
    """The value against NumPy's own, and two orders of derivative; powers make the rules matter to both."""
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.4, 1.0, shape) * rng.choice([-1, 1], shape) for shape in shapes]
    y, expected = f(*[Tensor(a, requires_grad=True) for a in arrays]), f(*arrays)
    for got, e in zip(*([v] if not isinstance(v, list) else v for v in (y, expected)), strict=True):
        assert isinstance(got, Tensor)
        np.testing.assert_allclose(got.numpy(), e, rtol=1e-12, atol=1e-12)
        assert got.shape == e.shape

    def between_powers(*tensors):
        out = f(*[t * t * t for t in tensors])
        return [o * o for o in (out if isinstance(out, list) else [out])]

    check_grads(between_powers, *arrays, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("subscripts", "shapes"), [(s, shapes) for s, *shapes in EINSUM], ids=str)
def test_einsum(subscripts, shapes):
    check(lambda *arrays: np.einsum(subscripts, *arrays), *shapes)


@pytest.mark.parametrize(
    ("axes", "shapes"),
    [
        (2, [(2, 3, 4), (3, 4, 2)]),
        (0, [(2, 3), (2,)]),
        (1, [(3,), (3,)]),
        ((1, -1), [(2, 3), (2, 3)]),
        (([0, -1], [1, 0]), [(2, 3, 4), (4, 2, 3)]),
    ],
)
def test_tensordot(axes, shapes):
    check(lambda a, b: np.tensordot(a, b, axes), *shapes)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (np.dot, [(2, 3), (3, 2)]),
        (np.dot, [(3,), (3,)]),
        (np.dot, [(2, 3, 2), (2,)]),
        (np.dot, [(2, 3, 2), (2, 2, 2)]),
        (np.dot, [(), (2, 2)]),
        (np.inner, [(2, 3), (4, 3)]),
        (np.inner, [(3,), (2, 3)]),
        (np.inner, [(2,), ()]),
        (np.outer, [(2, 2), (3,)]),
    ],
)
def test_other_products(function, shapes):
    check(lambda a, b: function(a, b), *shapes)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.split(x, 2),
        lambda x: np.split(x, [1, 2], 1),
        lambda x: np.split(x, [-1, 5], 1),
        lambda x: np.array_split(x, 3, -1),
        lambda x: np.array_split(x, 3),
    ],
)
def test_splits(f):
    check(f, (2, 3, 4))


def test_integer_tensors_are_indices():
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    columns = Tensor(np.array([0, 2, 2]))
    x[:, columns].sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[1, 0, 2], [1, 0, 2]])
    assert x[Tensor(np.array(1))].shape == (3,)
    assert gather(x, columns[:1]).shape == (1, 3)


def test_moving_elements_saves_no_arrays():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    moved = [x.reshape(6), x.T, x[0], np.concatenate([x, x]), np.stack([x, x]), np.pad(x, 1), np.tile(x, 2)]
    assert [t.node.saved_bytes for t in moved] == [0] * len(moved)


def test_views_share_memory():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    for view in (
        x[1:],
        x.T,
        x.reshape(6),
        np.squeeze(x[None]),
        np.diagonal(x),
        np.broadcast_to(x, (4, 2, 3)),
    ):
        assert np.shares_memory(view, x)


A = Tensor(np.ones((3, 4)), requires_grad=True)


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda: A @ np.ones((5, 2)), ValueError, ["a has 4 columns, b has 5 rows", "(3, 4)", "(5, 2)"]),
        (lambda: A @ 2.0, ValueError, ["matmul", "a * b"]),
        (lambda: np.ones((2, 3, 4)) @ A.reshape(1, 1, 4, 3)[[0, 0, 0], 0], ValueError, ["(2,)", "(3,)"]),
        (
            lambda: linear(np.ones((64, 392)), np.ones((10, 400))),
            ValueError,
            ["linear: x has 392 features, W needs 400", "x (64, 392)", "W (10, 400)"],
        ),
        (lambda: linear(A, np.ones((2, 4)), np.ones(1)), ValueError, ["b has shape (1,)", "(2,)"]),
        (lambda: linear(A, np.ones(4)), ValueError, ["W has 1 axes"]),
        (lambda: linear(Tensor(1.0), np.ones((2, 4))), ValueError, ["x is a single number"]),
        (lambda: A[5], IndexError, ["getitem", "5", "(3, 4)"]),
        (lambda: A[1.5], IndexError, ["getitem"]),
        (lambda: A.reshape(5, 2), ValueError, ["reshape", "12", "(5,2)"]),
        (lambda: np.pad(A, -1), ValueError, ["pad", "negative"]),
        (lambda: np.pad(A, 1, "empty"), ValueError, ["pad", "empty", "constant"]),
        (lambda: np.pad(A, ((1, 1),) * 3), ValueError, ["pad", "3 pairs", "2 axes"]),
        (lambda: np.split(A, 2), ValueError, ["split", "(3, 4)", "array_split"]),
        (lambda: np.array_split(A, 0), ValueError, ["array_split", "0 parts"]),
        (lambda: gather(A, [0, 3]), IndexError, ["hold 3", "rows 0 to 2"]),
        (lambda: gather(A, [-1]), IndexError, ["hold -1"]),
        (lambda: gather(A, [0.5]), TypeError, ["integers", "float64"]),
        (lambda: np.einsum("ij,jk->ik", A, np.ones((3, 3))), ValueError, ["'j'", "4 and 3", "(3, 4)"]),
        (lambda: np.einsum("ij,jk", A), ValueError, ["2 operands, got 1"]),
        (lambda: np.einsum("ij->ijk", A), ValueError, ["result"]),
        (lambda: np.einsum("i", A), ValueError, ["does not fit", "2 axes"]),
        (lambda: np.einsum("...i->i", A), ValueError, ["'...'"]),
        (lambda: np.einsum(A, "ij"), TypeError, ["string"]),
        (lambda: np.tensordot(A, A, 1), ValueError, ["tensordot", "(3, 4)"]),
        (lambda: np.full_like(A, A[0, 0]), TypeError, ["requires grad"]),
    ],
)
def test_refusals_name_both_sides(f, error, words):
    with pytest.raises(error) as raised:
        f()
    text = str(raised.value)
    assert "\n" not in text
    for word in words:
        assert word in text

"""NumPy's functions on tensors: the composed ones against NumPy's own values, two orders of derivative
against differences, float32 and layouts; and what they promise beyond values."""

import operator
import sys

import numpy as np
import pytest

import autograd.numpy as anp
from autograd import Tensor, check_grads, gradient
from autograd.ops import special
from autograd.tensor import wrap
from tests import numpy_rows, numpy_rows_keywords, numpy_rows_linalg

ROWS = [*numpy_rows.ROWS, *numpy_rows_keywords.ROWS, *numpy_rows_linalg.ROWS]
IDS = [f"{row}-{k}" for k, row in enumerate(ROWS)]
every_row = pytest.mark.parametrize("row", ROWS, ids=IDS)


def arrays_of(row):
    return row.make(np.random.default_rng(0))


def leaves(arrays):
    return [Tensor(a, requires_grad=True) for a in arrays]


def several(y):
    return list(y) if isinstance(y, (tuple, list)) else [y]


def plain(y):
    return np.asarray(y.numpy() if isinstance(y, Tensor) else y)


@every_row
def test_values_are_numpys(row):
    arrays = arrays_of(row)
    got, expected = several(row.call(*leaves(arrays))), several(row.call(*arrays))
    assert any(isinstance(y, Tensor) and y.requires_grad for y in got)
    for y, e in zip(got, expected, strict=True):
        assert plain(y).shape == np.shape(e)
        np.testing.assert_allclose(plain(y), e, rtol=1e-9, atol=1e-11)


def bent(row):
    """The outputs squared, so that the rules of linear ops have a derivative too."""

    def f(*tensors):
        got = [y for y in several(row.call(*tensors)) if isinstance(y, Tensor)]
        return [np.where(np.isnan(y._data), 0.0, y) ** 2 for y in got]

    return f


@pytest.mark.slow
@every_row
def test_two_orders_of_derivative(row):
    if any(np.isnan(a).any() for a in arrays_of(row)):  # differences of NaN say nothing: the others move
        arrays = arrays_of(row)
        mask = np.isnan(arrays[0])
        check_grads(lambda a: bent(row)(np.where(mask, np.nan, a)), np.where(mask, 0.0, arrays[0]))
    else:
        check_grads(bent(row), *arrays_of(row), rtol=2e-5, atol=1e-5)


@every_row
def test_float32_stays_float32(row):
    arrays = [a.astype(np.complex64 if a.dtype.kind == "c" else np.float32) for a in arrays_of(row)]
    tensors = leaves(arrays)
    got = [y for y in several(row.call(*tensors)) if isinstance(y, Tensor) and y.requires_grad]
    for y in got:
        assert row.wide or y.dtype in (np.float32, np.complex64), y.dtype
    total = [np.sum(np.where(np.isnan(y._data), 0.0, np.real(y * np.conj(y)))) for y in got]
    sum(total[1:], total[0]).backward()
    for t in tensors:
        assert t.grad is None or t.grad.dtype == t.dtype


@every_row
def test_layout_changes_nothing(row):
    arrays = arrays_of(row)
    spread = [np.repeat(a[..., None], 2, -1)[..., 0] if a.ndim else a for a in arrays]
    got = several(row.call(*(wrap(a).requires_grad_() for a in spread)))
    for y, e in zip(got, several(row.call(*leaves(arrays))), strict=True):
        np.testing.assert_allclose(plain(y), plain(e), rtol=1e-10, atol=1e-11)


# ---- what they promise beyond values


def leaf(value, dtype=np.float64):
    return Tensor(np.array(value, dtype), requires_grad=True)


def slope(f, x):
    t = leaf(x)
    return gradient(np.sum(f(t)), t).numpy().tolist()


@pytest.mark.parametrize(
    ("f", "x", "expect"),
    [
        (lambda x: np.hypot(x, x), [0.0], [0.0]),
        (lambda x: np.arctan2(x, 0.0 * x), [0.0], [0.0]),
        (lambda x: np.linalg.norm(x), [0.0, 0.0], [0.0, 0.0]),
        (lambda x: np.linalg.norm(x), [3.0, 4.0], [0.6, 0.8]),
        (lambda x: np.linalg.norm(x, 3), [0.0, 2.0], [0.0, 1.0]),
        (lambda x: np.linalg.norm(x, np.inf), [2.0, -2.0, 1.0], [0.5, -0.5, 0.0]),
        (lambda x: np.fmax(x, [0.0, np.nan, 5.0]), [0.0, 1.0, 2.0], [0.5, 1.0, 0.0]),
        (lambda x: np.fmin(x, [0.0, np.nan, 1.0]), [0.0, 1.0, 2.0], [0.5, 1.0, 0.0]),
        (lambda x: np.fmax(x, np.nan), [np.nan, 1.0], [1.0, 1.0]),  # the first of two NaN, as in PyTorch
        (lambda x: np.fmin(np.nan, x), [np.nan, 1.0], [0.0, 1.0]),
        (lambda x: np.nan_to_num(x), [np.nan, np.inf, 2.0], [0.0, 0.0, 1.0]),
        (lambda x: np.nanmax(x), [1.0, np.nan, 1.0], [0.5, 0.0, 0.5]),
        (lambda x: np.nanstd(x), [1.0, np.nan, 1.0], [0.0, 0.0, 0.0]),
        (lambda x: np.nanmean(x), [1.0, np.nan, 1.0], [0.5, 0.0, 0.5]),
        (lambda x: np.median(x), [3.0, 1.0, 2.0, 9.0], [0.5, 0.0, 0.5, 0.0]),
        (lambda x: np.ptp(x), [3.0, 1.0, 2.0], [1.0, -1.0, 0.0]),
        (lambda x: np.copysign(x, -1.0), [2.0, -2.0, 0.0], [-1.0, 1.0, 0.0]),
        (lambda x: np.logaddexp(x, -np.inf), [-np.inf, 1.0], [0.0, 1.0]),
        (lambda x: np.logaddexp(x, [np.inf, 1.0]), [1.0, np.inf], [0.0, 1.0]),  # as in PyTorch
        (lambda x: np.logaddexp2([np.inf, 1.0], x), [1.0, np.inf], [0.0, 1.0]),
        (lambda x: np.sinc(x), [0.0], [0.0]),
        (lambda x: np.trapezoid(x, [0.0, 1.0, 3.0]), [1.0, 1.0, 1.0], [0.5, 1.5, 1.0]),
        (
            lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 3.0, 4.0]),
            [-1.0, 0.5, 1.0, 1.5, 9.0],
            [0.0, 3.0, 1.0, 1.0, 0.0],
        ),
    ],
)
def test_slopes(f, x, expect):
    np.testing.assert_allclose(slope(f, x), expect, rtol=1e-12, atol=1e-12)


def test_determinant_of_singular_matrices():
    """The derivative is the matrix of cofactors, [[4, -2], [-2, 1]] of [[1, 2], [2, 4]]; its first element is
    the last one of the matrix, which its own derivative shows."""
    a = leaf([[1.0, 2.0], [2.0, 4.0]])
    first = gradient(np.linalg.det(a), a, create_graph=True)
    np.testing.assert_allclose(first.numpy(), [[4.0, -2.0], [-2.0, 1.0]], atol=1e-12)
    np.testing.assert_allclose(gradient(first[0, 0], a).numpy(), [[0.0, 0.0], [0.0, 1.0]], atol=1e-12)


def test_derivative_of_the_log_determinant():
    """The inverse, transposed (Petersen and Pedersen, The Matrix Cookbook, formula 57)."""
    a = leaf([[2.0, 1.0], [0.5, 3.0]])
    found = gradient(np.linalg.slogdet(a).logabsdet, a)
    np.testing.assert_allclose(found.numpy(), np.array([[3.0, -0.5], [-1.0, 2.0]]) / 5.5)


def test_lists_and_numbers_do_not_promote():
    x = leaf([1.0, 2.0], np.float32)
    for y in (
        np.hstack([x, 1.0]),
        np.append(x, [1.0, 2.0]),
        np.kron(x, [1.0, 2.0]),
        np.average(x, weights=[1.0, 2.0]),
        np.diff(x, prepend=0.0),
        np.polyval([1.0, 2.0], x),
        np.trapezoid(x, [0.0, 1.0]),
        np.quantile(x, 0.5),
        np.hypot(x, [1.0, 2.0]),
        np.gradient(x, [0.0, 2.0]),
    ):
        assert y.dtype == np.float32


RAMP = np.arange(9.0).reshape(3, 3)


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda x: np.linalg.inv(x[:2, :1]), ValueError, ["inv", "square", "(2, 1)"]),
        (
            lambda x: np.sum(RAMP * np.linalg.svd(x[:1])[2]).backward(),
            ValueError,
            ["svd", "2 of 3", "first 1"],
        ),
        (
            lambda x: np.sum(RAMP * np.linalg.qr(x[:, :1], "complete")[0]).backward(),
            ValueError,
            ["qr", "'complete'"],
        ),
        (lambda x: np.linalg.qr(x, "raw"), ValueError, ["qr", "'raw'", "'complete'"]),
        (lambda x: np.quantile(x, 1.5), ValueError, ["quantile", "1.5"]),
        (lambda x: np.quantile(x, 0.5, method="middle"), ValueError, ["'middle'", "linear"]),
        (lambda x: np.cross(x[:, :1], x), ValueError, ["cross", "1 and 3"]),
        (lambda x: np.block([x, [x]]), ValueError, ["block", "unequal depth"]),
        (lambda x: np.average(x, weights=[1.0, 2.0]), ValueError, ["average", "(2,)", "(3, 3)"]),
        (lambda x: np.gradient(x[:1], axis=0), ValueError, ["gradient", "axis 0", "2 elements"]),
        (lambda x: np.convolve(x, x), ValueError, ["convolve", "(3, 3)"]),
        (lambda x: np.linalg.norm(x[0], "nuc"), ValueError, ["'nuc'", "vector"]),
        (lambda x: np.linalg.norm(x, 7), ValueError, ["7", "'fro'"]),
        (lambda x: np.histogram(x, weights=x), TypeError, ["weights", "bincount"]),
        (lambda x: np.put(x, 0, 1.0), TypeError, ["np.put"]),
        (lambda x: np.sum(x, 0, None, np.zeros(3)), TypeError, ["sum", "out="]),
        (lambda x: np.nanmean(x, out=np.zeros(3)), TypeError, ["out="]),
        (lambda x: np.max(x, where=x > 0), ValueError, ["max", "initial="]),
        (lambda x: np.ravel(x[:, ::2], "K"), ValueError, ["'K'", "contiguous"]),
        (lambda x: np.reshape(x, 9, "B"), ValueError, ["'B'"]),
        (lambda x: np.take(x, 9, mode="no"), ValueError, ["'wrap'", "'no'"]),
        (lambda x: np.einsum(x, "ij"), TypeError, ["einsum", "list of labels"]),
        (lambda x: np.linalg.inv(0.0 * x), ValueError, ["inv", "Singular"]),
    ],
)
def test_refusals_name_both_sides(f, error, words):
    with pytest.raises(error) as raised:
        f(leaf(np.eye(3)))
    for word in words:
        assert word in str(raised.value)


def test_special_functions_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"pip install 'ngrad\[scipy\]'"):
        special.erfinv(leaf([0.5]))


# of memory, files and views in other types, which a tensor has none of
NOT_OF_TENSORS = "base byteswap ctypes device dump dumps flat getfield put resize setfield setflags to_device"
NOT_OF_TENSORS += " tofile view"
METHODS = [
    lambda a: a.mT,
    lambda a: a.compress([True, False], axis=0),
    lambda a: a.partition(0) if isinstance(a, Tensor) else np.partition(a, 0),
    lambda a: a.argpartition(0),
    lambda a: a.ravel().searchsorted([0.0, 3.0], "right"),
    lambda a: (Tensor if isinstance(a, Tensor) else np.array)([[1, 0, 1], [0, 0, 1]]).choose([a, -a]),
    lambda a: a.ravel("F"),
    lambda a: a.flatten("F"),
    lambda a: a.reshape(3, 2, order="F"),
    lambda a: a.reshape((3, -1)),
    lambda a: a.sum(dtype=np.float32),
    lambda a: a.sum(0, where=a > 0),
    lambda a: a.mean(axis=1, where=a < 3),
    lambda a: a.max(axis=0, initial=2.0),
    lambda a: a.prod(1, initial=2.0),
    lambda a: a.var(0, ddof=1),
    lambda a: a.std(axis=(0, 1), keepdims=True, where=a > 0),
    lambda a: a.cumsum(dtype=np.float32),
    lambda a: a.cumprod(1),
    lambda a: divmod(a, 2.0)[0],
    lambda a: divmod(3.0, a)[1],
    lambda a: a % 2.0,
    lambda a: 3.0 // a,
    lambda a: abs(-a),
    lambda a: (a > 0) & (a < 3) ^ (a == 1),
    lambda a: np.array(a.strides + (a.itemsize, a.flags.c_contiguous)),
    lambda a: np.frombuffer(a.tobytes()),
]


def test_tensors_have_ndarrays_methods():
    missing = {n for n in dir(np.ndarray) if not n.startswith("_") and not hasattr(Tensor, n)}
    assert missing == set(NOT_OF_TENSORS.split())


@pytest.mark.parametrize("method", METHODS)
def test_methods_are_ndarrays(method):
    a = np.array([[3.0, 1.0, 2.5], [0.5, -1.0, 4.0]])
    y, expected = method(leaf(a)), method(a)
    y = y.numpy() if isinstance(y, Tensor) and not y.requires_grad else getattr(y, "_data", y)
    assert y.dtype == expected.dtype
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_more_writes_in_place():
    a = np.array([[3.0, 1.0], [0.5, -1.0]])
    t = leaf(a).detach()
    same, t = t, operator.imod(t, 0.75)
    t = operator.imatmul(t, np.eye(2) + 1)
    assert t is same
    np.testing.assert_allclose(t.numpy(), a % 0.75 @ (np.eye(2) + 1))


@pytest.mark.parametrize("order", ["A", "K"])
def test_elements_in_the_order_of_memory(order):
    a = np.arange(6.0).reshape(2, 3)
    for plain in (a, a.T, a.copy(order="F")):
        t = wrap(plain).requires_grad_()
        np.testing.assert_array_equal(np.ravel(t, order).numpy(), np.ravel(plain, order))
        if order == "A":
            np.testing.assert_array_equal(
                np.reshape(t, (3, -1), order).numpy(), np.reshape(plain, (3, -1), order)
            )
        check_grads(lambda x: np.ravel(x, order) ** 2 * np.arange(6.0), plain)


# ---- autograd.numpy


def test_array_of_tensors():
    a, b = leaf(1.0, np.float32), leaf([2.0, 3.0], np.float32)
    y = anp.array([[a, 0.5], b])
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.numpy(), [[1.0, 0.5], [2.0, 3.0]])
    np.sum(y * y).backward()
    assert a.grad.item() == 2.0 and b.grad.tolist() == [4.0, 6.0]
    assert anp.array([a, a], dtype=np.float64).dtype == np.float64
    assert anp.asarray(b) is b and anp.array(b) is not b
    with pytest.raises(ValueError, match="stack"):
        anp.array([a, b])


def test_the_namespace_is_numpys():
    assert anp.tanh is np.tanh and anp.linalg.inv is np.linalg.inv and anp.fft.fft is np.fft.fft
    assert anp.pi == np.pi and anp.zeros is np.zeros and anp.random.default_rng is np.random.default_rng
    assert isinstance(anp.array([1.0, 2.0]), np.ndarray) and "arange" in dir(anp) and "inv" in dir(anp.linalg)
    with pytest.raises(AttributeError):
        anp.nothing_of_the_kind  # noqa: B018


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (lambda a, v: anp.put(a, [0, -1, 7], v), lambda a, v: np.put(a, [0, -1, 7], v)),
        (lambda a, v: anp.put(a, [2, 2], v), lambda a, v: np.put(a, [2, 2], v)),
        (
            lambda a, v: anp.put_along_axis(a, np.array([[1, 0, 0, 2]]), v[0], 0),
            lambda a, v: np.put_along_axis(a, np.array([[1, 0, 0, 2]]), v[0], 0),
        ),
        (
            lambda a, v: anp.put_along_axis(a, np.array([[3], [0], [-2]]), v[:, None], 1),
            lambda a, v: np.put_along_axis(a, np.array([[3], [0], [-2]]), v[:, None], 1),
        ),
        (lambda a, v: anp.place(a, a > 0, v), lambda a, v: np.place(a, a > 0, v)),
        (lambda a, v: anp.putmask(a, a > 0, v), lambda a, v: np.putmask(a, a > 0, v)),
        (lambda a, v: anp.fill_diagonal(a, v), lambda a, v: np.fill_diagonal(a, v)),
    ],
)
def test_updates_as_functions(ours, numpys):
    rng = np.random.default_rng(0)
    a, v = rng.standard_normal((3, 4)), rng.standard_normal(3)
    expected = a.copy()
    numpys(expected, v)
    np.testing.assert_allclose(ours(leaf(a), leaf(v)).numpy(), expected)
    check_grads(lambda a, v: ours(a, v) ** 2, a, v)

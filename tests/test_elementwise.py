"""What the table cannot ask of elementwise ops, reductions and softmax: slopes at kinks, the third order,
PyTorch's numbers, the lecture's, types, memory and errors."""

import numpy as np
import pytest

import autograd
from autograd import Tensor, gradient
from autograd.primitive import registry
from autograd.tensor import ops


def slope(f, x, order=1):
    """The derivative of f at each element of x."""
    t = Tensor(np.asarray(x, np.float64), requires_grad=True)
    y = f(t)
    for _ in range(order):
        y = gradient(np.sum(y), t, create_graph=True)
    return y.numpy()


KINKS = [
    ("relu", lambda x: ops.relu(x), [0.0], [0.0]),
    ("leaky_relu", lambda x: ops.leaky_relu(x), [0.0], [0.01]),
    ("abs", np.abs, [0.0], [0.0]),
    ("clip", lambda x: np.clip(x, 0.0, 1.0), [-1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 0.0]),
    ("maximum", lambda x: np.maximum(x, 0.0), [-1.0, 0.0, 1.0], [0.0, 0.5, 1.0]),
    ("minimum", lambda x: np.minimum(x, 0.0), [-1.0, 0.0, 1.0], [1.0, 0.5, 0.0]),
    ("max", np.max, [2.0, 1.0, 2.0, 2.0], [1 / 3, 0.0, 1 / 3, 1 / 3]),
    (
        "max over all axes",
        lambda x: np.max(x.reshape(2, 2), axis=(0, 1)),
        [2.0, 2.0, 1.0, 0.0],
        [0.5, 0.5, 0.0, 0.0],
    ),
    ("std of equals", np.std, [3.0, 3.0], [0.0, 0.0]),
    ("x ** 0", lambda x: x**0, [0.0, 2.0], [0.0, 0.0]),
    ("x ** 1", lambda x: x**1, [0.0, 2.0], [1.0, 1.0]),
    ("x ** 2", lambda x: x**2, [0.0, -3.0], [0.0, -6.0]),
    ("0 ** x", lambda x: 0.0**x, [0.0, 1.0, 2.0], [0.0, 0.0, 0.0]),
    ("zeros ** x", lambda x: np.zeros(3) ** x, [0.0, 1.0, 2.0], [0.0, 0.0, 0.0]),
    ("sqrt of a relu", lambda x: np.sqrt(np.where(x > 0, x, 1.0)), [-4.0, 4.0], [0.0, 0.25]),
    ("prod with a zero", np.prod, [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    ("prod with two zeros", np.prod, [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]),
    ("logsumexp of nothing", lambda x: ops.logsumexp(np.where(x > 0, x, -np.inf)), [-1.0, -1.0], [0.0, 0.0]),
]


@pytest.mark.parametrize(("f", "x", "expect"), [k[1:] for k in KINKS], ids=[k[0] for k in KINKS])
def test_slopes_at_kinks(f, x, expect):
    np.testing.assert_allclose(slope(f, x), expect, rtol=1e-12)


def test_masks_stop_infinite_cotangents():
    with np.errstate(divide="ignore"):
        assert slope(lambda x: np.sqrt(ops.relu(x)), [-1.0, 4.0]).tolist() == [0.0, 0.25]
        assert slope(lambda x: np.sqrt(np.where(x > 0, x, 0.0)), [-1.0, 4.0]).tolist() == [0.0, 0.25]
        assert slope(lambda x: np.sqrt(np.clip(x, 0.0, 9.0)), [-1.0, 4.0]).tolist() == [0.0, 0.25]


@pytest.mark.parametrize(("n", "expect"), [(0, 0.0), (1, 0.0), (2, 0.0), (3, 6.0), (4, 0.0)])
def test_third_derivative_of_powers_at_zero(n, expect):
    assert slope(lambda x: x**n + x**5, [0.0], order=3).tolist() == [expect]  # x ** 5 adds 60 x^2


def test_third_derivative_of_an_array_of_exponents_at_zero():
    assert slope(lambda x: x ** np.array([1, 2, 3, 4]), np.zeros(4), order=3).tolist() == [0.0, 0.0, 6.0, 0.0]


def test_mixed_derivative_of_a_power_with_exponent_zero():
    a = Tensor(np.array([2.0, 3.0]), requires_grad=True)
    b = Tensor(np.zeros(2), requires_grad=True)
    by_a = gradient(np.sum(a**b), a, create_graph=True)
    np.testing.assert_allclose(gradient(np.sum(by_a), b).numpy(), [1 / 2, 1 / 3])


def test_third_order_agrees_with_pytorch(torch):
    x = np.random.default_rng(0).uniform(0.3, 0.9, 6)
    pairs = [
        (np.tanh, torch.tanh),
        (ops.sigmoid, torch.sigmoid),
        (ops.softplus, torch.nn.functional.softplus),
        (np.sqrt, torch.sqrt),
        (np.log1p, torch.log1p),
        (np.arcsin, torch.arcsin),
        (np.tan, torch.tan),
        (lambda t: t**2.5, lambda t: t**2.5),
        (lambda t: 1.5**t, lambda t: 1.5**t),
        (lambda t: 1.0 / t, lambda t: 1.0 / t),
        (lambda t: np.prod(t) * t, lambda t: torch.prod(t) * t),
        (lambda t: np.cumprod(t), lambda t: torch.cumprod(t, 0)),
        (lambda t: ops.softmax(t) * t, lambda t: torch.softmax(t, -1) * t),
        (lambda t: ops.log_softmax(t) * t, lambda t: torch.log_softmax(t, -1) * t),
        (lambda t: ops.logsumexp(t), lambda t: torch.logsumexp(t, 0)),
        (lambda t: np.std(t, ddof=1) * t, lambda t: torch.std(t) * t),
    ]
    for ours, theirs in pairs:
        t = torch.tensor(x, requires_grad=True)
        y = theirs(t)
        for _ in range(3):
            (y,) = torch.autograd.grad(y.sum(), t, create_graph=True)
        np.testing.assert_allclose(slope(ours, x, order=3), y.detach().numpy(), rtol=1e-9, atol=1e-12)


def both_gradients(torch, ours, theirs, logits):
    t, u = Tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
    mine, other = ours(t), theirs(u)
    np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-12)
    mine.backward()
    other.backward()
    np.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("twin", [False, True], ids=["fused", "twin"])
def test_cross_entropy_agrees_with_pytorch(torch, twin):
    rng = np.random.default_rng(0)
    f = ops.softmax_cross_entropy.twin_function if twin else ops.softmax_cross_entropy
    cross_entropy = torch.nn.functional.cross_entropy
    logits = 5 * rng.standard_normal((7, 4))
    for labels in (rng.integers(0, 4, 7), rng.dirichlet(np.ones(4), 7), np.eye(4)[rng.integers(0, 4, 7)]):
        both_gradients(
            torch,
            lambda t, p=labels: np.mean(f(t, p)),
            lambda u, p=labels: cross_entropy(u, torch.tensor(p)),
            logits,
        )


def test_binary_cross_entropy_agrees_with_pytorch(torch):
    rng = np.random.default_rng(0)
    labels, logits = rng.random((7, 4)), 30 * rng.standard_normal((7, 4))
    theirs = torch.nn.functional.binary_cross_entropy_with_logits
    both_gradients(
        torch,
        lambda t: np.mean(ops.binary_cross_entropy_with_logits(t, labels)),
        lambda u: theirs(u, torch.tensor(labels)),
        logits,
    )


def test_the_lectures_numbers():
    """COURSE.md C2W3-softmax, C1W3-dacts, N-losses."""
    np.testing.assert_allclose(
        ops.softmax(np.array([5.0, 2.0, -1.0, 3.0])), [0.842, 0.042, 0.002, 0.114], atol=5e-4
    )
    np.testing.assert_allclose(
        slope(ops.sigmoid, [1.0, 2.0, 3.0]), [0.19661193, 0.10499359, 0.04517666], atol=5e-9
    )
    t = Tensor([[5.0, 2.0, -1.0, 3.0]], requires_grad=True)
    np.sum(ops.softmax_cross_entropy(t, np.array([3]))).backward()
    np.testing.assert_allclose(t.grad.numpy(), [[0.842, 0.042, 0.002, 0.114 - 1.0]], atol=5e-4)
    a, y = np.array([0.9, 0.2, 0.1, 0.4, 0.9]), np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    cost = np.mean(ops.binary_cross_entropy_with_logits(np.log(a / (1 - a)), y))
    np.testing.assert_allclose(cost, 0.29110317, atol=5e-9)


def test_losses_stay_finite_far_out():
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    for labels in (np.array([1, 1]), np.eye(3)[[1, 1]]):
        t = Tensor(logits, requires_grad=True)
        losses = ops.softmax_cross_entropy(t, labels)
        np.testing.assert_allclose(losses.numpy(), [2e4, 0.0])
        np.sum(losses).backward()
        assert t.grad.tolist() == [[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]


OPERANDS = [
    2,
    2.0,
    True,
    np.float64(2.0),
    np.array(2.0),
    np.int64(2),
    np.arange(1, 4),
    np.array([True, False, True]),
]


@pytest.mark.parametrize(
    "name", ["add", "subtract", "multiply", "divide", "power", "mod", "maximum", "minimum"]
)
@pytest.mark.parametrize("other", OPERANDS, ids=repr)
def test_no_operand_promotes_float32(name, other):
    for swapped in (False, True):
        if name in ("divide", "mod") and not np.all(other) and not swapped:
            continue
        t = Tensor([1.5, 2.5, 3.5], requires_grad=True)
        y = registry[name](other, t) if swapped else registry[name](t, other)
        assert y.dtype == np.float32
        assert all(
            part.dtype == np.float32 for part in y.node.plan.pull(np.ones(3, np.float32), y.node.saved)
        )
        again = gradient(np.sum(gradient(np.sum(y * y), t, create_graph=True)), t)
        assert again.dtype == np.float32


def test_limits_of_clip_promote_nothing_and_get_their_gradient():
    t = Tensor([-2.0, 0.0, 2.0], requires_grad=True)
    low, high = Tensor(-1.0, requires_grad=True), Tensor([1.0, 1.0, 1.0], requires_grad=True)
    y = np.clip(t, low, high)
    assert y.dtype == np.clip(t, np.float64(0), np.ones(3)[0]).dtype == np.float32
    np.sum(y * np.array([1.0, 10.0, 100.0], np.float32)).backward()
    assert (t.grad.tolist(), low.grad.item(), high.grad.tolist()) == (
        [0.0, 10.0, 0.0],
        1.0,
        [0.0, 0.0, 100.0],
    )


def test_a_clone_shares_no_memory():
    t = Tensor([1.0, 2.0], requires_grad=True)
    for copy in (t.clone(), np.copy(t), np.positive(t)):
        assert not np.shares_memory(copy.numpy(), t.numpy())


def test_sums_keep_no_array():
    t = Tensor(np.ones((50, 50)), requires_grad=True)
    for y in (np.sum(t, axis=0), np.mean(t), np.cumsum(t, axis=1), t + 1.0, t - t, -t):
        assert y.node.saved_bytes == 0


def test_where_on_large_arrays_is_numpys():
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        a, b = rng.standard_normal((2, 70, 40)).astype(dtype)
        a[3, 5], b[3, 6] = np.nan, -np.inf
        for mask in (rng.random((70, 40)) < 0.5, (rng.random((40, 70)) < 0.5).T):
            for x, z in (
                (a, b),
                (a, 0.0),
                (a, 0),
                (a[::-1], b[:, ::-1]),
                (0.0, a),
                (a, 2.0),
                (a, b.astype(np.float64)),
            ):
                got, expect = ops.where(mask, x, z), np.where(mask, x, z)
                assert got.dtype == expect.dtype
                np.testing.assert_array_equal(got, expect)


ERRORS = [
    (lambda t: ops.softmax_cross_entropy(t, np.array([0, 4])), ValueError, "labels must lie in 0..3, got 4"),
    (
        lambda t: ops.softmax_cross_entropy(t, np.array([-1, 3])),
        ValueError,
        "labels must lie in 0..3, got -1",
    ),
    (
        lambda t: ops.softmax_cross_entropy(t, np.array([0.0, 1.0])),
        TypeError,
        "must be integers, got float64",
    ),
    (
        lambda t: ops.softmax_cross_entropy(t, np.array([True, False])),
        TypeError,
        "must be integers, got bool",
    ),
    (
        lambda t: ops.softmax_cross_entropy(t, np.array([[0], [1]])),
        ValueError,
        "labels have shape (2, 1), logits (2, 4)",
    ),
    (
        lambda t: ops.softmax_cross_entropy(t, np.zeros(3, int)),
        ValueError,
        "labels have shape (3,), logits (2, 4)",
    ),
    (
        lambda t: ops.softmax_cross_entropy(Tensor([1, 2]), np.array(0)),
        TypeError,
        "logits must be floats, got int64",
    ),
    (
        lambda t: ops.softmax_cross_entropy(t, np.array([0, 1]), "sum"),
        ValueError,
        'reduction is "none" or "mean", got \'sum\'',
    ),
    (
        lambda t: ops.softmax_cross_entropy(t[:0], np.zeros(0, int), "mean"),
        ValueError,
        "the mean of no loss is undefined",
    ),
    (lambda t: ops.softmax_cross_entropy(t, t), TypeError, "no derivative with respect to labels"),
    (
        lambda t: ops.binary_cross_entropy_with_logits(t, np.zeros((4, 2))),
        ValueError,
        "shape (2, 4), labels (4, 2)",
    ),
    (lambda t: ops.dropout(t, np.ones((2, 4), bool), 0.0), ValueError, "0 < keep <= 1, got 0.0"),
    (lambda t: np.clip(t, 0.0, 1.0, t), ValueError, "give them once"),
    (lambda t: np.sum(t, 0, None, np.zeros(4)), TypeError, "sum: out="),
    (lambda t: np.sum(t, type=np.float64), TypeError, "type"),
    (lambda t: np.max(np.zeros((2, 0)) + t[:, :0]), ValueError, "max: zero-size array"),
]


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS, ids=[e[2] for e in ERRORS])
def test_errors_name_both_sides(call, kind, message):
    t = Tensor(np.ones((2, 4)), requires_grad=True)
    with pytest.raises(kind) as error:
        call(t)
    assert message in str(error.value)


def test_extreme_inputs_warn_of_nothing():
    x = np.array([-1e4, 1e4], np.float32)
    for f in (ops.sigmoid, ops.softplus, ops.softmax, ops.log_softmax, ops.logsumexp, np.tanh, ops.relu):
        assert np.isfinite(slope(f, x)).all()
        with autograd.no_grad():
            assert np.isfinite(f(Tensor(x)).numpy()).all()

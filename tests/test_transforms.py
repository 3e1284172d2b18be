"""Transforms of functions, checkpoints, and row-sparse gradients. The numbers are closed forms."""

import copy
import math
import pickle
import threading

import numpy as np
import pytest

import autograd as ag
from autograd import Rows, Tensor
from autograd.ops.index import rows_at
from autograd.primitive import primitive, registry


def f(x):
    return np.sum(np.sin(x) * x)


X = np.array([0.3, -1.2, 2.0])


def close(a, b):
    np.testing.assert_allclose(a.numpy() if isinstance(a, Tensor) else a, b, rtol=1e-10, atol=1e-12)


def test_grad_of_grad_of_grad():
    """(x sin x)' = sin x + x cos x; '' = 2 cos x - x sin x; ''' = -3 sin x - x cos x."""
    one = lambda x: np.sin(x) * x
    d = one
    for expected in (
        lambda x: math.sin(x) + x * math.cos(x),
        lambda x: 2 * math.cos(x) - x * math.sin(x),
        lambda x: -3 * math.sin(x) - x * math.cos(x),
    ):
        d = ag.grad(d)
        close(d(np.float64(0.7)), expected(0.7))


def test_value_and_grad_with_several_arguments():
    g = ag.value_and_grad(lambda a, b, c=2.0: np.sum(a * b * c), argnum=(0, 1))
    value, (ga, gb) = g(X, 2.0 * X, c=3.0)
    close(value, np.sum(6 * X * X))
    close(ga, 6 * X)
    close(gb, 3 * X)
    assert type(value) is np.float64 and type(ga) is np.ndarray
    value, (ga, gb) = g(Tensor(X), 2.0 * X, c=3.0)
    close(gb, 3 * X)
    assert isinstance(ga, Tensor) and not value.requires_grad and not ga.requires_grad


def test_arguments_of_dicts_lists_and_tuples():
    params = {"layers": [(X, 1.5), (2 * X, 2.5)], "scale": np.float64(3.0), "unused": np.ones(2)}
    loss = lambda p: np.sum(p["scale"] * sum(w * b for w, b in p["layers"]))
    g = ag.grad(loss)(params)
    close(g["layers"][0][0], 4.5 * np.ones(3))
    close(g["layers"][1][0], 7.5 * np.ones(3))
    np.testing.assert_allclose(g["layers"][1][1].item(), 6 * X.sum(), rtol=1e-6)
    close(g["scale"], np.sum(1.5 * X + 5 * X))
    close(g["unused"], np.zeros(2))
    assert isinstance(g["layers"][0], tuple)


def test_elementwise_grad_and_jacobian_and_hessian():
    close(ag.elementwise_grad(np.tanh)(X), 1 - np.tanh(X) ** 2)
    A = np.arange(6.0).reshape(2, 3)
    close(ag.jacobian(lambda x: A @ x)(X), A)
    J = ag.jacobian(lambda x: np.stack([x * x, x * 3.0]))(X)
    assert J.shape == (2, 3, 3)
    close(J, np.stack([np.diag(2 * X), 3 * np.eye(3)]))
    close(
        ag.hessian(lambda x: np.sum(x**3) + x[0] * x[1])(X),
        np.diag(6 * X) + [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
    )
    with pytest.warns(UserWarning, match="independent of input"):
        close(ag.hessian(lambda x: np.sum(x * 2.0))(X), np.zeros((3, 3)))
    close(ag.hessian(lambda x: np.sum(x * 2.0))(Tensor(X)), np.zeros((3, 3)))
    close(ag.jacobian(lambda x: np.zeros(2) + 0.0 * x[:2])(X), np.zeros((2, 3)))


def test_hessian_and_jacobian_of_containers():
    f = lambda p: np.sum(p["x"] ** 2) * np.sum(p["y"][0]) + np.sum(p["x"]) * 3.0
    for of in (np.array, Tensor):
        x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0])
        H = ag.hessian(f)({"x": of(x), "y": [of(y)]})
        close(H["x"]["x"], 2 * y.sum() * np.eye(2))
        close(H["x"]["y"][0], np.repeat(2 * x[:, None], 3, axis=1))
        close(H["y"][0]["x"], np.repeat(2 * x[None], 3, axis=0))
        close(H["y"][0]["y"][0], np.zeros((3, 3)))
        J = ag.jacobian(lambda x: {"double": x * 2.0, "all": (np.sum(x * x),)})(of(x))
        close(J["double"], 2 * np.eye(2))
        close(J["all"][0], 2 * x)
    blocks = ag.hessian(lambda a, b: np.sum(a * b), (0, 1))(X, X)
    close(blocks[0][1], np.eye(3))
    close(blocks[1][1], np.zeros((3, 3)))


def test_arguments_that_are_no_tuple():
    for function in (ag.jvp, ag.hvp):
        with pytest.raises(TypeError, match=r"args must be a tuple.*ndarray.*\(x,\)"):
            function(np.sum, X, X)


def test_jacobian_runs_one_backward_per_output_row():
    count = []

    @primitive()
    def counted(x):
        return x * 2.0

    @counted.vjp("x")
    def _(g):
        count.append(1)
        return g * 2.0

    try:
        ag.jacobian(lambda x: counted(x)[:2])(X)
        assert len(count) == 2
    finally:
        del registry["counted"]


def test_second_order_where_only_one_factor_requires_grad():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 2)), rng.standard_normal((2, 3))
    ag.check_grads(lambda w: np.tanh(np.matmul(x, w)), w)
    ag.check_grads(lambda x: np.tanh(np.matmul(x, w)), x)


def test_products():
    A = np.arange(9.0).reshape(3, 3)
    v = np.array([1.0, -1.0, 0.5])
    quadratic = lambda x: x @ A @ x
    close(ag.hvp(quadratic, (X,), (v,)), (A + A.T) @ v)
    value, push = ag.jvp(lambda x: np.sin(A @ x), (X,), (v,))
    close(value, np.sin(A @ X))
    close(push, np.cos(A @ X) * (A @ v))
    value, pull = ag.vjp(lambda x: np.sin(A @ x), X)
    close(pull(v), A.T @ (np.cos(A @ X) * v))
    close(pull(2 * v), A.T @ (np.cos(A @ X) * 2 * v))
    value, push = ag.jvp(lambda x, y: x * y, (X, 2 * X), (v, v))
    close(push, v * 2 * X + X * v)
    close(ag.jvp(lambda x: np.ones(2) * 3.0 + 0.0 * x[:2], (X,), (v,))[1], np.zeros(2))
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        ag.jvp(np.sin, (X,), (np.ones(2),))


def test_no_perturbation_confusion():
    """d/dx (x * d/dy (x + y)) = 1 at every x, not 2 (Siskind and Pearlmutter 2005)."""
    inner = lambda x: x * ag.grad(lambda y: x + y)(1.0)
    assert ag.grad(inner)(np.float64(3.0)).item() == 1
    twice = ag.grad(lambda x: x * ag.grad(lambda y: x * x * y * y)(2.0))
    close(twice(np.float64(3.0)), 4 * 3 * 9)


def test_gradients_reach_what_the_function_uses_from_outside():
    """A gradient penalty: d/dw of (d/dx sum(w x^2))^2 = d/dw 4 w^2 x^2."""
    w = Tensor(np.array([2.0]), requires_grad=True)
    slope = ag.grad(lambda x: np.sum(w * x * x))(np.array([3.0]))
    np.sum(slope**2).backward()
    assert w.grad.item() == 8 * 2 * 9
    x = Tensor(np.array([3.0]), requires_grad=True)
    ag.grad(lambda x: np.sum(x**3))(x).backward()
    assert x.grad.item() == 18


def test_derivatives_under_no_grad():
    with ag.no_grad():
        close(ag.grad(f)(X), np.sin(X) + X * np.cos(X))
        close(np.diagonal(ag.hessian(f)(X)), 2 * np.cos(X) - X * np.sin(X))


def test_bad_calls():
    with pytest.raises(ValueError, match=r"one number.*\(3,\).*jacobian"):
        ag.grad(np.sin)(X)
    with pytest.raises(ValueError, match="argument 1"):
        ag.grad(f, argnum=1)(X)
    with pytest.raises(TypeError, match="int64"):
        ag.grad(f)(np.arange(3))


# ---- checkpoint


def deep(x, w):
    for _ in range(4):
        x = np.tanh(x @ w)
    return x


def test_checkpoint_gives_the_same_derivatives_of_any_order():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3)), rng.standard_normal((3, 3))
    ag.check_grads(ag.checkpoint(deep), x, w, order=2)
    ag.check_grads(ag.checkpoint(lambda x, w: ag.checkpoint(deep)(x, w) * x), x, w, order=2)


def test_checkpoint_saves_nothing_and_reaches_parameters_from_outside():
    w = Tensor(np.eye(3) * 0.5, requires_grad=True)
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    y = ag.checkpoint(lambda x: deep(x, w))(x)
    nodes, saved = [y.node], 0
    while nodes:
        node = nodes.pop()
        saved += node.saved_bytes
        nodes += [v for v in node.inputs if v is not x and v is not w]
    assert saved == 0
    np.sum(y).backward()
    found = w.grad.numpy(), x.grad.numpy()
    w.grad = x.grad = None
    np.sum(deep(x, w)).backward()
    np.testing.assert_array_equal(found[0], w.grad.numpy())
    np.testing.assert_array_equal(found[1], x.grad.numpy())


def test_checkpoint_draws_the_same_masks_and_leaves_the_generator_where_it_was():
    x = Tensor(np.ones(1000), requires_grad=True)

    def drop(x):
        return x * (ag.random.generator().random(1000) < 0.5)

    ag.seed(3)
    y = ag.checkpoint(drop)(x)
    np.exp(y).sum().backward()
    after = ag.random.generator().random()
    kept = y.numpy() != 0
    np.testing.assert_allclose(x.grad.numpy(), np.where(kept, math.e, 0))
    ag.seed(3)
    ag.random.generator().random(1000)
    assert ag.random.generator().random() == after


def test_checkpoint_tells_when_it_replays():
    seen = []

    def watched(x):
        seen.append(ag.is_replaying())
        return np.exp(x)

    x = Tensor(1.0, requires_grad=True)
    ag.checkpoint(watched)(x).backward()
    assert seen == [False, True] and not ag.is_replaying()


def test_checkpoint_notices_writes_and_other_paths():
    w = Tensor(np.ones(2), requires_grad=True)
    y = ag.checkpoint(lambda x: np.exp(x * w))(Tensor(np.ones(2), requires_grad=True))
    with ag.no_grad():
        w += 1.0
    with pytest.raises(RuntimeError, match="version"):
        np.sum(y).backward()
    runs = []

    def fickle(x):
        runs.append(1)
        return np.exp(x) if len(runs) == 1 else np.tanh(x)

    y = ag.checkpoint(fickle)(Tensor(np.ones(2), requires_grad=True))
    with pytest.raises(RuntimeError, match="recorded exp"):
        np.sum(y).backward()


# ---- row-sparse cotangents


def test_rows_join_and_leaves_keep_them():
    table = Tensor(np.zeros((5, 2)), requires_grad=True)
    y = registry["gather"](table, np.array([1, 3]), sparse=True)
    z = registry["gather"](table, np.array([3]), sparse=True)
    (np.sum(y) + 10.0 * np.sum(z)).backward()
    assert isinstance(table.grad, Rows) and sorted(table.grad.indices) == [1, 3, 3]
    dense = np.array([[0, 0], [1, 1], [0, 0], [11, 11], [0, 0]])
    np.testing.assert_array_equal(table.grad.to_dense().numpy(), dense)
    once = table.grad.coalesce()
    assert list(once.indices) == [1, 3]
    np.testing.assert_array_equal(once.values, [[1, 1], [11, 11]])
    np.sum(registry["gather"](table, np.array([0]), sparse=True)).backward()
    assert isinstance(table.grad, Rows)
    np.sum(table).backward()
    dense[0] += 1
    np.testing.assert_array_equal(table.grad.numpy(), dense + 1)


def test_rows_meet_dense_cotangents():
    table = Tensor(np.ones((4, 2)), requires_grad=True)
    y = np.sum(registry["gather"](table, np.array([2]), sparse=True)) + np.sum(table * table)
    y.backward()
    expected = 2 * np.ones((4, 2))
    expected[2] += 1
    np.testing.assert_array_equal(table.grad.numpy(), expected)
    with pytest.raises(ValueError, match=r"\(4, 2\).*\(3, 2\)"):
        Rows([0], np.ones((1, 2)), (4, 2)) + Rows([0], np.ones((1, 2)), (3, 2))


def test_sparse_gather_has_every_order():
    ag.check_grads(
        lambda t: registry["gather"](t, np.array([1, 1, 0]), sparse=True) ** 3,
        np.random.default_rng(0).random((3, 2)),
    )


def test_rows_are_copied_pickled_and_handed_on():
    table = Tensor(np.ones((4, 2)), requires_grad=True)
    words = np.array([1, 2, 2])
    expected = np.array([[0, 0], [1, 1], [2, 2], [0, 0]])
    np.sum(rows_at(table, words, sparse=True)).backward()
    for again in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        np.testing.assert_array_equal(again.grad.to_dense().numpy(), expected)
        assert not np.shares_memory(again.grad.values, table.grad.values)
    table.zero_grad()
    np.sum(rows_at(table * 2.0, words, sparse=True)).backward()  # not the table itself
    np.testing.assert_array_equal(table.grad.numpy(), 2 * expected)


def test_transforms_of_rows():
    words = np.array([1, 2, 2])
    f = lambda t: np.sum(rows_at(t, words, sparse=True) ** 2)
    x = np.arange(4.0)[:, None]
    uses = np.array([0, 1, 2, 0])
    for of in (np.array, Tensor):
        close(ag.grad(f)(of(x)), 2 * x * uses[:, None])
        close(ag.jacobian(lambda t: rows_at(t, words, sparse=True))(of(x))[:, 0, :, 0], np.eye(4)[words])
        close(ag.hessian(f)(of(x))[:, 0, :, 0], 2 * np.diag(uses))
        close(ag.hvp(f, (of(x),), (of(x),)), 2 * x * uses[:, None])


# ---- threads


def _train(seed, steps=30):
    ag.seed(seed)
    w = Tensor(ag.random.generator().standard_normal((16, 16)), requires_grad=True)
    for _ in range(steps):
        x = ag.random.generator().standard_normal((8, 16))
        loss = np.mean(np.tanh(x @ w) ** 2)
        loss.backward()
        with ag.no_grad():
            w -= 0.1 * w.grad
        w.zero_grad()
    return w.numpy().copy()


def test_two_threads_train_as_one_after_the_other():
    results: dict = {}
    run = lambda seed: results.update({seed: _train(seed)})
    alone = []
    for seed in (1, 2):
        thread = threading.Thread(target=lambda s=seed: alone.append(_train(s)))
        thread.start()
        thread.join()
    together = [threading.Thread(target=run, args=(seed,)) for seed in (1, 2)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    for seed, expected in zip((1, 2), alone, strict=True):
        np.testing.assert_array_equal(results[seed], expected)

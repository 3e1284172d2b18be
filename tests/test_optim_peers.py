"""Optimizers beside PyTorch's: the same 20 steps in float64, for every option."""

import numpy as np
import pytest

import optim
from autograd import Tensor
from autograd.rows import Rows
from tests.optimizers import NAMES, ROWS, gave

pytestmark = pytest.mark.slow

ALIKE = [(name, options) for name, row in ROWS.items() for options in row.runs if not row.closure]
WITH_CLOSURE = [(name, options) for name, row in ROWS.items() for options in row.runs if row.closure]
# PyTorch's has no such option: tests/test_optim_lecture.py holds it to the lecture's formula
NOT_THERE = {"SGD": {"average"}}


@pytest.fixture
def doubles(torch):
    """PyTorch with numbers of its optimizers' states in float64 too."""
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(torch.float32)


def test_every_optimizer_has_a_row_and_every_option_a_run():
    assert set(NAMES) == set(ROWS)
    for name in NAMES:
        if ROWS[name].peer:
            (p,), optimizer = gave(name, np.zeros((1, 1)))
            used = {option for options in ROWS[name].runs for option in options} | NOT_THERE.get(name, set())
            assert used >= optimizer.defaults.keys() - {"lr"}, name


def test_names_order_and_defaults_of_options_are_pytorchs(torch):
    import inspect

    for name in NAMES:
        if ROWS[name].peer:
            ours = inspect.signature(getattr(optim, name)).parameters
            theirs = inspect.signature(getattr(torch.optim, name)).parameters
            named = {k for k, p in ours.items() if p.kind is not p.KEYWORD_ONLY}
            assert list(ours)[: len(named)] == [k for k in theirs if k in named], name
            for option in ours.keys() - NOT_THERE.get(name, set()) - {"params"}:
                assert ours[option].default == theirs[option].default, (name, option)


@pytest.mark.parametrize(("name", "options"), ALIKE)
def test_twenty_steps_agree_with_pytorch(name, options, doubles, monkeypatch):
    """Gradients that are sometimes absent, and a learning rate that changes on the way."""
    # Muon iterates in bfloat16, to 2 digits; here in what it is given, so that all of them can be compared.
    monkeypatch.setattr(doubles.Tensor, "bfloat16", doubles.Tensor.clone)
    rng = np.random.default_rng(0)
    shapes = [(5, 4), (3, 4), (4, 4)] if name == "Muon" else [(3, 4), (5,), (), (2, 3, 4)]
    starts = [rng.standard_normal(shape) for shape in shapes]
    ours, optimizer = gave(name, *starts, **options)
    theirs = [doubles.tensor(a, requires_grad=True) for a in starts]
    wanted = getattr(doubles.optim, name)(theirs, **options)
    for step in range(20):
        for k, (p, q) in enumerate(zip(ours, theirs)):
            g, absent = rng.standard_normal(p.shape), k == 1 and step % 3 == 1
            p.grad, q.grad = (None, None) if absent else (Tensor(g), doubles.tensor(g))
        if step == 10:
            optimizer.param_groups[0]["lr"] *= 0.5
            wanted.param_groups[0]["lr"] *= 0.5
        optimizer.step()
        wanted.step()
        for p, q in zip(ours, theirs):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-9, atol=1e-12)


def valley(a, b, steep=10):
    """Rosenbrock's, and a bowl."""
    return ((1 - a[:-1]) ** 2 + steep * (a[1:] - a[:-1] ** 2) ** 2).sum() + ((b - 3) ** 2).sum() * 0.5


@pytest.mark.parametrize(("name", "options"), WITH_CLOSURE)
@pytest.mark.parametrize(("steps", "shorter", "steep"), [(4, {}, 10), (20, {"max_iter": 2}, 2)])
def test_steps_with_a_closure_agree_with_pytorch(name, options, steps, shorter, steep, doubles):
    options = {**shorter, **options}
    starts = np.array([-1.2, 1.0, 0.5, 0.3]), np.array([[0.0, 1.0], [2.0, -1.0]])
    ours, optimizer = gave(name, *starts, **options)
    theirs = [doubles.tensor(a, requires_grad=True) for a in starts]
    wanted = getattr(doubles.optim, name)(theirs, **options)
    evaluations = []

    def closure_of(parameters, optimizer):
        def closure():
            optimizer.zero_grad()
            loss = valley(*parameters, steep)
            loss.backward()
            evaluations.append(loss.item())
            return loss

        return closure

    for _ in range(steps):
        first = optimizer.step(closure_of(ours, optimizer))
        mine, evaluations[:] = evaluations[:], []
        assert first.item() == pytest.approx(
            wanted.step(closure_of(theirs, wanted)).item(), rel=1e-9, abs=1e-12
        )
        np.testing.assert_allclose(mine, evaluations, rtol=1e-9, atol=1e-12)
        evaluations.clear()
        for p, q in zip(ours, theirs):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_rosenbrock_is_solved():
    (a, b), optimizer = gave(
        "LBFGS", np.array([-1.2, 1.0]), np.zeros(1), line_search_fn="strong_wolfe", tolerance_change=1e-15
    )

    def closure():
        optimizer.zero_grad()
        loss = valley(a, b)
        loss.backward()
        return loss

    for _ in range(10):
        optimizer.step(closure)
    np.testing.assert_allclose(a.numpy(), 1, atol=1e-6)
    np.testing.assert_allclose(b.numpy(), 3, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "peer"),
    [
        ("SGD", {"lr": 0.1}, "SGD"),
        ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}, "Adagrad"),
        ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-14}, "SparseAdam"),
        ("Adam", {"lr": 0.1, "maximize": True, "eps": 1e-14}, "SparseAdam"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_row_sparse_gradients_agree_with_pytorch(name, options, peer, doubles):
    """SparseAdam adds eps before the correction of the bias, Adam after it: so a tiny one."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((7, 3))
    (ours,), optimizer = gave(name, table, **options)
    theirs = doubles.tensor(table, requires_grad=True)
    wanted = getattr(doubles.optim, peer)([theirs], **options)
    for _ in range(20):
        rows, values = rng.integers(0, 7, 4), rng.standard_normal((4, 3))
        ours.grad = Rows(rows, values, (7, 3))
        theirs.grad = doubles.sparse_coo_tensor(rows[None], values, (7, 3), check_invariants=True)
        optimizer.step()
        wanted.step()
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-9)

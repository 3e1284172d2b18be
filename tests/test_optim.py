"""What every optimizer must do, tested on every optimizer that `optim` has."""

import copy

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor
from autograd.rows import Rows
from tests.optimizers import NAMES, ROWS, gave, quadratic, starts, take

every_optimizer = pytest.mark.parametrize("name", NAMES)
without_closure = pytest.mark.parametrize("name", [name for name in NAMES if not ROWS[name].closure])
ELEMENTWISE = [name for name in NAMES if issubclass(getattr(optim, name), optim.Elementwise)]


def closure_of(parameters, optimizer, gradients):
    """A closure that leaves these gradients; the loss is the linear function that has them."""

    def closure():
        optimizer.zero_grad()
        loss = sum((p * g).sum() for p, g in zip(parameters, gradients) if g is not None)
        loss.backward()
        return loss

    return closure


@every_optimizer
def test_finds_the_minimum_of_a_quadratic(name):
    row = ROWS[name]
    parameters, optimizer = gave(name, *starts(name), **row.minimum)
    take(row.steps, parameters, optimizer)
    for p in parameters:
        np.testing.assert_allclose(
            p.numpy(), np.arange(1.0, p.size + 1).reshape(p.shape), rtol=0, atol=row.within
        )


@every_optimizer
def test_keeps_shape_and_dtype_and_writes_in_place(name):
    empty = np.zeros((0, 3), np.float32)
    parameters, optimizer = gave(name, *starts(name, np.float32), empty, lr=np.float64(0.1))
    arrays = [p.numpy() for p in parameters]
    versions = [p.version for p in parameters]
    take(2, parameters, optimizer)
    for p, array, version in zip(parameters, arrays, versions):
        assert p.dtype == np.float32
        assert p.shape == array.shape
        assert np.shares_memory(array, p.numpy()) or not p.size
        assert p.version > version
    state = optimizer.state_dict()["state"]
    assert all(v.dtype == np.float32 for s in state.values() for v in s.values() if isinstance(v, np.ndarray))


@every_optimizer
def test_does_not_touch_the_gradients(name):
    parameters, optimizer = gave(name, np.ones((2, 2)))
    kept = []

    def closure():
        parameters[0].grad = Tensor([[1.0, -2.0], [3.0, 0.5]])
        kept.append(parameters[0].grad)
        return (parameters[0] * parameters[0].grad).sum()

    optimizer.step(closure)
    optimizer.step(closure)
    assert all(g.tolist() == [[1.0, -2.0], [3.0, 0.5]] for g in kept)


@every_optimizer
def test_step_returns_the_loss_of_the_closure_and_records_inside_it(name):
    (p,), optimizer = gave(name, np.ones((2, 2)))

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with autograd.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert p.tolist() != [[1.0, 1.0], [1.0, 1.0]]


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 40])
def test_state_round_trip_goes_on_bit_for_bit(name, dtype, scale):
    """Two runs of 5 + 5 steps, one interrupted by a state_dict; scaled up, in the kernels."""
    first = [np.zeros([n * scale for n in shape], dtype) for shape in ROWS[name].shapes]
    options = {**ROWS[name].runs[-1]} if ROWS[name].runs else {}
    whole, optimizer = gave(name, *first, **{**options, "lr": 0.05})
    take(5, whole, optimizer)
    halfway = copy.deepcopy(optimizer.state_dict())
    resumed, other = gave(name, *(p.numpy() for p in whole), lr=0.5)
    other.load_state_dict(halfway)
    take(5, whole, optimizer)
    take(5, resumed, other)
    for p, q in zip(whole, resumed):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert other.param_groups[0]["lr"] == 0.05


@every_optimizer
def test_loaded_state_is_a_copy(name):
    one, optimizer = gave(name, np.zeros((3, 3)))
    take(2, one, optimizer)
    two, other = gave(name, np.zeros((3, 3)))
    other.load_state_dict(optimizer.state_dict())
    before = copy.deepcopy(optimizer.state_dict()["state"])
    take(2, two, other)
    np.testing.assert_equal(optimizer.state_dict()["state"], before)


@every_optimizer
def test_state_is_arrays_and_numbers_and_options_are_json(name):
    import json

    parameters, optimizer = gave(name, *starts(name))
    take(3, parameters, optimizer)
    saved = optimizer.state_dict()
    assert all(type(v) in (int, float, np.ndarray) for s in saved["state"].values() for v in s.values())
    through = {"state": saved["state"], "param_groups": json.loads(json.dumps(saved["param_groups"]))}
    optimizer.load_state_dict(through)
    take(1, parameters, optimizer)


@without_closure
def test_parameters_without_gradient_stay_and_start_when_they_have_one(name):
    (moved, late), optimizer = gave(name, np.ones((2, 2)), np.ones((2, 2)), lr=0.1)
    g = np.array([[1.0, -1.0], [2.0, 0.5]])
    moved.grad = Tensor(g)
    optimizer.step()
    assert late.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert moved.tolist() != late.tolist()
    assert list(optimizer.state_dict()["state"]) == [0]
    first = moved.numpy().copy()
    moved.grad, late.grad = None, Tensor(g)
    optimizer.step()
    np.testing.assert_array_equal(late.numpy(), first)  # the first step of a late one is a first step
    np.testing.assert_array_equal(moved.numpy(), first)
    optimizer.zero_grad()
    assert late.grad is None


@without_closure
def test_a_frozen_parameter_stays_and_its_state_waits(name):
    (p,), optimizer = gave(name, np.ones((2, 2)), lr=0.1)
    (q,), reference = gave(name, np.ones((2, 2)), lr=0.1)
    rng = np.random.default_rng(0)
    for step in range(6):
        g = Tensor(rng.standard_normal((2, 2)))
        p.grad = g
        p.requires_grad_(step not in (2, 3))
        optimizer.step()
        if step not in (2, 3):
            q.grad = g
            reference.step()
        np.testing.assert_array_equal(p.numpy(), q.numpy())


@pytest.mark.parametrize("name", [name for name in NAMES if ROWS[name].closure])
def test_with_a_closure_too_frozen_parameters_stay_until_they_are_unfrozen(name):
    (moved, frozen, unused), optimizer = gave(name, np.zeros(3), np.zeros((2, 2)), np.ones(2))
    frozen.requires_grad_(False)
    take(6, [moved, frozen], optimizer)
    np.testing.assert_allclose(moved.numpy(), [1, 2, 3], atol=1e-4)
    assert frozen.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    frozen.requires_grad_(True)
    take(6, [moved, frozen], optimizer)
    np.testing.assert_allclose(frozen.numpy(), [[1, 2], [3, 4]], atol=1e-4)
    assert unused.tolist() == [1.0, 1.0]


@without_closure
def test_a_group_added_later_starts_from_its_first_step(name):
    (p,), optimizer = gave(name, np.ones((2, 2)), lr=0.1)
    p.grad = Tensor([[1.0, 2.0], [-1.0, 0.5]])
    optimizer.step()
    after_one = p.numpy().copy()
    late = Tensor(np.ones((2, 2)), requires_grad=True)
    optimizer.add_param_group({"params": [late]})
    late.grad = p.grad
    optimizer.step()
    np.testing.assert_array_equal(late.numpy(), after_one)
    resumed = type(optimizer)([{"params": [p]}, {"params": [late]}])
    resumed.load_state_dict(optimizer.state_dict())
    assert list(resumed.state_dict()["state"]) == [0, 1]


@without_closure
def test_groups_override_options(name):
    fast, slow = (Tensor(np.zeros((1, 1)), requires_grad=True) for _ in range(2))
    optimizer = getattr(optim, name)([{"params": [fast], "lr": 0.02}, {"params": slow}], lr=0.01)
    fast.grad, slow.grad = Tensor([[1.0]]), Tensor([[1.0]])
    optimizer.step()
    np.testing.assert_allclose(fast.item(), 2 * slow.item(), rtol=1e-6)
    assert [g["params"] for g in optimizer.state_dict()["param_groups"]] == [[0], [1]]
    assert repr(optimizer).startswith(f"{name}(\n  group 0: 1 parameters, lr=0.02")


@every_optimizer
def test_a_write_is_seen_by_a_backward_that_needs_the_old_value(name):
    (p,), optimizer = gave(name, np.ones((2, 2)))
    loss = (p * p).sum()
    optimizer.step(closure_of([p], optimizer, [Tensor(np.ones((2, 2)))]))
    with pytest.raises(RuntimeError, match="written in place"):
        loss.backward()


@every_optimizer
def test_an_empty_state_round_trip_before_any_step(name):
    _, optimizer = gave(name, np.ones((2, 2)), lr=0.3)
    _, other = gave(name, np.ones((2, 2)))
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["lr"] == 0.3
    assert other.state == {}


@every_optimizer
def test_is_copied_with_its_parameters(name):
    parameters, optimizer = gave(name, np.zeros((3, 3)), lr=0.05)
    take(3, parameters, optimizer)
    twins, twin = copy.deepcopy((parameters, optimizer))
    take(3, parameters, optimizer)
    take(3, twins, twin)
    np.testing.assert_array_equal(twins[0].numpy(), parameters[0].numpy())


@every_optimizer
def test_trains_a_network(name):
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([[0], [1], [1], [0]])
    loss_of = nn.BCEWithLogitsLoss()
    first = loss_of(net(x), y).item()
    faster = {"SGD": {"momentum": 0.9}, "Adadelta": {"eps": 1e-3}, "Adafactor": {"lr": 0.3}}
    matrices = [p for p in net.parameters() if p.ndim == 2]
    lr = {"Adadelta": 1.0, "Adagrad": 0.5, "ASGD": 0.5, "LBFGS": 1.0}.get(name, 0.05)
    held = matrices if name == "Muon" else list(net.parameters())
    optimizer = getattr(optim, name)(held, **{"lr": lr, **faster.get(name, {})})

    def closure():
        net.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        return loss

    for _ in range(60 if name == "LBFGS" else 1500):
        optimizer.step(closure)
    assert loss_of(net(x), y).item() < (0.6 if name == "Muon" else 0.1) * first


# ---- gradients of some rows only


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_row_sparse_gradients_move_only_their_rows_as_a_dense_step_would(name):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((6, 2))
    (table,), optimizer = gave(name, start, lr=0.1)
    (dense,), reference = gave(name, start, lr=0.1)
    values = rng.standard_normal((3, 2))
    table.grad = Rows([1, 3, 1], values, (6, 2))
    dense.grad = table.grad.to_dense()
    optimizer.step()
    reference.step()
    used, unused = [1, 3], [0, 2, 4, 5]
    np.testing.assert_allclose(table.numpy()[used], dense.numpy()[used], rtol=1e-12)
    np.testing.assert_array_equal(table.numpy()[unused], start[unused])
    for key, value in optimizer.state[table].items():
        if isinstance(value, np.ndarray):
            fresh = optimizer.start(start, optimizer.param_groups[0])[key]
            np.testing.assert_array_equal(value[unused], fresh[unused])


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ELEMENTWISE and not ROWS[n].closure])
def test_row_sparse_gradients_count_as_their_dense_form(name):
    (table,), optimizer = gave(name, np.ones((4, 2)), lr=0.1)
    (dense,), reference = gave(name, np.ones((4, 2)), lr=0.1)
    table.grad = Rows([1, 3, 1], np.ones((3, 2)), (4, 2))
    dense.grad = table.grad.to_dense()
    optimizer.step()
    reference.step()
    np.testing.assert_array_equal(table.numpy(), dense.numpy())


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_cost_of_rows_does_not_depend_on_the_table(name):
    """What NumPy allocates in a step over 3 rows, of a table of 100,000, with each set of options."""
    import tracemalloc

    for options in ROWS[name].runs or [{}]:
        (table,), optimizer = gave(name, np.ones((100_000, 8), np.float32), **options)
        for _ in range(2):  # the first makes the state
            table.grad = Rows([5, 7, 5], np.ones((3, 8), np.float32), table.shape)
            tracemalloc.start()
            optimizer.step()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 50_000, name


def test_an_embedding_trains_by_its_rows():
    weight = Tensor(np.zeros((50, 3)), requires_grad=True)
    optimizer = optim.Adam([weight], lr=0.1)
    words = np.array([3, 7, 3])
    for _ in range(200):
        optimizer.zero_grad()
        ((nn.functional.embedding(words, weight, sparse=True) - 2.0) ** 2).sum().backward()
        assert type(weight.grad) is Rows
        optimizer.step()
    np.testing.assert_allclose(weight.numpy()[[3, 7]], 2, atol=1e-2)
    assert np.count_nonzero(weight.numpy()) == 6


def test_accumulated_gradients_are_those_of_the_whole_batch():
    x = np.random.default_rng(0).standard_normal((12, 3))
    (a,), one = gave("Adam", np.zeros(3))
    (b,), other = gave("Adam", np.zeros(3))
    ((x @ a - 1) ** 2).mean().backward()
    for part in np.split(x, 4):
        (((part @ b - 1) ** 2).mean() / 4).backward()
    one.step()
    other.step()
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_quadratic_is_what_it_says():
    p = Tensor(np.array([1.0, 2.0, 4.0]))
    assert quadratic([p]).item() == 2.0

"""The kernels of optimizers: each rule's own lines, compiled, beside the same lines run by NumPy."""

import importlib
import os
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import optim
from autograd import Tensor
from autograd.kernels import threads, update
from optim.rule import LARGE, UNCHANGED, Rule
from tests.optimizers import NAMES, ROWS, gave

MODULES = [importlib.import_module(f"optim.{m.name}") for m in pkgutil.iter_modules(optim.__path__)]
RULES = {
    f"{module.__name__}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Rule)
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
# Empty and 0-d ones, tails of vectors, and some that chunks cut through
SHAPES = [(3, 5), (0,), (), (17,), (400, 700), (1,), (129,), (64, 64), (300_001,)]


def numbers_of(rule):
    """Numbers that fit any rule: below 1, and no two alike."""
    code = rule.function.__code__
    return tuple(0.9 - 0.1 * k for k in range(code.co_argcount - code.co_posonlyargcount))


def rows_of(rule, dtype=np.float32, shapes=SHAPES):
    """Arrays for a rule; what is squared or summed so far is positive, as in real life."""
    rng, names = np.random.default_rng(0), rule.function.__code__.co_varnames
    positive = {"v", "s", "u", "most", "size"}

    def array(name, shape):
        a = rng.standard_normal(shape)
        # centered RMSprop subtracts the square of a from s: rounding errors must not be all that is left
        return np.asarray(np.abs(a) + 1.5 if name in positive else 0.2 * a if name == "a" else a, dtype)

    arrays = names[: rule.function.__code__.co_posonlyargcount]
    return [tuple(array(name, shape) for name in arrays) for shape in shapes]


def changes_of(rule):
    """A rule of w and g may come with weight decay and a sign."""
    first = rule.function.__code__.co_varnames[:2]
    return [UNCHANGED, (-1.0, 0.25, 0.5)] if first == ("w", "g") else [UNCHANGED]


def test_there_are_rules():
    assert len(RULES) >= 15


@every_rule
def test_kernel_agrees_with_numpy(rule):
    for change in changes_of(rule):
        rows, wide = rows_of(rule), [tuple(a.astype(np.float64) for a in row) for row in rows_of(rule)]
        rule(rows, numbers_of(rule), change)
        for row in wide:
            rule.plain(row, numbers_of(rule), change)
        for got, expected in zip(rows, wide):
            for a, b in zip(got, expected):
                np.testing.assert_allclose(a, b, rtol=3e-5, atol=3e-6)


@every_rule
def test_kernel_writes_what_it_says_only(rule):
    rows, before = rows_of(rule), rows_of(rule)
    rule(rows, numbers_of(rule))
    names = rule.function.__code__.co_varnames
    for got, old in zip(rows, before):
        for k, (a, b) in enumerate(zip(got, old)):
            assert a.dtype == np.float32
            if names[k] not in rule.written:
                np.testing.assert_array_equal(a, b)


@every_rule
def test_the_same_bits_on_any_number_of_threads(rule):
    most = threads.get_num_threads()
    got = []
    for n in {1, most}:
        threads.set_num_threads(n)
        rows = rows_of(rule)
        rule(rows, numbers_of(rule))
        got.append(rows)
    threads.set_num_threads(most)
    for one, other in zip(got[0], got[-1]):
        np.testing.assert_equal(one, other)


@every_rule
def test_a_mixture_of_types_is_taken_apart(rule):
    rows = rows_of(rule) + rows_of(rule, np.float64)
    alone = rows_of(rule, np.float64)
    rule(rows, numbers_of(rule))
    rule(alone, numbers_of(rule))
    for mixed, wanted in zip(rows[len(SHAPES) :], alone):
        np.testing.assert_equal(mixed, wanted)


def test_a_sum_of_squares_is_exact_to_float64():
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
    expected = sum(float(np.sum(a.astype(np.float64) ** 2)) for a in arrays)
    assert update.sum_of_squares(arrays) == pytest.approx(expected, rel=1e-12)
    assert update.sum_of_squares([np.zeros((0, 3), np.float32)]) == 0


@pytest.mark.parametrize("name", [name for name in NAMES if not ROWS[name].closure])
def test_float32_steps_in_kernels_follow_float64(name):
    """Ten steps over more than LARGE numbers; gradients of any layout."""
    rng = np.random.default_rng(0)
    shapes = [(80, 70), (5, 4)] if name == "Muon" else [(80, 70), (33,), (2, 3, 4), ()]
    starts = [rng.standard_normal(shape) for shape in shapes]
    has_eps = type(gave(name, np.ones((2, 2)))[1].defaults.get("eps")) is float
    options = {"eps": 1e-3} if has_eps else {}
    wide, reference = gave(name, *starts, lr=0.01, **options)
    narrow, optimizer = gave(name, *[a.astype(np.float32) for a in starts], lr=0.01, **options)
    assert sum(p.size for p in narrow) >= LARGE
    for step in range(10):
        for k, (p, q) in enumerate(zip(wide, narrow)):
            g = rng.standard_normal(p.shape).astype(np.float32)
            p.grad, q.grad = Tensor(g.astype(np.float64)), Tensor(g)
            if k == 0 and step % 2:
                q.grad._data = np.asfortranarray(g)
        reference.step()
        optimizer.step()
    for p, q in zip(wide, narrow):
        if name in ("Lion", "Rprop"):  # the sign of a number near 0 may differ
            assert np.mean(np.abs(p.numpy() - q.numpy()) > 1e-4) < 0.01
        else:
            np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=1e-3, atol=1e-4)


def test_read_only_and_broadcast_gradients():
    (p,), optimizer = gave("SGD", np.zeros((100, 100), np.float32), lr=1.0)
    p.grad = Tensor(0.0)
    p.grad._data = np.broadcast_to(np.float32(0.5), (100, 100))
    optimizer.step()
    np.testing.assert_array_equal(p.numpy(), -0.5)


def test_small_models_load_no_compiler():
    program = """
import sys, numpy as np, optim
from autograd import Tensor
for kind in (optim.SGD, optim.Adam):
    w = Tensor(np.zeros((30, 30), np.float32), requires_grad=True)
    optimizer = kind([w], lr=0.1)
    w.grad = Tensor(np.ones((30, 30), np.float32))
    optim.clip_grad_norm_([w], 1.0)
    optimizer.step()
print("numba" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ)
    assert done.stdout.strip() == "False", done.stderr

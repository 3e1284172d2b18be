"""The recurrent kernels against NumPy's steps in float64: every unit, tail, direction and length."""

import numpy as np
import pytest

import autograd
from autograd import Tensor
from autograd.ops import sequence
from autograd.ops.gru import gru
from autograd.ops.recurrent import lstm, rnn

SIZES = [(1, 5, 3, 33), (3, 4, 5, 7), (17, 6, 8, 20), (40, 3, 40, 64)]  # m, T, n_x, n


def of_rnn(normal, m, T, n_x, n):
    return rnn, (normal(m, T, n_x), normal(m, n), normal(n, n_x), normal(n, n) / n**0.5, normal(n)), {}


def of_relu(normal, *size):
    return *of_rnn(normal, *size)[:2], {"nonlinearity": "relu"}


def of_lstm(normal, m, T, n_x, n):
    weights = normal(4 * n, n_x), normal(4 * n, n) / n**0.5, normal(4 * n)
    return lstm, (normal(m, T, n_x), normal(m, n), normal(m, n), *weights), {}


def of_peephole(normal, m, T, n_x, n):
    op, arguments, _ = of_lstm(normal, m, T, n_x, n)
    return op, (*arguments, normal(3, n)), {}


def of_gru(normal, m, T, n_x, n):
    weights = normal(3 * n, n_x), normal(3 * n, n) / n**0.5, normal(3 * n), normal(3 * n)
    return gru, (normal(m, T, n_x), normal(m, n), *weights), {}


def of_gru_before(normal, *size):
    return *of_gru(normal, *size)[:2], {"reset_after": False}


UNITS = [of_rnn, of_relu, of_lstm, of_peephole, of_gru, of_gru_before]


def results(op, arguments, options, dtype, last_only=False):
    """The outputs, and the gradients of a sum of them with random weights."""
    inputs = [Tensor(a.astype(dtype), requires_grad=True) for a in arguments]
    outputs = op(*inputs, **options)
    used = outputs[1:] if last_only else outputs
    rng = np.random.default_rng(1)
    sum((y * rng.normal(size=y.shape).astype(dtype)).sum() for y in used).backward()
    return [y.numpy() for y in outputs] + [t.grad.numpy() for t in inputs]


@pytest.fixture(autouse=True)
def always(monkeypatch):
    monkeypatch.setattr(sequence, "KERNEL", 0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("unit", UNITS)
def test_agrees_with_the_steps_in_float64(unit, size, ragged, reverse):
    rng = np.random.default_rng(0)
    op, arguments, options = unit(lambda *shape: 0.5 * rng.normal(size=shape), *size)
    options = {**options, "reverse": reverse}
    if ragged:
        options["lengths"] = rng.integers(0, size[1] + 1, size[0])
        options["lengths"][-1] = size[1] - 1
    exact = results(op, arguments, options, np.float64)
    for true, got in zip(exact, results(op, arguments, options, np.float32), strict=True):
        assert got.dtype == np.float32
        assert np.abs(true - got).max() <= 1e-5 * np.sqrt(np.mean(true**2)) + 1e-7


@pytest.mark.parametrize("unit", UNITS)
def test_where_only_the_last_state_is_used(unit):
    rng = np.random.default_rng(0)
    op, arguments, options = unit(lambda *shape: 0.5 * rng.normal(size=shape), 5, 4, 3, 6)
    exact = results(op, arguments, options, np.float64, True)
    for true, got in zip(exact, results(op, arguments, options, np.float32, True), strict=True):
        assert np.abs(true - got).max() <= 1e-5 * np.sqrt(np.mean(true**2)) + 1e-7


@pytest.mark.parametrize("unit", UNITS)
def test_padding_holds_nothing_back(unit):
    """Not even a NaN behind the end of a sequence shows."""
    rng = np.random.default_rng(0)
    op, arguments, options = unit(lambda *shape: 0.5 * rng.normal(size=shape), 4, 6, 3, 8)
    options = {**options, "lengths": [2, 6, 0, 3]}
    clean = results(op, arguments, options, np.float32)
    for m, length in enumerate(options["lengths"]):
        arguments[0][m, length:] = np.nan
    for before, after in zip(clean, results(op, arguments, options, np.float32), strict=True):
        assert np.array_equal(before, after)


@pytest.mark.parametrize("unit", UNITS)
def test_threads_change_no_bit(unit):
    rng = np.random.default_rng(0)
    op, arguments, options = unit(lambda *shape: 0.5 * rng.normal(size=shape), 32, 8, 16, 64)
    before, found = autograd.get_num_threads(), []
    for threads in (1, 2):
        autograd.set_num_threads(threads)
        try:
            found.append(results(op, arguments, options, np.float32))
        finally:
            autograd.set_num_threads(before)
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))

"""Clipping, averages of weights, and search."""

import copy
import math

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor
from autograd.rows import Rows
from tests.optimizers import gave, take

# ---- clipping


def with_gradients(dtype=np.float64, scale=1):
    rng = np.random.default_rng(0)
    parameters = []
    for shape in ((3, 40 * scale), (7,), ()):
        p = Tensor(np.zeros(shape, dtype), requires_grad=True)
        p.grad = Tensor(np.asarray(rng.standard_normal(shape), dtype))
        parameters.append(p)
    return [*parameters, Tensor(np.zeros(2, dtype), requires_grad=True)]  # one that has none


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.5, math.inf])
@pytest.mark.parametrize("most", [0.5, 1e3, 0.0])
@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1), (np.float32, 1), (np.float32, 100)])
def test_clipping_by_norm_agrees_with_pytorch(norm, most, dtype, scale, torch):
    ours = with_gradients(dtype, scale)
    theirs = [torch.zeros(p.shape) for p in ours]
    for p, q in zip(ours, theirs):
        q.grad = None if p.grad is None else torch.tensor(p.grad.numpy()).to(q.dtype)
    if dtype is np.float64:
        theirs = [torch.zeros(p.shape, dtype=torch.float64) for p in ours]
        for p, q in zip(ours, theirs):
            q.grad = None if p.grad is None else torch.tensor(p.grad.numpy())
    close = 1e-9 if dtype is np.float64 else 1e-5
    total = optim.clip_grad_norm_(ours, most, norm)
    wanted = torch.nn.utils.clip_grad_norm_(theirs, most, norm).item()
    assert total == pytest.approx(wanted, rel=close)
    for p, q in zip(ours[:3], theirs):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=close, atol=1e-12)
        assert p.grad.dtype == dtype
    assert optim.grad_norm(ours, norm) == pytest.approx(min(total, most), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1), (np.float32, 100)])
def test_clipping_by_value(dtype, scale):
    ours = with_gradients(dtype, scale)
    before = [p.grad.numpy().copy() for p in ours[:3]]
    optim.clip_grad_value_(iter(ours), 0.3)
    for p, g in zip(ours, before):
        np.testing.assert_array_equal(p.grad.numpy(), np.clip(g, dtype(-0.3), dtype(0.3)))


def test_clipping_takes_one_tensor_and_rows_and_odd_layouts():
    p = Tensor(np.zeros((4, 2)), requires_grad=True)
    p.grad = Rows([1, 3, 1], [[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]], (4, 2))
    assert optim.clip_grad_norm_(p, 1.0) == pytest.approx(5)
    np.testing.assert_allclose(p.grad.to_dense().numpy(), [[0, 0], [0.6, 0], [0, 0], [0, 0.8]], rtol=1e-6)
    p.grad = Rows([1, 1], [[3.0, 0.0], [4.0, -1.0]], (4, 2))  # rows that repeat are summed first
    optim.clip_grad_value_(p, 5.0)
    np.testing.assert_array_equal(p.grad.to_dense().numpy()[1], [5, -1])
    q = Tensor(np.zeros((3, 2)), requires_grad=True)
    np.sum(q).backward()
    q.grad = Tensor(np.ones((2, 3))).T
    assert optim.clip_grad_norm_([q], 1.0) == pytest.approx(math.sqrt(6))
    np.testing.assert_allclose(q.grad.numpy(), 6**-0.5, rtol=1e-6)
    assert optim.clip_grad_norm_([Tensor([1.0])], 1.0) == 0.0


@pytest.mark.parametrize("scale", [1, 100])
def test_clipping_of_what_is_not_finite(scale):
    ours = with_gradients(np.float32, scale)
    ours[0].grad[1, 3] = np.nan
    with pytest.raises(FloatingPointError, match="the norm of the gradients is nan"):
        optim.clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    assert np.isfinite(ours[1].grad.numpy()).all()
    assert math.isnan(optim.clip_grad_norm_(ours, 1.0))
    assert np.isnan(ours[1].grad.numpy()).all()
    huge = Tensor(np.zeros(10000 * scale, np.float32), requires_grad=True)
    huge.grad = Tensor(np.full(huge.shape, 1e25, np.float32))  # its square is not a float32
    assert optim.clip_grad_norm_(huge, 1.0) == pytest.approx(1e25 * math.sqrt(huge.size), rel=1e-6)
    assert optim.grad_norm(huge) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: optim.clip_grad_norm_(p, -1), "max_norm must be a number from 0, got -1"),
        (lambda p: optim.clip_grad_norm_(p, math.nan), "max_norm must be a number from 0, got nan"),
        (lambda p: optim.clip_grad_norm_(p, 1, 0), "norm_type must be a number over 0, or inf, got 0"),
        (
            lambda p: optim.clip_grad_norm_(p, 1, "inf"),
            "norm_type must be a number over 0, or inf, got 'inf'",
        ),
        (lambda p: optim.clip_grad_value_(p, -0.5), "clip_value must be a number from 0, got -0.5"),
    ],
)
def test_clipping_refuses(call, said):
    with pytest.raises(ValueError) as caught:
        call(with_gradients())
    assert said in str(caught.value)


# ---- averages of weights


def test_average_of_the_lecture():  # C2W2-ewa, C2W2-biascorr: London 40, 49, 45
    t = Tensor(np.array(0.0))
    plain = optim.ExponentialMovingAverage([t], 0.9, bias_correction=False)
    corrected = optim.ExponentialMovingAverage([t], 0.98)
    got = []
    for value in (40.0, 49.0, 45.0):
        t.data = value
        plain.update()
        corrected.update()
        got.append((plain.values()[0].item(), corrected.values()[0].item()))
    np.testing.assert_allclose([v for v, _ in got], [4, 8.5, 12.15], rtol=1e-12)
    np.testing.assert_allclose([v for _, v in got[:2]], [40, 44.5454545], rtol=1e-8)


@pytest.mark.parametrize("kind", [optim.ExponentialMovingAverage, optim.StochasticWeightAverage])
@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1), (np.float32, 100)])
def test_averages_are_sums_of_the_past(kind, dtype, scale):
    rng = np.random.default_rng(0)
    p = Tensor(np.zeros((3, 50 * scale), dtype), requires_grad=True)
    average = kind([p], **({"beta": 0.8} if kind is optim.ExponentialMovingAverage else {}))
    past = rng.standard_normal((6, *p.shape)).astype(dtype)
    for k, values in enumerate(past):
        p.data = values
        if k == 3:  # interrupted, and resumed from what was saved
            saved = copy.deepcopy(average.state_dict())
            average = kind([p], **({"beta": 0.8} if kind is optim.ExponentialMovingAverage else {}))
            average.load_state_dict(saved)
        average.update()
    weights = 0.8 ** np.arange(5, -1, -1) if kind is optim.ExponentialMovingAverage else np.ones(6)
    expected = np.tensordot(weights / weights.sum(), past.astype(np.float64), 1)
    close = dict(rtol=1e-9) if dtype is np.float64 else dict(rtol=1e-4, atol=1e-6)
    with average.applied():
        np.testing.assert_allclose(p.numpy(), expected, **close)
        assert p.dtype == dtype
    np.testing.assert_array_equal(p.numpy(), past[-1])
    average.apply()
    np.testing.assert_allclose(p.numpy(), expected, **close)


def test_averages_agree_with_pytorch(torch):
    rng = np.random.default_rng(0)
    ours, theirs = Tensor(np.zeros(4)), torch.nn.Linear(4, 1, bias=False, dtype=torch.float64)
    mine = optim.StochasticWeightAverage([ours])
    wanted = torch.optim.swa_utils.AveragedModel(theirs)
    for _ in range(5):
        values = rng.standard_normal(4)
        ours.data = values
        theirs.weight.data = torch.tensor(values[None])
        mine.update()
        wanted.update_parameters(theirs)
    np.testing.assert_allclose(mine.values()[0], wanted.module.weight.detach().numpy()[0], rtol=1e-12)


def test_an_average_of_noisy_weights_is_nearer_the_minimum():
    rng = np.random.default_rng(0)
    (w,), optimizer = gave("SGD", np.zeros(20), lr=0.3)
    average = optim.ExponentialMovingAverage([w], 0.95)
    for _ in range(300):
        w.grad = Tensor(w.numpy() - 1 + rng.standard_normal(20))
        optimizer.step()
        average.update()
    assert np.abs(average.values()[0] - 1).mean() < np.abs(w.numpy() - 1).mean() / 2


def test_averages_refuse():
    p = Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="ExponentialMovingAverage got no parameters"):
        optim.ExponentialMovingAverage([])
    with pytest.raises(ValueError, match=r"beta must be a number in \[0, 1\), got 1"):
        optim.ExponentialMovingAverage([p], 1)
    average = optim.StochasticWeightAverage([p])
    with pytest.raises(ValueError, match="nothing to average"):
        average.apply()
    with pytest.raises(ValueError, match="no state_dict of a StochasticWeightAverage"):
        average.load_state_dict({"updates": 3})
    with pytest.raises(ValueError, match=r"averages shapes \[\(2,\)\], the state_dict has \[\(3,\)\]"):
        average.load_state_dict({"updates": 3, "sums": [np.zeros(3)]})


# ---- search


def test_scales_of_the_lecture():  # C2W3-scale
    rng = np.random.default_rng(0)
    alpha, beta = optim.LogUniform(1e-4, 1.0), optim.OneMinusLogUniform(0.9, 0.999)
    rates = np.array([alpha.draw(rng) for _ in range(4000)])
    betas = np.array([beta.draw(rng) for _ in range(4000)])
    assert 1e-4 <= rates.min() <= rates.max() <= 1
    assert 0.9 <= betas.min() <= betas.max() <= 0.999
    for decade in (1e-4, 1e-3, 1e-2, 1e-1):  # a quarter in each, where Uniform has 90% in the last
        assert np.mean((rates >= decade) & (rates < 10 * decade)) == pytest.approx(0.25, abs=0.03)
    assert np.mean(betas < 0.99) == pytest.approx(0.5, abs=0.03)
    assert beta.to_scale(0.999) - beta.to_scale(0.99) == pytest.approx(1)
    # 1 / (1 - beta): from 10 to 10.05, and from 1000 to 2000
    assert beta.to_scale(0.9005) - beta.to_scale(0.9) == pytest.approx(math.log10(10.05 / 10), abs=1e-4)
    assert beta.to_scale(0.9995) - beta.to_scale(0.999) == pytest.approx(math.log10(2))


def test_random_search_of_the_lecture():  # C2W3-search: n[l] in 50..100, L in 2..4
    space = {"units": optim.Integer(50, 100), "layers": optim.Integer(2, 4)}
    trials = optim.random_search(lambda units, layers: abs(units - 80) + layers, space, 300)
    assert {values["layers"] for _, values in trials.rows} == {2, 3, 4}
    assert {50, 100} <= {values["units"] for _, values in trials.rows}
    assert trials.best == {"units": 80, "layers": 2}
    first, second, *_ = str(trials).splitlines()
    assert first.split() == ["score", "units", "layers"]
    assert second.split() == ["2", "80", "2"]
    autograd.seed(3)
    one = optim.random_search(lambda units, layers: 0, space, 5).rows
    autograd.seed(3)
    assert optim.random_search(lambda units, layers: 0, space, 5).rows == one


def test_coarse_to_fine_comes_nearer_than_random():
    space = {
        "alpha": optim.LogUniform(1e-4, 1),
        "beta": optim.OneMinusLogUniform(0.9, 0.999),
        "keep": optim.Uniform(0.1, 1.0),
        "units": optim.Integer(10, 200),
        "kind": optim.Choice("relu", "tanh"),
    }

    def cost(alpha, beta, keep, units, kind):
        if kind == "tanh":
            return math.nan  # a run that diverged
        distance = (math.log10(alpha) + 2.3) ** 2 + (math.log10(1 - beta) + 2) ** 2 + (keep - 0.8) ** 2
        return distance + ((units - 64) / 100) ** 2

    plain = optim.random_search(cost, space, 90)
    fine = optim.coarse_to_fine(cost, space, 30, rounds=3)
    assert len(fine.rows) == 90
    assert math.isnan(fine.ranked()[-1][0])
    assert fine.ranked()[0][0] < plain.ranked()[0][0]
    assert {values["kind"] for _, values in fine.rows[60:]} == {"relu"}
    low, high = (f([v["alpha"] for _, v in fine.rows[60:]]) for f in (min, max))
    assert math.log10(high / low) < 3


def test_learning_rate_range_test_suggests_a_rate_that_works_and_leaves_no_trace():
    (w,), optimizer = gave("SGD", np.full(5, 3.0), lr=0.123, momentum=0.5)
    take(2, [w], optimizer)
    weights, state = w.numpy().copy(), copy.deepcopy(optimizer.state_dict())

    def train_step():
        optimizer.zero_grad()
        loss = ((w - 1) ** 2 * np.array([1, 2, 3, 4, 5])).sum()
        loss.backward()
        optimizer.step()
        return loss

    test = optim.lr_range_test(train_step, optimizer, 1e-5, 10, 80)
    np.testing.assert_array_equal(w.numpy(), weights)
    np.testing.assert_equal(optimizer.state_dict(), state)
    assert w.grad is None
    assert len(test.rates) == len(test.losses) == len(test.smooth) < 80  # it diverged, and ended
    np.testing.assert_allclose(np.diff(np.log(test.rates)), np.log(1e6) / 79)
    assert 1e-3 < test.suggestion < 0.2  # over 2 / 10 the steepest axis diverges
    optimizer.param_groups[0]["lr"] = test.suggestion
    before = train_step().item()
    for _ in range(200):
        after = train_step().item()
    assert after < before / 100


def test_learning_rate_range_test_puts_back_statistics_and_the_generator():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)

    def train_step():
        optimizer.zero_grad()
        loss = (model(autograd.Tensor(x)) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    state = {name: t.numpy().copy() for name, t in model.state_dict().items()}
    ahead = copy.deepcopy(autograd.random.generator()).random(5)
    optim.lr_range_test(train_step, optimizer, 1e-4, 1e-2, 5, buffers=model.buffers())
    for name, t in model.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), state[name], name)
    np.testing.assert_array_equal(autograd.random.generator().random(5), ahead)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: optim.LogUniform(0, 1), "LogUniform cannot draw between 0 and 1"),
        (lambda: optim.OneMinusLogUniform(0.9, 1), "OneMinusLogUniform cannot draw between 0.9 and 1"),
        (lambda: optim.Uniform(2, 1), "Uniform cannot draw between 2 and 1"),
        (lambda: optim.Uniform(0, math.inf), "Uniform cannot draw between 0 and inf"),
        (lambda: optim.Choice(), "Choice of nothing"),
        (lambda: optim.random_search(abs, {}, 3), "at least one trial and one hyper-parameter"),
        (lambda: optim.coarse_to_fine(abs, {"x": optim.Uniform(0, 1)}, 3, keep=0), "0 < keep <= 1"),
        (
            lambda: optim.lr_range_test(lambda: 1.0, gave("SGD", np.ones(2))[1], 1, 0.1),
            "needs 0 < low < high and 2 steps",
        ),
        (
            lambda: optim.lr_range_test(lambda: math.nan, gave("SGD", np.ones(2))[1]),
            "the loss is not finite at the lowest rate",
        ),
    ],
)
def test_search_refuses(call, said):
    with pytest.raises(ValueError) as caught:
        call()
    assert said in str(caught.value)

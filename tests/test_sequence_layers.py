"""Recurrent layers against the course and themselves."""

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, gradient
from autograd.ops.gru import gru
from autograd.ops.recurrent import lstm, rnn
from autograd.tensor import writable

pytestmark = pytest.mark.slow


@pytest.fixture
def float64():
    autograd.set_default_dtype(np.float64)
    yield
    autograd.set_default_dtype(np.float32)


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


def count(module):
    return sum(p.size for p in module.parameters())


def put(parameter, values):
    with autograd.no_grad():
        writable(parameter)[...] = values


# ---- the course's numbers


def test_rnn_cell_of_the_assignment(float64):
    """COURSE.md's seeded values."""
    rng = np.random.RandomState(1)
    xt, a_prev = rng.randn(3, 10), rng.randn(5, 10)
    Waa, Wax, _ = rng.randn(5, 5), rng.randn(5, 3), rng.randn(2, 5)
    ba = rng.randn(5, 1)
    cell = nn.RNNCell(3, 5, recurrent_bias=False)
    cell.load_state_dict({"weight_ih": Wax, "weight_hh": Waa, "bias_ih": ba[:, 0]})
    a_next = [0.59584544, 0.18141802, 0.61311866, 0.99808218, 0.85016201]
    a_next += [0.99980978, -0.18887155, 0.99815551, 0.6531151, 0.82872037]
    np.testing.assert_allclose(cell(xt.T, a_prev.T).numpy()[:, 4], a_next, atol=1e-8)
    stacked = np.tanh(np.hstack([Waa, Wax]) @ np.vstack([a_prev, xt]) + ba)  # Wa [a; x]
    np.testing.assert_allclose(cell(xt.T, a_prev.T).numpy(), stacked.T, rtol=1e-12)


def test_parameter_counts():
    """COURSE.md: n(n+x)+n times 1, 4 and 3; and with PyTorch's second bias."""
    n, x = 7, 5
    for kind, k in ((nn.RNN, 1), (nn.LSTM, 4), (nn.GRU, 3)):
        assert count(kind(x, n, recurrent_bias=False)) == k * (n * (n + x) + n)
        assert count(kind(x, n)) == k * (n * (n + x) + 2 * n)
        assert count(kind(x, n, bias=False)) == k * n * (n + x)
    emojify = (
        nn.LSTM(50, 128, recurrent_bias=False),
        nn.LSTM(128, 128, recurrent_bias=False),
        nn.Linear(128, 5),
    )
    assert sum(map(count, emojify)) == 223_877


# ---- recurrence


def of(k, m=3, T=11, n_x=4, n=5, states=1, biases=1):
    rng = np.random.default_rng(k)
    shapes = [(m, T, n_x), *[(m, n)] * states, (k * n, n_x), (k * n, n), *[(k * n,)] * biases]
    return [Tensor(0.5 * rng.standard_normal(s), requires_grad=True) for s in shapes]


BPTT = {
    "rnn": (rnn, of(1), {}),
    "rnn, relu": (rnn, of(1), {"nonlinearity": "relu"}),
    "lstm": (lstm, of(4, states=2), {}),
    "gru": (gru, of(3, biases=2), {}),
    "gru, reset before": (gru, of(3, biases=2), {"reset_after": False}),
}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [4, 11, 1]], ids=["all steps", "lengths"])
@pytest.mark.parametrize("name", BPTT)
def test_bptt_equals_autograd_over_the_unrolled_graph(name, lengths, reverse):
    """C5W1-bptt."""
    op, inputs, options = BPTT[name]
    options = {**options, "lengths": lengths, "reverse": reverse}
    found = []
    for function in (op, op.twin_function):
        outputs = function(*inputs, **options)
        loss = sum(np.sum(y * normal(*y.shape, seed=k)) for k, y in enumerate(outputs))
        found.append(gradient(loss, inputs))
    for by_hand, unrolled in zip(*found):
        np.testing.assert_allclose(by_hand.numpy(), unrolled.numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_cell_step_by_step_is_the_layer(kind, float64):
    layer, cell = getattr(nn, kind)(3, 4), getattr(nn, f"{kind}Cell")(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.state_dict().items()})
    x = normal(2, 6, 3)
    y, _ = layer(x)
    state = None
    for t in range(6):
        state = cell(x[:, t], state)
        h = state[0] if kind == "LSTM" else state
        np.testing.assert_allclose(h.numpy(), y.numpy()[:, t], rtol=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_what_stands_behind_the_length_counts_for_nothing(kind, float64):
    layer = getattr(nn, kind)(3, 4, 2, bidirectional=True)
    lengths, x = np.array([2, 5, 0, 3]), normal(4, 5, 3)
    rubbish = np.where(np.arange(5)[:, None] < lengths[:, None, None], x, np.nan)
    t = Tensor(rubbish, requires_grad=True)
    y, last = layer(t, lengths=lengths)
    np.sum(y * y).backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in layer.parameters())
    last = last[0] if kind == "LSTM" else last  # (layers * directions, m, n)
    for k, length in enumerate(lengths):
        assert not y.numpy()[k, length:].any() and not t.grad.numpy()[k, length:].any()
        if length:
            alone, end = layer(x[k : k + 1, :length])
            end = end[0] if kind == "LSTM" else end
            np.testing.assert_allclose(y.numpy()[k, :length], alone.numpy()[0], rtol=1e-12)
            np.testing.assert_allclose(last.numpy()[:, k], end.numpy()[:, 0], rtol=1e-12)
        else:
            assert not last.numpy()[:, k].any()
    by_mask, _ = layer(x, lengths=np.arange(5) < lengths[:, None])
    np.testing.assert_array_equal(by_mask.numpy(), y.numpy())


def test_two_layers_are_one_on_top_of_the_other_and_directions_side_by_side(float64):
    both = nn.GRU(3, 4, 2, bidirectional=True)
    state = both.state_dict()
    x = normal(2, 5, 3)
    for layer in range(2):
        parts = []
        for k, suffix in enumerate(("", "_reverse")):
            one = nn.GRU(3 if layer == 0 else 8, 4)
            names = [name for name in state if name.endswith(f"_l{layer}{suffix}")]
            one.load_state_dict(
                {n.removesuffix(suffix).replace(f"_l{layer}", "_l0"): state[n] for n in names}
            )
            y = one(x[:, ::-1] if k else x)[0].numpy()
            parts.append(y[:, ::-1] if k else y)
        previous, x = x, np.concatenate(parts, axis=-1)
    np.testing.assert_allclose(both(normal(2, 5, 3))[0].numpy(), x, rtol=1e-12)
    assert previous.shape == (2, 5, 8)


def test_an_update_gate_of_0_keeps_the_memory_to_the_last_bit(float64):
    """C5W1-gru-simple: the cat, which already ate ..., was full."""
    for options in ({}, {"reset_after": False}):
        layer = nn.GRU(3, 4, **options)
        bias = layer.bias_ih_l0.numpy().copy()
        bias[4:8] = 1e3  # Gamma_u = 1 - sigmoid(1000) = 0
        put(layer.bias_ih_l0, bias)
        c = normal(1, 2, 4)
        np.testing.assert_array_equal(layer(normal(2, 40, 3), c)[1].numpy(), c)


def test_lstm_gates_of_one_half(float64):
    """With all weights 0 each gate is 1/2 and nothing new comes in: c = c_prev / 2, a = tanh(c) / 2
    (C5W1-lstm; the slide forgets the tanh)."""
    layer = nn.LSTM(2, 3)
    for parameter in layer.parameters():
        put(parameter, 0.0)
    c = normal(1, 4, 3)
    y, (h, c_n) = layer(normal(4, 2, 2), (np.zeros((1, 4, 3)), c))
    np.testing.assert_allclose(c_n.numpy(), c / 4, rtol=1e-15)
    np.testing.assert_allclose(y.numpy(), np.tanh(np.stack([c[0] / 2, c[0] / 4], 1)) / 2, rtol=1e-14)
    np.testing.assert_array_equal(h.numpy()[0], y.numpy()[:, -1])


def reach(layer, t):
    """Which steps of x the output at step t depends on."""
    x = Tensor(normal(2, 6, 3), requires_grad=True)
    np.sum(layer(x)[0][:, t]).backward()
    return np.abs(x.grad.numpy()).sum(axis=(0, 2)) > 0


def test_one_direction_sees_the_past_and_two_see_all(float64):
    """C5W1-brnn: "He said, Teddy ..."."""
    np.testing.assert_array_equal(reach(nn.LSTM(3, 4), 2), [1, 1, 1, 0, 0, 0])
    assert reach(nn.LSTM(3, 4, bidirectional=True), 2).all()


def test_dropout_acts_between_layers_while_training():
    layer = nn.LSTM(3, 4, 2, dropout=0.5)
    x = normal(5, 6, 3).astype(np.float32)
    draws = [layer(x)[0].numpy() for _ in range(2)]
    assert not np.array_equal(*draws)
    autograd.seed(4)
    again = layer(x)[0].numpy()
    autograd.seed(4)
    np.testing.assert_array_equal(layer(x)[0].numpy(), again)
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())
    with pytest.warns(UserWarning, match="num_layers is 1"):
        alone = nn.GRU(3, 4, dropout=0.5)
    np.testing.assert_array_equal(alone(x)[0].numpy(), alone(x)[0].numpy())


def test_parameters_start_as_in_pytorch():
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        layer = kind(50, 64, 2, bidirectional=True)
        for name, p in layer.named_parameters():
            assert np.abs(p.numpy()).max() <= 1 / 8, name
            if p.size > 1000:
                np.testing.assert_allclose(p.numpy().std(), 1 / 8 / np.sqrt(3), rtol=0.05)


def test_reprs():
    assert repr(nn.LSTM(3, 4, 2, bidirectional=True)) == "LSTM(3, 4, num_layers=2, bidirectional=True)"
    assert repr(nn.GRU(3, 4, bias=False)) == "GRU(3, 4, bias=False)"
    assert repr(nn.GRUCell(3, 4, reset_after=False, recurrent_bias=False)) == (
        "GRUCell(3, 4, recurrent_bias=False, reset_after=False)"
    )
    assert repr(nn.LSTMCell(3, 4, peephole=True)) == "LSTMCell(3, 4, peephole=True)"

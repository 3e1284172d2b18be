"""Attention, Transformers and positions against the course, PyTorch and themselves."""

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from autograd.ops.attention import attention, attention_weights, kept_weights
from autograd.tensor import writable
from nn.layers.attention import scaled_dot_product_attention
from nn.layers.position import positional_encoding

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


Q = np.array([[1, 0, 1, 1], [0, 1, 1, 1], [1, 0, 0, 1]], float)
K = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1]], float)
V = np.array([[0, 0], [1, 0], [1, 0], [1, 1]], float)
MEAN_VALUES = [[0.74105223, 0.15705976], [0.72272522, 0.16817566], [0.66379888, 0.20391629]]


def test_attention_of_the_assignment():
    """C5W4-selfatt."""
    np.testing.assert_allclose(scaled_dot_product_attention(Q, K, V), MEAN_VALUES, atol=1e-8)
    np.testing.assert_allclose(attention_weights(Q, K) @ V, MEAN_VALUES, atol=1e-8)


def test_positional_encoding():
    """C5W4-pe; a shift rotates each pair, so products depend on the distance alone."""
    pe = positional_encoding(50, 8)
    np.testing.assert_allclose(pe[1, :4], [0.841471, 0.540302, 0.099833, 0.995004], atol=1e-6)
    np.testing.assert_array_equal(pe[0], [0, 1] * 4)
    np.testing.assert_allclose(np.sum(pe**2, axis=1), 4)
    np.testing.assert_allclose(np.sum(pe[:-7] * pe[7:], axis=1), pe[0] @ pe[7])


def test_parameter_counts():
    """C5W4-mha: 4 (d^2 + d)."""
    assert count(nn.MultiheadAttention(12, 3)) == 4 * (12 * 12 + 12)


def test_parameters_of_the_base_transformer():
    """C5W4-full: 63,082,496 with one table of 37,000 words; the paper's stacks end without normalisation."""
    stacks = nn.Transformer()
    assert (
        count(stacks) - count(stacks.encoder.norm) - count(stacks.decoder.norm) + 37_000 * 512 == 63_082_496
    )


# ---- attention


SDPA = {
    "plain": {},
    "scale": {"scale": 0.3},
    "causal": {"is_causal": True},
    "a mask": {"attn_mask": np.array([[True, False, True], [True, True, False]])},
    "a mask of each head": {"attn_mask": normal(4, 2, 2, 3, seed=9) > -0.5},
    "floats": {"attn_mask": normal(2, 2, 3, seed=8)},
}


@pytest.mark.parametrize("name", SDPA)
def test_scaled_dot_product_attention_agrees_with_pytorch(name, torch):
    arrays = [normal(4, 2, n, 5, seed=n) for n in (2, 3, 3)]
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    options = SDPA[name]
    y = scaled_dot_product_attention(*ours, **options)
    options = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    z = torch.nn.functional.scaled_dot_product_attention(*theirs, **options)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-9, atol=1e-12)
    np.sum(y**3).backward()
    (z**3).sum().backward()
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_parameters_start_as_in_pytorch():
    n = 64
    layer = nn.MultiheadAttention(n, 4)
    bound = np.sqrt(6 / (n + 3 * n))
    np.testing.assert_allclose(layer.in_proj_weight.numpy().std(), bound / np.sqrt(3), rtol=0.05)
    assert np.abs(layer.out_proj.weight.numpy()).max() <= 1 / 8
    assert not layer.in_proj_bias.numpy().any() and not layer.out_proj.bias.numpy().any()
    matrices = [p for p in nn.Transformer(16, 2, 1, 1, 24).parameters() if p.ndim == 2]
    assert len(matrices) == 10
    for p in matrices:
        assert 0.9 < np.abs(p.numpy()).max() / np.sqrt(6 / sum(p.shape)) <= 1


def test_one_head_is_attention(float64):
    """C5W4-mha."""
    layer = nn.MultiheadAttention(4, 1)
    put(layer.in_proj_weight, np.vstack([np.eye(4)] * 3))
    put(layer.out_proj.weight, np.eye(4))
    values = np.hstack([V, V])
    y, weights = layer(Q[None], K[None], values[None])
    np.testing.assert_allclose(y.numpy()[0], np.hstack([MEAN_VALUES] * 2), atol=1e-8)
    np.testing.assert_allclose(weights.numpy()[0] @ V, MEAN_VALUES, atol=1e-8)


def test_output_is_the_same_with_and_without_weights(float64):
    layer, x = nn.MultiheadAttention(8, 2, dropout=0.3), normal(3, 5, 8)
    masks = dict(attn_mask=normal(5, 5, seed=2), key_padding_mask=normal(3, 5, seed=3) > 0.8, is_causal=True)
    outputs = []
    for need_weights in (True, False):
        autograd.seed(1)
        t = Tensor(x, requires_grad=True)
        y, weights = layer(t, t, t, need_weights=need_weights, **masks)
        np.sum(y * y).backward()
        outputs.append((y.numpy(), t.grad.numpy()))
        assert (weights is not None) == need_weights
    for a, b in zip(*outputs):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)
    layer.eval()
    each = layer(x, x, x, average_attn_weights=False)[1].numpy()
    assert each.shape == (3, 2, 5, 5)
    np.testing.assert_allclose(each.sum(axis=-1), 1)
    np.testing.assert_allclose(layer(x, x, x)[1].numpy(), each.mean(axis=1))


def test_a_query_that_may_look_nowhere_gets_zeros(float64):
    """Finite gradients too, also where masks are -inf."""
    layer, x = nn.MultiheadAttention(4, 2), Tensor(normal(2, 3, 4), requires_grad=True)
    all_padding = np.array([[True] * 3, [False] * 3])
    nowhere = np.where(np.arange(3)[:, None] == 1, -np.inf, np.zeros((3, 3)))
    for need_weights in (True, False):
        y, weights = layer(x, x, x, all_padding, need_weights, nowhere)
        assert not y.numpy()[0].any() and not y.numpy()[1, 1].any() and y.numpy()[1, 0].any()
        assert weights is None or not weights.numpy()[0].any()
        x.zero_grad()
        np.sum(y).backward()
        assert np.isfinite(x.grad.numpy()).all()


def test_masks_mean_what_they_mean_in_pytorch(float64):
    """Boolean masks of the function allow, those of the layer forbid; floats are added."""
    q, k, v = normal(2, 3, 4), normal(2, 3, 4, seed=2), normal(2, 3, 4, seed=3)
    allowed = np.tri(3, dtype=bool)
    causal = scaled_dot_product_attention(q, k, v, is_causal=True)
    np.testing.assert_allclose(scaled_dot_product_attention(q, k, v, allowed), causal)
    added = nn.Transformer.generate_square_subsequent_mask(3)
    np.testing.assert_array_equal(added, [[0, -np.inf, -np.inf], [0, 0, -np.inf], [0, 0, 0]])
    np.testing.assert_allclose(scaled_dot_product_attention(q, k, v, added), causal)
    np.testing.assert_allclose(causal[:, 0], v[:, 0])
    layer = nn.MultiheadAttention(4, 2, add_zero_attn=True)
    by_mask = layer(q, k, v, attn_mask=~allowed)[0].numpy()
    np.testing.assert_allclose(layer(q, k, v, is_causal=True)[0].numpy(), by_mask, rtol=1e-12)


def test_masks_of_float64_leave_float32_as_it_is():
    layer, x = nn.MultiheadAttention(4, 2), normal(2, 3, 4).astype(np.float32)
    y, weights = layer(x, x, x, np.zeros((2, 3)), attn_mask=np.zeros((3, 3)))
    assert y.dtype == weights.dtype == np.float32
    assert scaled_dot_product_attention(Tensor(x), x, x, np.zeros((3, 3))).dtype == np.float32


def test_a_learned_bias_gets_its_gradient(float64):
    bias = Tensor(normal(3, 3), requires_grad=True)
    layer, x = nn.MultiheadAttention(4, 2), normal(2, 3, 4)
    np.sum(layer(x, x, x, attn_mask=bias)[0] ** 2).backward()
    by_weights = bias.grad.numpy()
    bias.zero_grad()
    np.sum(layer(x, x, x, need_weights=False, attn_mask=bias)[0] ** 2).backward()
    np.testing.assert_allclose(bias.grad.numpy(), by_weights, rtol=1e-10)


# ---- dropout by a counter


def splitmix64(seed, k):
    """The k-th number of Vigna's splitmix64.c, in Python's integers."""
    low = 2**64 - 1
    z = (seed + (k + 1) * 0x9E3779B97F4A7C15) & low
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & low
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & low
    return z ^ (z >> 31)


def test_dropped_weights_follow_splitmix64():
    """The published first outputs for the seed 1234567."""
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [splitmix64(1234567, k) for k in range(4)] == known
    for seed in (0, 1234567, 2**63 - 1):
        got = kept_weights((2, 3, 5), 0.4, seed).ravel()
        expected = [splitmix64(seed, k) >> 40 >= 0.4 * 2**24 for k in range(30)]
        np.testing.assert_array_equal(got, expected)


def test_dropout_keeps_the_mean_and_its_share():
    kept = kept_weights((64, 64, 64), 0.3, 5)
    np.testing.assert_allclose(kept.mean(), 0.7, atol=0.003)
    np.testing.assert_allclose(kept.mean(axis=(1, 2)), 0.7, atol=0.03)
    other = kept_weights((64, 64, 64), 0.3, 6)
    np.testing.assert_allclose((kept & other).mean(), 0.49, atol=0.003)
    v = np.ones((1, 500, 3))
    y = attention(np.zeros((1, 400, 2)), np.zeros((1, 500, 2)), v, dropout=0.3, seed=1)
    np.testing.assert_allclose(y.mean(), 1, atol=0.005)


def test_attention_drops_while_training_and_repeats_under_a_seed():
    layer, x = nn.MultiheadAttention(4, 2, dropout=0.5), normal(2, 6, 4).astype(np.float32)
    draws = [layer(x, x, x)[0].numpy() for _ in range(2)]
    assert not np.array_equal(*draws)
    autograd.seed(3)
    first = layer(x, x, x)[0].numpy()
    autograd.seed(3)
    np.testing.assert_array_equal(layer(x, x, x)[0].numpy(), first)
    layer.eval()
    np.testing.assert_array_equal(layer(x, x, x)[0].numpy(), layer(x, x, x)[0].numpy())


def test_a_checkpoint_draws_the_same_weights_again(float64):
    layer = nn.TransformerEncoderLayer(4, 2, 5, dropout=0.4)
    found = []
    for function in (layer, autograd.checkpoint(layer)):
        autograd.seed(2)
        x = Tensor(normal(2, 3, 4), requires_grad=True)
        np.sum(function(x) ** 3).backward()
        found.append(x.grad.numpy())
    np.testing.assert_array_equal(*found)


# ---- Transformers


def test_what_comes_later_changes_nothing_before(float64):
    """C5W4-encdec."""
    model = nn.Transformer(8, 2, 2, 2, 12).eval()
    src, tgt = normal(2, 4, 8), Tensor(normal(2, 6, 8, seed=2), requires_grad=True)
    mask = model.generate_square_subsequent_mask(6)
    for options in ({"tgt_is_causal": True}, {"tgt_mask": mask}, {"tgt_mask": mask == -np.inf}):
        y = model(src, tgt, **options)
        tgt.zero_grad()
        np.sum(y[:, 2] ** 3).backward()
        moved = np.abs(tgt.grad.numpy()).sum(axis=(0, 2)) > 0
        np.testing.assert_array_equal(moved, [1, 1, 1, 0, 0, 0])
        other = tgt.numpy().copy()
        other[:, 3:] += 5
        np.testing.assert_allclose(model(src, other, **options).numpy()[:, :3], y.numpy()[:, :3], rtol=1e-13)


def test_padding_changes_nothing(float64):
    model = nn.Transformer(8, 2, 2, 2, 12, norm_first=True).eval()
    src, tgt = normal(1, 3, 8), normal(1, 4, 8, seed=2)
    longer = np.concatenate([src, normal(1, 2, 8, seed=3)], axis=1)
    padding = np.array([[False, False, False, True, True]])
    y = model(longer, tgt, src_key_padding_mask=padding, memory_key_padding_mask=padding)
    np.testing.assert_allclose(y.numpy(), model(src, tgt).numpy(), rtol=1e-12)
    assert not np.allclose(model(longer, tgt).numpy(), y.numpy())


def test_copies_in_a_stack_are_of_their_own():
    layer = nn.TransformerEncoderLayer(4, 2, 5, activation="gelu")
    stack = nn.TransformerEncoder(layer, 3)
    assert len({id(p) for p in [*stack.parameters(), *layer.parameters()]}) == 4 * len([*layer.parameters()])
    np.testing.assert_array_equal(
        stack.layers[0].linear1.weight.numpy(), stack.layers[2].linear1.weight.numpy()
    )


def test_an_activation_may_be_a_function(float64):
    named, given = (nn.TransformerEncoderLayer(4, 2, 5, 0.0, a) for a in ("relu", lambda x: np.maximum(x, 0)))
    given.load_state_dict(named.state_dict())
    x = normal(2, 3, 4)
    np.testing.assert_array_equal(named(x).numpy(), given(x).numpy())


def test_repr():
    assert repr(nn.MultiheadAttention(4, 2, kdim=3)).startswith("MultiheadAttention(\n  4, 2, kdim=3\n")

"""What layers say to arguments and inputs that do not fit."""

import numpy as np
import pytest

import nn

f32 = np.float32


@pytest.mark.parametrize(
    ("layer", "x", "kind", "said"),
    [
        (
            nn.Linear(400, 120),
            np.ones((64, 392), f32),
            ValueError,
            r"Linear needs 400 features, got 392; input (64, 392)",
        ),
        (nn.Linear(4, 2), np.zeros((), f32), ValueError, "Linear needs 4 features, got a single number"),
        (
            nn.Linear(4, 2),
            np.ones((2, 4)),
            TypeError,
            "Linear has weights of float32, got input of float64: use x.astype",
        ),
        (nn.Linear(4, 2), np.ones((2, 4), int), TypeError, "got input of int64: use x.astype(np.float32)"),
        (nn.Linear(4, 2), [[1.0] * 4], TypeError, "Linear takes a Tensor or an ndarray, got list"),
        (
            nn.Conv2d(64, 8, 3),
            np.ones((16, 28, 28, 32), f32),
            ValueError,
            "Conv2d needs 64 channels, got 32; input (16, 28, 28, 32)",
        ),
        (
            nn.Conv2d(1, 8, 3),
            np.ones((28, 28, 1), f32),
            ValueError,
            "needs (m, n_H, n_W, n_C), got shape (28, 28, 1); one example is x[None]",
        ),
        (nn.Conv2d(1, 8, 3), np.ones((2, 28, 28, 1), np.uint8), TypeError, "got input of uint8"),
        (nn.Conv2d(1, 8, 5), np.ones((1, 4, 4, 1), f32), ValueError, "5x5 is larger than the image, 4x4"),
        (nn.MaxPool2d(5), np.ones((1, 4, 4, 1), f32), ValueError, "larger than the image"),
        (nn.MaxPool2d(2), np.ones((4, 4), f32), ValueError, "needs 4: (m, n_H, n_W, n_C)"),
        (
            nn.Conv1d(4, 2, 3),
            np.ones((5, 4), f32),
            ValueError,
            "Conv1d needs (m, T, n_C), got shape (5, 4); one example is x[None]",
        ),
        (
            nn.Conv3d(1, 2, 3),
            np.ones((1, 2, 5, 5, 1), f32),
            ValueError,
            "3x3x3 is larger than the input, 2x5x5",
        ),
        (nn.ConvTranspose2d(3, 2, 3), np.ones((1, 2, 2, 1), f32), ValueError, "needs 3 channels, got 1"),
        (
            nn.ConvTranspose2d(1, 2, 1, 1, 2),
            np.ones((1, 3, 3, 1), f32),
            ValueError,
            "the output would be -1x-1",
        ),
        (
            nn.Conv2d(1, 1, 3, padding=3, padding_mode="reflect"),
            np.ones((1, 3, 5, 1), f32),
            ValueError,
            "of 3",
        ),
        (nn.MaxPool1d(2), np.ones((1, 4, 4, 1), f32), ValueError, "needs 3: (m, T, n_C)"),
        (nn.AvgPool3d(2), np.ones((4, 4, 4, 1), f32), ValueError, "needs 5: (m, n_D, n_H, n_W, n_C)"),
        (nn.AdaptiveAvgPool2d(2), np.ones((1, 4, 1), f32), ValueError, "one example is x[None]"),
        (nn.GlobalAvgPool(), np.ones((2, 3), f32), ValueError, "needs (m, ..., n_C)"),
        (nn.ReflectionPad1d(4), np.ones((1, 4, 1), f32), ValueError, "a reflection of 4"),
        (nn.CircularPad1d(5), np.ones((1, 4, 1), f32), ValueError, "a wrap of 5"),
        (nn.ZeroPad2d(-2), np.ones((1, 4, 4, 1), f32), ValueError, "leaves nothing of axis"),
        (nn.Upsample(2, mode="bilinear"), np.ones((1, 4, 1), f32), ValueError, "is for 4 dimensions, got 3"),
        (nn.PixelShuffle(2), np.ones((1, 4, 4, 6), f32), ValueError, "2 * 2 does not divide the 6 channels"),
        (nn.PixelUnshuffle(3), np.ones((1, 4, 6, 1), f32), ValueError, "3 does not divide the image, 4x6"),
        (nn.Embedding(5, 2), np.array([5]), IndexError, "the indices hold 5, the table has rows 0 to 4"),
        (nn.Embedding(5, 2), np.array([0.5]), TypeError, "takes indices, integers from 0 to 4, got float64"),
        (nn.EmbeddingBag(5, 2), np.array([1, 2]), ValueError, "indices (2,) and none"),
        (nn.PReLU(3), np.ones((2, 4), f32), ValueError, "PReLU needs 3 channels, got 4"),
        (nn.GLU(), np.ones((2, 5), f32), ValueError, "an even number along axis -1, got 5; input (2, 5)"),
        (nn.Unfold(5), np.ones((1, 4, 4, 1), f32), ValueError, "kernel of 5x5 is larger than the image, 4x4"),
        (nn.Unfold(2), np.ones((4, 4, 1), f32), ValueError, "one example is x[None]"),
        (
            nn.Fold(4, 2),
            np.ones((1, 4, 8), f32),
            ValueError,
            "4x4 have patches (m, 9, 4 * n_C), got shape",
        ),
        (
            nn.FractionalMaxPool2d(3, 4),
            np.ones((1, 5, 9, 1), f32),
            ValueError,
            "of 3x3 need more than the input",
        ),
        (nn.Unflatten(1, (2, 4)), np.ones((2, 6), f32), ValueError, "(2, 4) do not multiply to axis 1"),
        (nn.Permute(0, 2, 1), np.ones((2, 6), f32), ValueError, "is for 3 axes, got shape (2, 6)"),
        (nn.Residual(nn.Linear(3, 2)), np.ones((1, 3), f32), ValueError, "gives (1, 2), the shortcut (1, 3)"),
    ],
)
def test_layers_refuse_inputs(layer, x, kind, said):
    with pytest.raises(kind) as caught:
        layer(x)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.Linear(0, 3), "Linear: in_features must be an int of at least 1, got 0"),
        (lambda: nn.Linear(3, 2.5), "Linear: out_features must be an int of at least 1, got 2.5"),
        (lambda: nn.Linear(400, 3, spatial=(5, 5, 6)), "must multiply to 400 features, got (5, 5, 6)"),
        (lambda: nn.Linear(400, 3, spatial=(400,)), "must multiply to 400 features, got (400,)"),
        (lambda: nn.Conv2d(3, -1, 3), "Conv2d: out_channels must be an int of at least 1, got -1"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups=2 must divide 3 input and 4 output channels"),
        (lambda: nn.Conv2d(3, 4, 0), "kernel_size must be at least 1"),
        (lambda: nn.Conv2d(3, 4, 3, stride=0), "stride must be at least 1"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), 'padding is "same", "valid"'),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), "padding must be at least 0"),
        (lambda: nn.Conv2d(1, 1, 3, padding_mode="mirror"), "padding_mode is one of zeros, reflect"),
        (lambda: nn.ConvTranspose1d(3, 4, 3, groups=2), "groups=2 must divide 3 input and 4 output"),
        (lambda: nn.AvgPool2d(0), "kernel_size must be at least 1"),
        (lambda: nn.LPPool1d(0, 2), "norm_type must not be 0"),
        (lambda: nn.AdaptiveMaxPool2d(0), "output_size must be at least 1"),
        (lambda: nn.ZeroPad2d((1, 2, 3)), "padding is an int or 4 ints"),
        (lambda: nn.Upsample(), "either size or scale_factor"),
        (lambda: nn.Upsample(2, 2), "either size or scale_factor"),
        (lambda: nn.PixelShuffle(0), "upscale_factor must be an int of at least 1, got 0"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), "padding_idx 3 is no row of 3"),
        (
            lambda: nn.Embedding(3, 2, scale_grad_by_freq=True, sparse=True),
            "not go with a sparse gradient",
        ),
        (lambda: nn.EmbeddingBag(3, 2, scale_grad_by_freq=True, mode="max"), 'does not go with mode "max"'),
        (lambda: nn.PairwiseDistance(0.5), "PairwiseDistance: p must be at least 1, got 0.5"),
        (lambda: nn.Unfold(0), "kernel_size must be at least 1"),
        (lambda: nn.Fold(4, 2, padding=-1), "padding must be at least 0"),
        (lambda: nn.FractionalMaxPool2d(2), "give either output_size or output_ratio"),
        (lambda: nn.FractionalMaxPool2d(2, output_ratio=1.5), "output_ratio must be in (0, 1), got 1.5"),
        (lambda: nn.EmbeddingBag(3, 2, mode="min"), "mode is one of sum, mean, max, got 'min'"),
        (lambda: nn.Embedding.from_pretrained(np.ones(3)), "a table is (num_embeddings, embedding_dim)"),
        (lambda: nn.Bilinear(2, 0, 1), "in2_features must be an int of at least 1, got 0"),
        (lambda: nn.Hardtanh(1, 0), "min_val must be less than max_val"),
        (lambda: nn.GELU("erf"), 'approximate is "none" or "tanh"'),
        (lambda: nn.Permute(0, 2), "each once, got (0, 2)"),
        (lambda: nn.ModuleDict({"a.b": nn.ReLU()}), "cannot name a module 'a.b'"),
        (lambda: nn.Softplus(0), "beta must be over 0"),
    ],
)
def test_layers_refuse_arguments(make, said):
    with pytest.raises(ValueError) as caught:
        make()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.Conv3d(1, 1, (2, 3)), "kernel_size is an int or 3 ints, got (2, 3)"),
        (lambda: nn.MaxPool2d(2, stride=1.5), "stride is an int or 2 ints, got 1.5"),
        (lambda: nn.ELU("1"), "ELU: alpha is a number, got '1'"),
        (lambda: nn.Lambda(nn.ReLU()), "Lambda takes a function, got ReLU"),
        (lambda: nn.Residual(np.tanh), "Residual holds modules, got ufunc at body"),
    ],
)
def test_layers_refuse_kinds(make, said):
    with pytest.raises(TypeError) as caught:
        make()
    assert said in str(caught.value)


def test_errors_name_the_path_of_the_layer():
    net = nn.Sequential({"features": nn.Concat(nn.Conv2d(3, 4, 3), nn.Conv1d(3, 4, 3))})
    with pytest.raises(
        ValueError, match=r"^features\.1: Conv1d needs \(m, T, n_C\), got shape \(1, 8, 8, 3\)"
    ):
        net(np.ones((1, 8, 8, 3), f32))
    bag = nn.EmbeddingBag(5, 2, mode="mean")
    with pytest.raises(ValueError, match='per_sample_weights are for mode "sum", got'):
        bag(np.array([[1, 2]]), per_sample_weights=np.ones((1, 2), f32))
    with pytest.raises(ValueError, match=r"offsets start with 0 and never fall, got \[1, 2\]"):
        bag(np.array([1, 2]), np.array([1, 2]))
    with pytest.raises(ValueError, match=r"output_size \(9, 9\) must lie between \(7, 7\) and \(8, 8\)"):
        nn.ConvTranspose2d(1, 1, 3, 2)(np.ones((1, 3, 3, 1), f32), output_size=(9, 9))
    with pytest.raises(ValueError, match=r"indices have shape \(1, 2, 1\), x \(1, 3, 1\)"):
        nn.MaxUnpool1d(2)(np.ones((1, 3, 1), f32), np.zeros((1, 2, 1), int))
    with pytest.raises(IndexError):
        nn.MaxUnpool1d(2)(np.ones((1, 1, 1), f32), np.full((1, 1, 1), 2))

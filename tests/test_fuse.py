"""Batch normalisation folded into the layer before it gives what the model gave."""

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, no_grad
from autograd.tensor import unwrap
from nn import models
from nn.layers.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from tests.test_models import drawn

NORMS = (BatchNorm1d, BatchNorm2d, BatchNorm3d)


def norms_in(model):
    return sum(isinstance(module, NORMS) for module in model.modules())


def assert_same(model, fused, *inputs):
    with no_grad():
        y, z = unwrap(model(*inputs)), unwrap(fused(*inputs))
    assert y.shape == z.shape
    assert np.abs(y - z).max() <= 1e-5 * np.abs(y).max()


@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (lambda: nn.Linear(5, 6), lambda: nn.BatchNorm1d(6), (4, 5)),
        (lambda: nn.Linear(5, 6, bias=False), lambda: nn.BatchNorm1d(6), (4, 3, 5)),
        (lambda: nn.Conv1d(4, 6, 3, groups=2), lambda: nn.BatchNorm1d(6), (4, 9, 4)),
        (lambda: nn.Conv2d(4, 6, 3, padding=1, bias=False), lambda: nn.BatchNorm2d(6), (2, 7, 7, 4)),
        (lambda: nn.Conv2d(6, 6, 3, groups=6), lambda: nn.BatchNorm2d(6, eps=0.1), (2, 7, 7, 6)),
        (lambda: nn.Conv2d(4, 6, 3, padding_mode="reflect", padding=1), None, (2, 7, 7, 4)),
        (lambda: nn.Conv3d(2, 6, 2), lambda: nn.BatchNorm3d(6), (2, 4, 4, 4, 2)),
        (lambda: nn.ConvTranspose1d(4, 6, 3, 2), lambda: nn.BatchNorm1d(6), (2, 5, 4)),
        (lambda: nn.ConvTranspose2d(4, 6, 3, 2, groups=2, bias=False), None, (2, 5, 5, 4)),
        (lambda: nn.ConvTranspose3d(2, 6, 2), lambda: nn.BatchNorm3d(6, affine=False), (2, 3, 3, 3, 2)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_layer(layer, norm, shape, dtype):
    model = drawn(nn.Sequential(layer(), (norm or (lambda: nn.BatchNorm2d(6)))(), nn.Tanh()), 0)
    model.to(dtype).eval()
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    fused = nn.fuse(model, x)
    assert (norms_in(model), norms_in(fused)) == (1, 0)
    assert_same(model, fused, x)
    assert {p.dtype for p in fused.parameters()} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.ReLU()], (2, 9, 9, 3)),
        ([nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4, bias=False), nn.ReLU()], (6, 3)),
    ],
)
def test_relu_goes_along_with_convolutions_and_linear_layers(layers, shape):
    """With the normalisation between them folded, or without one; recorded or not."""
    model = drawn(nn.Sequential(*layers, nn.Tanh(), nn.ReLU()), 0).eval()
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    fused = nn.fuse(model, x)
    assert sum(isinstance(module, nn.ReLU) for module in fused.modules()) == 1  # the one behind the Tanh
    assert fused[0].rectified
    assert fused[3].rectified
    assert not model[3].rectified
    assert_same(model, fused, x)
    assert nn.summary(fused, shape).multiply_adds == nn.summary(model, shape).multiply_adds > 0
    slopes = []
    for net in (model, fused):
        t = Tensor(x, requires_grad=True)
        net(t).sum().backward()
        slopes.append(t.grad.numpy())
    assert np.abs(slopes[0] - slopes[1]).max() <= 1e-5 * np.abs(slopes[0]).max()


class Negated(nn.Linear):
    """A forward of its own, which takes no ReLU along."""

    def forward(self, x):
        return -super().forward(x)


def test_a_relu_behind_a_layer_of_ones_own_stays():
    model = drawn(nn.Sequential(Negated(3, 5), nn.ReLU()), 0).eval()
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    assert isinstance(nn.fuse(model, x)[1], nn.ReLU)
    assert_same(model, nn.fuse(model, x), x)


class Branch(nn.Module):
    """Something else sees the convolution's output than its ReLU."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 3, 1), nn.ReLU()

    def forward(self, x):
        z = self.conv(x)
        return self.relu(z) + z


def test_a_relu_beside_other_uses_stays():
    model = drawn(Branch(), 0).eval()
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    fused = nn.fuse(model, x)
    assert isinstance(fused.relu, nn.ReLU)
    assert_same(model, fused, x)


@pytest.mark.parametrize(
    ("name", "options", "side"),
    [
        ("resnet18", dict(small=True, width=8), 16),
        ("resnet50", dict(small=True, width=8), 16),
        ("resnet20", dict(width=4), 8),
        ("plain20", dict(width=4), 8),
        ("googlenet", dict(small=True, width=1 / 16), 16),
        ("inception_v3", dict(small=True, width=1 / 16), 17),
        ("mobilenet_v1", dict(small=True, width=0.25), 16),
        ("mobilenet_v2", dict(small=True, width=0.1), 16),
        ("efficientnet_b0", dict(small=True, width=0.1), 16),
    ],
)
@pytest.mark.slow
def test_whole_networks(name, options, side):
    model = drawn(models.find(name).build(num_classes=5, **options), 0).eval()
    before = {path: t.numpy().copy() for path, t in model.state_dict().items()}
    fused = nn.fuse(model, (1, side, side, 3))
    heads = {path for path, _ in model.named_modules() if path.startswith(("aux", "Aux"))}
    left = [path for path, m in fused.named_modules() if isinstance(m, NORMS) and path not in heads]
    assert not left  # the side heads do not run at test time
    images = np.random.default_rng(0).normal(size=(3, side, side, 3)).astype(np.float32)
    assert_same(model, fused, images)
    assert before.keys() == model.state_dict().keys()
    for path, t in model.state_dict().items():
        assert np.array_equal(before[path], t.numpy()), path


class Two(nn.Module):
    """A convolution and its normalisation, and something that stands in the way of folding them."""

    def __init__(self, why, **norm):
        super().__init__()
        self.conv, self.bn, self.why = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, **norm), why
        if why == "two norms":
            self.other = nn.BatchNorm2d(4)
        if why == "two layers":
            self.other = nn.Conv2d(3, 4, 3)
        if why == "tied":
            self.other = nn.Conv2d(3, 4, 3)
            self.other.weight = self.conv.weight

    def forward(self, x):
        z = self.conv(x)
        y = self.bn(z)
        if self.why == "used twice":
            return y + z
        if self.why == "an output":
            return y, z
        if self.why == "two norms":
            return y + self.other(z)
        if self.why == "two calls":
            return y + self.conv(x)
        if self.why == "two layers":
            return y + self.bn(self.other(x))
        if self.why == "tied":
            return y + self.other(x)
        if self.why == "between":
            return self.bn(np.tanh(z))
        return y


@pytest.mark.parametrize(
    "why",
    [
        "used twice",
        "an output",
        "two norms",
        "two calls",
        "two layers",
        "tied",
        "between",
        "hook",
        "no statistics",
    ],
)
def test_what_cannot_be_folded_is_left(why):
    model = Two(why, **({"track_running_stats": False} if why == "no statistics" else {}))
    if why == "hook":
        model.conv.register_forward_hook(lambda module, args, output: None)
    drawn(model, 0).eval()
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    fused = nn.fuse(model, x)
    assert norms_in(fused) == norms_in(model)
    y, z = model(x), fused(x)
    for a, b in zip(*(t if isinstance(t, tuple) else (t,) for t in (y, z))):
        assert np.array_equal(unwrap(a), unwrap(b))


def test_a_pair_that_is_called_twice_is_folded_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3))
            self.again = self.body

        def forward(self, x):
            return self.again(np.tanh(self.body(x)))

    model = drawn(Twice(), 0).eval()
    fused = nn.fuse(model, (1, 5, 5, 3))
    assert norms_in(fused) == 0
    assert fused.again is fused.body
    assert_same(model, fused, np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype(np.float32))


def test_a_normalisation_of_the_input_stays():
    model = drawn(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), 0).eval()
    fused = nn.fuse(model, (1, 5, 5, 3))
    assert [isinstance(m, BatchNorm2d) for m in fused] == [True, False, False]
    assert_same(model, fused, np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype(np.float32))


def test_frozen_parameters_stay_frozen_and_others_learn():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)).eval()
    model[0].requires_grad_(False)
    fused = nn.fuse(model, (1, 5, 5, 3))
    assert [p.requires_grad for p in model.parameters()] == [False] * 2 + [True] * 6
    assert [p.requires_grad for p in fused.parameters()] == [False] * 2 + [True] * 2
    np.sum(fused(Tensor(np.ones((1, 5, 5, 3), np.float32))) ** 2).backward()
    assert fused[2].weight.grad is not None and fused[0].weight.grad is None


def test_folded_weights_go_to_pytorch(tmp_path, torch):
    from safetensors.torch import load_file

    model = drawn(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), 0).eval()
    fused = nn.fuse(model, (1, 5, 5, 3))
    nn.save_weights(fused, tmp_path / "w.safetensors", layout="torch")
    theirs = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Identity(), torch.nn.ReLU())
    theirs.load_state_dict(load_file(tmp_path / "w.safetensors"))
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype(np.float32)
    y = theirs(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).detach().numpy()
    assert np.allclose(np.moveaxis(y, 1, -1), unwrap(model(x)), atol=1e-5)


def test_refusals():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    with pytest.raises(ValueError, match=r"Sequential is in training: call model.eval\(\) first"):
        nn.fuse(model, (1, 3))
    model.eval()[1].train()
    with pytest.raises(ValueError, match="but 1 is in training"):
        nn.fuse(model, (1, 3))
    model.eval()
    with pytest.raises(ValueError, match="needs an input or its shape"):
        nn.fuse(model)
    with pytest.raises(TypeError, match="takes a Module, got function"):
        nn.fuse(lambda x: x, (1, 3))
    with pytest.raises(ValueError, match="Linear needs 3 features, got 5"):
        nn.fuse(model, (1, 5))
    assert all("forward" not in vars(m) for m in model.modules())  # as it was, after an error too
    with autograd.no_grad():
        assert norms_in(nn.fuse(model, (1, 3))) == 0

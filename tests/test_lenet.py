"""LeNet-5: published sizes, the same numbers as PyTorch's, and digits it learns to read."""

import numpy as np
import pytest

import nn
from autograd import Tensor, no_grad
from nn import data
from nn.models import LeNet5
from nn.recipes import lenet
from nn.summary import summary

# COURSE.md, C4W2-lenet5: 32x32x1 -> 28x28x6 -> 14 -> 10x10x16 -> 5x5x16 -> 120 -> 84 -> 10; 61,706 parameters
SHAPES = {
    "Conv2d": [(28, 28, 6), (10, 10, 16)],
    "MaxPool2d": [(14, 14, 6), (5, 5, 16)],
    "Flatten": [(400,)],
    "Linear": [(120,), (84,), (10,)],
}


@pytest.mark.parametrize(("padding", "size"), [(2, 28), (0, 32)])
def test_layers_have_the_lectures_shapes(padding, size):
    table = summary(LeNet5(padding=padding), (1, size, size, 1))
    assert table.parameters == 61_706
    for kind, shapes in SHAPES.items():
        assert [row.shape[1:] for row in table.rows if row.kind == kind] == shapes
    # each value of a layer is one dot product: 28*28*6*25 + 10*10*16*150 + 400*120 + 120*84 + 84*10
    assert table.multiply_adds == 117_600 + 240_000 + 48_000 + 10_080 + 840


def test_sizes_follow_the_arguments():
    assert summary(LeNet5(num_classes=3, in_channels=3), (1, 28, 28, 3)).rows[-1].shape == (1, 3)


def torch_lenet(torch):
    layers = torch.nn
    return layers.ModuleDict(
        {
            "features": layers.Sequential(
                layers.Conv2d(1, 6, 5, padding=2),
                layers.ReLU(),
                layers.MaxPool2d(2),
                layers.Conv2d(6, 16, 5),
                layers.ReLU(),
                layers.MaxPool2d(2),
            ),
            "classifier": layers.Sequential(
                layers.Flatten(),
                layers.Linear(400, 120),
                layers.ReLU(),
                layers.Linear(120, 84),
                layers.ReLU(),
                layers.Linear(84, 10),
            ),
        }
    )


def test_outputs_and_gradients_are_pytorchs(torch, tmp_path):
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    theirs, ours = torch_lenet(torch), LeNet5()
    save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    nn.load_weights(ours, tmp_path / "theirs.safetensors")
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(9, 28, 28, 1)).astype(np.float32), rng.integers(0, 10, 9)

    logits = ours(Tensor(images))
    nn.CrossEntropyLoss()(logits, labels).backward()
    x = torch.from_numpy(np.moveaxis(images, -1, 1).copy())
    their_logits = theirs["classifier"](theirs["features"](x))
    torch.nn.functional.cross_entropy(their_logits, torch.from_numpy(labels)).backward()
    assert np.allclose(logits.numpy(), their_logits.detach().numpy(), atol=1e-5)

    # the gradients, laid out as PyTorch's by the same permutation that saved weights go through
    with no_grad():
        for p in ours.parameters():
            p[...] = p.grad.numpy()
    nn.save_weights(ours, tmp_path / "gradients.safetensors", layout="torch")
    mine = load_file(tmp_path / "gradients.safetensors")
    for name, p in theirs.named_parameters():
        error = (mine[name] - p.grad).square().mean().sqrt()
        assert error < 1e-4 * p.grad.square().mean().sqrt(), name


def test_the_held_out_fifth_is_the_same_for_every_seed_and_nobody_trains_on_it():
    training, validation, held = lenet.digits()
    assert [len(labels) for _, labels in (training, validation, held)] == [1294, 144, 359]
    assert sum(len(labels) for _, labels in (training, validation, held)) == 1797
    everything, _ = data.load_digits(28)
    parts = np.concatenate([images for images, _ in (training, validation, held)])
    order = [np.lexsort(a.reshape(1797, -1).T) for a in (everything, parts)]
    assert np.array_equal(everything[order[0]], parts[order[1]])
    assert np.array_equal(lenet.digits()[-1][1], held[1])


@pytest.mark.slow
def test_five_seeds_read_98_in_100_held_out_digits(tmp_path):
    reached = [lenet.train(tmp_path / str(seed), seed=seed, quiet=True)[1] for seed in range(5)]
    assert np.mean(reached) >= 0.98, reached
    assert min(reached) >= 0.97, reached


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits(tmp_path):
    runs = [lenet.train(tmp_path / name, seed=7, epochs=2, quiet=True) for name in "ab"]
    assert runs[0][1] == runs[1][1]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
    third = lenet.train(tmp_path / "c", seed=8, epochs=2, quiet=True)
    assert third[0].rows[0]["loss"] != runs[0][0].rows[0]["loss"]

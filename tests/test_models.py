"""Every row of nn.models: published sizes, forward and backward, one batch learned by heart, saved and
loaded."""

import numpy as np
import pytest

import nn
from autograd import Tensor
from nn import models
from nn.summary import summary
from optim import Adam

pytestmark = pytest.mark.slow

NAMES = list(models.entries())


def batch(entry, m=4):
    rng = np.random.default_rng(0)
    return rng.normal(size=(m, *entry.input_shape)).astype(np.float32), np.arange(m) % 3


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_the_published_ones(name):
    entry = models.find(name)
    table = summary(entry.build(), (1, *entry.input_shape))
    assert table.parameters == table.trainable == entry.parameters
    assert table.multiply_adds == entry.multiply_adds


@pytest.mark.parametrize("name", NAMES)
def test_learns_one_batch_by_heart(name):
    entry = models.find(name)
    model, loss = entry.build(), nn.CrossEntropyLoss()
    optimizer = Adam(model.parameters(), lr=2e-3)
    x, labels = batch(entry)
    costs = []
    for _ in range(150):
        cost = loss(model(Tensor(x)), labels)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    assert costs[-1] < 0.01 * costs[0]
    for path, p in model.named_parameters():
        assert p.grad is not None, path
        assert p.grad.shape == p.shape


@pytest.mark.parametrize("name", NAMES)
def test_saves_and_loads(name, tmp_path):
    entry = models.find(name)
    model, other = entry.build().eval(), entry.build().eval()
    x = Tensor(batch(entry)[0])
    nn.save_weights(model, tmp_path / "w.safetensors")
    nn.load_weights(other, tmp_path / "w.safetensors")
    assert np.array_equal(model(x).numpy(), other(x).numpy())


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(ValueError, match=r"no model is called 'lenett': did you mean 'lenet'\?"):
        models.find("lenett")
    with pytest.raises(ValueError, match=r"no model is called 'xyz': known are .*lenet"):
        models.find("xyz")


def test_every_file_is_in_the_readme():
    from pathlib import Path

    folder = Path(models.__file__).parent
    readme = (folder / "README.md").read_text()
    listed = {path.name for path in folder.glob("*.py")} - {"__init__.py", "catalog.py"}
    assert all(f"`{name}`" in readme for name in [*listed, *NAMES])

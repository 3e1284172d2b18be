"""Weights in files: safetensors in our layout and PyTorch's, whole or not at all."""

import os
import subprocess
import sys

import numpy as np
import pytest

import nn
from nn.weights import read_tensors, write_tensors


class Net(nn.Module):
    def __init__(self, channels=4, classes=5):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(2, channels, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.depthwise = nn.Conv2d(channels, channels, (1, 3), groups=channels, padding="same", bias=False)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(3 * 2 * channels, classes, spatial=(3, 2, channels))
        self.register_buffer("steps", np.array(7))

    def forward(self, x):
        return self.fc(self.flatten(self.depthwise(self.features(x))))


class OtherNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(2, 6, 3))
        self.head = nn.Linear(3, 3)


def images(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def values(model):
    return {n: t.numpy().copy() for n, t in model.state_dict().items()}


@pytest.mark.parametrize("layout", ["ngrad", "torch"])
def test_round_trip(tmp_path, layout):
    model, other = Net(), Net()
    other.steps.fill(0)
    nn.save_weights(model, tmp_path / "model.safetensors", layout)
    nn.load_weights(other, str(tmp_path / "model.safetensors"))
    np.testing.assert_equal(values(other), values(model))
    assert other.steps.dtype == np.int64
    assert os.listdir(tmp_path) == ["model.safetensors"]


@pytest.fixture
def torch_net(torch):
    class TorchNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features = torch.nn.Sequential(
                torch.nn.Conv2d(2, 4, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)
            )
            self.depthwise = torch.nn.Conv2d(4, 4, (1, 3), groups=4, padding="same", bias=False)
            self.fc = torch.nn.Linear(24, 5)
            self.register_buffer("steps", torch.tensor(3))

        def forward(self, x):
            return self.fc(self.depthwise(self.features(x)).flatten(1))

    return TorchNet()


def assert_same_outputs(torch, ours, theirs):
    x = images(3, 8, 6, 2)  # (m, n_H, n_W, n_C), to (m, n_C, n_H, n_W)
    wanted = theirs(torch.tensor(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    np.testing.assert_allclose(ours(x).numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_weights_of_pytorch_load_here(tmp_path, torch, torch_net):
    from safetensors.torch import save_file

    save_file(torch_net.state_dict(), tmp_path / "torch.safetensors")
    model = Net()
    nn.load_weights(model, tmp_path / "torch.safetensors")
    assert model.steps.item() == 3
    assert_same_outputs(torch, model, torch_net)


def test_weights_of_ours_load_in_pytorch(tmp_path, torch, torch_net):
    from safetensors.torch import load_file

    model = Net()
    nn.save_weights(model, tmp_path / "model.safetensors", layout="torch")
    torch_net.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert_same_outputs(torch, model, torch_net)


def tied():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    return model


def test_one_name_of_a_shared_parameter_is_enough(tmp_path, torch):
    from safetensors.torch import save_model

    theirs = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    theirs[1].weight = theirs[0].weight
    save_model(theirs, tmp_path / "tied.safetensors")  # writes a shared tensor once
    model = tied()
    nn.load_weights(model, tmp_path / "tied.safetensors")
    np.testing.assert_array_equal(model[1].weight.numpy(), theirs[0].weight.detach().numpy())
    assert model[1].weight is model[0].weight
    with pytest.raises(ValueError, match="1 missing"):
        nn.load_weights(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), tmp_path / "tied.safetensors")


# ---- types, orders, misfits


def test_half_precision_weights_load(tmp_path, torch):
    from safetensors.torch import save_file

    theirs = torch.nn.Linear(3, 2)
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        save_file(theirs.to(dtype).state_dict(), tmp_path / "half.safetensors")
        ours = nn.Linear(3, 2)
        nn.load_weights(ours, tmp_path / "half.safetensors")
        assert ours.weight.dtype == np.float32
        np.testing.assert_array_equal(ours.weight.numpy(), theirs.weight.detach().float().numpy())


def test_shared_weights_round_trip(tmp_path):
    model, other = tied(), tied()
    nn.save_weights(model, tmp_path / "tied.safetensors")
    nn.load_weights(other, tmp_path / "tied.safetensors")
    np.testing.assert_equal(values(other), values(model))


def test_arrays_of_any_order_and_metadata_round_trip(tmp_path):
    written = {
        "transposed": images(3, 4).T,
        "strided": images(6)[::2],
        "number": np.array(5),
        "empty": np.zeros((0, 3), np.float32),
        **{t: np.arange(3).astype(t) for t in ("float16", "float64", "int8", "uint8", "int64", "bool")},
    }
    write_tensors(tmp_path / "a.safetensors", written, {"epoch": "3", "text": 'with "quotes" and ü'})
    arrays, metadata = read_tensors(tmp_path / "a.safetensors")
    np.testing.assert_equal(arrays, written)
    assert {n: a.dtype for n, a in arrays.items()} == {n: a.dtype for n, a in written.items()}
    assert metadata == {"epoch": "3", "text": 'with "quotes" and ü'}


def test_weights_of_another_model_are_listed(tmp_path):
    path = tmp_path / "net.safetensors"
    nn.save_weights(Net(), path)
    other = OtherNet()
    before = values(other)
    with pytest.raises(ValueError) as caught:
        nn.load_weights(other, path)
    said = str(caught.value)
    assert said.startswith(f"{path}: the weights do not fit OtherNet: 2 missing (head.weight, head.bias); ")
    assert "; 4 unexpected (" in said
    for name in ("steps", "depthwise.weight", "fc.weight", "fc.bias"):
        assert name in said
    assert said.endswith(
        "; 2 mis-shaped (features.0.weight: got (3, 3, 2, 4), needs (3, 3, 2, 6), "
        "features.0.bias: got (4,), needs (6,))"
    )
    assert "\n" not in said
    np.testing.assert_equal(values(other), before)


def test_shapes_are_told_in_the_files_layout(tmp_path):
    path = tmp_path / "net.safetensors"
    nn.save_weights(Net(channels=4), path, layout="torch")
    model = Net(channels=6)
    before = values(model)
    with pytest.raises(ValueError, match=r"features.0.weight: got \(4, 2, 3, 3\), needs \(6, 2, 3, 3\)"):
        nn.load_weights(model, path)
    with pytest.raises(ValueError, match="mis-shaped"):
        nn.load_weights(model, path, strict=False)
    np.testing.assert_equal(values(model), before)


def test_without_strict_what_fits_is_loaded(tmp_path):
    path = tmp_path / "part.safetensors"
    write_tensors(path, {"weight": np.ones((2, 2), np.float32), "other": np.ones(1)})
    layer = nn.Linear(2, 2)
    bias = layer.bias.numpy().copy()
    nn.load_weights(layer, path, strict=False)
    assert layer.weight.tolist() == [[1.0, 1.0]] * 2
    np.testing.assert_array_equal(layer.bias.numpy(), bias)


def test_long_lists_of_keys_are_cut(tmp_path):
    write_tensors(tmp_path / "many.safetensors", {f"layer{k:03}": np.ones(1) for k in range(500)})
    with pytest.raises(ValueError, match=r"500 unexpected \(layer000, .*, layer019, and 480 more\)$"):
        nn.load_weights(nn.Sequential(), tmp_path / "many.safetensors")


# ---- files that are no weights


def whole_file(tmp_path):
    nn.save_weights(Net(), tmp_path / "whole.safetensors")
    return (tmp_path / "whole.safetensors").read_bytes()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:4],
        lambda data: data[:100],
        lambda data: data[:-1],
        lambda data: data + b"more",
        lambda data: b"\x89PNG\r\n\x1a\n" + data,
        lambda data: b"PK\x03\x04" + data,
        lambda data: b"\xff" * 1000,
        lambda data: data[:8] + b"[" + data[9:],
        lambda data: data[:60] + b"\xff\xfe" + data[62:],
    ],
)
def test_truncated_and_foreign_files(tmp_path, spoil):
    path = tmp_path / "spoilt.safetensors"
    path.write_bytes(spoil(whole_file(tmp_path)))
    model = Net()
    before = values(model)
    with pytest.raises(ValueError) as caught:
        nn.load_weights(model, path)
    assert str(caught.value).startswith(f"{path} is no safetensors file, or a truncated one: ")
    assert "\n" not in str(caught.value)
    np.testing.assert_equal(values(model), before)


def test_every_truncation_is_noticed(tmp_path):
    write_tensors(tmp_path / "whole.safetensors", {"a": np.arange(4.0), "b": np.arange(3)})
    data = (tmp_path / "whole.safetensors").read_bytes()
    for size in range(len(data)):
        (tmp_path / "cut.safetensors").write_bytes(data[:size])
        with pytest.raises(ValueError, match="truncated"):
            read_tensors(tmp_path / "cut.safetensors")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="cannot read: No such file or directory: '.*missing.safetensors'"
    ):
        nn.load_weights(Net(), tmp_path / "missing.safetensors")
    with pytest.raises(OSError, match="cannot read"):
        nn.load_weights(Net(), tmp_path)


def test_files_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot write: .*'.*model.safetensors'$"):
        nn.save_weights(Net(), tmp_path / "missing" / "model.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="cannot write"):
        nn.save_weights(Net(), tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]
    with pytest.raises(ValueError, match='layout is "ngrad" or "torch", got \'tf\''):
        nn.save_weights(Net(), tmp_path / "model.safetensors", layout="tf")


def test_a_write_that_fails_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    nn.save_weights(Net(), path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="cannot write: No space left on device"):
        nn.save_weights(Net(), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.safetensors"]


KILLED_WRITER = """
import os, sys, nn.weights
os.replace = lambda *_: os._exit(9)  # the moment before the new file takes its place
nn.weights.write_tensors(sys.argv[1], {})
"""


def test_a_kill_while_writing_leaves_the_file_that_was_there(tmp_path):
    path = tmp_path / "model.safetensors"
    nn.save_weights(Net(), path)
    before = path.read_bytes()
    assert subprocess.run([sys.executable, "-c", KILLED_WRITER, path]).returncode == 9
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_keeps_pointing(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    nn.save_weights(Net(), tmp_path / "target")
    nn.save_weights(Net(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    nn.load_weights(Net(), tmp_path / "target")

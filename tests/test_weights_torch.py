"""Weights to PyTorch and back, of every kind of layer, and PyTorch's own files."""

import os
import sys

import numpy as np
import pytest

import nn
from autograd.kernels import conv
from autograd.tensor import unwrap
from tests.layer_table import all_rows
from tests.test_weights import Net, assert_same_outputs, values
from tests.test_weights import torch_net as torch_net

pytestmark = pytest.mark.slow

# ---- every kind of layer, there and back


def rows_with_weights():
    """The rows of layers whose parameters or buffers PyTorch has under the same names."""
    return [
        row
        for row in all_rows()
        if row.theirs and "torch" not in row.exempt and any(True for _ in row.ours()._tensors("state"))
    ]


def outputs(row, torch, layer):
    """What the layer gives at test time, as PyTorch has it."""
    ours = isinstance(layer, nn.Module)
    given = row.inputs(np.random.default_rng(1))
    given = [x.astype(np.float32) if getattr(x, "dtype", None) == np.float64 else x for x in given]
    if not ours:
        given = [torch.tensor(row.to_torch(x).copy()) if isinstance(x, np.ndarray) else x for x in given]
    found, waiting = [], [row.call(layer.eval(), *given)]
    while waiting:
        y = waiting.pop(0)
        if isinstance(y, (tuple, list)):
            waiting = [*y, *waiting]
        elif y is not None:
            y = unwrap(y) if ours else y.detach().numpy()
            found.append(row.to_torch(y) if ours else y)
    return found


def assert_same_layers(row, torch, ours, theirs):
    for mine, their in zip(outputs(row, torch, ours), outputs(row, torch, theirs), strict=True):
        scale = np.sqrt(np.mean(np.square(their.astype(float)))) if their.size else 1.0
        np.testing.assert_allclose(mine, their, rtol=1e-4, atol=1e-5 * scale + 1e-7)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("row", rows_with_weights(), ids=str)
def test_weights_of_every_layer_go_both_ways(row, tmp_path, torch, monkeypatch):
    from safetensors.torch import load_file, save_file

    monkeypatch.setattr(conv, "WINOGRAD", False)  # it rounds more, and has tests of its own
    theirs, ours = row.theirs(torch), row.ours()
    with torch.no_grad():
        for tensor in theirs.state_dict().values():  # off values such as 0 and 1, that would hide a mistake
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand(tensor.shape))
    state = {name: tensor.contiguous().clone() for name, tensor in theirs.state_dict().items()}
    save_file(state, tmp_path / "theirs.safetensors")
    torch.save(state, tmp_path / "theirs.pt")
    for name in ("theirs.safetensors", "theirs.pt"):
        ours = row.ours()
        nn.load_weights(ours, tmp_path / name)
        before = values(ours)  # a call may shorten rows of a table
        nn.save_weights(ours, tmp_path / "ours.safetensors", layout="torch")
        nn.save_weights(ours, tmp_path / "own.safetensors")
        assert_same_layers(row, torch, ours, theirs)
    again = row.theirs(torch)
    again.load_state_dict(load_file(tmp_path / "ours.safetensors"))
    for name, tensor in again.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), state[name].numpy(), err_msg=name)
    last = row.ours()
    nn.load_weights(last, tmp_path / "own.safetensors")
    np.testing.assert_equal(values(last), before)


# ---- PyTorch's own files


def test_checkpoints_of_pytorch(tmp_path, torch, torch_net):
    for name, held in (
        ("state.pth", torch_net.state_dict()),
        ("checkpoint.pt", {"state_dict": torch_net.state_dict(), "epoch": 3}),
        ("half.pt", {n: t.to(torch.bfloat16) for n, t in torch_net.state_dict().items()}),
    ):
        torch.save(held, tmp_path / name)
        model = Net()
        nn.load_weights(model, tmp_path / name)
        if name != "half.pt":
            assert_same_outputs(torch, model, torch_net)
        assert model.steps.item() == 3


class Evil:
    def __reduce__(self):
        return os.abort, ()


def test_pickles_are_not_run(tmp_path, torch):
    torch.save({"weight": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match="evil.pt is no file of tensors that PyTorch reads: Weights only"):
        nn.load_weights(nn.Linear(2, 2), tmp_path / "evil.pt")


def test_files_that_are_no_state_dict(tmp_path, torch):
    held = {"list.pt": ([torch.ones(2)], "holds a list"), "epoch.pt": ({"epoch": 3}, "'epoch' is a int")}
    for name, (value, said) in held.items():
        torch.save(value, tmp_path / name)
        with pytest.raises(ValueError, match=said) as caught:
            nn.load_weights(nn.Linear(2, 2), tmp_path / name)
        assert "\n" not in str(caught.value)
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(ValueError, match="text.pt is no file of tensors") as caught:
        nn.load_weights(nn.Linear(2, 2), tmp_path / "text.pt")
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="cannot read: No such file or directory: '.*missing.pt'"):
        nn.load_weights(nn.Linear(2, 2), tmp_path / "missing.pt")
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other.pt: the weights do not fit Linear: 2 mis-shaped \(weight"):
        nn.load_weights(nn.Linear(2, 2), tmp_path / "other.pt")


def test_files_of_pytorch_without_pytorch(tmp_path, monkeypatch):
    (tmp_path / "weights.pth").write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ImportError, match=r"only PyTorch reads: pip install 'ngrad\[peers\]', or turn it into"
    ):
        nn.load_weights(nn.Linear(2, 2), tmp_path / "weights.pth")

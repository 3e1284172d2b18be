"""Weights in files: safetensors, in our layout or PyTorch's. No pickle is ever loaded here; PyTorch's own
files are left to PyTorch, which reads tensors from them and nothing else."""

import json
import os
from collections.abc import Mapping

import numpy as np

from .files import replacing
from .module import Module, Parameter
from .refusals import Keys, check_keys

_OWN = "ngrad"  # the "format" our files name; a file that names another, or none, is in PyTorch's layout


def _layout(tensor):
    return tensor.layout if isinstance(tensor, Parameter) else None


def save_weights(model: Module, path: str | os.PathLike, layout: str = "ngrad") -> None:
    """Writes a model's parameters and buffers to a safetensors file.

    `layout="torch"` writes the axes as PyTorch has them, so a PyTorch model of the same names loads the file.
    The file appears whole or not at all: it is written beside its place, synced and renamed. Raises
    ValueError for another layout, OSError where the file cannot be written."""
    if layout not in ("ngrad", "torch"):
        raise ValueError(f'layout is "ngrad" or "torch", got {layout!r}')
    arrays = {}
    for name, tensor in model._tensors("state"):
        array = tensor.numpy()
        arrays[name] = _layout(tensor).to_torch(array) if layout == "torch" and _layout(tensor) else array
    write_tensors(path, arrays, {"format": _OWN if layout == "ngrad" else "pt"})


def load_weights(model: Module, path: str | os.PathLike, strict: bool = True) -> Keys:
    """Reads a safetensors file into a model's parameters and buffers. A file that `save_weights` did not mark
    as ours is taken to be in PyTorch's layout, as published weights are, and each parameter's declared
    permutation brings it into ours. Of a parameter that two modules share, one of its names is enough.

    PyTorch's own files, named .pt or .pth, are read by `torch.load(weights_only=True)` where torch is
    installed: a state_dict, or a dict that holds one as "state_dict". Returns the missing and unexpected keys
    that were let pass without `strict`.

    Raises ValueError for a file that is not safetensors or is truncated, and one that lists missing,
    unexpected and mis-shaped keys (without `strict` mis-shaped ones only); OSError where it cannot be read;
    ImportError for PyTorch's files without torch. The model is then unchanged."""
    of_torch = os.fspath(path).endswith((".pt", ".pth"))
    arrays, metadata = (read_torch(path), {}) if of_torch else read_tensors(path)
    own = dict(model._tensors("state"))
    layouts = {} if metadata.get("format") == _OWN else {n: k for n, t in own.items() if (k := _layout(t))}
    needed = {n: layouts[n].torch_shape(t.shape) if n in layouts else t.shape for n, t in own.items()}
    names = {id(t): n for n, t in own.items() if n in arrays}
    arrays |= {n: arrays[names[id(t)]] for n, t in own.items() if n not in arrays and id(t) in names}
    try:
        keys = check_keys(type(model).__name__, needed, {n: a.shape for n, a in arrays.items()}, strict)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None
    model.load_state_dict(
        {n: layouts[n].from_torch(a) if n in layouts else a for n, a in arrays.items() if n in own}, strict
    )
    return keys


def read_torch(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of a file of PyTorch's, read by torch itself with `weights_only=True`, which refuses to run
    what a pickle may hold. bfloat16 comes as float32. Raises ImportError where torch is not installed,
    ValueError for a file that holds anything but tensors, OSError where it cannot be read."""
    try:
        import torch
    except ImportError:
        raise ImportError(
            f"{os.fspath(path)} is a file of PyTorch's, which only PyTorch reads: "
            "pip install 'ngrad[peers]', or turn it into safetensors where torch is"
        ) from None
    try:
        with open(path, "rb") as file:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise type(error)(error.errno, f"cannot read: {error.strerror}", os.fspath(path)) from None
    except Exception as error:  # torch has many: UnpicklingError, RuntimeError, EOFError, KeyError
        reason = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
        raise ValueError(f"{os.fspath(path)} is no file of tensors that PyTorch reads: {reason}") from None
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping):
        raise ValueError(f"{os.fspath(path)} holds a {type(loaded).__name__}, needs a state_dict")
    for name, value in loaded.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"{os.fspath(path)} is no state_dict: {name!r} is a {type(value).__name__}")
    half = torch.bfloat16
    return {n: (t.float() if t.dtype is half else t).detach().numpy() for n, t in loaded.items()}


def write_tensors(
    path: str | os.PathLike, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes arrays and strings to a safetensors file that appears whole or not at all: a crash, a full disk
    or a kill leaves the file that was there. Raises OSError where it cannot be written."""
    from safetensors.numpy import save

    data = save({n: np.asarray(a, order="C") for n, a in tensors.items()}, dict(metadata or {}))
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def read_tensors(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata of a safetensors file. bfloat16 comes as float32. Raises ValueError for a
    file that is not safetensors or is truncated, OSError where it cannot be read."""
    from safetensors import SafetensorError, deserialize

    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise type(error)(error.errno, f"cannot read: {error.strerror}", os.fspath(path)) from None
    try:
        arrays = {name: _array(tensor) for name, tensor in sorted(deserialize(data))}
    except SafetensorError as error:
        reason = str(error).removeprefix("Error while deserializing header: ")
        raise ValueError(f"{os.fspath(path)} is no safetensors file, or a truncated one: {reason}") from None
    except KeyError as error:
        raise ValueError(
            f"{os.fspath(path)} holds numbers of type {error}, which NumPy does not have"
        ) from None
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return arrays, header.get("__metadata__", {})


_TYPES = {
    **{f"F{8 * n}": f"<f{n}" for n in (2, 4, 8)},
    **{f"{kind.upper()}{8 * n}": f"<{kind}{n}" for kind in "iu" for n in (1, 2, 4, 8)},
    "C64": "<c8",
    "BOOL": "?",
}


def _array(tensor):
    if tensor["dtype"] == "BF16":  # the upper half of a float32
        upper = np.frombuffer(tensor["data"], "<u2").astype("<u4") << 16
        return upper.view("<f4").reshape(tensor["shape"])
    return np.frombuffer(tensor["data"], _TYPES[tensor["dtype"]]).reshape(tensor["shape"])

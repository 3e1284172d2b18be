"""Checkpoints: one file that holds all of a training, is whole or absent, and is refused when it was changed.

It is a safetensors file. Arrays are tensors in it; everything else is one JSON text in its metadata, in which
{"$array": name} stands where an array was; a SHA-256 of both is beside it. No pickle is written or read.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replacing
from ..weights import read_tensors

CHECKPOINT, BEFORE = "checkpoint.safetensors", "checkpoint-before.safetensors"
VERSION = 1
_FORMAT, _ARRAY = "ngrad checkpoint", "$array"


def write_checkpoint(path: str | Path, state: Mapping[str, Any]) -> None:
    """Writes nested dicts and lists of arrays, numbers, strings, booleans and None. The checkpoint that was
    there stays until the new one is whole, and then beside it as `checkpoint-before.safetensors`. Raises
    TypeError that names what cannot be written, OSError where the file cannot."""
    from safetensors.numpy import save

    path, arrays = Path(path), {}
    text = json.dumps(_plain(state, "", arrays))
    metadata = {"format": _FORMAT, "version": str(VERSION), "state": text, "sha256": _digest(text, arrays)}
    data = save(arrays, metadata)
    with replacing(path, before=path.with_name(BEFORE)) as temporary:
        temporary.write_bytes(data)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """What `write_checkpoint` wrote: tuples as lists, keys as strings, NumPy numbers as Python's. Raises
    FileNotFoundError where there is none, and ValueError for a file that is truncated, was changed, is no
    checkpoint, or is a newer ngrad's; each says the way out."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"nothing to resume: no checkpoint at {path}; the first one is written after an epoch, "
            "or after checkpoint_every steps"
        )
    try:
        return _read(path)
    except ValueError as error:
        raise ValueError(f"{error}; {way_out(path)}") from None


def way_out(path: Path) -> str:
    """What to do about a checkpoint that cannot be used."""
    before = path.with_name(BEFORE)
    try:
        _read(before)
    except (ValueError, OSError):
        return "start again without resuming"
    if path.name == BEFORE:
        return "start again without resuming"
    return f"the one before it is whole: rename {before} to {path.name}, or start again without resuming"


def _read(path):
    arrays, metadata = read_tensors(path)
    if metadata.get("format") != _FORMAT:
        raise ValueError(f"{path} is no checkpoint: it holds weights, and nothing of how they were trained")
    try:
        version = int(metadata["version"])
    except (KeyError, ValueError):
        raise ValueError(f"{path} was changed after it was written: it has no version") from None
    if version != VERSION:
        raise ValueError(f"{path} is a checkpoint of version {version}, and this ngrad reads {VERSION}")
    text = metadata.get("state", "")
    if metadata.get("sha256") != _digest(text, arrays):
        raise ValueError(f"{path} was changed after it was written: its SHA-256 is another")
    return _whole(json.loads(text), arrays)


def _digest(text, arrays) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\n{name} {array.dtype.str} {np.shape(arrays[name])}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _plain(value, path, arrays):
    """The value for JSON; arrays go into `arrays` under their path."""
    if isinstance(value, np.ndarray):
        arrays[path] = np.asarray(value, order="C")
        return {_ARRAY: path}
    if isinstance(value, Mapping):
        return {str(k): _plain(v, f"{path}.{k}" if path else str(k), arrays) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v, f"{path}.{k}", arrays) for k, v in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"a checkpoint holds dicts, lists, arrays, numbers and strings: {path} is a {type(value).__name__}"
    )


def _whole(value, arrays):
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return arrays[value[_ARRAY]].copy()  # the file's own are read-only
        return {k: _whole(v, arrays) for k, v in value.items()}
    return [_whole(v, arrays) for v in value] if isinstance(value, list) else value

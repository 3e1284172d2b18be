"""What modules refuse to be given: arguments that are PyTorch's alone, and weights that do not fit."""

import inspect
from collections.abc import Mapping
from typing import NamedTuple

_HABITS = {  # arguments of PyTorch's layers that have no counterpart
    "batch_first": "sequences are (m, T, features), always",
    "inplace": "layers never write into their input, leave it out",
    "device": "all is on the CPU, leave it out",
    "dtype": "autograd.set_default_dtype(...) before, or .to(...) afterwards",
}


def refuse_habits(cls, args, kwargs, plain) -> None:
    """Says more than Python would of an argument that a layer does not take; a `plain` one takes none."""
    if args and plain:
        raise TypeError(f"{cls.__name__} takes no arguments, got {args[0]!r}")
    for name in _HABITS.keys() & kwargs.keys():
        known = inspect.signature(cls.__init__).parameters
        if name not in known and all(p.kind is not p.VAR_KEYWORD for p in known.values()):
            raise TypeError(f"{cls.__name__} has no argument {name!r}: {_HABITS[name]}")
    if (args or kwargs) and "__init__" not in vars(cls):  # Python would name the base class
        try:
            inspect.signature(cls.__init__).bind(None, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}: {error}") from None


_LISTED = 20


class Keys(NamedTuple):
    """What `load_state_dict` did not find in the state, and what it did not need of it."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def check_keys(
    owner: str, needed: Mapping[str, tuple], given: Mapping[str, tuple], strict: bool = True
) -> Keys:
    """Raises one ValueError when the shapes by key of a model and of its weights disagree."""
    keys = Keys([n for n in needed if n not in given], [n for n in given if n not in needed])
    problems = {
        "missing": keys.missing_keys if strict else [],
        "unexpected": keys.unexpected_keys if strict else [],
        "mis-shaped": [
            f"{name}: got {given[name]}, needs {shape}"
            for name, shape in needed.items()
            if name in given and given[name] != shape
        ],
    }
    found = []
    for kind, names in problems.items():
        if names:
            more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            found.append(f"{len(names)} {kind} ({', '.join(names[:_LISTED])}{more})")
    if found:
        raise ValueError(f"the weights do not fit {owner}: {'; '.join(found)}")
    return keys

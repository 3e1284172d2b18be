"""Checks of an optimizer's options, each a ValueError of one line."""

import math
import numbers
from collections.abc import Mapping
from typing import Any


def in_range(owner: Any, group: Mapping[str, Any], low: float, high: float, *names: str) -> None:
    """Raises ValueError unless each of the named options is a number with low <= number < high."""
    for name in names:
        value = group[name]
        if not isinstance(value, numbers.Real) or not low <= float(value) < high:
            bounds = f"a number from {low:g}" if high == math.inf else f"a number in [{low:g}, {high:g})"
            raise ValueError(f"{_name(owner)}: {name} must be {bounds}, got {value!r}")


def not_negative(owner: Any, group: Mapping[str, Any], *names: str) -> None:
    """Raises ValueError unless each of the named options is a finite number from 0."""
    in_range(owner, group, 0, math.inf, *names)


def whole(owner: Any, group: Mapping[str, Any], low: int, *names: str) -> None:
    """Raises ValueError unless each of the named options is a whole number from `low`."""
    for name in names:
        value = group[name]
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < low:
            raise ValueError(f"{_name(owner)}: {name} must be a whole number from {low}, got {value!r}")


def pair(owner: Any, group: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    """The two values of an option. Raises ValueError unless there are two numbers, or one that is None."""
    value = group[name]
    if isinstance(value, (tuple, list)) and len(value) == 2:
        if all(v is None or isinstance(v, numbers.Real) for v in value):
            return value[0], value[1]
    raise ValueError(f"{_name(owner)}: {name} must be a pair of numbers, got {value!r}")


def fractions(owner: Any, group: Mapping[str, Any], name: str) -> None:
    """Raises ValueError unless the option is a pair of numbers in [0, 1)."""
    first, second = pair(owner, group, name)
    kind = name.removesuffix("s")
    in_range(owner, {f"{kind}1": first, f"{kind}2": second}, 0, 1, f"{kind}1", f"{kind}2")


def switches(owner: Any, group: Mapping[str, Any], *names: str) -> None:
    """Raises ValueError unless each of the named options is True or False."""
    for name in names:
        if not isinstance(group[name], bool):
            raise ValueError(f"{_name(owner)}: {name} must be True or False, got {group[name]!r}")


def one_of(owner: Any, group: Mapping[str, Any], name: str, allowed: tuple) -> None:
    """Raises ValueError unless the option is one of those allowed."""
    if group[name] not in allowed:
        raise ValueError(
            f"{_name(owner)}: {name} must be one of {', '.join(map(repr, allowed))}, got {group[name]!r}"
        )


def _name(owner):
    return type(owner).__name__

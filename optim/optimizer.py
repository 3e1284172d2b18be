"""What every optimizer shares: groups of parameters with their options, the state of each parameter, the
step."""

import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograd.modes import no_grad
from autograd.rows import Rows
from autograd.tensor import Tensor, as_array, unwrap, writable


class Optimizer:
    """Updates parameters in place. A subclass passes its options to `super().__init__(params, {name:
    default})`, checks one group's options in `check`, and moves one parameter in `update`.

    `params` is an iterable of tensors (`model.parameters()`), or of groups {"params": tensors, option: value,
    ...} that override options for some. `param_groups` is the list of such dicts, and may be changed between
    steps (schedules write "lr"); `state[p]` holds what is remembered of parameter p. Parameters without
    gradient are left alone by a step. Raises ValueError for an empty list, a parameter given twice, one that
    is the result of an op, and options out of range; TypeError for what is not a tensor."""

    def __init__(self, params: Iterable, defaults: dict[str, Any]):
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        if isinstance(params, (Tensor, Mapping)):
            what = "one tensor" if isinstance(params, Tensor) else "one dict"
            raise TypeError(
                f"{self._name} takes a list of parameters or of groups, got {what}: put it in a list"
            )
        entries = list(params)
        if not entries:
            raise ValueError(
                f"{self._name} got no parameters: an empty list, or a generator that was used up before"
            )
        grouped = any(isinstance(entry, Mapping) for entry in entries)
        for group in entries if grouped else [{"params": entries}]:
            self.add_param_group(group)

    @property
    def _name(self):
        return type(self).__name__

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Adds a group {"params": tensors, option: value, ...}; options that are left out are the
        optimizer's."""
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(f'{self._name}: a group is a dict with "params", got {_kind(group)}')
        unknown = [name for name in group if name != "params" and name not in self.defaults]
        if unknown:
            raise ValueError(
                f"{self._name} has no option {', '.join(unknown)}, only {', '.join(self.defaults)}"
            )
        tensors = group["params"]
        tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
        if not tensors:
            raise ValueError(f"{self._name}: group {len(self.param_groups)} has no parameters")
        known = {id(p): k for k, p in enumerate(self._parameters())}
        for k, p in enumerate(tensors, len(known)):
            if not isinstance(p, Tensor):
                hint = ": give model.parameters()" if isinstance(p, tuple) else ""
                raise TypeError(f"{self._name}: parameter {k} is {_kind(p)}, not a tensor{hint}")
            if not p.is_leaf:
                raise ValueError(
                    f"{self._name}: parameter {k} of shape {p.shape} is the result of {p.node.name}, "
                    "so no step can move it: give the leaf it was computed from"
                )
            if id(p) in known:
                raise ValueError(
                    f"{self._name}: parameter {k} of shape {p.shape} is parameter {known[id(p)]} again"
                )
            known[id(p)] = k
        complete = {"params": tensors, **self.defaults, **{n: v for n, v in group.items() if n != "params"}}
        self.check(complete)
        self.param_groups.append(complete)

    def _parameters(self):
        return [p for group in self.param_groups for p in group["params"]]

    def check(self, group: dict[str, Any]) -> None:
        """Raises ValueError for options of a group that are out of range."""

    def update(self, w: np.ndarray, g: np.ndarray, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Moves the values w of one parameter in place, given its gradient g (not to be written) and the
        parameter's state, which is {} at first."""
        raise TypeError(f"{self._name} defines no update(w, g, state, group)")

    def step(self) -> None:
        """Moves every parameter that has a gradient. Raises ValueError for a gradient of another shape."""
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self.update(writable(p), self._gradient(p), self.state.setdefault(p, {}), group)

    def _gradient(self, p):
        g = unwrap(p.grad.to_dense() if isinstance(p.grad, Rows) else p.grad)
        if g.shape != p.shape:
            raise ValueError(
                f"{self._name}: a parameter of shape {p.shape} has a gradient of shape {g.shape}"
            )
        return g

    def zero_grad(self) -> None:
        """Forgets the gradients, so the next backward starts from nothing."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """{"state": {index: {name: value}}, "param_groups": [{option: value, "params": [index]}]}, where
        index counts the parameters in order. Arrays share memory with the optimizer, as in PyTorch: deepcopy
        the dict to keep a snapshot."""
        index = {p: k for k, p in enumerate(self._parameters())}
        return {
            "state": {index[p]: dict(state) for p, state in self.state.items()},
            "param_groups": [
                {**group, "params": [index[p] for p in group["params"]]} for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over options and state from `state_dict`, copied. Raises ValueError when it is from another
        kind of optimizer or belongs to other parameters, and then has changed nothing."""
        try:
            groups = [dict(group) for group in state_dict["param_groups"]]
            given = {int(k): dict(state) for k, state in state_dict["state"].items()}
            sizes = [len(group["params"]) for group in groups]
        except (KeyError, TypeError, AttributeError, ValueError):
            raise ValueError(f"{self._name}: this is no state_dict of an optimizer") from None
        own_sizes = [len(group["params"]) for group in self.param_groups]
        if sizes != own_sizes:
            raise ValueError(f"{self._name} has groups of {own_sizes} parameters, the state_dict of {sizes}")
        for group in groups:
            lost = sorted(self.defaults.keys() ^ (group.keys() - {"params"}) - _BY_SCHEDULES)
            if lost:
                raise ValueError(
                    f"the state_dict is of another optimizer than {self._name}: "
                    f"they differ in {', '.join(lost)}"
                )
            self.check(group)
        # "params" numbers the parameters in the saving optimizer's order, which is ours
        saved = [k for group in groups for k in group["params"]]
        parameters = dict(zip(saved, self._parameters(), strict=True))
        if foreign := [k for k in given if k not in parameters]:
            raise ValueError(
                f"{self._name}: the state_dict has state of parameters {foreign}, "
                "which are in none of its groups"
            )
        state = {parameters[k]: _fitted(self._name, k, parameters[k], values) for k, values in given.items()}
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update({name: value for name, value in group.items() if name != "params"})
        self.state = state

    def __repr__(self):
        rows = []
        for k, group in enumerate(self.param_groups):
            options = ", ".join(f"{name}={value!r}" for name, value in group.items() if name != "params")
            rows.append(f"  group {k}: {len(group['params'])} parameters, {options}")
        return "\n".join([f"{self._name}(", *rows, ")"])


_BY_SCHEDULES = {"initial_lr"}


def _kind(value):
    return f"a {type(value).__name__}"


def _fitted(name, k, p, values):
    """A parameter's loaded state: arrays copied in the parameter's dtype, single numbers as Python's."""
    fitted = {}
    for key, value in values.items():
        array = as_array(value) if isinstance(value, (Tensor, np.ndarray, np.generic)) else None
        if array is None:
            fitted[key] = value
        elif array.shape == p.shape and key != "step":
            fitted[key] = np.array(array, p.dtype, order="C")
        elif array.ndim == 0:
            fitted[key] = array.item()
        else:
            raise ValueError(
                f"{name}: {key} of parameter {k} has shape {array.shape}, the parameter {p.shape}"
            )
    return fitted


def in_range(optimizer: Optimizer, group: Mapping[str, Any], low: float, high: float, *names: str) -> None:
    """Raises ValueError unless each of the named options is a number with low <= number < high."""
    for name in names:
        value = group[name]
        if not isinstance(value, numbers.Real) or not low <= float(value) < high:
            bounds = f"a number from {low:g}" if high == math.inf else f"a number in [{low:g}, {high:g})"
            raise ValueError(f"{type(optimizer).__name__}: {name} must be {bounds}, got {value!r}")

"""What every optimizer shares: groups of parameters with their options, the state of each parameter, the
step."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from autograd.modes import enable_grad, no_grad
from autograd.rows import Rows
from autograd.tensor import Tensor, as_array, unwrap, writable

from .options import not_negative, switches
from .rule import Numbers, Rule, changed

State = dict[str, Any]
Group = dict[str, Any]


class Optimizer:
    """Updates parameters in place. A subclass passes its options to `super().__init__(params, {name:
    default})`, checks one group's options in `check`, gives a new parameter its state in `start`, and says in
    `delta` by how much one parameter moves. Where that is elementwise, it is an `Elementwise` optimizer.

    `params` is an iterable of tensors (`model.parameters()`), or of groups {"params": tensors, option: value,
    ...} that override options for some. `param_groups` is the list of such dicts, and may be changed between
    steps (schedules write "lr"); `state[p]` holds what is remembered of parameter p. A step leaves alone
    parameters that have no gradient, and those that no longer require one.

    The options `weight_decay` (lambda: the gradient of the penalty lambda/2 w^2 joins g, or, where the
    optimizer is `decoupled`, w shrinks by lr lambda w) and `maximize` (climb instead of descend) mean the
    same in all that have them. Raises ValueError for an empty list, a parameter given twice, one that is the
    result of an op, and options out of range; TypeError for what is not a tensor."""

    decoupled = False

    def __init__(self, params: Iterable, defaults: dict[str, Any]):
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, State] = {}
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
        self._check(complete)
        self.param_groups.append(complete)

    def _parameters(self):
        return [p for group in self.param_groups for p in group["params"]]

    def _check(self, group):
        not_negative(self, group, *({"lr", "weight_decay"} & group.keys()))
        switches(self, group, *({"maximize", "decoupled_weight_decay"} & group.keys()))
        self.check(group)

    def check(self, group: Group) -> None:
        """Raises ValueError for options of a group that are out of range."""

    def start(self, w: np.ndarray, group: Group) -> State:
        """What is remembered of a parameter before its first step: arrays and numbers by name."""
        return {}

    def delta(self, w: np.ndarray, g: np.ndarray, state: State, group: Group) -> np.ndarray:
        """What a step subtracts from the values w of one parameter, given its gradient g, with weight decay
        and sign, and the parameter's state. Neither w nor g is to be written."""
        raise TypeError(f"{self._name} defines no delta(w, g, state, group)")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Moves every parameter that has a gradient. `closure`, if given, is called first: it computes the
        gradients and returns the loss, which is returned. Raises ValueError for a gradient of another
        shape."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                self._move(group)
        return loss

    def _move(self, group):
        sign, decay, shrink = self.change(group)
        for p in group["params"]:
            if p.grad is not None and p.requires_grad:
                w = writable(p)
                _, g = changed(w, self._gradient(p, w), (sign, decay, 1.0))
                delta = self.delta(w, g, self._remembered(p, w, group), group)
                if shrink != 1.0:
                    w *= shrink
                w -= delta

    def change(self, group: Group) -> Numbers:
        """(sign, decay, shrink): the update starts from sign g + decay w and shrink w."""
        sign = -1.0 if group.get("maximize") else 1.0
        decay = float(group.get("weight_decay", 0.0))
        if decay and group.get("decoupled_weight_decay", self.decoupled):
            return sign, 0.0, 1.0 - float(group["lr"]) * decay
        return sign, decay, 1.0

    def _remembered(self, p, w, group):
        state = self.state.get(p)
        if not state:
            state = self.state[p] = self.start(w, group)
        return state

    def _gradient(self, p, w):
        g = p.grad
        g = g._data if type(g) is Tensor else unwrap(g.to_dense() if isinstance(g, Rows) else g)
        if g.shape != w.shape:
            raise ValueError(
                f"{self._name}: a parameter of shape {w.shape} has a gradient of shape {g.shape}"
            )
        if g.dtype is not w.dtype or not g.flags.c_contiguous:
            g = np.asarray(g, w.dtype, order="C")
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
            self._check(group)
        # "params" numbers the parameters in the saving optimizer's order, which is ours
        saved = [k for group in groups for k in group["params"]]
        parameters = dict(zip(saved, self._parameters(), strict=True))
        if foreign := [k for k in given if k not in parameters]:
            raise ValueError(
                f"{self._name}: the state_dict has state of parameters {foreign}, "
                "which are in none of its groups"
            )
        owner = {p: group for group in groups for p in map(parameters.__getitem__, group["params"])}
        state = {
            p: self._fitted(k, p, given[k], self.start(p._data, owner[p])) if given[k] else {}
            for k, p in parameters.items()
            if k in given
        }
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update({name: value for name, value in group.items() if name != "params"})
        self.state = state

    def __repr__(self):
        rows = []
        for k, group in enumerate(self.param_groups):
            options = ", ".join(f"{name}={value!r}" for name, value in group.items() if name != "params")
            rows.append(f"  group {k}: {len(group['params'])} parameters, {options}")
        return "\n".join([f"{self._name}(", *rows, ")"])

    def _fitted(self, k, p, values, fresh):
        """A parameter's loaded state: arrays copied in the parameter's dtype, single numbers as Python's.
        `fresh` is what it would be before the first step."""
        if lost := sorted(fresh.keys() ^ values.keys()):
            raise ValueError(
                f"{self._name}: the state of parameter {k} needs {', '.join(fresh) or 'to be empty'}: "
                f"what was given differs in {', '.join(lost)}"
            )
        fitted = {}
        for name, value in values.items():
            array, wanted = as_array(value), np.shape(fresh[name])
            if array.shape != wanted:
                raise ValueError(
                    f"{self._name}: {name} of parameter {k} has shape {array.shape}, needs {wanted} "
                    f"for a parameter of shape {p.shape}"
                )
            is_array = isinstance(fresh[name], np.ndarray)
            fitted[name] = np.array(array, p.dtype, order="C") if is_array else np.asarray(value).item()
        return fitted


class Elementwise(Optimizer):
    """An optimizer that moves every weight by a `Rule`, whatever the others do. A subclass defines `move`. A
    row-sparse gradient (`autograd.Rows`) moves only its rows, at a cost independent of the table's size: the
    state and the decay of the other rows wait until they are used again."""

    def move(self, state: State, group: Group) -> tuple[Rule, tuple[str, ...], Numbers]:
        """The rule by which a parameter moves, the names of its state's arrays, which the rule takes after w
        and g, and its numbers."""
        raise TypeError(f"{self._name} defines no move(state, group)")

    def _move(self, group):
        batches: dict[tuple, list] = {}  # parameters that move by the same numbers go in one pass
        change = self.change(group)
        for p in group["params"]:
            g = p.grad
            if g is None or not p.requires_grad:
                continue
            w = writable(p)
            sparse = type(g) is Rows and g.shape == w.shape
            if not sparse:
                g = self._gradient(p, w)
            state = self.state.get(p) or self._remembered(p, w, group)
            try:
                rule, names, numbers = self.move(state, group)
                row = w, g, *map(state.__getitem__, names)
            except KeyError as missing:
                raise ValueError(
                    f"{self._name}: an option was switched on after the first step that needs {missing} in "
                    "the state: build a new optimizer for that"
                ) from None
            if sparse:
                rule.on_rows((w, *row[2:]), g, numbers, change)
            else:
                batches.setdefault((rule, numbers), []).append(row)
        for (rule, numbers), rows in batches.items():
            rule(rows, numbers, change)


_BY_SCHEDULES = {"initial_lr"}


def _kind(value):
    return f"a {type(value).__name__}"

"""Modules made of modules."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from autograd.modes import is_grad_enabled

from ..module import Module
from .activation import ReLU
from .conv import Conv2d
from .linear import Linear
from .normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d

_WITH_RELU = frozenset((Linear, Conv2d, BatchNorm1d, BatchNorm2d, BatchNorm3d))


class _Row(Module):
    """Modules in a row, named "0", "1", ... or by the keys of a dict."""

    def __init__(self, *modules):
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named: Iterable = modules[0].items()
        else:
            named = enumerate(modules)
        for name, module in named:
            _add(self, str(name), module)

    def __len__(self):
        return sum(1 for _ in self.children())

    def __iter__(self):
        return self.children()


class _Numbered(_Row):
    """What lists of modules share: places that can be taken, given and left, as in a Python list. Whenever
    one moves, all are named "0", "1", ... again."""

    def _become(self, modules):
        for name, _ in list(self.named_children()):
            delattr(self, name)
        self.extend(modules)

    def append(self, module):
        """Adds a module at the end; returns self."""
        _add(self, str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]):
        """Adds modules at the end; returns self."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module):
        """Puts a module before that of this index; returns self."""
        modules = list(self.children())
        modules.insert(index, module)
        if not isinstance(module, Module):
            _add(self, str(index), module)  # which says what is wrong
        self._become(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Takes a module out, the last one by default, and returns it."""
        module = list(self.children())[index]
        del self[index]
        return module

    def __delitem__(self, index):
        modules = list(self.children())
        del modules[index]
        self._become(modules)

    def __iadd__(self, modules: Iterable[Module]):
        return self.extend(modules)


def _takes_along(module, behind) -> bool:
    """Whether the layer can do the work of the ReLU behind it, and nobody would miss that."""
    return (
        type(behind) is ReLU
        and type(module) in _WITH_RELU
        and module._hooks is behind._hooks is None
        and "forward" not in vars(module)
        and "forward" not in vars(behind)
    )


class Sequential(_Numbered):
    """Calls modules one after the other. Sequential(a, b, ...) names them "0", "1", ...; Sequential({"conv":
    a, ...}) by the keys. A slice is a Sequential that shares them. Where no graph is recorded, a ReLU behind
    a Linear, a Conv2d or a batch norm is taken in that layer's pass."""

    def forward(self, x):
        modules = [member for member in vars(self).values() if isinstance(member, Module)]
        if is_grad_enabled():
            for module in modules:
                x = module(x)
            return x
        done = False  # whether this module was taken along by the last
        for module, behind in zip(modules, [*modules[1:], None]):
            if done:
                done = False
            elif done := _takes_along(module, behind):
                x = module(x, relu=True)
            else:
                x = module(x)
        return x

    def __add__(self, other: Iterable[Module]) -> "Sequential":
        return Sequential(*self, *other)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Sequential(dict(list(self.named_children())[index]))
        return list(self.children())[index]

    def __setitem__(self, index: int, module):
        _add(self, [name for name, _ in self.named_children()][index], module)


class ModuleList(_Numbered):
    """A list whose modules are trained and saved, named "0", "1", ...; what is done with them, `forward` of
    the owner says."""

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        self.extend(modules)

    def forward(self, *inputs):
        raise _never_called(self)

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        return ModuleList([*self, *other])

    def __getitem__(self, index):
        modules = list(self.children())[index]
        return ModuleList(modules) if isinstance(index, slice) else modules

    def __setitem__(self, index: int, module):
        _add(self, str(range(len(self))[index]), module)


class ModuleDict(Module):
    """A dict whose modules are trained and saved under their keys; what is done with them, `forward` of the
    owner says. ModuleDict({"image": a, "text": b}), or pairs."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()):
        super().__init__()
        self.update(modules)

    def forward(self, *inputs):
        raise _never_called(self)

    def pop(self, name: str) -> Module:
        """Takes the module of a key out and returns it."""
        module = self[name]
        del self[name]
        return module

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds modules, or replaces those of the same keys."""
        for name, module in dict(modules).items():
            self[name] = module

    def keys(self) -> list[str]:
        """The keys, in the order in which they came."""
        return [name for name, _ in self.named_children()]

    def values(self) -> list[Module]:
        """The modules, in the order of their keys."""
        return list(self.children())

    def items(self) -> list[tuple[str, Module]]:
        """Keys and modules."""
        return list(self.named_children())

    def __len__(self):
        return len(self.keys())

    def __iter__(self):
        return iter(self.keys())

    def __contains__(self, name):
        return name in self.keys()

    def __getitem__(self, name: str) -> Module:
        found = dict(self.named_children())
        if name not in found:
            raise KeyError(f"ModuleDict has no module {name!r}, only {', '.join(found)}")
        return found[name]

    def __setitem__(self, name: str, module):
        _add(self, name, module)

    def __delitem__(self, name: str):
        self[name]
        delattr(self, name)


class Residual(Module):
    """y = body(x) + x, or body(x) + shortcut(x) where the shapes differ: the block of ResNets and
    Transformers.

    Residual(body, shortcut=None), named "body" and "shortcut". Raises ValueError where the sum would
    broadcast. He et al. 2015; COURSE.md C4W2-resblock."""

    body: Module
    shortcut: Module | None

    def __init__(self, body, shortcut=None):
        super().__init__()
        _add(self, "body", body)
        self.shortcut = None
        if shortcut is not None:
            _add(self, "shortcut", shortcut)

    def forward(self, x):
        y, kept = self.body(x), x if self.shortcut is None else self.shortcut(x)
        if y.shape != kept.shape:
            raise ValueError(
                f"Residual: the body gives {y.shape}, the shortcut {kept.shape}: give a shortcut that "
                "fits, such as a 1x1 convolution"
            )
        return y + kept


class Parallel(_Row):
    """Calls each module with the same input: x -> (a(x), b(x), ...). Parallel(a, b, ...), or a dict."""

    def forward(self, *inputs):
        return tuple(module(*inputs) for module in self.children())


class Concat(_Row):
    """Calls each module with the same input and puts the outputs side by side along the last axis: (m, n_H,
    n_W, n_C_1 + n_C_2 + ...), as in an Inception block. Concat(a, b, ...), or a dict. Raises ValueError where
    their other axes differ. Szegedy et al. 2014; COURSE.md C4W2-inception."""

    def forward(self, *inputs):
        outputs = [module(*inputs) for module in self.children()]
        if len({y.shape[:-1] for y in outputs}) != 1:
            shapes = ", ".join(
                f"{name} {y.shape}" for (name, _), y in zip(self.named_children(), outputs, strict=True)
            )
            raise ValueError(f"Concat: the outputs must agree but for the last axis, got {shapes or 'none'}")
        return np.concatenate(outputs, axis=-1)


class Lambda(Module):
    """A function as a module: Lambda(lambda x: x * 2). It has no parameters; what is to be pickled must be
    importable by name."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__()
        if not callable(function) or isinstance(function, Module):
            raise TypeError(f"Lambda takes a function, got {type(function).__name__}")
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)

    def extra_repr(self):
        return getattr(self.function, "__name__", type(self.function).__name__)


def _never_called(container):
    return TypeError(
        f"{type(container).__name__} only holds modules: call them one by one in the forward of its owner, "
        "or put them into nn.Sequential"
    )


def _add(container, name, module):
    if not isinstance(module, Module):
        what = module.__name__ if isinstance(module, type) else type(module).__name__
        instead = "give a layer, such as nn.ReLU()"
        if isinstance(module, type) and issubclass(module, Module):
            instead = f"give {what}()"
        elif isinstance(module, (list, tuple)):
            instead = "unpack it with *"
        raise TypeError(f"{type(container).__name__} holds modules, got {what} at {name}: {instead}")
    if (
        not isinstance(name, str)
        or not name
        or "." in name
        or (not isinstance(getattr(container, name, None), (Module, type(None))))
    ):
        raise ValueError(
            f"{type(container).__name__} cannot name a module {name!r}: the name is empty, dotted or taken"
        )
    setattr(container, name, module)

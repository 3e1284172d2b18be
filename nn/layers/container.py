"""Modules made of a row of modules."""

from collections.abc import Iterable, Mapping

from ..module import Module


class Sequential(Module):
    """Calls modules one after the other. Sequential(a, b, ...) names them "0", "1", ...; Sequential({"conv":
    a, ...}) by the keys. A slice is a Sequential that shares them."""

    def __init__(self, *modules):
        super().__init__()
        named = (
            modules[0].items()
            if len(modules) == 1 and isinstance(modules[0], Mapping)
            else enumerate(modules)
        )
        for name, module in named:
            _add(self, str(name), module)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x

    def append(self, module) -> "Sequential":
        """Adds a module at the end; returns self."""
        _add(self, str(len(self)), module)
        return self

    def __len__(self):
        return sum(1 for _ in self.children())

    def __iter__(self):
        return self.children()

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Sequential(dict(list(self.named_children())[index]))
        return list(self.children())[index]


class ModuleList(Module):
    """A list whose modules are trained and saved, named "0", "1", ...; what is done with them, `forward` of
    the owner says."""

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        self.extend(modules)

    def append(self, module) -> "ModuleList":
        """Adds a module at the end; returns self."""
        _add(self, str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> "ModuleList":
        """Adds modules at the end; returns self."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self):
        return sum(1 for _ in self.children())

    def __iter__(self):
        return self.children()

    def __getitem__(self, index):
        modules = list(self.children())[index]
        return ModuleList(modules) if isinstance(index, slice) else modules

    def __setitem__(self, index: int, module):
        _add(self, str(range(len(self))[index]), module)


def _add(container, name, module):
    if not isinstance(module, Module):
        what = module.__name__ if isinstance(module, type) else type(module).__name__
        instead = (
            f"{what}()"
            if isinstance(module, type) and issubclass(module, Module)
            else "a layer, such as nn.ReLU()"
        )
        raise TypeError(f"{type(container).__name__} holds modules, got {what} at {name}: give {instead}")
    if "." in name or (not isinstance(getattr(container, name, None), (Module, type(None)))):
        raise ValueError(
            f"{type(container).__name__} cannot name a module {name!r}: the name is dotted or taken"
        )
    setattr(container, name, module)

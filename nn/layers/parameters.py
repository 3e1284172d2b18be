"""Lists and dicts of parameters."""

from collections.abc import Iterable, Mapping

from ..module import Module, Parameter


def _put(container, name, value):
    """Assigns a parameter under a name that is free; arrays and tensors become parameters."""
    named = isinstance(name, str) and name and "." not in name
    if not named or not isinstance(getattr(container, name, None), (Parameter, type(None))):
        raise ValueError(
            f"{type(container).__name__} cannot name a parameter {name!r}: the name is empty, dotted or taken"
        )
    setattr(container, name, value if isinstance(value, Parameter) else Parameter(value))


class _Parameters(Module):
    def __len__(self):
        return len(self._named())

    def extra_repr(self):
        return ", ".join(f"{name}: {p.shape}" for name, p in self._named())

    def _named(self):
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Parameter)]

    def forward(self, *inputs):
        raise TypeError(f"{type(self).__name__} only holds parameters: the forward of its owner uses them")


class ParameterList(_Parameters):
    """A list whose parameters are trained and saved, named "0", "1", .... ParameterList([np.ones(3), ...]):
    what is no Parameter yet becomes one. A plain list of parameters would be neither trained nor saved."""

    def __init__(self, values: Iterable = ()):
        super().__init__()
        self.extend(values)

    def append(self, value) -> "ParameterList":
        """Adds a parameter at the end; returns self."""
        _put(self, str(len(self)), value)
        return self

    def extend(self, values: Iterable) -> "ParameterList":
        """Adds parameters at the end; returns self."""
        for value in values:
            self.append(value)
        return self

    def __iter__(self):
        return (parameter for _, parameter in self._named())

    def __getitem__(self, index):
        parameters = list(self)[index]
        return ParameterList(parameters) if isinstance(index, slice) else parameters

    def __setitem__(self, index: int, value):
        _put(self, str(range(len(self))[index]), value)


class ParameterDict(_Parameters):
    """A dict whose parameters are trained and saved under their keys. ParameterDict({"scale": np.ones(3)}),
    or pairs; what is no Parameter yet becomes one."""

    def __init__(self, parameters: Mapping | Iterable[tuple] = ()):
        super().__init__()
        self.update(parameters)

    def update(self, parameters: Mapping | Iterable[tuple]) -> None:
        """Adds parameters, or replaces those of the same keys."""
        for name, value in dict(parameters).items():
            self[name] = value

    def keys(self) -> list[str]:
        """The keys, in the order in which they came."""
        return [name for name, _ in self._named()]

    def values(self) -> list[Parameter]:
        """The parameters, in the order of their keys."""
        return [parameter for _, parameter in self._named()]

    def items(self) -> list[tuple[str, Parameter]]:
        """Keys and parameters."""
        return self._named()

    def pop(self, name: str) -> Parameter:
        """Takes the parameter of a key out and returns it."""
        parameter = self[name]
        delattr(self, name)
        return parameter

    def __iter__(self):
        return iter(self.keys())

    def __contains__(self, name):
        return name in self.keys()

    def __getitem__(self, name: str) -> Parameter:
        found = dict(self._named())
        if name not in found:
            raise KeyError(f"ParameterDict has no parameter {name!r}, only {', '.join(found) or 'none'}")
        return found[name]

    def __setitem__(self, name: str, value):
        _put(self, name, value)

    def __delitem__(self, name: str):
        self.pop(name)

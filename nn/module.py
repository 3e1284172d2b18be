"""Parameters, and the modules that own them.

A module's members are its attributes: a `Parameter`, a `Module` or a buffer that is assigned to it is found
there again, in the order of assignment, and nothing else keeps a list of them."""

import fnmatch
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.modes import no_grad
from autograd.tensor import Tensor, as_array, writable

from . import hooks
from .refusals import Keys, check_keys, refuse_habits


@dataclass(frozen=True, slots=True)
class Layout:
    """How a parameter's axes lie in PyTorch: the parameter, reshaped to `split` if that is given, and its
    axes permuted by `axes`. A filter (f, f, n_C_prev, n_C) has axes (3, 2, 0, 1). The weight of a Linear
    behind a Flatten of (n_H, n_W, n_C) has split (n_out, n_H, n_W, n_C) and axes (0, 3, 1, 2), and keeps its
    shape."""

    axes: tuple[int, ...]
    split: tuple[int, ...] | None = None

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """Our array as PyTorch's."""
        if self.split is None:
            return array.transpose(self.axes)
        return array.reshape(self.split).transpose(self.axes).reshape(array.shape)

    def from_torch(self, array: np.ndarray) -> np.ndarray:
        """PyTorch's array as ours."""
        back = np.argsort(self.axes)
        if self.split is None:
            return array.transpose(back)
        return array.reshape([self.split[a] for a in self.axes]).transpose(back).reshape(array.shape)

    def torch_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in PyTorch of a parameter of our shape."""
        return shape if self.split else tuple(shape[a] for a in self.axes)


class Parameter(Tensor):
    """A tensor that a module learns: it requires grad, and a module it is assigned to lists it.

    Parameter(data, requires_grad=True, dtype=None, name=None, layout=None): `data` is copied; `layout` is its
    permutation to PyTorch's layout, None where both agree.
    """

    __slots__ = ("layout",)

    def __init__(self, data, requires_grad=True, dtype=None, name=None, layout: Layout | None = None):
        super().__init__(data, requires_grad, dtype, name)
        self.layout = layout

    def _state(self):
        return (*super()._state(), self.layout)

    def _restore(self, layout):
        self.layout = layout


class Module:
    """A function with parameters. A subclass calls `super().__init__()`, assigns parameters and other modules
    to itself, and defines `forward`; calling the module calls that.

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = nn.Linear(784, 128)
                self.head = nn.Linear(128, 10)

            def forward(self, x):               # (m, 784) -> (m, 10)
                return self.head(np.tanh(self.hidden(x)))

    An error raised in a layer names the layer's path in the model: "head: Linear needs 128 features, got 100;
    ...". `training` tells layers such as Dropout how to behave; `train()` and `eval()` set it."""

    training = True
    forward: Callable[..., Any]
    _buffers: dict[str, bool]  # name -> whether it belongs to the state_dict
    _hooks: hooks.Hooks | None = None

    def __new__(cls, *args, **kwargs):
        refuse_habits(cls, args, kwargs, plain=cls.__init__ is Module.__init__)
        return super().__new__(cls)

    def __init__(self):
        object.__setattr__(self, "_buffers", {})

    def __call__(self, *args, **kwargs):
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return hooks.run(self, self._hooks, args, kwargs)
        except (ValueError, TypeError, RuntimeError, IndexError, ArithmeticError) as error:
            self._locate(error)
            raise

    def _locate(self, error) -> None:
        """Prefixes the error with the path, seen from this module, of the module that raised it. Each module
        on the way out calls it, so the path grows from the inside and nothing is paid while nothing fails."""
        if len(error.args) != 1 or not isinstance(error.args[0], str):
            return
        inner, path, message = getattr(error, "raised_in", (None, "", error.args[0]))
        if inner is not None:
            step = next((name for name, module in self.named_modules() if module is inner), "")
            path = ".".join(filter(None, (step, path)))
            error.args = (f"{path}: {message}" if path else message,)
        error.raised_in = (self, path, message)

    # ---- members

    def __setattr__(self, name, value):
        if "_buffers" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__}.{name} is assigned before super().__init__(): "
                "call that first in __init__"
            )
        before = self.__dict__.get(name)
        if isinstance(value, (Module, Parameter)) and hasattr(Module, name):
            raise ValueError(
                f"{type(self).__name__} cannot have a member {name!r}: Module.{name} is part of every module"
            )
        if isinstance(value, Module) and any(m is self for m in value.modules()):
            raise ValueError(f"{type(self).__name__}.{name} would make the module contain itself")
        if isinstance(before, Parameter) and value is not None and not isinstance(value, Parameter):
            raise TypeError(
                f"{type(self).__name__}.{name} is a Parameter, got {type(value).__name__}: "
                "assign nn.Parameter(...), or write its values under autograd.no_grad() with p[...] = values"
            )
        if name in self._buffers and value is not None and not isinstance(value, Tensor):
            value = Tensor(value)
        _refuse_hidden(self, name, value)
        object.__setattr__(self, name, value)

    def register_buffer(self, name: str, value, persistent: bool = True) -> None:
        """Assigns a tensor that is state but not learned, such as a running mean. Unless `persistent` is
        False it belongs to the state_dict. Raises for a name that is taken or holds a dot."""
        if not name or "." in name or hasattr(self, name):
            raise ValueError(
                f"{type(self).__name__} cannot have a buffer {name!r}: the name is empty, dotted or taken"
            )
        self._buffers[name] = persistent
        setattr(self, name, value)

    def register_parameter(self, name: str, value: Parameter | None) -> None:
        """`setattr(self, name, value)`, for names that a program makes up."""
        setattr(self, name, value)

    def add_module(self, name: str, module: "Module | None") -> None:
        """`setattr(self, name, module)`, for names that a program makes up."""
        setattr(self, name, module)

    def get_submodule(self, path: str) -> "Module":
        """The module at a path such as "features.3"; this one at "". Raises KeyError where there is none."""
        module = self
        for step in filter(None, path.split(".")):
            children = dict(module.named_children())
            if step not in children:
                raise KeyError(
                    f"{type(self).__name__} has no module {path!r}: {type(module).__name__} has "
                    f"{', '.join(children) or 'none'}"
                )
            module = children[step]
        return module

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules assigned to this one, with their names."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def children(self) -> Iterator["Module"]:
        """The modules assigned to this one."""
        return (child for _, child in self.named_children())

    def _walk(self, prefix="") -> Iterator[tuple[str, "Module"]]:
        """This module and all below it, parents first; a shared one at each of its places."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child._walk(f"{prefix}.{name}" if prefix else name)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module (named by `prefix`) and all below it, parents first, each once."""
        return _each_once(self._walk(prefix))

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, parents first, each once."""
        return (module for _, module in self.named_modules())

    def _tensors(self, kind, recurse=True) -> Iterator[tuple[str, Any]]:
        """The tensors of one kind ("parameter", "buffer", or "state" for what a state_dict holds) with their
        paths."""
        for path, module in self._walk() if recurse else [("", self)]:
            own = vars(module)
            for name, value in own.items():
                _refuse_hidden(module, name, value)
            names = []
            if kind != "buffer":
                names += [name for name, value in own.items() if isinstance(value, Parameter)]
            if kind != "parameter":
                names += [name for name, kept in module._buffers.items() if kept or kind == "buffer"]
            for name in names:
                if own.get(name) is not None:
                    yield (f"{path}.{name}" if path else name), own[name]

    def named_parameters(self, recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their paths; a shared one once."""
        return _each_once(self._tensors("parameter", recurse))

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters; a shared one once."""
        return (parameter for _, parameter in self.named_parameters(recurse))

    def named_buffers(self, recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their paths; a shared one once."""
        return _each_once(self._tensors("buffer", recurse))

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers; a shared one once."""
        return (buffer for _, buffer in self.named_buffers(recurse))

    # ---- state

    def state_dict(self) -> dict[str, Tensor]:
        """Path -> values of each parameter and persistent buffer. They share memory with the model, as in
        PyTorch: deepcopy the dict to keep a snapshot."""
        return {name: tensor.detach() for name, tensor in self._tensors("state")}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Keys:
        """Copies values into parameters and buffers. Raises one ValueError that lists missing, unexpected and
        mis-shaped keys, and then has changed nothing. Without `strict` only mis-shaped keys count, and the
        others are returned."""
        own = dict(self._tensors("state"))
        arrays = {name: as_array(value) for name, value in state.items()}
        keys = check_keys(
            type(self).__name__,
            {name: tensor.shape for name, tensor in own.items()},
            {name: array.shape for name, array in arrays.items()},
            strict,
        )
        with no_grad():
            for name, tensor in own.items():
                if name in arrays:
                    np.copyto(writable(tensor), arrays[name], casting="unsafe")
        return keys

    def train(self, mode: bool = True) -> "Module":
        """Sets training behaviour for this module and all below it; returns self."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> "Module":
        """Sets test behaviour (no dropout, running statistics); returns self. It does not stop recording:
        that is `autograd.no_grad()`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        """Freezes (False) or unfreezes every parameter; returns self."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def freeze(self, *patterns: str) -> "Module":
        """Freezes the parameters whose path fits a pattern, as in `freeze("features.*", "head.bias")`, or
        lies in a module that it names, as in `freeze("features")`; all without a pattern. Returns self.
        Running statistics of normalisation are no parameters: `eval()` holds them. Raises ValueError for a
        pattern that fits nothing. COURSE.md C4W2-finetune."""
        return self._let_learn(patterns, False)

    def unfreeze(self, *patterns: str) -> "Module":
        """The opposite of `freeze`."""
        return self._let_learn(patterns, True)

    def _let_learn(self, patterns, requires_grad):
        every = list(self._tensors("parameter"))
        chosen = [] if patterns else every
        for pattern in patterns:
            fits = [
                (n, p) for n, p in every if fnmatch.fnmatchcase(n, pattern) or n.startswith(pattern + ".")
            ]
            if not fits:
                names = ", ".join(name for name, _ in every[:3]) + (", ..." if len(every) > 3 else "")
                raise ValueError(
                    f"{type(self).__name__} has no parameter that {pattern!r} fits; it has {names or 'none'}"
                )
            chosen += fits
        for _, parameter in chosen:
            parameter.requires_grad_(requires_grad)
        return self

    def to(self, dtype) -> "Module":
        """Turns parameters, their gradients and the buffers that hold floats into another float type, in
        place; returns self. Raises TypeError for a type that is no float."""
        try:
            given = np.dtype(dtype)
        except TypeError:
            given = None
        if given is None or given.kind != "f":
            what = repr(dtype) if given is None else given
            raise TypeError(
                f"{type(self).__name__}.to takes a float type such as np.float64, got {what}; "
                "there are no devices, all is on the CPU"
            )
        dtype = given
        for tensor in itertools.chain(self.parameters(), self.buffers()):
            if tensor.dtype.kind == "f":
                tensor._data = tensor._data.astype(dtype, copy=False)
            if tensor.grad is not None:
                with no_grad():
                    tensor.grad = tensor.grad.astype(dtype)
        return self

    def zero_grad(self) -> None:
        """Forgets every parameter's gradient."""
        for parameter in self.parameters():
            parameter.grad = None

    def apply(self, function: Callable[["Module"], Any]) -> "Module":
        """Calls `function` on every module below this one, then on this one; returns self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # ---- hooks

    def _own_hooks(self) -> hooks.Hooks:
        if self._hooks is None:
            object.__setattr__(self, "_hooks", hooks.Hooks())
        return self._hooks  # type: ignore[return-value]

    def register_forward_pre_hook(self, hook: Callable) -> hooks.Handle:
        """Calls `hook(module, args)` before each forward, with its positional arguments; what it returns,
        unless None, takes their place. Returns a handle whose `remove()` takes the hook away."""
        return hooks.Handle(self._own_hooks().before, hook)

    def register_forward_hook(self, hook: Callable) -> hooks.Handle:
        """Calls `hook(module, args, output)` after each forward; what it returns, unless None, takes the
        place of the output. Returns a handle whose `remove()` takes the hook away."""
        return hooks.Handle(self._own_hooks().after, hook)

    def register_full_backward_hook(self, hook: Callable) -> hooks.Handle:
        """Calls `hook(module, grad_input, grad_output)` once the gradients of a call's arguments are
        complete: tuples of tensors, None where there is none. What it returns, unless None, takes the place
        of grad_input. Returns a handle whose `remove()` takes the hook away."""
        return hooks.Handle(self._own_hooks().backward, hook)

    # ---- looks

    def extra_repr(self) -> str:
        """What stands between the parentheses of the repr: a layer's arguments."""
        return ""

    def __repr__(self):
        lines = [f"({name}): {child!r}" for name, child in self.named_children()]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        body = "\n".join(([extra] if extra else []) + lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"


def _each_once(pairs):
    seen = set()
    for name, value in pairs:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _refuse_hidden(module, name, value):
    """Modules and parameters inside a plain container would never be trained nor saved."""
    if not isinstance(value, (list, tuple, dict, set)):
        return
    elements = value.values() if isinstance(value, dict) else value
    for element in itertools.islice(elements, 100):  # what is longer is data, such as a vocabulary
        if isinstance(element, (Module, Parameter)):
            raise TypeError(
                f"{type(module).__name__}.{name} is a {type(value).__name__} that holds a "
                f"{type(element).__name__}, which would be neither trained nor saved: "
                "use nn.ModuleList or nn.Sequential, or one attribute each"
            )

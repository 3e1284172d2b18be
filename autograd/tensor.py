"""The Tensor: an ndarray, and its place in the recorded graph. Its operators and methods are in methods.py.
What NumPy has a word for has NumPy's name and meaning; the rest has PyTorch's."""

import weakref
from copy import deepcopy

import numpy as np

from .methods import Methods, ops
from .modes import get_default_dtype, state

dispatch = {}  # NumPy function -> what runs when it meets a Tensor; filled where primitives are declared


class _Writes:
    """The clock of in-place writes. A buffer's version is the number of the last write into it; views,
    `reshape`, `detach` and `.data` share the buffer, so they share the version. Only writes cost anything."""

    def __init__(self):
        self.clock = 0
        self.last = {}  # id of the owning array -> (weak reference to it, clock of its last write)


writes = _Writes()


def _owner(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def version(array) -> int:
    """The number of the last in-place write into the array's buffer, 0 if there was none."""
    entry = writes.last.get(id(_owner(array)))
    return entry[1] if entry else 0


def writable(t: "Tensor") -> np.ndarray:
    """The tensor's array, to be written into. Bumps the buffer's version, so that a backward that still needs
    the old values raises. Raises RuntimeError while recording on a tensor that requires grad."""
    if t.requires_grad and state.recording:
        raise RuntimeError(
            f"in-place write into {label(t)}, which requires grad, while the graph is recorded: "
            "write under autograd.no_grad(), or build a new tensor (a = a + b, np.where(mask, new, old))"
        )
    array = t._data
    owner = array if array.base is None else _owner(array)
    key = id(owner)
    entry = writes.last.get(key)
    reference = entry[0] if entry else weakref.ref(owner, lambda _: writes.last.pop(key, None))
    writes.clock = clock = writes.clock + 1
    writes.last[key] = reference, clock
    return array


def label(t) -> str:
    """How an error calls a tensor."""
    return f"tensor {t.name!r} of shape {t.shape}" if t.name else f"a tensor of shape {t.shape}"


def leaves_graph(t, what, instead) -> TypeError:
    """The error of a door through which a gradient would be lost."""
    return TypeError(
        f"{what} of {label(t)} that requires grad would drop its gradient: {instead}, "
        "or t.item(), t.numpy() or t.detach() to read the value on purpose"
    )


def as_array(data, dtype=None) -> np.ndarray:
    """`data` as a numeric array. Python floats get the default dtype; ndarrays and NumPy scalars keep
    theirs."""
    if isinstance(data, Tensor):
        return data._data if dtype is None else data._data.astype(dtype, copy=False)
    try:
        array = np.asarray(data, dtype)
    except ValueError as error:
        raise ValueError(f"cannot make a tensor from {type(data).__name__}: {error}") from None
    if array.dtype.kind not in "fiubc":
        raise TypeError(f"a tensor holds numbers, got {type(data).__name__} of dtype {array.dtype}")
    if dtype is None and array.dtype == np.float64 and not isinstance(data, (np.ndarray, np.generic)):
        array = array.astype(get_default_dtype())
    return array


class Tensor(Methods):
    """An n-dimensional array whose history can be differentiated.

    Tensor(data, requires_grad=False, dtype=None, name=None): `data` is copied. Python floats become float32
    (`set_default_dtype`), integers and bools keep NumPy's type, ndarrays keep theirs. `backward` fills `grad`
    of the leaves that require it. `node` is the recorded op that made this tensor, None for a leaf. Raises
    TypeError for what is not numeric, and for integers that are asked to require grad.
    """

    __slots__ = ("_data", "node", "requires_grad", "grad", "name", "hooks", "__weakref__")
    requires_grad: bool
    inputs: tuple = ()  # a leaf is a vertex of the graph like any node, with nothing before it

    def __init__(self, data, requires_grad=False, dtype=None, name=None):
        if isinstance(data, Tensor) and data.requires_grad:
            raise leaves_graph(data, "Tensor()", "use the tensor itself or t.clone()")
        self._data = np.array(as_array(data, dtype), order="C")
        self.node = self.grad = self.hooks = None
        self.name = name
        self.requires_grad = False
        if requires_grad:
            self.requires_grad_()

    @property
    def data(self) -> "Tensor":
        """This tensor's values outside the graph; shares memory and version. Assigning writes in place."""
        return wrap(self._data)

    @data.setter
    def data(self, value):
        if np.shape(value) != self.shape:
            raise ValueError(f"data of shape {np.shape(value)} assigned to {label(self)}")
        writable(self.detach())[...] = unwrap(value)

    @property
    def version(self) -> int:
        """The number of the last in-place write into this tensor's buffer."""
        return version(self._data)

    def detach(self) -> "Tensor":
        """The same values outside the graph; shares memory and version with this tensor."""
        return wrap(self._data)

    def numpy(self) -> np.ndarray:
        """The values as an ndarray that shares memory. It is read-only, since a write through it could not be
        noticed: copy it to change it, or write through the tensor under `no_grad()`."""
        view = self._data.view()
        view.flags.writeable = False
        return view

    def requires_grad_(self, requires_grad=True) -> "Tensor":
        """Switches gradient on or off for a leaf; returns self. Raises RuntimeError on a recorded result."""
        if self.node is not None:
            raise RuntimeError(f"{self.node.name} recorded this tensor: detach() takes it out of the graph")
        if requires_grad and self._data.dtype.kind not in "fc":
            raise TypeError(f"only floats have gradients, got dtype {self.dtype}: use astype(np.float32)")
        self.requires_grad = bool(requires_grad)
        return self

    def backward(self, gradient=None, retain_graph=None, create_graph=False) -> None:
        """Adds d(self)/d(leaf) to `.grad` of each leaf that requires grad. `gradient` is the cotangent of
        self: of its shape, and 1 by default for a tensor of one value. Saved values are freed unless
        `retain_graph` or `create_graph`; with `create_graph` the gradients are themselves recorded. Raises
        RuntimeError where there is no graph, or it was freed, or a saved value was overwritten."""
        ops.backward(self, gradient, retain_graph, create_graph)

    def retain_grad(self) -> None:
        """Makes backward fill `.grad` of this recorded tensor too. Raises RuntimeError where it does not
        require grad."""
        reference = weakref.ref(self)

        def keep(gradient):
            if (t := reference()) is not None:
                t.grad = gradient.clone() if t.grad is None else t.grad + gradient

        keep.tensor = reference  # type: ignore[attr-defined]  # by which pictures find the values
        hooks = (self.node and self.node.hooks) or {}
        if not self.requires_grad or (self.node and not any(hasattr(h, "tensor") for h in hooks.values())):
            self.register_hook(keep)

    def register_hook(self, hook) -> "HookHandle":
        """Calls `hook(gradient)` with this tensor's gradient once it is complete: a read-only Tensor, or
        `Rows` where an embedding left only those. What it returns, unless None, replaces the gradient.
        Returns a handle whose `remove()` takes the hook away. Raises RuntimeError where self does not require
        grad."""
        if not self.requires_grad:
            raise RuntimeError(f"{label(self)} does not require grad, so no gradient reaches a hook")
        return HookHandle(self if self.node is None else self.node, hook)

    # ---- writing in place

    def __setitem__(self, index, value):
        _refuse_recorded(value)
        writable(self)[unwrap(index)] = unwrap(value)

    def _inplace(self, ufunc, value):
        _refuse_recorded(value)
        array = writable(self)
        ufunc(array, unwrap(value), out=array, casting="same_kind")
        return self

    # ---- doors out of the graph: each raises where a gradient would be lost

    def __array__(self, dtype=None, copy=None):
        if self.requires_grad:
            raise leaves_graph(
                self, "np.asarray()", "use functions of np on the tensor itself, np.stack for a list"
            )
        if copy or (dtype is not None and self._data.dtype != dtype):
            return np.array(self._data, dtype)
        return self.numpy()

    def __dlpack__(self, **kwargs):
        if self.requires_grad:
            raise leaves_graph(self, "__dlpack__()", "hand over t.detach()")
        return self._data.__dlpack__(**kwargs)

    def _number(self, kind, what):
        if self.requires_grad:
            raise leaves_graph(self, what, "use the function of np (np.exp, np.sqrt, ...) or keep the tensor")
        return kind(self._data.item())

    def __bool__(self):
        if self.size != 1:
            way_out = "use .any() or .all(); to look for a tensor in a list use any(t is u for u in tensors)"
            raise ValueError(f"the truth value of {label(self)} is ambiguous: {way_out}")
        return bool(self._data)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        run = dispatch.get(ufunc)
        if run is not None and method == "__call__" and not kwargs:
            return run(*inputs)
        return ops.uncovered(ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        run = dispatch.get(function)
        if run is not None:
            return run(*args, **kwargs)
        return ops.uncovered(function, "__call__", args, kwargs)

    # ---- Python's protocols

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a tensor of no dimensions")
        return (self[i] for i in range(len(self._data)))

    def __repr__(self):
        notes = [np.array2string(self._data, separator=", ", prefix="Tensor(", threshold=200, precision=6)]
        if self.size > 200:
            notes.append(f"shape={self.shape}")
        if self.dtype != get_default_dtype() and self.dtype.kind not in "ib":
            notes.append(f"dtype={self.dtype}")
        if self.name:
            notes.append(f"name={self.name!r}")
        if self.requires_grad:
            notes.append("requires_grad=True" if self.node is None else f"op={self.node.name}")
        return f"{type(self).__name__}({', '.join(notes)})"

    def __format__(self, spec):
        return format(self.item(), spec) if self.size == 1 and spec else repr(self)

    def __reduce__(self):
        if self.node is not None:
            raise RuntimeError(f"only leaves are copied and pickled, {self.node.name} made this: detach() it")
        return _rebuild, (type(self), *self._state())

    def _restore(self, *rest):
        """What a subclass adds to `_state` comes back here."""

    def _state(self):
        return self._data, self.requires_grad, self.name, getattr(self.grad, "_data", self.grad)

    def __deepcopy__(self, memo):
        rebuild, state = self.__reduce__()
        memo[id(self)] = copy = rebuild(*state)
        return copy


class HookHandle:
    """A registered hook; `remove()` takes it away, and does nothing a second time."""

    def __init__(self, vertex, hook):
        self._hooks = vertex.hooks = vertex.hooks or {}
        self._key = object()  # not the handle: it may be dropped, and another get its id
        self._hooks[self._key] = hook

    def remove(self) -> None:
        self._hooks.pop(self._key, None)


def _rebuild(kind, data, requires_grad, name, grad, *rest):
    t = wrap(np.array(data), kind=kind)
    t.requires_grad, t.name = requires_grad, name
    t.grad = wrap(np.array(grad)) if isinstance(grad, np.ndarray) else deepcopy(grad)  # rows, or none
    t._restore(*rest)
    return t


def _refuse_recorded(value):
    if state.recording and isinstance(value, Tensor) and value.requires_grad:
        raise RuntimeError(
            f"an in-place write of {label(value)}, which requires grad, would drop its gradient: "
            "build a new tensor (a = a + b, np.where, np.concatenate), or write under autograd.no_grad()"
        )


_new = object.__new__


def wrap(array, node=None, kind=Tensor) -> Tensor:
    """A tensor around an array that already is right: no copy, no check."""
    t = _new(kind)
    t._data = array
    t.node = node
    t.requires_grad = node is not None
    t.grad = t.name = t.hooks = None
    return t


def unwrap(x):
    """Arrays for tensors, also inside tuples and lists; anything else as it is."""
    if isinstance(x, Tensor):
        return x._data
    if isinstance(x, (tuple, list)) and any(isinstance(e, (Tensor, tuple, list)) for e in x):
        return type(x)(map(unwrap, x))
    return x

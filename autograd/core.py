"""HIPS/autograd's core by its names: pull-backs and push-forwards at a point, vector spaces of values, and
rules
for functions that `primitive` made."""

import itertools
import warnings
from typing import Any

import numpy as np

from . import tracer
from .tensor import Tensor
from .tracer import Node, isbox, primitive_vjps
from .transforms import Call, flatten, push, unflatten
from .util import subval


def make_vjp(fun, x):
    """(g -> g^T J, fun(x)) for a function of one argument; x, fun(x) and g may be containers."""
    call = Call(fun, (x,), {}, 0, plain=True)
    outs, structure = _outputs(call)

    def vjp(g):
        return call.like_arguments(call.pull(list(zip(outs, flatten(g)[0], strict=True)), retain=True))

    used = [call.is_used_outside(o) for o in outs]
    values = [call.value(o, outside) for o, outside in zip(outs, used, strict=True)]
    return vjp, unflatten(structure, values) if _is_recorded(call) else call.out


def make_jvp(fun, x):
    """v -> (fun(x), J v) for a function of one argument, by two reverse passes."""

    def jvp(v):
        call = Call(fun, (x,), {}, 0, plain=True)
        outs, structure = _outputs(call)
        pushed = [call.handed(p) for p in push(call, outs, flatten(v)[0])]
        values = [call.value(o, call.is_used_outside(o)) for o in outs]
        return unflatten(structure, values), unflatten(structure, pushed)

    return jvp


def _is_recorded(call):
    return any(isbox(x) for x in flatten(call.out)[0])


def _outputs(call):
    """The leaves of what the function returned, as tensors, and their structure."""
    leaves, structure = flatten(call.out)
    return [x if isinstance(x, Tensor) else Tensor(np.asarray(x)) for x in leaves], structure


# ---- vector spaces


class VSpace:
    """The space a value lies in: zeros, ones, a basis, random elements and their arithmetic. Register a
    type of
    your own by a subclass, `MySpace.register(MyType)`."""

    mappings: dict = {}
    iscomplex = False
    size: int

    def __init__(self, value):
        """The space of this value."""

    def add(self, x, y):
        """x + y."""
        return self._add(x, y)

    def mut_add(self, x, y):
        """x + y, where None stands for zero."""
        return y if x is None else self._add(x, y)

    def scalar_mul(self, x, a):
        """a x."""
        return self._scalar_mul(x, a)

    def inner_prod(self, x, y):
        """<x, y>, a real number."""
        return self._inner_prod(x, y)

    def covector(self, x):
        """The cotangent that acts as the inner product with x does."""
        return self._covector(x)

    def _add(self, x, y):
        return x + y

    def _scalar_mul(self, x, a):
        return x * a

    def _covector(self, x):
        return x

    def _inner_prod(self, x, y):
        raise TypeError(f"{type(self).__name__} does not say what its inner product is: define _inner_prod")

    def __eq__(self, other):
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = object.__hash__

    def __repr__(self):
        return f"{type(self).__name__}({self.__dict__})"

    @classmethod
    def register(cls, value_type, vspace_maker=None):
        """Values of this type lie in such a space."""
        VSpace.mappings[value_type] = vspace_maker or cls


class ArrayVSpace(VSpace):
    """Real arrays of one shape and dtype."""

    directions: tuple = (1.0,)

    def __init__(self, value):
        value = np.asarray(value)
        self.shape, self.dtype = value.shape, value.dtype

    @property
    def size(self):  # type: ignore[override]
        """The number of real dimensions."""
        return int(np.prod(self.shape)) * len(self.directions)

    @property
    def ndim(self):
        """The number of axes."""
        return len(self.shape)

    def zeros(self):
        """The zero array."""
        return np.zeros(self.shape, self.dtype)

    def ones(self):
        """The sum of the basis."""
        return np.full(self.shape, sum(self.directions), self.dtype)

    def standard_basis(self):
        """One after the other, the arrays with 1 (and i) in one place."""
        for index in np.ndindex(*self.shape):
            for direction in self.directions:
                unit = self.zeros()
                unit[index] = direction
                yield unit

    def randn(self):
        """Normal random numbers, of NumPy's global generator, which a program may have seeded."""
        parts = [d * np.random.standard_normal(self.shape) for d in self.directions]  # noqa: NPY002
        return np.asarray(sum(parts)).astype(self.dtype)

    def _inner_prod(self, x, y):
        return np.dot(np.ravel(x), np.ravel(y))


class ComplexArrayVSpace(ArrayVSpace):
    """Complex arrays, as a space over the real numbers."""

    iscomplex = True
    directions = (1.0, 1.0j)

    def _inner_prod(self, x, y):
        return np.real(np.dot(np.conj(np.ravel(x)), np.ravel(y)))

    def _covector(self, x):
        return np.conj(x)


class ContainerVSpace(VSpace):
    """Dicts, lists and tuples of values."""

    def __init__(self, value):
        leaves, self.structure = flatten(value)
        self.spaces = [vspace(x) for x in leaves]

    @property
    def size(self):  # type: ignore[override]
        """The number of real dimensions."""
        return sum(s.size for s in self.spaces)

    def _each(self, method, *values):
        parts = zip(*(flatten(v)[0] for v in values), strict=True) if values else itertools.repeat(())
        found = [getattr(s, method)(*part) for s, part in zip(self.spaces, parts)]
        return found

    def zeros(self):
        """The container of zeros."""
        return unflatten(self.structure, self._each("zeros"))

    def ones(self):
        """The container of ones."""
        return unflatten(self.structure, self._each("ones"))

    def randn(self):
        """The container of random values."""
        return unflatten(self.structure, self._each("randn"))

    def standard_basis(self):
        """One after the other, the containers with one unit and zeros elsewhere."""
        for k, space in enumerate(self.spaces):
            for unit in space.standard_basis():
                yield unflatten(self.structure, subval(self._each("zeros"), k, unit))

    def _add(self, x, y):
        return unflatten(self.structure, self._each("_add", x, y))

    def _scalar_mul(self, x, a):
        found = [s._scalar_mul(e, a) for s, e in zip(self.spaces, flatten(x)[0], strict=True)]
        return unflatten(self.structure, found)

    def _inner_prod(self, x, y):
        return sum(self._each("_inner_prod", x, y))

    def _covector(self, x):
        return unflatten(self.structure, self._each("_covector", x))


def _array_space(value):
    return (ComplexArrayVSpace if np.iscomplexobj(value) else ArrayVSpace)(value)


for _kind in (np.ndarray, float, np.float16, np.float32, np.float64, np.longdouble):
    ArrayVSpace.register(_kind, _array_space)
for _kind in (complex, np.complex64, np.complex128, np.clongdouble):
    ComplexArrayVSpace.register(_kind)
VSpace.register(Tensor, lambda t: _array_space(t._data))
for _kind in (tuple, list, dict):
    ContainerVSpace.register(_kind)


def vspace(value) -> Any:
    """The vector space of a value. Raises TypeError for a type that has none."""
    maker = VSpace.mappings.get(type(value))
    if maker is None and isinstance(value, (tuple, Tensor)):  # named tuples, parameters
        maker = VSpace.mappings[tuple if isinstance(value, tuple) else Tensor]
    if maker is None:
        raise TypeError(
            f"Can't find vector space for value {value} of type {type(value)}: VSpace.register it"
        )
    return maker(value)


# ---- rules


class VJPNode(Node):
    """By name: the kind of trace that pulls back, for `register_notrace`."""


class JVPNode(Node):
    """By name: the kind of trace that pushes forward."""


primitive_jvps: dict = {}


def defvjp_argnums(fun, vjpmaker):
    """The rule of several arguments at once: vjpmaker(argnums, ans, args, kwargs)(g) gives a cotangent for
    each."""
    primitive_vjps[fun] = vjpmaker


def defvjp_argnum(fun, vjpmaker):
    """The rules of all arguments by number: vjpmaker(argnum, ans, args, kwargs)(g) gives that cotangent."""

    def of_all(argnums, ans, args, kwargs):
        rules = [vjpmaker(n, ans, args, kwargs) for n in argnums]
        return lambda g: [rule(g) for rule in rules]

    defvjp_argnums(fun, of_all)


def defvjp(fun, *vjpmakers, argnums=None):
    """The rules of the arguments one by one: vjpmaker(ans, *args, **kwargs)(g) gives the cotangent; None
    stands for a derivative of zero. `argnums` says which arguments they are, the first ones by default."""
    rules = dict(zip(range(len(vjpmakers)) if argnums is None else argnums, vjpmakers, strict=False))

    def of_one(argnum, ans, args, kwargs):
        if argnum not in rules:
            raise NotImplementedError(f"{fun.__name__} has no rule for argument {argnum}: give defvjp one")
        if rules[argnum] is None:
            return lambda g: vspace(args[argnum]).zeros()
        return rules[argnum](ans, *args, **kwargs)

    defvjp_argnum(fun, of_one)


def defjvp_argnums(fun, jvpmaker):
    """The tangent rule jvpmaker(argnums, gs, ans, args, kwargs). Derivatives here are pulled back, so it is
    used
    where `defvjp` gave none: column by column."""
    primitive_jvps[fun] = jvpmaker
    primitive_vjps.setdefault(fun, lambda *call: _by_columns(jvpmaker, *call))


def defjvp_argnum(fun, jvpmaker):
    """The tangent rules by number: jvpmaker(argnum, g, ans, args, kwargs)."""

    def of_all(argnums, gs, ans, args, kwargs):
        parts = [jvpmaker(n, g, ans, args, kwargs) for n, g in zip(argnums, gs, strict=True)]
        return sum(parts[1:], parts[0])

    defjvp_argnums(fun, of_all)


def defjvp(fun, *jvpfuns, argnums=None):
    """The tangent rules one by one: jvpfun(g, ans, *args, **kwargs); "same" for an argument in which the
    function is linear, None for a derivative of zero."""
    rules = dict(zip(range(len(jvpfuns)) if argnums is None else argnums, jvpfuns, strict=False))

    def of_one(argnum, g, ans, args, kwargs):
        rule = rules[argnum]
        if rule is None:
            return vspace(ans).zeros()
        if rule == "same":
            return fun(*subval(args, argnum, g), **kwargs)
        return rule(g, ans, *args, **kwargs)

    defjvp_argnum(fun, of_one)


def def_linear(fun):
    """Declares that the function is linear in every argument."""
    defjvp_argnum(fun, lambda n, g, ans, args, kwargs: fun(*subval(args, n, g), **kwargs))


def _by_columns(jvpmaker, argnums, ans, args, kwargs):
    """The pull-back made of a tangent rule, one tangent for each element of an argument."""

    def pull(n, g):
        space = vspace(args[n])
        columns = [
            np.real(np.sum(g * jvpmaker((n,), (unit,), ans, args, kwargs))) for unit in space.standard_basis()
        ]
        found = np.reshape(np.stack(columns), (*space.shape, -1))
        return found[..., 0] - 1j * found[..., 1] if space.iscomplex else found[..., 0]

    return lambda g: [pull(n, g) for n in argnums]


def primitive(f_raw):
    """tracer.primitive with the methods of the old interface: defgrad, defvjp, defvjp_is_zero, which warn."""
    fun = tracer.primitive(f_raw)
    rules: dict = {}

    def declare(argnum, rule, old):
        warnings.warn(f"{old} is an old name: use autograd.extend.defvjp", stacklevel=3)
        rules[argnum] = rule
        defvjp(fun, *rules.values(), argnums=list(rules))

    def unstaged(rule, argnum=0):
        def maker(ans, *args, **kwargs):
            return lambda g: rule(g, ans, vspace(args[argnum]), vspace(g), *args, **kwargs)

        declare(argnum, maker, "defvjp")

    def is_zero(argnums=(0,)):
        for n in argnums:
            declare(n, None, "defvjp_is_zero")

    fun.defgrad = lambda rule, argnum=0: declare(argnum, rule, "defgrad")
    fun.defvjp = unstaged
    fun.defvjp_is_zero = is_zero
    return fun

"""HIPS/autograd's operators on functions that are not in transforms.py, in its form: each takes f and the
number of an
argument and returns a function of f's arguments."""

import inspect

import numpy as np

from . import core
from .checkpoint import checkpoint as checkpoint
from .transforms import called
from .transforms import elementwise_grad as elementwise_grad
from .transforms import grad as grad
from .transforms import hessian as hessian
from .transforms import jacobian as jacobian
from .transforms import value_and_grad as value_and_grad
from .wrap_util import unary_to_nary

make_vjp = unary_to_nary(core.make_vjp)
make_jvp = unary_to_nary(core.make_jvp)


@unary_to_nary
def deriv(fun, x):
    """The function args -> the derivative along all ones: of a function of one number its derivative."""
    return core.make_jvp(fun, x)(core.vspace(x).ones())[1]


@unary_to_nary
def holomorphic_grad(fun, x):
    """The function args -> the complex derivative of a holomorphic function of one number."""
    return grad(lambda x: np.real(fun(x)))(x)


def grad_named(fun, argname):
    """`grad` with respect to the argument of this name."""
    return grad(fun, inspect.getfullargspec(fun).args.index(argname))


@unary_to_nary
def make_hvp(fun, x):
    """The function args -> (v -> H v, gradient): the Hessian of a function of one number at a point, as a
    map."""
    return core.make_vjp(grad(fun), x)


def hessian_tensor_product(fun, argnum=0):
    """The function (*args, v) -> H v, of the shape of the argument, for a function of one number."""
    derivative = grad(fun, argnum)
    along = lambda *args, **kwargs: np.sum(derivative(*args[:-1], **kwargs) * args[-1])
    return called("hessian_tensor_product", fun, argnum)(grad(along, argnum))


def tensor_jacobian_product(fun, argnum=0):
    """The function (*args, v) -> v^T J: the sum over the axes of v, which are f's first ones, of v times the
    Jacobian."""

    def along(*args, **kwargs):
        return np.tensordot(args[-1], fun(*args[:-1], **kwargs), np.ndim(args[-1]))

    return called("tensor_jacobian_product", fun, argnum)(jacobian(along, argnum))


hessian_vector_product = hessian_tensor_product
vector_jacobian_product = tensor_jacobian_product


def make_ggnvp(f, g=lambda x: 0.5 * np.sum(x**2, axis=-1), f_argnum=0):
    """The function args -> (v -> J^T H J v), with J the Jacobian of f and H the Hessian of g at f: the
    generalized
    Gauss-Newton matrix (Schraudolph 2002), as a map."""

    @unary_to_nary
    def make(f, x):
        pull, y = core.make_vjp(f, x)
        hessian_of_g, _ = core.make_vjp(grad(g), y)
        push = core.make_jvp(f, x)
        return lambda v: pull(hessian_of_g(push(v)[1]))

    return make(f, f_argnum)


@unary_to_nary
def grad_and_aux(fun, x):
    """The function args -> (gradient of the first of f's two results, the second as it is)."""
    vjp, (value, aux) = core.make_vjp(lambda x: tuple(fun(x)), x)
    return vjp((core.vspace(value).ones(), core.vspace(aux).zeros())), aux


def multigrad_dict(fun):
    """The function args -> {name of an argument: gradient with respect to it}, of all arguments."""
    signature = inspect.signature(fun)

    def gradients(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()

        def of_named(values):
            return fun(*(again := inspect.BoundArguments(signature, values)).args, **again.kwargs)

        return grad(of_named)(dict(bound.arguments))

    return called("multigrad_dict", fun, "all")(gradients)

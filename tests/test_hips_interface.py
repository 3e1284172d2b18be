"""Programs written for HIPS/autograd: its names, plain arrays in and out, rules and types of one's own.
The numbers are closed forms."""

import math

import numpy
import pytest

import autograd
import autograd.numpy as np
from autograd import core, differential_operators, extend, misc, test_util, tracer, util, wrap_util
from autograd.builtins import isinstance as holds
from autograd.builtins import type as type_of
from autograd.misc import fixed_points, optimizers

X = numpy.array([0.3, -1.2, 2.0])
A = numpy.array([[1.0, 2.0, 0.5], [-1.0, 0.0, 3.0]])
V = numpy.array([1.0, -2.0, 0.5])
cubes = lambda x: np.sum(x**3)


def same(found, expected):
    assert not isinstance(found, autograd.Tensor)
    numpy.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


OPERATORS = {
    "grad": lambda: (autograd.grad(cubes)(X), 3 * X**2),
    "grad of a float": lambda: (
        autograd.grad(lambda x: np.sin(x) * x)(0.7),
        math.sin(0.7) + 0.7 * math.cos(0.7),
    ),
    "elementwise_grad": lambda: (autograd.elementwise_grad(np.sin)(X), numpy.cos(X)),
    "jacobian": lambda: (autograd.jacobian(lambda x: np.dot(A, x))(X), A),
    "hessian": lambda: (autograd.hessian(cubes)(X), numpy.diag(6 * X)),
    "hessian_tensor_product": lambda: (autograd.hessian_tensor_product(cubes)(X, V), 6 * X * V),
    "hessian_vector_product": lambda: (autograd.hessian_vector_product(cubes)(X, V), 6 * X * V),
    "tensor_jacobian_product": lambda: (
        autograd.tensor_jacobian_product(lambda x: np.dot(A, x))(X, numpy.array([2.0, 1.0])),
        numpy.array([2.0, 1.0]) @ A,
    ),
    "vector_jacobian_product": lambda: (
        autograd.vector_jacobian_product(lambda x: np.dot(A, x))(X, numpy.array([2.0, 1.0])),
        numpy.array([2.0, 1.0]) @ A,
    ),
    "make_vjp": lambda: (autograd.make_vjp(np.sin)(X)[0](V), numpy.cos(X) * V),
    "make_jvp": lambda: (autograd.make_jvp(lambda x: np.dot(A, x))(X)(V)[1], A @ V),
    "make_hvp": lambda: (autograd.make_hvp(cubes)(X)[0](V), 6 * X * V),
    "make_ggnvp": lambda: (autograd.make_ggnvp(lambda x: np.dot(A, x))(X)(V), A.T @ A @ V),
    "deriv": lambda: (autograd.deriv(np.exp)(0.5), math.exp(0.5)),
    "grad_named": lambda: (autograd.grad_named(lambda a, b: a * b**2, "b")(3.0, 2.0), 12.0),
    "grad_and_aux": lambda: (autograd.grad_and_aux(lambda x: (cubes(x), 7.0))(X)[0], 3 * X**2),
    "holomorphic_grad": lambda: (autograd.holomorphic_grad(lambda z: z**3)(1 + 2j), 3 * (1 + 2j) ** 2),
    "multigrad_dict": lambda: (autograd.multigrad_dict(lambda a, b=3.0: a * b)(2.0)["b"], 2.0),
    "list argnum": lambda: (autograd.grad(lambda a, b: a * b, [1, 0])(2.0, 5.0), (2.0, 5.0)),
    "conjugate": lambda: (autograd.grad(lambda z: np.abs(z) ** 2)(3 + 4j), 2 * (3 - 4j)),  # d/da - i d/db
    "array of results": lambda: (autograd.jacobian(lambda x: np.array([x, x**2]))(3.0), [1.0, 6.0]),
    "norm of a list": lambda: (autograd.grad(lambda x: np.linalg.norm([x, 4.0]))(3.0), 0.6),
    "mean of a list": lambda: (autograd.grad(lambda x: np.mean([x, x**2]))(3.0), 3.5),
    "var of a list": lambda: (autograd.grad(lambda x: np.var([x, 0.0]))(3.0), 1.5),
    "std of a list": lambda: (autograd.grad(lambda x: np.std([x, 0.0]))(3.0), 0.5),
    "append": lambda: (autograd.grad(lambda x: np.append([x], x * V)[2])(3.0), -2.0),
    "row_stack": lambda: (autograd.grad(lambda x: np.sum(np.row_stack((x, 2 * x)) ** 2))(V), 10 * V),
    "r_": lambda: (autograd.jacobian(lambda x: np.r_[x[:2], 5.0, x])(X)[3:], numpy.eye(3)),
    "full": lambda: (autograd.grad(lambda x: np.sum(np.full((2, 3), x)))(2.0), 6.0),
    "c_": lambda: (autograd.jacobian(lambda x: np.c_[x, V])(X)[:, 0], numpy.eye(3)),
    "einsum by numbers": lambda: (
        autograd.grad(lambda x: np.sum(np.einsum(A, [0, 1], x, [1], [0])))(X),
        A.sum(0),
    ),
    "where by name": lambda: (np.where(condition=[True, False], x=X[:2], y=V[:2]), [0.3, -2.0]),
    "make_diagonal": lambda: (
        np.make_diagonal(X, offset=0, axis1=-1, axis2=-2),
        numpy.diag(X),
    ),
    "flatten": lambda: (misc.flatten({"b": [1.0, X], "a": 2.0})[0], [2.0, 1.0, *X]),
    "flatten_func": lambda: (
        autograd.jacobian(misc.flatten_func(lambda p: [p[0] ** 2, p[1]], [1.0, X])[0])(numpy.ones(4)),
        numpy.diag([2.0, 1, 1, 1]),
    ),
    "const_graph": lambda: (misc.const_graph(lambda a, b: a - b, 5.0)(2.0), 3.0),
    "fixed point of Newton's root": lambda: (
        autograd.grad(
            lambda a: fixed_points.fixed_point(
                lambda a: lambda x: 0.5 * (x + a / x), a, 1.0, lambda x, y: abs(x - y), 1e-12
            )
        )(2.0),
        0.5 / math.sqrt(2.0),
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    found, expected = OPERATORS[name]()
    for f, e in zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]:
        same(f, e)


def test_plain_in_plain_out():
    assert type(autograd.grad(np.sin)(1.0)) is numpy.float64
    assert autograd.grad(cubes)(X.astype(numpy.float32)).dtype == numpy.float32
    seen = []
    autograd.grad(lambda x: seen.append(x) or x * 2.0)(1.0)
    assert (
        tracer.isbox(seen[0])
        and seen[0]._value == 1.0
        and holds(seen[0], float)
        and type_of(seen[0]) is numpy.float64
    )
    assert tracer.getval({"a": [seen[0], 2]}) == {"a": [1.0, 2]}
    assert isinstance(autograd.grad(cubes)(autograd.Tensor(X)), autograd.Tensor)
    with pytest.warns(UserWarning, match="independent of input"):
        same(autograd.grad(lambda x: 3.0)(X), numpy.zeros(3))
    with pytest.raises(TypeError, match="holomorphic"):
        autograd.grad(lambda x: x * 1j)(1.0)
    with pytest.raises(TypeError, match="bool"):
        autograd.grad(lambda x: bool(np.all(x > 0)))(X)


def test_complex_derivatives_of_every_order():
    f = lambda z: np.sum(np.abs(np.sin(z)) ** 2)
    z = numpy.array([0.3 + 0.2j, -1.0 + 0.5j])
    test_util.check_grads(f)(z)
    test_util.check_grads(autograd.grad(f), order=1)(z)


def test_containers_in_and_out():
    split = lambda p: {"s": np.sin(p[0]), "rest": (p[1]["b"] * 2.0, p[0])}
    test_util.check_grads(split)((X, {"b": 1.5}))
    pull, value = core.make_vjp(split, (X, {"b": 1.5}))
    same(value["rest"][0], 3.0)
    g = pull({"s": V, "rest": (1.0, V)})
    same(g[0], numpy.cos(X) * V + V)
    same(g[1]["b"], 2.0)
    assert holds(g, autograd.tuple) and holds([], autograd.list) and holds({}, autograd.dict)


@pytest.mark.parametrize("value", [0.5, X, X * 1j, [1.0, X], {"a": (X, 2.0)}], ids=str)
def test_vector_spaces(value):
    space = extend.vspace(value)
    basis = list(space.standard_basis())
    assert len(basis) == space.size and space == extend.vspace(space.zeros())
    total = basis[0]
    for unit in basis[1:]:
        total = space.add(total, unit)
    test_util.check_equivalent(total, space.ones())
    assert space.inner_prod(space.ones(), space.ones()) == space.size
    v = space.randn()
    test_util.check_equivalent(space.mut_add(v, space.scalar_mul(v, -1.0)), space.zeros())


def test_a_space_of_ones_own():
    class Point:
        pass

    class PointSpace(extend.VSpace):
        size = 2

    PointSpace.register(Point)
    try:
        assert extend.vspace(Point()).size == 2
        with pytest.raises(TypeError, match="_inner_prod"):
            extend.vspace(Point()).inner_prod(Point(), Point())
    finally:
        del extend.VSpace.mappings[Point]
    with pytest.raises(TypeError, match="str"):
        extend.vspace("word")


class Sum:
    """A function of one number: the sum of c exp(k x) over the items of {k: c}."""

    def __init__(self, terms):
        self.terms = terms

    @extend.primitive
    def __call__(self, x):
        return sum(c * math.exp(k * x) for k, c in self.terms.items())


class SumBox(extend.Box, Sum):
    """A Sum while it is differentiated by."""


class SumSpace(extend.VSpace):
    def zeros(self):
        return Sum({})

    def _add(self, f, g):
        return Sum({k: f.terms.get(k, 0.0) + g.terms.get(k, 0.0) for k in {**f.terms, **g.terms}})


def test_types_of_ones_own_are_differentiated_by():
    """Of f(1)^2 + 3 f(0) by a function f: the functional that has 2 f(1) at 1 and 3 at 0."""
    from autograd.transforms import boxes

    SumSpace.register(Sum)
    SumBox.register(Sum)
    extend.defvjp(Sum.__call__, lambda y, f, x: lambda g: Sum({x: g}))
    try:
        f = Sum({0.5: 2.0, -1.0: 1.0})
        value, slope = autograd.value_and_grad(lambda f: f(1.0) ** 2 + 3 * f(0.0))(f)
        at_one = 2 * math.exp(0.5) + math.exp(-1.0)
        same(value, at_one**2 + 9.0)
        assert slope.terms == {1.0: pytest.approx(2 * at_one), 0.0: 3.0}
        assert type(tracer.new_box(f)) is SumBox and tracer.new_box(f)._value is f
        assert autograd.grad(lambda p: p["f"](0.0) * p["a"])({"f": f, "a": 2.0})["a"] == 3.0
        with pytest.warns(UserWarning, match="independent"):
            assert autograd.grad(lambda f: 1.0)(f).terms == {}
    finally:
        del extend.VSpace.mappings[Sum], boxes[Sum]


def test_boxes_and_spaces_by_their_places():
    from autograd.numpy import numpy_boxes, numpy_vspaces

    box = tracer.new_box(X)
    assert isinstance(box, numpy_boxes.ArrayBox) and tracer.isbox(box) and box._value is not None
    assert isinstance(extend.vspace(X), numpy_vspaces.ArrayVSpace)
    assert isinstance(extend.vspace(1j * X), numpy_vspaces.ComplexArrayVSpace)
    numpy_boxes.ArrayBox.register(numpy.ma.MaskedArray)  # an array already: nothing changes
    same(autograd.grad(cubes)(X), 3 * X**2)
    with pytest.raises(TypeError, match="got str"):
        tracer.new_box("word")


def test_writing_in_place_makes_a_new_value_inside_a_function():
    def f(x):
        total, rest = 0.0, x
        for k in range(3):
            total += np.sum(x) * k
        rest *= 2.0
        rest -= x**2
        rest /= x
        rest **= 2
        return total + np.sum(rest)  # 3 sum(x) + sum((2 - x)^2)

    same(autograd.grad(f)(X), 3.0 - 2 * (2.0 - X))
    t = autograd.Tensor(X, requires_grad=True)
    with pytest.raises(RuntimeError, match="in-place"):
        t += 1.0
    with autograd.no_grad():
        t += 1.0
    numpy.testing.assert_allclose(t.detach().numpy(), X + 1)
    with pytest.raises(RuntimeError, match="in-place"):
        autograd.grad(f)(t)


@pytest.mark.parametrize("UPLO", ["L", "U"])
@pytest.mark.parametrize("shift", [0.0, 1.0j])
def test_eigh_gives_its_derivative_to_the_triangle_it_reads(UPLO, shift):
    """Of one eigenvalue it is v v^H: 2 Re on the triangle, and nothing above (or below)."""
    symmetric = numpy.array([[4.0, 1.0, 0.5], [1.0, 2.0, -1.0], [0.5, -1.0, 7.0]])
    symmetric = symmetric + shift * numpy.array([[0, 1, 1], [-1, 0, 1], [-1, -1, 0]])
    test_util.check_grads(lambda a: np.linalg.eigvalsh(a, UPLO), order=1)(symmetric)
    test_util.check_grads(lambda a: np.abs(np.linalg.eigh(a, UPLO)[1]), modes=["rev"])(symmetric)
    v = numpy.linalg.eigh(symmetric)[1][:, -1]
    full = numpy.outer(v, v.conj())
    half = numpy.tril if UPLO == "L" else numpy.triu
    expected = numpy.diag(numpy.diag(full).real) + 2 * half(full, -1 if UPLO == "L" else 1)
    same(autograd.grad(lambda a: np.linalg.eigvalsh(a, UPLO)[-1])(symmetric), expected.conj())


def test_eigenvectors_have_the_signs_of_numpy():
    a = numpy.random.default_rng(0).standard_normal((5, 5))
    for UPLO in "LU":
        found = numpy.linalg.eigh(autograd.Tensor(a, requires_grad=True), UPLO)[1]
        numpy.testing.assert_allclose(found.detach().numpy(), numpy.linalg.eigh(a, UPLO)[1], atol=1e-12)


def _scale(declare):
    op = extend.primitive(lambda x, a, name: x * a)
    declare(op)
    return lambda x, a: op(x, a, "scale")


RULES = {
    "defvjp": lambda op: extend.defvjp(
        op, lambda y, x, a, n: lambda g: g * a, lambda y, x, a, n: lambda g: np.sum(g * x)
    ),
    "defvjp_argnum": lambda op: extend.defvjp_argnum(
        op, lambda k, y, args, kw: lambda g: g * args[1] if k == 0 else np.sum(g * args[0])
    ),
    "defvjp_argnums": lambda op: extend.defvjp_argnums(
        op, lambda ks, y, args, kw: lambda g: [g * args[1] if k == 0 else np.sum(g * args[0]) for k in ks]
    ),
    "defjvp": lambda op: extend.defjvp(op, "same", lambda g, y, x, a, n: x * g),
    "defjvp_argnum": lambda op: extend.defjvp_argnum(op, lambda k, g, y, args, kw: g * args[1 - k]),
    "defjvp_argnums": lambda op: extend.defjvp_argnums(
        op, lambda ks, gs, y, args, kw: sum(g * args[1 - k] for k, g in zip(ks, gs))
    ),
    "def_linear": extend.def_linear,
}


@pytest.mark.parametrize("name", RULES)
def test_rules_of_functions_of_ones_own(name):
    op = _scale(RULES[name])
    test_util.check_grads(lambda x: op(x, 2.5) ** 2)(X)
    if name != "def_linear":
        test_util.check_grads(op, (0, 1))(X, 2.5)
    t = autograd.Tensor(X, requires_grad=True)
    np.sum(op(t, 3.0)).backward()
    numpy.testing.assert_allclose(t.grad.numpy(), 3 * numpy.ones(3))


def test_functions_without_rules_and_of_several_results():
    with pytest.raises(NotImplementedError, match="defvjp"):
        autograd.grad(extend.primitive(lambda x: x * 2.0))(1.0)
    both = extend.primitive(lambda x: (numpy.sin(x), numpy.cos(x)))
    extend.defvjp(both, lambda y, x: lambda g: g[0] * y[1] - g[1] * y[0])
    test_util.check_grads(lambda x: both(x)[0] * 2.0)(X)
    test_util.check_grads(both)(X)
    double = extend.notrace_primitive(lambda x: x * 2)
    assert type(double(autograd.Tensor(2.0))) is numpy.float32
    old = core.primitive(lambda x: x**2)
    with pytest.warns(UserWarning, match="defgrad"):
        old.defgrad(lambda y, x: lambda g: 2 * x * g)
    same(autograd.grad(old)(3.0), 6.0)


def test_a_wrong_rule_is_found():
    wrong = extend.primitive(lambda x: x * 2.0)
    extend.defvjp(wrong, lambda y, x: lambda g: g * 2.01)
    with pytest.raises(AssertionError, match=r"\(VJP\) check"):
        test_util.check_grads(wrong, modes=["rev"])(1.0)
    test_util.combo_check(np.multiply, (0, 1))([1.5, X], [2.5, V])


def test_checkpoint_and_names():
    assert autograd.grad(cubes, 0).__name__ == "grad_of_<lambda>_wrt_argnum_0"
    same(autograd.grad(autograd.checkpoint(cubes))(X), 3 * X**2)
    assert autograd.util.subval((1, 2), 0, 3) == (3, 2) and autograd.util.func(np) is np
    with pytest.warns(UserWarning, match="old name"):
        autograd.util.quick_grad_check(cubes, X)
    assert wrap_util.get_name(object()) == "[unknown name]"
    assert differential_operators.grad is autograd.grad


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_optimizers_of_containers(name):
    """Of |x - (1, 2)|^2 in a dict; the callback sees containers."""
    seen = []
    slope = autograd.grad(lambda p, i: (p["a"] - 1.0) ** 2 + np.sum((p["b"] - 2.0) ** 2))
    found = getattr(optimizers, name)(
        slope, {"a": 0.0, "b": numpy.zeros(2)}, lambda p, i, g: seen.append(g["b"].shape), 400, 0.05
    )
    numpy.testing.assert_allclose([found["a"], *found["b"]], [1, 2, 2], atol=1e-2)
    assert len(seen) == 400 and seen[0] == (2,)


class Told(tracer.Node):
    """Keeps all that it is told of a call."""

    def __init__(self, value, fun, args, kwargs, parent_argnums, parents):
        self.value, self.name, self.args, self.parents = value, fun.__name__, args, parents
        self.again = lambda values: fun(*util.subvals(args, zip(parent_argnums, values)), **kwargs)

    def initialize_root(self, name):
        self.name, self.parents = name, ()


def _named(end):
    return [node.name for node in tracer.toposort(end)][::-1]


def test_a_trace_tells_each_call_to_a_class_of_nodes():
    """As examples/print_trace.py of HIPS/autograd 1.9.1 prints it: C = sin(B) = 0.6300306299958922."""
    average = lambda x, y: (x + y) / 2
    f = lambda x: average(np.sin(x + x), np.sin(x + x))
    value, end = tracer.trace(Told.new_root("x"), f, 1.23)
    assert value == pytest.approx(0.6300306299958922, rel=1e-15) and end.value == value
    assert end.name == "divide" and end.args[1] == 2 and end.parents[0].parents[0].value == end.args[0] / 2
    assert sorted(_named(end)) == sorted(["x", "add", "sin", "add", "sin", "add", "divide"])
    slope, end = tracer.trace(Told.new_root("x"), autograd.grad(f), 1.23)
    same(slope, 2 * math.cos(2.46))
    assert "cos" in _named(end)
    same(tracer.trace(Told.new_root("x"), cubes, X)[0], numpy.sum(X**3))  # every hook is gone again


def test_a_trace_through_containers_ops_of_several_results_and_ones_own():
    double = extend.primitive(lambda xs: [2 * x for x in xs])  # which has no rule: none is needed

    def f(xs):
        u, s, _ = np.linalg.svd(np.stack([xs[0], xs[1]]))
        a, b = double([s, xs[0]])
        return {"sum": np.sum(a) + np.sum(b * (xs[0] > 0)), "sizes": u.shape}

    start = Told.new_root("xs")
    value, end = tracer.trace(start, f, (X, V))
    same(value["sum"], numpy.sum(f((X, V))["sum"]))
    assert end.name == "make_sequence" and {"stack", "getitem", "<lambda>"} <= set(_named(end))
    values = {start: (X + V, V)}
    for node in list(tracer.toposort(end))[::-1][1:]:  # each call can be made again, on other values
        values[node] = node.again([values[p] for p in node.parents])
    mask = X > 0  # a comparison is a value: it stays as it was
    singular = numpy.linalg.svd(numpy.stack([X + V, V]), compute_uv=False)
    same(values[end]["sum"], 2 * numpy.sum(singular) + 2 * numpy.sum((X + V) * mask))
    with pytest.warns(UserWarning, match="independent"):
        assert tracer.trace(Told.new_root("x"), lambda x: 3.0, 1.0) == (3.0, None)


def test_a_trace_within_a_derivative_keeps_the_graph_around_it():
    f = lambda x, k: tracer.trace(Told.new_root("y"), lambda y: np.sin(y) * k, x * k)[0]
    same(autograd.grad(f, (0, 1))(0.5, 2.0), (4 * math.cos(1.0), math.sin(1.0) + math.cos(1.0)))


def test_functions_without_derivative_are_not_recorded():
    level = extend.primitive(lambda x: numpy.floor(x))
    extend.register_notrace(extend.VJPNode, level)
    same(autograd.grad(lambda x: level(x) * x)(2.5), 2.0)


def test_an_assignment_is_refused_by_both_names():
    def f(x):
        x[0] = 1.0
        return np.sum(x)

    for kind in (TypeError, RuntimeError):  # HIPS/autograd's, and ours
        with pytest.raises(kind, match="in-place write"):
            autograd.grad(f)(X)


def test_flatten_gives_dicts_back_in_their_order():
    vector, unflatten = misc.flatten({"b": X, "a": (1.0, [A])})
    same(vector, numpy.concatenate([[1.0], A.ravel(), X]))
    assert list(unflatten(vector)) == ["b", "a"]
    same(unflatten(2 * vector)["a"][1][0], 2 * A)
    same(autograd.grad(lambda v: np.sum(unflatten(v)["b"] ** 2))(vector)[-3:], 2 * X)


def test_full_like_of_a_tensor():
    same(autograd.grad(lambda x: np.sum(np.full_like(A, x) ** 2))(1.5), 2 * 1.5 * A.size)

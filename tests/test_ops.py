"""The table of ops, run: each check of a row is one test."""

import numpy as np
import pytest

import autograd
from autograd.primitive import dispatch, registry
from autograd.tensor import Tensor
from tests.cases import CHECKS, Case, all_cases

CASES = all_cases()
NUMPY = {}  # op name -> the NumPy functions that dispatch to it
for function, op in dispatch.items():
    op = getattr(op, "__self__", op)  # a method of the primitive stands there when it is the shortest way in
    if getattr(op, "name", None) in registry:
        NUMPY.setdefault(op.name, []).append(function)


def rows(check):
    return pytest.mark.parametrize("case", [c for c in CASES if check not in c.exempt], ids=str)


def op_of(case):
    return registry[case.op]


def arguments(case, seed=0):
    return case.make(np.random.default_rng(seed))


def is_float(a):
    return isinstance(a, np.ndarray) and a.dtype.kind in "fc"


def over_floats(f, args):
    """`args` with `f` applied to every float array, also inside lists."""
    return [
        f(a) if is_float(a) else [f(e) if is_float(e) else e for e in a] if isinstance(a, list) else a
        for a in args
    ]


def differentiable(case, args):
    """The float arrays that stand where the op has a rule become tensors that require grad."""
    op = op_of(case)
    places = op.differentiable
    return [over_floats(leaf, [a])[0] if i in places else a for i, a in enumerate(args)]


def leaf(a):
    return Tensor(a, requires_grad=True)


def leaves(args):
    return [t for a in args for t in (a if isinstance(a, list) else [a]) if isinstance(t, Tensor)]


def outputs(y):
    return list(y) if isinstance(y, tuple) else [y]


def expected(case, args):
    if case.expect is not None:
        return case.expect(*args, **case.kwargs)
    twin = op_of(case).twin_function
    assert twin is not None, f"{case} has neither a reference nor a twin"
    with autograd.no_grad():
        return twin(*over_floats(Tensor, args), **case.kwargs)


def raw(y):
    return [np.asarray(o._data if isinstance(o, Tensor) else o) for o in outputs(y)]


def test_every_op_has_its_rows():
    ours = {name for name, op in registry.items() if op.__module__.startswith("autograd.")}
    assert not ours - {c.op for c in CASES}, "registered without a row in tests/cases_*.py"
    assert not {c.op for c in CASES} - set(registry), "rows of ops that do not exist"


def test_exemptions_have_reasons():
    for case in CASES:
        for check, reason in case.exempt.items():
            assert check in CHECKS and len(reason) > 10, (str(case), check, reason)


@rows("forward")
def test_forward(case):
    args = arguments(case)
    before = [a.copy() if is_float(a) else a for a in args]
    got = op_of(case)(*args, **case.kwargs)
    for y, e in zip(raw(got), raw(expected(case, args)), strict=True):
        assert y.shape == e.shape
        np.testing.assert_allclose(y, e, rtol=1e-10, atol=1e-12)
    tensors = differentiable(case, args)
    recorded = op_of(case)(*tensors, **case.kwargs)
    for y, e in zip(raw(recorded), raw(got), strict=True):
        np.testing.assert_array_equal(y, e)
    for a, b in zip(args, before, strict=True):
        if is_float(a):
            np.testing.assert_array_equal(a, b, "the op changed its input")


@rows("forward")
def test_first_order(case):
    _check(case, 1)


@pytest.mark.slow
@rows("second")
def test_second_order(case):
    _check(case, 2)


def _check(case, order):
    args = differentiable(case, arguments(case))
    flat = leaves(args)
    if not flat:
        return

    def f(*tensors):
        it = iter(tensors)
        again = [
            [next(it) if isinstance(e, Tensor) else e for e in a]
            if isinstance(a, list)
            else next(it)
            if isinstance(a, Tensor)
            else a
            for a in args
        ]
        y = op_of(case)(*again, **case.kwargs)
        if order == 1:
            return y
        # bent, so that the rules of linear ops have a derivative too
        return [o * o if o.dtype.kind == "c" else np.tanh(o) for o in outputs(y)]

    autograd.check_grads(f, *flat, order=order)


def cotangents(ys):
    rng = np.random.default_rng(1)
    return [rng.standard_normal(y.shape).astype(y.dtype) for y in ys]


def gradients(case, args):
    """Output and gradients of one backward from a fixed cotangent."""
    tensors = differentiable(case, args)
    ys = outputs(op_of(case)(*tensors, **case.kwargs))
    recorded = [y for y in ys if isinstance(y, Tensor) and y.requires_grad]
    if recorded:
        total = [np.sum(y * g) for y, g in zip(recorded, cotangents(recorded), strict=True)]
        sum(total[1:], total[0]).backward()
    return ys, [t.grad for t in leaves(tensors)]


@rows("float32")
def test_float32(case):
    """float32 in gives float32 out and back, close to float64; the raw output of the rules is float32 too."""
    args = arguments(case)
    narrow = over_floats(lambda a: a.astype(np.complex64 if a.dtype.kind == "c" else np.float32), args)
    ys, grads = gradients(case, narrow)
    wide_ys, wide_grads = gradients(
        case, over_floats(lambda a: a.astype(np.result_type(a, np.float64)), narrow)
    )
    for y, wide in zip(ys, wide_ys, strict=True):
        if isinstance(y, Tensor) and y.requires_grad:
            assert y.dtype.itemsize * 2 == wide.dtype.itemsize, (y.dtype, wide.dtype)
            assert y.node.dtype is None or y.node.dtype == y.dtype
            _close(y._data, wide._data)
    again = outputs(op_of(case)(*differentiable(case, narrow), **case.kwargs))
    _raw_dtypes([y for y in again if isinstance(y, Tensor) and y.requires_grad])
    for g, wide in zip(grads, wide_grads, strict=True):
        if wide is not None:
            _close(g._data, wide._data)


def _close(a, b):
    scale = np.sqrt(np.mean(np.abs(b) ** 2)) + 1e-3 if b.size else 1.0
    np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-4 * scale)


def _raw_dtypes(ys):
    """Of a node of several outputs the parts are nodes of their own, so the rule hangs one step further."""
    several = len(ys) > 1
    for node in {y.node.inputs[0] if several else y.node for y in ys}:
        if node.shape is None:
            g = tuple(np.ones(y.shape, y.dtype) for y in ys)
        else:
            g = np.ones(node.shape, node.dtype)
        for part in node.plan.pull(g, node.saved):
            assert part is None or part.dtype in (np.float32, np.complex64), (
                f"the raw rule output is {part.dtype}"
            )


@pytest.mark.slow
@rows("huge")
def test_huge_inputs_stay_finite(case):
    for scale in (1e4, -1e4):
        args = over_floats(lambda a, s=scale: np.where(a == 0, a, np.sign(a) * s), arguments(case))
        with np.errstate(over="ignore", under="ignore"):
            ys, grads = gradients(case, args)
        for y in ys:
            assert np.isfinite(raw(y)[0]).all()
        for g in grads:
            assert g is None or np.isfinite(g._data).all()


@pytest.mark.slow
@rows("layout")
def test_layouts(case):
    """Non-contiguous, Fortran-ordered and read-only inputs give the same bits, and come out unchanged."""
    args = arguments(case)
    ys, grads = gradients(case, args)
    for spoil in (_strided, _read_only, _fortran):
        spoilt = over_floats(spoil, args)
        tensors = [
            over_floats(_leaf_sharing, [a])[0] if i in op_of(case).differentiable else a
            for i, a in enumerate(spoilt)
        ]
        again = outputs(op_of(case)(*tensors, **case.kwargs))
        for a, b in zip(again, ys, strict=True):
            np.testing.assert_allclose(raw(a)[0], raw(b)[0], rtol=1e-12, atol=1e-12)
        recorded = [y for y in again if isinstance(y, Tensor) and y.requires_grad]
        if recorded:
            total = [np.sum(y * g) for y, g in zip(recorded, cotangents(recorded), strict=True)]
            sum(total[1:], total[0]).backward()
            for t, g in zip(leaves(tensors), grads, strict=True):
                if g is not None:
                    np.testing.assert_allclose(t.grad._data, g._data, rtol=1e-11, atol=1e-12)


def _leaf_sharing(a):
    t = autograd.tensor.wrap(a)
    return t.requires_grad_()


def _strided(a):
    if a.ndim == 0:
        return a
    wide = np.zeros((*a.shape[:-1], a.shape[-1] * 2 + 1), a.dtype)
    wide[..., 1::2] = a
    return wide[..., 1::2]


def _fortran(a):
    return np.asfortranarray(a) if a.ndim else a


def _read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


@rows("numpy")
def test_numpy_dispatch(case):
    """Plain np.* on a Tensor runs the op."""
    for function in NUMPY.get(case.op, ()):
        if isinstance(function, np.ufunc) and case.kwargs:
            continue
        args = arguments(case)
        y = function(*differentiable(case, args), **case.kwargs)
        for got, e in zip(raw(y), raw(op_of(case)(*args, **case.kwargs)), strict=True):
            np.testing.assert_array_equal(got, e)
        assert all(isinstance(o, Tensor) for o in outputs(y))


@pytest.mark.parametrize("case", [c for c in CASES if c.elementwise and "empty" not in c.exempt], ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0)], ids=str)
def test_empty_and_0d(case, shape):
    def reshaped(a):
        return np.resize(a, shape) if shape == () or 0 not in shape else np.zeros(shape, a.dtype)

    args = [reshaped(a) if isinstance(a, np.ndarray) and a.ndim else a for a in arguments(case)]
    ys, grads = gradients(case, args)
    for y, e in zip(raw(tuple(ys)), raw(expected(case, args)), strict=True):
        assert y.shape == e.shape
        np.testing.assert_allclose(y, e, rtol=1e-10, atol=1e-12)
    for g, a in zip(grads, [a for a in args if is_float(a)], strict=False):
        assert g is None or g.shape == a.shape


def test_number_of_exemptions_is_told(record_property):
    count = sum(len(c.exempt) for c in CASES)
    record_property("exemptions", count)
    print(f"{count} exemptions over {len(CASES)} rows")


assert Case  # the rows' type, for readers of this file

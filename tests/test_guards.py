"""Nothing fails silently: doors out of the graph, versions of buffers, writes in place, dtypes."""

import math

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor


def leaf(value, dtype=np.float64, name=None):
    return Tensor(np.array(value, dtype), requires_grad=True, name=name)


# ---- guard-rail 1: doors out of the graph


DOORS = {
    "float": lambda t: float(t),
    "int": lambda t: int(t),
    "complex": lambda t: complex(t),
    "math.exp": lambda t: math.exp(t),
    "assignment into an ndarray": lambda t: np.zeros(3).__setitem__(0, t),
    "np.asarray": lambda t: np.asarray(t),
    "np.array of a list": lambda t: np.array([t, t]),
    "ndarray += t": lambda t: np.zeros(3).__iadd__(t),
    "out=": lambda t: np.add(t, t, out=np.zeros(3)),
    "where=": lambda t: np.add(t, t, where=np.array(True)),
    "dtype=": lambda t: np.add(t, t, dtype=np.float32),
    "np.clip dtype=": lambda t: np.clip(t, 0.0, 1.0, dtype=np.float32),
    "reduce": lambda t: np.add.reduce(t),
    "outer": lambda t: np.multiply.outer(t, t),
    "accumulate": lambda t: np.add.accumulate(t),
    "at": lambda t: np.add.at(np.zeros(3), [0], t),
    "uncovered function": lambda t: np.nextafter(t, t),
    "dlpack": lambda t: t.__dlpack__(),
    "Tensor(t)": lambda t: Tensor(t),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("recorded", [False, True], ids=["leaf", "recorded"])
def test_doors_raise_and_name_the_way_out(door, recorded):
    t = leaf([1.0]) if recorded else leaf(1.0)
    t = t[0] * 2.0 if recorded else t
    with pytest.raises((TypeError, ValueError)) as caught:
        DOORS[door](t)
    text = str(caught.value.__cause__ or caught.value)  # NumPy chains its own error to ours in arr[0] = t
    assert "\n" not in text and ("detach()" in text or "dtype" in text), text


@pytest.mark.parametrize("door", [d for d in DOORS if d not in ("where=", "np.clip dtype=")])
def test_doors_are_open_outside_the_graph(door):
    of_one_axis = door in ("accumulate", "reduce")
    DOORS[door](Tensor(np.ones(1 if of_one_axis else ())))


def test_reading_on_purpose():
    t = leaf(2.0) * 3.0
    assert t.item() == 6 and t.numpy() == 6 and t.detach().item() == 6 and f"{t:.1f}" == "6.0"
    with pytest.raises(ValueError, match="read-only"):
        leaf([1.0]).numpy()[0] = 2
    with pytest.raises(ValueError, match="read-only"):
        (leaf([1.0]) * 1.0).detach().numpy()[0] = 2


def test_in_a_list():
    t, u = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    assert t in [t] and t in {t}
    with pytest.raises(ValueError, match="ambiguous"):
        assert t in [u]
    with pytest.raises(ValueError, match=r"any\(t is u"):
        bool(t)


# ---- guard-rails 2 and 3: versions and writes in place

VIEWS = {
    "itself": lambda x: x,
    "slice": lambda x: x[:1],
    "reshape": lambda x: x.reshape(1, 3),
    "transpose": lambda x: x.reshape(3, 1).T,
    "detach": lambda x: x.detach(),
    "data": lambda x: x.data,
    "detach of a view": lambda x: x[1:].detach()[:1],
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_write_through_any_view_is_noticed(view):
    w = leaf([1.0, 2.0, 3.0], name="w")
    x = leaf([1.0, 2.0, 3.0], name="x")
    y = np.sum(w * x)
    with ag.no_grad():
        VIEWS[view](x)[...] = 7.0
    with pytest.raises(RuntimeError) as caught:
        y.backward()
    text = str(caught.value)
    assert "multiply" in text and "'b'" in text and "version" in text and "clone()" in text
    assert f"at version {x.version}" in text


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.__iadd__(1.0),
        lambda x: x.__isub__(1.0),
        lambda x: x.__imul__(1.0),
        lambda x: x.__itruediv__(1.0),
        lambda x: x.__ipow__(1.0),
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.fill(1.0),
    ],
)
def test_writes_raise_while_recording_and_work_without(write):
    for x in (leaf([1.0, 2.0]), leaf([1.0, 2.0]) * 1.0):
        with pytest.raises(RuntimeError, match="no_grad"):
            write(x)
        before = x.version
        with ag.no_grad():
            write(x)
        assert x.version > before
    constant = Tensor([1.0, 2.0])
    write(constant)
    with pytest.raises(RuntimeError, match="drop its gradient"):
        constant[0] = leaf(1.0)


NUMPY_WRITES = {
    "fill_diagonal": lambda t: np.fill_diagonal(t, 7.0),
    "copyto": lambda t: np.copyto(t, 7.0),
    "put": lambda t: np.put(t, [0], 7.0),
    "place": lambda t: np.place(t, np.eye(2, dtype=bool), [7.0]),
    "putmask": lambda t: np.putmask(t, np.eye(2, dtype=bool), [7.0]),
    "put_along_axis": lambda t: np.put_along_axis(t, np.zeros((2, 1), int), 7.0, 1),
    "add.at": lambda t: np.add.at(t, 0, 7.0),
    "round out=": lambda t: np.round(np.ones((2, 2)), out=t),
    "fix out=": lambda t: np.fix(np.ones((2, 2)), out=t),
}


@pytest.mark.parametrize("write", NUMPY_WRITES)
def test_numpy_does_not_write_into_tensors(write):
    x = leaf(np.ones((2, 2)))
    h = x * 1.0
    with pytest.raises((TypeError, ValueError), match="read-only|writes into an ndarray|WRITEBACKIFCOPY"):
        NUMPY_WRITES[write](h.detach())
    np.sum(h * h).backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * np.ones((2, 2)))


def test_writing_after_backward_is_fine_and_before_the_forward_too():
    x = leaf([1.0])
    with ag.no_grad():
        x += 1.0
    y = np.sum(x * x)
    y.backward()
    with ag.no_grad():
        x += 1.0
    np.testing.assert_array_equal(x.grad.numpy(), [4.0])


def test_what_is_not_saved_may_be_written():
    x, w = leaf([1.0]), Tensor([2.0])
    y = np.sum(x + w)
    w += 1.0
    y.backward()
    assert x.grad.item() == 1


def test_an_unused_version_entry_dies_with_its_buffer():
    from autograd.tensor import writes

    before = len(writes.last)
    x = Tensor([1.0])
    x += 1.0
    assert len(writes.last) == before + 1
    del x
    assert len(writes.last) == before


def test_backward_twice_says_so():
    x = leaf([1.0])
    y = np.sum(np.exp(x) + x)
    y.backward(retain_graph=True)
    y.backward()
    assert math.isclose(x.grad.item(), 2 * (math.e + 1))
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()


# ---- guard-rail 6: dtypes

OPERANDS = {
    "Python float": 2.0,
    "Python int": 2,
    "bool": True,
    "np.float64": np.float64(2),
    "0-d array": np.array(2.0),
    "integer array": np.arange(3),
    "bool array": np.array([True, False, True]),
    "list": [1, 2, 3],
    "0-d float64 tensor": Tensor(np.float64(2)),
    "integer tensor": Tensor([1, 2, 3]),
    "float32 array": np.ones(3, np.float32),
}


@pytest.mark.parametrize("kind", OPERANDS)
@pytest.mark.parametrize("op", ["add", "subtract", "multiply", "divide", "maximum", "power"])
def test_float32_stays_float32(kind, op):
    f = getattr(np, op)
    for flip in (False, True):
        x = leaf([1.0, 2.0, 3.0], np.float32)
        with np.errstate(all="ignore"):
            y = f(OPERANDS[kind], x) if flip else f(x, OPERANDS[kind])
            assert y.dtype == np.float32
            y.backward(np.ones(3, np.float32))
        assert x.grad.dtype == np.float32


@pytest.mark.parametrize("kind", OPERANDS)
@pytest.mark.parametrize("function", [np.floor_divide, np.heaviside])
def test_float32_stays_float32_without_derivative(kind, function):
    x = Tensor(np.float32([1.0, 2.0, 3.0]))
    with np.errstate(all="ignore"):
        assert function(x, OPERANDS[kind]).dtype == np.float32


def test_float64_arrays_keep_their_type():
    x = leaf([1.0, 2.0], np.float32)
    y = x * np.ones(2)
    assert y.dtype == np.float64
    np.sum(y).backward()
    assert x.grad.dtype == np.float32


def test_construction():
    assert Tensor(1.5).dtype == np.float32 and Tensor([1.5]).dtype == np.float32
    assert Tensor(np.float64(1.5)).dtype == np.float64 and Tensor(np.ones(2)).dtype == np.float64
    assert Tensor([1, 2]).dtype == np.int64 and Tensor(True).dtype == bool
    with pytest.raises(TypeError, match="int64"):
        Tensor([1, 2], requires_grad=True)
    with pytest.raises(TypeError, match="numbers"):
        Tensor("word")
    with pytest.raises(ValueError, match="list"):
        Tensor([[1.0], [1.0, 2.0]])
    source = np.ones(2)
    t = Tensor(source)
    source[0] = 5
    assert t[0].item() == 1


def test_default_dtype_can_be_set():
    ag.set_default_dtype(np.float64)
    try:
        assert Tensor(1.0).dtype == np.float64
    finally:
        ag.set_default_dtype(np.float32)
    with pytest.raises(TypeError, match="float"):
        ag.set_default_dtype(int)

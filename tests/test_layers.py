"""The table of layers, run: each check of a row is one test."""

import contextlib
import copy
import pickle
from types import ModuleType

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, check_grads
from autograd.tensor import unwrap, writable
from tests.layer_references import REFERENCES, ByDefinition
from tests.layer_table import CHECKS, all_rows

pytestmark = pytest.mark.slow

ROWS = all_rows()


def layers():
    """The names of the layers that `nn` exports, losses that own weights or a loss among them."""
    losses = "AdaptiveLogSoftmaxWithLoss", "HierarchicalSoftmax", "LinearCrossEntropyLoss", "WeightedLoss"
    return {*losses} | {
        name
        for name, kind in vars(nn).items()
        if isinstance(kind, type) and issubclass(kind, nn.Module) and kind.__module__.startswith("nn.layers")
    }


OURS_ALONE = {  # what PyTorch has no layer for
    *("Residual", "Parallel", "Concat", "Lambda", "Reshape", "Permute", "GlobalAvgPool", "GlobalMaxPool"),
    *("PositionalEncoding", "HierarchicalSoftmax", "WeightedLoss"),
}


def rows(check):
    return pytest.mark.parametrize("row", [r for r in ROWS if check not in r.exempt], ids=str)


@contextlib.contextmanager
def default_dtype(dtype):
    before = autograd.get_default_dtype()
    autograd.set_default_dtype(dtype)
    try:
        yield
    finally:
        autograd.set_default_dtype(before)


def built(row, dtype=np.float64):
    """The layer of the row, its parameters moved off values such as 0 and 1 that would hide what they do."""
    with default_dtype(dtype):
        layer = row.ours()
    rng = np.random.default_rng(7)
    with autograd.no_grad():
        for parameter in layer.parameters():
            writable(parameter)[...] += 0.1 * rng.standard_normal(parameter.shape)
    return layer


def arguments(row, large=False):
    make = row.large if large and row.large else row.inputs
    return make(np.random.default_rng(1))


def is_float(a):
    return isinstance(a, np.ndarray) and a.dtype.kind == "f"


def leaves_of(inputs):
    return [Tensor(a, requires_grad=True) if is_float(a) else a for a in inputs]


def flat(output):
    """The tensors of an output, which may be a tuple of tuples; None stands for what was not asked for."""
    if isinstance(output, (tuple, list)):
        return [t for part in output for t in flat(part)]
    return [] if output is None else [output]


def run(row, layer, *inputs):
    """The outputs, drawn from one seed so that a second call draws the same."""
    autograd.seed(3)
    return flat(row.call(layer, *inputs))


def backward(outputs):
    """From a fixed cotangent; what does not require grad, such as an index, is passed over."""
    rng = np.random.default_rng(2)
    total = 0.0
    for y in outputs:
        g = rng.standard_normal(y.shape).astype(y.dtype)
        if isinstance(y, Tensor) and y.requires_grad:
            total = np.sum(y * g) + total
    if isinstance(total, Tensor):
        total.backward()


def dense(gradient):
    if gradient is None:
        return None
    return (gradient.to_dense() if hasattr(gradient, "to_dense") else gradient).numpy()


def to_torch(parameter, array):
    layout = getattr(parameter, "layout", None)
    return layout.to_torch(array) if layout else array


def state_for_torch(layer):
    return {name: to_torch(t, t.numpy()) for name, t in layer._tensors("state")}


def close(ours, theirs, what, tolerance=1e-9):
    """Relative to the root mean square of the expected."""
    assert ours.shape == theirs.shape, f"{what}: {ours.shape}, PyTorch {theirs.shape}"
    scale = float(np.sqrt(np.mean(np.square(theirs)))) if theirs.size else 1.0
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale + 1e-14, err_msg=what)


def test_every_layer_has_its_rows():
    covered = {row.covers for row in ROWS}
    assert not layers() - covered, "exported by nn without a row in tests/layer_rows_*.py"
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)


@pytest.mark.parametrize("check", CHECKS)
def test_every_layer_has_a_row_of_every_check(check):
    """Exempt are single rows, never a layer. Of what PyTorch has, one at least is held to it."""
    exempted = {"torch": OURS_ALONE | {"Hardsigmoid"}}.get(check, set())
    reached = {row.covers for row in ROWS if check not in row.exempt and (row.theirs or check != "torch")}
    assert layers() - reached == exempted


@rows("rows")
def test_rows_are_of_the_layer_they_name(row):
    layer = row.ours()
    kinds = {type(module).__name__ for module in layer.modules()}
    assert row.covers in kinds
    assert row.expect or type(layer).__name__ in REFERENCES, "no closed form holds it without PyTorch"
    for check, reason in row.exempt.items():
        assert check in CHECKS and len(reason) > 10, (check, reason)


@pytest.mark.parametrize(
    ("row", "mode"),
    [(r, mode) for r in ROWS if r.theirs and "torch" not in r.exempt for mode in r.modes],
    ids=str,
)
def test_agrees_with_pytorch(row, mode, torch):
    """Forward, gradients of inputs and parameters, and the buffers afterwards, in float64."""
    ours, theirs = built(row), row.theirs(torch).double()
    theirs.load_state_dict({n: torch.tensor(a.copy()) for n, a in state_for_torch(ours).items()})
    ours.train(mode == "train")
    theirs.train(mode == "train")
    inputs = arguments(row)
    our_inputs = leaves_of(inputs)
    their_inputs = [
        torch.tensor(row.to_torch(a).copy(), requires_grad=is_float(a)) if isinstance(a, np.ndarray) else a
        for a in inputs
    ]
    our_outputs = run(row, ours, *our_inputs)
    their_outputs = flat(row.call(theirs, *their_inputs))
    assert len(our_outputs) == len(their_outputs)
    total, rng = 0.0, np.random.default_rng(2)
    for y, t in zip(our_outputs, their_outputs):
        close(unwrap(y), row.from_torch(t.detach().numpy()), "output")
        g = rng.standard_normal(y.shape).astype(y.dtype)
        if t.requires_grad:
            total = (t * torch.tensor(row.to_torch(g).copy())).sum() + total
    backward(our_outputs)
    if isinstance(total, torch.Tensor):
        total.backward()
    for k, (a, t) in enumerate(zip(our_inputs, their_inputs)):
        if isinstance(a, Tensor) and t.grad is not None:
            close(a.grad.numpy(), row.from_torch(t.grad.numpy()), f"gradient of input {k}")
    wanted = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        got, expected = dense(parameter.grad), wanted[name].grad
        assert parameter.requires_grad == wanted[name].requires_grad
        if expected is not None:
            expected = expected.to_dense() if expected.is_sparse else expected
            close(to_torch(parameter, got), expected.numpy(), f"gradient of {name}")
        else:
            assert got is None or not got.any()
    buffers = dict(theirs.named_buffers())
    for name, buffer in ours.named_buffers():
        if name in buffers:
            close(buffer.numpy(), buffers[name].numpy(), f"buffer {name} after the call")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_agrees_with_a_closed_form(row):
    layer, inputs = built(row).eval(), arguments(row)
    if row.expect:
        expected = flat(row.expect(layer, *inputs))
    else:
        expected = flat(row.call(ByDefinition(layer), *inputs))
    outputs = run(row, layer, *inputs)
    assert len(outputs) == len(expected)
    for y, e in zip(outputs, expected):
        close(unwrap(y), np.asarray(e), "output")


@rows("float32")
def test_float32_agrees_with_float64(row):
    """float32 in gives float32 out and back, as close to float64 as the row says."""
    narrow, wide = built(row, np.float32).eval(), built(row).eval()
    wide.load_state_dict(narrow.state_dict())
    inputs = [a.astype(np.float32) if is_float(a) else a for a in arguments(row, large=True)]
    widened = [a.astype(np.float64) if is_float(a) else a for a in inputs]
    of_narrow, of_wide = leaves_of(inputs), leaves_of(widened)
    ys, zs = run(row, narrow, *of_narrow), run(row, wide, *of_wide)
    for y, z in zip(ys, zs):
        assert y.dtype == (np.float32 if z.dtype == np.float64 else z.dtype)
        close(unwrap(y), unwrap(z), "output", row.tolerance)
    backward(ys)
    backward(zs)
    pairs = [
        (f"input {k}", a, b) for k, (a, b) in enumerate(zip(of_narrow, of_wide)) if isinstance(a, Tensor)
    ]
    parameters = dict(wide.named_parameters())
    pairs += [(name, p, parameters[name]) for name, p in narrow.named_parameters()]
    for what, a, b in pairs:
        if b.grad is not None:
            assert a.grad.dtype == np.float32, what
            # a gradient may be the small sum of large terms: it is allowed one decimal less than the output
            close(dense(a.grad), dense(b.grad), f"gradient of {what}", 10 * row.tolerance)


def test_float32_reaches_every_algorithm_of_convolution(monkeypatch):
    """Each module that computes one is called by some row: the output and both gradients."""
    from autograd.kernels import conv

    called = set()

    def spied(module, name):
        function = getattr(module, name)

        def spy(*args, **kwargs):
            called.add((module.__name__, name))
            return function(*args, **kwargs)

        return spy

    # where a module computes the gradients together, they are
    parts = {True: ("forward", "gradients"), False: ("forward", "input_grad", "weight_grad")}
    kinds = {m for m in vars(conv).values() if isinstance(m, ModuleType) and hasattr(m, "forward")}
    for module in kinds:
        for name in parts[hasattr(module, "gradients")]:
            monkeypatch.setattr(module, name, spied(module, name))
    for row in ROWS:
        if row.covers.startswith("Conv") and "float32" not in row.exempt:
            inputs = [a.astype(np.float32) if is_float(a) else a for a in arguments(row, large=True)]
            backward(run(row, built(row, np.float32), *leaves_of(inputs)))
    of_float64 = {m for m in kinds if m.__name__.endswith("conv_plain")}
    wanted = {(m.__name__, n) for m in kinds - of_float64 for n in parts[hasattr(m, "gradients")]}
    assert wanted - called == set()


@rows("second")
def test_has_second_derivatives(row):
    layer, inputs = built(row), arguments(row)
    parameters = [p for p in layer.parameters() if p.requires_grad]
    floats = [k for k, a in enumerate(inputs) if is_float(a)]

    def bent(*values):
        """Through tanh, so that linear layers have a second derivative too."""
        given = list(inputs)
        for k, value in zip(floats, values):
            given[k] = value
        with replaced(layer, parameters, values[len(floats) :]):
            outputs = run(row, layer, *given)
        return [np.tanh(y) for y in outputs if isinstance(y, Tensor) and y.requires_grad]

    check_grads(bent, *(inputs[k] for k in floats), *(p.numpy() for p in parameters))


@contextlib.contextmanager
def replaced(layer, parameters, values):
    """Other tensors in the place of parameters, a shared one at each of its places."""
    instead = {id(p): v for p, v in zip(parameters, values)}
    places = [
        (vars(module), name, value)
        for module in layer.modules()
        for name, value in vars(module).items()
        if id(value) in instead
    ]
    for members, name, value in places:
        members[name] = instead[id(value)]
    try:
        yield
    finally:
        for members, name, value in places:
            members[name] = value


def same_outputs(row, one, other):
    inputs = arguments(row)
    for a, b in zip(run(row, one, *inputs), run(row, other, *inputs), strict=True):
        np.testing.assert_array_equal(unwrap(a), unwrap(b))


@rows("state")
def test_state_goes_from_one_to_another(row):
    trained, inputs = built(row), arguments(row)
    run(row, trained, *inputs)  # moves running statistics, where there are some
    with default_dtype(np.float64):
        fresh = row.ours()
    fresh.load_state_dict(trained.state_dict())
    assert list(fresh.state_dict()) == list(trained.state_dict())
    same_outputs(row, trained.eval(), fresh.eval())


@rows("copy")
def test_copies_and_pickles(row):
    layer = built(row).eval()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(other) == repr(layer)
        assert not {*map(id, layer.parameters())} & {*map(id, other.parameters())}
        same_outputs(row, layer, other)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_repr_of_a_layer_builds_it_again(row):
    layer = row.ours()
    told_in_words = isinstance(layer, (nn.Lambda, nn.HierarchicalSoftmax))
    if list(layer.children()) or told_in_words or not type(layer).__module__.startswith("nn."):
        return  # a tree
    again = eval(repr(layer), {**vars(nn), "inf": np.inf})
    assert repr(again) == repr(layer)
    shapes = [{n: p.shape for n, p in one.named_parameters()} for one in (layer, again)]
    assert shapes[0] == shapes[1]
    plain = int, float, str, tuple, bool, type(None)
    wanted = {k: v for k, v in vars(layer).items() if isinstance(v, plain) and k != "_random_samples"}
    assert {k: vars(again)[k] for k in wanted} == wanted


def test_exemptions_have_reasons(record_property):
    record_property("exemptions", sum(len(row.exempt) for row in ROWS))

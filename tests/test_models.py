"""The table of models, run: each check of a row is one test."""

import contextlib
import functools
import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, gradient, no_grad
from autograd.kernels import conv
from autograd.tensor import unwrap, writable
from nn import init, models
from nn.summary import summary
from optim import Adam
from tests.model_rows import CHECKS, all_rows, flat, is_float

pytestmark = pytest.mark.slow

ROWS = all_rows()


def rows(check=None):
    return pytest.mark.parametrize("row", [r for r in ROWS if check not in r.exempt], ids=str)


def test_every_constructor_has_its_row():
    names = [row.name for row in ROWS]
    assert sorted(names) == sorted(models.entries())
    builds = [entry.build for entry in models.entries().values()]
    for build in builds:
        assert getattr(models, build.__name__, None) is build, f"nn.models does not export {build.__name__}"
    files = {inspect.getmodule(build) for build in builds}
    for name, function in vars(models).items():
        if inspect.isfunction(function) and inspect.getmodule(function) in files and name[0] != "_":
            assert function in builds, f"{name} has no entry"
    for row in ROWS:
        assert row.shapes or "shapes" in row.exempt, row.name
        assert row.twin or "torch" in row.exempt, row.name
        assert row.multiply_adds is not None or "multiply_adds" in row.exempt, row.name
        assert bool(row.tiny_shape) != bool(row.examples), row.name
        assert row.layout in ("images", "sequence"), row.name
        for check, reason in row.exempt.items():
            assert check in CHECKS and len(reason) > 10, (row.name, check, reason)


# ---- at the published size


@contextlib.contextmanager
def undrawn():
    """Parameters that are drawn at random start as zeros: their number is asked for, and it is large."""
    with pytest.MonkeyPatch.context() as patch:
        for draw in ("uniform_", "normal_", "trunc_normal_"):
            patch.setattr(init, draw, lambda t, *args, **kwargs: init.zeros_(t))
        yield


@functools.cache
def at_full_size(name):
    """What one example of the published size shows."""
    entry = models.find(name)
    with undrawn():
        model = entry.build()
    shapes = {}

    def note(path, output):
        if hasattr(first := flat(output)[0], "shape"):
            shapes[path] = first.shape[1:]

    for path, module in model.named_modules():
        module.register_forward_hook(lambda module, args, output, path=path: note(path, output))
    table = summary(model, *entry.inputs())
    state = {path: torch_shape(t) for path, t in model._tensors("state")}
    rates = sorted(m.p for m in model.modules() if isinstance(m, nn.Dropout))
    return SimpleNamespace(table=table, shapes=shapes, state=state, rates=rates)


def torch_shape(tensor):
    layout = getattr(tensor, "layout", None)
    return layout.torch_shape(tensor.shape) if layout else tensor.shape


@rows()
def test_sizes_are_the_published_ones(row):
    entry, found = models.find(row.name), at_full_size(row.name)
    assert found.table.parameters == found.table.trainable == entry.parameters == row.parameters
    assert found.table.multiply_adds == entry.multiply_adds
    if isinstance(row.multiply_adds, str):
        figure, unit = row.multiply_adds.split()
        decimals = len(figure.partition(".")[2])
        assert f"{entry.multiply_adds / {'G': 1e9, 'M': 1e6}[unit]:.{decimals}f}" == figure
    elif row.multiply_adds is not None:
        assert entry.multiply_adds == row.multiply_adds
    assert {path: found.shapes.get(path) for path in row.shapes} == dict(row.shapes)


@rows("torch")
def test_state_and_cost_are_those_of_the_published_description(row, torch):
    from torch.utils.flop_counter import FlopCounterMode

    entry, found = models.find(row.name), at_full_size(row.name)
    with torch.device("meta"):
        theirs = row.twin(torch).eval()
    state = {path: tuple(t.shape) for path, t in theirs.state_dict().items()}
    assert found.state == state
    if "flops" not in row.exempt:
        inputs = their(row, torch, entry.inputs())
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            theirs(*(t.to("meta") if torch.is_tensor(t) else t for t in inputs))
        assert entry.multiply_adds == counter.get_total_flops() / 2
    assert found.rates == sorted(m.p for m in theirs.modules() if isinstance(m, torch.nn.Dropout))


# ---- small


def leaves(inputs, requires_grad=False):
    """Floats as Tensors; class numbers, masks and options stay what they are."""
    return [Tensor(x, requires_grad=requires_grad) if is_float(x) else x for x in inputs]


def drawn(model, seed):
    """The model with everything in it random: a running variance of 1 would hide what is divided by it. Large
    biases, more of them positive, keep most values away from the kinks of ReLUs."""
    autograd.seed(seed)
    rng = autograd.random.generator()
    with no_grad():
        for path, p in model.named_parameters():
            if p.ndim > 1:
                init.he_normal_(p)
            elif path.endswith("bias"):
                on = rng.random(p.shape) < 0.9
                writable(p)[...] = np.where(on, 1.5, -0.5) + rng.uniform(-0.5, 0.5, p.shape)
            else:
                writable(p)[...] += rng.uniform(-0.1, 0.1, p.shape)
        for path, buffer in model.named_buffers():
            if path.endswith("running_mean"):
                writable(buffer)[...] = rng.uniform(-0.2, 0.2, buffer.shape)
            elif path.endswith("running_var"):
                writable(buffer)[...] = rng.uniform(0.5, 1.5, buffer.shape)
    return model


def as_theirs(row, array):
    """An array in PyTorch's layout."""
    return np.moveaxis(array, -1, 1) if row.layout == "images" and array.ndim > 2 else array


def as_ours(row, array):
    return np.moveaxis(array, 1, -1) if row.layout == "images" and array.ndim > 2 else array


def their(row, torch, inputs, dtype=None):
    """The arguments of PyTorch's twin; with a dtype, floats are leaves of it."""
    given = []
    for x in inputs:
        if is_float(x):
            x = torch.tensor(as_theirs(row, x).copy(), dtype=dtype, requires_grad=dtype is not None)
        elif isinstance(x, np.ndarray):
            x = torch.tensor(as_theirs(row, x).copy(), dtype=torch.int64 if x.dtype.kind in "iu" else None)
        given.append(x)
    return given


def to_torch(tensor, array):
    layout = getattr(tensor, "layout", None)
    return layout.to_torch(array) if layout else array


def rms(array):
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


def assert_near(tolerance, note, got, expected, what, least=0.0):
    """In root mean squares. `least`: a bias before batch norm has gradient 0, in float32 rounding."""
    assert got.shape == expected.shape, what
    error, limit = rms(got - expected), tolerance * max(rms(expected), least)
    assert error <= limit, f"{what}: {error:.2e}, at most {limit:.2e}; {note}"


@rows("torch")
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_agrees_with_pytorch(row, mode, torch, tmp_path, monkeypatch):
    """Outputs, gradients and running statistics, in float32 against float64. A value that rounding moves
    across the kink of a ReLU, or from one place of a pool's window to another, changes the gradient by all
    that flows there, rarely; of three draws one must agree, and a wrong network agrees in none."""
    for seed in range(3):
        try:
            return agree(row, mode, seed, torch, tmp_path / "w.safetensors", monkeypatch)
        except AssertionError:
            if seed == 2:
                raise


def agree(row, mode, seed, torch, file, monkeypatch):
    from safetensors.torch import load_file

    nn.save_weights(drawn(row.build(**row.tiny), seed), file, layout="torch")
    theirs = row.twin(torch, **row.tiny)
    theirs.load_state_dict(load_file(file))
    theirs.double().train(mode == "train")
    inputs, _ = row.batch_of()
    their_inputs = their(row, torch, inputs, torch.float64)
    their_outputs = flat(theirs(*their_inputs))
    rng = np.random.default_rng(1)
    cotangents = [rng.normal(size=tuple(y.shape)) for y in their_outputs]
    sum((y * torch.tensor(g)).sum() for y, g in zip(their_outputs, cotangents)).backward()
    wanted = {n: p.grad.numpy() for n, p in theirs.named_parameters() if p.grad is not None}
    scale = np.sqrt(np.mean([rms(g) ** 2 for g in wanted.values()]))
    buffers = {n: b.numpy() for n, b in theirs.named_buffers()}

    for winograd, tolerance in ((False, 1e-4), (conv.WINOGRAD, 1e-3)):
        monkeypatch.setattr(conv, "WINOGRAD", winograd)
        near = functools.partial(assert_near, tolerance, f"Winograd {winograd}")
        ours = row.build(**row.tiny).train(mode == "train")
        nn.load_weights(ours, file)
        given = leaves(inputs, requires_grad=True)
        outputs = flat(ours(*given))
        assert len(outputs) == len(their_outputs)
        total = 0.0
        for y, t, g in zip(outputs, their_outputs, cotangents):
            near(as_theirs(row, unwrap(y)), t.detach().numpy(), "outputs")
            total = np.sum(y * as_ours(row, g).astype(np.float32)) + total
        total.backward()
        for x, t in zip(given, their_inputs):
            if isinstance(x, Tensor):
                near(as_theirs(row, x.grad.numpy()), t.grad.numpy(), "gradient of an input")
        parameters = dict(ours.named_parameters())
        assert {n for n, p in parameters.items() if p.grad is not None} == set(wanted)
        for name, expected in wanted.items():
            p = parameters[name]
            near(to_torch(p, p.grad.numpy()), expected, f"gradient of {name}", 0.1 * scale)
        for name, buffer in ours.named_buffers():
            near(buffer.numpy(), buffers[name], name)


@rows()
def test_learns_one_batch_by_heart(row):
    model = row.build(**row.tiny)
    optimizer = Adam(model.parameters(), lr=row.lr)
    inputs, targets = row.batch_of()
    costs = []
    for _ in range(row.steps):
        cost = row.cost(model(*leaves(inputs)), targets)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
        if costs[-1] < 0.01 * costs[0]:
            break
    assert costs[-1] < 0.01 * costs[0], f"from {costs[0]:.3g} to {costs[-1]:.3g} in {row.steps} steps"
    for path, p in model.named_parameters():
        assert p.grad is not None, path
        assert p.grad.shape == p.shape


@rows()
def test_saves_and_loads(row, tmp_path):
    model, other = row.build(**row.tiny), row.build(**row.tiny)
    inputs, _ = row.batch_of()
    with no_grad():
        model(*inputs)  # moves running statistics
    for layout in ("ngrad", "torch"):
        nn.save_weights(model, tmp_path / "w.safetensors", layout=layout)
        for p in other.parameters():
            init.zeros_(p)
        nn.load_weights(other, tmp_path / "w.safetensors")
        for y, z in zip(flat(model.eval()(*inputs)), flat(other.eval()(*inputs)), strict=True):
            assert np.array_equal(unwrap(y), unwrap(z))


@pytest.mark.parametrize("row", [r for r in ROWS if r.second], ids=str)
def test_has_second_derivatives(row):
    """The Hessian times a direction, against the difference of two gradients, in float64."""
    autograd.set_default_dtype(np.float64)
    try:
        model = drawn(row.build(**row.tiny), 0).eval()
    finally:
        autograd.set_default_dtype(np.float32)
    inputs, _ = row.batch_of(np.float64)

    def cost():
        return sum(np.mean(y * y) for y in flat(model(*leaves(inputs))))

    cost().backward()
    used = {path: p for path, p in model.named_parameters() if p.grad is not None}  # all but side heads
    rng = np.random.default_rng(2)
    direction = [rng.normal(size=p.shape) for p in used.values()]
    start = [p.numpy().copy() for p in used.values()]

    def slopes(step=0.0, **options):
        with no_grad():
            for p, a, v in zip(used.values(), start, direction):
                writable(p)[...] = a + step * v
        return gradient(cost(), list(used.values()), **options)

    step = 1e-9  # so small that hardly a value crosses a kink
    expected = [(a.numpy() - b.numpy()) / (2 * step) for a, b in zip(slopes(step), slopes(-step))]
    along = sum(np.sum(g * v) for g, v in zip(slopes(create_graph=True), direction))
    products = gradient(along, list(used.values()))
    scale = np.sqrt(np.mean([rms(e) ** 2 for e in expected]))
    assert scale > 0
    for path, product, e in zip(used, products, expected, strict=True):
        assert_near(1e-4, "", product.numpy(), e, path, 0.1 * scale)


# ---- the catalog


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(ValueError, match=r"no model is called 'lenett': did you mean 'lenet'\?"):
        models.find("lenett")
    with pytest.raises(ValueError, match=r"no model is called 'xyz': known are .*lenet"):
        models.find("xyz")


def test_every_model_is_in_the_readme_beside_its_file_and_its_row_of_the_course():
    folder = Path(models.__file__).parent
    lines = (folder / "README.md").read_text().splitlines()
    table = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    assert set(table) == {path.name for path in folder.glob("*.py")} - {"__init__.py", "catalog.py"}
    for entry in models.entries().values():
        assert f"`{entry.name}`" in table[entry.file], entry.name
        assert re.fullmatch(r"C\d+W\d+-\w+", entry.course), f"{entry.name}: week-topic, as in C4W2-vgg"
        assert entry.course in table[entry.file], entry.name

"""Every NumPy function that PyTorch defines the same way gives PyTorch's values and gradients, in float64 to
1e-7: on the examples of PyTorch's own documentation, run as they stand there, and on edge shapes (0-d, empty,
broadcast, negative axes), each laid out in memory in four ways, complex where both take it."""

import doctest
import math
import sys
import warnings
from functools import partial

import numpy as np
import pytest

from autograd import gradient
from autograd.coverage import DIFFERENTIABLE, NAMESPACES, coverage, dispatchable
from autograd.tensor import Tensor, wrap
from tests import torch_twins, torch_twins_linalg, torch_twins_shapes

NONE = torch_twins_linalg.NO_TWIN


def function(name):
    """NumPy's function of a dotted name; None where an older NumPy lacks it."""
    module, _, plain = name.rpartition(".")
    return getattr(NAMESPACES[module], plain, None)


ALL = [*torch_twins.TWINS, *torch_twins_shapes.TWINS, *torch_twins_linalg.TWINS]
TWINS = [twin for twin in ALL if function(twin.name)]


def test_every_differentiable_function_has_a_twin_or_a_reason():
    twins = {function(twin.name) for twin in TWINS}
    excused = {function(f"np.{name}") for names in NONE.values() for name in names.split()}
    assert not twins & excused
    for name, f in dispatchable().items():
        if coverage()[name][0] == DIFFERENTIABLE:
            assert f in twins | excused, (
                f"{name} has neither a row in tests/torch_twins*.py nor a reason there"
            )


def test_what_pytorch_lacks_it_lacks(torch):
    for name in NONE["PyTorch has no such function"].split():
        module, _, plain = f"np.{name}".rpartition(".")
        home = {"np": torch, "np.linalg": torch.linalg, "np.fft": torch.fft}[module]
        assert not hasattr(home, plain), name


# ---- one call, made by both


def leaves_of(args, kwargs, positions):
    """The positions of arrays, at any depth of lists, that become leaves, in order."""

    def walk(value, path):
        if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
            yield path
        elif isinstance(value, (tuple, list)):
            for k, v in enumerate(value):
                yield from walk(v, (*path, k))

    for k, value in enumerate(args):
        if positions is None or k in positions:
            yield from walk(value, (k,))
    for k, value in kwargs.items() if positions is None else ():
        yield from walk(value, (k,))


def filled(args, kwargs, made, rest):
    """The call with leaves in their places, every other array as `rest` gives it."""

    def walk(value, path):
        if path in made:
            return made[path]
        if isinstance(value, np.ndarray):
            return rest(value)
        if isinstance(value, (tuple, list)):
            return type(value)(walk(v, (*path, k)) for k, v in enumerate(value))
        return value

    return [walk(v, (k,)) for k, v in enumerate(args)], {k: walk(v, (k,)) for k, v in kwargs.items()}


def at(args, kwargs, path):
    value = kwargs[path[0]] if isinstance(path[0], str) else args[path[0]]
    for k in path[1:]:
        value = value[k]
    return value


WORDS = {"dim1": "axis1", "dim2": "axis2", "dim": "axis", "dims": "axes", "keepdim": "keepdims"}


def renamed(f, *args, **kwargs):
    return f(*args, **{WORDS.get(k, k): v for k, v in kwargs.items()})


def flat(y):
    return [x for part in y for x in flat(part)] if isinstance(y, (tuple, list)) else [y]


def both_ways(torch, twin, args, kwargs, layout):
    """The call made by both on leaves: the pairs of leaves by their place, and the pairs of results."""
    paths = list(leaves_of(args, kwargs, twin.leaves))
    arrays = {path: at(args, kwargs, path) for path in paths}
    mine = {path: wrap(layout(a)).requires_grad_() for path, a in arrays.items()}
    other = {path: torch.tensor(a, requires_grad=True) for path, a in arrays.items()}
    more, named = filled(args, kwargs, mine, lambda a: a)
    ys = flat(twin.both((twin.ours or renamed)(function(twin.name), *more, **named)))
    more, named = filled(args, kwargs, other, torch.tensor)
    theirs = partial(twin.instead, torch) if twin.instead else path_of(torch, twin.torch)
    zs = flat(twin.both(twin.theirs(theirs(*more, **named))))
    assert len(ys) == len(zs)
    return {path: (mine[path], other[path]) for path in paths}, list(zip(ys, zs))


def plain(z):
    return z.detach().resolve_conj().resolve_neg().numpy()


def cotangent(rng, z):
    """Random numbers, 0 where z is NaN: there is nothing to compare of its gradient."""
    g = rng.standard_normal(z.shape)
    g = g + 1j * rng.standard_normal(z.shape) if z.is_complex() else g
    return np.where(np.isnan(plain(z)), 0.0, g)


def agree(torch, twin, args, kwargs, layout):
    """The call gives equal values, and from one cotangent equal gradients."""
    rng = np.random.default_rng(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's of infinite values, PyTorch's of degrees of freedom
        leaves, results = both_ways(torch, twin, args, kwargs, layout)
        total, reference = 0.0, 0.0
        for y, z in results:
            assert np.shape(y) == tuple(z.shape), f"shapes {np.shape(y)} and {tuple(z.shape)}"
            close(y.numpy() if isinstance(y, Tensor) else y, plain(z), "values")
            g = cotangent(rng, z)
            total = total + np.sum(np.real(y * g))
            reference = reference + torch.sum(torch.real(z * torch.tensor(g)))
        compare_gradients(total, reference, leaves)


def agree_twice(torch, twin, args, kwargs):
    """And equal derivatives of the gradients of the squared results."""
    rng = np.random.default_rng(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        leaves, results = both_ways(torch, twin, args, kwargs, as_it_is)
        total, reference = 0.0, 0.0
        for y, z in results:
            g = cotangent(rng, z)
            total = total + np.sum(np.real(y * y * g))
            reference = reference + torch.sum(torch.real(z * z * torch.tensor(g)))
        if not all(getattr(side, "requires_grad", False) for side in (total, reference)):
            return
        mine = gradient(total, [t for t, _ in leaves.values()], create_graph=True)
        other = torch.autograd.grad(
            reference, [u for _, u in leaves.values()], create_graph=True, allow_unused=True
        )
        total, reference = 0.0, 0.0
        for g, h in zip(mine, other):
            if h is not None:
                c = np.where(np.isfinite(plain(h)), cotangent(rng, h), 0.0)
                total = total + np.sum(np.real(np.where(np.isfinite(g.numpy()), g, 0.0) * c))
                h = torch.where(torch.isfinite(h), h, 0)
                reference = reference + torch.sum(torch.real(h * torch.tensor(c)))
        compare_gradients(total, reference, leaves, second=True)


def compare_gradients(total, reference, leaves, second=False):
    """PyTorch gives NaN for the mean of no numbers, and in second order where sinc and norm are 0 by 0."""
    for t, u in leaves.values():
        t.grad = u.grad = None
    if getattr(total, "requires_grad", False):
        total.backward()
    if getattr(reference, "requires_grad", False):
        reference.backward()
    for path, (t, u) in leaves.items():
        expected = np.zeros(t.shape) if u.grad is None else plain(u.grad)
        left_out = np.isnan(expected) & (second | np.isnan(t.numpy()))
        grad = np.zeros(t.shape) if t.grad is None else t.grad.numpy()
        close(grad, np.where(left_out, grad, expected), f"gradient of {path}")


def close(a, b, what):
    np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9, err_msg=what)


def path_of(torch, path):
    found = torch
    for name in path.split("."):
        found = getattr(found, name)
    return found


# ---- edge shapes, in four layouts


def transposed(a):
    return a.copy(order="F")


def strided(a):
    return np.repeat(a[..., None], 2, -1)[..., 0]


def reversed_(a):
    return np.flip(np.flip(a).copy()) if a.ndim else a.copy()


def as_it_is(a):
    return a.copy()


LAYOUTS = [as_it_is, transposed, strided, reversed_]


@pytest.mark.slow
@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_edge_shapes(torch, twin):
    assert twin.edges
    for args, kwargs in twin.edges:
        for layout in LAYOUTS:
            try:
                agree(torch, twin, args, kwargs, layout)
            except Exception as error:
                raise AssertionError(told(twin, args, kwargs, layout.__name__)) from error


@pytest.mark.slow
@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_second_order(torch, twin):
    for args, kwargs in twin.edges:
        try:
            agree_twice(torch, twin, args, kwargs)
        except Exception as error:
            raise AssertionError(told(twin, args, kwargs, "second order")) from error


def told(twin, args, kwargs, layout):
    def brief(x):
        if isinstance(x, np.ndarray):
            return f"{x.dtype}{list(x.shape)}"
        return "[" + ", ".join(map(brief, x)) + "]" if isinstance(x, (tuple, list)) else repr(x)

    words = [*map(brief, args), *(f"{k}={brief(v)}" for k, v in kwargs.items())]
    return f"{twin.name} and torch.{twin.torch}({', '.join(words)}), {layout}"


# ---- documented examples


def documented(torch, path, monkeypatch):
    """The calls of a function that the examples of its own docstring make, and the examples' text."""
    module, _, name = path.rpartition(".")
    home = path_of(torch, module) if module else torch
    original = getattr(home, name)
    calls = []

    def recording(*args, **kwargs):
        y = original(*args, **kwargs)
        calls.append((args, kwargs))
        return y

    sources = [example.source for example in doctest.DocTestParser().get_examples(original.__doc__ or "")]
    text = "".join(sources)
    names = {"torch": torch, "linalg": torch.linalg, "F": torch.nn.functional, "math": math}
    torch.manual_seed(0)
    with monkeypatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(home, name, recording)
        if f"torch.{path}(" not in text and hasattr(torch.Tensor, name):
            patch.setattr(torch.Tensor, name, recording)
        patch.setattr(sys, "displayhook", lambda value: None)
        patch.setattr(torch, "empty", torch.ones)
        statement = ""
        for source in sources:
            statement += source
            try:
                exec(compile(statement, path, "single"), names)
            except SyntaxError:  # goes on behind the next prompt
                continue
            except Exception:  # an example of what raises, of a GPU, of a plot
                pass
            statement = ""
    return calls, text


def as_arrays(torch, value, whole_too):
    """Tensors as arrays, in double precision; whole numbers too where they stand for any number."""
    if isinstance(value, torch.Tensor):
        a = value.resolve_conj().numpy()
        if a.dtype.kind == "c":
            return a.astype(complex)
        return a.astype(float) if a.dtype.kind == "f" or whole_too and a.dtype.kind == "i" else a
    if isinstance(value, (tuple, list)):
        found = [as_arrays(torch, v, whole_too) for v in value]
        return found if isinstance(value, list) else tuple(found)
    return value


@pytest.mark.slow
@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_documented_examples(torch, twin, monkeypatch):
    calls, text = documented(torch, twin.torch, monkeypatch)
    assert calls or f"{twin.torch}(" not in text, "its examples did not run"
    for args, kwargs in calls:
        chosen = range(len(args)) if twin.leaves is None else twin.leaves
        args = [as_arrays(torch, a, twin.whole and k in chosen) for k, a in enumerate(args)]
        kwargs = {k: as_arrays(torch, v, False) for k, v in kwargs.items() if k != "out"}
        try:
            agree(torch, twin, args, kwargs, as_it_is)
        except Exception as error:
            raise AssertionError(told(twin, args, kwargs, "as documented")) from error

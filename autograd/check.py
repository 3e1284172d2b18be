"""Gradients held against finite differences, in float64, to second order unless told otherwise."""

import itertools

import numpy as np

from .rows import Rows
from .tensor import Tensor, as_array
from .transforms import gradient


def check_grads(f, *args, order=2, eps=1e-5, rtol=1e-5, atol=1e-6) -> None:
    """Checks the derivatives of `f` with respect to every float argument, up to `order`, element by element.

    The two-sided difference (f(x + eps) - f(x - eps)) / (2 eps) of a random projection of the output is held
    against backward (COURSE.md C2W1-gradcheck); the second order is the same check of the gradient itself.
    Arguments that are not floats are passed on as they are. Raises AssertionError with the argument, the
    index and both numbers; ValueError when no argument is a float.
    """
    values = [_as_float64(a) for a in args]
    places = [i for i, v in enumerate(values) if isinstance(v, np.ndarray)]
    if not places:
        raise ValueError("check_grads needs at least one argument of floats")
    _check(f, values, places, order, 1, eps, rtol, atol, np.random.default_rng(0))


def _as_float64(a):
    if isinstance(a, (Tensor, np.ndarray, float)) and as_array(a).dtype.kind in "fc":
        array = as_array(a)
        return np.array(array, np.complex128 if array.dtype.kind == "c" else np.float64)
    return a


def _check(f, values, places, order, level, eps, rtol, atol, rng):
    tensors = [Tensor(v, requires_grad=True) if i in places else v for i, v in enumerate(values)]
    out = f(*tensors)
    outs = list(out) if isinstance(out, (tuple, list)) else [out]
    if not any(isinstance(o, Tensor) and o.requires_grad for o in outs):
        return  # a constant: nothing to differentiate, and nothing further up
    weights = [_noise(rng, o) if isinstance(o, Tensor) and o.requires_grad else None for o in outs]

    def project(*arguments):
        result = f(*arguments)
        result = list(result) if isinstance(result, (tuple, list)) else [result]
        terms = [np.sum(o * w) for o, w in zip(result, weights, strict=True) if w is not None]
        total = sum(terms[1:], terms[0])
        return np.real(total) if total.dtype.kind == "c" else total

    used = [tensors[i] for i in places]
    found = _gradients(project, tensors, used, create_graph=False)
    for i, g in zip(places, found, strict=True):
        _compare(project, values, i, g, level, eps, rtol, atol)
    if order > 1:

        def derivative(*arguments):
            wanted = [arguments[i] for i in places]
            return [g for g in _gradients(project, arguments, wanted, create_graph=True) if g is not None]

        _check(derivative, values, places, order - 1, level + 1, eps, rtol, atol, rng)


def _noise(rng, o):
    real = rng.uniform(0.5, 1.5, o.shape)
    return real + 1j * rng.uniform(0.5, 1.5, o.shape) if o.dtype.kind == "c" else real


def _gradients(project, arguments, wanted, create_graph):
    """The gradients, None for an argument the result does not use."""
    scalar = project(*arguments)
    if not scalar.requires_grad:
        return [None] * len(wanted)
    found = []
    for t in wanted:
        try:
            found.append(gradient(scalar, t, create_graph=create_graph, retain_graph=True))
        except RuntimeError as error:
            if "does not use input" not in str(error):
                raise
            found.append(None)
    return found


def _compare(project, values, i, g, level, eps, rtol, atol):
    g = g.to_dense() if isinstance(g, Rows) else g
    given = np.zeros_like(values[i]) if g is None else as_array(g)
    directions = (1, 1j) if values[i].dtype.kind == "c" else (1,)
    for index, direction in itertools.product(np.ndindex(values[i].shape), directions):
        moved = []
        for step in (eps * direction, -eps * direction):
            shifted = list(values)
            shifted[i] = values[i].copy()
            shifted[i][index] += step
            tensors = [Tensor(v, requires_grad=True) if isinstance(v, np.ndarray) else v for v in shifted]
            moved.append(project(*tensors).item())
        numeric = (moved[0] - moved[1]) / (2 * eps)
        analytic = given[index].imag if direction == 1j else given[index].real
        if not abs(numeric - analytic) <= atol + rtol * max(abs(numeric), abs(analytic)):
            raise AssertionError(
                f"derivative of order {level} with respect to argument {i} at {list(index)}: "
                f"backward gives {analytic:.10g}, finite differences {numeric:.10g}"
            )

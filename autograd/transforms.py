"""Functions of functions: derivatives of a Python function of arrays, of any order, nested as one likes.

Arguments may be tensors, arrays, numbers, or dicts, lists and tuples of them; derivatives are tensors in the
same structure. Every call puts its arguments at vertices of their own, so the levels of nested calls are
never confused. A result is itself recorded where the function uses something that requires grad from outside.
"""

import functools

import numpy as np

from .graph import Node, consumers_first, finished, propagate, start_of, sum_by_vertex, vertex_of
from .modes import enable_grad, no_grad, state
from .tensor import Tensor, as_array, label, ops, wrap


def gradient(output, inputs, gradient=None, create_graph=False, retain_graph=None):
    """d(output)/d(input) for each of `inputs`, as a list, or as one tensor when `inputs` is one tensor.

    `output` is a tensor or a list of tensors; `gradient` its cotangent(s), 1 by default for one value. No
    `.grad` is touched. With `create_graph` the results are recorded and can be differentiated again. Raises
    RuntimeError for an input that the output does not use, and says which.
    """
    retain_graph = create_graph if retain_graph is None else retain_graph
    outputs = list(output) if isinstance(output, (list, tuple)) else [output]
    gradients = list(gradient) if isinstance(gradient, (list, tuple)) else [gradient] * len(outputs)
    single = isinstance(inputs, Tensor)
    targets = [inputs] if single else list(inputs)
    for k, t in enumerate(targets):
        if not isinstance(t, Tensor) or not t.requires_grad:
            raise RuntimeError(
                f"input {k} does not require grad, so there is no derivative with respect to it"
            )
    vertices = [vertex_of(t) for t in targets]
    with enable_grad() if create_graph else no_grad():
        starts = [start_of(o, g) for o, g in zip(outputs, gradients, strict=True)]
        cotangents = sum_by_vertex(outputs, starts, create_graph)
        found = {
            vertex: finished(g, owned)
            for vertex, g, owned in propagate(cotangents, create_graph, retain_graph, set(vertices))
        }
    for k, (t, vertex) in enumerate(zip(targets, vertices, strict=True)):
        if vertex not in found:
            raise RuntimeError(f"the output does not use input {k} ({label(t)})")
    results = [found[vertex] for vertex in vertices]
    return results[0] if single else results


def flatten(tree) -> tuple[list, object]:
    """The leaves of nested dicts, lists and tuples, and the structure that `unflatten` needs."""
    if isinstance(tree, dict):
        keys, items = list(tree), list(tree.values())
    elif isinstance(tree, (list, tuple)):
        keys, items = len(tree), list(tree)
    else:
        return [tree], None
    parts = [flatten(item) for item in items]
    return [x for leaves, _ in parts for x in leaves], (type(tree), keys, [s for _, s in parts])


def unflatten(structure, leaves):
    """Nested dicts, lists and tuples of a structure that `flatten` gave, with these leaves."""
    leaves = iter(leaves)

    def build(s):
        if s is None:
            return next(leaves)
        kind, keys, parts = s
        items = [build(p) for p in parts]
        if issubclass(kind, dict):
            return kind(zip(keys, items, strict=True))
        return kind(*items) if hasattr(kind, "_fields") else kind(items)

    return build(structure)


class _Call:
    """One recorded call f(*args): the lifted leaves of the chosen arguments, and the result."""

    def __init__(self, f, args, kwargs, argnum):
        self.argnums = argnum if isinstance(argnum, (tuple, list)) else (argnum,)
        self.single = not isinstance(argnum, (tuple, list))
        if any(not -len(args) <= n < len(args) for n in self.argnums):
            raise ValueError(f"no argument {argnum} to differentiate: got {len(args)} positional arguments")
        leaves, self.structure = flatten([args[n] for n in self.argnums])
        self.outer = state.recording
        with enable_grad():
            self.inputs = [_lift(x) for x in leaves]
            lifted = list(args)
            for n, value in zip(self.argnums, unflatten(self.structure, self.inputs), strict=True):
                lifted[n] = value
            self.out = f(*lifted, **kwargs)

    def output(self, name):
        out = self.out if isinstance(self.out, Tensor) else Tensor(self.out)
        if name and out.size != 1:
            raise ValueError(
                f"{name} needs a function of one number, got an output of shape {out.shape}: "
                "use jacobian, elementwise_grad or vjp"
            )
        return out

    def is_used_outside(self, *tensors):
        """Whether something else that requires grad went in, so that the derivative has a derivative."""
        own = {vertex_of(t) for t in self.inputs}
        roots = [vertex_of(t) for t in tensors if t.requires_grad]
        seen = (v for v in consumers_first(roots) if type(v) is not Node and v not in own)
        return self.outer and any(True for _ in seen)

    def pull(self, out, cotangent=None, create_graph=None, retain=False):
        """The gradients of the leaves, zeros where the output does not use one."""
        if create_graph is None:
            create_graph = self.is_used_outside(out, *[t for t in [cotangent] if isinstance(t, Tensor)])
        return pull(out, self.inputs, cotangent, create_graph, retain)

    def like_arguments(self, leaves):
        trees = unflatten(self.structure, leaves)
        return trees[0] if self.single else tuple(trees)


def _lift(x):
    """A leaf of the arguments at a vertex of its own."""
    if isinstance(x, Tensor) and x.requires_grad:
        return ops.clone(x)
    t = wrap(as_array(x))
    if t.dtype.kind not in "fc":
        raise TypeError(f"only floats can be differentiated, got {type(x).__name__} of dtype {t.dtype}")
    return t.requires_grad_()


def pull(out, inputs, cotangent=None, create_graph=False, retain=False):
    """Gradients of an output, zeros for what it does not use."""
    own = {vertex_of(t) for t in inputs}
    reached = own.intersection(consumers_first([vertex_of(out)])) if out.requires_grad else set()
    used = [t for t in inputs if vertex_of(t) in reached]
    found = gradient(out, used, cotangent, create_graph, retain or create_graph) if used else []
    given = {id(t): g for t, g in zip(used, found, strict=True)}
    return [given[id(t)] if id(t) in given else wrap(np.zeros(t.shape, t.dtype)) for t in inputs]


def value_and_grad(f, argnum=0):
    """The function args -> (f(*args), its gradient with respect to argument `argnum`, or a tuple of them).

    f must return one number; ValueError otherwise. Where f does not use an argument its gradient is zero.
    """

    @functools.wraps(f)
    def run(*args, **kwargs):
        call = _Call(f, args, kwargs, argnum)
        out = call.output("grad")
        outside = call.is_used_outside(out)
        g = call.like_arguments(call.pull(out, create_graph=outside))
        return (out if outside else out.detach()), g

    return run


def grad(f, argnum=0):
    """The function args -> df/d(args[argnum]), for an f that returns one number. `grad(grad(f))` is its
    second derivative. `argnum` may be a tuple of positions, and the arguments dicts, lists or tuples of
    arrays."""
    both = value_and_grad(f, argnum)
    return functools.wraps(f)(lambda *args, **kwargs: both(*args, **kwargs)[1])


def elementwise_grad(f, argnum=0):
    """The function args -> d(sum of f)/d(args[argnum]): the derivative of an f that works element by
    element."""

    @functools.wraps(f)
    def run(*args, **kwargs):
        call = _Call(f, args, kwargs, argnum)
        out = call.output(None)
        return call.like_arguments(call.pull(out, np.ones(out.shape, out.dtype)))

    return run


def jacobian(f, argnum=0):
    """The function args -> J with J[i, j] = df_i/dx_j, of shape (*f's shape, *the argument's): one backward
    per element of f's output."""

    @functools.wraps(f)
    def run(*args, **kwargs):
        call = _Call(f, args, kwargs, argnum)
        out = call.output(None)
        outside = call.is_used_outside(out)
        rows = []
        for index in np.ndindex(out.shape):
            unit = np.zeros(out.shape, out.dtype)
            unit[index] = 1
            rows.append(call.pull(out, unit, outside, retain=True))
        stacked = []
        for k, t in enumerate(call.inputs):
            column = [row[k] for row in rows]
            both = (*out.shape, *t.shape)
            stacked.append(ops.reshape(ops.stack(column), both) if column else wrap(np.zeros(both, t.dtype)))
        return call.like_arguments(stacked)

    return run


def hessian(f, argnum=0):
    """The function args -> H with H[i, j] = d2f/(dx_i dx_j), of shape (*x's shape, *x's shape), for an f that
    returns one number, with respect to one array argument."""
    return jacobian(grad(f, argnum), argnum)


def vjp(f, *args):
    """(f(*args), pull) where pull(v) = v^T J, one derivative for each argument (a single one for one
    argument). `pull` may be called many times."""
    call = _Call(f, args, {}, tuple(range(len(args))))
    out = call.output(None)

    def pull_back(v):
        found = call.like_arguments(call.pull(out, v, retain=True))
        return found[0] if len(args) == 1 else found

    return (out if call.is_used_outside(out) else out.detach()), pull_back


def jvp(f, args, tangents):
    """(f(*args), J v) for a tuple of arguments and a tuple of tangents of their shapes: forward mode out of
    two reverse passes (the pull-back is linear in its cotangent, so its own pull-back pushes forward)."""
    call = _Call(f, args, {}, tuple(range(len(args))))
    vectors = _matching(call, tangents, "tangents")
    out = call.output(None)
    outside = call.is_used_outside(out)
    with enable_grad():
        dummy = wrap(np.zeros(out.shape, out.dtype)).requires_grad_()
        pulled = call.pull(out, dummy, create_graph=True)
    pairs = [(g, v) for g, v in zip(pulled, vectors, strict=True) if g.requires_grad]
    create = outside or (call.outer and any(isinstance(v, Tensor) and v.requires_grad for v in vectors))
    if not pairs:
        return out.detach(), wrap(np.zeros(out.shape, out.dtype))
    with enable_grad():
        pushed = sum(
            (ops.sum(g * v, None, False) for g, v in pairs[1:]),
            ops.sum(pairs[0][0] * pairs[0][1], None, False),
        )
    return (out if outside else out.detach()), pull(pushed, [dummy], create_graph=create)[0]


def hvp(f, args, vectors):
    """The product H v of the Hessian of f at a tuple of arguments with a tuple of vectors of their shapes:
    the gradient of the directional derivative, at the cost of two backwards. One tensor for one argument."""
    call = _Call(f, args, {}, tuple(range(len(args))))
    v = _matching(call, vectors, "vectors")
    out = call.output("hvp")
    outside = call.is_used_outside(out)
    firsts = call.pull(out, create_graph=True)
    with enable_grad():
        along = sum(ops.sum(g * w, None, False) for g, w in zip(firsts, v, strict=True))
    found = call.like_arguments(call.pull(along, create_graph=outside))
    return found[0] if len(args) == 1 else found


def _matching(call, vectors, what):
    """The leaves of tangents or vectors, checked against the leaves of the arguments."""
    if not isinstance(vectors, (tuple, list)):
        raise TypeError(f"{what} must be a tuple, one for each argument, got {type(vectors).__name__}")
    leaves, _ = flatten(list(vectors))
    shapes, needed = [np.shape(as_array(x)) for x in leaves], [t.shape for t in call.inputs]
    if shapes != needed:
        raise ValueError(f"{what} have shapes {shapes}, the arguments {needed}")
    return [x if isinstance(x, Tensor) else as_array(x) for x in leaves]

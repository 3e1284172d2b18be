"""Functions of functions: derivatives of a Python function of arrays, of any order, nested as one likes.

Arguments may be tensors, arrays, numbers, or dicts, lists and tuples of them; derivatives come in the same
structure. Where no argument is a tensor the call is *plain*: numbers stay float64, inside f they are tensors,
and what comes back is arrays and numbers, with HIPS/autograd's conventions (the derivative with respect to
x = a + bi is d/da - i d/db, and a result that uses no argument warns). With a tensor among the arguments it
is tensors that come back, as float32 from numbers and d/da + i d/db. Calls within a plain call are plain.

Every call puts its arguments at vertices of their own, so the levels of nested calls are never confused. A
result is itself recorded where the function uses something that requires grad from outside.
"""

import operator
import threading
import warnings

import numpy as np

from .graph import Node, _reached, finished, propagate, start_of, sum_by_vertex, vertex_of
from .modes import enable_grad, state
from .rows import Rows
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
    pairs = list(zip(outputs, gradients, strict=True))
    found = _gradients(pairs, set(vertices), create_graph, retain_graph)
    for k, (t, vertex) in enumerate(zip(targets, vertices, strict=True)):
        if vertex not in found:
            raise RuntimeError(f"the output does not use input {k} ({label(t)})")
    results = [found[vertex] for vertex in vertices]
    return results[0] if single else results


def _gradients(pairs, wanted, create_graph, retain_graph, reached=None) -> dict:
    """The gradients of the vertices that are wanted and used (None for every leaf), by vertex, from the pairs
    of an output and its cotangent."""
    before, state.recording = state.recording, create_graph
    try:
        cotangents = sum_by_vertex([(o, start_of(o, g)) for o, g in pairs], create_graph)
        return {
            vertex: finished(g, owned)
            for vertex, g, owned in propagate(cotangents, create_graph, retain_graph, wanted, reached)
        }
    finally:
        state.recording = before


_CONTAINERS = dict, list, tuple


def flatten(tree) -> tuple[list, object]:
    """The leaves of nested dicts, lists and tuples, and the structure that `unflatten` needs."""
    leaves: list = []
    return leaves, _structure(tree, leaves)


def _structure(tree, leaves):
    if not isinstance(tree, _CONTAINERS):
        leaves.append(tree)
        return None
    keys, items = (list(tree), tree.values()) if isinstance(tree, dict) else (None, tree)
    return type(tree), keys, [_structure(item, leaves) for item in items]


def unflatten(structure, leaves):
    """Nested dicts, lists and tuples of a structure that `flatten` gave, with these leaves."""
    leaves = iter(leaves)
    return next(leaves) if structure is None else _built(structure, leaves)


def _built(structure, leaves):
    if structure is None:
        return next(leaves)
    kind, keys, parts = structure
    items = [_built(part, leaves) for part in parts]
    if keys is not None:
        return kind(zip(keys, items, strict=True))
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


def _holds_tensor(values):
    """Whether a tensor is among the values, or anywhere in those that are containers."""
    for x in values:
        if isinstance(x, Tensor):
            return True
        if isinstance(x, _CONTAINERS) and _holds_tensor(x.values() if isinstance(x, dict) else x):
            return True
    return False


class _Convention(threading.local):
    plain = False  # whether a plain call is under way in this thread


convention = _Convention()


class Call:
    """One recorded call f(*args): the lifted leaves of the chosen arguments, and the result."""

    def __init__(self, f, args, kwargs, argnum, plain=False):
        single = not isinstance(argnum, (tuple, list))
        try:
            chosen = args[argnum] if single else tuple([args[n] for n in argnum])
        except IndexError:
            raise ValueError(
                f"no argument {argnum} to differentiate: got {len(args)} positional arguments"
            ) from None
        self.outer = outer = state.recording
        before = convention.plain
        self.plain = plain = (
            plain or before or not (_holds_tensor(args) or (kwargs and _holds_tensor(kwargs.values())))
        )
        leaves, self.structure = flatten(chosen)
        convention.plain, state.recording = plain, True
        try:
            self.inputs = [_lift(x, plain) for x in leaves]
            lifted, own = list(args), unflatten(self.structure, self.inputs)
            for n, value in [(argnum, own)] if single else zip(argnum, own):
                lifted[n] = value
            self.out = f(*lifted, **kwargs)
        finally:
            convention.plain, state.recording = before, outer
        self.own = [vertex_of(t) for t in self.inputs]
        self._scanned: tuple = ((), (set(), False))
        self._graph: dict | None = None  # of the last scan, for the backward that follows it

    def output(self, name=None, out=None):
        out = self.out if out is None else out
        if not isinstance(out, Tensor):
            out = wrap(np.asarray(out)) if self.plain and type(out) in (float, complex) else Tensor(out)
            if self.plain and out.dtype.kind not in "fc":
                raise TypeError(f"f returned {type(self.out).__name__}, and only floats have derivatives")
        if name and out.size != 1:
            raise ValueError(
                f"{name} needs a function of one number, got an output of shape {out.shape}: "
                "use jacobian, elementwise_grad or vjp"
            )
        if name and self.plain and out.dtype.kind == "c":
            raise TypeError(
                f"{name} needs a function of one real number, got a complex one: holomorphic_grad"
            )
        return out

    def scan(self, tensors):
        """The lifted leaves that these use, and whether they use something else that requires grad."""
        roots = [vertex_of(t) for t in tensors if t.requires_grad]
        if len(roots) == len(self._scanned[0]) and all(map(operator.is_, roots, self._scanned[0])):
            return self._scanned[1]
        self._graph = reached = _reached(roots)
        used = {vertex for vertex in self.own if vertex in reached}
        outside = Node in map(type, used)
        for vertex in [vertex for vertex in reached if not vertex.inputs]:
            if vertex not in used and vertex.requires_grad:
                outside = True
        self._scanned = roots, (used, outside)
        return self._scanned[1]

    def is_used_outside(self, *tensors):
        """Whether something else that requires grad went into these, or what was pulled last, so that the
        derivative has a derivative."""
        return self.outer and (self.scan(tensors) if tensors else self._scanned[1])[1]

    def pull(self, pairs, create_graph=None, retain=False):
        """The gradients of the leaves, zeros where the outputs do not use one, from the pairs of an output
        and its cotangent, None for the 1 of one number."""
        reached, outside = self.scan([out for out, _ in pairs])
        record, starts = self.outer and outside, []
        for out, g in pairs:
            if out.requires_grad:
                if g is not None:
                    record = record or (state.recording and isinstance(g, Tensor) and g.requires_grad)
                    g = _conjugate(g) if self.plain else g
                starts.append((out, g))
        record = record if create_graph is None else create_graph
        found = {}
        if reached:
            before = convention.plain
            convention.plain = self.plain or before
            graph, self._graph = self._graph, None  # the walk fills it with cotangents: it serves once
            try:
                found = _gradients(starts, reached if outside else None, record, retain or record, graph)
            finally:
                convention.plain = before
        elif self.plain:
            warnings.warn("Output seems independent of input.", stacklevel=4)
        return [_whole(found[v]) if v in found else _zeros(t) for t, v in zip(self.inputs, self.own)]

    def like_arguments(self, leaves):
        """The derivatives in the structure of the arguments, as the caller gets them."""
        if self.plain:
            leaves = [self.handed(np.conj(t) if t._data.dtype.kind == "c" else t) for t in leaves]
        return unflatten(self.structure, leaves)

    def handed(self, t):
        """A result as the caller gets it: an array or a number from a plain call."""
        return t._data[()] if self.plain and not t.requires_grad else t

    def value(self, out, outside):
        """f's own result for the caller."""
        if outside:
            return out
        return out._data[()] if self.plain else out.detach()


def _whole(g):
    """A gradient as a tensor, also where an embedding left rows only."""
    return g.to_dense() if isinstance(g, Rows) else g


def _zeros(t):
    return wrap(np.zeros(t.shape, t.dtype)) if type(t._data) is np.ndarray else t._data.zeros()


def _conjugate(g):
    return np.conj(g) if np.iscomplexobj(g._data if isinstance(g, Tensor) else g) else g


boxes: dict = {}  # type of a value that is no array -> the tensor that stands for such a value


def _lift(x, plain=False):
    """A leaf of the arguments at a vertex of its own; what `Box.register` knows is boxed."""
    if isinstance(x, Tensor) and x.requires_grad:
        return ops.clone(x)
    if type(x) is np.ndarray:
        t = wrap(x)
    elif type(x) in boxes:
        t = boxes[type(x)](x)
    else:
        t = wrap(np.asarray(x) if plain and type(x) in (float, complex) else as_array(x))
    if t._data.dtype.kind not in "fcO":
        raise TypeError(f"only floats can be differentiated, got {type(x).__name__} of dtype {t.dtype}")
    t.requires_grad = True
    return t


def called(what, f, argnum):
    """Names a derived function after what it is of, as `grad_of_loss_wrt_argnum_0`."""

    def name(run):
        of = getattr(f, "__name__", "[unknown name]")
        run.__name__ = f"{what}_of_{of}_wrt_argnum_{argnum}"
        run.__doc__ = f"    {what} of function {of} with respect to argument number {argnum}."
        return run

    return name


def value_and_grad(f, argnum=0):
    """The function args -> (f(*args), its gradient with respect to argument `argnum`, or a tuple of them).

    f must return one number; ValueError otherwise, TypeError for what is not a real number. Where f does not
    use an argument its gradient is zero.
    """

    @called("value_and_grad", f, argnum)
    def run(*args, **kwargs):
        call = Call(f, args, kwargs, argnum)
        out = call.output("grad")
        found = call.like_arguments(call.pull([(out, None)]))
        return call.value(out, call.is_used_outside()), found

    return run


def grad(f, argnum=0):
    """The function args -> df/d(args[argnum]), for an f that returns one number. `grad(grad(f))` is its
    second derivative. `argnum` may be a tuple of positions, and the arguments dicts, lists or tuples of
    arrays."""

    @called("grad", f, argnum)
    def run(*args, **kwargs):
        call = Call(f, args, kwargs, argnum)
        return call.like_arguments(call.pull([(call.output("grad"), None)]))

    return run


def elementwise_grad(f, argnum=0):
    """The function args -> d(sum of f)/d(args[argnum]): the derivative of an f that works element by
    element."""

    @called("elementwise_grad", f, argnum)
    def run(*args, **kwargs):
        call = Call(f, args, kwargs, argnum)
        out = call.output()
        if call.plain and out.dtype.kind == "c":
            raise TypeError("elementwise_grad needs a function of real outputs, got a complex one")
        return call.like_arguments(call.pull([(out, np.ones(out.shape, out.dtype))]))

    return run


def jacobian(f, argnum=0):
    """The function args -> J with J[i, j] = df_i/dx_j, of shape (*f's shape, *the argument's): one backward
    per element of f's output. Where f returns a dict, list or tuple, J is one of such blocks, each in the
    structure of the arguments."""

    @called("jacobian", f, argnum)
    def run(*args, **kwargs):
        call = Call(f, args, kwargs, argnum)
        outs, structure = flatten(call.out)
        return unflatten(structure, [_block(call, call.output(out=out)) for out in outs])

    return run


def _block(call, out):
    """The derivatives of one output, a row for each of its elements."""
    rows = []
    for index in np.ndindex(out.shape):
        unit = np.zeros(out.shape, out.dtype)
        unit[index] = 1
        rows.append(call.pull([(out, unit)], retain=True))
    stacked = []
    for k, t in enumerate(call.inputs):
        column = [row[k] for row in rows]
        both = (*out.shape, *t.shape)
        stacked.append(ops.reshape(ops.stack(column), both) if column else wrap(np.zeros(both, t.dtype)))
    return call.like_arguments(stacked)


def hessian(f, argnum=0):
    """The function args -> H with H[i, j] = d2f/(dx_i dx_j), of shape (*x's shape, *x's shape), for an f that
    returns one number. For an argument that is a dict, list or tuple, and for several, H has their structure
    twice: `hessian(f)({"W": W, "b": b})["W"]["b"]` is d2f/(dW db)."""
    return called("hessian", f, argnum)(jacobian(grad(f, argnum), argnum))


def vjp(f, *args):
    """(f(*args), pull) where pull(v) = v^T J, one derivative for each argument (a single one for one
    argument). `pull` may be called many times."""
    call = Call(f, args, {}, tuple(range(len(args))))
    out = call.output()

    def pull_back(v):
        found = call.like_arguments(call.pull([(out, v)], retain=True))
        return found[0] if len(args) == 1 else found

    return call.value(out, call.is_used_outside(out)), pull_back


def jvp(f, args, tangents):
    """(f(*args), J v) for a tuple of arguments and a tuple of tangents of their shapes: forward mode out of
    two reverse passes (the pull-back is linear in its cotangent, so its own pull-back pushes forward)."""
    call = Call(f, _tuple_of(args), {}, tuple(range(len(args))))
    vectors = _matching(call, tangents, "tangents")
    out = call.output()
    pushed = push(call, [out], vectors)[0]
    return call.value(out, call.is_used_outside(out)), call.handed(pushed)


def push(call, outs, vectors):
    """J v of several outputs, for tangents of the lifted leaves."""
    dummies = [wrap(np.zeros(o.shape, o.dtype)).requires_grad_() for o in outs]
    given = [v for v in vectors if isinstance(v, Tensor) and v.requires_grad]
    create = call.outer and (bool(given) or call.scan(outs)[1])
    with enable_grad():
        pulled = call.pull(list(zip(outs, dummies, strict=True)), create_graph=True)
        pairs = [(g, v) for g, v in zip(pulled, vectors, strict=True) if g.requires_grad]
        if not pairs:
            return [d.detach() for d in dummies]
        products = [_real(ops.sum(np.conj(g) * v, None, False)) for g, v in pairs]
        total = sum(products[1:], products[0])
    found = _gradients([(total, None)], set(dummies), create, create)
    pushed = [found[d] if d in found else d.detach() for d in dummies]
    return [np.conj(p) if call.plain and p.dtype.kind == "c" else p for p in pushed]


def _real(t):
    return np.real(t) if t.dtype.kind == "c" else t


def hvp(f, args, vectors):
    """The product H v of the Hessian of f at a tuple of arguments with a tuple of vectors of their shapes:
    the gradient of the directional derivative, at the cost of two backwards. One tensor for one argument."""
    call = Call(f, _tuple_of(args), {}, tuple(range(len(args))))
    v = _matching(call, vectors, "vectors")
    out = call.output("hvp")
    outside = call.is_used_outside(out)
    firsts = call.pull([(out, None)], create_graph=True)
    with enable_grad():
        along = sum(ops.sum(g * w, None, False) for g, w in zip(firsts, v, strict=True))
    found = call.like_arguments(call.pull([(along, None)], create_graph=outside))
    return found[0] if len(args) == 1 else found


def _tuple_of(args):
    if not isinstance(args, (tuple, list)):
        raise TypeError(f"args must be a tuple of the arguments of f, got {type(args).__name__}: write (x,)")
    return args


def _matching(call, vectors, what):
    """The leaves of tangents or vectors, checked against the leaves of the arguments."""
    if not isinstance(vectors, (tuple, list)):
        raise TypeError(f"{what} must be a tuple, one for each argument, got {type(vectors).__name__}")
    leaves, _ = flatten(list(vectors))
    shapes, needed = [np.shape(as_array(x)) for x in leaves], [t.shape for t in call.inputs]
    if shapes != needed:
        raise ValueError(f"{what} have shapes {shapes}, the arguments {needed}")
    return [x if isinstance(x, Tensor) else as_array(x) for x in leaves]

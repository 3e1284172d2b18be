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

from .graph import Node, finished, propagate, start_of, sum_by_vertex, vertex_of
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
    found = _gradients(outputs, gradients, set(vertices), create_graph, retain_graph)
    for k, (t, vertex) in enumerate(zip(targets, vertices, strict=True)):
        if vertex not in found:
            raise RuntimeError(f"the output does not use input {k} ({label(t)})")
    results = [found[vertex] for vertex in vertices]
    return results[0] if single else results


def _gradients(outputs, gradients, wanted, create_graph, retain_graph) -> dict:
    """The gradients of the vertices that are wanted and used (None for every leaf), by vertex."""
    with enable_grad() if create_graph else no_grad():
        starts = [start_of(o, g) for o, g in zip(outputs, gradients, strict=True)]
        cotangents = sum_by_vertex(outputs, starts, create_graph)
        return {
            vertex: finished(g, owned)
            for vertex, g, owned in propagate(cotangents, create_graph, retain_graph, wanted)
        }


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


class _Convention(threading.local):
    plain = False  # whether a plain call is under way in this thread


_convention = _Convention()


class Call:
    """One recorded call f(*args): the lifted leaves of the chosen arguments, and the result."""

    def __init__(self, f, args, kwargs, argnum, plain=False):
        self.argnums = argnum if isinstance(argnum, (tuple, list)) else (argnum,)
        self.single = not isinstance(argnum, (tuple, list))
        if any(not -len(args) <= n < len(args) for n in self.argnums):
            raise ValueError(f"no argument {argnum} to differentiate: got {len(args)} positional arguments")
        given, _ = flatten([list(args), kwargs])
        self.plain = plain or _convention.plain or not any(isinstance(x, Tensor) for x in given)
        leaves, self.structure = flatten([args[n] for n in self.argnums])
        self.outer = state.recording
        before, _convention.plain = _convention.plain, self.plain
        try:
            with enable_grad():
                self.inputs = [_lift(x, self.plain) for x in leaves]
                lifted = list(args)
                for n, value in zip(self.argnums, unflatten(self.structure, self.inputs), strict=True):
                    lifted[n] = value
                self.out = f(*lifted, **kwargs)
        finally:
            _convention.plain = before
        self.own = {vertex_of(t) for t in self.inputs}
        self._scanned: tuple = ((), (set(), False))

    def output(self, name=None):
        out = self.out
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

    def scan(self, *tensors):
        """The lifted leaves that these use, and whether they use something else that requires grad."""
        stack = [vertex_of(t) for t in tensors if t.requires_grad]
        if len(stack) == len(self._scanned[0]) and all(map(operator.is_, stack, self._scanned[0])):
            return self._scanned[1]
        roots = list(stack)
        seen, outside = set(stack), False
        while stack:
            vertex = stack.pop()
            inputs = vertex.inputs
            if vertex in self.own:
                outside = outside or type(vertex) is Node
            elif not inputs:
                outside = outside or vertex.requires_grad
            else:
                for parent in inputs:
                    if parent not in seen:
                        seen.add(parent)
                        stack.append(parent)
        self._scanned = roots, (self.own & seen, outside)
        return self._scanned[1]

    def is_used_outside(self, *tensors):
        """Whether something else that requires grad went in, so that the derivative has a derivative."""
        return self.outer and self.scan(*tensors)[1]

    def pull(self, outs, cotangents=None, create_graph=None, retain=False):
        """The gradients of the leaves, zeros where the outputs do not use one."""
        outs = outs if isinstance(outs, list) else [outs]
        cotangents = cotangents if isinstance(cotangents, list) else [cotangents] * len(outs)
        reached, outside = self.scan(*outs)
        if create_graph is None:
            outer = [g for g in cotangents if isinstance(g, Tensor) and g.requires_grad]
            create_graph = (self.outer and outside) or (state.recording and bool(outer))
        if self.plain:
            cotangents = [np.conj(g) if np.iscomplexobj(_raw(g)) else g for g in cotangents]
        pairs = [(o, g) for o, g in zip(outs, cotangents, strict=True) if o.requires_grad]
        found = {}
        if reached:
            before, _convention.plain = _convention.plain, self.plain or _convention.plain
            try:
                outs, cotangents = zip(*pairs, strict=True)
                wanted = reached if outside else None
                found = _gradients(outs, cotangents, wanted, create_graph, retain or create_graph)
            finally:
                _convention.plain = before
        elif self.plain:
            warnings.warn("Output seems independent of input.", stacklevel=4)
        zeros = lambda t: wrap(np.zeros(t.shape, t.dtype))
        return [found[v] if (v := vertex_of(t)) in found else zeros(t) for t in self.inputs]

    def like_arguments(self, leaves):
        """The derivatives in the structure of the arguments, as the caller gets them."""
        if self.plain:
            leaves = [self.handed(np.conj(t) if t.dtype.kind == "c" else t) for t in leaves]
        trees = unflatten(self.structure, leaves)
        return trees[0] if self.single else tuple(trees)

    def handed(self, t):
        """A result as the caller gets it: an array or a number from a plain call."""
        return t._data[()] if self.plain and not t.requires_grad else t

    def value(self, out, outside):
        """f's own result for the caller."""
        return self.handed(out if outside else out.detach())


def _raw(x):
    return x._data if isinstance(x, Tensor) else x


def _lift(x, plain=False):
    """A leaf of the arguments at a vertex of its own."""
    if isinstance(x, Tensor) and x.requires_grad:
        return ops.clone(x)
    t = wrap(np.asarray(x) if plain and type(x) in (float, complex) else as_array(x))
    if t.dtype.kind not in "fc":
        raise TypeError(f"only floats can be differentiated, got {type(x).__name__} of dtype {t.dtype}")
    return t.requires_grad_()


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
        found = call.like_arguments(call.pull(out))
        return call.value(out, call.is_used_outside(out)), found

    return run


def grad(f, argnum=0):
    """The function args -> df/d(args[argnum]), for an f that returns one number. `grad(grad(f))` is its
    second derivative. `argnum` may be a tuple of positions, and the arguments dicts, lists or tuples of
    arrays."""

    @called("grad", f, argnum)
    def run(*args, **kwargs):
        call = Call(f, args, kwargs, argnum)
        return call.like_arguments(call.pull(call.output("grad")))

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
        return call.like_arguments(call.pull(out, np.ones(out.shape, out.dtype)))

    return run


def jacobian(f, argnum=0):
    """The function args -> J with J[i, j] = df_i/dx_j, of shape (*f's shape, *the argument's): one backward
    per element of f's output."""

    @called("jacobian", f, argnum)
    def run(*args, **kwargs):
        call = Call(f, args, kwargs, argnum)
        out = call.output()
        rows = []
        for index in np.ndindex(out.shape):
            unit = np.zeros(out.shape, out.dtype)
            unit[index] = 1
            rows.append(call.pull(out, unit, retain=True))
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
    return called("hessian", f, argnum)(jacobian(grad(f, argnum), argnum))


def vjp(f, *args):
    """(f(*args), pull) where pull(v) = v^T J, one derivative for each argument (a single one for one
    argument). `pull` may be called many times."""
    call = Call(f, args, {}, tuple(range(len(args))))
    out = call.output()

    def pull_back(v):
        found = call.like_arguments(call.pull(out, v, retain=True))
        return found[0] if len(args) == 1 else found

    return call.value(out, call.is_used_outside(out)), pull_back


def jvp(f, args, tangents):
    """(f(*args), J v) for a tuple of arguments and a tuple of tangents of their shapes: forward mode out of
    two reverse passes (the pull-back is linear in its cotangent, so its own pull-back pushes forward)."""
    call = Call(f, args, {}, tuple(range(len(args))))
    vectors = _matching(call, tangents, "tangents")
    out = call.output()
    pushed = push(call, [out], vectors)[0]
    return call.value(out, call.is_used_outside(out)), call.handed(pushed)


def push(call, outs, vectors):
    """J v of several outputs, for tangents of the lifted leaves."""
    dummies = [wrap(np.zeros(o.shape, o.dtype)).requires_grad_() for o in outs]
    given = [v for v in vectors if isinstance(v, Tensor) and v.requires_grad]
    create = call.outer and (bool(given) or call.scan(*outs)[1])
    with enable_grad():
        pulled = call.pull(outs, dummies, create_graph=True)
        pairs = [(g, v) for g, v in zip(pulled, vectors, strict=True) if g.requires_grad]
        if not pairs:
            return [d.detach() for d in dummies]
        products = [_real(ops.sum(np.conj(g) * v, None, False)) for g, v in pairs]
        total = sum(products[1:], products[0])
    found = _gradients([total], [None], set(dummies), create, create)
    pushed = [found[d] if d in found else d.detach() for d in dummies]
    return [np.conj(p) if call.plain and p.dtype.kind == "c" else p for p in pushed]


def _real(t):
    return np.real(t) if t.dtype.kind == "c" else t


def hvp(f, args, vectors):
    """The product H v of the Hessian of f at a tuple of arguments with a tuple of vectors of their shapes:
    the gradient of the directional derivative, at the cost of two backwards. One tensor for one argument."""
    call = Call(f, args, {}, tuple(range(len(args))))
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

"""Products: matmul, the affine map, and the contractions built on them."""

import functools
import math
import string

import numpy as np
from numpy import ndarray

from ..primitive import primitive
from ..tensor import Tensor, dispatch, ops
from .activation import relu_grad
from .reduce import column_sums, sum_


def _rows(x):
    """All leading axes as one: (..., n) becomes (m, n)."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


_SINGLE = np.dtype(np.float32)
SMALL, LARGE = 1 << 17, 1 << 20  # multiply-adds


def _for_kernel(a, b):
    """Whether our kernel (kernels/gemm.py) multiplies these, of at least two axes each, or NumPy's OpenBLAS.

    float32 from a million multiply-adds on: OpenBLAS runs on one thread once kernels are loaded (see
    kernels/threads.py), and takes 1.4 to 2.3 times as long. With b transposed, as in `linear`, from (32, 64)
    by (64, 64) on: 3.9 us against 4.5, for OpenBLAS has a path for small matrices only where b is not; there
    it needs 2.3 us. Stacks of as many: 1.3 to 3 times. A few rows, which is reading b, and a column, which is
    reading a, stay with OpenBLAS, or go to `_with_vector` where they are one and long. So do other dtypes:
    float64 is for checking gradients, one thread's work.
    """
    if a.dtype is not _SINGLE or b.dtype is not _SINGLE:
        return False
    columns = b.shape[-1]
    work = a.size * columns
    if work < SMALL or columns == 1 or a.shape[-2] < 8:
        return False
    return work >= LARGE or b.strides[-1] != 4 or b.ndim > 2


@functools.cache
def _kernel():
    from ..kernels.gemm import product

    return product


def _with_vector(a, b):
    """a b where one of the two is a row or a column and the other is large: by both threads if it lies in
    rows (kernels/vector.py), else by OpenBLAS."""
    if a.dtype is _SINGLE and b.dtype is _SINGLE:
        from ..kernels import vector

        if b.shape[1] == 1 and a.flags.c_contiguous:
            return vector.matrix_vector(a, b.reshape(-1))[:, None]
        if a.shape[0] == 1 and b.shape[1] >= vector.WIDE and b.flags.c_contiguous:
            return vector.vector_matrix(a.reshape(-1), b)[None]
    return a.dot(b)


def _times(a, b):
    """np.matmul, by whoever is faster at it."""
    if type(a) is type(b) is ndarray and a.ndim > 1 and b.ndim > 1:
        if a.size * b.shape[-1] >= SMALL and _for_kernel(a, b):
            return _kernel()(a, b)
        if a.ndim == b.ndim == 2:
            if a.size * b.shape[1] >= LARGE and (a.shape[0] == 1 or b.shape[1] == 1):
                return _with_vector(a, b)
            return a.dot(b)  # a third faster than np.matmul on small arrays
    return np.matmul(a, b)


@primitive(np.matmul)
def matmul(a, b):
    """The matrix product over the last two axes, the others broadcast: (..., n, k) @ (..., k, m).
    A vector on the left is a row, on the right a column. Raises ValueError when the k differ."""
    try:
        if type(a) is type(b) is ndarray and a.ndim == b.ndim == 2:
            return a.dot(b) if a.size * b.shape[1] < SMALL else _times(a, b)  # no detour for the small
        if np.ndim(a) > 2 and np.ndim(b) == 2:
            # one large product instead of many small ones
            return _times(_rows(a), b).reshape((*a.shape[:-1], b.shape[1]))
        return _times(a, b)
    except ValueError:
        raise ValueError(_why_no_product(a, b)) from None


def _why_no_product(a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return f"a has shape {np.shape(a)}, b {np.shape(b)}: a product with a number is a * b"
    k_a, k_b = a.shape[-1], b.shape[max(b.ndim - 2, 0)]
    if k_a != k_b:
        return f"a has {k_a} columns, b has {k_b} rows"
    return f"the leading axes {a.shape[:-2]} of a and {b.shape[:-2]} of b do not broadcast"


@matmul.vjp("a")
def _(g, b):
    if b.ndim == 2:
        if g.ndim == 2:
            return g.dot(b.T) if type(g) is ndarray and g.size * b.shape[0] < SMALL else _times(g, b.T)
        return _times(_rows(g), b.T).reshape((*g.shape[:-1], b.shape[0]))
    if b.ndim == 1:
        return g[..., None] * b
    if g.ndim < b.ndim:  # a is a vector
        return np.matmul(b, g[..., None])[..., 0]
    return _times(g, b.swapaxes(-1, -2))


@matmul.vjp("b")
def _(g, a, b):
    if b.ndim == a.ndim == 2:
        return a.T.dot(g) if type(g) is ndarray and a.size * g.shape[1] < SMALL else _times(a.T, g)
    if b.ndim == 2 <= a.ndim:
        return _times(_rows(a).T, _rows(g))
    if b.ndim == 1:
        return g * a if a.ndim == 1 else np.matmul(g.reshape(-1), _rows(a))
    if a.ndim == 1:
        return a[:, None] * g[..., None, :]
    return _times(a.swapaxes(-1, -2), g)


@primitive()
def linear(x, W, b=None):
    """x W^T + b: x (..., n_in), W (n_out, n_in), b (n_out,) or None, result (..., n_out).

    The affine step z = W a + b of a layer (COURSE.md C1W4-forward), examples in rows. Raises ValueError
    when the features of x and W differ, or the length of b.
    """
    return _affine(x, W, b, False)


@primitive()
def linear_relu(x, W, b=None):
    """max(x W^T + b, 0), a hidden layer in one pass; arguments and errors as in `linear`."""
    return _affine(x, W, b, True)


def _affine(x, W, b, rectified):
    if W.ndim != 2 or x.ndim == 0 or x.shape[-1] != W.shape[1]:
        raise ValueError(_why_not_linear(x, W))
    n_out = len(W)
    if b is not None and b.shape != (n_out,):
        raise ValueError(f"b has shape {b.shape}, W {W.shape} needs ({n_out},)")
    rows, turned = x if x.ndim == 2 else _rows(x), W.T
    if x.size * n_out >= SMALL and (b is None or b.dtype is _SINGLE) and _for_kernel(rows, turned):
        y = _kernel()(rows, turned, b, relu=rectified)
    else:
        y = rows.dot(turned) if rows.size < LARGE or n_out > 1 else _with_vector(rows, turned)
        if b is not None:
            y += b
        if rectified:
            np.maximum(y, 0, out=y)
    return y if x.ndim == 2 else y.reshape((*x.shape[:-1], n_out))


def _why_not_linear(x, W):
    if W.ndim != 2:
        return f"W has {W.ndim} axes, needs 2: (n_out, n_in)"
    if x.ndim == 0:
        return "x is a single number, needs features on its last axis"
    return f"x has {x.shape[-1]} features, W needs {W.shape[1]}"


@linear.vjp("x")
def _dx(g, W):
    if g.ndim == 2:
        return _times(g, W)
    return _times(_rows(g), W).reshape((*g.shape[:-1], W.shape[1]))


@linear.vjp("W")
def _dW(g, x):
    return _times(_rows(g).T, _rows(x))


@linear.vjp("b")
def _db(g):
    g = _rows(g)
    return column_sums(g) if type(g) is ndarray else sum_(g, 0)


@linear_relu.vjp("x", "W", "b")
def _(g, x, W, y, needs):
    g = relu_grad(g, y)
    return _dx(g, W) if needs[0] else None, _dW(g, x) if needs[1] else None, _db(g) if needs[2] else None


# ---- contractions, composed of the ops above


def _array(x):
    return x if isinstance(x, (Tensor, np.ndarray)) else np.asarray(x)


def tensordot(a, b, axes=2):
    """The sum over pairs of axes of a and b: the last `axes` of a and first of b, or lists `(of_a, of_b)`.
    The axes left over follow each other, those of a first. Raises ValueError when paired lengths differ."""
    a, b = _array(a), _array(b)
    if np.ndim(axes) == 0:
        of_a, of_b = range(a.ndim - axes, a.ndim), range(axes)
    else:
        of_a, of_b = ([k] if np.ndim(k) == 0 else k for k in axes)
    of_a, of_b = [k % a.ndim for k in of_a], [k % b.ndim for k in of_b]
    if [a.shape[k] for k in of_a] != [b.shape[k] for k in of_b]:
        raise ValueError(f"tensordot: axes {of_a} of a {a.shape} and {of_b} of b {b.shape} differ in length")
    left = [k for k in range(a.ndim) if k not in of_a]
    right = [k for k in range(b.ndim) if k not in of_b]
    shape = [a.shape[k] for k in left] + [b.shape[k] for k in right]
    n, m = math.prod(shape[: len(left)]), math.prod(shape[len(left) :])
    k = math.prod(a.shape[k] for k in of_a)
    product = _times(
        a.transpose([*left, *of_a]).reshape((n, k)), b.transpose([*of_b, *right]).reshape((k, m))
    )
    return product.reshape(tuple(shape))


def dot(a, b):
    """NumPy's dot: matmul of vectors and matrices, a product with a number, otherwise the sum over the last
    axis of a and the last but one of b, nothing broadcast."""
    a, b = _array(a), _array(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return _times(a, b) if b.ndim <= 2 else tensordot(a, b, (-1, -2))


def inner(a, b):
    """The sum over the last axis of a and the last of b."""
    a, b = _array(a), _array(b)
    return a * b if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, (-1, -1))


def outer(a, b):
    """All products of an element of a (rows) and one of b (columns)."""
    return _array(a).reshape((-1, 1)) * _array(b).reshape((1, -1))


@primitive()
def contract(a, b, subscripts):
    """`einsum` of two operands, where no label stands twice in an operand, a label's lengths agree, and one
    left out of the result stands in both. Then each rule is a contraction of the same kind."""
    layout = _as_matmul(subscripts)
    if layout is None:
        return np.einsum(subscripts, a, b)
    of_a, of_b, of_y, batch, free_a, free_b = layout
    a, b = a.transpose(of_a), b.transpose(of_b)  # batch, free, summed; and batch, summed, free
    shape = a.shape[: batch + free_a] + b.shape[b.ndim - free_b :]
    n, k, m = (
        math.prod(s)
        for s in (a.shape[batch : batch + free_a], a.shape[batch + free_a :], shape[batch + free_a :])
    )
    y = _times(a.reshape((*shape[:batch], n, k)), b.reshape((*shape[:batch], k, m)))
    return y.reshape(shape).transpose(of_y)


@contract.vjp("a")
def _(g, b, subscripts):
    of_a, of_b, of_y = _terms(subscripts)
    return contract(g, b, f"{of_y},{of_b}->{of_a}")


@contract.vjp("b")
def _(g, a, subscripts):
    of_a, of_b, of_y = _terms(subscripts)
    return contract(a, g, f"{of_a},{of_y}->{of_b}")


def _terms(subscripts):
    operands, _, result = subscripts.partition("->")
    return (*operands.split(","), result)


@functools.lru_cache(512)
def _as_matmul(subscripts):
    """How to lay out the operands for one batched matmul; None where the product is elementwise or a plain
    sum, which np.einsum runs faster."""
    of_a, of_b, of_y = _terms(subscripts)
    batch = [c for c in of_a if c in of_b and c in of_y]
    summed = [c for c in of_a if c in of_b and c not in of_y]
    free_a = [c for c in of_a if c not in of_b]
    free_b = [c for c in of_b if c not in of_a]
    if not summed or not (free_a or free_b):
        return None
    product = [*batch, *free_a, *free_b]
    return (
        [of_a.index(c) for c in (*batch, *free_a, *summed)],
        [of_b.index(c) for c in (*batch, *summed, *free_b)],
        [product.index(c) for c in of_y],
        len(batch),
        len(free_a),
        len(free_b),
    )


def einsum(subscripts, *operands, optimize=None):
    """Sums of products by labelled axes, as np.einsum reads them: explicit or implicit result, "...", a label
    repeated within an operand (its diagonal), lengths of 1 broadcast. Operands are contracted from left to
    right, so their order decides the cost; `optimize` is accepted and changes nothing. Labels may be whole
    numbers, in a list behind each operand and perhaps one for the result. Raises ValueError, with the
    subscripts and the shapes, when they do not fit.
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _spelled((subscripts, *operands))
    arrays = [_array(x) for x in operands]
    steps, products, order = _plan(subscripts, tuple(x.shape for x in arrays))
    for k, function, *arguments in steps:
        arrays[k] = function(arrays[k], *arguments)
    x = arrays[0]
    for other, labels in zip(arrays[1:], products, strict=True):
        x = contract(x, other, labels)
    return x.transpose(order) if order else x


def _spelled(arguments):
    """Numbered labels, `operand, labels, operand, labels, ..., labels of the result`, as a string."""
    n = len(arguments) // 2 * 2
    letters = string.ascii_uppercase + string.ascii_lowercase
    lists = [*arguments[1:n:2], *arguments[n:]]
    if not lists or any(isinstance(labels, (str, Tensor, np.ndarray)) for labels in lists):
        raise TypeError("einsum: takes a string of subscripts first, or behind each operand a list of labels")
    terms = ["".join("..." if k is Ellipsis else letters[k] for k in labels) for labels in lists]
    return ",".join(terms[: n // 2]) + "".join(f"->{t}" for t in terms[n // 2 :]), arguments[:n:2]


@functools.lru_cache(512)
def _plan(subscripts, shapes):
    """What einsum does for these shapes: steps on single operands that leave what `contract` takes, products
    from left to right, and the final order of axes (None when it is right)."""
    terms, result = _labels(subscripts, tuple(map(len, shapes)))
    lengths = {}
    for term, shape in zip(terms, shapes, strict=True):
        for c, n in zip(term, shape, strict=True):
            known = lengths.setdefault(c, n)
            if known != n and 1 not in (known, n):
                raise ValueError(
                    f"einsum: label {c!r} of {subscripts!r} is {known} and {n} long; shapes {shapes}"
                )
            lengths[c] = n if known == 1 else known
    steps = []
    for k, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        own = dict(zip(term, shape, strict=True))
        for c in own:
            while term.count(c) > 1:
                i = term.index(c)
                j = term.index(c, i + 1)
                steps.append((k, np.diagonal, 0, i, j))
                term = term[:i] + term[i + 1 : j] + term[j + 1 :] + c
        terms[k] = _without(steps, k, np.squeeze, term, {c for c in own if own[c] == 1 != lengths[c]})
    for k, term in enumerate(terms):
        elsewhere = {*result}.union(*terms[:k], *terms[k + 1 :])
        terms[k] = _without(steps, k, np.sum, term, {*term} - elsewhere)
    products = []
    left = terms[0]
    for k in range(1, len(terms)):
        later = {*result}.union(*terms[k + 1 :])
        kept = (
            "".join(c for c in dict.fromkeys(left + terms[k]) if c in later) if k < len(terms) - 1 else result
        )
        products.append(f"{left},{terms[k]}->{kept}")
        left = kept
    return steps, products, None if left == result else [left.index(c) for c in result]


def _without(steps, k, function, term, labels):
    """Adds the step that takes some labels from operand k, if there are any; what is left of its labels."""
    axes = tuple(i for i, c in enumerate(term) if c in labels)
    if axes:
        steps.append((k, function, axes))
    return "".join(c for c in term if c not in labels)


def _labels(subscripts, ndims):
    """The labels of each operand and of the result, with "..." and an implicit result written out."""
    operands, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = operands.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} has {len(terms)} operands, got {len(ndims)}")
    dotted = [n - len(t) + 3 if "..." in t else 0 for t, n in zip(terms, ndims, strict=True)]
    dots = "".join([c for c in string.ascii_letters if c not in subscripts][: max(dotted)])
    if not arrow:
        result = "..." + "".join(c for c in sorted({*operands} - {*",."}) if operands.count(c) == 1)
    terms = [t.replace("...", dots[len(dots) - n :]) for t, n in zip(terms, dotted, strict=True)]
    if any(len(t) != n or t and not t.isalpha() for t, n in zip(terms, ndims, strict=True)):
        raise ValueError(f"einsum: {subscripts!r} does not fit operands of {', '.join(map(str, ndims))} axes")
    if dots and "..." not in result:
        raise ValueError(f"einsum: the operands of {subscripts!r} have '...', its result has not")
    result = result.replace("...", dots)
    if len({*result}) < len(result) or not {*result} <= {*"".join(terms)}:
        raise ValueError(
            f"einsum: the result of {subscripts!r} repeats a label, or has one that no operand has"
        )
    return terms, result


for _function in (tensordot, dot, inner, outer, einsum):
    dispatch[getattr(np, _function.__name__)] = _function
    setattr(ops, _function.__name__, _function)

"""An elementwise op's own lines as a kernel: one parallel pass over float32 arrays, nothing in between.

The text of a function such as `def _(g, y): return g * (1.0 - y * y)` is rewritten (numbers to float32,
`np.exp` and ops like `where` to their namesakes in `mathf`), put into a loop, and compiled. One kernel is
made for each combination of operands that are

    full    an array of the result's shape        row      an array along its last axes, for every row
    mask    the same, of bools                    column   one number for each row
    number  one number                            shared   (m, 1, d) beside (m, k, d): a row for each k rows
    target  full, and overwritten by the result

The generated file lies in the cache folder beside the compiled code, named by a hash of its text: to be read,
and for Numba's cache, which keys on a file."""

import ast
import inspect
import math
import os
import re
import textwrap
from hashlib import sha256

import numpy as np
from numba import carray

from . import mathf
from .compiling import FOLDER, REASSOCIATE, kernel
from .loops import Loop, chunks_of, use_wide_vectors
from .threads import ready

_WIDE = 256  # a row shorter than this is repeated to fill vectors
_NARROW = 16  # with one number for each row, rows shorter than this are NumPy's
_TRANSCENDENTAL = {"exp", "expm1", "log", "log1p", "sigmoid", "tanh", "erf"}
_SIZE = {"full": "size", "target": "size", "mask": "size", "number": "1", "row": "width", "column": "last"}
_SIZE |= {"shared": "((last - 1) // times + 1) * width"}


class _Rewrite(ast.NodeTransformer):
    """The lines of an op as they read for one float32 element."""

    def __init__(self, function):
        own = function.__code__.co_varnames
        self.known = {name: value for name, value in function.__globals__.items() if name not in own}
        self.cost = 0  # of one element, about that many additions

    def visit_Constant(self, node):
        if type(node.value) not in (int, float):
            raise TypeError(f"{node.value!r} is no number")
        return _parse(f"float32({node.value!r})")

    def visit_Name(self, node):
        value = self.known.get(node.id) if isinstance(node.ctx, ast.Load) else None
        if type(value) in (int, float):
            return _parse(f"float32({value!r})")
        return node if value is None else self._namesake(getattr(value, "name", None) or value.__name__)

    def visit_Attribute(self, node):
        home = self.known.get(getattr(node.value, "id", None))
        if home is math:
            return _parse(f"float32({getattr(math, node.attr)!r})")
        if home is not np:
            raise TypeError(f"{ast.unparse(node)} is not NumPy's")
        return self._namesake(node.attr)

    def visit_With(self, node):
        """`with np.errstate(...)`: kernels warn of nothing."""
        return [self.visit(statement) for statement in node.body]

    def visit_BinOp(self, node):
        self.cost += 1
        return self.generic_visit(node)

    visit_Compare = visit_BinOp

    def _namesake(self, name):
        name = {"abs": "absolute"}.get(name, name)
        if not hasattr(mathf, name):
            raise TypeError(f"mathf has no {name}")
        self.cost += 10 if name in _TRANSCENDENTAL else 1
        return _parse(f"mathf.{name}")


def _parse(expression):
    return ast.parse(expression, mode="eval").body


class Kernel:
    """The kernels of one function, which must take arrays and numbers and be made of arithmetic, comparisons
    and what `mathf` has. Raises TypeError, and says which part, where it is not."""

    def __init__(self, function):
        definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        rewrite = _Rewrite(function)
        self.names = [argument.arg for argument in definition.args.args]
        body = definition.body[isinstance(definition.body[0], ast.Expr) :]  # without the docstring
        lines = ast.unparse(ast.fix_missing_locations(rewrite.visit(ast.Module(body, []))))
        self.lines = f"def element({', '.join(self.names)}):\n{textwrap.indent(lines, '    ')}"
        self.origin = function.__module__
        self.cost = max(rewrite.cost, 1)
        self.loops: dict = {}

    def source(self, kinds) -> str:
        """The generated file for operands of these kinds. Indices count from 0, so that Numba need not look
        whether they are negative, which would keep LLVM from vector code."""
        flat = not {"row", "column", "shared"} & set(kinds)
        by_name = dict(zip(self.names, kinds, strict=True))
        result = self.names[0] if kinds[0] == "target" else "out"
        by_name.setdefault(result, "full")
        lines = [
            f'"""Generated from {self.origin}, for operands {", ".join(kinds)}."""',
            "",
            "",
            self.lines,
            "",
            "",
            "def loop(chunk, first, last, width, at):",
            "    use_wide_vectors()",
            f"    size = {'last' if flat else 'last * width'}",
            *[f"    times = carray(at[{len(by_name)}], (1,), int64)[0]"] * ("shared" in kinds),
        ]
        for k, (name, kind) in enumerate(by_name.items()):
            dtype = "bool_" if kind == "mask" else "float32"
            lines.append(f"    {name} = carray(at[{k}], ({_SIZE[kind]},), {dtype})")
        moving = [name for name, kind in by_name.items() if _SIZE[kind] == "size"]
        index = {"number": "[0]", "column": "[row]"}
        element = ", ".join(name + index.get(by_name[name], "[i]") for name in self.names)
        if flat:
            lines += [f"    {name} = {name}[first:last]" for name in moving]
            lines += ["    for i in range(last - first):", f"        {result}[i] = element({element})"]
        else:
            lines += ["    for row in range(first, last):"]
            row_of = dict.fromkeys(moving, "row")
            row_of |= {name: "row // times" for name, kind in by_name.items() if kind == "shared"}
            for name, row in row_of.items():
                lines += [f"        {name}_row = {name}[{row} * width : ({row} + 1) * width]"]
                element = re.sub(rf"\b{name}\[i\]", f"{name}_row[i]", element)
            lines += ["        for i in range(width):", f"            {result}_row[i] = element({element})"]
        return "\n".join(lines) + "\n"

    def compile(self, kinds) -> Loop:
        """The loop for operands of these kinds."""
        source = self.source(kinds)
        key = sha256(source.encode()).hexdigest()[:16]
        # Numba's cache goes by file, function name and line
        source = source.replace("def loop(", f"def loop_{key}(").replace("element(", f"element_{key}(")
        path = FOLDER / f"elementwise_{key}.py"
        _write_once(path, source)
        scope = {"__name__": __name__, "carray": carray, "mathf": mathf, "use_wide_vectors": use_wide_vectors}
        scope |= {"float32": np.float32, "bool_": np.bool_, "int64": np.int64}
        exec(compile(source, str(path), "exec"), scope)
        name = f"element_{key}"
        scope[name] = kernel(forceinline=True, fastmath=REASSOCIATE)(scope[name])
        return Loop(scope[f"loop_{key}"])

    def __call__(self, *operands, in_place=False):
        """The result, of the shape of the largest float32 operand, or written into the first operand. None
        where the operands are not such as the kernel is for: each of one of the kinds."""
        size, shape = -1, ()
        for a in operands:
            if type(a) is np.ndarray and a.size > size and a.dtype == np.float32:
                size, shape = a.size, a.shape
        arrays, kinds, width = [], [], 0
        for a in operands:
            if type(a) is np.ndarray and a.dtype == np.float32 and a.flags.c_contiguous and a.shape == shape:
                kinds.append("full")
                arrays.append(a)
                continue
            kind, a, across = _kind(a, shape, size)
            if kind is None or (across and width and across != width):
                return None
            width = width or across
            kinds.append(kind)
            arrays.append(a)
        if in_place:
            if kinds[0] != "full":
                return None
            kinds[0] = "target"
        if len({a.size for a, kind in zip(arrays, kinds, strict=True) if kind == "shared"}) > 1:
            return None
        if 0 < width < _WIDE and size // width > _WIDE:
            if "column" in kinds or "shared" in kinds:
                return None if width < _NARROW else self._run(kinds, arrays, shape, size, width)
            times = next(t for t in range(_WIDE // width, 0, -1) if size // width % t == 0)
            arrays = [np.tile(a, times) if k == "row" else a for a, k in zip(arrays, kinds, strict=True)]
            width *= times
        return self._run(kinds, arrays, shape, size, width)

    def _run(self, kinds, arrays, shape, size, width):
        kinds = tuple(kinds)
        loop = self.loops.get(kinds)
        if loop is None:
            loop = self.loops[kinds] = self.compile(kinds)
        if kinds[0] != "target":
            arrays.append(np.empty(shape, np.float32))
        rows = size // width if width else size
        y = arrays[0 if kinds[0] == "target" else -1]
        if "shared" in kinds:
            arrays.append(np.array([size // arrays[kinds.index("shared")].size]))
        loop(chunks_of(rows, size * self.cost), rows, width, *arrays)
        return y


def _kind(a, shape, size):
    """What an operand is to a result of this shape: (kind, the array to hand over, the width of a row if it
    sets one)."""
    if type(a) in (int, float):
        return "number", np.array([a], np.float32), 0
    if type(a) is not np.ndarray or a.ndim > len(shape):
        return None, a, 0
    if a.dtype == np.bool_:
        return ("mask" if a.shape == shape and a.flags.c_contiguous else None), a, 0
    if a.dtype != np.float32:
        return None, a, 0
    # the axes along which the operand moves: the others are 1, missing, or broadcast already
    moving = [i for i in range(-a.ndim, 0) if a.shape[i] != 1 and a.strides[i]]
    if any(a.shape[i] not in (1, shape[i]) for i in range(-a.ndim, 0)):
        return None, a, 0
    a = a[tuple(slice(None) if i in moving else 0 for i in range(-a.ndim, 0))]
    if not moving:
        return "number", a.reshape(1), 0
    if not a.flags.c_contiguous:
        return None, a, 0
    if a.shape == shape:
        return "full", a, 0
    if a.shape == shape[len(shape) - a.ndim :] and moving[0] == -a.ndim:
        return "row", a.reshape(-1), a.size
    if moving[0] != -len(shape):
        return None, a, 0
    if a.shape == shape[: a.ndim] and moving[-1] - moving[0] == a.ndim - 1:
        return "column", a, size // a.size
    # moving axes behind those of length 1
    behind = next(n for n in range(a.ndim) if moving[-1 - n] != -1 - n)
    if behind and moving[-1 - behind] - moving[0] == a.ndim - 1 - behind:
        return "shared", a, math.prod(a.shape[-behind:])
    return None, a, 0


@kernel()
def _erf(x, y):
    for i in range(x.size):
        y[i] = math.erf(x[i])


def erf(x):
    """The error function of an array, by the C library in float64 on one thread."""
    x = np.asarray(x)
    wide = np.ascontiguousarray(x, np.float64).reshape(-1)
    y = np.empty_like(wide)
    _erf(ready(wide, np.float64), y)
    return y.reshape(x.shape).astype(x.dtype if x.dtype.kind == "f" else np.float64, copy=False)


def _write_once(path, source):
    """Two processes may write at once, and Numba drops what it kept when the file's time changes: the file
    appears whole, and its time is always 0."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(source)
        os.utime(part, (0, 0))
        part.replace(path)

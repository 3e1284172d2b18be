"""A step of an optimizer, clipping, weight averages: one pass in place over many float32 arrays at once.

What happens to one element is written elsewhere, as the textbook has it (`optim/rule.py`). Here its text is
put into a loop over all parameters, and compiled; a launch costs more than the work on a small parameter, so
there is one for all of them."""

import ast
import inspect
import textwrap
from functools import cached_property
from hashlib import sha256
from itertools import accumulate

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from . import mathf
from .compiling import FOLDER, REASSOCIATE, kernel
from .elementwise import _Rewrite, _write_once
from .loops import Loop, chunks_of, loop, use_wide_vectors
from .patches import LINE
from .simd import POINTER, prefetch

# The numbers that stand before a rule's own: g is `sign * g + decay * w`, w is `shrink * w`.
UNCHANGED = (1.0, 0.0, 1.0)


@intrinsic
def _elements(typing, array, offset):
    """The address of a float32 array's element, from the address of its Python object: behind the head that
    all objects have, an ndarray begins with the address of its elements. Asking 800 arrays for theirs in
    Python takes longer than a step over 200 small parameters."""

    def emit(context, builder, signature, values):
        word, pointer = ir.IntType(64), ir.IntType(8).as_pointer()
        field = builder.add(values[0], ir.Constant(word, object.__basicsize__))
        first = builder.load(builder.inttoptr(field, word.as_pointer()))
        return builder.inttoptr(builder.add(first, builder.shl(values[1], ir.Constant(word, 2))), pointer)

    return types.voidptr(types.int64, types.int64), emit


# A step is as fast as its memory, and the hardware looks too little ahead for several streams: cache lines
# asked for 512 elements early, 128 at a time, take a fifth off Adam over 10 million (5.1 to 4.1 ms).
PIECE, AHEAD = 128, 512


@intrinsic
def _fetch_ahead(typing, address):
    """Asks for the cache lines of the piece that begins AHEAD elements behind `address`."""

    def emit(context, builder, signature, values):
        element = builder.bitcast(values[0], POINTER)
        for k in range(AHEAD, AHEAD + PIECE, LINE // 4):
            prefetch(builder, builder.gep(element, [ir.Constant(ir.IntType(64), k)]))
        return context.get_dummy_value()

    return types.none(types.voidptr), emit


class Update:
    """The kernel of `function(*arrays, /, *numbers)`, which gives the new values of the arrays named in
    `written`. Raises TypeError, and says which part, for a function that is more than arithmetic,
    comparisons and what `mathf` has."""

    def __init__(self, function, written):
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        self.arrays, self.numbers = names[: code.co_posonlyargcount], names[code.co_posonlyargcount :]
        self.function, self.written = function, written

    @cached_property
    def element(self):
        """The function's lines, for one element."""
        definition = ast.parse(textwrap.dedent(inspect.getsource(self.function))).body[0]
        rewrite = _Rewrite(self.function)
        body = definition.body[isinstance(definition.body[0], ast.Expr) :]  # without the docstring
        lines = ast.unparse(ast.fix_missing_locations(rewrite.visit(ast.Module(body, []))))
        head = f"def element({', '.join((*self.arrays, *self.numbers))}):"
        return f"{head}\n{textwrap.indent(lines, '    ')}"

    def source(self, changed) -> str:
        """The generated file; `changed` for one that begins with weight decay and the sign of g."""
        arrays, numbers, read = (
            ", ".join(self.arrays),
            self.numbers,
            ", ".join(f"{a}[i]" for a in self.arrays),
        )
        if changed:
            numbers = ("_sign", "_decay", "_shrink", *numbers)
            read = read.replace("w[i], g[i]", "_shrink * w[i], _sign * g[i] + _decay * w[i]")
        own = "".join(f", {n}" for n in self.numbers)
        lines = [
            f'"""Generated from {self.function.__module__}.{self.function.__name__}."""',
            "",
            "",
            self.element,
            "",
            "",
            f"def segment(n, {arrays}, numbers):",
            *[f"    {name} = numbers[{k}]" for k, name in enumerate(numbers)],
            "    for i in range(n):",
            f"        {', '.join(f'{a}[i]' for a in self.written)} = element({read}{own})",
            "",
            "",
            *self.loop_source(len(numbers)),
        ]
        return "\n".join(lines) + "\n"

    def loop_source(self, numbers) -> list[str]:
        """The lines of the loop over all parameters, of a rule with so many numbers."""
        arrays, count = ", ".join(self.arrays), len(self.arrays)
        places = [(name, f"elements(objects[{count} * t + {k}], i)") for k, name in enumerate(self.arrays)]
        return [
            "def loop(chunk, first, last, tensors, at):",
            "    use_wide_vectors()",
            "    starts = carray(at[0], (tensors + 1,), int64)",
            f"    numbers = carray(at[1], ({numbers},), float32)",
            f"    objects = carray(at[2], (tensors * {count},), int64)",
            "    for t in range(tensors):",
            "        stop = min(last, starts[t + 1]) - starts[t]",
            f"        for i in range(max(first, starts[t]) - starts[t], stop, {PIECE}):",
            f"            n = min(stop - i, {PIECE})",
            *[f"            fetch_ahead({place})" for _, place in places],
            *[f"            {name} = carray({place}, (n,), float32)" for name, place in places],
            f"            segment(n, {arrays}, numbers)",
        ]

    scope = {"__name__": __name__, "carray": carray, "elements": _elements, "mathf": mathf}
    scope |= {"fetch_ahead": _fetch_ahead, "use_wide_vectors": use_wide_vectors}
    scope |= {"float32": np.float32, "int64": np.int64}

    def compile(self, changed) -> Loop:
        """The loop, compiled when it first runs."""
        source = self.source(changed)
        key = sha256(source.encode()).hexdigest()[:16]
        for name in ("loop", "element", "segment"):  # Numba's cache goes by file, function name and line
            source = source.replace(f"{name}(", f"{name}_{key}(")
        path = FOLDER / f"update_{key}.py"
        _write_once(path, source)
        scope = dict(self.scope)
        exec(compile(source, str(path), "exec"), scope)
        for name in (f"element_{key}", f"segment_{key}"):
            scope[name] = kernel(forceinline=True, fastmath=REASSOCIATE)(scope[name])
        return Loop(scope[f"loop_{key}"])

    @cached_property
    def plain(self) -> Loop:
        """The loop of the rule alone."""
        return self.compile(False)

    @cached_property
    def changed(self) -> Loop:
        """The loop with weight decay and the sign of g."""
        return self.compile(True)

    def __call__(self, rows, numbers, change=UNCHANGED) -> None:
        """Runs over `rows`, a list of one tuple of arrays for each parameter: C-contiguous, float32, of one
        shape, and no two of them sharing memory."""
        starts, total = _starts(rows)
        body, numbers = self.chosen(numbers, change)
        # By elements, not by operations: to wake a worker takes as long as 30,000 of them.
        chunks = chunks_of(total, 2 * total)
        body(chunks, total, len(rows), starts, numbers, _objects(rows))

    def chosen(self, numbers, change):
        """The loop for these numbers, and the array of them that it takes."""
        if change == UNCHANGED:
            return self.plain, np.array(numbers, np.float32)
        return self.changed, np.array((*change, *numbers), np.float32)


def _starts(rows):
    """Where each row's elements begin when all are counted through, and their number."""
    starts = [0, *accumulate(row[0].size for row in rows)]
    return np.array(starts, np.int64), starts[-1]


def _objects(rows):
    return np.array([id(a) for row in rows for a in row], np.int64)


@loop
def _sum_of_squares(chunk, first, last, tensors, at):
    starts = carray(at[0], (tensors + 1,), np.int64)
    sums = carray(at[1], (chunk + 1,), np.float64)
    objects = carray(at[2], (tensors,), np.int64)
    total = 0.0
    for t in range(tensors):
        low = max(first, starts[t]) - starts[t]
        n = min(last, starts[t + 1]) - starts[t] - low
        if n > 0:
            x = carray(_elements(objects[t], low), (n,), np.float32)
            for i in range(n):
                total += np.float64(x[i]) * np.float64(x[i])
    sums[chunk] = total


def sum_of_squares(arrays) -> float:
    """The sum of all squares, taken in float64, of C-contiguous float32 arrays."""
    rows = [(a,) for a in arrays]
    starts, total = _starts(rows)
    chunks = chunks_of(total, 2 * total)
    sums = np.zeros(chunks)
    _sum_of_squares(chunks, total, len(rows), starts, sums, _objects(rows))
    return float(sums.sum())

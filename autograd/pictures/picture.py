"""`draw` and what it returns."""

import inspect
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..modes import enable_grad, no_grad
from ..tensor import Tensor, as_array, wrap
from .arrange import repeat_far_leaves, runs_across
from .folding import folded
from .levels import LEVELS, at_level
from .model import Diagram
from .reading import read
from .recording import Recording
from .render import render
from .reversal import backward_graph
from .tape import tape

LONGEST = 4_000  # summed length of edges, in ranks, up to which a layout takes seconds
SHOWN = 60  # lines of the tape in a repr
ASIDE = ("values", "heat", "gradients", "norms", "memory", "time", "order", "rules", "histograms")


class Picture:
    """A drawn graph. Jupyter shows it as SVG; `save(path)` writes it; `dot`, `mermaid` and `html` are its
    sources; `print` shows the tape: one line per op with shapes. `diagram` is what is drawn, `ops` the same
    with every op, from which the page opens and closes modules; `level` is what it starts with."""

    ENDINGS = ("svg", "png", "pdf", "dot", "mmd", "html")

    def __init__(
        self,
        diagram: Diagram,
        direction: str | None = None,
        ops: Diagram | None = None,
        level: str = "op",
    ):
        self.diagram = diagram
        self.ops = ops or diagram
        self.level = level
        self.arranged = repeat_far_leaves(diagram)
        self.direction = direction or ("LR" if runs_across(diagram) else "TB")

    @property
    def dot(self) -> str:
        """The source in Graphviz's language."""
        from .dot import dot  # here, since graphviz would slow down the import of autograd

        return dot(self.arranged, self.direction)

    @property
    def mermaid(self) -> str:
        """The source in Mermaid's language."""
        from .mermaid import mermaid

        return mermaid(self.arranged, self.direction)

    @property
    def html(self) -> str:
        """A page of its own, to pan, zoom and search in, that opens and closes modules."""
        from .page import page

        return page(self.ops, self.level)

    def render(self, format: str) -> bytes:
        """The picture as "svg", "png" or "pdf". Raises ImportError where no Graphviz is installed, ValueError
        where the graph is too large for a layout."""
        if (length := self.arranged.span()) > LONGEST:
            raise ValueError(
                f"a graph of {len(self.arranged.boxes):,} boxes is too large to lay out (edges {length:,} "
                f"steps long, at most {LONGEST:,}): draw a part of it or fewer time steps, print it, "
                'draw it at level="block", or save it as .html, .dot or .mmd'
            )
        return render(self.dot, format)

    def save(self, path) -> Path:
        """Writes the picture in the format of the path's ending (svg, png, pdf, dot, html, mmd), through a
        temporary file, and returns the path. Raises ValueError for another ending, FileNotFoundError without
        the folder."""
        path = Path(path)
        ending = path.suffix.lower().removeprefix(".")
        if ending not in self.ENDINGS:
            raise ValueError(
                f"cannot save a picture as {path.name!r}: it must end in .{', .'.join(self.ENDINGS)}"
            )
        if not path.parent.is_dir():
            raise FileNotFoundError(f"cannot save {path}: there is no folder {path.parent}")
        if ending in ("dot", "html", "mmd"):
            content = getattr(self, "mermaid" if ending == "mmd" else ending).encode()
        else:
            content = self.render(ending)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path

    def __str__(self):
        return tape(self.diagram)

    def __repr__(self):
        lines = str(self).split("\n")
        if len(lines) <= SHOWN:
            return "\n".join(lines)
        return "\n".join([*lines[:SHOWN], f"  ... {len(lines) - SHOWN:,} more lines: print() shows them all"])

    def _repr_svg_(self):
        try:
            return self.render("svg").decode()
        except (ImportError, ValueError) as error:  # Jupyter then shows the text
            warnings.warn(str(error), stacklevel=2)
            return None


def draw(
    what: Tensor | Sequence[Tensor] | Callable,
    *inputs,
    names: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] = (),
    values: bool = False,
    constants: bool = True,
    direction: str | None = None,
    level: str = "op",
    show: str | Iterable[str] = (),
    fold: bool = True,
    backward: bool = False,
    profile: Recording | None = None,
) -> Picture:
    """A picture of the graph that made a tensor (or several), or of the graph that a Module or a function
    records when it is called with `inputs`; inputs of floats then count as requiring grad.

    Boxes with round corners are ops, with the options that are not at their default; square boxes are the
    leaves that require grad; notes are arrays that get no gradient (images, labels, masks; `constants=False`
    leaves them out); the double box is what was drawn. Shapes stand on the edges, with the dtype where it is
    not float32. A leaf that is used in places far apart is shown at each, dashed after the first. The parts
    of a Module are clusters, one for each call.

    names: a mapping, or pairs such as `module.named_parameters()`; what is not in it goes by its own `.name`.
    values: writes the numbers of small tensors, and after backward their gradients. Of intermediate results
    of a tensor it knows those in `names`, and those that were asked to `retain_grad()`; of a function all.
    direction: "LR" or "TB"; chosen by the depth of the graph when not given.
    level: "scalar" gives each value a box (micrograd's way), "op" is every op, and of a Module "layer",
    "block" and "architecture" are ever larger parts of it as one box.
    show: what else is told, as "values gradients" or a list: "values"; "heat", small arrays as heat maps;
    "gradients" of the outputs' sum, computed without touching any `.grad`; "norms", gradients coloured blue
    where they vanish and red where they explode against the one at the output; "memory" kept for backward;
    "time" as `profile` measured it; "order" of execution; "rules" as the textbook writes them;
    "histograms", of values and gradients for the page (.html).
    fold: calls of modules that look alike and follow each other are one, "× 6".
    backward: draws the backward graph instead, with the local derivatives.
    profile: an `autograd.profile` in which the graph was recorded; it also knows the modules.

    Backward frees what a graph saved, and with it the arrays without gradient and the options: draw before
    it, or call `backward(retain_graph=True)`. A Module's running statistics stay as they are. Raises
    TypeError for what holds no tensor, ValueError for another direction or level or thing to show.
    """
    if direction not in (None, "LR", "TB"):
        raise ValueError(f'direction must be "LR" (left to right) or "TB" (top to bottom), got {direction!r}')
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    shown = set(show.replace(",", " ").split() if isinstance(show, str) else show)
    if strange := sorted(shown - set(ASIDE)):
        raise ValueError(f"show knows {', '.join(ASIDE)}, got {strange[0]!r}")
    if "time" in shown and profile is None:
        raise ValueError(
            'show="time" needs a measured run: with autograd.profile(model) as p: loss = ...; '
            'then draw(loss, profile=p, show="time")'
        )
    shown |= ({"values"} if values else set()) | ({"gradients", "locals", "rules"} if backward else set())
    known = dict(names)
    given: list[Tensor] = []
    recording = profile
    if not isinstance(what, (Tensor, list, tuple)) and callable(what):
        parameters = getattr(what, "named_parameters", None)
        given = list(map(_stand_in, inputs))
        arguments = zip(_argument_names(what, len(inputs)), given, strict=True)
        known = {**dict(parameters() if parameters else ()), **dict(arguments), **known}
        recording = Recording([what] if parameters else [], bool(shown & {"values", "heat", "histograms"}))
        outputs = _run(what, given, recording)
        source = f"{getattr(what, '__name__', type(what).__name__)} returned"
    elif inputs:
        raise TypeError(f"inputs go with a function or a Module, got them with a {type(what).__name__}")
    else:
        outputs, source = what, "draw takes a Tensor, several, or a function and its inputs, got"
    outputs = [outputs] if isinstance(outputs, Tensor) else outputs
    if not isinstance(outputs, (list, tuple)) or not outputs:
        raise TypeError(f"{source} {type(outputs).__name__}: nothing recorded to draw")
    if wrong := [type(t).__name__ for t in outputs if not isinstance(t, Tensor)]:
        raise TypeError(f"{source} a {type(outputs).__name__} with {wrong[0]} in it: only Tensors are drawn")
    ops = read(list(outputs), known, given, frozenset(shown), constants, recording)
    if backward:
        return Picture(backward_graph(ops), direction)
    seen = at_level(ops, level)
    return Picture(folded(seen) if fold else seen, direction, ops, level)


def _run(what, given, recording):
    """The outputs of a call, recorded. What the call moved of a Module's running statistics is put back."""
    buffers = [(b, b.numpy().copy()) for b in what.buffers()] if hasattr(what, "buffers") else []
    with recording, enable_grad():
        outputs = what(*given)
    with no_grad():
        for buffer, before in buffers:
            if not np.array_equal(buffer.numpy(), before, equal_nan=buffer.dtype.kind in "fc"):
                buffer[...] = before
    return outputs


def trace(f: Callable, *inputs) -> None:
    """Prints the tape of `f(*inputs)`, one line per recorded op, with the shape of its output."""
    print(draw(f, *inputs, fold=False))


def _stand_in(x) -> Tensor:
    """The input as a leaf of its own, so that the graph starts there; it requires grad, since else nothing is
    known of the ops that need no more of it than its value."""
    t = wrap(as_array(x))
    return t.requires_grad_(t.dtype.kind in "fc")


def _argument_names(f, count: int) -> list[str]:
    """What `f` calls its positional arguments; x0, x1, ... where that is not known."""
    try:
        signature = inspect.signature(getattr(f, "forward", f))
    except (TypeError, ValueError):
        signature = None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in signature.parameters.values() if p.kind in positional] if signature else []
    return [names[i] if i < len(names) else f"x{i}" for i in range(count)]

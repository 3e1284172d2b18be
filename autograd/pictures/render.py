"""DOT to SVG, PNG and PDF: by pygraphviz, whose wheel carries the layout engine, or by the system's `dot`."""

import shutil
import subprocess
import threading

GROUND = {"svg": "transparent", "png": "white", "pdf": "white"}
DOTS_PER_INCH = 144

_one_at_a_time = threading.Lock()  # the layout library keeps global state


def render(source: str, format: str) -> bytes:
    """The drawing of a DOT string. Raises ImportError where neither pygraphviz nor `dot` is there."""
    options = [f"-Gbgcolor={GROUND[format]}"] + ([f"-Gdpi={DOTS_PER_INCH}"] if format == "png" else [])
    try:
        import pygraphviz
    except ImportError:
        return _by_system(source, format, options)
    with _one_at_a_time:
        return pygraphviz.AGraph(string=source).draw(format=format, prog="dot", args=" ".join(options))


def _by_system(source: str, format: str, options: list[str]) -> bytes:
    program = shutil.which("dot")
    if program is None:
        raise ImportError(
            f"drawing {format} needs Graphviz: pip install 'ngrad[draw]' (it brings its own), or install "
            "your system's graphviz; .dot, .mmd and text need neither"
        )
    done = subprocess.run([program, f"-T{format}", *options], input=source.encode(), capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace').strip()[:300]}")
    return done.stdout

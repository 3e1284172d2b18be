"""The process that one side of a case runs in: reads a command a line on stdin, writes an answer a line, both
JSON.

It also runs in the environments of peers, so it imports nothing but the standard library and NumPy. It is
started with `python -I`, which keeps our folders off the import path; they are appended, so that where
HIPS/autograd is installed `import autograd` means that.
"""

import ctypes
import gc
import importlib
import importlib.metadata
import json
import os
import statistics
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEED = 0
SAMPLE = 20e-6  # seconds: shorter steps are timed several at a time, to keep the clock's own cost out


def import_library(name: str) -> dict[str, str]:
    """Imports the library of a side, sets its threads, and returns the versions of what will run."""
    import numpy as np

    from benchmarks.peers import library

    peer = library(name)
    modules = [importlib.import_module(module) for module in peer.modules]
    if peer.apart and Path(modules[0].__file__).is_relative_to(ROOT / peer.modules[0]):
        raise ImportError(f"import {peer.modules[0]} gave our package, not {peer.title}'s: {peer.missing}")
    if "torch" in peer.modules:
        modules[0].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    versions = {"NumPy": np.__version__}
    if name == "ours":
        versions[peer.title] = modules[0].__version__
    elif peer.requirement:
        versions[peer.title] = importlib.metadata.version(peer.requirement.partition("==")[0])
    return versions


def build(module: str, case: str, side: str, size: str, dtype: str | None = None):
    """`(step, result)` of one side of a case, at its size "full" or "tiny", and the bytes of its inputs; with
    arrays of floats as this dtype, if one is given."""
    import numpy as np

    from benchmarks.case import cases_of

    found = next(c for c in cases_of(module) if c.name == case)
    inputs = found.data(np.random.default_rng(SEED), **getattr(found, size))
    if dtype:
        floats = {k: a for k, a in inputs.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"}
        inputs = {**inputs, **{name: a.astype(dtype) for name, a in floats.items()}}
    step, result = found.build[side](inputs)
    return step, result, _size(inputs)


def _size(value):
    """The bytes of all arrays in it."""
    if isinstance(value, dict | list | tuple):
        return sum(map(_size, value.values() if isinstance(value, dict) else value))
    return getattr(value, "nbytes", 0)


def block(step, seconds: float, drop: float) -> dict:
    """Runs the step for `drop` seconds unmeasured, then for `seconds`; the median time of a step, and their
    number."""
    clock = time.perf_counter
    start, steps = clock(), 0
    while clock() - start < drop:
        step()
        steps += 1
    together = max(1, int(SAMPLE * steps / (clock() - start)))
    times, now = [], clock()
    end = now + seconds
    while not times or now < end:
        start = clock()
        for _ in range(together):
            step()
        now = clock()
        times.append((now - start) / together)
    return {"median": statistics.median(times), "steps": len(times) * together}


def peak_bytes() -> int | None:
    """The most memory this process has had resident since the peak was forgotten, None where the system can
    not forget it: anywhere but on Linux."""
    return _status("VmHWM") if sys.platform == "linux" else None


def _status(key):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return None


def forget_peak() -> None:
    """Lets the peak start from what is in use now."""
    if sys.platform != "linux":
        return
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc's
        trim(0)  # what lies free in the allocator is not in use
    Path("/proc/self/clear_refs").write_text("5")


def watch_compiler(compiled: list) -> None:
    """What Numba compiles from now on, instead of finding it in its cache, is appended to `compiled`."""
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, event):
            compiled.append(event)

        def on_end(self, event):
            pass

    event.register("numba:run_pass", Listener())


def import_late(module: str, case: str, side: str) -> None:
    """Imports what a library puts off: building the tiny case does, for PyTorch's optimizers and for what a
    side borrows of ours; but Numba imports half of itself with the first kernel."""
    if side == "ours":
        importlib.import_module("autograd.kernels.compiling")
        importlib.import_module("numba.core.registry").cpu_target.target_context.refresh()
    build(module, case, side, "tiny")


def begin(module: str, case: str, side: str, file: str, memory: bool) -> tuple:
    """Builds the full case, runs its first step, and writes its results to `file`: `(step, result)`, and an
    answer: the `bytes` of its inputs, and where `memory` asks for it the `peak` of that step and three more,
    inputs and weights included, over the level after import; with whether any of it was `compiled`, which
    takes memory of its own.

    No step has run before that level, so what a library loads in its first steps counts: our kernels, from
    their cache, and the pages of PyTorch's library that a step runs through."""
    answer, compiled, level = {}, [], None
    if memory:
        import_late(module, case, side)
        if side == "ours":
            watch_compiler(compiled)
        forget_peak()
        level = peak_bytes()
    step, result, answer["bytes"] = build(module, case, side, "full")
    if memory:
        forget_peak()  # what the building took: the weights of a peer's network are ours, saved and loaded
    step()
    peak = peak_bytes() or 0
    write(result, file)
    if level is not None:
        forget_peak()  # what the writing took
        for _ in range(3):
            step()
        answer["peak"] = max(peak, peak_bytes() or 0) - level
    return step, result, {"peak": None, "compiled": bool(compiled), **answer}


def write(result, file: str) -> None:
    """The arrays that the last step made, into an .npz."""
    import numpy as np

    np.savez(file, **result())


def sgemm(seconds: float, drop: float) -> dict:
    """Additions and multiplications a second in a large float32 product: PyTorch's where that is imported,
    else NumPy's."""
    import numpy as np

    n = 2048
    a = np.random.default_rng(SEED).standard_normal((n, n)).astype(np.float32)
    factor = sys.modules["torch"].from_numpy(a) if "torch" in sys.modules else a
    return {"rate": 2 * n**3 / block(lambda: factor @ factor, seconds, drop)["median"]}


def copy(seconds: float, drop: float) -> dict:
    """Bytes a second, read and written, in a large copy: PyTorch's where that is imported, else NumPy's."""
    import numpy as np

    a, b = np.ones(1 << 26, np.float32), np.zeros(1 << 26, np.float32)
    if "torch" in sys.modules:
        source, target = map(sys.modules["torch"].from_numpy, (a, b))
        median = block(lambda: target.copy_(source), seconds, drop)["median"]
    else:
        median = block(lambda: np.copyto(b, a), seconds, drop)["median"]
    return {"rate": (a.nbytes + b.nbytes) / median}


def serve(commands, answers) -> None:
    """Answers commands until there are no more."""
    step = result = None
    for line in commands:
        command = json.loads(line)
        do = command.pop("do")
        try:
            if do == "library":
                answer = {"versions": import_library(command["name"])}
            elif do == "build":
                step, result, size = build(**command)
                answer = {"bytes": size}
            elif do == "begin":
                step, result, answer = begin(**command)
            elif do == "check":
                step()
                write(result, command["file"])
                answer = {}
            elif do == "block":
                answer = block(step, **command)
            elif do == "sgemm":
                answer = sgemm(**command)
            else:
                answer = copy(**command)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    sys.path.append(str(ROOT))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints goes to stderr, not among the answers
    with answers:
        serve(sys.stdin, answers)

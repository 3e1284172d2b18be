"""What loading a kept kernel leaves out: the LLVM code nobody inlines, and SciPy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PAIR = """
    import json, sys
    from autograd.kernels.compiling import kernel

    @kernel()
    def double(x):
        return 2 * x

    @kernel()
    def next_even(x):
        return double(x) + 2

    def code(made):
        return made.overloads[made.signatures[0]].library._shared_module is not None
"""


def run(folder, *lines):
    """What the program PAIR prints as JSON, with these lines at its end; its file and its cache are kept in
    `folder`, though not the lines."""
    (folder / "pair.py").write_text("\n".join(line[4:] for line in PAIR.splitlines()))
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": f"{folder}:{ROOT}"}
    program = "\n".join(["import json", "from pair import *", *lines])
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_loaded_kernel_keeps_its_llvm_code_for_others(tmp_path):
    """The first process compiles a kernel; the second finds it, and holds its LLVM code only once a kernel
    was compiled that calls it; the third finds both."""
    hits = "sum(double.stats.cache_hits.values()), sum(next_even.stats.cache_hits.values())"
    assert run(tmp_path, f"print(json.dumps([double(4), {hits}]))") == [8, 0, 0]
    answers = run(
        tmp_path,
        "found = [double(4), code(double), next_even(3), code(double)]",
        f"print(json.dumps([*found, {hits}]))",
    )
    assert answers == [8, False, 8, True, 1, 0]
    answers = run(tmp_path, f"print(json.dumps([next_even(3), code(next_even), {hits}]))")
    assert answers == [8, False, 0, 1]


@pytest.mark.slow
def test_scipy_comes_with_the_kernel_that_needs_it(tmp_path):
    """After one of ours SciPy's BLAS is not there; with a product in a kernel of the user's it is."""
    answers = run(
        tmp_path,
        "import numba, numpy as np",
        "there = lambda: 'scipy.linalg' in sys.modules",
        "found = [double(4), there()]",
        "product = numba.njit(lambda a, b: np.dot(a, b))(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))",
        "print(json.dumps([*found, product.tolist(), there()]))",
    )
    assert answers == [8, False, [[1, 2], [3, 4]], True]

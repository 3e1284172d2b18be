"""Convolution under the switches NGRAD_SIMD and NGRAD_WINOGRAD, each in a process of its own."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
    import numpy as np
    from autograd.kernels import conv
    rng = np.random.default_rng(0)
    for n, f, c, k, stride, groups in %s:
        o = (n + 2 - f) // stride + 1
        options = (stride,) * 2, ((1, 1),) * 2, (1, 1), groups
        arrays = [rng.standard_normal(shape) for shape in
            ((9, n, n, c), (f, f, c // groups, k), (k,), (9, o, o, k))]
        def passes(x, w, b, g):
            db = np.empty_like(b)
            yield conv.forward(x, w, b, (o, o), *options)
            yield conv.forward(x, w, b, (o, o), *options, True)
            yield conv.input_grad(g, w, (n, n), *options)
            yield conv.weight_grad(x, g, (f, f), *options)
            yield from conv.gradients(x, g, w, *options, db)
            yield db
        for exact, found in zip(passes(*arrays), passes(*(a.astype("f") for a in arrays))):
            print(np.abs(found - exact).max() / np.sqrt(np.mean(exact**2)))
"""


# images, filters, channels in and out, stride, groups: every algorithm
PASSES = 7
EVERY = [(9, 3, 20, 35, 1, 1), (9, 5, 20, 18, 1, 1), (9, 3, 70, 33, 2, 1), (9, 5, 1, 6, 1, 1)]
EVERY += [(7, 3, 17, 17, 1, 17), (9, 3, 20, 30, 1, 5), (36, 3, 3, 17, 1, 1)]
WINOGRAD = [(12, 3, 64, 64, 1, 1), (12, 5, 64, 64, 1, 1)]
RUNS = {("NGRAD_SIMD", name): EVERY for name in ("off", "plain", "neon", "avx2")}
RUNS |= {("NGRAD_WINOGRAD", name): WINOGRAD for name in ("on", "off")}


@pytest.fixture(scope="module")
def errors():
    """The largest error of each pass of these convolutions, in the output's root mean square, by switch. Two
    processes at a time, since most of what they do is to compile."""

    def run(switch):
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM % RUNS[switch])]
        environment = {**os.environ, switch[0]: switch[1]}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return np.array(done.stdout.split(), float)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(RUNS, pool.map(run, RUNS), strict=True))


def test_winograd_can_be_turned_off(errors):
    """Then sums are direct, which are closer to float64."""
    on, off = (errors["NGRAD_WINOGRAD", name].reshape(-1, PASSES)[:, :-1] for name in ("on", "off"))
    assert len(on) == len(WINOGRAD)
    assert (off < 1e-5).all()
    assert (off < on).all()
    assert (on < 2e-4).all()


@pytest.mark.parametrize("name", ["off", "plain", "neon", "avx2"])
def test_narrower_tiles(errors, name):
    """Every algorithm on every tile there is, and on plain loops."""
    found = errors["NGRAD_SIMD", name]
    assert len(found) == PASSES * len(EVERY)
    assert (found < 2e-4).all()

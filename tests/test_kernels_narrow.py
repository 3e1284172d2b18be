"""Attention and recurrence on the narrower tiles, which LLVM lowers anywhere: beside float64."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


def check(name):
    """In a process of its own, since the tile is chosen when the kernels load."""
    from autograd.kernels import simd
    from autograd.ops import attention, sequence
    from tests import test_kernels_attention as heads
    from tests import test_kernels_recurrent as units

    assert name == simd.NAME
    attention.KERNEL = sequence.KERNEL = 0
    for shape, option in ((heads.SHAPES[2], "causal"), (heads.SHAPES[3], "plain"), (heads.SHAPES[0], "mask")):
        heads.agree(heads.inputs(shape), **heads.options_of(option, shape))
    rng = np.random.default_rng(0)
    for unit in (units.of_peephole, units.of_gru, units.of_gru_before):
        op, arguments, options = unit(lambda *shape: 0.5 * rng.normal(size=shape), 17, 3, 8, 20)
        pairs = zip(*(units.results(op, arguments, options, dtype) for dtype in (np.float64, np.float32)))
        assert all(np.abs(true - got).max() <= 1e-5 * np.sqrt(np.mean(true**2)) + 1e-7 for true, got in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["avx2", "neon"])
def test_agrees_with_float64(name):
    program = f"from tests.test_kernels_narrow import check; check({name!r})"
    environment = {**os.environ, "NGRAD_SIMD": name}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()

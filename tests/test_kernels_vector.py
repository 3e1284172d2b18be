"""A large matrix times a vector, beside NumPy in float64."""

import numpy as np
import pytest

from autograd.ops.linalg import linear, matmul


def drawn(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def close(found, exact):
    assert found.dtype == np.float32 and found.shape == exact.shape
    assert np.abs(found - exact).max() < 1e-5 * np.sqrt(np.mean(exact * exact))


@pytest.mark.parametrize(("m", "n"), [(209, 12288), (211, 5003), (1, 1 << 20), (3, 400_000), (4100, 256)])
def test_products_with_a_vector(m, n):
    x, v, g = drawn(m, n), drawn(n, 1), drawn(1, m)
    close(matmul(x, v), x.astype(float) @ v)
    close(matmul(g, x), g.astype(float) @ x)
    close(matmul(x[:, ::-1], v), x[:, ::-1].astype(float) @ v)  # not in rows
    close(linear(x, v.T, np.ones(1, np.float32)), x.astype(float) @ v + 1)

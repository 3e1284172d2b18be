"""autograd.scipy: values against SciPy, derivatives against finite differences."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.special
import scipy.stats

import autograd
from autograd.scipy import integrate, linalg, signal, special, stats
from autograd.test_util import check_grads

RNG = np.random.default_rng(0)
X = RNG.uniform(0.2, 0.8, 4)
B, C = 1.5 + RNG.random((2, 4))
M = RNG.standard_normal((3, 3)) + 4 * np.eye(3)
N = RNG.standard_normal((3, 3)) + 4 * np.eye(3)

SPECIAL = [
    *[
        (n, (0,), (X,))
        for n in "gamma gammaln rgamma psi digamma factorial erf erfc erfinv erfcinv expit logit".split()
    ],
    *[(n, (0,), (X,)) for n in "j0 j1 y0 y1 i0 i1".split()],
    *[(n, (1,), (2, X)) for n in "jn yn iv ive polygamma".split()],
    ("poch", (1,), (2.0, X)),
    ("multigammaln", (0,), (B, 2)),
    *[(n, (1,), (B, X)) for n in ("gammainc", "gammaincc")],
    *[(n, (0, 1), (B, C)) for n in ("beta", "betaln")],
    ("betainc", (2,), (B, C, X)),
    ("logsumexp", (0,), (X,)),
]


@pytest.mark.parametrize(("name", "argnums", "args"), SPECIAL, ids=lambda v: v if isinstance(v, str) else "")
def test_special(name, argnums, args):
    f = getattr(special, name)
    np.testing.assert_allclose(f(*args), getattr(scipy.special, name)(*args), rtol=1e-12)
    check_grads(f, argnums, modes=["rev"])(*args)


def test_logsumexp_of_weights_and_axes():
    a, b = RNG.standard_normal((3, 4)), RNG.random((3, 4))
    for axis in (None, 0, 1):
        expected = scipy.special.logsumexp(a, axis=axis, b=b)
        np.testing.assert_allclose(special.logsumexp(a, axis, b), expected)
    np.testing.assert_allclose(
        special.logsumexp(a + 1e4, 1, keepdims=True)[:, 0], scipy.special.logsumexp(a, 1) + 1e4
    )


STATS = [
    *[("norm", n, (0, 1, 2), (X, B, C)) for n in "pdf logpdf cdf logcdf sf logsf".split()],
    *[("gamma", n, (0,), (X, B)) for n in "pdf logpdf cdf".split()],
    *[("chi2", n, (0,), (X, 3.0)) for n in "pdf logpdf cdf".split()],
    *[("beta", n, (0,), (X, B, C)) for n in "pdf logpdf cdf".split()],
    *[("poisson", n, (1,), (np.arange(4.0), B)) for n in "pmf logpmf cdf".split()],
    *[("bernoulli", n, (1,), (np.array([0.0, 1, 1, 0]), X)) for n in "pmf logpmf".split()],
    *[("t", n, (0, 2, 3), (X, B, X + 1, C)) for n in "pdf logpdf cdf logcdf".split()],
    *[("dirichlet", n, (1,), (X / X.sum(), B)) for n in "pdf logpdf".split()],
    *[("multivariate_normal", n, (0, 1), (X[:3], B[:3], M @ M.T)) for n in "pdf logpdf".split()],
]


@pytest.mark.parametrize(
    ("law", "name", "argnums", "args"), STATS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_stats(law, name, argnums, args):
    f = getattr(getattr(stats, law), name)
    np.testing.assert_allclose(f(*args), getattr(getattr(scipy.stats, law), name)(*args), rtol=1e-9)
    check_grads(f, argnums, modes=["rev"])(*args)


def test_normal_of_vectors():
    cov = M @ M.T
    entropy = scipy.stats.multivariate_normal.entropy
    np.testing.assert_allclose(stats.multivariate_normal.entropy(X[:3], cov), entropy(X[:3], cov))
    check_grads(lambda L: stats.multivariate_normal.logpdf(X[:3], B[:3], L @ L.T), modes=["rev"])(M)
    flat = np.diag([1.0, 2.0, 0.0])
    x = np.array([0.5, 1.0, 0.0])
    expected = scipy.stats.multivariate_normal.logpdf(x, np.zeros(3), flat, allow_singular=True)
    np.testing.assert_allclose(stats.multivariate_normal.logpdf(x, np.zeros(3), flat, True), expected)
    assert stats.norm.rvs(size=3).shape == (3,)


BAND = RNG.standard_normal((3, 4)) + np.array([[0.0], [5.0], [0.0]])
LINALG = {
    "sqrtm": (linalg.sqrtm, (0,), (M @ M.T,)),
    "solve_sylvester": (linalg.solve_sylvester, (0, 1, 2), (M, N, RNG.standard_normal((3, 3)))),
    "lower": (lambda a, b: linalg.solve_triangular(a, b, lower=True), (0, 1), (M, X[:3])),
    "upper": (linalg.solve_triangular, (0, 1), (M, N)),
    "transposed": (lambda a, b: linalg.solve_triangular(a, b, trans="T"), (0, 1), (M, N)),
    "banded": (lambda a, b: linalg.solve_banded((1, 1), a, b), (0, 1), (BAND, X)),
}


@pytest.mark.parametrize("name", LINALG)
def test_linalg(name):
    f, argnums, args = LINALG[name]
    check_grads(f, argnums, modes=["rev"])(*args)


def test_linalg_has_the_rest_of_scipy():
    assert linalg.expm is scipy.linalg.expm
    with pytest.raises(ValueError, match="conjugate"):
        autograd.grad(lambda a: np.sum(linalg.solve_triangular(a, X[:3], trans="C")))(M)


@pytest.mark.parametrize("mode", ["full", "valid", "same"])
def test_convolve(mode):
    a, b = RNG.standard_normal((5, 4)), RNG.standard_normal((3, 2))
    np.testing.assert_allclose(signal.convolve(a, b, mode=mode), scipy.signal.convolve(a, b, mode))
    check_grads(lambda a, b: signal.convolve(a, b, mode=mode), (0, 1))(a, b)
    one = signal.convolve(a, b, axes=([0], [0]), dot_axes=([], []), mode=mode)
    np.testing.assert_allclose(one[1, 0], np.convolve(a[:, 1], b[:, 0], mode))
    dotted = signal.convolve(a, a[:2], axes=([0], [0]), dot_axes=([1], [1]), mode=mode)
    np.testing.assert_allclose(dotted, sum(np.convolve(a[:, k], a[:2, k], mode) for k in range(4)))


def test_convolve_refuses_a_mode():
    with pytest.raises(ValueError, match="circular"):
        signal.convolve(X, X, mode="circular")


def test_odeint():
    """y' = -k y: y = y0 exp(-k t), dy/dy0 = exp(-k t), dy/dk = -t y."""
    t, y0, k = np.array([0.0, 0.5, 1.2]), np.array([2.0]), 0.7
    run = lambda y0, t, k: integrate.odeint(lambda y, t, k: -k * y, y0, t, (k,), rtol=1e-10, atol=1e-10)[
        -1, 0
    ]
    np.testing.assert_allclose(run(y0, t, k), 2 * np.exp(-k * 1.2), rtol=1e-7)
    of_y, of_t, of_k = autograd.grad(run, (0, 1, 2))(y0, t, k)
    np.testing.assert_allclose(of_y, [np.exp(-k * 1.2)], rtol=1e-6)
    np.testing.assert_allclose(of_k, -1.2 * 2 * np.exp(-k * 1.2), rtol=1e-6)
    np.testing.assert_allclose(of_t[-1], -k * 2 * np.exp(-k * 1.2), rtol=1e-6)


def test_without_scipy_one_line_says_what_to_install():
    code = "import sys; sys.modules['scipy'] = None; import autograd.scipy.stats"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        'ImportError: autograd.scipy needs SciPy: pip install "ngrad[scipy]"'
    )


@pytest.mark.parametrize(
    ("law", "args", "slope"),
    [
        ("gamma", (2.5,), 1.5 / 0.3 - 1.0),
        ("gamma", (1.0,), -1.0),  # the exponential law: 0 log(0) at its end
        ("chi2", (4.0,), 1.0 / 0.3 - 0.5),
        ("beta", (2.0, 3.0), 1.0 / 0.3 - 2.0 / 0.7),
        ("beta", (1.0, 1.0), 0.0),  # the uniform law
    ],
)
def test_off_the_support(law, args, slope):
    """The density is 0 there, as SciPy's own values say, and so is the derivative."""
    x = np.array([-0.2, 0.0, 0.3, 1.0, 1.7])
    ours, scipys = getattr(stats, law), getattr(scipy.stats, law)
    with np.errstate(divide="ignore"):
        for name in ("logpdf", "pdf", "cdf"):
            np.testing.assert_allclose(getattr(ours, name)(x, *args), getattr(scipys, name)(x, *args))
    found = autograd.elementwise_grad(lambda x: ours.logpdf(x, *args))(x[[0, 2]])
    np.testing.assert_allclose(found, [0.0, slope], atol=1e-12)

"""Rows of what is composed for calculus, polynomials, np.linalg and np.fft."""

import numpy as np

from .cases_elementwise import apart, between, complexes, normal
from .cases_matrix import definite, distinct, tall
from .numpy_rows import X, rows, there


def ascending(*sizes):
    return lambda rng: tuple(np.cumsum(rng.uniform(0.5, 1.5, n)) for n in sizes)


CALCULUS = [
    *rows(
        "np.diff",
        normal((2, 4), (2, 1)),
        lambda x, y: np.diff(x),
        lambda x, y: np.diff(x, 2, axis=0),
        lambda x, y: np.diff(x, n=2),
        lambda x, y: np.diff(x, prepend=y, append=0.0),
        lambda x, y: np.diff(x, n=0),
    ),
    *rows(
        "np.unwrap",
        lambda rng: (np.cumsum(rng.uniform(-4.0, 4.0, (3, 5)), axis=1),),
        np.unwrap,
        lambda p: np.unwrap(p, axis=0, discont=4.0),
        lambda p: np.unwrap(p, period=1.5),
    ),
    *rows(
        "np.ediff1d", normal((2, 3), (2,)), lambda x, y: np.ediff1d(x), lambda x, y: np.ediff1d(x, y, y[0])
    ),
    *rows(
        "np.gradient",
        lambda rng: (*normal((3, 4))(rng), *ascending(3, 4)(rng)),
        lambda f, x, y: np.gradient(f),
        lambda f, x, y: np.gradient(f, axis=1, edge_order=2),
        lambda f, x, y: np.gradient(f, 0.5),
        lambda f, x, y: np.gradient(f, x, y),
        lambda f, x, y: np.gradient(f, 2.0, y, edge_order=2),
        lambda f, x, y: np.gradient(f[0], y),
        lambda f, x, y: np.gradient(f[:, 0], x, axis=0, edge_order=2),
    ),
    *rows(
        "np.trapezoid",
        lambda rng: (*normal((3, 4))(rng), *ascending(4)(rng), *normal((3, 4))(rng)),
        lambda f, x, y: np.trapezoid(f),
        lambda f, x, y: np.trapezoid(f, x),
        lambda f, x, y: np.trapezoid(f.T, x, axis=0),
        lambda f, x, y: np.trapezoid(f, y, axis=0),
        lambda f, x, y: np.trapezoid(f, dx=0.5),
    ),
    *rows(
        "np.cumulative_sum",
        X,
        lambda x: np.cumulative_sum(x, axis=1),
        lambda x: np.cumulative_sum(x, axis=-1, include_initial=True),
    ),
    *rows(
        "np.cumulative_prod",
        X,
        lambda x: np.cumulative_prod(x, axis=1),
        lambda x: np.cumulative_prod(x[0, 0], include_initial=True),
    ),
    *rows(
        "np.linspace",
        normal((), ()),
        lambda a, b: np.linspace(a, b, 5),
        lambda a, b: np.linspace(a, b, 4, endpoint=False, retstep=True),
    ),
    *rows("np.linspace", normal((2,), (3, 1)), lambda a, b: np.linspace(a, b, 3, axis=-1)),
    *rows(
        "np.logspace",
        normal((), (2,)),
        lambda a, b: np.logspace(a, b, 3),
        lambda a, b: np.logspace(a, b, 3, base=2.0),
    ),
    *rows(
        "np.geomspace",
        between(0.5, 2.0, (), (2,)),
        lambda a, b: np.geomspace(a, b, 4),
        lambda a, b: np.geomspace(-a, -b, 3),
    ),
    *rows(
        "np.interp",
        lambda rng: (rng.uniform(0.6, 4.0, (2, 3)), *ascending(4)(rng), *normal((4,))(rng)),
        np.interp,
        lambda x, xp, fp: np.interp(2 * x - 2.0, xp, fp, left=-1.0, right=2.0),
        lambda x, xp, fp: np.interp(3 * x, xp, fp, period=5.0),
        lambda x, xp, fp: np.interp(x, xp[:1], fp[:1]) + xp[0],
        wide=True,
    ),
    *(
        row
        for n, m in [(5, 3), (5, 2), (4, 4), (2, 5), (3, 6), (1, 3)]
        for mode in ("full", "same", "valid")
        for name in ("convolve", "correlate")
        for row in rows(
            f"np.{name}", normal((n,), (m,)), lambda a, v, name=name, k=mode: getattr(np, name)(a, v, k)
        )
    ),
    *rows("np.correlate", complexes((4,), (3,)), lambda a, v: np.correlate(a, v, "same")),
]

POLYNOMIAL = [
    *rows("np.polyval", normal((3,), (2, 2)), np.polyval),
    *rows("np.polyadd", normal((3,), (2,)), np.polyadd),
    *rows("np.polysub", normal((2,), (4,)), np.polysub),
    *rows("np.polymul", normal((3,), (2,)), np.polymul),
    *rows(
        "np.polydiv",
        between(0.5, 1.5, (4,), (2,)),
        np.polydiv,
        lambda u, v: np.polydiv(v, u),
        lambda u, v: np.polydiv(u, v[:1]),
    ),
    *rows("np.polyder", normal((4,)), np.polyder, lambda p: np.polyder(p, 2)),
    *rows("np.polyint", normal((3,), (2,)), lambda p, k: np.polyint(p), lambda p, k: np.polyint(p, 2, k)),
    *rows(
        "np.polyfit",
        lambda rng: (*ascending(6)(rng), *normal((6,))(rng), *between(0.5, 1.5, (6,))(rng)),
        lambda x, y, w: np.polyfit(x, y, 2),
        lambda x, y, w: np.polyfit(x, y, 1, w=w),
        lambda x, y, w: np.polyfit(x, np.stack([y, w], 1), 2),
    ),
    *rows("np.poly", apart((3,)), np.poly),
    *rows("np.poly", distinct((2, 2)), np.poly),
    *rows(
        "np.roots", lambda rng: (np.array([1.0, -3.1, 1.2]),), np.roots, lambda p: np.roots(np.pad(p, (0, 1)))
    ),
]


def solvable(rng):
    a = rng.standard_normal((3, 3)) + 3.0 * np.eye(3)
    return a, rng.standard_normal(3), rng.standard_normal((3, 2))


def space(columns):
    """The projection onto the space of columns, which does not depend on their choice."""
    return np.matmul(columns, np.conj(np.swapaxes(columns, -1, -2)))


NORMS = [None, 1, -1, 2, -2, np.inf, -np.inf]
LINALG = [
    *rows("np.linalg.slogdet", distinct((2, 3, 3)), np.linalg.slogdet),
    *rows(
        "np.linalg.solve",
        solvable,
        lambda a, b, c: np.linalg.solve(a, b),
        lambda a, b, c: np.linalg.solve(a, c),
    ),
    *rows("np.linalg.solve", solvable, lambda a, b, c: np.linalg.solve(np.stack([a, a + 1.0]), b)),
    *rows(
        "np.linalg.cholesky",
        tall(3, 3),
        lambda x: np.linalg.cholesky(x @ x.T),
        lambda x: np.linalg.cholesky(x @ x.T, upper=True),
    ),
    *rows(
        "np.linalg.cholesky",
        definite((2, 2)),
        lambda a: np.linalg.cholesky(np.tril(a)),
        lambda a: np.linalg.cholesky(np.triu(a), upper=True),
    ),
    *rows(
        "np.linalg.eigh",
        definite((3, 3)),
        lambda a: np.linalg.eigh(a + a.T),
        lambda a: np.linalg.eigh(np.triu(a), "U"),
    ),
    *rows("np.linalg.eigvalsh", definite((2, 2), 1j), lambda a: np.linalg.eigvalsh(a + np.conj(a.T))),
    *rows("np.linalg.eig", distinct((3, 3)), np.linalg.eig),
    *rows("np.linalg.eigvals", normal((3, 3)), lambda a: np.linalg.eigvals(a)),
    *rows(
        "np.linalg.svd",
        tall(3, 2),
        lambda a: np.linalg.svd(a, full_matrices=False),
        lambda a: np.linalg.svd(a[:2]),
        lambda a: np.linalg.svd(a, compute_uv=False),
    ),
    *rows(
        "np.linalg.svd",
        tall(2, 4, 2),
        lambda a: np.linalg.svd(a)[1],
        lambda a: space(np.linalg.svd(a)[0][..., 2:]),
        lambda a: space(np.linalg.svd(np.swapaxes(a, 1, 2))[2].swapaxes(1, 2)[..., 2:]),
    ),
    *rows("np.linalg.svd", complexes((4, 2)), lambda a: np.abs(space(np.linalg.svd(a)[0][..., 2:]))),
    *rows("np.linalg.svd", complexes((2, 4)), lambda a: np.abs(space(np.conj(np.linalg.svd(a)[2].T)[:, 2:]))),
    *rows("np.linalg.svdvals", tall(2, 3, 2), np.linalg.svdvals),
    *rows("np.linalg.svdvals", lambda rng: (*complexes((2, 3))(rng),), np.linalg.svdvals),
    *rows(
        "np.linalg.qr",
        tall(3, 3),
        np.linalg.qr,
        lambda a: np.linalg.qr(a[:2]),
        lambda a: np.linalg.qr(a[:2], "complete"),
        lambda a: np.linalg.qr(a[:, :2], "r"),
        lambda a: np.linalg.qr(a[:, :2], "complete"),
        lambda a: space(np.linalg.qr(a[:, :1], "complete")[0][:, 1:]),
    ),
    *rows("np.linalg.qr", complexes((4, 2)), lambda a: np.abs(space(np.linalg.qr(a, "complete")[0][:, 2:]))),
    *rows("np.linalg.pinv", tall(3, 2), np.linalg.pinv, lambda a: np.linalg.pinv(a, rtol=1e-9)),
    *rows(
        "np.linalg.vector_norm",
        apart((2, 3)),
        *(lambda x, p=p: np.linalg.vector_norm(x, ord=p) for p in (1, 2, 3, 0.5, -1, np.inf, -np.inf)),
    ),
    *rows(
        "np.linalg.vector_norm", complexes((2, 3)), lambda x: np.linalg.vector_norm(x, axis=0, keepdims=True)
    ),
    *rows(
        "np.linalg.matrix_norm",
        normal((2, 2, 3)),
        *(lambda x, p=p: np.linalg.matrix_norm(x, ord=p) for p in (*NORMS[1:], "fro", "nuc")),
    ),
    *rows(
        "np.linalg.matrix_norm", normal((2, 2, 3)), lambda x: np.linalg.matrix_norm(x, keepdims=True, ord=2)
    ),
    *rows(
        "np.linalg.norm",
        normal((3, 2)),
        *(lambda x, p=p: np.linalg.norm(x, p) for p in (*NORMS, "fro", "nuc")),
    ),
    *rows(
        "np.linalg.norm",
        normal((3, 2)),
        *(lambda x, p=p: np.linalg.norm(x, p, axis=0, keepdims=True) for p in (*NORMS, 3)),
    ),
    *rows(
        "np.linalg.norm",
        normal((2, 3, 2)),
        np.linalg.norm,
        *(lambda x, p=p: np.linalg.norm(x, p, axis=(2, 0), keepdims=True) for p in (*NORMS, "nuc")),
    ),
    *rows(
        "np.linalg.cond", distinct((3, 3)), *(lambda x, p=p: np.linalg.cond(x, p) for p in (*NORMS, "fro"))
    ),
    *rows(
        "np.linalg.matrix_power",
        distinct((2, 2)),
        *(lambda x, n=n: np.linalg.matrix_power(x, n) + x for n in (-3, -1, 0, 1, 2, 5)),
    ),
    *rows(
        "np.linalg.multi_dot",
        normal((2, 3), (3, 4), (4, 2)),
        lambda *a: np.linalg.multi_dot(a),
        lambda a, b, c: np.linalg.multi_dot([a[0], b, c[:, 0]]),
    ),
    *rows("np.linalg.multi_dot", normal((2, 5), (5, 2), (2, 3), (3, 2)), lambda *a: np.linalg.multi_dot(a)),
    *rows(
        "np.linalg.lstsq",
        lambda rng: (*tall(4, 2)(rng), *normal((4,), (4, 3))(rng)),
        lambda a, b, c: np.linalg.lstsq(a, b),
        lambda a, b, c: np.linalg.lstsq(a, c),
        lambda a, b, c: np.linalg.lstsq(a.T, b[:2]),
    ),
    *rows(
        "np.linalg.tensorinv", lambda rng: (distinct((6, 6))(rng)[0].reshape(2, 3, 6),), np.linalg.tensorinv
    ),
    *rows(
        "np.linalg.tensorsolve",
        lambda rng: (distinct((6, 6))(rng)[0].reshape(2, 3, 6), *normal((2, 3))(rng)),
        np.linalg.tensorsolve,
    ),
    *rows(
        "np.linalg.tensorsolve",
        lambda rng: (distinct((6, 6))(rng)[0].reshape(2, 6, 3), *normal((2, 3))(rng)),
        lambda a, b: np.linalg.tensorsolve(a, b, axes=(1,)),
    ),
]

FFT = [
    *(
        row
        for name in ("fft2", "ifft2", "fftn", "ifftn", "irfft2", "irfftn", "hfft")
        for f in [getattr(np.fft, name)]
        for row in rows(f"np.fft.{name}", complexes((2, 3, 3)), f, lambda x, f=f: f(x, norm="ortho"))
    ),
    *(
        row
        for name in ("rfft2", "rfftn", "ihfft")
        for f in [getattr(np.fft, name)]
        for row in rows(f"np.fft.{name}", normal((2, 3, 4)), f, lambda x, f=f: f(x, norm="forward"))
    ),
    *rows("np.fft.fftn", complexes((2, 3)), lambda x: np.fft.fftn(x, s=(3, 2), axes=(0, 1))),
    *rows("np.fft.irfftn", complexes((2, 3)), lambda x: np.fft.irfftn(x, s=(3, 5), axes=(1, 0))),
    *rows("np.fft.hfft", complexes((3, 2)), lambda x: np.fft.hfft(x, 5, axis=0)),
    *rows("np.fft.fftshift", normal((3, 4)), np.fft.fftshift, lambda x: np.fft.fftshift(x, axes=0)),
    *rows("np.fft.ifftshift", normal((3, 4)), np.fft.ifftshift, lambda x: np.fft.ifftshift(x, axes=(-1,))),
]

ROWS = there([*CALCULUS, *POLYNOMIAL, *LINALG, *FFT])

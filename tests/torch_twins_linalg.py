"""The twins (see torch_twins.py) of products, np.linalg and np.fft; and by reason the functions that have no
twin in PyTorch."""

import numpy as np

from .torch_twins import Twin, along, call, complexes, first, some
from .torch_twins_shapes import shapes

# ---- products


def pairs(*shapes_, make=some):
    return [call(make(*s), make(*t)) for s, t in shapes_]


PRODUCTS = [
    shapes("np.dot", "dot", *pairs(((3,), (3,)), ((0,), (0,))), *pairs(((2,), (2,)), make=complexes)),
    shapes("np.vdot", "vdot", *pairs(((3,), (3,)), ((0,), (0,))), *pairs(((2,), (2,)), make=complexes)),
    shapes(
        "np.inner",
        "inner",
        *pairs(((3,), (3,)), ((2, 3), (4, 3)), ((), (2, 3)), ((2, 0), (3, 0)), ((0, 2), (2,))),
        *pairs(((2, 2), (2,)), make=complexes),
    ),
    shapes(
        "np.outer",
        "outer",
        *pairs(((3,), (2,)), ((0,), (2,)), ((1,), (1,))),
        *pairs(((2,), (3,)), make=complexes),
    ),
    shapes(
        "np.linalg.outer",
        "outer",
        *pairs(((3,), (2,)), ((0,), (2,)), ((1,), (1,))),
        *pairs(((2,), (3,)), make=complexes),
    ),
    shapes(
        "np.matvec",
        "mv",
        *pairs(((2, 3), (3,)), ((0, 3), (3,)), ((2, 0), (0,))),
        *pairs(((2, 3), (3,)), make=complexes),
    ),
    shapes(
        "np.kron",
        "kron",
        *pairs(((2, 3), (2, 1)), ((2,), (3, 2)), ((), (2, 3)), ((2, 1, 3), (2, 2)), ((0, 2), (2, 2))),
        *pairs(((2,), (2,)), make=complexes),
    ),
    *(
        shapes(
            name,
            name.removeprefix("np."),
            *pairs(((2, 3), (3, 2)), ((5, 1, 2, 3), (4, 3, 2)), ((2, 0), (0, 3)), ((0, 2), (2, 3)), *more),
            *pairs(((2, 3), (3, 2)), ((2, 2, 2), (2, 2)), make=complexes),
        )
        for name, more in [
            ("np.matmul", [((3,), (3,)), ((3,), (4, 3, 2)), ((4, 2, 3), (3,))]),
            ("np.linalg.matmul", []),
        ]
    ),
    *(
        shapes(
            name,
            "tensordot",
            call(some(2, 3, 4), some(4, 3, 2), dims=1),
            call(some(2, 3, 4), some(4, 3, 2), dims=([1, -1], [-2, 0])),
            call(some(2), some(3), dims=0),
            call(some(0, 2), some(2, 3), dims=1),
            call(complexes(2, 2), complexes(2, 2), dims=2),
        )
        for name in ("np.tensordot", "np.linalg.tensordot")
    ),
    *(
        shapes(
            name,
            "linalg.vecdot",
            call(some(2, 3), some(3)),
            call(some(2, 0), some(0)),
            call(complexes(2, 3), complexes(3)),
            *more,
        )
        for name, more in [
            ("np.vecdot", []),
            ("np.linalg.vecdot", [call(some(2, 3), some(2, 1), dim=k) for k in (0, -2)]),
        ]
    ),
    shapes(
        "np.cross",
        "cross",
        *(
            call(some(*s), some(*t), dim=k)
            for s, t, k in [((2, 3), (2, 3), 1), ((3, 2), (3, 2), -2), ((0, 3), (0, 3), -1)]
        ),
        call(complexes(3), complexes(3), dim=0),
        ours=lambda f, a, b, dim=-1: f(a, b, axis=dim),
    ),
    shapes(
        "np.linalg.cross",
        "linalg.cross",
        call(some(2, 3), some(1, 3)),
        call(some(3, 2), some(3, 1), dim=0),
        call(some(0, 3), some(0, 3)),
        call(complexes(1, 3), complexes(2, 3)),
    ),
    shapes(
        "np.einsum",
        "einsum",
        *(
            call(labels, some(2, 2, 3))
            for labels in ("...i->...", "iij->j", "iij", "i...->...", "ijk->kij", "abc->")
        ),
        *(
            call(labels, some(2, 3), some(3, 4))
            for labels in ("ij,jk", "ij,jk->", "...j,jk->...k", "ab,bc->ca", "ij,kl->k")
        ),
        call("...ij,...jk->...ik", some(5, 1, 2, 3), some(4, 3, 2)),
        call("ij,jk,kl->il", some(2, 3), some(3, 4), some(4, 2)),
        call("ij,ij->", some(0, 3), some(0, 3)),
        call(",ij->ji", some(), some(2, 3)),
        call("i,i->i", complexes(3), some(3)),
        call(some(2, 3), [0, 1], some(3, 2), [1, 2], [0, 2]),
        call(some(2, 3, 3), [..., 0, 0]),
    ),
    shapes(
        "np.trace",
        "trace",
        *(call(some(*s)) for s in [(3, 3), (2, 3), (0, 3), (1, 1)]),
        call(complexes(2, 2)),
    ),
    shapes(
        "np.linalg.trace",
        "trace",
        *(call(some(*s)) for s in [(3, 3), (2, 3), (0, 3), (1, 1)]),
        call(complexes(2, 2)),
    ),
]

# ---- np.linalg


def square(*shape, imaginary=0.0):
    a = some(*shape) + 3.0 * np.eye(shape[-1])
    return a + imaginary * 1j * some(*shape) if imaginary else a


def positive(*shape, imaginary=0.0):
    a = square(*shape, imaginary=imaginary)
    return a @ np.conj(np.swapaxes(a, -1, -2))


SQUARE = [(3, 3), (1, 1), (2, 3, 3), (0, 2, 2), (0, 0), (2, 0, 0)]
WITH_VALUES = SQUARE[:4]  # neither defines the largest of no values
RECTANGLES = [(4, 2), (2, 4), (3, 3), (2, 3, 2), (1, 3), (0, 3, 2)]
REGULAR = [call(square(*s)) for s in SQUARE] + [call(square(3, 3, imaginary=1.0))]
HERMITIAN = [call(positive(*s)) for s in SQUARE] + [call(positive(3, 3, imaginary=1.0))]
WIDE_AND_TALL = [call(some(*s)) for s in RECTANGLES] + [call(complexes(4, 2)), call(complexes(2, 3, 3))]
ORDERS = ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]


def without_signs(y):
    """Of factors what does not depend on the signs, or phases, of columns."""
    return [abs(part) for part in y]


def of_hermitian_part(f, a, **options):
    """PyTorch's gradient of a complex matrix has a part that no Hermitian matrix can follow."""
    return f(0.5 * (a + np.conj(a.mT)), **options)


def its_twin(torch, a, **options):
    return torch.linalg.cholesky(0.5 * (a + a.mH), **options)


def factors(torch, a, mode="reduced"):
    """PyTorch's mode 'r' has no derivative."""
    return torch.linalg.qr(a)[1] if mode == "r" else torch.linalg.qr(a, mode)


def leading(y):
    """Of singular vectors what does not depend on signs, phases, and the basis that completes them."""
    u, s, vh = y
    k = s.shape[-1]
    return abs(u[..., :k]), s, abs(vh[..., :k, :])


def values_and_sizes(y):
    return y[0], abs(y[1])


def condition(torch, x, p=None):
    if p in (None, 2, -2):
        return torch.linalg.cond(x, p)
    return torch.linalg.matrix_norm(x, p) * torch.linalg.matrix_norm(torch.linalg.inv(x), p)


def of_moved(f, x, ord="fro", dim=(-2, -1), keepdim=False):
    """NumPy's takes the last two axes."""
    return f(np.moveaxis(x, dim, (-2, -1)), ord=ord, keepdims=keepdim)


def keywords(f, x, ord=2, dim=None, keepdim=False):
    return f(x, ord=ord, axis=tuple(dim) if isinstance(dim, list) else dim, keepdims=keepdim)


def positions(f, x, ord=None, dim=None, keepdim=False):
    return f(x, ord, tuple(dim) if isinstance(dim, list) else dim, keepdim)


LINALG = [
    shapes("np.linalg.inv", "linalg.inv", *REGULAR),
    shapes("np.linalg.det", "linalg.det", *REGULAR),
    shapes("np.linalg.slogdet", "linalg.slogdet", *REGULAR),
    shapes(
        "np.linalg.cholesky",
        "linalg.cholesky",
        *HERMITIAN,
        call(positive(2, 2), upper=True),
        ours=of_hermitian_part,
        instead=its_twin,
    ),
    shapes("np.linalg.eigh", "linalg.eigh", *HERMITIAN, call(positive(2, 2), "U"), both=values_and_sizes),
    shapes("np.linalg.eigvalsh", "linalg.eigvalsh", *HERMITIAN, call(positive(2, 2), "U")),
    shapes("np.linalg.eig", "linalg.eig", *REGULAR[:4], REGULAR[6], both=values_and_sizes),
    shapes("np.linalg.eigvals", "linalg.eigvals", *REGULAR[:4], REGULAR[6]),
    shapes(
        "np.linalg.svd",
        "linalg.svd",
        *(call(*a, full_matrices=False) for a, _ in WIDE_AND_TALL),
        call(some(4, 2)),
        call(complexes(2, 3)),
        call(some(2, 2, 3)),
        both=leading,
    ),
    shapes("np.linalg.svdvals", "linalg.svdvals", *WIDE_AND_TALL),
    shapes(
        "np.linalg.qr",
        "linalg.qr",
        *WIDE_AND_TALL,
        call(some(3, 3), "r"),
        call(some(2, 4), "r"),
        call(some(2, 4), "complete"),
        instead=factors,
        both=without_signs,
    ),
    shapes("np.linalg.pinv", "linalg.pinv", *WIDE_AND_TALL),
    shapes(
        "np.linalg.matrix_power",
        "linalg.matrix_power",
        *(call(square(*s), n) for s in WITH_VALUES for n in (-2, -1, 0, 1, 3)),
        call(square(2, 2, imaginary=1.0), -3),
    ),
    shapes(
        "np.linalg.cond",
        "linalg.cond",
        *(call(square(*s), p) for s in WITH_VALUES[:3] for p in [None, *ORDERS]),
        call(some(4, 2)),
        call(square(2, 2, imaginary=1.0)),
        instead=condition,
    ),
    shapes(
        "np.linalg.matrix_norm",
        "linalg.matrix_norm",
        *(call(some(*s), p, keepdim=keep) for s in RECTANGLES for p in ORDERS for keep in (False, True)),
        call(complexes(2, 3), "nuc"),
        call(complexes(2, 3), 1),
        call(some(2, 3, 4), 2, (0, -1)),
        ours=of_moved,
    ),
    shapes(
        "np.linalg.vector_norm",
        "linalg.vector_norm",
        *(
            call(some(2, 3, 2), p, dim=k, keepdim=keep)
            for p in (1, 2, 3, 0.5, -1, -2, np.inf, -np.inf)
            for k in (None, 0, -1, (0, -1))
            for keep in (False, True)
        ),
        call(some()),
        call(some(0, 3)),
        call(some(0, 3), dim=0),
        call(np.zeros(3)),
        call(complexes(2, 3)),
        call(complexes(3), 3),
        call(np.array([2.0, -2.0, 0.0]), np.inf),
        ours=keywords,
    ),
    shapes(
        "np.linalg.norm",
        "linalg.norm",
        *(call(some(3), p) for p in (None, 1, 2, 3.5, -1, np.inf, -np.inf)),
        *(call(some(3, 2), p) for p in ORDERS),
        *(call(some(2, 3, 2), 1, k, keep) for k in (0, -1, (0, -1), (-1, 1)) for keep in (False, True)),
        call(some(2, 3, 2)),
        call(some()),
        call(some(0)),
        call(some(0, 3)),
        call(complexes(2, 2)),
        ours=positions,
    ),
    shapes(
        "np.linalg.solve",
        "linalg.solve",
        call(square(3, 3), some(3)),
        call(square(3, 3), some(3, 2)),
        call(square(2, 3, 3), some(3, 1)),
        call(square(3, 3), some(2, 3, 1)),
        call(square(0, 2, 2), some(0, 2, 1)),
        call(square(2, 2), some(2, 0)),
        call(square(2, 2, imaginary=1.0), complexes(2, 1)),
    ),
    shapes(
        "np.linalg.lstsq",
        "linalg.lstsq",
        call(some(4, 2), some(4, 3)),
        call(some(3, 3), some(3, 1)),
        call(complexes(4, 2), complexes(4, 1)),
        both=first,
        ours=lambda f, a, b, rcond=None, driver=None: (
            [
                np.stack(
                    [
                        f(x[0], y)[0]
                        for x, y in zip(np.broadcast_to(a, (*b.shape[:-2], *a.shape[-2:]))[:, None], b)
                    ]
                )
            ]
            if b.ndim > 2
            else f(a, b)
        ),
    ),
    shapes(
        "np.linalg.multi_dot",
        "linalg.multi_dot",
        call([some(2, 3), some(3, 4), some(4, 2)]),
        call([some(3), some(3, 4), some(4)]),
        call([some(0, 3), some(3, 2)]),
        call([complexes(2, 2), complexes(2)]),
    ),
    shapes(
        "np.linalg.tensorinv",
        "linalg.tensorinv",
        call(some(2, 3, 6), ind=2),
        call(some(6, 2, 3), ind=1),
        call(complexes(4, 2, 2), ind=1),
    ),
    shapes(
        "np.linalg.tensorsolve",
        "linalg.tensorsolve",
        call(some(2, 3, 6), some(2, 3)),
        call(some(2, 6, 3), some(2, 3), dims=(1,)),
        call(complexes(4, 2, 2), complexes(4)),
    ),
    shapes(
        "np.cov",
        "cov",
        call(some(3, 5)),
        call(some(5)),
        call(some(3, 5), correction=0),
        call(some(2, 4), fweights=np.array([1, 2, 1, 3]), aweights=some(4, low=0.5, high=1.5)),
        call(complexes(2, 4)),
        ours=lambda f, x, correction=1, **weights: f(x, ddof=correction, **weights),
    ),
    shapes("np.corrcoef", "corrcoef", call(some(3, 5)), call(complexes(2, 4)), call(some(5))),
]

# ---- np.fft


def transform(name, several, make, norms=("backward", "ortho", "forward")):
    x = make(3, 4, 5)
    if several == 2:
        edges = [call(x, norm=n) for n in norms] + [call(x, (3, 6), dim=(0, -1)), call(x, dim=(-1, 0))]
    elif several:
        edges = [call(x, norm=n) for n in norms] + [
            call(x, (3, 6), dim=(0, -1)),
            call(x, dim=(1,)),
            call(make(3), (4,)),
        ]
    else:
        edges = (
            [call(x, norm=n) for n in norms]
            + [call(x, n, k) for n in (3, 4, 7) for k in (0, -1, -2)]
            + [call(make(3), 1)]
        )
    if name in ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn"):
        edges += [call(some(3, 4, 5))]
    return Twin(f"np.fft.{name}", f"fft.{name}", tuple(edges), ours=(on_axes if several else None))


def on_axes(f, x, s=None, dim=None, norm=None):
    dims = {} if dim is None else {"axes": tuple(dim)}
    if s is not None and dim is None:
        dims = {"axes": tuple(range(-len(s), 0))}
    return f(x, s, norm=norm, **dims)


def shifted(f, x, dim=None):
    return f(x, dim)


FFT = [
    *(
        transform(f"{inverse}fft{n or ''}", {"": 0, "2": 2, "n": 3}[n], complexes)
        for inverse in ("", "i", "ir")
        for n in ("", "2", "n")
    ),
    *(transform(f"rfft{n}", {"": 0, "2": 2, "n": 3}[n], some) for n in ("", "2", "n")),
    transform("hfft", 0, complexes),
    transform("ihfft", 0, some),
    *(
        along(f"np.fft.{name}", f"fft.{name}", ours=shifted, zero_d=False)
        for name in ("fftshift", "ifftshift")
    ),
]

TWINS = [*PRODUCTS, *LINALG, *FFT]

NO_TWIN = {
    "PyTorch has no such function": """
        apply_along_axis apply_over_axes astype average block cbrt choose convolve correlate delete divmod
        ediff1d geomspace insert interp intersect1d modf nancumprod nancumsum nanmax nanmin nanprod nanstd
        nanvar partition piecewise poly polyadd polyder polydiv polyfit polyint polymul polysub polyval ptp
        real_if_close resize rollaxis roots setdiff1d setxor1d sort_complex trim_zeros union1d unique_all
        unique_inverse unique_values unwrap vecmat
    """,
    "it has no derivative there": "bincount linspace logspace unique",
    "it takes one index along an axis": "select",
}

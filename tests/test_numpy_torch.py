"""NumPy's functions on tensors against PyTorch: the same float64 inputs give the same values and gradients to
1e-7, also of 0-d, empty, broadcast and non-contiguous inputs and along negative axes."""

import numpy as np
import pytest

from autograd.ops import special
from autograd.tensor import wrap


def compare(torch, ours, theirs, arrays):
    """Values, and the gradients from one fixed cotangent."""
    tensors = [wrap(a).requires_grad_() for a in arrays]
    others = [torch.tensor(a, requires_grad=True) for a in arrays]
    mine, other = several(ours(np, *tensors)), several(theirs(torch, *others))
    rng = np.random.default_rng(1)
    total, reference = 0.0, 0.0
    for y, z in zip(mine, other, strict=True):
        assert y.shape == tuple(z.shape)
        close(y.numpy(), z.detach().resolve_conj().numpy())
        g = rng.standard_normal(y.shape)
        if y.requires_grad:
            total = total + np.sum(np.real(y * g) if y.dtype.kind == "c" else y * g)
            reference = reference + torch.real(z * torch.tensor(g)).sum()
    total.backward()
    reference.backward()
    for t, u in zip(tensors, others, strict=True):
        assert (t.grad is None) == (u.grad is None)
        if t.grad is not None:
            close(t.grad.numpy(), u.grad.resolve_conj().numpy())


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def several(y):
    return list(y) if isinstance(y, (tuple, list)) else [y]


def spread(a):
    """The same values in memory that is not contiguous."""
    return np.repeat(a, 2, -1)[..., ::2] if a.ndim else a


def inputs(low, high, *shapes):
    rng = np.random.default_rng(0)
    return [spread(rng.uniform(low, high, shape)) for shape in shapes]


UNARY = {
    "arcsinh": ("asinh", -2, 2),
    "arccosh": ("acosh", 1.1, 3),
    "arctanh": ("atanh", -0.9, 0.9),
    "exp2": ("exp2", -2, 2),
    "log2": ("log2", 0.2, 3),
    "log10": ("log10", 0.2, 3),
    "deg2rad": ("deg2rad", -90, 90),
    "rad2deg": ("rad2deg", -2, 2),
    "sinc": ("sinc", -3, 3),
    "i0": ("i0", -2, 2),
    "fabs": ("abs", -2, 2),
    "log1p": ("log1p", -0.5, 2),
    "expm1": ("expm1", -2, 2),
    "tanh": ("tanh", -2, 2),
    "arctan": ("atan", -2, 2),
    "nan_to_num": ("nan_to_num", -2, 2),
}


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3)], ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_unary(torch, name, shape):
    theirs, low, high = UNARY[name]
    arrays = inputs(low, high, shape)
    compare(torch, lambda np, x: getattr(np, name)(x), lambda torch, x: getattr(torch, theirs)(x), arrays)


@pytest.mark.parametrize("shape", [(), (0,), (2, 3)], ids=str)
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("erfc", -2, 2), ("erfinv", -0.9, 0.9), ("gammaln", 0.3, 4), ("digamma", 0.3, 4)],
)
def test_special(torch, name, low, high, shape):
    ours = getattr(special, name)
    theirs = getattr(torch.special, name)
    compare(torch, lambda _, x: ours(x), lambda _, x: theirs(x), inputs(low, high, shape))


BINARY = {
    "hypot": "hypot",
    "arctan2": "atan2",
    "logaddexp": "logaddexp",
    "logaddexp2": "logaddexp2",
    "fmod": "fmod",
    "fmax": "fmax",
    "fmin": "fmin",
    "copysign": "copysign",
    "float_power": "float_power",
    "maximum": "maximum",
    "mod": "remainder",
}
PAIRS = [((), ()), ((2, 3), (2, 3)), ((2, 3), ()), ((3,), (2, 1)), ((2, 1, 3), (4, 1)), ((0, 3), (1,))]


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_binary(torch, name, shapes):
    theirs = BINARY[name]
    arrays = inputs(0.3, 3.0, *shapes)
    compare(torch, lambda np, a, b: getattr(np, name)(a, b), lambda t, a, b: getattr(t, theirs)(a, b), arrays)


REDUCTIONS = {
    "nansum": (
        lambda np, x, k, keep: np.nansum(x, k, keepdims=keep),
        lambda t, x, k, keep: t.nansum(x, k, keep),
    ),
    "nanmean": (
        lambda np, x, k, keep: np.nanmean(x, k, keepdims=keep),
        lambda t, x, k, keep: t.nanmean(x, k, keep),
    ),
    "nanmedian of odd": (
        lambda np, x, k, keep: np.nanmedian(x[:, :3, :3], k, keepdims=keep),
        lambda t, x, k, keep: t.nanquantile(x[:, :3, :3], 0.5, k, keep),
    ),
    "quantile": (
        lambda np, x, k, keep: np.quantile(x, [0.0, 0.3, 0.9], k, keepdims=keep),
        lambda t, x, k, keep: t.quantile(x, t.tensor([0.0, 0.3, 0.9], dtype=x.dtype), k, keep),
    ),
    "nanquantile": (
        lambda np, x, k, keep: np.nanquantile(x, 0.7, k, method="higher", keepdims=keep),
        lambda t, x, k, keep: t.nanquantile(x, 0.7, k, keep, interpolation="higher"),
    ),
    "norm": (
        lambda np, x, k, keep: np.linalg.norm(x, 3, k, keep),
        lambda t, x, k, keep: t.linalg.vector_norm(x, 3, k, keep),
    ),
    "ptp": (
        lambda np, x, k, keep: np.ptp(x, k, keepdims=keep),
        lambda t, x, k, keep: t.amax(x, k, keep) - t.amin(x, k, keep),
    ),
    "std": (
        lambda np, x, k, keep: np.std(x, k, ddof=1, keepdims=keep),
        lambda t, x, k, keep: t.std(x, k, keepdim=keep),
    ),
}


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(torch, name, axis, keepdims):
    ours, theirs = REDUCTIONS[name]
    arrays = inputs(-2, 2, (3, 4, 5))
    compare(
        torch, lambda np, x: ours(np, x, axis, keepdims), lambda t, x: theirs(t, x, axis, keepdims), arrays
    )


def test_sums_without_nan(torch):
    (a,) = inputs(-2, 2, (3, 4))
    a[0, 1] = a[2] = np.nan
    compare(torch, lambda np, x: np.nansum(x, -1), lambda t, x: t.nansum(x, -1), [a])
    compare(torch, lambda np, x: np.nanmean(x, 0), lambda t, x: t.nanmean(x, 0), [a])


SHAPES = {  # (ours, theirs, shapes)
    "vstack": (lambda np, a, b: np.vstack([a, b]), lambda t, a, b: t.vstack([a, b]), [(3,), (2, 3)]),
    "hstack 0-d": (lambda np, a, b: np.hstack([a, b]), lambda t, a, b: t.hstack([a, b]), [(), (2,)]),
    "dstack": (lambda np, a, b: np.dstack([a, b]), lambda t, a, b: t.dstack([a, b]), [(2, 3), (2, 3)]),
    "column_stack": (
        lambda np, a, b: np.column_stack([a, b]),
        lambda t, a, b: t.column_stack([a, b]),
        [(2,), (2, 3)],
    ),
    "atleast_3d": (lambda np, a, b: np.atleast_3d(a, b), lambda t, a, b: t.atleast_3d(a, b), [(), (2,)]),
    "meshgrid": (
        lambda np, a, b: np.meshgrid(a, b),
        lambda t, a, b: t.meshgrid(a, b, indexing="xy"),
        [(2,), (3,)],
    ),
    "meshgrid of nothing": (
        lambda np, a, b: np.meshgrid(a, b),
        lambda t, a, b: t.meshgrid(a, b, indexing="xy"),
        [(0,), (3,)],
    ),
    "hsplit": (lambda np, x: np.hsplit(x, [1, 2]), lambda t, x: t.hsplit(x, [1, 2]), [(2, 4)]),
    "rot90": (lambda np, x: np.rot90(x, -3, (-1, 0)), lambda t, x: t.rot90(x, -3, (-1, 0)), [(2, 3, 4)]),
    "diag": (lambda np, x: np.diag(x, -1), lambda t, x: t.diag(x, -1), [(3,)]),
    "diag of nothing": (lambda np, x: np.diag(x), lambda t, x: t.diag(x), [(0,)]),
    "diagflat": (lambda np, x: np.diagflat(x, 1), lambda t, x: t.diagflat(x, 1), [(2, 2)]),
    "tril": (lambda np, x: np.tril(x, -1), lambda t, x: t.tril(x, -1), [(2, 3, 4)]),
    "triu": (lambda np, x: np.triu(x, 1), lambda t, x: t.triu(x, 1), [(0, 4)]),
    "vander": (lambda np, x: np.vander(x, 3), lambda t, x: t.stack([x**2, x, 0 * x + 1], -1), [(4,)]),
    "kron": (lambda np, a, b: np.kron(a, b), lambda t, a, b: t.kron(a, b), [(2, 3), (2,)]),
    "cross": (lambda np, a, b: np.linalg.cross(a, b), lambda t, a, b: t.linalg.cross(a, b), [(2, 3), (1, 3)]),
    "vdot": (lambda np, a, b: np.vdot(a, b), lambda t, a, b: t.vdot(a, b), [(3,), (3,)]),
    "vecdot": (
        lambda np, a, b: np.linalg.vecdot(a, b, axis=-2),
        lambda t, a, b: t.linalg.vecdot(a, b, dim=-2),
        [(2, 3), (2, 1)],
    ),
    "diff": (lambda np, x: np.diff(x, 2, -2), lambda t, x: t.diff(x, 2, -2), [(4, 3)]),
    "diff with ends": (
        lambda np, a, b: np.diff(a, prepend=b, append=b),
        lambda t, a, b: t.diff(a, prepend=b, append=b),
        [(2, 3), (2, 1)],
    ),
    "gradient": (
        lambda np, x: np.gradient(x, 0.5, edge_order=2),
        lambda t, x: t.gradient(x, spacing=0.5, edge_order=2),
        [(4, 3)],
    ),
    "trapezoid": (
        lambda np, y, x: np.trapezoid(y, x, axis=-1),
        lambda t, y, x: t.trapezoid(y, x, dim=-1),
        [(2, 4), (4,)],
    ),
    "cumprod": (lambda np, x: np.cumprod(x, axis=-2), lambda t, x: t.cumprod(x, -2), [(3, 2)]),
    "cov": (lambda np, x: np.cov(x), lambda t, x: t.cov(x), [(3, 5)]),
    "corrcoef": (lambda np, x: np.corrcoef(x), lambda t, x: t.corrcoef(x), [(3, 5)]),
    "convolve": (
        lambda np, a, b: np.convolve(a, b),
        lambda t, a, b: t.conv1d(a[None, None], b.flip(0)[None, None], padding=2)[0, 0],
        [(5,), (3,)],
    ),
    "unique": (lambda np, x: np.unique(x), lambda t, x: t.sort(x.ravel()).values, [(2, 3)]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(torch, name):
    ours, theirs, shapes = SHAPES[name]
    compare(torch, ours, theirs, inputs(0.5, 2.0, *shapes))


def matrices(*shapes):
    rng = np.random.default_rng(0)
    made = [rng.standard_normal(shape) + 2.0 * np.eye(*shape[-2:]) for shape in shapes]
    return [a.swapaxes(-1, -2).copy().swapaxes(-1, -2) for a in made]  # columns next to each other in memory


def symmetric(f, a):
    if f is np:
        return a @ a.swapaxes(-1, -2) + np.diag(np.arange(1.0, a.shape[-1] + 1))
    return a @ a.mT + f.diag(f.arange(1.0, a.shape[-1] + 1, dtype=a.dtype))


def complexify(a):
    return a + 0.5j * a[..., ::-1]


def condition(f, a, p):
    """PyTorch's own loses its graph on an empty batch, and fails in backward for p = 1."""
    norm = f.linalg.matrix_norm
    return f.linalg.cond(a, p) if f is np else norm(a, ord=p) * norm(f.linalg.inv(a), ord=p)


SQUARE = {
    "inv": lambda f, a: f.linalg.inv(a),
    "det": lambda f, a: f.linalg.det(a),
    "slogdet": lambda f, a: f.linalg.slogdet(a)[1],
    "solve": lambda f, a: f.linalg.solve(a, a @ a),
    "cholesky": lambda f, a: f.linalg.cholesky(symmetric(f, a)),
    "eigvalsh": lambda f, a: f.linalg.eigvalsh(symmetric(f, a)),
    "eigh, up to signs": lambda f, a: f.linalg.eigh(symmetric(f, a))[1] ** 2,
    "matrix_power": lambda f, a: f.linalg.matrix_power(a, -2),
    "cond": lambda f, a: condition(f, a, 2),
    "cond 1": lambda f, a: condition(f, a, 1),
    "eigvals, summed": lambda f, a: (f.linalg.eigvals(complexify_by(f, a)) ** 2).sum(-1),
}
ANY = {
    "pinv": lambda f, a: f.linalg.pinv(a),
    "svdvals": lambda f, a: f.linalg.svdvals(a),
    "svd, up to signs": lambda f, a: f.linalg.svd(a, full_matrices=False)[0] ** 2,
    "the other factor": lambda f, a: f.linalg.svd(a, full_matrices=False)[2] ** 2,
    "qr": lambda f, a: f.linalg.qr(a)[0] ** 2,
    "r of qr": lambda f, a: f.linalg.qr(a)[1] ** 2,
    **{f"norm {p}": (lambda f, a, p=p: f.linalg.matrix_norm(a, ord=p)) for p in ("fro", "nuc", 1, -1, 2, -2)},
    "norm inf": lambda f, a: f.linalg.matrix_norm(a, ord=np.inf),
}


def complexify_by(f, a):
    return a + 0.5j * f.flip(a, (-1,))


@pytest.mark.parametrize("shape", [(3, 3), (1, 1), (2, 2, 2), (0, 2, 2)], ids=str)
@pytest.mark.parametrize("name", [*SQUARE, *ANY])
def test_square_matrices(torch, name, shape):
    f = {**SQUARE, **ANY}[name]
    compare(torch, f, f, matrices(shape))


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (2, 3, 2)], ids=str)
@pytest.mark.parametrize("name", ANY)
def test_other_matrices(torch, name, shape):
    compare(torch, ANY[name], ANY[name], matrices(shape))


@pytest.mark.parametrize(
    "name", ["inv", "det", "solve", "matrix_power", "cond", "pinv", "svdvals", "norm nuc"]
)
def test_complex_matrices(torch, name):
    """`.grad` is PyTorch's: the direction of steepest ascent."""
    f = {**SQUARE, **ANY}[name]
    compare(torch, f, f, [complexify(a) for a in matrices((3, 3))])


def test_complex_factors(torch):
    """Functions of factors that do not depend on phases."""

    def projector(f, a):
        u, _, vh = f.linalg.svd(a, full_matrices=False)
        return f.abs(u[..., :1] @ vh[..., :1, :]) ** 2

    def vectors(f, a):
        return f.abs(f.linalg.eigh(a @ (f.conj(a.T) if f is np else a.mH))[1]) ** 2

    for f in (projector, vectors):
        compare(torch, f, f, [complexify(a) for a in matrices((3, 3))])


FFT = ["fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "rfft", "rfft2", "rfftn", "ihfft"]


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("name", [*FFT, "irfft", "irfft2", "irfftn", "hfft"])
def test_fft(torch, name, norm):
    (x,) = inputs(-1, 1, (3, 4, 5))
    x = x if name in FFT else x + 1j * x[::-1]
    compare(
        torch,
        lambda np, x: getattr(np.fft, name)(x, norm=norm),
        lambda t, x: getattr(t.fft, name)(x, norm=norm),
        [x],
    )


@pytest.mark.parametrize(("n", "axis"), [(3, -1), (7, 0), (4, -2)])
@pytest.mark.parametrize("name", ["fft", "ifft", "irfft", "hfft"])
def test_fft_of_other_lengths(torch, name, n, axis):
    (x,) = inputs(-1, 1, (3, 4, 5))
    compare(
        torch,
        lambda np, x: getattr(np.fft, name)(x, n, axis),
        lambda t, x: getattr(t.fft, name)(x, n, axis),
        [x + 1j * x[::-1]],
    )


def test_lstsq(torch):
    a, b = matrices((4, 2), (4, 3))
    compare(torch, lambda np, a, b: np.linalg.lstsq(a, b)[0], lambda t, a, b: t.linalg.lstsq(a, b)[0], [a, b])

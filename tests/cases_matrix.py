"""Rows of autograd/ops/matrix.py and of the transforms in fourier.py."""

import itertools

import numpy as np

from tests.cases import Case

from .cases_linalg import of

SINGULAR = {"huge": "a matrix of equal numbers has no inverse, and no distinct singular values"}
KINDS = {"": (3, 3), "batched": (2, 2, 3, 3), "one by one": (1, 1), "empty batch": (0, 2, 2)}


def regular(shape):
    """Matrices that are far from singular."""
    return lambda rng: (rng.standard_normal(shape) + 3.0 * np.eye(shape[-1]),)


def complex_regular(shape):
    return lambda rng: (
        rng.standard_normal(shape) + 1j * rng.standard_normal(shape) + 3.0 * np.eye(shape[-1]),
    )


def definite(shape, imaginary=0.0):
    """Hermitian positive definite matrices with distinct eigenvalues."""

    def make(rng):
        a = rng.standard_normal(shape) + imaginary * rng.standard_normal(shape)
        return (0.3 * (a @ np.conj(np.swapaxes(a, -1, -2))) + np.diag(1.0 + np.arange(shape[-1])),)

    return make


def distinct(shape):
    """Matrices with real, distinct eigenvalues, not symmetric."""
    return lambda rng: (0.2 * rng.standard_normal(shape) + np.diag(1.0 + 2.0 * np.arange(shape[-1])),)


def tall(*shape):
    """Matrices with distinct singular values."""
    return lambda rng: (
        0.3 * rng.standard_normal(shape) + np.eye(shape[-2], shape[-1]) * (1.0 + np.arange(shape[-1])),
    )


def by_leibniz(a):
    """The determinant by its definition: a sum over permutations."""
    total = np.zeros(a.shape[:-2])
    n = a.shape[-1]
    for p in itertools.permutations(range(n)):
        sign = np.linalg.det(np.eye(n)[list(p)]).round()
        total = total + sign * np.prod([a[..., i, p[i]] for i in range(n)], axis=0)
    return total


def row(op, make, expect, note="", **fields):
    return Case(op, make, expect, note=note, exempt=fields.pop("exempt", SINGULAR), **fields)


INVERSES = [
    *(row("inv", regular(shape), np.linalg.inv, note) for note, shape in KINDS.items()),
    row("inv", complex_regular((2, 2)), np.linalg.inv, "complex"),
    *(row("det", regular(shape), by_leibniz, note) for note, shape in KINDS.items()),
    row("det", complex_regular((2, 2)), np.linalg.det, "complex"),
    row("det", lambda rng: (np.diag([1.0, 2.0, 0.0]),), by_leibniz, "of rank 2"),
    row("det", lambda rng: (np.diag([1.0, 0.0, 0.0]),), by_leibniz, "of rank 1"),
    *(row("slogdet", regular(shape), np.linalg.slogdet, note) for note, shape in KINDS.items()),
    row("slogdet", lambda rng: (-regular((3, 3))(rng)[0],), np.linalg.slogdet, "negative"),
    row("slogdet", complex_regular((2, 2)), np.linalg.slogdet, "complex"),
    *(
        row(
            "solve",
            lambda rng, a=a, b=b: (*regular(a)(rng), *of(b)(rng)),
            lambda a, b: np.linalg.inv(a) @ b,
            note,
        )
        for note, a, b in [
            ("", (3, 3), (3, 2)),
            ("batched", (2, 3, 3), (2, 3, 1)),
            ("broadcast", (3, 3), (2, 3, 2)),
            ("broadcast the other way", (2, 2, 2), (2, 1)),
            ("nothing", (3, 3), (3, 0)),
        ]
    ),
    *(
        row("pinv", lambda rng, s=s: (*tall(*s)(rng), 1e-15), np.linalg.pinv, note)
        for note, s in [("", (3, 3)), ("tall", (4, 2)), ("wide", (2, 3)), ("batched", (2, 3, 2))]
    ),
    row(
        "pinv",
        lambda rng: (*(a + 0.3j * a[::-1] for a in tall(3, 2)(rng)), 1e-15),
        np.linalg.pinv,
        "complex",
    ),
]

FACTORS = [
    *(row("cholesky", definite(shape), np.linalg.cholesky, note) for note, shape in KINDS.items()),
    row("cholesky", definite((2, 2), 1j), np.linalg.cholesky, "complex"),
    *(row("eigh", definite(shape), np.linalg.eigh, note) for note, shape in KINDS.items()),
    *(row("eig", distinct(shape), np.linalg.eig, note) for note, shape in KINDS.items() if "one" not in note),
    *(
        row("svd", tall(*shape), lambda a: np.linalg.svd(a, full_matrices=False), note)
        for note, shape in [
            ("", (3, 3)),
            ("tall", (4, 2)),
            ("wide", (2, 4)),
            ("batched", (2, 3, 2)),
            ("empty batch", (0, 2, 2)),
        ]
    ),
    *(
        row("qr", tall(*shape), np.linalg.qr, note)
        for note, shape in [
            ("", (3, 3)),
            ("tall", (4, 2)),
            ("batched", (2, 2, 3, 2)),
            ("empty batch", (0, 2, 2)),
        ]
    ),
    *(
        row("svd_full", tall(*shape), np.linalg.svd, note)
        for note, shape in [
            ("tall", (3, 2)),
            ("wide", (2, 3)),
            ("batched", (2, 4, 3)),
            ("one row", (1, 2)),
            ("empty batch", (0, 3, 2)),
        ]
    ),
    *(
        row("qr_complete", tall(*shape), lambda a: np.linalg.qr(a, "complete"), note)
        for note, shape in [
            ("", (3, 2)),
            ("batched", (2, 4, 3)),
            ("one column", (2, 1)),
            ("empty batch", (0, 2, 1)),
        ]
    ),
    row("qr", lambda rng: (tall(3, 2)(rng)[0] + 1j * of((3, 2))(rng)[0],), np.linalg.qr, "complex"),
]


def naive(sign):
    """The transform by its definition, as a matrix product."""

    def transform(a, n=None, axis=-1, norm=None):
        a = np.moveaxis(a, axis, -1)
        n = a.shape[-1] if n is None else n
        a = np.concatenate([a, np.zeros((*a.shape[:-1], max(n - a.shape[-1], 0)))], -1)[..., :n]
        y = a @ np.exp(sign * 2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
        forward = {None: 1, "backward": 1, "ortho": n**-0.5, "forward": 1 / n}[norm]
        return np.moveaxis(y * (forward if sign < 0 else 1 / (n * forward)), -1, axis)

    return transform


def naive_rfft(a, n=None, axis=-1, norm=None):
    y = np.moveaxis(naive(-1)(a, n, axis, norm), axis, -1)
    return np.moveaxis(y[..., : y.shape[-1] // 2 + 1], -1, axis)


def naive_irfft(a, n=None, axis=-1, norm=None):
    a = np.moveaxis(a, axis, -1)
    n = 2 * (a.shape[-1] - 1) if n is None else n
    half = np.zeros((*a.shape[:-1], n), complex)
    for k in range(min(n // 2 + 1, a.shape[-1])):
        half[..., k] = a[..., k]
        half[..., -k % n] = np.conj(a[..., k])
        if k in (0, n / 2):
            half[..., k] = a[..., k].real
    return np.moveaxis(naive(1)(half, None, -1, norm).real, -1, axis)


def complexes(shape):
    return lambda rng: (rng.standard_normal(shape) + 1j * rng.standard_normal(shape),)


OPTIONS = [
    {},
    {"n": 3},
    {"n": 6},
    {"axis": 0, "norm": "ortho"},
    {"axis": -2, "norm": "forward", "n": 4},
    {"norm": "backward", "n": 5},
]
TRANSFORMS = [
    Case(op, make, expect, kwargs, note=f"{note}{kwargs or ''}")
    for op, expect, sources in [
        ("fft", naive(-1), {"": complexes((3, 5)), "real ": of((3, 4))}),
        ("ifft", naive(1), {"": complexes((3, 5)), "real ": of((3, 4))}),
        ("rfft", naive_rfft, {"": of((3, 5)), "even ": of((2, 4))}),
        ("irfft", naive_irfft, {"": complexes((3, 4)), "real ": of((3, 3))}),
    ]
    for note, make in sources.items()
    for kwargs in OPTIONS
]

CASES = [*INVERSES, *FACTORS, *TRANSFORMS]

"""Weeks 2 to 4 of the first course: products, softmax, logistic regression."""

import math

import numpy as np

from .ways import three_ways


def uniform(rng, *shape):
    return rng.random(shape, np.float32)


# ---- the dot product (C1W2-vecbench)


def pair(rng, n):
    return {"a": uniform(rng, n), "b": uniform(rng, n)}


def dot_loops(a, b):
    c = 0.0
    for i in range(len(a)):
        c += float(a[i]) * float(b[i])
    return c


def dot_ours(a, b):
    from autograd import Tensor

    a, b = Tensor(a), Tensor(b)
    return lambda: np.dot(a, b)


# ---- a matrix times a vector (C1W2-ufuncs)


def matrix_vector(rng, n):
    return {"A": uniform(rng, n, n), "v": uniform(rng, n)}


def product_loops(A, v):
    u = np.zeros(len(A), np.float32)
    for i in range(len(A)):
        for j in range(len(v)):
            u[i] += A[i, j] * v[j]
    return u


def product(A, v):
    return A @ v


def product_ours(A, v):
    from autograd import Tensor

    A, v = Tensor(A), Tensor(v)
    return lambda: A @ v


# ---- softmax of m rows (C2W3-softmax)


def logits(rng, m, C):
    return {"z": rng.standard_normal((m, C), np.float32)}


def softmax_loops(z):
    a = np.zeros_like(z)
    for i in range(z.shape[0]):
        largest, total = max(z[i]), 0.0
        for j in range(z.shape[1]):
            a[i, j] = math.exp(z[i, j] - largest)
            total += a[i, j]
        for j in range(z.shape[1]):
            a[i, j] /= total
    return a


def softmax(z):
    t = np.exp(z - z.max(axis=1, keepdims=True))
    return t / t.sum(axis=1, keepdims=True)


def softmax_ours(z):
    from autograd import Tensor, no_grad
    from nn.functional import softmax

    z = Tensor(z)

    def call():
        with no_grad():
            return softmax(z, -1)

    return call


# ---- cost and derivatives of logistic regression over m examples (C1W2-loopvsvec)


def examples(rng, m, n):
    return {
        "X": rng.standard_normal((m, n), np.float32),
        "Y": rng.integers(0, 2, m).astype(np.float32),
        "w": rng.standard_normal(n, np.float32) / np.float32(n**0.5),
        "b": np.float32(0.1),
    }


def logistic_loops(X, Y, w, b):
    m, n = X.shape
    J, dw, db = 0.0, [0.0] * n, 0.0
    for i in range(m):
        z = float(b)
        for j in range(n):
            z += float(w[j]) * float(X[i, j])
        a, y = 1 / (1 + math.exp(-z)), float(Y[i])
        J -= y * math.log(a) + (1 - y) * math.log(1 - a)
        dz = a - y
        for j in range(n):
            dw[j] += float(X[i, j]) * dz
        db += dz
    return J / m, np.array(dw) / m, db / m


def logistic(X, Y, w, b):
    m = len(X)
    A = 1 / (1 + np.exp(-(X @ w + b)))
    dZ = A - Y
    return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A)), X.T @ dZ / m, dZ.mean()


def logistic_ours(X, Y, w, b):
    from autograd import Tensor
    from nn.functional import binary_cross_entropy_with_logits as cost

    X, Y, w, b = Tensor(X), Tensor(Y), Tensor(w, requires_grad=True), Tensor(b, requires_grad=True)

    def call():
        w.grad = b.grad = None
        J = cost(X @ w + b, Y)
        J.backward()
        return J.detach(), w.grad, b.grad

    return call


CASES = [
    *three_ways("dot product", pair, dot_loops, np.dot, dot_ours, [{"n": 1000}, {"n": 1_000_000}], {"n": 7}),
    *three_ways(
        "matrix times vector",
        matrix_vector,
        product_loops,
        product,
        product_ours,
        [{"n": 100}, {"n": 400}],
        {"n": 5},
    ),
    *three_ways(
        "softmax",
        logits,
        softmax_loops,
        softmax,
        softmax_ours,
        [{"m": 100, "C": 10}, {"m": 1000, "C": 100}],
        {"m": 3, "C": 4},
    ),
    *three_ways(
        "logistic regression",
        examples,
        logistic_loops,
        logistic,
        logistic_ours,
        [{"m": 100, "n": 100}, {"m": 209, "n": 1000}, {"m": 2000, "n": 100}],
        {"m": 4, "n": 3},
    ),
]

"""HIPS/autograd's optimizers: of a function grad(x, i) of containers and the step's number. For training in
mini-batches
the package `optim` has more of them, and faster ones."""

import functools

import numpy as np

from .flatten import flatten


def unflatten_optimizer(optimize):
    """An optimizer of vectors made one of containers; its callback(x, i, g) gets containers too."""

    @functools.wraps(optimize)
    def of_containers(grad, x0, callback=None, *args, **kwargs):
        vector, unflatten = flatten(x0)
        slope = lambda x, i: flatten(grad(unflatten(x), i))[0]
        told = callback and (lambda x, i, g: callback(unflatten(x), i, unflatten(g)))
        return unflatten(optimize(slope, vector, told, *args, **kwargs))

    return of_containers


@unflatten_optimizer
def sgd(grad, x, callback=None, num_iters=200, step_size=0.1, mass=0.9):
    """v = mass v - (1 - mass) g; x = x + step_size v."""
    v = np.zeros(len(x))
    for i in range(num_iters):
        g = grad(x, i)
        if callback:
            callback(x, i, g)
        v = mass * v - (1.0 - mass) * g
        x = x + step_size * v
    return x


@unflatten_optimizer
def rmsprop(grad, x, callback=None, num_iters=100, step_size=0.1, gamma=0.9, eps=1e-8):
    """s = gamma s + (1 - gamma) g^2, from 1; x = x - step_size g / (sqrt(s) + eps)."""
    s = np.ones(len(x))
    for i in range(num_iters):
        g = grad(x, i)
        if callback:
            callback(x, i, g)
        s = gamma * s + (1 - gamma) * g**2
        x = x - step_size * g / (np.sqrt(s) + eps)
    return x


@unflatten_optimizer
def adam(grad, x, callback=None, num_iters=100, step_size=0.001, b1=0.9, b2=0.999, eps=1e-8):
    """Adam (Kingma and Ba 2014), with bias correction."""
    m = v = np.zeros(len(x))
    for i in range(num_iters):
        g = grad(x, i)
        if callback:
            callback(x, i, g)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        x = x - step_size * (m / (1 - b1 ** (i + 1))) / (np.sqrt(v / (1 - b2 ** (i + 1))) + eps)
    return x

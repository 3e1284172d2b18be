"""Adadelta."""

import numpy as np

from .optimizer import Elementwise
from .options import in_range, not_negative
from .rule import rule


@rule("w", "s", "u")
def adadelta(w, g, s, u, /, rho, new, lr, eps):
    """new = 1 - rho."""
    s = rho * s + new * g * g
    d = np.sqrt(u + eps) / np.sqrt(s + eps) * g
    u = rho * u + new * d * d
    w = w - lr * d
    return w, s, u


class Adadelta(Elementwise):
    """Scales the gradient to the size of past steps (Zeiler 2012):

        s = rho s + (1 - rho) g^2                 d = sqrt(u + eps) / sqrt(s + eps) g
        u = rho u + (1 - rho) d^2                 w = w - lr d

    Adadelta(params, lr=1, rho=0.9, eps=1e-6, weight_decay=0) as torch.optim.Adadelta. Raises ValueError for
    options out of range."""

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0, *, maximize=False):
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize))

    def check(self, group):
        not_negative(self, group, "eps")
        in_range(self, group, 0, 1, "rho")

    def start(self, w, group):
        return {"square_avg": np.zeros_like(w), "acc_delta": np.zeros_like(w)}

    def move(self, state, group):
        rho = float(group["rho"])
        numbers = rho, 1.0 - rho, float(group["lr"]), float(group["eps"])
        return adadelta, ("square_avg", "acc_delta"), numbers

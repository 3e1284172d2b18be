"""Averaged stochastic gradient descent."""

import numpy as np

from .optimizer import Elementwise
from .options import not_negative
from .rule import rule


@rule("w", "average")
def asgd(w, g, average, /, keep, eta, mu):
    """keep = 1 - lambd eta."""
    w = keep * w - eta * g
    average = average + mu * (w - average)
    return w, average


class ASGD(Elementwise):
    """Stochastic gradient descent that also averages the weights (Polyak and Juditsky 1992), at step t:

        w = (1 - lambd eta) w - eta g             ax = ax + mu (w - ax)
        eta = lr / (1 + lambd lr t)^alpha         mu = 1 / max(1, t - t0)       for the next step

    The average is `state[p]["ax"]`. ASGD(params, lr=0.01, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0) as
    torch.optim.ASGD. Raises ValueError for options out of range."""

    def __init__(self, params, lr=0.01, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0.0, *, maximize=False):
        options = dict(lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, maximize=maximize)
        super().__init__(params, options)

    def check(self, group):
        not_negative(self, group, "lambd", "alpha", "t0")

    def start(self, w, group):
        return {"step": 0, "eta": float(group["lr"]), "mu": 1.0, "ax": np.zeros_like(w)}

    def move(self, state, group):
        lr, lambd = float(group["lr"]), float(group["lambd"])
        numbers = 1.0 - lambd * state["eta"], state["eta"], state["mu"]
        t = state["step"] = state["step"] + 1
        state["eta"] = lr / (1.0 + lambd * lr * t) ** float(group["alpha"])
        state["mu"] = 1.0 / max(1.0, t - float(group["t0"]))
        return asgd, ("ax",), numbers

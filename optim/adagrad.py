"""Adagrad."""

import numpy as np

from .optimizer import Elementwise
from .options import not_negative
from .rule import rule


@rule("w", "s")
def adagrad(w, g, s, /, lr, eps):
    """lr is the decayed one."""
    s = s + g * g
    w = w - lr * g / (np.sqrt(s) + eps)
    return w, s


class Adagrad(Elementwise):
    """Divides the gradient by the root of the sum of all squares so far (Duchi et al. 2011), at step t:

        s = s + g^2               w = w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Adagrad(params, lr=0.01, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10) as
    torch.optim.Adagrad; row-sparse gradients move only their rows. Raises ValueError for options out of
    range."""

    def __init__(
        self,
        params,
        lr=0.01,
        lr_decay=0.0,
        weight_decay=0.0,
        initial_accumulator_value=0.0,
        eps=1e-10,
        *,
        maximize=False,
    ):
        options = dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        options |= dict(initial_accumulator_value=initial_accumulator_value, eps=eps, maximize=maximize)
        super().__init__(params, options)

    def check(self, group):
        not_negative(self, group, "lr_decay", "initial_accumulator_value", "eps")

    def start(self, w, group):
        value = float(group["initial_accumulator_value"])
        return {"step": 0, "sum": np.full_like(w, value) if value else np.zeros_like(w)}

    def move(self, state, group):
        t = state["step"] = state["step"] + 1
        lr = float(group["lr"]) / (1.0 + (t - 1) * float(group["lr_decay"]))
        return adagrad, ("sum",), (lr, float(group["eps"]))

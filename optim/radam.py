"""RAdam."""

import math

import numpy as np

from .moments import AdaptiveMoments
from .rule import rule


@rule("w", "m", "v")
def rectified(w, g, m, v, /, beta1, new1, beta2, new2, lr, eps):
    """new = 1 - beta; lr holds the corrections of the bias and the rectification."""
    m = beta1 * m + new1 * g
    v = beta2 * v + new2 * g * g
    w = w - lr * m / (np.sqrt(v) + eps)
    return w, m, v


@rule("w", "m", "v")
def averaged(w, g, m, v, /, beta1, new1, beta2, new2, lr):
    """The first steps, when v has seen too few gradients to be divided by."""
    m = beta1 * m + new1 * g
    v = beta2 * v + new2 * g * g
    w = w - lr * m
    return w, m, v


class RAdam(AdaptiveMoments):
    """Adam that waits until the variance of its step is tractable (Liu et al. 2020): with m, v as in Adam,

        rho_inf = 2 / (1 - beta2) - 1        rho = rho_inf - 2 t beta2^t / (1 - beta2^t)
        r^2 = (rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho)
        w = w - lr m^ r sqrt(1 - beta2^t) / (sqrt(v) + eps) where rho > 5, else w - lr m^

    RAdam(params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False) as
    torch.optim.RAdam. Raises ValueError for options out of range."""

    def __init__(
        self,
        params,
        lr=0.001,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
        decoupled_weight_decay=False,
        *,
        maximize=False,
    ):
        options = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        options |= dict(decoupled_weight_decay=decoupled_weight_decay, maximize=maximize)
        super().__init__(params, options)

    def move(self, state, group):
        t, beta1, beta2 = self.count(state, group)
        lr, known = float(group["lr"]) / (1.0 - beta1**t), 1.0 - beta2**t
        limit = 2.0 / (1.0 - beta2) - 1.0
        rho = limit - 2.0 * t * beta2**t / known
        names, numbers = ("exp_avg", "exp_avg_sq"), (beta1, 1.0 - beta1, beta2, 1.0 - beta2)
        if rho <= 5.0:
            return averaged, names, (*numbers, lr)
        r = math.sqrt((rho - 4.0) * (rho - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * rho))
        return rectified, names, (*numbers, lr * r * math.sqrt(known), float(group["eps"]))

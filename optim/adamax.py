"""Adamax."""

import numpy as np

from .moments import AdaptiveMoments
from .rule import rule


@rule("w", "m", "u")
def adamax(w, g, m, u, /, beta1, new1, beta2, lr, eps):
    """new = 1 - beta; lr is divided by 1 - beta1^t."""
    m = beta1 * m + new1 * g
    u = np.maximum(beta2 * u, np.abs(g) + eps)
    w = w - lr * m / u
    return w, m, u


class Adamax(AdaptiveMoments):
    """Adam with the largest gradient, fading, in place of the root of their mean square (Kingma and Ba 2015,
    section 7), at step t:

        m = beta1 m + (1 - beta1) g        u = max(beta2 u, |g| + eps)        w = w - lr / (1 - beta1^t) m / u

    Adamax(params, lr=0.002, betas=(0.9, 0.999), eps=1e-8, weight_decay=0) as torch.optim.Adamax. Raises
    ValueError for options out of range."""

    def __init__(self, params, lr=0.002, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, *, maximize=False):
        super().__init__(
            params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize)
        )

    def start(self, w, group):
        return {"step": 0, "exp_avg": np.zeros_like(w), "exp_inf": np.zeros_like(w)}

    def move(self, state, group):
        t, beta1, beta2 = self.count(state, group)
        lr = float(group["lr"]) / (1.0 - beta1**t)
        return adamax, ("exp_avg", "exp_inf"), (beta1, 1.0 - beta1, beta2, lr, float(group["eps"]))

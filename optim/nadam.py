"""NAdam."""

import math

import numpy as np

from .moments import AdaptiveMoments
from .options import not_negative
from .rule import rule


@rule("w", "m", "v")
def nadam(w, g, m, v, /, beta1, new1, beta2, new2, now, ahead, root, eps):
    """new = 1 - beta; now and ahead are the learning rates of this gradient and of the average."""
    m = beta1 * m + new1 * g
    v = beta2 * v + new2 * g * g
    w = w - (now * g + ahead * m) / (np.sqrt(v) * root + eps)
    return w, m, v


class NAdam(AdaptiveMoments):
    """Adam with Nesterov's momentum (Dozat 2016): with m and v as in Adam, and psi = `momentum_decay`,

        mu_t = beta1 (1 - 0.96^(t psi) / 2)        M_t = mu_1 mu_2 ... mu_t
        m^ = mu_(t+1) m / (1 - M_(t+1)) + (1 - mu_t) g / (1 - M_t)
        w = w - lr m^ / (sqrt(v / (1 - beta2^t)) + eps)

    NAdam(params, lr=0.002, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=0.004,
    decoupled_weight_decay=False) as torch.optim.NAdam. Raises ValueError for options out of range."""

    def __init__(
        self,
        params,
        lr=0.002,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
        momentum_decay=0.004,
        decoupled_weight_decay=False,
        *,
        maximize=False,
    ):
        options = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        options |= dict(decoupled_weight_decay=decoupled_weight_decay, maximize=maximize)
        super().__init__(params, options)

    def check(self, group):
        super().check(group)
        not_negative(self, group, "momentum_decay")

    def start(self, w, group):
        return {**super().start(w, group), "mu_product": 1.0}

    def move(self, state, group):
        t, beta1, beta2 = self.count(state, group)
        lr, psi = float(group["lr"]), float(group["momentum_decay"])
        mu, mu_next = (beta1 * (1.0 - 0.5 * 0.96 ** (k * psi)) for k in (t, t + 1))
        state["mu_product"] = product = state["mu_product"] * mu
        now, ahead = lr * (1.0 - mu) / (1.0 - product), lr * mu_next / (1.0 - product * mu_next)
        root = 1.0 / math.sqrt(1.0 - beta2**t)
        numbers = beta1, 1.0 - beta1, beta2, 1.0 - beta2, now, ahead, root, float(group["eps"])
        return nadam, ("exp_avg", "exp_avg_sq"), numbers

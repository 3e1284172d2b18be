"""Adam."""

import math

import numpy as np

from .optimizer import Optimizer, in_range


class Adam(Optimizer):
    """Adaptive moments with bias correction (Kingma and Ba 2015; COURSE.md C2W2-adam), at step t:

        g = dJ/dw + lambda w
        m = beta1 m + (1 - beta1) g               m^ = m / (1 - beta1^t)
        v = beta2 v + (1 - beta2) g^2             v^ = v / (1 - beta2^t)
        w = w - lr m^ / (sqrt(v^) + eps)

    Adam(params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0) as torch.optim.Adam. The first step
    moves each weight by about lr against its gradient's sign. Raises ValueError for options out of range."""

    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def check(self, group):
        in_range(self, group, 0, math.inf, "lr", "eps", "weight_decay")
        try:
            beta1, beta2 = group["betas"]
        except (TypeError, ValueError):
            raise ValueError(f"Adam: betas must be a pair of numbers, got {group['betas']!r}") from None
        in_range(self, {"beta1": beta1, "beta2": beta2}, 0, 1, "beta1", "beta2")

    def update(self, w, g, state, group):
        beta1, beta2 = map(float, group["betas"])
        if decay := float(group["weight_decay"]):
            g = g + decay * w
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(w), exp_avg_sq=np.zeros_like(w))
        state["step"] = t = state["step"] + 1
        m, v = state["exp_avg"], state["exp_avg_sq"]
        scratch = np.empty_like(w)
        np.multiply(g, 1.0 - beta1, out=scratch)
        m *= beta1
        m += scratch
        np.multiply(g, g, out=scratch)
        scratch *= 1.0 - beta2
        v *= beta2
        v += scratch
        np.sqrt(v, out=scratch)
        scratch /= math.sqrt(1.0 - beta2**t)
        scratch += float(group["eps"])
        np.divide(m, scratch, out=scratch)
        scratch *= float(group["lr"]) / (1.0 - beta1**t)
        w -= scratch

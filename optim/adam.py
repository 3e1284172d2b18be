"""Adam, and AdamW, which decays weights apart from the gradient."""

import math

import numpy as np

from .moments import AdaptiveMoments
from .options import switches
from .rule import rule


@rule("w", "m", "v")
def adam(w, g, m, v, /, beta1, new1, beta2, new2, lr, root, eps):
    """new = 1 - beta. The corrections of the bias are numbers: lr / (1 - beta1^t), root = (1 -
    beta2^t)^-1/2."""
    m = beta1 * m + new1 * g
    v = beta2 * v + new2 * g * g
    w = w - lr * m / (np.sqrt(v) * root + eps)
    return w, m, v


@rule("w", "m", "v", "most")
def amsgrad(w, g, m, v, most, /, beta1, new1, beta2, new2, lr, root, eps):
    """Divides by the largest v so far, so that no step grows by forgetting."""
    m = beta1 * m + new1 * g
    v = beta2 * v + new2 * g * g
    most = np.maximum(most, v)
    w = w - lr * m / (np.sqrt(most) * root + eps)
    return w, m, v, most


class Adam(AdaptiveMoments):
    """Adaptive moments with bias correction (Kingma and Ba 2015; COURSE.md C2W2-adam), at step t:

        g = dJ/dw + lambda w
        m = beta1 m + (1 - beta1) g               m^ = m / (1 - beta1^t)
        v = beta2 v + (1 - beta2) g^2             v^ = v / (1 - beta2^t)
        w = w - lr m^ / (sqrt(v^) + eps)

    Adam(params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False) as torch.optim.Adam.
    The first step moves each weight by about lr against its gradient's sign. `amsgrad` divides by the largest
    v so far (Reddi et al. 2018); with `decoupled_weight_decay` it is AdamW. Row-sparse gradients move only
    their rows, as torch.optim.SparseAdam does. Raises ValueError for options out of range."""

    def __init__(
        self,
        params,
        lr=0.001,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
        amsgrad=False,
        *,
        maximize=False,
        decoupled_weight_decay=False,
    ):
        options = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)
        options |= dict(maximize=maximize, decoupled_weight_decay=decoupled_weight_decay)
        super().__init__(params, options)

    def check(self, group):
        AdaptiveMoments.check(self, group)
        switches(self, group, "amsgrad")

    def start(self, w, group):
        state = AdaptiveMoments.start(self, w, group)
        return {**state, "max_exp_avg_sq": np.zeros_like(w)} if group["amsgrad"] else state

    def move(self, state, group):
        t, beta1, beta2 = self.count(state, group)
        lr, root = float(group["lr"]) / (1.0 - beta1**t), 1.0 / math.sqrt(1.0 - beta2**t)
        numbers = beta1, 1.0 - beta1, beta2, 1.0 - beta2, lr, root, float(group["eps"])
        if group["amsgrad"]:
            return amsgrad, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"), numbers
        return adam, ("exp_avg", "exp_avg_sq"), numbers


class AdamW(AdaptiveMoments):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019): each step first shrinks
    w = (1 - lr lambda) w, so that weights with large gradients decay as much as the others.

    AdamW(params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, amsgrad=False) as
    torch.optim.AdamW. Raises ValueError for options out of range."""

    decoupled = True

    def __init__(
        self,
        params,
        lr=0.001,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.01,
        amsgrad=False,
        *,
        maximize=False,
    ):
        options = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)
        super().__init__(params, {**options, "maximize": maximize})

    check, start, move = Adam.check, Adam.start, Adam.move

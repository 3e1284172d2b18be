"""Gradient descent."""

import math

import numpy as np

from .optimizer import Optimizer, in_range


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum mu, dampening d, weight decay lambda:

        g = dJ/dw + lambda w
        v = mu v + (1 - d) g              v = g at the first step
        w = w - lr v                      Nesterov: w = w - lr (g + mu v)

    SGD(params, lr=0.001, momentum=0, dampening=0, weight_decay=0, nesterov=False) as torch.optim.SGD. The
    lecture's momentum, v = beta v + (1 - beta) g, is dampening=beta, but for its first step, or lr scaled by
    1 - beta; COURSE.md C1W2-gd, C2W2-momentum. Raises ValueError for options out of range, and for Nesterov
    without momentum or with dampening."""

    def __init__(self, params, lr=0.001, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
        options = dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov
        )
        super().__init__(params, options)

    def check(self, group):
        in_range(self, group, 0, math.inf, "lr", "momentum", "weight_decay")
        in_range(self, group, -math.inf, math.inf, "dampening")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            got = f"{group['momentum']!r} and {group['dampening']!r}"
            raise ValueError(f"SGD: nesterov needs momentum over 0 and dampening 0, got {got}")

    def update(self, w, g, state, group):
        lr, mu = float(group["lr"]), float(group["momentum"])
        if decay := float(group["weight_decay"]):
            g = g + decay * w
        if mu:
            v = state.get("momentum_buffer")
            if v is None:
                v = state["momentum_buffer"] = np.array(g)
            else:
                v *= mu
                kept = 1.0 - float(group["dampening"])
                v += g if kept == 1.0 else kept * g
            g = g + mu * v if group["nesterov"] else v
        w -= lr * g

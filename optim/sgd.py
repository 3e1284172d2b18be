"""Gradient descent."""

import numpy as np

from .optimizer import Elementwise
from .options import in_range, not_negative, switches
from .rule import rule


@rule("w")
def descent(w, g, /, lr):
    """w = w - lr g."""
    return w - lr * g


@rule("w", "v")
def momentum(w, g, v, /, mu, new, lr):
    """A ball that rolls: its velocity is the sum of past gradients, older ones fading."""
    v = mu * v + new * g
    w = w - lr * v
    return w, v


@rule("w", "v")
def nesterov(w, g, v, /, mu, new, lr):
    """Momentum that looks one step ahead."""
    v = mu * v + new * g
    w = w - lr * (new * g + mu * v)
    return w, v


class SGD(Elementwise):
    """Stochastic gradient descent, with momentum mu, dampening d, weight decay lambda:

        g = dJ/dw + lambda w
        v = mu v + (1 - d) g              v = g at the first step
        w = w - lr v                      Nesterov: w = w - lr (g + mu v)

    SGD(params, lr=0.001, momentum=0, dampening=0, weight_decay=0, nesterov=False) as torch.optim.SGD. The
    lecture's momentum, v = mu v + (1 - mu) g from v = 0, is `average=True`: the same steps with lr scaled by
    1 - mu. COURSE.md C1W2-gd, C2W1-decay, C2W2-momentum. Raises ValueError for options out of range, for
    Nesterov without momentum or with dampening, and for an average with dampening."""

    def __init__(
        self,
        params,
        lr=0.001,
        momentum=0.0,
        dampening=0.0,
        weight_decay=0.0,
        nesterov=False,
        *,
        average=False,
        maximize=False,
    ):
        options = dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
        super().__init__(params, {**options, "nesterov": nesterov, "average": average, "maximize": maximize})

    def check(self, group):
        not_negative(self, group, "momentum")
        in_range(self, group, -np.inf, np.inf, "dampening")
        switches(self, group, "nesterov", "average")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            got = f"{group['momentum']!r} and {group['dampening']!r}"
            raise ValueError(f"SGD: nesterov needs momentum over 0 and dampening 0, got {got}")
        if group["average"] and group["dampening"] != 0:
            raise ValueError(f"SGD: average needs dampening 0, got {group['dampening']!r}")

    def start(self, w, group):
        return {"step": 0, "momentum_buffer": np.zeros_like(w)} if group["momentum"] else {}

    def move(self, state, group):
        lr, mu = float(group["lr"]), float(group["momentum"])
        if not mu:
            return descent, (), (lr,)
        state["step"] += 1
        if group["average"]:
            new = 1.0 - mu
        else:
            new = 1.0 if state["step"] == 1 else 1.0 - float(group["dampening"])
        return (nesterov if group["nesterov"] else momentum), ("momentum_buffer",), (mu, new, lr)

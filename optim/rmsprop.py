"""RMSprop."""

import numpy as np

from .optimizer import Elementwise
from .options import in_range, not_negative, switches
from .rule import rule


@rule("w", "s")
def rmsprop(w, g, s, /, beta, new, lr, eps):
    """new = 1 - beta."""
    s = beta * s + new * g * g
    w = w - lr * g / (np.sqrt(s) + eps)
    return w, s


@rule("w", "s", "v")
def with_momentum(w, g, s, v, /, beta, new, lr, eps, mu):
    """The scaled gradient gathers speed."""
    s = beta * s + new * g * g
    v = mu * v + g / (np.sqrt(s) + eps)
    w = w - lr * v
    return w, s, v


@rule("w", "s", "a")
def centered(w, g, s, a, /, beta, new, lr, eps):
    """Divides by the gradient's standard deviation; the maximum is for rounding."""
    s = beta * s + new * g * g
    a = beta * a + new * g
    w = w - lr * g / (np.sqrt(np.maximum(s - a * a, 0.0)) + eps)
    return w, s, a


@rule("w", "s", "a", "v")
def centered_with_momentum(w, g, s, a, v, /, beta, new, lr, eps, mu):
    """Both."""
    s = beta * s + new * g * g
    a = beta * a + new * g
    v = mu * v + g / (np.sqrt(np.maximum(s - a * a, 0.0)) + eps)
    w = w - lr * v
    return w, s, a, v


class RMSprop(Elementwise):
    """Divides the gradient by the root of its mean square (Hinton; COURSE.md C2W2-rmsprop), beta = `alpha`:

        s = beta s + (1 - beta) g^2               w = w - lr g / (sqrt(s) + eps)

    `centered` subtracts the square of the mean gradient from s (Graves 2013); `momentum` mu gathers
    v = mu v + g / (sqrt(s) + eps), and w = w - lr v. RMSprop(params, lr=0.01, alpha=0.99, eps=1e-8,
    weight_decay=0, momentum=0, centered=False) as torch.optim.RMSprop. Raises ValueError for options out of
    range."""

    def __init__(
        self,
        params,
        lr=0.01,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0.0,
        momentum=0.0,
        centered=False,
        *,
        maximize=False,
    ):
        options = dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        super().__init__(params, {**options, "centered": centered, "maximize": maximize})

    def check(self, group):
        not_negative(self, group, "eps", "momentum")
        in_range(self, group, 0, 1, "alpha")
        switches(self, group, "centered")

    def start(self, w, group):
        names = ["square_avg"]
        names += ["grad_avg"] if group["centered"] else []
        names += ["momentum_buffer"] if group["momentum"] else []
        return {name: np.zeros_like(w) for name in names}

    def move(self, state, group):
        beta, mu = float(group["alpha"]), float(group["momentum"])
        numbers = beta, 1.0 - beta, float(group["lr"]), float(group["eps"])
        if group["centered"]:
            if mu:
                names = "square_avg", "grad_avg", "momentum_buffer"
                return centered_with_momentum, names, (*numbers, mu)
            return centered, ("square_avg", "grad_avg"), numbers
        if mu:
            return with_momentum, ("square_avg", "momentum_buffer"), (*numbers, mu)
        return rmsprop, ("square_avg",), numbers

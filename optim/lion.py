"""Lion."""

import numpy as np

from .optimizer import Elementwise
from .options import fractions
from .rule import rule


@rule("w", "m")
def lion(w, g, m, /, beta1, new1, beta2, new2, lr):
    """new = 1 - beta."""
    w = w - lr * np.sign(beta1 * m + new1 * g)
    m = beta2 * m + new2 * g
    return w, m


class Lion(Elementwise):
    """Evolved sign momentum (Chen et al. 2023): every weight moves by lr, so lr is a third to a tenth of
    Adam's, and weight decay, apart from the gradient, three to ten times AdamW's:

        w = (1 - lr lambda) w - lr sign(beta1 m + (1 - beta1) g)        m = beta2 m + (1 - beta2) g

    Lion(params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0). Raises ValueError for options out of range."""

    decoupled = True

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, *, maximize=False):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay, maximize=maximize))

    def check(self, group):
        fractions(self, group, "betas")

    def start(self, w, group):
        return {"exp_avg": np.zeros_like(w)}

    def move(self, state, group):
        beta1, beta2 = map(float, group["betas"])
        return lion, ("exp_avg",), (beta1, 1.0 - beta1, beta2, 1.0 - beta2, float(group["lr"]))

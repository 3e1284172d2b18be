"""Rprop."""

import numpy as np

from .optimizer import Elementwise
from .options import not_negative, pair
from .rule import rule


@rule("w", "prev", "size")
def rprop(w, g, prev, size, /, shrink, grow, least, most):
    """Looks only at signs. After a change of sign it forgets the gradient, and so stands still once."""
    same = np.sign(g * prev)
    size = size * np.where(same > 0.0, grow, np.where(same < 0.0, shrink, 1.0))
    size = np.minimum(np.maximum(size, least), most)
    prev = np.where(same < 0.0, 0.0, g)
    w = w - np.sign(prev) * size
    return w, prev, size


class Rprop(Elementwise):
    """Resilient backpropagation (Riedmiller and Braun 1993), for whole batches: each weight has a step size
    of its own, which grows by `etas[1]` while its gradient keeps its sign and shrinks by `etas[0]` when it
    changes; lr is the first.

    Rprop(params, lr=0.01, etas=(0.5, 1.2), step_sizes=(1e-6, 50)) as torch.optim.Rprop. Raises ValueError
    unless 0 < etas[0] < 1 < etas[1] and step_sizes are in order."""

    def __init__(self, params, lr=0.01, etas=(0.5, 1.2), step_sizes=(1e-6, 50.0), *, maximize=False):
        super().__init__(params, dict(lr=lr, etas=etas, step_sizes=step_sizes, maximize=maximize))

    def check(self, group):
        shrink, grow = pair(self, group, "etas")
        least, most = pair(self, group, "step_sizes")
        not_negative(self, {"etas": shrink, "step_sizes": least}, "etas", "step_sizes")
        not_negative(self, {"etas": grow, "step_sizes": most}, "etas", "step_sizes")
        if not 0 < shrink < 1 < grow:
            raise ValueError(f"Rprop: etas need 0 < etas[0] < 1 < etas[1], got {group['etas']!r}")
        if not 0 <= least <= most:
            raise ValueError(f"Rprop: step_sizes need 0 <= least <= most, got {group['step_sizes']!r}")

    def start(self, w, group):
        return {"prev": np.zeros_like(w), "step_size": np.full_like(w, float(group["lr"]))}

    def move(self, state, group):
        return rprop, ("prev", "step_size"), tuple(map(float, (*group["etas"], *group["step_sizes"])))

"""Muon."""

import math
import numbers

import numpy as np

from autograd.methods import ops

from .optimizer import Optimizer
from .options import in_range, not_negative, one_of, switches, whole


class Muon(Optimizer):
    """Momentum, made orthogonal by Newton and Schulz's iteration (Jordan 2024), for the weight matrices of
    hidden layers; the rest (biases, embeddings, the output layer) goes to AdamW:

        m = mu m + (1 - mu) g        u = (1 - mu) g + mu m for Nesterov, else m
        w = (1 - lr lambda) w - lr c orthogonal(u)

    c = sqrt(max(1, rows / columns)) for `adjust_lr_fn` "original", or 0.2 sqrt(max(rows, columns)) for
    "match_rms_adamw", which takes AdamW's learning rates. Muon(params, lr=0.001, weight_decay=0.1,
    momentum=0.95, nesterov=True, ns_coefficients=(3.4445, -4.775, 2.0315), eps=1e-7, ns_steps=5,
    adjust_lr_fn=None) as torch.optim.Muon, but that iterates in bfloat16 and we in the parameter's dtype.
    Raises ValueError for parameters that are no matrices, and options out of range."""

    decoupled = True

    def __init__(
        self,
        params,
        lr=0.001,
        weight_decay=0.1,
        momentum=0.95,
        nesterov=True,
        ns_coefficients=(3.4445, -4.775, 2.0315),
        eps=1e-7,
        ns_steps=5,
        adjust_lr_fn=None,
    ):
        options = dict(lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov)
        options |= dict(ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps)
        super().__init__(params, {**options, "adjust_lr_fn": adjust_lr_fn})

    def check(self, group):
        in_range(self, group, 0, 1, "momentum")
        not_negative(self, group, "eps")
        switches(self, group, "nesterov")
        whole(self, group, 0, "ns_steps")
        one_of(self, group, "adjust_lr_fn", (None, "original", "match_rms_adamw"))
        three = group["ns_coefficients"]
        if not isinstance(three, (tuple, list)) or len(three) != 3 or not all(map(_is_number, three)):
            raise ValueError(f"Muon: ns_coefficients must be 3 numbers, got {three!r}")
        for p in group["params"]:
            if getattr(p, "ndim", 2) != 2:
                raise ValueError(f"Muon moves matrices only, got shape {p.shape}: give the rest to AdamW")

    def start(self, w, group):
        return {"momentum_buffer": np.zeros_like(w)}

    def delta(self, w, g, state, group):
        mu, m = float(group["momentum"]), state["momentum_buffer"]
        m += (1.0 - mu) * (g - m)
        u = (1.0 - mu) * g + mu * m if group["nesterov"] else m
        rows, columns = w.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            c = 0.2 * math.sqrt(max(rows, columns))
        else:
            c = math.sqrt(max(1.0, rows / columns)) if columns else 1.0
        u = orthogonal(u, group["ns_coefficients"], group["ns_steps"], float(group["eps"]))
        return float(group["lr"]) * c * u


def _is_number(value):
    return isinstance(value, numbers.Real)


def orthogonal(
    u: np.ndarray, coefficients: tuple = (3.4445, -4.775, 2.0315), steps: int = 5, eps: float = 1e-7
) -> np.ndarray:
    """A matrix with u's singular vectors, and singular values near 1: each step puts the odd polynomial
    a s + b s^3 + c s^5 in the place of each singular value s."""
    a, b, c = map(float, coefficients)
    wide = u.shape[0] <= u.shape[1]
    x = u if wide else u.T
    x = x / max(float(np.linalg.norm(x)), eps)
    for _ in range(steps):
        gram = ops.matmul(x, x.T)
        x = a * x + ops.matmul(b * gram + c * ops.matmul(gram, gram), x)
    return x if wide else x.T

"""Adafactor."""

import math

import numpy as np

from .optimizer import Optimizer
from .options import in_range, not_negative, pair


class Adafactor(Optimizer):
    """Adam's second moment in the space of a row and a column (Shazeer and Stern 2018): for a matrix, R and C
    average g^2 over columns and over rows, and stand for all of it. At step t, with RMS the root of the mean
    square, (eps1, eps2) = `eps`, and eps1 = the dtype's epsilon where it is None:

        b = t^beta2_decay          R = (1 - b) R + b mean_columns(g^2)          C likewise
        V = R C / mean(R)          U = g / sqrt(V)          w = (1 - lr lambda) w
        w = w - max(eps2, RMS(w)) min(lr, 1 / sqrt(t)) U / max(1, RMS(U) / d)

    Vectors keep V itself. Adafactor(params, lr=0.01, beta2_decay=-0.8, eps=(None, 1e-3), d=1, weight_decay=0)
    as torch.optim.Adafactor. Raises ValueError for options out of range."""

    decoupled = True

    def __init__(
        self,
        params,
        lr=0.01,
        beta2_decay=-0.8,
        eps=(None, 1e-3),
        d=1.0,
        weight_decay=0.0,
        *,
        maximize=False,
    ):
        options = dict(lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay)
        super().__init__(params, {**options, "maximize": maximize})

    def check(self, group):
        eps1, eps2 = pair(self, group, "eps")
        not_negative(self, {"eps1": 0.0 if eps1 is None else eps1, "eps2": eps2}, "eps1", "eps2")
        in_range(self, group, 1, math.inf, "d")
        in_range(self, group, -math.inf, 1e-300, "beta2_decay")

    def start(self, w, group):
        if w.ndim < 2:
            return {"step": 0, "variance": np.zeros_like(w)}
        row, column = (*w.shape[:-1], 1), (*w.shape[:-2], 1, w.shape[-1])
        return {"step": 0, "row_var": np.zeros(row, w.dtype), "col_var": np.zeros(column, w.dtype)}

    def delta(self, w, g, state, group):
        state["step"] = t = state["step"] + 1
        if not w.size:
            return w
        lr, d = float(group["lr"]), float(group["d"])
        eps1, eps2 = group["eps"]
        eps1 = float(np.finfo(w.dtype).eps if eps1 is None else eps1)
        rate = max(float(eps2), _rms(w)) * min(lr, 1.0 / math.sqrt(t))
        new = float(t) ** float(group["beta2_decay"])
        squares = g * g
        if w.ndim < 2:
            V = state["variance"]
            V += new * (squares - V)
        else:
            R, C = state["row_var"], state["col_var"]
            R += new * (squares.mean(-1, keepdims=True) - R)
            C += new * (squares.mean(-2, keepdims=True) - C)
            V = R * (C / np.maximum(R.mean(-2, keepdims=True), eps1))
        U = g / np.sqrt(np.maximum(V, eps1 * eps1))
        return rate / max(1.0, _rms(U) / d) * U


def _rms(a):
    return math.sqrt(float(np.mean(a * a)))

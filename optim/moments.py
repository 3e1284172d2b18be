"""What the optimizers of Adam's family share."""

import numpy as np

from .optimizer import Elementwise
from .options import fractions, not_negative


class AdaptiveMoments(Elementwise):
    """Keeps an average of the gradient (`exp_avg`) and one of its square (`exp_avg_sq`)."""

    def check(self, group):
        not_negative(self, group, "eps")
        fractions(self, group, "betas")

    def start(self, w, group):
        return {"step": 0, "exp_avg": np.zeros_like(w), "exp_avg_sq": np.zeros_like(w)}

    def count(self, state, group):
        """(this step's number from 1, beta1, beta2)"""
        state["step"] = t = state["step"] + 1
        beta1, beta2 = group["betas"]
        return t, float(beta1), float(beta2)

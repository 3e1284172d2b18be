"""L-BFGS."""

from typing import NamedTuple

import numpy as np

from autograd.modes import enable_grad, no_grad
from autograd.tensor import unwrap, writable

from .optimizer import Optimizer
from .options import not_negative, one_of, whole


class LBFGS(Optimizer):
    """Quasi-Newton steps from a short history of gradients (Liu and Nocedal 1989), for whole batches and few
    parameters. With s the last steps of w and y those of the gradient, the two-loop recursion gives the
    direction d = -H g, where H approximates the inverse of the Hessian, and w = w + t d. t is lr, or is found
    by `line_search_fn="strong_wolfe"`.

    `step(closure)` runs up to `max_iter` iterations; the closure clears the gradients, runs backward and
    returns the loss, and is called again for each. LBFGS(params, lr=1, max_iter=20, max_eval=max_iter * 5/4,
    tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100, line_search_fn=None) as torch.optim.LBFGS.
    Raises ValueError for more than one group and options out of range, TypeError without a closure."""

    def __init__(
        self,
        params,
        lr=1.0,
        max_iter=20,
        max_eval=None,
        tolerance_grad=1e-7,
        tolerance_change=1e-9,
        history_size=100,
        line_search_fn=None,
    ):
        options = dict(lr=lr, max_iter=max_iter, tolerance_grad=tolerance_grad, history_size=history_size)
        options |= dict(tolerance_change=tolerance_change, line_search_fn=line_search_fn)
        super().__init__(params, {**options, "max_eval": max_eval})

    def check(self, group):
        whole(self, group, 1, "max_iter", "history_size")
        not_negative(self, group, "tolerance_grad", "tolerance_change")
        one_of(self, group, "line_search_fn", (None, "strong_wolfe"))
        if group["max_eval"] is None:
            group["max_eval"] = group["max_iter"] * 5 // 4
        whole(self, group, 1, "max_eval")
        if self.param_groups and self.param_groups[0] is not group and not self._loading(group):
            raise ValueError("LBFGS takes one group of parameters: its direction is one for all of them")

    def _loading(self, group):
        return group["params"] and isinstance(group["params"][0], int)

    def start(self, w, group):
        """All parameters are one vector to this optimizer: what it remembers is kept as the first one's."""
        n = sum(p.size for p in self._parameters())
        vector, history = np.zeros(n, w.dtype), (group["history_size"], n)
        state = {"n_iter": 0, "func_evals": 0, "t": 0.0, "H_diag": 1.0, "count": 0}
        arrays = {"d": vector, "prev_flat_grad": vector.copy()}
        return state | arrays | {"s": np.zeros(history, w.dtype), "y": np.zeros(history, w.dtype)}

    def step(self, closure=None):
        """Iterates on the loss that `closure` computes; returns its first value."""
        if closure is None:
            raise TypeError("LBFGS: step(closure) needs a function that runs backward and returns the loss")
        with no_grad():
            return self._minimise(closure, self.param_groups[0])

    def _minimise(self, closure, group):
        p = group["params"][0]
        state = self._remembered(p, p._data, group)
        lr, most = float(group["lr"]), group["max_iter"]
        tolerance_grad, tolerance_change = float(group["tolerance_grad"]), float(group["tolerance_change"])
        first = self._call(closure, state)
        loss, g, calls = float(unwrap(first)), self._flat_gradient(), 1
        if np.abs(g).max(initial=0.0) <= tolerance_grad:
            return first
        for iteration in range(1, most + 1):
            state["n_iter"] += 1
            d = self._direction(g, state)
            state["prev_flat_grad"], before = g.copy(), loss
            t = min(1.0, 1.0 / float(np.abs(g).sum())) * lr if state["n_iter"] == 1 else lr
            slope = float(g @ d)
            state["d"], state["t"] = d, t
            if slope > -tolerance_change:
                break
            if group["line_search_fn"] is not None:
                origin = [q._data.copy() for q in group["params"]]

                def along(t, origin=origin, d=d):
                    self._place(origin, t, d)
                    loss, g = float(unwrap(self._call(closure, state))), self._flat_gradient()
                    return Point(t, loss, g, float(g @ d))

                size, budget = float(np.abs(d).max()), group["max_eval"] - calls
                start = Point(0.0, loss, g, slope)
                found, evaluations = strong_wolfe(along, t, start, size, tolerance_change, budget)
                t, loss, g = found.t, found.loss, found.g
                self._place(origin, t, d)
                calls += evaluations
            else:
                self._place([q._data for q in group["params"]], t, d)
                if iteration < most:  # the last one needs no new gradient
                    loss, g = float(unwrap(self._call(closure, state))), self._flat_gradient()
                    calls += 1
            state["t"] = t
            small = np.abs(g).max() <= tolerance_grad or float(np.abs(d).max()) * t <= tolerance_change
            if calls >= group["max_eval"] or small or abs(loss - before) < tolerance_change:
                break
        return first

    def _call(self, closure, state):
        state["func_evals"] += 1
        with enable_grad():
            return closure()

    def _direction(self, g, state):
        """-H g, after the last step has joined the history."""
        if state["n_iter"] == 1:
            return -g
        y, s = g - state["prev_flat_grad"], state["d"] * state["t"]
        size = len(state["s"])
        if (ys := float(y @ s)) > 1e-10:
            state["s"][state["count"] % size], state["y"][state["count"] % size] = s, y
            state["count"] += 1
            state["H_diag"] = ys / float(y @ y)
        count = state["count"]
        newest_first = [k % size for k in range(count - 1, max(0, count - size) - 1, -1)]
        q, weights = -g, []
        for k in newest_first:
            s, y = state["s"][k], state["y"][k]
            weights.append(float(s @ q) / float(y @ s))
            q -= weights[-1] * y
        r = q * state["H_diag"]
        for k, weight in zip(reversed(newest_first), reversed(weights)):
            s, y = state["s"][k], state["y"][k]
            r += (weight - float(y @ r) / float(y @ s)) * s
        return r

    def _flat_gradient(self):
        parameters = self.param_groups[0]["params"]
        flat = [
            np.zeros(p.size, p.dtype)
            if p.grad is None or not p.requires_grad
            else self._gradient(p, p._data).reshape(-1)
            for p in parameters
        ]
        return np.concatenate(flat).astype(parameters[0].dtype, copy=False)

    def _place(self, origin, t, d):
        """The parameters at `origin` + t d."""
        start = 0
        for p, w in zip(self.param_groups[0]["params"], origin):
            if p.requires_grad:
                writable(p)[...] = w + t * d[start : start + w.size].reshape(w.shape)
            start += w.size


class Point(NamedTuple):
    """A point of the line search: how far along, the loss there, its gradient, and the slope along d."""

    t: float
    loss: float
    g: np.ndarray
    slope: float


def strong_wolfe(evaluate, t, start, size, tolerance, most, c1=1e-4, c2=0.9):
    """A point along a descent direction where the loss has fallen by c1 of what the slope promised and the
    slope to c2 of its size (Nocedal and Wright 2006, algorithms 3.5 and 3.6): first growing steps until two
    points enclose one, then cubic interpolation between them.

    `evaluate(t)` gives a `Point`, `start` is the one at 0, `size` the largest element of the direction.
    Returns (the best point, how often it evaluated), after at most about `most` evaluations."""

    def too_high(point):
        return point.loss > start.loss + c1 * point.t * start.slope

    def flat(point):
        return abs(point.slope) <= -c2 * start.slope

    before, point, calls = start, evaluate(t), 1
    tries = 0
    low, high = start, point
    while tries < most:
        if too_high(point) or (tries > 1 and point.loss >= before.loss) or point.slope >= 0 or flat(point):
            low, high = before, point
            break
        t = _cubic(before, point, point.t + 0.01 * (point.t - before.t), point.t * 10)
        before, point = point, evaluate(t)
        calls += 1
        tries += 1
    else:
        low, high = start, point
    if not too_high(point) and not (tries > 1 and point.loss >= before.loss) and flat(point):
        return point, calls
    if low.loss > high.loss:
        low, high = high, low
    stuck = False
    while tries < most and abs(high.t - low.t) * size >= tolerance:
        left, right = min(low.t, high.t), max(low.t, high.t)
        t = _cubic(low, high, left, right)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:  # too near an end to learn from
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        point = evaluate(t)
        calls += 1
        tries += 1
        if too_high(point) or point.loss >= low.loss:
            high = point
            if low.loss > high.loss:
                low, high = high, low
        else:
            done = flat(point)
            if not done and point.slope * (high.t - low.t) >= 0:
                high = low
            low = point
            if done:
                break
    return low, calls


def _cubic(a, b, left, right):
    """Where the cubic through two points with these slopes is lowest, kept within bounds."""
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return (left + right) / 2
    d2 = square**0.5
    bottom = b.slope - a.slope + 2 * d2
    if bottom == 0:
        return (left + right) / 2
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bottom), left), right)

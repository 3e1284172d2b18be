"""scipy.integrate.odeint, differentiated by the adjoint equation, integrated back in time between the
measured
points (Froehlich et al. 2017, arXiv:1711.08079, section 2.4.2)."""

import numpy as np
import scipy.integrate as _integrate

from ..core import defvjp_argnums, make_vjp
from ..misc.flatten import flatten
from ..tracer import primitive


@primitive
def odeint(func, y0, t, args=(), **kwargs):
    """scipy.integrate.odeint(func, y0, t, args): y at the times t of dy/dt = func(y, t, *args).
    Differentiable in y0,
    t and args."""
    return _integrate.odeint(func, y0, t, tuple(args), **kwargs)


def _rules(argnums, ys, arguments, kwargs):
    func, _, t, args = (*arguments, ()) if len(arguments) == 3 else arguments
    flat, unflatten = flatten(args)
    T, D = np.shape(ys)

    def backwards(state, t, flat):
        y, a = state[:D], state[D : 2 * D]
        pull, slope = make_vjp(lambda all: func(all[0], all[1], *unflatten(all[2])), (y, t, flat))
        of_y, of_t, of_args = pull(-a)
        return np.concatenate([slope, of_y, np.reshape(of_t, (1,)), of_args])

    def rule(g):
        a, of_first, of_args, of_times = g[-1], 0.0, np.zeros(np.size(flat)), []
        for i in range(T - 1, 0, -1):
            moved = np.dot(func(ys[i], t[i], *args), g[i])
            of_times.append(moved)
            of_first = of_first - moved
            start = np.concatenate([ys[i], a, np.reshape(of_first, (1,)), of_args])
            end = odeint(backwards, start, np.stack([t[i], t[i - 1]]), (flat,), **kwargs)[1]
            a, of_first, of_args = end[D : 2 * D] + g[i - 1], end[2 * D], end[2 * D + 1 :]
        found = {1: a, 2: np.stack([of_first, *of_times[::-1]]), 3: unflatten(of_args)}
        return [found[n] for n in argnums]

    return rule


defvjp_argnums(odeint, _rules)

"""Programs as they are written for HIPS/autograd, the same lines for both: its own interface, float64, plain
arrays in and out."""

from functools import partial

import numpy as np

from benchmarks.case import Case

TARGETS = {"hips": 2.0}


def both(program):
    """Our side and theirs: the same program, on what each calls autograd."""
    return {"ours": partial(run, program), "hips": partial(run, program)}


def run(program, inputs):
    """The step of a program, which returns its arrays by name."""
    step = program(**inputs)
    last = {}
    return lambda: last.update(step()), lambda: {name: np.asarray(a) for name, a in last.items()}


# ---- the programs


def logistic_regression(x, targets, w):
    """The gradient of the mean cross-entropy and its L2 penalty."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    def loss(w):
        p = 0.5 * (anp.tanh(0.5 * anp.dot(x, w)) + 1)
        right = p * targets + (1 - p) * (1 - targets)
        return -anp.mean(anp.log(right)) + 0.01 * anp.sum(w**2)

    both = value_and_grad(loss)
    return lambda: dict(zip(("loss", "w"), both(w)))


def rnn(xs, parameters):
    """The gradient of the squared last state of a recurrent network, in a dict of parameters."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    def loss(p):
        h = anp.zeros((xs[0].shape[0], p["U"].shape[0]))
        for x in xs:
            h = anp.tanh(anp.dot(x, p["W"]) + anp.dot(h, p["U"]) + p["b"])
        return anp.mean(h**2)

    both = value_and_grad(loss)

    def step():
        value, gradients = both(parameters)
        return {"loss": value, **gradients}

    return step


def lbfgs(x0, rounds):
    """L-BFGS steps (memory 5, step 1 / L at first, Armijo's backtracking) on Rosenbrock's function."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    def rosenbrock(x):
        return anp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    both = value_and_grad(rosenbrock)

    def step():
        x, pairs = x0, []
        value, g = both(x)
        for _ in range(rounds):
            q, used = np.array(g), []
            for s, y in reversed(pairs):
                a = (s @ q) / (s @ y)
                used.append(a)
                q = q - a * y
            q = q * ((pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1]) if pairs else 1e-3)
            for (s, y), a in zip(pairs, reversed(used)):
                q = q + (a - (y @ q) / (s @ y)) * s
            size = 1.0
            while True:
                new = x - size * q
                new_value, new_g = both(new)
                if new_value <= value - 1e-4 * size * (g @ q) or size < 1e-8:
                    break
                size /= 2
            if (new - x) @ (new_g - g) > 1e-12:
                pairs = [*pairs[-4:], (new - x, new_g - g)]
            x, value, g = new, new_value, new_g
        return {"value": value, "x": x}

    return step


def ode(y0, A, steps):
    """The gradient through Runge-Kutta steps of y' = tanh(A y), with respect to A."""
    import autograd.numpy as anp
    from autograd import grad

    def loss(A):
        y, h = y0, 1.0 / steps
        slope = lambda y: anp.tanh(anp.dot(A, y))
        for _ in range(steps):
            a = slope(y)
            b = slope(y + h / 2 * a)
            c = slope(y + h / 2 * b)
            d = slope(y + h * c)
            y = y + h / 6 * (a + 2 * b + 2 * c + d)
        return anp.sum(y**2)

    both = grad(loss)
    return lambda: {"A": both(A)}


# ---- their inputs


def logistic_data(rng, m, n):
    x = rng.standard_normal((m, n))
    return {"x": x, "targets": (x[:, 0] > 0).astype(float), "w": 0.1 * rng.standard_normal(n)}


def rnn_data(rng, times, m, n):
    U = 0.9 * np.linalg.qr(rng.standard_normal((n, n)))[0]
    parameters = {"W": 0.1 * rng.standard_normal((n, n)), "U": U, "b": 0.1 * rng.standard_normal(n)}
    return {"xs": [rng.standard_normal((m, n)) for _ in range(times)], "parameters": parameters}


def lbfgs_data(rng, n, rounds):
    return {"x0": 0.1 * rng.standard_normal(n), "rounds": rounds}


def ode_data(rng, n, steps):
    return {"y0": rng.standard_normal(n), "A": rng.standard_normal((n, n)) / n**0.5, "steps": steps}


CASES = [
    Case(
        "gradient of a logistic regression, (200, 20)",
        logistic_data,
        both(logistic_regression),
        {"m": 200, "n": 20},
        {"m": 5, "n": 3},
        TARGETS,
    ),
    Case(
        "gradient of an RNN of 50 steps, width 32, batch 8",
        rnn_data,
        both(rnn),
        {"times": 50, "m": 8, "n": 32},
        {"times": 3, "m": 2, "n": 3},
        TARGETS,
    ),
    Case(
        "L-BFGS, 20 rounds on Rosenbrock's function of 10 numbers",
        lbfgs_data,
        both(lbfgs),
        {"n": 10, "rounds": 20},
        {"n": 3, "rounds": 2},
        TARGETS,
    ),
    Case(
        "gradient through an ODE of 100 Runge-Kutta steps, 10 numbers",
        ode_data,
        both(ode),
        {"n": 10, "steps": 100},
        {"n": 3, "steps": 4},
        TARGETS,
    ),
]

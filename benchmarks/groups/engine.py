"""The engine's overhead per operation: many small operations, where the arithmetic itself costs next to
nothing.

Each case runs forward and backward with gradients to all leaves, and again without recording.
"""

from dataclasses import replace

import numpy as np

from benchmarks.case import Case
from benchmarks.sides import every_side

TARGETS = {"torch": 1.0, "mygrad": 2.0, "hips": 2.0}
PLAIN = {
    "hips": "without recording, HIPS/autograd is given plain arrays, and their operators are NumPy's own"
}
LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


# ---- the forwards


def multiplies(lib, x, w, times):
    """x * w * w * ..."""
    for _ in range(times):
        x = x * w
    return x.sum()


def matmul_add_tanh(lib, x, w, b, times):
    """x = tanh(x w + b), over and over."""
    for _ in range(times):
        x = lib.tanh(x @ w + b)
    return x.sum()


def rnn(lib, xs, h, W, U, b):
    """h<t> = tanh(x<t> W + h<t-1> U + b)."""
    for x in xs:
        h = lib.tanh(x @ W + h @ U + b)
    return h.sum()


def tree(lib, leaves):
    """A sum, pair by pair."""
    while len(leaves) > 1:
        alone = leaves[-1:] if len(leaves) % 2 else []
        leaves = [a + b for a, b in zip(leaves[::2], leaves[1::2])] + alone
    return leaves[0]


# ---- their inputs


def normal(rng, *shape, scale=1.0):
    return np.asarray(scale * rng.standard_normal(shape), np.float32)


def rotation(rng, n):
    """An orthogonal matrix, so that a long chain through it neither dies out nor explodes."""
    return np.linalg.qr(rng.standard_normal((n, n)))[0].astype(np.float32)


def multiplies_data(rng, n, times):
    return {"x": normal(rng, n, n), "w": 1 + normal(rng, n, n, scale=0.01), "times": times}


def matmul_add_tanh_data(rng, n, times):
    return {"x": normal(rng, n, n), "w": rotation(rng, n), "b": normal(rng, n, n, scale=0.1), "times": times}


def rnn_data(rng, m, n, times):
    return {
        "xs": [normal(rng, m, n) for _ in range(times)],
        "h": np.zeros((m, n), np.float32),
        "W": normal(rng, n, n, scale=0.1),
        "U": rotation(rng, n),
        "b": normal(rng, n, scale=0.1),
    }


def tree_data(rng, adds):
    return {"leaves": [normal(rng) for _ in range(adds + 1)]}


# ---- a multilayer perceptron, with each library's own layers and optimizer where it has them


def mlp_data(rng, m, widths, record):
    shapes = list(zip(widths[1:], widths[:-1]))
    return {
        "x": normal(rng, m, widths[0]),
        "labels": rng.integers(0, widths[-1], m),
        "W": [normal(rng, out, into, scale=(2 / into) ** 0.5) for out, into in shapes],
        "b": [normal(rng, out, scale=0.1) for out, _ in shapes],
        "record": record,
    }


def mlp_result(loss, parameters, gradients):
    named = {"loss": loss, **{f"parameter {i}": p for i, p in enumerate(parameters)}}
    return {
        k: np.asarray(v) for k, v in (named | {f"gradient {i}": g for i, g in enumerate(gradients)}).items()
    }


def layers(nn, inputs):
    """Linear, ReLU, Linear, ... of a library that has these."""
    stack = []
    for W in inputs["W"]:
        stack += [nn.Linear(*W.shape[::-1]), nn.ReLU()]
    return nn.Sequential(*stack[:-1])


def mlp_ours(inputs):
    import autograd
    import nn
    import optim

    model, loss_of = layers(nn, inputs), nn.CrossEntropyLoss()
    parameters = list(model.parameters())
    with autograd.no_grad():
        for p, a in zip(parameters, interleaved(inputs), strict=True):
            p[...] = a
    x, labels = autograd.Tensor(inputs["x"]), inputs["labels"]
    return modules_step(autograd, optim, model, loss_of, x, labels, inputs["record"])


def mlp_torch(inputs, compiled=False):
    import torch

    model, loss_of = layers(torch.nn, inputs), torch.nn.CrossEntropyLoss()
    with torch.no_grad():
        for p, a in zip(model.parameters(), interleaved(inputs), strict=True):
            p.copy_(torch.from_numpy(a))
    x, labels = torch.from_numpy(inputs["x"]), torch.from_numpy(inputs["labels"])
    model = torch.compile(model) if compiled else model
    return modules_step(torch, torch.optim, model, loss_of, x, labels, inputs["record"])


def interleaved(inputs):
    """W1, b1, W2, b2, ..."""
    return [a for pair in zip(inputs["W"], inputs["b"]) for a in pair]


def modules_step(lib, optim, model, loss_of, x, labels, record):
    """A training step, or the loss alone, in the words that we and PyTorch share."""
    parameters = list(model.parameters())
    optimizer = optim.Adam(parameters, lr=LR)
    last = {}

    def train():
        optimizer.zero_grad()
        last["loss"] = loss = loss_of(model(x), labels)
        loss.backward()
        optimizer.step()

    def forward():
        with lib.no_grad():
            last["loss"] = loss_of(model(x), labels)

    def result():
        gradients = [p.grad.numpy() for p in parameters] if record else []
        return mlp_result(last["loss"].detach().numpy(), [p.detach().numpy() for p in parameters], gradients)

    return train if record else forward, result


class Adam:
    """Adam on arrays, for the libraries that bring no optimizer."""

    def __init__(self, arrays, rate=LR):
        self.arrays, self.rate, self.t = arrays, rate, 0
        self.moments = [(np.zeros_like(a), np.zeros_like(a)) for a in arrays]

    def step(self, gradients):
        self.t += 1
        for w, g, (m, v) in zip(self.arrays, gradients, self.moments):
            m *= BETA1
            m += (1 - BETA1) * g
            v *= BETA2
            v += (1 - BETA2) * g * g
            w -= self.rate / (1 - BETA1**self.t) * m / (np.sqrt(v) / (1 - BETA2**self.t) ** 0.5 + EPS)


def mlp_mygrad(inputs):
    import mygrad
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    parameters = [mygrad.tensor(a) for a in interleaved(inputs)]
    x, labels = inputs["x"], inputs["labels"]
    adam = Adam([p.data for p in parameters])
    last = {}

    def loss():
        h = x
        for i in range(0, len(parameters), 2):
            h = mygrad.matmul(h if i == 0 else relu(h), parameters[i].T) + parameters[i + 1]
        last["loss"] = softmax_crossentropy(h, labels)
        return last["loss"]

    def train():
        loss().backward()
        adam.step([p.grad for p in parameters])

    def forward():
        with mygrad.no_autodiff:
            loss()

    def result():
        gradients = [p.grad for p in parameters] if inputs["record"] else []
        return mlp_result(last["loss"].data, [p.data for p in parameters], gradients)

    return train if inputs["record"] else forward, result


def mlp_jax(inputs):
    """The whole step, Adam included, compiled as one function that may write over what it is given."""
    import jax
    import jax.numpy as jnp

    x, labels = jnp.asarray(inputs["x"]), jnp.asarray(inputs["labels"])

    def loss(parameters, x, labels):
        h = x
        for i in range(0, len(parameters), 2):
            h = (h if i == 0 else jnp.maximum(h, 0)) @ parameters[i].T + parameters[i + 1]
        return -jnp.take_along_axis(jax.nn.log_softmax(h), labels[:, None], 1).mean()

    def train(parameters, moments, t, x, labels):
        cost, gradients = jax.value_and_grad(loss)(parameters, x, labels)
        new = []
        for w, g, (m, v) in zip(parameters, gradients, moments):
            m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
            w = w - LR / (1 - BETA1**t) * m / (jnp.sqrt(v) / jnp.sqrt(1 - BETA2**t) + EPS)
            new.append((w, (m, v)))
        return cost, gradients, [w for w, _ in new], [pair for _, pair in new], t + 1

    parameters = [jnp.asarray(a) for a in interleaved(inputs)]
    state = (parameters, [(jnp.zeros_like(a), jnp.zeros_like(a)) for a in parameters], jnp.float32(1))
    step = jax.jit(train, donate_argnums=(0, 1)) if inputs["record"] else jax.jit(loss)
    last = {"state": state, "gradients": []}

    def recorded():
        last["loss"], last["gradients"], *last["state"] = step(*last["state"], x, labels)
        jax.block_until_ready(last["state"])

    def forward():
        last["loss"] = jax.block_until_ready(step(parameters, x, labels))

    return recorded if inputs["record"] else forward, lambda: mlp_result(
        last["loss"], last["state"][0], last["gradients"]
    )


def mlp_hips(inputs):
    import autograd
    import autograd.numpy as anp

    parameters = [a.copy() for a in interleaved(inputs)]
    x, rows, labels = inputs["x"], np.arange(len(inputs["labels"])), inputs["labels"]
    adam = Adam(parameters)
    last = {"gradients": []}

    def loss(parameters):
        h = x
        for i in range(0, len(parameters), 2):
            h = anp.matmul(h if i == 0 else anp.maximum(h, 0), parameters[i].T) + parameters[i + 1]
        shifted = h - anp.max(h, axis=1, keepdims=True)
        return -anp.mean(shifted[rows, labels] - anp.log(anp.sum(anp.exp(shifted), axis=1)))

    value_and_grad = autograd.value_and_grad(loss)

    def train():
        last["loss"], last["gradients"] = value_and_grad(parameters)
        adam.step(last["gradients"])

    def forward():
        last["loss"] = loss(parameters)

    return train if inputs["record"] else forward, lambda: mlp_result(
        last["loss"], parameters, last["gradients"]
    )


def both(name, forward, data, leaves, full, tiny, targets=TARGETS, memory=False):
    """A case forward and backward, and the same without recording."""
    case = Case(name, data, every_side(forward, leaves), full, tiny, targets, memory=memory)
    quiet = every_side(forward, leaves, record=False)
    return [case, replace(case, name=f"{name}, no grad", build=quiet, memory=False, notes=PLAIN)]


MLP = Case(
    "MLP step with Adam, 64-64-64-10, batch 32",
    mlp_data,
    {"ours": mlp_ours, "torch": mlp_torch, "jax": mlp_jax, "mygrad": mlp_mygrad, "hips": mlp_hips},
    {"m": 32, "widths": (64, 64, 64, 10), "record": True},
    {"m": 3, "widths": (5, 4, 3), "record": True},
    TARGETS,
)

CASES = [
    *both(
        "50 multiplies of (32, 32)",
        multiplies,
        multiplies_data,
        ("x", "w"),
        {"n": 32, "times": 50},
        {"n": 3, "times": 4},
    ),
    *both(
        "50 matmul + add + tanh at (32, 32)",
        matmul_add_tanh,
        matmul_add_tanh_data,
        ("x", "w", "b"),
        {"n": 32, "times": 50},
        {"n": 3, "times": 4},
        {**TARGETS, "torch": 1.3},
    ),
    *both(
        "RNN of 100 steps, width 32, batch 8",
        rnn,
        rnn_data,
        ("W", "U", "b"),
        {"m": 8, "n": 32, "times": 100},
        {"m": 2, "n": 3, "times": 4},
        memory=True,
    ),
    *both("tree of 1,000 adds of scalars", tree, tree_data, ("leaves",), {"adds": 1000}, {"adds": 10}),
    MLP,
    replace(
        MLP,
        name="MLP loss, no grad, 64-64-64-10, batch 32",
        full={**MLP.full, "record": False},
        tiny={**MLP.tiny, "record": False},
        notes=PLAIN,
    ),
]

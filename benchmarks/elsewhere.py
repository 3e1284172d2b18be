"""Networks written out for the libraries that bring neither layers nor weights of ours: logistic regression,
which starts at 0 everywhere, and for tinygrad the multilayer perceptron. Each step is compiled where the
library has a compiler for it, Adam included.
"""

from functools import partial

import numpy as np

from .groups.engine import BETA1, BETA2, EPS, LR, Adam, interleaved, mlp_result
from .training import RATE


def logistic(train):
    """The builders of a training step of logistic regression, or of its inference."""
    builders = {"jax": _jax, "tinygrad": _tinygrad, "mygrad": _mygrad, "hips": _hips}
    return {side: partial(builder, train) for side, builder in builders.items()}


def _cost(lib, z, y):
    """The mean of log(1 + exp(z)) - y z."""
    return lib.mean(lib.logaddexp(z, 0.0) - z * y)


def _given(inputs):
    """x, y, and the weights."""
    x, y = inputs["inputs"][0], inputs["targets"][0]
    return x, y, [np.zeros((1, x.shape[1]), np.float32), np.zeros(1, np.float32)]


def _result(last):
    def result():
        if "z" in last:
            return {"output 0": np.asarray(last["z"])}
        W, b = (np.asarray(g) for g in last["gradients"])
        return {
            "loss": np.asarray(last["loss"], np.float32),  # MyGrad's constants are float64
            "norm of the gradient of layers.linear1.weight": np.asarray(np.linalg.norm(W)),
            "gradient of layers.linear1.bias": b,
        }

    return result


def _jax(train, inputs):
    import jax
    import jax.numpy as jnp

    x, y, parameters = _given(inputs)
    x, y, parameters = jnp.asarray(x), jnp.asarray(y), [jnp.asarray(p) for p in parameters]

    def affine(parameters, x):
        return x @ parameters[0].T + parameters[1]

    def step_of(parameters, moments, t, x, y):
        loss, gradients = jax.value_and_grad(lambda p: _cost(jnp, affine(p, x), y))(parameters)
        new = []
        for w, g, (m, v) in zip(parameters, gradients, moments):
            m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
            w = w - RATE / (1 - BETA1**t) * m / (jnp.sqrt(v) / jnp.sqrt(1 - BETA2**t) + EPS)
            new.append((w, (m, v)))
        return loss, gradients, ([w for w, _ in new], [pair for _, pair in new], t + 1)

    moments = [(jnp.zeros_like(p), jnp.zeros_like(p)) for p in parameters]
    last = {"state": (parameters, moments, jnp.float32(1))}
    run = jax.jit(step_of) if train else jax.jit(affine)

    def step():
        last["loss"], last["gradients"], last["state"] = jax.block_until_ready(run(*last["state"], x, y))

    def inference():
        last["z"] = jax.block_until_ready(run(parameters, x))

    return step if train else inference, _result(last)


def _mygrad(train, inputs):
    import mygrad

    x, y, parameters = _given(inputs)
    W, b = tensors = [mygrad.tensor(p) for p in parameters]
    adam = Adam([t.data for t in tensors], RATE)
    last = {}

    def step():
        loss = _cost(mygrad, mygrad.matmul(x, W.T) + b, y)
        loss.backward()
        adam.step([t.grad for t in tensors])
        last.update(loss=loss.data, gradients=[t.grad for t in tensors])

    def inference():
        with mygrad.no_autodiff:
            last["z"] = (mygrad.matmul(x, W.T) + b).data

    return step if train else inference, _result(last)


def _hips(train, inputs):
    import autograd
    import autograd.numpy as anp

    x, y, parameters = _given(inputs)
    adam = Adam(parameters, RATE)
    both = autograd.value_and_grad(lambda p: _cost(anp, anp.dot(x, p[0].T) + p[1], y))
    last = {}

    def step():
        last["loss"], last["gradients"] = both(parameters)
        adam.step(last["gradients"])

    def inference():
        last["z"] = anp.dot(x, parameters[0].T) + parameters[1]

    return step if train else inference, _result(last)


def _tinygrad(train, inputs):
    from tinygrad import Tensor

    x, y, parameters = _given(inputs)
    x, y = Tensor(x).realize(), Tensor(y).realize()

    def affine(tensors):
        return x @ tensors[0].T + tensors[1]

    def cost(tensors):
        z = affine(tensors)
        return (z.softplus() - z * y).mean()

    step, forward, _ = _tinygrad_steps(parameters, cost if train else affine, RATE)
    last = {}

    def train_step():
        loss, gradients = step()
        last.update(loss=loss.numpy(), gradients=[g.numpy() for g in gradients])

    def inference():
        last["z"] = forward().numpy()

    return train_step if train else inference, _result(last)


def _tinygrad_steps(arrays, function, rate):
    """A training step of `function(parameters)` and its value alone, both recorded once and replayed, and the
    parameters."""
    from tinygrad import Context, Tensor, TinyJit
    from tinygrad.nn.optim import Adam as TinyAdam

    parameters = [Tensor(a).realize().is_param_() for a in arrays]
    optimizer = TinyAdam(parameters, lr=rate)

    def train():
        with Context(TRAINING=1):
            optimizer.zero_grad()
            loss = function(parameters)
            loss.backward()
            gradients = [p.grad for p in parameters]
            return loss.realize(*gradients, *optimizer.schedule_step()), gradients

    return TinyJit(train), TinyJit(lambda: function(parameters).realize()), parameters


def mlp_tinygrad(inputs):
    """The engine's multilayer perceptron."""
    from tinygrad import Tensor

    x, labels = Tensor(inputs["x"]).realize(), Tensor(inputs["labels"].astype(np.int32)).realize()

    def cost(parameters):
        h = x
        for i in range(0, len(parameters), 2):
            h = (h if i == 0 else h.relu()) @ parameters[i].T + parameters[i + 1]
        return h.sparse_categorical_crossentropy(labels)

    step, forward, parameters = _tinygrad_steps(interleaved(inputs), cost, LR)
    last = {"gradients": []}

    def train():
        loss, gradients = step()
        last.update(loss=loss.numpy(), gradients=[g.numpy() for g in gradients])

    def alone():
        last["loss"] = forward().numpy()

    def result():
        return mlp_result(last["loss"], [p.numpy() for p in parameters], last["gradients"])

    return train if inputs["record"] else alone, result

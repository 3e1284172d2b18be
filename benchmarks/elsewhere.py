"""Networks written out for the libraries that bring neither layers nor weights of ours: logistic regression,
LeNet-5, the character RNN, and for tinygrad the multilayer perceptron. Each step is compiled where the
library has a compiler for it, Adam included.

A network is `forward(lib, parameters, x)` and `cost(lib, outputs, y)`, of a list of parameters in our order
and layout; `lib` is the library's own namespace of NumPy's functions.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from .groups.engine import BETA1, BETA2, EPS, LR, Adam, interleaved, mlp_result, normal
from .training import RATE

# ---- the networks


def logistic(train):
    """The builders of a training step of logistic regression, or of its inference."""
    builders = _builders(train, _affine, _log_loss, ("jax", "mygrad", "hips"))
    return builders | {"tinygrad": partial(_tinygrad, _tinygrad_affine, _tinygrad_log_loss, train)}


def _affine(lib, parameters, x):
    W, b = parameters
    return lib.matmul(x, W.T) + b


def _log_loss(lib, z, y):
    """The mean of log(1 + exp(z)) - y z."""
    return lib.mean(lib.logaddexp(z, 0.0) - z * y)


def _tinygrad_affine(lib, parameters, x):
    W, b = parameters
    return x @ W.T + b


def _tinygrad_log_loss(lib, z, y):
    return (z.softplus() - z * y).mean()


def character_rnn(train):
    """The builders of a training step of the character RNN, or of its inference."""
    return _builders(train, _rnn, _cross_entropy, ("jax", "mygrad", "hips"))


def character_weights(rng, V, n):
    """V characters, n units."""
    shapes = {
        "rnn.weight_ih_l0": (n, V),
        "rnn.weight_hh_l0": (n, n),
        "rnn.bias_ih_l0": (n,),
        "output.weight": (V, n),
        "output.bias": (V,),
    }
    return {name: normal(rng, *shape, scale=0.1) for name, shape in shapes.items()}


def _rnn(lib, parameters, tokens):
    """h<t> = tanh(W x<t> + U h<t-1> + b) of one-hot x<t>, and logits V h<t> + c: (m, T, V)."""
    W, U, b, V, c = parameters
    x = (tokens[..., None] == np.arange(W.shape[1])).astype(np.float32)
    maps = lib.matmul(x, W.T) + b  # (m, T, n)
    states = [lib.tanh(maps[:, 0])]
    for t in range(1, x.shape[1]):
        states.append(lib.tanh(maps[:, t] + lib.matmul(states[-1], U.T)))
    return lib.matmul(lib.stack(states, 1), V.T) + c


def _cross_entropy(lib, z, labels):
    """The mean over all labels, by the library's own where it has one."""
    z, labels = z.reshape((-1, z.shape[-1])), labels.reshape(-1)
    if lib.__name__ == "mygrad":
        from mygrad.nnet.losses import softmax_crossentropy

        return softmax_crossentropy(z, labels)
    if lib.__name__ == "jax.numpy":
        import jax

        return -lib.take_along_axis(jax.nn.log_softmax(z), labels[:, None], 1).mean()
    shifted = z - lib.max(z, axis=1, keepdims=True)
    return -lib.mean(shifted[np.arange(len(labels)), labels] - lib.log(lib.sum(lib.exp(shifted), axis=1)))


def lenet(train):
    """The builders of a training step of LeNet-5, or of its inference."""
    builders = _builders(train, _lenet_jax, _cross_entropy, ("jax",))
    return builders | {"tinygrad": partial(_tinygrad, _lenet_tinygrad, _tinygrad_cross_entropy, train)}


def lenet_weights(rng, classes):
    """The sizes of the table in nn/models/lenet.py."""
    shapes: dict[str, tuple[int, ...]] = {"features.0": (5, 5, 1, 6), "features.3": (5, 5, 6, 16)}
    shapes |= {"classifier.1": (120, 400), "classifier.3": (84, 120), "classifier.5": (classes, 84)}
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = normal(rng, *shape, scale=0.1)
        weights[f"{name}.bias"] = normal(rng, shape[-1 if len(shape) == 4 else 0], scale=0.1)
    return weights


def _lenet_jax(lib, parameters, x):
    from jax import lax

    layers = list(zip(parameters[::2], parameters[1::2]))
    for (W, b), padding in zip(layers[:2], (2, 0)):
        pads, axes = [(padding, padding)] * 2, ("NHWC", "HWIO", "NHWC")
        x = lib.maximum(lax.conv_general_dilated(x, W, (1, 1), pads, dimension_numbers=axes) + b, 0)
        x = lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = x.reshape(len(x), -1)
    for k, (W, b) in enumerate(layers[2:]):
        x = (lib.maximum(x, 0) if k else x) @ W.T + b
    return x


def _lenet_tinygrad(lib, parameters, x):
    layers = list(zip(parameters[::2], parameters[1::2]))
    for (W, b), padding in zip(layers[:2], (2, 0)):
        x = x.conv2d(W, b, padding=padding).relu().max_pool2d(2)
    x = x.flatten(1)
    for k, (W, b) in enumerate(layers[2:]):
        x = (x.relu() if k else x) @ W.T + b
    return x


def _tinygrad_cross_entropy(lib, z, labels):
    return z.sparse_categorical_crossentropy(labels)


def _channels_first(a, before):
    """A parameter as tinygrad takes it, where `before` is the one two places before it."""
    if a.ndim == 4:
        return a.transpose(3, 2, 0, 1)
    if a.ndim == 2 and before.ndim == 4:  # it reads what a convolution leaves
        return a.reshape(len(a), 5, 5, -1).transpose(0, 3, 1, 2).reshape(a.shape)
    return a


# ---- how each library runs one


def _builders(train, forward, cost, peers) -> Mapping[str, Callable]:
    sides = {"jax": _jax, "mygrad": _mygrad, "hips": _hips}
    return {name: partial(sides[name], forward, cost, train) for name in peers}


def _given(inputs):
    """x, y, and the weights by name: those of the case, or logistic regression's zeros."""
    x = inputs["inputs"][0]
    zeros = {
        "layers.linear1.weight": np.zeros((1, x.shape[-1]), np.float32),
        "layers.linear1.bias": np.zeros(1, np.float32),
    }
    return x, inputs["targets"][0], inputs.get("weights", zeros)


def _result(last, names):
    """The results of `training.steps`, of what the last step left."""

    def result():
        if "outputs" in last:
            return {"output 0": np.asarray(last["outputs"])}
        first, *_, final = (np.asarray(g) for g in last["gradients"])
        return {
            "loss": np.asarray(last["loss"], np.float32),  # MyGrad's constants are float64
            f"norm of the gradient of {names[0]}": np.asarray(np.linalg.norm(first)),
            f"gradient of {names[-1]}": final,
        }

    return result


def _jax(forward, cost, train, inputs):
    import jax
    import jax.numpy as jnp

    x, y, weights = _given(inputs)
    x, y, parameters = jnp.asarray(x), jnp.asarray(y), [jnp.asarray(p) for p in weights.values()]

    def step_of(parameters, moments, t, x, y):
        loss, gradients = jax.value_and_grad(lambda p: cost(jnp, forward(jnp, p, x), y))(parameters)
        new = []
        for w, g, (m, v) in zip(parameters, gradients, moments):
            m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
            w = w - RATE / (1 - BETA1**t) * m / (jnp.sqrt(v) / jnp.sqrt(1 - BETA2**t) + EPS)
            new.append((w, (m, v)))
        return loss, gradients, ([w for w, _ in new], [pair for _, pair in new], t + 1)

    moments = [(jnp.zeros_like(p), jnp.zeros_like(p)) for p in parameters]
    last = {"state": (parameters, moments, jnp.float32(1))}
    run = jax.jit(step_of if train else partial(forward, jnp))

    def step():
        last["loss"], last["gradients"], last["state"] = jax.block_until_ready(run(*last["state"], x, y))

    def inference():
        last["outputs"] = jax.block_until_ready(run(parameters, x))

    return step if train else inference, _result(last, list(weights))


def _mygrad(forward, cost, train, inputs):
    import mygrad

    x, y, weights = _given(inputs)
    tensors = [mygrad.tensor(p) for p in weights.values()]
    adam = Adam([t.data for t in tensors], RATE)
    last = {}

    def step():
        loss = cost(mygrad, forward(mygrad, tensors, x), y)
        loss.backward()
        adam.step([t.grad for t in tensors])
        last.update(loss=loss.data, gradients=[t.grad for t in tensors])

    def inference():
        with mygrad.no_autodiff:
            last["outputs"] = forward(mygrad, tensors, x).data

    return step if train else inference, _result(last, list(weights))


def _hips(forward, cost, train, inputs):
    import autograd
    import autograd.numpy as anp

    x, y, weights = _given(inputs)
    parameters = [p.copy() for p in weights.values()]
    adam = Adam(parameters, RATE)
    both = autograd.value_and_grad(lambda p: cost(anp, forward(anp, p, x), y))
    last = {}

    def step():
        last["loss"], last["gradients"] = both(parameters)
        adam.step(last["gradients"])

    def inference():
        last["outputs"] = forward(anp, parameters, x)

    return step if train else inference, _result(last, list(weights))


def _tinygrad(forward, cost, train, inputs):
    import tinygrad

    x, y, weights = _given(inputs)
    x = np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x
    y = y.astype(np.int32) if y.dtype.kind == "i" else y
    arrays = list(weights.values())
    arrays = [_channels_first(a, before) for a, before in zip(arrays, [*arrays[:2], *arrays])]
    x, y = tinygrad.Tensor(x).realize(), tinygrad.Tensor(y).realize()

    def outputs(parameters):
        return forward(tinygrad, parameters, x)

    step, alone, _ = _tinygrad_steps(
        arrays, (lambda p: cost(tinygrad, outputs(p), y)) if train else outputs, RATE
    )
    last = {}

    def train_step():
        loss, gradients = step()
        last.update(loss=loss.numpy(), gradients=[g.numpy() for g in gradients])

    def inference():
        last["outputs"] = alone().numpy()

    return train_step if train else inference, _result(last, list(weights))


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

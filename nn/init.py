"""How parameters start. Each function fills a tensor in place, outside the graph, from the one generator that
`autograd.seed` restarts, and returns the tensor. Names and arguments are those of torch.nn.init.
"""

import math

import numpy as np

from autograd import random
from autograd.modes import no_grad
from autograd.tensor import Tensor, writable


def fans(t: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs feed one output of the layer with this weight, and how many outputs
    one input feeds.

    A matrix is (n_out, n_in); filters are (f, ..., n_C_prev / groups, n_C), so the fans are the receptive
    field times the channels. Raises ValueError below two dimensions."""
    if t.ndim < 2:
        raise ValueError(
            f"fans need a matrix or filters, got a tensor of shape {t.shape}: use normal_ or uniform_"
        )
    if t.ndim == 2:
        return t.shape[1], t.shape[0]
    field = math.prod(t.shape[:-2])
    return field * t.shape[-2], field * t.shape[-1]


def calculate_gain(nonlinearity: str, slope: float = 0.01) -> float:
    """The factor on the weights' standard deviation that keeps the scale through an activation: 1 for
    "linear", "sigmoid" and "conv", 5/3 for "tanh", sqrt 2 for "relu", sqrt(2 / (1 + slope^2)) for
    "leaky_relu", 3/4 for "selu"."""
    gains = {
        **dict.fromkeys(("linear", "conv", "sigmoid"), 1.0),
        "tanh": 5 / 3,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1 + slope**2)),
        "selu": 0.75,
    }
    if nonlinearity not in gains:
        raise ValueError(f"no gain is known for {nonlinearity!r}, only for {', '.join(gains)}")
    return gains[nonlinearity]


def _fill(t, values):
    with no_grad():
        writable(t)[...] = values
    return t


def _wide(t):
    return np.float32 if t.dtype.itemsize <= 4 else np.float64


def constant_(t: Tensor, value: float) -> Tensor:
    """Every element the same."""
    return _fill(t, value)


def zeros_(t: Tensor) -> Tensor:
    """All 0. As weights it keeps a layer's units identical for ever (COURSE.md C1W3-init); as biases it is
    usual."""
    return _fill(t, 0.0)


def ones_(t: Tensor) -> Tensor:
    """All 1."""
    return _fill(t, 1.0)


def normal_(t: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """N(mean, std^2)."""
    if not std >= 0:
        raise ValueError(f"std must not be negative, got {std}")
    values = random.generator().standard_normal(t.shape, _wide(t))
    values *= std
    values += mean
    return _fill(t, values)


def uniform_(t: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """U[a, b)."""
    if not a <= b:
        raise ValueError(f"uniform_ needs a <= b, got {a} and {b}")
    values = random.generator().random(t.shape, _wide(t))
    values *= b - a
    values += a
    return _fill(t, values)


def small_normal_(t: Tensor, std: float = 0.01) -> Tensor:
    """0.01 * randn, the course's first choice (COURSE.md C1W3-init): it breaks the symmetry, and stays where
    tanh and sigmoid are steep. In deep networks the signal dies out: use Xavier or He."""
    return normal_(t, 0.0, std)


def xavier_normal_(t: Tensor, gain: float = 1.0) -> Tensor:
    """N(0, gain^2 * 2 / (fan_in + fan_out)), for tanh and sigmoid. Glorot and Bengio 2010; COURSE.md
    C2W1-heinit."""
    return normal_(t, 0.0, gain * math.sqrt(2.0 / sum(fans(t))))


def xavier_uniform_(t: Tensor, gain: float = 1.0) -> Tensor:
    """The same variance, uniform: U[-a, a) with a = gain * sqrt(6 / (fan_in + fan_out))."""
    bound = gain * math.sqrt(6.0 / sum(fans(t)))
    return uniform_(t, -bound, bound)


def _he_std(t, slope, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'mode is "fan_in" or "fan_out", got {mode!r}')
    return calculate_gain(nonlinearity, slope) / math.sqrt(fans(t)[mode == "fan_out"])


def kaiming_normal_(
    t: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """N(0, gain^2 / fan), with the gain of the activation that follows; at the default slope a = 0 that of
    ReLU, so N(0, 2 / fan_in): He initialisation. He et al. 2015; COURSE.md C2W1-heinit."""
    return normal_(t, 0.0, _he_std(t, a, mode, nonlinearity))


def kaiming_uniform_(
    t: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """The same variance, uniform."""
    bound = math.sqrt(3.0) * _he_std(t, a, mode, nonlinearity)
    return uniform_(t, -bound, bound)


he_normal_ = kaiming_normal_
he_uniform_ = kaiming_uniform_


def fan_in_uniform_(t: Tensor, fan_in: int) -> Tensor:
    """U[-1/sqrt(fan_in), 1/sqrt(fan_in)): what PyTorch's layers start their weights and biases with."""
    bound = 1 / math.sqrt(fan_in)
    return uniform_(t, -bound, bound)

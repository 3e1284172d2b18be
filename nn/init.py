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
    field times the channels. The table (n_out, n_1, n_2) of a Bilinear counts as in PyTorch: n_1 n_2, and
    n_out n_2. Raises ValueError below two dimensions."""
    if t.ndim < 2:
        raise ValueError(
            f"fans need a matrix or filters, got a tensor of shape {t.shape}: use normal_ or uniform_"
        )
    if t.ndim == 2:
        return t.shape[1], t.shape[0]
    layout = getattr(t, "layout", None)
    if layout is not None:  # PyTorch's axes are (n_out, n_in, ...) always
        n_out, n_in, *field = layout.torch_shape(t.shape)
    else:
        *field, n_in, n_out = t.shape
    return math.prod(field) * n_in, math.prod(field) * n_out


def calculate_gain(nonlinearity: str, slope: float = 0.01) -> float:
    """The factor on the weights' standard deviation that keeps the scale through an activation: 1 for
    "linear", "sigmoid" and convolutions, 5/3 for "tanh", sqrt 2 for "relu", sqrt(2 / (1 + slope^2)) for
    "leaky_relu", 3/4 for "selu"."""
    convolutions = [f"{kind}{n}d" for kind in ("conv", "conv_transpose") for n in (1, 2, 3)]
    gains = {
        **dict.fromkeys(("linear", "conv", *convolutions, "sigmoid"), 1.0),
        "tanh": 5 / 3,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1 + slope**2)),
        "selu": 0.75,
    }
    if nonlinearity not in gains:
        known = ", ".join(name for name in gains if name not in convolutions)
        raise ValueError(f"no gain is known for {nonlinearity!r}, only for {known}")
    return gains[nonlinearity]


def _fill(t, values):
    with no_grad():
        writable(t)[...] = values
    return t


def _draw(t, draw, scale, shift):
    """Fills the tensor with `scale` times what `draw` gives, plus `shift`; where it can, with no array beside
    it: large networks start in the memory that they need."""
    with no_grad():
        values = writable(t)
    here = values.dtype in (np.float32, np.float64) and values.flags.c_contiguous
    if here:
        draw(dtype=values.dtype, out=values)
    else:
        values = draw(t.shape, np.float32 if t.dtype.itemsize <= 4 else np.float64)
    values *= scale
    values += shift
    return t if here else _fill(t, values)


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
    return _draw(t, random.generator().standard_normal, std, mean)


def uniform_(t: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """U[a, b)."""
    if not a <= b:
        raise ValueError(f"uniform_ needs a <= b, got {a} and {b}")
    return _draw(t, random.generator().random, b - a, a)


def trunc_normal_(t: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """N(mean, std^2) without what lies outside [a, b]. Raises ValueError unless std > 0 and a < b."""
    if not (std > 0 and a < b):
        raise ValueError(f"trunc_normal_ needs std > 0 and a < b, got std {std}, a {a} and b {b}")
    low, high = (a - mean) / std, (b - mean) / std
    nearest = min(max(low, 0.0), high)  # the most probable place
    end = min(max(high, low), nearest + 10.0), max(low, nearest - 10.0)  # beyond, nothing is drawn anyway
    wide = high - low > 2.0 and low < 1.0 and high > -1.0
    generator, values, missing = random.generator(), np.empty(t.size), np.arange(t.size)
    while len(missing):  # drawn again until all are inside
        if wide:
            x = generator.standard_normal(len(missing))
            kept = (x >= low) & (x <= high)
        else:
            x = generator.uniform(end[1], end[0], len(missing))
            kept = generator.random(len(missing)) < np.exp(0.5 * (nearest**2 - x**2))
        values[missing[kept]] = x[kept]
        missing = missing[~kept]
    return _fill(t, np.clip(mean + std * values, a, b).reshape(t.shape))


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


def lecun_normal_(t: Tensor) -> Tensor:
    """N(0, 1 / fan_in), the course's 1/n for tanh, and what SELU needs. LeCun et al. 1998; COURSE.md
    C2W1-heinit."""
    return normal_(t, 0.0, math.sqrt(1.0 / fans(t)[0]))


def lecun_uniform_(t: Tensor) -> Tensor:
    """The same variance, uniform."""
    bound = math.sqrt(3.0 / fans(t)[0])
    return uniform_(t, -bound, bound)


def orthogonal_(t: Tensor, gain: float = 1.0) -> Tensor:
    """gain times a random matrix whose rows, or where there are more rows than columns whose columns, are
    orthonormal: a signal keeps its length. Filters (f, ..., n_C_prev, n_C) count as n_C rows. Saxe et al.
    2013 (arXiv:1312.6120)."""
    fans(t)
    rows = t.shape[0] if t.ndim == 2 else t.shape[-1]
    columns = t.size // max(rows, 1)
    q, r = np.linalg.qr(random.generator().standard_normal((max(rows, columns), min(rows, columns))))
    q *= gain * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # so that all orthogonal matrices are alike probable
    matrix = q if rows >= columns else q.T  # (rows, columns)
    return _fill(t, matrix.reshape(t.shape) if t.ndim == 2 else matrix.T.reshape(t.shape))


def eye_(t: Tensor) -> Tensor:
    """The identity as a matrix (n_out, n_in). Raises ValueError for other than two dimensions."""
    if t.ndim != 2:
        raise ValueError(f"eye_ needs a matrix, got a tensor of shape {t.shape}: of filters use dirac_")
    return _fill(t, np.eye(*t.shape))


def dirac_(t: Tensor, groups: int = 1) -> Tensor:
    """Filters (f, ..., n_C_prev / groups, n_C) that pass each channel on unchanged, as far as there are
    channels of both: 1 in the middle, 0 elsewhere. Raises ValueError for other than 3 to 5 dimensions, and
    groups that do not divide n_C."""
    if not 3 <= t.ndim <= 5 or t.shape[-1] % groups:
        raise ValueError(f"dirac_ needs filters of {groups} groups, got a tensor of shape {t.shape}")
    values = np.zeros(t.shape)
    middle = tuple(n // 2 for n in t.shape[:-2])
    each = t.shape[-1] // groups
    channels = np.arange(min(t.shape[-2], each))
    for g in range(groups):
        values[(*middle, channels, g * each + channels)] = 1.0
    return _fill(t, values)


def sparse_(t: Tensor, sparsity: float, std: float = 0.01) -> Tensor:
    """N(0, std^2) in a matrix (n_out, n_in), but in each column a share `sparsity` of zeros. Raises
    ValueError for other than two dimensions and a share outside [0, 1]. Martens 2010."""
    if t.ndim != 2 or not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_ needs a matrix and a share in [0, 1], got shape {t.shape} and {sparsity}")
    zeros = math.ceil(sparsity * t.shape[0])
    order = random.generator().random(t.shape).argsort(axis=0)
    return _fill(normal_(t, 0.0, std), np.where(order < zeros, 0.0, t.numpy()))


def fan_in_uniform_(t: Tensor, fan_in: int) -> Tensor:
    """U[-1/sqrt(fan_in), 1/sqrt(fan_in)): what PyTorch's layers start their weights and biases with."""
    bound = 1 / math.sqrt(fan_in)
    return uniform_(t, -bound, bound)

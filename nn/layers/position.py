"""Where in its sequence a step stands, told to layers that would not know."""

import numpy as np

from autograd.modes import get_default_dtype
from autograd.tensor import Tensor

from .. import init
from ..module import Module, Parameter
from .check import fits, positive
from .dropout import Dropout


def positional_encoding(length, d_model) -> np.ndarray:
    """The sines and cosines (length, d_model) of Vaswani et al. 2017, in float64:

        PE[t, 2 i] = sin(t / 10000^(2 i / d)),  PE[t, 2 i + 1] = cos(t / 10000^(2 i / d))

    COURSE.md C5W4-pe."""
    even = np.arange(0, d_model, 2)
    angles = np.arange(length)[:, None] / 10000.0 ** (even / d_model)  # (length, ceil(d / 2))
    encoding = np.empty((length, d_model))
    encoding[:, 0::2] = np.sin(angles)
    encoding[:, 1::2] = np.cos(angles[:, : d_model // 2])
    return encoding


class _Encoding(Module):
    """Abstract: adds its rows to the steps."""

    def __init__(self, d_model, max_len, dropout):
        super().__init__()
        positive(self, d_model=d_model, max_len=max_len)
        self.d_model, self.max_len = d_model, max_len
        self.dropout = Dropout(dropout)

    def _add(self, x, rows, first):
        fits(self, x, rows, self.d_model, "features", 3)
        end = first + x.shape[1]
        if end > self.max_len:
            raise ValueError(
                f"{type(self).__name__} has {self.max_len} positions (max_len), got {end} steps; "
                f"input {x.shape}"
            )
        return self.dropout(x + rows[first:end])

    def extra_repr(self):
        return f"{self.d_model}, max_len={self.max_len}"


class PositionalEncoding(_Encoding):
    """x + PE, the sines and cosines of `positional_encoding`: x (m, T, d) -> (m, T, d).

    PositionalEncoding(d_model, max_len=5000, dropout=0.0). Nothing is learned or saved; dropout, while
    training, acts on the sum. `layer(x, first=t)` is for the piece of a sequence that begins at position t.
    Raises ValueError for sequences of more than max_len steps. Vaswani et al. 2017; COURSE.md C5W4-pe."""

    encoding: Tensor

    def __init__(self, d_model, max_len=5000, dropout=0.0):
        super().__init__(d_model, max_len, dropout)
        rows = positional_encoding(max_len, d_model).astype(get_default_dtype())
        self.register_buffer("encoding", rows, persistent=False)

    def forward(self, x, first=0):
        return self._add(x, self.encoding, first)


class LearnedPositionalEncoding(_Encoding):
    """x + weight[:T], a learned vector for each position: x (m, T, d) -> (m, T, d).

    LearnedPositionalEncoding(d_model, max_len, dropout=0.0). `weight` (max_len, d) starts from N(0, 0.02^2),
    as in BERT (Devlin et al. 2018); the rest is as in `PositionalEncoding`."""

    def __init__(self, d_model, max_len, dropout=0.0):
        super().__init__(d_model, max_len, dropout)
        self.weight = Parameter(np.empty((max_len, d_model), get_default_dtype()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the vectors anew."""
        init.normal_(self.weight, 0.0, 0.02)

    def forward(self, x, first=0):
        return self._add(x, self.weight, first)

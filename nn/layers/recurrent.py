"""Recurrent layers and their cells. Sequences are (m, T, features), always; states are (layers * directions,
m, n), as in PyTorch, also where it is told `batch_first`."""

import warnings
from collections.abc import Callable

import numpy as np

from autograd.modes import get_default_dtype
from autograd.ops.gru import gru
from autograd.ops.recurrent import lstm, rnn
from autograd.tensor import as_array

from .. import init
from ..module import Module, Parameter
from .check import fits, positive
from .dropout import dropout


class _Recurrent(Module):
    """Abstract: what a layer of `maps` affine maps a step owns, under PyTorch's names and a suffix."""

    maps: int
    states = 1  # how many it hands from step to step
    _run: Callable[..., tuple]  # (suffix, x, states, lengths, reverse) -> y and the states at the end

    def __init__(self, input_size, hidden_size, bias, recurrent_bias):
        super().__init__()
        positive(self, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.bias, self.recurrent_bias = bool(bias), bool(bias and recurrent_bias)

    def _declare(self, suffix, n_x, n_h, **more):
        rows = self.maps * self.hidden_size
        shapes = {
            "weight_ih": (rows, n_x),
            "weight_hh": (rows, n_h),
            "bias_ih": (rows,) if self.bias else None,
            "bias_hh": (rows,) if self.recurrent_bias else None,
            **more,
        }
        for name, shape in shapes.items():
            parameter = None if shape is None else Parameter(np.empty(shape, get_default_dtype()))
            setattr(self, name + suffix, parameter)

    def _weights(self, suffix):
        return [getattr(self, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]

    def reset_parameters(self) -> None:
        """Draws all weights and biases anew."""
        for parameter in self.parameters():
            init.fan_in_uniform_(parameter, self.hidden_size)

    def extra_repr(self):
        usual = {
            "num_layers": 1,
            "nonlinearity": "tanh",
            "bias": True,
            "recurrent_bias": self.bias,
            "dropout": 0.0,
            "bidirectional": False,
            "proj_size": 0,
            "peephole": False,
            "reset_after": True,
        }
        other = [f"{k}={getattr(self, k)!r}" for k, v in usual.items() if getattr(self, k, v) != v]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *other])


class _Layers(_Recurrent):
    """Abstract: layers on top of each other, in one direction or both."""

    weight_ih_l0: Parameter

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers,
        bias,
        recurrent_bias,
        dropout,
        bidirectional,
        proj_size=0,
        **more,
    ):
        super().__init__(input_size, hidden_size, bias, recurrent_bias)
        positive(self, num_layers=num_layers)
        if not 0 <= dropout <= 1:
            raise ValueError(f"{type(self).__name__}: dropout is a probability, 0 <= p <= 1, got {dropout!r}")
        if dropout and num_layers == 1:
            warnings.warn(
                f"{type(self).__name__}: dropout={dropout} acts between layers, and num_layers is 1",
                stacklevel=3,
            )
        self.num_layers, self.dropout, self.bidirectional = num_layers, float(dropout), bool(bidirectional)
        self.proj_size = proj_size
        n_h = proj_size or hidden_size
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                n_x = n_h * (1 + self.bidirectional) if layer else input_size
                self._declare(suffix, n_x, n_h, **more)
        self.reset_parameters()

    def _suffixes(self, layer):
        return [f"_l{layer}", f"_l{layer}_reverse"][: 1 + self.bidirectional]

    def forward(self, x, hx=None, lengths=None):
        fits(self, x, self.weight_ih_l0, self.input_size, "features", 3)
        if lengths is not None:
            lengths = self._as_lengths(x, as_array(lengths))
        starts = self._starts(x, hx)
        ends: list[list] = [[] for _ in starts]
        for layer in range(self.num_layers):
            x = dropout(x, self.dropout, self.training and layer > 0)
            outputs = []
            for reverse, suffix in enumerate(self._suffixes(layer)):
                place = len(ends[0])
                before = [None if s is None else s[place] for s in starts]
                y, *after = self._run(suffix, x, before, lengths, bool(reverse))
                outputs.append(y)
                for end, state in zip(ends, after):
                    end.append(state)
            x = np.concatenate(outputs, axis=-1) if self.bidirectional else outputs[0]
        last = [np.stack(end) for end in ends]  # (layers * directions, m, n)
        return x, tuple(last) if len(last) > 1 else last[0]

    def _as_lengths(self, x, given):
        """Numbers of steps, also of a mask (m, T) that is True from the first step to the last."""
        if given.dtype != bool:
            return given
        counts = given.sum(axis=-1)
        if given.shape != x.shape[:2] or (given != (np.arange(x.shape[1]) < counts[:, None])).any():
            raise ValueError(
                f"{type(self).__name__} needs a mask of shape {x.shape[:2]}, True from step 0 to the "
                f"last of a sequence without a gap, got shape {given.shape}, {given.sum()} True"
            )
        return counts

    def _starts(self, x, hx):
        """The states given, checked, or Nones."""
        if hx is None:
            return [None] * self.states
        name = type(self).__name__
        if self.states == 1:
            hx = (hx,)
        elif not isinstance(hx, (tuple, list)) or len(hx) != self.states:
            raise TypeError(f"{name} takes its states as (h_0, c_0), got {type(hx).__name__}")
        places = self.num_layers * (1 + self.bidirectional)
        for state, what, n in zip(hx, ("h_0", "c_0"), (self.proj_size or self.hidden_size, self.hidden_size)):
            if np.shape(state) != (places, len(x), n):
                raise ValueError(
                    f"{name} needs {what} of shape {(places, len(x), n)}, got {np.shape(state)}; "
                    f"input {x.shape}, {places} = layers * directions"
                )
        return hx


class _Cell(_Recurrent):
    """Abstract: one step."""

    weight_ih: Parameter

    def __init__(self, input_size, hidden_size, bias, recurrent_bias, **more):
        super().__init__(input_size, hidden_size, bias, recurrent_bias)
        self._declare("", input_size, hidden_size, **more)
        self.reset_parameters()

    def _step(self, x, hx):
        if np.ndim(x) != 2:
            raise ValueError(f"{type(self).__name__} needs (m, features), one step, got shape {np.shape(x)}")
        fits(self, x, self.weight_ih, self.input_size, "features")
        _, *after = self._run("", np.expand_dims(x, 1), hx, None, False)  # (m, 1, n_x)
        return after


def _total(bias_ih, bias_hh):
    return bias_ih if bias_hh is None else bias_ih + bias_hh


class _Plain(_Recurrent):
    maps = 1

    def _choose(self, nonlinearity):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f'{type(self).__name__}: nonlinearity is "tanh" or "relu", got {nonlinearity!r}')
        self.nonlinearity = nonlinearity

    def _run(self, suffix, x, states, lengths, reverse):
        W, U, b_x, b_h = self._weights(suffix)
        return rnn(x, *states, W, U, _total(b_x, b_h), lengths, reverse, self.nonlinearity)


class _Long(_Recurrent):
    maps, states = 4, 2

    def _run(self, suffix, x, states, lengths, reverse):
        W, U, b_x, b_h = self._weights(suffix)
        peephole = getattr(self, f"weight_peephole{suffix}")
        projection = getattr(self, f"weight_hr{suffix}", None)
        return lstm(x, *states, W, U, _total(b_x, b_h), peephole, projection, lengths, reverse)


class _Gated(_Recurrent):
    maps = 3
    reset_after: bool

    def _run(self, suffix, x, states, lengths, reverse):
        return gru(x, *states, *self._weights(suffix), lengths, reverse, self.reset_after)


class RNN(_Plain, _Layers):
    """h<t> = tanh(W x<t> + b + U h<t-1> + b'), or relu: x (m, T, n_x) -> all h (m, T, n), and the last.

    RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, dropout=0.0,
    bidirectional=False, recurrent_bias=True), by keyword from `nonlinearity` on. Each layer reads the h of
    the one below, dropped out with probability `dropout`; both directions give (m, T, 2 n), side by side. The
    parameters have PyTorch's names, weight_ih_l0 and so on, and start from U(-1/sqrt(n), 1/sqrt(n)). PyTorch
    has two biases that are only ever added: `recurrent_bias=False` keeps one, as the course counts them.

    Call: rnn(x, h_0=None, lengths=None) -> (output, h_n), with h_0, h_n (layers * directions, m, n).
    `lengths` takes the place of packed sequences: (m,) numbers of steps, or a mask (m, T), True where a step
    is; behind it the output is 0, and h_n is the state there. Raises ValueError for other shapes, TypeError
    for another dtype. COURSE.md C5W1-rnn, C5W1-brnn, C5W1-deeprnn."""

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        *,
        nonlinearity="tanh",
        bias=True,
        dropout=0.0,
        bidirectional=False,
        recurrent_bias=True,
    ):
        super().__init__(input_size, hidden_size, num_layers, bias, recurrent_bias, dropout, bidirectional)
        self._choose(nonlinearity)


class LSTM(_Long, _Layers):
    """Long short-term memory: x (m, T, n_x) -> all h (m, T, n), and the last h and c.

        i, f, o = sigmoid(W x<t> + b + U h<t-1> + b')       with weights of their own, stacked [i, f, g, o]
        g = tanh(...);  c<t> = f * c<t-1> + i * g;  h<t> = o * tanh(c<t>)

    LSTM(input_size, hidden_size, num_layers=1, bias=True, dropout=0.0, bidirectional=False, proj_size=0,
    peephole=False, recurrent_bias=True), by keyword from `bias` on; what is not said here is as in `RNN`.
    `proj_size` p gives h<t> = weight_hr (o * tanh(c<t>)), (m, p). `peephole` adds p_i * c<t-1> in i, p_f *
    c<t-1> in f and p_o * c<t> in o, with `weight_peephole_l0` (3, n) (Gers and Schmidhuber 2000).

    Call: lstm(x, (h_0, c_0)=None, lengths=None) -> (output, (h_n, c_n)). Hochreiter and Schmidhuber 1997;
    COURSE.md C5W1-lstm."""

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        *,
        bias=True,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        peephole=False,
        recurrent_bias=True,
    ):
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"LSTM: proj_size must be under hidden_size {hidden_size}, got {proj_size!r}")
        more = {
            "weight_hr": (proj_size, hidden_size) if proj_size else None,
            "weight_peephole": (3, hidden_size) if peephole else None,
        }
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            recurrent_bias,
            dropout,
            bidirectional,
            proj_size,
            **more,
        )
        self.peephole = bool(peephole)


class GRU(_Gated, _Layers):
    """Gated recurrent units: x (m, T, n_x) -> all h (m, T, n), and the last.

        r, z = sigmoid(W x<t> + b + U h<t-1> + b')          with weights of their own, stacked [r, z, n]
        n = tanh(W x<t> + b + r * (U h<t-1> + b'))          PyTorch, cuDNN, Keras
        n = tanh(W x<t> + b + U (r * h<t-1>) + b')          reset_after=False: the course, Cho et al. 2014
        h<t> = (1 - z) * n + z * h<t-1>

    GRU(input_size, hidden_size, num_layers=1, bias=True, dropout=0.0, bidirectional=False, reset_after=True,
    recurrent_bias=True), by keyword from `bias` on; the rest, and the call, is as in `RNN`. COURSE.md
    C5W1-gru, whose Gamma_u is 1 - z; its count of parameters, 3 n (n + n_x) + 3 n, is that of
    reset_after=False, recurrent_bias=False."""

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        *,
        bias=True,
        dropout=0.0,
        bidirectional=False,
        reset_after=True,
        recurrent_bias=True,
    ):
        super().__init__(input_size, hidden_size, num_layers, bias, recurrent_bias, dropout, bidirectional)
        self.reset_after = bool(reset_after)


class RNNCell(_Plain, _Cell):
    """One step of `RNN`: cell(x (m, n_x), h (m, n) = zeros) -> h (m, n). RNNCell(input_size, hidden_size,
    bias=True, nonlinearity="tanh", recurrent_bias=True). COURSE.md C5W1-rnn."""

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", *, recurrent_bias=True):
        super().__init__(input_size, hidden_size, bias, recurrent_bias)
        self._choose(nonlinearity)

    def forward(self, x, hx=None):
        return self._step(x, [hx])[0]


class LSTMCell(_Long, _Cell):
    """One step of `LSTM`: cell(x (m, n_x), (h, c) = zeros) -> (h, c), each (m, n). LSTMCell(input_size,
    hidden_size, bias=True, peephole=False, recurrent_bias=True). COURSE.md C5W1-lstm."""

    def __init__(self, input_size, hidden_size, bias=True, *, peephole=False, recurrent_bias=True):
        more = {"weight_peephole": (3, hidden_size) if peephole else None}
        super().__init__(input_size, hidden_size, bias, recurrent_bias, **more)
        self.peephole = bool(peephole)

    def forward(self, x, hx=None):
        if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
            raise TypeError(f"LSTMCell takes its states as (h, c), got {type(hx).__name__}")
        return tuple(self._step(x, hx or [None, None]))


class GRUCell(_Gated, _Cell):
    """One step of `GRU`: cell(x (m, n_x), h (m, n) = zeros) -> h (m, n). GRUCell(input_size, hidden_size,
    bias=True, reset_after=True, recurrent_bias=True). COURSE.md C5W1-gru."""

    def __init__(self, input_size, hidden_size, bias=True, *, reset_after=True, recurrent_bias=True):
        super().__init__(input_size, hidden_size, bias, recurrent_bias)
        self.reset_after = bool(reset_after)

    def forward(self, x, hx=None):
        return self._step(x, [hx])[0]

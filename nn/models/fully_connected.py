"""Logistic regression, and networks of fully connected layers.

Lectures C1W2 (logistic regression), C1W3 (one hidden layer), C1W4 (L layers), C2W1 (initialisation, dropout),
C2W3 (batch norm, softmax). Each layer is z[l] = W[l] a[l-1] + b[l], a[l] = g(z[l]), with W[l] of shape
(n[l], n[l-1]), so n[l] (n[l-1] + 1) parameters; the last layer gives logits, its sigmoid or softmax is in the
loss.

    network                                sizes                  parameters    multiply-adds
    logistic regression, cat or not        12288-1                    12,289           12,288
    one hidden layer (the slides')         3-4-1                          21               16
    one hidden layer, cat or not           12288-7-1                  86,031           86,023
    four layers, cat or not                12288-20-7-5-1            245,973          245,940

An image of 64 x 64 x 3 is unrolled into 12,288 numbers.
"""

from collections.abc import Callable, Sequence

from .. import init
from ..layers import BatchNorm1d, Dropout, Flatten, Linear, ReLU, Sequential, Tanh
from ..module import Module
from .catalog import Entry


class DeepNetwork(Module):
    """Logits `(m, n[L])` of examples `(m, n[0])`, or of any shape that unrolls to n[0] numbers, as images do.

    DeepNetwork(sizes, activation=ReLU, batch_norm=False, dropout=0.0, initialise=init.he_normal_): `sizes` is
    (n[0], n[1], ..., n[L]); `activation()` makes the module after each hidden layer; `batch_norm` normalises
    each hidden z[l], whose b[l] then falls away; `dropout` is the probability of dropping a hidden unit
    (1 - keep_prob), one number for all hidden layers or one each; `initialise(W)` fills the weights, biases
    start at 0. The modules of layer l are "linear{l}", "norm{l}", "activation{l}" and "dropout{l}". Raises
    ValueError for less than two sizes, and for as many dropout probabilities as there are not hidden layers.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[], Module] = ReLU,
        batch_norm: bool = False,
        dropout: float | Sequence[float] = 0.0,
        initialise: Callable = init.he_normal_,
    ):
        super().__init__()
        last = len(sizes) - 1
        if last < 1:
            raise ValueError(f"DeepNetwork needs at least two sizes (n[0], ..., n[L]), got {tuple(sizes)}")
        rates = list(dropout) if isinstance(dropout, Sequence) else [dropout] * (last - 1)
        if len(rates) != last - 1:
            raise ValueError(
                f"DeepNetwork: {len(rates)} dropout probabilities for {last - 1} hidden layers: "
                "give one number, or one each"
            )
        layers: dict[str, Module] = {"flatten": Flatten()}
        for l in range(1, last + 1):
            hidden = l < last
            linear = Linear(sizes[l - 1], sizes[l], bias=not (batch_norm and hidden))
            initialise(linear.weight)
            if linear.bias is not None:
                init.zeros_(linear.bias)
            layers[f"linear{l}"] = linear
            if hidden and batch_norm:
                layers[f"norm{l}"] = BatchNorm1d(sizes[l])
            if hidden:
                layers[f"activation{l}"] = activation()
            if hidden and rates[l - 1]:
                layers[f"dropout{l}"] = Dropout(rates[l - 1])
        self.layers = Sequential(layers)

    def forward(self, x):
        return self.layers(x)


def logistic_regression(in_features: int = 12288, num_classes: int = 1) -> DeepNetwork:
    """One layer that starts at 0. A single logit, for `BCEWithLogitsLoss`; with more classes it is softmax
    regression. COURSE.md C1W2-logreg, C2W3-softmax."""
    return DeepNetwork((in_features, num_classes), initialise=init.zeros_)


def shallow_network(
    in_features: int = 3, hidden: int = 4, num_classes: int = 1, activation: Callable[[], Module] = Tanh
) -> DeepNetwork:
    """One hidden layer, its weights 0.01 randn. COURSE.md C1W3-net, C1W3-init."""
    return DeepNetwork((in_features, hidden, num_classes), activation, initialise=init.small_normal_)


def deep_network(sizes: Sequence[int] = (12288, 20, 7, 5, 1), **options) -> DeepNetwork:
    """L layers of these sizes; `options` are those of `DeepNetwork`. COURSE.md C1W4-forward."""
    return DeepNetwork(sizes, **options)


_PAPER = "the course's slides"
ENTRIES = (
    Entry("logistic_regression", logistic_regression, (12288,), 12_289, 12_288, "C1W2-logreg", _PAPER),
    Entry("shallow_network", shallow_network, (3,), 21, 16, "C1W3-net", _PAPER),
    Entry("deep_network", deep_network, (12288,), 245_973, 245_940, "C1W4-forward", _PAPER),
)

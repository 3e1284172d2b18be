"""Optimizers: they update parameters in place from the gradients that `backward` left there."""

from autograd import __version__ as __version__

from .adam import Adam as Adam
from .optimizer import Optimizer as Optimizer
from .sgd import SGD as SGD

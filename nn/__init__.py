"""Neural networks: modules, layers, losses, initialisation, weights in files."""

import importlib

from autograd import __version__ as __version__

from . import functional as functional
from . import init as init
from .layers import AvgPool2d as AvgPool2d
from .layers import Conv2d as Conv2d
from .layers import Dropout as Dropout
from .layers import Flatten as Flatten
from .layers import Identity as Identity
from .layers import LeakyReLU as LeakyReLU
from .layers import Linear as Linear
from .layers import LogSoftmax as LogSoftmax
from .layers import MaxPool2d as MaxPool2d
from .layers import ModuleList as ModuleList
from .layers import ReLU as ReLU
from .layers import Sequential as Sequential
from .layers import Sigmoid as Sigmoid
from .layers import Softmax as Softmax
from .layers import Softplus as Softplus
from .layers import Tanh as Tanh
from .losses import BCELoss as BCELoss
from .losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from .losses import CrossEntropyLoss as CrossEntropyLoss
from .losses import L1Loss as L1Loss
from .losses import MSELoss as MSELoss
from .module import Layout as Layout
from .module import Module as Module
from .module import Parameter as Parameter
from .summary import summary as summary
from .weights import load_weights as load_weights
from .weights import save_weights as save_weights

_ROOMS = ("data", "metrics", "models", "recipes", "train")


def __getattr__(name):
    if name in _ROOMS:  # imported when first named, as in nn.train.fit, so that `import nn` stays cheap
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

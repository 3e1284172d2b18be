"""Define-by-run automatic differentiation on NumPy."""

from . import ops as ops
from . import random as random
from .check import check_grads as check_grads
from .graph import gradient as gradient
from .anomaly import detect_anomaly as detect_anomaly
from .modes import enable_grad as enable_grad
from .modes import get_default_dtype as get_default_dtype
from .modes import is_grad_enabled as is_grad_enabled
from .modes import no_grad as no_grad
from .modes import set_default_dtype as set_default_dtype
from .random import seed as seed
from .tensor import Tensor as Tensor

__version__ = "0.1.0"

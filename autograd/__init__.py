"""Define-by-run automatic differentiation on NumPy."""

from . import ops as ops
from . import random as random
from .anomaly import detect_anomaly as detect_anomaly
from .check import check_grads as check_grads
from .checkpoint import checkpoint as checkpoint
from .modes import enable_grad as enable_grad
from .modes import get_default_dtype as get_default_dtype
from .modes import is_grad_enabled as is_grad_enabled
from .modes import is_replaying as is_replaying
from .modes import no_grad as no_grad
from .modes import set_default_dtype as set_default_dtype
from .pictures import draw as draw
from .pictures import trace as trace
from .primitive import primitive as primitive
from .random import seed as seed
from .rows import Rows as Rows
from .tensor import Tensor as Tensor
from .threads import get_num_threads as get_num_threads
from .threads import set_num_threads as set_num_threads
from .transforms import elementwise_grad as elementwise_grad
from .transforms import grad as grad
from .transforms import gradient as gradient
from .transforms import hessian as hessian
from .transforms import hvp as hvp
from .transforms import jacobian as jacobian
from .transforms import jvp as jvp
from .transforms import value_and_grad as value_and_grad
from .transforms import vjp as vjp

__version__ = "0.1.0"

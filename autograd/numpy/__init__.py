"""NumPy's namespace for tensors: `import autograd.numpy as np`.

Every name is NumPy's own, whose functions dispatch to ours when they meet a tensor. Added is what NumPy
cannot dispatch (`array` of a list of tensors), and as functions that return a new array those of NumPy that
write into their argument (`put`, `put_along_axis`, `place`, `putmask`, `fill_diagonal`).
"""

from typing import Any

import numpy

from ..ops.picking import fill_diagonal as fill_diagonal
from ..ops.picking import place as place
from ..ops.picking import put as put
from ..ops.picking import put_along_axis as put_along_axis
from ..ops.picking import putmask as putmask
from . import fft as fft
from . import linalg as linalg
from . import random as random
from .creation import array as array
from .creation import asarray as asarray
from .numpy_wrapper import append as append
from .numpy_wrapper import c_ as c_
from .numpy_wrapper import einsum as einsum
from .numpy_wrapper import full as full
from .numpy_wrapper import full_like as full_like
from .numpy_wrapper import make_diagonal as make_diagonal
from .numpy_wrapper import mean as mean
from .numpy_wrapper import r_ as r_
from .numpy_wrapper import row_stack as row_stack
from .numpy_wrapper import std as std
from .numpy_wrapper import sum as sum
from .numpy_wrapper import var as var
from .numpy_wrapper import vstack as vstack
from .numpy_wrapper import where as where


def __getattr__(name: str) -> Any:
    found = globals()[name] = getattr(numpy, name)  # from now on without this detour
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(numpy)})

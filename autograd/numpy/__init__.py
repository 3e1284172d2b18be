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


def __getattr__(name: str) -> Any:
    return getattr(numpy, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(numpy)})

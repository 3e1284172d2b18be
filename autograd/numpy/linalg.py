"""np.linalg, whose names are NumPy's own."""

from typing import Any

import numpy

from .creation import array


def norm(x, *args, **kwargs):
    """np.linalg.norm, also of a list of tensors."""
    return numpy.linalg.norm(array(x) if isinstance(x, (list, tuple)) else x, *args, **kwargs)


def __getattr__(name: str) -> Any:
    return getattr(numpy.linalg, name)


def __dir__() -> list[str]:
    return dir(numpy.linalg)

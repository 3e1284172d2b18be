"""np.random, whose names are NumPy's own."""

from typing import Any

import numpy


def __getattr__(name: str) -> Any:
    return getattr(numpy.random, name)


def __dir__() -> list[str]:
    return dir(numpy.random)

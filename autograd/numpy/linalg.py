"""np.linalg, whose names are NumPy's own."""

from typing import Any

import numpy


def __getattr__(name: str) -> Any:
    return getattr(numpy.linalg, name)


def __dir__() -> list[str]:
    return dir(numpy.linalg)

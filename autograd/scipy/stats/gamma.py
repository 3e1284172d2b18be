"""The gamma distribution, as a module: `import autograd.scipy.stats.gamma as gamma`."""

from typing import Any

from . import distributions


def __getattr__(name: str) -> Any:
    return getattr(distributions.gamma, name)

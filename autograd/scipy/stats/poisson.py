"""The Poisson distribution, as a module: `import autograd.scipy.stats.poisson as poisson`."""

from typing import Any

from . import distributions


def __getattr__(name: str) -> Any:
    return getattr(distributions.poisson, name)

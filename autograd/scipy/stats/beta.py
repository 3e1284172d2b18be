"""The beta distribution, as a module: `import autograd.scipy.stats.beta as beta`."""

from typing import Any

from . import distributions


def __getattr__(name: str) -> Any:
    return getattr(distributions.beta, name)

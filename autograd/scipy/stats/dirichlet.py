"""The Dirichlet distribution, as a module: `import autograd.scipy.stats.dirichlet as dirichlet`."""

from typing import Any

from . import distributions


def __getattr__(name: str) -> Any:
    return getattr(distributions.dirichlet, name)

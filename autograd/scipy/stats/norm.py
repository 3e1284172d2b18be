"""The normal distribution, as a module: `import autograd.scipy.stats.norm as norm`."""

from typing import Any

from . import distributions


def __getattr__(name: str) -> Any:
    return getattr(distributions.norm, name)

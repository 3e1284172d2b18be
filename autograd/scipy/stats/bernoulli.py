"""The Bernoulli distribution, as a module: `import autograd.scipy.stats.bernoulli as bernoulli`."""

from typing import Any

from . import distributions


def __getattr__(name: str) -> Any:
    return getattr(distributions.bernoulli, name)

"""Student's t distribution, as a module: `import autograd.scipy.stats.t as t`."""

from typing import Any

from . import distributions


def __getattr__(name: str) -> Any:
    return getattr(distributions.t, name)

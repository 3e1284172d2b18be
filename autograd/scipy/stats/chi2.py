"""The chi-squared distribution, as a module: `import autograd.scipy.stats.chi2 as chi2`."""

from typing import Any

from . import distributions


def __getattr__(name: str) -> Any:
    return getattr(distributions.chi2, name)

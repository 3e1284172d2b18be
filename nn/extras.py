"""Packages that only some rooms need: imported where they are used, and one line with the pip command if
missing."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """`with extra("data"): from PIL import Image`. Raises ImportError that names `pip install
    'ngrad[data]'`."""
    try:
        yield
    except ImportError as error:
        package = (error.name or str(error)).split(".")[0]
        raise ImportError(f"{package} is not installed: pip install 'ngrad[{name}]'", name=package) from None

"""The code in the READMEs, run."""

import doctest
import pathlib

import pytest

from autograd.primitive import registry

ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.parametrize("page", ["autograd/README.md", "README.md"])
def test_examples_do_what_the_page_says(page):
    flags = doctest.ELLIPSIS
    try:
        result = doctest.testfile(str(ROOT / page), module_relative=False, optionflags=flags)
    finally:
        registry.pop("cube", None)
    assert result.failed == 0
    assert result.attempted > 10

"""What holds for our algorithms holds for those of other packages: these tests see the packages of tests/fixtures."""

from collections.abc import Iterator

import pytest
from out_of_tree import visible


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    """The packages of tests/fixtures are as if installed, in child processes too."""
    with visible():
        yield

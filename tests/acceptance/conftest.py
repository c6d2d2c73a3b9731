"""What every acceptance test has around it."""

from collections.abc import Iterator

import pytest

from tests.acceptance.witness import end_leftovers


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends the processes that a test's runs left behind: some tests mean to, and any may fail half-way."""
    home = request.getfixturevalue("cronflow").home if "cronflow" in request.fixturenames else None
    yield
    if home is not None:
        end_leftovers(home)

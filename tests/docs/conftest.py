"""One instance for all that is shown with one: it takes ten seconds to start, and no test minds another."""

from collections.abc import Iterator
from typing import Any

import pytest

from examples.tour.instance import running
from tests.support.browsing import chromium as chromium


@pytest.fixture(scope="session")
def instance() -> Iterator[dict[str, Any]]:
    """What `python3 run.py --with-example --json` prints, and the `directory` it runs in."""
    with running("--with-example") as described:
        yield described

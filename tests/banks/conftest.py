"""One pretend bank for all of these tests, and who has something to do with it."""

from collections.abc import Iterator

import pytest

from consents.models import Platform
from gateway.identity.models import User
from tests.support import cast, linked
from tests.support.books import Books
from tests.support.linked import Linked
from tests.support.sandbox_bank import SandboxBank


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxBank]:
    """The bank, with our own redirect address registered. Its users are shared: leave no faults behind."""
    with SandboxBank(redirect_uri=linked.redirect_uri()) as running:
        yield running


@pytest.fixture(scope="session")
def books(sandbox: SandboxBank) -> Books:
    """What that bank has on its books, told past Sluice."""
    return Books(sandbox)


@pytest.fixture
def world(sandbox: SandboxBank, db: None) -> Iterator[Linked]:
    """The bank as an institution of this database; the faults a test asked for are gone afterwards."""
    yield Linked(sandbox)
    sandbox.control("DELETE", "/control/faults")


@pytest.fixture
def alice(db: None) -> User:
    return cast.alice()


@pytest.fixture
def bob(db: None) -> User:
    return cast.bob()


@pytest.fixture
def chat(db: None) -> Platform:
    return cast.chat().platform


@pytest.fixture
def budget(db: None) -> Platform:
    return cast.budget().platform

"""The cast of tests.support.cast as fixtures."""

import pytest

from banks.models import Institution
from gateway.identity.models import User
from tests.support import cast
from tests.support.cast import Member


@pytest.fixture
def alice(db: None) -> User:
    return cast.alice()


@pytest.fixture
def bob(db: None) -> User:
    return cast.bob()


@pytest.fixture
def charlie(db: None) -> User:
    return cast.charlie()


@pytest.fixture
def chat(db: None) -> Member:
    return cast.chat()


@pytest.fixture
def budget(db: None) -> Member:
    return cast.budget()


@pytest.fixture
def northbank(db: None) -> Institution:
    """A bank whose policy accepts everything."""
    bank = cast.institution()
    cast.permissive_policy(bank)
    return bank

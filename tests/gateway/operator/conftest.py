"""An operator who has proved it, and a second one."""

import pytest
from django.test import Client

from gateway.identity.models import User
from tests.support import factors


@pytest.fixture
def ola(db: None) -> User:
    return factors.operator("ola")


@pytest.fixture
def browser(ola: User) -> Client:
    return factors.proved(ola)


@pytest.fixture
def second(db: None) -> Client:
    return factors.proved(factors.operator("per"))

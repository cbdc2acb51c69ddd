"""Alice shares with `chat` from two banks, and mail goes out."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.core import mail

from banks.models import Institution
from consents import clock
from consents.models import Consent
from consents.scopes import Purpose, Scope
from gateway.identity.models import User
from gateway.notify import notices, sending
from gateway.notify.models import Notice
from tests.support import cast
from tests.support.cast import Member

ADDRESS = "alice@mail.example"


@pytest.fixture
def alice(db: None) -> User:
    person = cast.alice()
    person.email = ADDRESS
    person.save()
    return person


@pytest.fixture(autouse=True)
def mail_is_set_up(settings: Any) -> None:
    settings.MAIL_FROM = "Sluice <sluice@sluice.example>"


@pytest.fixture
def southbank(db: None) -> Institution:
    bank = cast.institution("southbank")
    cast.permissive_policy(bank)
    return bank


@pytest.fixture
def sharing(alice: User, chat: Member, northbank: Institution, southbank: Institution) -> Consent:
    """Three accounts at two banks, for 90 days."""
    accounts = [*cast.linked_accounts(alice, northbank), *cast.linked_accounts(alice, southbank, ("card",))]
    return cast.authorised_consent(
        alice,
        chat.platform,
        (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS),
        accounts=accounts,
        purposes=(Purpose.ACCOUNT_OVERVIEW, Purpose.BUDGETING),
    )


def collected() -> list[Notice]:
    """All notices after a round, oldest first."""
    notices.collect(now=clock.now())
    return list(Notice.objects.order_by("created_at", "occurred_at"))


def sent() -> Sequence[Any]:
    """Every mail that has gone out, after a round of sending what is due."""
    for notice_id in sending.due(now=clock.now()):
        held = sending.claim(notice_id, now=clock.now())
        assert held is not None
        sending.attempt(held, clock=clock.now)
    return mail.outbox

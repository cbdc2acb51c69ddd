"""The bank's consent is asked for where no sync does it, so that who ends access there is believed within 6 hours."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.core.cache import cache

from banks import checks
from banks.models import Connection, InstitutionGate
from consents import clock
from consents.models import Consent, Event, Platform
from consents.states import ConnectionStatus, ConsentStatus
from gateway.identity.models import User
from tests.support import linked
from tests.support.linked import BALANCES, Linked

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(hours=5, minutes=1)


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def link(world: Linked, alice: User, chat: Platform) -> Connection:
    world.consent(alice, chat, BALANCES)
    linked.run()
    # The past is moved, not the present: the bank takes no assertion from the future.
    Connection.objects.update(checked_at=clock.now() - LONG_AGO)
    return linked.the_connection()


def end_at_the_bank(world: Linked, link: Connection) -> None:
    world.bank.control("POST", f"/control/consents/{link.bank_consent_id}/cancel")


def look(now: datetime) -> int:
    """A sweep and what it dispatches; how many banks were asked."""
    found = checks.due(now=now)
    for connection_id in found:
        checks.check(connection_id, now=now)
    return len(found)


@pytest.mark.parametrize(
    ("consent", "status"),
    [
        (ConsentStatus.PAUSED, ConnectionStatus.ACTIVE),
        (ConsentStatus.SUSPENDED, ConnectionStatus.ACTIVE),
        (ConsentStatus.AUTHORISED, ConnectionStatus.REAUTH_REQUIRED),
        (ConsentStatus.AUTHORISED, ConnectionStatus.DEGRADED),
    ],
)
def test_an_end_at_the_bank_is_noticed_where_nothing_is_fetched(
    world: Linked, link: Connection, consent: ConsentStatus, status: ConnectionStatus
) -> None:
    Consent.objects.update(status=consent)
    Connection.objects.update(status=status)
    end_at_the_bank(world, link)
    mark = world.mark()

    assert look(clock.now()) == 1

    link.refresh_from_db()
    assert (link.status, link.status_reason) == ("REVOKED", "bank_consent_ended")
    assert Event.objects.filter(type="connection.needs_renewal", user_id=link.user_id).count() == 1
    assert not world.seen(after=mark).resources


def test_a_consent_that_stands_is_not_asked_for_again_for_hours(world: Linked, link: Connection) -> None:
    now = clock.now()
    assert look(now) == 1
    cache.clear()

    assert checks.due(now=now + timedelta(hours=4)) == []
    assert linked.the_connection().status == "ACTIVE"


def test_two_sweeps_at_once_ask_once(link: Connection) -> None:
    now = clock.now()

    assert (len(checks.due(now=now)), len(checks.due(now=now))) == (1, 0)


def test_a_bank_that_does_not_answer_loses_nobody_and_is_left_alone_for_a_while(
    world: Linked, link: Connection
) -> None:
    world.fault(status=503, path_contains="/account-access-consents")
    now = clock.now()

    assert look(now) == 1

    assert linked.the_connection().status == "ACTIVE"
    assert linked.the_connection().checked_at == link.checked_at
    assert checks.due(now=now + timedelta(minutes=1)) == []


def test_a_bank_whose_breaker_is_open_is_not_asked(link: Connection) -> None:
    now = clock.now()
    InstitutionGate.objects.update_or_create(
        institution=link.institution,
        defaults={"breaker": "OPEN", "breaker_until": now, "bucket_thousandths": 0, "bucket_at": now, "window_at": now},
    )

    assert checks.due(now=now) == []


@pytest.mark.parametrize(
    "status", [ConnectionStatus.REVOKED, ConnectionStatus.SUSPENDED, ConnectionStatus.CLOSED, ConnectionStatus.EXPIRED]
)
def test_what_is_over_is_not_asked_for(link: Connection, status: ConnectionStatus) -> None:
    Connection.objects.update(status=status)

    assert checks.due(now=clock.now()) == []


def test_nothing_is_asked_for_nobody(link: Connection) -> None:
    Consent.objects.update(status=ConsentStatus.REVOKED)

    assert checks.due(now=clock.now()) == []


def test_an_answer_about_a_link_that_was_renewed_meanwhile_ends_nothing(world: Linked, link: Connection) -> None:
    end_at_the_bank(world, link)
    asked = checks._ended  # the answer is on its way when the user renews

    Connection.objects.update(bank_consent_id="of-the-new-link")
    asked(link, checks.BankConsentEnded("ended"), clock.now())

    assert linked.the_connection().status == "ACTIVE"

"""Every 90 days a person hears how each live consent was used; once each, by the calendar."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connections

from consents import clock, lifecycle
from consents.models import Consent, ConsentAccount, UsageRow
from consents.scopes import Scope
from gateway.identity.models import User
from gateway.notify import summaries, writing
from gateway.notify.models import Notice
from gateway.notify.summaries import PERIOD
from tests.support import cast
from tests.support.cast import Member

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def sharing(alice: User, chat: Member) -> Consent:
    """For a year, on two accounts, since 100 days ago."""
    return cast.authorised_consent(
        alice,
        chat.platform,
        (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS),
        accounts=[cast.nowhere(), cast.nowhere()],
        duration_days=365,
        now=clock.now() - 100 * DAY,
    )


def read(consent: Consent, record: str, at: datetime, *, account_id: UUID | None = None) -> None:
    UsageRow.objects.create(
        month=at.date().replace(day=1),
        user_id=consent.user_id,
        consent_id=consent.id,
        platform_id=consent.platform_id,
        account_id=account_id,
        record=record,
        purpose="account_overview",
        scopes=consent.scopes,
        rows=3,
        request_id="req",
        read_at=at,
    )


def granted(consent: Consent) -> datetime:
    assert consent.authorised_at is not None
    return consent.authorised_at


def test_it_tells_what_was_read_how_often_over_what_time_and_what_never(sharing: Consent) -> None:
    first, other = ConsentAccount.objects.filter(consent=sharing).values_list("account_id", flat=True)
    start = granted(sharing)
    for days in (1, 5, 89):
        read(sharing, "balance", start + days * DAY, account_id=first)
    read(sharing, "balance", start + 90 * DAY, account_id=other)  # of the next period

    assert summaries.summarise(now=clock.now()) == 1

    notice = Notice.objects.get()
    text = " ".join(writing.letter(notice).text.split())
    assert notice.occurred_at == start + PERIOD
    assert notice.details["reads"] == {
        "counts": {"balance": 3},
        "first_at": (start + DAY).isoformat(),
        "last_at": (start + 89 * DAY).isoformat(),
        "unread_scopes": ["accounts", "transactions"],
        "unread_accounts": 1,
    }
    assert "chat read 3 times: - account balance: 3 times" in text
    assert "Never read: - Account name and type - Transaction details" in text
    assert "1 of 2 accounts was never read." in text
    assert "Northbank" not in text


def test_a_consent_nobody_reads_is_told_too(sharing: Consent) -> None:
    summaries.summarise(now=clock.now())

    assert "chat read nothing in this time." in writing.letter(Notice.objects.get()).text


def test_once_for_each_period_by_the_calendar(sharing: Consent) -> None:
    start = granted(sharing)

    assert summaries.summarise(now=start + PERIOD - timedelta(seconds=1)) == 0
    assert summaries.summarise(now=start + PERIOD) == 1
    assert summaries.summarise(now=start + PERIOD) == 0
    assert summaries.summarise(now=start + 2 * PERIOD - timedelta(seconds=1)) == 0
    assert summaries.summarise(now=start + 2 * PERIOD) == 1
    # Nobody ran for a whole period: only the last one that ended is told.
    assert summaries.summarise(now=start + 4 * PERIOD + DAY) == 1
    assert summaries.summarise(now=start + 4 * PERIOD + 2 * DAY) == 0


def test_a_renewal_begins_a_new_period(sharing: Consent) -> None:
    at = granted(sharing) + 80 * DAY
    lifecycle.renew(
        consent_id=sharing.id,
        user_id=sharing.user_id,
        duration_days=365,
        disclosure=cast.DISCLOSURE,
        actor=cast.BY_USER,
        now=at,
    )

    assert summaries.summarise(now=at + PERIOD - DAY) == 0
    assert summaries.summarise(now=at + PERIOD) == 1


@pytest.mark.parametrize("status", ["REVOKED", "EXPIRED", "REJECTED", "AWAITING_AUTHORISATION"])
def test_what_is_over_or_was_never_given_is_not_summed_up(sharing: Consent, status: str) -> None:
    Consent.objects.update(status=status)

    assert summaries.summarise(now=clock.now()) == 0


def test_what_the_clock_ended_is_not_summed_up(sharing: Consent) -> None:
    assert summaries.summarise(now=sharing.expires_at) == 0


def test_a_closed_profile_hears_nothing(sharing: Consent) -> None:
    User.objects.update(is_active=False)

    assert summaries.summarise(now=clock.now()) == 0


def test_another_consents_reads_do_not_count(sharing: Consent, alice: User, budget: Member) -> None:
    other = cast.authorised_consent(alice, budget.platform, now=granted(sharing))
    read(other, "balance", granted(sharing) + DAY)

    summaries.summarise(now=clock.now())

    assert Notice.objects.get(consent_id=sharing.id).details["reads"]["counts"] == {}


@pytest.mark.django_db(transaction=True)
def test_of_sweeps_at_once_one_tells(sharing: Consent) -> None:
    gate, now = threading.Barrier(3), clock.now()

    def sweep(_: int) -> int:
        try:
            connections["default"].ensure_connection()
            gate.wait()
            return summaries.summarise(now=now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(sweep, range(3))) == 1

    assert Notice.objects.count() == 1

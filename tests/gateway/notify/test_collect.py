"""Events become notices once each, by whoever claims them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from banks.models import Connection
from consents import clock, events, lifecycle
from consents.events import EventType
from consents.models import Consent, Event
from consents.states import ConsentStatus
from gateway.identity.models import User
from gateway.notify import notices
from gateway.notify.models import Notice
from tests.gateway.notify.conftest import collected
from tests.support import cast
from tests.support.cast import Member

pytestmark = pytest.mark.django_db


def kinds() -> list[str]:
    return [notice.kind for notice in collected()]


def test_a_grant_brings_a_receipt_that_knows_the_terms_as_they_were(sharing: Consent) -> None:
    (receipt,) = collected()
    lifecycle.narrow(
        consent_id=sharing.id,
        user_id=sharing.user_id,
        scopes=["accounts"],  # type: ignore[list-item]
        account_ids=_accounts(sharing)[:1],
        actor=cast.BY_USER,
        now=clock.now(),
    )

    terms = Notice.objects.get(id=receipt.id).details["terms"]
    assert (receipt.kind, receipt.status, receipt.consent_id) == ("consent.granted", "PENDING", sharing.id)
    assert terms["scopes"] == ["accounts", "balances", "transactions"]
    assert (terms["accounts"], len(terms["institution_ids"])) == (3, 2)
    assert terms["disclosure_sha256"] == cast.DISCLOSURE.sha256


def _accounts(consent: Consent) -> list[Any]:
    from consents.models import ConsentAccount

    return list(ConsentAccount.objects.filter(consent=consent).order_by("id").values_list("account_id", flat=True))


def test_each_event_is_claimed_once_and_tells_once(sharing: Consent) -> None:
    assert kinds() == ["consent.granted"]
    assert kinds() == ["consent.granted"]
    assert not Event.objects.filter(noticed_at=None).exists()


def test_what_one_did_oneself_a_moment_ago_needs_no_notice(sharing: Consent) -> None:
    now = clock.now()
    lifecycle.pause(consent_id=sharing.id, user_id=sharing.user_id, actor=cast.BY_USER, now=now)

    assert kinds() == ["consent.granted"]


def test_a_hold_that_is_lifted_is_told_also_where_ones_own_pause_stays(sharing: Consent) -> None:
    collected()
    now = clock.now()
    lifecycle.pause(consent_id=sharing.id, user_id=sharing.user_id, actor=cast.BY_USER, now=now)
    lifecycle.suspend(consent_id=sharing.id, reason="test", actor=cast.BY_OPERATOR, now=now)
    lifecycle.lift(consent_id=sharing.id, reason="test", actor=cast.BY_OPERATOR, now=now)

    assert sorted(kinds()) == ["consent.granted", "consent.paused", "consent.suspended"]


def test_a_request_that_nobody_answered_ends_without_a_word(alice: User, chat: Member) -> None:
    lodged = cast.requested_consent(alice, chat.platform, now=clock.now() - timedelta(hours=2))
    assert lifecycle.expire_due(now=clock.now()) == 1

    assert Consent.objects.get(id=lodged.id).status == ConsentStatus.EXPIRED
    assert kinds() == []
    assert not Event.objects.filter(noticed_at=None).exists()


def test_events_that_concern_nobody_are_passed_over_together(alice: User, sharing: Consent) -> None:
    collected()
    for _ in range(5):
        events.publish(EventType.TRANSACTIONS_UPDATED, now=clock.now(), user_id=alice.id)

    assert notices.collect(now=clock.now()) == 5
    assert Notice.objects.count() == 1


def test_a_link_names_its_bank(alice: User, sharing: Consent) -> None:
    link = Connection.objects.get(institution__slug="northbank")
    events.publish(EventType.CONNECTION_LINKED, now=clock.now(), user_id=alice.id, connection_id=link.id)

    told = next(notice for notice in collected() if notice.kind == "connection.linked")
    assert told.institution_id == link.institution_id
    assert told.consent_id is None


def test_another_persons_link_is_told_to_nobody(alice: User, bob: User, sharing: Consent) -> None:
    link = Connection.objects.get(institution__slug="northbank")
    events.publish(EventType.CONNECTION_LINKED, now=clock.now(), user_id=bob.id, connection_id=link.id)

    assert not [notice for notice in collected() if notice.user_id == bob.id]


def test_an_end_that_was_put_off_before_it_could_be_told_is_not_told(sharing: Consent) -> None:
    """A mail would say that it ends within days, and name a day months ahead."""
    at = sharing.expires_at - timedelta(days=7)
    assert lifecycle.announce_expiring(now=at) == 1
    lifecycle.renew(
        consent_id=sharing.id,
        user_id=sharing.user_id,
        duration_days=30,
        disclosure=cast.DISCLOSURE,
        actor=cast.BY_USER,
        now=at + timedelta(seconds=1),
    )

    assert kinds() == ["consent.granted", "consent.granted"]


def test_nor_is_that_of_a_link_which_was_renewed_in_the_meantime(alice: User, sharing: Consent) -> None:
    collected()
    now = clock.now()
    links = Connection.objects.filter(institution__slug="northbank")
    for days_left in (90, 6):
        links.update(consent_expires_at=now + timedelta(days=days_left))
        events.publish(
            EventType.CONNECTION_NEEDS_RENEWAL,
            now=now,
            user_id=alice.id,
            connection_id=links.get().id,
            details={"code": "connection_expiring", "days": 7},
        )
        assert kinds().count("connection.needs_renewal") == (0 if days_left == 90 else 1)


def test_old_news_stands_on_the_page_and_is_not_mailed(sharing: Consent) -> None:
    Event.objects.update(occurred_at=clock.now() - timedelta(days=3, seconds=1))

    (receipt,) = collected()

    assert (receipt.status, receipt.error_code) == ("KEPT", "too_late")


def test_a_closed_profile_gets_one_last_notice_and_no_more(alice: User, sharing: Consent, budget: Member) -> None:
    cast.authorised_consent(alice, budget.platform)
    collected()
    lifecycle.revoke_all(user_id=alice.id, reason="closed", actor=cast.BY_OPERATOR, now=clock.now())
    User.objects.filter(id=alice.id).update(is_active=False)

    assert kinds() == ["consent.granted", "consent.granted", "profile.closed"]


def test_a_closed_profile_is_told_of_its_closing_and_not_of_what_came_before(alice: User, sharing: Consent) -> None:
    """What nobody looked at for days is too old for a mail; the one about the closing is not."""
    now = clock.now()
    Event.objects.update(occurred_at=now - timedelta(days=4))
    lifecycle.revoke_all(user_id=alice.id, reason="closed", actor=cast.BY_OPERATOR, now=now)
    User.objects.filter(id=alice.id).update(is_active=False)

    (last,) = collected()

    assert (last.kind, last.occurred_at, last.status) == ("profile.closed", now, "PENDING")


def test_an_event_that_cannot_be_told_holds_up_no_other(
    alice: User, sharing: Consent, budget: Member, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    other = cast.authorised_consent(alice, budget.platform)
    real = notices.terms_of

    def fails(consent: Consent) -> dict[str, Any]:
        if consent.id == sharing.id:
            raise ZeroDivisionError
        return real(consent)

    monkeypatch.setattr(notices, "terms_of", fails)

    assert [notice.consent_id for notice in collected()] == [other.id]
    assert "no notice of an event" in caplog.text
    monkeypatch.setattr(notices, "terms_of", real)
    assert {notice.consent_id for notice in collected()} == {other.id, sharing.id}


def test_a_whole_batch_that_cannot_be_told_holds_up_no_other(
    alice: User, sharing: Consent, budget: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = cast.authorised_consent(alice, budget.platform)
    real = notices.terms_of

    def fails(consent: Consent) -> dict[str, Any]:
        if consent.id == sharing.id:
            raise ZeroDivisionError
        return real(consent)

    monkeypatch.setattr(notices, "terms_of", fails)
    monkeypatch.setattr(notices, "BATCH", 1)

    for _ in range(Event.objects.count()):
        notices.collect(now=clock.now())

    assert [notice.consent_id for notice in Notice.objects.all()] == [other.id]
    assert {event.consent_id for event in Event.objects.filter(noticed_at=None)} == {sharing.id}


def test_an_event_that_could_not_be_told_for_a_day_is_given_up_and_logged(
    sharing: Consent, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fails(consent: Consent) -> dict[str, Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(notices, "terms_of", fails)
    granted_at = Event.objects.get(type=EventType.CONSENT_GRANTED).occurred_at

    notices.collect(now=granted_at + notices.GIVEN_UP_AFTER - timedelta(seconds=1))
    assert Event.objects.filter(type=EventType.CONSENT_GRANTED, noticed_at=None).exists()

    notices.collect(now=granted_at + notices.GIVEN_UP_AFTER)
    assert not Event.objects.filter(noticed_at=None).exists()
    assert "an event is told to nobody" in caplog.text and not Notice.objects.exists()


def test_forgetting_takes_only_what_is_old(sharing: Consent) -> None:
    (receipt,) = collected()
    later = receipt.created_at + notices.KEPT_FOR

    assert notices.forget(now=later) == 0
    assert notices.forget(now=later + timedelta(seconds=1)) == 1


@pytest.mark.django_db(transaction=True)
def test_of_collectors_at_once_each_event_has_one(alice: User, chat: Member, budget: Member) -> None:
    consents = [cast.authorised_consent(alice, member.platform) for member in (chat, budget) for _ in range(6)]
    for _ in range(20):
        events.publish(EventType.TRANSACTIONS_UPDATED, now=clock.now(), user_id=alice.id)
    gate = threading.Barrier(4)

    def collect(_: int) -> int:
        try:
            connections["default"].ensure_connection()
            gate.wait()
            return notices.collect(now=clock.now())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(collect, range(4)))
    notices.collect(now=clock.now())  # of what another held at that moment

    assert sum(counts) <= 32
    assert not Event.objects.filter(noticed_at=None).exists()
    assert sorted(Notice.objects.values_list("consent_id", flat=True)) == sorted(one.id for one in consents)

"""Hands that pull at the same consent in the same moment, on real threads and connections: exactly one wins."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connections

from consents import lifecycle
from consents.audit import Actor
from consents.errors import TransitionRefused
from consents.lifecycle import changing
from consents.models import AccessToken, AuditEntry, Consent, ConsentAccount, Event, Revocation
from consents.scopes import Scope
from consents.states import Initiator
from tests.support import ledger
from tests.support.ledger import BY_OPERATOR, BY_PLATFORM, BY_USER, NOW, SHOWN

pytestmark = pytest.mark.django_db(transaction=True)

Hand = Callable[[], object]


def at_once(*hands: Hand) -> list[object]:
    """Each hand on a thread and connection of its own, released together; its result, or what it raised."""
    gate = threading.Barrier(len(hands))

    def pull(hand: Hand) -> object:
        try:
            connections["default"].ensure_connection()
            gate.wait()
            return hand()
        except TransitionRefused as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(hands)) as pool:
        return list(pool.map(pull, hands))


def _lodged() -> Consent:
    return lifecycle.request(
        user_id=ledger.user("alice").id,
        platform=ledger.platform(),
        asked=ledger.asked({Scope.ACCOUNTS}),
        actor=BY_PLATFORM,
        now=NOW,
    )


def _authorise(consent: Consent) -> Consent:
    return lifecycle.authorise(
        consent_id=consent.id,
        user_id=consent.user_id,
        accounts=[lifecycle.AccountChoice(account_id=uuid4(), connection_id=uuid4(), institution_id=uuid4())],
        scopes=[Scope.ACCOUNTS],
        disclosure=SHOWN,
        actor=BY_USER,
        now=NOW,
    )


def _refused(results: list[object]) -> int:
    return sum(isinstance(result, TransitionRefused) for result in results)


def test_of_eight_revocations_at_once_one_wins() -> None:
    consent = _authorise(_lodged())
    ledger.tokens(consent)

    def revoke() -> Consent:
        return lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=NOW)

    results = at_once(*[revoke] * 8)

    consent.refresh_from_db()
    assert _refused(results) == 7
    assert (consent.status, consent.revision) == ("REVOKED", 3)
    assert Event.objects.filter(type="consent.revoked").count() == 1
    assert AuditEntry.objects.filter(action="consent.revoked").count() == 1
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("attempt", range(4))
def test_of_yes_and_no_at_once_one_wins(attempt: int) -> None:
    consent = _lodged()

    def reject() -> Consent:
        return lifecycle.reject(
            consent_id=consent.id, user_id=consent.user_id, reason="declined", actor=BY_USER, now=NOW
        )

    results = at_once(lambda: _authorise(consent), reject, lambda: _authorise(consent), reject)

    consent.refresh_from_db()
    assert _refused(results) == 3
    assert consent.revision == 2
    (event,) = Event.objects.all()
    assert event.type == {"AUTHORISED": "consent.granted", "REJECTED": "consent.rejected"}[consent.status]


@pytest.mark.parametrize("attempt", range(4))
def test_of_revocation_and_expiry_at_once_one_wins_and_the_tokens_are_gone(attempt: int) -> None:
    consent = _authorise(_lodged())
    ledger.tokens(consent)
    end = consent.expires_at

    def revoke() -> Consent:
        return lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=end)

    def expire() -> int:
        return lifecycle.expire_due(now=end)

    results = at_once(revoke, expire, expire)

    consent.refresh_from_db()
    written = sum(result for result in results if isinstance(result, int))
    assert (consent.status, written, _refused(results)) in [("REVOKED", 0, 0), ("EXPIRED", 1, 1)]
    assert Event.objects.exclude(type="consent.granted").count() == 1
    assert not AccessToken.objects.exists()


def test_an_expiry_that_looked_before_a_renewal_was_written_does_not_end_it() -> None:
    """The row is looked at again under its lock: what was due may not be due any more."""
    consent = _authorise(_lodged())
    due = Consent.objects.filter(id=consent.id)
    end = consent.expires_at
    looked = changing.locked

    def renewed_meanwhile(consent_id: object, **criteria: object) -> Consent:
        due.update(expires_at=end + timedelta(days=90))
        return looked(consent_id, **criteria)  # type: ignore[arg-type]

    changing.locked = renewed_meanwhile  # type: ignore[assignment]
    try:
        count = lifecycle.expire_due(now=end)
    finally:
        changing.locked = looked

    consent.refresh_from_db()
    assert (count, consent.status) == (0, "AUTHORISED")


# -- every pair of hands that must not undo one another ---------------------------------------------------------------


def _pause(consent: Consent) -> Hand:
    return lambda: lifecycle.pause(consent_id=consent.id, user_id=consent.user_id, actor=BY_USER, now=NOW)


def _suspend(consent: Consent) -> Hand:
    return lambda: lifecycle.suspend(consent_id=consent.id, reason="under_review", actor=BY_OPERATOR, now=NOW)


def _revoke(consent: Consent, *, now: datetime = NOW) -> Hand:
    return lambda: lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=now)


def _narrow(consent: Consent) -> Hand:
    accounts = list(ConsentAccount.objects.filter(consent=consent).values_list("account_id", flat=True))
    return lambda: lifecycle.narrow(
        consent_id=consent.id,
        user_id=consent.user_id,
        scopes=[Scope.ACCOUNTS],
        account_ids=accounts,
        actor=BY_USER,
        now=NOW,
    )


def _renew(consent: Consent, *, now: datetime) -> Hand:
    return lambda: lifecycle.renew(
        consent_id=consent.id, user_id=consent.user_id, duration_days=30, disclosure=SHOWN, actor=BY_USER, now=now
    )


def _told(consent: Consent) -> list[str]:
    """Event types after the grant, one for each hand that won."""
    rows = Event.objects.filter(consent_id=consent.id).exclude(type="consent.granted")
    return sorted(rows.values_list("type", flat=True))


def _ended_for_good(consent: Consent) -> None:
    consent.refresh_from_db()
    assert (consent.status, consent.status_before, consent.ended_at) == ("REVOKED", "", NOW)
    assert not AccessToken.objects.exists()
    assert Event.objects.filter(type="consent.revoked").count() == 1


@pytest.mark.parametrize("attempt", range(2))
@pytest.mark.parametrize("other", [_pause, _narrow, _suspend], ids=["pause", "narrow", "suspend"])
def test_nothing_outlives_a_revocation_at_the_same_moment(other: Callable[[Consent], Hand], attempt: int) -> None:
    """The other hand comes before it or is refused after it; either way the consent is over."""
    consent = _authorise(_lodged())
    ledger.tokens(consent)

    results = at_once(_revoke(consent), other(consent))

    assert not isinstance(results[0], TransitionRefused)
    _ended_for_good(consent)
    assert consent.revision == 4 - _refused(results)
    assert len(_told(consent)) == 2 - _refused(results)


@pytest.mark.parametrize("attempt", range(2))
def test_a_lift_resurrects_nothing_that_is_revoked_at_the_same_moment(attempt: int) -> None:
    consent = _authorise(_lodged())
    _suspend(consent)()
    ledger.tokens(consent)

    results = at_once(
        lambda: lifecycle.lift(consent_id=consent.id, reason="all_well", actor=BY_OPERATOR, now=NOW), _revoke(consent)
    )

    assert not isinstance(results[1], TransitionRefused)
    _ended_for_good(consent)


@pytest.mark.parametrize("attempt", range(2))
def test_a_lift_and_the_clock_at_once_leave_it_expired(attempt: int) -> None:
    """One instant before its end it is lifted, at its end it is over, whoever comes first."""
    consent = _authorise(_lodged())
    _suspend(consent)()
    end = consent.expires_at

    results = at_once(
        lambda: lifecycle.lift(
            consent_id=consent.id, reason="all_well", actor=BY_OPERATOR, now=end - timedelta(microseconds=1)
        ),
        lambda: lifecycle.expire_due(now=end),
    )

    consent.refresh_from_db()
    assert (consent.status, consent.status_before, results[1]) == ("EXPIRED", "", 1)
    assert _told(consent).count("consent.expired") == 1


@pytest.mark.parametrize("attempt", range(2))
def test_of_a_renewal_and_the_clock_at_once_one_wins(attempt: int) -> None:
    consent = _authorise(_lodged())
    ledger.tokens(consent)
    end = consent.expires_at
    last = end - timedelta(microseconds=1)

    results = at_once(_renew(consent, now=last), lambda: lifecycle.expire_due(now=end))

    consent.refresh_from_db()
    renewed = last + timedelta(days=30)
    won = (consent.status, consent.expires_at, _refused(results), results[1])
    assert won in [("AUTHORISED", renewed, 0, 0), ("EXPIRED", end, 1, 1)]
    assert AccessToken.objects.exists() == (consent.status == "AUTHORISED")


@pytest.mark.parametrize("attempt", range(2))
def test_of_a_pause_and_a_suspension_at_once_the_suspension_stands_and_knows_what_was_before(attempt: int) -> None:
    consent = _authorise(_lodged())

    results = at_once(_pause(consent), _suspend(consent))

    consent.refresh_from_db()
    assert not isinstance(results[1], TransitionRefused)
    paused_first = not isinstance(results[0], TransitionRefused)
    assert (consent.status, consent.status_before) == ("SUSPENDED", "PAUSED" if paused_first else "AUTHORISED")


def test_a_bank_and_a_user_who_take_out_the_same_account_end_with_it_out_once() -> None:
    consent = _authorise(_lodged())
    bank = ConsentAccount.objects.get(consent=consent).institution_id

    def by_the_bank() -> Consent:
        actor = Actor(initiator=Initiator.BANK)
        return lifecycle.revoke_accounts(
            consent_id=consent.id, institution_id=bank, reason="account_closed", actor=actor, now=NOW
        )

    results = at_once(by_the_bank, _revoke(consent), by_the_bank)

    assert _refused(results) == 2
    _ended_for_good(consent)


def test_of_several_sweeps_at_once_one_announces() -> None:
    consent = _authorise(_lodged())

    def announce() -> int:
        return lifecycle.announce_expiring(now=consent.expires_at - timedelta(days=1))

    results = at_once(announce, announce, announce)

    assert sorted(results) == [0, 0, 1]  # type: ignore[type-var]
    assert Event.objects.filter(type="consent.expiring").count() == 1


def test_stop_everything_and_a_single_revocation_at_once_end_each_once() -> None:
    first = _authorise(_lodged())
    second = lifecycle.request(
        user_id=first.user_id, platform=first.platform, asked=ledger.asked({Scope.ACCOUNTS}), actor=BY_PLATFORM, now=NOW
    )
    _authorise(second)

    results = at_once(
        lambda: lifecycle.revoke_all(user_id=first.user_id, reason="x", actor=BY_USER, now=NOW),
        _revoke(first),
        _revoke(second),
    )

    assert len(results[0]) + 2 - _refused(results) == 2  # type: ignore[arg-type]
    assert set(Consent.objects.values_list("status", flat=True)) == {"REVOKED"}
    assert Revocation.objects.count() == Event.objects.filter(type="consent.revoked").count() == 2

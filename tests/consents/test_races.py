"""Hands that pull at the same consent in the same moment, on real threads and connections: exactly one wins."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections

from consents import lifecycle
from consents.errors import TransitionRefused
from consents.lifecycle import changing
from consents.models import AccessToken, AuditEntry, Consent, Event
from consents.scopes import Scope
from tests.support import ledger
from tests.support.ledger import BY_PLATFORM, BY_USER, NOW, SHOWN

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

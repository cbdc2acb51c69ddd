"""A consent at a bank is deleted there: by the real calls, again until the bank confirms, and not for ever."""

from datetime import UTC, datetime, timedelta

import pytest

from banks import endings, tasks, upstream
from banks.errors import After, AskCustomer, Never, Retry
from banks.models import Connection, Finding, UpstreamEnding
from banks.upstream import EndingReason
from consents import clock
from consents.models import AuditEntry, Platform
from gateway.identity.models import User
from tests.support import cast, linked
from tests.support.linked import BALANCES, Linked

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# -- when to ask again: pure -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry", "attempts", "age", "wait"),
    [
        (After(), 1, MINUTE, MINUTE),
        (After(), 2, MINUTE, 2 * MINUTE),
        (After(), 5, HOUR, 16 * MINUTE),
        (After(), 500, 29 * DAY, 12 * HOUR),
        (After(90), 1, MINUTE, timedelta(seconds=90)),  # the bank said how long
        (After(86_400), 7, DAY, DAY),
        (After(), 80, 30 * DAY, None),
        (After(90), 80, 30 * DAY, None),
        (Never(), 1, MINUTE, HOUR),
        (Never(), 3, DAY, 4 * HOUR),
        (Never(), 6, 23 * HOUR, 12 * HOUR),  # six, but all of one bad day
        (Never(), 6, DAY, None),
        (AskCustomer(), 6, DAY, None),
        (Never(), 2, 30 * DAY, None),
    ],
)
def test_a_bank_is_asked_again_later_and_later_and_not_for_ever(
    retry: Retry, attempts: int, age: timedelta, wait: timedelta | None
) -> None:
    at = upstream.next_attempt_at(retry, attempts, NOW - age, NOW)

    assert at == (None if wait is None else NOW + wait)


# -- at the bank -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ended(world: Linked, alice: User, chat: Platform) -> UpstreamEnding:
    """Linked, shared, revoked: what is left to do is at the bank."""
    cast.revoke(world.consent(alice, chat, BALANCES))
    assert endings.sweep(now=clock.now()) == 1
    return UpstreamEnding.objects.get()


def attempt(row: UpstreamEnding, *, now: datetime | None = None) -> UpstreamEnding:
    held = upstream.claim(row.id, now=now or clock.now())
    assert held is not None
    upstream.attempt(held, clock=lambda: now or clock.now())
    return UpstreamEnding.objects.get(id=row.id)


def again(row: UpstreamEnding) -> UpstreamEnding:
    """When its waiting is over. The row is moved, not the clock: the bank looks at ours."""
    UpstreamEnding.objects.filter(id=row.id).update(next_attempt_at=clock.now())
    return attempt(row)


@pytest.mark.django_db
def test_the_banks_consent_is_deleted_and_the_trail_says_so(world: Linked, ended: UpstreamEnding) -> None:
    done = attempt(ended)

    assert world.bank_consents()[ended.bank_consent_id]["deleted"]
    assert (done.status, done.error_code, done.attempts) == ("DONE", "", 1)
    assert done.finished_at is not None and done.finished_at >= done.created_at
    entry = AuditEntry.objects.get(action="connection.upstream_ended")
    assert entry.institution_id == world.institution.id
    assert entry.details == {
        "ending_id": str(ended.id),
        "connection_id": str(ended.connection_id),
        "attempts": 1,
    }
    assert upstream.claim(ended.id, now=clock.now() + DAY) is None


@pytest.mark.django_db
def test_a_bank_that_does_not_know_it_any_more_has_confirmed(world: Linked, ended: UpstreamEnding) -> None:
    UpstreamEnding.objects.update(bank_consent_id="aac-nobody-knows")

    assert attempt(ended).status == "DONE"


@pytest.mark.django_db
def test_a_bank_that_is_down_is_asked_again_until_it_confirms(world: Linked, ended: UpstreamEnding) -> None:
    world.fault(path_contains="account-access-consents", status=503, times=2)
    now = clock.now()

    waiting = attempt(ended, now=now)
    assert (waiting.status, waiting.error_code) == ("PENDING", "institution_down")
    assert waiting.next_attempt_at == now + MINUTE
    assert upstream.claim(ended.id, now=now + MINUTE - timedelta(seconds=1)) is None
    assert again(ended).status == "PENDING"

    done = again(ended)

    assert (done.status, done.attempts) == ("DONE", 3)
    assert world.bank_consents()[ended.bank_consent_id]["deleted"]
    assert not Finding.objects.exists()


@pytest.mark.django_db
def test_what_the_bank_asks_for_is_waited(world: Linked, ended: UpstreamEnding) -> None:
    world.fault(path_contains="account-access-consents", status=429, retry_after=120, times=1)
    now = clock.now()

    assert attempt(ended, now=now).next_attempt_at == now + timedelta(seconds=120)


@pytest.mark.django_db
def test_a_bank_that_never_lets_us_is_a_finding_in_the_end(world: Linked, ended: UpstreamEnding) -> None:
    world.fault(path_contains="account-access-consents", status=503)
    now = clock.now()
    attempt(ended, now=now)
    UpstreamEnding.objects.update(created_at=now - 30 * DAY)

    given_up = again(ended)

    assert (given_up.status, given_up.error_code) == ("IMPOSSIBLE", "institution_down")
    assert given_up.finished_at is not None and given_up.finished_at >= now
    finding = Finding.objects.get()
    assert (finding.kind, finding.code) == ("UPSTREAM_NOT_ENDED", "institution_down")
    assert (finding.connection_id, finding.institution_id) == (ended.connection_id, world.institution.id)
    assert AuditEntry.objects.get(action="connection.upstream_not_ended").reason_code == "institution_down"
    assert upstream.dispatchable(now=now + 90 * DAY) == []


@pytest.mark.django_db
def test_a_bank_that_refuses_us_is_asked_slowly_and_given_up_sooner(world: Linked, ended: UpstreamEnding) -> None:
    world.fault(path_contains="account-access-consents", status=403)
    now = clock.now()

    first = attempt(ended, now=now)
    assert (first.error_code, first.next_attempt_at) == ("bank_misconfigured", now + HOUR)
    UpstreamEnding.objects.update(attempts=5, created_at=now - DAY)

    assert again(ended).status == "IMPOSSIBLE"


@pytest.mark.django_db
def test_a_page_that_was_given_up_by_the_bank_leaves_the_rest_to_a_worker(
    world: Linked, alice: User, chat: Platform, budget: Platform
) -> None:
    """A newer consent took the place of an older one, and the bank would not hear of it right then."""
    world.consent(alice, chat, BALANCES)
    old = linked.the_connection().bank_consent_id
    world.fault(path_contains=f"account-access-consents/{old}", status=500, times=1)

    world.consent(alice, budget, BALANCES)

    row = UpstreamEnding.objects.get()
    assert (row.bank_consent_id, row.reason, row.status) == (old, "superseded", "PENDING")
    assert again(row).status == "DONE"
    assert world.bank_consents()[old]["deleted"]
    assert not world.bank_consents()[linked.the_connection().bank_consent_id]["deleted"]


@pytest.mark.django_db
def test_the_tasks_do_it_end_to_end(
    world: Linked, alice: User, chat: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.end_upstream, "apply_async", lambda args, queue: tasks.end_upstream(*args))
    cast.revoke(world.consent(alice, chat, BALANCES))

    tasks.sweep_endings()

    assert UpstreamEnding.objects.get().status == "DONE"
    assert world.bank_consents()[linked.the_connection().bank_consent_id]["deleted"]
    assert linked.the_connection().status == "REVOKED"


# -- claims ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lodged(db: None) -> UpstreamEnding:
    bank = cast.institution(now=NOW)
    for _ in range(2):
        upstream.lodge(bank, "aac-1", connection_id=None, reason=EndingReason.NOT_LINKED, now=NOW)
    return UpstreamEnding.objects.get()  # twice is once


def test_a_row_belongs_to_one_holder_until_the_lease_is_over(lodged: UpstreamEnding) -> None:
    first = upstream.claim(lodged.id, now=NOW)

    assert first is not None
    assert upstream.claim(lodged.id, now=NOW + MINUTE) is None

    second = upstream.claim(lodged.id, now=NOW + 10 * MINUTE)

    assert second is not None and second.epoch == first.epoch + 1


def test_who_lost_the_row_writes_nothing(lodged: UpstreamEnding, monkeypatch: pytest.MonkeyPatch) -> None:
    first = upstream.claim(lodged.id, now=NOW)
    assert first is not None
    upstream.claim(lodged.id, now=NOW + 10 * MINUTE)
    before = UpstreamEnding.objects.values().get()

    upstream.attempt(first, clock=lambda: NOW + 11 * MINUTE)  # nothing answers at that bank's address

    assert UpstreamEnding.objects.values().get() == before
    assert not AuditEntry.objects.exists()


def test_a_lost_message_is_sent_again(lodged: UpstreamEnding) -> None:
    assert upstream.dispatchable(now=NOW) == [lodged.id]
    assert upstream.dispatchable(now=NOW + MINUTE / 2) == []
    assert upstream.dispatchable(now=NOW + 2 * MINUTE) == [lodged.id]


def test_a_key_that_is_not_in_the_ring_is_a_misconfiguration_and_asked_again(lodged: UpstreamEnding) -> None:
    lodged.institution.sealed_signing_key = b"nobody\0" + bytes(40)
    lodged.institution.save()

    waiting = attempt(lodged, now=NOW)

    assert (waiting.status, waiting.error_code) == ("PENDING", "bank_misconfigured")


def test_what_never_was_a_consent_is_not_lodged(db: None) -> None:
    upstream.lodge(cast.institution(), "", connection_id=None, reason=EndingReason.NOT_LINKED, now=NOW)

    assert not UpstreamEnding.objects.exists()


def test_one_finding_a_connection_however_many_consents_are_stuck(db: None) -> None:
    bank, alice = cast.institution(now=NOW), cast.alice()
    link = Connection.objects.get(id=cast.connection(alice, bank).id)
    for number in range(2):
        upstream.lodge(bank, f"aac-{number}", connection_id=link.id, reason=EndingReason.SUPERSEDED, now=NOW)
    for row in UpstreamEnding.objects.all():
        held = upstream.claim(row.id, now=NOW + 30 * DAY)
        assert held is not None
        upstream.attempt(held, clock=lambda: NOW + 30 * DAY)

    assert UpstreamEnding.objects.filter(status="IMPOSSIBLE").count() == 2
    assert Finding.objects.count() == 1

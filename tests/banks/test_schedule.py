"""Syncs that nobody asks for: due by row, once, never more often than the bank allows, and only while needed."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from banks import dispatch, gate, job_requests, leases, quota, schedule
from banks.admission import UNANSWERED_MAX, Tally
from banks.errors import QuotaSpent
from banks.held_jobs import JobError
from banks.jitter import jittered
from banks.models import Account, Connection, FetchRecord, Institution, SyncJob, SyncJobStatus, SyncTrigger
from banks.standing import CHECK_AFTER
from banks.types import Resource
from consents.models import Consent
from consents.states import ConnectionStatus, ConsentStatus
from tests.support import cast, jobs
from tests.support.cast import NOW
from tests.support.jobs import SECOND, at_once, bank, claimed, committed, due, linked, reread

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
INTERVAL = timedelta(minutes=360)
HUNG = Tally(calls=1, failures=1, unanswered=1)


@pytest.fixture(autouse=True)
def _lease(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 60


def needed(at: Institution | None = None, *, now: datetime = NOW, **columns: Any) -> tuple[Connection, Consent]:
    """A connection with one account that a live consent reaches."""
    link = linked(at, **columns)
    account = cast.account(link)
    member = cast.platform(f"platform-{link.id.hex[:8]}", now=now)
    consent = cast.authorised_consent(link.user, member.platform, accounts=[cast.choice(account)], now=now)
    return link, consent


def next_of(link: Connection) -> datetime | None:
    return Connection.objects.values_list("next_sync_at", flat=True).get(id=link.id)


def the_job(link: Connection) -> SyncJob:
    return SyncJob.objects.get(connection=link)


def after_interval(at: datetime | None, since: datetime = NOW) -> bool:
    return at is not None and since + INTERVAL <= at < since + INTERVAL * 1.1


# -- due ---------------------------------------------------------------------------------------------------------------


def test_a_connection_whose_time_has_come_gets_a_job_and_its_next_time() -> None:
    link, _ = needed(next_sync_at=NOW)

    assert schedule.enqueue_due(now=NOW) == 1

    assert (the_job(link).trigger, the_job(link).next_attempt_at) == (SyncTrigger.SCHEDULE, NOW)
    assert after_interval(next_of(link))


def test_before_its_time_nothing_happens() -> None:
    needed(next_sync_at=NOW + SECOND)

    assert schedule.enqueue_due(now=NOW) == 0
    assert not SyncJob.objects.exists()


def test_a_second_beat_finds_nothing() -> None:
    needed(next_sync_at=NOW)
    schedule.enqueue_due(now=NOW)

    assert schedule.enqueue_due(now=NOW) == 0
    assert SyncJob.objects.count() == 1


def test_a_tick_takes_a_batch_and_the_longest_waiting_first() -> None:
    links = [needed(next_sync_at=NOW - number * SECOND)[0] for number in range(3)]

    assert schedule.enqueue_due(now=NOW, batch=2) == 2

    assert set(SyncJob.objects.values_list("connection_id", flat=True)) == {links[2].id, links[1].id}


def test_a_schedule_joins_the_job_there_is_and_does_not_bring_it_forward() -> None:
    link, _ = needed(next_sync_at=NOW + SECOND)
    job = due(link)
    leases.retry(claimed(job), error=JobError(code="institution_down"), counts={}, now=NOW)
    before = reread(job).next_attempt_at

    schedule.enqueue_due(now=NOW + SECOND)

    assert (SyncJob.objects.count(), reread(job).next_attempt_at) == (1, before)


def test_intervals_are_spread_and_never_shorter() -> None:
    links = [needed(next_sync_at=NOW)[0] for _ in range(5)]

    schedule.enqueue_due(now=NOW)

    times = [next_of(link) for link in links]
    assert times == [NOW + schedule._interval(link) for link in links]
    assert all(after_interval(at) for at in times)
    # Of ids that are drawn anew each time, two of five may fall on one of the thousand steps.
    drawn = [UUID(int=number) for number in range(5)]
    assert len({jittered(INTERVAL, one, percent=schedule.JITTER_PERCENT) for one in drawn}) == 5


@pytest.mark.parametrize(
    "status",
    [ConnectionStatus.REAUTH_REQUIRED, ConnectionStatus.SUSPENDED, ConnectionStatus.REVOKED, ConnectionStatus.CLOSED],
)
def test_a_connection_that_cannot_be_synced_leaves_the_schedule(status: ConnectionStatus) -> None:
    link, _ = needed(next_sync_at=NOW, status=status)

    assert schedule.enqueue_due(now=NOW) == 0
    assert (next_of(link), SyncJob.objects.count()) == (None, 0)


def test_a_connection_that_no_live_consent_needs_leaves_the_schedule() -> None:
    link, consent = needed(next_sync_at=NOW)
    cast.revoke(consent, now=NOW)

    assert schedule.enqueue_due(now=NOW) == 0
    assert (next_of(link), SyncJob.objects.count()) == (None, 0)


def test_a_consent_that_ran_out_by_the_clock_needs_nothing() -> None:
    link, consent = needed(next_sync_at=NOW)

    assert schedule.enqueue_due(now=consent.expires_at) == 0
    assert next_of(link) is None


@pytest.mark.django_db(transaction=True)
def test_of_four_beats_at_once_one_enqueues_the_job() -> None:
    links = [needed(next_sync_at=NOW)[0] for _ in range(3)]

    results = at_once(*[lambda: schedule.enqueue_due(now=NOW)] * 4)

    assert sum(results) == len(links)
    assert SyncJob.objects.count() == len(links)
    assert not SyncJob.objects.filter(requested_again=True).exists()


# -- after a job -------------------------------------------------------------------------------------------------------


def ended(link: Connection, code: str = "", *, now: datetime = NOW) -> None:
    held = claimed(due(link, now=now, trigger=SyncTrigger.SCHEDULE), now=now)
    error = JobError(code=code) if code else None
    leases.finish(held, SyncJobStatus.FAILED if code else SyncJobStatus.COMMITTED, counts={}, error=error, now=now)
    schedule.after_run(link.id, now=now)


def spent(link: Connection, times: int, *, since: datetime, every: timedelta = HOUR) -> None:
    """That many unattended fetches of the balances of its account."""
    account_id = Account.objects.for_sync().values_list("id", flat=True).get(connection=link)
    for number in range(times):
        FetchRecord.objects.create(
            connection=link,
            account_id=account_id,
            resource=Resource.BALANCES,
            presence="ABSENT",
            job_id=UUID(int=number),
            epoch=1,
            fetched_at=since + number * every,
        )


def test_after_a_job_the_next_is_due_an_interval_later() -> None:
    link, _ = needed()

    ended(link)

    assert after_interval(next_of(link))


def test_a_job_that_failed_for_good_is_followed_by_the_next_interval_too() -> None:
    link, _ = needed()

    ended(link, "institution_down")

    assert after_interval(next_of(link))


def test_a_job_that_only_waits_moves_nothing() -> None:
    link, _ = needed(next_sync_at=NOW + HOUR)
    leases.retry(claimed(due(link)), error=JobError(code="institution_down"), counts={}, now=NOW)

    schedule.after_run(link.id, now=NOW)

    assert next_of(link) == NOW + HOUR


def test_what_a_spent_quota_left_undone_is_due_when_the_quota_allows() -> None:
    link, _ = needed()
    spent(link, 4, since=NOW - 23 * HOUR)

    ended(link, "fetch_quota_spent")

    assert next_of(link) == NOW + HOUR


def test_what_was_done_with_the_last_of_the_quota_is_not_due_sooner_for_it() -> None:
    link, _ = needed()
    spent(link, 4, since=NOW - 23 * HOUR)

    ended(link)

    assert after_interval(next_of(link))


def test_nothing_is_due_before_the_quota_allows() -> None:
    link, _ = needed()
    spent(link, 4, since=NOW - 3 * HOUR)

    ended(link)

    assert next_of(link) == NOW + 21 * HOUR


def test_a_spent_quota_costs_no_job() -> None:
    link, _ = needed(next_sync_at=NOW)
    spent(link, 4, since=NOW - 3 * HOUR)

    assert schedule.enqueue_due(now=NOW) == 0

    assert (SyncJob.objects.count(), next_of(link)) == (0, NOW + 21 * HOUR)


def test_while_the_bank_is_left_alone_nothing_is_due() -> None:
    soon, late = needed(bank(refresh_minutes=0))[0], needed(bank(refresh_minutes=1))[0]
    for link in (soon, late):
        held = claimed(due(link))
        for _ in range(UNANSWERED_MAX):
            gate.settle(link.institution_id, HUNG, job_id=held.job_id, epoch=held.epoch, now=NOW)
        committed(held)
        schedule.after_run(link.id, now=NOW)

    assert next_of(soon) == gate.open_until([soon.institution_id])[soon.institution_id]
    assert next_of(late) == NOW + schedule._interval(late)  # by then it is over


@pytest.mark.parametrize("status", [ConnectionStatus.REAUTH_REQUIRED, ConnectionStatus.REVOKED])
def test_after_a_job_that_lost_the_login_nothing_is_due(status: ConnectionStatus) -> None:
    link, _ = needed(next_sync_at=NOW + HOUR, status=status)

    ended(link, "reauth_required")

    assert next_of(link) is None


def test_after_the_last_consent_ended_nothing_is_due() -> None:
    link, consent = needed(next_sync_at=NOW + HOUR)
    cast.revoke(consent, now=NOW)

    ended(link)

    assert next_of(link) is None


def test_a_connection_that_ends_in_that_moment_is_not_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    link, _ = needed(next_sync_at=NOW + HOUR)
    committed(claimed(due(link)))

    def ends_meanwhile(connection: object, **named: object) -> None:
        Connection.objects.filter(id=link.id).update(status=ConnectionStatus.CLOSED, next_sync_at=None)

    monkeypatch.setattr(quota, "spent_until_of", ends_meanwhile)
    schedule.after_run(link.id, now=NOW)

    assert next_of(link) is None


# -- what no schedule knows --------------------------------------------------------------------------------------------


def test_a_connection_without_a_time_is_adopted_at_once_when_it_was_never_synced() -> None:
    link, _ = needed()

    assert schedule.adopt(now=NOW) == 1
    assert next_of(link) == NOW
    assert schedule.adopt(now=NOW) == 0


def test_one_that_was_synced_is_due_when_it_would_have_been() -> None:
    fresh, _ = needed(last_succeeded_at=NOW - HOUR)
    old, _ = needed(last_succeeded_at=NOW - 48 * HOUR)

    schedule.adopt(now=NOW)

    assert after_interval(next_of(fresh), since=NOW - HOUR)
    assert next_of(old) == NOW


def test_what_cannot_or_need_not_be_synced_is_not_adopted() -> None:
    _, ended_consent = needed()
    cast.revoke(ended_consent, now=NOW)
    _, paused = needed()
    Consent.objects.filter(id=paused.id).update(status=ConsentStatus.PAUSED)
    needed(status=ConnectionStatus.REAUTH_REQUIRED)
    linked()

    assert schedule.adopt(now=NOW) == 0


def test_a_consent_that_is_resumed_brings_its_connection_back() -> None:
    link, consent = needed(next_sync_at=NOW)
    Consent.objects.filter(id=consent.id).update(status=ConsentStatus.PAUSED)
    schedule.enqueue_due(now=NOW)
    assert next_of(link) is None

    Consent.objects.filter(id=consent.id).update(status=ConsentStatus.AUTHORISED)

    assert schedule.adopt(now=NOW) == 1


def test_adopting_does_not_get_round_the_quota() -> None:
    link, _ = needed()
    spent(link, 4, since=NOW - 3 * HOUR)

    schedule.adopt(now=NOW)

    assert next_of(link) == NOW + 21 * HOUR


# -- days of it --------------------------------------------------------------------------------------------------------

RESOURCES = (Resource.BALANCES, Resource.TRANSACTIONS)


def fetch(job_id: UUID, account_id: UUID, *, now: datetime) -> Iterator[tuple[object, datetime]]:
    """What sync does with a job, as the ledger and the bank see it: counted before it is called."""
    held = leases.claim(job_id, now=now)
    assert held is not None
    error: JobError | None = None
    try:
        for account, resource in ((None, Resource.ACCOUNTS), *((account_id, each) for each in RESOURCES)):
            jobs.spend(held, account_id=account, resource=resource, now=now)
            if held.presence == "ABSENT":
                yield (account, resource), now
    except QuotaSpent as spent_quota:
        error = JobError(code=spent_quota.code)
    leases.finish(held, SyncJobStatus.FAILED if error else SyncJobStatus.COMMITTED, counts={}, error=error, now=now)
    schedule.after_run(held.connection_id, now=now)


@pytest.mark.parametrize("refresh_minutes", [360, 45])
def test_no_bank_sees_more_than_four_unattended_fetches_in_any_24_hours(refresh_minutes: int) -> None:
    """Four days of schedule, of a platform that asks every five hours, and of a user who looks in now and then."""
    link, _ = needed(bank(refresh_minutes=refresh_minutes), next_sync_at=NOW)
    account_id = Account.objects.for_sync().values_list("id", flat=True).get(connection=link)
    seen: dict[object, list[datetime]] = defaultdict(list)
    now = NOW
    for minutes in range(0, 4 * 24 * 60, 20):
        now = NOW + timedelta(minutes=minutes)
        schedule.enqueue_due(now=now)
        if minutes % 300 == 0:
            due(link, now=now, trigger=SyncTrigger.PLATFORM_READ)
        if minutes % 1000 == 0:
            due(link, now=now, trigger=SyncTrigger.USER_PRESENT)
        for job in dispatch.due(now=now):
            for what, at in fetch(job.job_id, account_id, now=now):
                seen[what].append(at)

    assert len(seen) == 1 + len(RESOURCES)
    for times in seen.values():
        for first, fifth in zip(times, times[4:], strict=False):
            assert fifth - first >= timedelta(hours=24)
        # And what the bank allows is used: no longer without a fetch than a day.
        assert len(times) >= 4 * 3
        assert all(later - earlier <= timedelta(hours=24) for earlier, later in pairwise(times))
    assert next_of(link) is not None


# -- the bank's consent ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["ACTIVE", "DEGRADED", "RATE_LIMITED", "REAUTH_REQUIRED"])
@pytest.mark.parametrize("consent_status", ["AUTHORISED", "PAUSED", "SUSPENDED"])
def test_a_bank_that_said_nothing_of_its_consent_for_three_hours_is_asked_for_that_alone(
    status: str, consent_status: str
) -> None:
    link, consent = needed(checked_at=NOW - CHECK_AFTER, status=status, next_sync_at=NOW + 5 * HOUR)
    Consent.objects.filter(id=consent.id).update(status=consent_status)

    assert schedule.enqueue_checks(now=NOW) == 1
    assert schedule.enqueue_checks(now=NOW) == 0

    job = the_job(link)
    assert (job.trigger, job.checks_only, job.status) == ("SCHEDULE", True, "QUEUED")
    assert next_of(link) == NOW + 5 * HOUR


@pytest.mark.parametrize(
    "columns",
    [
        {"checked_at": NOW - CHECK_AFTER + SECOND},
        {"checked_at": NOW - CHECK_AFTER, "status": "REVOKED"},
        {"checked_at": NOW - CHECK_AFTER, "status": "SUSPENDED"},
    ],
    ids=["just asked", "ended", "held"],
)
def test_what_was_just_asked_or_is_over_is_not_asked(columns: dict[str, Any]) -> None:
    needed(**columns)

    assert schedule.enqueue_checks(now=NOW) == 0


def test_a_consent_that_ended_here_is_not_asked_for_there() -> None:
    _, consent = needed(checked_at=NOW - CHECK_AFTER)
    cast.revoke(consent, now=NOW)

    assert schedule.enqueue_checks(now=NOW) == 0


def test_a_bank_that_cannot_tell_is_asked_every_three_hours_and_no_more() -> None:
    link, _ = needed(checked_at=None)
    schedule.enqueue_checks(now=NOW)
    SyncJob.objects.update(status="COMMITTED", finished_at=NOW)

    assert schedule.enqueue_checks(now=NOW + HOUR) == 0
    assert schedule.enqueue_checks(now=NOW + CHECK_AFTER) == 1
    assert SyncJob.objects.filter(connection=link).count() == 2


def test_who_wants_a_sync_while_a_check_waits_gets_one() -> None:
    link, _ = needed(checked_at=NOW - CHECK_AFTER)
    schedule.enqueue_checks(now=NOW)

    job_requests.enqueue(link.id, trigger=SyncTrigger.USER_ATTESTED, now=NOW)

    job = the_job(link)
    assert (job.trigger, job.checks_only) == ("USER_ATTESTED", False)


def test_a_check_is_not_the_sync_that_was_due() -> None:
    link, _ = needed(checked_at=NOW - CHECK_AFTER, next_sync_at=NOW + HOUR)
    schedule.enqueue_checks(now=NOW)

    schedule.enqueue_due(now=NOW + HOUR)

    assert (the_job(link).trigger, the_job(link).checks_only) == ("SCHEDULE", False)

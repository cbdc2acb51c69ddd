"""Claims on work: one holder at a time, whatever messages are lost, doubled or late."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from banks import held_jobs, leases
from banks.errors import StaleLease
from banks.held_jobs import Claim, JobError
from banks.leases import ATTEMPTS_MAX
from banks.models import SyncJob, SyncJobStatus
from tests.support.cast import NOW
from tests.support.jobs import SECOND, at_once, claimed, committed, due, reread

pytestmark = pytest.mark.django_db

LEASE = timedelta(seconds=60)
DOWN = JobError(code="institution_down", upstream_status=503)


@pytest.fixture(autouse=True)
def _lease(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 60


# -- one holder --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_that_claim_at_once_one_gets_the_job() -> None:
    job = due()

    results = at_once(*[lambda: leases.claim(job.id, now=NOW)] * 8)

    winners = [result for result in results if isinstance(result, Claim)]
    assert len(winners) == 1
    assert (winners[0].epoch, winners[0].attempts) == (1, 1)
    assert (reread(job).epoch, reread(job).attempts) == (1, 1)


def test_a_held_job_is_nobody_elses() -> None:
    job = due()
    claimed(job)

    assert leases.claim(job.id, now=NOW + LEASE) is None


def test_a_job_is_not_claimed_before_its_time() -> None:
    job = due()

    assert leases.claim(job.id, now=NOW - SECOND) is None


@pytest.mark.parametrize("ending", [SyncJobStatus.COMMITTED, SyncJobStatus.FAILED, SyncJobStatus.CANCELLED])
def test_a_job_that_is_over_is_never_claimed(ending: SyncJobStatus) -> None:
    job = due()
    leases.finish(claimed(job), ending, counts={}, error=None, now=NOW)

    assert leases.claim(job.id, now=NOW + timedelta(days=1)) is None


def test_a_message_for_a_job_that_never_was_does_nothing() -> None:
    assert leases.claim(uuid4(), now=NOW) is None


def test_the_work_of_a_job_ends_well_before_its_lease() -> None:
    held = claimed(due())

    assert 0 < held.seconds <= LEASE.total_seconds() * 0.8


# -- a holder that died or came late -----------------------------------------------------------------------------------


def test_an_expired_lease_is_claimed_under_a_higher_epoch() -> None:
    job = due()
    first = claimed(job)

    second = claimed(job, now=NOW + LEASE + SECOND)

    assert (first.epoch, second.epoch, second.attempts) == (1, 2, 2)


def test_whoever_lost_the_lease_can_write_nothing() -> None:
    job = due()
    late = claimed(job)
    claimed(job, now=NOW + LEASE + SECOND)
    before = SyncJob.objects.values().get(id=job.id)

    attempts: list[Callable[[], None]] = [
        lambda: held_jobs.fence(late, stage="BALANCES"),
        lambda: committed(late),
        lambda: leases.retry(late, error=DOWN, counts={}, now=NOW),
    ]
    for write in attempts:
        with pytest.raises(StaleLease):
            write()

    assert SyncJob.objects.values().get(id=job.id) == before


def test_the_holder_may_write_even_after_the_time_of_its_lease_while_nobody_else_has_it() -> None:
    held = claimed(due())

    held_jobs.fence(held, stage="TRANSACTIONS")

    assert SyncJob.objects.get(id=held.job_id).stage == "TRANSACTIONS"


def test_a_job_that_ended_can_not_be_ended_again() -> None:
    held = claimed(due())
    committed(held)

    with pytest.raises(StaleLease):
        leases.finish(held, SyncJobStatus.FAILED, counts={}, error=DOWN, now=NOW)

    assert SyncJob.objects.get(id=held.job_id).status == SyncJobStatus.COMMITTED


def test_a_job_that_kills_its_workers_is_given_up() -> None:
    job, now = due(), NOW
    for _ in range(ATTEMPTS_MAX):
        claimed(job, now=now)
        now += LEASE + SECOND

    assert leases.claim(job.id, now=now) is None

    over = reread(job)
    assert (over.status, over.error_code, over.attempts) == ("FAILED", "worker_lost", ATTEMPTS_MAX)


# -- trying again ------------------------------------------------------------------------------------------------------


def test_waiting_doubles_with_each_attempt() -> None:
    job, now, waits = due(), NOW, []
    for _ in range(ATTEMPTS_MAX - 1):
        leases.retry(claimed(job, now=now), error=DOWN, counts={}, now=now)
        waits.append((reread(job).next_attempt_at - now).total_seconds())
        now = reread(job).next_attempt_at

    assert waits == [20, 40, 80, 160]


def test_the_bank_says_how_long_to_wait() -> None:
    job = due()

    leases.retry(claimed(job), error=JobError(code="upstream_rate_limited", retry_after=600), counts={}, now=NOW)

    waiting = reread(job)
    assert (waiting.status, waiting.next_attempt_at) == ("RETRY_WAIT", NOW + timedelta(seconds=600))
    assert leases.claim(job.id, now=NOW + timedelta(seconds=599)) is None


def test_a_job_that_waits_remembers_what_went_wrong_and_holds_nothing() -> None:
    job, account_id = due(), uuid4()

    error = JobError(code="bank_format_changed", account_id=account_id, upstream_status=200)
    leases.retry(claimed(job), error=error, counts={"added": 3}, now=NOW)

    waiting = reread(job)
    assert (waiting.error_code, waiting.error_account_id, waiting.upstream_status) == (
        "bank_format_changed",
        account_id,
        200,
    )
    assert (waiting.lease_until, waiting.counts) == (None, {"added": 3})


def test_success_forgets_the_error() -> None:
    job = due()
    leases.retry(claimed(job), error=DOWN, counts={}, now=NOW)

    committed(claimed(job, now=NOW + timedelta(minutes=1)))

    assert (reread(job).error_code, reread(job).upstream_status, reread(job).stage) == ("", None, "")


def test_after_the_last_attempt_it_has_failed() -> None:
    job, now = due(), NOW
    for _ in range(ATTEMPTS_MAX):
        leases.retry(claimed(job, now=now), error=DOWN, counts={}, now=now)
        now += timedelta(hours=1)

    over = reread(job)
    assert (over.status, over.error_code, over.attempts) == ("FAILED", "institution_down", ATTEMPTS_MAX)
    assert over.finished_at == now - timedelta(hours=1)

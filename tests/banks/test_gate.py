"""What one bank can take: the row that eight workers ask at once. The decisions: test_admission."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from banks import directory, gate, held_jobs, leases
from banks.admission import CALLS_RESERVED, UNANSWERED_MAX, BreakerStatus, Tally
from banks.held_jobs import Claim, JobError
from banks.leases import ATTEMPTS_MAX
from banks.models import Institution, InstitutionGate, SyncJob, SyncJobStatus
from banks.types import InstitutionStatus
from tests.support.cast import NOW
from tests.support.jobs import SECOND, at_once, bank, claimed, committed, due, linked, reread

LEASE = timedelta(seconds=60)
WELL = Tally(calls=4, answered=True)
HUNG = Tally(calls=1, failures=1, unanswered=1)


@pytest.fixture(autouse=True)
def _lease(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 60


def stored(at: Institution) -> InstitutionGate:
    return InstitutionGate.objects.get(institution=at)


def hung(at: Institution, *, now: datetime = NOW, times: int = UNANSWERED_MAX) -> None:
    for _ in range(times):
        gate.settle(at.id, HUNG, job_id=uuid4(), epoch=1, now=now)


@pytest.mark.django_db
def test_a_job_that_is_turned_away_loses_no_attempt_and_says_why() -> None:
    full = bank(concurrent_jobs_max=1)
    claimed(due(linked(full)))
    job = due(linked(full))

    assert leases.claim(job.id, now=NOW) is None

    waits = reread(job)
    assert (waits.status, waits.attempts, waits.epoch) == (SyncJobStatus.QUEUED, 0, 0)
    assert (waits.error_code, waits.dispatched_at) == ("institution_busy", None)
    assert waits.next_attempt_at > NOW


@pytest.mark.django_db
def test_once_it_may_start_it_says_so_no_more() -> None:
    full = bank(concurrent_jobs_max=1)
    held = claimed(due(linked(full)))
    job = due(linked(full))
    leases.claim(job.id, now=NOW)
    committed(held)

    claimed(job, now=NOW + LEASE)

    assert (reread(job).error_code, reread(job).attempts) == ("", 1)


@pytest.mark.django_db
def test_a_job_between_attempts_keeps_them_while_its_bank_is_left_alone() -> None:
    at = bank()
    job = due(linked(at))
    leases.retry(claimed(job), error=JobError(code="institution_down"), counts={}, now=NOW)
    hung(at, now=NOW + 20 * SECOND)

    assert leases.claim(job.id, now=NOW + 21 * SECOND) is None

    waits = reread(job)
    assert (waits.status, waits.attempts, waits.error_code) == (SyncJobStatus.RETRY_WAIT, 1, "institution_paused")
    assert waits.next_attempt_at == stored(at).breaker_until


@pytest.mark.django_db
def test_a_dead_holders_job_that_is_turned_away_is_still_given_up_in_the_end() -> None:
    at = bank()
    job, now = due(linked(at)), NOW
    for _ in range(ATTEMPTS_MAX - 1):
        claimed(job, now=now)
        now += LEASE + SECOND
    hung(at, now=now)
    assert leases.claim(job.id, now=now) is None
    now += timedelta(hours=1)
    claimed(job, now=now)

    assert leases.claim(job.id, now=now + LEASE + SECOND) is None
    assert (reread(job).status, reread(job).error_code) == (SyncJobStatus.FAILED, "worker_lost")


@pytest.mark.django_db
def test_a_lease_that_ran_out_holds_no_slot() -> None:
    full = bank(concurrent_jobs_max=1)
    claimed(due(linked(full)))

    assert leases.claim(due(linked(full)).id, now=NOW + LEASE + SECOND) is not None


@pytest.mark.django_db
def test_one_banks_trouble_is_not_anothers() -> None:
    ill, well = bank(), bank()
    hung(ill)

    assert leases.claim(due(linked(ill)).id, now=NOW) is None
    assert leases.claim(due(linked(well)).id, now=NOW) is not None


@pytest.mark.django_db
def test_a_probe_that_works_in_steps_stays_the_only_one() -> None:
    at = bank()
    hung(at)
    probe, other = due(linked(at)), due(linked(at))
    over = NOW + 60 * SECOND
    held = claimed(probe, now=over)
    held_jobs.extend(held, now=over + 50 * SECOND)

    assert leases.claim(other.id, now=over + LEASE + SECOND) is None
    assert reread(other).error_code == "institution_paused"


@pytest.mark.django_db
def test_what_the_directory_says_follows_the_breaker() -> None:
    at = bank()

    def told() -> InstitutionStatus:
        return directory.institution(at.slug).status

    assert told() == InstitutionStatus.ALIVE
    hung(at)
    assert told() == InstitutionStatus.DOWN
    until = stored(at).breaker_until
    assert until is not None
    assert gate.half_open(now=until - SECOND) == 0
    assert gate.half_open(now=until) == 1
    assert told() == InstitutionStatus.PARTIAL
    job = due(linked(at))
    held = claimed(job, now=until)
    gate.settle(at.id, WELL, job_id=held.job_id, epoch=held.epoch, now=until)
    assert told() == InstitutionStatus.ALIVE
    assert directory.by_id([at.id])[at.id].status == InstitutionStatus.ALIVE


@pytest.mark.django_db
@pytest.mark.parametrize("told", [Tally(), WELL, HUNG], ids=["nothing", "well", "hung"])
def test_who_lost_the_lease_of_a_probe_does_not_speak_for_the_next_holder(told: Tally) -> None:
    """The job is the same, and so is its id: the bank would see a second probe, or all jobs at once, too early."""
    at = bank()
    hung(at)
    job, now = due(linked(at)), stored(at).breaker_until
    assert now is not None
    lost = claimed(job, now=now)
    now += LEASE + SECOND
    held = claimed(job, now=now)

    gate.settle(at.id, told, job_id=lost.job_id, epoch=lost.epoch, now=now)

    assert (stored(at).breaker, stored(at).probe_job_id) == (BreakerStatus.HALF_OPEN, job.id)
    assert leases.claim(due(linked(at), now=now).id, now=now) is None
    gate.settle(at.id, WELL, job_id=held.job_id, epoch=held.epoch, now=now)
    assert stored(at).breaker == BreakerStatus.CLOSED


@pytest.mark.django_db
def test_what_the_operator_says_of_a_bank_stands() -> None:
    at = bank(status=InstitutionStatus.MAINTENANCE)
    hung(at)

    assert directory.institution(at.slug).status == InstitutionStatus.MAINTENANCE


# -- at the same instant -----------------------------------------------------------------------------------------------


def won(results: list[Any]) -> int:
    return sum(isinstance(result, Claim) for result in results)


@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_that_claim_at_once_no_more_start_than_the_bank_takes() -> None:
    at = bank(concurrent_jobs_max=3)
    jobs = [due(linked(at)) for _ in range(8)]

    results = at_once(*[lambda job=job: leases.claim(job.id, now=NOW) for job in jobs])

    assert won(results) == 3
    assert SyncJob.objects.filter(status=SyncJobStatus.LEASED).count() == 3
    assert InstitutionGate.objects.count() == 1  # made by all of them at once
    assert stored(at).bucket_thousandths == 600_000 - 3 * CALLS_RESERVED * 1000


@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_that_claim_after_a_pause_one_probes() -> None:
    at = bank(concurrent_jobs_max=8)
    hung(at)
    jobs = [due(linked(at)) for _ in range(8)]
    over = NOW + 60 * SECOND

    results = at_once(*[lambda job=job: leases.claim(job.id, now=over) for job in jobs])

    assert won(results) == 1
    assert SyncJob.objects.filter(error_code="institution_paused").count() == 7
    assert stored(at).probe_job_id == next(result.job_id for result in results if result is not None)


@pytest.mark.django_db(transaction=True)
def test_what_eight_jobs_report_at_once_is_all_counted() -> None:
    at = bank()

    well = Tally(calls=20, failures=1, answered=True)
    at_once(*[lambda: gate.settle(at.id, well, job_id=uuid4(), epoch=1, now=NOW)] * 8)

    assert (stored(at).calls, stored(at).failures) == (160, 8)

"""Asking for work: one live job per connection, and no request is ever lost on it."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from banks import held_jobs, job_requests, leases
from banks.errors import StaleLease
from banks.held_jobs import Claim, JobError
from banks.leases import ATTEMPTS_MAX
from banks.models import LIVE_JOBS, Connection, SyncJob, SyncJobStatus, SyncTrigger
from banks.plan import Plan
from banks.turn import Turn, Watch
from tests import environment
from tests.support.cast import NOW
from tests.support.jobs import SECOND, claimed, closing, committed, due, linked, reread

pytestmark = pytest.mark.django_db

LEASE = timedelta(seconds=60)
DOWN = JobError(code="institution_down", upstream_status=503)


@pytest.fixture(autouse=True)
def _lease(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 60


def test_a_second_request_joins_the_job_that_waits() -> None:
    link = linked()
    job = due(link)

    assert due(link).id == job.id
    assert SyncJob.objects.count() == 1


def test_a_user_who_is_there_ends_the_waiting_of_a_job_that_failed() -> None:
    link = linked()
    job = due(link)
    leases.retry(claimed(job), error=DOWN, counts={}, now=NOW)

    due(link, now=NOW + SECOND)

    waiting = reread(job)
    assert (waiting.next_attempt_at, waiting.attempts) == (NOW + SECOND, 0)
    claimed(job, now=NOW + SECOND)


@pytest.mark.parametrize("trigger", [SyncTrigger.SCHEDULE, SyncTrigger.PLATFORM_READ])
def test_a_request_while_nobody_is_there_waits_with_the_job_that_failed(trigger: SyncTrigger) -> None:
    link = linked()
    job = due(link)
    leases.retry(claimed(job), error=DOWN, counts={}, now=NOW)
    before = reread(job)

    due(link, now=NOW + SECOND, trigger=trigger)

    waiting = reread(job)
    assert (waiting.next_attempt_at, waiting.attempts) == (before.next_attempt_at, 1)


@pytest.mark.parametrize("status", [429, 503])
def test_what_the_bank_asked_for_is_waited_for_by_everyone(status: int) -> None:
    link = linked()
    job = due(link)
    asked = JobError(code="upstream_rate_limited", upstream_status=status, retry_after=600)
    leases.retry(claimed(job), error=asked, counts={}, now=NOW)

    due(link, now=NOW + SECOND)

    waiting = reread(job)
    assert (waiting.next_attempt_at, waiting.attempts) == (NOW + timedelta(seconds=600), 0)
    assert leases.claim(job.id, now=NOW + timedelta(seconds=599)) is None
    claimed(job, now=NOW + timedelta(seconds=600))
    assert reread(job).not_before_at is None


def test_a_quota_of_ours_does_not_hold_up_a_user_who_is_there() -> None:
    link = linked()
    job = due(link, trigger=SyncTrigger.SCHEDULE)
    leases.retry(claimed(job), error=JobError(code="fetch_quota_spent", retry_after=7200), counts={}, now=NOW)

    due(link, now=NOW + SECOND)

    assert reread(job).next_attempt_at == NOW + SECOND


def test_requests_during_a_run_lead_to_one_further_job() -> None:
    link = linked()
    held = claimed(due(link))
    assert due(link).id == held.job_id
    assert due(link).id == held.job_id

    committed(held, now=NOW + SECOND)

    assert sorted(SyncJob.objects.values_list("status", "requested_again")) == [("COMMITTED", True), ("QUEUED", False)]
    follow_up = SyncJob.objects.get(status="QUEUED")
    assert (follow_up.connection_id, follow_up.next_attempt_at) == (link.id, NOW + SECOND)


def test_a_run_that_nobody_interrupted_leads_to_no_further_job() -> None:
    held = claimed(due())

    committed(held)

    assert SyncJob.objects.count() == 1


def test_a_new_holder_plans_anew_so_that_an_older_request_needs_no_further_round() -> None:
    link = linked()
    job = due(link)
    claimed(job)
    due(link)

    held = claimed(job, now=NOW + LEASE + SECOND)
    committed(held, now=NOW + LEASE + 2 * SECOND)

    assert SyncJob.objects.count() == 1


def test_the_further_round_is_as_present_as_the_request_that_asked_for_it() -> None:
    link = linked()
    job_id = job_requests.enqueue(link.id, trigger=SyncTrigger.SCHEDULE, now=NOW)
    held = claimed(SyncJob.objects.get(id=job_id))
    due(link)

    committed(held)

    assert SyncJob.objects.get(status="QUEUED").trigger == SyncTrigger.USER_PRESENT


def test_the_further_round_tells_the_bank_where_the_user_is_and_the_ended_one_forgets_it() -> None:
    job = due()
    held = claimed(job)
    address = "203.0.113.7"
    job_requests.enqueue(job.connection_id, trigger=SyncTrigger.USER_ATTESTED, customer_ip_address=address, now=NOW)

    leases.finish(held, SyncJobStatus.COMMITTED, counts={}, error=None, now=NOW)

    kept = dict(SyncJob.objects.values_list("status", "customer_ip_address"))
    assert kept == {"COMMITTED": None, "QUEUED": address}


def test_a_schedule_does_not_take_the_user_out_of_a_job_that_waits() -> None:
    link = linked()
    job = due(link)

    job_requests.enqueue(link.id, trigger=SyncTrigger.SCHEDULE, now=NOW)

    assert reread(job).trigger == SyncTrigger.USER_PRESENT


def test_a_finished_job_is_followed_by_a_new_one() -> None:
    link = linked()
    job = due(link)
    committed(claimed(job))

    assert due(link).id != job.id


@pytest.mark.django_db(transaction=True)
def test_of_two_jobs_for_one_connection_the_database_takes_one() -> None:
    job = due()

    with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        SyncJob.objects.create(
            connection_id=job.connection_id, trigger=SyncTrigger.SCHEDULE, next_attempt_at=NOW, created_at=NOW
        )


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite has one writer at a time")
def test_a_request_is_not_lost_on_a_job_that_is_claimed_in_that_moment() -> None:
    """The claim's plan cannot know of a consent that is not committed yet: a further round must follow."""
    link = linked()
    job = due(link)
    held: list[Claim] = []

    with transaction.atomic(), _just_before_the_update_of_jobs(lambda: held.append(claimed(job))):
        Connection.objects.select_for_update(no_key=True).get(id=link.id)
        job_requests.enqueue(link.id, trigger=SyncTrigger.USER_PRESENT, now=NOW)
    committed(held[0])

    assert SyncJob.objects.filter(connection=link, status="QUEUED").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite has one writer at a time")
@pytest.mark.parametrize("ending", ["finish", "fail"])
def test_a_request_is_not_lost_on_a_job_that_ends_in_that_moment(ending: str) -> None:
    link = linked()
    held = claimed(due(link))
    ended = threading.Event()

    def end() -> None:
        if ending == "finish":
            leases.finish(held, SyncJobStatus.CANCELLED, counts={}, error=None, now=NOW)
        else:
            leases.retry(Claim(**{**_values(held), "attempts": ATTEMPTS_MAX}), error=DOWN, counts={}, now=NOW)
        ended.set()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Connection.objects.select_for_update(no_key=True).get(id=link.id)
            with _just_before_the_update_of_jobs(lambda: (pool.submit(closing, end), ended.wait(0.5))):
                job_requests.enqueue(link.id, trigger=SyncTrigger.USER_PRESENT, now=NOW)
        assert ended.wait(5)

    assert SyncJob.objects.filter(connection=link, status="QUEUED").count() == 1


# -- whatever comes in between -----------------------------------------------------------------------------------------


@dataclass
class Bank:
    """A connection's list and balances, and when each was fetched; whoever works does it in some of these steps."""

    link: Connection
    fetched: dict[str, datetime]

    def turn(self, held: Claim, now: datetime) -> Turn:
        plan = Plan(accounts={})
        return Turn(held=held, connection=self.link, plan=plan, clock=lambda: now, watch=Watch(held, lambda: now))

    def fetch(self, held: Claim, of: str, now: datetime) -> None:
        if not self.turn(held, now).was_just_fetched(self.fetched.get(of)):
            self.fetched[of] = now


@pytest.mark.parametrize("seed", [8, 11, 24])
def test_whatever_comes_in_between_who_asks_gets_what_was_fetched_after_it(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Workers fetch, fail, lose their lease, end or go on; people and platforms ask at any point of it."""
    monkeypatch.setattr(leases, "ATTEMPTS_MAX", 1000)
    dice, now, link = random.Random(seed), NOW, linked()
    bank, held, asked_at = Bank(link, {}), None, NOW
    triggers = [SyncTrigger.USER_PRESENT, SyncTrigger.USER_ATTESTED, SyncTrigger.PLATFORM_READ, SyncTrigger.SCHEDULE]

    for _ in range(150):
        now += dice.choice([SECOND, 20 * SECOND])
        deed = dice.choice(["ask", "claim", "list", "balances", "fail", "finish", "go on", "die", "restart"])
        try:
            if deed == "ask":
                trigger = dice.choice(triggers)
                due(link, now=now, trigger=trigger)
                asked_at = asked_at if trigger == SyncTrigger.SCHEDULE else now
            elif deed == "claim":
                held = _next_of(link, now) or held
            elif deed == "restart":
                leases.restart(link.id, now=now)
            elif deed == "die":
                now += LEASE + SECOND
            elif held is not None and deed in ("list", "balances"):
                held_jobs.fence(held, stage=deed)
                bank.fetch(held, deed, now)
            elif held is not None:
                _end(held, deed, bank, now)
        except StaleLease:
            held = None
    now += timedelta(minutes=30)  # what waits may be taken, and what was fetched may still count as fresh
    while (held := _next_of(link, now)) is not None:
        now += SECOND
        bank.fetch(held, "list", now)
        bank.fetch(held, "balances", now)
        committed(held, now=now)

    assert not SyncJob.objects.filter(status__in=LIVE_JOBS).exists()
    assert all(fetched_at >= asked_at for fetched_at in bank.fetched.values()), (asked_at, bank.fetched)


def _next_of(link: Connection, now: datetime) -> Claim | None:
    job = SyncJob.objects.filter(connection=link, status__in=LIVE_JOBS).first()
    return None if job is None else leases.claim(job.id, now=now)


def _end(held: Claim, deed: str, bank: Bank, now: datetime) -> None:
    if deed == "fail":
        leases.retry(held, error=DOWN, counts={}, now=now)
    elif deed == "go on":
        leases.go_on(held, counts={}, now=now)
    else:
        for of in ("list", "balances"):
            held_jobs.fence(held, stage=of)
            bank.fetch(held, of, now)
        committed(held, now=now)


# -- hands -------------------------------------------------------------------------------------------------------------


@contextmanager
def _just_before_the_update_of_jobs(hand: Callable[[], Any]) -> Iterator[None]:
    """Between this thread's look at the job and its write, once, on another thread and connection."""
    waiting = [hand]

    def watch(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith('UPDATE "banks_syncjob"') and waiting:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(closing, waiting.pop()).result()
        return execute(sql, *arguments)

    with database.execute_wrapper(watch):
        yield


def _values(held: Claim) -> dict[str, Any]:
    return {name: getattr(held, name) for name in Claim.__dataclass_fields__}

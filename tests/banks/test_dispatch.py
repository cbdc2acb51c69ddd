"""What a tick sends: of every bank as many jobs as it can take, in turn, the oldest first; and what that look costs."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from banks import dispatch, held_jobs, leases
from banks.admission import BreakerStatus
from banks.models import Connection, Institution, InstitutionGate, SyncJob, SyncJobStatus, SyncTrigger
from tests import environment
from tests.support import cast
from tests.support.cast import NOW
from tests.support.jobs import SECOND, at_once, bank, claimed, closing, due, linked
from tests.support.plans import explained

pytestmark = pytest.mark.django_db

LEASE = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def _lease(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 60


def sent(now: datetime = NOW) -> list[Any]:
    return [job.job_id for job in dispatch.due(now=now)]


def waiting(at: Institution, count: int, *, since: datetime = NOW) -> list[SyncJob]:
    """Jobs of `at`, each a second younger than the one before."""
    return [due(linked(at), now=since + number * SECOND) for number in range(count)]


def opened(at: Institution, **columns: Any) -> None:
    columns = {"breaker": BreakerStatus.OPEN, "breaker_until": NOW + 60 * SECOND, **columns}
    InstitutionGate.objects.create(
        institution=at, bucket_thousandths=600_000, bucket_at=NOW, window_at=NOW, opened_count=1, **columns
    )


# -- once -------------------------------------------------------------------------------------------------------------


def test_what_is_due_is_dispatched_once() -> None:
    job = due()

    assert sent() == [job.id]
    assert sent(NOW + SECOND) == []


def test_what_is_not_due_yet_is_not_dispatched() -> None:
    due(now=NOW + SECOND)

    assert sent() == []


def test_a_lost_message_is_sent_again() -> None:
    job = due()
    sent()

    assert sent(NOW + dispatch.REDISPATCH_AFTER) == []
    assert sent(NOW + dispatch.REDISPATCH_AFTER + SECOND) == [job.id]


def test_a_job_whose_holder_died_is_dispatched_at_the_next_tick() -> None:
    """Not only when its message would have counted as lost: a short lease is there for a short recovery."""
    job = due()
    sent()
    claimed(job)

    assert sent(NOW + LEASE - SECOND) == []
    SyncJob.objects.filter(id=job.id).update(lease_until=NOW + 2 * SECOND)
    assert sent(NOW + 3 * SECOND) == [job.id]


@pytest.mark.parametrize("status", [SyncJobStatus.COMMITTED, SyncJobStatus.FAILED, SyncJobStatus.CANCELLED])
def test_what_is_over_is_not_dispatched(status: SyncJobStatus) -> None:
    leases.finish(claimed(due()), status, counts={}, error=None, now=NOW)

    assert sent(NOW + timedelta(days=1)) == []


@pytest.mark.django_db(transaction=True)
def test_two_beats_that_tick_at_once_dispatch_each_job_once() -> None:
    jobs = {due().id for _ in range(20)}

    results = at_once(*[sent] * 2)

    assert sorted(job_id for result in results for job_id in result) == sorted(jobs)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(environment.database() == environment.SQLITE, reason="SQLite has one writer at a time")
def test_a_job_that_somebody_holds_is_left_to_the_next_tick() -> None:
    """Who asks for work at two banks holds their jobs in the order of the connections: a tick that waited for one while
    it holds the other would wait in a circle, and a user's yes could be what is ended."""
    held, free = due(), due()

    def tick() -> list[Any]:
        with database.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
        return sent()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        SyncJob.objects.select_for_update(no_key=True).get(id=held.id)
        found = pool.submit(closing, tick).result()

    assert found == [free.id]
    assert sent(NOW + SECOND) == [held.id]


# -- fairly -----------------------------------------------------------------------------------------------------------


def test_the_oldest_go_first_and_no_tick_takes_them_all() -> None:
    jobs = [due(now=NOW - number * SECOND) for number in range(dispatch.BATCH + 1)]

    first = sent()

    assert first == [job.id for job in reversed(jobs)][: dispatch.BATCH]
    assert sent() == [jobs[0].id]


def test_a_bank_gets_no_more_messages_than_it_takes_jobs() -> None:
    jobs = waiting(bank(concurrent_jobs_max=3), 5)
    later = NOW + 10 * SECOND

    assert sent(later) == [job.id for job in jobs[:3]]
    assert sent(later + SECOND) == []  # they are on their way
    for job in jobs[:3]:
        claimed(job, now=later)
    assert sent(later + 2 * SECOND) == []  # they run

    leases.finish(leases_of(jobs[0]), SyncJobStatus.COMMITTED, counts={}, error=None, now=later)

    assert sent(later + 3 * SECOND) == [jobs[3].id]


def test_banks_take_turns_however_much_waits_for_one_of_them() -> None:
    busy, other = bank(concurrent_jobs_max=10), bank(concurrent_jobs_max=10)
    many = waiting(busy, 6)
    few = waiting(other, 2, since=NOW + 30 * SECOND)

    in_turn = [many[0], few[0], many[1], few[1], *many[2:]]

    assert sent(NOW + LEASE) == [job.id for job in in_turn]


def test_a_bank_that_is_left_alone_gets_no_message_and_its_jobs_are_not_touched() -> None:
    paused = bank()
    opened(paused)
    job, elsewhere = due(linked(paused), now=NOW - SECOND), due()
    before = SyncJob.objects.values().get(id=job.id)

    assert sent() == [elsewhere.id]
    assert SyncJob.objects.values().get(id=job.id) == before


def test_after_the_pause_one_job_is_sent_to_try() -> None:
    paused = bank()
    opened(paused, breaker_until=NOW - SECOND)
    jobs = waiting(paused, 3, since=NOW - LEASE)

    assert sent() == [jobs[0].id]
    assert sent(NOW + SECOND) == []


def test_while_one_job_tries_no_other_is_sent() -> None:
    paused = bank()
    opened(paused, breaker=BreakerStatus.HALF_OPEN, probe_job_id=uuid4(), probe_until=NOW + LEASE)
    due(linked(paused))

    assert sent() == []


def test_a_bank_whose_calls_are_used_up_gets_no_message() -> None:
    slow = bank(calls_per_minute_max=60)
    opened(slow, breaker=BreakerStatus.CLOSED, breaker_until=None)
    InstitutionGate.objects.update(bucket_thousandths=0)
    job = due(linked(slow))

    assert sent(NOW + 9 * SECOND) == []
    assert sent(NOW + 10 * SECOND) == [job.id]


def test_a_job_goes_to_its_banks_own_queue() -> None:
    due(linked(bank(queue="bank-a")))
    due(linked(bank()))

    assert {job.queue for job in dispatch.due(now=NOW)} == {"bank-a", ""}


def test_a_job_of_an_earlier_release_that_does_not_name_its_bank_is_dispatched() -> None:
    job = due()
    SyncJob.objects.update(institution=None)

    assert sent() == [job.id]


# -- what it costs ----------------------------------------------------------------------------------------------------


def backlog(at: Institution, count: int) -> None:
    """That many due jobs, a second between each two."""
    owner = cast.person(f"owner-of-{at.slug}")
    links = [Connection(user=owner, institution=at, wrapped_key=b"", created_at=NOW) for _ in range(count)]
    Connection.objects.bulk_create(links, batch_size=500)
    jobs = [
        SyncJob(
            connection=link,
            institution=at,
            trigger=SyncTrigger.SCHEDULE,
            next_attempt_at=NOW - number * SECOND,
            created_at=NOW,
        )
        for number, link in enumerate(links)
    ]
    SyncJob.objects.bulk_create(jobs, batch_size=500)


def test_a_backlog_of_thousands_is_walked_along_an_index_and_not_read() -> None:
    paused, working, small = bank(), bank(), bank()
    opened(paused)
    backlog(paused, 5000)
    backlog(working, 500)
    due(linked(small))
    if environment.database() == environment.POSTGRESQL:
        with database.cursor() as cursor:
            cursor.execute("ANALYZE banks_syncjob, banks_institution")

    with CaptureQueriesContext(database) as seen:
        found = dispatch.due(now=NOW)

    assert len(found) == 3 + 1
    looks = [query["sql"] for query in seen.captured_queries if query["sql"].startswith("SELECT")]
    of_jobs = [sql for sql in looks if '"banks_syncjob"' in sql]
    # Jobs without a bank, banks with work, what runs; then of either bank that takes any three heads: not the paused;
    # then those that are marked.
    assert len(of_jobs) == 3 + 2 * 3 + 1
    for sql in of_jobs:
        assert not scans(explained(sql)), f"{sql}\n{explained(sql)}"


def scans(plan: str) -> list[str]:
    """Steps that read the whole table of jobs, or sort more of it than the few that run."""
    whole = re.compile(
        r"SCAN (banks_syncjob|U0)|Seq Scan on banks_syncjob|B-TREE FOR ORDER BY|(^|-> *)Sort .*rows=\d\d"
    )
    return [line for line in plan.splitlines() if whole.search(line)]


def leases_of(job: SyncJob) -> held_jobs.Claim:
    return leases._claim_of(SyncJob.objects.select_related("connection").get(id=job.id))

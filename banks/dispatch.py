"""Which jobs are sent to the workers at this tick: of every bank as many as it can take, in turn, the oldest first.

A bank that hangs or is paused costs one look at its gate, however many jobs wait for it: they are neither read nor
touched. Every query here is a walk along an index that begins with the institution.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import zip_longest
from operator import or_
from uuid import UUID

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from banks import gate
from banks.leases import WAITING_JOBS, claimable
from banks.models import LIVE_JOBS, Connection, Institution, SyncJob, SyncJobStatus

#: Over all banks and workers. Each bank's free slots bound it further, so that no queue grows ahead of its workers.
BATCH = 250
#: A dispatched job that nobody claimed in this time is dispatched again: its message was lost.
REDISPATCH_AFTER = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """A job to send. `queue`: the bank's own Celery queue; empty: the common one."""

    job_id: UUID
    queue: str


def due(*, now: datetime, batch: int = BATCH) -> list[Dispatch]:
    """At most `batch` jobs; each is marked, so that the next tick, and another beat, pass over it."""
    _adopt_jobs_without_institution(batch)
    banks = list(_with_due_jobs(now))
    gates = gate.seen(banks, _leased_jobs(banks, now), now=now)
    waiting = [_head(bank, slots, now) for bank in banks if (slots := gate.free_slots(gates[bank.id], now=now))]
    # The bank whose first job waits longest begins.
    waiting = sorted((head for head in waiting if head), key=lambda head: _age(head[0]))
    queues = {bank.id: bank.queue for bank in banks}
    sent: list[Dispatch] = []
    for job in _in_turn(waiting):
        if len(sent) == batch:
            break
        if _unsent(now).filter(claimable(now), id=job.id).update(dispatched_at=now):
            assert job.institution_id is not None
            sent.append(Dispatch(job_id=job.id, queue=queues[job.institution_id]))
    return sent


def _unsent(now: datetime) -> QuerySet[SyncJob]:
    return SyncJob.objects.filter(Q(dispatched_at=None) | Q(dispatched_at__lt=now - REDISPATCH_AFTER))


def _due_by_status(jobs: QuerySet[SyncJob], now: datetime) -> list[QuerySet[SyncJob]]:
    """One query per status: with two in one, a database reads all that waits before it sorts out the oldest."""
    come = jobs.filter(next_attempt_at__lte=now)
    return [
        *(come.filter(status=status).order_by("next_attempt_at", "id") for status in WAITING_JOBS),
        come.filter(status=SyncJobStatus.LEASED, lease_until__lt=now).order_by("lease_until", "id"),
    ]


def _with_due_jobs(now: datetime) -> QuerySet[Institution]:
    # The first one of each, not EXISTS: without an order PostgreSQL reads the table until it meets one, and all of it
    # for a bank that has none.
    firsts = _due_by_status(SyncJob.objects.filter(institution_id=OuterRef("id")), now)
    found = {f"first_{number}": Subquery(jobs.values("id")[:1]) for number, jobs in enumerate(firsts)}
    has_one = [Q(**{f"{name}__isnull": False}) for name in found]
    return Institution.objects.alias(**found).filter(reduce(or_, has_one))


def _age(job: SyncJob) -> tuple[datetime, UUID]:
    return job.next_attempt_at, job.id


def _leased_jobs(banks: Iterable[Institution], now: datetime) -> dict[UUID, int]:
    leased = SyncJob.objects.filter(
        institution_id__in=[bank.id for bank in banks], status=SyncJobStatus.LEASED, lease_until__gte=now
    )
    return dict(leased.order_by().values_list("institution_id").annotate(Count("id")))


def _head(bank: Institution, slots: int, now: datetime) -> list[SyncJob]:
    """Of the bank's first `slots` due jobs those that are not on their way: the others keep their slots."""
    columns = ("id", "institution_id", "next_attempt_at", "dispatched_at")
    jobs = SyncJob.objects.filter(institution_id=bank.id).only(*columns)
    found = [job for each in _due_by_status(jobs, now) for job in each[:slots]]
    head = sorted(found, key=_age)[:slots]
    return [job for job in head if job.dispatched_at is None or job.dispatched_at < now - REDISPATCH_AFTER]


def _in_turn(heads: list[list[SyncJob]]) -> Iterable[SyncJob]:
    return (job for rank in zip_longest(*heads) for job in rank if job is not None)


def _adopt_jobs_without_institution(batch: int) -> None:
    """A process of an earlier release still writes jobs that do not name their bank."""
    for job_id, connection_id in SyncJob.objects.filter(institution=None, status__in=LIVE_JOBS).values_list(
        "id", "connection_id"
    )[:batch]:
        owner = Connection.objects.filter(id=connection_id).values_list("institution_id", flat=True)
        SyncJob.objects.filter(id=job_id, institution=None).update(institution_id=owner.get())

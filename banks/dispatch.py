"""Which jobs are sent to the workers at this tick: of every bank as many as it can take, in turn, the oldest first.

A bank that hangs or is paused costs one look at its gate, however many jobs wait for it: they are neither read nor
touched. Every query here is a walk along an index that begins with the institution.
"""

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, reduce
from itertools import islice, zip_longest
from operator import or_
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery

from banks import admission, gate
from banks.compiled import SLOTS, Compiled, CompiledModels
from banks.leases import WAITING_JOBS, claimable
from banks.models import LIVE_JOBS, Connection, Institution, SyncJob, SyncJobStatus, SyncTrigger

#: Over all banks and workers. Each bank's free slots bound it further, so that no queue grows ahead of its workers.
BATCH = 250
#: Jobs that a worker chooses from when it goes on by itself.
FOLLOWING = 8
#: A dispatched job that nobody claimed in this time is dispatched again: its message was lost.
REDISPATCH_AFTER = timedelta(seconds=15)


class _Due(NamedTuple):
    """Columns of a job."""

    id: UUID
    institution_id: UUID
    next_attempt_at: datetime
    dispatched_at: datetime | None
    trigger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """A job to send. `queue`: the bank's own Celery queue; empty: the common one. `by_schedule`: nobody asked."""

    job_id: UUID
    queue: str
    by_schedule: bool


def due(*, now: datetime, batch: int = BATCH) -> list[Dispatch]:
    """At most `batch` jobs; each is marked, so that the next tick, and another beat, pass over it."""
    _adopt_jobs_without_institution(batch)
    banks = _with_due_jobs().models({"now": now})
    if not banks:
        return []
    gates = gate.seen(banks, _leased_jobs(banks, now), now=now)
    waiting = [_head(bank, slots, now) for bank in banks if (slots := admission.free_slots(gates[bank.id], now=now))]
    # The bank whose first job waits longest begins.
    waiting = sorted((head for head in waiting if head), key=lambda head: _age(head[0]))
    chosen = list(islice(_in_turn(waiting), batch))
    marked = _marked(chosen, now)
    queues = {bank.id: bank.queue for bank in banks}
    return [
        Dispatch(job_id=job.id, queue=queues[job.institution_id], by_schedule=job.trigger == SyncTrigger.SCHEDULE)
        for job in chosen
        if job.id in marked
    ]


def following(institution_id: UUID, *, now: datetime) -> UUID | None:
    """A scheduled job of this bank that is due and that no message is on its way for: for a worker that has just done
    one. Any of the first few, since other workers look as well; whoever claims it has it.

    None while a job that somebody asked for is on its way: the slot that just became free may be the one it comes for.
    """
    rows = _following().rows({"institution_id": institution_id, "now": now})
    return random.choice(rows)[0] if rows else None  # noqa: S311 -- no secret


@lru_cache(maxsize=1)
def _following() -> Compiled:
    of_bank = SyncJob.objects.filter(
        institution_id=SLOTS["institution_id"], status=SyncJobStatus.QUEUED, next_attempt_at__lte=SLOTS["now"]
    )
    asked_for = of_bank.exclude(dispatched_at=None).exclude(trigger=SyncTrigger.SCHEDULE)
    jobs = of_bank.filter(~Exists(asked_for), dispatched_at=None, trigger=SyncTrigger.SCHEDULE)
    return Compiled(jobs.order_by("next_attempt_at", "id").values_list("id")[:FOLLOWING])


def _marked(jobs: Collection[_Due], now: datetime) -> set[UUID]:
    """Those of them that nobody else has marked meanwhile.

    What somebody holds is left to the next tick: who asks for work at two banks at once holds two jobs in the order of
    their connections, and of two that wait for each other one would be ended.
    """
    if not jobs:
        return set()
    unsent = Q(dispatched_at=None) | Q(dispatched_at__lt=now - REDISPATCH_AFTER)
    mine = SyncJob.objects.filter(unsent & claimable(now), id__in=[job.id for job in jobs])
    with transaction.atomic():
        free = mine.select_for_update(no_key=True, skip_locked=True)
        marked = set(free.values_list("id", flat=True))
        SyncJob.objects.filter(id__in=marked).update(dispatched_at=now)
    return marked


def _due_by_status(jobs: QuerySet[SyncJob, Any], now: datetime) -> list[QuerySet[SyncJob, Any]]:
    """One query per status: with two in one, a database reads all that waits before it sorts out the oldest."""
    come = jobs.filter(next_attempt_at__lte=now)
    return [
        *(come.filter(status=status).order_by("next_attempt_at", "id") for status in WAITING_JOBS),
        come.filter(status=SyncJobStatus.LEASED, lease_until__lt=now).order_by("lease_until", "id"),
    ]


@lru_cache(maxsize=1)
def _with_due_jobs() -> CompiledModels[Institution]:
    # The first one of each, not EXISTS: without an order PostgreSQL reads the table until it meets one, and all of it
    # for a bank that has none.
    firsts = _due_by_status(SyncJob.objects.filter(institution_id=OuterRef("id")), SLOTS["now"])
    found = {f"first_{number}": Subquery(jobs.values("id")[:1]) for number, jobs in enumerate(firsts)}
    has_one = [Q(**{f"{name}__isnull": False}) for name in found]
    return CompiledModels(Institution.objects.alias(**found).filter(reduce(or_, has_one)))


def _age(job: _Due) -> tuple[datetime, UUID]:
    return job.next_attempt_at, job.id


def _leased_jobs(banks: Iterable[Institution], now: datetime) -> dict[UUID, int]:
    leased = SyncJob.objects.filter(
        institution_id__in=[bank.id for bank in banks], status=SyncJobStatus.LEASED, lease_until__gte=now
    )
    return dict(leased.order_by().values_list("institution_id").annotate(Count("id")))


def _head(bank: Institution, slots: int, now: datetime) -> list[_Due]:
    """Of the bank's first `slots` due jobs those that are not on their way: the others keep their slots."""
    values = {"institution_id": bank.id, "now": now}
    found = [_Due(*row) for first in _heads(slots) for row in first.rows(values)]
    head = sorted(found, key=_age)[:slots]
    return [job for job in head if job.dispatched_at is None or job.dispatched_at < now - REDISPATCH_AFTER]


@lru_cache(maxsize=64)
def _heads(slots: int) -> list[Compiled]:
    jobs = SyncJob.objects.filter(institution_id=SLOTS["institution_id"]).values_list(*_Due._fields)
    return [Compiled(each[:slots]) for each in _due_by_status(jobs, SLOTS["now"])]


def _in_turn(heads: list[list[_Due]]) -> Iterable[_Due]:
    return (job for rank in zip_longest(*heads) for job in rank if job is not None)


def _adopt_jobs_without_institution(batch: int) -> None:
    """A process of an earlier release still writes jobs that do not name their bank."""
    for job_id, connection_id in _homeless(batch).rows({}):
        owner = Connection.objects.filter(id=connection_id).values_list("institution_id", flat=True)
        SyncJob.objects.filter(id=job_id, institution=None).update(institution_id=owner.get())


@lru_cache(maxsize=2)
def _homeless(batch: int) -> Compiled:
    jobs = SyncJob.objects.filter(institution=None, status__in=LIVE_JOBS)
    return Compiled(jobs.values_list("id", "connection_id")[:batch])

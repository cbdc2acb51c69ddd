"""Jobs and their banks as rows, without a bank that answers; and hands that pull at the same instant."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connections

from banks import fences, job_requests, leases, quota
from banks.held_jobs import Claim
from banks.models import Connection, Institution, SyncJob, SyncJobStatus, SyncTrigger
from banks.types import Resource
from tests.support import cast
from tests.support.cast import NOW

SECOND = timedelta(seconds=1)


def bank(**limits: Any) -> Institution:
    """A bank of its own; `limits` are columns of Institution."""
    made = cast.institution(f"bank-{uuid4().hex[:8]}")
    Institution.objects.filter(id=made.id).update(**limits) if limits else None
    made.refresh_from_db()
    return made


def linked(at: Institution | None = None, **columns: Any) -> Connection:
    """A new person's connection to `at`, or to a bank of its own."""
    link = cast.connection(cast.person(f"person-{uuid4().hex[:8]}"), at or bank())
    if columns:
        Connection.objects.filter(id=link.id).update(**columns)
        link.refresh_from_db()
    return link


def due(
    link: Connection | None = None, *, now: datetime = NOW, trigger: SyncTrigger = SyncTrigger.USER_PRESENT
) -> SyncJob:
    job_id = job_requests.enqueue((link or linked()).id, trigger=trigger, now=now)
    return SyncJob.objects.get(id=job_id)


def claimed(job: SyncJob, *, now: datetime = NOW) -> Claim:
    held = leases.claim(job.id, now=now)
    assert held is not None
    return held


def committed(held: Claim, *, now: datetime = NOW) -> None:
    leases.finish(held, SyncJobStatus.COMMITTED, counts={}, error=None, now=now)


def spend(
    held: Claim, *, account_id: UUID | None, resource: Resource, now: datetime, counts_pages: bool = False
) -> None:
    """One access counted, in a fenced transaction of its own. Raises QuotaSpent, StaleLease."""
    with fences.fenced_alone(held, stage="X") as link:
        quota.Ledger().spend(held, link, account_id=account_id, resource=resource, now=now, counts_pages=counts_pages)


def reread(job: SyncJob) -> SyncJob:
    return SyncJob.objects.get(id=job.id)


def at_once(*hands: Callable[[], Any]) -> list[Any]:
    """What each hand brought; all begin together, each on a database connection of its own."""
    barrier = threading.Barrier(len(hands))

    def pull(hand: Callable[[], Any]) -> Any:
        connections["default"].ensure_connection()
        barrier.wait()
        return closing(hand)

    with ThreadPoolExecutor(len(hands)) as pool:
        return list(pool.map(pull, hands))


def closing(hand: Callable[[], Any]) -> Any:
    try:
        return hand()
    finally:
        connections.close_all()

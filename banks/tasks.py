"""Background work: thin calls with row ids only, safe to run twice, lost or late."""

import logging
import threading
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from django.conf import settings
from kombu.exceptions import OperationalError

from banks import dispatch, endings, gate, purge, quota, refreshes, revocations, schedule, upstream, working
from consents import clock

log = logging.getLogger(__name__)

#: Records deleted by one sweep.
FORGET_BATCH = 10_000

#: Held by the tick that runs in this process. Several are harmless, but on a busy machine they would all look at the
#: same rows, and be slower for it.
_ticking = threading.Lock()


@shared_task(name="banks.tick")
def tick() -> None:
    """Looks at the queue of record: what is due, and what a lost message or a dead worker left behind."""
    if not _ticking.acquire(blocking=False):
        return
    try:
        schedule.enqueue_due(now=clock.now())
        found = dispatch.due(now=clock.now())
    finally:
        _ticking.release()
    for job in found:
        _send(run_job, job.job_id, job.queue, headers={"by_schedule": job.by_schedule})


@shared_task(name="banks.reconcile")
def reconcile() -> None:
    """Finds what no due time leads to."""
    gate.half_open(now=clock.now())
    schedule.adopt(now=clock.now())
    schedule.enqueue_checks(now=clock.now())


@shared_task(name="banks.sweep")
def sweep() -> None:
    """Remove what no window reaches any more."""
    quota.forget(now=clock.now(), batch=FORGET_BATCH)
    refreshes.forget(now=clock.now(), batch=FORGET_BATCH)


@shared_task(name="banks.run_job")
def run_job(job_id: str) -> None:
    working.work(UUID(job_id))


@shared_task(name="banks.sweep_endings")
def sweep_endings() -> None:
    """Ends connections that no consent needs any more, follows revocations, dispatches what is to be ended at banks."""

    endings.sweep(now=clock.now())
    revocations.sweep(now=clock.now())
    for ending_id in upstream.dispatchable(now=clock.now()):
        _send(end_upstream, ending_id, "")


@shared_task(name="banks.end_upstream")
def end_upstream(ending_id: str) -> None:
    held = upstream.claim(UUID(ending_id), now=clock.now())
    if held is not None:
        try:
            upstream.attempt(held, clock=clock.now)
        finally:
            if held.connection_id is not None:
                revocations.bank_answered(held.connection_id, now=clock.now())


@shared_task(name="banks.care")
def care() -> None:
    """Looks at every connection: what was missed, what the calendar brings, and what retention ends."""
    endings.care(now=clock.now())
    purge.sweep(now=clock.now())
    revocations.care(now=clock.now())


def _send(task: "Task[[str], None]", row_id: UUID, queue: str, **options: Any) -> None:
    """To the workers of the bank's queue; without a broker it is done here, one by one, slower but done."""
    try:
        task.apply_async(args=(str(row_id),), queue=queue or settings.CELERY_TASK_DEFAULT_QUEUE, **options)
    except OperationalError:
        log.warning("no broker: the work is done where it was found", extra={"job_id": row_id})
        task(str(row_id))

"""Background work: thin calls with row ids only, safe to run twice, lost or late."""

from uuid import UUID

from celery import shared_task

from banks import endings, leases, purge, sync, upstream
from consents import clock


@shared_task(name="banks.tick")
def tick() -> None:
    """Looks at the queue of record: what is due, and what a lost message or a dead worker left behind."""
    for job_id in leases.dispatchable(now=clock.now()):
        run_job.apply_async(args=(str(job_id),))


@shared_task(name="banks.run_job")
def run_job(job_id: str) -> None:
    held = leases.claim(UUID(job_id), now=clock.now())
    if held is not None:
        sync.run(held, clock=clock.now)


@shared_task(name="banks.sweep_endings")
def sweep_endings() -> None:
    """Ends connections that no consent needs any more, and dispatches what is to be ended at banks."""
    endings.sweep(now=clock.now())
    for ending_id in upstream.dispatchable(now=clock.now()):
        end_upstream.apply_async(args=(str(ending_id),))


@shared_task(name="banks.end_upstream")
def end_upstream(ending_id: str) -> None:
    held = upstream.claim(UUID(ending_id), now=clock.now())
    if held is not None:
        upstream.attempt(held, clock=clock.now)


@shared_task(name="banks.care")
def care() -> None:
    """Looks at every connection: what was missed, what the calendar brings, and what retention ends."""
    endings.care(now=clock.now())
    purge.sweep(now=clock.now())

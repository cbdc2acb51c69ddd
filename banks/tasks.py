"""Background work: thin calls with row ids only, safe to run twice, lost or late."""

from uuid import UUID

from celery import shared_task

from banks import leases, sync
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

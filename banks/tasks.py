"""Background work: thin calls with row ids only, safe to run twice, lost or late."""

import logging
from uuid import UUID

from celery import shared_task
from django.conf import settings
from kombu.exceptions import OperationalError

from banks import dispatch, gate, leases, quota, schedule, sync
from banks.dispatch import Dispatch
from banks.gate import Tally
from consents import clock

log = logging.getLogger(__name__)

#: Records deleted by one sweep.
FORGET_BATCH = 10_000


@shared_task(name="banks.tick")
def tick() -> None:
    """Looks at the queue of record: what is due, and what a lost message or a dead worker left behind."""
    schedule.enqueue_due(now=clock.now())
    for job in dispatch.due(now=clock.now()):
        _send(job)


@shared_task(name="banks.reconcile")
def reconcile() -> None:
    """Finds what no due time leads to."""
    gate.half_open(now=clock.now())
    schedule.adopt(now=clock.now())


@shared_task(name="banks.sweep")
def sweep() -> None:
    """Remove what no window reaches any more."""
    quota.forget(now=clock.now(), batch=FORGET_BATCH)


@shared_task(name="banks.run_job")
def run_job(job_id: str) -> None:
    held = leases.claim(UUID(job_id), now=clock.now())
    if held is None:
        return
    tally = Tally()
    try:
        sync.run(held, clock=clock.now, on_exchange=tally.note)
    finally:
        gate.settle(held.institution_id, tally, job_id=held.job_id, now=clock.now())
        schedule.after_run(held.connection_id, now=clock.now())


def _send(job: Dispatch) -> None:
    """To the workers of the bank's queue; without a broker it is done here, one by one, slower but done."""
    try:
        run_job.apply_async(args=(str(job.job_id),), queue=job.queue or settings.CELERY_TASK_DEFAULT_QUEUE)
    except OperationalError:
        log.warning("no broker: the job runs where it was found", extra={"job_id": job.job_id})
        run_job(str(job.job_id))

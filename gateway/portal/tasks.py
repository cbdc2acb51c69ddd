"""Background work: thin calls with row ids only, safe to run twice, lost or late."""

import logging
from uuid import UUID

from celery import shared_task
from kombu.exceptions import OperationalError

from consents import clock
from gateway.portal.download import jobs, work

log = logging.getLogger(__name__)


@shared_task(name="portal.dispatch_exports")
def dispatch_exports() -> None:
    """Looks for copies that are to be made; without a broker they are made here, one by one."""
    for job_id in jobs.dispatchable(now=clock.now()):
        try:
            make_export.apply_async(args=(str(job_id),))
        except OperationalError:
            log.warning("no broker: the work is done where it was found", extra={"job_id": job_id})
            make_export(str(job_id))


@shared_task(name="portal.make_export")
def make_export(job_id: str) -> None:
    held = jobs.claim(UUID(job_id), now=clock.now())
    if held is not None:
        work.run(held, clock=clock.now)


@shared_task(name="portal.sweep_exports")
def sweep_exports() -> None:
    """Deletes copies that have run out."""
    while jobs.sweep(now=clock.now()) == jobs.DISPATCH_BATCH:
        pass

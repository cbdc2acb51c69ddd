"""What a worker does for the message of one job."""

import time
from uuid import UUID

from banks import dispatch, leases, schedule, sync
from banks.gate import Settling
from banks.held_jobs import Claim
from consents import clock

#: After this long a worker begins no further job for the same message: others wait for their turn.
GOES_ON_SECONDS = 3.0


def work(job_id: UUID) -> None:
    """The job, and after one of the schedule's another one of that bank, as long as little time is gone: a message is
    there to wake a worker, and this one is awake."""
    began = time.monotonic()
    held = leases.claim(job_id, now=clock.now())
    while held is not None:
        _run(held)
        goes_on = held.by_schedule and time.monotonic() - began < GOES_ON_SECONDS
        held = _following(held.institution_id) if goes_on else None


def _following(institution_id: UUID) -> Claim | None:
    job_id = dispatch.following(institution_id, now=clock.now())
    return None if job_id is None else leases.claim(job_id, now=clock.now(), institution_id=institution_id)


def _run(held: Claim) -> None:
    settling = Settling(held)
    result = None
    try:
        result = sync.run(held, clock=clock.now, on_exchange=settling.tally.note, settle=settling.settle)
    finally:
        settling.settle(clock.now())
        if not held.checks_only and not (result is not None and result.is_scheduled):
            schedule.after_run(held.connection_id, now=clock.now())

"""Claims on work in the database: one conditional UPDATE, the same on SQLite and PostgreSQL.

A message may be lost, doubled or late; none of that matters, because a job belongs to whoever holds its lease, and
every later write carries the epoch that the claim raised. The bank's gate is asked in the claim's own transaction.
"""

import logging
import time
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from banks import admission, gate, job_requests, untold
from banks.compiled import SLOTS, Compiled, CompiledReturning, CompiledUpdate
from banks.errors import StaleLease
from banks.held_jobs import Claim, JobError, held_by, row_of
from banks.models import SyncJob, SyncJobStatus, SyncTrigger

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
#: Where a job that was just taken is.
FIRST_STAGE = "ACCOUNTS"
WAITING_JOBS = (SyncJobStatus.QUEUED, SyncJobStatus.RETRY_WAIT)
_BACKOFF_SECONDS = 20
_BACKOFF_MAX_SECONDS = 3600


def restart(connection_id: UUID, *, now: datetime) -> None:
    """Take a running job from its holder and make it due: what it began with, or has seen since, is no longer good.

    The caller holds the connection's lock.
    """
    SyncJob.objects.filter(connection_id=connection_id, status=SyncJobStatus.LEASED).update(
        status=SyncJobStatus.QUEUED,
        epoch=F("epoch") + 1,
        attempts=0,
        lease_until=None,
        dispatched_at=None,
        next_attempt_at=now,
    )


def claim(job_id: UUID, *, now: datetime, institution_id: UUID | None = None) -> Claim | None:
    """Take the job, or None: someone else has it, it is over, or its bank takes no more now.

    `institution_id`: the bank's, of a job that was just seen to wait.

    A job whose holders died ATTEMPTS_MAX times over is not given to another: it may be what killed them.
    """
    if institution_id is None:
        seen = _claiming().rows({"job_id": job_id, "now": now})
        if not seen:
            return None
        institution_id, status, attempts = seen[0]
        if status == SyncJobStatus.LEASED and attempts >= ATTEMPTS_MAX and _given_up(job_id, now):
            return None
    lease_until = now + timedelta(seconds=settings.JOB_LEASE_SECONDS)
    with gate.locked(institution_id, now=now) as facts:
        admitted = admission.admit(facts, job_id=job_id, lease_until=lease_until, now=now)
        if isinstance(admitted, admission.Refused):
            _turn_away(SyncJob.objects.filter(id=job_id).filter(claimable(now)), admitted)
            return None
        values = {"job_id": job_id, "institution_id": institution_id, "now": now, "until_at": lease_until}
        taken = _taking().rows(values)
        if not taken:
            return None
        gate.store(admitted)
    return _claim_of(SyncJob(**dict(zip(_OF_CLAIM, taken[0], strict=True))))


@lru_cache(maxsize=1)
def _claiming() -> Compiled:
    due = SyncJob.objects.filter(id=SLOTS["job_id"]).filter(claimable(SLOTS["now"]))
    return Compiled(due.values_list("connection__institution_id", "status", "attempts"))


#: What a claim says of its job.
_OF_CLAIM = (
    *("id", "connection_id", "institution_id", "trigger", "customer_ip_address"),
    *("epoch", "attempts", "created_at", "checks_only"),
)


@lru_cache(maxsize=1)
def _taking() -> CompiledReturning:
    return CompiledReturning(
        SyncJob.objects.filter(id=SLOTS["job_id"]).filter(claimable(SLOTS["now"])),
        {
            "status": SyncJobStatus.LEASED,
            "institution_id": SLOTS["institution_id"],  # null in rows of an earlier release
            "stage": FIRST_STAGE,
            "epoch": F("epoch") + 1,
            "attempts": F("attempts") + 1,
            "lease_until": SLOTS["until_at"],
            "started_at": SLOTS["now"],
            "not_before_at": None,
            # Its message did its work: should the holder die, the next tick after the lease sends another.
            "dispatched_at": None,
            "requested_again": False,
            **_columns(None),
        },
        _OF_CLAIM,
    )


def _turn_away(due: QuerySet[SyncJob], refused: admission.Refused) -> None:
    """No attempt: it waits with all that it has left. A job whose holder died stays where it is, to be given up."""
    due.update(next_attempt_at=refused.retry_at, dispatched_at=None, **_columns(JobError(code=refused.code)))


def _claim_of(job: SyncJob) -> Claim:
    return Claim(
        job_id=job.id,
        connection_id=job.connection_id,
        institution_id=job.institution_id or job.connection.institution_id,
        trigger=SyncTrigger(job.trigger),
        customer_ip_address=job.customer_ip_address,
        epoch=job.epoch,
        attempts=job.attempts,
        seconds=settings.JOB_LEASE_SECONDS * 0.75,
        created_at=job.created_at,
        checks_only=job.checks_only,
    )


def _given_up(job_id: UUID, now: datetime) -> bool:
    """Whether so many holders died over it that this was the end."""
    lost = (
        SyncJob.objects.filter(id=job_id, status=SyncJobStatus.LEASED, lease_until__lt=now, attempts__gte=ATTEMPTS_MAX)
        .select_related("connection")
        .first()
    )
    if lost is None:
        return False
    try:
        with transaction.atomic():
            if (after := untold.of_job(lost.counts)) is not None:
                owner = lost.connection
                untold.publish(connection_id=owner.id, user_id=owner.user_id, after=after, counts={}, now=now)
            finish(
                _claim_of(lost),
                SyncJobStatus.FAILED,
                counts={},
                error=JobError(code="worker_lost"),
                now=now,
            )
    except StaleLease:
        return False  # someone else has just taken it, or ended it
    return True


def finish(
    held: Claim, status: SyncJobStatus, *, counts: dict[str, int], error: JobError | None, now: datetime
) -> bool:
    """End it; a request that came meanwhile gets a job of its own: False. Raises StaleLease."""
    if error is None:
        values = {"job_id": held.job_id, "epoch": held.epoch}
        ended = _ending().run({**values, "status": status, "counts": counts, "now": now})
    else:
        columns = _ended(status, counts, error, now)
        ended = row_of(held).filter(requested_again=False).update(**columns)
    if not ended:
        _finish_and_enqueue(held, _ended(status, counts, error, now), now)
    _tell("job ended", held, status, error)
    return bool(ended)


def _ended(status: Any, counts: Any, error: JobError | None, now: datetime) -> dict[str, object]:
    return {
        "status": status,
        "stage": "",
        "counts": counts,
        "finished_at": now,
        "lease_until": None,
        "customer_ip_address": None,  # the row that ends forgets it
        **_columns(error),
    }


@lru_cache(maxsize=1)
def _ending() -> CompiledUpdate:
    """Without an error, and unless someone asked meanwhile."""
    mine = held_by(SLOTS["job_id"], SLOTS["epoch"]).filter(requested_again=False)
    return CompiledUpdate(mine, _ended(SLOTS["status"], SLOTS["counts"], None, SLOTS["now"]))


def _finish_and_enqueue(held: Claim, columns: dict[str, object], now: datetime) -> None:
    with transaction.atomic():
        # Whoever asked meanwhile may have brought an address.
        asked = row_of(held).select_for_update(no_key=True).values_list("trigger", "customer_ip_address").first()
        if asked is None or not row_of(held).update(**columns):
            raise StaleLease(held.job_id)
        trigger, address = asked
        job_requests.enqueue(held.connection_id, trigger=SyncTrigger(trigger), customer_ip_address=address, now=now)


def retry(held: Claim, *, error: JobError, counts: dict[str, int], now: datetime) -> None:
    """Wait as long as the bank asked, else exponentially; after ATTEMPTS_MAX it is FAILED. Raises StaleLease."""
    if held.attempts >= ATTEMPTS_MAX:
        finish(held, SyncJobStatus.FAILED, counts=counts, error=error, now=now)
        return
    seconds = error.retry_after or min(_BACKOFF_SECONDS * 2 ** (held.attempts - 1), _BACKOFF_MAX_SECONDS)
    next_attempt_at = now + timedelta(seconds=seconds)
    waiting = row_of(held).update(
        status=SyncJobStatus.RETRY_WAIT,
        counts=counts,
        lease_until=None,
        dispatched_at=None,
        next_attempt_at=next_attempt_at,
        not_before_at=next_attempt_at if error.is_the_banks_word else None,
        **_columns(error),
    )
    if not waiting:
        raise StaleLease(held.job_id)
    _tell("job put back", held, SyncJobStatus.RETRY_WAIT, error)


def claimable(now: datetime) -> Q:
    """Waiting, and its time has come; or its holder is gone."""
    lost = Q(status=SyncJobStatus.LEASED, lease_until__lt=now)
    return Q(next_attempt_at__lte=now) & (Q(status__in=WAITING_JOBS) | lost)


def _columns(error: JobError | None) -> dict[str, object]:
    return {
        "error_code": error.code if error else "",
        "error_account_id": error.account_id if error else None,
        "upstream_status": error.upstream_status if error else None,
    }


def go_on(held: Claim, *, counts: dict[str, int], now: datetime) -> None:
    """There is more to fetch than one turn allows: put it back, due now, as a backfill that nobody waits for.

    No failure, so that attempts begin anew. Who asked meanwhile keeps their trigger. Raises StaleLease.
    """
    columns: dict[str, object] = {
        "status": SyncJobStatus.QUEUED,
        "attempts": 0,
        "counts": counts,
        "lease_until": None,
        "dispatched_at": None,
        "next_attempt_at": now,
        **_columns(None),
    }
    alone = {"trigger": SyncTrigger.BACKFILL, "customer_ip_address": None}
    if not row_of(held).filter(requested_again=False).update(**columns, **alone) and not row_of(held).update(**columns):
        raise StaleLease(held.job_id)
    _tell("job put back", held, SyncJobStatus.QUEUED, None)


def _tell(
    what: Literal["job ended", "job put back"], held: Claim, status: SyncJobStatus, error: JobError | None
) -> None:
    """The one log line of a turn. `milliseconds` are since the claim."""
    log.info(
        what,
        extra={
            "job_id": held.job_id,
            "connection_id": held.connection_id,
            "institution": held.institution_id,
            "status": status.value,
            "code": error.code if error else "",
            "attempts": held.attempts,
            "milliseconds": round((time.monotonic() - held.claimed_monotonic) * 1000),
        },
    )

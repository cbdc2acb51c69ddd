"""Claims on work in the database: one conditional UPDATE, the same on SQLite and PostgreSQL.

A message may be lost, doubled or late; none of that matters, because a job belongs to whoever holds its lease, and
every later write carries the epoch that the claim raised. The bank's gate is asked in the claim's own transaction.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from banks import admission, gate
from banks.compiled import SLOTS, Compiled, CompiledInsert, CompiledReturning, CompiledUpdate
from banks.errors import StaleLease
from banks.models import LIVE_JOBS, Connection, SyncJob, SyncJobStatus, SyncTrigger
from consents.scopes import Presence

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
#: Every other trigger runs unattended.
PRESENCE_OF = {SyncTrigger.USER_PRESENT: Presence.PRESENT, SyncTrigger.USER_ATTESTED: Presence.ATTESTED}
#: Where a job that was just taken is.
FIRST_STAGE = "ACCOUNTS"
WAITING_JOBS = (SyncJobStatus.QUEUED, SyncJobStatus.RETRY_WAIT)
_BACKOFF_SECONDS = 20
_BACKOFF_MAX_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job held under one epoch. `seconds` is how long its work may take, well inside the lease; `created_at`: since
    when it is wanted."""

    job_id: UUID
    connection_id: UUID
    institution_id: UUID
    trigger: SyncTrigger
    customer_ip_address: str | None
    epoch: int
    attempts: int
    seconds: float
    created_at: datetime
    checks_only: bool
    #: On time.monotonic()'s clock of this process.
    claimed_monotonic: float = field(default_factory=time.monotonic, compare=False)

    @property
    def presence(self) -> Presence:
        return PRESENCE_OF.get(self.trigger, Presence.ABSENT)

    @property
    def by_schedule(self) -> bool:
        return self.trigger == SyncTrigger.SCHEDULE


def enqueue(
    connection_id: UUID,
    *,
    trigger: SyncTrigger,
    now: datetime,
    institution_id: UUID | None = None,
    customer_ip_address: str | None = None,
) -> UUID:
    """One live job per connection: a second request joins the one there is. The caller holds the connection's lock, or
    has just ended its live job. `institution_id`: the connection's, where the caller has it at hand.

    A job that runs already was planned before this request: it is followed at once by a round of its own, because
    `leases.finish` looks at `requested_again`. One that waits is brought forward by a user who is there, never ahead of
    what the bank itself asked for.
    """
    while True:
        live = SyncJob.objects.filter(connection_id=connection_id, status__in=LIVE_JOBS).first()
        if live is None:
            return SyncJob.objects.create(
                connection_id=connection_id,
                institution_id=institution_id or _institution_of(connection_id),
                trigger=trigger,
                customer_ip_address=customer_ip_address,
                next_attempt_at=now,
                created_at=now,
            ).id
        if _joined(live, trigger, customer_ip_address, now):
            return live.id
        # It changed hands between the look and the write: look again, or the request would be lost on it.


def enqueue_scheduled(institutions: Mapping[UUID, UUID], *, now: datetime) -> None:
    """`enqueue` for many connections at once, by the schedule. `institutions`: by connection.

    The caller holds the locks of the connections, so that none of those without a live job gets one meanwhile.
    """
    jobs = SyncJob.objects.filter(connection_id__in=list(institutions), status__in=LIVE_JOBS)
    # By id, as whoever writes several jobs in one transaction (banks.dispatch).
    live = list(jobs.order_by("id").values_list("connection_id", flat=True))
    for connection_id in live:
        enqueue(connection_id, institution_id=institutions[connection_id], trigger=SyncTrigger.SCHEDULE, now=now)
    for connection_id in institutions.keys() - set(live):
        values = {"connection_id": connection_id, "institution_id": institutions[connection_id], "now": now}
        _scheduling().run({**values, "row_id": uuid4()})


@lru_cache(maxsize=1)
def _scheduling() -> CompiledInsert:
    now = SLOTS["now"]
    owner = {"connection_id": SLOTS["connection_id"], "institution_id": SLOTS["institution_id"]}
    return CompiledInsert(
        SyncJob(id=SLOTS["row_id"], trigger=SyncTrigger.SCHEDULE, next_attempt_at=now, created_at=now, **owner)
    )


def enqueue_check(connection_id: UUID, *, now: datetime) -> bool:
    """Have the bank asked whether its consent stands, and nothing else; False where a job is live, which may ask too.

    The caller holds the connection's lock.
    """
    if SyncJob.objects.filter(connection_id=connection_id, status__in=LIVE_JOBS).exists():
        return False
    SyncJob.objects.create(
        connection_id=connection_id,
        institution_id=_institution_of(connection_id),
        trigger=SyncTrigger.SCHEDULE,
        checks_only=True,
        next_attempt_at=now,
        created_at=now,
    )
    return True


def _institution_of(connection_id: UUID) -> UUID:
    return Connection.objects.values_list("institution_id", flat=True).get(id=connection_id)


def _joined(live: SyncJob, trigger: SyncTrigger, customer_ip_address: str | None, now: datetime) -> bool:
    # The presence of the user is not taken back by a schedule that joins.
    strongest = next((t for t in PRESENCE_OF if t in (trigger, live.trigger)), trigger)
    columns: dict[str, object] = {"trigger": strongest, "checks_only": False}
    if customer_ip_address is not None:
        columns["customer_ip_address"] = customer_ip_address
    if live.status == SyncJobStatus.LEASED:
        columns["requested_again"] = True
    elif trigger in PRESENCE_OF:
        columns.update(next_attempt_at=max(now, live.not_before_at or now), attempts=0)
    unchanged = SyncJob.objects.filter(id=live.id, status=live.status, epoch=live.epoch)
    return bool(unchanged.update(**columns))


def extend(held: Claim, *, now: datetime) -> None:
    """A whole lease from now, for work that goes on in steps. Raises StaleLease."""
    lease = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    if not _held(held).update(lease_until=now + lease):
        raise StaleLease(held.job_id)


def restart(connection_id: UUID, *, now: datetime) -> None:
    """Take a running job from its holder and make it due: what it began with is no longer good.

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


def fence(held: Claim, *, stage: str) -> None:
    """Write down how far it is. Raises StaleLease when the job is no longer this holder's."""
    if not _fencing().run({"job_id": held.job_id, "epoch": held.epoch, "stage": stage}):
        raise StaleLease(held.job_id)


@lru_cache(maxsize=1)
def _fencing() -> CompiledUpdate:
    return CompiledUpdate(held_by(SLOTS["job_id"], SLOTS["epoch"]), {"stage": SLOTS["stage"]})


def finish(
    held: Claim, status: SyncJobStatus, *, counts: dict[str, int], error: "JobError | None", now: datetime
) -> bool:
    """End it; a request that came meanwhile gets a job of its own: False. Raises StaleLease."""
    if error is None:
        values = {"job_id": held.job_id, "epoch": held.epoch}
        ended = _ending().run({**values, "status": status, "counts": counts, "now": now})
    else:
        columns = _ended(status, counts, error, now)
        ended = _held(held).filter(requested_again=False).update(**columns)
    if not ended:
        _finish_and_enqueue(held, _ended(status, counts, error, now), now)
    _tell("job ended", held, status, error)
    return bool(ended)


def _ended(status: Any, counts: Any, error: "JobError | None", now: datetime) -> dict[str, object]:
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
        asked = _held(held).select_for_update(no_key=True).values_list("trigger", "customer_ip_address").first()
        if asked is None or not _held(held).update(**columns):
            raise StaleLease(held.job_id)
        trigger, address = asked
        enqueue(held.connection_id, trigger=SyncTrigger(trigger), customer_ip_address=address, now=now)


def retry(held: Claim, *, error: "JobError", counts: dict[str, int], now: datetime) -> None:
    """Wait as long as the bank asked, else exponentially; after ATTEMPTS_MAX it is FAILED. Raises StaleLease."""
    if held.attempts >= ATTEMPTS_MAX:
        finish(held, SyncJobStatus.FAILED, counts=counts, error=error, now=now)
        return
    seconds = error.retry_after or min(_BACKOFF_SECONDS * 2 ** (held.attempts - 1), _BACKOFF_MAX_SECONDS)
    next_attempt_at = now + timedelta(seconds=seconds)
    waiting = _held(held).update(
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


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """What a job remembers of a failure: codes and ids only."""

    code: str
    account_id: UUID | None = None
    upstream_status: int | None = None
    retry_after: int | None = None

    @property
    def is_the_banks_word(self) -> bool:
        """Whether the bank itself said how long to wait. A spent quota is our own count, and binds no user present."""
        return self.retry_after is not None and self.upstream_status is not None


def claimable(now: datetime) -> Q:
    """Waiting, and its time has come; or its holder is gone."""
    lost = Q(status=SyncJobStatus.LEASED, lease_until__lt=now)
    return Q(next_attempt_at__lte=now) & (Q(status__in=WAITING_JOBS) | lost)


def _held(held: Claim) -> QuerySet[SyncJob]:
    return held_by(held.job_id, held.epoch)


def held_by(job_id: UUID, epoch: int) -> QuerySet[SyncJob]:
    """The job, as long as it is held under this epoch."""
    return SyncJob.objects.filter(id=job_id, epoch=epoch, status=SyncJobStatus.LEASED)


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
    if not _held(held).filter(requested_again=False).update(**columns, **alone) and not _held(held).update(**columns):
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

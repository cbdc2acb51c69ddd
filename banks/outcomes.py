"""How a turn ends: what the job, the connection and the events say afterwards."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.db import transaction

from banks import fences, findings, leases, schedule, untold
from banks.compiled import SLOTS, CompiledUpdate
from banks.errors import (
    After,
    AskCustomer,
    BankConsentEnded,
    BankError,
    BankRateLimited,
    BankUnavailable,
    HolderChanged,
    QuotaSpent,
    ReauthorisationRequired,
    StaleLease,
)
from banks.held_jobs import Claim, JobError
from banks.models import Connection, FindingKind, SyncJobStatus
from banks.quota import Ledger
from banks.turn import SyncResult, Turn
from consents import events
from consents.scopes import Presence
from consents.states import ConnectionStatus

log = logging.getLogger(__name__)

_STATUS_AFTER: tuple[tuple[type[BankError], ConnectionStatus], ...] = (
    (ReauthorisationRequired, ConnectionStatus.REAUTH_REQUIRED),
    (BankConsentEnded, ConnectionStatus.REVOKED),
    (HolderChanged, ConnectionStatus.SUSPENDED),
    (BankRateLimited, ConnectionStatus.RATE_LIMITED),
    (BankUnavailable, ConnectionStatus.DEGRADED),
)

#: Says to the bank's gate that no more calls come of this job: until when the bank is left alone, None: it is not.
Settle = Callable[[datetime], datetime | None]

#: A status that only a new authorisation may leave: a job neither starts under it nor lifts it.
HELD = (ConnectionStatus.SUSPENDED, ConnectionStatus.REVOKED, ConnectionStatus.EXPIRED, ConnectionStatus.CLOSED)

#: What the bank's next answer ends by itself.
HEALED = (ConnectionStatus.DEGRADED, ConnectionStatus.RATE_LIMITED)

#: What may follow while the customer is already asked to log in again.
_WORSE_THAN_REAUTH = (ConnectionStatus.REVOKED, ConnectionStatus.SUSPENDED)


def cancel(turn: Turn, code: str, now: datetime) -> None:
    """Nothing was to be done, or nothing could be. Raises StaleLease."""
    with transaction.atomic():
        _announce(turn.connection, turn.result, now)
        leases.finish(turn.held, SyncJobStatus.CANCELLED, counts={}, error=JobError(code=code), now=now)


def checked(held: Claim, now: datetime) -> None:
    """The bank said that its consent stands, or cannot tell; nothing else was wanted. Raises StaleLease."""
    leases.finish(held, SyncJobStatus.COMMITTED, counts={}, error=None, now=now)


def finish(turn: Turn, ledger: Ledger, *, unfinished: bool, settle: Settle | None) -> None:
    """The bank answered, if not for every account. `unfinished`: more is to be fetched in another turn.

    `ledger`: of the turn's fetches. With `settle` the end of the job says when the next one is due. Raises StaleLease.
    """
    now, result = turn.clock(), turn.result
    # Before any lock: whoever holds a connection takes no gate.
    closed_until = settle(now) if settle is not None else None
    with fences.ending(turn.held, now=now) as connection:
        _announce(connection, result, now)
        if result.error is not None and result.retry:
            leases.retry(turn.held, error=result.error, counts=result.counts(), now=now)
        elif unfinished:
            leases.go_on(turn.held, counts=result.counts(), now=now)
        else:
            status, error = _ending(result)
            is_last = leases.finish(turn.held, status, counts=result.counts(), error=error, now=now)
            result.is_scheduled = is_last and settle is not None
        if result.is_scheduled:
            due_at = schedule.due_after(
                connection,
                is_unfinished=result.quota_spent and result.error is None,
                spent_until=ledger.spent_until(connection, presence=Presence.ABSENT, now=now),
                closed_until=closed_until,
                now=now,
            )
            _succeeded(connection, now, next_sync_at=due_at)
        else:
            _succeeded(connection, now)


def _ending(result: SyncResult) -> tuple[SyncJobStatus, JobError | None]:
    """A quota is no failure: what it left out is for the next job."""
    if result.error is not None:
        return SyncJobStatus.FAILED, result.error
    if result.quota_spent:
        done = SyncJobStatus.COMMITTED if result.has_fetched else SyncJobStatus.CANCELLED
        return done, JobError(code=QuotaSpent.code)
    return SyncJobStatus.COMMITTED, JobError(code="list_unstable") if result.list_unstable else None


def _announce(connection: Connection, result: SyncResult, now: datetime) -> None:
    if result.changed_after is not None:
        untold.publish(
            connection_id=connection.id,
            user_id=connection.user_id,
            after=result.changed_after,
            counts=result.counts(),
            now=now,
        )


def _succeeded(connection: Connection, now: datetime, **scheduled: datetime | None) -> None:
    """The bank answered: a passing trouble is over. A status that only a person may lift stays.

    `scheduled`: `next_sync_at`, where it is known. The caller holds the connection's lock.
    """
    is_healed = connection.status in HEALED
    columns = _success(is_healed=is_healed, is_scheduled=bool(scheduled))
    columns.run({"connection_id": connection.id, "now": now, **scheduled})
    if is_healed:
        events.publish(
            events.EventType.CONNECTION_RECOVERED, now=now, user_id=connection.user_id, connection_id=connection.id
        )


@lru_cache(maxsize=4)
def _success(*, is_healed: bool, is_scheduled: bool) -> CompiledUpdate:
    columns: dict[str, object] = {"last_succeeded_at": SLOTS["now"]}
    if is_scheduled:
        columns["next_sync_at"] = SLOTS["next_sync_at"]
    if is_healed:
        columns |= {"status": ConnectionStatus.ACTIVE, "status_reason": ""}
    return CompiledUpdate(Connection.objects.filter(id=SLOTS["connection_id"]), columns)


def bank_failed(held: Claim, error: BankError, result: SyncResult, now: datetime) -> None:
    """The whole connection is affected. Only a real loss of login or consent ever asks the customer."""
    failure = job_error(error, error.account_id if isinstance(error, HolderChanged) else None)
    log.warning("bank failed", extra={"job_id": held.job_id, "connection_id": held.connection_id, "code": failure.code})
    try:
        # Fenced like every write: what failed under an old link, or after someone else succeeded, says nothing now.
        with fences.fenced_alone(held, stage="FAILING") as connection:
            _mark(connection, error, now)
            _announce(connection, result, now)
            if isinstance(error.retry, After):
                leases.retry(held, error=failure, counts=result.counts(), now=now)
            else:
                leases.finish(held, SyncJobStatus.FAILED, counts=result.counts(), error=failure, now=now)
    except StaleLease:
        log.info("lease lost", extra={"job_id": held.job_id, "connection_id": held.connection_id})


def broke_off(held: Claim, result: SyncResult, now: datetime) -> None:
    """A defect of ours: the job is put back, and what was stored is told."""
    try:
        with fences.fenced_alone(held, stage="FAILING") as connection:
            _announce(connection, result, now)
            leases.retry(held, error=JobError(code="internal_error"), counts=result.counts(), now=now)
    except StaleLease:
        log.info("lease lost", extra={"job_id": held.job_id, "connection_id": held.connection_id})


def _mark(connection: Connection, error: BankError, now: datetime) -> None:
    """What this error of the whole connection makes of its status. The caller holds the connection's lock."""
    Connection.objects.filter(id=connection.id).update(last_failed_at=now)
    if isinstance(error, HolderChanged):
        findings.open_finding(
            FindingKind.HOLDER_CHANGED, connection, account_id=error.account_id, code=error.code, now=now
        )
    status = next((status for kind, status in _STATUS_AFTER if isinstance(error, kind)), None)
    if status is None or connection.status in (*HELD, status):
        return
    if connection.status == ConnectionStatus.REAUTH_REQUIRED and status not in _WORSE_THAN_REAUTH:
        return
    Connection.objects.filter(id=connection.id).update(status=status, status_reason=error.code)
    kind = (
        events.EventType.CONNECTION_NEEDS_RENEWAL
        if isinstance(error.retry, AskCustomer)
        else events.EventType.CONNECTION_DEGRADED
    )
    events.publish(kind, now=now, user_id=connection.user_id, connection_id=connection.id, details={"code": error.code})


def note(result: SyncResult, error: BankError, account_id: UUID | None) -> None:
    """Trouble with one account: the first is told; any that passes by itself brings the job back."""
    result.error = result.error or job_error(error, account_id)
    result.retry = result.retry or isinstance(error.retry, After)


def job_error(error: BankError, account_id: UUID | None) -> JobError:
    seconds = error.retry.seconds if isinstance(error.retry, After) else None
    return JobError(code=error.code, account_id=account_id, upstream_status=error.upstream_status, retry_after=seconds)

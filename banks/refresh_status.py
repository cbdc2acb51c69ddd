"""How a refresh that was asked for is getting on: of each connection's part, and of the whole.

No customer data passes here: instants, codes and ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from banks import permitted
from banks.models import Account, RefreshRequest, SyncJob, SyncJobStatus
from consents.denials import DenialCode
from consents.policy import Permit
from consents.scopes import Record


class RefreshStatus(StrEnum):
    """Of one connection's part, and of the whole."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    PARTIAL = "PARTIAL"  #: something was fetched, and something was not
    FAILED = "FAILED"
    REFUSED = "REFUSED"  #: not asked for, because it may not be now


#: Nothing more will happen.
ENDED = frozenset({RefreshStatus.DONE, RefreshStatus.PARTIAL, RefreshStatus.FAILED, RefreshStatus.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshPart:
    """One connection. `code`: why it was refused, failed or waits; `retry_at`: when that may be over, as far as known.

    Accounts and bank are told as far as the permit opens them now.
    """

    institution_id: UUID | None
    account_ids: tuple[UUID, ...]
    status: RefreshStatus
    code: str | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    id: UUID
    status: RefreshStatus
    parts: tuple[RefreshPart, ...]
    created_at: datetime
    next_refresh_after: datetime | None

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Reached:
    """An account of the permit's user that the permit reaches."""

    id: UUID
    connection_id: UUID
    institution_id: UUID
    next_refresh_after: datetime | None


def reached(permit: Permit) -> list[Reached]:
    rows = Account.objects.permitted(permit).order_by("id")
    return [Reached(*row) for row in rows.values_list("id", "connection_id", "institution_id", "next_refresh_after")]


def told(permit: Permit, row: RefreshRequest, now: datetime) -> Refresh:
    """How it stands, as far as the permit opens it now."""
    accounts = reached(permit)
    jobs = _jobs(row)
    parts = tuple(_part(permit, part, jobs, accounts, now) for part in row.parts)
    ahead = [permitted.still_ahead(one.next_refresh_after, now) for one in accounts]
    return Refresh(
        id=row.id,
        status=_whole([part.status for part in parts]),
        parts=parts,
        created_at=row.created_at,
        next_refresh_after=permitted.earliest(ahead),
    )


def _jobs(row: RefreshRequest) -> dict[str, SyncJob]:
    """By connection: the job whose outcome is this request's."""
    parts = {part["job_id"]: part for part in row.parts if "job_id" in part}
    found = {str(job.id): job for job in SyncJob.objects.filter(id__in=list(parts))}
    return {parts[job_id]["connection_id"]: _answering(row, parts[job_id], job) for job_id, job in found.items()}


def _answering(row: RefreshRequest, part: dict[str, Any], job: SyncJob) -> SyncJob:
    """A job that ran already when it was asked had planned without us, or may only have asked after the bank's consent:
    the round that follows it is ours.

    By what was written with the request: the clocks of two machines do not say which came first.
    """
    joined_late = part.get("joined_late", job.started_at is not None and job.started_at <= row.created_at)
    if not (joined_late and job.requested_again and job.finished_at is not None):
        return job
    later = SyncJob.objects.filter(connection_id=job.connection_id, created_at__gte=job.finished_at)
    return later.exclude(id=job.id).order_by("created_at", "id").first() or job


def _part(
    permit: Permit, part: dict[str, Any], jobs: dict[str, SyncJob], accounts: Sequence[Reached], now: datetime
) -> RefreshPart:
    job = jobs.get(part["connection_id"])
    if job is not None:
        status, code, retry_at = _standing(job)
    elif "job_id" in part:  # the connection is gone, and its jobs with it
        status, code, retry_at = RefreshStatus.FAILED, str(DenialCode.CONNECTION_NOT_SERVING), None
    else:
        status, code, retry_at = RefreshStatus.REFUSED, part["code"], _instant(part.get("retry_at"))
    fields = {
        one: _account_fields(permit, one.id) for one in accounts if str(one.connection_id) == part["connection_id"]
    }
    return RefreshPart(
        institution_id=next((one.institution_id for one, names in fields.items() if "institution_id" in names), None),
        account_ids=tuple(one.id for one, names in fields.items() if names),
        status=status,
        code=code,
        retry_at=permitted.still_ahead(retry_at, now),
    )


def _account_fields(permit: Permit, account_id: UUID) -> tuple[str, ...]:
    part = permit.slice_of(account_id)
    return () if part is None else part.fields(Record.ACCOUNT)


def _standing(job: SyncJob) -> tuple[RefreshStatus, str | None, datetime | None]:
    code = job.error_code or None
    if job.status == SyncJobStatus.QUEUED:
        return RefreshStatus.QUEUED, None, None
    if job.status == SyncJobStatus.RETRY_WAIT:
        return RefreshStatus.QUEUED, code, job.next_attempt_at
    if job.status == SyncJobStatus.LEASED:
        return RefreshStatus.RUNNING, None, None
    if job.error_account_id is not None:
        return RefreshStatus.PARTIAL, code, None
    return (RefreshStatus.DONE if job.status == SyncJobStatus.COMMITTED else RefreshStatus.FAILED), code, None


def _whole(statuses: Sequence[RefreshStatus]) -> RefreshStatus:
    seen = set(statuses)
    if len(seen) == 1:
        return statuses[0]
    if seen <= {RefreshStatus.QUEUED, RefreshStatus.REFUSED}:
        return RefreshStatus.QUEUED
    if not seen <= ENDED:
        return RefreshStatus.RUNNING
    fetched = seen & {RefreshStatus.DONE, RefreshStatus.PARTIAL}
    return RefreshStatus.PARTIAL if fetched else RefreshStatus.FAILED


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

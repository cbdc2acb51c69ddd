"""Fresh data on a platform's request: a job per connection in the queue of record.

No customer data passes here: instants, codes and ids. The data is read through banks.read once it is there.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from banks import job_requests, permitted, quota, refresh_status
from banks.errors import (
    AccountNotFound,
    BankRateLimited,
    IdempotencyKeyReused,
    QuotaSpent,
    RefreshNotFound,
    RefreshRefused,
)
from banks.models import Connection, RefreshRequest, SyncJob, SyncJobStatus, SyncTrigger
from banks.refresh_status import Reached, Refresh
from consents.denials import DENIALS, DenialCode
from consents.errors import Denied, PermitExpired
from consents.models import Consent
from consents.policy import Permit
from consents.scopes import Presence
from consents.states import SERVING_CONNECTIONS, ConnectionStatus, ConsentStatus

#: How long a refresh can be looked at, and an idempotency key is remembered.
KEPT_FOR = timedelta(hours=24)
_ENDPOINT = "refreshes"


def request(
    permit: Permit,
    *,
    account_ids: Collection[UUID] = (),
    idempotency_key: str | None = None,
    customer_ip_address: str | None = None,
    now: datetime,
) -> Refresh:
    """Ask for fresh data of these accounts' connections; without any, of all the permit reaches.

    The work rows are committed with the request. The same key with the same request within 24 hours is the same
    refresh. `customer_ip_address` goes on only to banks that take the platform's word for the user's presence.

    Raises AccountNotFound, IdempotencyKeyReused, RefreshRefused, PermitExpired, and Denied(connection_not_serving) when
    nothing but a renewal by the user helps.
    """
    permitted.still_valid(permit, now)
    consent_id = _consent_id(permit)
    with transaction.atomic(durable=True):
        _lock_consent(consent_id, now)
        wanted = _wanted(permit, account_ids)
        asked = _digest([permit.purpose, sorted(str(account_id) for account_id in account_ids)])
        key = None if idempotency_key is None else _digest([_ENDPOINT, idempotency_key])
        row = _known(consent_id, key, asked, now)
        if row is None:
            row = _lodge(permit, wanted, key=key, asked=asked, customer_ip_address=customer_ip_address, now=now)
    return refresh_status.told(permit, row, now)


def status(permit: Permit, refresh_id: UUID, *, now: datetime) -> Refresh:
    """How it stands. Raises RefreshNotFound, PermitExpired."""
    permitted.still_valid(permit, now)
    mine = RefreshRequest.objects.filter(consent_id=_consent_id(permit), created_at__gt=now - KEPT_FOR)
    row = mine.filter(id=refresh_id).first()
    if row is None:
        raise RefreshNotFound(refresh_id)
    return refresh_status.told(permit, row, now)


def forget(*, now: datetime, batch: int) -> int:
    """Delete requests that can no longer be looked at; how many."""
    old = RefreshRequest.objects.filter(created_at__lte=now - KEPT_FOR).values_list("id", flat=True)[:batch]
    deleted, _ = RefreshRequest.objects.filter(id__in=list(old)).delete()
    return deleted


def _consent_id(permit: Permit) -> UUID:
    assert permit.consent_id is not None  # the holder's own pages ask for jobs, not for refreshes
    return permit.consent_id


def _lock_consent(consent_id: UUID, now: datetime) -> None:
    """Whoever ends the consent holds its row too: they come before this request or after it, never within.

    Also what makes two requests with one key come one after the other.
    """
    held = Consent.objects.select_for_update(no_key=True).filter(id=consent_id).first()
    if held is None or held.status != ConsentStatus.AUTHORISED or held.is_expired(now):
        raise PermitExpired(consent_id)


def _wanted(permit: Permit, account_ids: Collection[UUID]) -> list[Reached]:
    accounts = refresh_status.reached(permit)
    if not account_ids:
        return accounts
    wanted = [one for one in accounts if one.id in account_ids]
    if len(wanted) != len(set(account_ids)):
        raise AccountNotFound
    return wanted


def _known(consent_id: UUID, key: str | None, asked: str, now: datetime) -> RefreshRequest | None:
    if key is None:
        return None
    row = RefreshRequest.objects.filter(consent_id=consent_id, key_digest=key).first()
    if row is None:
        return None
    if row.created_at <= now - KEPT_FOR:
        RefreshRequest.objects.filter(id=row.id).update(key_digest=None)
        return None
    if row.request_digest != asked:
        raise IdempotencyKeyReused
    return row


def _lodge(
    permit: Permit,
    wanted: Sequence[Reached],
    *,
    key: str | None,
    asked: str,
    customer_ip_address: str | None,
    now: datetime,
) -> RefreshRequest:
    parts = [
        _part(permit, connection_id, wanted, customer_ip_address, now)
        for connection_id in sorted({one.connection_id for one in wanted})
    ]
    if not any("job_id" in part for part in parts):
        raise _refusal(parts, now)
    assert permit.platform_id is not None  # as of every permit over a consent
    return RefreshRequest.objects.create(
        consent_id=_consent_id(permit),
        platform_id=permit.platform_id,
        key_digest=key,
        request_digest=asked,
        presence=permit.presence,
        parts=parts,
        created_at=now,
    )


def _part(
    permit: Permit, connection_id: UUID, wanted: Sequence[Reached], customer_ip_address: str | None, now: datetime
) -> dict[str, str | bool]:
    """A job, or the reason why not; under the connection's lock. `joined_late`: the job ran already."""
    connection = (
        Connection.objects.select_for_update(no_key=True, of=("self",))
        .select_related("institution")
        .get(id=connection_id)
    )
    account_ids = [one.id for one in wanted if one.connection_id == connection_id]
    refused = _why_not(permit, connection, account_ids, now)
    if refused is not None:
        code, retry_at = refused
        told = {} if retry_at is None else {"retry_at": retry_at.isoformat()}
        return {"connection_id": str(connection_id), "code": code, **told}
    attested = _presence(permit, account_ids) == Presence.ATTESTED
    job_id = job_requests.enqueue(
        connection_id,
        trigger=SyncTrigger.USER_ATTESTED if attested else SyncTrigger.PLATFORM_READ,
        customer_ip_address=customer_ip_address if attested else None,
        now=now,
    )
    joined_late = SyncJob.objects.filter(id=job_id, requested_again=True).exists()
    return {"connection_id": str(connection_id), "job_id": str(job_id), "joined_late": joined_late}


def _why_not(
    permit: Permit, connection: Connection, account_ids: Sequence[UUID], now: datetime
) -> tuple[str, datetime | None] | None:
    """A code, and until when; None: nothing stands against it."""
    status = ConnectionStatus(connection.status)
    # Its rows are served on, but only the user can let us fetch again.
    if status not in SERVING_CONNECTIONS or status == ConnectionStatus.REAUTH_REQUIRED:
        return DenialCode.CONNECTION_NOT_SERVING, None
    waiting = SyncJob.objects.filter(
        connection_id=connection.id,
        status=SyncJobStatus.RETRY_WAIT,
        error_code=BankRateLimited.code,
        next_attempt_at__gt=now,
    ).first()
    if waiting is not None:
        return BankRateLimited.code, waiting.next_attempt_at
    spent_until = quota.next_allowed(
        connection.id, connection.institution, account_ids, presence=_presence(permit, account_ids), now=now
    )
    return None if spent_until is None else (QuotaSpent.code, spent_until)


def _presence(permit: Permit, account_ids: Sequence[UUID]) -> Presence:
    """What the bank takes the user's presence for; all accounts are of one connection, so of one bank."""
    part = permit.slice_of(account_ids[0])
    return Presence.ABSENT if part is None else part.presence


def _refusal(parts: Sequence[dict[str, str | bool]], now: datetime) -> Exception:
    ends = [(datetime.fromisoformat(str(part["retry_at"])), str(part["code"])) for part in parts if "retry_at" in part]
    if not ends:
        return Denied(DENIALS[DenialCode.CONNECTION_NOT_SERVING])
    next_refresh_after, reason = min(ends)
    return RefreshRefused(reason, next_refresh_after, now=now)


def _digest(words: object) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()

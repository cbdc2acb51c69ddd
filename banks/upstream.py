"""Consents at banks that are to be deleted there: rows claimed like jobs, retried until the bank confirms.

A consent that spans two banks has a row at each. Nothing waits for them: what is served ended before.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from banks import sessions
from banks.errors import After, BankConsentEnded, BankError, Retry
from banks.models import Connection, Finding, FindingKind, Institution, UpstreamEnding, UpstreamEndingStatus
from banks.vault import Unsealable
from consents import audit
from consents.audit import Actor
from consents.states import Initiator

log = logging.getLogger(__name__)

DISPATCH_BATCH = 50
#: A dispatched row that nobody claimed in this time is dispatched again: its message was lost.
REDISPATCH_AFTER = timedelta(seconds=60)
#: Seconds one attempt may take.
ATTEMPT_SECONDS = 30.0

#: A bank that does not answer is asked again for this long.
PATIENCE = timedelta(days=30)
#: One that cannot do it, or refuses us, gets this many attempts over at least this time: someone may be mending it.
REFUSALS_MAX = 6
REFUSED_AT_LEAST = timedelta(days=1)
_BACKOFF = timedelta(minutes=1)
_BACKOFF_REFUSED = timedelta(hours=1)
_BACKOFF_MAX = timedelta(hours=12)

_SYSTEM = Actor(initiator=Initiator.SYSTEM)


class EndingReason(StrEnum):
    """Why a consent at a bank is ended by us."""

    NO_CONSENT_LEFT = "no_consent_left"  #: nobody may read under it any more
    SUPERSEDED = "superseded"  #: a newer one took its place
    NOT_LINKED = "not_linked"  #: nothing came of the login it was made for


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A row held under one epoch."""

    ending_id: UUID
    institution: Institution
    bank_consent_id: str
    connection_id: UUID | None
    epoch: int
    attempts: int
    created_at: datetime


# -- decisions ---------------------------------------------------------------------------------------------------------


def next_attempt_at(retry: Retry, attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """When to ask again after `attempts` failed ones; None: it cannot be done. What the bank asked for is kept."""
    passing = isinstance(retry, After)
    if now - created_at >= PATIENCE:
        return None
    if not passing and attempts >= REFUSALS_MAX and now - created_at >= REFUSED_AT_LEAST:
        return None
    if isinstance(retry, After) and retry.seconds is not None:
        return now + timedelta(seconds=retry.seconds)
    first = _BACKOFF if passing else _BACKOFF_REFUSED
    # The exponent is bounded: 30 days of attempts would make a number that no interval holds.
    doublings = min(attempts - 1, 10)
    return now + min(first * (1 << doublings), _BACKOFF_MAX)


# -- rows --------------------------------------------------------------------------------------------------------------


def lodge(
    institution: Institution,
    bank_consent_id: str,
    *,
    connection_id: UUID | None,
    reason: EndingReason,
    now: datetime,
) -> None:
    """In the transaction that makes the bank's consent useless. Twice is once."""
    if not bank_consent_id:
        return
    row = UpstreamEnding(
        institution=institution,
        bank_consent_id=bank_consent_id,
        connection_id=connection_id,
        reason=reason,
        next_attempt_at=now,
        created_at=now,
    )
    UpstreamEnding.objects.bulk_create([row], ignore_conflicts=True)


def dispatchable(*, now: datetime) -> list[UUID]:
    """Rows whose time has come, or whose holder is gone; each is marked, so that the next look passes over it."""
    due = UpstreamEnding.objects.filter(_claimable(now)).filter(
        Q(dispatched_at=None) | Q(dispatched_at__lt=now - REDISPATCH_AFTER)
    )
    found = list(due.order_by("next_attempt_at", "id").values_list("id", flat=True)[:DISPATCH_BATCH])
    return [ending_id for ending_id in found if due.filter(id=ending_id).update(dispatched_at=now)]


def claim(ending_id: UUID, *, now: datetime) -> Held | None:
    """Take the row, or None: someone else has it, its time has not come, or it is over."""
    with transaction.atomic():
        taken = (
            UpstreamEnding.objects.filter(id=ending_id)
            .filter(_claimable(now))
            .update(
                status=UpstreamEndingStatus.LEASED,
                epoch=F("epoch") + 1,
                attempts=F("attempts") + 1,
                lease_until=now + timedelta(seconds=settings.JOB_LEASE_SECONDS) + timedelta(seconds=ATTEMPT_SECONDS),
                dispatched_at=None,
            )
        )
        return _held_of(UpstreamEnding.objects.select_related("institution").get(id=ending_id)) if taken else None


def claim_of(institution: Institution, bank_consent_id: str, *, now: datetime) -> Held | None:
    """The same for a page that has just lodged it and waits for this bank anyway."""
    row = UpstreamEnding.objects.filter(institution=institution, bank_consent_id=bank_consent_id).first()
    return None if row is None else claim(row.id, now=now)


def attempt(held: Held, *, clock: Callable[[], datetime], seconds: float = ATTEMPT_SECONDS) -> None:
    """Ask the bank once and record what came of it. Never raises BankError; a defect is recorded and goes on."""
    institution = held.institution
    deadline = time.monotonic() + seconds
    try:
        with sessions.connector_for(institution, now=clock(), deadline_monotonic=deadline) as connector:
            connector.revoke(bank_consent_id=held.bank_consent_id)
    except BankConsentEnded:
        _finish(held, UpstreamEndingStatus.DONE, code="", now=clock())  # it does not know it: there is nothing to end
    except BankError as error:
        _failed(held, error.code, error.retry, clock())
    except Unsealable:
        _failed(held, "bank_misconfigured", None, clock())
    except Exception:
        _failed(held, "internal_error", None, clock())
        raise
    else:
        _finish(held, UpstreamEndingStatus.DONE, code="", now=clock())


def _failed(held: Held, code: str, retry: Retry | None, now: datetime) -> None:
    log.warning("consent at the bank not ended", extra=_named(held, code))
    again_at = next_attempt_at(retry or BankError.retry, held.attempts, held.created_at, now)
    if again_at is None:
        _finish(held, UpstreamEndingStatus.IMPOSSIBLE, code=code, now=now)
        return
    _mine(held).update(
        status=UpstreamEndingStatus.PENDING,
        error_code=code,
        lease_until=None,
        dispatched_at=None,
        next_attempt_at=again_at,
    )


def _finish(held: Held, status: UpstreamEndingStatus, *, code: str, now: datetime) -> None:
    """It is over, one way or the other; whoever lost the row meanwhile writes nothing."""
    with transaction.atomic():
        if not _mine(held).update(status=status, error_code=code, lease_until=None, finished_at=now):
            return
        if status == UpstreamEndingStatus.IMPOSSIBLE:
            _open_finding(held, code, now)
        audit.record(
            "connection.upstream_ended" if status == UpstreamEndingStatus.DONE else "connection.upstream_not_ended",
            actor=_SYSTEM,
            now=now,
            user_pseudonym=_pseudonym(held.connection_id),
            institution_id=held.institution.id,
            to_status=status,
            reason_code=code,
            details={
                "ending_id": str(held.ending_id),
                "connection_id": str(held.connection_id) if held.connection_id else None,
                "attempts": held.attempts,
            },
        )


def _pseudonym(connection_id: UUID | None) -> UUID | None:
    if connection_id is None:
        return None
    return Connection.objects.filter(id=connection_id).values_list("user__pseudonym", flat=True).first()


def _open_finding(held: Held, code: str, now: datetime) -> None:
    """One a connection, however many of its consents are stuck at the bank."""
    opened = Finding.objects.filter(
        kind=FindingKind.UPSTREAM_NOT_ENDED, connection_id=held.connection_id, account_id=None, closed_at=None
    )
    if held.connection_id is not None and opened.update(code=code, seen_at=now):
        return
    row = Finding(
        kind=FindingKind.UPSTREAM_NOT_ENDED,
        institution_id=held.institution.id,
        connection_id=held.connection_id,
        code=code,
        opened_at=now,
        seen_at=now,
    )
    Finding.objects.bulk_create([row], ignore_conflicts=True)


def _named(held: Held, code: str) -> dict[str, object]:
    return {
        "institution": held.institution.slug,
        "connection_id": held.connection_id,
        "code": code,
        "attempts": held.attempts,
    }


def _claimable(now: datetime) -> Q:
    waiting = Q(status=UpstreamEndingStatus.PENDING, next_attempt_at__lte=now)
    return waiting | Q(status=UpstreamEndingStatus.LEASED, lease_until__lt=now)


def _mine(held: Held) -> QuerySet[UpstreamEnding]:
    return UpstreamEnding.objects.filter(id=held.ending_id, epoch=held.epoch, status=UpstreamEndingStatus.LEASED)


def _held_of(row: UpstreamEnding) -> Held:
    return Held(
        ending_id=row.id,
        institution=row.institution,
        bank_consent_id=row.bank_consent_id,
        connection_id=row.connection_id,
        epoch=row.epoch,
        attempts=row.attempts,
        created_at=row.created_at,
    )

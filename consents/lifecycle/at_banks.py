"""A bank's hand on one customer's consent: it reaches the accounts at that bank and nothing else."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from consents.audit import Actor
from consents.errors import TransitionRefused
from consents.events import EventType
from consents.lifecycle import changing, ending
from consents.models import Consent, ConsentAccount
from consents.states import LIVE_CONSENTS, ConsentAccountStatus


def suspend_accounts(*, consent_id: UUID, institution_id: UUID, reason: str, actor: Actor, now: datetime) -> int:
    """ACTIVE accounts at that bank become SUSPENDED; how many. Raises ConsentNotFound, TransitionRefused (none)."""
    return _move(
        consent_id,
        institution_id,
        source=ConsentAccountStatus.ACTIVE,
        target=ConsentAccountStatus.SUSPENDED,
        event=EventType.CONSENT_SUSPENDED,
        reason=reason,
        actor=actor,
        now=now,
    )


def lift_accounts(
    *,
    consent_id: UUID,
    institution_id: UUID,
    reason: str,
    actor: Actor,
    now: datetime,
    asked_at: datetime | None = None,
) -> int:
    """SUSPENDED accounts at that bank are ACTIVE again; how many. `asked_at`: when somebody asked for it.

    Raises ConsentNotFound, TransitionRefused (none, or one was suspended after it was asked for: that is another stop).
    """
    return _move(
        consent_id,
        institution_id,
        source=ConsentAccountStatus.SUSPENDED,
        target=ConsentAccountStatus.ACTIVE,
        event=EventType.CONSENT_RESUMED,
        reason=reason,
        actor=actor,
        now=now,
        asked_at=asked_at,
    )


def revoke_accounts(*, consent_id: UUID, institution_id: UUID, reason: str, actor: Actor, now: datetime) -> Consent:
    """The bank ends its part for good; the consent ends with the last account of any bank.

    Raises ConsentNotFound, TransitionRefused (nothing of that bank is left in it, or it has ended).
    """
    with transaction.atomic():
        consent = _live(consent_id, now)
        held = ConsentAccount.objects.filter(consent=consent).exclude(status=ConsentAccountStatus.REVOKED)
        own = held.filter(institution_id=institution_id)
        if not own.exists():
            raise TransitionRefused(ConsentAccountStatus.REVOKED)
        if not held.exclude(institution_id=institution_id).exists():
            consent = ending.revoke(
                consent_id=consent_id, reason=reason, actor=actor, now=now, institution_id=institution_id
            )
            _write(own, ConsentAccountStatus.REVOKED, reason, actor, now)
            return consent
        _write(own, ConsentAccountStatus.REVOKED, reason, actor, now)
        _told(consent, institution_id, EventType.CONSENT_NARROWED, ConsentAccountStatus.REVOKED, reason, actor, now)
        return consent


def _move(
    consent_id: UUID,
    institution_id: UUID,
    *,
    source: ConsentAccountStatus,
    target: ConsentAccountStatus,
    event: EventType,
    reason: str,
    actor: Actor,
    now: datetime,
    asked_at: datetime | None = None,
) -> int:
    with transaction.atomic():
        consent = _live(consent_id, now)
        rows = ConsentAccount.objects.filter(consent=consent, institution_id=institution_id, status=source)
        if asked_at is not None and rows.filter(status_changed_at__gt=asked_at).exists():
            raise TransitionRefused(f"{source} since it was asked for")
        moved = _write(rows, target, reason, actor, now)
        if not moved:
            raise TransitionRefused(f"{source} -> {target}")
        _told(consent, institution_id, event, target, reason, actor, now)
        return moved


def _live(consent_id: UUID, now: datetime) -> Consent:
    consent = changing.locked(consent_id)
    if consent.status not in LIVE_CONSENTS or consent.is_expired(now):
        raise TransitionRefused(consent.status)
    return consent


def _write(
    rows: QuerySet[ConsentAccount], target: ConsentAccountStatus, reason: str, actor: Actor, now: datetime
) -> int:
    return rows.update(status=target, status_reason=reason, status_initiator=actor.initiator, status_changed_at=now)


def _told(
    consent: Consent,
    institution_id: UUID,
    event: EventType,
    target: ConsentAccountStatus,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """The revision rises, the bank is in the audit entry, and the platform hears which bank it was."""
    action = f"consent_accounts.{target.lower()}"
    changing.change(consent, action, reason=reason, actor=actor, now=now, institution_id=institution_id)
    changing.publish(
        consent, event, reason=reason, actor=actor, now=now, details={"institution_id": str(institution_id)}
    )

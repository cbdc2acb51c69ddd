"""What every change of a consent shares: the row's lock, the conditional update, its audit entry and its event."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Max

from consents import audit, events
from consents.audit import Actor
from consents.errors import ConsentNotFound, PlatformNotUsable, TransitionRefused
from consents.models import AccessToken, Consent, Event, Grant, Platform, RefreshToken
from consents.states import ConsentStatus, Initiator, PlatformStatus, sources_of

SYSTEM = Actor(initiator=Initiator.SYSTEM)

ENDED = frozenset({ConsentStatus.REJECTED, ConsentStatus.REVOKED, ConsentStatus.EXPIRED, ConsentStatus.CONSUMED})

_EVENTS: dict[ConsentStatus, events.EventType] = {
    ConsentStatus.AUTHORISED: events.EventType.CONSENT_GRANTED,
    ConsentStatus.REJECTED: events.EventType.CONSENT_REJECTED,
    ConsentStatus.PAUSED: events.EventType.CONSENT_PAUSED,
    ConsentStatus.SUSPENDED: events.EventType.CONSENT_SUSPENDED,
    ConsentStatus.REVOKED: events.EventType.CONSENT_REVOKED,
    ConsentStatus.EXPIRED: events.EventType.CONSENT_EXPIRED,
    ConsentStatus.CONSUMED: events.EventType.CONSENT_EXPIRED,
}


def locked(consent_id: UUID, *, user_id: UUID | None = None, platform_id: UUID | None = None) -> Consent:
    """The row under its lock; a stranger's is not there. Raises ConsentNotFound."""
    rows = Consent.objects.select_for_update(no_key=True, of=("self",)).filter(id=consent_id)
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    if platform_id is not None:
        rows = rows.filter(platform_id=platform_id)
    consent = rows.first()
    if consent is None:
        raise ConsentNotFound(consent_id)
    return consent


def check_usable(platform: Platform) -> None:
    """Only an active platform is given anything new, however old its question. Raises PlatformNotUsable."""
    if platform.status != PlatformStatus.ACTIVE:
        raise PlatformNotUsable(platform.id)


def transition(
    consent: Consent,
    target: ConsentStatus,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    event: events.EventType | None = None,
    institution_id: UUID | None = None,
    **columns: Any,
) -> Consent:
    """Update-where-status-was, with `columns` beside the status. Raises TransitionRefused.

    No row changed: someone else was first, or the table does not allow it. `event`: instead of the target's own.
    `institution_id`: the bank whose hand it was.
    """
    before = ConsentStatus(consent.status)
    changed = 0
    if before in sources_of(target):
        changed = Consent.objects.filter(id=consent.id, status=before).update(
            status=target,
            status_reason=reason,
            status_initiator=actor.initiator,
            status_changed_at=now,
            ended_at=now if target in ENDED else None,
            revision=F("revision") + 1,
            **columns,
        )
    if not changed:
        raise TransitionRefused(f"{before} -> {target}")
    record(
        consent,
        f"consent.{target.lower()}",
        actor=actor,
        now=now,
        from_status=before,
        to_status=target,
        reason=reason,
        institution_id=institution_id,
    )
    if told := event or _EVENTS.get(target):
        publish(consent, told, reason=reason, actor=actor, now=now)
    consent.refresh_from_db()
    return consent


def change(
    consent: Consent,
    action: str,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    institution_id: UUID | None = None,
    details: Mapping[str, object] | None = None,
    **columns: Any,
) -> None:
    """Columns beside the status, of a consent that is locked; the revision rises, so what was made of it is stale.

    `details`: for the audit entry, ids and codes only.
    """
    Consent.objects.filter(id=consent.id).update(revision=F("revision") + 1, **columns)
    record(
        consent,
        action,
        actor=actor,
        now=now,
        to_status=consent.status,
        reason=reason,
        institution_id=institution_id,
        details=details,
    )
    consent.refresh_from_db()


def publish(
    consent: Consent,
    event: events.EventType,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    details: Mapping[str, str | int | bool | None] | None = None,
) -> None:
    """Of a consent whose row is held."""
    events.publish(
        event,
        now=_in_turn(consent, now),
        platform_id=consent.platform_id,
        consent_id=consent.id,
        user_id=consent.user_id,
        details={"reason": reason, "initiator": actor.initiator, **(details or {})},
    )


def _in_turn(consent: Consent, now: datetime) -> datetime:
    """After what is still to be laid of this consent, by whatever clock: logs are laid in the order of these instants,
    and `now` was read before the row's lock was waited for."""
    waiting = Event.objects.filter(
        spread_at=None, platform_id=consent.platform_id, consent_id=consent.id, occurred_at__gte=now
    )
    latest: datetime | None = waiting.aggregate(latest=Max("occurred_at"))["latest"]
    return now if latest is None else latest + timedelta(microseconds=1)


def end_tokens(consent_id: UUID) -> None:
    """Deleted, not stamped: a token that is not there cannot be served by a forgotten check."""
    AccessToken.objects.filter(consent_id=consent_id).delete()
    RefreshToken.objects.filter(consent_id=consent_id).delete()
    Grant.objects.filter(consent_id=consent_id).delete()


def record(
    consent: Consent,
    action: str,
    *,
    actor: Actor,
    now: datetime,
    to_status: str,
    from_status: str = "",
    reason: str = "",
    institution_id: UUID | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    audit.record(
        action,
        actor=actor,
        now=now,
        user_pseudonym=consent.user.pseudonym,
        consent_id=consent.id,
        platform_id=consent.platform_id,
        institution_id=institution_id,
        from_status=from_status,
        to_status=to_status,
        reason_code=reason,
        details=dict(details or {}),
    )

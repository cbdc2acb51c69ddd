"""Stops that can be lifted: the user's pause, and a suspension."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from consents.audit import Actor
from consents.errors import TransitionRefused
from consents.events import EventType
from consents.lifecycle import changing
from consents.models import Consent
from consents.states import ConsentStatus, Initiator


def pause(*, consent_id: UUID, user_id: UUID, actor: Actor, now: datetime) -> Consent:
    """The user's own: nothing is served until they resume. Raises ConsentNotFound, TransitionRefused."""
    with transaction.atomic():
        consent = _running(changing.locked(consent_id, user_id=user_id), now)
        # Not left to the table: PAUSED is also where a lifted suspension returns to, and resuming from there is free.
        if consent.status != ConsentStatus.AUTHORISED:
            raise TransitionRefused(consent.status)
        return changing.transition(consent, ConsentStatus.PAUSED, reason="user_paused", actor=actor, now=now)


def resume(*, consent_id: UUID, user_id: UUID, actor: Actor, now: datetime) -> Consent:
    """Of a pause, never of a suspension. Raises ConsentNotFound, TransitionRefused."""
    with transaction.atomic():
        consent = _running(changing.locked(consent_id, user_id=user_id), now)
        if consent.status != ConsentStatus.PAUSED:
            raise TransitionRefused(consent.status)
        return changing.transition(
            consent,
            ConsentStatus.AUTHORISED,
            reason="user_resumed",
            actor=actor,
            now=now,
            event=EventType.CONSENT_RESUMED,
        )


def suspend(*, consent_id: UUID, reason: str, actor: Actor, now: datetime, user_id: UUID | None = None) -> Consent:
    """The operator's hand, or the user's own when something looks wrong. Raises ConsentNotFound, TransitionRefused.

    What the user suspended the operator may take over: from then on the user alone does not lift it.
    """
    with transaction.atomic():
        consent = _running(changing.locked(consent_id, user_id=user_id), now)
        if _is_users(consent) and actor.initiator == Initiator.OPERATOR:
            return _take_over(consent, reason, actor, now)
        return changing.transition(
            consent, ConsentStatus.SUSPENDED, reason=reason, actor=actor, now=now, status_before=consent.status
        )


def lift(
    *,
    consent_id: UUID,
    reason: str,
    actor: Actor,
    now: datetime,
    user_id: UUID | None = None,
    asked_at: datetime | None = None,
) -> Consent:
    """Back to where it was: paused stays paused. Users lift their own suspension, never the operator's.

    `asked_at`: when somebody asked for it. Raises ConsentNotFound, TransitionRefused (also where it was suspended, or
    the suspension taken over, after it was asked for: that is another stop).
    """
    with transaction.atomic():
        consent = _running(changing.locked(consent_id, user_id=user_id), now)
        if consent.status != ConsentStatus.SUSPENDED or (actor.initiator == Initiator.USER and not _is_users(consent)):
            raise TransitionRefused(consent.status)
        if asked_at is not None and consent.status_changed_at > asked_at:
            raise TransitionRefused(f"{consent.status} since it was asked for")
        target = ConsentStatus(consent.status_before or ConsentStatus.AUTHORISED)
        event = EventType.CONSENT_PAUSED if target == ConsentStatus.PAUSED else EventType.CONSENT_RESUMED
        return changing.transition(consent, target, reason=reason, actor=actor, now=now, event=event, status_before="")


def _is_users(consent: Consent) -> bool:
    return consent.status == ConsentStatus.SUSPENDED and consent.status_initiator == Initiator.USER


def _take_over(consent: Consent, reason: str, actor: Actor, now: datetime) -> Consent:
    """Nothing new for the platform, which was told when it stopped."""
    changing.change(
        consent,
        "consent.suspended",
        reason=reason,
        actor=actor,
        now=now,
        status_reason=reason,
        status_initiator=actor.initiator,
        status_changed_at=now,
    )
    return consent


def _running(consent: Consent, now: datetime) -> Consent:
    """By the clock, whatever the row says: what is over is not paused, and not resumed. Raises TransitionRefused."""
    if consent.is_expired(now):
        raise TransitionRefused(ConsentStatus.EXPIRED)
    return consent

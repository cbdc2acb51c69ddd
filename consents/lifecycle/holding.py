"""Stops that can be lifted: the user's pause, and a suspension."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from consents.audit import Actor
from consents.errors import TransitionRefused
from consents.events import EventType
from consents.lifecycle import changing
from consents.models import Consent
from consents.states import ConsentStatus


def pause(*, consent_id: UUID, user_id: UUID, actor: Actor, now: datetime) -> Consent:
    """The user's own: nothing is served until they resume. Raises ConsentNotFound, TransitionRefused."""
    with transaction.atomic():
        consent = _running(changing.locked(consent_id, user_id=user_id), now)
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
    """The operator's hand, or the user's own when something looks wrong. Raises ConsentNotFound, TransitionRefused."""
    with transaction.atomic():
        consent = _running(changing.locked(consent_id, user_id=user_id), now)
        return changing.transition(
            consent, ConsentStatus.SUSPENDED, reason=reason, actor=actor, now=now, status_before=consent.status
        )


def lift(*, consent_id: UUID, reason: str, actor: Actor, now: datetime, user_id: UUID | None = None) -> Consent:
    """Back to where it was: paused stays paused. Raises ConsentNotFound, TransitionRefused."""
    with transaction.atomic():
        consent = _running(changing.locked(consent_id, user_id=user_id), now)
        if consent.status != ConsentStatus.SUSPENDED:
            raise TransitionRefused(consent.status)
        target = ConsentStatus(consent.status_before or ConsentStatus.AUTHORISED)
        event = EventType.CONSENT_PAUSED if target == ConsentStatus.PAUSED else EventType.CONSENT_RESUMED
        return changing.transition(consent, target, reason=reason, actor=actor, now=now, event=event, status_before="")


def _running(consent: Consent, now: datetime) -> Consent:
    """By the clock, whatever the row says: what is over is not paused, and not resumed. Raises TransitionRefused."""
    if consent.is_expired(now):
        raise TransitionRefused(ConsentStatus.EXPIRED)
    return consent

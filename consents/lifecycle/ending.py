"""The end of a consent, by any hand: its tokens die in the transaction that ends it."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from consents import standing
from consents.audit import Actor
from consents.events import EventType
from consents.lifecycle import changing
from consents.models import Consent, Revocation
from consents.scopes import DurationType
from consents.states import LIVE_CONSENTS, ConsentStatus, sources_of

BATCH = 500
#: Days before its end at which a consent is announced to be expiring.
ANNOUNCED_DAYS = (30, 7, 1)


def revoke(
    *,
    consent_id: UUID,
    reason: str,
    actor: Actor,
    now: datetime,
    user_id: UUID | None = None,
    platform_id: UUID | None = None,
    deletes_at_once: bool = False,
    institution_id: UUID | None = None,
) -> Consent:
    """End it. When this returns, its tokens are gone and no answer that begins afterwards carries data.

    `user_id` or `platform_id` says on whose behalf: a stranger's consent is ConsentNotFound. Waits for nothing remote.
    `deletes_at_once`: the user does not want the 24 hours of grace. `institution_id`: the bank whose hand it was.
    Raises ConsentNotFound, TransitionRefused (it had ended already).
    """
    with transaction.atomic():
        consent = changing.locked(consent_id, user_id=user_id, platform_id=platform_id)
        consent = changing.transition(
            consent,
            ConsentStatus.REVOKED,
            reason=reason,
            actor=actor,
            now=now,
            institution_id=institution_id,
            status_before="",
        )
        changing.end_tokens(consent.id)
        Revocation.objects.create(
            consent=consent,
            initiator=actor.initiator,
            reason=reason,
            deletes_at_once=deletes_at_once,
            requested_at=now,
            tokens_dead_at=now,
            serving_stopped_at=now,
        )
        return consent


def revoke_all(*, user_id: UUID, reason: str, actor: Actor, now: datetime, deletes_at_once: bool = False) -> list[UUID]:
    """Everything one person shares ends in one transaction; the ids of what ended. Open requests are turned down too.

    What the clock ended already is left to the clock.
    """
    ended: list[UUID] = []
    unfinished = (*LIVE_CONSENTS, ConsentStatus.AWAITING_AUTHORISATION)
    with transaction.atomic():
        rows = Consent.objects.select_for_update(no_key=True, of=("self",)).filter(user_id=user_id)
        for consent in list(rows.filter(status__in=unfinished, expires_at__gt=now).order_by("id")):
            if consent.status == ConsentStatus.AWAITING_AUTHORISATION:
                changing.transition(consent, ConsentStatus.REJECTED, reason=reason, actor=actor, now=now)
                continue
            revoke(consent_id=consent.id, reason=reason, actor=actor, now=now, deletes_at_once=deletes_at_once)
            ended.append(consent.id)
    return ended


def expire_due(*, now: datetime) -> int:
    """Write down what the clock has already decided; how many. Reads never wait for this."""
    live = sources_of(ConsentStatus.EXPIRED)
    due = Consent.objects.filter(status__in=live, expires_at__lte=now).order_by("expires_at", "id")
    count = 0
    for consent_id in list(due.values_list("id", flat=True)[:BATCH]):
        with transaction.atomic():
            consent = changing.locked(consent_id)
            if consent.status in live and consent.is_expired(now):
                _expire(consent, now)
                count += 1
    return count


def _expire(consent: Consent, now: datetime) -> None:
    used = standing.is_used(consent)
    target, reason = (ConsentStatus.CONSUMED, "consumed") if used else (ConsentStatus.EXPIRED, "expired")
    changing.transition(consent, target, reason=reason, actor=changing.SYSTEM, now=now, status_before="")
    changing.end_tokens(consent.id)


def reminded_days(duration_days: int) -> int | None:
    """How many days before its end a consent of `duration_days` is first announced; None: it is too short for that."""
    return max((days for days in ANNOUNCED_DAYS if days < duration_days), default=None)


def announce_expiring(*, now: datetime) -> int:
    """consent.expiring, once for each of ANNOUNCED_DAYS before the end of a live consent; how many were told."""
    told = 0
    for days in sorted(ANNOUNCED_DAYS):
        told += _announce(days, now)
    return told


def _announce(days: int, now: datetime) -> int:
    near = Consent.objects.filter(
        status__in=LIVE_CONSENTS,
        duration_type=DurationType.TIME_BOUND,
        expires_at__gt=now,
        expires_at__lte=now + timedelta(days=days),
    ).filter(Q(expiry_announced_days=None) | Q(expiry_announced_days__gt=days))
    told = 0
    for consent in list(near.order_by("expires_at", "id")[:BATCH]):
        # A consent given, or gone on with, for a week is not announced 30 days before its end.
        too_short = consent.expires_at - (consent.authorised_at or now) <= timedelta(days=days)
        with transaction.atomic():
            unchanged = Consent.objects.filter(
                id=consent.id,
                status__in=LIVE_CONSENTS,
                expires_at=consent.expires_at,
                expiry_announced_days=consent.expiry_announced_days,
            )
            if unchanged.update(expiry_announced_days=days) and not too_short:
                changing.publish(
                    consent,
                    EventType.CONSENT_EXPIRING,
                    reason="expiring",
                    actor=changing.SYSTEM,
                    now=now,
                    details={"days": days},
                )
                told += 1
    return told

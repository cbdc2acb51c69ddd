"""The same consent under other terms: narrower at once, longer after the user said so."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from consents.audit import Actor
from consents.errors import TransitionRefused
from consents.events import EventType
from consents.lifecycle import changing
from consents.lifecycle.asking import Disclosure
from consents.lifecycle.narrower import UNCHANGED, Narrower
from consents.models import Consent, ConsentAccount
from consents.scopes import DurationType, Scope, consistent
from consents.states import LIVE_CONSENTS, ConsentAccountStatus, ConsentStatus

#: After its first read, a consent for one use goes on this long: time to turn the pages.
ONE_TIME_USE = timedelta(hours=1)


def narrow(
    *,
    consent_id: UUID,
    user_id: UUID,
    scopes: Collection[Scope],
    account_ids: Collection[UUID],
    actor: Actor,
    now: datetime,
    narrower: Narrower = UNCHANGED,
) -> Consent:
    """At once, without a question to anybody: `scopes` and `account_ids` are what stays.

    `narrower.duration_days` counts from now on, and only an earlier end counts. Raises ConsentNotFound,
    TransitionRefused (it has ended), ValueError (nothing would be left, or something would be added).
    """
    with transaction.atomic():
        consent = changing.locked(consent_id, user_id=user_id)
        if consent.status not in LIVE_CONSENTS or consent.is_expired(now):
            raise TransitionRefused(consent.status)
        kept = consistent(scopes)
        if not kept or not kept <= set(consent.scopes):
            raise ValueError("at least one scope stays, and none comes")
        gone = _keep_accounts(consent, frozenset(account_ids), actor, now)
        terms = _narrowed(consent, kept, narrower, now)
        changing.change(
            consent,
            "consent.narrowed",
            reason="user_narrowed",
            actor=actor,
            now=now,
            details=_taken_away(consent, terms, gone),
            **terms,
        )
        changing.publish(consent, EventType.CONSENT_NARROWED, reason="user_narrowed", actor=actor, now=now)
        return consent


def _narrowed(consent: Consent, kept: frozenset[Scope], narrower: Narrower, now: datetime) -> dict[str, Any]:
    """Columns as they will be. Raises ValueError when anything in it would add."""
    return {
        "scopes": sorted(kept),
        "optional_scopes": sorted(set(consent.optional_scopes) & kept),
        "location_precision": narrower.precision_within(consent.location_precision, kept),
        "on_platform_only": consent.on_platform_only or narrower.on_platform_only,
        "hidden_groups": sorted({*consent.hidden_groups, *narrower.hidden_groups}),
        "expires_at": _earlier_end(consent, narrower, now),
    }


def _taken_away(consent: Consent, terms: Mapping[str, Any], accounts: int) -> dict[str, object]:
    """What the audit trail keeps of it: codes and a number, and nothing of what stayed as it was.

    `scopes`: those that went; `hidden_groups`: those that came; `accounts`: how many went; the others: as they are now.
    """
    found: dict[str, object] = {
        "scopes": sorted(set(consent.scopes) - set(terms["scopes"])),
        "hidden_groups": sorted(set(terms["hidden_groups"]) - set(consent.hidden_groups)),
        "accounts": accounts,
        "on_platform_only": terms["on_platform_only"] and not consent.on_platform_only,
    }
    if terms["location_precision"] not in (None, consent.location_precision):
        found["location_precision"] = terms["location_precision"]
    if terms["expires_at"] != consent.expires_at:
        found["expires_at"] = terms["expires_at"].isoformat()
    return {name: value for name, value in found.items() if value}


def _keep_accounts(consent: Consent, account_ids: frozenset[UUID], actor: Actor, now: datetime) -> int:
    """How many went. Raises ValueError when none would stay, or one would come."""
    held = ConsentAccount.objects.filter(consent=consent).exclude(status=ConsentAccountStatus.REVOKED)
    before = frozenset(held.values_list("account_id", flat=True))
    if not account_ids or not account_ids <= before:
        raise ValueError("at least one account stays, and none comes")
    return held.exclude(account_id__in=account_ids).update(
        status=ConsentAccountStatus.REVOKED,
        status_reason="user_narrowed",
        status_initiator=actor.initiator,
        status_changed_at=now,
    )


def _earlier_end(consent: Consent, narrower: Narrower, now: datetime) -> datetime:
    if narrower.duration_days is None:
        return consent.expires_at
    if narrower.duration_days < 1:
        raise ValueError("duration_days is at least 1")
    return min(consent.expires_at, now + timedelta(days=narrower.duration_days))


def renew(
    *,
    consent_id: UUID,
    user_id: UUID,
    duration_days: int,
    disclosure: Disclosure,
    actor: Actor,
    now: datetime,
    revision: int | None = None,
) -> Consent:
    """The user goes on with it, nothing else changed: it ends `duration_days` from now. Tokens stay as they are.

    No longer than they allowed it for before. A pause stays a pause. `revision`: the one that `disclosure` was made of.
    Raises ConsentNotFound, TransitionRefused (it has ended, is suspended, was for one use, or has another revision),
    PlatformNotUsable, ValueError (longer than before). Whoever calls has made sure that it is the user, a moment ago.
    """
    with transaction.atomic():
        consent = changing.locked(consent_id, user_id=user_id)
        renewable = (ConsentStatus.AUTHORISED, ConsentStatus.PAUSED)
        if consent.status not in renewable or consent.is_expired(now) or consent.duration_type == DurationType.ONE_TIME:
            raise TransitionRefused(consent.status)
        if revision not in (None, consent.revision):
            raise TransitionRefused(f"revision {consent.revision}")
        changing.check_usable(consent.platform)
        if not 1 <= duration_days <= (consent.duration_days or 0):
            raise ValueError("duration_days may only stay or shrink")
        changing.change(
            consent,
            "consent.renewed",
            reason="renewed",
            actor=actor,
            now=now,
            authorised_at=now,
            expires_at=now + timedelta(days=duration_days),
            expiry_announced_days=None,
            disclosure_version=disclosure.version,
            disclosure_sha256=disclosure.sha256,
            disclosure_locale=disclosure.locale,
        )
        changing.publish(consent, EventType.CONSENT_GRANTED, reason="renewed", actor=actor, now=now)
        return consent


def begin_use(consent_id: UUID, *, now: datetime) -> None:
    """The first read of a consent for one use: from now on it has ONE_TIME_USE left. Later reads change nothing.

    No revision is raised: the pages of this very use are still to be turned.
    """
    Consent.objects.filter(
        id=consent_id,
        status=ConsentStatus.AUTHORISED,
        duration_type=DurationType.ONE_TIME,
        expires_at__gt=now + ONE_TIME_USE,
    ).update(expires_at=now + ONE_TIME_USE)

"""The only writers of Consent. Every change is update-where-status-was, audited and published in one transaction.

Locks are taken in the order consent (by id), connection, account: these functions take the first of them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from consents import audit, events
from consents.audit import Actor
from consents.errors import ConsentNotFound, PlatformNotUsable, TransitionRefused
from consents.models import AccessToken, Consent, ConsentAccount, Grant, Platform, RefreshToken
from consents.requested import RequestedAccess
from consents.scopes import DurationType, Scope, consistent
from consents.states import AUTHORISATION_WINDOW, ConsentStatus, Initiator, PlatformStatus, sources_of

EXPIRY_BATCH = 500
#: Unanswered requests of one platform to one user; any link in a browser makes one.
AWAITING_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChoice:
    """One account the user ticked."""

    account_id: UUID
    connection_id: UUID
    institution_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What the user was shown: the text's version, its SHA-256 and its language."""

    version: str
    sha256: str
    locale: str


def request(*, user_id: UUID, platform: Platform, asked: RequestedAccess, actor: Actor, now: datetime) -> Consent:
    """Lodge what `platform` asks of this user; it dies unanswered after 60 minutes. Raises PlatformNotUsable.

    Beyond AWAITING_MAX the oldest unanswered ones of the two end at once.
    """
    if platform.status != PlatformStatus.ACTIVE:
        raise PlatformNotUsable(platform.id)
    with transaction.atomic():
        consent = Consent.objects.create(
            user_id=user_id,
            platform=platform,
            status_changed_at=now,
            scopes=sorted(asked.scopes),
            purposes=sorted(asked.purposes),
            duration_type=DurationType.TIME_BOUND,
            duration_days=asked.duration_days,
            # The window's edge as a calendar day; no row's own date is derived here.
            history_from=now.date() - timedelta(days=asked.history_days),
            location_precision=asked.location_precision,
            on_platform_only=asked.on_platform_only,
            hidden_groups=sorted(asked.hidden_groups),
            created_at=now,
            expires_at=now + AUTHORISATION_WINDOW,
        )
        _record(consent, "consent.requested", actor=actor, now=now, to_status=consent.status)
        _supersede(consent, now=now)
    return consent


def _supersede(newest: Consent, *, now: datetime) -> None:
    """End the oldest unanswered requests, so that AWAITING_MAX stay, `newest` among them."""
    others = Consent.objects.filter(
        user_id=newest.user_id, platform_id=newest.platform_id, status=ConsentStatus.AWAITING_AUTHORISATION
    ).exclude(id=newest.id)
    too_many = others.order_by("-created_at", "-id").values_list("id", flat=True)[AWAITING_MAX - 1 :]
    for consent_id in sorted(too_many):
        consent = _locked(consent_id)
        # Answered while we waited for its lock: it is not in the way any more.
        if consent.status == ConsentStatus.AWAITING_AUTHORISATION:
            _transition(consent, ConsentStatus.EXPIRED, reason="superseded", actor=_SYSTEM, now=now)


def authorise(
    *,
    consent_id: UUID,
    user_id: UUID,
    accounts: Collection[AccountChoice],
    scopes: Collection[Scope],
    disclosure: Disclosure,
    actor: Actor,
    now: datetime,
) -> Consent:
    """The user said yes to these accounts and to `scopes` of those asked.

    Raises ConsentNotFound (not this user's), TransitionRefused (answered already, or too late), ValueError (nothing
    chosen, or more than was asked).
    """
    with transaction.atomic():
        consent = _locked(consent_id, user_id=user_id)
        granted = consistent(scopes)
        if not accounts or not granted or not granted <= set(consent.scopes):
            raise ValueError("at least one account and one requested scope are needed, and no more than was asked")
        # Not left to the table: AUTHORISED is also where a paused or suspended consent returns to, by other hands.
        if consent.status != ConsentStatus.AWAITING_AUTHORISATION or consent.is_expired(now):
            raise TransitionRefused(consent.status)
        consent.scopes = sorted(granted)
        consent.authorised_at = now
        consent.expires_at = now + timedelta(days=consent.duration_days or 0)
        consent.disclosure_version = disclosure.version
        consent.disclosure_sha256 = disclosure.sha256
        consent.disclosure_locale = disclosure.locale
        consent.save()
        ConsentAccount.objects.bulk_create(
            ConsentAccount(
                consent=consent,
                account_id=choice.account_id,
                connection_id=choice.connection_id,
                institution_id=choice.institution_id,
                added_at=now,
            )
            for choice in accounts
        )
        return _transition(consent, ConsentStatus.AUTHORISED, reason="granted", actor=actor, now=now)


def reject(*, consent_id: UUID, user_id: UUID, reason: str, actor: Actor, now: datetime) -> Consent:
    """The user, or the bank, said no. Raises ConsentNotFound, TransitionRefused."""
    with transaction.atomic():
        return _transition(
            _locked(consent_id, user_id=user_id), ConsentStatus.REJECTED, reason=reason, actor=actor, now=now
        )


def revoke(
    *,
    consent_id: UUID,
    reason: str,
    actor: Actor,
    now: datetime,
    user_id: UUID | None = None,
    platform_id: UUID | None = None,
) -> Consent:
    """End it. When this returns, its tokens are gone and no answer that begins afterwards carries data.

    `user_id` or `platform_id` says on whose behalf: a stranger's consent is ConsentNotFound. Waits for nothing remote.
    Raises ConsentNotFound, TransitionRefused (it had ended already).
    """
    with transaction.atomic():
        consent = _locked(consent_id, user_id=user_id, platform_id=platform_id)
        consent = _transition(consent, ConsentStatus.REVOKED, reason=reason, actor=actor, now=now)
        _end_tokens(consent.id)
        return consent


def expire_due(*, now: datetime) -> int:
    """Write down what the clock has already decided; how many. Reads never wait for this."""
    live = sources_of(ConsentStatus.EXPIRED)
    due = Consent.objects.filter(status__in=live, expires_at__lte=now).order_by("expires_at", "id")
    count = 0
    for consent_id in list(due.values_list("id", flat=True)[:EXPIRY_BATCH]):
        with transaction.atomic():
            consent = _locked(consent_id)
            if consent.status in live and consent.is_expired(now):
                _transition(consent, ConsentStatus.EXPIRED, reason="expired", actor=_SYSTEM, now=now)
                _end_tokens(consent.id)
                count += 1
    return count


_SYSTEM = Actor(initiator=Initiator.SYSTEM)

_EVENTS: dict[ConsentStatus, events.EventType] = {
    ConsentStatus.AUTHORISED: events.EventType.CONSENT_GRANTED,
    ConsentStatus.REJECTED: events.EventType.CONSENT_REJECTED,
    ConsentStatus.PAUSED: events.EventType.CONSENT_PAUSED,
    ConsentStatus.SUSPENDED: events.EventType.CONSENT_SUSPENDED,
    ConsentStatus.REVOKED: events.EventType.CONSENT_REVOKED,
    ConsentStatus.EXPIRED: events.EventType.CONSENT_EXPIRED,
}

_ENDED = frozenset({ConsentStatus.REJECTED, ConsentStatus.REVOKED, ConsentStatus.EXPIRED, ConsentStatus.CONSUMED})


def _locked(consent_id: UUID, *, user_id: UUID | None = None, platform_id: UUID | None = None) -> Consent:
    rows = Consent.objects.select_for_update(no_key=True, of=("self",)).filter(id=consent_id)
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    if platform_id is not None:
        rows = rows.filter(platform_id=platform_id)
    consent = rows.first()
    if consent is None:
        raise ConsentNotFound(consent_id)
    return consent


def _transition(consent: Consent, target: ConsentStatus, *, reason: str, actor: Actor, now: datetime) -> Consent:
    """Update-where-status-was. No row changed: someone else was first, or the table does not allow it."""
    before = ConsentStatus(consent.status)
    changed = 0
    if before in sources_of(target):
        changed = Consent.objects.filter(id=consent.id, status=before).update(
            status=target,
            status_reason=reason,
            status_initiator=actor.initiator,
            status_changed_at=now,
            ended_at=now if target in _ENDED else None,
            revision=F("revision") + 1,
        )
    if not changed:
        raise TransitionRefused(f"{before} -> {target}")
    action = f"consent.{target.lower()}"
    _record(consent, action, actor=actor, now=now, from_status=before, to_status=target, reason=reason)
    if event := _EVENTS.get(target):
        events.publish(
            event,
            now=now,
            platform_id=consent.platform_id,
            consent_id=consent.id,
            user_id=consent.user_id,
            details={"reason": reason, "initiator": actor.initiator},
        )
    consent.refresh_from_db()
    return consent


def _end_tokens(consent_id: UUID) -> None:
    """Deleted, not stamped: a token that is not there cannot be served by a forgotten check."""
    AccessToken.objects.filter(consent_id=consent_id).delete()
    RefreshToken.objects.filter(consent_id=consent_id).delete()
    Grant.objects.filter(consent_id=consent_id).delete()


def _record(
    consent: Consent,
    action: str,
    *,
    actor: Actor,
    now: datetime,
    to_status: str,
    from_status: str = "",
    reason: str = "",
) -> None:
    audit.record(
        action,
        actor=actor,
        now=now,
        user_pseudonym=consent.user.pseudonym,
        consent_id=consent.id,
        platform_id=consent.platform_id,
        from_status=from_status,
        to_status=to_status,
        reason_code=reason,
    )

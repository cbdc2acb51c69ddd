"""What a platform asks, and the user's answer."""

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from consents.audit import Actor
from consents.errors import TransitionRefused
from consents.lifecycle import changing
from consents.lifecycle.narrower import UNCHANGED, Narrower
from consents.models import Consent, ConsentAccount, Platform
from consents.requested import RequestedAccess
from consents.scopes import DurationType, Scope, consistent
from consents.states import AUTHORISATION_WINDOW, ONE_TIME_WINDOW, ConsentStatus

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
    changing.check_usable(platform)
    with transaction.atomic():
        consent = Consent.objects.create(
            user_id=user_id,
            platform=platform,
            status_changed_at=now,
            scopes=sorted(asked.scopes),
            optional_scopes=sorted(asked.optional_scopes),
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
        changing.record(consent, "consent.requested", actor=actor, now=now, to_status=consent.status)
        _supersede(consent, now=now)
    return consent


def _supersede(newest: Consent, *, now: datetime) -> None:
    """End the oldest unanswered requests, so that AWAITING_MAX stay, `newest` among them."""
    others = Consent.objects.filter(
        user_id=newest.user_id, platform_id=newest.platform_id, status=ConsentStatus.AWAITING_AUTHORISATION
    ).exclude(id=newest.id)
    too_many = others.order_by("-created_at", "-id").values_list("id", flat=True)[AWAITING_MAX - 1 :]
    for consent_id in sorted(too_many):
        consent = changing.locked(consent_id)
        # Answered while we waited for its lock: it is not in the way any more.
        if consent.status == ConsentStatus.AWAITING_AUTHORISATION:
            changing.transition(consent, ConsentStatus.EXPIRED, reason="superseded", actor=changing.SYSTEM, now=now)


def authorise(
    *,
    consent_id: UUID,
    user_id: UUID,
    accounts: Collection[AccountChoice],
    scopes: Collection[Scope],
    disclosure: Disclosure,
    actor: Actor,
    now: datetime,
    narrower: Narrower = UNCHANGED,
) -> Consent:
    """The user said yes to these accounts and to `scopes` of those asked, less what `narrower` takes away.

    Raises ConsentNotFound (not this user's), TransitionRefused (answered already, or too late), PlatformNotUsable (it
    was stopped since it asked), ValueError (nothing chosen, or more than was asked).
    """
    with transaction.atomic():
        consent = changing.locked(consent_id, user_id=user_id)
        if not accounts:
            raise ValueError("at least one account and one requested scope are needed")
        changing.check_usable(consent.platform)
        _set_terms(consent, scopes, narrower, now)
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
        return changing.transition(consent, ConsentStatus.AUTHORISED, reason="granted", actor=actor, now=now)


def as_if_authorised(
    consent: Consent, *, scopes: Collection[Scope], now: datetime, narrower: Narrower = UNCHANGED
) -> Consent:
    """What `authorise` would make of `consent`, for the user to look at before the answer; nothing is written.

    A copy that cannot be saved: its row is there already. Raises TransitionRefused, ValueError, as `authorise` does.
    """
    seen = copy(consent)
    _set_terms(seen, scopes, narrower, now)
    seen.status = ConsentStatus.AUTHORISED
    seen._state.adding = True  # an INSERT, so that whoever saves it meets the row that is there
    return seen


def _set_terms(consent: Consent, scopes: Collection[Scope], narrower: Narrower, now: datetime) -> None:
    """Raises TransitionRefused, and ValueError when anything in it would add to what was asked."""
    granted = consistent(scopes)
    if not granted or not granted <= set(consent.scopes):
        raise ValueError("at least one account and one requested scope are needed, and no more than was asked")
    # Not left to the table: AUTHORISED is also where a paused or suspended consent returns to, by other hands.
    if consent.status != ConsentStatus.AWAITING_AUTHORISATION or consent.is_expired(now):
        raise TransitionRefused(consent.status)
    consent.scopes = sorted(granted)
    consent.optional_scopes = sorted(set(consent.optional_scopes) & granted)
    consent.location_precision = narrower.precision_within(consent.location_precision, granted)
    consent.on_platform_only = consent.on_platform_only or narrower.on_platform_only
    consent.hidden_groups = sorted({*consent.hidden_groups, *narrower.hidden_groups})
    consent.authorised_at = now
    if narrower.is_one_time:
        consent.duration_type, consent.duration_days = DurationType.ONE_TIME, None
        consent.expires_at = now + ONE_TIME_WINDOW
        return
    consent.duration_days = narrower.days_within(consent.duration_days or 0)
    consent.expires_at = now + timedelta(days=consent.duration_days)


def reject(*, consent_id: UUID, user_id: UUID, reason: str, actor: Actor, now: datetime) -> Consent:
    """The user, or the bank, said no. Raises ConsentNotFound, TransitionRefused."""
    with transaction.atomic():
        consent = changing.locked(consent_id, user_id=user_id)
        return changing.transition(consent, ConsentStatus.REJECTED, reason=reason, actor=actor, now=now)

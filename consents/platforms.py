"""Register platforms, and move them between their statuses. A secret is generated here, shown once, kept as SHA-256.

While a platform is SUSPENDED or INACTIVE its consents keep their own statuses: consents.policy denies every read by the
platform's status, at once and for all of them, and what was there before is there again when it is ACTIVE.
"""

import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from oauth2_provider.models import AbstractApplication

from consents import audit
from consents.audit import Actor
from consents.errors import RequestNotAllowed, TransitionRefused
from consents.models import AccessToken, Consent, Grant, Platform, PlatformToken, RefreshToken
from consents.models.tokens import digest
from consents.scopes import Purpose
from consents.states import PLATFORM_TRANSITIONS, WITHDRAWN_PLATFORMS, Initiator, PlatformStatus

#: What a platform says of itself holds this long (design: 12 months).
ATTESTED_FOR = timedelta(days=365)
#: Reason of the suspension that a renewed attestation lifts.
ATTESTATION_OVERDUE = "attestation_overdue"

_SYSTEM = Actor(initiator=Initiator.SYSTEM)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Registration:
    """A new platform and the secret that nobody can read again."""

    platform: Platform
    client_secret: str = field(repr=False)


def register(
    *,
    name: str,
    redirect_uris: Collection[str],
    purposes: Collection[Purpose],
    attested: bool,
    actor: Actor,
    now: datetime,
    legal_name: str = "",
    client_id: str = "",
    is_sandbox: bool = False,
) -> Registration:
    """A PENDING platform of the standard profile. Raises RequestNotAllowed naming what is wrong."""
    if not attested:
        raise RequestNotAllowed("attested", "no advertising, no profiling for sale, no onward sharing: say so first")
    if not purposes:
        raise RequestNotAllowed("purposes", "at least one purpose is needed")
    name = _shown("name", name)
    legal_name = _shown("legal_name", legal_name or name)
    for uri in redirect_uris:
        _check_redirect_uri(uri, is_sandbox=is_sandbox)
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        platform = Platform.objects.create(
            name=name,
            legal_name=legal_name,
            client_id=client_id or secrets.token_urlsafe(16),
            client_secret=digest(secret),
            hash_client_secret=False,  # the toolkit's PBKDF2 costs 0.2 s of CPU a call; SHA-256 suits 256 random bits
            client_type=AbstractApplication.CLIENT_CONFIDENTIAL,
            authorization_grant_type=AbstractApplication.GRANT_AUTHORIZATION_CODE,
            redirect_uris=" ".join(redirect_uris),
            purposes=sorted(purposes),
            attested_at=now,
            is_sandbox=is_sandbox,
        )
        audit.record("platform.registered", actor=actor, now=now, platform_id=platform.id, to_status=platform.status)
    return Registration(platform, secret)


def change_status(platform: Platform, target: PlatformStatus, *, reason: str, actor: Actor, now: datetime) -> None:
    """Update-where-status-was. Raises TransitionRefused when the table does not allow it, or someone was first.

    With a final status every token of the platform is deleted in the same transaction; its consents are ended by
    consents.platform_endings. Waits for nothing remote.
    """
    before = PlatformStatus(platform.status)
    with transaction.atomic():
        unchanged = Platform.objects.filter(id=platform.id, status=before)
        columns = {"status": target, "status_reason": reason, "status_changed_at": now}
        if target not in PLATFORM_TRANSITIONS[before] or not unchanged.update(**columns):
            raise TransitionRefused(f"{before} -> {target}")
        if target in WITHDRAWN_PLATFORMS:
            _end_tokens(platform.id)
        _record(platform, f"platform.{target.lower()}", before, target, reason, actor, now)
    platform.refresh_from_db()


def suspend(platform: Platform, *, reason: str, actor: Actor, now: datetime) -> None:
    """Nothing is served to it from now on. One person may: it takes nothing away for good. Raises TransitionRefused.

    What the missing attestation suspended the operator may take over: then the attestation alone does not lift it.
    """
    with transaction.atomic():
        # Under its lock: what the sweep suspends at the same moment is taken over too, and no stop is refused for it.
        row = Platform.objects.select_for_update(no_key=True).get(id=platform.id)
        before = PlatformStatus(row.status)
        if before == PlatformStatus.SUSPENDED and row.status_reason == ATTESTATION_OVERDUE:
            Platform.objects.filter(id=row.id).update(status_reason=reason, status_changed_at=now)
            _record(row, "platform.suspended", before, before, reason, actor, now)
        else:
            change_status(row, PlatformStatus.SUSPENDED, reason=reason, actor=actor, now=now)
    platform.refresh_from_db()


def renew_attestation(platform: Platform, *, actor: Actor, now: datetime) -> None:
    """The company says again: no advertising, no profiling for sale, no onward sharing. Good for ATTESTED_FOR.

    It lifts a suspension for its being overdue, and no other. Raises TransitionRefused (withdrawn).
    """
    with transaction.atomic():
        # Under its lock, so that a suspension for another reason at the same moment is not lifted.
        row = Platform.objects.select_for_update(no_key=True).get(id=platform.id)
        if row.status in WITHDRAWN_PLATFORMS:
            raise TransitionRefused(row.status)
        Platform.objects.filter(id=row.id).update(attested_at=now)
        _record(row, "platform.attested", PlatformStatus(row.status), PlatformStatus(row.status), "", actor, now)
        if row.status == PlatformStatus.SUSPENDED and row.status_reason == ATTESTATION_OVERDUE:
            change_status(row, PlatformStatus.ACTIVE, reason="attestation_renewed", actor=actor, now=now)
    platform.refresh_from_db()


def suspend_overdue(*, now: datetime) -> int:
    """Active platforms whose attestation is older than ATTESTED_FOR are suspended; how many."""
    active = Platform.objects.filter(status=PlatformStatus.ACTIVE)
    overdue = active.filter(Q(attested_at=None) | Q(attested_at__lte=now - ATTESTED_FOR)).order_by("id")
    return sum(_suspend_overdue(platform, now) for platform in overdue)


def _suspend_overdue(platform: Platform, now: datetime) -> bool:
    with transaction.atomic():
        row = Platform.objects.select_for_update(no_key=True).get(id=platform.id)
        attested_now = row.attested_at is not None and now - row.attested_at < ATTESTED_FOR
        if row.status != PlatformStatus.ACTIVE or attested_now:
            return False
        change_status(row, PlatformStatus.SUSPENDED, reason=ATTESTATION_OVERDUE, actor=_SYSTEM, now=now)
    return True


def _end_tokens(platform_id: UUID) -> None:
    """Deleted, not stamped: a token that is not there cannot be served by a forgotten check."""
    # Held until the end: a token that is just being made is deleted here, or finds its code gone.
    list(
        Consent.objects.select_for_update(no_key=True).filter(platform_id=platform_id).order_by("id").values_list("id")
    )
    RefreshToken.objects.filter(application_id=platform_id).delete()
    AccessToken.objects.filter(application_id=platform_id).delete()
    Grant.objects.filter(application_id=platform_id).delete()
    PlatformToken.objects.filter(platform_id=platform_id).delete()


def _record(
    platform: Platform,
    action: str,
    before: PlatformStatus,
    after: PlatformStatus,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    audit.record(
        action,
        actor=actor,
        now=now,
        platform_id=platform.id,
        from_status=before,
        to_status=after,
        reason_code=reason,
    )


def _shown(field: str, text: str) -> str:
    """`text` as consent pages show it: with direction marks or zero widths one company would read as another.

    The length is checked here because SQLite would store what PostgreSQL refuses.
    """
    shown = " ".join(part for part in unicodedata.normalize("NFC", text).split(" ") if part)
    length_max: int = Platform._meta.get_field(field).max_length  # type: ignore[union-attr,assignment]
    if not 1 <= len(shown) <= length_max or not shown.isprintable():
        raise RequestNotAllowed(field, f"must be 1 to {length_max} visible characters on one line")
    return shown


def _check_redirect_uri(uri: str, *, is_sandbox: bool) -> None:
    """RFC 9700 section 2.1, RFC 8252 section 7.3: https, exact; http on loopback for sandbox platforms."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port  # both raise ValueError where a browser would guess
    except ValueError:
        raise RequestNotAllowed("redirect_uris", "must be an absolute https address") from None
    plain = parts.scheme == "http" and is_sandbox and host in _LOOPBACK
    if not (parts.scheme == "https" or plain) or not host or "#" in uri or "@" in parts.netloc:
        raise RequestNotAllowed("redirect_uris", "must be an absolute https address without a fragment")
    if not uri.isprintable() or any(character.isspace() or character in "*\\" for character in uri):
        raise RequestNotAllowed("redirect_uris", "wildcards, blanks and backslashes are not matched")

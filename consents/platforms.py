"""Register and activate platforms. A secret is generated here, shown once, and kept as SHA-256."""

import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from django.db import transaction
from oauth2_provider.models import AbstractApplication

from consents import audit
from consents.audit import Actor
from consents.errors import RequestNotAllowed, TransitionRefused
from consents.models import Platform
from consents.models.tokens import digest
from consents.scopes import Purpose
from consents.states import PLATFORM_TRANSITIONS, PlatformStatus

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
    """Update-where-status-was. Raises TransitionRefused when the table does not allow it, or someone was first."""
    before = PlatformStatus(platform.status)
    with transaction.atomic():
        changed = (
            Platform.objects.filter(id=platform.id, status=before).update(status=target, status_reason=reason)
            if target in PLATFORM_TRANSITIONS[before]
            else 0
        )
        if not changed:
            raise TransitionRefused(f"{before} -> {target}")
        audit.record(
            f"platform.{target.lower()}",
            actor=actor,
            now=now,
            platform_id=platform.id,
            from_status=before,
            to_status=target,
            reason_code=reason,
        )
    platform.refresh_from_db()


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

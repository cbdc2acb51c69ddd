"""Tokens of a platform's own (RFC 6749 section 4.4): they open what is no customer's, and never a customer's data.

A table of their own: no query for a token that points at a consent can find one of these, nor the other way about.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from consents.models import Platform, PlatformToken
from consents.models.tokens import digest
from consents.states import PlatformStatus
from gateway.oauth import bearer, statements
from gateway.oauth.bearer import Cause, Refusal

LIFETIME = timedelta(seconds=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformBearer:
    """A platform token that is known and in date, and its platform, which is ACTIVE."""

    platform: Platform
    created_at: datetime
    expires_at: datetime


def issue(platform: Platform, *, now: datetime) -> str:
    """A new token, kept as its SHA-256. It ends by itself after LIFETIME; there is no refresh token for it."""
    token = secrets.token_urlsafe(32)
    statements.add_platform_token(digest(token), platform.id, id=uuid4(), now=now, expires_at=now + LIFETIME)
    return token


def find(authorization: str | None, *, now: datetime) -> PlatformBearer | Refusal:
    """One query. `authorization` is the header as it came, None when there was none."""
    token = bearer.read(authorization)
    return token if isinstance(token, Refusal) else known(token, now=now) or Refusal(Cause.INVALID)


def known(token: str, *, now: datetime) -> PlatformBearer | None:
    """None: unknown, expired, or its platform is not ACTIVE: one answer."""
    row = PlatformToken.objects.select_related("platform").filter(token_digest=digest(token)).first()
    if row is None or row.expires_at <= now or row.platform.status != PlatformStatus.ACTIVE:
        return None
    return PlatformBearer(platform=row.platform, created_at=row.created_at, expires_at=row.expires_at)


def give_up(token: str, platform: Platform) -> bool:
    """RFC 7009, of its own only; whether there was one."""
    deleted, _ = PlatformToken.objects.filter(token_digest=digest(token), platform=platform).delete()
    return bool(deleted)

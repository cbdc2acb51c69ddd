"""The consent behind a bearer token (RFC 6750). From the Authorization header only: a token in an address ends up in
logs, and one in a form body could come from a page.

Says whose token it is, not what it opens: status, policy and scopes are `consents.policy.decide`'s.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from banks import authority
from consents.models import Consent, Platform
from consents.models.tokens import digest
from consents.policy_facts import Slice
from gateway.identity.models import User
from gateway.oauth import addresses

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,512}=*\Z")  # b64token of RFC 6750 section 2.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """A token that is known and in date. `consent` comes with its user and platform, `slices` are what bears on it: no
    further query. Of the three rows only what a decision needs was read; the rest is read when it is asked for."""

    access_token_id: int
    consent: Consent
    platform: Platform
    user: User
    expires_at: datetime
    slices: Sequence[Slice]


class Cause(StrEnum):
    MISSING = "missing"
    MALFORMED = "malformed"
    INVALID = "invalid"  #: unknown, expired, its consent ended, its user inactive: one answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no Bearer. The answer is 401 with `www_authenticate`."""

    cause: Cause

    @property
    def www_authenticate(self) -> str:
        return challenge(None if self.cause is Cause.MISSING else "invalid_token")


def find(authorization: str | None, *, now: datetime) -> Bearer | Refusal:
    """One statement. `authorization` is the header as it came, None when there was none."""
    token = read(authorization)
    if isinstance(token, Refusal):
        return token
    behind = authority.behind(digest(token), now=now)
    if behind is None or behind.expires_at <= now or addresses.resource() not in behind.resource:
        return Refusal(Cause.INVALID)
    consent = behind.consent
    if not consent.user.is_active:
        return Refusal(Cause.INVALID)
    return Bearer(
        access_token_id=behind.id,
        consent=consent,
        platform=consent.platform,
        user=consent.user,
        expires_at=behind.expires_at,
        slices=behind.slices,
    )


def read(authorization: str | None) -> str | Refusal:
    """The token in the header, as it came."""
    if not authorization:
        return Refusal(Cause.MISSING)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not _TOKEN.match(token):
        return Refusal(Cause.MALFORMED)
    return token


def challenge(error: str | None = "invalid_token") -> str:
    """The value of WWW-Authenticate (RFC 6750 section 3, RFC 9728 section 5.1).

    No error code when the request brought no token at all (RFC 6750 section 3.1).
    """
    members = ['realm="sluice"']
    if error:
        members.append(f'error="{error}"')
    members.append(f'resource_metadata="{addresses.absolute("oauth:protected_resource")}"')
    return f"Bearer {', '.join(members)}"

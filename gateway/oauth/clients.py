"""Which platform is speaking. Standard profile: `client_secret_basic` (RFC 6749 section 2.3.1) and nothing else."""

import base64
import binascii
from urllib.parse import unquote_plus

from django.utils.crypto import constant_time_compare

from consents.models import Platform
from consents.models.platform import PlatformProfile
from consents.models.tokens import digest
from gateway.oauth import statements
from gateway.oauth.errors import ClientRefused, Refused
from gateway.oauth.parameters import Parameters

_BODY_CREDENTIALS = ("client_secret", "client_assertion", "client_assertion_type")
_NOBODY = digest("")


def usable(client_id: str) -> Platform | None:
    """The ACTIVE platform of this id, of any profile; None for every other case."""
    if not client_id or "\x00" in client_id:  # PostgreSQL raises on NUL instead of finding nothing
        return None
    return statements.active_platform(client_id)


def authenticated(authorization: str | None) -> Platform:
    """The platform behind a Basic header. Raises ClientRefused.

    Needs no body, and comes before it is read: a stranger must not make a thread wait for one that never comes.
    """
    if authorization is None:
        raise ClientRefused("credentials belong in the Authorization header, by Basic")
    client_id, secret = _credentials(authorization)
    platform = usable(client_id)
    # Compared either way, so that an unknown id takes no less time than a wrong secret.
    stored = platform.client_secret if platform is not None else _NOBODY
    matches = constant_time_compare(digest(secret), stored)
    if platform is None or not matches or platform.profile != PlatformProfile.STANDARD:
        raise ClientRefused
    return platform


def check_form(platform: Platform, parameters: Parameters) -> None:
    """The body must not speak for another client, nor authenticate a second time. Raises Refused."""
    if any(parameters.get(name) for name in _BODY_CREDENTIALS):
        raise Refused("invalid_request", "more than one way of authenticating")
    if parameters.get("client_id") not in ("", platform.client_id):
        raise Refused("invalid_request", "client_id names another client than the one that authenticated")


def _credentials(authorization: str) -> tuple[str, str]:
    """Both halves are form-encoded before they are joined (RFC 6749 section 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise ClientRefused
    try:
        joined = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = joined.partition(":")
        if not colon:
            raise ClientRefused
        return unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):  # not base64, or not UTF-8
        raise ClientRefused from None

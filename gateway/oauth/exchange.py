"""A code, or a refresh token, for an access token: one statement where the database can, and else one transaction,
undone by every refusal but a punished replay.

And, apart from both, a platform's own token for its credentials alone.
"""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from oauthlib.common import Request
from oauthlib.oauth2 import AuthorizationCodeGrant, BearerToken, OAuth2Error, RefreshTokenGrant
from oauthlib.oauth2.rfc6749.utils import scope_to_list

from banks.usage_sql import is_one_statement
from consents.models import Platform
from gateway.oauth import addresses, platform_tokens
from gateway.oauth.errors import Refused
from gateway.oauth.parameters import Parameters
from gateway.oauth.validator import ACCESS_TOKEN_LIFETIME, Contended, Validator

_REQUIRED: dict[str, tuple[str, ...]] = {
    "authorization_code": ("code", "redirect_uri", "code_verifier"),
    "refresh_token": ("refresh_token",),
    "client_credentials": (),
}
#: For metadata.
GRANT_TYPES = tuple(_REQUIRED)


def exchange(parameters: Parameters, platform: Platform, *, now: datetime, request_id: str) -> str:
    """A successful answer, as JSON (RFC 6749 sections 5.1 and 4.4.3, RFC 9396 section 7). Raises Refused.

    A refresh token survives every refusal: while its consent is PAUSED or SUSPENDED it is refused with `invalid_grant`
    and works again once the consent does; it ends with the consent, by RFC 7009, or when its code is replayed.
    """
    _check(parameters)
    if parameters.get("grant_type") == "client_credentials":
        return _platform_token(parameters, platform, now)
    if is_one_statement():
        try:
            return _told(*_granted(parameters, Validator(platform, now, request_id, holds_rows=False)))
        except Contended:  # rare: somebody else is at the same code or consent, or was
            pass
    validator = Validator(platform, now, request_id)
    with transaction.atomic():
        body, status = _granted(parameters, validator)
        if status != 200 and not validator.replayed:
            transaction.set_rollback(True)
    return _told(body, status)


def _told(body: str, status: int) -> str:
    if status != 200:
        answer = json.loads(body)
        raise Refused(answer["error"], answer.get("error_description") or _DESCRIPTIONS.get(answer["error"], ""))
    return body


class _Request(Request):  # type: ignore[misc]  # oauthlib says no types
    """Of parameters that each are said once: what is repeated was refused as it was read."""

    duplicate_params: Sequence[str] = ()  # which oauthlib would look for, anew for each parameter


def _granted(parameters: Parameters, validator: Validator) -> tuple[str, int]:
    """Body and status, by one of the two grants that there are; the toolkit's server knows five, and a password is one.

    Parameters as they are: oauthlib would take them out of a body again that was made of them. Raises Contended.
    """
    request = _Request("/", "POST", list(parameters.values.items()), {})
    request.scopes, request.extra_credentials = scope_to_list(request.scope), None
    if request.grant_type == "refresh_token":
        grant: Any = RefreshTokenGrant(validator, issue_new_refresh_tokens=False)  # the client keeps the one it has
    else:
        grant = AuthorizationCodeGrant(validator)
    bearer = BearerToken(validator, token_generator=_random, expires_in=_LIFETIME_SECONDS)
    try:
        _, body, status = grant.create_token_response(request, bearer)
    except OAuth2Error as error:  # oauthlib catches its own only while it validates
        return str(error.json), int(error.status_code)
    return body, status


def _platform_token(parameters: Parameters, platform: Platform, now: datetime) -> str:
    """RFC 6749 section 4.4.3: without a refresh token. Raises Refused.

    A scope is refused and not passed over: every word of the vocabulary opens a customer's data, and a platform that
    asked for one would believe it had got it.
    """
    if parameters.get("scope"):
        raise Refused("invalid_scope", "a platform's own token has no scope: it opens management addresses alone")
    token = platform_tokens.issue(platform, now=now)
    lifetime_seconds = int(platform_tokens.LIFETIME.total_seconds())
    return json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": lifetime_seconds})


def _random(request: object) -> str:
    """256 bits, for access and refresh tokens alike; oauthlib's own draws its letters one by one."""
    return secrets.token_urlsafe(32)


_LIFETIME_SECONDS = int(ACCESS_TOKEN_LIFETIME.total_seconds())
_DESCRIPTIONS = {
    "invalid_grant": "unknown, used, expired, or made for another client, redirect_uri or code_verifier",
    "unauthorized_client": "this client may not use this grant type",
}


def _check(parameters: Parameters) -> None:
    grant_type = parameters.get("grant_type")
    if not grant_type:
        raise Refused("invalid_request", "grant_type is required")
    if grant_type not in _REQUIRED:
        raise Refused("unsupported_grant_type", f"grant_type must be one of {', '.join(_REQUIRED)}")
    for name in _REQUIRED[grant_type]:
        if not parameters.get(name):
            raise Refused("invalid_request", f"{name} is required")
    if parameters.get("resource") not in ("", addresses.resource()):
        raise Refused("invalid_target", "the only resource is the platform API")
    if parameters.get("authorization_details"):
        # RFC 9396 section 6 would allow narrowing; here the user narrows, and the token follows the consent.
        raise Refused("invalid_authorization_details", "what a token opens is its consent's to say")

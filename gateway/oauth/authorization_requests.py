"""An authorization request: checked while it is only text, then kept as rows. What is shown and what is granted are
both read from those rows; the browser carries nothing but the consent's id.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from consents import lifecycle
from consents.audit import Actor
from consents.models import Consent, Platform
from consents.models.platform import PlatformProfile
from consents.requested import RequestedAccess
from consents.scopes import Purpose, Scope, implied
from gateway.oauth import addresses, authorization_details
from gateway.oauth.errors import Refused
from gateway.oauth.models import AuthorizationRequest
from gateway.oauth.parameters import Parameters

_STATE = re.compile(r"[\x20-\x7e]{1,1024}\Z")  # VSCHAR (RFC 6749 appendix A.5)
_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")  # base64url of a SHA-256, unpadded (RFC 7636 section 4.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Everything a request may say, checked; still nothing was written."""

    access: RequestedAccess
    redirect_uri: str
    state: str
    code_challenge: str


def returnable_state(parameters: Parameters) -> str:
    """`state` as it can be sent back with an error; "" when it is absent, ambiguous or no state at all."""
    state = parameters.get("state")
    return state if _STATE.match(state) and "state" not in parameters.repeated else ""


def check(parameters: Parameters, platform: Platform, redirect_uri: str) -> Checked:
    """Raises Refused with the error to redirect with. Client and `redirect_uri` were checked before: they decide
    whether there is a redirect at all.
    """
    _check_form(parameters)
    if platform.profile != PlatformProfile.STANDARD:
        raise Refused("unauthorized_client", "this platform must push its requests")
    _check_resource(parameters)
    details = parameters.get("authorization_details")
    if not details:
        # An empty request never means everything, nor does `scope` alone.
        raise Refused("invalid_request", "authorization_details is required")
    access = authorization_details.requested(
        details, allowed_purposes=frozenset(Purpose(purpose) for purpose in platform.purposes)
    )
    _check_scope(parameters, access)
    return Checked(
        access=access,
        redirect_uri=redirect_uri,
        state=parameters.get("state"),
        code_challenge=parameters.get("code_challenge"),
    )


def lodge(checked: Checked, *, user_id: UUID, platform: Platform, actor: Actor, now: datetime) -> Consent:
    """The consent that awaits this user's decision, and the request that waits for its answer: both rows or none.

    Raises PlatformNotUsable.
    """
    with transaction.atomic():
        consent = lifecycle.request(user_id=user_id, platform=platform, asked=checked.access, actor=actor, now=now)
        AuthorizationRequest.objects.create(
            consent=consent,
            redirect_uri=checked.redirect_uri,
            state=checked.state,
            code_challenge=checked.code_challenge,
            resource=[addresses.resource()],
            created_at=now,
        )
    return consent


def _check_form(parameters: Parameters) -> None:
    if parameters.repeated:
        raise Refused("invalid_request", "a parameter is repeated")  # RFC 6749 section 3.1
    if parameters.get("request"):
        raise Refused("request_not_supported", "request objects are not supported")  # RFC 9101 section 7
    if parameters.get("request_uri"):
        raise Refused("request_uri_not_supported", "request_uri is not supported")
    if not parameters.get("response_type"):
        raise Refused("invalid_request", "response_type is required")
    if parameters.get("response_type") != "code":
        raise Refused("unsupported_response_type", "response_type must be code")
    if parameters.get("response_mode") not in ("", "query"):
        raise Refused("invalid_request", "response_mode must be query")
    if not _STATE.match(parameters.get("state")):
        raise Refused("invalid_request", "state is required: 1 to 1024 printable ASCII characters")
    _check_challenge(parameters)


def _check_challenge(parameters: Parameters) -> None:
    # Before any page. Left out, the method means "plain" (RFC 7636 section 4.3), which shows the verifier to whoever
    # reads the request (RFC 9700 section 2.1.1).
    if parameters.get("code_challenge_method") != "S256":
        raise Refused("invalid_request", "code_challenge_method must be S256")
    if not _S256_CHALLENGE.match(parameters.get("code_challenge")):
        raise Refused("invalid_request", "code_challenge must be 43 characters of base64url")


def _check_resource(parameters: Parameters) -> None:
    if parameters.get("resource") not in ("", addresses.resource()):
        raise Refused("invalid_target", "the only resource is the platform API")  # RFC 8707 section 2


def _check_scope(parameters: Parameters, access: RequestedAccess) -> None:
    """`scope` may repeat what the details say; it can never add to it."""
    scope = parameters.get("scope")
    if scope and _named(scope) != access.scopes:
        raise Refused("invalid_scope", "scope must be left out or equal the scopes of authorization_details")


def _named(scope: str) -> frozenset[Scope]:
    words = scope.split(" ")
    known = frozenset(Scope(word) for word in words if word in tuple(Scope))
    return implied(known) if len(known) == len(words) else frozenset()

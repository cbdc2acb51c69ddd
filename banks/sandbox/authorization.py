"""The authorization request: what a client may ask the customer's browser to bring, checked before anybody logs in.

The UK way (FAPI 1.0 Advanced section 5.2.2; OBIE security profile): all of it is inside one request object that the
client signed. Parameters beside it are ignored, but client_id, response_type and scope, which must be there and equal.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import QueryDict

from banks.sandbox import jose
from banks.sandbox.models import AccountAccessConsent, AuthorizationRequest, Client, ConsentStatus
from banks.sandbox.profile import PROFILE
from banks.sandbox.settings import SANDBOX_ISSUER

REQUEST_LIFE = timedelta(minutes=10)
SCOPES = ("openid accounts", "accounts")
_S256 = re.compile(r"[A-Za-z0-9_-]{43}")


class BadRequest(Exception):
    """Where the answer may go cannot be trusted: the browser is sent nowhere (RFC 9700 section 4.11.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnAddress:
    """Where an answer goes, known to be the client's own."""

    redirect_uri: str
    state: str

    def url(self, **parameters: str) -> str:
        """The address with these parameters, `state`, and `iss` in every outcome (RFC 9207)."""
        query = urlencode(parameters | ({"state": self.state} if self.state else {}) | {"iss": SANDBOX_ISSUER})
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{query}"


class Refused(Exception):
    """The request is the client's own but cannot be met (RFC 6749 section 4.1.2.1). Carries where to say so."""

    def __init__(self, address: ReturnAddress, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.url = address.url(error=error, error_description=description)


def begin(query: QueryDict, *, now: datetime, real_now: datetime) -> AuthorizationRequest:
    """Store the request that this query carries. Raises BadRequest and Refused.

    `now` is the bank's instant, `real_now` the one a client can know: its request object is judged by that.
    """
    client, claims = _signed_by_client(query)
    redirect_uri = claims.get("redirect_uri")
    # Compared as a whole and exactly (RFC 9700 section 2.1).
    if not isinstance(redirect_uri, str) or redirect_uri not in client.redirect_uris:
        raise BadRequest("The redirect_uri is not registered for this client.")
    state = claims.get("state")
    address = ReturnAddress(redirect_uri=redirect_uri, state=state if isinstance(state, str) else "")
    _check(query, claims, client, address, real_now)
    return AuthorizationRequest.objects.create(
        id=secrets.token_urlsafe(24),
        client=client,
        consent=_consent(claims, client, address, now),
        redirect_uri=redirect_uri,
        state=address.state,
        nonce=claims.get("nonce", ""),
        scope=claims["scope"],
        code_challenge=claims["code_challenge"],
        expires_at=now + REQUEST_LIFE,
    )


def may_be_authorised(status: ConsentStatus) -> bool:
    """Whether a customer can authorise a consent in this status, for the first time or again."""
    return status is ConsentStatus.AWAU or status.value in PROFILE.standard.authorised_again


def address_of(request: AuthorizationRequest) -> ReturnAddress:
    return ReturnAddress(redirect_uri=request.redirect_uri, state=request.state)


def origin_of(request: AuthorizationRequest) -> str:
    """Scheme, host and port the browser will be sent to: what the consent page's form-action has to allow."""
    parts = urlsplit(request.redirect_uri)
    return f"{parts.scheme}://{parts.netloc}"


def _signed_by_client(query: QueryDict) -> tuple[Client, dict[str, Any]]:
    if any(len(values) > 1 for _, values in query.lists()):
        raise BadRequest("A parameter is given twice.")
    client = Client.objects.filter(pk=query.get("client_id", "")).first()
    if client is None:
        raise BadRequest("The client_id is not registered with this bank.")
    if "request" not in query:
        raise BadRequest("The request object is missing: this bank takes signed authorization requests only.")
    try:
        return client, jose.verify(query.get("request", ""), client)
    except jose.JoseError as error:
        raise BadRequest(f"The request object cannot be trusted: {error}.") from error


def _check(query: QueryDict, claims: dict[str, Any], client: Client, address: ReturnAddress, now: datetime) -> None:
    """Everything that can be answered to the client. Raises Refused."""
    try:
        jose.check_audience_and_times(claims, now)
    except jose.JoseError as error:
        raise Refused(address, "invalid_request_object", str(error)) from error
    if claims.get("iss") != client.client_id or claims.get("client_id") != client.client_id:
        raise Refused(address, "invalid_request_object", "iss and client_id are the client's")
    if "request" in claims or "request_uri" in claims or "request_uri" in query:
        raise Refused(address, "invalid_request_object", "a request object holds no further one")
    for name in ("client_id", "response_type", "scope"):
        if query.get(name) != claims.get(name):
            raise Refused(address, "invalid_request", f"{name} differs from the request object")
    if claims.get("response_type") != "code":
        raise Refused(address, "unsupported_response_type", "response_type is code")
    if claims.get("scope") not in SCOPES:
        raise Refused(address, "invalid_scope", "scope is accounts, or openid accounts")
    if not 1 <= len(address.state) <= 2000:
        raise Refused(address, "invalid_request", "state is required")
    challenge = claims.get("code_challenge")
    method = claims.get("code_challenge_method")
    if method != "S256" or not isinstance(challenge, str) or not _S256.fullmatch(challenge):
        raise Refused(address, "invalid_request", "PKCE with S256 is required")
    nonce = claims.get("nonce", "")
    if not isinstance(nonce, str) or len(nonce) > 255:
        raise Refused(address, "invalid_request", "nonce is a short text")


def _consent(claims: dict[str, Any], client: Client, address: ReturnAddress, now: datetime) -> AccountAccessConsent:
    """The consent the request names, which must be the client's and still open to authorisation. Raises Refused."""
    ids = {value for value in (_intent_id(claims, "id_token"), _intent_id(claims, "userinfo")) if value is not None}
    if len(ids) != 1:
        raise Refused(address, "invalid_request", "claims name one openbanking_intent_id")
    consent = AccountAccessConsent.objects.filter(pk=ids.pop(), client=client, deleted_at=None).first()
    if consent is None or not may_be_authorised(consent.status_at(now)):
        raise Refused(address, "invalid_request", "there is no such consent to authorise")
    return consent


def _intent_id(claims: dict[str, Any], holder: str) -> str | None:
    """claims.{holder}.openbanking_intent_id.value, as OBIE writes it; None when it is not there."""
    value: Any = claims
    for name in ("claims", holder, "openbanking_intent_id", "value"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None

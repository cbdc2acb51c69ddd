"""Discovery, keys, the authorization endpoint and the token endpoint."""

import re
from datetime import datetime
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from banks.sandbox import authorization, behaviours, clock, faults, jose, pages, tokens
from banks.sandbox.answers import ObError
from banks.sandbox.models import AccountAccessConsent, Client
from banks.sandbox.settings import SANDBOX_ISSUER
from banks.sandbox.trail import trail

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GRANT_TYPES = ("authorization_code", "client_credentials", "refresh_token")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class TokenError(Exception):
    """A refusal in the form of RFC 6749 section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.answer = {"error": error, "error_description": description}
        self.status = status


@require_GET
def discovery(request: HttpRequest) -> HttpResponse:
    """OpenID Connect Discovery 1.0 section 4, RFC 8414."""
    issuer = SANDBOX_ISSUER
    return JsonResponse(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/oauth/authorize",
            "token_endpoint": f"{issuer}/oauth/token",
            "jwks_uri": f"{issuer}/oauth/jwks",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(GRANT_TYPES),
            "scopes_supported": ["openid", "accounts"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(jose.ALGORITHMS),
            "request_parameter_supported": True,
            "request_uri_parameter_supported": False,
            "require_signed_request_object": True,
            "request_object_signing_alg_values_supported": list(jose.ALGORITHMS),
            "code_challenge_methods_supported": ["S256"],
            "claims_parameter_supported": True,
            "claims_supported": ["sub", "acr", "openbanking_intent_id"],
            "acr_values_supported": ["urn:openbanking:psd2:sca"],
            "authorization_response_iss_parameter_supported": True,
        }
    )


@require_GET
def jwks(request: HttpRequest) -> HttpResponse:
    """The keys that ID tokens are signed with (RFC 7517)."""
    return JsonResponse(jose.public_jwks())


@require_GET
def authorize(request: HttpRequest) -> HttpResponse:
    """Check the request and send the browser to the login page; 303, so that no form is ever repeated elsewhere."""
    try:
        asked = authorization.begin(request.GET, now=clock.now(), real_now=clock.real_now())
    except authorization.BadRequest as problem:
        return pages.problem(request, "This request cannot be answered", str(problem), status=400)
    except authorization.Refused as problem:
        return HttpResponseRedirect(problem.url, status=303)
    return HttpResponseRedirect(f"/login/{asked.pk}", status=303)


@csrf_exempt
def token(request: HttpRequest) -> HttpResponse:
    """The token endpoint: private_key_jwt only, errors as RFC 6749 section 5.2 has them."""
    try:
        answer = _token(request)
    except TokenError as problem:
        return _answer(problem.answer, problem.status)
    except ObError as fault:
        return _answer({"error": "temporarily_unavailable"}, fault.status, fault.headers)
    return _answer(answer, 200)


def _token(request: HttpRequest) -> dict[str, Any]:
    if request.method != "POST":
        raise TokenError("invalid_request", "the token endpoint takes POST", 405)
    if request.content_type != "application/x-www-form-urlencoded":
        raise TokenError("invalid_request", "the body is application/x-www-form-urlencoded")
    try:
        form = request.POST
    except (SuspiciousOperation, BadRequest) as problem:
        raise TokenError("invalid_request", "the form cannot be read: too large, or not UTF-8") from problem
    if any(len(values) > 1 for _, values in form.lists()):
        raise TokenError("invalid_request", "a parameter is given twice")
    # Client and bank have a clock each: what passes between them signed is dated by the real one.
    client = _client(request, clock.real_now())
    grant_type = form.get("grant_type", "")
    if grant_type not in GRANT_TYPES:
        raise TokenError("unsupported_grant_type", f"one of {', '.join(GRANT_TYPES)}")
    trail(request).grant_type = grant_type
    try:
        issued = _grant(request, client, clock.now())
    except tokens.InvalidGrant as problem:
        raise TokenError("invalid_grant", str(problem)) from problem
    return _body(client, issued, clock.real_now())


def _client(request: HttpRequest, now: datetime) -> Client:
    form = request.POST
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise TokenError("invalid_client", "client authentication is private_key_jwt", 401)
    try:
        client = jose.client_of_assertion(form.get("client_assertion", ""), now)
    except jose.JoseError as problem:
        raise TokenError("invalid_client", str(problem), 401) from problem
    trail(request).client_id = client.client_id
    if form.get("client_id", client.client_id) != client.client_id:
        raise TokenError("invalid_client", "client_id is not the one of the assertion", 401)
    return client


def _grant(request: HttpRequest, client: Client, now: datetime) -> tokens.Tokens:
    form = request.POST
    match form["grant_type"]:
        case "authorization_code":
            verifier = form.get("code_verifier", "")
            if not _VERIFIER.fullmatch(verifier):
                raise TokenError("invalid_request", "code_verifier is 43 to 128 unreserved characters")
            issued = tokens.redeem_code(
                client=client,
                code=form.get("code", ""),
                redirect_uri=form.get("redirect_uri", ""),
                verifier=verifier,
                now=now,
            )
        case "refresh_token":
            # A fault set for this path strikes after the token is spent: a lost answer, as in life.
            issued = tokens.rotate(client=client, refresh_token=form.get("refresh_token", ""), now=now)
        case _:
            if form.get("scope", "accounts") != "accounts":
                raise TokenError("invalid_scope", "scope is accounts")
            issued = tokens.issue_client_token(client, now)
    _note(request, issued.consent)
    return issued


def _note(request: HttpRequest, consent: AccountAccessConsent | None) -> None:
    seen = trail(request)
    if consent is not None:
        seen.consent_id, seen.user = consent.pk, consent.user
        behaviours.grant(seen.user, clock.today())
    faults.apply(seen.user, request.path)


def _body(client: Client, issued: tokens.Tokens, now: datetime) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }
    if issued.refresh_token is not None:
        body["refresh_token"] = issued.refresh_token
    if issued.consent is not None and "openid" in issued.scope.split():
        body["id_token"] = jose.sign(_id_token(client, issued.consent, issued.nonce, now))
    return body


def _id_token(client: Client, consent: AccountAccessConsent, nonce: str, now: datetime) -> dict[str, Any]:
    """OpenID Connect Core section 2; `sub` is the intent id, as OBIE has it, so no customer is named."""
    claims = {
        "iss": SANDBOX_ISSUER,
        "sub": consent.pk,
        "aud": client.client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + jose.LONGEST_LIFE).timestamp()),
        "acr": "urn:openbanking:psd2:sca",
        "openbanking_intent_id": consent.pk,
    }
    return claims | ({"nonce": nonce} if nonce else {})


def _answer(body: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    extra = {"Allow": "POST"} if status == 405 else {}
    return JsonResponse(
        body, status=status, headers={"Cache-Control": "no-store", "Pragma": "no-cache", **extra, **(headers or {})}
    )

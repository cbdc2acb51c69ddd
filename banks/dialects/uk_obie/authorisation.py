"""Consents at the bank and the customer's authorisation of them (UK Open Banking Security Profile, FAPI 1.0 Advanced).

Account access consents are lodged, read and deleted with a token of our own (client credentials); the customer's token
comes from the redirect. A request object is signed (RFC 9101), so nothing in the browser can widen what was asked.
"""

import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from urllib.parse import quote, urlencode

from banks.connector import ConnectorContext, Credentials, Link, StartedAuthorisation
from banks.dialects.oauth_client import (
    ERROR_CODES,
    REQUEST_OBJECT_LIFE,
    credentials_of,
    id_token_claims,
    new_pkce,
    request_token,
    sign,
)
from banks.dialects.uk_obie.codes import PERMISSIONS, Version
from banks.errors import (
    BankConsentEnded,
    BankError,
    BankFormatChanged,
    BankMisconfigured,
    BankRefused,
    ReauthorisationRequired,
)
from banks.http.answers import Answer
from banks.normalize.dates import DateRejected, instant
from banks.strict_json import JsonValue
from banks.types import BankConsentStatus, Resource

_SCOPE = "openid accounts"
_CONSENTS = "account-access-consents"


@dataclass(frozen=True, slots=True)
class BankConsent:
    """What the bank says of one consent now. `expires_at` None: open-ended."""

    id: str
    status: str
    expires_at: datetime | None


def permissions_for(resources: frozenset[Resource]) -> list[str]:
    """The permissions these resources need, sorted, and none besides.

    The profile wants an account permission in every consent, so ReadAccountsBasic is always there.
    """
    return sorted({code for resource in resources | {Resource.ACCOUNTS} for code in PERMISSIONS[resource]})


def headers(access_token: str, *, customer_ip_address: str | None = None) -> dict[str, str]:
    """Of every call but the token endpoint's; the interaction id is new each time.

    The customer's address goes along while they are present, and only then: its absence is what tells the bank that
    nobody is (Read/Write profile, "Request headers"). The optional x-customer-user-agent would say more of them than
    the bank needs.
    """
    sent = {"Authorization": f"Bearer {access_token}", "x-fapi-interaction-id": str(uuid.uuid4())}
    return sent if customer_ip_address is None else {**sent, "x-fapi-customer-ip-address": customer_ip_address}


def start(
    context: ConnectorContext,
    *,
    resources: frozenset[Resource],
    history_from: date | None,
    expires_at: datetime | None,
    state: str,
) -> StartedAuthorisation:
    """Lodge the consent and build the redirect. Raises BankMisconfigured when the bank refuses our request."""
    data: dict[str, JsonValue] = {"Permissions": list[JsonValue](permissions_for(resources))}
    if expires_at is not None:
        data["ExpirationDateTime"] = expires_at.astimezone(UTC).isoformat(timespec="seconds")
    if history_from is not None and Resource.TRANSACTIONS in resources:
        data["TransactionFromDateTime"] = datetime.combine(history_from, time(), UTC).isoformat(timespec="seconds")
    answer = context.http.post_json(
        _consents_url(context), {"Data": data, "Risk": {}}, headers=headers(_own_token(context))
    )
    if answer.status not in (200, 201):
        raise BankMisconfigured("consent_refused", upstream_status=answer.status)
    consent = _consent_of(answer)
    return _redirect(context, consent.id, state)


def _redirect(context: ConnectorContext, consent_id: str, state: str) -> StartedAuthorisation:
    institution = context.institution
    pkce, nonce = new_pkce(), secrets.token_urlsafe(24)
    issued_at = int(context.now.timestamp())
    request_object = sign(
        {
            "iss": institution.client_id,
            "aud": institution.issuer,
            "iat": issued_at,
            "nbf": issued_at,
            "exp": int((context.now + REQUEST_OBJECT_LIFE).timestamp()),
            "jti": secrets.token_urlsafe(24),
            "client_id": institution.client_id,
            "redirect_uri": institution.redirect_uri,
            "response_type": "code",
            "scope": _SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
            "claims": {"id_token": {"openbanking_intent_id": {"value": consent_id, "essential": True}}},
        },
        key=institution.signing_key,
        typ="oauth-authz-req+jwt",  # RFC 9101 section 10.8
    )
    query = urlencode(
        {
            "client_id": institution.client_id,
            "response_type": "code",
            "scope": _SCOPE,
            "request": request_object,
        }
    )
    separator = "&" if "?" in institution.authorization_url else "?"
    return StartedAuthorisation(
        redirect_to=f"{institution.authorization_url}{separator}{query}",
        bank_consent_id=consent_id,
        verifier=pkce.verifier,
        nonce=nonce,
    )


def finish(
    context: ConnectorContext, *, started: StartedAuthorisation, parameters: dict[str, str], version: Version
) -> Link:
    """Exchange the code. The caller has checked `state`.

    Raises BankRefused (an error came back, another issuer answered, or the code opens nothing), BankConsentEnded,
    BankFormatChanged.
    """
    # Before anything else in the answer is believed (RFC 9207 section 2.4): a code of another bank is never sent here.
    if parameters.get("iss") != context.institution.issuer:
        raise BankRefused("issuer_differs")
    error = parameters.get("error")
    if error is not None:
        raise BankRefused(error if error in ERROR_CODES else "other")
    code = parameters.get("code")
    if not code:
        raise BankFormatChanged("callback_without_code")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": context.institution.redirect_uri,
        "code_verifier": started.verifier,
    }
    try:
        answer = request_token(context, form)
    except ReauthorisationRequired as refusal:
        # There is no link yet that could be renewed; the customer starts again.
        raise BankRefused(refusal.reason, upstream_status=refusal.upstream_status) from None
    credentials = credentials_of(answer, now=context.now)
    _check_id_token(context, answer.get("id_token"), started)
    consent = read_consent(context, started.bank_consent_id, version)
    if consent.status not in version.consent_authorised:
        raise BankConsentEnded("not_authorised")
    return Link(
        credentials=credentials,
        bank_consent_id=consent.id,
        consent_expires_at=consent.expires_at,
        authentication_expires_at=None,  # the profile sets no such clock; what the bank's own is, it does not say
    )


def _check_id_token(context: ConnectorContext, token: JsonValue, started: StartedAuthorisation) -> None:
    """OpenID Connect Core 3.1.3.7, and the consent it speaks of (UK Security Profile, openbanking_intent_id)."""
    claims = id_token_claims(token)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    expires = claims.get("exp")
    if (
        claims.get("iss") != context.institution.issuer
        or audiences != [context.institution.client_id]
        or claims.get("nonce") != started.nonce
        or claims.get("openbanking_intent_id") not in (None, started.bank_consent_id)
        or not isinstance(expires, int)
        or expires <= context.now.timestamp()
    ):
        raise BankRefused("id_token_differs")


def refresh(context: ConnectorContext) -> Credentials:
    """Raises ReauthorisationRequired when the refresh token opens nothing any more, or there is none."""
    held = context.credentials.refresh_token if context.credentials else None
    if held is None:
        raise ReauthorisationRequired("no_refresh_token")
    answer = request_token(context, {"grant_type": "refresh_token", "refresh_token": held})
    return credentials_of(answer, now=context.now, kept_refresh=held)


def read_consent(context: ConnectorContext, consent_id: str, version: Version) -> BankConsent:
    """Raises BankConsentEnded when it does not exist, BankMisconfigured when we may not ask, BankFormatChanged."""
    answer = context.http.get_json(_consent_url(context, consent_id), headers=headers(_own_token(context)))
    if _is_unknown(answer, version):
        raise BankConsentEnded("unknown_consent", upstream_status=answer.status)
    if answer.status != 200:
        raise BankMisconfigured("consent_unreadable", upstream_status=answer.status)
    consent = _consent_of(answer)
    if consent.id != consent_id:
        raise BankFormatChanged("other_consent", upstream_status=answer.status)
    return consent


def consent_status(context: ConnectorContext, consent_id: str, version: Version) -> BankConsentStatus:
    """Raises as read_consent, but for a consent that does not exist: that one has ended."""
    try:
        consent = read_consent(context, consent_id, version)
    except BankConsentEnded:
        return BankConsentStatus(ended=True, expires_at=None)
    return BankConsentStatus(ended=_has_ended(consent, version, context.now), expires_at=consent.expires_at)


def _has_ended(consent: BankConsent, version: Version, now: datetime) -> bool:
    over = consent.expires_at is not None and consent.expires_at <= now
    return over or consent.status in version.consent_ended


def delete_consent(context: ConnectorContext, consent_id: str, version: Version) -> None:
    """Already gone counts as done. Raises BankMisconfigured."""
    answer = context.http.delete(_consent_url(context, consent_id), headers=headers(_own_token(context)))
    if answer.status not in (200, 204) and not _is_unknown(answer, version):
        raise BankMisconfigured("consent_not_deleted", upstream_status=answer.status)


def why_unauthorised(context: ConnectorContext, answer: Answer, version: Version) -> BankError:
    """What a refusal of the customer's whole access means, found by asking the bank for the consent's status."""
    if context.bank_consent_id is not None:
        try:
            consent = read_consent(context, context.bank_consent_id, version)
        except BankConsentEnded as ended:
            return ended
        if _has_ended(consent, version, context.now):
            return BankConsentEnded("ended", upstream_status=answer.status)
    if answer.status == 401 or version.reason_reauthenticate in reason_codes(answer):
        return ReauthorisationRequired("token_refused", upstream_status=answer.status)
    # The consent stands and the token is good: what is forbidden here is ours to mend, not the customer's.
    return BankMisconfigured("forbidden", upstream_status=answer.status)


def reason_codes(answer: Answer) -> frozenset[str]:
    """ErrorCode of each of Errors (OBErrorResponse1)."""
    body = answer.json if isinstance(answer.json, dict) else {}
    errors = body.get("Errors")
    found = [error.get("ErrorCode") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return frozenset(code for code in found if isinstance(code, str))


def _is_unknown(answer: Answer, version: Version) -> bool:
    # 404 by common sense; 400 with a reason by the Read/Write profile ("400 (Bad Request) v/s 404 (Not Found)").
    return answer.status == 404 or (answer.status == 400 and version.reason_not_found in reason_codes(answer))


def _own_token(context: ConnectorContext) -> str:
    try:
        answer = request_token(context, {"grant_type": "client_credentials", "scope": "accounts"})
    except ReauthorisationRequired as refusal:
        # Nobody can re-authorise us for ourselves.
        raise BankMisconfigured(refusal.reason, upstream_status=refusal.upstream_status) from None
    return credentials_of(answer, now=context.now).access_token


def _consents_url(context: ConnectorContext) -> str:
    return f"{context.institution.resource_url}/{_CONSENTS}"


def _consent_url(context: ConnectorContext, consent_id: str) -> str:
    return f"{_consents_url(context)}/{quote(consent_id, safe='')}"


def _consent_of(answer: Answer) -> BankConsent:
    body = answer.json if isinstance(answer.json, dict) else {}
    data = body.get("Data")
    members = data if isinstance(data, dict) else {}
    consent_id, status, expires = (members.get(name) for name in ("ConsentId", "Status", "ExpirationDateTime"))
    if not isinstance(consent_id, str) or not 0 < len(consent_id) <= 128 or not isinstance(status, str):
        raise BankFormatChanged("consent_answer", upstream_status=answer.status)
    return BankConsent(consent_id, status, _expiry(expires, answer))


def _expiry(value: JsonValue, answer: Answer) -> datetime | None:
    """None only when none is told: one that cannot be read must not pass for an open-ended consent."""
    if value is None:
        return None
    try:
        expires_at = instant(value) if isinstance(value, str) else None
    except DateRejected:
        expires_at = None
    if expires_at is None:
        raise BankFormatChanged("consent_expiry", upstream_status=answer.status)
    return expires_at

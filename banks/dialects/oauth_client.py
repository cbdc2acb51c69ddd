"""We as an OAuth client of a bank (FAPI 1.0 Advanced and FAPI 2.0, clause 5.3.3): signing, PKCE, the token endpoint.

It keeps nothing and decides no grant; what differs between standards is in their dialects. `aud` of everything signed
is the bank's issuer as one string, never an endpoint and never a list: what is signed for one bank is good at no other.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jwcrypto import jwk, jws
from jwcrypto.common import JWException

from banks.connector import ConnectorContext, Credentials, InstitutionProfile
from banks.errors import BankFormatChanged, BankMisconfigured, ReauthorisationRequired
from banks.http.answers import Answer
from banks.strict_json import JsonValue

#: Ahead of now, and within the 60 seconds that FAPI 2.0 allows an assertion; the bank's clock may run behind.
ASSERTION_LIFE = timedelta(seconds=55)
REQUEST_OBJECT_LIFE = timedelta(minutes=5)
_UNSTATED_TOKEN_LIFE = timedelta(minutes=5)
_TOKEN_LIFE_MAX = timedelta(days=366)

_ALGORITHM = {"EC": "ES256", "RSA": "PS256"}  # FAPI 1.0 Advanced section 8.6
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

#: What RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6 and RFC 9101 name; nothing else is repeated.
ERROR_CODES = frozenset(
    (
        "access_denied",
        "consent_required",
        "interaction_required",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_request_object",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    )
)


@dataclass(frozen=True, slots=True)
class Pkce:
    """RFC 7636, S256."""

    verifier: str
    challenge: str


def new_pkce() -> Pkce:
    verifier = secrets.token_urlsafe(32)
    return Pkce(verifier, _base64url(hashlib.sha256(verifier.encode()).digest()))


def sign(claims: Mapping[str, Any], *, key: str, typ: str) -> str:
    """A compact JWS by a private JWK (JSON): ES256 for EC keys, PS256 for RSA keys. Raises BankMisconfigured."""
    try:
        private = jwk.JWK.from_json(key)
        algorithm = _ALGORITHM[str(private["kty"])]
        signed = jws.JWS(json.dumps(claims).encode())
        header = {"alg": algorithm, "kid": str(private.get("kid") or private.thumbprint()), "typ": typ}
        signed.add_signature(private, alg=algorithm, protected=json.dumps(header))
        return str(signed.serialize(compact=True))
    except (JWException, ValueError, KeyError, TypeError):
        problem = BankMisconfigured("signing_key")
    raise problem  # out here: the library's exceptions may quote the key


def client_assertion(institution: InstitutionProfile, now: datetime) -> str:
    """private_key_jwt (RFC 7523 section 3): one use, good for 55 seconds."""
    claims = {
        "iss": institution.client_id,
        "sub": institution.client_id,
        "aud": institution.issuer,
        "iat": int(now.timestamp()),
        "exp": int((now + ASSERTION_LIFE).timestamp()),
        "jti": secrets.token_urlsafe(24),
    }
    return sign(claims, key=institution.signing_key, typ="JWT")


def request_token(context: ConnectorContext, form: Mapping[str, str]) -> dict[str, JsonValue]:
    """One call of the token endpoint, authenticated by private_key_jwt. Returns the answer's members.

    Raises ReauthorisationRequired for invalid_grant, BankMisconfigured for every other refusal, BankFormatChanged, and
    as BankClient does.
    """
    institution = context.institution
    sent = {
        **form,
        "client_id": institution.client_id,
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": client_assertion(institution, context.now),
    }
    answer = context.http.post_form(institution.token_url, sent)
    if answer.status == 200 and isinstance(answer.json, dict):
        return answer.json
    code = error_code(answer)
    if code == "invalid_grant":
        raise ReauthorisationRequired(code, upstream_status=answer.status)
    if answer.status < 400:
        raise BankFormatChanged("token_answer", upstream_status=answer.status)
    raise BankMisconfigured(code, upstream_status=answer.status)


def error_code(answer: Answer) -> str:
    """The OAuth error code, from the closed list; `other` for anything else."""
    code = answer.json.get("error") if isinstance(answer.json, dict) else None
    return code if isinstance(code, str) and code in ERROR_CODES else "other"


def credentials_of(answer: Mapping[str, JsonValue], *, now: datetime, kept_refresh: str | None = None) -> Credentials:
    """Credentials from a token answer (RFC 6749 section 5.1). `kept_refresh` stays good when no new one is sent (6).

    Raises BankFormatChanged.
    """
    access, kind, life = answer.get("access_token"), answer.get("token_type"), answer.get("expires_in")
    refresh = answer.get("refresh_token")
    if not isinstance(access, str) or not access or not isinstance(kind, str) or kind.lower() != "bearer":
        raise BankFormatChanged("token_answer")
    if refresh is not None and (not isinstance(refresh, str) or not refresh):
        raise BankFormatChanged("token_answer")
    if life is None:
        lives = _UNSTATED_TOKEN_LIFE
    elif isinstance(life, int) and not isinstance(life, bool) and 0 < life <= _TOKEN_LIFE_MAX.total_seconds():
        lives = timedelta(seconds=life)
    else:
        raise BankFormatChanged("expires_in")
    return Credentials(access_token=access, access_expires_at=now + lives, refresh_token=refresh or kept_refresh)


def id_token_claims(token: JsonValue) -> dict[str, Any]:
    """Claims of an ID token that came straight from the token endpoint over TLS.

    Its signature is not checked, as OpenID Connect Core 3.1.3.7 (6) allows on that way and on no other: never use this
    for a token that a browser carried. Raises BankFormatChanged.
    """
    claims: object = None
    if isinstance(token, str) and token.count(".") == 2:
        part = token.split(".")[1]
        try:
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (ValueError, RecursionError):
            claims = None
    if not isinstance(claims, dict):
        raise BankFormatChanged("id_token")
    return claims


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

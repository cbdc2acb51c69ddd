"""Signed JSON: what clients sign (client assertions, request objects) and what the bank signs (ID tokens).

Strict on purpose: compact form only, two algorithms, no `crit`, no doubled members. Everything that is wrong with a
token is a JoseError; its text is for the developer of the client and carries nothing of the token.
"""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import IntegrityError, transaction
from jwcrypto import jwk, jws
from jwcrypto.common import JWException, base64url_decode

from banks.sandbox import strictjson
from banks.sandbox.keyfiles import keep
from banks.sandbox.models import Client, UsedAssertion
from banks.sandbox.settings import SANDBOX_DATA_DIRECTORY, SANDBOX_ISSUER

#: FAPI 1.0 Advanced section 8.6: PS256 or ES256.
ALGORITHMS = ("ES256", "PS256")
_KEY_TYPE = {"ES256": "EC", "PS256": "RSA"}
_COMPACT = re.compile(r"[A-Za-z0-9_-]{2,2048}\.[A-Za-z0-9_-]{2,16384}\.[A-Za-z0-9_-]{2,1024}")
_LEEWAY = timedelta(seconds=60)
#: How far ahead a client assertion or request object may expire.
LONGEST_LIFE = timedelta(minutes=6)


class JoseError(Exception):
    """A signed object that the bank does not accept; str() says why."""


def client_of_assertion(token: str, now: datetime) -> Client:
    """The client that signed this assertion for us, now, for the first time (RFC 7523 section 3; FAPI 1.0 Advanced).

    iss = sub = client_id; aud is our issuer as one string; exp at most LONGEST_LIFE ahead; jti is used once.
    Raises JoseError.
    """
    client = _client(_unverified(token, 1).get("sub"))
    claims = verify(token, client)
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        raise JoseError("iss and sub are the client_id")
    check_audience_and_times(claims, now)
    _use_once(client, claims.get("jti"), _instant(claims["exp"], "exp"), now)
    return client


def verify(token: str, client: Client) -> dict[str, Any]:
    """Claims of a JWS that `client` signed. Raises JoseError. Says nothing of aud and times: the caller checks them."""
    header = _unverified(token, 0)
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise JoseError("alg is ES256 or PS256")
    if "crit" in header or "b64" in header:
        raise JoseError("crit is not supported")
    key = _key(client, header.get("kid"), _KEY_TYPE[algorithm])
    signed = jws.JWS()
    signed.allowed_algs = [algorithm]
    try:
        signed.deserialize(token, key)
        return _object(signed.payload)
    except (JWException, ValueError, TypeError) as error:
        raise JoseError("the signature does not verify") from error


def check_audience_and_times(claims: dict[str, Any], now: datetime) -> None:
    """aud is exactly our issuer, never a list; exp is required, ahead, and near. Raises JoseError."""
    if claims.get("aud") != SANDBOX_ISSUER:
        raise JoseError("aud is the issuer, as one string")
    expires_at = _instant(claims.get("exp"), "exp")
    if expires_at <= now:
        raise JoseError("exp has passed")
    if expires_at > now + LONGEST_LIFE:
        raise JoseError("exp is more than six minutes ahead")
    for name in ("nbf", "iat"):
        if name in claims and _instant(claims[name], name) > now + _LEEWAY:
            raise JoseError(f"{name} is in the future")


def sign(claims: dict[str, Any]) -> str:
    """A compact JWS by the bank's own key."""
    key = _signing_key()
    signed = jws.JWS(json.dumps(claims))
    signed.add_signature(key, protected={"alg": "ES256", "kid": key.thumbprint(), "typ": "JWT"})
    return str(signed.serialize(compact=True))


def public_jwks() -> dict[str, Any]:
    """The bank's JWK Set, for jwks_uri."""
    key = _signing_key()
    return {"keys": [key.export_public(as_dict=True) | {"kid": key.thumbprint(), "use": "sig", "alg": "ES256"}]}


@lru_cache(maxsize=1)
def _signing_key() -> jwk.JWK:
    path = SANDBOX_DATA_DIRECTORY / "signing_key.json"
    return jwk.JWK.from_json(keep(path, lambda: str(jwk.JWK.generate(kty="EC", crv="P-256").export())))


def _client(client_id: object) -> Client:
    client = Client.objects.filter(pk=client_id).first() if isinstance(client_id, str) else None
    if client is None:
        raise JoseError("unknown client")
    return client


def _unverified(token: str, part: int) -> dict[str, Any]:
    """Header (0) or claims (1) before any signature was checked: good for choosing a key, for nothing else."""
    if not _COMPACT.fullmatch(token):
        raise JoseError("not a signed JWT in compact form")
    try:
        return _object(base64url_decode(token.split(".")[part]))
    except ValueError as error:
        raise JoseError("not a JSON object") from error


def _object(data: bytes) -> dict[str, Any]:
    value = strictjson.read(data)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _key(client: Client, kid: object, kty: str) -> jwk.JWK:
    fitting = [key for key in client.jwks["keys"] if key.get("kty") == kty and kid in (None, key.get("kid"))]
    if len(fitting) != 1:
        raise JoseError("kid names no single key of this client")
    return jwk.JWK(**fitting[0])


def _instant(value: object, name: str) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise JoseError(f"{name} is a number of seconds")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise JoseError(f"{name} is out of range") from error


def _use_once(client: Client, jti: object, expires_at: datetime, now: datetime) -> None:
    if not isinstance(jti, str) or not 1 <= len(jti) <= 256:
        raise JoseError("jti is a text of 1 to 256 characters")
    UsedAssertion.objects.filter(expires_at__lt=now - _LEEWAY).delete()
    jti_hash = hashlib.sha256(jti.encode()).hexdigest()
    try:
        with transaction.atomic():
            UsedAssertion.objects.create(client=client, jti_hash=jti_hash, expires_at=expires_at)
    except IntegrityError as error:
        raise JoseError("jti was used before") from error

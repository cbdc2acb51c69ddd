"""Codes, access tokens and refresh tokens: minted, redeemed, rotated and revoked here and nowhere else.

All that comes of one authorization is a family. A code used twice, or a refresh token used twice, ends the family.
"""

import base64
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from banks.sandbox.models import (
    AccessToken,
    AccountAccessConsent,
    AuthorizationCode,
    AuthorizationRequest,
    Client,
    ConsentStatus,
    RefreshToken,
)

CODE_LIFE = timedelta(seconds=60)
ACCESS_TOKEN_LIFE = timedelta(minutes=10)


class InvalidGrant(Exception):
    """The code or refresh token does not open anything (RFC 6749 section 5.2); str() says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a token answer carries. `refresh_token` None: a client's own token. `expires_in` in seconds."""

    access_token: str
    expires_in: int
    scope: str
    refresh_token: str | None = None
    consent: AccountAccessConsent | None = None
    nonce: str = ""


def digest(secret: str) -> str:
    """How a code or token is stored. Plain SHA-256 will do: the values are 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def issue_code(request: AuthorizationRequest, now: datetime) -> str:
    """A fresh code for a request the customer allowed."""
    code = secrets.token_urlsafe(32)
    AuthorizationCode.objects.create(
        code_hash=digest(code),
        family=uuid.uuid4(),
        client=request.client,
        consent=request.consent,
        redirect_uri=request.redirect_uri,
        nonce=request.nonce,
        scope=request.scope,
        code_challenge=request.code_challenge,
        expires_at=now + CODE_LIFE,
    )
    return code


def issue_client_token(client: Client, now: datetime) -> Tokens:
    """A client's own token: opens account-access-consents, no customer's resource."""
    return _access(client=client, consent=None, family=uuid.uuid4(), scope="accounts", now=now)


def redeem_code(*, client: Client, code: str, redirect_uri: str, verifier: str, now: datetime) -> Tokens:
    """Tokens for a code. Raises InvalidGrant.

    Whose code it is, where it was sent and the verifier are checked before it is spent: a thief must not be able to
    burn it. A code that comes a second time ends the tokens minted from it (RFC 6749 section 4.1.2).
    """
    grant = AuthorizationCode.objects.select_related("consent").filter(pk=digest(code), client=client).first()
    if grant is None:
        raise InvalidGrant("unknown code")
    if grant.redirect_uri != redirect_uri:
        raise InvalidGrant("redirect_uri is not the one of the authorization request")
    if not hmac.compare_digest(_challenge(verifier), grant.code_challenge):
        raise InvalidGrant("code_verifier does not fit the code_challenge")
    with transaction.atomic():
        first = AuthorizationCode.objects.filter(pk=grant.pk, used_at=None).update(used_at=now)
        if first and grant.expires_at > now:
            _require_authorised(grant.consent, now)
            return _pair(client, grant.consent, grant.family, grant.scope, grant.nonce, now)
    if not first:
        # Outside the block above: what is refused must still be revoked.
        revoke_family(grant.family, now)
        raise InvalidGrant("the code was used before; its tokens are revoked")
    raise InvalidGrant("the code has expired")


def rotate(*, client: Client, refresh_token: str, now: datetime) -> Tokens:
    """New tokens for a refresh token, which is spent by this. Raises InvalidGrant."""
    old = RefreshToken.objects.select_related("consent").filter(pk=digest(refresh_token), client=client).first()
    if old is None or old.revoked_at is not None:
        raise InvalidGrant("unknown or revoked refresh token")
    with transaction.atomic():
        first = RefreshToken.objects.filter(pk=old.pk, used_at=None, revoked_at=None).update(used_at=now)
        if first:
            consent = AccountAccessConsent.objects.get(pk=old.consent.pk)
            _require_authorised(consent, now)
            AccessToken.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()
            return _pair(client, consent, old.family, old.scope, "", now)
    revoke_family(old.family, now)
    raise InvalidGrant("the refresh token was used before; all tokens that came of it are revoked")


def revoke_family(family: uuid.UUID, now: datetime) -> None:
    """End every token that came of one authorization."""
    AccessToken.objects.filter(family=family, revoked_at=None).update(revoked_at=now)
    RefreshToken.objects.filter(family=family, revoked_at=None).update(revoked_at=now)


def revoke_consent_tokens(consent: AccountAccessConsent, now: datetime) -> None:
    """End every token and every unused code of a consent that is no more."""
    AccessToken.objects.filter(consent=consent, revoked_at=None).update(revoked_at=now)
    RefreshToken.objects.filter(consent=consent, revoked_at=None).update(revoked_at=now)
    AuthorizationCode.objects.filter(consent=consent, used_at=None).update(used_at=now)


def _require_authorised(consent: AccountAccessConsent, now: datetime) -> None:
    if consent.deleted_at is not None or consent.status_at(now) is not ConsentStatus.AUTH:
        raise InvalidGrant("the account access consent is not authorised")


def _pair(
    client: Client, consent: AccountAccessConsent, family: uuid.UUID, scope: str, nonce: str, now: datetime
) -> Tokens:
    refresh_token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(
        token_hash=digest(refresh_token), family=family, client=client, consent=consent, scope=scope
    )
    access = _access(client=client, consent=consent, family=family, scope=scope, now=now)
    return Tokens(
        access_token=access.access_token,
        expires_in=access.expires_in,
        scope=scope,
        refresh_token=refresh_token,
        consent=consent,
        nonce=nonce,
    )


def _access(
    *, client: Client, consent: AccountAccessConsent | None, family: uuid.UUID, scope: str, now: datetime
) -> Tokens:
    expires_at = now + ACCESS_TOKEN_LIFE
    token = secrets.token_urlsafe(32)
    AccessToken.objects.create(
        token_hash=digest(token), family=family, client=client, consent=consent, scope=scope, expires_at=expires_at
    )
    return Tokens(access_token=token, expires_in=int(ACCESS_TOKEN_LIFE.total_seconds()), scope=scope)


def _challenge(verifier: str) -> str:
    """BASE64URL(SHA256(verifier)) without padding (RFC 7636 section 4.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()

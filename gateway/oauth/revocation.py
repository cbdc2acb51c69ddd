"""RFC 7009: a platform gives up tokens. The consent stays; ending that is another door."""

from datetime import datetime

from django.db import transaction

from consents import audit
from consents.audit import Actor
from consents.models import AccessToken, Platform, RefreshToken
from consents.models.tokens import digest
from consents.states import Initiator
from gateway.oauth import platform_tokens
from gateway.oauth.locks import locked_consent


def revoke(token: str, platform: Platform, *, now: datetime, request_id: str) -> bool:
    """Whether anything ended. A refresh token takes every access token of its grant along; an access token only itself.

    Unknown and another platform's are one case, and no error (RFC 7009 section 2.2).
    """
    checksum = digest(token)
    with transaction.atomic():
        return (
            _ended(RefreshToken, checksum, platform, now, request_id)
            or _ended(AccessToken, checksum, platform, now, request_id)
            or platform_tokens.give_up(token, platform)
        )


def _ended(
    kind: type[AccessToken] | type[RefreshToken], checksum: str, platform: Platform, now: datetime, request_id: str
) -> bool:
    own = kind.objects.filter(token_checksum=checksum, application=platform)
    consent_id = own.values_list("consent_id", flat=True).first()
    consent = locked_consent(consent_id) if consent_id else None
    stored = own.first()  # again, under the consent's lock
    if consent is None or stored is None:
        return False
    if kind is RefreshToken:
        AccessToken.objects.filter(consent=consent, grant=stored.grant).delete()
    own.delete()
    audit.record(
        "token.revoked",
        actor=Actor(initiator=Initiator.PLATFORM, request_id=request_id),
        now=now,
        user_pseudonym=consent.user.pseudonym,
        consent_id=consent.id,
        platform_id=platform.id,
        reason_code="refresh_token" if kind is RefreshToken else "access_token",
    )
    return True

"""RFC 7662: what one of a platform's own tokens is worth. Whatever is not its own, or is over, is one answer.

`active` says what section 2.2 of the RFC has it say: issued here, not revoked, within its time. A token whose consent
is paused or suspended is all of that, though it opens nothing for now; `consent_status` says so. Told inactive, a
platform would throw it away and ask its user again.
"""

from datetime import datetime

from consents.models import AccessToken, Consent, Platform, RefreshToken
from consents.models.tokens import digest
from consents.states import LIVE_CONSENTS
from gateway import pairwise
from gateway.oauth import addresses, authorization_details, platform_tokens

Body = dict[str, object]
INACTIVE: Body = {"active": False}


def introspect(token: str, platform: Platform, *, now: datetime) -> Body:
    """Members of RFC 7662 section 2.2 and RFC 9396 section 9.2. No `sub`, no `username`: nothing of the person."""
    checksum = digest(token)
    return (
        _access(checksum, platform, now) or _refresh(checksum, platform, now) or _own(token, platform, now) or INACTIVE
    )


def _access(checksum: str, platform: Platform, now: datetime) -> Body | None:
    rows = AccessToken.objects.select_related("consent__user", "consent__platform")
    row = rows.filter(token_checksum=checksum, application=platform).first()
    if row is None or row.expires <= now or not _lives(row.consent, now):
        return None
    return {
        **_of_consent(row.consent),
        "token_type": "Bearer",
        "aud": row.resource,
        "iat": int(row.created.timestamp()),
        "exp": int(row.expires.timestamp()),
    }


def _refresh(checksum: str, platform: Platform, now: datetime) -> Body | None:
    rows = RefreshToken.objects.select_related("consent__user", "consent__platform")
    row = rows.filter(token_checksum=checksum, application=platform, revoked=None).first()
    if row is None or not _lives(row.consent, now):
        return None
    return {
        **_of_consent(row.consent),
        "iat": int(row.created.timestamp()),
        "exp": int(row.consent.expires_at.timestamp()),
    }


def _own(token: str, platform: Platform, now: datetime) -> Body | None:
    found = platform_tokens.known(token, now=now)
    if found is None or found.platform.id != platform.id:
        return None
    return {
        **_always(platform),
        "token_type": "Bearer",
        "aud": [addresses.resource()],
        "iat": int(found.created_at.timestamp()),
        "exp": int(found.expires_at.timestamp()),
    }


def _lives(consent: Consent, now: datetime) -> bool:
    return consent.status in LIVE_CONSENTS and not consent.is_expired(now) and consent.user.is_active


def _of_consent(consent: Consent) -> Body:
    return {
        **_always(consent.platform),
        "scope": " ".join(sorted(consent.scopes)),
        "authorization_details": authorization_details.granted(consent),
        "grant_id": pairwise.encode("con", consent.platform_id, consent.id),
        "consent_status": consent.status,
    }


def _always(platform: Platform) -> Body:
    return {"active": True, "iss": addresses.issuer(), "client_id": platform.client_id}

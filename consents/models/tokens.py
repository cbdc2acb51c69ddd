"""The toolkit's six swappable models, each pointing at the consent that every request checks.

A token opens nothing by itself. Access and refresh tokens are stored as SHA-256 by the toolkit (gate TOKEN_STORAGE);
it leaves authorization codes in the clear, so Grant's manager hashes them.
"""

import hashlib
import uuid
from typing import Any

from django.db import models
from oauth2_provider.models import (
    AbstractAccessToken,
    AbstractDeviceGrant,
    AbstractGrant,
    AbstractIDToken,
    AbstractRefreshToken,
)


def digest(secret: str) -> str:
    """SHA-256, hex: enough for random secrets of 128 bits and more, and cheap on the token path."""
    return hashlib.sha256(secret.encode()).hexdigest()


class HashedCodes(models.Manager[Any]):
    """Stores and finds SHA-256(code). The toolkit only ever looks codes up by `code=` through these three."""

    def _hashed(self, criteria: dict[str, Any]) -> dict[str, Any]:
        return {**criteria, "code": digest(criteria["code"])} if criteria.get("code") else criteria

    def filter(self, *args: Any, **criteria: Any) -> models.QuerySet[Any]:
        return super().filter(*args, **self._hashed(criteria))

    def get(self, *args: Any, **criteria: Any) -> Any:
        return super().get(*args, **self._hashed(criteria))

    def create(self, **values: Any) -> Any:
        return super().create(**self._hashed(values))


class ConsentBound(models.Model):
    consent = models.ForeignKey("consents.Consent", models.CASCADE, related_name="+")

    class Meta:
        abstract = True


class Grant(ConsentBound, AbstractGrant):
    """An authorization code: 60 seconds, one use. `used_at` stays, so that a replay is recognised."""

    used_at = models.DateTimeField(null=True)

    objects = HashedCodes()

    class Meta(AbstractGrant.Meta):
        swappable = "OAUTH2_PROVIDER_GRANT_MODEL"

    def __str__(self) -> str:
        return str(self.pk)


class AccessToken(ConsentBound, AbstractAccessToken):
    application = models.ForeignKey("consents.Platform", models.CASCADE, related_name="+")
    #: The code it came from, so that a replayed code ends what it minted (RFC 6749 section 4.1.2).
    grant = models.ForeignKey("consents.Grant", models.SET_NULL, null=True, related_name="+")

    class Meta(AbstractAccessToken.Meta):
        swappable = "OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL"

    def __str__(self) -> str:
        return str(self.pk)


class RefreshToken(ConsentBound, AbstractRefreshToken):
    """Does not rotate: clients authenticate, and rotation loses tokens in races. It ends with its consent."""

    scope = models.TextField(blank=True)
    grant = models.ForeignKey("consents.Grant", models.SET_NULL, null=True, related_name="+")

    class Meta(AbstractRefreshToken.Meta):
        swappable = "OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL"

    def __str__(self) -> str:
        return str(self.pk)


class IDToken(AbstractIDToken):
    """Unused: OpenID Connect stays off. Swapped because the toolkit's own table would be created otherwise."""

    class Meta(AbstractIDToken.Meta):
        swappable = "OAUTH2_PROVIDER_ID_TOKEN_MODEL"

    def __str__(self) -> str:
        return str(self.pk)


class DeviceGrant(ConsentBound, AbstractDeviceGrant):
    """Unused until the device flow is offered; unswapped it would leave a table of codes in the clear."""

    class Meta(AbstractDeviceGrant.Meta):
        swappable = "OAUTH2_PROVIDER_DEVICE_GRANT_MODEL"

    def __str__(self) -> str:
        return str(self.pk)


class PlatformToken(models.Model):
    """A platform's own token, for what is no customer's (RFC 6749 section 4.4). Kept apart from AccessToken: no query
    for the one can find the other, and a token that opens data always points at a consent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token_digest = models.CharField(max_length=64, unique=True)
    platform = models.ForeignKey("consents.Platform", models.CASCADE, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="platform_token_expired")]

    def __str__(self) -> str:
        return str(self.id)

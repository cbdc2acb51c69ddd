"""Third parties, and what a bank or they themselves declared so that on-platform rows can be told apart."""

import uuid
from typing import Any

from django.db import models
from oauth2_provider.models import AbstractApplication

from consents.states import PlatformStatus


class PlatformProfile(models.TextChoices):
    """Security profile: RFC 9700 (`standard`) or FAPI 2.0 (`fapi2`)."""

    STANDARD = "standard"
    FAPI2 = "fapi2"


class Platform(AbstractApplication):
    """An OAuth client and the company behind it (RFC 7591, FDX). Written by consents.platforms alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)  # type: ignore[assignment]
    legal_name = models.CharField(max_length=200, blank=True)
    client_uri = models.URLField(blank=True)
    status = models.CharField(max_length=20, choices=[(s, s) for s in PlatformStatus], default=PlatformStatus.PENDING)
    status_reason = models.CharField(max_length=60, blank=True)
    profile = models.CharField(max_length=20, choices=PlatformProfile.choices, default=PlatformProfile.STANDARD)
    purposes = models.JSONField(default=list)
    #: No advertising, no profiling for sale, no onward sharing: said at registration and again every 12 months.
    attested_at = models.DateTimeField(null=True)
    is_sandbox = models.BooleanField(default=False)
    #: Names under which it takes payments, as it says itself; a bank approves them one by one (ApprovedMerchant).
    merchant_names = models.JSONField(default=list, db_default=[])
    status_changed_at = models.DateTimeField(null=True)

    class Meta(AbstractApplication.Meta):
        swappable = "OAUTH2_PROVIDER_APPLICATION_MODEL"
        constraints = [
            models.CheckConstraint(
                name="platform_is_confidential", condition=models.Q(client_type=AbstractApplication.CLIENT_CONFIDENTIAL)
            ),
            models.CheckConstraint(name="platform_never_skips_consent", condition=models.Q(skip_authorization=False)),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def is_usable(self, request: Any) -> bool:
        """The toolkit's hook: asked whenever a client is loaded."""
        return self.status == PlatformStatus.ACTIVE


class ApprovedMerchant(models.Model):
    """A merchant identity that a bank approved as this platform's own: what makes a row on-platform."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, models.CASCADE, related_name="+")
    institution_id = models.UUIDField()
    merchant_key = models.CharField(max_length=140)
    approved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "institution_id", "merchant_key"], name="approved_merchant_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class LodgedReference(models.Model):
    """A payment reference a platform lodged before the payment was booked. Only its digest is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, models.CASCADE, related_name="+")
    reference_digest = models.CharField(max_length=64)
    lodged_at = models.DateTimeField()
    lodged_on = models.DateField()  #: the UTC day of lodging: a row listed before it cannot be claimed afterwards

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "reference_digest"], name="lodged_reference_once")]

    def __str__(self) -> str:
        return str(self.id)

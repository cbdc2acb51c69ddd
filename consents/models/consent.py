"""The user's authorisation of a platform. Rows are written by consents.lifecycle and by nothing else."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models

from consents.scopes import DurationType, LocationPrecision
from consents.states import ConsentAccountStatus, ConsentStatus, Initiator


class Consent(models.Model):
    """What one user said to one platform (FDX ConsentGrant, ISO/IEC TS 27560). Its id is the OAuth grant id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    platform = models.ForeignKey("consents.Platform", models.PROTECT, related_name="+")

    status = models.CharField(
        max_length=30, choices=[(s, s) for s in ConsentStatus], default=ConsentStatus.AWAITING_AUTHORISATION
    )
    status_reason = models.CharField(max_length=60, blank=True)
    status_initiator = models.CharField(max_length=10, choices=[(i, i) for i in Initiator], default=Initiator.PLATFORM)
    status_changed_at = models.DateTimeField()
    #: Where a SUSPENDED consent returns to when it is lifted: AUTHORISED or PAUSED; "" in every other status.
    status_before = models.CharField(max_length=30, blank=True, default="", db_default="")

    scopes = models.JSONField(default=list)
    #: Of the scopes asked, those the platform can do without; the user ticks them one by one.
    optional_scopes = models.JSONField(default=list, db_default=[])
    purposes = models.JSONField(default=list)
    duration_type = models.CharField(
        max_length=20, choices=[(d, d) for d in DurationType], default=DurationType.TIME_BOUND
    )
    duration_days = models.PositiveIntegerField(null=True)
    history_from = models.DateField(null=True)
    location_precision = models.CharField(max_length=10, null=True, choices=[(p, p) for p in LocationPrecision])
    on_platform_only = models.BooleanField(default=False)
    hidden_groups = models.JSONField(default=list)

    created_at = models.DateTimeField()
    authorised_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    #: The last of 30, 7 and 1 days before its end that was announced; null: none yet.
    expiry_announced_days = models.PositiveIntegerField(null=True)
    #: Raised by every change: a permit or a cursor made from an older revision no longer fits.
    revision = models.PositiveIntegerField(default=1)

    #: What the user was shown, so that a receipt can be rendered again exactly.
    disclosure_version = models.CharField(max_length=20, blank=True)
    disclosure_sha256 = models.CharField(max_length=64, blank=True)
    disclosure_locale = models.CharField(max_length=12, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-created_at"], name="consent_by_user"),
            models.Index(fields=["platform", "status"], name="consent_by_platform"),
            models.Index(fields=["platform", "-created_at", "-id"], name="consent_newest"),
            models.Index(fields=["status", "expires_at"], name="consent_due"),
            models.Index(fields=["ended_at"], name="consent_ended"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def is_expired(self, now: datetime) -> bool:
        """By the clock, whatever the status says."""
        return self.expires_at <= now


class ConsentAccount(models.Model):
    """One account under one consent, with a status of its own: a bank's hand reaches only its own accounts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    consent = models.ForeignKey(Consent, models.CASCADE, related_name="+")
    account_id = models.UUIDField()
    connection_id = models.UUIDField()
    institution_id = models.UUIDField()
    status = models.CharField(
        max_length=20, choices=[(s, s) for s in ConsentAccountStatus], default=ConsentAccountStatus.ACTIVE
    )
    added_at = models.DateTimeField()
    status_reason = models.CharField(max_length=60, blank=True, default="", db_default="")
    #: consents.states.Initiator; "" as long as nobody changed the status.
    status_initiator = models.CharField(max_length=10, blank=True, default="", db_default="")
    status_changed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consent", "account_id"], name="consent_account_once")]
        indexes = [
            models.Index(fields=["connection_id", "status"], name="consent_account_by_connection"),
            models.Index(fields=["institution_id", "status"], name="consent_account_by_bank"),
        ]

    def __str__(self) -> str:
        return str(self.id)

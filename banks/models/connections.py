"""Links to banks: made, held, and ended at the bank."""

import uuid

from django.conf import settings
from django.db import models

from banks.models.institutions import Institution
from consents.states import ConnectionStatus


class Connection(models.Model):
    """The bank's authorisation of us for one user: its own status, clocks and credentials."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    institution = models.ForeignKey(Institution, models.PROTECT, related_name="+")
    status = models.CharField(
        max_length=20, choices=[(s, s) for s in ConnectionStatus], default=ConnectionStatus.ACTIVE
    )
    status_reason = models.CharField(max_length=60, blank=True)
    bank_consent_id = models.CharField(max_length=128, blank=True)
    #: What the bank's consent covers (banks.types.Resource): narrower needs fetch less, wider ones ask the bank again.
    resources = models.JSONField(default=list)
    history_from = models.DateField(null=True)
    authentication_expires_at = models.DateTimeField(null=True)
    consent_expires_at = models.DateTimeField(null=True)

    #: This connection's data key, wrapped by the vault's ring; destroying it destroys all that it sealed.
    wrapped_key = models.BinaryField()
    sealed_credentials = models.BinaryField(null=True)
    sealed_state = models.BinaryField(null=True)
    #: Set and committed before a one-time refresh token is used; found set at the next start, the outcome is unknown.
    refresh_started_at = models.DateTimeField(null=True)

    #: Assigned to changed rows under this row's lock, so that a delta cursor never skips a late commit.
    change_sequence = models.PositiveBigIntegerField(default=0)
    last_succeeded_at = models.DateTimeField(null=True)
    last_failed_at = models.DateTimeField(null=True)
    #: When the next scheduled sync is due; null: nothing is scheduled.
    next_sync_at = models.DateTimeField(null=True)
    #: When the bank was last asked whether its consent stands.
    checked_at = models.DateTimeField(null=True)
    #: Days before the end of the bank's consent that were announced last (30, 7, 1).
    expiry_announced_days = models.PositiveSmallIntegerField(null=True)
    #: Since when no live consent needs it; null: one does.
    unneeded_at = models.DateTimeField(null=True)
    #: When rows were purged and the data key destroyed.
    purged_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["user", "institution"], name="connection_by_user"),
            models.Index(fields=["next_sync_at"], name="connection_due"),
            models.Index(fields=["checked_at"], name="connection_checked"),
            models.Index(fields=["status", "unneeded_at"], name="connection_unneeded"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class LinkAttempt(models.Model):
    """A redirect to a bank that has not come back yet: one use, ten minutes, bound to session, user and bank."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state_digest = models.CharField(max_length=64, unique=True)
    session_digest = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    institution = models.ForeignKey(Institution, models.CASCADE, related_name="+")
    #: The question it belongs to; null: the user renews a connection, and no consent is asked for.
    consent_id = models.UUIDField(null=True)
    renewed_connection_id = models.UUIDField(null=True)
    resources = models.JSONField(default=list)
    history_from = models.DateField(null=True)
    bank_consent_id = models.CharField(max_length=128)
    sealed_secrets = models.BinaryField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    #: Where it led: the connection that the callback made or renewed, and the accounts the bank showed.
    connection_id = models.UUIDField(null=True)
    account_ids = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["consent_id", "-created_at"], name="link_attempt_by_consent")]

    def __str__(self) -> str:
        return str(self.id)


class UpstreamEndingStatus(models.TextChoices):
    """PENDING -> LEASED -> DONE | PENDING (again later) | IMPOSSIBLE."""

    PENDING = "PENDING"
    LEASED = "LEASED"
    DONE = "DONE"
    IMPOSSIBLE = "IMPOSSIBLE"


class UpstreamEnding(models.Model):
    """A consent at a bank that is to be deleted there: retried until it confirms, or declared impossible."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Institution, models.CASCADE, related_name="+")
    bank_consent_id = models.CharField(max_length=128)
    connection_id = models.UUIDField(null=True)  #: null: no connection came of it
    reason = models.CharField(max_length=60)
    status = models.CharField(max_length=12, choices=UpstreamEndingStatus.choices, default=UpstreamEndingStatus.PENDING)
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["institution", "bank_consent_id"], name="upstream_ending_once")]
        indexes = [models.Index(fields=["status", "next_attempt_at"], name="upstream_ending_due")]

    def __str__(self) -> str:
        return str(self.id)

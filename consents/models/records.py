"""What happened: audit entries, events, and the log of every read."""

import uuid

from django.db import models

from consents.events import EventType
from consents.states import Initiator


class AuditEntry(models.Model):
    """Append-only. People appear as pseudonyms whose link to them is destroyed on erasure.

    Sealed in batches (`consents.audit.seal`): inline chaining would make every writer wait for the last.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.CharField(max_length=60)
    initiator = models.CharField(max_length=10, choices=[(i, i) for i in Initiator])
    actor_pseudonym = models.UUIDField(null=True)
    user_pseudonym = models.UUIDField(null=True)
    consent_id = models.UUIDField(null=True)
    platform_id = models.UUIDField(null=True)
    institution_id = models.UUIDField(null=True)
    from_status = models.CharField(max_length=30, blank=True)
    to_status = models.CharField(max_length=30, blank=True)
    reason_code = models.CharField(max_length=60, blank=True)
    details = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    occurred_at = models.DateTimeField()

    sequence = models.PositiveBigIntegerField(null=True, unique=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["occurred_at"], name="audit_unsealed", condition=models.Q(sequence=None)),
            models.Index(fields=["consent_id", "occurred_at"], name="audit_by_consent"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Event(models.Model):
    """Written in the transaction it reports: the outbox everyone claims from. Ids and codes only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    type = models.CharField(max_length=60, choices=[(t, t) for t in EventType])
    platform_id = models.UUIDField(null=True)
    consent_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    connection_id = models.UUIDField(null=True)
    details = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["platform_id", "occurred_at"], name="event_by_platform")]

    def __str__(self) -> str:
        return str(self.id)


class UsageRow(models.Model):
    """One read, for the person it is about; committed before the answer leaves.

    Made for monthly partitions that are dropped whole after 13 months: the key and every index lead with month and
    user, and no foreign key points here or away.
    """

    pk = models.CompositePrimaryKey("month", "user_id", "id")
    month = models.DateField()  #: first day of the month of `read_at`, in UTC
    user_id = models.UUIDField()
    id = models.UUIDField(default=uuid.uuid4)
    consent_id = models.UUIDField()
    platform_id = models.UUIDField()
    institution_id = models.UUIDField(null=True)
    account_id = models.UUIDField(null=True)
    record = models.CharField(max_length=20)
    purpose = models.CharField(max_length=30)
    scopes = models.JSONField(default=list)
    rows = models.PositiveIntegerField()
    attended = models.BooleanField(default=False)
    #: consents.scopes.Presence, as the bank took it; null in rows of an earlier release, which know `attended` alone.
    presence = models.CharField(max_length=10, null=True)
    request_id = models.CharField(max_length=64)
    read_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["month", "user_id", "-read_at"], name="usage_by_user"),
            models.Index(fields=["month", "user_id", "consent_id", "-read_at"], name="usage_by_consent"),
        ]

    def __str__(self) -> str:
        return str(self.id)

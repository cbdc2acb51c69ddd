"""What happened: audit entries, events, and the log of every read."""

import uuid

from django.db import models

from consents.events import EventType
from consents.states import Initiator, ReportCode


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
            models.Index(fields=["institution_id", "-occurred_at"], name="audit_by_bank"),
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
    #: When it was laid into the logs of the platforms concerned (Delivery); null: not yet.
    spread_at = models.DateTimeField(null=True)
    #: When the person concerned was told by mail, or it was found that there is nothing to tell; null: not yet.
    noticed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["platform_id", "occurred_at"], name="event_by_platform"),
            models.Index(fields=["occurred_at"], name="event_not_spread", condition=models.Q(spread_at=None)),
            models.Index(fields=["occurred_at"], name="event_not_noticed", condition=models.Q(noticed_at=None)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class EventLog(models.Model):
    """One platform's log of events: its row is locked while numbers are given out, so a reader never skips one."""

    platform = models.OneToOneField("consents.Platform", models.CASCADE, primary_key=True, related_name="+")
    last_sequence = models.PositiveBigIntegerField(default=0)
    acknowledged_sequence = models.PositiveBigIntegerField(default=0)
    acknowledged_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.platform_id)


class Delivery(models.Model):
    """One event in one platform's log, under the consent it concerns. Whether it is told is decided when it is read."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform_id = models.UUIDField()
    sequence = models.PositiveBigIntegerField()
    event = models.ForeignKey(Event, models.CASCADE, related_name="+")
    consent_id = models.UUIDField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform_id", "sequence"], name="delivery_in_order")]
        indexes = [models.Index(fields=["created_at"], name="delivery_age")]

    def __str__(self) -> str:
        return str(self.id)


class Revocation(models.Model):
    """How the end of one consent went on, step by step, each with its instant (null: not yet).

    TOKENS_DEAD and SERVING_STOPPED are of the transaction that ended it; the others follow.
    """

    consent = models.OneToOneField("consents.Consent", models.CASCADE, primary_key=True, related_name="+")
    initiator = models.CharField(max_length=10, choices=[(i, i) for i in Initiator])
    reason = models.CharField(max_length=60)
    #: The user does not want the 24 hours in which who changes their mind loses nothing.
    deletes_at_once = models.BooleanField(default=False)
    requested_at = models.DateTimeField()
    tokens_dead_at = models.DateTimeField(null=True)
    serving_stopped_at = models.DateTimeField(null=True)
    purged_at = models.DateTimeField(null=True)
    #: consents.states.UpstreamStage; "" while nothing is known yet.
    upstream_stage = models.CharField(max_length=20, blank=True)
    upstream_at = models.DateTimeField(null=True)
    notified_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["requested_at"],
                name="revocation_open",
                condition=models.Q(purged_at=None) | models.Q(upstream_stage__in=["", "UPSTREAM_RETRYING"]),
            )
        ]

    def __str__(self) -> str:
        return str(self.consent_id)


class Report(models.Model):
    """A person says that a read, or a whole consent, looks wrong. Codes only: no words of theirs are kept here."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    consent = models.ForeignKey("consents.Consent", models.CASCADE, related_name="+")
    user_id = models.UUIDField()
    request_id = models.CharField(max_length=64, blank=True)  #: of the read meant; "": the consent as a whole
    code = models.CharField(max_length=30, choices=[(c, c) for c in ReportCode])
    reported_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=30, blank=True)

    class Meta:
        indexes = [models.Index(fields=["reported_at"], name="report_open", condition=models.Q(closed_at=None))]

    def __str__(self) -> str:
        return str(self.id)


class CustomerLookup(models.Model):
    """Somebody at a bank looked up one of its customers: told to that customer among the reads."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user_id = models.UUIDField()
    institution_id = models.UUIDField()
    staff_pseudonym = models.UUIDField(null=True)
    reason_code = models.CharField(max_length=60)
    request_id = models.CharField(max_length=64)
    looked_up_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["user_id", "-looked_up_at"], name="lookup_by_user")]

    def __str__(self) -> str:
        return str(self.id)


class ReadCount(models.Model):
    """Reads a day by platform at one bank: what a console shows without a query over the reads themselves.

    `shard` spreads the writers of one day over several rows; a reader adds them up.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    institution_id = models.UUIDField()
    platform_id = models.UUIDField()
    read_on = models.DateField()  #: UTC
    shard = models.PositiveSmallIntegerField()
    reads = models.PositiveBigIntegerField(default=0)
    last_read_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["institution_id", "platform_id", "read_on", "shard"], name="read_count_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class RefusedCount(models.Model):
    """Refused calls a minute by platform and problem code at one bank."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    institution_id = models.UUIDField()
    platform_id = models.UUIDField()
    code = models.CharField(max_length=40)
    refused_at = models.DateTimeField()  #: the beginning of the minute
    calls = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["institution_id", "platform_id", "code", "refused_at"], name="refused_count_once"
            )
        ]

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

"""Work to do at banks, who asked for it, and what was fetched."""

import uuid

from django.db import models

from banks.models.connections import Connection
from banks.models.institutions import Institution


class FetchRecord(models.Model):
    """One fetch of one upstream resource of one account, written before the call: the ledger of quotas."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+", db_index=False)
    #: Null: the list of accounts, which is the connection's own.
    account_id = models.UUIDField(null=True)
    resource = models.CharField(max_length=20)
    presence = models.CharField(max_length=10)  #: consents.scopes.Presence
    #: One run of one job is one access, however many windows and pages it takes.
    job_id = models.UUIDField()
    epoch = models.PositiveIntegerField()
    fetched_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["connection", "account_id", "resource", "fetched_at"], name="fetch_record_window"),
            models.Index(fields=["fetched_at"], name="fetch_record_old"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class RefreshRequest(models.Model):
    """A platform asked for fresh data under one consent; what became of it is told by its jobs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    consent_id = models.UUIDField()
    platform_id = models.UUIDField()
    #: SHA-256 of the Idempotency-Key; null: none was sent.
    key_digest = models.CharField(max_length=64, null=True)
    #: SHA-256 of what was asked: the same key with another request is an error.
    request_digest = models.CharField(max_length=64)
    presence = models.CharField(max_length=10)
    #: [{"connection_id", "job_id", "joined_late"} or {"connection_id", "code", "retry_at"}], ids and codes only.
    #: `joined_late`: the job ran already; absent in rows of an earlier release.
    parts = models.JSONField(default=list)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["consent_id", "key_digest"], name="refresh_request_once_per_key")
        ]
        indexes = [models.Index(fields=["created_at"], name="refresh_request_old")]

    def __str__(self) -> str:
        return str(self.id)


class SyncJobStatus(models.TextChoices):
    """QUEUED -> LEASED -> COMMITTED | RETRY_WAIT -> LEASED | FAILED | CANCELLED."""

    QUEUED = "QUEUED"
    LEASED = "LEASED"
    RETRY_WAIT = "RETRY_WAIT"
    COMMITTED = "COMMITTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


LIVE_JOBS = (SyncJobStatus.QUEUED, SyncJobStatus.LEASED, SyncJobStatus.RETRY_WAIT)


class SyncTrigger(models.TextChoices):
    """FDX actor type, extended."""

    USER_PRESENT = "USER_PRESENT"
    USER_ATTESTED = "USER_ATTESTED"  #: present, as the platform says
    PLATFORM_READ = "PLATFORM_READ"
    SCHEDULE = "SCHEDULE"
    BANK_EVENT = "BANK_EVENT"
    BACKFILL = "BACKFILL"


class SyncJob(models.Model):
    """Work to do: the queue of record. Claimed by a lease; every later write carries the epoch."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+")
    #: The connection's; null in rows of an earlier release.
    institution = models.ForeignKey(Institution, models.CASCADE, null=True, related_name="+", db_index=False)
    trigger = models.CharField(max_length=20, choices=SyncTrigger.choices)
    #: Whether the bank's consent still stands is all that is asked; whoever wants more makes it a whole sync.
    checks_only = models.BooleanField(default=False, db_default=False)
    #: Where the user is while present: told to the bank, and forgotten when the job ends.
    customer_ip_address = models.GenericIPAddressField(null=True)
    status = models.CharField(max_length=20, choices=SyncJobStatus.choices, default=SyncJobStatus.QUEUED)
    stage = models.CharField(max_length=20, blank=True)
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    #: The bank's own word (Retry-After): no request brings the job forward of it; null: it said nothing.
    not_before_at = models.DateTimeField(null=True)
    dispatched_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    #: Someone asked while it ran: what it had planned may be too little, so another round follows.
    requested_again = models.BooleanField(default=False)
    error_code = models.CharField(max_length=60, blank=True)
    error_account_id = models.UUIDField(null=True)
    upstream_status = models.PositiveIntegerField(null=True)
    counts = models.JSONField(default=dict)
    #: Since when it is wanted: asked for once more before it ended, since then.
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=models.Q(status__in=LIVE_JOBS), name="sync_job_one_live"
            )
        ]
        indexes = [
            models.Index(fields=["status", "next_attempt_at"], name="sync_job_due"),
            models.Index(fields=["institution", "status", "lease_until"], name="sync_job_by_institution"),
            models.Index(fields=["institution", "status", "next_attempt_at", "id"], name="sync_job_due_at_institution"),
        ]

    def __str__(self) -> str:
        return str(self.id)

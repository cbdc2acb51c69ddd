"""What the portal keeps itself: copies of a person's own data, made for them, sealed, and gone after a day."""

import uuid
from enum import StrEnum

from django.conf import settings
from django.db import models


class ExportStatus(StrEnum):
    """QUEUED -> LEASED (being made) -> READY | RETRY_WAIT | FAILED."""

    QUEUED = "QUEUED"
    LEASED = "LEASED"
    RETRY_WAIT = "RETRY_WAIT"
    READY = "READY"
    FAILED = "FAILED"


LIVE_EXPORTS = (ExportStatus.QUEUED, ExportStatus.LEASED, ExportStatus.RETRY_WAIT)


class ExportJob(models.Model):
    """One copy of everything about one person: claimed by lease and epoch, one live at a time."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    status = models.CharField(max_length=12, choices=[(s, s) for s in ExportStatus], default=ExportStatus.QUEUED)
    #: Name of the table that is being written, for the person who waits.
    stage = models.CharField(max_length=30, blank=True)
    #: Raised by every claim; chunks carry it, so that what a lost worker left half-done is never served.
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    dispatched_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField()
    error_code = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    #: READY and FAILED: when the row and its bytes go.
    expires_at = models.DateTimeField(null=True)

    #: This copy's own data key, wrapped by the vault's ring.
    wrapped_key = models.BinaryField()
    chunks = models.PositiveIntegerField(default=0)
    size_bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"], name="export_one_live", condition=models.Q(status__in=LIVE_EXPORTS)
            )
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="export_due", condition=models.Q(status__in=LIVE_EXPORTS)),
            models.Index(fields=["user", "-created_at"], name="export_by_user"),
            models.Index(fields=["expires_at"], name="export_over"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class ExportChunk(models.Model):
    """A sealed piece of the file, in the database so that any web host can serve it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(ExportJob, models.CASCADE, related_name="+", db_index=False)
    epoch = models.PositiveIntegerField()
    number = models.PositiveIntegerField()  #: from 0 on
    sealed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "epoch", "number"], name="export_chunk_once")]

    def __str__(self) -> str:
        return str(self.id)

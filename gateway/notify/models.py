"""What a person is told: one row for each thing, in words only when it is read or sent."""

import uuid
from enum import StrEnum

from django.conf import settings
from django.db import models


class NoticeKind(StrEnum):
    """What a notice is about: an event of the outbox by its own name, or one of the three that no event brings."""

    CONSENT_GRANTED = "consent.granted"  #: the receipt
    CONSENT_NARROWED = "consent.narrowed"
    CONSENT_PAUSED = "consent.paused"
    CONSENT_RESUMED = "consent.resumed"
    CONSENT_EXPIRING = "consent.expiring"
    CONSENT_EXPIRED = "consent.expired"
    CONSENT_SUSPENDED = "consent.suspended"
    CONSENT_REVOKED = "consent.revoked"
    CONNECTION_LINKED = "connection.linked"
    CONNECTION_NEEDS_RENEWAL = "connection.needs_renewal"
    USAGE_SUMMARY = "usage.summary"  #: every 90 days of a live consent
    DOWNLOAD_READY = "download.ready"
    PROFILE_CLOSED = "profile.closed"  #: the last one a person gets


class NoticeStatus(StrEnum):
    """PENDING -> LEASED (being sent) -> SENT | PENDING (again later) | FAILED; KEPT: there is nowhere to send it."""

    PENDING = "PENDING"
    LEASED = "LEASED"
    SENT = "SENT"
    KEPT = "KEPT"
    FAILED = "FAILED"


class Notice(models.Model):
    """Kind, ids, codes and instants; no word of it is stored. All are on the person's page, sent or not."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=30, choices=[(k, k) for k in NoticeKind])
    #: What it is told for, once for each person: an event's id, or another thing that happens once (`notices.py`).
    occasion = models.CharField(max_length=120)
    consent_id = models.UUIDField(null=True)
    institution_id = models.UUIDField(null=True)
    #: The event's own details, and the terms or counts as they were then: codes, ids, days and numbers.
    details = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField()

    status = models.CharField(max_length=10, choices=[(s, s) for s in NoticeStatus], default=NoticeStatus.PENDING)
    #: Raised by every claim: a write under an older one changes nothing.
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    #: Leases that ran out: their holders died over it, or it is what killed them.
    leases_lost = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField()
    error_code = models.CharField(max_length=40, blank=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "occasion"], name="notice_once")]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="notice_by_user"),
            models.Index(
                fields=["next_attempt_at"],
                name="notice_due",
                condition=models.Q(status__in=[NoticeStatus.PENDING, NoticeStatus.LEASED]),
            ),
            models.Index(fields=["consent_id", "kind", "-occurred_at"], name="notice_by_consent"),
            models.Index(fields=["created_at"], name="notice_age"),
        ]

    def __str__(self) -> str:
        return str(self.id)

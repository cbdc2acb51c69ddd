"""People."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """An account holder, or someone who works here, at a bank or at a platform."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    #: How audit entries name this person. Destroyed on erasure: what stays cannot be joined to anyone.
    pseudonym = models.UUIDField(default=uuid.uuid4, null=True, editable=False, unique=True)

    def __str__(self) -> str:
        return str(self.id)


class MembershipRole(models.TextChoices):
    BANK_ADMIN = "BANK_ADMIN"
    PLATFORM_ADMIN = "PLATFORM_ADMIN"


class Membership(models.Model):
    """Who administers which bank or which platform: exactly one of the two."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    role = models.CharField(max_length=20, choices=MembershipRole.choices)
    institution = models.ForeignKey("banks.Institution", models.CASCADE, null=True, related_name="+")
    platform = models.ForeignKey("consents.Platform", models.CASCADE, null=True, related_name="+")
    #: When this person stopped; null: still does. The row stays, and opens nothing.
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="membership_of_one",
                condition=models.Q(role=MembershipRole.BANK_ADMIN, institution__isnull=False, platform=None)
                | models.Q(role=MembershipRole.PLATFORM_ADMIN, institution=None, platform__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["user", "institution"], condition=models.Q(ended_at=None), name="membership_of_bank_once"
            ),
            models.UniqueConstraint(
                fields=["user", "platform"], condition=models.Q(ended_at=None), name="membership_of_platform_once"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class UserSession(models.Model):
    """One signed-in browser. Its id stands in the session; the session's key stands nowhere.

    A session whose row is missing or ended is over at its next request, whatever the session store still holds.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    started_at = models.DateTimeField()
    #: To the minute.
    last_seen_at = models.DateTimeField()
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["user", "-last_seen_at"], name="user_session_by_user")]

    def __str__(self) -> str:
        return str(self.id)


class SecurityRecordKind(models.TextChoices):
    SIGNED_IN = "SIGNED_IN"
    SIGN_IN_FAILED = "SIGN_IN_FAILED"
    FACTOR_FAILED = "FACTOR_FAILED"
    FACTOR_ADDED = "FACTOR_ADDED"
    FACTOR_REMOVED = "FACTOR_REMOVED"
    RECOVERY_CODES_MADE = "RECOVERY_CODES_MADE"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105


class SecurityRecord(models.Model):
    """What happened to one person's sign-in. Theirs to read, for 90 days."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=SecurityRecordKind.choices)
    occurred_at = models.DateTimeField()
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["user", "-occurred_at"], name="security_record_by_user")]

    def __str__(self) -> str:
        return str(self.id)

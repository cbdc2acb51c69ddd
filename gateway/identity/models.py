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

"""What an operator should look at."""

import uuid

from django.db import models

from banks.models.institutions import Institution


class FindingKind(models.TextChoices):
    """What an operator should look at."""

    BALANCE_DRIFT = "BALANCE_DRIFT"  #: opening + booked rows differ from the bank's booked balance
    HOLDER_CHANGED = "HOLDER_CHANGED"  #: another person answers behind the login
    HISTORY_SHORT = "HISTORY_SHORT"  #: the bank has less than it promises
    LIST_UNSTABLE = "LIST_UNSTABLE"  #: it changed while it was paged, again and again
    UPSTREAM_NOT_ENDED = "UPSTREAM_NOT_ENDED"  #: the bank does not let us delete its consent


class Finding(models.Model):
    """Something that is not as it should be; ids and codes only. Open until it is seen to be right again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=30, choices=FindingKind.choices)
    institution = models.ForeignKey(Institution, models.CASCADE, related_name="+")
    connection_id = models.UUIDField(null=True)
    account_id = models.UUIDField(null=True)
    code = models.CharField(max_length=60, blank=True)
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "connection_id", "account_id"],
                condition=models.Q(closed_at=None, account_id__isnull=False),
                name="finding_open_once_per_account",
            ),
            models.UniqueConstraint(
                fields=["kind", "connection_id"],
                condition=models.Q(closed_at=None, account_id=None),
                name="finding_open_once_per_connection",
            ),
        ]
        indexes = [models.Index(fields=["closed_at", "-opened_at"], name="finding_open")]

    def __str__(self) -> str:
        return str(self.id)

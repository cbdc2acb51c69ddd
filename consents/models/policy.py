"""What a bank accepts of a platform."""

import uuid

from django.db import models

from consents.policy_terms import StepUp
from consents.scopes import LocationPrecision
from consents.states import PolicyStatus


class BankPolicy(models.Model):
    """One version of one bank's limits, for one platform or (platform null) for all of them.

    The newest version in force wins, a platform's own before the general one. No row in force: nothing is served.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    institution_id = models.UUIDField()
    platform = models.ForeignKey("consents.Platform", models.CASCADE, null=True, related_name="+")
    version = models.PositiveIntegerField(default=1)
    effective_from = models.DateTimeField()
    status = models.CharField(max_length=10, choices=[(s, s) for s in PolicyStatus], default=PolicyStatus.ALLOW)
    reason_code = models.CharField(max_length=60, blank=True)

    scopes = models.JSONField(default=list)
    purposes = models.JSONField(default=list)
    history_days_max = models.PositiveIntegerField(null=True)
    duration_days_max = models.PositiveIntegerField(null=True)
    location_precision = models.CharField(max_length=10, null=True, choices=[(p, p) for p in LocationPrecision])
    on_platform_only = models.BooleanField(default=False)
    hidden_groups = models.JSONField(default=list)
    requires_attended = models.BooleanField(default=False)
    accepts_attestation = models.BooleanField(default=False)
    step_up = models.CharField(max_length=10, choices=[(s, s.name.title()) for s in StepUp], default=StepUp.BANK)
    requires_fapi2 = models.BooleanField(default=True)

    #: Who signed it: user ids of bank staff, or of the operator for a bank without staff here.
    approved_by = models.JSONField(default=list)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Two constraints, because SQLite has no NULLS NOT DISTINCT.
            models.UniqueConstraint(fields=["institution_id", "platform", "version"], name="bank_policy_version"),
            models.UniqueConstraint(
                fields=["institution_id", "version"],
                condition=models.Q(platform=None),
                name="bank_policy_general_version",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class ProposalKind(models.TextChoices):
    """What takes two people: wider limits, lifting a stop, the final withdrawal, a merchant identity."""

    WIDEN = "WIDEN"
    LIFT = "LIFT"
    WITHDRAW = "WITHDRAW"
    MERCHANT = "MERCHANT"


class ProposalStatus(models.TextChoices):
    """WAITING -> SIGNED | REFUSED | SUPERSEDED (something else was signed meanwhile)."""

    WAITING = "WAITING"
    SIGNED = "SIGNED"
    REFUSED = "REFUSED"
    SUPERSEDED = "SUPERSEDED"


class Proposal(models.Model):
    """What one person of a bank asked for and another of the same bank must approve."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    institution_id = models.UUIDField()
    platform = models.ForeignKey("consents.Platform", models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=10, choices=ProposalKind.choices)
    status = models.CharField(max_length=10, choices=ProposalStatus.choices, default=ProposalStatus.WAITING)
    #: WIDEN and LIFT: the whole terms as in PolicyTerms; MERCHANT: {"merchant_key", "merchant_name"}; else {}.
    terms = models.JSONField(default=dict)
    #: The version in force when it was asked for (0: none): another one since, and it is SUPERSEDED.
    base_version = models.PositiveIntegerField(default=0)
    reason_code = models.CharField(max_length=60)
    proposed_by = models.UUIDField()  #: user id
    proposed_at = models.DateTimeField()
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["institution_id", "status", "-proposed_at"], name="proposal_by_bank")]

    def __str__(self) -> str:
        return str(self.id)


class OperatorProposal(models.Model):
    """What one operator asked for and another must approve: LIFT and WITHDRAW, of a platform or (consent_id) a consent.

    Apart from the banks' own proposals: no query for one bank's can find it, and none of these a bank's.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey("consents.Platform", models.CASCADE, related_name="+")
    consent_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=10, choices=ProposalKind.choices)
    status = models.CharField(max_length=10, choices=ProposalStatus.choices, default=ProposalStatus.WAITING)
    reason_code = models.CharField(max_length=60)
    proposed_by = models.UUIDField()  #: user id
    proposed_at = models.DateTimeField()
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # Two constraints, because SQLite has no NULLS NOT DISTINCT.
            models.UniqueConstraint(
                fields=["platform", "consent_id", "kind"],
                condition=models.Q(status="WAITING"),
                name="operator_proposal_waits_once",
            ),
            models.UniqueConstraint(
                fields=["platform", "kind"],
                condition=models.Q(status="WAITING", consent_id=None),
                name="operator_proposal_of_platform_waits_once",
            ),
        ]
        indexes = [models.Index(fields=["status", "-proposed_at"], name="operator_proposal_waiting")]

    def __str__(self) -> str:
        return str(self.id)

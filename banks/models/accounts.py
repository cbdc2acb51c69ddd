"""What banks told us of customers. Every table here is governed: see banks.governed."""

import uuid
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db import models

from banks.governed import GovernedManager
from banks.models.connections import Connection
from banks.models.institutions import Institution
from banks.types import AccountCategory, AccountStatus, Channel, CounterpartyKind, TransactionKind, TransactionStatus
from consents.scopes import SensitiveGroup


class Account(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+")
    institution = models.ForeignKey(Institution, models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    bank_account_id = models.CharField(max_length=128)
    #: Keyed digest of the account's numbers: recognises it after a new link, tells nothing by itself.
    identification_digest = models.CharField(max_length=64, blank=True)
    #: Keyed digest of the owners' names as the bank told them: another one means another person. Empty: never told.
    holder_digest = models.CharField(max_length=64, blank=True, db_default="")

    category = models.CharField(max_length=20, choices=[(c, c) for c in AccountCategory])
    account_type = models.CharField(max_length=10)
    name = models.CharField(max_length=140, null=True)
    currency = models.CharField(max_length=3, null=True)
    status = models.CharField(max_length=20, choices=[(s, s) for s in AccountStatus], default=AccountStatus.OPEN)
    masked_number = models.CharField(max_length=4, null=True)
    identifications = models.JSONField(default=list)
    #: Whether the bank's consent, as last given, reaches it: an account taken back at the bank serves nothing.
    is_covered = models.BooleanField(default=True)
    opened_on = models.DateField(null=True)
    provenance = models.JSONField(default=dict)
    content_hash = models.CharField(max_length=64)

    #: How fresh and how complete.
    fetched_at = models.DateTimeField()
    balances_as_of = models.DateTimeField(null=True)
    transactions_as_of = models.DateTimeField(null=True)
    coverage_first_on = models.DateField(null=True)
    coverage_last_on = models.DateField(null=True)
    coverage_gaps = models.JSONField(default=list)
    #: First day the bank says it has anything for; null: it did not say.
    bank_first_on = models.DateField(null=True)
    #: From when an unattended refresh will be carried out again; null: now.
    next_refresh_after = models.DateTimeField(null=True)
    #: Booked balance minus the booked rows since `proven_first_on`, minor units: what the rows must stand on.
    proven_opening_minor = models.BigIntegerField(null=True)
    proven_first_on = models.DateField(null=True)
    #: Since when no live consent needs the account, or its transactions; null: one does.
    unneeded_at = models.DateTimeField(null=True)
    transactions_unneeded_at = models.DateTimeField(null=True)
    #: Raised whenever anything a reader could see changed.
    version = models.PositiveBigIntegerField(default=1)

    objects = GovernedManager["Account"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "bank_account_id", "identification_digest"], name="account_once_per_connection"
            )
        ]
        indexes = [models.Index(fields=["institution", "identification_digest"], name="account_by_numbers")]

    def __str__(self) -> str:
        return str(self.id)

    @staticmethod
    def within(user_id: uuid.UUID, account_ids: Collection[uuid.UUID]) -> dict[str, Any]:
        return {"user_id": user_id, "id__in": account_ids}


class LinkMethod(models.TextChoices):
    """How a booked row was found to be the pending one."""

    BANK = "bank"  #: the bank's own id
    EXACT = "exact"  #: the only pending row with the same amount, currency and text


class Balance(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=10)
    amount_minor = models.BigIntegerField()  #: minor units of `currency`; negative: owed
    currency = models.CharField(max_length=3)
    credit_lines = models.JSONField(default=list)
    as_of = models.DateTimeField()
    content_hash = models.CharField(max_length=64)

    objects = GovernedManager["Balance"]()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "type", "currency"], name="balance_once")]

    def __str__(self) -> str:
        return str(self.id)

    @staticmethod
    def within(user_id: uuid.UUID, account_ids: Collection[uuid.UUID]) -> dict[str, Any]:
        return {"account__user_id": user_id, "account_id__in": account_ids}


class Transaction(models.Model):
    """One entry. The key and every index lead with the account, and no foreign key points here: made to be split."""

    pk = models.CompositePrimaryKey("account_id", "id")
    id = models.UUIDField(default=uuid.uuid4)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+", db_index=False)

    #: What makes it the same entry at the next fetch (banks.reconcile), and which of equals it is.
    identity_key = models.CharField(max_length=64)
    occurrence = models.PositiveIntegerField(default=0)
    bank_transaction_id = models.CharField(max_length=210, null=True)

    status = models.CharField(max_length=10, choices=[(s, s) for s in TransactionStatus])
    immutable = models.BooleanField(null=True)
    listed_on = models.DateField()
    booked_on = models.DateField(null=True)
    value_on = models.DateField(null=True)
    transacted_at = models.DateTimeField(null=True)
    amount_minor = models.BigIntegerField()  #: minor units of `currency`; negative: money out
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=20, choices=[(k, k) for k in TransactionKind])

    merchant_name = models.CharField(max_length=140, null=True)
    merchant_key = models.CharField(max_length=140, null=True)
    mcc = models.CharField(max_length=4, null=True)
    category = models.CharField(max_length=40, null=True)
    channel = models.CharField(max_length=10, null=True, choices=[(c, c) for c in Channel])
    #: Null: not yet looked at, and treated as sensitive.
    sensitive_group = models.CharField(max_length=20, null=True, choices=[(g, g) for g in SensitiveGroup])

    place_country = models.CharField(max_length=2, null=True)
    place_region = models.CharField(max_length=80, null=True)
    place_city = models.CharField(max_length=80, null=True)
    place_postal_code = models.CharField(max_length=20, null=True)
    place_address = models.CharField(max_length=200, null=True)

    instructed_amount_minor = models.BigIntegerField(null=True)
    instructed_currency = models.CharField(max_length=3, null=True)
    #: A decimal string: SQLite would keep a number of this precision as a float.
    exchange_rate = models.CharField(max_length=40, null=True)

    counterparty_name = models.CharField(max_length=140, null=True)
    counterparty_kind = models.CharField(max_length=30, null=True, choices=[(k, k) for k in CounterpartyKind])
    balance_after_minor = models.BigIntegerField(null=True)
    description = models.CharField(max_length=500, null=True)
    reference_digest = models.CharField(max_length=64, null=True)

    provenance = models.JSONField(default=dict)
    content_hash = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    change_sequence = models.PositiveBigIntegerField()
    #: The sequence it was added with, and the last one that changed what row filters look at (listed_on, sensitive
    #: group, merchant key, reference): a delta tells added, modified and removed apart by them.
    added_sequence = models.PositiveBigIntegerField(db_default=0, default=0)
    refiled_sequence = models.PositiveBigIntegerField(db_default=0, default=0)
    #: How it was recognised when it went from pending to booked; null: it did not, or not yet.
    link_method = models.CharField(max_length=10, null=True, choices=LinkMethod.choices)
    first_seen_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = GovernedManager["Transaction"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "identity_key", "occurrence"], name="transaction_once")
        ]
        indexes = [
            models.Index(
                models.F("account"), models.F("listed_on").desc(), models.F("id").desc(), name="transaction_page"
            ),
            models.Index(fields=["account", "change_sequence"], name="transaction_delta"),
            models.Index(
                fields=["account", "refiled_sequence"],
                name="transaction_refiled",
                condition=models.Q(refiled_sequence__gt=models.F("added_sequence")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @staticmethod
    def within(user_id: uuid.UUID, account_ids: Collection[uuid.UUID]) -> dict[str, Any]:
        # No join to the owner here: it sorts the whole account on SQLite. banks.read checks the account first.
        return {"account_id__in": account_ids}


class RawPayload(models.Model):
    """The bank's own row, sealed with the connection's data key, for normalizing again; gone when retention ends."""

    pk = models.CompositePrimaryKey("account_id", "transaction_id")
    account = models.ForeignKey(Account, models.CASCADE, related_name="+", db_index=False)
    transaction_id = models.UUIDField()
    sealed = models.BinaryField()

    objects = GovernedManager["RawPayload"]()

    def __str__(self) -> str:
        return str(self.transaction_id)

    @staticmethod
    def within(user_id: uuid.UUID, account_ids: Collection[uuid.UUID]) -> dict[str, Any]:
        return {"account_id__in": ()}  # no permit opens raw rows


class LinkSuggestion(models.Model):
    """A booked row that may be a pending one which vanished: alike, but not equal. Nothing is linked by it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+", db_index=False)
    pending_transaction_id = models.UUIDField()
    booked_transaction_id = models.UUIDField()
    confidence_percent = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()

    objects = GovernedManager["LinkSuggestion"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "pending_transaction_id", "booked_transaction_id"], name="link_suggested_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)

    @staticmethod
    def within(user_id: uuid.UUID, account_ids: Collection[uuid.UUID]) -> dict[str, Any]:
        return {"account_id__in": ()}  # no permit opens suggestions


class QuarantinedRow(models.Model):
    """A row we could not take: the operator sees reason, field and connector; the value stays sealed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=60)
    field = models.CharField(max_length=200)
    connector = models.CharField(max_length=60)
    sealed = models.BinaryField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects = GovernedManager["QuarantinedRow"]()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "digest"], name="quarantined_once")]

    def __str__(self) -> str:
        return str(self.id)

    @staticmethod
    def within(user_id: uuid.UUID, account_ids: Collection[uuid.UUID]) -> dict[str, Any]:
        return {"account_id__in": ()}  # no permit opens quarantined rows

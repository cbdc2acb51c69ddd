"""Banks, the links to them, and what they told us. Customer tables are governed: see banks.governed.

`__str__` is the id alone everywhere: Django's admin and error pages print it.
"""

import uuid
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db import models

from banks.governed import GovernedManager
from banks.types import (
    AccountCategory,
    AccountStatus,
    Channel,
    CounterpartyKind,
    InstitutionStatus,
    TransactionKind,
    TransactionStatus,
)
from consents.scopes import SensitiveGroup
from consents.states import ConnectionStatus


class Institution(models.Model):
    """A bank, as data: which dialect it speaks, where, and as whom we speak to it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    legal_name = models.CharField(max_length=200, blank=True)
    bic = models.CharField(max_length=11, blank=True)
    country = models.CharField(max_length=2)
    timezone = models.CharField(max_length=60, default="UTC")
    status = models.CharField(
        max_length=20, choices=[(s, s.title()) for s in InstitutionStatus], default=InstitutionStatus.ALIVE
    )

    connector = models.SlugField()
    version = models.CharField(max_length=20)
    issuer = models.URLField(max_length=300)
    #: The address its customers' browsers use; the next two are the server's.
    authorization_url = models.URLField(max_length=300)
    token_url = models.URLField(max_length=300)
    resource_url = models.URLField(max_length=300)
    client_id = models.CharField(max_length=120)
    sealed_signing_key = models.BinaryField()
    #: Sandbox banks only: the SSRF guard lets loopback through for exactly these origins, and http redirects exist.
    is_sandbox = models.BooleanField(default=False)
    history_days_max = models.PositiveIntegerField(default=730)
    consent_days_max = models.PositiveIntegerField(default=365)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)


class Connection(models.Model):
    """The bank's authorisation of us for one user: its own status, clocks and credentials."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    institution = models.ForeignKey(Institution, models.PROTECT, related_name="+")
    status = models.CharField(
        max_length=20, choices=[(s, s) for s in ConnectionStatus], default=ConnectionStatus.ACTIVE
    )
    status_reason = models.CharField(max_length=60, blank=True)
    bank_consent_id = models.CharField(max_length=128, blank=True)
    #: What the bank's consent covers (banks.types.Resource): narrower needs fetch less, wider ones ask the bank again.
    resources = models.JSONField(default=list)
    history_from = models.DateField(null=True)
    authentication_expires_at = models.DateTimeField(null=True)
    consent_expires_at = models.DateTimeField(null=True)

    #: This connection's data key, wrapped by the vault's ring; destroying it destroys all that it sealed.
    wrapped_key = models.BinaryField()
    sealed_credentials = models.BinaryField(null=True)
    sealed_state = models.BinaryField(null=True)
    #: Set and committed before a one-time refresh token is used; found set at the next start, the outcome is unknown.
    refresh_started_at = models.DateTimeField(null=True)

    #: Assigned to changed rows under this row's lock, so that a delta cursor never skips a late commit.
    change_sequence = models.PositiveBigIntegerField(default=0)
    last_succeeded_at = models.DateTimeField(null=True)
    last_failed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["user", "institution"], name="connection_by_user")]

    def __str__(self) -> str:
        return str(self.id)


class LinkAttempt(models.Model):
    """A redirect to a bank that has not come back yet: one use, ten minutes, bound to session, user and bank."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state_digest = models.CharField(max_length=64, unique=True)
    session_digest = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    institution = models.ForeignKey(Institution, models.CASCADE, related_name="+")
    consent_id = models.UUIDField()
    resources = models.JSONField(default=list)
    history_from = models.DateField(null=True)
    bank_consent_id = models.CharField(max_length=128)
    sealed_secrets = models.BinaryField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    #: Where it led: the connection that the callback made or renewed, and the accounts the bank showed.
    connection_id = models.UUIDField(null=True)
    account_ids = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["consent_id", "-created_at"], name="link_attempt_by_consent")]

    def __str__(self) -> str:
        return str(self.id)


class Account(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+")
    institution = models.ForeignKey(Institution, models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    bank_account_id = models.CharField(max_length=128)
    #: Keyed digest of the account's numbers: recognises it after a new link, tells nothing by itself.
    identification_digest = models.CharField(max_length=64, blank=True)

    category = models.CharField(max_length=20, choices=[(c, c) for c in AccountCategory])
    account_type = models.CharField(max_length=10)
    name = models.CharField(max_length=140, null=True)
    currency = models.CharField(max_length=3)
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
    #: Raised whenever anything a reader could see changed.
    version = models.PositiveBigIntegerField(default=1)

    objects = GovernedManager["Account"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "bank_account_id", "identification_digest"], name="account_once_per_connection"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)

    @staticmethod
    def within(user_id: uuid.UUID, account_ids: Collection[uuid.UUID]) -> dict[str, Any]:
        return {"user_id": user_id, "id__in": account_ids}


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
    PLATFORM_READ = "PLATFORM_READ"
    SCHEDULE = "SCHEDULE"
    BANK_EVENT = "BANK_EVENT"
    BACKFILL = "BACKFILL"


class SyncJob(models.Model):
    """Work to do: the queue of record. Claimed by a lease; every later write carries the epoch."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+")
    trigger = models.CharField(max_length=20, choices=SyncTrigger.choices)
    status = models.CharField(max_length=20, choices=SyncJobStatus.choices, default=SyncJobStatus.QUEUED)
    stage = models.CharField(max_length=20, blank=True)
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    #: Someone asked while it ran: what it had planned may be too little, so another round follows.
    requested_again = models.BooleanField(default=False)
    error_code = models.CharField(max_length=60, blank=True)
    error_account_id = models.UUIDField(null=True)
    upstream_status = models.PositiveIntegerField(null=True)
    counts = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=models.Q(status__in=LIVE_JOBS), name="sync_job_one_live"
            )
        ]
        indexes = [models.Index(fields=["status", "next_attempt_at"], name="sync_job_due")]

    def __str__(self) -> str:
        return str(self.id)

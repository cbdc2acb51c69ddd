"""Banks, the links to them, and what they told us. Customer tables are governed: see banks.governed.

`__str__` is the id alone everywhere: Django's admin and error pages print it.
"""

import uuid
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db import models

from banks.admission import BreakerStatus
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
    #: Days after which the bank wants its customer to log in again, whatever the consent says; null: it sets no such
    #: clock (RTS 2018/389 article 10a: 180).
    authentication_days_max = models.PositiveIntegerField(null=True)

    #: Celery queue of this bank's jobs; empty: the common one.
    queue = models.CharField(max_length=60, blank=True, db_default="")
    concurrent_jobs_max = models.PositiveIntegerField(db_default=3, default=3)
    calls_per_minute_max = models.PositiveIntegerField(db_default=600, default=600)
    #: Per upstream resource of one account and rolling 24 hours (RTS 2018/389 article 36(5)(b): 4).
    unattended_fetches_max = models.PositiveIntegerField(db_default=4, default=4)
    #: The same while a platform attests that the user is present.
    attested_fetches_max = models.PositiveIntegerField(db_default=24, default=24)
    #: Minutes between two scheduled syncs of one connection.
    refresh_minutes = models.PositiveIntegerField(db_default=360, default=360)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)


class InstitutionGate(models.Model):
    """What one bank can take right now: token bucket and circuit breaker. Written often, so apart from the bank."""

    institution = models.OneToOneField(Institution, models.CASCADE, primary_key=True, related_name="+")
    #: Calls in the bucket, in thousandths, as of `bucket_at`. Below zero: a debt of calls that were made already.
    bucket_thousandths = models.BigIntegerField()
    bucket_at = models.DateTimeField()
    breaker = models.CharField(
        max_length=10,
        choices=[(s, s.replace("_", " ").title()) for s in BreakerStatus],
        default=BreakerStatus.CLOSED,
    )
    breaker_until = models.DateTimeField(null=True)  #: OPEN: no job starts before
    probe_job_id = models.UUIDField(null=True)  #: HALF_OPEN: the one job that may ask
    probe_until = models.DateTimeField(null=True)  #: after that the probe counts as lost
    opened_count = models.PositiveIntegerField(default=0)  #: in a row, for the back-off
    window_at = models.DateTimeField()  #: calls and failures count since
    calls = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    #: Calls in a row that got no answer at all, however long that took: a bank that hangs makes few.
    unanswered = models.PositiveIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return str(self.institution_id)


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
    #: When the next scheduled sync is due; null: nothing is scheduled.
    next_sync_at = models.DateTimeField(null=True)
    #: When the bank was last asked whether its consent stands.
    checked_at = models.DateTimeField(null=True)
    #: Days before the end of the bank's consent that were announced last (30, 7, 1).
    expiry_announced_days = models.PositiveSmallIntegerField(null=True)
    #: Since when no live consent needs it; null: one does.
    unneeded_at = models.DateTimeField(null=True)
    #: When rows were purged and the data key destroyed.
    purged_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["user", "institution"], name="connection_by_user"),
            models.Index(fields=["next_sync_at"], name="connection_due"),
            models.Index(fields=["checked_at"], name="connection_checked"),
            models.Index(fields=["status", "unneeded_at"], name="connection_unneeded"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class LinkAttempt(models.Model):
    """A redirect to a bank that has not come back yet: one use, ten minutes, bound to session, user and bank."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state_digest = models.CharField(max_length=64, unique=True)
    session_digest = models.CharField(max_length=64)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    institution = models.ForeignKey(Institution, models.CASCADE, related_name="+")
    #: The question it belongs to; null: the user renews a connection, and no consent is asked for.
    consent_id = models.UUIDField(null=True)
    renewed_connection_id = models.UUIDField(null=True)
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


class UpstreamEndingStatus(models.TextChoices):
    """PENDING -> LEASED -> DONE | PENDING (again later) | IMPOSSIBLE."""

    PENDING = "PENDING"
    LEASED = "LEASED"
    DONE = "DONE"
    IMPOSSIBLE = "IMPOSSIBLE"


class UpstreamEnding(models.Model):
    """A consent at a bank that is to be deleted there: retried until it confirms, or declared impossible."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    institution = models.ForeignKey(Institution, models.CASCADE, related_name="+")
    bank_consent_id = models.CharField(max_length=128)
    connection_id = models.UUIDField(null=True)  #: null: no connection came of it
    reason = models.CharField(max_length=60)
    status = models.CharField(max_length=12, choices=UpstreamEndingStatus.choices, default=UpstreamEndingStatus.PENDING)
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["institution", "bank_consent_id"], name="upstream_ending_once")]
        indexes = [models.Index(fields=["status", "next_attempt_at"], name="upstream_ending_due")]

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
    #: [{"connection_id", "job_id"} or {"connection_id", "code", "retry_at"}], ids and codes only.
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

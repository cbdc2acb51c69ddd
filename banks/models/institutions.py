"""Banks as data, and what each can take right now."""

import uuid

from django.db import models

from banks.admission import BreakerStatus
from banks.types import InstitutionStatus


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

"""A job that is held under a lease: by whom, under which epoch, and that it still is.

`banks.leases` gives the lease and takes it back.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from banks.compiled import SLOTS, CompiledUpdate
from banks.errors import StaleLease
from banks.job_requests import PRESENCE_OF
from banks.models import SyncJob, SyncJobStatus, SyncTrigger
from consents.scopes import Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job held under one epoch. `seconds` is how long its work may take, well inside the lease; `created_at`: since
    when it is wanted."""

    job_id: UUID
    connection_id: UUID
    institution_id: UUID
    trigger: SyncTrigger
    customer_ip_address: str | None
    epoch: int
    attempts: int
    seconds: float
    created_at: datetime
    checks_only: bool
    #: On time.monotonic()'s clock of this process.
    claimed_monotonic: float = field(default_factory=time.monotonic, compare=False)

    @property
    def presence(self) -> Presence:
        return PRESENCE_OF.get(self.trigger, Presence.ABSENT)

    @property
    def by_schedule(self) -> bool:
        return self.trigger == SyncTrigger.SCHEDULE


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """What a job remembers of a failure: codes and ids only."""

    code: str
    account_id: UUID | None = None
    upstream_status: int | None = None
    retry_after: int | None = None

    @property
    def is_the_banks_word(self) -> bool:
        """Whether the bank itself said how long to wait. A spent quota is our own count, and binds no user present."""
        return self.retry_after is not None and self.upstream_status is not None


def extend(held: Claim, *, now: datetime) -> None:
    """A whole lease from now, for work that goes on in steps. Raises StaleLease."""
    lease = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    if not row_of(held).update(lease_until=now + lease):
        raise StaleLease(held.job_id)


def fence(held: Claim, *, stage: str) -> None:
    """Write down how far it is. Raises StaleLease when the job is no longer this holder's."""
    if not _fencing().run({"job_id": held.job_id, "epoch": held.epoch, "stage": stage}):
        raise StaleLease(held.job_id)


@lru_cache(maxsize=1)
def _fencing() -> CompiledUpdate:
    return CompiledUpdate(held_by(SLOTS["job_id"], SLOTS["epoch"]), {"stage": SLOTS["stage"]})


def row_of(held: Claim) -> QuerySet[SyncJob]:
    return held_by(held.job_id, held.epoch)


def held_by(job_id: UUID, epoch: int) -> QuerySet[SyncJob]:
    """The job, as long as it is held under this epoch."""
    return SyncJob.objects.filter(id=job_id, epoch=epoch, status=SyncJobStatus.LEASED)

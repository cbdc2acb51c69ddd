"""The row that one bank's gate is kept in: locked, read as GateFacts, and written as `banks.admission` decided.

Locks: the gate is taken first and with the job alone (`leases.claim`), or alone (`settle`); whoever holds a consent, a
connection or an account takes no gate.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.db import transaction
from django.db.models import Count, QuerySet

from banks.admission import BreakerStatus, GateFacts, Tally, settled
from banks.compiled import SLOTS, Compiled, CompiledModels, CompiledUpdate
from banks.held_jobs import Claim
from banks.models import Institution, InstitutionGate, SyncJob, SyncJobStatus

_OF_OTHER_ROWS = {"institution_id", "concurrent_jobs_max", "calls_per_minute_max", "leased_jobs"}
_STORED = tuple(field.name for field in fields(GateFacts) if field.name not in _OF_OTHER_ROWS)


@contextmanager
def locked(institution_id: UUID, *, now: datetime, with_jobs: bool = True) -> Iterator[GateFacts]:
    """The bank's gate, held until the surrounding transaction ends; made, full and closed, when there is none.

    `with_jobs` False: `leased_jobs` is not looked up, for what does not ask how many there are.
    """
    with transaction.atomic():
        row = _row(institution_id)
        if row is None:
            # Of two that make it at once the second waits here, and then finds the first one's.
            InstitutionGate.objects.bulk_create([_new_row(institution_id, now)], ignore_conflicts=True)
            row = _row(institution_id)
            assert row is not None
        # Counted under the lock, in a statement of its own: one begun before it would not see who came in meanwhile.
        leased_jobs = _leased_jobs(institution_id, now) if with_jobs else 0
        yield _facts(row, row.institution, leased_jobs=leased_jobs, probe_until=_probe_until(row))


def store(facts: GateFacts) -> None:
    """Write what `locked` gave and a decision changed, in the same transaction."""
    values = {name: getattr(facts, name) for name in _STORED}
    _storing().run({**values, "institution_id": facts.institution_id})


@lru_cache(maxsize=1)
def _storing() -> CompiledUpdate:
    row = InstitutionGate.objects.filter(institution_id=SLOTS["institution_id"])
    return CompiledUpdate(row, {name: SLOTS[name] for name in _STORED})


def settle(institution_id: UUID, tally: Tally, *, job_id: UUID, epoch: int, now: datetime) -> datetime | None:
    """Write down what a job's calls came to; until when the bank is left alone now, None: it is not.

    `epoch`: under which they were made. The caller holds no lock.
    """
    with locked(institution_id, now=now, with_jobs=False) as facts:
        is_probe = facts.probe_job_id == job_id and not _is_taken_over(job_id, epoch)
        after = settled(facts, tally, is_probe=is_probe, now=now)
        store(after)
    return after.breaker_until if after.breaker == BreakerStatus.OPEN else None


def _is_taken_over(job_id: UUID, epoch: int) -> bool:
    """Whether the probe is somebody else's run of the same job, whose lease was lost."""
    leased = SyncJob.objects.filter(id=job_id, status=SyncJobStatus.LEASED)
    return leased.exclude(epoch=epoch).exists()


class Settling:
    """Of one job: settled once, whichever of its endings comes first. `tally` is told of its calls."""

    def __init__(self, held: Claim) -> None:
        self.tally = Tally()
        self._held = held
        self._is_done = False
        self._closed_until: datetime | None = None

    def settle(self, now: datetime) -> datetime | None:
        """As `settle`."""
        if not self._is_done:
            held = self._held
            self._closed_until = settle(held.institution_id, self.tally, job_id=held.job_id, epoch=held.epoch, now=now)
            self._is_done = True
        return self._closed_until


def half_open(*, now: datetime) -> int:
    """Banks whose pause is over wait for a probe from now on, and are shown so; how many."""
    over = InstitutionGate.objects.filter(breaker=BreakerStatus.OPEN, breaker_until__lte=now)
    return over.update(breaker=BreakerStatus.HALF_OPEN, breaker_until=None, probe_job_id=None, probe_until=None)


def open_ones() -> QuerySet[InstitutionGate]:
    """The gates of banks that are left alone."""
    return InstitutionGate.objects.filter(breaker=BreakerStatus.OPEN)


def open_until(institution_ids: Iterable[UUID]) -> dict[UUID, datetime]:
    """Until when each bank that is left alone is; the others are asked."""
    opened = open_ones().filter(institution_id__in=set(institution_ids))
    return {one: until for one, until in opened.values_list("institution_id", "breaker_until") if until is not None}


def seen(banks: Collection[Institution], leased_jobs: dict[UUID, int], *, now: datetime) -> dict[UUID, GateFacts]:
    """The gates as they are at a glance, without a lock: for choosing what to dispatch, not for letting anything in."""
    rows = InstitutionGate.objects.in_bulk([bank.id for bank in banks])
    found = {}
    for bank in banks:
        row = rows.get(bank.id) or _new_row(bank.id, now)
        found[bank.id] = _facts(row, bank, leased_jobs=leased_jobs.get(bank.id, 0), probe_until=_probe_until(row))
    return found


def _row(institution_id: UUID) -> InstitutionGate | None:
    for row in _locking().models({"institution_id": institution_id}):
        return row
    return None


@lru_cache(maxsize=1)
def _locking() -> CompiledModels[InstitutionGate]:
    held = InstitutionGate.objects.select_for_update(no_key=True, of=("self",)).select_related("institution")
    limits = ("institution__concurrent_jobs_max", "institution__calls_per_minute_max")
    return CompiledModels(held.filter(institution_id=SLOTS["institution_id"]).only(*_STORED, *limits))


def _new_row(institution_id: UUID, now: datetime) -> InstitutionGate:
    # More than any bucket holds: filling it cuts it to the bank's own size.
    return InstitutionGate(institution_id=institution_id, bucket_thousandths=2**31 * 1000, bucket_at=now, window_at=now)


def _leased_jobs(institution_id: UUID, now: datetime) -> int:
    return sum(jobs for _, jobs in _leased().rows({"institution_id": institution_id, "now": now}))


@lru_cache(maxsize=1)
def _leased() -> Compiled:
    leased = SyncJob.objects.filter(
        institution_id=SLOTS["institution_id"], status=SyncJobStatus.LEASED, lease_until__gte=SLOTS["now"]
    )
    return Compiled(leased.order_by().values_list("institution_id").annotate(Count("id")))


def _probe_until(row: InstitutionGate) -> datetime | None:
    """A probe that works in steps extends its lease; nobody else probes meanwhile."""
    if row.probe_job_id is None or row.probe_until is None:
        return None
    leased = SyncJob.objects.filter(id=row.probe_job_id, status=SyncJobStatus.LEASED)
    lease_until = leased.values_list("lease_until", flat=True).first()
    return row.probe_until if lease_until is None else max(row.probe_until, lease_until)


def _facts(row: InstitutionGate, bank: Institution, *, leased_jobs: int, probe_until: datetime | None) -> GateFacts:
    kept = {name: getattr(row, name) for name in _STORED}
    return GateFacts(
        **{**kept, "breaker": BreakerStatus(row.breaker), "probe_until": probe_until},
        institution_id=bank.id,
        concurrent_jobs_max=bank.concurrent_jobs_max,
        calls_per_minute_max=bank.calls_per_minute_max,
        leased_jobs=leased_jobs,
    )

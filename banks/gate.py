"""What one bank can take right now: jobs at once, calls a minute, and whether it is asked at all.

The decisions are pure, over a GateFacts; the row InstitutionGate only stores. Locks: the gate is taken first and with
the job alone (`leases.claim`), or alone (`settle`); whoever holds a consent, a connection or an account takes no gate.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from django.db import transaction
from django.db.models import Count, QuerySet

from banks.compiled import SLOTS, Compiled, CompiledModels, CompiledUpdate
from banks.errors import AddressForbidden, BankRateLimited, BankTimeout, BankUnavailable
from banks.http.exchanges import Exchange
from banks.jitter import jittered
from banks.models import BreakerStatus, Institution, InstitutionGate, SyncJob, SyncJobStatus

#: Calls that a job takes from the bucket when it is claimed; what it really made is settled when it ended.
CALLS_RESERVED = 10
WINDOW = timedelta(seconds=60)
#: The breaker opens when at least half of at least so many calls in one window failed ...
CALLS_MIN = 20
#: ... or when so many in a row brought no answer: a bank that hangs never gets to 20 in a minute. Five is when UK Open
#: Banking counts a bank as down.
UNANSWERED_MAX = 5
OPEN_FIRST = timedelta(seconds=30)
OPEN_MAX = timedelta(minutes=15)
OPEN_JITTER_PERCENT = 20
#: A bank that says 429 and not for how long.
THROTTLED_FOR = timedelta(seconds=60)
#: Until a job that was turned away asks again.
BUSY_FOR = timedelta(seconds=5)
STOPPED_FOR = timedelta(seconds=60)

_FAILURES = (BankUnavailable.code, BankTimeout.code)


class Refusal(StrEnum):
    """Why a job may not start yet; its `error_code` meanwhile."""

    INSTITUTION_PAUSED = "institution_paused"  #: the breaker is open, or another job probes
    INSTITUTION_BUSY = "institution_busy"  #: as many jobs as the bank takes are running
    INSTITUTION_THROTTLED = "institution_throttled"  #: as many calls as the bank takes in a minute were made


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    code: Refusal
    retry_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """One bank's limits, its jobs under lease, and its gate as stored (see InstitutionGate).

    `probe_until`: as stored, or the end of the probe's lease when it was extended.
    """

    institution_id: UUID
    concurrent_jobs_max: int
    calls_per_minute_max: int
    leased_jobs: int
    bucket_thousandths: int
    bucket_at: datetime
    breaker: BreakerStatus
    breaker_until: datetime | None
    probe_job_id: UUID | None
    probe_until: datetime | None
    opened_count: int
    window_at: datetime
    calls: int
    failures: int
    unanswered: int


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one job's calls came to. A 429 is an answer: the bank is well, and wants fewer calls."""

    calls: int = 0
    failures: int = 0
    #: Without an answer, since the last one that had any; `answered`: there was one.
    unanswered: int = 0
    answered: bool = False
    #: The bank said 429: how long all of its jobs wait.
    throttled_for: timedelta | None = None

    def note(self, exchange: Exchange) -> None:
        if exchange.code == AddressForbidden.code:
            return  # it never left the house
        self.calls += 1
        self.failures += exchange.code in _FAILURES
        if exchange.code == BankTimeout.code or (exchange.code in _FAILURES and exchange.status is None):
            self.unanswered += 1
        else:
            self.answered, self.unanswered = True, 0
        if exchange.code == BankRateLimited.code:
            seconds = exchange.retry_after
            asked = THROTTLED_FOR if seconds is None else timedelta(seconds=seconds)
            # A longer wait is one customer's allowance rather than the bank's rate; its job waits for all of it.
            self.throttled_for = max(self.throttled_for or timedelta(0), min(asked, OPEN_MAX))


# -- decisions ---------------------------------------------------------------------------------------------------------


def admit(facts: GateFacts, *, job_id: UUID, lease_until: datetime, now: datetime) -> GateFacts | Refused:
    """The gate as it is once this job has started, or why it may not. After a pause the first one is the probe."""
    if (until := _paused_until(facts, now)) is not None:
        return Refused(code=Refusal.INSTITUTION_PAUSED, retry_at=until)
    if facts.leased_jobs >= facts.concurrent_jobs_max:
        return Refused(code=Refusal.INSTITUTION_BUSY, retry_at=now + jittered(BUSY_FOR, job_id, percent=50))
    if (affordable_at := _affordable_at(facts, now)) > now:
        return Refused(code=Refusal.INSTITUTION_THROTTLED, retry_at=affordable_at)
    left = _refilled(facts, now) - _reservation(facts) * 1000
    admitted = replace(facts, bucket_thousandths=left, bucket_at=max(facts.bucket_at, now))
    if facts.breaker == BreakerStatus.CLOSED:
        return admitted
    return replace(
        admitted, breaker=BreakerStatus.HALF_OPEN, breaker_until=None, probe_job_id=job_id, probe_until=lease_until
    )


def free_slots(facts: GateFacts, *, now: datetime) -> int:
    """How many jobs `admit` would let in, one after the other."""
    if _paused_until(facts, now) is not None or not facts.calls_per_minute_max:
        return 0
    slots = max(facts.concurrent_jobs_max - facts.leased_jobs, 0)
    if facts.breaker != BreakerStatus.CLOSED:
        slots = min(slots, 1)
    return min(slots, max(_refilled(facts, now) // (_reservation(facts) * 1000), 0))


def settled(facts: GateFacts, tally: Tally, *, job_id: UUID, now: datetime) -> GateFacts:
    """The gate after this job made its calls. While the breaker is not closed only the probe's word counts: the others
    began before it opened, and speak of the past."""
    facts = _repaid(facts, tally, now)
    if facts.breaker == BreakerStatus.CLOSED:
        counted = _counted(facts, tally, now)
        return _opened(counted, now) if _too_many_failures(counted) else counted
    if facts.breaker == BreakerStatus.HALF_OPEN and facts.probe_job_id == job_id:
        return _probed(facts, tally, now)
    return facts


def _paused_until(facts: GateFacts, now: datetime) -> datetime | None:
    if facts.breaker == BreakerStatus.OPEN and facts.breaker_until is not None and facts.breaker_until > now:
        return facts.breaker_until
    if facts.breaker == BreakerStatus.HALF_OPEN and facts.probe_until is not None and facts.probe_until > now:
        return min(facts.probe_until, now + BUSY_FOR)
    return None


def _reservation(facts: GateFacts) -> int:
    return min(CALLS_RESERVED, facts.calls_per_minute_max)


def _refilled(facts: GateFacts, now: datetime) -> int:
    """Thousandths of a call in the bucket: it holds a minute's worth, and fills as evenly as time goes."""
    milliseconds = max((now - facts.bucket_at) // timedelta(milliseconds=1), 0)
    filled = facts.bucket_thousandths + milliseconds * facts.calls_per_minute_max // 60
    return min(filled, facts.calls_per_minute_max * 1000)


def _affordable_at(facts: GateFacts, now: datetime) -> datetime:
    if not facts.calls_per_minute_max:
        return now + STOPPED_FOR
    missing = _reservation(facts) * 1000 - _refilled(facts, now)
    if missing <= 0:
        return now
    return now + timedelta(milliseconds=-(-missing * 60 // facts.calls_per_minute_max))


def _repaid(facts: GateFacts, tally: Tally, now: datetime) -> GateFacts:
    """What was reserved and not called comes back, what was called beyond it is a debt. No refund pays a debt: it may
    be a wait that the bank asked for."""
    filled = _refilled(facts, now)
    difference = (_reservation(facts) - tally.calls) * 1000
    if difference < 0 or filled >= 0:
        filled = min(filled + difference, facts.calls_per_minute_max * 1000)
    if tally.throttled_for is not None:
        milliseconds = tally.throttled_for // timedelta(milliseconds=1)
        # So deep a debt that it is paid when the wait is over.
        filled = min(filled, -(milliseconds * facts.calls_per_minute_max // 60))
    return replace(facts, bucket_thousandths=filled, bucket_at=max(facts.bucket_at, now))


def _counted(facts: GateFacts, tally: Tally, now: datetime) -> GateFacts:
    unanswered = tally.unanswered if tally.answered else facts.unanswered + tally.unanswered
    if now - facts.window_at > WINDOW:
        facts = replace(facts, window_at=now, calls=0, failures=0)
    return replace(
        facts, calls=facts.calls + tally.calls, failures=facts.failures + tally.failures, unanswered=unanswered
    )


def _too_many_failures(facts: GateFacts) -> bool:
    return facts.unanswered >= UNANSWERED_MAX or (facts.calls >= CALLS_MIN and facts.failures * 2 >= facts.calls)


def _opened(facts: GateFacts, now: datetime) -> GateFacts:
    # Twenty doublings are far beyond the maximum.
    wait = min(OPEN_FIRST * 2 ** min(facts.opened_count, 20), OPEN_MAX)
    wait = jittered(wait, facts.institution_id, facts.opened_count, percent=OPEN_JITTER_PERCENT)
    return replace(
        _emptied(facts, now),
        breaker=BreakerStatus.OPEN,
        breaker_until=now + wait,
        opened_count=facts.opened_count + 1,
    )


def _probed(facts: GateFacts, tally: Tally, now: datetime) -> GateFacts:
    if not tally.calls:  # its consent had ended, say: the bank was not asked, and the next job is the probe
        return replace(facts, probe_job_id=None, probe_until=None)
    if tally.failures * 2 >= tally.calls:
        return _opened(facts, now)
    return replace(_emptied(facts, now), breaker=BreakerStatus.CLOSED, opened_count=0)


def _emptied(facts: GateFacts, now: datetime) -> GateFacts:
    return replace(
        facts,
        breaker_until=None,
        probe_job_id=None,
        probe_until=None,
        window_at=now,
        calls=0,
        failures=0,
        unanswered=0,
    )


# -- the row -----------------------------------------------------------------------------------------------------------

_STORED = tuple(
    {field.name for field in fields(GateFacts)}
    - {"institution_id", "concurrent_jobs_max", "calls_per_minute_max", "leased_jobs"}
)


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


def settle(institution_id: UUID, tally: Tally, *, job_id: UUID, now: datetime) -> datetime | None:
    """Write down what a job's calls came to; until when the bank is left alone now, None: it is not.

    The caller holds no lock.
    """
    with locked(institution_id, now=now, with_jobs=False) as facts:
        after = settled(facts, tally, job_id=job_id, now=now)
        store(after)
    return after.breaker_until if after.breaker == BreakerStatus.OPEN else None


class Settling:
    """Of one job: settled once, whichever of its endings comes first. `tally` is told of its calls."""

    def __init__(self, institution_id: UUID, job_id: UUID) -> None:
        self.tally = Tally()
        self._institution_id, self._job_id = institution_id, job_id
        self._is_done = False
        self._closed_until: datetime | None = None

    def settle(self, now: datetime) -> datetime | None:
        """As `settle`."""
        if not self._is_done:
            self._closed_until = settle(self._institution_id, self.tally, job_id=self._job_id, now=now)
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

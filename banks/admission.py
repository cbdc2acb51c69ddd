"""What one bank can take right now: jobs at once, calls a minute, and whether it is asked at all. Pure.

Each decision takes a bank's gate and gives the gate as it is afterwards; `banks.gate` has the row that it is kept in.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from banks.errors import AddressForbidden, BankRateLimited, BankTimeout, BankUnavailable
from banks.http.exchanges import Exchange
from banks.jitter import jittered

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


class BreakerStatus(StrEnum):
    """CLOSED -> OPEN (too many failures) -> HALF_OPEN (one probe) -> CLOSED | OPEN."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


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


def settled(facts: GateFacts, tally: Tally, *, is_probe: bool, now: datetime) -> GateFacts:
    """The gate after a job made its calls. While the breaker is not closed only the probe's word counts: the others
    began before it opened, and speak of the past."""
    facts = _repaid(facts, tally, now)
    if facts.breaker == BreakerStatus.CLOSED:
        counted = _counted(facts, tally, now)
        return _opened(counted, now) if _too_many_failures(counted) else counted
    if facts.breaker == BreakerStatus.HALF_OPEN and is_probe:
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

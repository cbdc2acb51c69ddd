"""One turn of one job at one bank: how long it may take, and what it has done so far.

The lease is renewed while the worker lives and works, so that a fetch may take longer than a lease, and no lease
outlives its worker by more than one. Every exchange must end well inside the lease that is then held.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from banks import held_jobs
from banks.held_jobs import Claim, JobError
from banks.models import Account, Connection, SyncTrigger
from banks.plan import Plan, plan
from banks.proof import Booked
from consents.scopes import Presence

#: After this long no new window begins: the job goes to the back of the queue and other connections get their turn.
TURN_SECONDS = 240.0
#: After this long the current call ends, whatever it brought.
TURN_SECONDS_MAX = 900.0
#: What is younger is not asked for again by work that merely goes on.
_STILL_FRESH = timedelta(hours=1)


class Watch:
    """Renews the lease of `held` as time goes by. Seconds are on time.monotonic()'s clock."""

    def __init__(self, held: Claim, clock: Callable[[], datetime]) -> None:
        self._held, self._clock = held, clock
        self._began = self._renewed = time.monotonic()

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._began + TURN_SECONDS

    def deadline(self) -> float:
        """When the current call must have ended."""
        return min(self._renewed + self._held.seconds, self._began + TURN_SECONDS_MAX)

    def renew(self) -> None:
        """Before every call and every write; it writes only where some part of the lease is gone. Raises StaleLease."""
        now = time.monotonic()
        if now - self._renewed > self._held.seconds / 8:
            held_jobs.extend(self._held, now=self._clock())
            self._renewed = now


@dataclass(slots=True, kw_only=True)
class SyncResult:
    """What a turn did. `error` is the first trouble with a single account, None when all went well."""

    accounts: int = 0
    balances: int = 0
    windows: int = 0
    added: int = 0
    modified: int = 0
    linked: int = 0
    removed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    error: JobError | None = None
    retry: bool = False
    #: Something was left out because the bank was asked often enough today.
    quota_spent: bool = False
    #: A list changed while it was paged, twice.
    list_unstable: bool = False
    #: Something other than the list of accounts was fetched.
    has_fetched: bool = False
    #: When the next sync is due was said with the end of the job.
    is_scheduled: bool = False
    #: The connection's change number before the first change that is to be told; None: there is none.
    changed_after: int | None = None

    def counts(self) -> dict[str, int]:
        names = (
            "accounts",
            "balances",
            "windows",
            "added",
            "modified",
            "linked",
            "removed",
            "unchanged",
            "quarantined",
        )
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True, kw_only=True)
class Turn:
    held: Claim
    connection: Connection
    plan: Plan
    clock: Callable[[], datetime]
    watch: Watch
    result: SyncResult = field(default_factory=SyncResult)
    #: Ours -> the bank's, of accounts that are planned and that the bank lists.
    bank_ids: dict[UUID, str] = field(default_factory=dict)
    #: Those accounts as they were stored when the turn began with them; currencies as the bank tells them now, None
    #: where it does not.
    accounts: dict[UUID, Account] = field(default_factory=dict)
    currencies: dict[UUID, str | None] = field(default_factory=dict)
    #: Booked balances fetched in this turn, where the bank tells one.
    booked: dict[UUID, Booked] = field(default_factory=dict)

    @property
    def presence(self) -> Presence:
        return self.held.presence

    @property
    def ids(self) -> dict[str, UUID]:
        """For logs."""
        return {"job_id": self.held.job_id, "connection_id": self.held.connection_id}

    def plan_for_call(self) -> Plan:
        """What may be fetched now: asked anew before every call to the bank."""
        return plan(self.connection, presence=self.presence, now=self.clock())

    @property
    def goes_on(self) -> bool:
        """Whether an earlier turn or attempt may have brought something of this work."""
        return self.held.attempts > 1 or self.held.trigger == SyncTrigger.BACKFILL

    def was_just_fetched(self, fetched_at: datetime | None) -> bool:
        """Whether this work need not ask again for what was fetched then: it goes on, or an earlier attempt brought it.

        A bank that turns every second call away would otherwise be asked for its list of accounts for ever.
        """
        if not self.goes_on or fetched_at is None or self.clock() - fetched_at >= _STILL_FRESH:
            return False
        return fetched_at >= self.held.created_at

    def local_today(self) -> date:
        """The bank's calendar day. Of the fetch, not of any row: no row's date is derived from an instant."""
        return self.clock().astimezone(ZoneInfo(self.connection.institution.timezone)).date()

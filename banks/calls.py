"""The right to the next call to a bank: consents asked and the access counted, in one transaction right before it.

Where an answer is stored first, that transaction asks for the next call too. What it was told is good for the very next
call and no other, and for a moment only: nobody remembers between two calls what a consent allowed.
"""

import time
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from banks import fences, held_jobs, quota
from banks.errors import BankError, QuotaSpent
from banks.fences import NoLongerNeeded
from banks.models import Connection
from banks.plan import Plan
from banks.turn import Turn
from banks.types import Resource

#: What was asked longer ago is asked again. From the commit on nothing holds who wants to stop: this bounds how long a
#: thread that was held up may still act on it.
READY_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`account_id` None: the list of accounts. `since`: the first day of transactions that is asked for."""

    account_id: UUID | None
    resource: Resource
    since: date | None = None

    @property
    def stage(self) -> str:
        return self.resource.upper()


LIST = Call(account_id=None, resource=Resource.ACCOUNTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """`refusal` None: the call may be made, and is counted."""

    call: Call
    refusal: NoLongerNeeded | QuotaSpent | None
    asked_monotonic: float = field(default_factory=time.monotonic)

    def is_for(self, call: Call) -> bool:
        return self.call == call and time.monotonic() - self.asked_monotonic < READY_SECONDS


class Calls:
    """Of one turn. `upcoming`: what will probably be asked for next, in order."""

    def __init__(self, turn: Turn, *, counts_pages: bool) -> None:
        self.upcoming: list[Call] = []
        self._turn = turn
        self._counts_pages = counts_pages
        self._ledger = quota.Ledger()
        self._ready: Ready | None = None
        #: Counted, and not made yet: ids of quota's records.
        self._counted: dict[Call, UUID] = {}

    @property
    def ledger(self) -> quota.Ledger:
        return self._ledger

    def allow(self, call: Call) -> None:
        """Before every call: the bank hears nothing that no live consent asks for, nor more often than it wants.

        Raises NoLongerNeeded, QuotaSpent, StaleLease.
        """
        self._turn.watch.renew()
        ready = self.drop()
        self.upcoming = [one for one in self.upcoming if one != call]
        if ready is None or not ready.is_for(call):
            with fences.fenced_alone(self._turn.held, stage=call.stage) as connection:
                ready = self._asked(call, connection, self._turn.plan_for_call())
                if ready.refusal is not None:
                    raise ready.refusal
        if ready.refusal is not None:
            raise ready.refusal
        self._counted.pop(call, None)

    def ask_ahead(self, connection: Connection, needs: Plan, *, stage: str) -> None:
        """For the call that comes next, last in a transaction that stores an answer or begins the turn.

        `needs`: asked in this transaction, which is fenced as `stage` and holds the connection's lock.
        """
        if not self.upcoming or self._turn.watch.is_over:
            return
        call = self.upcoming[0]
        self._ready = self._asked(call, connection, needs)
        if call.stage != stage:
            held_jobs.fence(self._turn.held, stage=call.stage)

    def drop(self) -> Ready | None:
        """What was asked ahead, which is no longer good for anything else."""
        ready, self._ready = self._ready, None
        return ready

    def give_back(self, call: Call, error: BankError) -> None:
        """Nothing of it was told in this run (quota.give_back)."""
        turn = self._turn
        quota.give_back(turn.held, account_id=call.account_id, resource=call.resource, error=error, now=turn.clock())
        self._ledger.forget()

    def give_back_unmade(self) -> None:
        """What was counted ahead and never asked for, because the bank failed before it."""
        if self._counted:
            quota.take_back(self._turn.held, set(self._counted.values()), now=self._turn.clock())
            self._counted.clear()
            self._ledger.forget()

    def _asked(self, call: Call, connection: Connection, needs: Plan) -> Ready:
        """One that was counted before, and is asked again since that was too long ago, is not counted again."""
        try:
            _require(needs, call)
            if call not in self._counted:
                counted = self._ledger.spend(
                    self._turn.held,
                    connection,
                    account_id=call.account_id,
                    resource=call.resource,
                    now=self._turn.clock(),
                    counts_pages=self._counts_pages,
                )
                if counted is not None:
                    self._counted[call] = counted
        except (NoLongerNeeded, QuotaSpent) as refusal:
            return Ready(call=call, refusal=refusal)
        return Ready(call=call, refusal=None)


def _require(needs: Plan, call: Call) -> None:
    if call.account_id is not None:
        fences.require(needs, call.account_id, call.resource, since=call.since)
    elif not needs.accounts:
        raise NoLongerNeeded(call.resource)

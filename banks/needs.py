"""What is needed by whom until when, and since when something is not needed any more. Pure.

A need is one consent's, of one account. Live consents need what their scopes read; a question that waits for its answer
needs all of what the bank showed for it, because the answer may be yes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from banks.types import Resource

#: Rows are kept this long after the last need of them ended: who changes their mind loses nothing.
RETENTION = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """`until` is exclusive. `is_question`: nobody has allowed it yet."""

    account_id: UUID
    resources: frozenset[Resource]
    until: datetime
    is_question: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """`until`: end of the last live consent, None without one; a question gives no end."""

    accounts: frozenset[UUID]
    balances: frozenset[UUID]
    transactions: frozenset[UUID]
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Since when an account, or its transactions alone, are not needed; None: they are, or there are none."""

    unneeded_at: datetime | None
    transactions_unneeded_at: datetime | None


def needed(needs: Iterable[Need], now: datetime) -> Needs:
    """Of these needs, what still holds at `now`, whatever a row says: an end date needs no sweep to come true."""
    holding = [need for need in needs if need.until > now]

    def holding_for(resource: Resource) -> frozenset[UUID]:
        return frozenset(need.account_id for need in holding if resource in need.resources)

    return Needs(
        accounts=frozenset(need.account_id for need in holding),
        balances=holding_for(Resource.BALANCES),
        transactions=holding_for(Resource.TRANSACTIONS),
        until=max((need.until for need in holding if not need.is_question), default=None),
    )


def marks(account_id: UUID, before: Marks, needs: Needs, *, has_transactions: bool, now: datetime) -> Marks:
    """What an account's marks become. The clock of one that is marked already goes on; nothing starts it anew."""
    if account_id not in needs.accounts:
        return Marks(unneeded_at=before.unneeded_at or now, transactions_unneeded_at=before.transactions_unneeded_at)
    waits = has_transactions and account_id not in needs.transactions
    return Marks(unneeded_at=None, transactions_unneeded_at=before.transactions_unneeded_at or now if waits else None)


def is_due(unneeded_at: datetime | None, now: datetime, *, at_once: bool = False) -> bool:
    """Whether it goes now. `at_once`: the user does not want to wait; what is needed stays all the same."""
    return unneeded_at is not None and (at_once or unneeded_at + RETENTION <= now)

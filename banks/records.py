"""What banks.read hands out, as plain values. No query, no table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from banks.types import TransactionStatus

Row = Mapping[str, object]

PAGE_LIMIT_MAX = 500


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of transactions ended: lists run by (listed_on, id), newest first."""

    listed_on: date
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How complete: first and last day the bank answered for, clipped to the permit's window; gaps in between."""

    first_on: date | None
    last_on: date | None
    gaps: tuple[tuple[date, date], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Rows and how fresh they are; `as_of` is the oldest instant any of them was fetched at, None before the first.

    `next_refresh_after`: before it a refresh without the user would fetch nothing; None: it may be asked for now.
    """

    rows: Sequence[Row]
    as_of: datetime | None
    next_refresh_after: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPage(Answer):
    """`next` is None on the last page."""

    next: Position | None
    coverage: Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Of the stored transactions of one account: how many are let out, and how many each filter keeps back.

    A row that several keep back counts for the first of them, in this order.
    """

    shown: int
    before_window: int
    in_hidden_groups: int
    off_platform: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFilter:
    """Days are inclusive and compared with `listed_on`. `limit` is 1 to PAGE_LIMIT_MAX."""

    start_on: date | None = None
    end_on: date | None = None
    status: TransactionStatus | None = None
    limit: int = 100
    after: Position | None = None


# -- what changed -----------------------------------------------------------------------------------------------------


class UpdateStatus(StrEnum):
    """How far the fetching of transactions has come."""

    FIRST_SYNC = "FIRST_SYNC"  #: no fetch has been completed yet
    BACKFILLING = "BACKFILLING"  #: days of the window are missing, or came during this walk
    CURRENT = "CURRENT"  #: every day of the window that the bank has was fetched


@dataclass(frozen=True, slots=True)
class Stretch:
    """How far one connection has been told, in its change sequence. A walk tells `at` < sequence <= `until`.

    `since` is where the walk began: what the reader's copy held then. All three are equal between two walks; NOTHING
    stands for "no copy yet".
    """

    since: int
    at: int
    until: int


#: Before the first change: rows of an earlier release may carry 0.
NOTHING = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePosition:
    """Where a page of changes ended. `fingerprint`: of what the permit let through; 16 bytes."""

    fingerprint: bytes
    stretches: Mapping[UUID, Stretch]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProgress:
    """`as_of`, coverage and progress of one account's transactions."""

    account_id: UUID
    update_status: UpdateStatus
    as_of: datetime | None
    coverage: Coverage
    next_refresh_after: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage(Answer):
    """`rows` are `added` and `modified`, each with its `account_id`; `removed` rows hold `id` and `account_id` only."""

    added: Sequence[Row]
    modified: Sequence[Row]
    removed: Sequence[Row]
    next: ChangePosition
    has_more: bool
    update_status: UpdateStatus
    accounts: Sequence[AccountProgress]

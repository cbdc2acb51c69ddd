"""What banks.read hands out, as plain values. No query, no table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, overload
from uuid import UUID

from banks.types import TransactionStatus

Row = Mapping[str, object]

PAGE_LIMIT_MAX = 500


class Rows(Sequence[Row]):
    """Rows of the same columns, kept as they were read; each is a read-only mapping when it is asked for.

    `columns` and `values`: for whoever goes over all of them.
    """

    __slots__ = ("columns", "values")

    def __init__(self, columns: tuple[str, ...], values: Sequence[tuple[Any, ...]]) -> None:
        self.columns = columns
        self.values = values

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> "Rows": ...

    def __getitem__(self, index: int | slice) -> "Row | Rows":
        if isinstance(index, slice):
            return Rows(self.columns, self.values[index])
        return MappingProxyType(dict(zip(self.columns, self.values[index], strict=True)))

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of any list


Fingerprint = bytes  #: of all that an answer depends on: equal ones belong to equal answers
Known = Callable[[Fingerprint], bool]  #: whether the reader holds the answer with this fingerprint already


def nothing_known(fingerprint: Fingerprint) -> bool:
    """Of a reader that holds nothing."""
    return False


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
    `fingerprint`: None where what the answer depends on has no cheap sign of change. `is_known`: the reader holds this
    answer already, so no rows were read.
    """

    rows: Sequence[Row]
    as_of: datetime | None
    next_refresh_after: datetime | None
    fingerprint: Fingerprint | None = None
    is_known: bool = False


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

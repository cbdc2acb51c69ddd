"""THE SEAM. All customer data leaves through these functions, against a Permit.

They return read-only records that hold the columns the permit releases and nothing else: a field that was not
consented is not in the SQL. Nothing a caller gets can be followed to a row outside the permit, and no answer is
returned before its usage row is committed. `last_change` alone hands out no row, and so logs no read.
"""

from collections.abc import Sequence
from datetime import date, datetime
from types import MappingProxyType
from uuid import UUID

from django.db.models import Q, QuerySet

from banks import models, permitted
from banks.changes import changes, last_change
from banks.errors import AccountNotFound
from banks.records import (
    NOTHING,
    PAGE_LIMIT_MAX,
    AccountProgress,
    Answer,
    ChangePage,
    ChangePosition,
    Coverage,
    Position,
    Row,
    Stretch,
    Tally,
    TransactionFilter,
    TransactionPage,
    UpdateStatus,
)
from consents.policy import Permit
from consents.scopes import Record

#: All that may be taken from here: no table, no query (tests/architecture/test_seam.py holds importers to it).
__all__ = [
    "NOTHING",
    "PAGE_LIMIT_MAX",
    "AccountProgress",
    "Answer",
    "ChangePage",
    "ChangePosition",
    "Coverage",
    "Position",
    "Row",
    "Stretch",
    "Tally",
    "TransactionFilter",
    "TransactionPage",
    "UpdateStatus",
    "account",
    "accounts",
    "balances",
    "changes",
    "last_change",
    "tally",
    "transactions",
]


def accounts(permit: Permit, *, now: datetime, request_id: str) -> Answer:
    """Every account the permit opens, by id; each row also tells its `as_of` and `next_refresh_after`.

    Raises ScopeNotGranted, PermitExpired.
    """
    permitted.still_valid(permit, now)
    opening = permit.opening(Record.ACCOUNT)
    read = [(part, permitted.account_rows(permit, part, part.account_ids, now=now)) for part in opening]
    counts = [(part, len(rows)) for part, rows in read]
    permitted.commit_usage(permit, counts, Record.ACCOUNT, account_id=None, now=now, request_id=request_id)
    rows = [row for _, part_rows in read for row in part_rows]
    return _accounts_answer(sorted(rows, key=lambda row: str(row["id"])))


def account(permit: Permit, account_id: UUID, *, now: datetime, request_id: str) -> Answer:
    """One account, as in `accounts`. Raises AccountNotFound, ScopeNotGranted, PermitExpired."""
    permitted.still_valid(permit, now)
    part = permitted.part_of(permit, account_id, Record.ACCOUNT)
    rows = permitted.account_rows(permit, part, frozenset({account_id}), now=now)
    if not rows:
        raise AccountNotFound(account_id)
    permitted.commit_usage(permit, [(part, 1)], Record.ACCOUNT, account_id=account_id, now=now, request_id=request_id)
    return _accounts_answer(rows)


def balances(permit: Permit, account_id: UUID, *, now: datetime, request_id: str) -> Answer:
    """Typed balances of one account. Raises AccountNotFound, ScopeNotGranted, PermitExpired."""
    permitted.still_valid(permit, now)
    part = permitted.part_of(permit, account_id, Record.BALANCE)
    state = permitted.account_state(permit, account_id)
    found = models.Balance.objects.permitted(permit).filter(account_id=account_id).order_by("type", "currency")
    rows = [MappingProxyType(row) for row in found.values(*part.fields(Record.BALANCE))]
    counts = [(part, len(rows))]
    permitted.commit_usage(permit, counts, Record.BALANCE, account_id=account_id, now=now, request_id=request_id)
    return Answer(
        rows=rows,
        as_of=state.balances_as_of,
        next_refresh_after=permitted.still_ahead(state.next_refresh_after, now),
    )


def transactions(
    permit: Permit, account_id: UUID, wanted: TransactionFilter, *, now: datetime, request_id: str
) -> TransactionPage:
    """One page, newest first. Raises AccountNotFound, ScopeNotGranted, PermitExpired, ValueError (limit)."""
    if not 1 <= wanted.limit <= PAGE_LIMIT_MAX:
        raise ValueError("limit")
    permitted.still_valid(permit, now)
    part = permitted.part_of(permit, account_id, Record.TRANSACTION)
    state = permitted.account_state(permit, account_id)
    found = _matching(permitted.live_rows(permit, part, account_id), wanted).order_by("-listed_on", "-id")
    fields = part.fields(Record.TRANSACTION)
    rows = [MappingProxyType(row) for row in found.values(*fields)[: wanted.limit + 1]]
    page, more = rows[: wanted.limit], len(rows) > wanted.limit
    counts = [(part, len(page))]
    permitted.commit_usage(permit, counts, Record.TRANSACTION, account_id=account_id, now=now, request_id=request_id)
    return TransactionPage(
        rows=page,
        as_of=state.transactions_as_of,
        next_refresh_after=permitted.still_ahead(state.next_refresh_after, now),
        next=_position(page[-1]) if more else None,
        coverage=permitted.coverage(state, part),
    )


def tally(permit: Permit, account_id: UUID, *, now: datetime) -> Tally:
    """How many transactions the permit lets out, and how many it keeps back: for the holder's eyes alone.

    Raises AccountNotFound, ScopeNotGranted, PermitExpired, and ValueError for a permit under a consent: to a platform
    the number of rows kept back would tell of them.
    """
    if permit.consent_id is not None:
        raise ValueError("what is kept back is told to the holder only")
    permitted.still_valid(permit, now)
    part = permitted.part_of(permit, account_id, Record.TRANSACTION)
    permitted.account_state(permit, account_id)
    return permitted.tally(permit, part, account_id)


def _matching(rows: QuerySet[models.Transaction], wanted: TransactionFilter) -> QuerySet[models.Transaction]:
    if wanted.start_on is not None:
        rows = rows.filter(listed_on__gte=wanted.start_on)
    if wanted.end_on is not None:
        rows = rows.filter(listed_on__lte=wanted.end_on)
    if wanted.status is not None:
        rows = rows.filter(status=wanted.status)
    if wanted.after is not None:
        # Two conditions instead of a tuple comparison, which SQLite answers by scanning the account.
        after = wanted.after
        rows = rows.filter(listed_on__lte=after.listed_on).filter(Q(listed_on__lt=after.listed_on) | Q(id__lt=after.id))
    return rows


def _accounts_answer(rows: Sequence[Row]) -> Answer:
    fetched = _instants(rows, "as_of")
    return Answer(
        rows=rows,
        as_of=min((instant for instant in fetched if instant is not None), default=None),
        next_refresh_after=permitted.earliest(_instants(rows, "next_refresh_after")),
    )


def _instants(rows: Sequence[Row], name: str) -> list[datetime | None]:
    return [value if isinstance(value := row[name], datetime) else None for row in rows]


def _position(row: Row) -> Position:
    listed_on, row_id = row["listed_on"], row["id"]
    assert isinstance(listed_on, date) and isinstance(row_id, UUID)
    return Position(listed_on, row_id)

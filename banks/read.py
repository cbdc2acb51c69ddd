"""THE SEAM. All customer data leaves through these functions, against a Permit.

They return read-only records that hold the columns the permit releases and nothing else: a field that was not
consented is not in the SQL. Nothing a caller gets can be followed to a row outside the permit, and no answer is
returned before its usage row is committed. `last_change` alone hands out no row, and so logs no read.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

from banks import fingerprints, permitted, read_sql
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
    Fingerprint,
    Known,
    Position,
    Row,
    Rows,
    Stretch,
    Tally,
    TransactionFilter,
    TransactionPage,
    UpdateStatus,
    nothing_known,
)
from consents.policy import Permit, PermitSlice
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
    "Fingerprint",
    "Known",
    "Position",
    "Row",
    "Rows",
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


def accounts(permit: Permit, *, now: datetime, request_id: str, known: Known = nothing_known) -> Answer:
    """Every account the permit opens, by id; each row also tells its `as_of` and `next_refresh_after`.

    `known` is asked with the answer's fingerprint. Raises ScopeNotGranted, PermitExpired.
    """
    permitted.still_valid(permit, now)
    read = [(part, _account_rows(permit, part, part.account_ids, now)) for part in permit.opening(Record.ACCOUNT)]
    return _accounts_answer(permit, read, None, now=now, request_id=request_id, known=known)


def account(
    permit: Permit, account_id: UUID, *, now: datetime, request_id: str, known: Known = nothing_known
) -> Answer:
    """One account, as in `accounts`. Raises AccountNotFound, ScopeNotGranted, PermitExpired."""
    permitted.still_valid(permit, now)
    part = permitted.part_of(permit, account_id, Record.ACCOUNT)
    rows = _account_rows(permit, part, [account_id], now)
    if not rows:
        raise AccountNotFound(account_id)
    return _accounts_answer(permit, [(part, rows)], account_id, now=now, request_id=request_id, known=known)


def balances(
    permit: Permit, account_id: UUID, *, now: datetime, request_id: str, known: Known = nothing_known
) -> Answer:
    """Typed balances of one account. `known` is asked before they are read, and true leaves them unread.

    Raises AccountNotFound, ScopeNotGranted, PermitExpired.
    """
    permitted.still_valid(permit, now)
    part = permitted.part_of(permit, account_id, Record.BALANCE)
    state = read_sql.account_state(permit, account_id)
    next_refresh_after = permitted.still_ahead(state.next_refresh_after, now)
    told = [account_id, state.version, state.balances_as_of, next_refresh_after]
    fingerprint = fingerprints.of(permit, [part], Record.BALANCE, told)
    is_known = fingerprint is not None and known(fingerprint)
    rows = () if is_known else read_sql.balances(permit, part, account_id)
    counts = [(part, len(rows))]
    permitted.commit_usage(permit, counts, Record.BALANCE, account_id=account_id, now=now, request_id=request_id)
    return Answer(
        rows=Rows(part.fields(Record.BALANCE), rows),
        as_of=state.balances_as_of,
        next_refresh_after=next_refresh_after,
        fingerprint=fingerprint,
        is_known=is_known,
    )


def transactions(
    permit: Permit,
    account_id: UUID,
    wanted: TransactionFilter,
    *,
    now: datetime,
    request_id: str,
    known: Known = nothing_known,
) -> TransactionPage:
    """One page, newest first. `known` is asked before its rows are read, and true leaves them unread.

    Raises AccountNotFound, ScopeNotGranted, PermitExpired, ValueError (limit).
    """
    if not 1 <= wanted.limit <= PAGE_LIMIT_MAX:
        raise ValueError("limit")
    permitted.still_valid(permit, now)
    part = permitted.part_of(permit, account_id, Record.TRANSACTION)
    # Before the rows: what changes in between makes the page newer than its fingerprint, never older.
    state = read_sql.account_state(permit, account_id)
    coverage = permitted.coverage(state, part)
    next_refresh_after = permitted.still_ahead(state.next_refresh_after, now)
    told = [account_id, state.version, state.transactions_as_of, next_refresh_after, coverage, wanted]
    fingerprint = fingerprints.of(permit, [part], Record.TRANSACTION, told)
    is_known = fingerprint is not None and known(fingerprint)
    found = () if is_known else read_sql.page(permit, part, account_id, wanted, limit=wanted.limit + 1)
    page, more = Rows(part.fields(Record.TRANSACTION), found[: wanted.limit]), len(found) > wanted.limit
    counts = [(part, len(page))]
    permitted.commit_usage(permit, counts, Record.TRANSACTION, account_id=account_id, now=now, request_id=request_id)
    return TransactionPage(
        rows=page,
        as_of=state.transactions_as_of,
        next_refresh_after=next_refresh_after,
        fingerprint=fingerprint,
        is_known=is_known,
        next=_position(page[-1]) if more else None,
        coverage=coverage,
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
    read_sql.account_state(permit, account_id)
    return permitted.tally(permit, part, account_id)


def _account_rows(permit: Permit, part: PermitSlice, account_ids: Collection[UUID], now: datetime) -> Rows:
    """What the slice releases of each account, and its `as_of` and `next_refresh_after`."""
    fields = part.fields(Record.ACCOUNT)
    found = read_sql.account_rows(permit, account_ids, (*fields, "fetched_at", "next_refresh_after"))
    told = [(*row[:-1], permitted.still_ahead(row[-1], now)) for row in found]
    return Rows((*fields, "as_of", "next_refresh_after"), told)


def _accounts_answer(
    permit: Permit,
    read: Sequence[tuple[PermitSlice, Rows]],
    account_id: UUID | None,
    *,
    now: datetime,
    request_id: str,
    known: Known,
) -> Answer:
    """Their rows are their state: what they say is what the answer depends on."""
    rows = sorted((row for _, part_rows in read for row in part_rows), key=lambda row: str(row["id"]))
    told = [account_id, *(list(row.items()) for row in rows)]
    fingerprint = fingerprints.of(permit, [part for part, _ in read], Record.ACCOUNT, told)
    is_known = fingerprint is not None and known(fingerprint)
    counts = [(part, 0 if is_known else len(part_rows)) for part, part_rows in read]
    permitted.commit_usage(permit, counts, Record.ACCOUNT, account_id=account_id, now=now, request_id=request_id)
    fetched = _instants(rows, "as_of")
    return Answer(
        rows=[] if is_known else rows,
        as_of=min((instant for instant in fetched if instant is not None), default=None),
        next_refresh_after=permitted.earliest(_instants(rows, "next_refresh_after")),
        fingerprint=fingerprint,
        is_known=is_known,
    )


def _instants(rows: Sequence[Row], name: str) -> list[datetime | None]:
    return [value if isinstance(value := row[name], datetime) else None for row in rows]


def _position(row: Row) -> Position:
    listed_on, row_id = row["listed_on"], row["id"]
    assert isinstance(listed_on, date) and isinstance(row_id, UUID)
    return Position(listed_on, row_id)
